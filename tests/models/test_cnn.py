import torch
from torch import nn

import artcolor
from tests.models.base import ReleasedModelTester


class TestCNN(ReleasedModelTester):
    builder = staticmethod(artcolor.cnn)
    small = {"width": 16}
    weights = "cnn.art_v1"


def test_is_the_network_of_the_report() -> None:
    model = artcolor.cnn()
    kinds = [type(m) for m in model.modules()]
    assert kinds.count(nn.Conv2d) == 6
    assert kinds.count(nn.BatchNorm2d) == 3
    assert kinds.count(nn.ReLU) == 5


def test_the_receptive_field_covers_a_picture() -> None:
    model = artcolor.cnn(width=16).network.eval()
    light = torch.rand(1, 1, 192, 192, requires_grad=True)
    model(light)[:, :, 24, 24].sum().backward()
    assert light.grad is not None
    seen = light.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert seen.max() - seen.min() >= 190
