"""The three models of the student report that started this project: a CNN, an autoencoder and a VAE.

They are reproduced as described, for comparison. The networks predict RGB and are trained with MSE. The report
evaluated that RGB picture (`RGBHead.to_rgb`); `colorize` uses only its chroma, as with every other model.
"""

import itertools

import torch
from torch import Tensor, nn

from artcolor.models.base import ColorizationModel
from artcolor.models.layers import stages
from artcolor.models.network import Network
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model
from artcolor.models.regression import RGBHead

__all__ = [
    "AEReport",
    "AEReport_Weights",
    "CNNReport",
    "CNNReport_Weights",
    "VAEReport",
    "VAEReportModel",
    "VAEReport_Weights",
    "ae_report",
    "cnn_report",
    "vae_report",
]


class CNNReport_Weights(WeightsEnum):
    """Released weights of `cnn_report`."""

    ART_V1 = "cnn_report.art_v1"
    DEFAULT = ART_V1


class AEReport_Weights(WeightsEnum):
    """Released weights of `ae_report`."""

    ART_V1 = "ae_report.art_v1"
    DEFAULT = ART_V1


class VAEReport_Weights(WeightsEnum):
    """Released weights of `vae_report`."""

    ART_V1 = "vae_report.art_v1"
    DEFAULT = ART_V1


