"""How fast a company grows, and how far that was from what was expected.

Statements as in features/statements.py, null 400 days after the newest period came out; reports as in features/earnings_reports.py,
null 130 days after the report. The look-back counts sessions of bars.
"""

from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market
from trader_pipeline.features.quality import of_statement
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, EARNINGS, FUNDAMENTALS

_STATEMENTS = (FUNDAMENTALS,)
_REPORTS = (EARNINGS, ACCEPTED_BARS, CORPORATE_ACTIONS)


@feature(
    unit="fraction / year", inputs=_STATEMENTS, lookback_sessions=0, formula="revenue of the quarter / of the quarter a year before - 1"
)
def revenue_growth_quarter(market: Market) -> Float:
    """Growth of the newest quarter's revenue over a year. Jegadeesh & Livnat 2006."""
    return of_statement(market, lambda f: ratio(f["total_revenue_quarter"], f["total_revenue_quarter_before"]) - 1)


@feature(
    unit="fraction / year", inputs=_STATEMENTS, lookback_sessions=0, formula="revenue of twelve months / of the twelve months before - 1"
)
def revenue_growth_year(market: Market) -> Float:
    """Growth of revenue of twelve months. Lakonishok, Shleifer & Vishny 1994."""
    return of_statement(market, lambda f: ratio(f["total_revenue_year"], f["total_revenue_year_before"]) - 1)


@feature(
    unit="fraction",
    inputs=_STATEMENTS,
    lookback_sessions=0,
    formula="(net income of the quarter - of the quarter a year before) / total assets a year before",
)
def earnings_growth_quarter(market: Market) -> Float:
    """Change of the newest quarter's earnings over a year, by assets, since earnings may be negative. Balakrishnan et al. 2010."""
    return of_statement(market, lambda f: ratio(f["net_income_quarter"] - f["net_income_quarter_before"], f["total_assets_before"]))


@feature(
    unit="fraction / year",
    inputs=_STATEMENTS,
    lookback_sessions=0,
    formula="(net income of twelve months - of the twelve months before) / total assets a year before",
)
def earnings_growth_year(market: Market) -> Float:
    """Change of earnings of twelve months, by assets."""
    return of_statement(market, lambda f: ratio(f["net_income_year"] - f["net_income_year_before"], f["total_assets_before"]))


@feature(
    unit="sigmas",
    inputs=(FUNDAMENTALS, CORPORATE_ACTIONS),
    lookback_sessions=0,
    formula="(EPS of the quarter - of the quarter a year before) / standard deviation of that over the 8 quarters before (6 at least)",
)
def standardized_unexpected_earnings(market: Market) -> Float:
    """Earnings beyond a seasonal random walk, diluted, split-adjusted. Bernard & Thomas 1989; Foster, Olsen & Shevlin 1984."""
    return of_statement(market, lambda f: f["surprise"])


@feature(unit="fraction", inputs=_REPORTS, lookback_sessions=0, formula="(EPS reported - expected, in today's shares) / close_t")
def earnings_surprise(market: Market) -> Float:
    """Earnings beyond the analysts' estimate, of listings in USD. Livnat & Mendenhall 2006."""
    figures = market.reports.figures
    surprise = market.reports.at_sessions(figures["eps_actual"] - figures["eps_estimate"])
    return ratio(surprise, market.prices.close_usd * market.reports.share_growth)


@feature(unit="days", inputs=(EARNINGS,), lookback_sessions=0, formula="session - day of the newest report known")
def days_since_report(market: Market) -> Float:
    """Age of the newest earnings report, 130 days at most."""
    return market.reports.age(market.reports.figures["report_day"])


FEATURES = (
    revenue_growth_quarter,
    revenue_growth_year,
    earnings_growth_quarter,
    earnings_growth_year,
    standardized_unexpected_earnings,
    earnings_surprise,
    days_since_report,
)
