"""Integrated gradients of a network's scores: what each of a ticker's own features adds, its peers and the market held as they are.

The path leads from a row of training means, nothing null, to the ticker's own (Sundararajan, Taly & Yan 2017). On the way the others
keep the states that they have in the forecast (`_Crowd`), so that the end of the path is the forecast itself and its beginning, the
base value, is what the network says of an average row among the same peers. The integral is taken at Gauss-Legendre nodes, twice as
many until it adds up.
Legend: B windows (1), N tickers, G rows on paths, L sessions of a window, P prepared features, D width, S positions, H horizons.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trader_pipeline.models.blocks import OverTickers
from trader_pipeline.models.network import HORIZONS, Inputs, Network

Floats = npt.NDArray[np.float64]

STEPS = (8, 16, 32, 64, 128)
"""Nodes of the integral; more are taken until it adds up."""
TOLERANCE = 0.005
"""Largest error of a sum, in standard deviations of the session's scores."""
_ROWS = 128
"""Rows on paths that are computed at once: memory grows with them times the tickers."""


def integrated_gradients(network: Network, inputs: Inputs, wanted: list[int]) -> tuple[Floats, Floats, Floats]:
    """Return score [G, H], base [G, H] and contributions [G, H, P] of the last session of one window, for the tickers `wanted`.

    Contributions are summed over the sessions of the window. What score - base - contributions leave is below `TOLERANCE`, or is
    what the most nodes left.
    """
    crowd = _Crowd(network, inputs)
    spread_H = np.maximum(crowd.score_NH[inputs.present_BNL[0, :, -1].numpy()].std(axis=0), np.finfo(np.float32).tiny)
    score_GH, base_GH = crowd.score_NH[wanted], crowd.scores(wanted, torch.zeros(len(wanted)))
    parts_GHP = np.zeros((*score_GH.shape, inputs.x_BNLP.shape[-1]))
    left = np.arange(len(wanted))
    for steps in STEPS:
        parts_GHP[left] = _integral(crowd, [wanted[i] for i in left], steps)
        error_GH = np.abs(score_GH - base_GH - parts_GHP.sum(axis=-1)) / spread_H
        left = np.flatnonzero(error_GH.max(axis=1) > TOLERANCE)
        if not len(left):
            break
    return score_GH, base_GH, parts_GHP


def _integral(crowd: "_Crowd", wanted: list[int], steps: int) -> Floats:
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    rows = [(g, ticker, (node + 1) / 2, weight / 2) for g, ticker in enumerate(wanted) for node, weight in zip(nodes, weights, strict=True)]
    parts_GHP = np.zeros((len(wanted), HORIZONS, crowd.inputs.x_BNLP.shape[-1]))
    for start in range(0, len(rows), _ROWS):
        index, tickers, share, weight = zip(*rows[start : start + _ROWS], strict=True)
        slopes_GHP = crowd.slopes(list(tickers), torch.tensor(share, dtype=torch.float32))
        np.add.at(parts_GHP, list(index), slopes_GHP * np.array(weight)[:, None, None])
    return parts_GHP


