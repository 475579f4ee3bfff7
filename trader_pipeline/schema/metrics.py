"""Canonical metrics of core.fundamentals: one name, one quantity, one sign, whichever vendor it came from."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["currency", "shares", "currency/shares", "pure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure of a filing. `unit` "currency" is written as the ISO code that was reported: USD, USD/shares.

    A balance is the figure of a day (core.fundamentals.months is 0), anything else of a period.
    """

    name: str
    unit: Unit
    description: str
    balance: bool = False


def _flow(name: str, description: str) -> Metric:
    return Metric(name=name, unit="currency", description=description)


def _balance(name: str, description: str, unit: Unit = "currency") -> Metric:
    return Metric(name=name, unit=unit, description=description, balance=True)


METRICS: tuple[Metric, ...] = (
    _flow("total_revenue", "Revenue."),
    _flow("cost_of_revenue", "Cost of what was sold."),
    _flow("gross_profit", "Revenue less cost of revenue."),
    _flow("research_and_development", "Research and development expense."),
    _flow("selling_general_and_administrative", "Selling, general and administrative expense."),
    _flow("operating_income", "Operating income."),
    _flow("interest_expense", "Interest expense."),
    _flow("income_before_tax", "Income before tax."),
    _flow("income_tax", "Income tax expense; negative is a benefit."),
    _flow("net_income", "Net income."),
    _flow("depreciation_and_amortization", "Depreciation and amortization."),
    Metric(name="earnings_per_share", unit="currency/shares", description="Diluted earnings per share, in shares of the filing."),
    Metric(name="earnings_per_share_basic", unit="currency/shares", description="Basic earnings per share, in shares of the filing."),
    Metric(name="shares_diluted", unit="shares", description="Weighted average diluted shares, as filed."),
    Metric(name="shares_basic", unit="shares", description="Weighted average basic shares, as filed."),
    _balance("total_assets", "Total assets."),
    _balance("current_assets", "Current assets."),
    _balance("cash_and_equivalents", "Cash and cash equivalents."),
    _balance("inventory", "Inventory."),
    _balance("receivables", "Net receivables."),
    _balance("goodwill", "Goodwill."),
    _balance("total_liabilities", "Total liabilities."),
    _balance("current_liabilities", "Current liabilities."),
    _balance("long_term_debt", "Long-term debt."),
    _balance("total_debt", "Debt of any term."),
    _balance("shareholders_equity", "Equity of the shareholders, without minority interests."),
    _balance("retained_earnings", "Retained earnings; negative is a deficit."),
    _balance("shares_outstanding", "Shares outstanding, as filed.", "shares"),
    _flow("operating_cash_flow", "Net cash from operating activities."),
    _flow("investing_cash_flow", "Net cash from investing activities."),
    _flow("financing_cash_flow", "Net cash from financing activities."),
    _flow("capital_expenditure", "Cash spent on property, plant and equipment; positive is money spent."),
    _flow("free_cash_flow", "Operating cash flow less capital expenditure."),
    _flow("dividends_paid", "Cash dividends; positive is money paid out."),
    _flow("share_repurchases", "Cash spent on own shares; positive is money spent."),
    _flow("stock_based_compensation", "Compensation in shares."),
)
METRIC_OF = {metric.name: metric for metric in METRICS}


def unit_of(name: str, currency: str) -> str:
    """Return what core.fundamentals writes as the unit of a metric reported in `currency`: "USD", "USD/shares", "shares", "pure"."""
    return METRIC_OF[name].unit.replace("currency", currency)
