"""Reports: sections in an explicit order, rendered to one self-contained page.

To add a section: write `sections/x.py` with a `SECTION`, and add it to `SECTIONS` where it shall stand.
"""

from trader_pipeline.reports.section import Section
from trader_pipeline.reports.sections import (
    comparison,
    data_quality,
    decisions,
    forecasts,
    limitations,
    methodology,
    risk,
    scenarios,
    scorecard,
    sensitivity,
    sources,
    summary,
)

SECTIONS: tuple[Section, ...] = (
    summary.SECTION,
    limitations.SECTION,
    forecasts.SECTION,
    decisions.SECTION,
    scenarios.SECTION,
    sensitivity.SECTION,
    risk.SECTION,
    comparison.SECTION,
    scorecard.SECTION,
    methodology.SECTION,
    data_quality.SECTION,
    sources.SECTION,
)