class _Crowd:
    """One forecast's states of condition and tickers, among which rows on paths are looked at one by one: nobody sees them."""

    def __init__(self, network: Network, inputs: Inputs) -> None:
        self.network, self.inputs = network, inputs
        self._mixers = [module for module in network.modules() if isinstance(module, OverTickers)]
        self._states: dict[nn.Module, Tensor] = {}
        with torch.no_grad(), self._hooked([(mixer, self._remember) for mixer in self._mixers]):
            self._condition_BLc: Tensor = network.get_submodule("condition")(inputs)
            self.score_NH = network.newest(inputs, 1).score_BNLH[0, :, -1].double().numpy()

    def scores(self, tickers: list[int], share_G: Tensor) -> Floats:
        """Return [G, H]: what is said of each ticker whose row is `share_G` of the way from the mean to its own."""
        found = []
        with torch.no_grad():
            for start in range(0, len(tickers), _ROWS):
                part = slice(start, start + _ROWS)
                found.append(self._said(tickers[part], self._own(tickers[part]) * share_G[part, None, None]).double().numpy())
        return np.concatenate(found)

    def slopes(self, tickers: list[int], share_G: Tensor) -> Floats:
        """Return [G, H, P]: slope of each score along its path, by feature, summed over the window's sessions."""
        own_GLP = self._own(tickers)
        x_GLP = (own_GLP * share_G[:, None, None]).requires_grad_()
        score_GH = self._said(tickers, x_GLP)
        slopes = [torch.autograd.grad(score_GH[:, h].sum(), x_GLP, retain_graph=h + 1 < HORIZONS)[0] for h in range(HORIZONS)]
        return np.stack([(slope * own_GLP).double().sum(1).numpy() for slope in slopes], axis=1)

    def _own(self, tickers: list[int]) -> Tensor:
        return self.inputs.x_BNLP[0, tickers]

    def _said(self, tickers: list[int], x_GLP: Tensor) -> Tensor:
        """Return score [G, H] of the last session for rows that stand in the tickers' places."""
        present_BGL = self.inputs.present_BNL[:, tickers]
        alone_GG = torch.eye(len(tickers), dtype=torch.bool)
        inputs = Inputs(x_GLP.unsqueeze(0), present_BGL, self.inputs.market_BLM, alone_GG)
        masks = self._masks(tickers)
        hooks = [(mixer, lambda m, args, _: self._among(m, args[0], *masks)) for mixer in self._mixers]
        with self._hooked([(self.network.get_submodule("condition"), lambda *_: self._condition_BLc), *hooks]):
            score_GH: Tensor = self.network.newest(inputs, 1).score_BNLH[0, :, -1]
        return score_GH

    def _among(self, mixer: nn.Module, x_BNLD: Tensor, near_L1GS: Tensor, far_L1GS: Tensor) -> Tensor:
        """Return the mixer's output where each row sees the crowd without its ticker, and itself."""
        rows, sessions = near_L1GS.shape[2], x_BNLD.shape[2]
        own_LGD, crowd_LSD = (x[0].transpose(0, 1) for x in (x_BNLD[:, :rows], self._states[mixer]))
        mixed_LGD = mixer.get_submodule("attention").crosswise(own_LGD, near_L1GS[-sessions:], far_L1GS[-sessions:], crowd_LSD)  # type: ignore[operator]
        return nn.functional.pad(mixed_LGD.transpose(0, 1).unsqueeze(0), (0, 0, 0, 0, 0, x_BNLD.shape[1] - rows))

    def _masks(self, tickers: list[int]) -> tuple[Tensor, Tensor]:
        """Return whom each row sees inside the sector and globally, [L, 1, G, S]: crowd, tokens and the rows themselves.

        As `blocks.crosswise_masks` has it, with the row in its ticker's place.
        """
        present_LN = self.inputs.present_BNL[0].T
        tokens = max((state.shape[1] for state in self._states.values()), default=present_LN.shape[1]) - present_LN.shape[1]
        other_GN = torch.ones(len(tickers), present_LN.shape[1], dtype=torch.bool)
        other_GN[range(len(tickers)), tickers] = False
        far_LGN = present_LN[:, None] & other_GN
        near_LGN = far_LGN & self.inputs.same_sector_NN[tickers]
        itself_LGG = torch.eye(len(tickers), dtype=torch.bool).expand(len(present_LN), -1, -1)
        seen_LGG = itself_LGG & present_LN[:, tickers, None] if tokens else itself_LGG
        pad = nn.functional.pad
        near, far = pad(near_LGN, (0, tokens), value=False), pad(far_LGN, (0, tokens), value=True)
        return torch.cat([near, itself_LGG], 2).unsqueeze(1), torch.cat([far, seen_LGG], 2).unsqueeze(1)

    def _remember(self, mixer: nn.Module, args: tuple[Tensor, ...], _: Tensor) -> None:
        self._states[mixer] = args[0]

    @contextmanager
    def _hooked(self, hooks: "list[tuple[nn.Module, object]]") -> Iterator[None]:
        with ExitStack() as stack:
            for module, hook in hooks:
                stack.enter_context(_removed(module.register_forward_hook(hook)))  # type: ignore[arg-type]
            yield


@contextmanager
def _removed(handle: torch.utils.hooks.RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
