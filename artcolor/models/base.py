"""Base classes of all models. A model consists of a network and a head."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Unpack

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from artcolor.color import planes
from artcolor.color.isolation import isolated
from artcolor.color.transforms import JoinChroma
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.conditioning import conditioned, embedding_of, kernel_of
from artcolor.models.guidance import Decoding, Guidance, Prediction, guided
from artcolor.models.heads import DistributionHead, Head
from artcolor.models.hub_module import HubModule
from artcolor.models.kernel import ChromaKernel, Embedding
from artcolor.models.network import Network, check_lightness
from artcolor.models.options import ModelOptions
from artcolor.models.pictures import PictureTransform, pictures_of
from artcolor.models.reference import adopted
from artcolor.models.summary import summary

__all__ = ["ColorizationModel", "Features"]

CONFIG_SCHEMA = 1
"""Version of the config in the header of a weights file."""


@dataclass(frozen=True, eq=False)
class Features:
    """Encoded pictures, before guidance is applied; see `ColorizationModel.encode`.

    Attributes:
        lightness: `(N, 1, H, W)`, L in 0..100, as passed to `encode`.
        padded: L, padded or letterboxed to a size that the network supports.
        output_size: height and width of the picture within the network's output, in output pixels.
        encoded: the return value of the model's `_encode`.
        embeddings: the kernel's embeddings of them, computed when first needed.
    """

    lightness: Tensor
    padded: Tensor
    output_size: tuple[int, int]
    encoded: Any
    embeddings: dict[int, Embedding] = field(default_factory=dict)


class ColorizationModel(HubModule):
    """A network with a head.

    Calling the model returns the raw output of the head. It and `training_loss` require sides that are multiples of
    `network.stride`; all other methods accept any size.

    Args:
        name: name of the model family, as in `artcolor.list_models()`.
        network: computes features from L.
        head: predicts color from features.
        size: working size of `colorize` in pixels, at least 16; `None` uses the network's.

    Attributes:
        accepts: names of the fields of `Guidance` that the model supports.
        encodes_reference: whether the raw output depends on the reference already.
        kernel: how known colors spread over a picture; `None` uses an untrained one.

    Raises:
        ConfigError: `size` is below 16.
    """

    encodes_reference: ClassVar[bool] = False
    accepts: ClassVar[frozenset[str]] = frozenset({"hints", "reference"})

    def __init__(self, name: str, network: Network, head: Head, *, size: int | None = None) -> None:
        super().__init__()
        size = network.size if size is None else size
        if size < 16:
            raise ConfigError(f"size must be at least 16 pixels, not {size}")
        self.name, self.size = name, size
        self.network, self.head = network, head
        self.kernel: ChromaKernel | None = None

    def __repr__(self) -> str:
        """Name, size, network and head on a few lines; `print(model.network)` shows the layers."""
        return summary(self)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that rebuilds this model; a weights file stores it in its header."""
        config = {
            "schema": CONFIG_SCHEMA,
            "model": self.name,
            "network": dict(self.network.config),
            "head": {"kind": type(self.head).__name__, **self.head.config},
            "size": self.size,
        }
        return config if self.kernel is None else {**config, "kernel": self.kernel.config}

    def transforms(self, size: int | None = None) -> PictureTransform:
        """Returns the transform from pictures to this model's input.

        Args:
            size: working size in pixels; `None` uses the model's own.

        Returns:
            A module that maps Pillow images, tensors and lists of these to L.
        """
        return PictureTransform(
            size=self.size if size is None else size, stride=self.network.stride, out_stride=self.network.out_stride
        )

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes the raw output of the head.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W are multiples of `network.stride`.

        Returns:
            `(N, C, H / out_stride, W / out_stride)`.

        Raises:
            ImageError: `lightness` has another type or shape, or a side is not a multiple of `network.stride`.
        """
        self.network.check_size(lightness, "; model.predict and model.predict_ab accept any size")
        raw: Tensor = self.head(self.network(lightness.to(self._dtype)), lightness)
        return raw

    def training_loss(
        self, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the training loss of a batch.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W are multiples of `network.stride`.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            step: number of the optimizer step, for schedules such as a warm-up.
            generator: source of all randomness.

        Returns:
            `"loss"` is minimized; all other values are logged.

        Raises:
            ImageError: H or W is no multiple of `network.stride`.
        """
        raw = self(lightness)
        with torch.autocast(lightness.device.type, enabled=False):
            return self.head.loss(raw.float(), lightness, ab)

    @torch.no_grad()
    def encode(self, lightness: Tensor) -> Features:
        """Runs the part of the network that does not depend on guidance or decoding.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100, any size.

        Returns:
            Features for `predict`, which can be called with them any number of times.

        Raises:
            ImageError: `lightness` has another type or shape.
        """
        check_lightness(lightness)
        padded, size = self.network.padded(lightness)
        # The network may be in half precision; the head still gets L as it was given.
        return Features(lightness, padded, self.output_size(*size), self._encode(padded.to(self._dtype)))

    @property
    def _dtype(self) -> torch.dtype:
        floats = (each.dtype for each in self.network.parameters() if each.is_floating_point())
        return next(floats, torch.float32)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns height and width of the output for an input of `height` × `width` pixels."""
        out_stride = self.network.out_stride
        return -(-height // out_stride), -(-width // out_stride)

    def _encode(self, lightness: Tensor) -> Any:
        """Runs the part of the inference path that precedes guidance, on L of a size that the network supports."""
        return self.network(lightness)

    def _complete(self, lightness: Tensor, encoded: Any, guidance: Guidance) -> Tensor:
        """Runs the rest of the inference path and returns the raw output `(samples · N, C, h, w)`.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100, as passed to `_encode`.
            encoded: the return value of `_encode`.
            guidance: sets only fields that the model accepts.
        """
        raw: Tensor = self.head(encoded, lightness)
        return raw

    def _run(self, lightness: Tensor) -> tuple[Any, Tensor]:
        """Runs the whole inference path, for the exporter: what `_encode` returns, and the raw output."""
        encoded = self._encode(lightness)
        return encoded, self._complete(lightness, encoded, Guidance())

    @torch.no_grad()
    def predict_raw(self, given: Tensor | Features, guidance: Guidance = Guidance()) -> Tensor:
        """Computes the raw head output for lightness of any size.

        Args:
            given: L `(N, 1, H, W)` in 0..100, or features from `encode`.
            guidance: constraints on the colors, and how many colorings to sample.

        Returns:
            `(samples · N, C, ⌈H/s⌉, ⌈W/s⌉)` with s = `network.out_stride`, ordered by sample, then by picture.

        Raises:
            ConfigError: `guidance` sets a field that the model does not accept.
            WeightsError: the network's output contains NaN or infinity.
        """
        refused = guidance.given() - self.accepts
        if refused:
            raise ConfigError(f"{self.name} does not accept {', '.join(sorted(refused))}")
        features = given if isinstance(given, Features) else self.encode(given)
        raw = self._complete(features.padded, features.encoded, guidance)
        raw = raw[..., : features.output_size[0], : features.output_size[1]]
        wanted = self.output_size(*features.lightness.shape[-2:])
        if features.output_size != wanted:
            raw = F.interpolate(raw, wanted, mode="bilinear")
        if not torch.isfinite(raw).all():
            raise WeightsError(
                f"the network {self.name} returned NaN or infinity. Its weights are damaged (check released weights "
                "with `artcolor verify`), or the device computes wrong results."
            )
        return raw.float()

    @torch.no_grad()
    def predict(
        self,
        given: Tensor | Features,
        guidance: Guidance = Guidance(),
        decoding: Decoding = Decoding(),
        *,
        uncertainty: bool = False,
    ) -> Prediction:
        """Predicts chroma for lightness of any size, at the resolution of the network's output.

        Args:
            given: L `(N, 1, H, W)` in 0..100, or features from `encode`.
            guidance: constraints on the colors, and how many colorings to sample.
            decoding: vividness, temperature and strength.
            uncertainty: also compute the entropy of the predicted distribution.

        Returns:
            Chroma and, if requested, entropy; samples · N pictures, ordered by sample, then by picture.

        Raises:
            ConfigError: the model does not accept a field of `guidance` or `decoding`, or does not predict a
                distribution although `uncertainty` is requested.
            WeightsError: the network's output contains NaN or infinity.

        Example:
            >>> import artcolor
            >>> artcolor.cnn(width=16).predict(torch.rand(1, 1, 37, 50) * 100).ab.shape
            torch.Size([1, 2, 10, 13])
        """
        distribution = self.distribution_head() if uncertainty else None
        given = given if isinstance(given, Features) else self.encode(given)
        raw = self.predict_raw(given, guidance)
        with isolated():
            return self._decoded(given, raw, guidance, decoding, distribution)

    def _decoded(
        self,
        given: Features,
        raw: Tensor,
        guidance: Guidance,
        decoding: Decoding,
        distribution: DistributionHead | None,
    ) -> Prediction:
        """Decodes the raw output in full precision."""
        lightness = given.lightness
        lightness = lightness.repeat(len(raw) // len(lightness), 1, 1, 1)
        entropy = None if distribution is None else distribution.entropy(raw)
        ab = self.vary(given, raw, self.head.decode(raw, lightness, decoding), guidance)
        lightness = given.lightness.repeat(len(ab) // len(given.lightness), 1, 1, 1)
        referring = guidance.reference is not None and not self.encodes_reference
        if referring or guidance.hints is not None:
            embedding = self.embedding(given, raw).repeated(len(ab) // len(raw))
            if referring:
                ab = adopted(self, embedding, ab, guidance.reference, decoding)
            if guidance.hints is not None:
                ab = conditioned(embedding, kernel_of(self), ab, guidance.hints)
        return Prediction(ab, lightness, entropy, raw)

    def vary(self, features: Features, raw: Tensor, ab: Tensor, guidance: Guidance) -> Tensor:
        """Draws colorings around a prediction; models whose raw output varies already return `ab`.

        Args:
            features: encoded pictures.
            raw: their raw output `(N, C, h, w)`.
            ab: `(N, 2, h, w)`, decoded from it, in Lab units.
            guidance: `seed`, `samples` and `spread`.

        Returns:
            `(samples · N, 2, h, w)` in Lab units, ordered by sample, then by picture.
        """
        return ab

    def kernel_features(self, encoded: Any) -> Sequence[Tensor]:
        """Returns the features that the kernel uses, finest first, of what `_encode` returned."""
        return [encoded]

    def embedding(self, features: Features, raw: Tensor) -> Embedding:
        """Computes the kernel's embedding of encoded pictures; cached for the next call.

        Args:
            features: encoded pictures.
            raw: their raw output `(N, C, h, w)`.

        Returns:
            The embedding of h × w cells.
        """
        found = features.embeddings.get(len(raw))
        if found is None:
            found = features.embeddings[len(raw)] = embedding_of(self, features, raw)
        return found

    def distribution_head(self) -> DistributionHead:
        """Returns the head if it predicts a distribution.

        Returns:
            The model's head.

        Raises:
            ConfigError: the head does not predict a distribution.
        """
        if not isinstance(self.head, DistributionHead):
            raise ConfigError(
                f"{self.name} predicts colors, not a distribution over them; uncertainty, palettes, samples and "
                "suggestions need a distribution"
            )
        return self.head

    @torch.no_grad()
    def predict_ab(self, lightness: Tensor, decoding: Decoding = Decoding()) -> Tensor:
        """Predicts chroma for lightness of any size, at the same size.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            decoding: vividness, temperature and strength.

        Returns:
            `(N, 2, H, W)` in Lab units.
        """
        grid = self.predict(lightness, decoding=decoding).ab
        height, width = lightness.shape[-2:]
        full = F.interpolate(grid, scale_factor=self.network.out_stride, mode="bicubic")
        return full[..., :height, :width]

    @torch.no_grad()
    def predict_distribution(self, lightness: Tensor) -> Tensor:
        """Predicts the probability of each color bin, for lightness of any size.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, Q, ⌈H/s⌉, ⌈W/s⌉)` with s = `network.out_stride`; sums to 1 over the Q bins. Their colors are
            `head.codebook.centers`.

        Raises:
            ConfigError: the model does not predict a distribution.
        """
        return self.distribution_head().distribution(self.predict_raw(lightness))

    @torch.no_grad()
    def colorize(
        self, gray: Tensor | Image.Image, *, size: int | None = None, **options: Unpack[ModelOptions]
    ) -> Tensor:
        """Colorizes pictures and preserves their lightness.

        Args:
            gray: a Pillow image, or a tensor `(H, W)`, `(1|3, H, W)` or `(N, 1|3, H, W)` of any size; uint8, uint16,
                or floats in 0..1. Only the lightness of color pictures is used.
            size: working size in pixels; `None` uses the model's own.
            **options: fields of `Guidance` and `Decoding`; see `artcolor.models.options.ModelOptions`.

        Returns:
            `(samples · N, 3, H, W)`, sRGB in 0..1, ordered by sample, then by picture; `(3, H, W)` of a single picture
            without `samples`. float32, on the device of the model.

        Raises:
            ImageError: `gray` has another shape or type, or its values are not in 0..1.
            ConfigError: an option is out of range, or the model does not accept it.
        """
        guidance, decoding = guided(options)
        pictures, transform = pictures_of(gray), self.transforms(size)
        device = next(self.parameters()).device
        seen = torch.cat([transform.of_pixels(pixels) for pixels in pictures])
        ab = self.predict(seen.to(device), guidance, decoding).ab
        whole = torch.stack([torch.from_numpy(planes.lightness(pixels)) for pixels in pictures])[:, None]
        rgb: Tensor = JoinChroma(ab, *whole.shape[-2:])(whole.repeat(len(ab) // len(whole), 1, 1, 1))
        single = len(rgb) == 1 and not (isinstance(gray, Tensor) and gray.ndim == 4)
        return rgb[0] if single else rgb
