"""A trained network, statistics of its inputs, and how a panel of any length is cut into windows for it.

Legend: N tickers, T sessions, L sessions of a window, F features, P prepared features, M market-wide columns, H horizons, Q quantiles.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors

from trader_pipeline.errors import NoModelError
from trader_pipeline.models import distribution, hl_gauss
from trader_pipeline.models.attribution import Attribution, attribution, folded
from trader_pipeline.models.forecast import Forecast, present
from trader_pipeline.models.gru import Gru
from trader_pipeline.models.i_transformer import ITransformer, ITransformerConfig
from trader_pipeline.models.network import Inputs, Network, NetworkConfig, parameters_of
from trader_pipeline.models.network_attribution import integrated_gradients
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.models.patch_tst import PatchTst, PatchTstConfig
from trader_pipeline.models.preparation import Preparation
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.quantiles import QUANTILES

Float32 = npt.NDArray[np.float32]

NETWORKS: dict[str, tuple[type[Any], type[Any]]] = {
    "panel_former": (PanelFormerConfig, PanelFormer),
    "gru": (NetworkConfig, Gru),
    "patch_tst": (PatchTstConfig, PatchTst),
    "i_transformer": (ITransformerConfig, ITransformer),
}
"""Configuration and network of each kind of member."""


def network_of(config: NetworkConfig) -> Network:
    """Return an untrained network of the configuration's kind."""
    made: Network = NETWORKS[kind_of(config)][1](config)
    return made


def kind_of(config: NetworkConfig) -> str:
    """Return the kind of member that a configuration describes."""
    return next(kind for kind, (own, _) in NETWORKS.items() if own is type(config))


