"""core.news -> core.news_scores: each text is scored once by each model and revision."""

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from trader_pipeline.lake import Change, Lake
from trader_pipeline.models.text_finbert import finbert
from trader_pipeline.models.text_scorer import TextScorer
from trader_pipeline.models.text_vader import vader
from trader_pipeline.schema.columns import DATE
from trader_pipeline.schema.core import NEWS, NEWS_SCORES
from trader_pipeline.settings import Settings

_UNSCORED = """
select distinct title, sha256(title) as text_sha256 from core.news where title is not null and trim(title) <> ''
and sha256(title) not in (select text_sha256 from core.news_scores where model = ? and revision = ?) order by text_sha256
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOutcome:
    """How many texts were scored now, over all models; `changed` says whether the table was written."""

    scored: int
    changed: bool


def text_scorers(settings: Settings) -> tuple[TextScorer, ...]:
    """Return the models of the settings: VADER, and FinBERT where a model is named. Raises `UsageError` as `finbert` does."""
    nlp = settings.nlp
    heavy = (
        (finbert(nlp.finbert, released_on=nlp.finbert_released_on, batch=nlp.batch, hub_revision=nlp.finbert_revision),)
        if nlp.finbert
        else ()
    )
    return (vader(), *heavy)


def score_news(lake: Lake, scorers: Sequence[TextScorer], *, as_of: dt.datetime, run_id: str) -> ScoreOutcome:
    """Score the titles that no row of a model's revision is of; rows of its other revisions go, as their scale may differ.

    All versions of all headlines are scored whatever `as_of` says: when a headline was known is in core.news.
    """
    del as_of
    snapshot = lake.snapshot()
    inputs = f"{snapshot.data_version([NEWS])}:{' '.join(f'{one.name} {one.revision}' for one in scorers)}"
    if snapshot.inputs(NEWS_SCORES) == inputs:
        return ScoreOutcome(scored=0, changed=False)
    new = []
    for scorer in scorers:
        texts = snapshot.sql(_UNSCORED, [scorer.name, scorer.revision])
        new.append(_rows(scorer, texts))
        _log.info("run %s: %s %s scored %d texts", run_id, scorer.name, scorer.revision, texts.num_rows)
    rows = pa.concat_tables(new)
    held = snapshot.read(NEWS_SCORES, ["model", "revision"]).group_by(["model", "revision"]).aggregate([])
    revision_of = {scorer.name: scorer.revision for scorer in scorers}
    outdated = held.filter(pa.array([revision_of.get(r["model"], r["revision"]) != r["revision"] for r in held.to_pylist()], pa.bool_()))
    if outdated.num_rows:
        lake.publish(Change.replace_where(NEWS_SCORES, rows, outdated, inputs=inputs))
    else:
        lake.publish(Change.append(NEWS_SCORES, rows, inputs=inputs))
    return ScoreOutcome(scored=rows.num_rows, changed=True)


def _rows(scorer: TextScorer, texts: pa.Table) -> pa.Table:
    if not texts.num_rows:
        return NEWS_SCORES.empty()
    said = scorer.score(texts["title"].to_pylist())
    constants = {
        "model": pa.repeat(scorer.name, texts.num_rows),
        "revision": pa.repeat(scorer.revision, texts.num_rows),
        "released_on": pa.repeat(pa.scalar(scorer.released_on, DATE), texts.num_rows),
    }
    shares = {f"p_{tone}": pa.array(said.shares_n3[:, k]) for k, tone in enumerate(("negative", "neutral", "positive"))}
    return NEWS_SCORES.conform(pa.table({"text_sha256": texts["text_sha256"], **constants, **shares, "score": pa.array(said.score_n)}))
