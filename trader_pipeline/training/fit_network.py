"""Fit a network: normalise, check, train with early stopping on the purged tail, keep the best epoch.

The final fit has no tail to spare: it learns from every label for as many epochs as the folds found best.
"""

import json
import logging
import statistics
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytorch_lightning as lightning
import torch

from trader_pipeline import durable
from trader_pipeline.errors import TrainingError
from trader_pipeline.models import hl_gauss
from trader_pipeline.models.examples import Examples, Labels, labelled
from trader_pipeline.models.forecast import present
from trader_pipeline.models.network import Network, NetworkConfig, parameters_of
from trader_pipeline.models.network_member import NetworkMember, kind_of, network_of, same_sector, torch_threads
from trader_pipeline.models.panel_former import PanelFormerConfig
from trader_pipeline.models.preparation import Preparation
from trader_pipeline.training import state, stopping
from trader_pipeline.training.callbacks import Keeper
from trader_pipeline.training.checkpoints import CheckpointStore, State
from trader_pipeline.training.compute import DYNAMIC, machine
from trader_pipeline.training.mapped import Mapped, placed
from trader_pipeline.training.metering import Metering, meter_of
from trader_pipeline.training.module import NetworkModule, PanelNames
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.preflight import beyond_support, overfit_ten, unusual_features
from trader_pipeline.training.preflight_data import class_balance
from trader_pipeline.training.ranks import current
from trader_pipeline.training.rate_range import rate_range
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.splits import FINAL
from trader_pipeline.training.targets import VOLUME, targets_of
from trader_pipeline.training.tracing import Tracing
from trader_pipeline.training.windows import PanelTensors, ShuffledWindows, every_window


def fit_network(examples: Examples, context: FitContext, size: NetworkConfig, settings: Optimisation) -> NetworkMember:
    """Return the trained member, going on from what `context.scratch` holds of the same fit. Raises `TrainingError`.

    `size.columns` and the like are set from the prepared features.
    """
    final = context.fold == FINAL
    learn = examples.every if final else examples.fit
    labelled(learn.score_NTH, f"{kind_of(size)}, fold {context.fold}")
    preparation = Preparation.fit(examples)
    with torch_threads(settings.threads), torch.random.fork_rng():
        torch.manual_seed(_seed(context))
        sized, start = _sized(size, preparation, examples), targets_of(learn)
        network = network_of(sized)
        network.heads.start_at(start.residual, start.market)
        network.to(machine(settings.compute).device)
        _preflight(network, examples, preparation, context)
        best, epoch = _train(network, examples, preparation, context, settings)
        trained = network_of(sized)  # on the CPU, neither compiled nor split
    state.load_network(trained, best)
    if not final:
        context.epochs_of_folds.setdefault(kind_of(size), []).append(epoch + 1)
    return NetworkMember(preparation, trained.eval())


def _sized(size: NetworkConfig, preparation: Preparation, examples: Examples) -> NetworkConfig:
    size = replace(size, columns=len(preparation.columns), market_columns=len(preparation.market_columns))
    return replace(size, families=preparation.families(examples.families)) if isinstance(size, PanelFormerConfig) else size


def _seed(context: FitContext) -> int:
    return context.seed * 101 + context.fold + 1


def _preflight(network: Network, examples: Examples, preparation: Preparation, context: FitContext) -> None:
    facts: dict[str, object] = dict(unusual_features(examples, preparation.normaliser))
    facts["beyond_support"] = round(beyond_support(examples.every.scaled_NTH, hl_gauss.SUPPORT_SIGMAS), 6)
    facts["parameters"] = parameters_of(network)
    name = kind_of(network.config)
    if context.fold == 0:
        counts_T = np.isfinite(examples.fit.score_NTH).any(axis=2).sum(axis=0)
        first = int(np.flatnonzero(counts_T)[-1]) + 1 - network.config.window_sessions
        data = _tensors(examples, preparation, examples.fit).sessions(first, network.config.window_sessions).to(_device(network))
        facts["overfit_ten_left"] = context.preflight(name, lambda: round(overfit_ten(network, data, 0), 4))
    context.report({"event": "preflight", "model": name, "fold": context.fold, **facts})


def _device(network: Network) -> torch.device:
    return next(network.parameters()).device


