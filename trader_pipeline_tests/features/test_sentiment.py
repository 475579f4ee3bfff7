import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline.features import sentiment
from trader_pipeline_tests.features import markets

NAN = np.nan
DAYS = markets.sessions(120)
KNOWN_AT = calendar.known_at_array("XNYS", DAYS)
MINUTE = np.timedelta64(1, "m")


def built(*rows, tickers=("A", "B")):
    close = np.full((len(tickers), len(DAYS)), 100.0)
    more = {"scored_news": markets.news(*rows)} if rows else {}
    return markets.market(markets.core(markets.bars(tickers, DAYS, close=close), **more), DAYS)


def scored(ticker, session, text, score, *, model="vader", late=False):
    """Known at the close, or ten minutes later, before the session's bar is."""
    return ticker, KNOWN_AT[session] - 30 * MINUTE + 10 * MINUTE * late, text, model, score


def test_news_after_the_close_belongs_to_the_next_session():
    market = built(scored("A", 10, "on time", 0.5), scored("A", 20, "late", -0.5, late=True))
    count, tone = sentiment.headlines_1d.compute(market)[0], sentiment.sentiment_vader_21d.compute(market)[0]
    assert np.flatnonzero(count == 1).tolist() == [10, 21]
    assert np.isnan(tone[9])
    np.testing.assert_allclose(tone[[10, 20]], [0.5, 0.5])
    assert tone[21] < 0


def test_tone_by_hand():
    # two headlines today weigh 1 each, one of two sessions before 0.87^2 = 0.7569
    market = built(scored("A", 10, "a", 0.8), scored("A", 12, "b", -0.4), scored("A", 12, "c", 0.1))
    tone = sentiment.sentiment_vader_21d.compute(market)[0]
    assert tone[12] == pytest.approx((0.7569 * 0.8 - 0.4 + 0.1) / (0.7569 + 2))
    assert np.isfinite(tone[32])
    assert np.isnan(tone[33])


def test_a_quiet_session_is_0_only_while_the_ticker_is_covered():
    market = built(scored("A", 10, "a", 0.8))
    count, often = sentiment.headlines_1d.compute(market), sentiment.headlines_21d.compute(market)
    assert np.isnan(count[0, :10]).all()
    assert count[0, 10] == 1
    assert (count[0, 11:73] == 0).all()
    assert np.isnan(count[0, 73:]).all()
    assert np.isnan(count[1]).all()
    assert often[0, 10] > often[0, 11] > 0
    assert often[0, 50] == 0


def test_sessions_before_the_first_headline_of_all_are_no_silence():
    market = built(scored("A", 10, "a", 0.8), scored("B", 12, "b", 0.8))
    often = sentiment.headlines_21d.compute(market)
    assert often[0, 10] == 1
    assert often[1, 12] == pytest.approx(1 / (1 + 0.87 + 0.87**2))


def test_without_any_news_nothing_is_0():
    for feature in sentiment.FEATURES:
        assert np.isnan(feature.compute(built())).all()


def test_models_are_not_mixed_and_a_headline_counts_once_whoever_scored_it():
    market = built(scored("A", 10, "a", 0.8), scored("A", 10, "a", -0.6, model="finbert"), scored("B", 10, "b", None, model=None))
    np.testing.assert_allclose(sentiment.sentiment_vader_21d.compute(market)[:, 10], [0.8, NAN])
    np.testing.assert_allclose(sentiment.sentiment_finbert_21d.compute(market)[:, 10], [-0.6, NAN])
    np.testing.assert_array_equal(sentiment.headlines_1d.compute(market)[:, 10], [1, 1])


def test_one_text_told_twice_in_a_session_counts_once_and_on_another_day_again():
    market = built(scored("A", 10, "same", 0.8), scored("A", 10, "same", 0.8), scored("A", 11, "same", 0.8), scored("A", 11, "else", 0.0))
    np.testing.assert_array_equal(sentiment.headlines_1d.compute(market)[0, 10:13], [1, 2, 0])


def test_the_order_of_the_rows_changes_no_bit():
    generator = np.random.default_rng(0)
    rows = [scored("A", 10, f"text {number}", generator.uniform(-1, 1)) for number in range(7)]
    found = {sentiment.sentiment_vader_21d.compute(built(*(rows[i] for i in generator.permutation(7))))[0, 10] for _ in range(20)}
    assert len(found) == 1


def test_the_first_session_says_nothing_as_it_cannot_tell_its_own_headlines():
    market = built(scored("A", 0, "old", 0.8), scored("A", 1, "new", -0.2))
    assert np.isnan(sentiment.headlines_1d.compute(market)[0, 0])
    assert sentiment.sentiment_vader_21d.compute(market)[0, 1] == pytest.approx(-0.2)


def test_news_of_strangers_and_of_after_the_last_session_is_left_out():
    market = built(scored("Z", 10, "stranger", 0.8), scored("A", 119, "too late", 0.8, late=True))
    assert not market.news
