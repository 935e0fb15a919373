import copy
import itertools
import math

import numpy as np
import pytest
import torch

from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError
from artcolor.models.cic import RebalancedHead
from artcolor.models.guidance import Decoding
from artcolor.models.heads import DistributionHead
from tests.conftest import make_painting

ACCURATE = Decoding(vividness=0, temperature=1)


@pytest.fixture(scope="module")
def head() -> DistributionHead:
    head = DistributionHead(6)
    head.fit(_pictures())
    return head


def _pictures() -> list[tuple[torch.Tensor, torch.Tensor]]:
    rgb = [torch.from_numpy(np.array(make_painting(seed))).permute(2, 0, 1).float() / 255 for seed in range(6)]
    return [(lab[None, :1], lab[None, 1:]) for lab in map(rgb_to_lab, rgb)]


def test_the_untrained_head_predicts_the_prior_given_lightness(head: DistributionHead) -> None:
    light = torch.rand(2, 1, 16, 24) * 100
    raw = head(torch.randn(2, 6, 4, 6), light)
    small = torch.nn.functional.avg_pool2d(light, 4)
    row = (small[:, 0] / 5).long()
    expected = head.codebook.prior_given_l[row].movedim(-1, 1)
    torch.testing.assert_close(head.distribution(raw), expected)
    mean = torch.einsum("nqhw,qc->nchw", expected, head.codebook.centers)
    torch.testing.assert_close(head.decode(raw, light, ACCURATE), mean, rtol=1e-4, atol=1e-3)


def test_loss_is_the_soft_cross_entropy(head: DistributionHead) -> None:
    raw = torch.randn(2, head.codebook.bins, 4, 6)
    light, ab = torch.rand(2, 1, 16, 24) * 100, torch.randn(2, 2, 4, 6).mul(20).round()
    full = ab.repeat_interleave(4, 2).repeat_interleave(4, 3)
    index, weight = head.codebook.encode(ab)
    target = torch.zeros_like(raw).scatter_(1, index, weight)
    expected = torch.nn.functional.cross_entropy(raw, target)
    torch.testing.assert_close(head.loss(raw, light, full)["loss"], expected)


def test_accuracy_adds_the_log_of_the_error_of_the_mean_color(head: DistributionHead) -> None:
    head = copy.deepcopy(head)
    raw, light = torch.randn(3, head.codebook.bins, 4, 6, requires_grad=True), torch.rand(3, 1, 16, 24) * 100
    ab = torch.randn(3, 2, 4, 6).mul(20).round()
    plain = head.loss(raw, light, ab)
    assert set(plain) == {"loss", "nll"}
    head.accuracy = 0.7
    found = head.loss(raw, light, ab)
    squared = (head.decode(raw, light, ACCURATE) - ab).square().sum(1).mean((1, 2))
    expected = (squared + 10).log().mean()
    torch.testing.assert_close(found["log_error"], expected.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found["loss"], plain["loss"] + 0.7 * expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found["nll"], plain["loss"].detach())
    found["loss"].backward()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_keywords_of_the_loss_are_kept_and_checked() -> None:
    head = DistributionHead(6, accuracy=0.5, sigma=2.5)
    again = DistributionHead(6, **head.config)
    assert (again.accuracy, again.sigma) == (0.5, 2.5)
    assert not {"accuracy", "sigma"} & set(DistributionHead(6).config)
    with pytest.raises(ConfigError, match="sigma must be a number from 0.1 to 100, not 0"):
        DistributionHead(6, sigma=0)
    with pytest.raises(ConfigError, match="accuracy must be a number from 0 to 1000, not -1"):
        DistributionHead(6, accuracy=-1)


