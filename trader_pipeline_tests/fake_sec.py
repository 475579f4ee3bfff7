"""SEC EDGAR on 127.0.0.1: the list of tickers, submissions and companyfacts, and its two pages of refusal.

`barred` answers as the SEC does past ten requests a second. A company is filled by `file` or `apple`.
"""

import json
from collections import defaultdict
from pathlib import Path

from trader_pipeline_tests.fake_server import HTML, Reply
from trader_pipeline_tests.fake_vendor import FakeVendor

TICKERS = "/files/company_tickers.json"
RESOURCES = Path(__file__).parent / "resources"
APPLE = 320193
_COLUMNS = ("accessionNumber", "filingDate", "reportDate", "acceptanceDateTime", "form", "primaryDocument")
_THRESHOLD = (
    "<!DOCTYPE html><html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head><body>"
    "<h1>Request Rate Threshold Exceeded</h1></body></html>"
)
_UNDECLARED = "<!DOCTYPE html><html><body><h1>Your Request Originates from an Undeclared Automated Tool</h1></body></html>"
_MISSING = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code></Error>'


def submissions(cik):
    return f"/submissions/CIK{cik:010d}.json"


def companyfacts(cik):
    return f"/api/xbrl/companyfacts/CIK{cik:010d}.json"


class FakeSec(FakeVendor):
    def __init__(self, **options):
        self.ciks = {"AAPL": APPLE}
        self.filings = defaultdict(list)
        self.facts = defaultdict(dict)
        self.barred = False
        self.apple()
        microsoft = self.company("MSFT", 789019)
        self.file(microsoft, "0-1", "2020-10-27", [("Assets", "USD", None, "2020-09-30", 3e11)], accepted="2020-10-27T20:10:00.000Z")
        super().__init__(**options)

    def apple(self):
        """Fill in the real figures of resources/sec_apple.json."""
        found = json.loads((RESOURCES / "sec_apple.json").read_text())
        self.facts[APPLE] = found["facts"]
        self.filings[APPLE] = found["filings"]

    def company(self, ticker, cik):
        self.ciks[ticker] = cik
        return cik

    def file(self, cik, accession, filed, figures, *, form="10-Q", accepted=None):
        """Add a filing: figures are (concept, unit, start or None, end, value). Without `accepted` submissions does not list it."""
        if accepted:
            paper = {"accessionNumber": accession, "form": form, "filingDate": filed, "reportDate": "", "primaryDocument": "a.htm"}
            self.filings[cik].insert(0, {**paper, "acceptanceDateTime": accepted})
        for concept, unit, start, end, value in figures:
            taxonomy, _, name = concept.rpartition(":")
            listed = self.facts[cik].setdefault(taxonomy or "us-gaap", {}).setdefault(name, {"units": {}})["units"].setdefault(unit, [])
            fact = {"end": end, "val": value, "accn": accession, "fy": int(filed[:4]), "fp": "Q1", "form": form, "filed": filed}
            listed.append(({"start": start} if start else {}) | fact)

    def route(self, path, query, headers):  # noqa: ARG002 - no page of the SEC takes a query
        if self.barred:
            return Reply(status=403, body=_THRESHOLD, content_type=HTML)
        if "@" not in headers.get("User-Agent", ""):
            return Reply(status=403, body=_UNDECLARED, content_type=HTML)
        if path == TICKERS:
            rows = [{"cik_str": cik, "ticker": ticker, "title": ticker} for ticker, cik in self.ciks.items()]
            return Reply(body={str(number): row for number, row in enumerate(rows)})
        for cik in self.ciks.values():
            if path == submissions(cik):
                return self._submissions(cik)
            if path == companyfacts(cik) and self.facts[cik]:
                return Reply(body={"cik": cik, "entityName": "Company", "facts": self.facts[cik]})
        return Reply(status=404, body=_MISSING, content_type="application/xml")

    def _submissions(self, cik):
        recent = {name: [filing.get(name, "") for filing in self.filings[cik]] for name in _COLUMNS}
        return Reply(body={"cik": str(cik), "tickers": [], "filings": {"recent": recent, "files": []}})
