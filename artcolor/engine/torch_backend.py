"""Runs networks in PyTorch, on any of its devices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from artcolor.color.rows import Pixels
from artcolor.engine.loading import device_of, loaded
from artcolor.engine.predict import check_accepts, predict
from artcolor.errors import ConfigError
from artcolor.files import sha256_of
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding, Guidance, Prediction
from artcolor.models.registry import get_weight, original

__all__ = ["TorchBackend"]

# Of the process, before anything is limited.
_THREADS = torch.get_num_threads()


class TorchBackend:
    """A model in PyTorch; see `artcolor.engine.backends.Backend`.

    Args:
        model: name of a model or of weights, path of a weights file, or a model.
        device: device of the network; `"auto"` picks the fastest one.
        size: working size in pixels; `None` uses the model's own.

    Attributes:
        model: the model.
        device: where it runs.
        transform: turns pictures into its input.

    Raises:
        ConfigError: there is no such model or device, or `size` is below 16.
        WeightsError: the weights are missing or damaged.

    Example:
        >>> TorchBackend("cnn").look(torch.zeros(90, 120).numpy()).shape
        torch.Size([1, 1, 192, 256])
    """

    kind = "torch"

    def __init__(self, model: Any, device: str = "cpu", size: int | None = None) -> None:
        self._given = model = original(model)
        if not isinstance(model, str | Path | ColorizationModel):
            raise ConfigError(f"model must be a name, a path or a model of artcolor, not {type(model).__name__}")
        self.model = model if isinstance(model, ColorizationModel) else loaded(str(model))
        self.device = device_of(device)
        self.transform = self.model.transforms(size)
        self.size = self.transform.size
        self.on_cpu = self.device.type == "cpu"

    def look(self, pixels: Pixels) -> Tensor:
        """L `(1, 1, h, w)` at the working size, in 0..100.

        Args:
            pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.
        """
        return self.transform.of_pixels(pixels)

    def predict(
        self,
        seen: Sequence[Tensor],
        guidance: Guidance,
        decoding: Decoding,
        *,
        uncertainty: bool = False,
        batch_size: int = 4,
        frame: int = 0,
    ) -> list[Prediction]:
        """Predicts the chroma of pictures; see `artcolor.engine.predict.predict`.

        Args:
            seen: inputs from `look`, of any sizes.
            guidance: hints, palette, reference and sampling.
            decoding: how the output becomes chroma.
            uncertainty: also compute the entropy.
            batch_size: maximum number of pictures per batch.
            frame: number of the page or frame.

        Returns:
            A prediction for each picture.

        Raises:
            ConfigError: the model does not accept something, or the device has too little memory.
            WeightsError: the network's output is not finite.
        """
        try:
            return predict(
                self.model,
                seen,
                guidance,
                decoding,
                uncertainty=uncertainty,
                batch_size=batch_size,
                device=self.device,
                frame=frame,
            )
        except torch.OutOfMemoryError as error:
            raise ConfigError(
                f"{self.device} has too little memory for a batch of {min(len(seen), batch_size)}; "
                "choose a smaller batch_size or size"
            ) from error

    def check(self, guidance: Guidance) -> None:
        """Checks that the model accepts all that is set in `guidance`.

        Args:
            guidance: hints, palette, reference and sampling.

        Raises:
            ConfigError: it does not; the message names models that do.
        """
        check_accepts(self.model, guidance)

    def limit_threads(self, count: int | None) -> None:
        """Limits the threads of calls of PyTorch in this thread to `count`; `None` undoes it."""
        torch.set_num_threads(_THREADS if count is None else min(count, _THREADS))

    def identity(self) -> tuple[str, str]:
        """Tag and SHA-256 of the weights; a model created in memory has only a name and an empty SHA-256."""
        given = self._given
        if isinstance(given, ColorizationModel):
            return given.name, ""
        try:
            entry = get_weight(str(given)).entry
            return entry.key, entry.sha256
        except ConfigError:
            path = Path(given)
        if not path.is_file():
            return str(given), ""
        return path.stem, sha256_of(path)
