"""Values that are not there."""

from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import EVERY, Finding, Rule, RuleResult, Severity, counted
from trader_pipeline.schema.core import DAILY_BARS

PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume_shares")
CLOSE_ONLY = frozenset({"sample"})
"""Sources that may bring closes alone: of theirs, a column without a single value is not brought, rather than lost."""

_RATIOS = ", ".join(f"count(*) filter ({c} is null) / count(*) as {c}" for c in COLUMNS)
_ANY = " or ".join(f"{c} is null" for c in COLUMNS)
_BY_TICKER = f"""
select ticker, source, count(*) as rows, count(*) filter (close is null) as null_closes, count(*) filter ({_ANY}) as null_rows,
  min(session) filter ({_ANY}) as first_session, max(session) filter ({_ANY}) as last_session, {_RATIOS}
from bars group by all having count(*) filter ({_ANY}) > 0 order by all
"""  # noqa: S608 - column names of core.daily_bars
_OVERALL = f"select count(*) as rows, min(session) as first_session, max(session) as last_session, {_RATIOS} from bars"  # noqa: S608 - the same
_SOURCES = "select distinct source from bars"
_QUARANTINE = """
with holed as (
  select ticker, source from bars group by all having greatest({ratios}) > ?
)
select distinct bars.ticker, bars.session, bars.source,
  case when holed.ticker is null then 'close is null' else 'too many null prices' end as reason
from bars left join holed using (ticker, source)
where holed.ticker is not null or bars.close is null
"""


def nan_ratio(context: CheckContext) -> RuleResult:
    """Judge the share of null values of every column, for each ticker and for the table.

    A day without a close is quarantined. A price column that is null in over `nan_error` of a ticker's rows quarantines
    the ticker. Volume only earns a finding: its prices remain usable. What a source of closes alone never brings is told once.
    """
    if context.is_empty:
        return RuleResult()
    overall = context.rows(_OVERALL)[0]
    absent = _not_brought(context, overall)
    present = [row | dict.fromkeys(absent, 0.0) for row in context.rows(_BY_TICKER)]
    findings = [f for f in (_of_ticker(context, row) for row in present) if f]
    if whole := _of_table(context, overall | dict.fromkeys(absent, 0.0)):
        findings.append(whole)
    if absent:
        findings.append(_close_only(overall, absent))
    ratios = ", ".join(f"count(*) filter ({c} is null) / count(*)" for c in PRICES if c not in absent)
    return RuleResult(
        findings=tuple(findings),
        quarantine=context.table(_QUARANTINE.format(ratios=ratios), [context.settings.nan_error]),
        metrics={f"null_ratio_{column}": overall[column] for column in COLUMNS},
    )


def _not_brought(context: CheckContext, overall: dict[str, Any]) -> list[str]:
    """Return the columns that no row has, where all rows come from sources of which that is no fault."""
    if not {row["source"] for row in context.rows(_SOURCES)} <= CLOSE_ONLY:
        return []
    return [column for column in COLUMNS if column != "close" and overall[column] == 1]


def _close_only(overall: dict[str, Any], absent: list[str]) -> Finding:
    return Finding(
        ticker=EVERY,
        source=EVERY,
        severity="warning",
        scope="table",
        first_session=overall["first_session"],
        last_session=overall["last_session"],
        sessions=overall["rows"],
        value=1.0,
        message=f"the source brings no {', '.join(absent)}: features of these are null, and labels run from close to close",
    )


def _severity(context: CheckContext, ratio: float) -> Severity | None:
    if ratio > context.settings.nan_error:
        return "error"
    return "warning" if ratio > context.settings.nan_warning else None


def _shares(context: CheckContext, row: dict[str, Any]) -> str:
    lacking = [c for c in COLUMNS if row[c] > context.settings.nan_warning] or [c for c in COLUMNS if row[c] > 0]
    return ", ".join(f"{c} {row[c]:.1%}" for c in lacking)


def _of_ticker(context: CheckContext, row: dict[str, Any]) -> Finding | None:
    worst = max(row[c] for c in COLUMNS)
    severity = _severity(context, worst) or ("warning" if row["null_closes"] else None)
    if severity is None:
        return None
    if max(row[c] for c in PRICES) > context.settings.nan_error:
        mend = "quarantined: fetch the ticker again or drop it"
    elif row["null_closes"]:
        mend = f"{counted(row['null_closes'], 'day')} without a close quarantined: fetch again"
    else:
        mend = "prices are used, features of these columns are null: fetch them again"
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity=severity,
        scope="ticker",
        first_session=row["first_session"],
        last_session=row["last_session"],
        sessions=row["null_rows"],
        value=worst,
        message=f"{row['ticker']}: null in {row['null_rows']} of {row['rows']} rows ({_shares(context, row)}); {mend}",
    )


def _of_table(context: CheckContext, row: dict[str, Any]) -> Finding | None:
    worst = max(row[c] for c in COLUMNS)
    severity = _severity(context, worst)
    if severity is None:
        return None
    return Finding(
        ticker=EVERY,
        source=EVERY,
        severity=severity,
        scope="table",
        first_session=row["first_session"],
        last_session=row["last_session"],
        sessions=round(worst * row["rows"]),
        value=worst,
        message=f"null values in all of {DAILY_BARS.full_name}: {_shares(context, row)}; see the tickers, or map the column of the source",
    )


RULES = (
    Rule(
        name="nan_ratio",
        table=DAILY_BARS,
        severity="error",
        scope="ticker",
        blocking=False,
        description="Share of null values by column: over 1 % warns, over 5 % of a price column quarantines the ticker.",
        run=nan_ratio,
        whole=True,
    ),
)
