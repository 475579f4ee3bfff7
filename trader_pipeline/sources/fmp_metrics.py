"""Which of FMP's figures is which canonical metric, and what turns it into the metric's sign and shares."""

from dataclasses import dataclass

from trader_pipeline.schema import Table
from trader_pipeline.schema.raw_fmp import FMP_BALANCE, FMP_CASH_FLOW, FMP_INCOME


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`sql` is the metric's value from a row of the raw table."""

    metric: str
    sql: str


def _same(**metrics: str) -> dict[str, Figure]:
    return {name: Figure(metric=metric, sql=f'"{name}"') for name, metric in metrics.items()}


def _spent(**metrics: str) -> dict[str, Figure]:
    """FMP counts cash that goes out as negative."""
    return {name: Figure(metric=metric, sql=f'-"{name}"') for name, metric in metrics.items()}


def _per_share(**metrics: str) -> dict[str, Figure]:
    return {name: Figure(metric=metric, sql=f'"{name}" * splits_after') for name, metric in metrics.items()}


def _shares(**metrics: str) -> dict[str, Figure]:
    """FMP's 0 shares are no figure."""
    return {name: Figure(metric=metric, sql=f'nullif("{name}", 0) / splits_after') for name, metric in metrics.items()}


FIGURES: dict[Table, dict[str, Figure]] = {
    FMP_INCOME: {
        **_same(
            revenue="total_revenue",
            costOfRevenue="cost_of_revenue",
            grossProfit="gross_profit",
            researchAndDevelopmentExpenses="research_and_development",
            sellingGeneralAndAdministrativeExpenses="selling_general_and_administrative",
            operatingIncome="operating_income",
            interestExpense="interest_expense",
            incomeBeforeTax="income_before_tax",
            incomeTaxExpense="income_tax",
            netIncome="net_income",
            depreciationAndAmortization="depreciation_and_amortization",
        ),
        **_per_share(epsDiluted="earnings_per_share", eps="earnings_per_share_basic"),
        **_shares(weightedAverageShsOutDil="shares_diluted", weightedAverageShsOut="shares_basic"),
    },
    FMP_BALANCE: _same(
        totalAssets="total_assets",
        totalCurrentAssets="current_assets",
        cashAndCashEquivalents="cash_and_equivalents",
        inventory="inventory",
        netReceivables="receivables",
        goodwill="goodwill",
        totalLiabilities="total_liabilities",
        totalCurrentLiabilities="current_liabilities",
        longTermDebt="long_term_debt",
        totalDebt="total_debt",
        totalStockholdersEquity="shareholders_equity",
        retainedEarnings="retained_earnings",
    ),
    FMP_CASH_FLOW: {
        **_same(
            operatingCashFlow="operating_cash_flow",
            netCashProvidedByInvestingActivities="investing_cash_flow",
            netCashProvidedByFinancingActivities="financing_cash_flow",
            freeCashFlow="free_cash_flow",
            stockBasedCompensation="stock_based_compensation",
        ),
        **_spent(capitalExpenditure="capital_expenditure", netDividendsPaid="dividends_paid", commonStockRepurchased="share_repurchases"),
    },
}
