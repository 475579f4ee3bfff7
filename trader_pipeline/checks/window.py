"""What is judged again where little changed: the newest sessions, and the whole of every ticker of which more is to be said."""

import datetime as dt
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Rows from `seen_from` on are seen; of `whole` tickers all rows are. `old_changed`: rows before that changed, or actions did."""

    seen_from: dt.date
    whole: frozenset[str]
    old_changed: bool

    def with_whole(self, tickers: frozenset[str]) -> "Window":
        """Return it with more tickers that are judged whole."""
        return replace(self, whole=self.whole | tickers)
