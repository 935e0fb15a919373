"""A reference for one shot of a film: that shot adopts its colors, and the others do not."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from artcolor.color import planes
from artcolor.engine.colorizer import Colorizer
from artcolor.errors import ConfigError, ImageError
from artcolor.images import Picture, Provenance, open_picture, read_provenance, save_picture
from artcolor.video.film import FilmReport, colorize_film
from artcolor.video.numbered import Frame, colorize_frames
from artcolor.video.write import read_provenance as provenance_of_film
from tests.conftest import ROOT
from tests.video.clips import frames_of, gray, make, plane

MOOD = ROOT / "docs" / "pictures" / "gogh_auvers.jpg"
OTHER = ROOT / "docs" / "pictures" / "renoir_galette.jpg"
FIRST, SECOND = range(4), range(4, 8)


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer("cnn", size=64)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "a.mkv", pix_fmt="yuv444p", frames=8, shots=2)


@pytest.fixture(scope="module")
def plain(source: Path, colorizer: Colorizer) -> np.ndarray[Any, Any]:
    target = source.with_name("plain.mkv")
    colorize_film(colorizer, source, target)
    return chroma_of(target)


def chroma_of(path: Path) -> np.ndarray[Any, Any]:
    """Cb and Cr of all frames, `(n, 2, H, W)`."""
    return np.stack([[plane(frame, 1), plane(frame, 2)] for frame in frames_of(path)]).astype(int)


def changed(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], frames: range) -> float:
    return float(np.abs(one[frames.start : frames.stop] - other[frames.start : frames.stop]).mean())


@pytest.mark.parametrize(("frame", "inside", "outside"), [(2, FIRST, SECOND), (7, SECOND, FIRST)])
def test_one_shot_adopts_the_colors_of_its_reference(
    frame: int,
    inside: range,
    outside: range,
    source: Path,
    plain: np.ndarray[Any, Any],
    colorizer: Colorizer,
    tmp_path: Path,
) -> None:
    target = tmp_path / "b.mkv"
    report = colorize_film(colorizer, source, target, references={frame: MOOD})
    assert report.shots == 2
    found = chroma_of(target)
    assert changed(found, plain, inside) > 2
    assert changed(found, plain, outside) == 0
    # They are those that the reference gives to a whole film.
    whole = tmp_path / "c.mkv"
    colorize_film(colorizer.with_reference(MOOD), source, whole)
    assert changed(found, chroma_of(whole), inside) < 0.5 * changed(found, plain, inside)
    stated = provenance_of_film(target)
    assert stated is not None
    assert stated.options["reference_at"] == {str(frame): MOOD.name}
    assert dataclasses.replace(stated, options=colorizer.provenance.options) == colorizer.provenance


class Ended(BaseException):
    pass


def test_another_reference_begins_anew(source: Path, colorizer: Colorizer, tmp_path: Path) -> None:
    target, mood = tmp_path / "b.mkv", tmp_path / "mood.jpg"
    shutil.copy(MOOD, mood)

    def end(stage: str, done: int, total: int) -> None:
        if stage == "colorizing" and done == 6:
            raise Ended

    def colorize(given: Colorizer, references: Mapping[int, Any], **options: Any) -> FilmReport:
        return colorize_film(given, source, target, references=references, **options)

    with pytest.raises(Ended):
        colorize(colorizer, {0: mood}, progress=end)
    # The same name and place, with another content.
    shutil.copy(OTHER, mood)
    with pytest.raises(Ended):
        colorize(colorizer, {0: mood}, progress=end)
    assert colorize(colorizer, {0: mood}).resumed == 1
    # So it is with a reference for the whole film.
    with pytest.raises(Ended):
        colorize(colorizer.with_reference(mood), {}, progress=end)
    shutil.copy(MOOD, mood)
    assert colorize(colorizer.with_reference(mood), {}).resumed == 0


def test_mistakes_are_told(source: Path, colorizer: Colorizer, tmp_path: Path) -> None:
    target, bad, gray_picture = tmp_path / "b.mkv", tmp_path / "bad.jpg", tmp_path / "gray.png"
    bad.write_bytes(b"no picture")
    Image.new("L", (40, 40), 99).save(gray_picture)
    for references, kind, message in (
        ({8: MOOD}, ConfigError, "the reference gogh_auvers.jpg is for frame 8, but the frames are 0 to 7"),
        ({4: MOOD, 6: OTHER}, ConfigError, "for frames 4 and 6 are for the same shot, frames 4 to 7"),
        ({0: bad}, ImageError, "bad.jpg"),
        ({0: gray_picture}, ImageError, "gray.png has no color; give a colored picture"),
    ):
        with pytest.raises(kind, match=message):
            colorize_film(colorizer, source, target, references=references)
        assert not target.exists()


def numbered(folder: Path, count: int = 4, *, turned: bool = False) -> list[Frame]:
    """Two shots of frames; `turned` frames are stored lying, with an orientation that turns them upright."""
    frames = []
    for number in range(count):
        source = folder / f"f{number}.png"
        image, exif = Image.fromarray(gray(number, (96, 64), number * 2 // count)), Image.Exif()
        if turned:
            exif[0x112] = 6
            image = image.transpose(Image.Transpose.ROTATE_90)
        image.save(source, exif=exif)
        frames.append(Frame(source, folder / f"f{number}.color.png"))
    return frames


def test_numbered_frames(colorizer: Colorizer, tmp_path: Path) -> None:
    found = []
    for references in ({}, {3: MOOD}):
        folder = tmp_path / str(len(references))
        folder.mkdir()
        frames = numbered(folder)
        colorize_frames(colorizer, frames, write, folder, references=references)
        found.append(np.stack([open_picture(frame.target).pixels for frame in frames]).astype(int))
    assert (found[0][:2] == found[1][:2]).all()
    assert np.abs(found[0][2:] - found[1][2:]).mean() > 2
    stated = [read_provenance(frame.target) for frame in frames]
    assert [None if each is None else each.options.get("reference") for each in stated] == [
        None,
        None,
        *[MOOD.name] * 2,
    ]


def write(picture: Picture, target: Path, provenance: Provenance) -> None:
    save_picture(picture, target, provenance=provenance)


@pytest.mark.parametrize("turned", [False, True])
def test_a_hint_on_a_numbered_frame_is_met_exactly_there(turned: bool, colorizer: Colorizer, tmp_path: Path) -> None:
    frames = numbered(tmp_path, turned=turned)
    # A pixel that is no cell of the network's output, of a color that sRGB can show there.
    x, y, wanted = 53, 37, np.array([12.0, -20.0])
    hint = {"x": (x + 0.5) / 96, "y": (y + 0.5) / 64, "color": wanted.tolist(), "frame": 3}
    hinted = colorizer.with_hints([hint])
    colorize_frames(hinted, frames, write, tmp_path)
    off = [np.abs(ab_at(frame.target, x, y) - wanted).max() for frame in frames]
    assert off[3] < 1
    assert off[0] > 5


def ab_at(path: Path, x: int, y: int) -> np.ndarray[Any, Any]:
    return planes.lab(open_picture(path).pixels)[1:, y, x]
