"""What every model of the zoo is: a network with a head."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import rgb_to_lightness
from artcolor.color.planes import JoinChroma, ToLightness
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.guidance import Decoding, Guidance, Prediction, guided
from artcolor.models.heads import DistributionHead, Head
from artcolor.models.options import ModelOptions
from artcolor.zoo import hub

CONFIG_SCHEMA = 1
"""Version of the config that a weights file carries."""


class Network(nn.Module):
    """Turns lightness into features. Normalization of the input lives inside.

    Attributes:
        channels: of the features.
        stride: what a side of the input must be a multiple of.
        out_stride: input pixels per feature pixel.
        config: the keywords that build this network again.
        pretrained: names of submodules whose weights come from elsewhere; a trainer lets them learn slower.
        size: the working size that suits it, in pixels; see `artcolor.color.planes.working_size`.
        fixed_size: the one side of a square that it works at, or `None`; pictures are then letterboxed into it.
    """

    size: int = 192
    fixed_size: int | None = None
    channels: int
    stride: int
    out_stride: int
    config: dict[str, Any]
    pretrained: tuple[str, ...] = ()

    def forward(self, lightness: Tensor) -> Tensor:
        """Gives `(N, channels, H / out_stride, W / out_stride)` from L `(N, 1, H, W)` in 0..100."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Features:
    """What a model knows of pictures before it is guided; see `ColorizationModel.encode`.

    Attributes:
        lightness: `(N, 1, H, W)`, L in 0..100, as given.
        fitted: the same, padded or letterboxed to sides that suit the network.
        inside: height and width of the picture within the network's output, in output pixels.
        value: what the model's `_encode` returned.
    """

    lightness: Tensor
    fitted: Tensor
    inside: tuple[int, int]
    value: Any


