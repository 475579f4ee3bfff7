"""A vendor over no wire: a test writes its bars and its outcomes, and reads what it was asked."""

import datetime as dt

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema import raw
from trader_pipeline.sources.own_files import OWN
from trader_pipeline.sources.source import Attempt, Feed, FetchResult

FIRST = dt.date(2024, 7, 1)


class PaperVendor:
    """Serves `closes[ticker][day]` from the day that is asked for up to the last closed session, one result a ticker.

    What `closes` does not name costs 10; None is a session without a close, `missing` holds sessions without a row.
    `splits[ticker][day]` and `dividends[ticker][day]` are stamped on their rows. `answers` says what becomes of a ticker.
    """

    def __init__(self, source="yahoo", table=raw.OWN_BARS, **answers):
        self.source = source
        self.table = table
        self.answers = answers
        self.closes, self.splits, self.dividends = {}, {}, {}
        self.missing = set()
        self.ends = {}
        self.asked, self.since = [], []
        self.fails_after = None
        self.feed = Feed(source=source, kind="bars", raw_tables=(table,), fetch=self.fetch, to_core=self.to_core)

    def to_core(self, tables):
        rows = tables[self.table.full_name]
        found = OWN.to_core({raw.OWN_BARS.full_name: rows})
        return {table: stamped(part, self.source) for table, part in found.items()}

    def fetch(self, request, _settings):
        self.asked.append(request.tickers)
        self.since.append(dict(request.since))
        for number, ticker in enumerate(request.tickers):
            if self.fails_after == number:
                raise KeyboardInterrupt
            yield self._answer(ticker, request)

    def _answer(self, ticker, request):
        outcome = self.answers.get(ticker, "ok")
        rows = self._rows(ticker, request) if outcome == "ok" else []
        tables = {self.table: pa.Table.from_pylist(rows, schema=self.table.arrow_schema)} if rows else {}
        attempt = Attempt(ticker=ticker, outcome=outcome, at=request.fetched_at, rows=len(rows), requests=2, retries=1)
        return FetchResult(tables=tables, attempts=(attempt,))

    def _rows(self, ticker, request):
        first = request.since.get(ticker, FIRST)
        last = min(calendar.last_closed_session("XNYS", request.as_of), self.ends.get(ticker, dt.date.max))
        days = [day for day in calendar.sessions("XNYS", first, last).tolist() if (ticker, day) not in self.missing]
        return [self._row(ticker, day, request.fetched_at) for day in days]

    def _row(self, ticker, day, fetched_at):
        close = self.closes.get(ticker, {}).get(day, 10.0)
        prices = dict.fromkeys(("open", "high", "low", "close", "volume"), close)
        stamps = {"fetched_at": fetched_at, "request_sha256": "x", "file": "-", "role": "stock", "splits_after": 1.0}
        actions = {"dividend": self.dividends.get(ticker, {}).get(day), "split_ratio": self.splits.get(ticker, {}).get(day)}
        return {"ticker": ticker, "date": day, **prices, **stamps, **actions}


def stamped(rows, source):
    """Return rows of the own files as rows of `source`."""
    if "source" not in rows.column_names:
        return rows
    place = rows.schema.get_field_index("source")
    return rows.set_column(place, "source", pa.array([source] * rows.num_rows, pa.string()))
