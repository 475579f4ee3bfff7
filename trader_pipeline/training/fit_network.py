"""Fit a network of the contract in models.network: normalise, check, train with early stopping on the purged tail, keep the best epoch.

The final fit has no tail to spare: it learns from every label for as many epochs as the folds found best.
"""

import json
import logging
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import nn

from trader_pipeline import durable
from trader_pipeline.models import hl_gauss
from trader_pipeline.models.examples import Examples, Labels, labelled
from trader_pipeline.models.forecast import present
from trader_pipeline.models.member import Member
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.panel_former import parameters_of
from trader_pipeline.models.panel_former_member import prepare, same_sector, torch_threads
from trader_pipeline.training import state, stopping
from trader_pipeline.training.callbacks import Keeper
from trader_pipeline.training.checkpoints import CheckpointStore
from trader_pipeline.training.module import NetworkModule, PanelNames
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.preflight import beyond_support, overfit_ten, unusual_features
from trader_pipeline.training.profile import Profile
from trader_pipeline.training.rate_range import rate_range
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.splits import FINAL
from trader_pipeline.training.windows import PanelTensors, ShuffledWindows, every_window


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainable:
    """What the trainer must know of a network: its name, how it is built for a number of prepared columns, what it becomes when trained.

    `start` sets what the labels' own distribution can set before the first step.
    """

    name: str
    build: Callable[[int], nn.Module]
    member: Callable[[Normaliser, nn.Module], Member]
    start: Callable[[nn.Module, Labels], None]


def fit_network(examples: Examples, context: FitContext, kind: Trainable, settings: Optimisation) -> Member:
    """Return the trained member, going on from what `context.scratch` holds of the same fit. Raises `TrainingError`."""
    final = context.fold == FINAL
    learn = examples.every if final else examples.fit
    labelled(learn.score_NTH, f"{kind.name}, fold {context.fold}")
    normaliser = Normaliser.fit(examples.x_NTF[np.isfinite(examples.every.scaled_NTH).any(axis=2)], examples.features)
    with torch_threads(settings.threads), torch.random.fork_rng():
        torch.manual_seed(_seed(context))
        network = kind.build(len(normaliser.columns))
        kind.start(network, learn)
        _preflight(network, examples, normaliser, context, kind.name)
        best = _train(network, examples, normaliser, context, settings, name=kind.name)
    if not final:
        context.epochs_of_folds.setdefault(kind.name, []).append(best)
    return kind.member(normaliser, network.eval())


def start_bins_at_base_rate(bins_head: nn.Linear, labels: Labels) -> None:
    """Set the bins' biases to the labels' own distribution, so that training starts from it and not from a uniform one."""
    rates = []
    for h in range(labels.scaled_NTH.shape[2]):
        known = labels.scaled_NTH[:, :, h]
        projected = hl_gauss.project(torch.from_numpy(known[np.isfinite(known)]))
        rates.append((projected.mean(0) + 1e-4).log() if len(projected) else torch.zeros(hl_gauss.BINS))
    with torch.no_grad():
        bins_head.bias.copy_(torch.cat(rates))


def _seed(context: FitContext) -> int:
    return context.seed * 101 + context.fold + 1


def _window(network: nn.Module) -> int:
    window: int = network.config.window_sessions  # type: ignore[union-attr, assignment]
    return window


def _preflight(network: nn.Module, examples: Examples, normaliser: Normaliser, context: FitContext, name: str) -> None:
    facts: dict[str, object] = dict(unusual_features(examples, normaliser))
    facts["beyond_support"] = round(beyond_support(examples.every.scaled_NTH, hl_gauss.SUPPORT_SIGMAS), 6)
    facts["parameters"] = parameters_of(network)
    if context.fold == 0:
        data, window = _tensors(examples, normaliser, examples.fit), _window(network)
        counts_T = np.isfinite(examples.fit.score_NTH).any(axis=2).sum(axis=0)
        first = int(np.flatnonzero(counts_T)[-1]) + 1 - window
        facts["overfit_ten_left"] = round(overfit_ten(network, data, first, window=window, name=name), 4)
    context.report({"event": "preflight", "model": name, "fold": context.fold, **facts})


