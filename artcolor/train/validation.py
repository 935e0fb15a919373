"""Validation of a model during training."""

import torch

from artcolor.color.lab import lab_to_rgb_in_gamut
from artcolor.data.dataset import ArtDataset, Sample
from artcolor.evaluate import metrics
from artcolor.models.base import ColorizationModel
from artcolor.train.config import TrainConfig
from artcolor.train.objectives.base import Objective

METRICS = ("loss", "psnr", "colorfulness")
"""Names of the metrics that `validate` returns."""


@torch.no_grad()
def validate(
    model: ColorizationModel,
    data: ArtDataset,
    config: TrainConfig,
    objective: Objective,
    *,
    step: int,
    device: torch.device,
) -> dict[str, float]:
    """Evaluates a model on central crops.

    Args:
        model: a model in evaluation mode.
        data: pictures without augmentation.
        config: the settings; crop size, `batch_size`, `seed` and `validate_pictures` are read.
        objective: computes the loss.
        step: number of the optimizer step, for losses that warm up.
        device: the device of the model.

    Returns:
        Means of `loss`, `psnr` (in dB, with the model's default decoding) and `colorfulness` of the predictions.
    """
    size = config.final_size or config.size
    count = min(len(data), config.validate_pictures)
    sums = dict.fromkeys(METRICS, 0.0)
    for start in range(0, count, config.batch_size):
        numbers = range(start, min(start + config.batch_size, count))
        pairs = [data[Sample(number, 0, size)] for number in numbers]
        lightness, ab = (torch.stack(side).to(device) for side in zip(*pairs, strict=True))
        generator = torch.Generator(device).manual_seed(config.seed)
        loss = objective.loss_of(model, lightness, ab, step=step, generator=generator)["loss"]
        predicted = lab_to_rgb_in_gamut(lightness, model.predict_ab(lightness))
        truth = lab_to_rgb_in_gamut(lightness, ab)
        sums["loss"] += float(loss) * len(pairs)
        sums["psnr"] += float(metrics.psnr(predicted, truth).sum())
        sums["colorfulness"] += float(metrics.colorfulness(predicted).sum())
    return {name: total / count for name, total in sums.items()}
