"""What a training minimizes: the model's own loss and, if asked for, how far it is from a teacher's predictions and how
badly its encoder names styles and artists.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from artcolor.data.dataset import ArtDataset, Sample
from artcolor.errors import ConfigError, DataError
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import DistributionHead
from artcolor.models.inference import inference_copy

_LOG = logging.getLogger(__name__)
_MOST_CLASSES = 80
_WEIGHT = 0.1
_SMOOTHING = 0.1
_DROPOUT = 0.2
_UNKNOWN = -1


class Labeled(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Pictures as (L, ab, labels).

    Args:
        pictures: which.
        columns: of `metadata.csv`.

    Attributes:
        classes: number of classes by column: its most common values, 80 at most.

    Raises:
        DataError: there is no `metadata.csv`, or one of the columns is not in it.
    """

    def __init__(self, pictures: ArtDataset, columns: Sequence[str]) -> None:
        self.pictures = pictures
        self.classes: dict[str, int] = {}
        numbers = []
        for column in columns:
            values = pictures.labels(column)
            common = Counter(value for value in values if value).most_common(_MOST_CLASSES)
            of_value = {value: number for number, (value, _) in enumerate(common)}
            if len(of_value) > 1:
                self.classes[column] = len(of_value)
                numbers.append(torch.tensor([of_value.get(value, _UNKNOWN) for value in values]))
            else:
                _LOG.warning("metadata.csv has fewer than two values of %s, so it is not learned", column)
        self.labels = torch.stack(numbers, dim=1) if numbers else torch.empty(len(pictures), 0, dtype=torch.long)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, key: Sample) -> tuple[Tensor, Tensor, Tensor]:
        """Gives L, ab, and the number of each column's class, -1 where it is unknown."""
        return *self.pictures[key], self.labels[key.index]


def labeled(pictures: ArtDataset, columns: Sequence[str]) -> Labeled | None:
    """Puts labels to pictures; where there are none to be had, it warns and does without.

    Args:
        pictures: which.
        columns: of `metadata.csv`.

    Returns:
        The pictures with their labels, or `None`.
    """
    try:
        found = Labeled(pictures, columns)
    except DataError as error:
        _LOG.warning("training goes without classify: %s", error)
        return None
    return found if found.classes else None


class Classifier(nn.Module):
    """Names a picture's style or artist from what the encoder sees at its coarsest, averaged over the picture.

    School and hand say much about a painting's colors, and an encoder that is asked for them learns to see them
    (multitask learning: Caruana 1997). It serves the training alone and is no part of the model.

    Args:
        model: whose network has an `encoder`; it is left in evaluation mode.
        classes: number of classes by column.

    Raises:
        ConfigError: the network has no encoder.
    """

    def __init__(self, model: ColorizationModel, classes: dict[str, int]) -> None:
        super().__init__()
        if not isinstance(getattr(model.network, "encoder", None), nn.Module):
            raise ConfigError(f"classify: {model.name} has no encoder whose features could be classified")
        # In evaluation mode, as asking for the shape must not touch BatchNorms.
        with torch.no_grad(), Watched(model.eval().network.get_submodule("encoder")) as watched:
            side = max(model.network.stride, 32)
            model(torch.zeros(1, 1, side, side, device=next(model.parameters()).device))
        self.layers = nn.ModuleList(nn.Linear(watched.seen.shape[1], number) for number in classes.values())

    def forward(self, seen: Tensor, labels: Tensor) -> Tensor:
        """Gives the cross-entropy, summed over columns, in the mean over those pictures whose label is known.

        Args:
            seen: `(N, C, h, w)`, the encoder's coarsest features.
            labels: `(N, columns)`, -1 where unknown.
        """
        pooled = F.dropout(seen.float().mean((2, 3)), _DROPOUT, self.training)
        total = pooled.new_zeros(())
        for layer, wanted in zip(self.layers, labels.unbind(1), strict=True):
            wrong = F.cross_entropy(
                layer(pooled), wanted, ignore_index=_UNKNOWN, reduction="sum", label_smoothing=_SMOOTHING
            )
            total = total + wrong / (wanted != _UNKNOWN).sum().clamp(min=1)
        return total


