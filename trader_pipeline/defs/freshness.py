"""When an asset should have been written at the latest, for the UI. Whether its *data* is stale is `flows/freshness.py`."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from trader_pipeline.settings import Settings
from trader_pipeline.sources import feeds_of

WINDOW = dt.timedelta(days=4, hours=12)
"""Between two sessions lie four days at most (a Friday, or the eve of a feast, and the Tuesday after), and a run may take hours.

A cron deadline would call every asset late on a weekday on which the exchange is closed.
"""


BY_HAND = "training"
"""The group of what is made when somebody wants a model: nothing says when it should have been."""


def with_policy(assets: Sequence[dg.AssetsDefinition], settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the assets; those that a run after every session writes have the policy, which only a dataset that grows can keep."""
    if settings.dataset != "live":
        return list(assets)
    policy = dg.FreshnessPolicy.time_window(fail_window=WINDOW)
    fetched = {dg.AssetKey(list(table.path)) for feed in feeds_of(settings) for table in feed.raw_tables}

    def kept(spec: dg.AssetSpec) -> dg.AssetSpec:
        written = spec.key in fetched if spec.group_name == "raw" else spec.group_name != BY_HAND
        return spec.replace_attributes(freshness_policy=policy) if written else spec

    return [asset.map_asset_specs(kept) for asset in assets]
