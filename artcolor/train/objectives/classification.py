"""Training the encoder to classify pictures by style, genre or artist, too."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from artcolor.data.dataset import ArtDataset, Sample
from artcolor.errors import ConfigError, DataError
from artcolor.models.base import ColorizationModel
from artcolor.train.objectives.base import Captured, Extension, Objective

_LOG = logging.getLogger(__name__)
_MAX_CLASSES = 80
_WEIGHT = 0.1
_SMOOTHING = 0.1
_DROPOUT = 0.2
_UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Labels:
    """Class labels of the pictures of a data set.

    Attributes:
        classes: number of classes by column.
        numbers: `(pictures, columns)`, class of each picture in each column, -1 where unknown.
    """

    classes: dict[str, int]
    numbers: Tensor


def read_labels(pictures: ArtDataset, columns: Sequence[str]) -> Labels:
    """Reads class labels from `metadata.csv`.

    The classes of a column are its most common values, 80 at most. Columns with fewer than two values are left out,
    with a warning.

    Args:
        pictures: the data set.
        columns: columns of its `metadata.csv`.

    Raises:
        DataError: `metadata.csv` or one of the columns does not exist.
    """
    classes: dict[str, int] = {}
    numbers = []
    for column in columns:
        values = pictures.labels(column)
        common = Counter(value for value in values if value).most_common(_MAX_CLASSES)
        number_of = {value: number for number, (value, _) in enumerate(common)}
        if len(number_of) > 1:
            classes[column] = len(number_of)
            numbers.append(torch.tensor([number_of.get(value, _UNKNOWN) for value in values]))
        else:
            _LOG.warning("classify: metadata.csv has fewer than two values of %s, so the column is ignored", column)
    return Labels(classes, torch.stack(numbers, dim=1) if numbers else torch.empty(len(pictures), 0, dtype=torch.long))


def labels_or_none(pictures: ArtDataset, columns: Sequence[str]) -> Labels | None:
    """Reads class labels like `read_labels`, but warns instead of failing if there are none.

    Args:
        pictures: the data set.
        columns: columns of its `metadata.csv`.

    Returns:
        The labels, or `None` if no column has any.
    """
    try:
        labels = read_labels(pictures, columns)
    except DataError as error:
        _LOG.warning("training without classify: %s", error)
        return None
    return labels if labels.classes else None


class LabeledDataset(Dataset[tuple[Tensor, ...]]):
    """Appends class labels to the samples of a data set.

    Args:
        samples: data set indexed by `Sample`.
        numbers: `(pictures, columns)`; see `Labels`.
    """

    def __init__(self, samples: Dataset[tuple[Tensor, ...]], numbers: Tensor) -> None:
        self.samples, self.numbers = samples, numbers

    def __getitem__(self, key: Sample) -> tuple[Tensor, ...]:
        """Returns the tensors of a sample, followed by its labels `(columns,)`, -1 where unknown."""
        return *self.samples[key], self.numbers[key.index]


class Classifier(nn.Module):
    """Classifies pictures from the coarsest features of the encoder, averaged over the picture.

    Args:
        model: a model whose network has an `encoder`; it is left in evaluation mode.
        classes: number of classes by column.

    Raises:
        ConfigError: the network has no encoder.
    """

    def __init__(self, model: ColorizationModel, classes: dict[str, int]) -> None:
        super().__init__()
        if not isinstance(getattr(model.network, "encoder", None), nn.Module):
            raise ConfigError(f"classify: {model.name} has no encoder to train on labels; remove `classify`")
        # In training mode, this pass would change the statistics of BatchNorms.
        with torch.no_grad(), Captured(model.eval().network.get_submodule("encoder")) as captured:
            side = max(model.network.stride, 32)
            model(torch.zeros(1, 1, side, side, device=next(model.parameters()).device))
        self.layers = nn.ModuleList(nn.Linear(captured.output.shape[1], number) for number in classes.values())

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Computes the cross-entropy, summed over columns and averaged over the pictures with a known label.

        Args:
            features: `(N, C, h, w)`, the coarsest features of the encoder.
            labels: `(N, columns)`, class numbers, -1 where unknown.
        """
        pooled = F.dropout(features.float().mean((2, 3)), _DROPOUT, self.training)
        total = pooled.new_zeros(())
        for layer, target in zip(self.layers, labels.unbind(1), strict=True):
            entropy = F.cross_entropy(
                layer(pooled), target, ignore_index=_UNKNOWN, reduction="sum", label_smoothing=_SMOOTHING
            )
            total = total + entropy / (target != _UNKNOWN).sum().clamp(min=1)
        return total


class Classification(Extension):
    """Adds the loss of a classifier on the features of the encoder (multitask learning: Caruana 1997).

    Style and artist say much about the colors of a painting, so an encoder that predicts them learns features that
    help to colorize.

    Args:
        inner: the objective to extend.
        labels: labels of the training pictures.

    Raises:
        ConfigError: the network has no encoder.
    """

    def __init__(self, inner: Objective, labels: Labels) -> None:
        super().__init__(inner)
        self.classifier = Classifier(inner.model, labels.classes)
        self._numbers = labels.numbers

    def forward(
        self, lightness: Tensor, ab: Tensor, *extra: Tensor, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the losses of a batch, among them `"classes"`, the cross-entropy of the classifier.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            *extra: tensors for the extended objective, followed by the labels `(N, columns)`.
            step: number of the optimizer step, for losses that warm up.
            generator: source of randomness for the extended objective.
        """
        *others, labels = extra
        with Captured(self.model.network.get_submodule("encoder")) as features:
            losses = cast(dict[str, Tensor], self.inner(lightness, ab, *others, step=step, generator=generator))
        with torch.autocast(lightness.device.type, enabled=False):
            entropy: Tensor = self.classifier(features.output, labels)
        return {**losses, "classes": entropy.detach(), "loss": losses["loss"] + _WEIGHT * entropy}

    def dataset(self, pictures: ArtDataset) -> Dataset[tuple[Tensor, ...]]:
        """Returns the data set of the extended objective with labels.

        Args:
            pictures: the pictures that the labels belong to, in the same order.
        """
        return LabeledDataset(self.inner.dataset(pictures), self._numbers)

    def auxiliaries(self) -> dict[str, nn.Module]:
        """Returns the classifier and the auxiliary modules of the extended objective."""
        return {**self.inner.auxiliaries(), "classifier": self.classifier}
