"""SEC EDGAR's raw tables."""

from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, VENDOR_TICKER, count, day, number, text
from trader_pipeline.schema.table import Table

_CIK = count("cik", "-", "The SEC's number of the company.")

SEC_FACTS = Table(
    layer="raw",
    name="sec_facts",
    year_of="end",
    key=("ticker", "taxonomy", "concept", "unit", "period", "end", "accn", "fetched_at"),
    description="Figures as filed (companyfacts), of the concepts that sources/sec_concepts.py maps; comparatives of later filings too.",
    columns=(
        VENDOR_TICKER,
        _CIK,
        text("taxonomy", "us-gaap or dei."),
        text("concept", "Name of the figure in the taxonomy."),
        text("unit", "USD, USD/shares, shares, ..."),
        text("period", "Ours: start/end, or the day of a balance."),
        day("start", "First day of the period; null for a balance.", nullable=True),
        day("end", "Last day of the period, or the day of a balance."),
        number("val", "unit", "Value."),
        text("accn", "Accession number of the filing."),
        count("fy", "year", "Fiscal year of the filing, not of the figure.", nullable=True),
        text("fp", "Fiscal period of the filing: FY, Q1, ...", nullable=True),
        text("form", "10-K, 10-Q, ...", nullable=True),
        day("filed", "Day of filing."),
        text(
            "acceptanceDateTime",
            "Of the filing, as submissions has it when the figure is fetched; null where it lists it no more.",
            nullable=True,
        ),
        text("frame", "Calendar frame; set on the newest filing of a figure only, which is hindsight: never used.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)
SEC_FILINGS = Table(
    layer="raw",
    name="sec_filings",
    year_of="filingDate",
    key=("ticker", "accessionNumber", "filingDate", "fetched_at"),
    description="The company's periodic and current reports (submissions, the newest thousand filings or year).",
    columns=(
        VENDOR_TICKER,
        _CIK,
        text("accessionNumber", "Accession number."),
        text("form", "10-K, 10-Q, 8-K, 20-F, 40-F, and their amendments."),
        day("filingDate", "Day of filing."),
        day("reportDate", "Last day of the period that it is about.", nullable=True),
        text("acceptanceDateTime", "As the SEC writes it: with a Z, yet for some companies it is the clock of New York.", nullable=True),
        text("primaryDocument", "File name of the document.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)

TABLES: tuple[Table, ...] = (SEC_FACTS, SEC_FILINGS)
