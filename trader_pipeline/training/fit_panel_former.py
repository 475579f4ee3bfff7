"""Fit a PanelFormer: normalise, check, train with early stopping on the purged tail, keep the best epoch.

The final fit has no tail to spare: it learns from every label for as many epochs as the folds found best.
"""

import logging
import statistics
import warnings
from dataclasses import replace

import numpy as np
import pytorch_lightning as lightning
import torch

from trader_pipeline.models import hl_gauss
from trader_pipeline.models.examples import Examples, Labels, labelled
from trader_pipeline.models.forecast import present
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig, parameters_of
from trader_pipeline.models.panel_former_member import PanelFormerMember, prepare, same_sector, torch_threads
from trader_pipeline.training.callbacks import EpochEnd
from trader_pipeline.training.checkpoints import CheckpointStore
from trader_pipeline.training.metering import Metering, meter_of
from trader_pipeline.training.module import Optimisation, PanelFormerModule, PanelNames
from trader_pipeline.training.preflight import beyond_support, overfit_ten, unusual_features
from trader_pipeline.training.ranks import current
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.splits import FINAL
from trader_pipeline.training.windows import PanelTensors, ShuffledWindows, every_window

NAME = "panel_former"


def fit_panel_former(examples: Examples, context: FitContext, size: PanelFormerConfig, settings: Optimisation) -> PanelFormerMember:
    """Return the trained member. `size.columns` is set from the prepared features. Raises `TrainingError`."""
    final = context.fold == FINAL
    learn = examples.every if final else examples.fit
    labelled(learn.score_NTH, f"{NAME}, fold {context.fold}")
    normaliser = Normaliser.fit(examples.x_NTF[np.isfinite(examples.every.scaled_NTH).any(axis=2)], examples.features)
    with torch_threads(settings.threads), torch.random.fork_rng():
        torch.manual_seed(context.seed * 101 + context.fold + 1)
        network = PanelFormer(replace(size, columns=len(normaliser.columns)))
        _start_at_base_rate(network, learn)
        _preflight(network, examples, normaliser, context)
        best = _train(network, examples, normaliser, context, settings)
    if not final:
        context.epochs_of_folds.setdefault(NAME, []).append(best)
    return PanelFormerMember(normaliser, network.eval())


def _start_at_base_rate(network: PanelFormer, labels: Labels) -> None:
    """Set the bins' biases to the labels' own distribution, so that training starts from it and not from a uniform one."""
    rates = []
    for h in range(labels.scaled_NTH.shape[2]):
        known = labels.scaled_NTH[:, :, h]
        projected = hl_gauss.project(torch.from_numpy(known[np.isfinite(known)]))
        rates.append((projected.mean(0) + 1e-4).log() if len(projected) else torch.zeros(hl_gauss.BINS))
    with torch.no_grad():
        network.bins_head.bias.copy_(torch.cat(rates))


def _preflight(network: PanelFormer, examples: Examples, normaliser: Normaliser, context: FitContext) -> None:
    facts: dict[str, object] = dict(unusual_features(examples, normaliser))
    facts["beyond_support"] = round(beyond_support(examples.every.scaled_NTH, hl_gauss.SUPPORT_SIGMAS), 6)
    facts["parameters"] = parameters_of(network)
    if context.fold == 0:
        data = _tensors(examples, normaliser, examples.fit)
        counts_T = np.isfinite(examples.fit.score_NTH).any(axis=2).sum(axis=0)
        window = network.config.window_sessions
        facts["overfit_ten_left"] = round(overfit_ten(network, data, int(np.flatnonzero(counts_T)[-1]) + 1 - window), 4)
    context.report({"event": "preflight", "model": NAME, "fold": context.fold, **facts})


def _train(network: PanelFormer, examples: Examples, normaliser: Normaliser, context: FitContext, settings: Optimisation) -> int:
    """Train in place, leave the best epoch's weights in the network, and return how many epochs led to them."""
    final, window = context.fold == FINAL, network.config.window_sessions
    learn = examples.every if final else examples.fit
    labelled_T = np.flatnonzero(np.isfinite(learn.score_NTH).any(axis=(0, 2)))
    span = (max(0, min(int(labelled_T[0]), int(labelled_T[-1]) + 1 - window)), int(labelled_T[-1]) + 1)
    together = max(1, settings.rows_per_step // (window * len(examples.grid.tickers)))
    batches = ShuffledWindows(*span, length=window, batch=together, seed=context.seed * 101 + context.fold + 1)
    chosen = context.epochs_of_folds.get(NAME, [])
    epochs = max(1, round(statistics.median(chosen))) if final and chosen else settings.epochs
    data = _tensors(examples, normaliser, learn, validation=None if final else examples.tail)
    names = PanelNames(examples.grid.sessions, normaliser.columns)
    total = settings.epochs * len(batches)
    module = PanelFormerModule(network, data, names, settings, total_steps=total, micro_windows=together, ranks=current())
    store = CheckpointStore(context.scratch / f"{NAME}-fold{context.fold}")
    tail = [] if final else every_window(*_span(examples.tail), length=window)
    x, here, _ = data.gather(torch.tensor([span[0]]), window)
    meter = meter_of(network, x, here, data.same_NN, tickers=len(examples.grid.tickers), sessions=window)
    watch = EpochEnd(store, tail, context.report, fold=context.fold, patience=settings.patience)
    _fit(module, batches, [Metering(meter, context.report, model=NAME, fold=context.fold), watch], epochs)
    return store.load_best(network) + 1


def _fit(module: PanelFormerModule, batches: ShuffledWindows, watching: list[lightning.Callback], epochs: int) -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=watching,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".isinstance.treespec", FutureWarning)  # Lightning 2.6 speaks torch's older tree API
        try:
            trainer.fit(module, batches)
        except SystemExit as error:
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
