"""Quantized ab: bins of colors, their frequencies, and decoding to a color.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, sections 2.1 to 2.3.
"""

from collections.abc import Callable, Iterable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError, DataError

L_BINS = 20
"""Bins of lightness, each 5 units of L wide, that p(bin | L) is kept for."""

SIGMA = 5.0
"""σ of the soft encoding of Zhang et al. 2016, in Lab units."""

_NEIGHBORS = 5
_AB_LIMIT = 128
# A row of p(bin | L) counts as if this many further pixels had been drawn from p(bin): no log of zero.
_PSEUDO_PIXELS = 100.0


def _grid(step: int) -> Tensor:
    """All grid points `(G, 2)` whose squares cover ab -128..127."""
    reach = _AB_LIMIT // step
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32) * step
    return torch.cartesian_prod(axis, axis)


def _square_of(ab: Tensor, step: int) -> Tensor:
    """Index into `_grid(step)` of the square that each of `(P, 2)` falls into."""
    reach = _AB_LIMIT // step
    cell = (ab / step).round().long().clamp(-reach, reach) + reach
    return cell[:, 0] * (2 * reach + 1) + cell[:, 1]


def _pixels(ab: Tensor) -> Tensor:
    return ab.movedim(1, -1).reshape(-1, 2)


class Codebook(nn.Module):
    """Bins in the ab plane with their frequencies. Everything is stored in buffers, so weights files contain it.

    Create one with `Codebook.fit` or `Codebook.of_gamut`, or with `Codebook(bins)` to load a stored one.

    Args:
        bins: number of bins, Q, at least 5; all are neutral gray until a stored codebook is loaded.

    Attributes:
        prior: `(Q,)`, p(bin), smoothed by the soft encoding; sums to 1.
        prior_given_l: `(20, Q)`, p(bin | L) for 20 bins of L, each 5 units wide; rows sum to 1.

    Raises:
        ConfigError: there are fewer than 5 bins.
    """

    centres: Tensor
    prior: Tensor
    prior_given_l: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        if bins < _NEIGHBORS:
            raise ConfigError(f"a codebook needs at least {_NEIGHBORS} bins, not {bins}")
        # The spelling is part of released files.
        self.register_buffer("centres", torch.zeros(bins, 2, dtype=torch.float32))
        self.register_buffer("prior", torch.full((bins,), 1 / bins, dtype=torch.float32))
        self.register_buffer("prior_given_l", torch.full((L_BINS, bins), 1 / bins, dtype=torch.float32))
        self._table: tuple[Tensor, Tensor, Tensor] | None = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # Codebook and priors move between devices, but stay in single precision: half precision has no log of a rare p.
        super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)  # type: ignore[no-untyped-call]
        return self

    @property
    def bins(self) -> int:
        """Q, the number of bins."""
        return self.centres.shape[0]

    @property
    def centers(self) -> Tensor:
        """`(Q, 2)`, ab of each bin in Lab units."""
        return self.centres

    @classmethod
    def of_gamut(cls, step: int = 10) -> Self:
        """All bins that sRGB can reach at some lightness, with a uniform prior.

        Args:
            step: grid spacing in Lab units.

        Example:
            >>> Codebook.of_gamut(10).bins
            261
        """
        axis = torch.linspace(0, 1, 65, dtype=torch.float32)
        rgb = torch.cartesian_prod(axis, axis, axis).T.reshape(1, 3, -1, 1)
        reached = torch.unique(_square_of(_pixels(rgb_to_lab(rgb)[:, 1:]), step))
        book = cls(len(reached))
        book.centers.copy_(_grid(step)[reached])
        return book

    @classmethod
    def fit(
        cls,
        pictures: Iterable[tuple[Tensor, Tensor]],
        *,
        step: int = 10,
        min_share: float = 7e-6,
        centers: Tensor | None = None,
    ) -> Self:
        """Fits bins and frequencies to pictures.

        Args:
            pictures: pairs of L `(N, 1, H, W)` in 0..100 and ab `(N, 2, H, W)` in Lab units.
            step: grid spacing in Lab units.
            min_share: a bin is kept if at least this share of all pixels falls into its square.
            centers: `(Q, 2)`; these bins are kept instead, however rare.

        Returns:
            A codebook whose `prior` and `prior_given_l` are means of the soft encodings of all pixels. As these
            spread each pixel over its 5 nearest bins, the frequencies come out smoothed.

        Raises:
            DataError: no pictures, or too few colors in them for 5 bins.
        """
        grid = _grid(step)
        # Joint counts over (L, square), weighted later by each square's own soft encoding, need one pass only.
        counts = torch.zeros(L_BINS, len(grid), dtype=torch.float64)
        fine = torch.zeros(L_BINS, (2 * _AB_LIMIT) ** 2, dtype=torch.float64)
        for lightness, ab in pictures:
            flat, rows = _pixels(ab), _l_bin(lightness).flatten()
            square = _square_of(flat, step)
            ones = torch.ones(len(flat), dtype=torch.float64)
            counts.view(-1).index_add_(0, rows * len(grid) + square, ones)
            fine.view(-1).index_add_(0, rows * fine.shape[1] + _rounded(flat), ones)
        total = counts.sum()
        found = grid[counts.sum(0) >= max(min_share * float(total), 1)]
        if len(found) < _NEIGHBORS:
            raise DataError(
                f"the pictures hold {len(found)} bins of color; a codebook needs {_NEIGHBORS}. "
                "Are they gray, or is the folder empty?"
            )
        kept = found if centers is None else centers.cpu()
        book = cls(len(kept))
        book.centers.copy_(kept)
        index, weight = book._rounded_encodings()
        joint = torch.zeros(L_BINS, book.bins, dtype=torch.float64)
        for k in range(_NEIGHBORS):
            joint.index_add_(1, index[:, k], fine * weight[:, k].double())
        prior = joint.sum(0) / total
        joint += _PSEUDO_PIXELS * prior
        book.prior.copy_(prior)
        book.prior_given_l.copy_(joint / joint.sum(1, keepdim=True))
        return book

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Soft-encodes colors over their 5 nearest bins, weighted by a Gaussian of σ = 5 (Zhang 2016, 2.2).

        Args:
            ab: `(N, 2, H, W)` in Lab units.

        Returns:
            Bin indices `(N, 5, H, W)`, int64, and weights `(N, 5, H, W)` that sum to 1 over the 5.
        """
        n, _, h, w = ab.shape
        distance, index = torch.cdist(_pixels(ab), self.centers).topk(_NEIGHBORS, largest=False)
        weight = torch.softmax(-(distance**2) / (2 * SIGMA**2), dim=1)
        return (
            index.reshape(n, h, w, _NEIGHBORS).movedim(-1, 1),
            weight.reshape(n, h, w, _NEIGHBORS).movedim(-1, 1),
        )

    def encode_rounded(self, ab: Tensor, *, sigma: float = SIGMA) -> tuple[Tensor, Tensor]:
        """Like `encode`, for ab rounded to whole Lab units: a table look-up, ten times as fast.

        Training uses it: 8-bit pictures know their ab no better than that.

        Args:
            ab: `(N, 2, H, W)` in Lab units.
            sigma: σ of the Gaussian, in Lab units.

        Returns:
            Bin indices and weights, each `(N, H, W, 5)`.
        """
        n, _, h, w = ab.shape
        index, weight = self._rounded_encodings()
        if sigma != SIGMA:
            # A Gaussian of another width is a power of this one.
            weight = torch.softmax(weight.log() * (SIGMA / sigma) ** 2, dim=1)
        rows = _rounded(_pixels(ab))
        return index[rows].view(n, h, w, -1), weight[rows].view(n, h, w, -1)

    def _rounded_encodings(self) -> tuple[Tensor, Tensor]:
        """Encodings of all whole-numbered ab, `(65536, 5)` each, in the order of `_rounded`."""
        if self._table is None or not torch.equal(self._table[0], self.centers):
            axis = torch.arange(-_AB_LIMIT, _AB_LIMIT, dtype=torch.float32, device=self.centers.device)
            every = torch.cartesian_prod(axis, axis).T.reshape(1, 2, -1, 1)
            index, weight = self.encode(every)
            self._table = (
                self.centers.clone(),
                index.reshape(_NEIGHBORS, -1).T.contiguous(),
                weight.reshape(_NEIGHBORS, -1).T.contiguous(),
            )
        return self._table[1:]

    def nearest(self, ab: Tensor) -> Tensor:
        """Returns the nearest bin of each color.

        Args:
            ab: `(N, 2, H, W)` in Lab units.

        Returns:
            `(N, H, W)`, int64.
        """
        n, _, h, w = ab.shape
        return torch.cdist(_pixels(ab), self.centers).argmin(1).reshape(n, h, w)

    def gather(self, probabilities: Tensor, centers: Tensor) -> Tensor:
        """Maps a distribution over other bins to these: the probability of each goes to the nearest.

        Args:
            probabilities: `(N, E, h, w)`.
            centers: `(E, 2)`, ab of their bins in Lab units.

        Returns:
            `(N, Q, h, w)`, with the same sum over Q.

        Example:
            >>> import torch
            >>> book = Codebook.of_gamut()
            >>> book.gather(torch.full((1, 2, 1, 1), 0.5), torch.tensor([[0.0, 0.0], [1.0, 0.0]])).max().item()
            1.0
        """
        nearest = self.nearest(centers.T.reshape(1, 2, -1, 1)).flatten()
        n, _, h, w = probabilities.shape
        return probabilities.new_zeros(n, self.bins, h, w).index_add_(1, nearest, probabilities)

    def log_prior(self, lightness: Tensor) -> Tensor:
        """Returns log p(bin | L), the prior of a pixel's color given its lightness.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, Q, H, W)`.
        """
        return self.look_up(self.prior_given_l.log(), lightness)

    @staticmethod
    def look_up(table: Tensor, lightness: Tensor) -> Tensor:
        """Reads a table by bins of L at each pixel.

        Args:
            table: `(20, Q)`, a row for each bin of L.
            lightness: `(N, 1, H, W)`, L in 0..100.

        Returns:
            `(N, Q, H, W)`.
        """
        return F.embedding(_l_bin(lightness).squeeze(1), table).movedim(-1, 1)

    def class_weights(self, smoothing: float = 0.5) -> Tensor:
        """Weights w ∝ ((1 − λ) p + λ / Q)^−1 with E[w] = 1, larger for rarer bins (Zhang 2016, 2.2).

        Args:
            smoothing: λ in 0..1; 1 makes all weights equal.

        Returns:
            `(Q,)`, positive.
        """
        return self._weights(self.prior, smoothing)

    def class_weights_given_l(self, smoothing: float = 0.5) -> Tensor:
        """Returns the same weights for p(bin | L): colors are rare if they are rare at their lightness.

        Args:
            smoothing: λ in 0..1; 1 makes all weights equal.

        Returns:
            `(20, Q)`, positive; E[w | L] = 1 in each row.
        """
        return self._weights(self.prior_given_l, smoothing)

    def _weights(self, probabilities: Tensor, smoothing: float) -> Tensor:
        p = probabilities.double()
        w = 1 / ((1 - smoothing) * p + smoothing / self.bins)
        return (w / (p * w).sum(-1, keepdim=True)).to(probabilities)

    def annealed_mean(self, logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
        """The mean color of the distribution sharpened by T (Zhang 2016, 2.3).

        Args:
            logits: `(N, Q, H, W)`.
            temperature: T in (0, 1]; 1 gives the mean, near 0 the mode.

        Returns:
            ab `(N, 2, H, W)` in Lab units, always inside the hull of the bins.
        """
        scaled = logits.float() / temperature
        likely = (scaled - scaled.amax(1, keepdim=True)).exp()
        # As a convolution it is as fast as a softmax with a product in PyTorch, and several times as fast in ONNX.
        kernel = torch.cat((self.centers, torch.ones_like(self.centers[:, :1])), dim=1).T
        total = F.conv2d(likely, kernel[:, :, None, None])
        return total[:, :2] / total[:, 2:]

    def moments(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Computes mean and covariance of the distribution.

        Args:
            logits: `(N, Q, H, W)`.

        Returns:
            The mean of a and b, `(N, 2, H, W)` in Lab units; and the variance of a, the covariance and the variance of
            b, `(N, 3, H, W)` in Lab units squared.
        """
        a, b = self.centers.T
        second = torch.stack((a * a, a * b, b * b), dim=1)
        p = torch.softmax(logits.float(), dim=1)
        mean = torch.einsum("nqhw,qc->nchw", p, self.centers)
        product = torch.stack((mean[:, 0] ** 2, mean[:, 0] * mean[:, 1], mean[:, 1] ** 2), dim=1)
        return mean, torch.einsum("nqhw,qc->nchw", p, second) - product


def _l_bin(lightness: Tensor) -> Tensor:
    return (lightness / (100 / L_BINS)).long().clamp(0, L_BINS - 1)


def _rounded(flat: Tensor) -> Tensor:
    """Row number in `Codebook._rounded_encodings` of each of `(P, 2)`."""
    whole = flat.round().long().clamp(-_AB_LIMIT, _AB_LIMIT - 1) + _AB_LIMIT
    return whole[:, 0] * (2 * _AB_LIMIT) + whole[:, 1]
