"""Predicting for many pictures at once: batches of one size, on one device, through the fast copy of a model."""

import dataclasses
import os
from collections.abc import Sequence

import torch
from torch import Tensor

from artcolor.color.isolation import isolated
from artcolor.engine.batches import batches
from artcolor.engine.observations import observe
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding, Guidance, Prediction
from artcolor.models.inference import inference_copy
from artcolor.models.registry import models_accepting


@torch.no_grad()
@isolated()
def predict(
    model: ColorizationModel,
    seen: Sequence[Tensor],
    guidance: Guidance = Guidance(),
    decoding: Decoding = Decoding(),
    *,
    uncertainty: bool = False,
    batch_size: int = 4,
    device: torch.device | str = "cpu",
    frame: int = 0,
) -> list[Prediction]:
    """Predicts the chroma of pictures. Those of one size go through the network together.

    Args:
        model: the model, which is not modified; a fast copy of it is used.
        seen: L at the working size of each picture, `(1, 1, h, w)` in 0..100.
        guidance: hints, palette, reference and sampling; the same for all pictures.
        decoding: how the output becomes chroma.
        uncertainty: also compute the entropy.
        batch_size: maximum number of pictures per batch.
        device: device of the network.
        frame: number of the page or frame, for hints that are for a single one.

    Returns:
        A prediction for each picture, on the CPU; its first dimension is the samples of that picture.

    Raises:
        ConfigError: the model does not accept a field of `guidance` or `decoding`, or has no distribution to compute
            an entropy of.
        WeightsError: the network's output is not finite.

    Example:
        >>> import artcolor
        >>> light = [torch.rand(1, 1, 64, 48) * 100, torch.rand(1, 1, 64, 64) * 100]
        >>> [prediction.ab.shape[-2:] for prediction in predict(artcolor.cnn(width=16), light)]
        [torch.Size([16, 12]), torch.Size([16, 16])]
    """
    check_accepts(model, guidance)
    if uncertainty:
        model.distribution_head()
    fast = inference_copy(model, device)
    found: dict[int, Prediction] = {}
    for part in batches([light.shape for light in seen], batch_size):
        lightness = torch.cat([seen[number] for number in part]).to(device)
        placed = on_grid(fast, guidance, lightness, frame)
        together = fast.predict(lightness, placed, decoding, uncertainty=uncertainty)
        found.update(zip(part, _one_by_one(together, len(part)), strict=True))
    return [found[number] for number in range(len(seen))]


def on_grid(model: ColorizationModel, guidance: Guidance, lightness: Tensor, frame: int = 0) -> Guidance:
    """Places hints on the grid of a model's output.

    Args:
        model: the model.
        guidance: its hints, if there are any, are a list of `Hint`.
        lightness: `(N, 1, h, w)`, what the network sees.
        frame: number of the page or frame.

    Returns:
        The same with `Observations` as hints.
    """
    if guidance.hints is None:
        return guidance
    height, width = model.output_size(*lightness.shape[-2:])
    return dataclasses.replace(guidance, hints=observe(guidance.hints, (height, width), frame=frame))


def _after_fork() -> None:
    # The threads of OpenMP do not survive a fork, and a child that waits for them waits for ever.
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _one_by_one(together: Prediction, count: int) -> list[Prediction]:
    """Splits the prediction for a batch into one for each of its pictures."""

    def of(tensor: Tensor, number: int) -> Tensor:
        # All pictures of the first sample come first.
        return tensor[number::count]

    ab, lightness = together.ab.cpu(), together.lightness.cpu()
    entropy = None if together.entropy is None else together.entropy.cpu()
    return [Prediction(of(ab, n), of(lightness, n), None if entropy is None else of(entropy, n)) for n in range(count)]


def check_accepts(model: ColorizationModel, guidance: Guidance) -> None:
    """Checks that a model reads all that is set in `guidance`.

    Args:
        model: the model.
        guidance: hints, palette, reference and sampling.

    Raises:
        ConfigError: it does not; the message names models that do.
    """
    for name in sorted(guidance.given() - model.accepts):
        *some, last = [f"`{other}`" for other in models_accepting(name)] or ["a model that is not released yet"]
        others = f"{', '.join(some)} or {last}" if some else last
        value = getattr(guidance, name)
        shown = f"{name}={value}" if isinstance(value, int | float) else name
        what = "is deterministic" if name in ("seed", "samples", "spread") else f"takes no {name}"
        raise ConfigError(f"{shown}: {model.name} {what}; `{name}` requires {others}")
