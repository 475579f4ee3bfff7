"""A trained PanelFormer: network, statistics of its inputs, and how a panel of any length is cut into windows for it.

Legend: N tickers, T sessions, L sessions of a window, F features, P prepared features, H horizons, Q quantiles.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors

from trader_pipeline.models import hl_gauss
from trader_pipeline.models.forecast import Forecast, present
from trader_pipeline.models.network import Inputs
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.outputs import QUANTILES

Float32 = npt.NDArray[np.float32]

CLIP = 5.0
"""Largest absolute standardised input."""


@dataclass(frozen=True, eq=False)
class PanelFormerMember:
    """The network in evaluation mode and the normaliser of its inputs."""

    normaliser: Normaliser
    network: PanelFormer

    name = "panel_former"

    @property
    def features(self) -> tuple[str, ...]:
        """The last axis of what `predict` takes."""
        return self.normaliser.features

    @property
    def context_sessions(self) -> int:
        """A session sees at least half of the window and at most all of it before itself."""
        return self.network.config.window_sessions

    def predict(self, features_NTF: Float32, grid: Grid, sectors: Mapping[str, str]) -> Forecast:
        """Return the forecast; NaN where no feature is known.

        Sessions are cut into blocks of half a window by their date, not by their position, so a session's context, and with it
        its forecast, does not depend on where the panel begins or ends.
        """
        here_NT = present(features_NTF)
        prepared_NTP = prepare(self.normaliser, features_NTF)
        tickers, sessions = here_NT.shape
        shape = (sessions, tickers, len(HORIZONS_SESSIONS))
        score, mean = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
        quantiles = np.full((*shape, len(QUANTILES)), np.nan, np.float32)
        half = self.network.config.window_sessions // 2
        same_NN = same_sector(grid.tickers, sectors)
        with torch_threads(1):
            for first, end in blocks(grid.sessions, half):
                start = max(0, first - half)
                outputs = self._window(prepared_NTP[:, start:end], here_NT[:, start:end], same_NN, keep=end - first)
                score[first:end], mean[first:end], quantiles[first:end] = outputs
        hidden_TN1 = ~here_NT.T[:, :, None]
        return Forecast(
            np.where(hidden_TN1, np.float32(np.nan), score),
            np.where(hidden_TN1, np.float32(np.nan), mean),
            np.where(hidden_TN1[..., None], np.float32(np.nan), quantiles),
        )

    def _window(
        self, prepared_NLP: Float32, here_NL: npt.NDArray[np.bool_], same_NN: torch.Tensor, *, keep: int
    ) -> tuple[Float32, Float32, Float32]:
        """Return score, mean [keep, N, H] and quantiles [keep, N, H, Q] of the last `keep` sessions of one window."""
        with torch.no_grad():
            x_1NLP = torch.from_numpy(np.ascontiguousarray(prepared_NLP)).unsqueeze(0)
            present_1NL = torch.from_numpy(np.ascontiguousarray(here_NL)).unsqueeze(0)
            score, logits, *_ = self.network(Inputs(x_1NLP, present_1NL, x_1NLP.new_empty(1, x_1NLP.shape[2], 0), same_NN))
            chances = torch.softmax(logits[0, :, -keep:], -1).transpose(0, 1)
            kept_score = score[0, :, -keep:].transpose(0, 1)
            return kept_score.numpy(), hl_gauss.mean(chances).numpy(), hl_gauss.quantiles(chances, QUANTILES).numpy()

    def files(self) -> dict[str, bytes]:
        """Return weights and statistics as safetensors, sizes and names as JSON."""
        facts = {"kind": self.name, "features": self.features, "config": asdict(self.network.config)}
        weights = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        return {
            "weights.safetensors": safetensors.save(weights),
            "normaliser.safetensors": safetensors_numpy.save({k: np.ascontiguousarray(v) for k, v in self.normaliser.arrays().items()}),
            "member.json": json.dumps(facts, indent=1).encode(),
        }

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> "PanelFormerMember":
        """Rebuild from what `files` gave."""
        facts = json.loads(files["member.json"])
        network = PanelFormer(PanelFormerConfig(**facts["config"]))
        network.load_state_dict(safetensors.load(files["weights.safetensors"]))
        network.eval()
        statistics = safetensors_numpy.load(files["normaliser.safetensors"])
        return cls(Normaliser.of_arrays(tuple(facts["features"]), statistics), network)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with `count` threads: the number decides the order of sums, and with it the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prepare(normaliser: Normaliser, features: Float32) -> Float32:
    """Return the network's inputs [..., P]."""
    return np.clip(normaliser.apply(features), -CLIP, CLIP)


def same_sector(tickers: tuple[str, ...], sectors: Mapping[str, str]) -> torch.Tensor:
    """Return bool [N, N]; a ticker without a sector shares one with nobody but itself."""
    codes = [sectors.get(ticker, f"ticker {ticker}") for ticker in tickers]
    return torch.tensor([[a == b for b in codes] for a in codes], dtype=torch.bool)


def blocks(sessions: npt.NDArray[np.datetime64], length: int) -> list[tuple[int, int]]:
    """Return contiguous [first, end) runs of sessions that share a block of `length` weekdays since 1970."""
    number = np.busday_count(np.datetime64("1970-01-01"), sessions.astype("datetime64[D]")) // length
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(sessions)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]
