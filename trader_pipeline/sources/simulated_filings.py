"""What the companies of the simulated market file and report, so that every family of features has data with a known truth.

No price changes by it: the figures are made from the market that is there, by a stream of random numbers of their own. What is planted:

- value: log book to market is BOOK_WEIGHT times the observable z at the period's end, plus noise;
- surprise: the seasonal change of earnings per share, and what is reported beyond the estimate, follow z on the day of filing, so they
  drift as z does (in a null market z says nothing of returns, and so do they);
- quality: gross profit a dollar of assets has a level of each ticker's own, which says nothing of returns.

Quarters are filed 25 to 45 days after their end, the fourth, with the year, after 50 to 75; a third of the companies end their
quarters a month or two after the calendar's. Income and cash flows are filed as 10-Qs do: three months and year to date, the fourth
quarter as the year alone. Some quarters are restated with the next filing. History begins before the first session.

Legend: Q quarters, N tickers, T sessions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.schema.metrics import METRIC_OF, unit_of
from trader_pipeline.sources.simulation import Market

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

QUARTERS_BEFORE = 15
"""Enough for every figure to be known at the first session."""
BOOK_WEIGHT, SURPRISE_WEIGHT, QUALITY_WEIGHT, RESTATED_SHARE = 0.5, 0.8, 0.1, 0.04
_STREAM = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Filings:
    """Rows of the raw tables without their clocks, and each ticker's quality, the truth behind gross profitability."""

    filings: pa.Table
    reports: pa.Table
    quality_N: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quarters:
    """When each company's quarters end and are filed, and what the market said then, all [Q, N]."""

    end_QN: Days
    filed_QN: Days
    z_at_end_QN: Floats
    z_at_filing_QN: Floats
    close_at_end_QN: Floats
    close_at_filing_QN: Floats


def simulate_filings(market: Market, tickers: Sequence[str], days_T: Days, seed: int) -> Filings:
    """Make what is filed by the last session; the same market and seed give the same rows."""
    random = np.random.default_rng([_STREAM, seed])
    quarters = _quarters(random, market, days_T)
    quality_N = random.standard_normal(len(tickers))
    flows, balances = _figures(random, quarters, quality_N)
    rows = _Rows(tickers, days_T[-1])
    for metric, months, values_QN in _as_filed(flows):
        rows.add(metric, months, quarters, values_QN)
    for metric, values_QN in balances.items():
        rows.add(metric, np.zeros(len(values_QN), np.int64), quarters, values_QN)
    _restate(random, rows, quarters, flows)
    estimate_QN = flows["earnings_per_share"] - 0.005 * quarters.close_at_filing_QN * _follows_z(random, quarters)
    return Filings(
        filings=rows.table(), reports=_reports(tickers, days_T[-1], quarters, flows["earnings_per_share"], estimate_QN), quality_N=quality_N
    )


