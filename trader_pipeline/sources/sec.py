"""SEC EDGAR: figures as filed, with the filing that they are from.

First what was filed, and only when something was, the figures: two requests a ticker, one when nothing was. Each figure
is stored with its filing's moment of acceptance. Older filings than the newest thousand (or the newest year) come without
it; they count from the session after the day of filing.
"""

import datetime as dt
from collections.abc import Iterator

from trader_pipeline.errors import UsageError
from trader_pipeline.schema.raw_sec import SEC_FACTS, SEC_FILINGS
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.http import NoDataError
from trader_pipeline.sources.json_rows import date_of, read_rows
from trader_pipeline.sources.rest import RestClient
from trader_pipeline.sources.sec_core import months_of, to_core
from trader_pipeline.sources.sec_wire import DATA_URL, WWW_URL, Filer, Row, Tickers, filed_since, judge
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask what every ticker filed since it was asked last, and for the figures where something was."""
    if request.tickers is None:
        raise UsageError("the SEC's companies are too many to ask for all; name tickers or a universe")
    stop = Stop()
    headers = {"User-Agent": settings.sec.contact or ""}
    data, www = (
        RestClient("sec", url, settings.sec, settings.gate_path, stop=stop, headers=headers, judge=judge) for url in (DATA_URL, WWW_URL)
    )
    tickers = Tickers(client=www)

    def find(ticker: str, tally: Tally) -> Found:
        return _found(ticker, request, Filer(client=data, cik=tickers.cik(ticker, tally), tally=tally))

    return data.ask_each(request.tickers, request, find)


def _found(ticker: str, request: FetchRequest, filer: Filer) -> Found:
    since = request.since.get(ticker)
    listed, listed_sha256 = filer.filings()
    filings = filed_since(listed, "filingDate", since)
    if since and not filings:
        return Found(tables={}, detail=f"nothing filed since {since}")
    every, facts_sha256 = filer.facts()
    facts, repeats = _once(filed_since(every, "filed", since))
    if not every:
        raise NoDataError(f"{ticker}: no figure of a concept that we map")
    ours = {"ticker": ticker, "cik": filer.cik}
    figures = read_rows(SEC_FACTS, _accepted(facts, listed), fetched_at=request.fetched_at, sha256=facts_sha256, ours=ours)
    papers = read_rows(SEC_FILINGS, filings, fetched_at=request.fetched_at, sha256=listed_sha256, ours=ours)
    odd = sum(fact.get("start") is not None and _months(fact) is None for fact in facts)
    said = (*figures.unread, *papers.unread, *([f"{repeats} repeated figures"] if repeats else []), *_told_of_lengths(odd))
    return Found(tables={SEC_FACTS: figures.rows, SEC_FILINGS: papers.rows}, days=_days(facts), detail="; ".join(said) or None)


def _accepted(facts: list[Row], listed: list[Row]) -> list[Row]:
    """Return the figures with the stamp of their filing's acceptance, None where the list of filings has it no more."""
    stamps = {filing["accessionNumber"]: filing["acceptanceDateTime"] for filing in listed}
    return [{**fact, "acceptanceDateTime": stamps.get(fact["accn"])} for fact in facts]


def _once(facts: list[Row]) -> tuple[list[Row], int]:
    """Return the first figure of each key, and how many repeat one."""
    found: dict[tuple[str, ...], Row] = {}
    for fact in facts:
        found.setdefault(tuple(str(fact.get(name)) for name in ("taxonomy", "concept", "unit", "period", "accn")), fact)
    return list(found.values()), len(facts) - len(found)


def _months(fact: Row) -> int | None:
    start, end = date_of(fact["start"]), date_of(fact["end"])
    return months_of(start, end) if start and end else None


def _told_of_lengths(odd: int) -> tuple[str, ...]:
    return (f"{odd} figures of periods that are not 3, 6, 9 or 12 months long",) if odd else ()


def _days(facts: list[Row]) -> list[dt.date]:
    return [day for fact in facts if (day := date_of(fact["filed"]))]


def _unready(settings: Settings) -> str | None:
    contact = settings.sec.contact or ""
    if "@" in contact and contact.isascii():
        return None
    return "the SEC wants a contact; set TRADER_SEC__CONTACT='Jane Doe jane@example.com'"


SEC = Feed(
    source="sec",
    kind="fundamentals",
    raw_tables=(SEC_FACTS, SEC_FILINGS),
    fetch=fetch,
    to_core=to_core,
    unready=_unready,
)
