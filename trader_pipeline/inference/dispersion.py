"""Whether a day's forecasts tell the tickers apart, and if not, why."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.models.member import Member
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

NEAR_ZERO = 0.01
"""Share of a member's usual spread under which it tells no ticker apart."""
_SAME = 1e-6
Spreads = Mapping[tuple[str, int], float]
"""By member and horizon: the standard deviation of its scores across tickers, in the median session of its most quiet fold."""


def flat_horizons(forecasts: pa.Table, usual: Spreads) -> list[int]:
    """Return the horizons at which no member tells the tickers apart: every one's spread is near zero beside what is `usual`.

    One ticker alone has no order and is never flat.
    """
    flat = []
    for horizon in HORIZONS_SESSIONS:
        rows = forecasts.filter(pc.equal(forecasts["horizon_sessions"], horizon))
        spreads = rows.group_by("model").aggregate([("score", "stddev"), ("score", "count")]).to_pylist()
        told = [row for row in spreads if row["score_count"] > 1]
        if told and all(row["score_stddev"] <= max(_SAME, NEAR_ZERO * usual.get((row["model"], horizon), 0.0)) for row in told):
            flat.append(horizon)
    return flat


def flat_cause(flat: Sequence[int], usual: Spreads, members: Sequence[Member], today: pa.Table) -> str:
    """Return the likely cause. `today` are the session's rows of features.panel, the columns that members read at least."""
    names = sorted({name for member in members for name in member.features})
    constant = [name for name in names if not _varies(today[name].to_numpy(zero_copy_only=False))]
    if len(constant) > len(names) / 2:
        shown = ", ".join(constant[:3])
        said = f"{len(constant)} of {len(names)} features are constant across tickers that session"
        return f"{said} ({shown}, ...); look at features.panel of it"
    if all(usual.get((member.name, horizon), 0.0) <= _SAME for member in members for horizon in flat):
        return "out of fold the members told no ticker apart either: training collapsed or found nothing; train with another seed or recipe"
    return "features differ and out of fold the members told tickers apart: the trained weights collapsed in the final fit; train again"


def _varies(values: npt.NDArray[np.float64]) -> bool:
    known = values.astype(np.float64)
    known = known[np.isfinite(known)]
    return len(known) > 1 and float(np.ptp(known)) > _SAME * max(1.0, float(np.abs(known).max()))
