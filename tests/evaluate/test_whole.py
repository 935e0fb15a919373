"""Whole pictures, as people colorize them, and the sources that they come from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import artcolor
from artcolor.color.lab import lab_to_rgb, rgb_to_lightness
from artcolor.errors import ConfigError
from artcolor.evaluate import metrics
from artcolor.evaluate.benchmark import evaluate
from artcolor.evaluate.frechet import fd_grid
from artcolor.evaluate.protocol import by_source, choose, protocol_of, sources_of
from artcolor.evaluate.results import Results
from tests.conftest import make_painting

SIZES = [(300, 200), (300, 200), (180, 420), (256, 256), (90, 60)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for number, size in enumerate(SIZES):
        (folder / "test").mkdir(exist_ok=True)
        make_painting(number, *size).save(folder / "test" / f"{number}.png")
    return folder


def test_pictures_are_read_whole_and_in_order(folder: Path) -> None:
    protocol, paths = protocol_of("paintings-whole"), choose(folder, "test", None)
    batches = list(protocol.batches(paths, 8))
    assert [tuple(batch.shape) for batch in batches] == [
        *[(2, 3, 256, 384), (1, 3, 597, 256), (1, 3, 256, 256), (1, 3, 256, 384)]
    ]
    for picture, path in zip([one for batch in batches for one in batch], paths, strict=True):
        torch.testing.assert_close(picture, protocol.read(path))
    assert [len(batch) for batch in protocol.batches(paths[:2], 1)] == [1, 1]


def test_models_are_evaluated_as_they_colorize(folder: Path, tmp_path: Path) -> None:
    found = evaluate(["cnn"], folder, protocol="paintings-whole", seconds=False, out=tmp_path)
    protocol, paths = protocol_of("paintings-whole"), choose(folder, "test", None)
    truths, colored = [], []
    for path in paths:
        truth = protocol.read(path)
        lightness = rgb_to_lightness(truth[None])
        gray = lab_to_rgb(torch.cat((lightness, torch.zeros(1, 2, *lightness.shape[-2:])), dim=1))[0, 0]
        truths.append(truth[None])
        # The 8 bits of a file would change colors of the smooth pictures of this test.
        colored.append(torch.from_numpy(artcolor.colorize(gray.numpy(), "cnn")).permute(2, 0, 1)[None])
    for metric in ("psnr", "colorfulness", "hot_spots"):
        function = getattr(metrics, metric)
        takes_truth = metric != "colorfulness"
        by_hand = torch.cat(
            [function(c, t) if takes_truth else function(c) for c, t in zip(colored, truths, strict=True)]
        )
        np.testing.assert_allclose(found.models["cnn"].table[metric], by_hand.numpy(), rtol=1e-3, atol=0.01)
    square = [[torch.nn.functional.adaptive_avg_pool2d(each, 256) for each in side] for side in (colored, truths)]
    by_hand = fd_grid(torch.cat(square[0]), torch.cat(square[1]))
    assert found.interval("cnn", "fd_grid").mean == pytest.approx(by_hand, rel=0.25)
    assert "paintings-whole, n = 5" in (tmp_path / "results.md").read_text()
    assert "Best by" in (tmp_path / "report.html").read_text()


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty gray-blue pictures of "cool" and a gray one, twenty orange ones of "warm", and three of "rare"."""
    folder = tmp_path_factory.mktemp("collection")
    rng, rows = np.random.default_rng(0), ["file_name,split,source"]
    colors = {"cool": (90, 100, 120), "warm": (200, 120, 40), "rare": (0, 255, 0)}
    for source, color in colors.items():
        for number in range(3 if source == "rare" else 20):
            pixels = (np.array(color) * rng.uniform(0.2, 1, (16, 16, 1))).astype(np.uint8)
            name = f"{source}{number}.png"
            Image.fromarray(pixels).save(folder / name)
            rows.append(f"{name},test, {source}" if number % 2 else f"{name},test,{source} ")
    Image.new("L", (16, 16), 254).save(folder / "cool-gray.png")
    rows.append("cool-gray.png,test,cool")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


def test_figures_range_over_sources(collection: Path, tmp_path: Path) -> None:
    paths = choose(collection, "test", None)
    sources = sources_of(collection, paths)
    assert [path.name.startswith(source) for path, source in zip(paths, sources, strict=True)] == [True] * 44
    assert {source: len(numbers) for source, numbers in by_source(sources).items()} == {"cool": 21, "warm": 20}
    found = evaluate([], collection, protocol="report-128", seconds=False, out=tmp_path)
    deltas = found.models["gray"].table["delta_colorfulness"]
    means = {name: deltas[[source == name for source in sources]].mean() for name in ("cool", "warm")}
    assert means["warm"] < means["cool"] < 0
    assert found.over_sources("gray", "delta_colorfulness") == pytest.approx((means["warm"], means["cool"]))
    assert found.over_sources("gray", "fd_grid") is None
    figure = found.to_json()["models"]["gray"]["delta_colorfulness"]
    assert (figure["source_low"], figure["source_high"]) == pytest.approx((means["warm"], means["cool"]))
    assert f"{means['warm']:.2f} to {means['cool']:.2f}" in found.to_markdown()
    # Without color, the gray picture is reproduced exactly, so its PSNR is infinite.
    assert np.isinf(found.models["gray"].table["psnr"]).sum() == 1
    assert found.over_sources("gray", "psnr") is None
    assert "source_low" not in found.to_json()["models"]["gray"]["psnr"]
    with pytest.raises(ConfigError, match="unknown metric 'nope'"):
        found.over_sources("gray", "nope")
    with pytest.raises(ConfigError, match="nobody"):
        found.over_sources("nobody", "psnr")


def test_sources_with_few_known_values_have_no_range(collection: Path) -> None:
    found = evaluate([], collection, protocol="report-128", seconds=True)
    # Only the first twenty pictures are timed, nearly all of one source.
    assert found.over_sources("gray", "seconds") is None


def test_only_the_middle_of_a_strip_is_read(tmp_path: Path) -> None:
    strip = Image.new("RGB", (2001, 2), "red")
    strip.paste("blue", (980, 0, 1020, 2))
    strip.save(tmp_path / "strip.png")
    picture = protocol_of("paintings-whole").read(tmp_path / "strip.png")
    assert picture.shape[1] == 256
    assert 4096 <= picture.shape[2] <= 4096 + 256
    assert picture[2].mean() == pytest.approx(1, abs=0.03)


def test_without_sources_there_is_no_range(folder: Path) -> None:
    paths = choose(folder, "test", None)
    assert sources_of(folder, paths) == [""] * len(paths)
    found = evaluate([], folder, protocol="report-128", seconds=False)
    assert isinstance(found, Results)
    assert found.over_sources("gray", "psnr") is None
    assert "source_low" not in found.to_json()["models"]["gray"]["psnr"]
    assert "sources" not in found.to_markdown()
