"""Gradient-boosted trees (LightGBM) per horizon and target: interactions that a linear model cannot see. Ke et al. 2017.

Legend: N tickers, T sessions, F features, R rows, H horizons, Q quantiles.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.attribution import Attribution, attribution
from trader_pipeline.models.examples import Examples, labelled, relative, thinned
from trader_pipeline.models.forecast import Forecast, around_mean, present, residual_quantiles
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

if TYPE_CHECKING:
    import lightgbm

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesConfig:
    """Size and regularisation. `patience` rounds without a better validation tail stop the boosting."""

    rounds: int = 120
    patience: int = 15
    learning_rate: float = 0.06
    leaves: int = 15
    minimum_rows_share: float = 0.005
    bins: int = 63
    feature_share: float = 0.7
    row_share: float = 0.5
    l2: float = 10.0
    maximum_rows: int = 60_000
    workers: int = 2


@dataclass(frozen=True, eq=False)
class TreesMember:
    """A booster per horizon for each target, as LightGBM's text; drift [H] and residual quantiles [H, Q] of the scaled return."""

    features: tuple[str, ...]
    score_models: tuple[str, ...]
    scaled_models: tuple[str, ...]
    drift_H: Floats
    offsets_HQ: Floats

    name = "lightgbm"
    context_sessions = 1

    @property
    def weights(self) -> int:
        """A text has about a number in eight characters."""
        return sum(map(len, (*self.score_models, *self.scaled_models))) // 8

    def predict(self, features_NTF: Float32, grid: Grid, sectors: Mapping[str, str], *, newest: int | None = None) -> Forecast:  # noqa: ARG002 - members share one signature
        """Return the forecast; NaN where no feature is known."""
        here_NT = present(features_NTF)
        rows_RF = features_NTF[here_NT]

        def spread(models: tuple[str, ...]) -> Float32:
            out_NTH = np.full((*here_NT.shape, len(models)), np.nan, np.float32)
            if len(rows_RF):
                out_NTH[here_NT] = np.stack([_predicted(_booster(text), rows_RF) for text in models], axis=1)
            return out_NTH

        return around_mean(
            spread(self.score_models), spread(self.scaled_models) + self.drift_H.astype(np.float32), self.offsets_HQ, here_NT
        )

    def explain(
        self,
        features_NTF: Float32,
        grid: Grid,
        sectors: Mapping[str, str],
        wanted_N: npt.NDArray[np.bool_],  # noqa: ARG002 - members share one signature; here all tickers cost little
    ) -> Attribution:
        """Return the Shapley values of the last session's scores (Lundberg, Erion & Lee 2018); the base is the trees' mean."""
        last_N1F = features_NTF[:, -1:]
        here_N = present(last_N1F)[:, 0]
        score_NH = self.predict(last_N1F, grid, sectors).score_TNH[-1]
        shap_NHF1 = np.full((*score_NH.shape, len(self.features) + 1), np.nan)
        if here_N.any():
            rows_RF = last_N1F[here_N, 0]
            shap_NHF1[here_N] = np.stack([_shapley(_booster(text), rows_RF) for text in self.score_models], axis=1)
        return attribution("tree_shap", score_NH, shap_NHF1[..., -1], shap_NHF1[..., :-1])

    def files(self) -> dict[str, bytes]:
        """Return one text file a booster, and the rest as JSON."""
        files = {f"score_{h}d.txt": text.encode() for h, text in zip(HORIZONS_SESSIONS, self.score_models, strict=True)}
        files |= {f"scaled_{h}d.txt": text.encode() for h, text in zip(HORIZONS_SESSIONS, self.scaled_models, strict=True)}
        facts = {"drift": self.drift_H.tolist(), "residual_quantiles": self.offsets_HQ.tolist()}
        return files | {"member.json": json.dumps({"kind": self.name, "features": self.features} | facts, indent=1).encode()}

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> "TreesMember":
        """Rebuild from what `files` gave."""
        facts = json.loads(files["member.json"])
        score, scaled = (tuple(files[f"{stem}_{h}d.txt"].decode() for h in HORIZONS_SESSIONS) for stem in ("score", "scaled"))
        return cls(tuple(facts["features"]), score, scaled, np.array(facts["drift"]), np.array(facts["residual_quantiles"]))


@dataclass(frozen=True, eq=False)
class _Task:
    """One target at one horizon: labels [N, T] to learn from, to choose the rounds by, and for the refit."""

    what: str
    fit_NT: Float32
    tail_NT: Float32
    every_NT: Float32


