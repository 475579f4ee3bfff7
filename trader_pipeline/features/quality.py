"""How well a company earns and how it finances that: ratios within the newest statement known, so no price is in them.

Timing and age as in features/statements.py: null 400 days after the newest period came out, four years of periods at most. The
look-back counts sessions of bars, of which there are none here.
"""

from collections.abc import Callable

import numpy as np

from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.known import Figures
from trader_pipeline.features.market import Float, Market
from trader_pipeline.schema.core import CORPORATE_ACTIONS, FUNDAMENTALS

_INPUTS = (FUNDAMENTALS,)


def of_statement(market: Market, formula: Callable[[Figures], Float]) -> Float:
    """Return a formula of the statement's figures on the grid, [N, T]; NaN where no statement is known."""
    return market.statements.at_sessions(formula(market.statements.figures))


@feature(unit="fraction / year", inputs=_INPUTS, lookback_sessions=0, formula="net income of twelve months / shareholders' equity")
def return_on_equity(market: Market) -> Float:
    """Earnings on the owners' money; null where equity is not positive. Haugen & Baker 1996."""
    return of_statement(market, lambda f: ratio(f["net_income_year"], f["shareholders_equity"]))


@feature(
    unit="fraction / year",
    inputs=_INPUTS,
    lookback_sessions=0,
    formula="gross profit of twelve months (as filed, else revenue - cost of revenue) / total assets",
)
def gross_profitability(market: Market) -> Float:
    """Earnings of the assets before overheads. Novy-Marx 2013."""
    return market.gross_profitability


@feature(
    unit="fraction / year", inputs=_INPUTS, lookback_sessions=0, formula="operating income of twelve months / revenue of twelve months"
)
def operating_margin(market: Market) -> Float:
    """Share of sales that is left after operating costs. Soliman 2008."""
    return of_statement(market, lambda f: ratio(f["operating_income_year"], f["total_revenue_year"]))


@feature(unit="fraction", inputs=_INPUTS, lookback_sessions=0, formula="total liabilities / total assets; assets - equity where not told")
def leverage(market: Market) -> Float:
    """Share of the assets that others financed. Bhandari 1988."""

    def formula(f: Figures) -> Float:
        owed = np.where(np.isfinite(f["total_liabilities"]), f["total_liabilities"], f["total_assets"] - f["shareholders_equity"])
        return ratio(owed, f["total_assets"])

    return of_statement(market, formula)


@feature(unit="ratio", inputs=_INPUTS, lookback_sessions=0, formula="current assets / current liabilities")
def current_ratio(market: Market) -> Float:
    """How well the bills of a year are covered. Ou & Penman 1989."""
    return of_statement(market, lambda f: ratio(f["current_assets"], f["current_liabilities"]))


@feature(
    unit="fraction / year",
    inputs=_INPUTS,
    lookback_sessions=0,
    formula="(net income - operating cash flow) of twelve months / mean of total assets now and a year before",
)
def accruals(market: Market) -> Float:
    """Earnings that no cash stands behind. Sloan 1996, from the cash flow statement: Hribar & Collins 2002."""

    def formula(f: Figures) -> Float:
        return ratio(f["net_income_year"] - f["operating_cash_flow_year"], (f["total_assets"] + f["total_assets_before"]) / 2)

    return of_statement(market, formula)


@feature(unit="fraction / year", inputs=_INPUTS, lookback_sessions=0, formula="total assets / total assets a year before - 1")
def asset_growth(market: Market) -> Float:
    """Growth of the balance sheet. Cooper, Gulen & Schill 2008."""
    return of_statement(market, lambda f: ratio(f["total_assets"], f["total_assets_before"]) - 1)


@feature(
    unit="log / year",
    inputs=(FUNDAMENTALS, CORPORATE_ACTIONS),
    lookback_sessions=0,
    formula="log(shares outstanding / shares outstanding a year before, brought over the splits between)",
)
def share_issuance(market: Market) -> Float:
    """Growth of the share count; negative is buying back. Pontiff & Woodgate 2008."""
    return of_statement(market, lambda f: np.log(ratio(f["shares"], f["shares_before"])))


@feature(unit="days", inputs=_INPUTS, lookback_sessions=0, formula="session - day on which the newest period was first known")
def days_since_statement(market: Market) -> Float:
    """Age of the newest statement, 400 days at most."""
    return market.statements.age(market.statements.figures["fresh_day"])


FEATURES = (
    return_on_equity,
    gross_profitability,
    operating_margin,
    leverage,
    current_ratio,
    accruals,
    asset_growth,
    share_issuance,
    days_since_statement,
)
