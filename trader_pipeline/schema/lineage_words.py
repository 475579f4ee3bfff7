"""What several lineages say alike."""

from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.lineage import Reads
from trader_pipeline.schema.quantiles import QUANTILE_NAMES, SCALE_COLUMNS

RUN = "stamp of the run"
CHOSEN = "chosen for the run: settings and recipe"
HORIZON = "one row a horizon: 1, 5, 20 and 60 sessions"


def of_horizons(stem: str) -> str:
    """Return a label's columns of all horizons."""
    return ", ".join(f"{stem}_{horizon}d" for horizon in HORIZONS_SESSIONS)


FORWARD, SCALED, RANK = of_horizons("forward_return"), of_horizons("scaled_return"), of_horizons("residual_rank")
SCALED_QUANTILES = ", ".join(f"scaled_{name}" for name in QUANTILE_NAMES)
INTERVAL = f"interval_miss, interval_scale, {', '.join(SCALE_COLUMNS)}"
MOMENTUM = "momentum_12_1, trend_200d, price_to_52_week_high"
JUDGED: Reads = {
    "training.runs": {"model_id": "model_id", "known_at": "as_of"},
}
