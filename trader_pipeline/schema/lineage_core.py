"""From which raw columns the core tables are made: what each source's `to_core` reads, and the clocks that `standardize` sets."""

from trader_pipeline.schema import core
from trader_pipeline.schema.lineage import Lineage, Reads, same

_SOURCE = "name of the source"
_RENAMES: Reads = {"core.symbol_changes": {"ticker": "symbol, changed_on, new_symbol"}}
"""A symbol becomes the security that it meant when it was asked for."""


def _fact(day: str, exchange: str = ", ticker") -> dict[str, str]:
    """Return what every bar and action takes: its security, its day, and the close of that day, or when it was fetched.

    The symbol tells the exchange whose close it is, but for sources that know one only, or name it in another table.
    """
    return {
        "ticker": "ticker, fetched_at",
        "session": day,
        "known_at": f"{day}, fetched_at{exchange}",
        "known_at_basis": f"{day}, fetched_at",
    }


DAILY_BARS = Lineage(
    table=core.DAILY_BARS,
    reads={
        "raw.sample_bars": {**_fact("date", ""), **same("open, high, low, close"), "volume_shares": "volume"},
        "raw.sample_tickers": {"known_at": "exchange"},
        "raw.own_bars": {
            **_fact("date"),
            **{price: f"{price}, splits_after" for price in ("open", "high", "low", "close")},
            "volume_shares": "volume, splits_after",
            "currency, price_unit": "ticker",
        },
        "raw.simulated_bars": {**_fact("date", ""), **same("open, high, low, close"), "volume_shares": "volume"},
        "raw.yahoo_bars": {
            **_fact("Date"),
            **{price.lower(): f"{price}, splits_after" for price in ("Open", "High", "Low", "Close")},
            "volume_shares": "Volume, splits_after, Open, High, Low, Close",
            "currency, price_unit": "currency",
        },
        "raw.fmp_bars": {
            **_fact("date"),
            "open": "adjOpen",
            "high": "adjHigh",
            "low": "adjLow",
            "close": "adjClose",
            "volume_shares": "volume",
            "currency, price_unit": "ticker",
        },
        "raw.tiingo_bars": {**_fact("date", ""), **same("open, high, low, close"), "volume_shares": "volume"},
        **_RENAMES,
    },
    made={"source": _SOURCE},
)
_REPAIRED = "open, high, low, close, volume_shares"
ACCEPTED_BARS = Lineage(
    table=core.ACCEPTED_BARS,
    reads={
        "core.daily_bars": {**same(f"ticker, session, source, known_at, {_REPAIRED}"), "close_usd": "close, currency, price_unit"},
        "quality.repairs": {f"{_REPAIRED}, close_usd": "proposed", "known_at": "applied_since", "repaired": "rule"},
    },
    made={},
)
CORPORATE_ACTIONS = Lineage(
    table=core.CORPORATE_ACTIONS,
    reads={
        "raw.sample_actions": {**_fact("date", ""), **same("kind, value")},
        "raw.sample_bars": {"known_at, known_at_basis": "date, fetched_at"},
        "raw.sample_tickers": {"known_at": "exchange"},
        "raw.own_bars": {**_fact("date"), "value": "split_ratio, dividend, splits_after"},
        "raw.yahoo_bars": {**_fact("Date"), "value": "Stock Splits, Dividends, splits_after"},
        "raw.fmp_splits": {**_fact("date"), "value": "numerator, denominator"},
        "raw.fmp_dividends": {**_fact("date"), "value": "dividend"},
        "raw.fmp_bars": {"known_at, known_at_basis": "date, fetched_at"},
        "raw.tiingo_bars": {**_fact("date", ""), "value": "splitFactor, divCash"},
        **_RENAMES,
    },
    made={"source": _SOURCE},
)
"""Inside the span of bars that were loaded before, an action was known when it was fetched. But for the sample, `kind` is which column it was."""

