"""Whether the panel's features look ahead on the lake's own data: a few tickers, a few cuts, after every build."""

import datetime as dt
import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.features.assemble import CoreTables
from trader_pipeline.features.truncation import proof_of, summed, told_with_session
from trader_pipeline.flows.feature_tables import read_history, read_tables
from trader_pipeline.lake import Snapshot

TICKERS, CUTS, RECENT_SESSIONS = 16, 3, 250
"""Tickers evenly over the alphabet, the benchmarks beside them; cuts at random among the newest sessions, drawn by the panel's inputs."""

_FEWEST = 3
"""One to cut at, one before and one after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """What was compared, and which features came out with other bits."""

    tickers: tuple[str, ...]
    cuts: tuple[dt.date, ...]
    compared: int
    violating: tuple[str, ...]


def truncation(snapshot: Snapshot, *, as_of: dt.datetime) -> Truncated:
    """Recompute every feature of a sample of tickers from tables cut at a few sessions, and compare bit by bit with no cut.

    Both sides see the sample alone, from the longest look-back on: the code is judged, not the stored rows. Corrected bars and
    actions count as known with their session.
    """
    history = read_history(snapshot, as_of)
    longest = max(feature.lookback_sessions for feature in FEATURES)
    recent = slice(-min(len(history.sessions), longest + RECENT_SESSIONS), None)
    sessions, known_at = history.sessions[recent], history.known_at[recent]
    if len(sessions) < _FEWEST:
        return Truncated(tickers=(), cuts=(), compared=0, violating=())
    tables = read_tables(snapshot, as_of, since=sessions[0].item())
    tickers = _sample(tables)
    tables = told_with_session(_of(tables, tickers), sessions, known_at)
    seed = hashlib.sha256(str(snapshot.inputs(PANEL)).encode()).digest()
    drawn = np.arange(max(1, len(sessions) - RECENT_SESSIONS), len(sessions) - 1)
    cuts = sorted(np.random.default_rng(list(seed)).choice(drawn, min(CUTS, len(drawn)), replace=False).tolist())
    proof = proof_of(FEATURES, tables, sessions, known_at)
    found = summed(proof.truncated(at) for at in cuts)
    return Truncated(
        tickers=tickers,
        cuts=tuple(sessions[at].item() for at in cuts),
        compared=sum(tally.compared for tally in found.values()),
        violating=tuple(name for name, tally in found.items() if tally.differing),
    )


def _sample(tables: CoreTables) -> tuple[str, ...]:
    """Return the sampled tickers and every benchmark, sorted."""
    names = sorted(pc.unique(tables.accepted_bars["ticker"]).to_pylist())
    apart = set(tables.ticker_map.filter(pc.equal(tables.ticker_map["role"], "benchmark"))["ticker"].to_pylist())
    stocks = [name for name in names if name not in apart]
    chosen = [stocks[len(stocks) * k // TICKERS] for k in range(TICKERS)] if len(stocks) > TICKERS else stocks
    return tuple(sorted({*chosen, *apart.intersection(names)}))


def _of(tables: CoreTables, tickers: tuple[str, ...]) -> CoreTables:
    wanted = pa.array(tickers, pa.string())
    kept = {}
    for field in fields(tables):
        table = getattr(tables, field.name)
        kept[field.name] = table.filter(pc.is_in(table["ticker"], wanted)) if "ticker" in table.column_names else table
    return replace(tables, **kept)