def test_a_smaller_sigma_sharpens_the_targets(head: DistributionHead) -> None:
    head = copy.deepcopy(head)
    raw, light = torch.randn(2, head.codebook.bins, 4, 6), torch.rand(2, 1, 4, 6) * 100
    ab = torch.randn(2, 2, 4, 6).mul(20).round()
    distance, index = torch.cdist(ab.movedim(1, -1).reshape(-1, 2), head.codebook.centers).topk(5, largest=False)
    target = torch.softmax(-(distance**2) / (2 * 2.5**2), dim=1)
    log_p = torch.log_softmax(raw, dim=1).movedim(1, -1).reshape(-1, head.codebook.bins)
    head.sigma = 2.5
    expected = -(log_p.gather(1, index) * target).sum(1).mean()
    torch.testing.assert_close(head.loss(raw, light, ab)["loss"], expected, rtol=1e-4, atol=1e-4)
    head.sigma = 0.01
    nearest = torch.nn.functional.nll_loss(log_p, index[:, 0])
    # If two bins are equally near, both remain targets.
    torch.testing.assert_close(head.loss(raw, light, ab)["loss"], nearest, rtol=0.1, atol=0.1)


def test_the_score_is_the_gradient_of_the_log_likelihood() -> None:
    head = DistributionHead(6, sigma=3.0)
    head.fit(_pictures())
    torch.nn.init.normal_(head.project.weight)
    features, light = torch.randn(2, 6, 4, 6, requires_grad=True), torch.rand(2, 1, 16, 24) * 100
    ab = torch.randn(2, 2, 4, 6).mul(20).round()
    raw = head(features, light)
    pixels = 2 * 4 * 6
    (gradient,) = torch.autograd.grad(-pixels * head.loss(raw, light, ab)["loss"], features)
    torch.testing.assert_close(head.score(raw, ab), gradient, rtol=1e-4, atol=1e-4)


def test_minimum_of_the_loss_is_calibrated(head: DistributionHead) -> None:
    """Unweighted cross-entropy is minimal if the predicted distribution is that of the pictures."""
    pictures = _pictures()
    table = sum(float(head.loss(head(torch.zeros(1, 6, 20, 24), light), light, ab)["loss"]) for light, ab in pictures)
    book = head.codebook
    flat = sum(
        float(head.loss(book.prior.log().reshape(1, -1, 1, 1).expand(-1, -1, 20, 24), light, ab)["loss"])
        for light, ab in pictures
    )
    assert table < flat


@pytest.mark.parametrize("given_l", [0.0, 0.4, 1.0])
def test_vividness_weights_bins_by_the_class_weights(head: DistributionHead, given_l: float) -> None:
    head = copy.deepcopy(head)
    head.given_l = given_l
    book, raw = head.codebook, torch.randn(1, head.codebook.bins, 3, 3)
    light = torch.rand(1, 1, 3, 3) * 100
    overall = (1 / (0.5 * book.prior.double() + 0.5 / book.bins)).expand(20, -1)
    given = 1 / (0.5 * book.prior_given_l.double() + 0.5 / book.bins)
    by_l = (overall ** (1 - given_l) * given**given_l)[(light[:, 0] / 5).long()].movedim(-1, 1)
    weighed = raw.softmax(1) * by_l
    expected = torch.einsum("nqhw,qc->nchw", (weighed / weighed.sum(1, keepdim=True)).float(), book.centers)
    found = head.decode(raw, light, Decoding(vividness=1.0, temperature=1.0))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(head.distribution(raw), raw.softmax(1))


def test_calibrating_divides_all_logits(head: DistributionHead) -> None:
    head = copy.deepcopy(head)
    torch.nn.init.normal_(head.project.weight)
    torch.nn.init.normal_(head.project.bias)
    features, light = torch.randn(2, 6, 4, 6), torch.rand(2, 1, 16, 24) * 100
    before = torch.softmax(head(features, light) / 0.8, dim=1)
    unsure = head.entropy(head(features, light))
    head.calibrate(0.8)
    torch.testing.assert_close(head.distribution(head(features, light)), before, rtol=1e-4, atol=1e-6)
    assert (head.entropy(head(features, light)) < unsure).all()
    torch.testing.assert_close(head.codebook.prior_given_l.sum(1), torch.ones(20))
    with pytest.raises(ConfigError, match="must be above 0, not 0"):
        head.calibrate(0)
    with pytest.raises(ConfigError, match="must be above 0, not -1"):
        head.calibrate(1, prior=-1)


