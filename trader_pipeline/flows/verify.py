"""A past day's predictions, made again from what was known then, in a scratch lake that nobody reads."""

import datetime as dt
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.overrides import read_overrides
from trader_pipeline.errors import NoModelError
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import check
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.flows.predict import data_version, forecast_rows, published_rows
from trader_pipeline.flows.served import served
from trader_pipeline.flows.serving import run_of
from trader_pipeline.flows.standardize import DERIVED, standardize
from trader_pipeline.inference import export
from trader_pipeline.inference.content import code_version, content_sha256, differences
from trader_pipeline.inference.predict import Stamp
from trader_pipeline.lake import Commit, Lake, Snapshot
from trader_pipeline.schema import quality
from trader_pipeline.schema.core import ACCEPTED_BARS
from trader_pipeline.schema.quality import QUARANTINE, REPAIRS
from trader_pipeline.settings import Settings
from trader_pipeline.snapshot import SPILL
from trader_pipeline.sources import bars_order, feeds_of

_DERIVED = {table.full_name for table in (*DERIVED, ACCEPTED_BARS, *quality.TABLES)}
_REMEMBERED = (QUARANTINE, REPAIRS)
"""Since when a row is held and a repair applied is in no raw table: the rows stay, without their stamp, so that they are judged again."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """`expected` is the hash that the export's manifest names, `stored` that of the table's rows, `rebuilt` that of those made again."""

    session: dt.date
    as_of: dt.datetime
    model_id: str
    rows: int
    expected: str
    stored: str
    rebuilt: str
    published_by: str
    code_version: str
    differences: tuple[dict[str, Any], ...]

    @property
    def same(self) -> bool:
        """Whether the day came out as it was published."""
        return self.expected == self.stored == self.rebuilt


def verify(lake: Lake, settings: Settings, *, session: dt.date, as_of: dt.datetime, run_id: str, today: dt.date) -> Verification:
    """Rebuild core, checks, features and the session's forecasts from raw as known at `as_of`, by the model that made them, and compare.

    Nothing is fetched or published. Raises `NoModelError` without published predictions or an export that tells their hash, and what the
    flows raise where they cannot be made again.
    """
    snapshot = lake.snapshot()
    published = published_rows(snapshot, session)
    manifest = export.read_manifest(settings.dataset_home / "exports", session)
    if manifest is None or "content_sha256" not in manifest:
        raise NoModelError(
            f"no whole export of {session} tells the hash of its predictions, so there is nothing to hold a rebuild against; "
            f"`trader predict --session {session}` writes it"
        )
    model_id = published["model_id"][0].as_py()
    with tempfile.TemporaryDirectory(prefix=SPILL, dir=lake.root) as folder:  # beside the parts: links do not reach to another disk
        scratch = _linked(snapshot, Path(folder), lake.dataset)
        _take_back(scratch, settings, as_of=as_of, run_id=run_id, today=today)
        then = scratch.snapshot()
        model = served(then, settings.dataset_home / "models", session, run_of(then, model_id))
        stamp = Stamp(model_id=model_id, data_version=data_version(then), made_at=as_of, run_id=run_id)
        rebuilt = forecast_rows(then, settings, model, stamp)
    found = Verification(
        session=session,
        as_of=as_of,
        model_id=model_id,
        rows=rebuilt.num_rows,
        expected=manifest["content_sha256"],
        stored=content_sha256(published),
        rebuilt=content_sha256(rebuilt),
        published_by=manifest["code_version"],
        code_version=code_version(),
        differences=tuple(differences(published, rebuilt)),
    )
    _log.info(
        "run %s: %s as of %s %s", run_id, session, as_of, "is the same" if found.same else f"differs in {len(found.differences)} cells"
    )
    return found


def _linked(snapshot: Snapshot, root: Path, dataset: str) -> Lake:
    """Return a lake at `root` with what the snapshot's commit has of `_given`; its parts are links to the lake's, which never change."""
    commit = _given(snapshot.commit)
    for entry in commit.tables.values():
        for part in entry.parts:
            target = root / part.path
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(snapshot.root / part.path, target)
            except OSError:
                shutil.copyfile(snapshot.root / part.path, target)
    (root / "commits").mkdir()
    (root / "commits" / f"{commit.id}.json").write_bytes(commit.to_json())
    (root / "HEAD").write_text(commit.id)
    return Lake(root, dataset)


def _given(commit: Commit) -> Commit:
    """Return the commit without what is made again from raw: a stamp that still fits would let damaged rows pass for made again.

    Scores of headlines stay: they are a model's.
    """
    tables = {name: entry for name, entry in commit.tables.items() if name not in _DERIVED and not name.startswith("features.")}
    tables |= {t.full_name: replace(commit.tables[t.full_name], inputs=None) for t in _REMEMBERED if t.full_name in commit.tables}
    return replace(commit, tables=tables).named()


def _take_back(lake: Lake, settings: Settings, *, as_of: dt.datetime, run_id: str, today: dt.date) -> None:
    """Make core, verdicts, accepted bars and features as of an instant, from the raw rows that are there: what the job `daily` does."""
    order = bars_order(settings)
    overrides = read_overrides(settings.overrides_file, CHECKS, today=today)
    standardize(lake, feeds_of(settings), as_of=as_of, run_id=run_id, symbols_file=settings.symbols_file)
    check(lake, as_of=as_of, settings=settings.checks, run_id=run_id, order=order, overrides=overrides)
    accept(lake, as_of=as_of, run_id=run_id, order=order, force=True)
    market_state(lake, as_of=as_of, run_id=run_id)
    build_features(lake, as_of=as_of, run_id=run_id)