@dataclass(frozen=True, eq=False)
class NetworkMember:
    """The network in evaluation mode and how its inputs are prepared."""

    preparation: Preparation
    network: Network

    @property
    def name(self) -> str:
        """The kind of the network."""
        return kind_of(self.network.config)

    @property
    def features(self) -> tuple[str, ...]:
        """The last axis of what `predict` takes."""
        return self.preparation.normaliser.features

    @property
    def weights(self) -> int:
        """The network's parameters."""
        return parameters_of(self.network)

    @property
    def context_sessions(self) -> int:
        """A session sees at least half of the window and at most all of it before itself."""
        return self.network.config.window_sessions

    def predict(self, features_NTF: Float32, grid: Grid, sectors: Mapping[str, str], *, newest: int | None = None) -> Forecast:
        """Return the forecast; NaN where no feature is known, and where only the `newest` sessions are asked for on earlier ones.

        Sessions are cut into blocks of half a window by their date, not by their position, so a session's context, and with it
        its forecast, does not depend on where the panel begins or ends.
        """
        here_NT = present(features_NTF)
        prepared = self.preparation.apply(features_NTF)
        tickers, sessions = here_NT.shape
        shape = (sessions, tickers, len(HORIZONS_SESSIONS))
        score, mean = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
        quantiles = np.full((*shape, len(QUANTILES)), np.nan, np.float32)
        half = self.network.config.window_sessions // 2
        same_NN = same_sector(grid.tickers, sectors)
        with torch_threads(1):
            for first, end in blocks(grid.sessions, half):
                if newest is None or end > sessions - newest:
                    inputs = _window_of(prepared, here_NT, same_NN, max(0, first - half), end)
                    first = first if newest is None else max(first, sessions - newest)  # noqa: PLW2901 - the earlier ones are not wanted
                    score[first:end], mean[first:end], quantiles[first:end] = self._window(inputs, keep=end - first)
        hidden_TN1 = ~here_NT.T[:, :, None]
        return Forecast(
            np.where(hidden_TN1, np.float32(np.nan), score),
            np.where(hidden_TN1, np.float32(np.nan), mean),
            np.where(hidden_TN1[..., None], np.float32(np.nan), quantiles),
        )

    def explain(self, features_NTF: Float32, grid: Grid, sectors: Mapping[str, str], wanted_N: npt.NDArray[np.bool_]) -> Attribution:
        """Return integrated gradients of the wanted tickers' scores of the last session, in the window that `predict` takes."""
        here_NT = present(features_NTF)
        prepared = self.preparation.apply(features_NTF)
        half = self.network.config.window_sessions // 2
        first, end = blocks(grid.sessions, half)[-1]
        inputs = _window_of(prepared, here_NT, same_sector(grid.tickers, sectors), max(0, first - half), end)
        shape = (len(here_NT), len(HORIZONS_SESSIONS))
        score_NH, base_NH = np.full(shape, np.nan), np.full(shape, np.nan)
        parts_NHF = np.full((*shape, len(self.features)), np.nan)
        wanted = np.flatnonzero(wanted_N & here_NT[:, -1])
        if len(wanted):
            with torch_threads(1):
                score_NH[wanted], base_NH[wanted], parts_GHP = integrated_gradients(self.network, inputs, wanted.tolist())
            parts_NHF[wanted] = folded(parts_GHP, self.preparation.columns, self.features)
        return attribution("integrated_gradients", score_NH, base_NH, parts_NHF, centred=False)

    def _window(self, inputs: Inputs, *, keep: int) -> tuple[Float32, Float32, Float32]:
        """Return score, mean [keep, N, H] and quantiles [keep, N, H, Q] of the last `keep` sessions of one window."""
        with torch.no_grad():
            said = self.network.newest(inputs, keep)
            chances = distribution.probabilities(said.distribution_BNLHK[0, :, -keep:].transpose(0, 1))
            if said.market_BLHK is not None:
                chances = distribution.added(chances, distribution.probabilities(said.market_BLHK[0, -keep:]).unsqueeze(1))
            score = said.score_BNLH[0, :, -keep:].transpose(0, 1)
            return score.numpy(), hl_gauss.mean(chances).numpy(), hl_gauss.quantiles(chances, QUANTILES).numpy()

    def files(self) -> dict[str, bytes]:
        """Return weights and statistics as safetensors, sizes and names as JSON."""
        preparation = self.preparation
        facts = {
            "kind": self.name,
            "features": self.features,
            "market_features": preparation.market_features,
            "config": asdict(self.network.config),
        }
        weights = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        statistics = {name: np.ascontiguousarray(values) for name, values in preparation.normaliser.arrays().items()}
        return {
            "weights.safetensors": safetensors.save(weights),
            "normaliser.safetensors": safetensors_numpy.save(statistics),
            "member.json": json.dumps(facts, indent=1).encode(),
        }

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> "NetworkMember":
        """Rebuild from what `files` gave. Raises `NoModelError` for files of an earlier version."""
        facts = json.loads(files["member.json"])
        if "market_features" not in facts:
            raise NoModelError(f"the saved {facts['kind']} is of an earlier version, whose network was another one; train again")
        if "families" in facts["config"]:
            facts["config"]["families"] = tuple(map(tuple, facts["config"]["families"]))
        network = network_of(NETWORKS[facts["kind"]][0](**facts["config"]))
        network.load_state_dict(safetensors.load(files["weights.safetensors"]))
        network.eval()
        normaliser = Normaliser.of_arrays(tuple(facts["features"]), safetensors_numpy.load(files["normaliser.safetensors"]))
        return cls(Preparation(normaliser, tuple(facts["market_features"])), network)


def _window_of(prepared: tuple[Float32, Float32], here_NT: npt.NDArray[np.bool_], same_NN: torch.Tensor, start: int, end: int) -> Inputs:
    """Return one window of the prepared panel, sessions from `start` up to, but without, `end`."""
    x_NTP, market_TM = prepared
    arrays = (x_NTP[:, start:end], here_NT[:, start:end], market_TM[start:end])
    x_BNLP, present_BNL, market_BLM = (torch.from_numpy(np.ascontiguousarray(array)).unsqueeze(0) for array in arrays)
    return Inputs(x_BNLP, present_BNL, market_BLM, same_NN)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with `count` threads: the number decides the order of sums, and with it the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def same_sector(tickers: tuple[str, ...], sectors: Mapping[str, str]) -> torch.Tensor:
    """Return bool [N, N]; a ticker without a sector shares one with nobody but itself."""
    codes = np.unique([sectors.get(ticker, f"ticker {ticker}") for ticker in tickers], return_inverse=True)[1]
    return torch.from_numpy(codes[:, None] == codes)


def blocks(sessions: npt.NDArray[np.datetime64], length: int) -> list[tuple[int, int]]:
    """Return contiguous [first, end) runs of sessions that share a block of `length` weekdays since 1970."""
    number = np.busday_count(np.datetime64("1970-01-01"), sessions.astype("datetime64[D]")) // length
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(sessions)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]
