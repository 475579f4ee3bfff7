import datetime as dt

import pyarrow as pa

from trader_pipeline.flows.ingest_news import stored_like, unsaid
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core
from trader_pipeline.schema import raw_yahoo as raw
from trader_pipeline.schema.raw_fmp import FMP_BARS, FMP_DIVIDENDS, FMP_SPLITS
from trader_pipeline.schema.raw_sec import SEC_FACTS
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline.sources.json_rows import numbered, read_rows

MONDAY, TUESDAY = (dt.datetime(2026, 1, day, 22, tzinfo=dt.UTC) for day in (5, 6))


def headlines(fetched_at, **titles):
    fixed = {
        "ticker": "AAPL",
        "providerPublishTime": 1767600000,
        "type": "STORY",
        "fetched_at": fetched_at,
        "request_sha256": str(fetched_at),
    }
    rows = [fixed | {"uuid": uuid, "title": title} for uuid, title in titles.items()]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return raw.YAHOO_NEWS.conform(pa.table(columns))


def test_a_headline_served_again_the_next_day_is_no_news(tmp_path):
    lake = Lake(tmp_path / "lake", "live")
    lake.publish(Change.append(raw.YAHOO_NEWS, headlines(MONDAY, a="Apple rises", b="Apple falls")))
    again = headlines(TUESDAY, a="Apple rises", b="Apple falls less", c="Apple rests")
    news = unsaid(raw.YAHOO_NEWS, again, stored_like(lake.snapshot(), raw.YAHOO_NEWS, again), settle_days=None)
    assert sorted(news["uuid"].to_pylist()) == ["b", "c"]


def dividends(fetched_at, *paid):
    rows = numbered([{"date": "2026-01-05", "dividend": cash} for cash in paid], "date")
    return read_rows(FMP_DIVIDENDS, rows, fetched_at=fetched_at, sha256=str(fetched_at), ours={"ticker": "KO"}).rows


def test_a_second_dividend_of_a_day_brings_the_first_along():
    """FMP adds a special dividend a day late: 0.10 and 1.00 are 1.10, not the 1.00 that is new."""
    old, fresh = dividends(MONDAY, 0.1), dividends(TUESDAY, 0.1, 1.0)
    news = unsaid(FMP_DIVIDENDS, fresh, old, settle_days=None)
    raw_rows = {
        FMP_BARS: FMP_BARS.empty(),
        FMP_SPLITS: FMP_SPLITS.empty(),
        FMP_DIVIDENDS: pa.concat_tables([old, FMP_DIVIDENDS.conform(news)]),
    }
    found = FMP_BARS_FEED.to_core({table.full_name: rows for table, rows in raw_rows.items()})[core.CORPORATE_ACTIONS]
    assert dict(zip(found["fetched_at"].to_pylist(), found["value"].to_pylist(), strict=True)) == {MONDAY: 0.1, TUESDAY: 1.1}
    assert unsaid(FMP_DIVIDENDS, fresh, FMP_DIVIDENDS.conform(news), settle_days=None).num_rows == 0


def test_a_frame_that_moved_to_a_newer_filing_is_no_news():
    fact = {"taxonomy": "us-gaap", "concept": "Assets", "unit": "USD", "period": "2025-12-31", "end": "2025-12-31", "val": 1, "accn": "1"}
    fact |= {"filed": "2026-01-02", "form": "10-K"}
    ours = {"ticker": "KO", "cik": 1}
    old = read_rows(SEC_FACTS, [fact | {"frame": "CY2025Q4I"}], fetched_at=MONDAY, sha256="a", ours=ours).rows
    fresh = read_rows(SEC_FACTS, [fact, fact | {"accn": "2", "frame": "CY2025Q4I"}], fetched_at=TUESDAY, sha256="b", ours=ours).rows
    assert unsaid(SEC_FACTS, fresh, old, settle_days=None)["accn"].to_pylist() == ["2"]
