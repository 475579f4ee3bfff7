"""Prices that stand still while shares trade, and sessions without a trade in what usually trades."""

from dataclasses import replace
from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, counted, listing, of_days
from trader_pipeline.checks.steps import add_steps
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

EQUAL_CLOSES = 5
"""So many equal closes in a row, shares trading, are stuck."""

HABIT = 0.1
"""What a ticker does on a larger share of its other sessions is its habit: a small company closes where it closed, or does not trade."""

FLAT_HABIT = 0.02
"""The same for bars of a single price: seldom enough, they are odd."""

LEAST_ROWS = 20
"""Fewer rows without volume may be a listing that nobody traded yet."""

_STUCK = """
create or replace temp table stuck as
with still as (
  select ticker, source, place, place - row_number() over (partition by ticker, source order by place) as island
  from steps where log_return = 0
), long as (
  select ticker, source, min(place) - 1 as first_place, max(place) as last_place, count(*) as n
  from still group by ticker, source, island having count(*) + 1 >= $equal_closes
), habits as (
  select ticker, source, count(*) as rows, count(*) filter (log_return = 0) as still
  from steps semi join long using (ticker, source) group by all
), inside as (
  select l.*, s.session, s.place, s.flat, s.volume_shares > 0 as trades, (b.open, b.high, b.low) as bar
  from long l
  join steps s on s.ticker = l.ticker and s.source = l.source and s.place between l.first_place and l.last_place
  join bars b on b.ticker = s.ticker and b.source = s.source and b.session = s.session
), judged as (
  select *, count(*) filter (trades) over w as traded, count(distinct bar) over w as bars,
    count(*) filter (not flat and place > first_place) over w as moving
  from inside window w as (partition by ticker, source, first_place)
)
select ticker, source, session, (bars = 1 or moving = 0) and still - n <= $habit * rows as frozen
from judged join habits using (ticker, source)
where traded >= $equal_closes and place > first_place and trades
"""
_FLAT = """
create or replace temp table flat_days as
with habits as (
  select ticker, source, count(*) filter (flat) as flats, count(*) as rows, median(volume_shares) as usual_volume
  from steps group by all having count(*) filter (flat) between 1 and greatest(1, $habit * count(*))
)
select s.ticker, s.source, s.session from steps s join habits using (ticker, source)
where s.flat and s.volume_shares > 0 and s.volume_shares >= usual_volume / 10
"""
_UNTRADED = """
create or replace temp table untraded as
with habits as (
  select ticker, source from steps where volume_shares is not null
  group by all having count(*) filter (volume_shares = 0) between 1 and greatest(1, $habit * count(*))
)
select ticker, source, session from steps semi join habits using (ticker, source) anti join quarantined using (ticker, source, session)
where volume_shares = 0 and close is not null
"""
_NEVER = """
select ticker, source, count(*) as rows, min(session) as first_session, max(session) as last_session
from steps anti join quarantined using (ticker, source, session)
group by all having count(*) >= $least_rows and count(volume_shares) = count(*) and max(volume_shares) = 0
  and avg((high > low and log_return <> 0)::int) > 0.5
order by all
"""
_DAYS = "list(distinct session order by session) as days"


def stuck_prices(context: CheckContext) -> RuleResult:
    """Judge runs of 5 or more equal closes in which shares trade, and single bars of one price with a usual day's volume.

    Where the whole bar stands still (open, high and low too), the rows after the first are quarantined; where only the close
    does, and for a single flat bar, a warning. What stands still on over 10 % of its other sessions is warned of at most.
    """
    add_steps(context)
    context.connection.execute(_STUCK, {"equal_closes": EQUAL_CLOSES, "habit": HABIT})
    context.connection.execute(_FLAT, {"habit": FLAT_HABIT})
    frozen = context.rows(f"select ticker, source, {_DAYS} from stuck where frozen group by all order by all")  # noqa: S608 - our own text
    still = context.rows(f"select ticker, source, {_DAYS} from stuck where not frozen group by all order by all")  # noqa: S608 - the same
    flat = context.rows(
        f"select ticker, source, {_DAYS} from flat_days anti join stuck using (ticker, source, session) group by all order by all"  # noqa: S608 - the same
    )
    findings = [
        *(
            _of_days(row, "error", "the whole bar repeats the one before while shares trade", "quarantined: fetch them again")
            for row in frozen
        ),
        *(_of_days(row, "warning", "the close stands still while shares trade", "compare with another source") for row in still),
        *(_of_days(row, "warning", "one price the whole day with a usual day's volume", "compare with another source") for row in flat),
    ]
    return RuleResult(
        findings=tuple(findings),
        quarantine=context.table(
            "select distinct ticker, session, source, 'bar repeats the one before while shares trade' as reason from stuck where frozen"
        ),
        metrics={
            "frozen_rows": sum(len(row["days"]) for row in frozen),
            "equal_closes": sum(len(row["days"]) for row in still),
            "flat_rows": sum(len(row["days"]) for row in flat),
        },
    )


def zero_volume(context: CheckContext) -> RuleResult:
    """Warn of sessions with a price and a volume of 0 where the ticker trades on 90 % of its sessions or more, and of volumes all 0.

    All 0 is told where prices move within most days and between them: a fund has one price a day and no volume, a share does not.
    Rows that rules before this one keep out are not spoken of.
    """
    add_steps(context)
    context.register_quarantined()
    context.connection.execute(_UNTRADED, {"habit": HABIT})
    rows = context.rows(f"select ticker, source, {_DAYS} from untraded group by all order by all")  # noqa: S608 - our own text
    never = context.rows(_NEVER, {"least_rows": LEAST_ROWS})
    return RuleResult(
        findings=(
            *(_of_days(row, "warning", "a price but no volume", "fetch them again, or leave them: prices are used") for row in rows),
            *(_never_traded(row) for row in never),
        ),
        metrics={"untraded_sessions": sum(len(row["days"]) for row in rows), "never_traded": len(never), "tickers": len(rows) + len(never)},
    )


def _never_traded(row: dict[str, Any]) -> Finding:
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity="warning",
        scope="ticker",
        first_session=row["first_session"],
        last_session=row["last_session"],
        sessions=row["rows"],
        value=float(row["rows"]),
        message=f"{row['ticker']}: volume is 0 on every one of {counted(row['rows'], 'session')}, and prices move within them; "
        "an index or a currency has none, a share has: fetch it again, prices are used",
    )


def _of_days(row: dict[str, Any], severity: Any, fact: str, mend: str) -> Finding:
    days = row["days"]
    message = f"{row['ticker']}: {fact} on {counted(len(days), 'session')}, first {listing(days)}; {mend}"
    return replace(of_days(row, value=float(len(days)), message=message), severity=severity)


RULES = (
    Rule(
        name="stuck_prices",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="5 equal closes in a row while shares trade; a bar of one price with a usual day's volume.",
        run=stuck_prices,
        reads=(CORPORATE_ACTIONS,),
    ),
    Rule(
        name="zero_volume",
        table=DAILY_BARS,
        severity="warning",
        scope="ticker_day",
        blocking=False,
        description="A price without volume where the ticker usually trades, or volumes that are all 0.",
        run=zero_volume,
    ),
)
