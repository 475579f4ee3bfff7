"""The features as DuckDB SQL over windows of rows, gaps filled in as rows of null first, so that a window is one of sessions."""

from pathlib import Path

import duckdb
import pyarrow as pa

from trader_pipeline.bench.rivals import F14
from trader_pipeline.features.alpha158.rows import WINDOWS

_DENSE = """select k.ticker, k.session, k.i, p.open, p.high, p.low, p.close, p.volume, p.vwap from
 (select r.ticker, c.session, c.i from (select ticker, min(session) a, max(session) z from bars group by 1) r
  join (select session, row_number() over (order by session)::double i from (select distinct session from bars)) c
  on c.session between r.a and r.z) k left join bars p using (ticker, session)"""
_CHANGES = f"""select *, ln(volume + 1) lv, close - pc dc, volume - pv dv, close / pc - 1 r1, ln(volume / pv + 1) lr,
 abs(close / pc - 1) * volume wv from (select *, lag(close) over w0 pc, lag(volume) over w0 pv from ({_DENSE})
 window w0 as (partition by ticker order by session))"""  # noqa: S608 - constants
_CANDLE = {
    "KMID": "(close - open) / open",
    "KLEN": "(high - low) / open",
    "KMID2": "(close - open) / (high - low + 1e-12)",
    "KUP": "(high - greatest(open, close)) / open",
    "KUP2": "(high - greatest(open, close)) / (high - low + 1e-12)",
    "KLOW": "(least(open, close) - low) / open",
    "KLOW2": "(least(open, close) - low) / (high - low + 1e-12)",
    "KSFT": "(2 * close - high - low) / open",
    "KSFT2": "(2 * close - high - low) / (high - low + 1e-12)",
    "OPEN0": "open / close",
    "HIGH0": "high / close",
    "LOW0": "low / close",
    "VWAP0": "vwap / close",
}


def _windowed(n: int) -> dict[str, str]:
    o = f"over w{n}"
    line = f"(regr_intercept(close, i) {o} + i * regr_slope(close, i) {o})"
    up, down, moves = (f"sum({x}) {o}" for x in ("greatest({0}, 0)", "greatest(-{0}, 0)", "abs({0})"))
    ranked = f"rank(order by close nulls last) {o} + count(close) {o} - rank(order by close desc nulls last) {o} + 1"
    flows = {
        f"{prefix}{letter}": f"{part.format(x)} / ({moves.format(x)} + 1e-12)"
        for prefix, x in (("SUM", "dc"), ("VSUM", "dv"))
        for letter, part in (("P", up), ("N", down), ("D", f"sum({{0}}) {o}"))
    }
    statistics = {
        "ROC": f"lag(close, {n}) over wo / close",
        "MA": f"avg(close) {o} / close",
        "STD": f"stddev_samp(close) {o} / close",
        "BETA": f"regr_slope(close, i) {o} / close",
        "RSQR": f"case when stddev_samp(close) {o} > 2e-5 then regr_r2(close, i) {o} end",
        "RESI": f"(close - {line}) / close",
        "MAX": f"max(high) {o} / close",
        "MIN": f"min(low) {o} / close",
        "QTLU": f"quantile_cont(close, 0.8) {o} / close",
        "QTLD": f"quantile_cont(close, 0.2) {o} / close",
        "RANK": f"case when close is not null then ({ranked}) / 2.0 / count(close) {o} end",
        "RSV": f"(close - min(low) {o}) / (max(high) {o} - min(low) {o} + 1e-12)",
        "IMAX": f"(arg_max(i, high) {o} - i + {n}) / {n}",
        "IMIN": f"(arg_min(i, low) {o} - i + {n}) / {n}",
        "IMXD": f"(arg_max(i, high) {o} - arg_min(i, low) {o}) / {n}",
        "CORR": f"corr(close, lv) {o}",
        "CORD": f"corr(r1, lr) {o}",
        "CNTP": f"avg(coalesce(dc > 0, false)::int) {o}",
        "CNTN": f"avg(coalesce(dc < 0, false)::int) {o}",
        "CNTD": f"avg(coalesce(sign(dc), 0)) {o}",
        "VMA": f"avg(volume) {o} / (volume + 1e-12)",
        "VSTD": f"stddev_samp(volume) {o} / (volume + 1e-12)",
        "WVMA": f"stddev_samp(wv) {o} / (avg(wv) {o} + 1e-12)",
        **flows,
    }
    return {f"{name}{n}": expression for name, expression in statistics.items()}


def query(names: tuple[str, ...]) -> str:
    """Return the statement that selects ticker, session and the named features of the view `bars`."""
    expressions = _CANDLE | {name: text for n in WINDOWS for name, text in _windowed(n).items()}
    columns = ", ".join(f"({expressions[name]})::float as {name}" for name in names)
    frames = ", ".join(f"w{n} as (partition by ticker order by session rows between {n - 1} preceding and current row)" for n in WINDOWS)
    source = _CHANGES if set(names) - set(F14) else f"select *, ln(volume + 1) lv from ({_DENSE})"  # noqa: S608 - constants
    return f"select ticker, session, {columns} from ({source}) window wo as (partition by ticker order by session), {frames}"  # noqa: S608 - constants


def compute(path: Path, names: tuple[str, ...]) -> pa.Table:
    """Return ticker, session and the named features; a row for each session from a ticker's first bar to its last."""
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.read_parquet(str(path)).create_view("bars")
        return connection.sql(query(names)).to_arrow_table()
