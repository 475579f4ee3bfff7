"""A run that went on although data blocks it says so: in a tag, which the job `purge` respects, and in what it made."""

from collections.abc import Iterable

import dagster as dg

FORCED_TAG = "trader/forced"


def record(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, blocks: Iterable[str]) -> dict[str, str]:
    """Tag the run with the tables and rules of what was overridden ("table: rule: fact"); return the metadata of what was made."""
    overridden = list(blocks)
    if not overridden:
        return {}
    run = context.instance.get_run_by_id(context.run.run_id)
    before = run.tags.get(FORCED_TAG, "") if run else ""
    names = dict.fromkeys([*filter(None, before.split(", ")), *(" ".join(text.split(": ")[:2]) for text in overridden)])
    context.instance.add_run_tags(context.run.run_id, {FORCED_TAG: ", ".join(names)})
    text = "; ".join(overridden)
    context.log.warning("forced in spite of %s", text)
    return {"forced": text}