def fit_trees(examples: Examples, config: TreesConfig, seed: int) -> TreesMember:
    """Choose the rounds of each booster on the purged tail, then refit on every label with that many.

    The boosters are independent, so they run side by side, each on one thread: LightGBM's own threads wait for each other
    after every split, which on a busy machine took ten times as long. A split must gain what the luckiest of as many features of
    noise would, so that more features do not mean more chance finds; where none does, all scores are the same.
    """
    parts = (examples.fit, examples.tail, examples.every)
    ranks, returns = [], []
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        ranks.append([thinned(part.score_NTH[:, :, h], horizon, config.maximum_rows) for part in parts])
        returns.append([thinned(part.scaled_NTH[:, :, h], horizon, config.maximum_rows) for part in parts])
    tasks = [_Task(f"lightgbm, residual_rank_{h}d", *labels) for h, labels in zip(HORIZONS_SESSIONS, ranks, strict=True)]
    tasks += [
        _Task(f"lightgbm, scaled_return_{h}d", *(relative(part)[0] for part in labels))
        for h, labels in zip(HORIZONS_SESSIONS, returns, strict=True)
    ]
    bins = _Bins(examples, tasks, config)
    with ThreadPoolExecutor(config.workers) as pool:
        fitted = list(pool.map(lambda task: _chosen(bins, task, config, seed), tasks))
    horizons = len(HORIZONS_SESSIONS)
    offsets = [
        _offsets(examples.x_NTF, labels[0], labels[1], before) for labels, (_, before) in zip(returns, fitted[horizons:], strict=True)
    ]
    score, scaled = (tuple(text for text, _ in half) for half in (fitted[:horizons], fitted[horizons:]))
    return TreesMember(examples.features, score, scaled, np.array([relative(labels[2])[1] for labels in returns]), np.stack(offsets))


class _Bins:
    """The features of every row that some task labels, binned once; tasks take subsets of it."""

    def __init__(self, examples: Examples, tasks: list[_Task], config: TreesConfig) -> None:
        import lightgbm  # noqa: PLC0415 - whoever only loads ridge needs no LightGBM

        used_NT = np.logical_or.reduce([np.isfinite(part) for task in tasks for part in (task.fit_NT, task.tail_NT, task.every_NT)])
        self._row_NT = np.cumsum(used_NT).reshape(used_NT.shape) - 1
        if not used_NT.any():
            raise TrainingError("lightgbm: no label is known; bring more tickers or a longer history")
        self._all = lightgbm.Dataset(examples.x_NTF[used_NT], np.zeros(int(used_NT.sum())), params=self._parameters(config)).construct()

    def subset(self, labels_NT: Float32, what: str) -> "lightgbm.Dataset":
        """Return the labelled rows. Raises `TrainingError` when there are too few."""
        known, y_R = labelled(labels_NT, what)
        subset = self._all.subset(self._row_NT.reshape(-1)[known].tolist())
        return subset.construct().set_label(y_R)

    @staticmethod
    def _parameters(config: TreesConfig) -> dict[str, Any]:
        return {"max_bin": config.bins, "verbosity": -1, "num_threads": 1, "feature_pre_filter": False}


def _chosen(bins: _Bins, task: _Task, config: TreesConfig, seed: int) -> tuple[str, "lightgbm.Booster"]:
    """Return the text of the refit on every label, and the booster before it, fitted without the tail."""
    import lightgbm  # noqa: PLC0415 - whoever only loads ridge needs no LightGBM

    learn = bins.subset(task.fit_NT, f"{task.what}, training part")
    watch = bins.subset(task.tail_NT, f"{task.what}, validation tail")
    stop = lightgbm.early_stopping(config.patience, verbose=False)
    before = lightgbm.train(_parameters(config, seed, learn), learn, config.rounds, valid_sets=[watch], callbacks=[stop])
    every = bins.subset(task.every_NT, task.what)
    refit = lightgbm.train(_parameters(config, seed, every), every, before.best_iteration)
    text: str = refit.model_to_string()
    return text, before


def _offsets(x_NTF: Float32, fit_NT: Float32, tail_NT: Float32, before: "lightgbm.Booster") -> Floats:
    """Return the quantiles [Q] of what the booster without the tail left unexplained of the scaled returns."""
    known_NT = np.isfinite(fit_NT) | np.isfinite(tail_NT)
    actual_NT = np.where(np.isfinite(fit_NT), fit_NT, tail_NT)
    return residual_quantiles(actual_NT[known_NT], _predicted(before, x_NTF[known_NT]) + relative(fit_NT)[1])


def _best_of_noise(learn: "lightgbm.Dataset") -> float:
    """Return the squared error that one split of the luckiest feature takes off labels of noise. Donoho & Johnstone 1994.

    Each feature counts once, not each of its bins: a split that gains little may open one that gains much, an interaction.
    """
    return float(np.var(np.asarray(learn.get_label())) * 2 * np.log(learn.num_feature()))


def _parameters(config: TreesConfig, seed: int, learn: "lightgbm.Dataset") -> dict[str, Any]:
    return {
        "objective": "l2",
        "metric": "l2",
        "learning_rate": config.learning_rate,
        "num_leaves": config.leaves,
        "min_data_in_leaf": max(20, int(config.minimum_rows_share * learn.num_data())),
        "min_gain_to_split": _best_of_noise(learn),
        "max_bin": config.bins,
        "feature_fraction": config.feature_share,
        "bagging_fraction": config.row_share,
        "bagging_freq": 1,
        "lambda_l2": config.l2,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "num_threads": 1,
        "verbosity": -1,
    }


def _booster(text: str) -> "lightgbm.Booster":
    import lightgbm  # noqa: PLC0415 - whoever only loads ridge needs no LightGBM

    return lightgbm.Booster(model_str=text)


def _predicted(booster: "lightgbm.Booster", rows_RF: Float32) -> Float32:
    return np.asarray(booster.predict(rows_RF, num_threads=1), np.float32)


def _shapley(booster: "lightgbm.Booster", rows_RF: Float32) -> Floats:
    """Return [R, F + 1]: each feature's part of the prediction, and last the mean that they start from."""
    return np.asarray(booster.predict(rows_RF, pred_contrib=True, num_threads=1), np.float64)
