import datetime as dt
import hashlib

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.flows.known_facts import held_facts, option_quotes, scored_news
from trader_pipeline.flows.score_news import score_news, text_scorers
from trader_pipeline.lake import Change, Lake
from trader_pipeline.models.text_scorer import TextScorer, TextScores
from trader_pipeline.models.text_vader import vader
from trader_pipeline.schema.core import NEWS, NEWS_SCORES, OPTION_QUOTES
from trader_pipeline.schema.quality import QUARANTINE
from trader_pipeline.settings import Settings
from trader_pipeline_tests.features import markets

AS_OF = dt.datetime(2020, 6, 1, tzinfo=dt.UTC)


def story(news_id, title, *, ticker="A", on="2020-01-06", known="2020-01-06", source="fmp"):
    row = {"ticker": ticker, "news_id": news_id, "title": title, "known_at_basis": "assumed", "source": source}
    return row | {f"{clock}_at": dt.datetime.fromisoformat(f"{day}T15:00+00:00") for clock, day in (("published", on), ("known", known))}


def lengths(revision="1", name="finbert", released="2019-01-01"):
    """A model whose score is the length of the text, and which notes what it was asked."""
    asked = []

    def score(texts):
        asked.extend(texts)
        return TextScores(shares_n3=np.full((len(texts), 3), 1 / 3), score_n=np.array([float(len(text)) for text in texts]))

    return TextScorer(name=name, revision=revision, released_on=dt.date.fromisoformat(released), score=score), asked


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", "live")


def put(lake, *stories):
    lake.publish(Change.replace(NEWS, pa.Table.from_pylist(list(stories), schema=NEWS.arrow_schema)))


def score(lake, *scorers):
    return score_news(lake, scorers, as_of=AS_OF, run_id="run")


def test_a_text_is_scored_once_however_often_it_comes(lake):
    put(lake, story("1", "up"), story("2", "up", ticker="B"), story("3", "down"))
    model, asked = lengths()
    assert score(lake, model).scored == 2
    assert sorted(asked) == ["down", "up"]
    rows = {row["text_sha256"]: row["score"] for row in lake.snapshot().read(NEWS_SCORES).to_pylist()}
    assert rows == {hashlib.sha256(text.encode()).hexdigest(): len(text) for text in ("up", "down")}
    assert not score(lake, model).changed
    put(lake, story("1", "up"), story("4", "sideways"))
    assert score(lake, model).scored == 1
    assert asked.count("up") == 1


def test_another_revision_scores_anew_and_leaves_the_other_model_alone(lake):
    put(lake, story("1", "up"))
    light, heard = lengths(name="vader")
    score(lake, light, lengths("1")[0])
    second, asked = lengths("2")
    assert score(lake, light, second).scored == 1
    assert (heard, asked) == (["up"], ["up"])
    rows = lake.snapshot().read(NEWS_SCORES).to_pylist()
    assert {(row["model"], row["revision"]) for row in rows} == {("vader", "1"), ("finbert", "2")}


def test_scores_of_a_model_that_is_switched_off_stay(lake):
    put(lake, story("1", "up"))
    score(lake, lengths()[0], vader())
    put(lake, story("1", "up"), story("2", "down"))
    assert score(lake, vader()).scored == 1
    assert sorted(lake.snapshot().read(NEWS_SCORES)["model"].to_pylist()) == ["finbert", "vader", "vader"]


def test_vader_tells_good_from_bad_and_its_shares_sum_to_one(lake):
    put(lake, story("1", "A wins a great contract"), story("2", "A suffers a terrible loss"), story("3", " "))
    assert score(lake, vader()).scored == 2
    rows = lake.snapshot().sql("select title, s.* from core.news n join core.news_scores s on sha256(n.title) = s.text_sha256").to_pylist()
    found = {row["title"]: row for row in rows}
    assert found["A wins a great contract"]["score"] > 0.5
    assert found["A suffers a terrible loss"]["score"] < -0.5
    for row in rows:
        assert row["p_negative"] + row["p_neutral"] + row["p_positive"] == pytest.approx(1, abs=2e-3)  # the package rounds each to 3 digits
        assert row["revision"] == "3.3.2"


def test_without_a_model_named_vader_alone_scores():
    assert [scorer.name for scorer in text_scorers(Settings(_env_file=None))] == ["vader"]


def test_a_headline_from_before_the_model_counts_without_a_score(lake):
    put(lake, story("1", "before", on="2018-12-31", known="2018-12-31"), story("2", "after", on="2019-01-02", known="2019-01-02"))
    score(lake, lengths()[0])
    rows = scored_news(lake.snapshot(), AS_OF).sort_by("known_at").to_pylist()
    assert [(row["model"], row["score"]) for row in rows] == [(None, None), ("finbert", 5.0)]


def test_what_was_not_known_yet_is_not_read_and_a_title_that_was_corrected_is_another_text(lake):
    put(lake, story("1", "first"), story("1", "corrected", known="2020-03-02"), story("2", "later", known="2020-07-01"))
    score(lake, lengths()[0])
    rows = scored_news(lake.snapshot(), AS_OF).sort_by("known_at").to_pylist()
    assert [row["score"] for row in rows] == [5.0, 9.0]
    assert [row["score"] for row in scored_news(lake.snapshot(), dt.datetime(2020, 2, 1, tzinfo=dt.UTC)).to_pylist()] == [5.0]


def hold(lake, table, **row):
    told = {"run_id": "run", "known_at": AS_OF, "rule": "r", "reason": "held", "first_seen": AS_OF, "strikes": 1, "table_name": table}
    lake.publish(Change.replace(QUARANTINE, pa.Table.from_pylist([told | row], schema=QUARANTINE.arrow_schema)))


def test_what_the_checks_hold_is_not_read(lake):
    put(lake, story("1", "held"), story("2", "good"))
    score(lake, lengths()[0])
    hold(lake, "core.news", ticker="A", session=dt.date(2020, 1, 6), source="fmp", item="1")
    assert scored_news(lake.snapshot(), AS_OF)["score"].to_pylist() == [4.0]
    assert [row["item"] for row in held_facts(lake.snapshot())] == ["1"]
    rows = [markets.quote("A", "2020-01-06", 30, kind="call", strike=strike, mid=5.0) for strike in (90.0, 100.0)]
    lake.publish(Change.replace(OPTION_QUOTES, markets.quotes(rows)))
    hold(lake, "core.option_quotes", ticker="A", session=dt.date(2020, 1, 6), source="own", item="2020-02-05 call 90.0")
    assert option_quotes(lake.snapshot(), AS_OF)["strike"].to_pylist() == [100.0]
    assert option_quotes(lake.snapshot(), dt.datetime(2020, 1, 6, 12, tzinfo=dt.UTC)).num_rows == 0
