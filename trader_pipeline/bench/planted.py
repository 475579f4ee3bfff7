"""Tables in which leaks can be planted: filings that are restated, headlines after the close, members who come and go."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.calendar import KNOWN_AFTER_CLOSE
from trader_pipeline.features.assemble import CoreTables, Instants
from trader_pipeline.panel import Days

EXCHANGE = "XNYS"
_QUARTER, _FILED_AFTER, _RESTATED_AFTER = 63, 20, 80
_HEADLINES = 0.1
"""Share of the sessions with one, ten minutes after the close, before their bar is known."""
_AFTER_CLOSE = np.timedelta64(10, "m")


@dataclass(frozen=True, eq=False, kw_only=True)
class PlantedTables(CoreTables):
    """Core tables and three that no feature reads; `filings` has two versions a period."""

    filings: pa.Table
    headlines: pa.Table
    members: pa.Table


def plant(tables: CoreTables, sessions: Days, known_at: Instants, random: np.random.Generator) -> PlantedTables:
    """Return the tables with made-up filings, headlines and members of their tickers."""
    tickers = sorted(pc.unique(tables.accepted_bars["ticker"]).to_pylist())
    count = len(sessions)
    filings, headlines, members = [], [], []
    for ticker in tickers:
        for end in range(int(random.integers(_QUARTER)), count, _QUARTER):
            for after in (_FILED_AFTER, _RESTATED_AFTER):
                if end + after < count:
                    moment = known_at[end + after]
                    filings.append((ticker, sessions[end], moment, moment, random.lognormal()))
        for t in np.flatnonzero(random.random(count) < _HEADLINES):
            moment = known_at[t] - np.timedelta64(KNOWN_AFTER_CLOSE) + _AFTER_CLOSE
            headlines.append((ticker, moment, f"{ticker} {t}", random.standard_normal()))
        comes, goes = np.sort(random.integers(0, count, 2))
        members.append((ticker, sessions[comes], random.choice([sessions[goes], np.datetime64("NaT")])))
    return PlantedTables(
        **{field.name: getattr(tables, field.name) for field in fields(tables)},
        filings=_table(filings, ticker=None, period_end="D", known_at="us", accepted_at="us", value=None),
        headlines=_table(headlines, ticker=None, known_at="us", text_sha256=None, value=None),
        members=_table(members, ticker=None, valid_from="D", valid_to="D"),
    )


def with_made_up_tone(tables: CoreTables, random: np.random.Generator) -> CoreTables:
    """Return the tables with a FinBERT score of every headline at random: proofs about clocks want no model on the disk."""
    news = tables.scored_news
    own = news.filter(pc.equal(news["model"], "vader"))
    score = pa.array(random.uniform(-1, 1, own.num_rows))
    own = own.set_column(own.column_names.index("model"), "model", pa.repeat("finbert", own.num_rows))
    own = own.set_column(own.column_names.index("score"), "score", score)
    return replace(tables, scored_news=pa.concat_tables([news, own.cast(news.schema)]))


def stamped_with_first_filing(tables: PlantedTables) -> PlantedTables:
    """Return the tables with every version of a figure stamped when its period was first filed: what a careless store does."""
    filings = tables.filings
    first = filings.group_by(["ticker", "period_end"]).aggregate([("known_at", "min")])
    joined = filings.drop_columns("known_at").join(first, ["ticker", "period_end"]).rename_columns({"known_at_min": "known_at"})
    return replace(tables, filings=joined.sort_by([("ticker", "ascending"), ("accepted_at", "ascending")]))


def _table(rows: Sequence[tuple[Any, ...]], **units: str | None) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = {
        name: pa.array(np.array(column, dtype=f"datetime64[{unit}]") if unit else column)
        for (name, unit), column in zip(units.items(), columns, strict=True)
    }
    return pa.table(arrays)
