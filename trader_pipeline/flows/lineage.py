"""The lineage of every table: what schema/ declares, and what follows from declared features, rules and figures.

The panel's columns come from what each feature declares as its inputs and names in its lines; what a rule finds comes from the table that
it judges and those that it reads; FMP's figures from the list of them.
"""

import re
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, MappingProxyType
from typing import cast

import pyarrow as pa

from trader_pipeline.checks import CHECKS
from trader_pipeline.features import FEATURES, PANEL, Feature
from trader_pipeline.schema import (
    TABLES,
    Table,
    core,
    features,
    lineage_core,
    lineage_evaluation,
    lineage_features,
    lineage_outputs,
    lineage_predicted,
    lineage_serving,
    lineage_training,
    quality,
)
from trader_pipeline.schema.lineage import WHOLE, Lineage, Reads
from trader_pipeline.sources.fmp_metrics import FIGURES

_NAMED: Mapping[str, str] = {
    **{name: name for name in ("open", "high", "low", "close")},
    "volume": "volume_shares",
    "vwap": "high, low, close",
    "dollar_volume": "close_usd, volume_shares",
    **dict.fromkeys(("close_usd", "market_value", "book_to_market", "_of_value"), "close_usd"),
    **dict.fromkeys(("exposures",), "close, close_usd"),
    **dict.fromkeys(
        ("price_exposures", "momentum_12_1", "log_return", "dividend_step", "market_log_return", "beta", "residual", "shock"), "close"
    ),
}
"""Which columns of core.accepted_bars stand behind a name of features/market.py, or behind one that Qlib's formulas write after a $."""

_FACTS: Mapping[Table, str] = {
    core.CORPORATE_ACTIONS: "session, kind, value",
    core.CHARACTERISTICS: "name, observed_on, known_at, value",
    core.MACRO: "series, observed_on, known_at, value",
    core.FUNDAMENTALS: "metric, period_end, months, known_at, source, value, unit, filed_on",
    core.EARNINGS: "report_date, known_at, source, eps_estimate, eps_actual",
    core.NEWS: "ticker, known_at, title",
    core.NEWS_SCORES: "text_sha256, model, released_on, score",
    core.OPTION_QUOTES: "ticker, session, known_at, expiry, kind, strike, bid, ask, volume_contracts",
    features.MARKET_STATE: "session, known_at, p_turbulent",
    core.SECTORS: "valid_from, valid_to, sector",
    core.TICKER_MAP: "role",
    core.UNIVERSE: "universe, ticker, valid_from, valid_to",
}
"""What features/assemble.py takes of the other tables that a feature declares."""

_WHOSE = ("ticker", "series", "factor", "symbol")
_RUN = "stamp of the run"
_RULE = "the rule says it"


def _panel() -> Lineage:
    reads: dict[str, dict[str, str]] = {core.ACCEPTED_BARS.full_name: {"ticker": "ticker", "session": "session"}}
    for feature in FEATURES:
        for table in feature.inputs:
            theirs = _bars_of(feature) if table is core.ACCEPTED_BARS else _FACTS[table]
            reads.setdefault(table.full_name, {})[feature.name] = theirs
    return Lineage(table=PANEL, reads=reads, made={})


def _bars_of(feature: Feature) -> str:
    """Return the columns of bars that a feature's lines or formula name; one that names none has a value where there is a bar."""
    names = (*_names_in(cast("FunctionType", feature.compute).__code__), *re.findall(r"\$(\w+)", feature.formula))
    found = [_NAMED[name] for name in names if name in _NAMED]
    return ", ".join(dict.fromkeys(", ".join(found).split(", "))) if found else "session"


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names_in(part)


def _statements() -> Reads:
    """Return FMP's figures, and the splits that some of them are put back by."""
    reads = {}
    for table, figures in FIGURES.items():
        scaled = ["splits_after"] if any("splits_after" in figure.sql for figure in figures.values()) else []
        reads[table.full_name] = {"value": ", ".join([*figures, *scaled])}
    return reads


