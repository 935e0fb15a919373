"""Training the kernel of a model, which spreads the colors of hints."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.data.dataset import ArtDataset, Sample
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.conditioning import embedding_of, kernel_of, moments_of
from artcolor.models.kernel import ChromaKernel
from artcolor.models.spread import Observations, Spread
from artcolor.train.config import TrainConfig
from artcolor.train.objectives.base import Objective

_FROZEN = frozenset({"network", "head"})
_MOST_HINTS = 100
# In squared Lab units; errors below it do not matter.
_MIN_ERROR = 1.0
_PICTURES = 64


class Spreading(Objective):
    """Logarithm of the squared error that remains after some cells of the output got their true colors.

    The kernel is trained through the solution of the Gaussian process, with 1 to 100 hints at random cells, their
    number drawn uniformly on a logarithmic scale. Network and head stay as they are.

    Args:
        model: its kernel is trained; one without a kernel gets one.
        train: training pictures, for the scale of the network's features.
        size: side of the crops in pixels.
    """

    def __init__(self, model: ColorizationModel, train: ArtDataset, size: int) -> None:
        super().__init__(model)
        if model.kernel is None:
            model.kernel = _kernel_for(model, train, size)

    def forward(
        self, lightness: Tensor, ab: Tensor, *extra: Tensor, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the loss; see `Objective.forward`."""
        return self.loss_of(self.model, lightness, ab, step=step, generator=generator)

    def loss_of(
        self, model: ColorizationModel, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the loss of a copy of the model.

        Args:
            model: the model or its moving average.
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            step: unused.
            generator: draws the hints.

        Returns:
            `"loss"`, and `"gain"`: how much the hints reduce the squared error, in dB.
        """
        with torch.no_grad():
            features = model.encode(lightness)
            raw = model.predict_raw(features)
            truth = F.interpolate(ab, raw.shape[-2:], mode="area")
            residual = (truth - moments_of(model.head, raw, lightness)[0]).flatten(2).mT
        count = round(math.exp(float(torch.rand(1, generator=generator, device=raw.device)) * math.log(_MOST_HINTS)))
        cells = torch.randperm(residual.shape[1], generator=generator, device=raw.device)[:count]
        observations = Observations(cells, truth.flatten(2)[0].mT[cells])
        spread = Spread(kernel_of(model), embedding_of(model, features, raw), observations)(residual[:, cells])
        before, after = (
            each.square().sum(2).mean(1) + _MIN_ERROR for each in (residual, residual - spread.flatten(2).mT)
        )
        loss = (after.log() - before.log()).mean()
        return {"loss": loss, "gain": -10 / math.log(10) * loss.detach()}


def spreading(model: ColorizationModel, config: TrainConfig, train: ArtDataset) -> Spreading:
    """Builds the objective that trains the kernel.

    Args:
        model: the model.
        config: the settings; `frozen` is checked, and `size` is read.
        train: the training pictures.

    Raises:
        ConfigError: network and head are not frozen.
    """
    if not set(config.frozen) >= _FROZEN:
        raise ConfigError("kernel: only the kernel is trained, so also set `frozen: [network, head]`")
    return Spreading(model, train, config.size)


@torch.no_grad()
def _kernel_for(model: ColorizationModel, train: ArtDataset, size: int) -> ChromaKernel:
    """Builds an untrained kernel, which knows the standard deviations of the features."""
    model.eval()
    layers: list[list[Tensor]] = []
    for number in range(min(_PICTURES, len(train))):
        lightness, _ = train[Sample(number, 0, size)]
        layers.append(list(model.kernel_features(model.encode(lightness[None]).encoded)))
    joined = [torch.cat([each[index].float() for each in layers]) for index in range(len(layers[0]))]
    kernel = ChromaKernel([each.shape[1] for each in joined])
    for index, each in enumerate(joined):
        kernel.get_buffer(f"deviation{index}").copy_(each.std((0, 2, 3)) + 1e-3)
    return kernel
