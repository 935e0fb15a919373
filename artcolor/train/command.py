"""`artcolor train`: a recipe, a folder of pictures, a folder for the result."""

import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from artcolor.data.dataset import ArtDataset, Augmentation, list_pictures
from artcolor.errors import ConfigError, DataError
from artcolor.models.base import ColorizationModel
from artcolor.models.registry import from_pretrained, get_model
from artcolor.train.callbacks import Callback, TensorBoard
from artcolor.train.config import Recipe, load_recipe
from artcolor.train.trainer import Trainer

_LOG = logging.getLogger(__name__)


def parse_overrides(pairs: list[str]) -> dict[str, Any]:
    """Turns `key=value` strings into a dictionary; values are read as YAML, so `size=96` is a number.

    Raises:
        ConfigError: a string without `=`.

    Example:
        >>> parse_overrides(["size=96", "precision=bf16", "options={width: 64}"])
        {'size': 96, 'precision': 'bf16', 'options': {'width': 64}}
    """
    overrides = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set takes key=value, not {pair!r}")
        try:
            overrides[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {pair}: the value is not YAML: {error}") from error
    return overrides


def make_trainer(
    recipe: Recipe, data: Path, out: Path, *, init: str | None = None, callbacks: list[Callback] | None = None
) -> Trainer:
    """Puts together what a recipe asks for.

    Args:
        recipe: what to train and how.
        data: folder of pictures; see `artcolor.data.dataset.list_pictures`.
        out: folder for the result.
        init: a model's name or a weights file to start from; its bins and priors are kept.
        callbacks: told of progress.

    Returns:
        The trainer, which has done nothing yet.

    Raises:
        ConfigError: `init` is of another model than the recipe.
        DataError: there are no training pictures.
    """
    torch.manual_seed(recipe.seed)
    model = _model(recipe, init)
    if init is not None:
        recipe = recipe.model_copy(update={"fit_head": False})
    largest = max(recipe.size, recipe.final_size or 0)
    # The smallest crop of a picture this large still has the pixels that the largest size asks for.
    side = min(512, max(256, round(largest / recipe.crop)))
    variation = Augmentation(crop=recipe.crop, flip=recipe.flip, lightness=recipe.lightness_jitter)
    train = ArtDataset(data, "train", side=side, seed=recipe.seed, augmentation=variation)
    try:
        list_pictures(data, "val")
        val: ArtDataset | None = ArtDataset(data, "val", side=side, augmentation=None, limit=recipe.validate_pictures)
    except DataError:
        _LOG.warning("%s has no split 'val': training goes without validation", data)
        val = None
    told = [*(callbacks or [])]
    if importlib.util.find_spec("tensorboard") is not None:
        told.append(TensorBoard())
    return Trainer(model, recipe, train, val, told, out=out)


def _model(recipe: Recipe, init: str | None) -> ColorizationModel:
    if init is None:
        return get_model(recipe.model, **recipe.options)
    model = from_pretrained(init)
    if model.name != recipe.model:
        raise ConfigError(f"--init {init} is a {model.name}, but the recipe trains {recipe.model}")
    return model


def dry_run(trainer: Trainer) -> list[str]:
    """Times 20 steps at each size and forecasts the whole training.

    Returns:
        Lines to print.
    """
    config = trainer.config
    if config.fit_head:
        trainer.model.head.fit(trainer.train.statistics())
    lines, seconds = [], {}
    for size in sorted({config.size, config.final_size or config.size}):
        took = trainer.measure(size, steps=20)
        seconds[size] = took.total
        per = 1000 / config.batch_size
        lines.append(
            f"{size} px: {took.total * per:.1f} ms/picture = loading {took.waiting * per:.1f} "
            f"+ forward {took.forward * per:.1f} + backward {took.backward * per:.1f} "
            f"+ optimizer {took.optimizer * per:.1f} (waiting {took.waiting / took.total:.1%} of a step)"
        )
    late = 1 - config.final_from if config.final_size else 0.0
    per_step = (1 - late) * seconds[config.size] + late * seconds[config.final_size or config.size]
    steps = trainer.planned_steps(per_step)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  (Windows has no such module)

        # Linux counts in kilobytes, macOS in bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        lines.append(f"memory: {peak / 2**20:.0f} MB at the peak")
    lines.append(
        f"forecast: {steps} steps, {steps * config.batch_size / len(trainer.train):.1f} epochs of "
        f"{len(trainer.train)} pictures, {steps * per_step / 60:.0f} minutes and the validations"
    )
    return lines


__all__ = ["dry_run", "load_recipe", "make_trainer", "parse_overrides"]
