"""What each part of a recipe is worth: `trader ablate`.

Each row is a recipe with one change, fitted before the same test blocks as the baseline and with the same seeds. A session's figure is
the mean over the seeds; the difference to the baseline is taken session by session, and its interval counts windows that overlap once.
Legend: N tickers, T test sessions, H horizons, Q quantiles.
"""

import resource
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.bench.ablations import BASELINE, Ablation
from trader_pipeline.errors import UsageError
from trader_pipeline.measures import nonoverlapping_interval, rank_ic
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.quantiles import QUANTILES
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.recipes import FitContext, MemberRecipe, NetworkFit, Recipe
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline.training.results import trials_table
from trader_pipeline.training.splits import FOLDS, Fold, folds
from trader_pipeline.training.walk_forward import out_of_fold

Floats = npt.NDArray[np.floating]
MEASURES = ("rank_ic", "brier")


@dataclass(frozen=True, eq=False)
class Market:
    """What is learnt from, and the request that names features, sectors and families."""

    data: TrainingData
    request: TrainingRequest


@dataclass(frozen=True, eq=False)
class Said:
    """What one row said with one seed, [T, N, H], and what the fits of it cost."""

    tickers: tuple[str, ...]
    score_TNH: Floats
    p_up_TNH: Floats
    train_loss: float
    validation_loss: float
    trials: pa.Table


