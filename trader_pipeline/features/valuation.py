"""What is paid for what a company has and earns, at today's price. Null where a statement is not in USD, since nothing is converted.

Figures are of the newest statement known at the close + 30 minutes (features/statements.py), null 400 days after it came out;
market value is today's close times the shares of the newest filing, brought over the splits since. The look-back counts sessions
of bars: statements are read as known, four years of periods at most.
"""

import numpy as np

from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, FUNDAMENTALS

_INPUTS = (FUNDAMENTALS, ACCEPTED_BARS, CORPORATE_ACTIONS)
_MILLION = 1e6


def _of_value(market: Market, figure_E: Float) -> Float:
    return ratio(market.statements.at_sessions(figure_E), market.market_value)


@feature(unit="log million USD", inputs=_INPUTS, lookback_sessions=0, formula="log(shares outstanding * close / 1e6)")
def log_market_value(market: Market) -> Float:
    """Size of the company. Banz 1981."""
    value = market.market_value
    return np.log(np.where(value > 0, value, np.nan) / _MILLION)


@feature(unit="fraction / year", inputs=_INPUTS, lookback_sessions=0, formula="net income of twelve months / market value")
def earnings_yield(market: Market) -> Float:
    """Earnings of twelve months a dollar paid. Basu 1977."""
    return _of_value(market, market.statements.figures["net_income_year"])


@feature(unit="ratio", inputs=_INPUTS, lookback_sessions=0, formula="shareholders' equity / market value, null where equity <= 0")
def book_to_market(market: Market) -> Float:
    """Book value a dollar paid. Rosenberg, Reid & Lanstein 1985; Fama & French 1992."""
    return market.book_to_market


@feature(unit="ratio", inputs=_INPUTS, lookback_sessions=0, formula="revenue of twelve months / market value")
def sales_to_price(market: Market) -> Float:
    """Sales of twelve months a dollar paid. Barbee, Mukherji & Raines 1996."""
    return _of_value(market, market.statements.figures["total_revenue_year"])


@feature(
    unit="fraction / year",
    inputs=_INPUTS,
    lookback_sessions=0,
    formula="(operating cash flow - capital expenditure) of twelve months / market value",
)
def free_cash_flow_yield(market: Market) -> Float:
    """Cash left after investment a dollar paid. Lakonishok, Shleifer & Vishny 1994."""
    figures = market.statements.figures
    return _of_value(market, figures["operating_cash_flow_year"] - figures["capital_expenditure_year"])


@feature(
    unit="fraction / year",
    inputs=_INPUTS,
    lookback_sessions=0,
    formula="(operating income + depreciation and amortization) of twelve months / (market value + debt - cash), null where that is <= 0",
)
def ebitda_to_enterprise_value(market: Market) -> Float:
    """EBITDA a dollar of the whole company; debt is the total, else the long-term. Loughran & Wellman 2011."""
    figures = market.statements.figures
    debt_E = np.where(np.isfinite(figures["total_debt"]), figures["total_debt"], figures["long_term_debt"])
    net_debt = market.statements.at_sessions(debt_E - figures["cash_and_equivalents"])
    earned = market.statements.at_sessions(figures["operating_income_year"] + figures["depreciation_and_amortization_year"])
    return ratio(earned, market.market_value + net_debt)


FEATURES = (log_market_value, earnings_yield, book_to_market, sales_to_price, free_cash_flow_yield, ebitda_to_enterprise_value)