def test_network_and_prior_are_calibrated_separately(head: DistributionHead) -> None:
    head = copy.deepcopy(head)
    torch.nn.init.normal_(head.project.weight)
    features, light = torch.randn(2, 6, 4, 6), torch.rand(2, 1, 16, 24) * 100
    prior = head.codebook.log_prior(torch.nn.functional.interpolate(light, (4, 6), mode="area"))
    expected = torch.softmax(head.project(features) / 1.25 + prior / 0.8, dim=1)
    head.calibrate(1.25, prior=0.8)
    torch.testing.assert_close(head.distribution(head(features, light)), expected, rtol=1e-4, atol=1e-6)


def test_entropy_is_relative_to_the_uniform_distribution(head: DistributionHead) -> None:
    bins = head.codebook.bins
    raw = torch.zeros(1, bins, 1, 3)
    raw[:, 0, :, 1] = 100.0
    raw[:, 2:, :, 2] = -100.0
    found = head.entropy(raw).flatten()
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, math.log(2) / math.log(bins)]), atol=1e-5, rtol=1e-5)


def test_vividness_makes_colors_stronger(head: DistributionHead) -> None:
    light = torch.full((1, 1, 16, 16), 55.0)
    raw = head(torch.zeros(1, 6, 4, 4), light)
    chroma = [
        float(head.decode(raw, light, Decoding(vividness=v, temperature=1)).norm(dim=1).mean()) for v in (0, 0.5, 1, 2)
    ]
    assert all(later != pytest.approx(earlier) for earlier, later in itertools.pairwise(chroma))
    own = DistributionHead(6, vividness=1.0, temperature=0.5)
    logits = torch.randn(1, own.codebook.bins, 2, 2)
    torch.testing.assert_close(
        own.decode(logits, light), own.decode(logits, light, Decoding(vividness=1.0, temperature=0.5))
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": 0.0}, "temperature must be 0.01 to 1, not 0"),
        ({"temperature": 1.5}, "temperature must be 0.01 to 1, not 1.5"),
        ({"vividness": -1.0}, "vividness must be 0 to 100"),
        ({"vividness": float("nan")}, "vividness must be 0 to 100"),
    ],
)
def test_decoding_defaults_out_of_range(
    head: DistributionHead, values: dict[str, float], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=message):
        Decoding(**values)
    for name, value in values.items():
        monkeypatch.setattr(head, name, value)
    with pytest.raises(ConfigError, match=message):
        head.decode(torch.zeros(1, head.codebook.bins, 2, 2), torch.zeros(1, 1, 8, 8))


def test_the_papers_head_weights_pixels_by_class() -> None:
    head = RebalancedHead(6)
    bins = head.codebook.bins
    head.fit(_pictures())
    assert head.codebook.bins == bins == 261, "rare bins are kept"
    light, ab = torch.rand(2, 1, 16, 24) * 100, torch.randn(2, 2, 4, 6).mul(20).round()
    # Avoid colors halfway between two bins, where the nearest is ambiguous.
    ab += (ab % 10 == 5).float()
    features = torch.randn(2, 6, 4, 6)
    raw = head(features, light)
    torch.testing.assert_close(raw, head.project(features))
    index, weight = head.codebook.encode(ab)
    target = torch.zeros_like(raw).scatter_(1, index, weight)
    plain = torch.nn.functional.cross_entropy(raw, target, reduction="none")
    p = head.codebook.prior.double()
    w = 1 / (0.5 * p + 0.5 / bins)
    w = w / (p * w).sum()
    expected = (plain * w.float()[head.codebook.nearest(ab)]).mean()
    full = ab.repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(head.loss(raw, light, full)["loss"], expected, rtol=1e-4, atol=1e-5)
    # In paintings, a few bins contain nearly all pixels, so the weights of the others are large.
    peaked = torch.full((bins,), 1e-6)
    peaked[index[0, 0, 0, 0]] = 1 - peaked.sum()
    head.codebook.prior.copy_(peaked)
    heaviest = head._pixel_weight(torch.arange(bins).reshape(1, 1, -1, 1))
    assert heaviest is not None
    assert heaviest.max() > 100
