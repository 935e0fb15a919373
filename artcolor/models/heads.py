"""Heads: what a model predicts, how that is learned, and how it becomes chroma."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.codebook import SIGMA, Codebook
from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding

# In squared Lab units: below it, what is left is rounding, and a gray picture must not outweigh all others.
_LEAST_ERROR = 10.0

HEADS: dict[str, type["Head"]] = {}
"""The heads that a weights file may name, by the names of their classes."""


class Head(nn.Module):
    """What every head offers. `channels` is what it takes, its own layers give what it needs.

    A head's `config` holds the keywords that build it again; a weights file carries them.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        HEADS[cls.__name__] = cls

    @property
    def config(self) -> dict[str, Any]:
        """The keywords that build this head again."""
        raise NotImplementedError

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Gives the raw output `(N, C, h, w)`.

        Args:
            features: `(N, channels, h, w)`, of the network.
            lightness: `(N, 1, H, W)`, L in 0..100.
        """
        raise NotImplementedError

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Gives the loss of a raw output; `"loss"` is what to minimize, the rest is worth a log.

        Args:
            raw: `(N, C, h, w)`.
            lightness: `(N, 1, H, W)`, L in 0..100.
            ab: `(N, 2, H, W)`, the true chroma in Lab units.
        """
        raise NotImplementedError

    def decode(self, raw: Tensor, lightness: Tensor, decoding: Decoding = Decoding()) -> Tensor:
        """Turns a raw output into chroma.

        Args:
            raw: `(N, C, h, w)`.
            lightness: `(N, 1, H, W)`, L in 0..100, of any size that covers the same area.
            decoding: vividness, temperature and strength.

        Returns:
            ab `(N, 2, h, w)` in Lab units.

        Raises:
            ConfigError: `decoding` sets something that this head does not have.
        """
        ab = self.chroma(raw, lightness, decoding)
        return ab if decoding.strength == 1 else ab * decoding.strength

    def chroma(self, raw: Tensor, lightness: Tensor, decoding: Decoding) -> Tensor:
        """The chroma at strength 1; what a new head implements, while `decode` calls it.

        Args:
            raw: `(N, C, h, w)`.
            lightness: `(N, 1, H, W)`, L in 0..100.
            decoding: vividness and temperature.

        Returns:
            ab `(N, 2, h, w)` in Lab units.
        """
        raise NotImplementedError

    def fit(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Takes in the statistics of the training pictures, once, before the first step."""


class DistributionHead(Head):
    """Predicts a distribution over quantized ab, after Zhang, Isola, Efros (ECCV 2016).

    Two things differ from the paper. log p(bin | L) is added to the logits as a constant, so an untrained
    network already gives what is known from lightness alone. And the loss is the plain, unweighted
    cross-entropy, which keeps the distribution calibrated; rare colors are brought back when decoding.

    Args:
        channels: of the features that come in.
        bins: Q; `None` takes all bins of the sRGB gamut with a uniform prior.
        vividness: default τ ≥ 0; τ · log w(bin) is added to the logits. 0 is the most accurate (and brownish)
            average, 1 weighs bins by the paper's class weights.
        temperature: default T in (0, 1] of the annealed mean; lower is more decided.
        smoothing: λ of the class weights.
        given_l: s in 0..1; the weights are w(bin)^(1 − s) · w(bin | L)^s. With s above 0, colors that are rare for a
            pixel's lightness count as rare too; the paper has 0.
        accuracy: what the error of the mean color weighs in the loss, 0 or more. The cross-entropy is least at the
            true distribution, whose mean has the least squared error too; but of two networks that are equally far
            from it, it does not prefer the one whose mean is nearer. This term does, in the measure of PSNR.
        sigma: σ of the truth's soft encoding, in Lab units; the paper has 5. A smaller one asks for surer answers.

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
        accuracy: float = 0.0,
        sigma: float = SIGMA,
    ) -> None:
        super().__init__()
        if not 0 <= accuracy < math.inf:
            raise ConfigError(f"accuracy must be 0 or more, not {accuracy}")
        if not 0 < sigma < math.inf:
            raise ConfigError(f"sigma must be above 0, not {sigma}")
        self.codebook = Codebook.of_gamut() if bins is None else Codebook(bins)
        self.vividness, self.temperature = vividness, temperature
        self.smoothing, self.given_l = smoothing, given_l
        self.accuracy, self.sigma = accuracy, sigma
        self._make_project(channels)

    def _make_project(self, channels: int) -> None:
        self.project = nn.Conv2d(channels, self.codebook.bins, 1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]

    @property
    def config(self) -> dict[str, Any]:
        """Bins, decoding defaults, λ and, where they play a part, s, the weight of accuracy, and σ."""
        config = {
            "bins": self.codebook.bins,
            "vividness": self.vividness,
            "temperature": self.temperature,
            "smoothing": self.smoothing,
        }
        # Left out where they play no part, so that files written before they existed say the same.
        if self.given_l:
            config["given_l"] = self.given_l
        if self.accuracy:
            config["accuracy"] = self.accuracy
        if self.sigma != SIGMA:
            config["sigma"] = self.sigma
        return config

    def fit(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Replaces codebook and priors by those of the pictures and starts the last layer afresh.

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
        """Gives logits `(N, Q, h, w)` from features `(N, channels, h, w)` and L `(N, 1, H, W)`."""
        logits: Tensor = self.project(features)
        return logits.float() + self.codebook.log_prior(_resized(lightness, features))

    def loss(self, raw: Tensor, lightness: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Soft cross-entropy against the true chroma at the output's resolution, in nats per pixel.

        With `accuracy` above 0 it is the `"nll"` of what is returned, and `"log_error"` is added, so weighted: the
        logarithm of the mean color's squared error, averaged over pictures as PSNR is. Twice the error costs 0.69.
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
        log_error = (error + _LEAST_ERROR).log().mean()
        parts = {"nll": nll.detach(), "log_error": log_error.detach()}
        return {"loss": nll + self.accuracy * log_error, **parts}

    def _pixel_weight(self, index: Tensor) -> Tensor | None:
        """Weights `(N, h, w)` of pixels in the loss, given their nearest bins `(N, h, w, 5)`."""
        return None

    @torch.no_grad()
    def calibrate(self, temperature: float, *, prior: float | None = None) -> None:
        """Divides the logits by a constant from now on, after Guo et al. 2017 (4.2, temperature scaling).

        Soft-encoded truth teaches a network to spread a sure answer over five bins. A constant below 1, fitted on
        held-out pictures, takes that back, so that the distribution says how often a bin is the true one; a constant
        above 1 humbles a network that is too sure. What a network adds to p(bin | L) is surer on the pictures it
        learned from than on others, p(bin | L) is not; so the two may need constants of their own. They go into the
        last layer and p(bin | L), so nothing is computed in addition; training on undoes them.

        Args:
            temperature: what logits are divided by, above 0.
            prior: what their part log p(bin | L) is divided by instead; `temperature` if not given.

        Raises:
            ConfigError: one is not above 0.

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
        """The gradient of the truth's log-likelihood with respect to the features: what they would have to become.

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
        surprise = (-self.distribution(raw)).movedim(1, -1).scatter_add(-1, index, weight)
        return torch.einsum("nhwq,qc->nchw", surprise, self.project.weight[:, :, 0, 0].float())

    def distribution(self, raw: Tensor) -> Tensor:
        """The probabilities of the bins, as learned.

        Args:
            raw: logits `(N, Q, h, w)`.

        Returns:
            `(N, Q, h, w)`, summing to 1 over Q.
        """
        return torch.softmax(raw.float(), dim=1)

    def entropy(self, raw: Tensor) -> Tensor:
        """How unsure the distribution is, as learned: its entropy as a share of log Q, that of knowing nothing.

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
        """The annealed mean of the distribution, weighted toward rare colors by `vividness`."""
        vividness = self.vividness if decoding.vividness is None else decoding.vividness
        temperature = self.temperature if decoding.temperature is None else decoding.temperature
        # The head's own may come from anybody's weights file.
        Decoding(vividness=vividness, temperature=temperature)
        logits = raw.float()
        if vividness > 0:
            logits = logits + vividness * self._log_weights(_resized(lightness, raw))
        return self.codebook.annealed_mean(logits, temperature)

    def _log_weights(self, lightness: Tensor) -> Tensor:
        """Logarithms of the bins' weights at pixels of L `(N, 1, h, w)`, or `(1, Q, 1, 1)` where L plays no part."""
        overall = self.codebook.class_weights(self.smoothing).log()
        if self.given_l == 0:
            return overall.reshape(1, -1, 1, 1)
        given = self.codebook.class_weights_given_l(self.smoothing).log()
        return self.codebook.look_up(torch.lerp(overall.expand_as(given), given, self.given_l), lightness)


def _resized(lightness: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(lightness, like.shape[-2:], mode="area")


class RebalancedHead(DistributionHead):
    """The head of Zhang, Isola, Efros (ECCV 2016) as published.

    All bins that sRGB can reach; no prior in the logits; each pixel's cross-entropy is weighted by the class weight of
    its true bin (2.2); decoded by the annealed mean at T = 0.38 (2.3). What it predicts is
    not calibrated, and is not meant to be.

    Args:
        channels: of the features that come in.
        bins: Q; `None` takes all bins of the sRGB gamut.
        vividness: see `DistributionHead`; the paper has none.
        temperature: default T in (0, 1].
        smoothing: λ of the class weights.

    Example:
        >>> import torch
        >>> head, lightness = RebalancedHead(8), torch.full((1, 1, 16, 16), 50.0)
        >>> head.decode(head(torch.rand(1, 8, 4, 4), lightness), lightness).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(
        self,
        channels: int,
        *,
        bins: int | None = None,
        vividness: float = 0.0,
        temperature: float = 0.38,
        smoothing: float = 0.5,
    ) -> None:
        super().__init__(channels, bins=bins, vividness=vividness, temperature=temperature, smoothing=smoothing)

    def _codebook_of(self, pictures: Iterable[tuple[Tensor, Tensor]]) -> Codebook:
        return Codebook.fit(pictures, centers=self.codebook.centers)

    def forward(self, features: Tensor, lightness: Tensor) -> Tensor:
        """Gives logits `(N, Q, h, w)` from features `(N, channels, h, w)`."""
        logits: Tensor = self.project(features)
        return logits.float()

    def _pixel_weight(self, index: Tensor) -> Tensor | None:
        # The nearest of a pixel's bins comes first.
        weight: Tensor = self.codebook.class_weights(self.smoothing)[index[..., 0]]
        return weight
