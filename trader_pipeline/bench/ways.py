"""Three ways to ask a Yahoo for one process's share of tickers.

- plain: `yf.download` of all of them, as its documentation shows it.
- naive: the folk remedy, a function that sleeps since its last call, and retries with a doubling pause on any exception.
- ours: `flows.ingest`, whose processes share one gate.
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trader_pipeline import calendar
from trader_pipeline.bench.market import EXCHANGE
from trader_pipeline.errors import SourceUnavailableError
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.lake import Lake
from trader_pipeline.settings import Settings, SourceSettings, YahooSettings
from trader_pipeline.sources import bars_feed

if TYPE_CHECKING:
    from curl_cffi.requests import Response, Session

_NAIVE_ATTEMPTS = 5
_NAIVE_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one process asks for: sessions from `first` to `last` of `tickers`, from the server at `url`. `home` is all processes' own."""

    tickers: tuple[str, ...]
    url: str
    home: Path
    first: dt.date
    last: dt.date
    per_second: float


Brought = Mapping[str, int]
"""Sessions with a close by ticker."""


def plain(share: Share) -> Brought:
    """Ask for everything in one call."""
    import yfinance  # noqa: PLC0415 - brings pandas

    after = share.last + dt.timedelta(days=1)
    frame = yfinance.download(
        list(share.tickers), start=share.first.isoformat(), end=after.isoformat(), progress=False, session=redirected(share.url)
    )
    closes = frame["Close"]
    return {ticker: int(closes[ticker].notna().sum()) if ticker in closes else 0 for ticker in share.tickers}


def naive(share: Share) -> Brought:
    """Ask ticker by ticker, each process with a pace of its own."""
    import yfinance  # noqa: PLC0415 - brings pandas

    yfinance.config.debug.hide_exceptions = False
    session, after, last_call = redirected(share.url), share.last + dt.timedelta(days=1), 0.0

    def limited(ticker: str) -> int:
        nonlocal last_call
        time.sleep(max(0.0, last_call + 1 / share.per_second - time.monotonic()))
        last_call = time.monotonic()
        return len(yfinance.Ticker(ticker, session=session).history(start=share.first.isoformat(), end=after.isoformat()))

    def retried(ticker: str) -> int:
        for attempt in range(_NAIVE_ATTEMPTS):
            try:
                return limited(ticker)
            except Exception:  # noqa: BLE001 - the remedy that is measured catches everything
                time.sleep(_NAIVE_PAUSE_SECONDS * 2**attempt)
        return 0

    return {ticker: retried(ticker) for ticker in share.tickers}


def ours(share: Share) -> Brought:
    """Ask as `trader run` does; the shares of all processes go into one lake."""
    settings = live_settings(
        share.home, share.url, first=share.first, benchmark=share.tickers[0], requests_per_hour=3600 * share.per_second, burst=1
    )
    lake, feed = Lake(settings.dataset_home / "lake", settings.dataset), bars_feed(settings)
    as_of = calendar.known_at(EXCHANGE, share.last)
    with suppress(SourceUnavailableError):  # what is missing shows in the figures
        ingest(lake, feed, settings, as_of=as_of, fetched_at=as_of, run_id=f"storm-{share.tickers[0]}", tickers=share.tickers)
    stored = lake.snapshot().read(feed.raw_tables[0], ["ticker"])["ticker"].value_counts().to_pylist()
    sessions = {row["values"]: row["counts"] for row in stored}
    return {ticker: sessions.get(ticker, 0) for ticker in share.tickers}


WAYS: dict[str, Callable[[Share], Brought]] = {"plain": plain, "naive": naive, "ours": ours}


def live_settings(home: Path, url: str, *, first: dt.date, benchmark: str, requests_per_hour: float, burst: int) -> Settings:
    """Return settings of a live dataset whose Yahoo is the server at `url`; no `.env` and no variable changes how it is asked."""
    yahoo = YahooSettings(base_url=url, requests_per_hour=requests_per_hour, burst=burst)
    return Settings(
        home=home,
        gate_file=None,
        dataset="live",
        sources=SourceSettings(),
        yahoo=yahoo,
        benchmark=benchmark,
        live_first_session=first.isoformat(),
        _env_file=None,
    )


def redirected(server: str) -> "Session[Response]":
    """Return a session of the client that yfinance brings, whose requests go to `server` whatever their host is.

    By a name of loopback that has `yahoo` in it: only of such a host yfinance keeps the cookie, as it does in life.
    """
    from curl_cffi.requests import Response, Session  # noqa: PLC0415 - brings libcurl

    named = server.replace("127.0.0.1", "yahoo.localhost")

    class Redirected(Session[Response]):
        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
            target = urlsplit(url)
            query = f"?{target.query}" if target.query else ""
            return super().request(method, f"{named}{target.path or '/'}{query}", *args, **kwargs)

    return Redirected(impersonate="chrome")
