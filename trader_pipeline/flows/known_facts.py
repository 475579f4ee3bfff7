"""What features read of news and options: what was known at `as_of`, but for what the checks hold."""

import datetime as dt

import pyarrow as pa

from trader_pipeline.lake import Snapshot

_HELD = """
select distinct table_name, ticker, session, source, item from quality.quarantine
where table_name in ('core.news', 'core.option_quotes') order by all
"""
_SCORED_NEWS = """
with held as (
    select ticker, source, item as news_id from quality.quarantine where table_name = 'core.news'
), first_told as (
    select ticker, published_at, known_at, sha256(title) as text_sha256 from core.news anti join held using (ticker, source, news_id)
    where known_at <= ? and trim(title) <> ''
    qualify row_number() over (partition by ticker, source, news_id, title order by known_at, published_at) = 1
)
select n.ticker, n.known_at, n.text_sha256, s.model, s.score
from first_told n left join core.news_scores s on n.text_sha256 = s.text_sha256 and n.published_at::date >= s.released_on
"""
"""A model's score of a headline from before the model is look-ahead: the headline counts, its score does not."""
_OPTION_QUOTES = """
with held as (
    select ticker, session, source, item from quality.quarantine where table_name = 'core.option_quotes'
)
select * from (select *, expiry || ' ' || kind || ' ' || strike as item from core.option_quotes where known_at <= ? and session >= ?)
anti join held using (ticker, session, source, item)
"""


def held_facts(snapshot: Snapshot) -> list[dict[str, object]]:
    """Return which rows of news and option quotes the checks hold."""
    rows: list[dict[str, object]] = snapshot.sql(_HELD).to_pylist()
    return rows


def scored_news(snapshot: Snapshot, as_of: dt.datetime) -> pa.Table:
    """Return headlines with every model's score (`headlines.SCORED_NEWS`)."""
    return snapshot.sql(_SCORED_NEWS, [as_of]).select(["ticker", "known_at", "text_sha256", "model", "score"])


def option_quotes(snapshot: Snapshot, as_of: dt.datetime, *, since: dt.date = dt.date.min) -> pa.Table:
    """Return the quotes of core.option_quotes of the sessions from `since` on."""
    return snapshot.sql(_OPTION_QUOTES, [as_of, since]).drop_columns(["item"])
