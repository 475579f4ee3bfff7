"""How far each family of features has values: a family without data is absent, which is not 0 %."""

from typing import Any

from trader_pipeline.snapshot import Snapshot

Row = dict[str, Any]

_BY_FAMILY = """
with counted as (
    select *, tickers * features as cells, max(session) over () as newest, year(session) as year from features.coverage
), yearly as (
    select family, year, sum("values") / sum(cells) as share from counted group by all
), years as (
    select family, list({'year': year, 'share': round(share, 4)} order by year) as by_year from yearly group by family
)
select family, max(features) filter (session = newest) as features,
       case when sum("values") > 0 then 'present' else 'absent' end as state,
       round(sum("values") filter (session = newest) / sum(cells) filter (session = newest), 4) as newest,
       round(sum("values") filter (session > newest - interval 1 year) / sum(cells) filter (session > newest - interval 1 year), 4) as year,
       min(session) filter ("values" > 0) as first, any_value(by_year) as by_year
from counted join years using (family) group by family order by family
"""


def feature_coverage(snapshot: Snapshot) -> list[Row]:
    """Return a row a family: the share of values that are there in the newest session, in the year up to it and by year, and since when.

    `state` is present, or absent where the whole panel has no value of the family; shares and `first` are None then, `by_year` is empty.
    """
    rows: list[Row] = snapshot.sql(_BY_FAMILY).to_pylist()
    return [row if row["state"] == "present" else row | {"newest": None, "year": None, "by_year": []} for row in rows]
