"""What every model of the zoo is: a network with a head."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import rgb_to_lightness
from artcolor.errors import ConfigError, WeightsError
from artcolor.models.heads import DistributionHead, Head
from artcolor.transforms import JoinChroma, ToLightness
from artcolor.zoo import hub

CONFIG_SCHEMA = 1
"""Version of the config that a weights file carries."""


class Network(nn.Module):
    """Turns lightness into features. Normalisation of the input lives inside.

    Attributes:
        channels: of the features.
        stride: what a side of the input must be a multiple of.
        out_stride: input pixels per feature pixel.
        config: the keywords that build this network again.
        pretrained: names of submodules whose weights come from elsewhere; a trainer lets them learn slower.
        size: the working size that suits it, in pixels; see `artcolor.transforms.working_size`.
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


class ColorizationModel(nn.Module):
    """A network with a head.

    Calling it gives the raw head output for L whose sides are multiples of `network.stride`; `predict_ab`,
    `predict_distribution` and `colorize` take any size.

    Args:
        name: of the family, as `artcolor.get_model` knows it.
        network: turns L into features.
        head: turns features into colour.
        size: the working size that `colorize` uses; `None` takes the network's.
    """

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
            repo: `organisation/repository`; made if it is not there.
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
        """Gives the loss of a batch; `"loss"` is what is minimised, the rest is logged.

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
    def predict_ab(
        self, lightness: Tensor, *, temperature: float | None = None, vividness: float | None = None
    ) -> Tensor:
        """Predicts chroma for lightness of any size, at that very size.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            temperature: see `DistributionHead`; `None` takes the model's own.
            vividness: see `DistributionHead`; `None` takes the model's own.

        Returns:
            `(N, 2, H, W)` in Lab units.
        """
        grid = self.predict_ab_grid(lightness, temperature=temperature, vividness=vividness)
        height, width = lightness.shape[-2:]
        full = F.interpolate(grid, scale_factor=self.network.out_stride, mode="bicubic")
        return full[..., :height, :width]

    @torch.no_grad()
    def predict_ab_grid(
        self, lightness: Tensor, *, temperature: float | None = None, vividness: float | None = None
    ) -> Tensor:
        """Predicts chroma for lightness of any size, at the resolution of the network's output.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            temperature: see `DistributionHead`; `None` takes the model's own.
            vividness: see `DistributionHead`; `None` takes the model's own.

        Returns:
            `(N, 2, ⌈H/s⌉, ⌈W/s⌉)` in Lab units, with s = `network.out_stride`.
        """
        return self.head.decode(self.predict_raw(lightness), lightness, temperature=temperature, vividness=vividness)

    @torch.no_grad()
    def predict_distribution(self, lightness: Tensor) -> Tensor:
        """Predicts the probability of each bin of colour, for lightness of any size.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, Q, ⌈H/s⌉, ⌈W/s⌉)` with s = `network.out_stride`; sums to 1 over the bins, whose ab are
            `head.codebook.centres`.

        Raises:
            ConfigError: the model's head predicts no distribution.
        """
        if not isinstance(self.head, DistributionHead):
            raise ConfigError(f"{self.name} predicts colours, not a distribution over them")
        return self.head.distribution(self.predict_raw(lightness))

    @torch.no_grad()
    def predict_raw(self, lightness: Tensor, run: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """The raw head output for lightness of any size: `(N, C, ⌈H/s⌉, ⌈W/s⌉)` with s = `network.out_stride`.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            run: gives the raw output where the sides suit the network; `None` is the model itself.

        Raises:
            WeightsError: the network's output is not finite. No picture is made of such numbers.
        """
        raw = self._fitted(lightness, run or self)
        if not torch.isfinite(raw).all():
            raise WeightsError(
                f"the network {self.name} gave NaN or infinity. Its weights are damaged (`artcolor verify` checks "
                "released ones), or the device does not compute as it should."
            )
        return raw

    def _fitted(self, lightness: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
        height, width = lightness.shape[-2:]
        rows, columns = -(-height // self.network.out_stride), -(-width // self.network.out_stride)
        fixed = self.network.fixed_size
        if fixed is None:
            stride = self.network.stride
            return _padded(run, lightness, -height % stride, -width % stride)[..., :rows, :columns]
        scale = fixed / max(height, width)
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
        fitted = F.interpolate(lightness, (height, width), mode="bilinear", antialias=True)
        raw = _padded(run, fitted, fixed - height, fixed - width)
        height, width = -(-height // self.network.out_stride), -(-width // self.network.out_stride)
        return F.interpolate(raw[..., :height, :width], (rows, columns), mode="bilinear")

    @torch.no_grad()
    def colorize(
        self,
        gray: Tensor,
        *,
        size: int | None = None,
        temperature: float | None = None,
        vividness: float | None = None,
    ) -> Tensor:
        """Gives pictures their colours back; their lightness stays as it is.

        Args:
            gray: `(N, 1|3, H, W)`, sRGB in 0..1, any size; of colour pictures only the lightness is used.
            size: working size; `None` takes the model's own.
            temperature: see `DistributionHead`; `None` takes the model's own.
            vividness: see `DistributionHead`; `None` takes the model's own.

        Returns:
            `(N, 3, H, W)`, sRGB in 0..1.
        """
        small = self.transforms(size)(gray)
        ab = self.predict_ab_grid(small, temperature=temperature, vividness=vividness)
        rgb: Tensor = JoinChroma(ab, *gray.shape[-2:])(rgb_to_lightness(gray))
        return rgb


def _padded(run: Callable[[Tensor], Tensor], lightness: Tensor, below: int, beside: int) -> Tensor:
    return run(F.pad(lightness, (0, beside, 0, below), mode="replicate"))