CHARACTERISTICS = Lineage(
    table=core.CHARACTERISTICS,
    reads={"raw.simulated_facts": {**same("ticker, name, value"), "observed_on, known_at": "date"}},
    made={"source": _SOURCE},
)
MACRO = Lineage(
    table=core.MACRO,
    reads={
        "raw.sample_macro": {**same("series, value"), "observed_on": "date", "known_at": "date, series"},
        "raw.simulated_facts": {"series": "name", "observed_on, known_at": "date", "value": "value"},
        "raw.simulated_macro": {**same("series, vintage, value"), "observed_on": "date", "known_at": "released_at"},
        "raw.fred_vintages": {
            "series": "series_id",
            "observed_on": "date",
            "known_at, known_at_basis": "realtime_start, fetched_at",
            "value": "value",
        },
        "raw.fred_latest": {
            "series, vintage": "series_id",
            "observed_on": "date",
            "known_at, known_at_basis": "date, series_id, fetched_at",
            "value": "value",
        },
        "raw.cboe_indices": {"series": "index", "observed_on": "DATE", "known_at, known_at_basis": "DATE, fetched_at", "value": "CLOSE"},
    },
    made={"source": _SOURCE},
)
FACTOR_RETURNS = Lineage(
    table=core.FACTOR_RETURNS,
    reads={
        "raw.french_five_factors": {
            "session": "date",
            "known_at, known_at_basis": "date, fetched_at",
            "value": "Mkt-RF, SMB, HML, RMW, CMA, RF",
        },
        "raw.french_momentum": {"session": "date", "known_at, known_at_basis": "date, fetched_at", "value": "Mom"},
    },
    made={"factor": "which column of the file it was", "source": _SOURCE},
)
_STATEMENT = {
    "ticker": "ticker, fetched_at",
    "period_end": "date",
    "months": "period",
    "known_at, known_at_basis": "acceptedDate, filingDate, date, ticker, fetched_at",
    "unit": "reportedCurrency",
    "filed_on": "filingDate, date",
    "accepted_at": "acceptedDate, date",
}
FUNDAMENTALS = Lineage(
    table=core.FUNDAMENTALS,
    reads={
        "raw.sec_facts": {
            "ticker": "ticker, fetched_at",
            "metric": "taxonomy, concept",
            "period_end": "end",
            "months": "start, end",
            "known_at, known_at_basis": "acceptanceDateTime, filed, fetched_at",
            "accepted_at": "acceptanceDateTime, filed",
            "value": "val",
            "unit": "unit",
            "filed_on": "filed",
            "form": "form",
            "accession": "accn",
        },
        "raw.fmp_income": _STATEMENT,
        "raw.fmp_balance": {ours: theirs for ours, theirs in _STATEMENT.items() if ours != "months"},
        "raw.fmp_cash_flow": _STATEMENT,
        "raw.simulated_filings": {
            **same("ticker, metric, period_end, months, value, unit, filed_on"),
            "known_at, known_at_basis": "filed_on, fetched_at",
        },
        **_RENAMES,
    },
    made={"source": _SOURCE},
)
"""FMP's figures are named in sources/fmp_metrics.py: flows/lineage.py adds them to `value`."""

