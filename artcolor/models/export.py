"""Exports models to ONNX: the network with its decoding, for `artcolor.engine.onnx_backend` and other runtimes."""

import contextlib
import importlib.util
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from artcolor.errors import ConfigError, install_extra
from artcolor.models.base import ColorizationModel
from artcolor.models.conditioning import kernel_of, moments_of
from artcolor.models.heads import DistributionHead
from artcolor.zoo.graphs import METADATA, NO_DIGEST, SCHEMA, with_digest

__all__ = ["ExportedGraph", "export_onnx", "graph_of", "metadata_of", "quiet"]

_OPSET = 20
_MOST_PICTURES, _LONGEST_SIDE = 64, 8192
_INPUTS, _OUTPUTS = ("lightness", "vividness", "temperature", "grid"), ("ab", "logits", "embedding")


class _Decoded(nn.Module):
    """A model with the decoding of its head, in operations that ONNX has.

    Args:
        model: a model that predicts a distribution.
    """

    def __init__(self, model: ColorizationModel) -> None:
        super().__init__()
        # The names of parameters and buffers are those of the weights file.
        self.network, self.head = model.network, model.distribution_head()
        self._model = [model]

    def forward(self, lightness: Tensor, vividness: Tensor, temperature: Tensor, grid: Tensor) -> tuple[Tensor, ...]:
        """Predicts chroma.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W are multiples of the stride.
            vividness: τ, a number.
            temperature: T, a number.
            grid: height and width of the part of the output that the picture covers; the rest is padding.

        Returns:
            ab `(N, 2, h, w)` in Lab units, and logits `(N, Q, h, w)`.
        """
        return self._decoded(self.head(self.network(lightness), lightness), lightness, vividness, temperature, grid)

    def _decoded(
        self, logits: Tensor, lightness: Tensor, vividness: Tensor, temperature: Tensor, grid: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows, columns = (torch.arange(side) < end for side, end in zip(logits.shape[2:], grid, strict=True))
        inside = (rows[:, None] & columns).to(logits.dtype)
        share = vividness.clamp(max=1.0)
        return self.head.weighted_mean(logits, lightness, vividness, temperature, share, inside), logits


class _Embedded(_Decoded):
    """The same, with the kernel's embedding of each cell.

    Args:
        model: a model that predicts a distribution.
    """

    def __init__(self, model: ColorizationModel) -> None:
        super().__init__(model)
        self.kernel = kernel_of(model)

    def forward(self, lightness: Tensor, vividness: Tensor, temperature: Tensor, grid: Tensor) -> tuple[Tensor, ...]:
        """Predicts chroma; see `_Decoded.forward`.

        Returns:
            ab, logits, and `(N, C, h, w)` with the fields of `Embedding`, in their order. Beyond the picture, it is
            that of the padding.
        """
        (model,) = self._model
        encoded, logits = model._run(lightness)
        found = self._decoded(logits, lightness, vividness, temperature, grid)
        rows, columns = (
            torch.minimum(torch.arange(side), end - 1) for side, end in zip(logits.shape[2:], grid, strict=True)
        )
        known = (F.avg_pool2d(lightness, model.network.out_stride), *moments_of(self.head, logits, lightness))
        # As `embedding_of` pads them: the last row and column of the picture go on.
        padded = [each[:, :, rows][:, :, :, columns] for each in known]
        made = self.kernel.embed([each.float() for each in model.kernel_features(encoded)], *padded)
        parts = [*made.near, made.amplitude, made.shared.flatten(2), made.scale.flatten(2), made.noise[..., None]]
        embedding = torch.cat((*parts, made.mean), dim=2).mT
        return *found, embedding.reshape(*embedding.shape[:2], *logits.shape[2:])


@dataclass(frozen=True)
class ExportedGraph:
    """An ONNX graph whose weights are in a safetensors file.

    Attributes:
        data: content of the ONNX file.
        external: names of the tensors in that file.
    """

    data: bytes
    external: list[str]


def export_onnx(
    model: ColorizationModel, *, tag: str = "", sha256: str = "", half: bool = False, hints: bool = False
) -> bytes:
    """Exports a model as a complete ONNX file.

    Inputs are `lightness` `(N, 1, H, W)`, L in 0..100 with sides that are multiples of the stride; the numbers
    `vividness` and `temperature`; and `grid`, height and width of the part of the output that the picture covers.
    Outputs are `ab` `(N, 2, h, w)` in Lab units, padding included, and `logits` `(N, Q, h, w)`. The metadata
    has an entry `artcolor` with JSON: model, stride, working size, codebook, defaults, the weights' SHA-256, and all
    that computing chroma from the logits requires.

    Args:
        model: a model that predicts a distribution.
        tag: name of the weights, for the provenance.
        sha256: SHA-256 of the weights file, for the provenance.
        half: store the kernels in float16, which halves the file; the network still computes in float32. This is
            lossless for released weights, whose kernels are float16 already.
        hints: also compute what following hints requires, for the page in the browser: the output `embedding`
            `(N, C, h, w)`, all fields of `artcolor.models.kernel.Embedding` in their order, and `kernel` in the
            metadata. The network `unet` then takes nearly twice the time.

    Returns:
        The content of the file.

    Raises:
        ConfigError: the model predicts no distribution or takes pictures of one size only, or the extra `export` is
            not installed.

    Example:
        >>> import artcolor
        >>> len(export_onnx(artcolor.cnn(width=16))) > 100_000
        True
    """
    exported = _exported(model, hints=hints)
    exported.model.metadata_props[METADATA] = json.dumps(metadata_of(model, tag=tag, sha256=sha256, hints=hints))
    # A kernel multiplied by the scale of its BatchNorm would no longer be the float16 of the weights file.
    _optimize(exported.model, fold_norms=not half)
    proto = _proto(exported.model)
    if half:
        _halve(proto)
    return with_digest(proto.SerializeToString())


def graph_of(model: ColorizationModel, *, tag: str, sha256: str) -> ExportedGraph:
    """Creates a graph that takes its weights from the safetensors file of a release.

    Args:
        model: a model with the weights of the release.
        tag: name of the weights.
        sha256: SHA-256 of the weights file.

    Raises:
        ConfigError: as `export_onnx`.
    """
    exported = _exported(model, hints=False)
    exported.model.metadata_props[METADATA] = json.dumps(_metadata(model, tag, sha256))
    _optimize(exported.model, fold_norms=False)
    state = model.state_dict()
    proto = _proto(exported.model)
    external = []
    for initializer in proto.graph.initializer:
        if initializer.name in state and tuple(initializer.dims) == tuple(state[initializer.name].shape):
            external.append(initializer.name)
            for content in ("raw_data", "float_data"):
                initializer.ClearField(content)
            # EXTERNAL; onnxruntime gets the tensor in memory and never opens this file.
            initializer.data_location = 1
            entry = initializer.external_data.add()
            entry.key, entry.value = "location", "weights"
    return ExportedGraph(proto.SerializeToString(), external)


def metadata_of(model: ColorizationModel, *, tag: str = "", sha256: str = "", hints: bool = False) -> dict[str, Any]:
    """Returns the metadata that is needed to compute colors from the outputs of a complete ONNX file.

    Args:
        model: a model that predicts a distribution.
        tag: see `export_onnx`.
        sha256: see `export_onnx`.
        hints: see `export_onnx`.
    """
    stated = {**_metadata(model, tag, sha256), "head": _decoding(model.distribution_head())}
    return {**stated, "kernel": _spreading(model)} if hints else stated


def _metadata(model: ColorizationModel, tag: str, sha256: str) -> dict[str, Any]:
    head = model.distribution_head()
    return {
        "schema": SCHEMA,
        "digest": NO_DIGEST,
        "model": model.name,
        "tag": tag or model.name,
        "sha256": sha256,
        "config": model.config,
        "stride": model.network.stride,
        "out_stride": model.network.out_stride,
        "size": model.size,
        "vividness": head.vividness,
        "temperature": head.temperature,
        "bins": head.codebook.bins,
        "codebook": [[round(value, 4) for value in center] for center in head.codebook.centers.tolist()],
    }


def _decoding(head: DistributionHead) -> dict[str, Any]:
    """What computing chroma from logits requires besides the codebook and the defaults."""
    log_weights = head.log_weights()
    return {
        "power": head.power,
        "cast": head.cast,
        "offset": list(head.offset),
        "limit": None if head.limit is None else list(head.limit),
        "log_weights": [[round(value, 6) for value in row] for row in log_weights.tolist()],
    }


@torch.no_grad()
def _spreading(model: ColorizationModel) -> dict[str, Any]:
    """What following hints requires besides the embedding."""
    kernel, side = kernel_of(model), 2 * model.network.stride
    features = model.encode(torch.full((1, 1, side, side), 50.0))
    embedding = model.embedding(features, model.predict_raw(features))
    return {
        "near": [each.shape[-1] for each in embedding.near],
        "rank": kernel.rank,
        "mixing": kernel.mixing.tolist(),
        "objects": list(kernel.objects.items()),
    }


def _halve(proto: Any) -> None:
    """Stores kernels in float16, and converts them to float32 when the network is loaded."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415  (the extra `export`)

    casts = []
    for initializer in proto.graph.initializer:
        name = initializer.name
        # The same tensors as in weights files; see `artcolor.zoo.store`.
        if initializer.data_type == TensorProto.FLOAT and len(initializer.dims) > 1 and name.endswith(".weight"):
            stored = numpy_helper.from_array(numpy_helper.to_array(initializer).astype("float16"), f"{name}.half")
            initializer.CopyFrom(stored)
            casts.append(helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    proto.graph.ClearField("node")
    proto.graph.node.extend(nodes)


def _exported(model: ColorizationModel, *, hints: bool) -> Any:
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"exporting needs {' and '.join(missing)}: {install_extra('export')}")
    if not isinstance(model.head, DistributionHead) or model.network.fixed_size is not None:
        raise ConfigError(
            f"{model.name} cannot be exported: only models that predict a distribution for pictures of any size can"
        )
    decoded = (_Embedded if hints else _Decoded)(model).eval()
    stride = model.network.stride
    most = _LONGEST_SIDE // stride
    shapes = {0: Dim("n", max=_MOST_PICTURES), 2: stride * Dim("h", max=most), 3: stride * Dim("w", max=most)}
    arguments = (
        torch.rand(2, 1, 6 * stride, 8 * stride) * 100,
        torch.tensor(1.5),
        torch.tensor(0.5),
        torch.tensor([6 * stride // model.network.out_stride, 8 * stride // model.network.out_stride]),
    )
    with torch.no_grad(), quiet():
        return torch.onnx.export(
            decoded,
            arguments,
            dynamo=True,
            dynamic_shapes=(shapes, None, None, None),
            input_names=_INPUTS,
            output_names=_OUTPUTS[: 3 if hints else 2],
            optimize=False,
            opset_version=_OPSET,
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppresses progress messages and warnings of the exporters, which are not for users."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _optimize(model: Any, *, fold_norms: bool) -> None:
    """Simplifies a graph in place, and removes where in the code each node comes from."""
    from onnxscript import optimizer  # noqa: PLC0415  (the extra `export`)

    with quiet():
        if fold_norms:
            optimizer.optimize_ir(model)
        else:
            # The weights stay those of the file; onnxruntime folds BatchNorms when it loads them.
            optimizer.inline(model)
            optimizer.fold_constants(model, input_size_limit=2048, output_size_limit=2048)
            optimizer.remove_unused_nodes(model)
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
    for value in model.graph.initializers.values():
        value.metadata_props.clear()


def _proto(model: Any) -> Any:
    import onnx_ir  # noqa: PLC0415

    return onnx_ir.to_proto(model)
