"""Backends that run networks: PyTorch, or ONNX Runtime, which starts faster and needs no PyTorch."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, get_args

from artcolor.color.rows import Pixels
from artcolor.engine.options import BackendName
from artcolor.errors import NO_TORCH, ConfigError
from artcolor.models.guidance import Decoding, Guidance, Prediction

__all__ = ["Backend", "choose", "require_torch"]


class Backend(Protocol):
    """Runs one network at one working size.

    Attributes:
        kind: `"torch"` or `"onnx"`.
        size: working size in pixels.
        on_cpu: whether the network runs on the CPU, where several can run in parallel.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def on_cpu(self) -> bool: ...  # noqa: D102

    def look(self, pixels: Pixels) -> Any:
        """Returns the input of `predict`: L `(1, 1, h, w)` at the working size.

        Args:
            pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.
        """

    def predict(
        self,
        seen: Sequence[Any],
        guidance: Guidance,
        decoding: Decoding,
        *,
        uncertainty: bool,
        batch_size: int,
        frame: int,
    ) -> list[Prediction]:
        """Predicts the chroma of pictures; see `artcolor.engine.predict.predict`.

        Args:
            seen: inputs from `look`, of any sizes.
            guidance: hints, palette, reference and sampling.
            decoding: how the output becomes chroma.
            uncertainty: also compute the entropy.
            batch_size: maximum number of pictures per batch.
            frame: number of the page or frame.

        Raises:
            ConfigError: the model does not accept something, or the device has too little memory.
            WeightsError: the network's output is not finite.
        """

    def check(self, guidance: Guidance) -> None:
        """Checks that the model accepts all that is set in `guidance`.

        Args:
            guidance: hints, palette, reference and sampling.

        Raises:
            ConfigError: it does not.
        """

    def limit_threads(self, count: int | None) -> None:
        """Limits the threads that one call of `predict` in this thread uses.

        Args:
            count: number of threads; `None` undoes the limit.
        """

    def identity(self) -> tuple[str, str]:
        """Tag and SHA-256 of the weights, for the provenance; the SHA-256 is empty for a model created in memory."""


def choose(model: Any, options: Mapping[str, Any], guidance: Guidance) -> Backend:
    """Chooses and creates the backend for a model.

    `"auto"` is ONNX Runtime if it is installed, this process has not imported PyTorch, the model has an ONNX file, and
    nothing is requested that only PyTorch can do; otherwise it is PyTorch.

    Args:
        model: see `Colorizer`.
        options: all options of `Colorizer`.
        guidance: hints, palette, reference and sampling.

    Raises:
        ConfigError: there is no such model or device, or the backend cannot be used.
        WeightsError: the weights are missing or damaged.
    """
    wanted = options["backend"]
    if wanted not in get_args(BackendName):
        raise ConfigError(f"backend must be one of {', '.join(get_args(BackendName))}, not {wanted!r}")
    reason = _why_not_onnx(model, options, guidance)
    if reason is not None and (wanted == "onnx" or is_onnx(model)):
        raise ConfigError(f"ONNX Runtime cannot be used: {reason}")
    if is_onnx(model) and wanted == "torch":
        raise ConfigError(f"{model} is an ONNX file, which PyTorch cannot read; give a model or its weights file")
    if reason is None and (wanted == "onnx" or is_onnx(model) or (wanted == "auto" and "torch" not in sys.modules)):
        from artcolor.engine.onnx_backend import OnnxBackend  # noqa: PLC0415  (a backend is imported where it is used)

        return OnnxBackend(str(model), options["size"])
    require_torch("" if reason is None else f"; without it: {reason}")
    from artcolor.engine.torch_backend import TorchBackend  # noqa: PLC0415

    return TorchBackend(model, options["device"], options["size"])


def require_torch(reason: str = "") -> None:
    """Checks that PyTorch is installed.

    Args:
        reason: added to the message.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(f"this needs {NO_TORCH}{reason}")


def is_onnx(model: Any) -> bool:
    """Whether a model is given as the path of an ONNX file."""
    return isinstance(model, str | Path) and str(model).lower().endswith(".onnx")


def _why_not_onnx(model: Any, options: Mapping[str, Any], guidance: Guidance) -> str | None:
    """Returns why ONNX Runtime cannot do what is requested; `None` if it can."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "onnxruntime is not installed (pip install onnxruntime)"
    if not isinstance(model, str | Path):
        return "it takes model names and ONNX files, not models in memory"
    if options["device"] not in ("cpu", "auto"):
        return f"it runs on the CPU, not on {options['device']}"
    if guidance.given():
        given = ", ".join(sorted(guidance.given()))
        instead = "give the model that it was exported from" if is_onnx(model) else "the backend 'torch' does"
        return f"it does not support {given}; {instead}"
    from artcolor.zoo import graphs  # noqa: PLC0415

    return graphs.why_missing(str(model))