EARNINGS = Lineage(
    table=core.EARNINGS,
    reads={
        "raw.fmp_earnings": {
            "ticker": "ticker, fetched_at",
            "report_date": "date",
            "known_at, known_at_basis": "date, fetched_at",
            "eps_estimate": "epsEstimated, splits_after",
            "eps_actual": "epsActual, splits_after",
            "revenue_estimate": "revenueEstimated",
            "revenue_actual": "revenueActual",
        },
        "raw.simulated_reports": {
            **same("ticker, eps_estimate, eps_actual"),
            "report_date": "date",
            "known_at, known_at_basis": "date, fetched_at",
        },
        **_RENAMES,
    },
    made={"source": _SOURCE},
)
NEWS = Lineage(
    table=core.NEWS,
    reads={
        "raw.simulated_news": {**same("ticker, news_id, published_at, title"), "known_at": "published_at"},
        "raw.yahoo_news": {
            "ticker": "ticker, fetched_at",
            "news_id": "uuid",
            "published_at": "providerPublishTime",
            "known_at, known_at_basis": "providerPublishTime, fetched_at",
            **same("title, publisher"),
            "url": "link",
        },
        "raw.fmp_news": {
            "ticker": "ticker, fetched_at",
            "news_id": "url",
            "published_at": "publishedDate",
            "known_at, known_at_basis": "publishedDate, fetched_at",
            **same("title, publisher, url"),
            "summary": "text",
        },
        "raw.tiingo_news": {
            "ticker": "ticker, fetched_at",
            "news_id": "id",
            "published_at": "publishedDate",
            "known_at, known_at_basis": "publishedDate, crawlDate, fetched_at",
            **same("title, url"),
            "summary": "description",
            "publisher": "source",
        },
        **_RENAMES,
    },
    made={"source": _SOURCE},
)
NEWS_SCORES = Lineage(
    table=core.NEWS_SCORES,
    reads={"core.news": {"text_sha256, p_negative, p_neutral, p_positive, score": "title"}},
    made={"model, revision, released_on": "the text model's own"},
)
OPTION_QUOTES = Lineage(
    table=core.OPTION_QUOTES,
    reads={
        "raw.simulated_options": {
            **same("ticker, expiry, kind, strike, underlying, bid, ask"),
            "session, known_at": "date",
            "volume_contracts": "volume",
        },
        "raw.yahoo_options": {
            "ticker": "ticker, fetched_at",
            **same("session, strike, bid, ask, currency"),
            "known_at": "fetched_at",
            "expiry": "expiration",
            "kind": "side",
            "underlying": "regularMarketPrice",
            "last": "lastPrice",
            "volume_contracts": "volume",
            "open_interest_contracts": "openInterest",
            "implied_volatility": "impliedVolatility",
        },
        **_RENAMES,
    },
    made={"source": _SOURCE},
)
LISTINGS = Lineage(
    table=core.LISTINGS,
    reads={
        "raw.yahoo_bars": {"symbol, exchange": "ticker", "first_session, last_session": "Date, Close", "name": "longName", "role": "role"},
        "raw.fmp_bars": {"symbol, exchange": "ticker", "first_session, last_session": "date", "role": "role"},
        "raw.tiingo_bars": {"symbol": "ticker", "first_session, last_session": "date", "role": "role"},
        "raw.tiingo_tickers": {"name": "name"},
    },
    made={"source": _SOURCE, "issuer_id": "null: no vendor of ours tells it"},
)
SYMBOL_CHANGES = Lineage(
    table=core.SYMBOL_CHANGES,
    reads={
        "raw.fmp_symbol_changes": {
            "symbol": "oldSymbol",
            "changed_on": "date",
            "new_symbol": "newSymbol",
            "name": "companyName",
        }
    },
    made={"source": "name of the source, or of the user's symbols.toml"},
)
TICKER_MAP = Lineage(
    table=core.TICKER_MAP,
    reads={
        "raw.sample_tickers": {**same("ticker, valid_from, issuer_id, exchange, name, role"), "symbol": "ticker"},
        "raw.own_bars": {"ticker, symbol, issuer_id, exchange": "ticker", "valid_from": "date", "role": "role"},
        "raw.simulated_bars": {"ticker, symbol, issuer_id, name, role": "ticker", "valid_from": "date"},
        "core.daily_bars": {"ticker, symbol, issuer_id, name": "ticker", "valid_from, valid_to": "session"},
        "core.listings": {"issuer_id": "issuer_id, name", **same("exchange, name, role")},
        "core.symbol_changes": {
            "symbol, valid_from, valid_to, ended": "symbol, changed_on, new_symbol",
            "issuer_id, name": "name",
        },
        "raw.fetch_attempts": {"valid_to, ended": "source, at, outcome"},
    },
    made={},
)
UNIVERSE = Lineage(
    table=core.UNIVERSE,
    reads={
        "core.ticker_map": same("ticker, valid_from, valid_to"),
        "raw.sp500_members": {"ticker": "ticker, start_date", "valid_from": "start_date", "valid_to": "end_date"},
        **_RENAMES,
    },
    made={"universe": "name of the list: the first source of bars, or sp500"},
)
SECTORS = Lineage(
    table=core.SECTORS,
    reads={
        "raw.sample_sectors": same("ticker, valid_from, valid_to, sector"),
        "raw.simulated_facts": {"ticker": "ticker", "valid_from": "date", "sector": "value"},
    },
    made={},
)
ORACLE = Lineage(
    table=core.ORACLE,
    reads={
        "raw.simulated_facts": {"ticker": "ticker", "session": "date", "horizon_sessions": "name", "expected_log_return": "value"},
    },
    made={},
)
LINEAGES = (
    DAILY_BARS,
    ACCEPTED_BARS,
    CORPORATE_ACTIONS,
    CHARACTERISTICS,
    MACRO,
    FACTOR_RETURNS,
    FUNDAMENTALS,
    EARNINGS,
    NEWS,
    NEWS_SCORES,
    OPTION_QUOTES,
    LISTINGS,
    SYMBOL_CHANGES,
    TICKER_MAP,
    UNIVERSE,
    SECTORS,
    ORACLE,
)
