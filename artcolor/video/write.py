"""Writes the colored film: encoded shots, and streams that are copied from the original."""

import contextlib
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer, OutputContainer
from av.stream import AttachmentStream, Discard, Disposition, Stream
from av.video.stream import VideoStream

from artcolor.errors import ImageError, UnsupportedError
from artcolor.images import Provenance
from artcolor.images.notices import warn
from artcolor.video.encode import CONTAINERS, Encoding, configure, time_base_of
from artcolor.video.read import METADATA, Facts, opened
from artcolor.video.segments import Joined

# The mark of what artcolor adds to the comment of a film. A comment is what all containers hold, and programs show.
_MARK = "artcolor:"
_STATED = re.compile(rf"(?:^|\n){_MARK} (\{{.*\}})")
# Statements about the file that the muxer makes itself, and about streams that are encoded anew.
_OWN = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")
_STATISTICS = ("bps", "number_of_", "_statistics_", "duration", "encoder")
_ALPHA_MODE = "alpha_mode"
# They state the pixel aspect ratio in their own headers.
_TELL_ASPECT = ("libx264", "libx265", "mpeg4", "mpeg2video")
# Names that MP4 and MOV have a place for; with others, all are written as QuickTime's newer kind of tags.
_NAMED = frozenset(
    (
        *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
        *("lyrics", "description", "synopsis", "show", "episode_id", "network", "track", "disc", "compilation"),
        *("creation_time", "keywords", "season_number", "episode_sort", "media_type", "hd_video"),
    )
)


def stated_in(metadata: Mapping[str, str]) -> Provenance | None:
    """Reads the provenance of a film from its metadata.

    Args:
        metadata: metadata of its container.

    Returns:
        The provenance; `None` if artcolor did not colorize the film.
    """
    comment = next((text for name, text in metadata.items() if name.lower() == "comment"), "")
    found = _STATED.search(comment)
    try:
        values = json.loads(found[1]) if found else None
        return Provenance(**values) if isinstance(values, dict) else None
    except (ValueError, TypeError):
        return None


def read_provenance(path: Path) -> Provenance | None:
    """Reads the provenance of a film file.

    Args:
        path: path of the film.

    Returns:
        The provenance; `None` if artcolor did not colorize the film.

    Raises:
        ImageError: it cannot be read.
    """
    with opened(path) as container:
        return stated_in(container.metadata)


def _metadata(given: Mapping[str, str], provenance: Provenance | None) -> dict[str, str]:
    kept = {name: text for name, text in given.items() if name.lower() not in _OWN}
    if provenance is None:
        return kept
    name = next((name for name in kept if name.lower() == "comment"), "comment")
    # What was said of an earlier coloring is replaced.
    comment = _STATED.sub("", kept.get(name, "")).rstrip()
    line = f"{_MARK} {json.dumps(asdict(provenance), sort_keys=True)}"
    return kept | {name: f"{comment}\n{line}" if comment else line}


@dataclass(frozen=True)
class Copies:
    """Which streams of a film are copied as they are.

    Attributes:
        indices: numbers of the streams.
    """

    indices: tuple[int, ...]


def check_copies(facts: Facts, encoding: Encoding) -> Copies:
    """Finds the streams that the container of the result can hold, before hours are spent on the picture.

    Data streams that it cannot hold are left out, with a warning.

    Args:
        facts: facts about the film.
        encoding: how the result is encoded.

    Raises:
        UnsupportedError: it cannot hold the sound or the subtitles.
    """
    kept = []
    with opened(facts.path) as container:
        has_chapters = bool(container.chapters())
        for stream in container.streams:
            if stream.index == facts.index:
                continue
            # Timecode is a stream, too, in MP4 and MOV, and is made anew.
            if stream.type == "data" and "timecode" in stream.metadata:
                continue
            # AVI makes another film of a cover, and MOV drops it.
            cover = _is_cover(stream)
            if not (cover and encoding.container in ("avi", "mov")) and _holds(encoding.container, stream):
                kept.append(stream.index)
                continue
            kind = "cover" if cover else {"subtitle": "subtitles", "audio": "sound"}.get(stream.type, stream.type)
            codec = stream.codec_context.name if stream.codec_context else "unknown"
            if stream.type in ("audio", "subtitle"):
                raise UnsupportedError(
                    f"{facts.path}: {encoding.container} files cannot contain its {kind} ({codec}); "
                    f"choose a result in {_other_container(facts, encoding)}"
                )
            # So is the text of chapters.
            if not (has_chapters and stream.type == "data"):
                warn(f"stream {stream.index} ({kind}, {codec}) is not copied: {encoding.container} cannot contain it")
        transparent = _states_alpha(container.streams[facts.index].metadata)
        _warn_of_losses(facts, encoding, chapters=has_chapters, transparent=transparent)
        copies = Copies(tuple(kept))
        try:
            with av.open(io.BytesIO(), "w", format=encoding.container) as trial:
                _streams(container, trial, facts, encoding, copies)
                trial.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            raise UnsupportedError(
                f"{facts.path}: {encoding.container} files cannot contain this combination of streams; "
                "choose a result in .mkv"
            ) from error
    return copies


