"""A tester that every model of the zoo passes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import artcolor
from artcolor.color.lab import rgb_to_lightness
from artcolor.errors import ConfigError, ImageError, WeightsError
from artcolor.models.base import ColorizationModel
from artcolor.models.features import FeatureExtractor
from artcolor.models.guidance import Decoding


class ModelTester:
    """Tests a model. Subclasses define `builder`, and `small`, the keywords of a small untrained network."""

    builder: Callable[..., ColorizationModel]
    small: dict[str, Any]
    side = 64
    """Side of the training pictures."""

    @pytest.fixture
    def model(self) -> ColorizationModel:
        torch.manual_seed(0)
        model = type(self).builder(**self.small).eval()
        for parameter in model.parameters():
            # Heads are initialized to zero, but comparisons need an output that varies.
            torch.nn.init.normal_(parameter, std=0.05)
        return model

    @pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 47), (64, 64), (65, 63)])
    def test_any_size(self, model: ColorizationModel, size: tuple[int, int]) -> None:
        light = torch.rand(2, 1, *size) * 100
        ab = model.predict_ab(light)
        assert ab.shape == (2, 2, *size)
        assert torch.isfinite(ab).all()
        gray = torch.rand(2, 1, *size)
        rgb = model.colorize(gray, size=64)
        assert rgb.shape == (2, 3, *size)
        assert rgb.min() >= 0
        assert rgb.max() <= 1
        kept = (rgb_to_lightness(rgb) - rgb_to_lightness(gray)).abs().max()
        assert kept < 0.02, "lightness must be preserved"

    def test_raw_output_has_the_declared_stride(self, model: ColorizationModel) -> None:
        fixed = model.network.fixed_size
        height, width = (fixed, fixed) if fixed else (3 * model.network.stride, 4 * model.network.stride)
        raw = model(torch.rand(1, 1, height, width) * 100)
        assert raw.shape[-2:] == (height // model.network.out_stride, width // model.network.out_stride)

    def test_repr_fits_a_screen(self, model: ColorizationModel) -> None:
        for each in (model, type(self).builder(**self.small).half()):
            lines = repr(each).splitlines()
            assert len(lines) <= 12
            assert max(map(len, lines)) <= 79
            assert lines[0] == f"{type(each).__name__}({each.name!r})"
            count = sum(p.numel() for p in each.parameters())
            assert lines[1].startswith(f"  size={each.size}, {count:,} parameters, cpu, float")
            assert lines[2].startswith(f"  network: {type(each.network).__name__}(width=")
        assert lines[1].endswith("float16, training")

    def test_a_wrong_size_says_which_is_right(self, model: ColorizationModel) -> None:
        network = model.network
        if network.fixed_size is not None:
            with pytest.raises(ImageError, match=f"64 × 96 pixels, but must have {network.fixed_size} × "):
                model(torch.rand(1, 1, 64, 96) * 100)
        elif network.stride > 1:
            with pytest.raises(
                ImageError, match=f"33 × 64 pixels, but .* multiples of {network.stride}; model.predict"
            ):
                model(torch.rand(1, 1, 33, 64) * 100)
        for call in (model, model.predict_ab):
            for shape in ((1, 64, 64), (1, 3, 64, 64), (0, 1, 64, 64)):
                with pytest.raises(ImageError, match=re.escape(f"L has shape {shape}, but must be (N, 1, H, W)")):
                    call(torch.rand(shape))
            with pytest.raises(ImageError, match="L holds torch.uint8, but must be floating point"):
                call(torch.zeros(1, 1, 64, 64, dtype=torch.uint8))
            with pytest.raises(ImageError, match="not Image; model.transforms"):
                call(Image.new("L", (64, 64)))

    def test_features_of_the_encoder(self, model: ColorizationModel) -> None:
        network = model.network
        if not network.feature_strides:
            with pytest.raises(ConfigError, match=f"{model.name} has no encoder"):
                FeatureExtractor(model)
            return
        extractor = FeatureExtractor(model)
        assert not any(name.startswith(("decoder", "up", "head")) for name, _ in extractor.network.named_parameters())
        count = sum(p.numel() for p in extractor.parameters())
        assert 0 < count < sum(p.numel() for p in model.parameters())
        side = network.fixed_size or 64
        light = torch.rand(1, 1, side, side) * 100
        for channels, stride, each in zip(extractor.channels, extractor.strides, extractor(light), strict=True):
            assert each.shape == (1, channels, side // stride, side // stride)
        assert torch.equal(extractor(light)[-1], network.features(light)[-1])
        sum(each.mean() for each in extractor(light)).backward()
        assert all(p.grad is not None for p in extractor.parameters() if p.requires_grad)
        assert all(p.grad is None for p in model.parameters())
        with pytest.raises(ImageError, match="must be"):
            extractor(torch.rand(1, 3, side, side))

    @pytest.mark.parametrize("size", [(64, 96), (37, 50), (50, 37)])
    def test_encoded_features_predict_the_same(self, model: ColorizationModel, size: tuple[int, int]) -> None:
        light = torch.rand(2, 1, *size) * 100
        features, expected = model.encode(light), model.predict(light)
        for _ in range(2):
            found = model.predict(features)
            assert torch.equal(found.ab, expected.ab)
            assert torch.equal(found.raw, expected.raw)
            assert torch.equal(found.lightness, light)
        assert torch.equal(model.predict(features, decoding=Decoding(strength=0)).ab, torch.zeros_like(expected.ab))

    def test_color_does_not_depend_on_the_rest_of_the_batch(self, model: ColorizationModel) -> None:
        light = torch.rand(3, 1, 40, 40) * 100
        torch.testing.assert_close(model.predict_ab(light)[1:2], model.predict_ab(light[1:2]), rtol=1e-3, atol=1e-3)

    def test_training_loss_reaches_every_parameter(self, model: ColorizationModel) -> None:
        model.train()
        light, ab = torch.rand(2, 1, self.side, self.side) * 100, torch.randn(2, 2, self.side, self.side) * 20
        losses = model.training_loss(light, ab, step=9999, generator=torch.Generator().manual_seed(0))
        losses["loss"].backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert parameter.grad.abs().sum() > 0, name

    def test_overfits_one_batch(self) -> None:
        torch.manual_seed(0)
        model = type(self).builder(**self.small)
        fold = self.side // 8
        light = torch.rand(2, 1, 8, 8).repeat_interleave(fold, 2).repeat_interleave(fold, 3) * 100
        ab = torch.stack((light[:, 0] - 50, 50 - light[:, 0].flip(-1)), 1) * 0.8
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        losses = []
        for step in range(60):
            loss = model.training_loss(light, ab, step=step, generator=torch.Generator().manual_seed(step))["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
        assert losses[-1] < 0.7 * losses[0]

    def test_save_and_load(self, model: ColorizationModel, tmp_path: Path) -> None:
        path = tmp_path / "mine.safetensors"
        artcolor.save_weights(model, path)
        assert [p.name for p in tmp_path.iterdir()] == ["mine.safetensors"]
        for loaded in (artcolor.from_pretrained(path), type(self).builder(weights=path)):
            assert not loaded.training
            assert loaded.config == model.config
            light = torch.rand(1, 1, 40, 40) * 100
            # Kernels are stored in half precision.
            torch.testing.assert_close(loaded.predict_ab(light), model.predict_ab(light), rtol=0.02, atol=0.2)
        again = tmp_path / "again.safetensors"
        artcolor.save_weights(loaded, again)
        assert again.read_bytes() == path.read_bytes()

    def test_contradicting_keywords_are_an_error(self, model: ColorizationModel, tmp_path: Path) -> None:
        path = tmp_path / "mine.safetensors"
        artcolor.save_weights(model, path)
        assert type(self).builder(weights=path, size=model.size).size == model.size
        with pytest.raises(ConfigError, match=rf"size=33 contradicts .*mine\.safetensors.* size={model.size}"):
            type(self).builder(weights=path, size=33)

    def test_compiles(self, model: ColorizationModel) -> None:
        light = torch.rand(1, 1, self.side, self.side) * 100
        program = torch.export.export(model, (light,))
        torch.testing.assert_close(program.module()(light), model(light), rtol=1e-4, atol=1e-4)
        # Of these, torch.compile generates other code for each size of the input.
        assert not [node for node in program.graph.nodes if "adaptive" in str(node.target)]

    def test_unknown_weights_name_the_known(self) -> None:
        with pytest.raises(ConfigError, match=r"no weights called 'ART_V99'.*DEFAULT|no weights called 'ART_V99'"):
            type(self).builder(weights="ART_V99")
        with pytest.raises(WeightsError, match="there is no weights file nowhere/x.safetensors"):
            type(self).builder(weights="nowhere/x.safetensors")


class ReleasedModelTester(ModelTester):
    """Tests a model with released weights. Subclasses also define `weights`, a key of the manifest."""

    weights: str

    def test_released_weights(self) -> None:
        model = type(self).builder(weights="DEFAULT")
        entry = artcolor.get_weight(self.weights).entry
        assert entry.config == model.config
        assert entry.parameters == sum(p.numel() for p in model.parameters())
        assert not model.training
        sky = torch.linspace(0.9, 0.2, 64).reshape(1, 1, 64, 1).expand(1, 1, 64, 64)
        assert artcolor.colorize(sky, model).std(dim=1).max() > 0.01, "the result must have color"
