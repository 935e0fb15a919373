"""Runs the command over a folder with one file for each combination of mode and format."""

from pathlib import Path

import numpy as np

from artcolor.images import FORMATS, open_picture, output_suffix, read_provenance
from tests.cli.test_cli import artcolor
from tests.images.test_formats import HOLDS, LOSSY, lightness, small, write


def test_a_folder_of_every_mode_in_every_format(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    sources = []
    for suffix, modes in HOLDS.items():
        for mode in modes.split():
            sources.append(folder / f"{suffix[1:]}-{mode}{suffix}")
            write(small(mode), sources[-1])
    done = artcolor("colorize", folder, "-o", out, "--model", "cnn", "--size", "32")
    assert done.returncode == 0, done.stderr
    assert f"{len(sources)} of {len(sources)} colorized" in done.stdout
    targets = [out / source.with_suffix(output_suffix(source.suffix)).name for source in sources]
    assert sorted(out.iterdir()) == sorted(targets)
    for source, target in zip(sources, targets, strict=True):
        before, after = open_picture(source), open_picture(target)
        error = np.abs(lightness(after) - lightness(before))
        assert error.mean() < 0.04 if source.suffix in LOSSY else error.max() <= 1 / 255, source.name
        assert after.transparent == before.transparent, source.name
        if FORMATS[after.info["format"]].xmp:
            found = read_provenance(target)
            assert found is not None, source.name
            assert found.model == "cnn.art_v1"