def _train(
    network: nn.Module, examples: Examples, normaliser: Normaliser, context: FitContext, settings: Optimisation, *, name: str
) -> int:
    """Train in place, leave the best epoch's weights in the network, and return how many epochs led to them."""
    final, window = context.fold == FINAL, _window(network)
    learn = examples.every if final else examples.fit
    labelled_T = np.flatnonzero(np.isfinite(learn.score_NTH).any(axis=(0, 2)))
    span = (max(0, min(int(labelled_T[0]), int(labelled_T[-1]) + 1 - window)), int(labelled_T[-1]) + 1)
    together = max(1, settings.rows_per_step // (window * len(examples.grid.tickers)))
    batches = ShuffledWindows(*span, length=window, batch=together, seed=_seed(context))
    chosen = context.epochs_of_folds.get(name, [])
    epochs = max(1, round(statistics.median(chosen))) if final and chosen else settings.epochs
    data = _tensors(examples, normaliser, learn, validation=None if final else examples.tail)
    if settings.learning_rate is None:
        tried = rate_range(network, data, batches, window=window, micro_windows=together)
        batches.epoch = 0
        context.report({"event": "rate_range", "model": name, "fold": context.fold, **tried._asdict()})
        settings = replace(settings, learning_rate=tried.pick)
    names = PanelNames(name, context.fold, examples.grid.tickers, examples.grid.sessions, normaliser.columns)
    module = NetworkModule(
        network,
        data,
        names,
        settings,
        total_steps=settings.epochs * len(batches),
        micro_windows=together,
        seed=_seed(context),
        report=context.report,
    )
    store = CheckpointStore(checkpoints_folder(context, name))
    tail = [] if final else every_window(*_span(examples.tail), length=window)
    keeper = Keeper(module, store, batches, tail, _identity(network, normaliser, settings, span=span, epochs=epochs, seed=_seed(context)))
    keeper.resume()
    profile = [Profile(module, context.profile / f"{name}-fold{context.fold}.json")] if context.profile else []
    _fit(module, keeper, epochs, profile)
    best, epoch = store.best()
    state.load_network(network, best)
    return epoch + 1


def checkpoints_folder(context: FitContext, name: str) -> Path:
    """Return where the checkpoints of a fit are."""
    return context.scratch / f"{name}-fold{context.fold}"


def _identity(network: nn.Module, normaliser: Normaliser, settings: Optimisation, *, span: tuple[int, int], epochs: int, seed: int) -> str:
    """Return a hash of what a checkpoint must have come from to be gone on with."""
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    statistics_bytes = b"".join(np.ascontiguousarray(a).tobytes() for a in normaliser.arrays().values())
    facts = [
        asdict(settings),
        str(getattr(network, "config", "")),
        shapes,
        list(span),
        epochs,
        seed,
        durable.sha256_bytes(statistics_bytes),
    ]
    return durable.sha256_bytes(json.dumps(facts, sort_keys=True).encode())


def _fit(module: NetworkModule, keeper: Keeper, epochs: int, beside: Sequence[lightning.Callback]) -> None:
    """Run what is left of `epochs`; a signal saves the state and goes on as `Stopped`."""
    left = epochs - len(keeper.epochs)
    if left <= 0 or keeper.stale:
        return
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    trainer = lightning.Trainer(
        max_epochs=left,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=[keeper, *beside],
    )
    with warnings.catch_warnings(), stopping.safe_places():
        warnings.filterwarnings("ignore", ".isinstance.treespec", FutureWarning)  # Lightning 2.6 speaks torch's older tree API
        try:
            trainer.fit(module, keeper)
        except stopping.Stopped:
            keeper.save()
            raise
        except SystemExit as error:
            stopping.pause()
            raise KeyboardInterrupt from error  # Lightning turns SIGINT into an exit of its own; callers expect the interrupt


def _tensors(examples: Examples, normaliser: Normaliser, learn: Labels, validation: Labels | None = None) -> PanelTensors:
    """Return resident tensors; a validation label stands where no training label does, and training windows end before it."""
    score, scaled = learn.score_NTH, learn.scaled_NTH
    if validation is not None:
        score = np.where(np.isfinite(score), score, validation.score_NTH)
        scaled = np.where(np.isfinite(scaled), scaled, validation.scaled_NTH)
    return PanelTensors(
        x_NTP=torch.from_numpy(prepare(normaliser, examples.x_NTF)),
        present_NT=torch.from_numpy(present(examples.x_NTF)),
        score_NTH=torch.from_numpy(np.ascontiguousarray(score)),
        scaled_NTH=torch.from_numpy(np.ascontiguousarray(scaled)),
        same_NN=same_sector(examples.grid.tickers, examples.sectors),
    )


def _span(labels: Labels) -> tuple[int, int]:
    """Return [first, end) of the sessions that have a label."""
    labelled_T = np.flatnonzero(np.isfinite(labels.scaled_NTH).any(axis=(0, 2)))
    return int(labelled_T[0]), int(labelled_T[-1]) + 1
