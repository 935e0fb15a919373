"""Quantizes exported networks to 8 bits, which run about twice as fast on CPUs with instructions for them."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from artcolor.color import planes
from artcolor.color.srgb import Floats
from artcolor.errors import ConfigError
from artcolor.images import open_picture
from artcolor.models.export import quiet
from artcolor.zoo.graphs import FEWEST_PICTURES, METADATA, inputs_of, parse_metadata, with_digest

__all__ = ["quantize"]


def quantize(data: bytes, pictures: Sequence[Path]) -> bytes:
    """Quantizes the convolutions of an exported network, by the ranges of their inputs on some pictures.

    The first convolution, depthwise convolutions and the head stay in floating point: they take little time, and
    quantizing them costs accuracy (measured: docs/benchmarks.md).

    Args:
        data: what `artcolor.models.export.export_onnx` returned.
        pictures: at least 16 pictures of the kind that the network will see.

    Returns:
        The content of the new file.

    Raises:
        ConfigError: there are too few pictures.
        ImageError: a picture cannot be read.
        WeightsError: `data` is not an ONNX file of artcolor.
    """
    if len(pictures) < FEWEST_PICTURES:
        raise ConfigError(f"quantizing needs at least {FEWEST_PICTURES} pictures, not {len(pictures)}")
    # The extra `export`.
    import onnx  # noqa: PLC0415
    from onnxruntime.quantization import (  # noqa: PLC0415
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    model = onnx.load_from_string(data)
    text = {entry.key: entry.value for entry in model.metadata_props}.get(METADATA)
    config = parse_metadata(text, "the network")
    # Results state it; the SHA-256 stays that of the weights from which both networks come.
    assert text is not None
    stated = json.loads(text)
    for entry in model.metadata_props:
        if entry.key == METADATA:
            entry.value = json.dumps({**stated, "tag": f"{stated['tag']}-int8"})

    class Inputs(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._given = _inputs(pictures, config)

        def get_next(self) -> dict[str, Floats] | None:
            return next(self._given, None)

    with tempfile.TemporaryDirectory() as folder, quiet():
        whole, plain, small = (Path(folder) / f"{name}.onnx" for name in ("whole", "plain", "small"))
        onnx.save(model, whole)
        quant_pre_process(str(whole), str(plain), skip_symbolic_shape=True)
        quantize_static(
            str(plain),
            str(small),
            Inputs(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_in_floating_point(onnx.load(plain)),
            extra_options={"CalibMovingAverage": True},
        )
        return with_digest(small.read_bytes())


def _in_floating_point(model: Any) -> list[str]:
    """Names of the convolutions that are not quantized."""
    first, *others = (node for node in model.graph.node if node.op_type == "Conv")

    def is_sensitive(node: Any) -> bool:
        depthwise = any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
        return depthwise or not node.input[1].startswith("network.")

    return [first.name, *(node.name for node in others if is_sensitive(node))]


def _inputs(pictures: Sequence[Path], config: dict[str, Any]) -> Iterator[dict[str, Floats]]:
    working = planes.WorkingSize(config["size"], config["stride"], config["out_stride"])
    for path in pictures:
        light = working.lightness(open_picture(path).pixels)[None, None]
        yield inputs_of(light, config, config["vividness"], config["temperature"])
