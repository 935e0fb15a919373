"""Encoded shots on disk: packets, one after the other, until they are joined into a film."""

import itertools
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av

# Before each packet: its time, its size, and whether decoding can start with it.
_HEAD = struct.Struct("<qIB")


def write_packets(file: BinaryIO, packets: "Iterable[av.Packet[Any]]") -> None:
    """Appends packets to the file of a shot.

    The file is not a container of FFmpeg: those round timestamps (Matroska) or support only some codecs (NUT).

    Args:
        file: open for writing.
        packets: packets from the encoder.
    """
    for packet in packets:
        assert packet.pts is not None
        file.write(_HEAD.pack(packet.pts, packet.size, packet.is_keyframe))
        file.write(bytes(packet))


@dataclass(frozen=True)
class _Stored:
    path: Path
    offset: int
    size: int
    time: int
    key: bool


def _stored(path: Path) -> Iterator[_Stored]:
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            time, size, key = _HEAD.unpack(head)
            yield _Stored(path, file.tell(), size, time, bool(key))
            file.seek(size, os.SEEK_CUR)


class Joined:
    """The packets of all shots as one stream.

    Each shot was encoded on its own, so times of decoding, which encoders count from their first frame, are made anew:
    for the whole film, frames are decoded in the order of their packets, as late as possible.

    Args:
        paths: paths of the shots, in order.
        unit: unit of time, in seconds.
        end: end of the last frame, in these units.
    """

    def __init__(self, paths: Sequence[Path], unit: Fraction, end: int) -> None:
        self._packets = list(itertools.chain.from_iterable(map(_stored, paths)))
        self._unit, self._end = unit, end

    def __iter__(self) -> "Iterator[av.Packet[Any]]":
        times = sorted(packet.time for packet in self._packets)
        after = dict(itertools.pairwise([*times, max(self._end, times[-1] + 1)]))
        place = {time: number for number, time in enumerate(times)}
        # How many frames are stored before one that is shown earlier.
        delay = max(number - place[packet.time] for number, packet in enumerate(self._packets))
        step = after[times[0]] - times[0]
        for path, group in itertools.groupby(enumerate(self._packets), key=lambda each: each[1].path):
            with path.open("rb") as file:
                for number, stored in group:
                    file.seek(stored.offset)
                    packet: av.Packet[Any] = av.Packet(file.read(stored.size))
                    packet.time_base = self._unit
                    packet.pts = stored.time
                    early = number - delay
                    packet.dts = times[early] if early >= 0 else times[0] + early * step
                    packet.duration = after[stored.time] - stored.time
                    if number == len(times) - 1:
                        # Containers that store times of decoding count the length of the film by them.
                        packet.duration = max(1, self._end - delay * step - packet.dts)
                    packet.is_keyframe = stored.key
                    yield packet
