"""From when a filing may be used: strictly after the day on which it was filed, and never before it was accepted."""

import datetime as dt
from zoneinfo import ZoneInfo

from trader_pipeline import calendar

NEW_YORK = ZoneInfo("America/New_York")


def usable_at(accepted: dt.datetime | None, filed: dt.date, exchange: str) -> dt.datetime:
    """Return the later of the acceptance and the midnight of New York that ends the day of filing.

    Without an acceptance: the close + 30 minutes of the exchange's next session.
    """
    if accepted is None:
        return calendar.known_at(exchange, calendar.offset(exchange, filed, 1))
    return max(accepted, dt.datetime.combine(filed + dt.timedelta(days=1), dt.time(), NEW_YORK).astimezone(dt.UTC))
