"""Chooses the codec of a colored film, and encodes it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from artcolor.errors import ConfigError
from artcolor.video.planes import Levels, Target, candidates, depth_of, is_rgb
from artcolor.video.read import Facts
from artcolor.video.tags import FULL, LIMITED

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".webm": "webm", ".avi": "avi"}
"""Suffix → FFmpeg's name of the container."""

# Codec → encoders for it, the best first. A film in vp9 with 10 bits becomes av1, as vp9 is encoded with 8 here.
_ENCODERS = {
    "h264": ("libx264",),
    "hevc": ("libx265",),
    "vp9": ("libvpx-vp9", "libsvtav1"),
    "av1": ("libsvtav1",),
    "prores": ("prores_ks",),
    "ffv1": ("ffv1",),
}
_LIKE = {"vp8": "vp9"} | dict.fromkeys(
    ("huffyuv", "ffvhuff", "utvideo", "magicyuv", "lagarith", "png", "rawvideo", "v210", "qtrle", "tiff", "bmp"), "ffv1"
)
# AVI stores no timestamps; FFmpeg shows H.264 in it a frame late.
_IN_AVI = ("mpeg4", "ffv1")
_OTHERWISE = ("libx264", "libvpx-vp9", "libx265", "libsvtav1", "ffv1")
# Encoder → its default quality, the range of --crf, and further options.
_CRF: Mapping[str, tuple[int, int]] = {
    "libx264": (16, 51),
    "libx265": (18, 51),
    "libvpx-vp9": (24, 63),
    "libsvtav1": (24, 63),
}
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "medium"},
    "libx265": {"preset": "medium", "x265-params": "log-level=error"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "2", "row-mt": "1"},
    "libsvtav1": {"preset": "6"},
    "mpeg4": {"qmin": "2", "qmax": "2"},
    "ffv1": {"level": "3", "g": "1", "slicecrc": "1"},
}
# They state the range in their own headers; where they and the container do not, it is limited.
_TELL_RANGE = ("libx264", "libx265", "libvpx-vp9", "libsvtav1")
# They refuse odd sides where chroma is halved.
_WHOLE = ("libx264", "libx265")
_LOSSLESS = ("ffv1", "ffvhuff", "huffyuv", "utvideo", "libx264rgb", "png", "rawvideo")
_PRORES = {"apco": "0", "apcs": "1", "apcn": "2", "apch": "3", "ap4h": "4", "ap4x": "5"}


# FFmpeg's flag of containers that store the headers of encoders apart from the packets.
_GLOBAL_HEADER = 0x40


@dataclass(frozen=True)
class Encoding:
    """How the colored film is encoded.

    Attributes:
        container: FFmpeg's name of the container.
        encoder: FFmpeg's name of the encoder.
        target: pixels of the result.
        options: options of the encoder.
    """

    container: str
    encoder: str
    target: Target
    options: Mapping[str, str] = field(default_factory=dict)

    def stated(self) -> dict[str, Any]:
        """All settings, to compare them with those of an earlier run."""
        levels = self.target.levels
        target = (self.target.pix_fmt, levels.depth, levels.full)
        return {"container": self.container, "encoder": self.encoder, "target": target, "options": dict(self.options)}


def container_of(path: Path) -> str:
    """Finds the container of a result by its suffix.

    Args:
        path: path of the result.

    Raises:
        ConfigError: there is none.
    """
    found = CONTAINERS.get(path.suffix.lower())
    if found is None:
        raise ConfigError(f"{path} is not the name of a film; use one of {', '.join(CONTAINERS)}")
    return found


def choose(facts: Facts, path: Path, *, codec: str | None = None, crf: int | None = None) -> Encoding:
    """Chooses codec and pixels of the result: those of the original where they can be written.

    Args:
        facts: facts about the original.
        path: path of the result, whose suffix decides the container.
        codec: name of a codec (`h264`) or of an encoder of FFmpeg (`libx264`); `None` is that of the original.
        crf: quality, for codecs that support it; lower is better. `None` is visually nearly lossless.

    Returns:
        How the film is encoded.

    Raises:
        ConfigError: there is no such codec, the container cannot hold it, or it does not support `crf`.
    """
    container = container_of(path)
    for encoder in _wanted(facts, codec, container):
        target = _target(facts, encoder, container)
        if target is not None and holds_codec(container, encoder):
            options = dict(_SETTINGS.get(encoder, {})) | _quality(encoder, crf)
            if encoder == "prores_ks":
                usual = "4" if "444" in target.pix_fmt else "3"
                options["profile"] = _PRORES.get(facts.codec_tag, usual) if facts.codec == "prores" else usual
            if container == "avi":
                # It stores no timestamps, so frames must lie in the order in which they are shown.
                options |= {"bf": "0"}
            return Encoding(container, encoder, target, options)
    raise ConfigError(f"{path.suffix} files cannot contain {codec or facts.codec}; choose a result in .mkv, which can")


def _wanted(facts: Facts, codec: str | None, container: str) -> tuple[str, ...]:
    if codec is None:
        like = _LIKE.get(facts.codec, facts.codec)
        if container == "avi":
            return tuple(dict.fromkeys((*(_ENCODERS[like] if like == "ffv1" else ()), *_IN_AVI)))
        deep = [name for name in _OTHERWISE if facts.levels.depth in _depths(name)]
        return tuple(dict.fromkeys((*_ENCODERS.get(like, ()), *deep, *_OTHERWISE)))
    if codec in _ENCODERS:
        return _ENCODERS[codec]
    try:
        found = av.Codec(codec, "w")
    except ValueError:
        found = None
    if found is None or found.type != "video":
        raise ConfigError(f"there is no codec {codec!r}; use one of {', '.join(_ENCODERS)}, or an encoder of FFmpeg")
    return (codec,)