def _of_checks() -> Iterator[Lineage]:
    """Yield the lineage of the quality tables: a finding speaks of rows of the table that the rule judges."""
    judged = list(dict.fromkeys(rule.table for rule in CHECKS))
    beside = list(dict.fromkeys(table for rule in CHECKS for table in rule.reads if table not in judged))
    rows = {table: _row_names(table) for table in judged}

    def reads(row: Mapping[str, str], values: str) -> Reads:
        found: dict[str, dict[str, str]] = {}
        for table in judged:
            found[table.full_name] = {ours: rows[table][what] for ours, what in row.items() if rows[table][what]}
        for table in (*judged, *beside):
            found.setdefault(table.full_name, {})[values] = WHOLE
        return found

    yield Lineage(
        table=quality.METRICS,
        reads=reads({}, "value, passed"),
        made={"run_id, known_at": _RUN, "table_name, rule, name": _RULE},
    )
    whose = {"ticker": "ticker", "source": "source"}
    yield Lineage(
        table=quality.FINDINGS,
        reads=reads(whose | {"first_session, last_session": "session"}, "severity, sessions, value, message"),
        made={"run_id, known_at": _RUN, "table_name, rule, scope": _RULE},
    )
    told_apart = {"item": "item"} if any(names["item"] for names in rows.values()) else {}
    yield Lineage(
        table=quality.QUARANTINE,
        reads=reads(whose | {"session": "session"} | told_apart, "reason"),
        made={"run_id, known_at": _RUN, "table_name, rule": _RULE, "first_seen, strikes": "the checks before, and these"}
        | ({} if told_apart else {"item": "empty: of bars there is one a ticker, day and source"}),
    )
    yield Lineage(
        table=quality.REPAIRS,
        reads=reads(whose | {"session": "session"}, "stored, proposed, reason"),
        made={
            "run_id, known_at": _RUN,
            "table_name, column_name, rule": _RULE,
            "applied": "settings.checks.apply_repairs",
            "first_proposed, applied_since": "the checks before, and these",
        },
    )
    yield Lineage(table=quality.JUDGED_PARTS, reads={}, made={"part": "the lake's own name of it", "run_id, known_at, whole_at": _RUN})
    yield Lineage(
        table=quality.JUDGED_ACTIONS,
        reads={core.CORPORATE_ACTIONS.full_name: {"ticker": "ticker", "digest": "session, kind, source, value"}},
        made={"run_id, known_at": _RUN},
    )
    yield Lineage(
        table=quality.PEER_MOVES,
        reads={
            core.DAILY_BARS.full_name: {"session": "session", "typical, spread": "close"},
            core.CORPORATE_ACTIONS.full_name: {"typical, spread": "value"},
            core.TICKER_MAP.full_name: {"exchange": "exchange"},
            core.SECTORS.full_name: {"sector": "sector"},
        },
        made={"run_id, known_at": _RUN},
    )


def _row_names(table: Table) -> dict[str, str]:
    """Return what a finding calls ticker, session, source and item, in the names of the judged table."""
    types = {column.name: column.dtype for column in table.columns}
    key = [name for name in table.key if name != "known_at"]
    days = [name for name in key if pa.types.is_date(types[name]) or pa.types.is_timestamp(types[name])]
    ticker = [name for name in _WHOSE if name in types][:1]
    source = [name for name in ("source",) if name in types]
    rest = [name for name in key if name not in {*days[:1], *ticker, *source}]
    return {"ticker": ", ".join(ticker), "session": ", ".join(days[:1]), "source": ", ".join(source), "item": ", ".join(rest)}


def _all() -> Iterator[Lineage]:
    for lineage in lineage_core.LINEAGES:
        yield lineage.and_reads(_statements()) if lineage.table is core.FUNDAMENTALS else lineage
    yield from _of_checks()
    yield _panel()
    for declared in (lineage_features, lineage_outputs, lineage_training, lineage_evaluation, lineage_serving, lineage_predicted):
        yield from declared.LINEAGES


LINEAGE: Mapping[Table, Lineage] = MappingProxyType({lineage.table: lineage for lineage in _all()})
"""The lineage of every table that is not raw."""

NAMED: Mapping[str, Table] = MappingProxyType({table.full_name: table for table in (*TABLES, PANEL)})
"""Every table by its full name."""
