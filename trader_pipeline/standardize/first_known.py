"""When a fact could first have been acted on, as far as the fact itself and its table's rule tell.

`released` where the publisher's own moment is given; `assumed` where a rule dates it; null where neither says anything:
then it counts from the moment that we fetched it. News is dated in `followed`, since it depends on when following began.
"""

from collections.abc import Callable, Mapping

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import INSTANT

DEFAULT_EXCHANGE = "XNYS"
FIRST_KNOWN, FIRST_BASIS = "first_known_at", "first_basis"


def with_first_known(table: Table, rows: pa.Table, exchange_of: Mapping[str, str]) -> pa.Table:
    """Return `rows` with `first_known_at` and `first_basis` in the place of `known_at`; `exchange_of` maps tickers to calendars."""
    given = rows["known_at"].cast(INSTANT) if "known_at" in rows.column_names else pa.nulls(rows.num_rows, INSTANT)
    ruled = _RULES[table](rows, exchange_of)
    basis = pc.if_else(pc.is_valid(given), _basis_of_given(table, rows), "assumed")
    if "known_at" in rows.column_names:
        rows = rows.drop_columns(["known_at"])
    return rows.append_column(FIRST_KNOWN, pc.coalesce(given, ruled)).append_column(FIRST_BASIS, basis)


def followed_since(rows: pa.Table, first_fetch: pa.Table) -> pa.Table:
    """Date core.news rows: out before `first_fetch` (ticker, source, fetched_at): known then, assumed; later ones when fetched.

    An article is out when it was published, or at the later moment that its vendor tells: when it took the article in.
    """
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        told = rows[FIRST_KNOWN] if FIRST_KNOWN in rows.column_names else rows["published_at"]
        rows = rows.drop_columns([n for n in ("known_at", FIRST_KNOWN, FIRST_BASIS) if n in rows.column_names])
        con.register("news", rows.append_column("out_at", pc.coalesce(told, rows["published_at"])))
        con.register("first_fetch", first_fetch)
        return con.sql(
            "select * exclude (since, out_at), case when out_at <= since then out_at else greatest(out_at, fetched_at) end "
            "as first_known_at, case when out_at <= since then 'assumed' else 'observed' end as first_basis "
            "from (select n.*, coalesce(f.fetched_at, n.fetched_at) as since from news n left join first_fetch f using (ticker, source))"
        ).to_arrow_table()


def _basis_of_given(table: Table, rows: pa.Table) -> pa.Array | pa.Scalar:
    """Return released; that of a macro series without vintages, or of a factor, comes from a declared lag: assumed."""
    if table is core.MACRO:
        return pc.if_else(pc.equal(rows["vintage"], "released"), "released", "assumed")
    return pa.scalar("assumed" if table is core.FACTOR_RETURNS else "released")


def _at_close(rows: pa.Table, exchange_of: Mapping[str, str]) -> pa.Array:
    """Return close + 30 min of each row's session on its ticker's exchange."""
    tickers = rows["ticker"].combine_chunks().dictionary_encode()
    exchanges = np.array([exchange_of.get(name, DEFAULT_EXCHANGE) for name in tickers.dictionary.to_pylist()], dtype=object)
    exchange_R = exchanges[tickers.indices.to_numpy(zero_copy_only=False)] if rows.num_rows else np.empty(0, dtype=object)
    days_R = rows["session"].to_numpy().astype("datetime64[D]")
    known_R = np.empty(rows.num_rows, dtype="datetime64[us]")
    for exchange in sorted(set(exchanges.tolist())):
        mine = exchange_R == exchange
        known_R[mine] = calendar.known_at_array(exchange, days_R[mine])
    return _instants(known_R)


def _after_report(rows: pa.Table, _: Mapping[str, str]) -> pa.Array:
    """Return close + 30 min of the day after the report: it may have come after the close of its own."""
    return _next_close(rows["report_date"])


def _after_filing(rows: pa.Table, _: Mapping[str, str]) -> pa.Array:
    """Return close + 30 min of the day after the filing; null where its day is not told."""
    return _next_close(rows["filed_on"])


def _at_close_of_final(rows: pa.Table, _: Mapping[str, str]) -> pa.Array:
    """Return close + 30 min of the day that a never revised series speaks of; null of a revised one."""
    days = rows["observed_on"].to_numpy().astype("datetime64[D]")
    known = _instants(calendar.known_at_array(DEFAULT_EXCHANGE, days))
    return pc.if_else(pc.equal(rows["vintage"], "final"), known, pa.scalar(None, INSTANT))


def _unruled(rows: pa.Table, _: Mapping[str, str]) -> pa.Array:
    return pa.nulls(rows.num_rows, INSTANT)


def _next_close(days: pa.ChunkedArray) -> pa.Array:
    valid = np.asarray(pc.is_valid(days).to_numpy())
    known = np.full(len(valid), np.datetime64("NaT"), dtype="datetime64[us]")
    known[valid] = calendar.known_at_array(DEFAULT_EXCHANGE, days.drop_null().to_numpy().astype("datetime64[D]") + 1)
    return _instants(known)


def _instants(known: npt.NDArray[np.datetime64]) -> pa.Array:
    return pc.cast(pa.array(known.astype("datetime64[us]"), pa.timestamp("us")), INSTANT)


_RULES: dict[Table, Callable[[pa.Table, Mapping[str, str]], pa.Array]] = {
    core.DAILY_BARS: _at_close,
    core.CORPORATE_ACTIONS: _at_close,
    core.MACRO: _at_close_of_final,
    core.FUNDAMENTALS: _after_filing,
    core.EARNINGS: _after_report,
    core.NEWS: _unruled,
    core.FACTOR_RETURNS: _unruled,
}
