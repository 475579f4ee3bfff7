from trader_pipeline.schema.core import NEWS
from trader_pipeline_tests.checks.facts import at, messages, told


def headline(news_id="1", published="2018-06-01T14:00", known="2018-06-01T14:00", **others):
    row = {"ticker": "A", "news_id": news_id, "published_at": at(published), "known_at": at(known), "known_at_basis": "assumed"}
    return row | {"source": "yahoo", "title": "A sells more", **others}


def test_sound_headlines_are_not_told():
    rows = [headline(), headline("2"), headline(ticker="B"), headline(source="fmp"), headline("3", known="2018-06-02T08:00")]
    assert told("news_clock", NEWS, rows) == told("news_text", NEWS, rows) == []


def test_published_after_it_was_known_is_an_error():
    rows = [headline(), headline("2", published="2018-06-01T14:00:01")]
    assert told("news_clock", NEWS, rows) == [("A", "yahoo", "error", "2018-06-01", 1.0)]


def test_published_in_the_future_is_an_error():
    late = headline(published="2019-01-03T21:31", known="2019-01-03T21:31")
    assert told("news_clock", NEWS, [late]) == [("A", "yahoo", "error", "2019-01-03", 1.0)]


def test_no_title_and_one_id_twice_are_warnings():
    assert told("news_text", NEWS, [headline(title="  ")]) == [("A", "yahoo", "warning", "2018-06-01", 1.0)]
    twice = [headline(), headline(published="2018-06-04T14:00", known="2018-06-04T14:00")]
    assert told("news_text", NEWS, twice) == [("A", "yahoo", "warning", "2018-06-04", 1.0)]


def test_the_finding_names_the_fact_and_the_mend():
    assert messages("news_text", NEWS, [headline(title="")]) == [
        "A: no title: 1 row, first 2018-06-01; fetch them again; scores of them count for nothing or twice"
    ]
