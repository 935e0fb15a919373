"""Generates the free pictures in gray, and colorized by each released model."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.v2.functional import to_dtype, to_image, to_pil_image

import artcolor
from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lightness
from artcolor.engine.hint_files import read_hints
from artcolor.models.base import ColorizationModel
from artcolor.zoo.manifest import Entry, entries
from sitegen.cache import PICTURES, cached, source_of

_CODE = (
    "scripts/sitegen/results.py",
    "artcolor/color/lab.py",
    "artcolor/color/planes.py",
    "artcolor/models/base.py",
    "artcolor/models/heads.py",
    "artcolor/models/vae.py",
)
_GUIDED = ("artcolor/engine/observations.py", "artcolor/models/conditioning.py", "artcolor/models/kernel.py")
SAMPLES = 4
"""Number of random colorings shown for models that sample."""
_THUMBNAIL = (480, 480)


@dataclass(frozen=True)
class Painting:
    """One of the free pictures.

    Attributes:
        file: path in docs/pictures.
        painter: name and years of life.
        title: title of the painting.
    """

    file: Path
    painter: str
    title: str


@functools.cache
def paintings() -> list[Painting]:
    """Returns the free pictures listed in docs/pictures/SOURCES.md."""
    rows = [line.split("|") for line in (PICTURES / "SOURCES.md").read_text(encoding="utf-8").splitlines()]
    return [
        Painting(PICTURES / row[1].strip(" `"), row[2].strip(), row[3].partition("(")[0].strip())
        for row in rows
        if len(row) > 4 and ".jpg" in row[1]
    ]


def named(stem: str) -> Painting:
    """Returns the free picture whose file has a name, without its suffix."""
    return next(painting for painting in paintings() if painting.file.stem == stem)


def released(model: str) -> Entry | None:
    """Returns the manifest entry of a model's default weights, or `None` if none are released."""
    keys = [entry for entry in entries().values() if entry.model == model]
    if not keys:
        return None
    return artcolor.get_weight(model).entry


def gray(painting: Painting) -> Path:
    """Returns the lightness of a painting as a picture."""

    def make(path: Path) -> None:
        lightness = rgb_to_lightness(read(painting))
        _write(lab_to_rgb_in_gamut(lightness, lightness.new_zeros(1, 2, *lightness.shape[-2:])), path)

    return cached(f"gray-{painting.file.stem}.jpg", [painting.file.read_bytes(), *source_of(*_CODE)], make)


def colored(painting: Painting, entry: Entry, **options: float) -> Path:
    """Returns a painting colorized by released weights from its lightness alone."""
    return _painted(painting, entry, str(sorted(options.items())), lambda model, x: model.colorize(x, **options))


def sampled(painting: Painting, entry: Entry, number: int) -> Path:
    """Returns one of several random colorings by a model that samples."""
    return _painted(
        painting,
        entry,
        f"sample {number} of {SAMPLES}",
        lambda *_: _samples(painting, entry.key)[number, None],
    )


@functools.lru_cache(maxsize=1)
def _samples(painting: Painting, key: str) -> torch.Tensor:
    # All at once, as the network then runs once.
    return _model(key).colorize(read(painting), samples=SAMPLES, seed=1)


def guided(painting: Painting, entry: Entry, count: int) -> Path:
    """Returns a painting colorized with the first hints of its hints file."""
    hints = painting.file.with_suffix(".hints.json")

    def make(path: Path) -> None:
        content = json.loads(hints.read_text(encoding="utf-8"))
        session = artcolor.Session(gray(painting), entry.key)
        session.hints += read_hints(content["hints"][:count])
        session.render().convert("RGB").save(path, quality=85)

    parts = [painting.file.read_bytes(), hints.read_bytes(), entry.sha256, str(count), *source_of(*_CODE, *_GUIDED)]
    return cached(f"guided-{painting.file.stem}.webp", parts, make)


def own_picture(painting: Painting, entry: Entry) -> Path:
    """Returns the RGB output of a network of the report, without the true lightness."""

    def paint(model: ColorizationModel, x: torch.Tensor) -> torch.Tensor:
        small = model.transforms()(x)
        raw = model.predict_raw(small)
        return torch.nn.functional.interpolate(model.head.to_rgb(raw), x.shape[-2:], mode="bicubic").clamp(0, 1)

    return _painted(painting, entry, "own RGB", paint)


def _painted(
    painting: Painting, entry: Entry, how: str, paint: Callable[[ColorizationModel, torch.Tensor], torch.Tensor]
) -> Path:
    def make(path: Path) -> None:
        with torch.inference_mode():
            _write(paint(_model(entry.key), read(painting)), path)

    name = f"{entry.key}-{painting.file.stem}.webp"
    return cached(name, [painting.file.read_bytes(), entry.sha256, how, *source_of(*_CODE)], make)


def thumbnail(picture: Path) -> Path:
    """Returns a small copy of a picture, for grids; twice as large as it is usually shown, for dense screens."""

    def make(path: Path) -> None:
        with Image.open(picture) as image:
            small = image.convert("RGB")
        small.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
        small.save(path, quality=80)

    return cached(f"small-{picture.stem}.webp", [picture.read_bytes(), str(_THUMBNAIL)], make)


@functools.cache
def _model(key: str) -> ColorizationModel:
    return artcolor.from_pretrained(key, progress=False)


def read(painting: Painting) -> torch.Tensor:
    """Returns a painting as `(1, 3, H, W)`, sRGB in 0..1."""
    with Image.open(painting.file) as image:
        return to_dtype(to_image(image.convert("RGB")), torch.float32, scale=True)[None]


def _write(rgb: torch.Tensor, path: Path) -> None:
    to_pil_image(rgb[0].clamp(0, 1)).save(path, quality=85 if path.suffix == ".webp" else 88)
