import pytest

from trader_pipeline_tests.checks.build import DAYS, bars, report, verdict

GAPS = {DAYS[i] for i in (10, 20, 30)}
HOLED = [day for day in DAYS[:100] if day not in GAPS]


def market(good, bad):
    return bars(
        {f"G{i:02d}": DAYS[:100] for i in range(good)} | {f"B{i:02d}": [d for d in HOLED if d != DAYS[40 + 2 * i]] for i in range(bad)}
    )


@pytest.mark.parametrize(("good", "bad", "blocked"), [(38, 2, False), (37, 2, True)])
def test_over_five_percent_of_the_listed_tickers_block(good, bad, blocked):
    result = verdict(market(good, bad), "quarantined_tickers")
    assert (result.severity == "error") is blocked
    assert result.metrics["quarantined_tickers"] == bad
    assert report(market(good, bad)).blocked_by == (["quarantined_tickers"] if blocked else [])


def test_one_bad_ticker_never_stops_the_rest():
    assert verdict(market(3, 1), "quarantined_tickers").passed


def test_of_few_tickers_all_must_be_lost():
    assert verdict(market(1, 4), "quarantined_tickers").passed
    nothing_left = report(bars({"A": DAYS[:100], "B": DAYS[:100]}, high=1.0)).explain_block()
    assert nothing_left == "quarantined_tickers: 2 of 2 listed tickers are quarantined (100.0%, limit 5%): A, B; mend the source"


def test_a_lone_ticker_that_is_quarantined_leaves_nothing():
    assert verdict(market(0, 1), "quarantined_tickers").severity == "error"


def test_the_message_names_them():
    finding = report(market(22, 2)).explain_block()
    assert finding.startswith("quarantined_tickers: 2 of 24 listed tickers are quarantined (8.3%, limit 5%): B00, B01; mend")
    assert finding.endswith("or raise TRADER_CHECKS__QUARANTINED_TICKERS")
