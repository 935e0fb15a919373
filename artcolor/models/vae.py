"""`vae`: the network of `unet` with a latent that codes nothing but colour, so that one picture has many colourings.

Sources: Sohn, Lee, Yan 2015 (conditional VAE with a learned prior); Deshpande et al. 2017 (a latent for colour alone,
structure from features of the gray picture); Kingma et al. 2016 (free bits).
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import rgb_to_lab, rgb_to_lightness
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import DistributionHead
from artcolor.models.latent import Gaussian, GaussianLayer, Latent, evenly_normal
from artcolor.models.registry import WeightsArgument, WeightsEnum, assemble, register_model
from artcolor.models.unet import UNet, unet
from artcolor.transforms import JoinChroma

SPREAD = 0.6
"""Default spread of samples: at full spread, some are a single strong cast."""

_KL_WEIGHT_WHOLE = 0.018
_KL_WEIGHT_GRID = 0.011
_KL_WARMUP = 600
_FREE_GRID_NATS = 6.0
_PLAIN_SHARE = 0.125
_TYPICAL_SHARE = 0.125
_ANCHOR_WEIGHT = 0.0003


class VAE_Weights(WeightsEnum):
    """Released weights of `vae`."""

    ART_V3 = "vae.art_v3"
    DEFAULT = ART_V3


class VAE(UNet):
    """`UNet` whose decoder listens to a latent: scale and shift at each stage, and a grid added at the coarsest.

    Without a latent (`None`) it is a plain `UNet`.

    Args:
        width: channels of the decoder at 1/4 size; deeper stages have more.
        codes: numbers that code the whole picture's colours.
        grid: channels of the grid that codes where they are.
        hidden: channels of the layers that guess the latent.

    Example:
        >>> import torch
        >>> VAE(width=16)(torch.rand(1, 1, 64, 96) * 100).shape
        torch.Size([1, 16, 16, 24])
    """

    def __init__(self, width: int = 96, *, codes: int = 16, grid: int = 4, hidden: int = 96) -> None:
        super().__init__(width)
        self.config = {"width": width, "codes": codes, "grid": grid, "hidden": hidden}
        self.codes, self.grid = codes, grid
        deepest = self.encoder.feature_info.channels()[-1]
        self.styles = nn.ModuleList(nn.Linear(codes, 2 * channels) for channels in self.stages)
        self.place = nn.Conv2d(grid, self.stages[0], 1, bias=False)
        for layer in (*self.styles, self.place):
            # Small, not zero: a latent that nothing listens to would never be used.
            nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.prior_features = nn.Sequential(
            nn.Conv2d(deepest, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU()
        )
        self.prior_layer = GaussianLayer(hidden, codes, grid)
        self.colours = nn.Sequential(
            nn.Conv2d(3, hidden // 3, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden // 3, hidden * 2 // 3, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden * 2 // 3, hidden, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
        )
        self.posterior_features = nn.Sequential(
            nn.Conv2d(hidden + deepest, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.posterior_layer = GaussianLayer(hidden, codes, grid)

    def prior(self, seen: list[Tensor]) -> Gaussian:
        """p(z | L), from what `encode` gave. No gradient goes back to the encoder."""
        gaussian: Gaussian = self.prior_layer(self.prior_features(seen[-1].detach()))
        return gaussian

    def posterior(self, seen: list[Tensor], lightness: Tensor, ab: Tensor) -> Gaussian:
        """q(z | L, ab), from what `encode` gave. No gradient goes back to the encoder.

        Args:
            seen: the encoder's features.
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)` in Lab units.
        """
        small = F.avg_pool2d(torch.cat((lightness / 50 - 1, ab / 50), dim=1), self.out_stride)
        joined = torch.cat((self.colours(small), seen[-1].detach()), dim=1)
        gaussian: Gaussian = self.posterior_layer(self.posterior_features(joined))
        return gaussian

    def decode_with(self, seen: list[Tensor], latent: Latent) -> Tensor:
        """Gives `(N, width, H / 4, W / 4)` from what `encode` gave and a latent.

        Args:
            seen: the encoder's features.
            latent: one for each picture.
        """

        def change(stage: int, features: Tensor) -> Tensor:
            if stage == 0:
                features = features + self.place(latent.grid)
            scale, shift = self.styles[stage](latent.whole)[:, :, None, None].chunk(2, dim=1)
            styled: Tensor = features * (1 + scale) + shift
            return styled

        return self.decode(seen, change)

    def forward(self, lightness: Tensor) -> Tensor:
        """Decodes the most typical latent, the prior's mean, of L `(N, 1, H, W)` in 0..100."""
        seen = self.encode(lightness)
        return self.decode_with(seen, self.prior(seen).mean)


class VAEModel(ColorizationModel):
    """`vae`: without options, the most typical colouring; with `samples`, several; with `palette`, another's mood."""

    network: VAE

    def training_loss(
        self, lightness: Tensor, ab: Tensor, *, step: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The head's loss plus the weighted KL divergence in nats per picture.

        The weights suit a head with `accuracy` 1, as the recipe has; without it the data weigh about a third as much.

        The divergence of the numbers for the whole picture weighs 0.018, that of the grid 0.011, and its first 6
        nats are free, as it would collapse otherwise; both warm up over 600 steps. An eighth of the pictures goes
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
        prior, posterior = network.prior(seen), network.posterior(seen, lightness, ab)
        noise = Latent(*(torch.randn(part.shape, generator=generator, device=device) for part in posterior.mean))
        draw = torch.rand(len(lightness), generator=generator, device=device)
        listens = (draw >= _PLAIN_SHARE + _TYPICAL_SHARE).float()
        typical = (draw < _TYPICAL_SHARE).float()
        # Samples lie on a shell around the prior's mean, so that the decoder would never see the mean itself.
        known = posterior.sample(noise).scaled(listens)
        guessed = prior.mean.detached().scaled(typical)
        raw = self.head(network.decode_with(seen, known.plus(guessed)), lightness)
        with torch.autocast(device.type, enabled=False):
            data = self.head.loss(raw.float(), lightness, ab)
            whole, grid = ((kl * listens).mean() for kl in posterior.divergence(prior))
            # Prior and posterior could drift away together, which costs the divergence between them nothing.
            drift = torch.stack(prior.divergence(prior.standard())).sum(0).mean()
        warm = min(1.0, step / _KL_WARMUP)
        loss = data["loss"] + warm * (_KL_WEIGHT_WHOLE * whole + _KL_WEIGHT_GRID * grid.clamp(min=_FREE_GRID_NATS))
        loss = loss + _ANCHOR_WEIGHT * drift
        parts = {**data, "kl_whole": whole, "kl_grid": grid, "drift": drift}
        return {name: value.detach() for name, value in parts.items()} | {"loss": loss}

    @torch.no_grad()
    def sample_raw(
        self,
        lightness: Tensor,
        *,
        samples: int = 1,
        seed: int = 0,
        spread: float | None = SPREAD,
        palette: Tensor | None = None,
    ) -> Tensor:
        """The raw head output of several latents for each picture, for lightness of any size.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.
            samples: see `sample_ab_grid`.
            seed: see `sample_ab_grid`.
            spread: see `sample_ab_grid`.
            palette: see `sample_ab_grid`.

        Returns:
            `(samples · N, Q, ⌈H / 4⌉, ⌈W / 4⌉)`: all pictures of the first sample come first.

        Raises:
            ConfigError: an option out of range.
            WeightsError: the network's output is not finite.
        """
        if samples < 1:
            raise ConfigError(f"samples must be at least 1, not {samples}")
        if spread is not None and not 0 <= spread < float("inf"):
            raise ConfigError(f"spread must be 0 or more, not {spread}")
        mood = None if palette is None else self._mood(palette.to(lightness.device))
        generator = torch.Generator().manual_seed(seed)
        even = evenly_normal(samples, self.network.codes, seed)

        def run(padded: Tensor) -> Tensor:
            network = self.network
            seen = network.encode(padded)
            if spread is None:
                return torch.cat([self.head(network.decode(seen), padded)] * samples)
            prior = network.prior(seen)
            found = []
            for row in even:
                noise = torch.randn((1, *prior.mean.grid.shape[1:]), generator=generator)
                latent = prior.sample(Latent(row[None].to(prior.mean.whole), noise.to(prior.mean.grid)), spread)
                if mood is not None:
                    latent = latent._replace(whole=mood.expand_as(latent.whole))
                found.append(self.head(network.decode_with(seen, latent), padded))
            return torch.cat(found)

        return self.predict_raw(lightness, run)

    @torch.no_grad()
    def sample_ab_grid(
        self,
        lightness: Tensor,
        *,
        samples: int = 1,
        seed: int = 0,
        spread: float | None = SPREAD,
        palette: Tensor | None = None,
        temperature: float | None = None,
        vividness: float | None = None,
    ) -> Tensor:
        """Predicts several different chromas for each picture, at the resolution of the network's output.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100, any size.
            samples: how many. Their numbers for the whole picture are spread evenly over what is plausible, so that
                few show more of it than independent ones would (Sobol 1967, scrambled).
            seed: of the latents; the same for every picture of the batch.
            spread: deviations from the most typical latent, 0 or more; `None` goes without the latent, as a plain
                `unet` does.
            palette: `(1|N, 3, h, w)`, sRGB in 0..1: coloured pictures whose mood is taken over. It replaces the
                numbers for the whole picture; the grid is still sampled.
            temperature: see `DistributionHead`; `None` takes the model's own.
            vividness: see `DistributionHead`; `None` takes the model's own.

        Returns:
            `(samples, N, 2, ⌈H / 4⌉, ⌈W / 4⌉)` in Lab units.

        Raises:
            ConfigError: an option out of range.

        Example:
            >>> import torch
            >>> vae(width=16).sample_ab_grid(torch.rand(1, 1, 64, 64) * 100, samples=3).shape
            torch.Size([3, 1, 2, 16, 16])
        """
        raw = self.sample_raw(lightness, samples=samples, seed=seed, spread=spread, palette=palette)
        ab = self.head.decode(raw, lightness.repeat(samples, 1, 1, 1), temperature=temperature, vividness=vividness)
        return ab.reshape(samples, -1, *ab.shape[1:])

    def _mood(self, palette: Tensor) -> Tensor:
        """The whole picture's numbers `(N, codes)`, as the posterior reads them off coloured pictures."""
        if palette.ndim != 4 or palette.shape[1] != 3:
            raise ConfigError(f"palette must be (N, 3, H, W), sRGB in 0..1, not {tuple(palette.shape)}")
        height, width = self.transforms().output_size(*palette.shape[-2:])
        stride = self.network.stride
        height, width = (max(stride, round(side / stride) * stride) for side in (height, width))
        lab = rgb_to_lab(F.interpolate(palette, (height, width), mode="bicubic", antialias=True).clamp(0, 1))
        lightness, ab = lab[:, :1], lab[:, 1:]
        return self.network.posterior(self.network.encode(lightness), lightness, ab).mean.whole

    @torch.no_grad()
    def colorize_samples(
        self,
        gray: Tensor,
        *,
        samples: int = 4,
        seed: int = 0,
        spread: float | None = SPREAD,
        palette: Tensor | None = None,
        size: int | None = None,
        temperature: float | None = None,
        vividness: float | None = None,
    ) -> Tensor:
        """Gives pictures several different colourings each; their lightness stays as it is.

        Args:
            gray: `(N, 1|3, H, W)`, sRGB in 0..1, any size.
            samples: how many.
            seed: of the latents.
            spread: see `sample_ab_grid`.
            palette: see `sample_ab_grid`.
            size: working size; `None` takes the model's own.
            temperature: see `DistributionHead`; `None` takes the model's own.
            vividness: see `DistributionHead`; `None` takes the model's own.

        Returns:
            `(samples, N, 3, H, W)`, sRGB in 0..1.
        """
        grids = self.sample_ab_grid(
            self.transforms(size)(gray),
            samples=samples,
            seed=seed,
            spread=spread,
            palette=palette,
            temperature=temperature,
            vividness=vividness,
        )
        lightness = rgb_to_lightness(gray)
        return torch.stack([JoinChroma(ab, *gray.shape[-2:])(lightness) for ab in grids])


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
    """Builds `vae`: `unet` with a latent for colour; `sample_ab_grid` and `colorize_samples` give several colourings.

    Args:
        weights: `None` for an untrained network, a `VAE_Weights` member, its name, `"DEFAULT"`, or the path of
            a weights file, whose own config then decides the network.
        progress: show a bar while weights are downloaded.
        width: channels of the decoder at 1/4 size, 96 if not given.
        start: weights of `unet` that network and head of an untrained model start from; they decide width, bins
            and size.
        bins: number of colour bins; those of the sRGB gamut if not given.
        accuracy: what the error of the mean colour weighs in the loss, 0 if not given; see `DistributionHead`.
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
