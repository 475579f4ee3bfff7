"""What the address of the predictions page asks for, as text, and what it means."""

import datetime as dt

from pydantic import BaseModel, Field

from trader_pipeline.dashboard.queries import SORTABLE, Selection
from trader_pipeline.errors import UsageError
from trader_pipeline.schema.columns import HORIZONS_SESSIONS


class Asked(BaseModel):
    """The query string. Empty text is "not asked", as a form sends it."""

    session: str = ""
    horizon: str = ""
    q: str = ""
    sector: str = ""
    sort: str = "rank"
    direction: str = Field("asc", alias="dir")

    def selection(self, session: dt.date, *, horizon: int | None = None) -> Selection:
        """Return the selection; `horizon` where none is asked for, `all` is every one. Raises `UsageError`."""
        if self.horizon not in ("", "all", *map(str, HORIZONS_SESSIONS)):
            raise UsageError(f"horizon={self.horizon!r} is none of {', '.join(map(str, HORIZONS_SESSIONS))} sessions, or all")
        if self.sort not in SORTABLE or self.direction not in ("asc", "desc"):
            raise UsageError(f"sort={self.sort!r} dir={self.direction!r}: sort by one of {', '.join(SORTABLE)}, asc or desc")
        return Selection(
            session=session,
            horizon={"": horizon, "all": None}.get(self.horizon, int(self.horizon) if self.horizon.isdigit() else None),
            text=self.q.strip() or None,
            sector=self.sector or None,
            sort=self.sort,
            descending=self.direction == "desc",
        )
