"""Building blocks of the command `artcolor train`."""

import importlib.util
import logging
from pathlib import Path

import torch

from artcolor.data.dataset import ArtDataset, Augmentation, list_pictures
from artcolor.errors import ConfigError, DataError
from artcolor.models.base import ColorizationModel
from artcolor.models.registry import from_pretrained, get_builder
from artcolor.train.callbacks import Callback, TensorBoard
from artcolor.train.config import Recipe
from artcolor.train.trainer import Trainer

_LOG = logging.getLogger(__name__)


def make_trainer(
    recipe: Recipe, data: Path, out: Path, *, init: str | None = None, callbacks: list[Callback] | None = None
) -> Trainer:
    """Builds the trainer that a recipe describes.

    Args:
        recipe: model and settings.
        data: folder of pictures; `artcolor.data.dataset.list_pictures` describes its layouts.
        out: folder for results and checkpoints.
        init: name of a model or path of a weights file to start from, with its bins and priors; `None` trains from
            scratch.
        callbacks: callbacks to call besides those of the trainer; `TensorBoard` is added if it is installed.

    Returns:
        The trainer, not yet started.

    Raises:
        ConfigError: `init` is another model than the recipe trains.
        DataError: there are no training pictures.
    """
    torch.manual_seed(recipe.seed)
    model = _model(recipe, init)
    if init is not None:
        recipe = recipe.model_copy(update={"fit_head": False})
    largest = max(recipe.size, recipe.final_size or 0)
    # At this size, even the smallest crop has enough pixels for the largest crop size.
    side = min(512, max(256, round(largest / recipe.crop)))
    augmentation = Augmentation(crop=recipe.crop, flip=recipe.flip, lightness=recipe.lightness_jitter)
    train = ArtDataset(data, "train", side=side, seed=recipe.seed, augmentation=augmentation)
    try:
        list_pictures(data, "val")
        val: ArtDataset | None = ArtDataset(data, "val", side=side, augmentation=None, limit=recipe.validate_pictures)
    except DataError:
        _LOG.warning("%s has no split 'val': training without validation", data)
        val = None
    callbacks = [*(callbacks or [])]
    if importlib.util.find_spec("tensorboard") is not None:
        callbacks.append(TensorBoard())
    return Trainer(model, recipe, train, val, callbacks, out=out)


def _model(recipe: Recipe, init: str | None) -> ColorizationModel:
    if init is None:
        return get_builder(recipe.model)(**recipe.options)
    model = from_pretrained(init)
    if model.name != recipe.model:
        raise ConfigError(f"--init {init} is a {model.name}, but the recipe trains {recipe.model}")
    return model
