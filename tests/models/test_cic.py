import pytest
import torch
from colorizers.eccv16 import ECCVGenerator
from torch import nn

import artcolor
from artcolor.errors import ConfigError
from artcolor.models.cic import RebalancedHead
from tests.models.base import ReleasedModelTester


class TestCIC(ReleasedModelTester):
    builder = staticmethod(artcolor.cic)
    small = {"width": 0.125}
    weights = "cic.art_v1"


def _shapes(network: nn.Module) -> list[tuple[object, ...]]:
    return [
        (type(layer).__name__, tuple(layer.weight.shape), layer.stride, layer.padding, layer.dilation)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]


def test_width_1_is_the_papers_network() -> None:
    theirs = ECCVGenerator()
    blocks = nn.Sequential(*(getattr(theirs, f"model{number}") for number in range(1, 9)))
    *convolutions, to_bins = _shapes(blocks)
    assert _shapes(artcolor.cic(width=1).network) == convolutions
    # The paper has more bins: its authors determined those in gamut differently.
    assert to_bins[1][1:] == artcolor.cic(width=1).head.project.weight.shape[1:]
    norms = [layer.num_features for layer in blocks.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert [m.num_features for m in artcolor.cic(width=1).network.modules() if isinstance(m, nn.BatchNorm2d)] == norms


def test_head_and_decoding_are_those_of_the_paper() -> None:
    head = artcolor.cic(width=0.125).head
    assert isinstance(head, RebalancedHead)
    assert (head.temperature, head.smoothing, head.codebook.bins) == (0.38, 0.5, 261)


def test_a_width_without_channels_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"width=0\.001 leaves layers"):
        artcolor.cic(width=0.001)
    assert torch.isfinite(artcolor.cic(width=0.02).eval().predict_ab(torch.full((1, 1, 8, 8), 50.0))).all()
