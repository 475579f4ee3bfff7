"""A small market for the fake FMP: a split, dividends, headlines, filings and reports of any symbol."""

import datetime as dt

from trader_pipeline_tests.fake_fmp import FakeFmp

SPLIT = dt.date(2025, 4, 14)
NEWS = (
    ("2025-06-02 16:05:00", "Results beat the estimate"),
    ("2025-05-12 09:31:07", "A new factory"),
    ("2025-03-04 07:00:00", "A new chairman"),
    ("2024-11-03 01:30:00", "An older headline"),
)
FILINGS = (
    ("2025-03-29", "Q2", "2025-05-02", "2025-05-02 06:01:26", {"revenue": 95_359e6, "eps": 1.65, "epsDiluted": 1.64}),
    ("2024-12-28", "Q1", "2025-01-31", "2025-01-31 06:01:27", {"revenue": 124_300e6, "eps": 2.44, "epsDiluted": 2.40}),
)
SHARES = {"weightedAverageShsOut": 15e9, "weightedAverageShsOutDil": 15.1e9, "totalAssets": 331e9, "capitalExpenditure": -3e9}
REPORTS = (
    ("2025-07-31", None, 1.44, None, 89_562e6),
    ("2025-05-01", 1.65, 1.63, 95_359e6, 94_542e6),
    ("2025-01-30", 2.4, 2.36, 124_300e6, 124_257e6),
)


class _Everything(dict):
    """The same for whichever symbol is asked."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def get(self, symbol, default=()):  # noqa: ARG002 - as of a dict
        return [] if symbol == "QUIET" else self.rows


def fmp_server(**options):
    """Start a fake that knows every symbol but GONE; QUIET has bars and nothing else."""
    fake = FakeFmp(**options)
    fake.world.unknown.add("GONE")
    fake.world.splits["AAPL"] = [(SPLIT, 4, 1)]
    fake.world.dividends["AAPL"] = [(dt.date(2025, 2, 10), 0.25), (dt.date(2025, 3, 10), 0.82), (dt.date(2025, 5, 12), 0.26)]
    fake.news = _Everything(list(NEWS))
    fake.filings = _Everything([(*head, facts | SHARES) for *head, facts in FILINGS])
    fake.reports = _Everything(list(REPORTS))
    return fake
