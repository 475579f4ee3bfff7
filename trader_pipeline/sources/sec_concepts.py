"""Which concepts of a filing are which canonical metric. Of several in one filing the first named here counts.

Left out: cash with restricted cash, and equity with minority interests. Statements of cash flows and of equity give them as opening
balances of years that the balance sheet of the filing no longer shows, so each would restate the metric of two years ago.

A concept that is added here comes with new filings; its history with `trader fetch --source sec --restate`.
"""

import re
from dataclasses import dataclass

from trader_pipeline.schema.metrics import METRIC_OF, Unit

_BEFORE_TAX = "IncomeLossFromContinuingOperationsBeforeIncomeTaxes"
_GAAP: dict[str, tuple[str, ...]] = {
    "total_revenue": (
        "Revenues",
        "RevenueFromContractWithCustomerExcludingAssessedTax",
        "RevenueFromContractWithCustomerIncludingAssessedTax",
        "SalesRevenueNet",
        "RevenuesNetOfInterestExpense",
    ),
    "cost_of_revenue": ("CostOfRevenue", "CostOfGoodsAndServicesSold", "CostOfGoodsSold"),
    "gross_profit": ("GrossProfit",),
    "research_and_development": ("ResearchAndDevelopmentExpense",),
    "selling_general_and_administrative": ("SellingGeneralAndAdministrativeExpense",),
    "operating_income": ("OperatingIncomeLoss",),
    "interest_expense": ("InterestExpense", "InterestExpenseNonoperating"),
    "income_before_tax": (
        f"{_BEFORE_TAX}ExtraordinaryItemsNoncontrollingInterest",
        f"{_BEFORE_TAX}MinorityInterestAndIncomeLossFromEquityMethodInvestments",
    ),
    "income_tax": ("IncomeTaxExpenseBenefit",),
    "net_income": ("NetIncomeLoss", "ProfitLoss"),
    "depreciation_and_amortization": (
        "DepreciationDepletionAndAmortization",
        "DepreciationAmortizationAndAccretionNet",
        "DepreciationAndAmortization",
    ),
    "earnings_per_share": ("EarningsPerShareDiluted", "EarningsPerShareBasicAndDiluted"),
    "earnings_per_share_basic": ("EarningsPerShareBasic", "EarningsPerShareBasicAndDiluted"),
    "shares_diluted": ("WeightedAverageNumberOfDilutedSharesOutstanding",),
    "shares_basic": ("WeightedAverageNumberOfSharesOutstandingBasic",),
    "total_assets": ("Assets",),
    "current_assets": ("AssetsCurrent",),
    "cash_and_equivalents": ("CashAndCashEquivalentsAtCarryingValue",),
    "inventory": ("InventoryNet",),
    "receivables": ("AccountsReceivableNetCurrent", "ReceivablesNetCurrent"),
    "goodwill": ("Goodwill",),
    "total_liabilities": ("Liabilities",),
    "current_liabilities": ("LiabilitiesCurrent",),
    "long_term_debt": ("LongTermDebtNoncurrent", "LongTermDebtAndCapitalLeaseObligations", "LongTermDebt"),
    "total_debt": ("DebtLongtermAndShorttermCombinedAmount",),
    "shareholders_equity": ("StockholdersEquity",),
    "retained_earnings": ("RetainedEarningsAccumulatedDeficit",),
    "shares_outstanding": ("CommonStockSharesOutstanding",),
    "operating_cash_flow": (
        "NetCashProvidedByUsedInOperatingActivities",
        "NetCashProvidedByUsedInOperatingActivitiesContinuingOperations",
    ),
    "investing_cash_flow": ("NetCashProvidedByUsedInInvestingActivities",),
    "financing_cash_flow": ("NetCashProvidedByUsedInFinancingActivities",),
    "capital_expenditure": ("PaymentsToAcquirePropertyPlantAndEquipment", "PaymentsToAcquireProductiveAssets"),
    "dividends_paid": ("PaymentsOfDividendsCommonStock", "PaymentsOfDividends"),
    "share_repurchases": ("PaymentsForRepurchaseOfCommonStock",),
    "stock_based_compensation": ("ShareBasedCompensation",),
}
_DEI = {"shares_outstanding": ("EntityCommonStockSharesOutstanding",)}

_UNITS: dict[Unit, re.Pattern[str]] = {
    "currency": re.compile(r"[A-Z]{3}"),
    "currency/shares": re.compile(r"[A-Z]{3}/shares"),
    "shares": re.compile(r"shares"),
    "pure": re.compile(r"pure"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One concept of a taxonomy. Of two concepts of a metric in one filing the lower `place` counts."""

    taxonomy: str
    name: str
    metric: str
    place: int

    def takes(self, unit: str) -> bool:
        """Say whether a figure in this unit can be the metric: no earnings per share in dollars."""
        return bool(_UNITS[METRIC_OF[self.metric].unit].fullmatch(unit))

    @property
    def balance(self) -> bool:
        """Whether it is the figure of a day."""
        return METRIC_OF[self.metric].balance


CONCEPTS: tuple[Concept, ...] = tuple(
    Concept(taxonomy=taxonomy, name=name, metric=metric, place=place)
    for taxonomy, metrics in (("us-gaap", _GAAP), ("dei", _DEI))
    for metric, names in metrics.items()
    for place, name in enumerate(names)
)