class ColorizationModel(nn.Module):
    """A network with a head.

    Calling it returns the raw head output for L whose sides are multiples of `network.stride`; all other methods take
    any size.

    Args:
        name: of the family, as `artcolor.get_model` knows it.
        network: turns L into features.
        head: turns features into color.
        size: the working size that `colorize` uses; `None` takes the network's.

    Attributes:
        accepts: names of the fields of `Guidance` that the model reads.
    """

    accepts: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, network: Network, head: Head, *, size: int | None = None) -> None:
        super().__init__()
        size = network.size if size is None else size
        if size < 16:
            raise ConfigError(f"size must be at least 16 pixels, not {size}")
        self.name, self.size = name, size
        self.network, self.head = network, head

    @property
    def config(self) -> dict[str, Any]:
        """All it takes to build this model again; a weights file carries it in its header."""
        return {
            "schema": CONFIG_SCHEMA,
            "model": self.name,
            "network": dict(self.network.config),
            "head": {"kind": type(self.head).__name__, **self.head.config},
            "size": self.size,
        }

    def transforms(self, size: int | None = None) -> ToLightness:
        """What turns a picture into this model's input, at its own working size or another."""
        return ToLightness(
            size=self.size if size is None else size, stride=self.network.stride, out_stride=self.network.out_stride
        )

    def forward(self, lightness: Tensor) -> Tensor:
        """Gives the raw head output `(N, C, H / out_stride, W / out_stride)`.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100; H and W multiples of `network.stride`.
        """
        raw: Tensor = self.head(self.network(lightness), lightness)
        return raw

    @classmethod
    def from_pretrained(cls, name: str | Path, *, progress: bool = True) -> Self:
        """Loads a model with weights, as `artcolor.from_pretrained` does, and insists on this class.

        Args:
            name: see `artcolor.from_pretrained`.
            progress: show a bar while something is downloaded.

        Raises:
            ConfigError: there is nothing of this name, or it is a model of another class.
            WeightsError: the file is damaged or does not fit, or could not be downloaded.

        Example:
            >>> ColorizationModel.from_pretrained("cnn").name
            'cnn'
        """
        from artcolor.models import registry  # noqa: PLC0415  (it knows the families, and they are made of this class)

        model = registry.from_pretrained(name, progress=progress)
        if not isinstance(model, cls):
            raise ConfigError(f"{name} is a {model.name}, which is no {cls.__name__}; use artcolor.from_pretrained")
        return model

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes `model.safetensors`, `config.json` and a card, for `artcolor.from_pretrained("local-dir:FOLDER")`.

        Args:
            folder: is made if it is not there.

        Raises:
            WeightsError: a tensor holds NaN or infinity.
        """
        hub.save(Path(folder), self.config, self.state_dict())

    def push_to_hub(
        self, repo: str, *, private: bool = False, token: str | None = None, message: str = "Upload with artcolor"
    ) -> str:
        """Uploads weights, config and card to the Hugging Face Hub as one commit.

        Args:
            repo: `organization/repository`; made if it is not there.
            private: whether a new repository is private.
            token: of the Hub; `None` takes the one you are logged in with.
            message: of the commit.

        Returns:
            The commit; `artcolor.from_pretrained("hf-hub:REPO@COMMIT")` reads just this one.

        Raises:
            ConfigError: `repo` makes no sense.
            WeightsError: the Hub refused or cannot be reached.
        """
        return hub.push(repo, self.config, self.state_dict(), private=private, token=token, message=message)

    def training_loss(
        self, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Gives the loss of a batch; `"loss"` is what is minimized, the rest is logged.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma.
            step: number of the optimizer step, for what warms up.
            generator: the source of all randomness.
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
            Features for `predict`, which may be called with them as often as needed.
        """
        height, width = lightness.shape[-2:]
        stride, fixed = self.network.stride, self.network.fixed_size
        if fixed is None:
            fitted = _padded(lightness, -height % stride, -width % stride)
        else:
            scale = fixed / max(height, width)
            height, width = max(1, round(height * scale)), max(1, round(width * scale))
            small = F.interpolate(lightness, (height, width), mode="bilinear", antialias=True)
            fitted = _padded(small, fixed - height, fixed - width)
        inside = self._output_size(height, width)
        return Features(lightness, fitted, inside, self._encode(fitted))

    def _output_size(self, height: int, width: int) -> tuple[int, int]:
        out_stride = self.network.out_stride
        return -(-height // out_stride), -(-width // out_stride)

    def _encode(self, lightness: Tensor) -> Any:
        """The part of the inference path before guidance, for L whose sides suit the network."""
        return self.network(lightness)

    def _complete(self, lightness: Tensor, value: Any, guidance: Guidance) -> Tensor:
        """The rest of the inference path: the raw output `(samples · N, C, h, w)`.

        Args:
            lightness: `(N, 1, H, W)`, as `_encode` saw it.
            value: from `_encode`.
            guidance: only fields that the model accepts are set.
        """
        raw: Tensor = self.head(value, lightness)
        return raw

    @torch.no_grad()
    def predict_raw(self, given: Tensor | Features, guidance: Guidance = Guidance()) -> Tensor:
        """Computes the raw head output for lightness of any size.

        Args:
            given: L `(N, 1, H, W)` in 0..100, or features from `encode`.
            guidance: what a person knows or wants of the colors.

        Returns:
            `(samples · N, C, ⌈H/s⌉, ⌈W/s⌉)` with s = `network.out_stride`; all pictures of the first sample come first.

        Raises:
            ConfigError: `guidance` sets a field that the model does not accept.
            WeightsError: the network's output is not finite. No picture is made of such numbers.
        """
        refused = guidance.given() - self.accepts
        if refused:
            raise ConfigError(f"{self.name} does not accept {', '.join(sorted(refused))}")
        features = given if isinstance(given, Features) else self.encode(given)
        raw = self._complete(features.fitted, features.value, guidance)
        raw = raw[..., : features.inside[0], : features.inside[1]]
        wanted = self._output_size(*features.lightness.shape[-2:])
        if features.inside != wanted:
            raw = F.interpolate(raw, wanted, mode="bilinear")
        if not torch.isfinite(raw).all():
            raise WeightsError(
                f"the network {self.name} returned NaN or infinity. Its weights are damaged (`artcolor verify` checks "
                "released ones), or the device computes wrong results."
            )
        return raw

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
            guidance: what a person knows or wants of the colors.
            decoding: how the output becomes chroma.
            uncertainty: compute the entropy, too.

        Raises:
            ConfigError: the model does not accept a field of `guidance` or `decoding`, or has no distribution to
                compute an entropy of.
            WeightsError: the network's output is not finite.

        Example:
            >>> import artcolor
            >>> artcolor.cnn(width=16).predict(torch.rand(1, 1, 37, 50) * 100).ab.shape
            torch.Size([1, 2, 10, 13])
        """
        distribution = self.distribution_head() if uncertainty else None
        raw = self.predict_raw(given, guidance)
        lightness = given.lightness if isinstance(given, Features) else given
        lightness = lightness.repeat(len(raw) // len(lightness), 1, 1, 1)
        entropy = None if distribution is None else distribution.entropy(raw)
        return Prediction(self.head.decode(raw, lightness, decoding), lightness, entropy, raw)

    def distribution_head(self) -> DistributionHead:
        """The head, if it predicts a distribution.

        Raises:
            ConfigError: it does not.
        """
        if not isinstance(self.head, DistributionHead):
            raise ConfigError(
                f"{self.name} predicts colors, not a distribution over them, so uncertainty is unavailable"
            )
        return self.head

    @torch.no_grad()
    def predict_ab(self, lightness: Tensor, decoding: Decoding = Decoding()) -> Tensor:
        """Predicts chroma for lightness of any size, at that very size.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            decoding: how the output becomes chroma.

        Returns:
            `(N, 2, H, W)` in Lab units.
        """
        height, width = lightness.shape[-2:]
        grid = self.predict(lightness, decoding=decoding).ab
        full = F.interpolate(grid, scale_factor=self.network.out_stride, mode="bicubic")
        return full[..., :height, :width]

    @torch.no_grad()
    def predict_distribution(self, lightness: Tensor) -> Tensor:
        """Predicts the probability of each bin of color, for lightness of any size.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, Q, ⌈H/s⌉, ⌈W/s⌉)` with s = `network.out_stride`; sums to 1 over the bins, whose ab are
            `head.codebook.centers`.

        Raises:
            ConfigError: the model's head predicts no distribution.
        """
        return self.distribution_head().distribution(self.predict_raw(lightness))

    @torch.no_grad()
    def colorize(self, gray: Tensor, *, size: int | None = None, **options: Unpack[ModelOptions]) -> Tensor:
        """Colorizes pictures; their lightness stays as it is.

        Args:
            gray: `(N, 1|3, H, W)`, sRGB in 0..1, any size; of color pictures only the lightness is used.
            size: working size in pixels; `None` is the model's own.
            **options: see `artcolor.models.options.ModelOptions`.

        Returns:
            `(samples · N, 3, H, W)`, sRGB in 0..1; all pictures of the first sample come first.

        Raises:
            ConfigError: an option is out of range, or the model does not accept it.
        """
        guidance, decoding = guided(options)
        ab = self.predict(self.transforms(size)(gray), guidance, decoding).ab
        lightness = rgb_to_lightness(gray).repeat(len(ab) // len(gray), 1, 1, 1)
        rgb: Tensor = JoinChroma(ab, *gray.shape[-2:])(lightness)
        return rgb


def _padded(lightness: Tensor, below: int, beside: int) -> Tensor:
    return F.pad(lightness, (0, beside, 0, below), mode="replicate")
