"""`vae`: the network of `unet` with a latent that codes nothing but color, so that one picture has many colorings.

Sources: Sohn, Lee, Yan 2015 (conditional VAE with a learned prior); Deshpande et al. 2017 (a latent for color alone,
structure from features of the gray picture); Kingma et al. 2016 (free bits).
"""

from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color import planes
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding, Guidance
from artcolor.models.heads import DistributionHead
from artcolor.models.latent import Latent, LatentDistribution, LatentLayer, PosteriorInput, evenly_normal
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model
from artcolor.models.unet import UNet, unet

SPREAD = 0.6
"""Default spread of samples: at full spread, some are a single strong cast."""

_KL_WEIGHT_WHOLE = 0.016
_KL_WEIGHT_GRID = 0.06
_KL_WARMUP = 400
_FREE_GRID_NATS = 1.0
_PLAIN_SHARE = 0.125
_TYPICAL_SHARE = 0.125
_ANCHOR_WEIGHT = 0.0003
_NATS_RATE = 0.01


class VAE_Weights(WeightsEnum):
    """Released weights of `vae`."""

    ART_V6 = "vae.art_v6"
    DEFAULT = ART_V6


class VAE(UNet):
    """`UNet` whose decoder listens to a latent: numbers for the whole picture and a coarse grid scale and shift it.

    Without a latent (`None`) it is a plain `UNet`. What the plain decoder makes of a picture is also what prior and
    posterior look at: how it is colored without a latent tells what a latent has left to say. BatchNorms keep the
    statistics they have in training too, as decoding with and without a latent shares them.

    Args:
        width: channels of the decoder at 1/4 size; deeper stages have more.
        codes: numbers that code the whole picture's colors, at least five.
        grid: channels of the grid that codes where they are.
        hidden: channels of the layers that guess the latent.

    Attributes:
        nats: `(codes,)`, what each number for the whole picture said of late in training: how much it matters.

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
        deepest = self.encoder.feature_info.channels()[-1]
        self.styles = nn.ModuleList(nn.Linear(codes, 2 * channels) for channels in self.stages)
        self.places = nn.ModuleList(nn.Conv2d(grid, 2 * channels, 1, bias=False) for channels in self.stages)
        for layer in (*self.styles, *self.places):
            # Small, not zero: a latent that nothing listens to would never be used.
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
        # The name is part of released files.
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
        """Sets the mode; BatchNorms stay in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    @torch.no_grad()
    def plain(self, seen: list[Tensor]) -> Tensor:
        """What the decoder gives without a latent, `(N, width, H / 4, W / 4)`, for prior and posterior to look at."""
        return self.decode(seen)

    def prior(self, seen: list[Tensor], plain: Tensor) -> LatentDistribution:
        """p(z | L). No gradient goes back to the encoder.

        Args:
            seen: the encoder's features, from `encode`.
            plain: from `plain`.
        """
        deepest = seen[-1].detach()
        joined = torch.cat((deepest, F.avg_pool2d(plain, self.stride // self.out_stride)), dim=1)
        latent: LatentDistribution = self.prior_layer(self.prior_features(joined))
        return latent

    def posterior(self, seen: list[Tensor], plain: Tensor, truth: PosteriorInput) -> LatentDistribution:
        """q(z | L, ab). No gradient goes back to the encoder.

        Args:
            seen: the encoder's features, from `encode`.
            plain: from `plain`.
            truth: from `VAEModel.posterior_input`.
        """
        colors = self.colours(torch.cat((truth.colors, plain, truth.score, plain * truth.score), dim=1))
        latent: LatentDistribution = self.posterior_layer(
            self.posterior_features(torch.cat((colors, seen[-1].detach()), dim=1))
        )
        return latent

    def decode_with(self, seen: list[Tensor], latent: Latent) -> Tensor:
        """Gives `(N, width, H / 4, W / 4)` from what `encode` gave and a latent.

        Args:
            seen: the encoder's features.
            latent: one for each picture.
        """

        def change(stage: int, features: Tensor) -> Tensor:
            grid = latent.grid
            if stage > 0:
                grid = F.interpolate(grid, features.shape[-2:], mode="bilinear")
            style = self.styles[stage](latent.whole)[:, :, None, None] + self.places[stage](grid)
            scale, shift = style.chunk(2, dim=1)
            styled: Tensor = features * (1 + scale) + shift
            return styled

        return self.decode(seen, change)

    def forward(self, lightness: Tensor) -> Tensor:
        """Decodes the most typical latent, the prior's mean, of L `(N, 1, H, W)` in 0..100."""
        seen = self.encode(lightness)
        return self.decode_with(seen, self.prior(seen, self.plain(seen)).typical)


class VAEModel(ColorizationModel):
    """`vae`: without options, the most typical coloring; with `samples`, several; with `palette`, another's mood."""

    accepts: ClassVar[frozenset[str]] = frozenset({"reference", "samples", "seed", "spread"})
    network: VAE
    head: DistributionHead

    def training_loss(
        self, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The head's loss plus the weighted KL divergence in nats per picture.

        The weights suit a head with `accuracy` 1, as the recipe has; without it the data weigh about a third as much.

        The divergence of the numbers for the whole picture weighs 0.016, that of the grid 0.06, and its first
        nat is free, as it would collapse otherwise; both warm up over 400 steps. An eighth of the pictures goes
        without the latent, so that the weights serve as a plain model too, and an eighth with the prior's mean,
        which is the most typical latent. A light pull (0.0003) keeps the prior near the standard normal.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma.
            step: number of the optimizer step, for the warm-up.
            generator: draws latents, and who goes without.
        """
        network, device = self.network, lightness.device
        seen = network.encode(lightness)
        plain = network.plain(seen)
        prior = network.prior(seen, plain)
        posterior = network.posterior(seen, plain, self.posterior_input(plain, lightness, ab))
        whole = posterior.whole.draw(generator)
        grid, grid_prior = posterior.grid(whole), prior.grid(whole)
        draw = torch.rand(len(lightness), generator=generator, device=device)
        listens = (draw >= _PLAIN_SHARE + _TYPICAL_SHARE).float()
        # Samples lie on a shell around the prior's mean, so that the decoder would never see the mean itself.
        typical = (draw < _TYPICAL_SHARE).float()
        known = Latent(whole, grid.draw(generator)).scaled(listens)
        raw = self.head(network.decode_with(seen, known.plus(prior.typical.detached().scaled(typical))), lightness)
        with torch.autocast(device.type, enabled=False):
            data = self.head.loss(raw.float(), lightness, ab)
            each = posterior.whole.divergences(prior.whole)
            if network.training:
                network.nats.lerp_(each.detach().mean(0), _NATS_RATE)
            kl_whole = (each.sum(1) * listens).mean()
            kl_grid = (grid.divergence(grid_prior) * listens).mean()
            # Prior and posterior could drift away together, which costs the divergence between them nothing.
            drift = torch.stack([p.divergence(p.standard()).mean() for p in (prior.whole, grid_prior)]).sum()
        warm = min(1.0, step / _KL_WARMUP)
        penalty = _KL_WEIGHT_WHOLE * kl_whole + _KL_WEIGHT_GRID * kl_grid.clamp(min=_FREE_GRID_NATS)
        loss = data["loss"] + warm * penalty + _ANCHOR_WEIGHT * drift
        parts = {**data, "kl_whole": kl_whole, "kl_grid": kl_grid, "drift": drift}
        return {name: value.detach() for name, value in parts.items()} | {"loss": loss}

    @torch.no_grad()
    def posterior_input(self, plain: Tensor, lightness: Tensor, ab: Tensor) -> PosteriorInput:
        """What the posterior is shown of the true colors.

        Args:
            plain: from the network's `plain`.
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma.
        """
        raw = self.head(plain, lightness)
        small = F.interpolate(torch.cat((lightness, ab), dim=1), raw.shape[-2:], mode="area")
        missed = small[:, 1:] - self.head.decode(raw, lightness, Decoding(vividness=0, temperature=1))
        colors = torch.cat((small[:, :1] / 50 - 1, small[:, 1:] / 50, missed / 50), dim=1)
        # Ten times it is about 0.6 in size; as it is, 0.06, the posterior hardly learns from it.
        return PosteriorInput(colors, 10 * self.head.score(raw, small[:, 1:]))

    def _encode(self, lightness: Tensor) -> tuple[list[Tensor], Tensor]:
        """The encoder's features, and the plain decoder's."""
        seen = self.network.encode(lightness)
        return seen, self.network.plain(seen)

    def _complete(self, lightness: Tensor, value: tuple[list[Tensor], Tensor], guidance: Guidance) -> Tensor:
        """Decodes the most typical latent, or as many drawn ones as asked for.

        The latents of samples are spread evenly over what is plausible, so that few show more of it than independent
        ones would (see `evenly_normal`); they are the same for every picture of the batch. The colors of a reference
        replace the numbers for the whole picture; the grid is still drawn.
        """
        network = self.network
        seen, plain = value
        prior = network.prior(seen, plain)
        typical = prior.typical
        whole = None
        if guidance.reference is not None:
            whole = self._codes_of(guidance.reference.to(lightness.device)).expand_as(typical.whole)
        if not guidance.draws:
            latent = typical if whole is None else Latent(whole, prior.grid(whole).mean)
            raw: Tensor = self.head(network.decode_with(seen, latent), lightness)
            return raw
        seed, spread = guidance.seed or 0, SPREAD if guidance.spread is None else guidance.spread
        generator = torch.Generator().manual_seed(seed)
        order = network.nats.argsort(descending=True, stable=True)
        found = []
        for row in evenly_normal(guidance.samples, order, seed):
            noise = torch.randn((1, *typical.grid.shape[1:]), generator=generator)
            latent = prior.sample(Latent(row[None].to(typical.whole), noise.to(typical.grid)), spread, whole)
            found.append(self.head(network.decode_with(seen, latent), lightness))
        return torch.cat(found)

    def _codes_of(self, reference: Tensor) -> Tensor:
        """The numbers for the whole picture, `(1, codes)`, that the posterior infers from a colored picture."""
        if reference.ndim != 4 or reference.shape[:2] != (1, 3):
            raise ConfigError(f"reference must be (1, 3, H, W), sRGB in 0..1, not {tuple(reference.shape)}")
        height, width = self.transforms().output_size(*reference.shape[-2:])
        stride = self.network.stride
        height, width = (max(stride, round(side / stride) * stride) for side in (height, width))
        pixels = reference[0].permute(1, 2, 0).float().cpu().numpy()
        lab = planes.lab(planes.resize(pixels, (height, width))).to(reference.device)
        lightness, ab = lab[:, :1], lab[:, 1:]
        seen, plain = self._encode(lightness)
        return self.network.posterior(seen, plain, self.posterior_input(plain, lightness, ab)).whole.mean


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
    """Builds `vae`: `unet` with a latent for color; with `Guidance(samples=...)`, several colorings.

    Args:
        weights: `None` for an untrained network, a `VAE_Weights` member, its name, `"DEFAULT"`, or the path of
            a weights file, whose own config then decides the network.
        progress: show a bar while weights are downloaded.
        width: channels of the decoder at 1/4 size, 96 if not given.
        start: weights of `unet` that network and head of an untrained model start from; they decide width, bins
            and size.
        bins: number of color bins; those of the sRGB gamut if not given.
        accuracy: what the error of the mean color weighs in the loss, 0 if not given; see `DistributionHead`.
        size: working size in pixels, 192 if not given.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: an unknown name, or a keyword that contradicts the weights file.
        WeightsError: the file is missing or damaged, or does not fit.

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
