"""Clips that the tests make: a window that moves over free pictures, with grain, and a tone as sound."""

import functools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.conftest import ROOT

PICTURES = ("gogh_auvers", "bruegel_harvesters")
UNIT = Fraction(1, 24000)
# Neither evenly spaced nor multiples of a millisecond.
UNEVEN = [0, 1001, 2002, 4004, 4500, 5005, 9009, 10010, 11011, 12500, 13013, 15015]


@functools.cache
def _picture(name: str, width: int, height: int) -> Image.Image:
    image = Image.open(ROOT / "docs/pictures" / f"{name}.jpg").convert("L")
    scale = max(width / image.width, height / image.height) * 1.5
    return image.resize((round(image.width * scale), round(image.height * scale)))


def gray(number: int, size: tuple[int, int], shot: int) -> np.ndarray:
    """The frame with this number, of a shot over one of the pictures."""
    width, height = size
    image = _picture(PICTURES[shot % len(PICTURES)], width, height)
    left, top = min(number * 2, image.width - width), min(number, image.height - height)
    pixels = np.asarray(image.crop((left, top, left + width, top + height))).astype(int)
    grain = np.random.default_rng(number).normal(0, 3, pixels.shape)
    return (pixels + grain).clip(0, 255).astype(np.uint8)


def make(
    path: Path,
    codec: str = "ffv1",
    pix_fmt: str = "yuv420p",
    *,
    size: tuple[int, int] = (160, 120),
    frames: int = 12,
    shots: int = 2,
    times: Sequence[int] | None = None,
    sound: str | None = None,
    options: dict[str, str] | None = None,
    rotation: int = 0,
    metadata: dict[str, str] | None = None,
    chapters: Sequence[Any] = (),
    prepare: Any = None,
    container: dict[str, str] | None = None,
    **context: Any,
) -> Path:
    """Writes a clip; `context` sets attributes of the encoder and of each frame, such as `colorspace`."""
    times = [number * 1000 for number in range(frames)] if times is None else times
    with av.open(str(path), "w", container_options=container or {}) as output:
        output.metadata.update(metadata or {})
        output.set_chapters(list(chapters))
        video = output.add_stream(codec, rate=24, options=options or {})
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        # AVI counts frames.
        unit = Fraction(1, 24) if path.suffix == ".avi" else UNIT
        video.time_base = video.codec_context.time_base = unit
        for name, value in context.items():
            setattr(video.codec_context, name, value)
        if rotation:
            video.set_display_rotation(rotation)
        audio = output.add_stream(sound, rate=48000) if sound else None
        for number in range(len(times)):
            frame = _frame(gray(number, size, number * shots // len(times)), pix_fmt, context)
            frame.pts, frame.time_base = times[number], UNIT
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if audio:
            for tone in _tone(len(times) / 24):
                output.mux(audio.encode(tone))
            output.mux(audio.encode())
    return path


def _frame(pixels: np.ndarray, pix_fmt: str, context: dict[str, Any]) -> av.VideoFrame:
    full = context.get("color_range") == 2 or "rgb" in pix_fmt or pix_fmt.startswith(("gbr", "gray", "bgr"))
    source = av.VideoFrame.from_ndarray(pixels, "gray")
    frame = source.reformat(format=pix_fmt, src_color_range="JPEG", dst_color_range="JPEG" if full else "MPEG")
    for name in ("colorspace", "color_range", "color_primaries", "color_trc"):
        if name in context:
            setattr(frame, name, context[name])
    return frame


def _tone(seconds: float) -> list[av.AudioFrame]:
    wave = (np.sin(np.arange(round(48000 * seconds)) * 2 * np.pi * 440 / 48000) * 0.3).astype(np.float32)
    frames = []
    for start in range(0, len(wave) - 959, 960):
        frame = av.AudioFrame.from_ndarray(np.tile(wave[start : start + 960], (2, 1)), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        frames.append(frame)
    return frames


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times_of(path: Path) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in frames_of(path)]


def plane(frame: av.VideoFrame, number: int = 0) -> np.ndarray:
    """Code values of one plane."""
    deep = frame.format.components[0].bits > 8
    found = frame.planes[number]
    return np.frombuffer(found, np.uint16 if deep else np.uint8).reshape(found.height, -1)[:, : found.width].copy()


def packets_of(path: Path, kind: str) -> list[tuple[Any, ...]]:
    """Bytes and times of all packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(each for each in container.streams if each.type == kind)
        return [
            (bytes(packet), packet.pts * packet.time_base)
            for packet in container.demux(stream)
            if packet.pts is not None
        ]
