from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn

import artcolor
from artcolor.errors import ConfigError
from artcolor.models.efficientnet import EfficientNetLite0
from artcolor.models.lite0 import load_lite0
from tests.models.base import ReleasedModelTester


class TestUNet(ReleasedModelTester):
    builder = staticmethod(artcolor.unet)
    small = {"width": 16}
    weights = "unet.art_v6"


def outputs_of(network: nn.Module, picture: Tensor) -> dict[str, Tensor]:
    """What each stage and block returns, and the result."""
    outputs: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if name.startswith("blocks.") and name.count(".") < 3:
            module.register_forward_hook(lambda _, __, output, name=name: outputs.setdefault(name, output))
    return outputs | {f"output {number}": each for number, each in enumerate(network(picture))}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("training", [False, True])
def test_the_encoder_is_that_of_timm(channels: int, training: bool) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(
        "tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4), in_chans=channels, drop_path_rate=0.3
    ).train(training)
    ours = EfficientNetLite0(channels, drop_path=0.3).train(training)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert theirs.feature_info.channels() == list(ours.feature_channels)
    ours.load_state_dict(theirs.state_dict())
    # Odd sizes are padded differently.
    for size in ((64, 96), (65, 97)):
        picture = torch.rand(3, channels, *size) * 2 - 1
        found = []
        for network in (ours, theirs):
            torch.manual_seed(1)
            found.append(outputs_of(network, picture))
        assert found[0].keys() == found[1].keys()
        assert len(found[0]) > 20
        for name, output in found[0].items():
            assert torch.equal(output, found[1][name]), name


def test_the_encoder_equals_that_of_imagenet_on_gray_pictures() -> None:
    ours = artcolor.unet(width=16, imagenet=True).network.encoder
    whole = load_lite0()
    gray = torch.rand(1, 1, 64, 64) * 2 - 1
    for one, other in zip(ours.eval()(gray), whole(gray.expand(-1, 3, -1, -1)), strict=True):
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
