"""Training on the predictions of another model."""

from typing import Any, Self, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.codebook import Codebook
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import DistributionHead
from artcolor.models.inference import inference_copy
from artcolor.train.objectives.base import Captured, Extension, Objective


class Teacher:
    """A trained model whose predicted distributions are training targets.

    It is not an `nn.Module`, so that it stays out of the parameters and checkpoints of an objective.

    Args:
        model: a trained model that predicts distributions.

    Raises:
        ConfigError: the model predicts no distribution.
    """

    def __init__(self, model: ColorizationModel) -> None:
        _require_distribution(model)
        self.model = model

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A teacher never changes, so copies of an objective share it.
        return self

    @torch.no_grad()
    def distribution(self, lightness: Tensor, codebook: Codebook, size: torch.Size) -> Tensor:
        """Predicts a distribution over the bins of a student.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            codebook: the student's bins; each bin of the teacher is mapped to the nearest of them.
            size: height and width of the result.

        Returns:
            Probabilities `(N, Q, *size)`, which sum to 1 over the Q bins.
        """
        predicted = inference_copy(self.model, lightness.device).predict_distribution(lightness)
        centers = cast(DistributionHead, self.model.head).codebook.centers.to(lightness.device)
        mapped = codebook.gather(predicted, centers)
        return mapped if mapped.shape[-2:] == size else F.interpolate(mapped, size, mode="area")


class Distillation(Extension):
    """Mixes the cross-entropy with a teacher's predictions into a loss (distillation: Hinton et al. 2015).

    The true colors of a picture are one sample of what they could be; the teacher predicts the whole distribution,
    which is harder to overfit. A student of the same architecture can surpass its teacher (Furlanello et al. 2018).

    Args:
        inner: the objective to extend; its model is the student.
        teacher: the model to learn from.
        share: weight of the teacher's term, above 0 and at most 1; the other objective's loss is weighted by
            1 - `share`.

    Raises:
        ConfigError: the student predicts no distribution, or its loss is more than its head's.
    """

    def __init__(self, inner: Objective, teacher: Teacher, share: float) -> None:
        super().__init__(inner)
        _require_distribution(self.model)
        if type(self.model).training_loss is not ColorizationModel.training_loss:
            raise ConfigError(f"teacher: {self.model.name} has a loss of its own and cannot learn from a teacher")
        self.teacher, self.share = teacher, share

    def forward(
        self, lightness: Tensor, ab: Tensor, *extra: Tensor, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the losses of a batch, among them `"teacher"`, the cross-entropy with the teacher's predictions.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            *extra: tensors for the extended objective.
            step: number of the optimizer step, for losses that warm up.
            generator: source of randomness for the extended objective.
        """
        head = cast(DistributionHead, self.model.head)
        with Captured(head) as logits:
            losses = cast(dict[str, Tensor], self.inner(lightness, ab, *extra, step=step, generator=generator))
        target = self.teacher.distribution(lightness, head.codebook, logits.output.shape[-2:])
        with torch.autocast(lightness.device.type, enabled=False):
            entropy = -(target.float() * torch.log_softmax(logits.output.float(), dim=1)).sum(1).mean()
        return {
            **losses,
            "teacher": entropy.detach(),
            "loss": torch.lerp(losses["loss"], entropy, self.share),
        }


def _require_distribution(model: ColorizationModel) -> None:
    if not isinstance(model.head, DistributionHead):
        raise ConfigError(f"teacher: {model.name} predicts no distribution over colors, which distillation requires")