def _quarters(random: np.random.Generator, market: Market, days_T: Days) -> _Quarters:
    tickers = market.close_TN.shape[1]
    offset_N = random.choice(3, tickers, p=(0.67, 0.165, 0.165))
    first, last = (day.astype("datetime64[M]").astype(np.int64) // 3 * 3 for day in days_T[[0, -1]])
    month_Q = np.arange(first - 3 * QUARTERS_BEFORE, last + 1, 3)
    end_QN: Days = (month_Q[:, None] + offset_N).astype("datetime64[M]").astype("datetime64[D]") - 1  # the day before the month
    fourth_Q1 = (np.arange(len(month_Q)) % 4 == 3)[:, None]  # noqa: PLR2004 - the fourth quarter
    lag_QN = np.where(fourth_Q1, random.integers(50, 76, end_QN.shape), random.integers(25, 46, end_QN.shape))
    filed_QN = end_QN + lag_QN.astype("timedelta64[D]")
    at_end_QN, at_filing_QN = (np.maximum(np.searchsorted(days_T, day_QN, side="right") - 1, 0) for day_QN in (end_QN, filed_QN))
    own_N = np.arange(tickers)
    return _Quarters(
        end_QN=end_QN,
        filed_QN=filed_QN,
        z_at_end_QN=market.z_TN[at_end_QN, own_N],
        z_at_filing_QN=market.z_TN[at_filing_QN, own_N],
        close_at_end_QN=market.close_TN[at_end_QN, own_N],
        close_at_filing_QN=market.close_TN[at_filing_QN, own_N],
    )


def _follows_z(random: np.random.Generator, quarters: _Quarters) -> Floats:
    """Return z on the day of filing, with noise up to variance 1."""
    noise_QN = random.standard_normal(quarters.end_QN.shape)
    return np.asarray(SURPRISE_WEIGHT * quarters.z_at_filing_QN + np.sqrt(1 - SURPRISE_WEIGHT**2) * noise_QN)


def _figures(random: np.random.Generator, quarters: _Quarters, quality_N: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return flows of each quarter and balances at its end, [Q, N] by metric; assets lie around four times the equity."""
    shape = quarters.end_QN.shape

    def noise(scale: float) -> Floats:
        return np.asarray(np.exp(scale * random.standard_normal(shape)))

    issued_N = np.exp(random.uniform(np.log(2e7), np.log(1e9), shape[1]))
    shares_QN = np.round(issued_N * np.exp(0.005 * random.standard_normal(shape[1]) * np.arange(shape[0])[:, None]))
    worth_QN = 0.5 * shares_QN * quarters.close_at_end_QN
    assets_QN = 4 * worth_QN * noise(0.1)
    equity_QN = np.minimum(worth_QN * np.exp(BOOK_WEIGHT * quarters.z_at_end_QN) * noise(0.1), 0.95 * assets_QN)
    revenue_QN = 0.12 * assets_QN * noise(0.05)
    change_QN = 0.004 * quarters.close_at_end_QN[0] * _follows_z(random, quarters)
    per_share_QN = 0.015 * quarters.close_at_end_QN[0] + np.zeros(shape)
    for quarter in range(4, shape[0]):
        per_share_QN[quarter] = per_share_QN[quarter - 4] + change_QN[quarter]
    income_QN = per_share_QN * shares_QN
    written_off_QN = 0.01 * assets_QN * noise(0.1)
    flows = {
        "total_revenue": revenue_QN,
        "cost_of_revenue": revenue_QN * np.clip(0.6 - QUALITY_WEIGHT * quality_N, 0.05, 0.95) * noise(0.02),
        "operating_income": income_QN / 0.8 + 0.002 * assets_QN,
        "net_income": income_QN,
        "earnings_per_share": per_share_QN,
        "depreciation_and_amortization": written_off_QN,
        "operating_cash_flow": income_QN + written_off_QN - 0.01 * assets_QN * random.standard_normal(shape),
        "capital_expenditure": 0.012 * assets_QN * noise(0.3),
    }
    balances = {
        "total_assets": assets_QN,
        "current_assets": 0.4 * assets_QN * noise(0.1),
        "cash_and_equivalents": 0.1 * assets_QN * noise(0.2),
        "total_liabilities": assets_QN - equity_QN,
        "current_liabilities": 0.2 * assets_QN * noise(0.1),
        "total_debt": 0.25 * assets_QN * noise(0.2),
        "shareholders_equity": equity_QN,
        "shares_outstanding": shares_QN,
    }
    return flows, balances


def _as_filed(flows: Mapping[str, Floats]) -> Iterator[tuple[str, npt.NDArray[np.int64], Floats]]:
    """Yield metric, months [Q] (0: not filed) and values [Q, N]: three months of all but the fourth quarter, and the year to date."""
    for metric, values_QN in flows.items():
        of_year_Q = np.arange(len(values_QN)) % 4
        to_date_QN = values_QN.copy()
        for quarter in range(1, len(values_QN)):
            if of_year_Q[quarter]:
                to_date_QN[quarter] += to_date_QN[quarter - 1]
        yield metric, np.where(of_year_Q < 3, 3, 0), values_QN  # noqa: PLR2004 - of the fourth quarter only the year is filed
        yield metric, np.where(of_year_Q > 0, 3 * (of_year_Q + 1), 0), to_date_QN


class _Rows:
    """Rows of raw.simulated_filings, gathered by metric."""

    def __init__(self, tickers: Sequence[str], last: np.datetime64) -> None:
        self.tickers, self.last = pa.array(tickers, pa.string()), last
        self.pieces: list[pa.Table] = []

    def add(
        self, metric: str, months_Q: npt.NDArray[np.int64], quarters: _Quarters, values_QN: Floats, filed_QN: Days | None = None
    ) -> None:
        """Add the figures that are filed by the last session; months 0 of a flow says that it is not filed."""
        filed_QN = quarters.filed_QN if filed_QN is None else filed_QN
        wanted_QN = (filed_QN <= self.last) & np.isfinite(values_QN) & ((months_Q > 0) | METRIC_OF[metric].balance)[:, None]
        quarter, ticker = np.nonzero(wanted_QN)
        self.pieces.append(
            pa.table(
                {
                    "ticker": self.tickers.take(pa.array(ticker)),
                    "metric": pa.repeat(metric, len(ticker)),
                    "period_end": pa.array(quarters.end_QN[wanted_QN]).cast(pa.date32()),
                    "months": pa.array(months_Q[quarter]),
                    "filed_on": pa.array(filed_QN[wanted_QN]).cast(pa.date32()),
                    "value": values_QN[wanted_QN],
                    "unit": pa.repeat(unit_of(metric, "USD"), len(ticker)),
                }
            )
        )

    def table(self) -> pa.Table:
        """Return all rows."""
        return pa.concat_tables(self.pieces)


def _restate(random: np.random.Generator, rows: _Rows, quarters: _Quarters, flows: Mapping[str, Floats]) -> None:
    """Add restated earnings of some of the first three quarters of years, filed with the quarter after."""
    chosen_QN = random.random(quarters.end_QN.shape) < RESTATED_SHARE
    factor_QN = np.where(chosen_QN, 1 + 0.1 * random.standard_normal(chosen_QN.shape), np.nan)
    factor_QN[-1] = np.nan
    filed_QN = np.roll(quarters.filed_QN, -1, axis=0)
    months_Q = np.where(np.arange(len(factor_QN)) % 4 < 3, 3, 0)  # noqa: PLR2004 - as they are filed
    for metric in ("net_income", "earnings_per_share"):
        rows.add(metric, months_Q, quarters, flows[metric] * factor_QN, filed_QN)


def _reports(tickers: Sequence[str], last: np.datetime64, quarters: _Quarters, actual_QN: Floats, estimate_QN: Floats) -> pa.Table:
    wanted_QN = quarters.filed_QN <= last
    return pa.table(
        {
            "ticker": pa.array(tickers, pa.string()).take(pa.array(np.nonzero(wanted_QN)[1])),
            "date": pa.array(quarters.filed_QN[wanted_QN]).cast(pa.date32()),
            "eps_estimate": estimate_QN[wanted_QN],
            "eps_actual": actual_QN[wanted_QN],
        }
    )
