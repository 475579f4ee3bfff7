"""What all made-up tables agree on: the session, the model, the names, the split."""

import datetime as dt

from trader_pipeline import calendar

SESSION = dt.date(2020, 2, 7)
MADE_AT = dt.datetime(2020, 2, 7, 22, 4, tzinfo=dt.UTC)
MODEL_ID = "three_members-0-5f2c91aa"
DATA_VERSION = "9b1d" * 16
RUN_ID = "0190a000-0000-7000-8000-000000000001"
KNOWN = calendar.known_at("XNYS", SESSION)
HOSTILE = '<script>alert("x")</script> & "Sons"'

NAMES = {
    "AAPL": ("Apple", "Technology", 320.0),
    "ABBV": ("AbbVie", "Health Care", 88.0),
    "AMD": ("Advanced Micro Devices", "Technology", 49.7),
    "AMZN": ("Amazon.com", "Consumer Discretionary", 2079.0),
    "BA": ("Boeing", "Industrials", 336.0),
    "GOOG": ("Alphabet class C", "Communication Services", 1479.0),
    "GOOGL": ("Alphabet class A", "Communication Services", 1479.0),
    "META": ("Meta Platforms", "Communication Services", 212.0),
    "NFLX": ("Netflix", "Communication Services", 366.0),
    "NVDA": (HOSTILE, "Technology", 251.6),
    "TSLA": ("Tesla", "Consumer Discretionary", 748.0),
}
ISSUERS = {"GOOG": "ALPHABET", "GOOGL": "ALPHABET"}
SPLIT_TICKER, SPLIT_SESSION, SPLIT_RATIO = "AAPL", dt.date(2019, 6, 3), 4.0