def _depths(encoder: str) -> set[int]:
    return {depth_of(format) for format in av.Codec(encoder, "w").video_formats or ()}


def _target(facts: Facts, encoder: str, container: str) -> Target | None:
    """The pixels nearest to those of the original that an encoder writes; `None` if it writes no planar YUV."""
    names = {format.name for format in av.Codec(encoder, "w").video_formats or ()}
    format, lossless = facts.format, encoder in _LOSSLESS
    kinds = list(candidates(format))
    if is_rgb(format) and not lossless:
        # What most programs play.
        kinds.sort(key=lambda kind: kind != "yuv420p")
    # RGB of full range keeps each gray level where the codec keeps each code.
    full = facts.levels.full if not is_rgb(format) else lossless
    if encoder not in _TELL_RANGE and container not in ("matroska", "webm"):
        # Players take what is usual.
        full = False
    for depth in dict.fromkeys((facts.levels.depth, 10, 12, 8) if facts.levels.depth > 8 else (8, 10)):
        for kind in kinds:
            name = kind if depth == 8 else f"{kind}{depth}le"
            if kind.startswith("yuva") and depth != facts.levels.depth:
                continue
            if encoder in _WHOLE and not _fits(kind, facts.width, facts.height):
                continue
            if encoder == "mjpeg" and depth == 8:
                return Target(name.replace("yuv", "yuvj"), Levels(8, True))
            if name in names:
                return Target(name, Levels(depth, full))
    return None


def _fits(kind: str, width: int, height: int) -> bool:
    """Whether the sides are multiples of what a pixel of chroma covers."""
    return kind.endswith("444p") or (width % 2 == 0 and (kind.endswith("422p") or height % 2 == 0))


def _quality(encoder: str, crf: int | None) -> dict[str, str]:
    if encoder not in _CRF:
        if crf is not None:
            known = ", ".join(name for name, encoders in _ENCODERS.items() if encoders[0] in _CRF)
            raise ConfigError(f"--crf applies to {known}, not to {encoder}; omit it")
        return {}
    usual, largest = _CRF[encoder]
    if crf is not None and crf > largest:
        raise ConfigError(f"--crf must be at most {largest} with {encoder}, not {crf}")
    return {"crf": str(usual if crf is None else crf)}


def holds_codec(container: str, encoder: str) -> bool:
    """Returns whether a container can hold the output of an encoder.

    Args:
        container: FFmpeg's name of the container.
        encoder: FFmpeg's name of the encoder.
    """
    # MP4 holds more than players expect in it.
    if container == "mp4" and av.Codec(encoder, "w").canonical_name not in ("h264", "hevc", "vp9", "av1", "mpeg4"):
        return False
    with av.open(os.devnull, "w", format=container) as trial:
        try:
            trial.add_stream(encoder)
        except ValueError:
            return False
    return True


def configure(context: VideoCodecContext, encoding: Encoding, facts: Facts) -> None:
    """Sets up an encoder, the same for each shot and for the header of the whole film.

    Args:
        context: context of the encoder, not yet open.
        encoding: how the film is encoded.
        facts: facts about the original.
    """
    # SVT-AV1 knows no other way to be silent.
    os.environ.setdefault("SVT_LOG", "1")
    context.width, context.height = facts.width, facts.height
    context.pix_fmt = encoding.target.pix_fmt
    context.framerate = facts.rate
    context.time_base = time_base_of(encoding, facts)
    context.bit_rate = 0
    context.sample_aspect_ratio = facts.aspect or Fraction(0, 1)
    tags = facts.tags
    context.colorspace, context.color_primaries, context.color_trc = tags.matrix, tags.primaries, tags.transfer
    context.color_range = FULL if encoding.target.levels.full else LIMITED
    context.options = dict(encoding.options)
    if av.ContainerFormat(encoding.container, "w").flags & _GLOBAL_HEADER:
        context.flags |= Flags.global_header
    if encoding.encoder == "libx265" and encoding.container in ("mp4", "mov"):
        # The name that Apple's programs ask for.
        context.codec_tag = "hvc1"


def time_base_of(encoding: Encoding, facts: Facts) -> Fraction:
    """Returns the unit of timestamps of the result: that of the original, unless codec or container allow only one.

    Args:
        encoding: how the film is encoded.
        facts: facts about the original.
    """
    if encoding.container == "avi" or encoding.encoder in ("mpeg4", "mpeg2video"):
        return 1 / facts.rate
    return facts.time_base


class ShotEncoder:
    """Encodes one shot.

    Args:
        encoding: how the film is encoded.
        facts: facts about the original.
    """

    def __init__(self, encoding: Encoding, facts: Facts) -> None:
        context = av.CodecContext.create(encoding.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        configure(context, encoding, facts)
        self._context = context

    def __call__(self, frame: av.VideoFrame | None) -> "Iterator[av.Packet[Any]]":
        """Encodes a frame; `None` ends the shot.

        Args:
            frame: frame of the pixel format of the encoding.

        Yields:
            Packets that are complete.
        """
        yield from self._context.encode(frame)
