from pathlib import Path

import pytest
import timm
import torch
from torch import nn

import artcolor
from artcolor.errors import ConfigError
from artcolor.models.lite0 import load_lite0
from tests.models.base import ReleasedModelTester


class TestUNet(ReleasedModelTester):
    builder = staticmethod(artcolor.unet)
    small = {"width": 16}
    weights = "unet.art_v6"


def test_the_encoder_equals_that_of_imagenet_on_gray_pictures() -> None:
    ours = artcolor.unet(width=16, imagenet=True).network.encoder
    whole = load_lite0()
    reference = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4)).eval()
    reference.load_state_dict({name: whole.state_dict()[name] for name in reference.state_dict()})
    gray = torch.rand(1, 1, 64, 64) * 2 - 1
    for one, other in zip(ours.eval()(gray), reference(gray.expand(-1, 3, -1, -1)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_frozen_parts_stay_frozen_in_training_mode() -> None:
    network = artcolor.unet(width=16).network.train()
    norms = [m for m in network.encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(m.training for m in norms)
    assert all(m.training for m in network.up4.modules())
    frozen = [network.encoder.conv_stem, *network.encoder.blocks[:2]]
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    assert all(p.requires_grad for p in network.encoder.blocks[2].parameters())


def test_dropout_acts_in_training_only_and_is_not_saved(tmp_path: Path) -> None:
    model = artcolor.unet(width=16, dropout=0.5)
    light = torch.rand(2, 1, 64, 64) * 100
    model.train()
    first, *earlier, deepest = zip(model.network.encode(light), model.network.encode(light), strict=True)
    assert torch.equal(*first), "frozen stages have no dropout"
    assert not torch.equal(*earlier[-1]), "later blocks are skipped at random"
    channels = deepest[0].flatten(2).abs().sum(2)
    assert 0.3 < (channels == 0).float().mean() < 0.7
    model.eval()
    expected = model.network(light)
    assert torch.equal(model.network(light), expected)
    plain = artcolor.unet(width=16)
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(plain.eval().network(light), expected)
    assert model.config == plain.config
    with pytest.raises(ConfigError, match="dropout must be"):
        artcolor.unet(width=16, dropout=1.0)
