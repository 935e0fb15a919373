"""`vae`: `unet` as a conditional variational autoencoder whose latent encodes only color: one picture, many colorings.

Sources: Sohn, Lee, Yan 2015 (conditional VAE with a learned prior); Deshpande et al. 2017 (a latent for color alone,
structure from features of the gray picture); Kingma et al. 2016 (free bits).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color import planes
from artcolor.errors import ConfigError
from artcolor.models.base import Features
from artcolor.models.conditioning import kernel_of
from artcolor.models.distribution import DistributionModel
from artcolor.models.guidance import Decoding, Guidance
from artcolor.models.heads import DistributionHead
from artcolor.models.kernel import Embedding
from artcolor.models.latent import Latent, LatentDistribution, LatentLayer, PosteriorInput, stratified_normal
from artcolor.models.reference import check_reference, likeness
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model
from artcolor.models.unet import UNet, unet

__all__ = ["VAE", "VAEModel", "VAE_Weights", "vae"]

# Default spread of samples. At full spread, some samples are a single strong cast.
_SPREAD = 0.6
_KL_WEIGHT_GLOBAL = 0.016
_KL_WEIGHT_SPATIAL = 0.06
_KL_WARMUP_STEPS = 400
_FREE_SPATIAL_NATS = 1.0
_NO_LATENT_SHARE = 0.125
_PRIOR_MEAN_SHARE = 0.125
_DRIFT_WEIGHT = 0.0003
_NATS_RATE = 0.01


class VAE_Weights(WeightsEnum):
    """Released weights of `vae`."""

    ART_V6 = "vae.art_v6"
    DEFAULT = ART_V6


class VAE(UNet):
    """`UNet` whose decoder is conditioned on a latent: its global and spatial part scale and shift the features.

    Without a latent the decoder equals that of `UNet`. Prior and posterior are conditioned on the output of that plain
    decoder, since a latent only has to encode what the plain coloring misses. BatchNorms stay in evaluation mode during
    training, because decoding with and without a latent shares their statistics.

    Args:
        width: channels of the decoder at 1/4 size; deeper stages have more.
        codes: dimensions of the global latent, at least five.
        grid: channels of the spatial latent.
        hidden: channels of the layers that predict prior and posterior.

    Attributes:
        nats: `(codes,)`, running mean of the KL divergence of each dimension of the global latent, late in training:
            the importance of that dimension.

    Example:
        >>> import torch
        >>> VAE(width=16)(torch.rand(1, 1, 64, 96) * 100).shape
        torch.Size([1, 16, 16, 24])
    """

    def __init__(self, width: int = 96, *, codes: int = 16, grid: int = 4, hidden: int = 96) -> None:
        super().__init__(width)
        self.config = {"width": width, "codes": codes, "grid": grid, "hidden": hidden}
        self.codes, self.grid = codes, grid
        self.nats: Tensor
        self.register_buffer("nats", torch.zeros(codes))
        deepest = self.encoder.feature_channels[-1]
        self.styles = nn.ModuleList(nn.Linear(codes, 2 * channels) for channels in self.stages)
        self.places = nn.ModuleList(nn.Conv2d(grid, 2 * channels, 1, bias=False) for channels in self.stages)
        for layer in (*self.styles, *self.places):
            # Small, not zero: with zero weights the latent has no effect, and posterior collapse follows.
            nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.prior_features = nn.Sequential(
            nn.Conv2d(deepest + width, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.ReLU(),
        )
        self.prior_layer = LatentLayer(hidden, codes, grid)
        # The spelling `colours` is part of released files.
        self.colours = nn.Sequential(nn.Conv2d(5 + 3 * width, hidden, 1), nn.ReLU(inplace=True))
        for _ in range(3):
            self.colours += nn.Sequential(nn.Conv2d(hidden, hidden, 3, stride=2, padding=1), nn.ReLU(inplace=True))
        self.posterior_features = nn.Sequential(
            nn.Conv2d(hidden + deepest, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.posterior_layer = LatentLayer(hidden, codes, grid)

    def train(self, mode: bool = True) -> Self:
        """Sets training or evaluation `mode`; BatchNorms always stay in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    @torch.no_grad()
    def plain(self, features: list[Tensor]) -> Tensor:
        """Decodes `features` from `encode` without a latent, to `(N, width, H / 4, W / 4)`."""
        return self.decode(features)

    def prior(self, features: list[Tensor], plain: Tensor) -> LatentDistribution:
        """Computes the prior p(z | L). No gradient flows back to the encoder.

        Args:
            features: the encoder's features, from `encode`.
            plain: features decoded without a latent, from `plain`.

        Returns:
            The distribution over latents of each picture.
        """
        deepest = features[-1].detach()
        joined = torch.cat((deepest, F.avg_pool2d(plain, self.stride // self.out_stride)), dim=1)
        latent: LatentDistribution = self.prior_layer(self.prior_features(joined))
        return latent

    def posterior(self, features: list[Tensor], plain: Tensor, truth: PosteriorInput) -> LatentDistribution:
        """Computes the approximate posterior q(z | L, ab). No gradient flows back to the encoder.

        Args:
            features: the encoder's features, from `encode`.
            plain: features decoded without a latent, from `plain`.
            truth: the true colors, from `VAEModel.posterior_input`.

        Returns:
            The distribution over latents of each picture.
        """
        colors = self.colours(torch.cat((truth.colors, plain, truth.score, plain * truth.score), dim=1))
        latent: LatentDistribution = self.posterior_layer(
            self.posterior_features(torch.cat((colors, features[-1].detach()), dim=1))
        )
        return latent

    def decode_with(self, features: list[Tensor], latent: Latent) -> Tensor:
        """Decodes features conditioned on a latent.

        Args:
            features: the encoder's features, from `encode`.
            latent: one latent per picture.

        Returns:
            `(N, width, H / 4, W / 4)`.
        """

        def modulate(stage: int, x: Tensor) -> Tensor:
            spatial = latent.spatial_latent
            if stage > 0:
                spatial = F.interpolate(spatial, x.shape[-2:], mode="bilinear")
            style = self.styles[stage](latent.global_latent)[:, :, None, None] + self.places[stage](spatial)
            scale, shift = style.chunk(2, dim=1)
            modulated: Tensor = x * (1 + scale) + shift
            return modulated

        return self.decode(features, modulate)

    def forward(self, lightness: Tensor) -> Tensor:
        """Decodes L `(N, 1, H, W)` in 0..100 with the most typical latent, the mean of the prior."""
        features = self.encode(lightness)
        latent = self.prior(features, self.plain(features)).typical
        return self.decode_with(features, latent.to(next(self.styles.parameters()).dtype))


class VAEModel(DistributionModel):
    """The model `vae`. It decodes the mean of the prior, or samples of it, or the posterior mean of a reference."""

    encodes_reference: ClassVar[bool] = True
    network: VAE
    head: DistributionHead

    def training_loss(
        self, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Computes the head's loss plus the weighted KL divergences, in nats per picture (a negative ELBO).

        The KL divergence of the global latent is weighted by 0.016 and that of the spatial latent by 0.06; both
        weights warm up linearly over 400 steps. The first nat of the spatial latent is free, which prevents posterior
        collapse. One eighth of the samples drops the latent, so that the weights also serve as a plain model; another
        eighth uses the mean of the prior. A small penalty (0.0003) keeps the prior near the standard normal. The
        weights suit a head with `accuracy` 1, as in the recipe; without it, the data term is about a third as large.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
            step: number of the optimizer step, which determines the warm-up.
            generator: draws latents, and which samples drop them.

        Returns:
            `"loss"`, and for the log the parts of the head's loss, `"kl_global"`, `"kl_spatial"` and `"drift"`.
        """
        network, device = self.network, lightness.device
        features = network.encode(lightness)
        plain = network.plain(features)
        prior = network.prior(features, plain)
        posterior = network.posterior(features, plain, self.posterior_input(plain, lightness, ab))
        global_latent = posterior.global_latent.draw(generator)
        spatial, spatial_prior = posterior.spatial_given(global_latent), prior.spatial_given(global_latent)
        draw = torch.rand(len(lightness), generator=generator, device=device, dtype=torch.float32)
        from_posterior = (draw >= _NO_LATENT_SHARE + _PRIOR_MEAN_SHARE).float()
        # Posterior samples lie on a shell around the prior's mean, so the decoder would otherwise never see the mean.
        from_prior_mean = (draw < _PRIOR_MEAN_SHARE).float()
        sampled = Latent(global_latent, spatial.draw(generator)).scaled(from_posterior)
        latent = sampled.plus(prior.typical.detached().scaled(from_prior_mean))
        raw = self.head(network.decode_with(features, latent.to(self._dtype)), lightness)
        with torch.autocast(device.type, enabled=False):
            data = self.head.loss(raw.float(), lightness, ab)
            per_dimension = posterior.global_latent.divergences(prior.global_latent)
            if network.training:
                network.nats.lerp_(per_dimension.detach().mean(0), _NATS_RATE)
            kl_global = (per_dimension.sum(1) * from_posterior).mean()
            kl_spatial = (spatial.divergence(spatial_prior) * from_posterior).mean()
            # The KL divergence between prior and posterior does not notice if both drift away together.
            drift = torch.stack([p.divergence(p.standard()).mean() for p in (prior.global_latent, spatial_prior)]).sum()
        warm = min(1.0, step / _KL_WARMUP_STEPS)
        penalty = _KL_WEIGHT_GLOBAL * kl_global + _KL_WEIGHT_SPATIAL * kl_spatial.clamp(min=_FREE_SPATIAL_NATS)
        loss = data["loss"] + warm * penalty + _DRIFT_WEIGHT * drift
        parts = {**data, "kl_global": kl_global, "kl_spatial": kl_spatial, "drift": drift}
        return {name: value.detach() for name, value in parts.items()} | {"loss": loss}

    @torch.no_grad()
    def posterior_input(self, plain: Tensor, lightness: Tensor, ab: Tensor) -> PosteriorInput:
        """Computes what the posterior is conditioned on, from the true colors.

        Args:
            plain: features decoded without a latent, from the network's `plain`.
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.

        Returns:
            True colors, the error of the plain coloring, and the score, at the output's resolution.
        """
        raw = self.head(plain, lightness)
        small = F.interpolate(torch.cat((lightness, ab), dim=1), raw.shape[-2:], mode="area")
        error = small[:, 1:] - self.head.decode(raw, lightness, Decoding(vividness=0, temperature=1))
        colors = torch.cat((small[:, :1] / 50 - 1, small[:, 1:] / 50, error / 50), dim=1)
        # The score is about 0.06 in magnitude. Unscaled, the posterior hardly learns from it.
        return PosteriorInput(colors, 10 * self.head.score(raw, small[:, 1:]))

    def _encode(self, lightness: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the encoder's features and those decoded without a latent."""
        features = self.network.encode(lightness)
        return features, self.network.plain(features)

    def _complete(self, lightness: Tensor, encoded: tuple[list[Tensor], Tensor], guidance: Guidance) -> Tensor:
        """Decodes the most typical latent, or as many samples as requested.

        Samples are stratified over the prior (see `stratified_normal`), so a few of them cover it better than
        independent draws would. All pictures of the batch share the same noise. A reference similar to the picture
        determines the global latent, a different one shifts it slightly; the spatial latent is still sampled.
        """
        network = self.network
        features, plain = encoded
        prior = network.prior(features, plain)
        typical = prior.typical
        global_latent = None
        if guidance.reference is not None:
            own = self._coordinates(plain, lightness)
            posterior, reference = self._encode_reference(guidance.reference.to(lightness.device))
            share = likeness(kernel_of(self), own, reference)[:, None]
            global_latent = torch.lerp(typical.global_latent, posterior.expand_as(typical.global_latent), share)
        if not guidance.draws:
            latent = typical
            if global_latent is not None:
                latent = Latent(global_latent, prior.spatial_given(global_latent).mean)
            raw: Tensor = self.head(network.decode_with(features, latent.to(self._dtype)), lightness)
            return raw
        seed, spread = guidance.seed or 0, _SPREAD if guidance.spread is None else guidance.spread
        generator = torch.Generator().manual_seed(seed)
        order = network.nats.argsort(descending=True, stable=True)
        outputs = []
        for row in stratified_normal(guidance.samples, order, seed):
            spatial_noise = torch.randn(
                (1, *typical.spatial_latent.shape[1:]), generator=generator, dtype=torch.float32
            )
            noise = Latent(row[None].to(typical.global_latent), spatial_noise.to(typical.spatial_latent))
            latent = prior.sample(noise, spread, global_latent)
            outputs.append(self.head(network.decode_with(features, latent.to(self._dtype)), lightness))
        return torch.cat(outputs)

    def kernel_features(self, encoded: tuple[list[Tensor], Tensor]) -> Sequence[Tensor]:
        """Returns the features decoded without a latent."""
        return [encoded[1]]

    def vary(self, features: Features, raw: Tensor, ab: Tensor, guidance: Guidance) -> Tensor:
        """Returns `ab`, which varies with the latent already."""
        return ab

    def _coordinates(self, plain: Tensor, lightness: Tensor) -> Embedding:
        """The kernel's embedding of each pixel, without place, from the features decoded without a latent."""
        kernel, small = kernel_of(self), F.interpolate(lightness, plain.shape[-2:], mode="area")
        unknown = small.expand(-1, 3, -1, -1) * 0
        return kernel.without_place(kernel.embed([plain.float()], small, unknown[:, :2], unknown))

    def _encode_reference(self, reference: Tensor) -> tuple[Tensor, Embedding]:
        """Computes the posterior mean of the global latent of a colored picture, `(1, codes)`, and its coordinates."""
        check_reference(reference)
        height, width = self.transforms().output_size(*reference.shape[-2:])
        stride = self.network.stride
        height, width = (max(stride, round(side / stride) * stride) for side in (height, width))
        pixels = reference[0].permute(1, 2, 0).float().cpu().numpy()
        lab = torch.from_numpy(planes.lab(planes.resize(pixels, (height, width)))[None]).to(reference.device)
        lightness, ab = lab[:, :1], lab[:, 1:]
        features, plain = self._encode(lightness.to(self._dtype))
        truth = PosteriorInput(*(each.to(self._dtype) for each in self.posterior_input(plain, lightness, ab)))
        mean = self.network.posterior(features, plain, truth).global_latent.mean
        return mean, self._coordinates(plain, lightness)


@register_model(VAE_Weights)
def vae(
    *,
    weights: WeightsArgument = None,
    progress: bool = True,
    width: int | None = None,
    start: str | Path | None = None,
    bins: int | None = None,
    accuracy: float | None = None,
    size: int | None = None,
) -> VAEModel:
    """Builds `vae`: `unet` as a variational autoencoder that yields several colorings of one picture.

    Args:
        weights: a `VAE_Weights` member, its name, `"DEFAULT"`, or the path of a weights file, which then
            determines the network; `None` builds an untrained one.
        progress: show a progress bar while downloading weights.
        width: channels of the decoder at 1/4 size, 96 if not given.
        start: weights of `unet` to initialize an untrained model from; they determine width, bins and size.
        bins: number of color bins; all bins of the sRGB gamut if not given.
        accuracy: weight of the error of the mean color in the loss, 0 if not given; see `DistributionHead`.
        size: working size in pixels, 192 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.

    Example:
        >>> import torch
        >>> vae(width=16).colorize(torch.rand(1, 1, 37, 50)).shape
        torch.Size([1, 3, 37, 50])
    """
    plain = None
    if start is not None:
        if weights is not None:
            raise ConfigError("give either weights=... or start=..., not both")
        plain = unet(weights=start, width=width, bins=bins, size=size)
        width, bins, size = plain.network.channels, plain.head.config["bins"], plain.size
    model = assemble(
        "vae",
        VAE,
        DistributionHead,
        weights,
        network={"width": width},
        head={"bins": bins, "accuracy": accuracy},
        size=size,
        progress=progress,
        model_type=VAEModel,
    )
    if plain is not None:
        model.network.load_state_dict({**model.network.state_dict(), **plain.network.state_dict()})
        model.head.load_state_dict(plain.head.state_dict())
    return model
