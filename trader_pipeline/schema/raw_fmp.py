"""Financial Modeling Prep's raw tables: its field names and values, of `/stable/`."""

from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, VENDOR_DATE, VENDOR_TICKER, count, day, number, text
from trader_pipeline.schema.table import Column, Table

_ENTRY = count("entry", "-", "Ours: place among the vendor's rows of that date; two splits or dividends can share one.")
_SPLITS_AFTER = number(
    "splits_after",
    "new / old",
    "Ours: product of the splits after the filing or report, of the same fetch; FMP rescales what is per share, eps x splits_after is as filed.",
    nullable=False,
)

FMP_BARS = Table(
    layer="raw",
    name="fmp_bars",
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="historical-price-eod/non-split-adjusted: prices and volume as traded, though the fields are called adj.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        *(number(name, "vendor", f"FMP's {name}, as traded.") for name in ("adjOpen", "adjHigh", "adjLow", "adjClose", "volume")),
        text("role", "Ours: stock, or benchmark (settings.benchmark when it was fetched)."),
        FETCHED_AT,
        REQUEST,
    ),
)
FMP_SPLITS = Table(
    layer="raw",
    name="fmp_splits",
    key=("ticker", "date", "entry", "fetched_at"),
    description="splits of the days that the bars of the same fetch span.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        _ENTRY,
        number("numerator", "vendor", "FMP's numerator: new shares."),
        number("denominator", "vendor", "FMP's denominator: old shares."),
        text("splitType", "FMP's kind: stock-split, stock-dividend, spin-off.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)
FMP_DIVIDENDS = Table(
    layer="raw",
    name="fmp_dividends",
    key=("ticker", "date", "entry", "fetched_at"),
    description="dividends of the days that the bars of the same fetch span, by ex-date.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        _ENTRY,
        number("dividend", "vendor", "FMP's dividend: cash a share as traded."),
        number("adjDividend", "vendor", "FMP's adjDividend: divided by later splits."),
        number("yield", "vendor", "FMP's yield, percent."),
        text("frequency", "FMP's frequency.", nullable=True),
        *(day(name, f"FMP's {name}.", nullable=True) for name in ("recordDate", "paymentDate", "declarationDate")),
        FETCHED_AT,
        REQUEST,
    ),
)
FMP_NEWS = Table(
    layer="raw",
    name="fmp_news",
    key=("ticker", "url", "fetched_at"),
    description="news/stock: headlines of a ticker.",
    columns=(
        VENDOR_TICKER,
        text("url", "FMP's url."),
        text("publishedDate", "FMP's publishedDate: New York's wall clock, without a zone."),
        text("title", "FMP's title."),
        *(text(name, f"FMP's {name}.", nullable=True) for name in ("symbol", "text", "publisher", "site", "image")),
        FETCHED_AT,
        REQUEST,
    ),
)


def _statement(name: str, path: str, figures: str, *ours: Column) -> Table:
    return Table(
        layer="raw",
        name=name,
        year_of="date",
        key=("ticker", "date", "period", "fetched_at"),
        description=f"{path} by quarter.",
        columns=(
            VENDOR_TICKER,
            day("date", "FMP's date: last day of the period."),
            text("period", "FMP's period: Q1 to Q4, FY."),
            *(text(column, f"FMP's {column}.", nullable=True) for column in ("fiscalYear", "reportedCurrency", "cik")),
            day("filingDate", "FMP's filingDate.", nullable=True),
            text("acceptedDate", "FMP's acceptedDate: New York's wall clock, without a zone.", nullable=True),
            *(number(figure, "vendor", f"FMP's {figure}.") for figure in figures.split()),
            *ours,
            FETCHED_AT,
            REQUEST,
        ),
    )


FMP_INCOME = _statement(
    "fmp_income",
    "income-statement",
    """revenue costOfRevenue grossProfit researchAndDevelopmentExpenses generalAndAdministrativeExpenses sellingAndMarketingExpenses
    sellingGeneralAndAdministrativeExpenses otherExpenses operatingExpenses costAndExpenses netInterestIncome interestIncome
    interestExpense depreciationAndAmortization ebitda ebit operatingIncome totalOtherIncomeExpensesNet incomeBeforeTax
    incomeTaxExpense netIncomeFromContinuingOperations netIncomeFromDiscontinuedOperations netIncome bottomLineNetIncome
    eps epsDiluted weightedAverageShsOut weightedAverageShsOutDil""",
    _SPLITS_AFTER,
)
FMP_BALANCE = _statement(
    "fmp_balance",
    "balance-sheet-statement",
    """cashAndCashEquivalents shortTermInvestments cashAndShortTermInvestments netReceivables inventory totalCurrentAssets
    propertyPlantEquipmentNet goodwill intangibleAssets longTermInvestments totalNonCurrentAssets totalAssets accountPayables
    shortTermDebt deferredRevenue totalCurrentLiabilities longTermDebt totalNonCurrentLiabilities totalLiabilities preferredStock
    commonStock retainedEarnings accumulatedOtherComprehensiveIncomeLoss totalStockholdersEquity totalEquity minorityInterest
    totalInvestments totalDebt netDebt""",
)
FMP_CASH_FLOW = _statement(
    "fmp_cash_flow",
    "cash-flow-statement",
    """netIncome depreciationAndAmortization deferredIncomeTax stockBasedCompensation changeInWorkingCapital
    netCashProvidedByOperatingActivities investmentsInPropertyPlantAndEquipment acquisitionsNet netCashProvidedByInvestingActivities
    netDebtIssuance netStockIssuance commonStockIssuance commonStockRepurchased netDividendsPaid commonDividendsPaid
    preferredDividendsPaid netCashProvidedByFinancingActivities netChangeInCash cashAtEndOfPeriod operatingCashFlow
    capitalExpenditure freeCashFlow""",
)
FMP_EARNINGS = Table(
    layer="raw",
    name="fmp_earnings",
    key=("ticker", "date", "fetched_at"),
    description="earnings: reports past and ahead.",
    columns=(
        VENDOR_TICKER,
        day("date", "FMP's date: day of the report."),
        *(number(name, "vendor", f"FMP's {name}.") for name in ("epsActual", "epsEstimated", "revenueActual", "revenueEstimated")),
        day("lastUpdated", "FMP's lastUpdated.", nullable=True),
        _SPLITS_AFTER,
        FETCHED_AT,
        REQUEST,
    ),
)
FMP_SYMBOL_CHANGES = Table(
    layer="raw",
    name="fmp_symbol_changes",
    key=("oldSymbol", "date", "newSymbol", "fetched_at"),
    description="symbol-change: renames of symbols.",
    columns=(
        text("oldSymbol", "FMP's oldSymbol."),
        day("date", "FMP's date: first day of the new symbol."),
        text("newSymbol", "FMP's newSymbol."),
        text("companyName", "FMP's companyName.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)

TABLES: tuple[Table, ...] = (
    FMP_BARS,
    FMP_SPLITS,
    FMP_DIVIDENDS,
    FMP_NEWS,
    FMP_INCOME,
    FMP_BALANCE,
    FMP_CASH_FLOW,
    FMP_EARNINGS,
    FMP_SYMBOL_CHANGES,
)
