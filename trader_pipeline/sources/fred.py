"""FRED (Federal Reserve Bank of St. Louis): economic series, with every vintage where a key is set.

A never-revised series is `final`. Of a revised one a key brings the vintages (`released`, known on the day of their
release at the close of New York + 30 minutes); without a key, or where ALFRED keeps none, only its newest values
(`latest`) are known, which schema/vintages.py bars from backtests. Values without a release count as known a declared
lag after their day, never later than our own fetch.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_fred import FRED_LATEST, FRED_VINTAGES
from trader_pipeline.schema.vintages import FINAL, LATEST, RELEASED
from trader_pipeline.settings import Settings
from trader_pipeline.sources import fred_api, fred_csv
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.fred_api import FredApi, NoVintagesError
from trader_pipeline.sources.fred_series import declared
from trader_pipeline.sources.http import NoDataError
from trader_pipeline.sources.rest import RestClient
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

EXCHANGE = "XNYS"
OVERLAP_DAYS = {False: 30, True: 400}
"""How far back values without vintages are asked again, by whether the series is revised."""
_MISSING = frozenset({".", ""})
_INSTANT = pa.timestamp("us", tz="UTC")


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every series: its vintages where there are any, else its newest values."""
    key = settings.fred.api_key
    url = fred_api.URL if key else fred_csv.URL
    secrets = (key.get_secret_value(),) if key else ()
    client = RestClient("fred", url, settings.fred, settings.gate_path, stop=Stop(), secrets=secrets, judge=fred_api.judge)

    def find(series: str, tally: Tally) -> Found:
        return _found(series, request, client, tally, FredApi(client=client, key=key, tally=tally) if key else None)

    return client.ask_each(request.tickers or settings.fred.series, request, find)


def _found(series: str, request: FetchRequest, client: RestClient, tally: Tally, api: FredApi | None) -> Found:
    known = declared(series)
    since = request.since.get(series)
    note = None
    if api and known.revised:
        try:
            return _vintages(series, api, since, request.fetched_at)
        except NoVintagesError:
            note = "ALFRED keeps no vintages: the newest values only"
    first = since - dt.timedelta(days=OVERLAP_DAYS[known.revised]) if since else None
    rows = [(row.date, row.value) for row in api.latest(series, first)] if api else fred_csv.latest(client, tally, series, first)
    if not rows:
        raise NoDataError(f"{series}: no values" + (f" since {first}" if first else ""))
    days, texts = [day for day, _ in rows], [text for _, text in rows]
    values, unread = _numbers(texts)
    columns = {"series_id": [series] * len(rows), "date": days, "value": values, **_ours(len(rows), request.fetched_at, tally.body_sha256)}
    return Found(tables={FRED_LATEST: FRED_LATEST.conform(pa.table(columns), source="fred")}, days=days, detail=_said(note, unread))


def _vintages(series: str, api: FredApi, since: dt.date | None, fetched_at: dt.datetime) -> Found:
    rows = api.vintages(series, since)
    if not rows:
        if since is None:
            raise NoDataError(f"{series}: no vintages")
        return Found(tables={}, detail=f"nothing released after {since}")
    values, unread = _numbers([row.value for row in rows])
    columns = {
        "series_id": [series] * len(rows),
        "date": [row.date for row in rows],
        "realtime_start": [row.realtime_start for row in rows],
        "realtime_end": [row.realtime_end for row in rows],
        "value": values,
        **_ours(len(rows), fetched_at, ""),
        "request_sha256": [row.sha256 for row in rows],
    }
    days = [row.date for row in rows]
    return Found(tables={FRED_VINTAGES: FRED_VINTAGES.conform(pa.table(columns), source="fred")}, days=days, detail=_said(None, unread))


def _ours(rows: int, fetched_at: dt.datetime, sha256: str) -> dict[str, pa.Array | list[str]]:
    return {"fetched_at": pa.array([fetched_at] * rows, _INSTANT), "request_sha256": [sha256] * rows}


def _numbers(texts: Sequence[str]) -> tuple[pa.Array, list[str]]:
    """Return the values, null where FRED has none, and what was no number."""
    values: list[float | None] = []
    unread: list[str] = []
    for text in texts:
        try:
            value = None if text in _MISSING else float(text)
        except ValueError:
            value = math.nan
        if value is not None and not math.isfinite(value):
            unread.append(text)
            value = None
        values.append(value)
    return pa.array(values, pa.float64()), unread


def _said(note: str | None, unread: Sequence[str]) -> str | None:
    wrong = f"{len(unread)} values are no numbers (first {unread[0][:20]!r})" if unread else None
    return "; ".join(part for part in (note, wrong) if part) or None


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return core.macro: a row a vintage, and a row a value without one; rows without a value are left out."""
    return {core.MACRO: pa.concat_tables([_released(tables[FRED_VINTAGES.full_name]), _undated(tables[FRED_LATEST.full_name])])}


def _released(raw: pa.Table) -> pa.Table:
    raw = raw.filter(raw["value"].is_valid())
    known_at = calendar.known_at_array(EXCHANGE, raw["realtime_start"].to_numpy())
    return _macro(raw, [RELEASED] * raw.num_rows, pa.array(known_at).cast(_INSTANT))


def _undated(raw: pa.Table) -> pa.Table:
    raw = raw.filter(raw["value"].is_valid())
    names = raw["series_id"].to_pylist()
    lags = np.array([declared(name).lag_days for name in names], "timedelta64[D]")
    assumed = pa.array(calendar.known_at_array(EXCHANGE, raw["date"].to_numpy().astype("datetime64[D]") + lags)).cast(_INSTANT)
    known_at = pc.if_else(pc.less(assumed, raw["fetched_at"]), assumed, raw["fetched_at"])
    return _macro(raw, [LATEST if declared(name).revised else FINAL for name in names], known_at)


def _macro(raw: pa.Table, vintages: Sequence[str], known_at: pa.Array | pa.ChunkedArray) -> pa.Table:
    return pa.table(
        {
            "series": raw["series_id"],
            "observed_on": raw["date"],
            "source": pa.array(["fred"] * raw.num_rows, pa.string()),
            "vintage": pa.array(vintages, pa.string()),
            "value": raw["value"],
            "known_at": known_at,
            "fetched_at": raw["fetched_at"],
        }
    )


def _subjects(settings: Settings) -> tuple[str, ...]:
    return settings.fred.series


def _answers_in(settings: Settings) -> Callable[[str], Table]:
    """Return where a series' answers go: with a key nothing of a revised one was answered that came without vintages.

    Of one that ALFRED keeps no vintages of, all values come each time; they are few.
    """
    keyed = settings.fred.api_key is not None
    return lambda series: FRED_VINTAGES if keyed and declared(series).revised else FRED_LATEST


FRED = Feed(
    source="fred",
    kind="macro",
    raw_tables=(FRED_LATEST, FRED_VINTAGES),
    fetch=fetch,
    to_core=to_core,
    subjects=_subjects,
    answers_in=_answers_in,
)