class Watched:
    """A context in which `seen` becomes what a part of a model gives, at its coarsest if it gives several.

    The hook is gone afterwards, as copies of the model (the average, the one that is timed) would copy it.

    Args:
        part: for example a network's `encoder`.
    """

    seen: Tensor

    def __init__(self, part: nn.Module) -> None:
        self.part = part

    def __enter__(self) -> "Watched":
        self._handle = self.part.register_forward_hook(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _see(self, _: nn.Module, __: Any, output: Tensor | list[Tensor]) -> None:
        self.seen = output if isinstance(output, Tensor) else output[-1]


class Teacher:
    """A trained model whose predictions another learns beside the truth (distillation: Hinton et al. 2015).

    A picture's own colors are one draw; what a teacher thinks of it is a whole distribution, and little of that is
    learned by heart. Where both are of one kind the pupil can get better than its teacher (Furlanello et al. 2018).

    Args:
        teacher: predicts distributions.
        pupil: learns them, on its own bins; each of the teacher's goes to the nearest of those.
        share: of the loss, above 0 and at most 1; the rest is the truth's.

    Raises:
        ConfigError: one of them predicts no distribution, or the pupil's loss is not only its head's.
    """

    def __init__(self, teacher: ColorizationModel, pupil: ColorizationModel, share: float) -> None:
        for model in (teacher, pupil):
            if not isinstance(model.head, DistributionHead):
                raise ConfigError(f"teacher: {model.name} predicts no distribution over colors")
        if type(pupil).training_loss is not ColorizationModel.training_loss:
            raise ConfigError(f"teacher: {pupil.name} has a loss of its own, which takes no teacher")
        self.teacher, self.share = teacher, share
        # Its head, as bins are fitted later.
        self._pupil = cast(DistributionHead, pupil.head)

    @torch.no_grad()
    def distribution(self, lightness: Tensor, size: torch.Size) -> Tensor:
        """What the teacher thinks of a picture.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            size: h and w, of the result.

        Returns:
            The probabilities of the pupil's bins, `(N, Q, h, w)`.
        """
        own = inference_copy(self.teacher, lightness.device).predict_distribution(lightness)
        centers = cast(DistributionHead, self.teacher.head).codebook.centers.to(lightness.device)
        mapped = self._pupil.codebook.gather(own, centers)
        return mapped if mapped.shape[-2:] == size else F.interpolate(mapped, size, mode="area")


class Objective(nn.Module):
    """The loss as a forward pass, which is where accelerate puts autocast and the exchange of gradients.

    Args:
        model: to be trained.
        classifier: learns along, if given.
        teacher: is learned from, if given.
    """

    def __init__(
        self, model: ColorizationModel, classifier: Classifier | None = None, teacher: Teacher | None = None
    ) -> None:
        super().__init__()
        self.model, self.classifier, self.teacher = model, classifier, teacher

    def forward(
        self, lightness: Tensor, ab: Tensor, step: int, generator: torch.Generator, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Gives the losses of a batch; `"loss"` is what is minimized.

        Args:
            lightness: see `ColorizationModel.training_loss`.
            ab: see there.
            step: see there.
            generator: see there.
            labels: for the classifier, if there is one.
        """
        if self.classifier is None and self.teacher is None:
            return self.model.training_loss(lightness, ab, step=step, generator=generator)
        encoder = self.model.network.get_submodule("encoder") if self.classifier is not None else nn.Identity()
        with Watched(encoder) as features, Watched(self.model.head) as predicted:
            losses = self.model.training_loss(lightness, ab, step=step, generator=generator)
        if self.teacher is not None:
            thought = self.teacher.distribution(lightness, predicted.seen.shape[-2:])
            with torch.autocast(lightness.device.type, enabled=False):
                apart = -(thought.float() * torch.log_softmax(predicted.seen.float(), dim=1)).sum(1).mean()
            loss = torch.lerp(losses["loss"], apart, self.teacher.share)
            losses = {**losses, "teacher": apart.detach(), "loss": loss}
        if self.classifier is not None and labels is not None:
            with torch.autocast(lightness.device.type, enabled=False):
                wrong: Tensor = self.classifier(features.seen, labels)
            losses = {**losses, "classes": wrong.detach(), "loss": losses["loss"] + _WEIGHT * wrong}
        return losses
