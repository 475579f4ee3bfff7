"""EDGAR's JSON: tickers and their numbers, what a company filed, and the figures of those filings."""

import datetime as dt
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from trader_pipeline.sources.asking import Tally
from trader_pipeline.sources.http import NoDataError, RefusedError, SchemaChangeError, ThrottledError, UnknownSymbolError
from trader_pipeline.sources.listings import with_hyphen
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.sec_concepts import CONCEPTS, Concept

DATA_URL, WWW_URL = "https://data.sec.gov", "https://www.sec.gov"
TICKERS_PATH = "/files/company_tickers.json"
BARRED_SECONDS = 600.0
"""How long the SEC shuts out who asks too fast."""
FORMS = frozenset(form + amended for form in ("10-K", "10-KT", "10-Q", "10-QT", "8-K", "20-F", "40-F") for amended in ("", "/A"))
_FILING_NAMES = ("accessionNumber", "form", "filingDate", "reportDate", "acceptanceDateTime", "primaryDocument")
Row = dict[str, Any]


def judge(body: Body) -> None:
    """Raise what the SEC's page means: both of its refusals are a 403 of HTML."""
    if body.status != HTTPStatus.FORBIDDEN:
        return
    said = body.content.lower()
    if b"undeclared automated tool" in said:
        raise RefusedError(f"{body.path}: the SEC does not take the contact; set TRADER_SEC__CONTACT='Jane Doe jane@example.com'")
    if b"request rate threshold exceeded" in said:
        raise ThrottledError("HTTP 403: the SEC's limit of 10 requests a second", BARRED_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filer:
    """What EDGAR says of one company, for one ticker's account."""

    client: RestClient
    cik: int
    tally: Tally

    def filings(self) -> tuple[list[Row], str]:
        """Return the newest filings of FORMS (a thousand of any form, or a year) and the answer's hash."""
        return self._get(f"/submissions/CIK{self.cik:010d}.json", filings_of)

    def facts(self) -> tuple[list[Row], str]:
        """Return all figures of CONCEPTS and the answer's hash."""
        return self._get(f"/api/xbrl/companyfacts/CIK{self.cik:010d}.json", facts_of)

    def _get(self, path: str, read: Callable[[Body], list[Row]]) -> tuple[list[Row], str]:
        try:
            rows = self.client.get(path, tally=self.tally, read=read)
        except UnknownSymbolError as error:  # the number is the SEC's own: there is nothing there
            raise NoDataError(str(error)) from error
        return rows, self.tally.body_sha256


@dataclass(slots=True)
class Tickers:
    """The SEC's list of tickers, asked for once a fetch by whichever thread needs it first."""

    client: RestClient
    _ciks: Mapping[str, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cik(self, ticker: str, tally: Tally) -> int:
        """Return a ticker's number; the SEC writes a share class with a dash (BRK-B). Raises `UnknownSymbolError`."""
        with self._lock:
            if self._ciks is None:
                self._ciks = self.client.get(TICKERS_PATH, tally=tally, read=_ciks_of)
        found = self._ciks.get(with_hyphen(ticker.upper()))
        if found is None:
            raise UnknownSymbolError(f"{ticker} is not in the SEC's list of tickers")
        return found


def _ciks_of(body: Body) -> Mapping[str, int]:
    answer = body.json()
    try:
        return {str(row["ticker"]): int(row["cik_str"]) for row in answer.values()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SchemaChangeError(f"{body.path}: not the list of tickers that we know") from error


def filings_of(body: Body) -> list[Row]:
    """Return the filings of FORMS; `SchemaChangeError` where the parallel lists are missing or differ in length."""
    answer = body.json()
    try:
        lists = [answer["filings"]["recent"][name] for name in _FILING_NAMES]
        rows = [dict(zip(_FILING_NAMES, values, strict=True)) for values in zip(*lists, strict=True)]
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaChangeError(f"{body.path}: not the lists of filings that we know ({error})") from error
    return [row for row in rows if row["form"] in FORMS]


def facts_of(body: Body) -> list[Row]:
    """Return the figures of CONCEPTS in units that fit, each with taxonomy, concept, unit and period."""
    answer = body.json()
    try:
        facts = answer["facts"]
        return [
            _fact(concept, unit, fact)
            for concept in {(c.taxonomy, c.name): c for c in CONCEPTS}.values()
            for unit, listed in facts.get(concept.taxonomy, {}).get(concept.name, {}).get("units", {}).items()
            if concept.takes(unit)
            for fact in listed
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise SchemaChangeError(f"{body.path}: not the figures that we know ({type(error).__name__} {error})") from error


def _fact(concept: Concept, unit: str, fact: Row) -> Row:
    needed = {name: fact[name] for name in ("end", "val", "accn", "filed")}
    period = f"{fact['start']}/{fact['end']}" if fact.get("start") else fact["end"]
    return {**fact, **needed, "taxonomy": concept.taxonomy, "concept": concept.name, "unit": unit, "period": period}


def filed_since(rows: Collection[Row], name: str, since: dt.date | None) -> list[Row]:
    """Return the rows filed on `since` or later; days are compared as the SEC writes them, YYYY-MM-DD."""
    return [row for row in rows if since is None or str(row[name]) >= since.isoformat()]
