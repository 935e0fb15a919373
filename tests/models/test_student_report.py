import pytest
import torch
from torch import nn

import artcolor
from artcolor.color.lab import lab_to_rgb, rgb_to_lab
from artcolor.errors import ConfigError
from tests.models.base import ReleasedModelTester


class TestCNNReport(ReleasedModelTester):
    builder = staticmethod(artcolor.cnn_report)
    small = {"width": 16}
    weights = "cnn_report.art_v1"


class TestAEReport(ReleasedModelTester):
    builder = staticmethod(artcolor.ae_report)
    small = {"width": 32}
    weights = "ae_report.art_v1"


class TestVAEReport(ReleasedModelTester):
    builder = staticmethod(artcolor.vae_report)
    small = {"width": 32, "code": 8}
    side = 128
    weights = "vae_report.art_v1"


@pytest.mark.parametrize(
    ("builder", "counts"),
    [
        (artcolor.cnn_report, {nn.Conv2d: 6, nn.BatchNorm2d: 3}),
        (artcolor.ae_report, {nn.Conv2d: 9, nn.ConvTranspose2d: 4, nn.BatchNorm2d: 0}),
        (artcolor.vae_report, {nn.Conv2d: 5, nn.ConvTranspose2d: 5, nn.Linear: 3, nn.BatchNorm2d: 0}),
    ],
)
def test_layers_are_those_of_the_report(builder, counts) -> None:
    kinds = [type(module) for module in builder().modules()]
    assert {kind: kinds.count(kind) for kind in counts} == counts


def test_they_work_at_the_sizes_of_the_report() -> None:
    for builder, size in ((artcolor.cnn_report, 200), (artcolor.ae_report, 200), (artcolor.vae_report, 128)):
        model = builder(width=32)
        assert model.size == size
        assert model(torch.rand(1, 1, size, size) * 100).shape == (1, 3, size, size)


def test_the_loss_is_the_error_in_rgb() -> None:
    model = artcolor.ae_report(width=32).eval()
    rgb = torch.rand(2, 3, 40, 40)
    lab = rgb_to_lab(rgb)
    raw = model(lab[:, :1])
    loss = model.training_loss(lab[:, :1], lab[:, 1:], step=0, generator=torch.Generator())["loss"]
    torch.testing.assert_close(loss, (torch.sigmoid(raw) - rgb).pow(2).mean(), rtol=1e-3, atol=1e-5)
    ab = model.predict_ab(lab[:, :1])
    torch.testing.assert_close(ab, rgb_to_lab(torch.sigmoid(raw))[:, 1:], rtol=1e-3, atol=1e-2)
    assert lab_to_rgb(torch.cat((lab[:, :1], ab), 1)).shape == rgb.shape


def test_the_vae_letterboxes_pictures_of_any_shape() -> None:
    torch.manual_seed(0)
    model = artcolor.vae_report(width=32).eval()
    square = torch.rand(1, 1, 128, 128) * 100
    square[..., 64:, :] = square[..., 63:64, :]
    whole = model.predict(square).ab
    top = model.predict(square[..., :64, :]).ab
    assert top.shape == (1, 2, 64, 128)
    # Letterboxing repeats the last row, as this square does.
    torch.testing.assert_close(top, whole[..., :64, :], atol=1e-3, rtol=1e-3)


def test_decoding_options_are_refused() -> None:
    model = artcolor.cnn_report(width=16)
    with pytest.raises(ConfigError, match="vividness has no effect on the head RGBHead, which predicts a single color"):
        model.colorize(torch.rand(1, 1, 20, 20), vividness=1.0)
    with pytest.raises(ConfigError, match="predicts colors, not a distribution"):
        model.predict_distribution(torch.rand(1, 1, 20, 20))


def test_the_divergence_is_that_from_the_standard_normal() -> None:
    model = artcolor.vae_report(width=32, code=4)
    normal = torch.distributions.Normal(0, 1)
    light = torch.rand(3, 1, 128, 128) * 100
    mean, log_variance = model.network.encode(light)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log_variance / 2).exp()), normal
    ).sum(1).mean() / (3 * 128 * 128)
    losses = model.training_loss(light, torch.zeros(3, 2, 128, 128), step=0, generator=torch.Generator())
    torch.testing.assert_close(losses["kld"], expected.detach(), rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(losses["loss"].detach(), losses["mse"] + losses["kld"])
