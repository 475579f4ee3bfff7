"""Whether published rows, and the file that other programs read, keep what consumers were promised."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.schema.contracts import MANIFEST, MANIFEST_SCHEMA, PREDICTIONS, Contract, Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A promise that is broken: what about (a column, or the key), in how many rows, and the fact."""

    about: str
    rows: int
    told: str


def breaches(contract: Contract, rows: pa.Table) -> list[Breach]:
    """Return every promise that `rows` break. No rows break none but those of the columns."""
    found = list(_shapes(contract, rows))
    sound = [p for p in contract.columns if p.name not in {breach.about for breach in found}]
    for promise in sound:
        found += _values(promise, rows)
    names = {promise.name for promise in sound}
    if set(contract.key) <= names:
        found += _keys(contract, rows)
    if set(contract.ascending) <= names:
        found += _order(contract, rows)
    return found


def export_breaches(parquet: Path, manifest: Path) -> list[Breach]:
    """Return what is wrong with an exported file of predictions and the manifest beside it."""
    try:
        facts = json.loads(manifest.read_bytes())
        rows = pq.read_table(parquet)
        sha256 = durable.sha256_file(parquet)
    except (OSError, ValueError) as error:
        return [Breach(about="export", rows=0, told=f"cannot be read: {error}")]
    wrong = [name for name, kind in MANIFEST.items() if not isinstance(facts.get(name), kind)]
    found = [
        Breach(about=f"manifest.{name}", rows=0, told=f"expected {MANIFEST[name].__name__}, got {facts.get(name)!r}") for name in wrong
    ]
    if wrong:
        return found
    meant = {"schema": MANIFEST_SCHEMA, "file": parquet.name, "rows": rows.num_rows, "sha256": sha256}
    found += [
        Breach(about=f"manifest.{name}", rows=0, told=f"says {facts[name]!r}, is {value!r}")
        for name, value in meant.items()
        if facts[name] != value
    ]
    return found + breaches(PREDICTIONS, rows)


def told(contract: Contract, found: Sequence[Breach]) -> str:
    """Return the breaches in one line."""
    return f"{contract.name} is broken: {'; '.join(f'{breach.about} {breach.told}' for breach in found)}"


def _shapes(contract: Contract, rows: pa.Table) -> Iterator[Breach]:
    for promise in contract.columns:
        if promise.name not in rows.column_names:
            yield Breach(about=promise.name, rows=rows.num_rows, told="is gone")
        elif rows.schema.field(promise.name).type != promise.dtype:
            is_now = rows.schema.field(promise.name).type
            yield Breach(about=promise.name, rows=rows.num_rows, told=f"was promised as {promise.dtype}, is {is_now}")


def _values(promise: Promise, rows: pa.Table) -> Iterator[Breach]:
    values = rows[promise.name]
    null = pc.is_null(values, nan_is_null=pa.types.is_floating(values.type))
    if promise.nulls == "where abstained" and "abstained" in rows.column_names:
        sure = pc.invert(pc.fill_null(rows["abstained"], fill_value=False))
        yield from _breach(promise.name, rows, pc.and_(null, sure), "null though not abstained")
    if promise.nulls == "never":
        yield from _breach(promise.name, rows, null, "null")
    if promise.least is not None:
        yield from _breach(promise.name, rows, pc.less(values, promise.least), f"under {promise.least:g}")
    if promise.most is not None:
        yield from _breach(promise.name, rows, pc.greater(values, promise.most), f"over {promise.most:g}")
    if promise.one_of:
        strange = pc.invert(pc.is_in(values, value_set=pa.array(promise.one_of)))
        yield from _breach(promise.name, rows, strange, f"none of {', '.join(promise.one_of)}")


def _keys(contract: Contract, rows: pa.Table) -> Iterator[Breach]:
    key = list(contract.key)
    counted = rows.select(key).group_by(key).aggregate([([], "count_all")])
    yield from _breach("key", counted, pc.greater(counted["count_all"], 1), "more than one row")
    if contract.horizons:
        yield from _horizons(contract, rows.select(key).group_by(key).aggregate([]))


def _horizons(contract: Contract, rows: pa.Table) -> Iterator[Breach]:
    of = [name for name in contract.key if name != "horizon_sessions"]
    promised = pc.is_in(rows["horizon_sessions"], value_set=pa.array(contract.horizons, rows["horizon_sessions"].type))
    listed = "/".join(map(str, contract.horizons))
    yield from _breach("horizon_sessions", rows, pc.invert(promised), f"none of {listed}")
    counted = rows.filter(promised).group_by(of).aggregate([([], "count_all")])
    yield from _breach("horizon_sessions", counted, pc.less(counted["count_all"], len(contract.horizons)), f"not all of {listed}")


def _order(contract: Contract, rows: pa.Table) -> Iterator[Breach]:
    for lower, upper in zip(contract.ascending, contract.ascending[1:], strict=False):
        yield from _breach(lower, rows, pc.greater(rows[lower], rows[upper]), f"over {upper}")


def _breach(about: str, rows: pa.Table, broken: pa.ChunkedArray, fact: str) -> Iterator[Breach]:
    """Yield one breach where any row is broken, with the ticker of the first."""
    count = pc.sum(pc.fill_null(broken, fill_value=False)).as_py() or 0
    if count:
        tickers = rows.filter(pc.fill_null(broken, fill_value=False))
        first = f", first {tickers['ticker'][0].as_py()}" if "ticker" in rows.column_names else ""
        yield Breach(about=about, rows=count, told=f"{fact} in {count} row{'s'[: count > 1]}{first}")
