import json
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from artcolor.cli.app import app
from artcolor.color.lab import rgb_to_lab, to_gamut
from artcolor.errors import ConfigError
from artcolor.evaluate.benchmark import evaluate
from artcolor.evaluate.hints import HintResults, evaluate_hints
from artcolor.evaluate.hints_tables import hints_to_markdown
from artcolor.evaluate.spreading import levin, nearest
from artcolor.evaluate.wrong_hint import segments, share_inside, wrong_hint
from artcolor.models.kernel import ChromaKernel
from artcolor.models.unet import unet
from tests.data.paintings import make_artwork

MODEL = "unet:vividness=0,size=96"


@pytest.fixture(scope="module")
def artworks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with three colorful and detailed pictures, of different aspects."""
    root = tmp_path_factory.mktemp("artworks")
    (root / "test").mkdir()
    for seed, size in enumerate([(200, 160), (150, 190), (170, 170)]):
        make_artwork(seed, *size).save(root / "test" / f"{seed}.png")
    return root


@pytest.fixture(scope="module")
def found(artworks: Path) -> HintResults:
    return evaluate_hints(MODEL, artworks, counts=(1, 10, 100))


class TestRivals:
    def test_nearest_follows_the_distance(self) -> None:
        colors = torch.tensor([[1.0, 10.0], [2.0, 20.0]])
        # The corners of a grid of 3 × 4 cells.
        ab = nearest(torch.rand(1, 1, 3, 4), torch.tensor([0, 11]), colors)
        assert ab[0, 0].tolist() == [[1, 1, 1, 2], [1, 1, 2, 2], [1, 2, 2, 2]]
        assert torch.equal(ab[0, 1], 10 * ab[0, 0])

    def test_levin_stops_at_borders(self) -> None:
        lightness = torch.full((1, 1, 8, 10), 20.0)
        lightness[..., 6:] = 80
        colors = torch.tensor([[30.0, -40.0], [-20.0, 50.0]])
        ab = levin(lightness, torch.tensor([0, 79]), colors)
        expected = torch.where(lightness < 50, colors[0].reshape(1, 2, 1, 1), colors[1].reshape(1, 2, 1, 1))
        torch.testing.assert_close(ab, expected, atol=1, rtol=0)

    def test_levin_interpolates_over_a_slope(self) -> None:
        # By symmetry, the middle is halfway between the ends, and all of it lies between them.
        lightness = torch.linspace(30, 60, 9).reshape(1, 1, 1, 9)
        ab = levin(lightness, torch.tensor([0, 8]), torch.tensor([[0.0, 0.0], [10.0, -20.0]]))[0, :, 0]
        torch.testing.assert_close(ab[:, 4], torch.tensor([5.0, -10.0]))
        assert (ab[0].diff() > 0).all()

    def test_one_hint_colors_everything(self) -> None:
        lightness, color = torch.rand(1, 1, 6, 5) * 100, torch.tensor([[12.0, -7.0]])
        for spread in (nearest, levin):
            torch.testing.assert_close(
                spread(lightness, torch.tensor([13]), color), color.reshape(1, 2, 1, 1).expand(1, 2, 6, 5)
            )

    def test_without_scipy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "scipy.sparse", None)
        with pytest.raises(ConfigError, match=r"SciPy.*\.\[evaluate\]"):
            levin(torch.zeros(1, 1, 2, 2), torch.tensor([0]), torch.zeros(1, 2))


class TestWrongHint:
    @staticmethod
    def halves() -> Tensor:
        """Green on the left, gray on the right."""
        rgb = torch.full((1, 3, 240, 256), 0.5)
        rgb[..., :128] = torch.tensor([0.3, 0.6, 0.2]).reshape(3, 1, 1)
        return rgb_to_lab(rgb)

    def test_segments_are_objects(self) -> None:
        parts = segments(self.halves())
        assert parts.shape == (240, 256)
        assert len(parts.unique()) == 2
        assert len(parts[:, :128].unique()) == len(parts[:, 128:].unique()) == 1

    def test_the_color_is_the_opposite(self) -> None:
        lab, grid = self.halves(), (15, 17)
        # The middle of this grid lies in both halves, so it is passed over.
        wrong = wrong_hint(lab, grid, torch.tensor([8, 0]))
        assert wrong is not None
        assert (wrong.hint.x, wrong.hint.y) == (0.5 / 17, 0.5 / 15)
        assert wrong.segment[:, :128].all() and not wrong.segment[:, 128:].any()
        true, chosen = lab[0, 1:, 0, 0], torch.tensor(wrong.hint.color)
        # Colors of hints are rounded to hundredths.
        torch.testing.assert_close(chosen, -true, atol=0.006, rtol=0)
        light = lab[..., :1, :1, :1]
        shown = to_gamut(light, chosen.reshape(1, 2, 1, 1)).flatten()
        torch.testing.assert_close(shown, chosen, atol=0.006, rtol=0)

    def test_gray_gets_30_units(self) -> None:
        wrong = wrong_hint(self.halves(), (15, 16), torch.tensor([15]))
        assert wrong is not None
        assert torch.tensor(wrong.hint.color).norm() == pytest.approx(30, abs=0.01)
        assert wrong.segment[:, 128:].all()

    def test_no_color_exists_in_black(self) -> None:
        assert wrong_hint(torch.zeros(1, 3, 32, 32), (4, 4), torch.arange(16)) is None

    def test_shares(self) -> None:
        before = torch.zeros(1, 2, 2, 4)
        after = before.clone()
        after[0, :, 0, 0] = torch.tensor([3.0, 4.0])
        after[0, :, 1, 3] = torch.tensor([0.0, 15.0])
        segment = torch.zeros(2, 4, dtype=torch.bool)
        segment[:, :2] = True
        assert share_inside(before, after, segment) == pytest.approx(0.25)
        assert torch.tensor(share_inside(before, before, segment)).isnan()

    def test_without_scikit_image(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
        with pytest.raises(ConfigError, match=r"scikit-image.*\.\[evaluate\]"):
            segments(self.halves())


class TestEvaluateHints:
    def test_hints_help(self, found: HintResults) -> None:
        assert (found.model, found.protocol, found.split, found.n) == (MODEL, "paintings-256", "test", 3)
        gains = [found.row(count).gain for count in (0, 10, 100)]
        assert gains[0] == 0
        assert gains == sorted(gains)
        assert gains[-1] > 3
        errors = [found.row(count).abrmse for count in (0, 10, 100)]
        assert errors == sorted(errors, reverse=True)
        distances = [found.row(count).fd_grid for count in (0, 10, 100)]
        assert distances == sorted(distances, reverse=True)

    def test_figures_belong_together(self, found: HintResults) -> None:
        base = found.row(0)
        assert base.changed == 0
        for row in found.rows:
            assert row.psnr == pytest.approx(base.psnr + row.gain)
            assert 0 <= row.changed <= 100
        assert {row.method for row in found.rows} >= {MODEL, "levin", "nearest"}
        assert found.row(100, "levin").psnr > found.row(100, "nearest").psnr
        assert {row.count for row in found.rows if row.places == "uncertain"} == {1, 10}
        with pytest.raises(ConfigError, match="'levin' was not measured with 7 hints"):
            found.row(7, "levin")

    def test_a_wrong_hint_changes_its_segment_most(self, found: HintResults) -> None:
        for row in found.wrong:
            assert row.n == 3
            assert 0 < row.area < row.mean < 100
            assert 0 < row.median < 100
        assert {row.right for row in found.wrong} == {0, 10}

    def test_agrees_with_the_benchmark_without_hints(self, found: HintResults, artworks: Path) -> None:
        plain = evaluate([MODEL], artworks, protocol="paintings-256", seconds=False)
        for metric in ("psnr", "abrmse", "delta_colorfulness", "fd_grid"):
            assert getattr(found.row(0), metric) == pytest.approx(plain.interval(MODEL, metric).mean, rel=1e-3)

    def test_places_do_not_depend_on_the_other_pictures(self, artworks: Path, tmp_path: Path) -> None:
        (tmp_path / "test").mkdir()
        for name in ("1.png", "2.png"):
            (tmp_path / "test" / name).write_bytes((artworks / "test" / name).read_bytes())
        three = evaluate_hints("cnn:size=64", artworks, counts=(5,))
        two = evaluate_hints("cnn:size=64", tmp_path, counts=(2, 5))
        one = evaluate_hints("cnn:size=64", tmp_path, counts=(5,))
        assert two.row(5) == one.row(5)
        assert three.row(5).gain != one.row(5).gain

    def test_a_trained_kernel_has_the_untrained_one_as_a_rival(self, artworks: Path) -> None:
        model = unet(width=8, size=64).eval()
        trained = ChromaKernel([each.shape[1] for each in _kernel_features(model)])
        model.kernel = trained.eval().requires_grad_(False)
        found = evaluate_hints(model, artworks, counts=(10,), limit=2)
        assert found.row(10, "untrained").psnr != found.row(10).psnr
        assert {row.method for row in found.wrong} == {"unet", "untrained"}
        assert model.kernel is trained
        model.kernel = None
        untrained = evaluate_hints(model, artworks, counts=(10,), limit=2)
        assert untrained.row(10).psnr == pytest.approx(found.row(10, "untrained").psnr)
        assert "untrained" not in {row.method for row in untrained.rows}

    def test_the_default_decoding_is_more_colorful(self, artworks: Path) -> None:
        vivid, plain = (
            evaluate_hints(name, artworks, counts=(10,), limit=2)
            for name in ("unet:size=96", "unet:size=96,vividness=0")
        )
        for count in (0, 10):
            assert vivid.row(count).delta_colorfulness > plain.row(count).delta_colorfulness

    def test_names_what_is_wrong(self, artworks: Path) -> None:
        for counts in ((), (1, -1)):
            with pytest.raises(ConfigError, match="0 or more"):
                evaluate_hints("cnn", artworks, counts=counts)
        with pytest.raises(ConfigError, match=r"measures RGB; measure hints on paintings-256"):
            evaluate_hints("cnn", artworks, protocol="report-128")
        with pytest.raises(ConfigError, match=r"300 hints are too many.*0\.png has 256 cells"):
            evaluate_hints("cnn:size=64", artworks, counts=(300,))


def _kernel_features(model: torch.nn.Module) -> list[Tensor]:
    return list(model.kernel_features(model.encode(torch.zeros(1, 1, 64, 64)).encoded))


def run(*arguments: str | Path) -> tuple[str, BaseException | None]:
    done = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    return done.output, done.exception


class TestCommand:
    def test_end_to_end(self, artworks: Path, tmp_path: Path) -> None:
        out = tmp_path / "new" / "out"
        text, error = run(MODEL, "--hints", "10, 1", "--data", artworks, "--out", out, "--limit", "2")
        assert error is None, text
        assert f"{MODEL}, hints: 2 pictures" in text
        assert "gain in PSNR" in text
        assert "hints.md" in text
        found = json.loads((out / "hints.json").read_text())
        assert (found["model"], found["protocol"], found["split"], found["n"]) == (MODEL, "paintings-256", "test", 2)
        assert {row["count"] for row in found["rows"] if row["method"] == MODEL} == {0, 1, 10}
        assert set(found["rows"][0]) == {
            *("method", "places", "count", "psnr", "gain", "abrmse", "changed", "delta_colorfulness", "fd_grid")
        }
        assert set(found["wrong"][0]) == {"method", "right", "n", "mean", "median", "area"}
        table = (out / "hints.md").read_text()
        gain = next(row["gain"] for row in found["rows"] if (row["method"], row["count"]) == ("levin", 10))
        assert "| `levin` | – | " in table
        assert f"{gain:+.2f} |" in table
        assert table.count("by number of hints") == 6

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["unet", "cnn", "--hints", "1"], "one model at a time"),
            (["unet", "--hints", "1", "--sweep"], "--sweep and --hints"),
            (["unet", "--hints", "a,b"], "separated by commas, such as 0,1,5,10, not 'a,b'"),
            (["unet", "--hints", ""], "separated by commas, such as 0,1,5,10, not ''"),
            (["unet", "--hints", "1,2.5"], "whole numbers"),
            (["unet", "--hints", "0,-1"], "0 or more"),
            (["unet", "--hints", "1", "--protocol", "report-200"], "paintings-256"),
            (["nonsense", "--hints", "1"], "nonsense"),
        ],
    )
    def test_invalid_arguments_are_errors(
        self, arguments: list[str], message: str, artworks: Path, tmp_path: Path
    ) -> None:
        _, error = run(*arguments, "--data", artworks, "--out", tmp_path)
        assert isinstance(error, ConfigError)
        assert message in str(error)
        assert not list(tmp_path.iterdir())

    def test_an_impossible_folder(self, artworks: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        _, error = run("unet", "--hints", "1", "--data", artworks, "--out", tmp_path / "file")
        assert isinstance(error, ConfigError)
        assert "Choose another --out" in str(error)


def test_tables_show_what_was_asked_for(found: HintResults) -> None:
    text = hints_to_markdown(found, ["gain"])
    assert "paintings-256, test split, n = 3. Without hints: PSNR" in text
    assert "FD-grid ↓" not in text
    assert f"| `{MODEL}` | +0.00 | {found.row(1).gain:+.2f} |" in text
    assert ", at uncertain places` |" not in text
    assert f"| `{MODEL}`, at uncertain places | – |" in text
