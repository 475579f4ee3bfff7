"""The PanelFormer of this branch behind the interface of models.network; goes when the network speaks it itself."""

from torch import Tensor

from trader_pipeline.models.network import Inputs, Outputs
from trader_pipeline.models.panel_former import PanelFormer
from trader_pipeline.training import losses
from trader_pipeline.training.losses import Targets


class Network(PanelFormer):
    """A PanelFormer that takes `Inputs` and returns `Outputs`."""

    def forward(self, inputs: Inputs) -> Outputs:  # type: ignore[override]
        """Return score and bins."""
        return Outputs(*super().forward(inputs.x_BNLP, inputs.present_BNL, inputs.same_sector_NN))


def weighted_loss(outputs: Outputs, targets: Targets, counts: Tensor) -> Tensor:
    """Return the loss of a micro-batch."""
    return losses.weighted_loss(outputs.score_BNLH, outputs.distribution_BNLHK, targets, counts)
