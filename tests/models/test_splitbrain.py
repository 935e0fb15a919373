import pytest
import torch

import artcolor
from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError
from artcolor.models.regression import ChromaHead
from artcolor.models.splitbrain import SplitBrainAutoencoder
from tests.models.base import ModelTester, ReleasedModelTester


class TestSplitBrain(ReleasedModelTester):
    builder = staticmethod(artcolor.splitbrain)
    small = {"width": 16}
    weights = "splitbrain.art_v1"


class TestRegressingSplitBrain(ModelTester):
    builder = staticmethod(artcolor.splitbrain)
    small = {"width": 16, "loss": "regression"}


def test_halves_are_disjoint() -> None:
    model = artcolor.splitbrain(width=16)
    light, ab = torch.rand(2, 1, 32, 32) * 100, torch.randn(2, 2, 32, 32) * 20
    generator = torch.Generator()
    losses = model.training_loss(light, ab, step=0, generator=generator)
    torch.testing.assert_close(losses["loss"].detach(), losses["loss_ab"] + losses["loss_l"])
    model.eval()
    before = model.predict_ab(light)
    torch.nn.init.normal_(model.network.of_chroma[0].weight)
    torch.testing.assert_close(model.predict_ab(light), before)


def test_features_of_color_pictures() -> None:
    model = artcolor.splitbrain(width=16).eval()
    rgb = torch.rand(2, 3, 64, 48)
    features = model.extract_features(rgb)
    assert features.shape == (2, 32, 16, 12)
    lab = rgb_to_lab(rgb)
    gray = model.extract_features(rgb.mean(1, keepdim=True).expand(-1, 3, -1, -1))
    assert (features[:, 16:] - gray[:, 16:]).abs().max() > 1e-3, "the second half sees color"
    torch.testing.assert_close(features[:, :16], model.network(lab[:, :1]))


def test_losses_of_the_paper() -> None:
    assert isinstance(artcolor.splitbrain(width=16, loss="regression").head, ChromaHead)
    assert artcolor.splitbrain(width=16).lightness_head.bins == 100
    with pytest.raises(ConfigError, match="loss must be 'classification' or 'regression', not 'hinge'"):
        artcolor.splitbrain(loss="hinge")
    with pytest.raises(ConfigError, match="bins=40 requires loss='classification'"):
        artcolor.splitbrain(loss="regression", bins=40)


def test_loss_that_contradicts_weights(tmp_path) -> None:
    path = tmp_path / "mine.safetensors"
    artcolor.save_weights(artcolor.splitbrain(width=16, loss="regression"), path)
    with pytest.raises(ConfigError, match="loss='classification' contradicts the weights, which contain a ChromaHead"):
        artcolor.splitbrain(weights=path, loss="classification")


def test_channels_in_any_groups() -> None:
    torch.manual_seed(0)
    # Depth and color determine each other here.
    depth = torch.rand(2, 1, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    rgbd = torch.cat((depth, 1 - depth, depth * 0.5, depth), dim=1)
    model = SplitBrainAutoencoder(((0, 1, 2), (3,)), width=16)
    assert model.extract_features(rgbd).shape == (2, 32, 8, 8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = model.loss(rgbd)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]
    for groups in [((0, 1),), ((0, 1), (1, 2)), ((0,), (2,)), ((0,), ())]:
        with pytest.raises(ConfigError, match="groups must be two or more"):
            SplitBrainAutoencoder(groups)
