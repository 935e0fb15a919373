"""The interface between the training loop and the loss that it minimizes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from artcolor.data.dataset import ArtDataset
from artcolor.models.base import ColorizationModel


class Objective(nn.Module):
    """The model's own loss.

    The loss is computed in a forward pass because that is where accelerate applies autocast and synchronizes
    gradients.

    Args:
        model: the model to train.

    Example:
        >>> import artcolor
        >>> lightness, ab = torch.rand(2, 1, 32, 32) * 100, torch.randn(2, 2, 32, 32)
        >>> objective = Objective(artcolor.cnn(width=16))
        >>> sorted(objective(lightness, ab, step=0, generator=torch.Generator()))
        ['loss', 'nll']
    """

    def __init__(self, model: ColorizationModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, lightness: Tensor, ab: Tensor, *extra: Tensor, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the losses of a batch from `dataset`.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            *extra: further tensors of the batch, which extensions add to the data set.
            step: number of the optimizer step, for losses that warm up.
            generator: source of all randomness.

        Returns:
            Loss by name; `"loss"` is minimized, the others are for callbacks.
        """
        return self.model.training_loss(lightness, ab, step=step, generator=generator)

    def loss_of(
        self, model: ColorizationModel, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the losses of a copy of the model, for validation.

        Args:
            model: the model or its moving average.
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            step: number of the optimizer step, for losses that warm up.
            generator: source of all randomness.

        Returns:
            Loss by name.
        """
        return model.training_loss(lightness, ab, step=step, generator=generator)

    def dataset(self, pictures: ArtDataset) -> Dataset[tuple[Tensor, ...]]:
        """Returns the data set whose batches `forward` takes.

        Args:
            pictures: pairs of L and ab.
        """
        return pictures

    def auxiliaries(self) -> dict[str, nn.Module]:
        """Returns the modules trained beside the model, by name.

        The trainer optimizes and checkpoints them. The released weights do not contain them.
        """
        return {}


class Extension(Objective):
    """A base class for objectives that add a term to another objective.

    Args:
        inner: the objective to extend.
    """

    def __init__(self, inner: Objective) -> None:
        super().__init__(inner.model)
        self.inner = inner

    def dataset(self, pictures: ArtDataset) -> Dataset[tuple[Tensor, ...]]:
        """Returns the data set of the extended objective."""
        return self.inner.dataset(pictures)

    def auxiliaries(self) -> dict[str, nn.Module]:
        """Returns the auxiliary modules of the extended objective."""
        return self.inner.auxiliaries()


class Captured:
    """A context manager that captures the output of a module.

    The hook is removed on exit because copies of the model (its moving average, for example) would copy it.

    Args:
        module: any part of a model, for example its `head`.

    Attributes:
        output: the latest output; the last one if the module returns a list.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> with Captured(layer) as captured:
        ...     _ = layer(torch.zeros(1, 3))
        >>> captured.output.shape
        torch.Size([1, 2])
    """

    output: Tensor

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __enter__(self) -> "Captured":
        self._handle = self.module.register_forward_hook(self._capture)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _capture(self, _: nn.Module, __: Any, output: Tensor | list[Tensor]) -> None:
        self.output = output if isinstance(output, Tensor) else output[-1]
