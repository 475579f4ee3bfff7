import datetime as dt

import pyarrow as pa

from trader_pipeline.flows.ingest_news import stored_like, unsaid
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import raw_yahoo as raw

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
