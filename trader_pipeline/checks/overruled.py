"""What a rule says of rows that a person let through: a warning that names the decision."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.overrides import Override, let_through
from trader_pipeline.checks.rule import EVERY, Finding
from trader_pipeline.schema.columns import DATE


def overruled(finding: Finding, quarantine: pa.Table, accepted: Sequence[Override]) -> Finding:
    """Return the finding as a warning that says until when and why, where `accepted` covers every row that it is about.

    Those are the rows of its ticker, source and days in `quarantine`, which is what the rule keeps out; where these days have none, all
    rows of the ticker and source (a step keeps out the rows before it); where there are none at all, its first and last day.
    """
    left = _rows(finding, quarantine)
    used = []
    for override in accepted if finding.ticker != EVERY else ():
        rest = let_through(left, [override])
        if rest.num_rows < left.num_rows:
            used.append(f"let through until {override.expires} ({override.reason})")
        left = rest
    return finding if left.num_rows else replace(finding, severity="warning", message="; ".join([finding.message, *used]))


def _rows(finding: Finding, quarantine: pa.Table) -> pa.Table:
    own = quarantine.filter(pc.and_(pc.equal(quarantine["ticker"], finding.ticker), pc.equal(quarantine["source"], finding.source)))
    first, last = pa.scalar(finding.first_session, DATE), pa.scalar(finding.last_session, DATE)
    near = own.filter(pc.and_(pc.greater_equal(own["session"], first), pc.less_equal(own["session"], last)))
    if own.num_rows:
        return near if near.num_rows else own
    days = pa.array([finding.first_session, finding.last_session], DATE)
    return pa.table({"ticker": pa.repeat(finding.ticker, 2), "session": days, "source": pa.repeat(finding.source, 2)})
