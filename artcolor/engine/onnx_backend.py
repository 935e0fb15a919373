"""Networks in ONNX Runtime. Nothing here, and nothing that it imports, needs PyTorch."""

import functools
import math
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime

from artcolor.color import planes
from artcolor.color.rows import Pixels
from artcolor.color.srgb import Floats
from artcolor.engine.batches import batches
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.guidance import Decoding, Guidance, Prediction
from artcolor.models.head_settings import effective
from artcolor.zoo import graphs

__all__ = ["OnnxBackend"]

_LOCK = threading.Lock()
# Of a and b in Lab units; those of sRGB lie within 110, and a correction of tints adds little.
_LARGEST = 500

# Pixels of a batch at the working size beyond which its memory is given back.
_LARGE = 300_000


class OnnxBackend:
    """A network in ONNX Runtime on the CPU; see `artcolor.engine.backends.Backend`.

    Args:
        name: name of a model or of weights, or path of an ONNX file that `artcolor export` wrote.
        size: working size in pixels; `None` uses the model's own.

    Raises:
        ConfigError: there is no such network, or `size` is below 16.
        WeightsError: a file is missing or damaged.

    Example:
        >>> backend = OnnxBackend("unet")
        >>> (found,) = backend.predict([backend.look(np.zeros((90, 120), np.uint8))], Guidance(), Decoding())
        >>> found.ab.shape
        (1, 2, 56, 75)
    """

    kind = "onnx"
    on_cpu = True

    def __init__(self, name: str, size: int | None = None) -> None:
        # Kept, so that a file that is replaced later changes nothing.
        self._graph = graphs.load(name)
        self._threads: int | None = None
        _, self._config = _session(self._graph, None)
        self._working = planes.WorkingSize(
            self._config["size"] if size is None else size, self._config["stride"], self._config["out_stride"]
        )
        self.size = self._working.size

    def look(self, pixels: Pixels) -> Floats:
        """L `(1, 1, h, w)` at the working size, in 0..100.

        Args:
            pixels: `(H, W)` or `(H, W, 3)`; uint8, uint16, or float in 0..1.
        """
        return self._working.lightness(pixels)[None, None]

    def predict(
        self,
        seen: Sequence[Floats],
        guidance: Guidance,
        decoding: Decoding,
        *,
        uncertainty: bool = False,
        batch_size: int = 4,
        frame: int = 0,
    ) -> list[Prediction]:
        """Predicts the chroma of pictures; the planes of a prediction are arrays.

        Args:
            seen: inputs from `look`, of any sizes.
            guidance: must be empty, because the network supports no guidance.
            decoding: how the output becomes chroma.
            uncertainty: also compute the entropy.
            batch_size: maximum number of pictures per batch.
            frame: number of the page or frame; not used.

        Returns:
            A prediction for each picture.

        Raises:
            ConfigError: there is guidance, or a value of `decoding` is out of range.
            WeightsError: the network's output is not finite.
        """
        self.check(guidance)
        found: dict[int, Prediction] = {}
        for numbers in batches([light.shape for light in seen], batch_size):
            light: Any = np.concatenate([seen[number] for number in numbers])
            ab, logits = self._run(light, decoding)
            # Arrays serve all that the engine does with the planes of a prediction.
            entropy: Any = _entropy(logits) if uncertainty else None
            for place, number in enumerate(numbers):
                part = slice(place, place + 1)
                found[number] = Prediction(ab[part], light[part], None if entropy is None else entropy[part])
        return [found[number] for number in range(len(seen))]

    def _run(self, light: Floats, decoding: Decoding) -> tuple[Any, Floats]:
        """Chroma `(N, 2, h, w)` and logits `(N, Q, h, w)` for L `(N, 1, H, W)` of any size."""
        session, config = _session(self._graph, self._threads)
        vividness, temperature = effective(decoding, vividness=config["vividness"], temperature=config["temperature"])
        given = graphs.inputs_of(light, config, vividness, temperature)
        rows, columns = given["grid"]
        try:
            found = session.run(["ab", "logits"], given, _run_options(light.size))
        except Exception as error:
            # onnxruntime's exceptions have no common base.
            reason = str(error).partition("\n")[0][:300]
            if "alloc" in reason:
                raise MemoryError(reason) from error
            raise WeightsError(f"onnxruntime cannot run the network of {self._graph.name}: {reason}") from error
        ab, logits = (each[..., :rows, :columns] for each in found)
        wanted = (len(light), 2, rows, columns), (len(light), config["bins"], rows, columns)
        if (ab.shape, logits.shape) != wanted:
            raise WeightsError(
                f"the network of {self._graph.name} returned {ab.shape} and {logits.shape}, not {wanted}"
            )
        if not (np.isfinite(logits).all() and np.abs(ab).max(initial=0) < _LARGEST):
            raise WeightsError(
                f"the network of {self._graph.name} returned NaN, infinity or impossible colors. Its weights are "
                "damaged; check released weights with `artcolor verify`."
            )
        return ab if decoding.strength == 1 else ab * np.float32(decoding.strength), logits

    def check(self, guidance: Guidance) -> None:
        """Checks that there is no guidance.

        Args:
            guidance: hints, palette, reference and sampling.

        Raises:
            ConfigError: there is some.
        """
        if guidance.given():
            raise ConfigError(
                f"the ONNX backend does not support {', '.join(sorted(guidance.given()))}; choose the backend 'torch'"
            )

    def limit_threads(self, count: int | None) -> None:
        """Limits the threads of each call of `predict` to `count`; `None` uses all cores."""
        self._threads = count

    def identity(self) -> tuple[str, str]:
        """Tag and SHA-256 of the weights that the network was exported from."""
        return self._config["tag"], self._config["sha256"]


def _entropy(logits: Floats) -> Floats:
    """As `DistributionHead.entropy`: `(N, 1, h, w)` in 0..1."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    likely = np.exp(shifted)
    total = likely.sum(axis=1, keepdims=True)
    nats = np.log(total) - (likely * shifted).sum(axis=1, keepdims=True) / total
    relative: Floats = nats / math.log(logits.shape[1])
    return relative.clip(0, 1)


def _session(graph: graphs.Graph, threads: int | None) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    # Without the lock, two threads that come first would both build one.
    with _LOCK:
        return _built(graph, threads)


def _after_fork() -> None:
    # Another thread of the parent may have held it.
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _run_options(pixels: int) -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    if pixels > _LARGE:
        # Otherwise it keeps the memory of the largest picture. For small ones, new memory each time would cost more.
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


@functools.lru_cache(maxsize=4)
def _built(graph: graphs.Graph, threads: int | None) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    """Builds the session of a network, and reads the metadata of the file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    values = {key: onnxruntime.OrtValue.ortvalue_from_numpy(value) for key, value in graph.tensors.items()}
    options.add_external_initializers(list(values), list(values.values()))
    try:
        session = onnxruntime.InferenceSession(graph.data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's exceptions have no common base.
        reason = str(error).partition("\n")[0][:300]
        raise WeightsError(f"{graph.name} is not a network that the installed onnxruntime can run: {reason}") from error
    config = graphs.parse_metadata(session.get_modelmeta().custom_metadata_map.get(graphs.METADATA), graph.name)
    return session, config