def _other_container(facts: Facts, encoding: Encoding) -> str:
    own = facts.path.suffix.lower()
    found = [".mkv"] * (encoding.container != "matroska")
    found += [own] * (own not in found and CONTAINERS.get(own) not in (None, encoding.container))
    return " or ".join(found) or "another container"


def _states_alpha(metadata: Mapping[str, str]) -> bool:
    """Whether a film in VP8 or VP9 is transparent, which Matroska stores beside the frames; it is not decoded."""
    return any(name.lower() == _ALPHA_MODE and text != "0" for name, text in metadata.items())


def _warn_of_losses(facts: Facts, encoding: Encoding, *, chapters: bool, transparent: bool) -> None:
    """Warns of what the file of the result cannot state about the picture."""
    container = encoding.container
    # PyAV does not set the aspect ratio of streams, so it is kept where MP4 and MOV, or the codec itself, state it.
    if facts.aspect not in (None, 1) and container not in ("mp4", "mov") and encoding.encoder not in _TELL_ASPECT:
        warn(
            f"the pixel aspect ratio {facts.aspect} is lost: {encoding.encoder} in {container} cannot record it; "
            "h264 and hevc do, and so do results in .mov"
        )
    transparent |= any(component.is_alpha for component in facts.format.components)
    if transparent and not encoding.target.pix_fmt.startswith("yuva"):
        warn(f"the transparency is lost: {encoding.target.pix_fmt} does not support it")
    if container == "avi":
        if facts.display_matrix is not None:
            warn("the rotation is lost: AVI does not support it")
        if chapters:
            warn("the chapters are lost: AVI does not support them")


