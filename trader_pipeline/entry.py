"""At which price a prediction enters: the next open, or, in a market without opens, the close that it was made after."""

from trader_pipeline.snapshot import Snapshot

OPEN, CLOSE = "open", "close"
"""Column `entry` of predictions.paper_log."""

_HAS_OPENS = (
    "select exists (select 1 from core.accepted_bars b where open is not null "
    "and not exists (select 1 from core.ticker_map m where m.ticker = b.ticker and m.role = 'benchmark')) as has_opens"
)


def entry_of(snapshot: Snapshot) -> str:
    """Return OPEN: the open of t + 1; or CLOSE: the close of t, where no stock has any open, as with labels (`Prices.entry`).

    That close is known only half an hour after it: nobody could have entered there.
    """
    return OPEN if snapshot.sql(_HAS_OPENS)["has_opens"][0].as_py() else CLOSE
