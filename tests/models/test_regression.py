import pytest
import torch
from torch.nn import functional as F

from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding
from artcolor.models.regression import ChromaHead, LightnessHead, RGBHead

LIGHT = torch.rand(2, 1, 16, 16) * 100
AB = torch.randn(2, 2, 16, 16) * 20


@pytest.mark.parametrize(("penalty", "function"), [("l2", F.mse_loss), ("huber", F.smooth_l1_loss)])
def test_chroma(penalty, function) -> None:
    head = ChromaHead(4, penalty=penalty)
    raw = head(torch.randn(2, 4, 4, 4), LIGHT)
    truth = F.avg_pool2d(AB, 4)
    torch.testing.assert_close(head.decode(raw, LIGHT), raw * 20)
    torch.testing.assert_close(head.loss(raw, LIGHT, AB)["loss"], function(raw, truth / 20))
    perfect = head.loss(truth / 20, LIGHT, AB)["loss"]
    assert perfect < 1e-10


def test_lightness_by_regression() -> None:
    head = LightnessHead(4)
    truth = F.avg_pool2d(LIGHT, 4)
    assert head.loss((truth - 50) / 20, LIGHT, AB)["loss"] < 1e-10
    torch.testing.assert_close(head.to_lightness((truth - 50) / 20), truth)


def test_lightness_by_classification() -> None:
    head = LightnessHead(4, bins=100)
    truth = F.avg_pool2d(LIGHT, 4)
    sure = torch.nn.functional.one_hot(truth[:, 0].long(), 100).movedim(-1, 1).float() * 50
    assert head.loss(sure, LIGHT, AB)["loss"] < 1e-6
    assert (head.to_lightness(sure) - truth).abs().max() <= 0.5 + 1e-4


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="penalty must be 'l2' or 'huber', not 'l7'"):
        ChromaHead(4, penalty="l7")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least 2 bins, not 1"):
        LightnessHead(4, bins=1)
    with pytest.raises(ConfigError, match="predicts lightness, not chroma"):
        LightnessHead(4).decode(torch.rand(1, 1, 4, 4), LIGHT[:1])
    with pytest.raises(ConfigError, match="takes 3 channels, not 8"):
        RGBHead(8, kernel=0)
    with pytest.raises(
        ConfigError, match="temperature has no effect on the head ChromaHead, which predicts a single color"
    ):
        ChromaHead(4).decode(torch.rand(1, 2, 4, 4), LIGHT[:1], Decoding(temperature=0.5))
