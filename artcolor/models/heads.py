"""Heads: each defines what a model predicts, its loss, and how the output is decoded to chroma."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.codebook import SIGMA, Codebook
from artcolor.color.lab import limit_chroma
from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding
from artcolor.models.head_settings import check_pair, check_setting, effective

__all__ = ["DistributionHead", "Head"]

# In squared Lab units. Errors below it are mostly rounding; without it, a gray picture would outweigh all others.
_MIN_ERROR = 10.0

HEADS: dict[str, type["Head"]] = {}
"""Heads that a weights file may name, by class name."""


class Head(nn.Module):
    """Base class of heads. A subclass takes the number of feature channels and adds the layers that it needs.

    Subclasses register themselves by name, and weights files store their `config`, so a head can be rebuilt from a
    file.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        HEADS[cls.__name__] = cls

    @property
    def config(self) -> dict[str, Any]:
        """The keywords that rebuild this head."""
        raise NotImplementedError

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Computes the raw output.

        Args:
            features: `(N, channels, h, w)`, from the network.
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, C, h, w)`.
        """
        raise NotImplementedError

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Computes the loss of a raw output.

        Args:
            raw: `(N, C, h, w)`, from `forward`.
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.

        Returns:
            `"loss"` is minimized; all other values are logged.
        """
        raise NotImplementedError

    def decode(self, raw: Tensor, lightness: Tensor, decoding: Decoding = Decoding()) -> Tensor:
        """Decodes a raw output to chroma.

        Args:
            raw: `(N, C, h, w)`, from `forward`.
            lightness: `(N, 1, H, W)`, L in 0..100, of the same area at any resolution.
            decoding: vividness, temperature and strength.

        Returns:
            ab `(N, 2, h, w)` in Lab units.

        Raises:
            ConfigError: `decoding` sets a field that this head does not support.
        """
        ab = self.chroma(raw, lightness, decoding)
        return ab if decoding.strength == 1 else ab * decoding.strength

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """Computes chroma at strength 1. Subclasses implement this method; callers use `decode`.

        Args:
            raw: `(N, C, h, w)`, from `forward`.
            lightness: `(N, 1, H, W)`, L in 0..100, of the same area at any resolution.
            decoding: vividness and temperature; strength is ignored.

        Returns:
            ab `(N, 2, h, w)` in Lab units.
        """
        raise NotImplementedError

    def fit(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fits the head to statistics of the training `pictures`, once, before the first step."""


class DistributionHead(Head):
    """Predicts a distribution over quantized ab, after Zhang, Isola, Efros (ECCV 2016).

    There are two differences from the paper. log p(bin | L) is added to the logits as a constant, so an untrained
    network already predicts the distribution given lightness alone. And the loss is the plain, unweighted
    cross-entropy, which keeps the distribution calibrated; rare colors are emphasized during decoding instead.

    Args:
        channels: channels of the features.
        bins: number of color bins Q; `None` uses all bins of the sRGB gamut, with a uniform prior.
        vividness: default τ in 0..100; τ · `power` · log w(bin) is added to the logits. 0 is the most accurate and the
            most muted.
        temperature: default T in 0.01..1 of the annealed mean; lower sharpens the distribution.
        smoothing: λ in 0..1 of the class weights. A small λ lets very rare colors outweigh all others.
        given_l: s in 0..1; the class weights are w(bin)^(1 − s) · w(bin | L)^s. With s above 0, colors that are rare
            at a pixel's lightness also count as rare. The paper corresponds to 0.
        power: exponent of the class weights at vividness 1, 0.001 to 100. A small one makes vividness a gentle control.
        cast: share in 0..1 of a vivid picture's mean color that is replaced by the mean of the distribution. Class
            weights tint whole pictures, mostly toward orange; this takes a part of the tint back.
        offset: a and b in Lab units, added to all colors of a vivid picture: the mean difference between true and vivid
            colors, as measured on held-out paintings.
        limit: knee and limit of the chroma of a vivid picture in Lab units, for `limit_chroma`; `None` for no limit.
        accuracy: weight of the error of the mean color in the loss, 0 or more. Cross-entropy does not prefer the
            better mean among two distributions that are equally far from the truth; this term does, as measured by
            PSNR.
        sigma: σ > 0 of the soft encoding of the true colors, in Lab units; 5 in the paper. A smaller one trains
            sharper distributions.

    Raises:
        ConfigError: a setting is out of range, or there are fewer than 5 bins.

    Example:
        >>> import torch
        >>> head, lightness = DistributionHead(8), torch.full((1, 1, 16, 16), 50.0)
        >>> head.decode(head(torch.rand(1, 8, 4, 4), lightness), lightness).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(
        self,
        channels: int,
        *,
        bins: int | None = None,
        vividness: float = 0.0,
        temperature: float = 1.0,
        smoothing: float = 0.5,
        given_l: float = 0.0,
        power: float = 1.0,
        cast: float = 0.0,
        offset: Sequence[float] = (0.0, 0.0),
        limit: Sequence[float] | None = None,
        accuracy: float = 0.0,
        sigma: float = SIGMA,
    ) -> None:
        super().__init__()
        self.codebook = Codebook.of_gamut() if bins is None else Codebook(bins)
        self.vividness, self.temperature = (
            check_setting("vividness", vividness),
            check_setting("temperature", temperature),
        )
        self.smoothing, self.given_l = check_setting("smoothing", smoothing), check_setting("given_l", given_l)
        self.power, self.cast = check_setting("power", power), check_setting("cast", cast)
        self.offset, self.limit = check_pair("offset", offset), None if limit is None else check_pair("limit", limit)
        if self.limit and not self.limit[0] < self.limit[1]:
            raise ConfigError(f"limit must be two chromas, the knee below the limit, not {limit}")
        self.accuracy, self.sigma = check_setting("accuracy", accuracy), check_setting("sigma", sigma)
        self._make_project(channels)

    def _make_project(self, channels: int) -> None:
        self.project = nn.Conv2d(channels, self.codebook.bins, 1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]

    @property
    def config(self) -> dict[str, Any]:
        """Bins, decoding defaults and λ; all others only if they differ from their defaults."""
        config: dict[str, Any] = {
            "bins": self.codebook.bins,
            "vividness": self.vividness,
            "temperature": self.temperature,
            "smoothing": self.smoothing,
        }
        # Defaults are omitted, so older files, written before these keywords existed, have the same config.
        others = {"given_l": 0, "power": 1, "cast": 0, "offset": (0, 0), "limit": None, "accuracy": 0, "sigma": SIGMA}
        for name, default in others.items():
            value = getattr(self, name)
            if value != default:
                config[name] = list(value) if isinstance(value, tuple) else value
        return config

    def fit(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fits codebook and priors to pictures and reinitializes the last layer.

        Args:
            pictures: pairs of L `(N, 1, H, W)` in 0..100 and ab `(N, 2, H, W)` in Lab units.
        """
        weight = self.project.weight
        self.codebook = self._codebook_of(pictures).to(weight.device)
        self._make_project(weight.shape[1])
        self.project.to(weight.device)

    def _codebook_of(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> Codebook:
        return Codebook.fit(pictures)

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Computes logits `(N, Q, h, w)` from `features` `(N, channels, h, w)` and L, `lightness`, `(N, 1, H, W)`."""
        logits: Tensor = self.project(features)
        return logits.float() + self.codebook.log_prior(_resized(lightness, features))

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Computes the soft cross-entropy against the true chroma at the output's resolution, in nats per pixel.

        With `accuracy` above 0, `"loss"` is `"nll"` + `accuracy` · `"log_error"`: the latter is the logarithm of the
        squared error of the mean color, averaged over pictures like PSNR. Doubling the squared error adds 0.69.
        """
        small = F.interpolate(ab, raw.shape[-2:], mode="area")
        index, weight = self.codebook.encode_rounded(small, sigma=self.sigma)
        log_p = torch.log_softmax(raw.movedim(1, -1), dim=-1)
        entropy = -(log_p.gather(-1, index) * weight).sum(-1)
        pixels = self._pixel_weight(index)
        nll = entropy.mean() if pixels is None else (entropy * pixels).mean()
        if self.accuracy == 0:
            return {"loss": nll, "nll": nll.detach()}
        mean = torch.einsum("nhwq,qc->nchw", log_p.exp(), self.codebook.centers)
        error = (mean - small).square().sum(1).mean((1, 2))
        log_error = (error + _MIN_ERROR).log().mean()
        parts = {"nll": nll.detach(), "log_error": log_error.detach()}
        return {"loss": nll + self.accuracy * log_error, **parts}

    def _pixel_weight(self, index: Tensor) -> Tensor | None:
        """Returns the weights `(N, h, w)` of pixels in the loss, given their nearest bins `(N, h, w, 5)`."""
        return None

    @torch.no_grad()
    def calibrate(self, temperature: float, *, prior: float | None = None) -> None:
        """Calibrates the distribution by temperature scaling (Guo et al. 2017, 4.2).

        Soft-encoded targets teach a network to spread a certain prediction over five bins. A temperature below 1,
        fitted on held-out pictures, reverses that, so that probabilities match frequencies; one above 1 corrects an
        overconfident network. Overfitting affects the network's logits but not p(bin | L), so the two can have
        separate temperatures. Both are folded into the last layer and p(bin | L) and cost nothing at inference.
        Further training invalidates the calibration.

        Args:
            temperature: divisor of the network's logits, above 0.
            prior: divisor of log p(bin | L), above 0; `temperature` if not given.

        Raises:
            ConfigError: a temperature is not above 0.

        Example:
            >>> import torch
            >>> head = DistributionHead(8)
            >>> head.calibrate(0.8)
        """
        prior = temperature if prior is None else prior
        for constant in (temperature, prior):
            if not 0 < constant < math.inf:
                raise ConfigError(f"a calibration temperature must be above 0, not {constant}")
        for parameter in self.project.parameters():
            parameter.div_(temperature)
        table = self.codebook.prior_given_l
        table.copy_(torch.softmax(table.double().log() / prior, dim=1))

    def score(self, raw: Tensor, ab: Tensor) -> Tensor:
        """Computes the gradient of the log-likelihood of the true chroma with respect to the features.

        Args:
            raw: logits `(N, Q, h, w)`.
            ab: `(N, 2, h, w)`, the true chroma in Lab units.

        Returns:
            `(N, channels, h, w)`.

        Example:
            >>> import torch
            >>> head = DistributionHead(8)
            >>> head.score(torch.zeros(1, head.codebook.bins, 4, 4), torch.zeros(1, 2, 4, 4)).shape
            torch.Size([1, 8, 4, 4])
        """
        index, weight = self.codebook.encode_rounded(ab, sigma=self.sigma)
        residual = (-self.distribution(raw)).movedim(1, -1).scatter_add(-1, index, weight)
        return torch.einsum("nhwq,qc->nchw", residual, self.project.weight[:, :, 0, 0].float())

    def distribution(self, raw: Tensor) -> Tensor:
        """Computes the learned probabilities of the bins, regardless of vividness and temperature.

        Args:
            raw: logits `(N, Q, h, w)`.

        Returns:
            `(N, Q, h, w)`, summing to 1 over Q.
        """
        return torch.softmax(raw.float(), dim=1)

    def entropy(self, raw: Tensor) -> Tensor:
        """Computes the entropy of the learned distribution relative to log Q, that of the uniform distribution.

        Args:
            raw: logits `(N, Q, h, w)`.

        Returns:
            `(N, 1, h, w)` in 0..1.

        Example:
            >>> import torch
            >>> head = DistributionHead(8)
            >>> head.entropy(torch.zeros(1, head.codebook.bins, 1, 1)).item()
            1.0
        """
        log_p = torch.log_softmax(raw.float(), dim=1)
        nats = -(log_p.exp() * log_p).sum(dim=1, keepdim=True)
        return (nats / math.log(self.codebook.bins)).clamp(0, 1)

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """Computes the annealed mean of the distribution, weighted toward rare colors by vividness.

        Vivid colors are limited in chroma, and the tint that the weights give to the whole picture is reduced. Below
        vividness 1, both apply in proportion, so vividness changes a picture continuously. Below its default, the
        default temperature rises, up to 1 at vividness 0: the plain mean, which is the most accurate.
        """
        vividness, temperature = effective(decoding, vividness=self.vividness, temperature=self.temperature)
        logits = raw.float()
        if vividness == 0:
            return self.codebook.annealed_mean(logits, temperature)
        return self.weighted_mean(logits, lightness, vividness, temperature, min(1.0, vividness))

    def weighted_mean(
        self,
        logits: Tensor,
        lightness: Tensor,
        vividness: float | Tensor,
        temperature: float | Tensor,
        share: float | Tensor,
        inside: Tensor | None = None,
    ) -> Tensor:
        """Computes chroma by class weights; see `chroma`.

        Args:
            logits: `(N, Q, h, w)`.
            lightness: `(N, 1, H, W)`, L in 0..100, of the same area at any resolution.
            vividness: τ.
            temperature: T of the annealed mean.
            share: how much of the limit and of the corrections of tints applies, in 0..1.
            inside: `(h, w)`, 1 where the picture is and 0 in its padding; `None` if there is no padding.

        Returns:
            ab `(N, 2, h, w)` in Lab units.
        """
        weighted = logits + vividness * self.power * self._log_weights_at(_resized(lightness, logits))
        ab = self.codebook.annealed_mean(weighted, temperature)
        if self.limit is not None:
            ab = ab + share * (limit_chroma(ab, *self.limit) - ab)
        if self.cast > 0:
            tint = self.codebook.annealed_mean(logits) - ab
            tint = tint.mean((2, 3)) if inside is None else (tint * inside).sum((2, 3)) / inside.sum()
            ab = ab + share * self.cast * tint[..., None, None]
        if any(self.offset):
            ab = ab + share * ab.new_tensor(self.offset).reshape(1, 2, 1, 1)
        return ab

    def log_weights(self) -> Tensor:
        """Computes the logarithm of the class weights.

        Returns:
            `(20, Q)`, a row for each bin of L, or `(1, Q)` if they do not depend on L.
        """
        overall = self.codebook.class_weights(self.smoothing).log()
        if self.given_l == 0:
            return overall[None]
        given = self.codebook.class_weights_given_l(self.smoothing).log()
        return torch.lerp(overall.expand_as(given), given, self.given_l)

    def _log_weights_at(self, lightness: Tensor) -> Tensor:
        """Returns log class weights at pixels of L `(N, 1, h, w)`, or `(1, Q, 1, 1)` if they do not depend on L."""
        table = self.log_weights()
        return table[..., None, None] if len(table) == 1 else self.codebook.look_up(table, lightness)


def _resized(lightness: Tensor, like: Tensor) -> Tensor:
    (height, width), (h, w) = lightness.shape[-2:], like.shape[-2:]
    down, across = height // h, width // w
    if (down * h, across * w) == (height, width):
        # "area" does the same, but torch.compile would compile it for each size, and it cannot be exported to ONNX.
        return F.avg_pool2d(lightness, (down, across))
    return F.interpolate(lightness, (h, w), mode="area")
