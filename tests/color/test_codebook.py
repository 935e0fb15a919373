import numpy as np
import pytest
import torch

from artcolor.color.codebook import L_BINS, Codebook
from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError, DataError
from tests.conftest import make_painting


def _pictures(count: int = 6) -> list[tuple[torch.Tensor, torch.Tensor]]:
    pairs = []
    for seed in range(count):
        rgb = torch.from_numpy(np.array(make_painting(seed))).permute(2, 0, 1).float() / 255
        lab = rgb_to_lab(rgb)[None]
        pairs.append((lab[:, :1], lab[:, 1:]))
    return pairs


@pytest.fixture(scope="module")
def book() -> Codebook:
    return Codebook.fit(_pictures())


def test_frequencies_are_distributions(book: Codebook) -> None:
    assert book.prior.sum() == pytest.approx(1, abs=1e-5)
    assert (book.prior > 0).all()
    torch.testing.assert_close(book.prior_given_l.sum(1), torch.ones(L_BINS))
    assert (book.prior_given_l > 0).all()


def test_bins_lie_on_the_grid_and_hold_the_pixels(book: Codebook) -> None:
    assert torch.equal(book.centers % 10, torch.zeros_like(book.centers))
    colors = torch.cat([ab.movedim(1, -1).reshape(-1, 2) for _, ab in _pictures()])
    nearest = torch.cdist(colors, book.centers).min(1).values
    assert (nearest <= 10 / 2**0.5 + 1e-4).float().mean() > 0.999


def test_rare_bins_are_left_out() -> None:
    assert Codebook.fit(_pictures(), min_share=0.02).bins < Codebook.fit(_pictures()).bins


def test_prior_is_the_mean_of_soft_encodings(book: Codebook) -> None:
    rounded = [ab.round() for _, ab in _pictures()]
    total = torch.zeros(book.bins)
    for ab in rounded:
        index, weight = book.encode(ab)
        total.index_add_(0, index.flatten(), weight.flatten())
    torch.testing.assert_close(book.prior, total / total.sum(), rtol=1e-3, atol=1e-6)


def test_encoding_by_hand() -> None:
    book = Codebook.of_gamut(10)
    index, weight = book.encode(torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1))
    expected = {(0, 0): 2.0, (10, 0): 8.0, (0, 10): 104**0.5, (0, -10): 104**0.5, (-10, 0): 12.0}
    gauss = {center: np.exp(-(d**2) / 50) for center, d in expected.items()}
    found = {
        tuple(book.centers[i].int().tolist()): float(w) for i, w in zip(index.flatten(), weight.flatten(), strict=True)
    }
    assert found == pytest.approx({c: g / sum(gauss.values()) for c, g in gauss.items()}, abs=1e-5)


def test_rounded_encoding_is_the_exact_one_at_whole_numbers(book: Codebook) -> None:
    ab = torch.randint(-60, 60, (2, 2, 5, 7)).float()
    index, weight = book.encode(ab)
    fast_index, fast_weight = book.encode_rounded(ab + 0.3)
    dense = torch.zeros(2, book.bins, 5, 7).scatter_(1, index, weight)
    fast = torch.zeros(2, book.bins, 5, 7).scatter_(1, fast_index.movedim(-1, 1), fast_weight.movedim(-1, 1))
    torch.testing.assert_close(fast, dense)


def _by_hand(book: Codebook, smoothing: float) -> torch.Tensor:
    return 1 / ((1 - smoothing) * book.prior + smoothing / book.bins)


def test_class_weights(book: Codebook) -> None:
    for smoothing in (0.2, 0.5, 1.0):
        w = book.class_weights(smoothing)
        assert float((book.prior * w).sum()) == pytest.approx(1, abs=1e-4)
        torch.testing.assert_close(w / w[0], _by_hand(book, smoothing) / _by_hand(book, smoothing)[0])
    torch.testing.assert_close(book.class_weights(1.0), torch.ones(book.bins))
    order = book.prior.argsort()
    assert (book.class_weights()[order].diff() <= 1e-6).all(), "rarer bins never weigh less"


def test_class_weights_given_l(book: Codebook) -> None:
    w = book.class_weights_given_l(0.2)
    torch.testing.assert_close((book.prior_given_l * w).sum(1), torch.ones(L_BINS), atol=1e-4, rtol=1e-4)
    order = book.prior_given_l.argsort(1)
    assert (w.gather(1, order).diff(dim=1) <= 1e-6 * w.max()).all(), "rarer bins never weigh less"
    torch.testing.assert_close(book.class_weights_given_l(1.0), torch.ones(L_BINS, book.bins))


def test_looking_up_by_lightness(book: Codebook) -> None:
    table = torch.arange(L_BINS * 3.0).reshape(L_BINS, 3)
    found = Codebook.look_up(table, torch.tensor([0.0, 7.0, 52.0, 100.0]).reshape(1, 1, 2, 2))
    assert found.shape == (1, 3, 2, 2)
    assert found[0, 0].flatten().tolist() == [0.0, 3.0, 30.0, 57.0]


def test_annealed_mean_goes_from_mean_to_mode(book: Codebook) -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, book.bins, 2, 2) * 2
    p = logits.softmax(1)
    torch.testing.assert_close(
        book.annealed_mean(logits, 1.0), torch.einsum("nqhw,qc->nchw", p, book.centers), rtol=1e-4, atol=1e-4
    )
    mode = book.centers[logits.argmax(1)].movedim(-1, 1)
    torch.testing.assert_close(book.annealed_mean(logits, 1e-3), mode, rtol=1e-2, atol=0.5)


def test_log_prior_looks_up_the_lightness(book: Codebook) -> None:
    light = torch.tensor([0.0, 4.9, 5.0, 99.0, 100.0]).reshape(1, 1, 1, 5)
    found = book.log_prior(light)[0, :, 0]
    for column, row in enumerate((0, 0, 1, 19, 19)):
        torch.testing.assert_close(found[:, column], book.prior_given_l[row].log())


def test_the_gamut_has_its_known_extremes() -> None:
    book = Codebook.of_gamut(10)
    # sRGB's primaries: red (80, 67), green (-86, 83), blue (79, -108).
    for ab in ((80.0, 67.0), (-86.0, 83.0), (79.0, -108.0), (0.0, 0.0)):
        assert float(torch.cdist(torch.tensor([ab]), book.centers).min()) <= 10 / 2**0.5
    assert float(book.centers.norm(dim=1).max()) < 145


def test_gray_pictures_make_no_codebook() -> None:
    gray = torch.rand(1, 1, 8, 8) * 100
    with pytest.raises(DataError, match="gray"):
        Codebook.fit([(gray, torch.zeros(1, 2, 8, 8))])
    with pytest.raises(DataError, match="0 bins"):
        Codebook.fit([])
    with pytest.raises(ConfigError, match="at least 5"):
        Codebook(3)
