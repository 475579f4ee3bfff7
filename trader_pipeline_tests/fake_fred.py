"""FRED and ALFRED on 127.0.0.1: the charts' csv without a key, values and vintages with one.

`releases[series][day]` is what the day was said to be, and when: [(release, "17102.5"), ...]. As the real one does, an
answer is clipped to the window that was asked for, a window of more than `most_vintages` dates is refused, and a page
holds `page` rows at most.
"""

import csv
import datetime as dt
from pathlib import Path

from trader_pipeline_tests.fake_server import HTML, Reply
from trader_pipeline_tests.fake_vendor import CSV, FakeVendor

CHART, OBSERVATIONS, VINTAGE_DATES = "/graph/fredgraph.csv", "/fred/series/observations", "/fred/series/vintagedates"
KEY = "abcdefghijklmnopqrstuvwxyz012345"
RESOURCES = Path(__file__).parent / "resources"
_FIRST, _LAST = "1776-07-04", "9999-12-31"
_NO_ALFRED = (
    "Bad Request.  The series does not exist in ALFRED but may exist in FRED.  Try setting realtime_start and realtime_end to today's date "
    "or removing the realtime_start and realtime_end variables."
)


def gdp():
    """Return the real vintages of resources/alfred_gdp.csv."""
    lines = (RESOURCES / "alfred_gdp.csv").read_text().splitlines()[1:]
    found = {}
    for row in csv.DictReader(lines):
        found.setdefault(row["date"], []).append((row["realtime_start"], row["value"]))
    return found


class FakeFred(FakeVendor):
    def __init__(self, releases=None, **options):
        self.releases = releases or {"GDP": gdp(), "DGS10": {"2014-07-03": [("2014-07-07", "2.65")], "2014-07-04": [("2014-07-07", ".")]}}
        self.not_in_alfred = set()
        self.date_name = "observation_date"
        self.most_vintages = 2000
        self.page = 100_000
        super().__init__(**options)

    def route(self, path, query, headers):  # noqa: ARG002 - the key is in the query
        if path == CHART:
            return self._chart(query["id"], query.get("cosd", _FIRST))
        if query.get("api_key") != KEY:
            return _refused("Bad Request.  The value for variable api_key is not registered.")
        series = query["series_id"]
        if series not in self.releases:
            return _refused("Bad Request.  The series does not exist.")
        if "realtime_start" in query and series in self.not_in_alfred:
            return _refused(_NO_ALFRED)
        if path == VINTAGE_DATES:
            return self._listed("vintage_dates", self._vintages(series, query["realtime_start"], query["realtime_end"]), query)
        return self._observations(series, query)

    def _chart(self, series, first):
        if series not in self.releases:
            return Reply(status=404, body="<!DOCTYPE html><html><body>Not Found</body></html>", content_type=HTML)
        latest = [f"{day},{said[-1][1]}\n" for day, said in sorted(self.releases[series].items()) if day >= first]
        return Reply(body=f"{self.date_name},{series}\n{''.join(latest)}", content_type=CSV)

    def _vintages(self, series, start, end):
        return sorted({release for said in self.releases[series].values() for release, _ in said if start <= release <= end})

    def _observations(self, series, query):
        start, end = query.get("realtime_start"), query.get("realtime_end")
        if start is None:
            start = end = max(release for said in self.releases[series].values() for release, _ in said)
        count = len(self._vintages(series, start, end))
        if count > self.most_vintages:
            return _refused(
                f"Bad Request.  There are {count} vintage dates in the specified real-time period: {start} to {end}.  "
                f"This exceeds the maximum number of vintage dates allowed for this file type ({self.most_vintages})."
            )
        first = query.get("observation_start", _FIRST)
        rows = [row for day, said in sorted(self.releases[series].items()) if day >= first for row in _clipped(day, said, start, end)]
        return self._listed("observations", rows, query)

    def _listed(self, name, rows, query):
        offset = int(query.get("offset", 0))
        window = {"realtime_start": query.get("realtime_start", ""), "realtime_end": query.get("realtime_end", "")}
        page = rows[offset : offset + self.page]
        return Reply(body={**window, "sort_order": "asc", "count": len(rows), "offset": offset, "limit": self.page, name: page})


def _clipped(day, said, start, end):
    """Return the values that a day had between `start` and `end`, their own spans cut to that window."""
    for number, (release, value) in enumerate(said):
        until = _before(said[number + 1][0]) if number + 1 < len(said) else _LAST
        if release <= end and until >= start:
            yield {"realtime_start": max(release, start), "realtime_end": min(until, end), "date": day, "value": value}


def _before(day):
    return (dt.date.fromisoformat(day) - dt.timedelta(days=1)).isoformat()


def _refused(message):
    return Reply(status=400, body={"error_code": 400, "error_message": message})