def _holds(format: str, stream: Stream) -> bool:
    try:
        with av.open(io.BytesIO(), "w", format=format) as trial:
            _add_copy(trial, stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _add_copy(output: OutputContainer, stream: Stream) -> Stream:
    made: Stream = output.add_stream_from_template(stream, opaque=True)
    made.metadata.update(stream.metadata)
    made.disposition = stream.disposition
    return made


def join(
    facts: Facts, encoding: Encoding, copies: Copies, shots: Joined, file: BinaryIO, provenance: Provenance | None
) -> None:
    """Writes the colored film.

    Args:
        facts: facts about the original.
        encoding: how its shots were encoded.
        copies: streams to copy.
        shots: the packets of the picture.
        file: open for writing; seekable.
        provenance: where the colors come from, to be stated; `None` states nothing.

    Raises:
        ImageError: the film cannot be written.
    """
    with opened(facts.path) as source:
        metadata = _metadata(source.metadata, provenance)
        covers = any(_is_cover(source.streams[index]) for index in copies.indices)
        options = _container_options(encoding, facts, metadata, covers=covers)
        watched = _Watched(file)
        output = av.open(watched, "w", format=encoding.container, container_options=options, **METADATA)
        try:
            with output:
                output.metadata.update(metadata)
                output.set_chapters(source.chapters())
                streams = _streams(source, output, facts, encoding, copies)
                video = streams.pop(facts.index)
                _interleave(source, output, video, streams, shots)
        except av.FFmpegError as error:
            if watched.error is not None:
                raise watched.error from error
            raise ImageError(f"the film cannot be written as {encoding.container}: {error.strerror}") from error


class _Watched:
    """A file that remembers why it could not be written, of which FFmpeg's error says nothing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None
        self.seek, self.tell = file.seek, file.tell

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise


def _container_options(
    encoding: Encoding, facts: Facts, metadata: Mapping[str, str], *, covers: bool
) -> dict[str, str]:
    if encoding.container not in ("mp4", "mov"):
        return {}
    base = time_base_of(encoding, facts)
    options = {"video_track_timescale": str(base.denominator)} if base.numerator == 1 else {}
    unnamed = sorted(name for name in metadata if name.lower().split("-")[0] not in _NAMED)
    if unnamed and covers:
        # FFmpeg writes either these or covers.
        warn(f"the metadata {', '.join(unnamed)} is lost: with a cover, {encoding.container} does not support it")
    elif unnamed:
        options["movflags"] = "use_metadata_tags"
    return options


def _streams(
    source: InputContainer, output: OutputContainer, facts: Facts, encoding: Encoding, copies: Copies
) -> dict[int, Stream]:
    """Makes the streams of the result, in the order of the original; their numbers there are the keys."""
    made: dict[int, Stream] = {}
    for stream in source.streams:
        if stream.index == facts.index:
            made[stream.index] = _add_video(output, stream, facts, encoding)
        elif stream.index in copies.indices:
            if encoding.container == "matroska" and _is_cover(stream):
                _attach_cover(source, output, stream)
            else:
                made[stream.index] = _add_copy(output, stream)
    return made


def _add_video(output: OutputContainer, original: Stream, facts: Facts, encoding: Encoding) -> VideoStream:
    made = output.add_stream(encoding.encoder, rate=facts.rate)
    assert isinstance(made, VideoStream)
    configure(made.codec_context, encoding, facts)
    made.time_base = time_base_of(encoding, facts)
    gone = (*_STATISTICS, _ALPHA_MODE)
    kept = {n: text for n, text in original.metadata.items() if not n.lower().startswith(gone)}
    made.metadata.update(kept)
    made.disposition = original.disposition
    if facts.display_matrix is not None:
        made.set_display_matrix(facts.display_matrix)
    return made


def _attach_cover(source: InputContainer, output: OutputContainer, stream: Stream) -> None:
    """Matroska holds covers as attachments."""
    with opened(Path(source.name.removeprefix("file:"))) as again:
        packet = next(iter(again.demux(again.streams[stream.index])))
    name = {"mjpeg": "jpg"}.get(stream.codec_context.name, stream.codec_context.name)
    output.add_attachment(
        stream.metadata.get("filename", f"cover.{name}"),
        stream.metadata.get("mimetype", "image/jpeg" if name == "jpg" else f"image/{name}"),
        bytes(packet),
    )


def _interleave(
    source: InputContainer, output: OutputContainer, video: Stream, copied: Mapping[int, Stream], shots: Joined
) -> None:
    """Writes packets of picture and others in the order of their times, as players need them together."""
    picture = iter(shots)
    waiting = next(picture, None)
    for packet in _copied_packets(source, copied):
        while waiting is not None and _time_of(waiting) <= _time_of(packet):
            _mux(output, waiting, video)
            waiting = next(picture, None)
        _mux(output, packet, copied[packet.stream_index])
    for packet in itertools.chain([] if waiting is None else [waiting], picture):
        _mux(output, packet, video)


def _time_of(packet: "av.Packet[Any]") -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * packet.time_base


def _mux(output: OutputContainer, packet: "av.Packet[Any]", stream: Stream) -> None:
    packet.stream = stream
    output.mux(packet)


def _copied_packets(source: InputContainer, copied: Mapping[int, Stream]) -> "Iterator[av.Packet[Any]]":
    wanted = [
        stream for stream in source.streams if stream.index in copied and not isinstance(stream, AttachmentStream)
    ]
    if not wanted:
        return
    for stream in source.streams:
        if stream not in wanted:
            stream.discard = Discard.all
    # What is cut off is copied as far as it goes; the loss was told when the film was surveyed.
    with contextlib.suppress(av.InvalidDataError, av.EOFError):
        for packet in source.demux(wanted):
            if packet.dts is None and packet.pts is None:
                # Covers have no time. Neither has the empty packet at the end of each stream.
                if not packet.size or not _is_cover(packet.stream):
                    continue
                packet.dts = 0
            if packet.pts is None:
                packet.pts = packet.dts
            yield packet
