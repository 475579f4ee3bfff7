"""Yahoo's option chains: which expiries are asked for, what a snapshot says, and when it was known."""

import datetime as dt
import json
from pathlib import Path

import pytest
import yfinance

from trader_pipeline.schema import core
from trader_pipeline.schema.raw_yahoo import YAHOO_OPTIONS
from trader_pipeline.sources.yahoo_options import YAHOO_CHAINS, spread
from trader_pipeline_tests.fake_yahoo import CRUMB, OPTIONS
from trader_pipeline_tests.fake_yahoo_bodies import EXPIRY_DAYS
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.plain_yfinance import plain_yfinance
from trader_pipeline_tests.sources.asking_yahoo import AFTER_CLOSE, TODAY, request, settings_for

WIRE = json.loads((Path(__file__).parents[1] / "resources" / "yahoo_wire.json").read_text())
DAY = 86_400


def chains(settings, *tickers, **changes):
    result = fetched(YAHOO_CHAINS, request(*tickers, **changes), settings)
    return {attempt.ticker: attempt for attempt in result.attempts}, result.tables.get(YAHOO_OPTIONS)


def quotes_of(rows):
    return core.OPTION_QUOTES.conform(YAHOO_CHAINS.to_core({YAHOO_OPTIONS.full_name: rows})[core.OPTION_QUOTES])


def test_expiries_are_spread_from_the_nearest_to_nine_months(yahoo, settings):
    attempts, rows = chains(settings, "AAA")
    quotes = quotes_of(rows)
    ahead = sorted({(expiry - TODAY).days for expiry in quotes["expiry"].to_pylist()})
    assert ahead == [EXPIRY_DAYS[rank] for rank in (0, 1, 3, 4, 6, 7)]
    assert attempts["AAA"].requests == yahoo.hits.total() == 2 + settings.yahoo.option_expiries
    assert quotes.num_rows == 6 * 2 * 5
    assert set(quotes["session"].to_pylist()) == {TODAY}
    assert set(quotes["known_at"].to_pylist()) == {AFTER_CLOSE}


def test_spread_by_hand():
    now = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    at = [int(now.timestamp()) + days * DAY for days in (3, 10, 40, 100, 270, 400)]
    assert spread(at, now, days=275, most=3) == [at[0], at[2], at[4]]
    assert spread(at, now, days=275, most=99) == at[:5]
    assert spread(at, now, days=1, most=3) == [at[0]]
    assert spread(at, now, days=275, most=1) == [at[0]]


def test_a_snapshot_while_the_market_is_open_belongs_to_the_session_before(settings):
    _, rows = chains(settings, "AAA", as_of=AFTER_CLOSE - dt.timedelta(hours=3))
    assert set(rows["session"].to_pylist()) == {dt.date(2025, 5, 30)}


def test_recorded_chain(yahoo, settings):
    """AAPL on Friday 2025-02-21, expiry 2025-02-28: a call without a volume, and bids and asks of 0 as served overnight."""
    yahoo.canned[f"{OPTIONS}AAPL"] = WIRE["options"]
    _, rows = chains(settings, "AAPL", as_of=dt.datetime(2025, 2, 24, 10, 0, tzinfo=dt.UTC))
    quotes = quotes_of(rows).sort_by([("kind", "ascending"), ("strike", "ascending")]).to_pylist()
    shown = ("kind", "strike", "bid", "ask", "last", "volume_contracts", "open_interest_contracts", "implied_volatility")
    assert [tuple(row[name] for name in shown) for row in quotes] == [
        ("call", 110.0, 135.9, 136.65, 111.67, None, 0.0, 3.58593853515625),
        ("call", 245.0, 0.0, 0.0, 3.45, 16227.0, 0.0, 1.0000000000000003e-05),
        ("put", 100.0, 0.0, 0.0, 0.03, 1.0, 0.0, 0.500005),
        ("put", 245.0, 0.0, 0.0, 2.63, 32187.0, 0.0, 0.007822421875),
    ]
    assert {(row["session"], row["expiry"], row["underlying"], row["currency"]) for row in quotes} == {
        (dt.date(2025, 2, 21), dt.date(2025, 2, 28), 245.55, "USD")
    }
    assert rows.sort_by("contractSymbol")["contractSymbol"].to_pylist()[0] == "AAPL250228C00110000"
    assert rows["inTheMoney"].to_pylist() == [True, True, False, False]


def test_a_contract_that_a_split_changed_is_no_quote_of_the_ticker(yahoo, settings):
    chain = json.loads(json.dumps(WIRE["options"]))
    chain["optionChain"]["result"][0]["options"][0]["calls"][0]["contractSymbol"] = "AAPL1250228C00110000"
    yahoo.canned[f"{OPTIONS}AAPL"] = chain
    _, rows = chains(settings, "AAPL")
    assert (rows.num_rows, quotes_of(rows).num_rows) == (4, 3)


def test_a_class_suffix_is_not_in_the_contracts_root(settings):
    _, rows = chains(settings, "BRK-B")
    assert quotes_of(rows).num_rows == rows.num_rows > 0


def test_plain_yfinance_reads_the_same_chain(yahoo, settings):
    _, rows = chains(settings, "AAA")
    with plain_yfinance(yahoo.url) as session:
        client = yfinance.Ticker("AAA", session=session)
        near = client.options[0]
        theirs = client.option_chain(near)
    ours = rows.slice(0, 10).to_pylist()
    assert [row["contractSymbol"] for row in ours] == [*theirs.calls["contractSymbol"], *theirs.puts["contractSymbol"]]
    assert [row["bid"] for row in ours] == [*theirs.calls["bid"], *theirs.puts["bid"]]
    assert ours[0]["regularMarketPrice"] == theirs.underlying["regularMarketPrice"]


@pytest.mark.parametrize(
    ("fault", "outcome"), [("empty", "no_data"), ("404", "unknown_symbol"), ("403", "schema_change"), ("no_chart", "schema_change")]
)
def test_what_asking_again_cannot_mend(yahoo, settings, fault, outcome):
    yahoo.forever["AAA"] = fault
    attempts, rows = chains(settings, "AAA")
    assert (attempts["AAA"].outcome, rows) == (outcome, None)
    assert yahoo.hits[f"{OPTIONS}AAA"] == 1


def test_a_ticker_without_options_is_no_data(yahoo, settings):
    yahoo.world.unknown.add("GONE")
    attempts, _ = chains(settings, "GONE")
    assert attempts["GONE"].outcome == "no_data"


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "html", "malformed", "truncated", "reset"])
def test_each_fault_is_got_over(yahoo, tmp_path, fault):
    yahoo.retry_after = "0"
    yahoo.plan("AAA", fault, fault)
    attempts, rows = chains(settings_for(tmp_path, yahoo.url), "AAA")
    assert (attempts["AAA"].outcome, attempts["AAA"].retries, rows.num_rows) == ("ok", 2, 60)


def test_options_without_a_crumb_end_as_trouble_not_as_no_options(yahoo, tmp_path):
    yahoo.beside[CRUMB] = "500"
    attempts, rows = chains(settings_for(tmp_path, yahoo.url), "AAA")
    assert (attempts["AAA"].outcome, rows) == ("transient_exhausted", None)
    assert "crumb" in attempts["AAA"].detail