def _train(
    network: Network, examples: Examples, preparation: Preparation, context: FitContext, settings: Optimisation
) -> tuple[State, int]:
    """Train in place, and return the state of the best epoch and its number."""
    final, window, name = context.fold == FINAL, network.config.window_sessions, kind_of(network.config)
    learn = examples.every if final else examples.fit
    labelled_T = np.flatnonzero(np.isfinite(learn.score_NTH).any(axis=(0, 2)))
    span = (max(0, min(int(labelled_T[0]), int(labelled_T[-1]) + 1 - window)), int(labelled_T[-1]) + 1)
    together = settings.windows_a_step((span[1] - span[0]) // window, rows=window * len(examples.grid.tickers))
    batches = ShuffledWindows(*span, length=window, batch=together, seed=_seed(context))
    chosen = context.epochs_of_folds.get(name, [])
    epochs = max(1, round(statistics.median(chosen))) if final and chosen else settings.epochs
    data = placed(  # the tensors have no name here: mapped from files, they leave the memory
        _tensors(examples, preparation, learn, validation=None if final else examples.tail),
        _device(network),
        settings.loading,
        context.scratch,
    )
    if isinstance(data, Mapped):
        context.report({"event": "panel_mapped", "model": name, "fold": context.fold})
    settings = _with_rate(network, data, batches, settings, context)
    context.report({"event": "settings", "model": name, "fold": context.fold, **_settings(network, settings), "seed": _seed(context)})
    inputs, _ = data.gather(torch.tensor([span[0]]), window)
    meter = meter_of(network, inputs, tickers=len(examples.grid.tickers), sessions=window, dtype=machine(settings.compute).dtype)
    module = NetworkModule(
        network,
        data,
        PanelNames(name, context.fold, examples.grid.tickers, examples.grid.sessions, preparation.columns),
        settings,
        total_steps=settings.epochs * len(batches),
        micro_windows=together,
        seed=_seed(context),
        report=context.report,
        ranks=current(),
        class_weights=_class_weights(examples) if settings.class_weights else None,
    )
    store = CheckpointStore(context.scratch / f"{name}-fold{context.fold}")
    tail = [] if final else every_window(*_span(examples.tail), length=window)
    keeper = Keeper(module, store, batches, tail, _identity(network, preparation, settings, span=span, epochs=epochs, seed=_seed(context)))
    keeper.resume()
    beside: list[lightning.Callback] = [Metering(meter, context.report, model=name, fold=context.fold)]
    if context.profile:
        beside.append(Tracing(module, context.profile / f"{name}-fold{context.fold}.json"))
    _fit(module, keeper, epochs, beside)
    return store.best(last=settings.patience is None)


def _with_rate(network: Network, data: PanelTensors, batches: ShuffledWindows, settings: Optimisation, context: FitContext) -> Optimisation:
    """Return the settings with the rate of the recipe, which the range test of the first fold judges, or without one with its pick.

    Where the recipe has a rate a test that cannot be made (memory, a loss that is not finite) is told and stops nothing.
    """
    given = settings.learning_rate
    if given is not None and (context.fold != 0 or context.skip_preflight):
        return settings
    told: dict[str, object] = {"event": "rate_range", "model": kind_of(network.config), "fold": context.fold}
    try:
        tried = rate_range(network, data, batches, micro_windows=1 if given else batches.batch)
    except (TrainingError, torch.OutOfMemoryError) as error:
        if given is None:
            raise
        context.report(told | {"rates": [], "losses": [], "pick": None, "used": given, "warning": f"no range test: {error}"})
        return settings
    finally:
        batches.epoch = 0
    used = tried.pick if given is None else given
    context.report(told | tried._asdict() | {"used": used, "warning": tried.warning(used)})
    return replace(settings, learning_rate=used)


def _settings(network: Network, settings: Optimisation) -> dict[str, object]:
    """Return all that a recipe says of a fit, and what decides its last bits."""
    bits = {"torch": torch.__version__, "device": str(_device(network)), "threads": settings.threads, "dynamic": DYNAMIC}
    return {"size": asdict(network.config), "optimisation": asdict(settings), "ranks": current().world, **bits}


def _class_weights(examples: Examples) -> torch.Tensor:
    """Return [2, H], of labels that are down and up; 1 where a horizon has none."""
    rows = class_balance(examples)
    return torch.tensor([[row[way] or 1.0 for row in rows] for way in ("weight_down", "weight_up")])


def _identity(network: Network, preparation: Preparation, settings: Optimisation, *, span: tuple[int, int], epochs: int, seed: int) -> str:
    """Return a hash of what a checkpoint must have come from to be gone on with; how windows are loaded changes no bit of it."""
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    normaliser = b"".join(np.ascontiguousarray(a).tobytes() for a in preparation.normaliser.arrays().values())
    facts = [
        {name: value for name, value in asdict(settings).items() if name != "loading"},
        str(network.config),
        shapes,
        list(span),
        epochs,
        seed,
        preparation.market_features,
        durable.sha256_bytes(normaliser),
    ]
    return durable.sha256_bytes(json.dumps(facts, sort_keys=True).encode())


def _fit(module: NetworkModule, keeper: Keeper, epochs: int, beside: Sequence[lightning.Callback]) -> None:
    """Run what is left of `epochs`; a signal saves the state and goes on as `Stopped`."""
    left = epochs - len(keeper.epochs)
    if left <= 0 or keeper.stale:
        return
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    device = _device(module.network)
    trainer = lightning.Trainer(
        max_epochs=left,
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=[torch.cuda.current_device()] if device.type == "cuda" else 1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=[*beside, keeper],
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


def _tensors(examples: Examples, preparation: Preparation, learn: Labels, validation: Labels | None = None) -> PanelTensors:
    """Return tensors in host memory; a validation label stands where no training label does, and training windows end before it."""
    if validation is not None:
        learn = Labels(
            np.where(np.isfinite(learn.score_NTH), learn.score_NTH, validation.score_NTH),
            np.where(np.isfinite(learn.scaled_NTH), learn.scaled_NTH, validation.scaled_NTH),
        )
    x_NTP, market_TM = preparation.apply(examples.x_NTF)
    volume_NT = x_NTP[:, :, preparation.columns.index(VOLUME)] if VOLUME in preparation.columns else None
    return PanelTensors(
        x_NTP=torch.from_numpy(x_NTP),
        present_NT=torch.from_numpy(present(examples.x_NTF)),
        market_TM=torch.from_numpy(market_TM),
        same_NN=same_sector(examples.grid.tickers, examples.sectors),
        targets=targets_of(learn, volume_NT),
    )


def _span(labels: Labels) -> tuple[int, int]:
    """Return [first, end) of the sessions that have a label."""
    labelled_T = np.flatnonzero(np.isfinite(labels.scaled_NTH).any(axis=(0, 2)))
    return int(labelled_T[0]), int(labelled_T[-1]) + 1