class CNNReport(Network):
    """Five convolutions at full size with three BatchNorms; the head adds the sixth convolution.

    Args:
        width: channels of the widest layer.

    Example:
        >>> import torch
        >>> CNNReport(width=16)(torch.rand(1, 1, 33, 50) * 100).shape
        torch.Size([1, 8, 33, 50])
    """

    stride = out_stride = 1
    size = 200

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        half = width // 2
        self.channels = half
        self.config = {"width": width}
        self.layers = nn.Sequential(
            nn.Conv2d(1, half, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, half, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features `(N, width / 2, H, W)` from L, `lightness`, `(N, 1, H, W)` in 0..100."""
        features: Tensor = self.layers(lightness / 100)
        return features


class AEReport(Network):
    """Eight convolutions down to 1/16 size and four transposed convolutions up; the head adds the last convolution.

    Args:
        width: channels at 1/16 size.

    Example:
        >>> import torch
        >>> AEReport(width=32)(torch.rand(1, 1, 33, 50) * 100).shape
        torch.Size([1, 4, 33, 50])
    """

    stride = out_stride = 1
    size = 200
    feature_strides = (2, 4, 8, 16)

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.config = {"width": width}
        widths = [1, width // 8, width // 4, width // 2, width]
        self.channels = widths[1]
        self.feature_channels = tuple(widths[1:])
        self.encoder = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(after, after, 3, stride=2, padding=1),
                nn.ReLU(inplace=True),
            )
            for before, after in itertools.pairwise(widths)
        )
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 3, stride=2, padding=1)
            for before, after in zip(widths[:0:-1], [*widths[-2:0:-1], widths[1]], strict=True)
        )

    def forward(self, lightness: Tensor) -> Tensor:
        """Computes features `(N, width / 8, H, W)` from L, `lightness`, `(N, 1, H, W)` in 0..100."""
        x = lightness / 100
        sizes = []
        for down in self.encoder:
            sizes.append(list(x.shape[-2:]))
            x = down(x)
        for up in self.decoder:
            # 200 is not a multiple of 16, so the output size of a transposed convolution is ambiguous.
            x = torch.relu(up(x, output_size=sizes.pop()))
        return x

    def features(self, lightness: Tensor) -> list[Tensor]:
        """Computes the encoder's features at 1/2, 1/4, 1/8 and 1/16 size from L, `lightness`, `(N, 1, H, W)`."""
        return stages(nn.Sequential(*self.encoder), lightness / 100, length=1)


class VAEReport(Network):
    """Five convolutions, a global latent, and five transposed convolutions, for 128 × 128 pixels.

    There are no skip connections: the decoder sees only the latent, which is too small to keep detail, so its pictures
    are blurred.

    Args:
        width: channels at 1/32 size.
        code: dimensions of the latent.

    Example:
        >>> import torch
        >>> VAEReport(width=32, code=16).eval()(torch.rand(1, 1, 128, 128) * 100).shape
        torch.Size([1, 3, 128, 128])
    """

    stride = out_stride = 1
    size = fixed_size = 128
    channels = 3
    feature_strides = (2, 4, 8, 16, 32)

    def __init__(self, width: int = 256, code: int = 128) -> None:
        super().__init__()
        self.config = {"width": width, "code": code}
        widths = [1, *(width >> shift for shift in range(4, -1, -1))]
        self.feature_channels = tuple(widths[1:])
        self.encoder = nn.Sequential()
        for before, after in itertools.pairwise(widths):
            self.encoder += nn.Sequential(nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU(inplace=True))
        flat = width * 4 * 4
        self.mean, self.log_variance = nn.Linear(flat, code), nn.Linear(flat, code)
        self.unflatten = nn.Sequential(nn.Linear(code, flat), nn.ReLU(inplace=True), nn.Unflatten(1, (width, 4, 4)))
        self.decoder = nn.Sequential()
        for before, after in zip(widths[:1:-1], widths[-2:0:-1], strict=True):
            deconvolution = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            self.decoder += nn.Sequential(deconvolution, nn.ReLU(inplace=True))
        self.decoder.append(nn.ConvTranspose2d(widths[1], 3, 4, stride=2, padding=1))

    def features(self, lightness: Tensor) -> list[Tensor]:
        """Computes the encoder's features at 1/2 to 1/32 size from L, `lightness`, `(N, 1, 128, 128)`."""
        return stages(self.encoder, lightness / 100, length=2)

    def encode(self, lightness: Tensor) -> tuple[Tensor, Tensor]:
        """Computes mean and log-variance of the latent, `(N, code)` each.

        Args:
            lightness: `(N, 1, 128, 128)`, L in 0..100.

        Returns:
            Mean and log-variance.
        """
        flat = self.encoder(lightness / 100).flatten(1)
        return self.mean(flat), self.log_variance(flat)

    def decode(self, code: Tensor) -> Tensor:
        """Decodes latents, `code`, `(N, code)`, to the logits of RGB, `(N, 3, 128, 128)`."""
        picture: Tensor = self.decoder(self.unflatten(code))
        return picture

    def forward(self, lightness: Tensor) -> Tensor:
        """Decodes the mean latent of L, `lightness`, `(N, 1, 128, 128)` in 0..100, to `(N, 3, 128, 128)`."""
        return self.decode(self.encode(lightness)[0])


class VAEReportModel(ColorizationModel):
    """The model `vae_report`, trained with squared error plus the KL divergence of the latent from N(0, 1)."""

    network: VAEReport

    def training_loss(
        self, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes MSE + KLD. Both are sums over a picture, divided by its number of values (a Gaussian likelihood).

        Args:
            lightness: `(N, 1, 128, 128)`, L in 0..100.
            ab: `(N, 2, 128, 128)`, the true chroma in Lab units.
            step: number of the optimizer step; unused.
            generator: draws the latents.

        Returns:
            `"loss"`, and for the log `"mse"` and `"kld"`.
        """
        mean, log_variance = self.network.encode(lightness)
        mean, log_variance = mean.float(), log_variance.float()
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=torch.float32)
        raw = self.network.decode(mean + noise * (log_variance / 2).exp())
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        with torch.autocast(lightness.device.type, enabled=False):
            mse = self.head.loss(raw.float(), lightness, ab)["loss"]
        kld = divergence / raw[0].numel()
        return {"loss": mse + kld, "mse": mse.detach(), "kld": kld.detach()}


@register_model(CNNReport_Weights)
def cnn_report(
    *, weights: WeightsArgument = None, progress: bool = True, width: int | None = None, size: int | None = None
) -> ColorizationModel:
    """Builds `cnn_report`: the report's six convolutions and three BatchNorms, trained on RGB with MSE.

    Args:
        weights: a `CNNReport_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels of the widest layer, 64 if not given.
        size: working size in pixels, 200 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import torch
        >>> cnn_report(width=16).colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    return assemble(
        "cnn_report",
        CNNReport,
        RGBHead,
        weights,
        network={"width": width},
        head={"kernel": 3},
        size=size,
        progress=progress,
    )


@register_model(AEReport_Weights)
def ae_report(
    *, weights: WeightsArgument = None, progress: bool = True, width: int | None = None, size: int | None = None
) -> ColorizationModel:
    """Builds `ae_report`: the report's autoencoder, trained on RGB with MSE.

    Args:
        weights: an `AEReport_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels at 1/16 size, 256 if not given.
        size: working size in pixels, 200 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import torch
        >>> ae_report(width=32).colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    return assemble(
        "ae_report",
        AEReport,
        RGBHead,
        weights,
        network={"width": width},
        head={"kernel": 3},
        size=size,
        progress=progress,
    )


@register_model(VAEReport_Weights)
def vae_report(
    *,
    weights: WeightsArgument = None,
    progress: bool = True,
    width: int | None = None,
    code: int | None = None,
    size: int | None = None,
) -> VAEReportModel:
    """Builds `vae_report`: the report's VAE with a global latent, trained on RGB with MSE + KLD at 128 px.

    Args:
        weights: a `VAEReport_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels at 1/32 size, 256 if not given.
        code: dimensions of the latent, 128 if not given.
        size: working size in pixels, 128 if not given; pictures are then letterboxed to 128 × 128.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import torch
        >>> vae_report(width=32).colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    return assemble(
        "vae_report",
        VAEReport,
        RGBHead,
        weights,
        network={"width": width, "code": code},
        head={"kernel": 0},
        size=size,
        progress=progress,
        model_type=VAEReportModel,
    )