def measure(
    market: Market,
    base: Recipe,
    ablations: Iterable[Ablation],
    *,
    seeds: int,
    record: Callable[[pa.Table], None],
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return a row for the baseline and for each ablation; `record` gets the rows of training.trials that each is, as soon as it is done.

    A difference is `told_apart` when its interval leaves out 0 and every seed's own difference has its sign.
    Raises `UsageError` for a recipe without a network, `InsufficientHistoryError`.
    """
    _network(base)
    rows = (Ablation(name=BASELINE), *ablations)
    blocks = folds(len(market.data.grid.sessions), base)
    began, said, figures = _cpu_s(), list[Said](), list[dict[str, Any]]()
    for ablation in rows:
        before, own = _cpu_s(), list[Said]()
        for seed in range(seeds):
            own.append(_say(market, _network(ablation.recipe(base)), ablation, blocks, seed))
            record(own[-1].trials)
            if not said and not seed:
                left = (seeds - 1 + seeds * sum(row.cost for row in rows[1:])) * (_cpu_s() - began) / 60
                tell(f"{len(rows) * seeds * FOLDS} fits; about {left:.0f} more minutes of one core")
        said = said or own
        cells = [_cell(market, blocks, own, said, h) for h in range(len(HORIZONS_SESSIONS))]
        figures.append(_row(ablation, own, cells) | {"cpu_s": round(_cpu_s() - before, 1)})
        tell(_told(figures[-1]))
    return {"seeds": seeds, "folds": FOLDS, "test_sessions": blocks[-1].test_end - blocks[0].test_first, "rows": figures}


def _network(recipe: Recipe) -> MemberRecipe:
    for member in recipe.members:
        if isinstance(member.fit, NetworkFit):
            return member
    raise UsageError(f"the recipe {recipe.name!r} has no network, whose training could be varied; take panel_former_1m")


def _say(market: Market, member: MemberRecipe, ablation: Ablation, blocks: Sequence[Fold], seed: int) -> Said:
    data = ablation.data(market.data, blocks[0].test_first)
    request = replace(market.request, seed=seed, model_id=f"{market.request.model_id}-{ablation.name}-{seed}")
    epochs: list[Mapping[str, Any]] = []
    with TemporaryDirectory(prefix="trader-ablate-") as scratch:
        context = FitContext(seed=seed, fold=0, report=epochs.append, scratch=Path(scratch))
        answers = list(out_of_fold(data, member, blocks, request, context))
    of_folds = [[e for e in epochs if e["event"] == "epoch" and e["fold"] == block.number] for block in blocks]
    keeps_last = ablation.training.get("patience", 0) is None
    kept = [told[-1] if keeps_last else min(told, key=lambda epoch: epoch["validation_loss"]) for told in of_folds]
    forecasts = [answer.forecast for answer in answers]
    quantiles = np.concatenate([forecast.scaled_quantiles_TNHQ for forecast in forecasts])
    return Said(
        tickers=data.grid.tickers,
        score_TNH=np.concatenate([forecast.score_TNH for forecast in forecasts]),
        p_up_TNH=p_up(quantiles),
        train_loss=statistics.fmean(epoch["train_loss"] for epoch in kept),
        validation_loss=statistics.fmean(epoch["validation_loss"] for epoch in kept),
        trials=trials_table(answers, data, request),
    )


def p_up(quantiles_Q: Floats) -> Floats:
    """Return P(return > 0) [...] of quantiles [..., Q], linear between them; no surer than the outermost. NaN where they are."""
    low, high = quantiles_Q[..., :-1], quantiles_Q[..., 1:]
    share = np.clip(-low / np.maximum(high - low, np.float32(1e-8)), 0, 1)
    return np.asarray(1 - QUANTILES[0] - share @ np.diff(QUANTILES))


def _cell(market: Market, blocks: Sequence[Fold], own: list[Said], base: list[Said], h: int) -> dict[str, Any]:
    """Return one horizon's figures of a row on its own tickers, and what it differs by from the baseline on the same."""
    facts: dict[str, Any] = {"horizon_sessions": HORIZONS_SESSIONS[h]}
    for name, daily in _daily(market, blocks, own, h, own[0].tickers).items():
        difference_ST = daily - _daily(market, blocks, base, h, own[0].tickers)[name]
        interval = nonoverlapping_interval(difference_ST.mean(axis=0), HORIZONS_SESSIONS[h])
        signs = set(np.sign(np.nanmean(difference_ST, axis=1)).tolist())
        facts |= {
            name: float(np.nanmean(daily)),
            f"{name}_difference": interval.mean,
            f"{name}_half_width": interval.half_width,
            f"{name}_told_apart": bool(abs(interval.mean) > interval.half_width and len(signs) == 1),
        }
    return facts


def _daily(market: Market, blocks: Sequence[Fold], said: list[Said], h: int, tickers: tuple[str, ...]) -> dict[str, Floats]:
    """Return each measure by seed and session [S, T], of the given tickers."""
    span = slice(blocks[0].test_first, blocks[-1].test_end)
    of_market = [market.data.grid.tickers.index(ticker) for ticker in tickers]
    score_TN, scaled_TN = (labels[of_market, span, h].T for labels in (market.data.labels.score_NTH, market.data.labels.scaled_NTH))
    own = [said[0].tickers.index(ticker) for ticker in tickers]
    ics = [rank_ic(one.score_TNH[:, own, h], score_TN) for one in said]
    briers = [_daily_brier(one.p_up_TNH[:, own, h], scaled_TN) for one in said]
    return dict(zip(MEASURES, (np.stack(ics), np.stack(briers)), strict=True))


def _daily_brier(p_up_TN: Floats, scaled_TN: Floats) -> Floats:
    miss_TN = np.where(np.isfinite(scaled_TN), (p_up_TN - (scaled_TN > 0)) ** 2, np.nan)
    known_T = np.isfinite(miss_TN).sum(axis=1)
    return np.asarray(np.where(known_T > 0, np.nansum(miss_TN, axis=1) / np.maximum(known_T, 1), np.nan))


def _row(ablation: Ablation, own: list[Said], cells: list[dict[str, Any]]) -> dict[str, Any]:
    train, validation = (statistics.fmean(getattr(one, name) for one in own) for name in ("train_loss", "validation_loss"))
    return {
        "row": ablation.name,
        "train_loss": round(train, 4),
        "validation_loss": round(validation, 4),
        "gap": round(validation - train, 4),
        "horizons": cells,
    }


def _told(row: Mapping[str, Any]) -> str:
    cells = ", ".join(
        f"{cell['horizon_sessions']}d {cell['rank_ic_difference']:+.4f} ±{cell['rank_ic_half_width']:.4f}" for cell in row["horizons"]
    )
    return f"{row['row']}: rank IC {cells}; {row['cpu_s']} CPU-s"


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
