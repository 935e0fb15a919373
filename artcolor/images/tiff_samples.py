"""Decoding the strips or tiles of a TIFF page into one array."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from tifffile import TiffPage

from artcolor.errors import ImageError
from artcolor.images.jpeg import frame
from artcolor.images.tiff_layout import (
    CCITT,
    CMYK,
    IMAGE_CODECS,
    JPEG,
    LERC,
    NONE,
    PREDICTED,
    RGB,
    YCBCR,
    Layout,
    compression_name,
    subsampling,
)

Array = npt.NDArray[Any]

_BYTE_CODECS: Mapping[int, Callable[..., Any]] = MappingProxyType(
    {
        5: imagecodecs.lzw_decode,
        8: imagecodecs.zlib_decode,
        32946: imagecodecs.zlib_decode,
        32773: imagecodecs.packbits_decode,
        34925: imagecodecs.lzma_decode,
        50000: imagecodecs.zstd_decode,
    }
)
_IMAGE_CODECS: Mapping[int, Callable[..., Array]] = MappingProxyType(
    {
        22610: imagecodecs.jpegxr_decode,
        33003: imagecodecs.jpeg2k_decode,
        33005: imagecodecs.jpeg2k_decode,
        34712: imagecodecs.jpeg2k_decode,
        34887: imagecodecs.lerc_decode,
        34933: imagecodecs.png_decode,
        34934: imagecodecs.jpegxr_decode,
        50001: imagecodecs.webp_decode,
        50002: imagecodecs.jpegxl_decode,
        52546: imagecodecs.jpegxl_decode,
    }
)
_WEBP = 50001
_LERC_PARAMETERS, _T4_OPTIONS = 50674, 292
# The compression around LERC data, by the second value of LercParameters.
_AROUND_LERC = {1: imagecodecs.zlib_decode, 2: imagecodecs.zstd_decode}
# Bytes of an uncompressed piece, and decoded bytes of the pieces that are in memory together.
_PIECE, _AT_ONCE = 1 << 22, 1 << 24
# Compressed data may be longer than the samples, for example by a color profile.
_OVERHEAD = 1 << 20


@dataclass(frozen=True)
class _Piece:
    """Rows and columns of a page that are decoded together, and the place of their data in the file."""

    number: int
    offset: int
    count: int
    y: int
    x: int
    rows: int
    columns: int
    plane: int
    whole_rows: int
    """Rows that the data may contain: some writers pad the last strip."""


class Samples:
    """Decodes the samples of a page, and notes their range.

    Args:
        file: the open file.
        page: the directory of the page.
        layout: what `layout_of` returned for the page.

    Attributes:
        color: `(H, W)` or `(H, W, colors)`, of type `Layout.dtype`. Signed integers keep their bits.
        alpha: `(H, W)`, of type `Layout.dtype`, or `None`.
        low: the smallest color sample (0 for 8 bits).
        high: the largest color sample (255 for 8 bits).

    Raises:
        ImageError: the data are damaged or truncated, or contain NaN or infinity.
    """

    def __init__(self, file: IO[bytes], page: TiffPage, layout: Layout) -> None:
        self._page, self._layout = page, layout
        self._separate = int(page.planarconfig) == 2 and layout.samples > 1
        self._in_piece = 1 if self._separate else layout.samples
        shape = (layout.height, layout.width)
        self.color: Array = np.empty(shape if layout.colors == 1 else (*shape, layout.colors), layout.dtype)
        self.alpha: Array | None = None if layout.alpha is None else np.empty(shape, layout.dtype)
        self._subsampling = subsampling(page, layout)
        ranges = list(self._decoded(file))
        self.low, self.high = min(low for low, _ in ranges), max(high for _, high in ranges)

    def _decoded(self, file: IO[bytes]) -> Iterator[tuple[float, float]]:
        size = file.seek(0, os.SEEK_END)
        batch: list[tuple[_Piece, bytes]] = []
        filled = 0
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            for piece in self._pieces(size):
                file.seek(piece.offset)
                data = file.read(piece.count)
                if len(data) < piece.count:
                    raise _damaged(piece)
                batch.append((piece, data))
                filled += piece.rows * piece.columns * self._in_piece * self.color.itemsize
                if filled >= _AT_ONCE:
                    yield from pool.map(self._store, batch)
                    batch, filled = [], 0
            yield from pool.map(self._store, batch)

    def _pieces(self, file_size: int) -> Iterator[_Piece]:
        page, layout = self._page, self._layout
        high = page.tilelength if page.is_tiled else max(1, min(page.rowsperstrip or layout.height, layout.height))
        wide = page.tilewidth if page.is_tiled else layout.width
        across, down = -(-layout.width // wide), -(-layout.height // high)
        planes = layout.samples if self._separate else 1
        wanted = across * down * planes
        if min(len(page.dataoffsets), len(page.databytecounts)) < wanted:
            raise ImageError(f"the page lacks some of its {wanted} strips or tiles; the file is damaged")
        used = [number for number in range(planes) if number < layout.colors or number == layout.alpha]
        for plane in used:
            for index in range(across * down):
                number = plane * across * down + index
                y, x = index // across * high, index % across * wide
                rows = high if page.is_tiled else min(high, layout.height - y)
                offset, count = int(page.dataoffsets[number]), int(page.databytecounts[number])
                piece = _Piece(number, offset, count, y, x, rows, wide, plane, high)
                needed = self._bytes_of(rows, wide)
                if count <= 0 or offset <= 0 or offset + count > file_size:
                    raise _damaged(piece)
                if layout.compression == NONE:
                    if count < needed:
                        raise _damaged(piece)
                    yield from self._split(piece, needed)
                else:
                    count = min(count, 2 * needed + _OVERHEAD)
                    yield _Piece(number, offset, count, y, x, rows, wide, plane, high)

    def _split(self, piece: _Piece, needed: int) -> Iterator[_Piece]:
        """Divides uncompressed strips, which may be as large as the page, into a few rows each."""
        rows = piece.rows if self._subsampling else max(1, _PIECE * piece.rows // needed)
        for start in range(0, piece.rows, rows):
            count = min(rows, piece.rows - start)
            size = self._bytes_of(count, piece.columns)
            offset = piece.offset + start * self._bytes_of(1, piece.columns) if start else piece.offset
            yield _Piece(piece.number, offset, size, piece.y + start, piece.x, count, piece.columns, piece.plane, count)

    def _bytes_of(self, rows: int, columns: int) -> int:
        if self._subsampling:
            across, down = self._subsampling
            return -(-rows // down) * -(-columns // across) * (across * down + 2) * self._layout.bits // 8
        return rows * -(-columns * self._in_piece * self._layout.bits // 8)

    def _store(self, job: tuple[_Piece, bytes]) -> tuple[float, float]:
        piece, data = job
        try:
            values = self._values(piece, data)
        except ImageError:
            raise
        except Exception as error:
            # Decoders of damaged data raise almost anything.
            raise _damaged(piece, self._layout, self._in_piece) from error
        whole = (
            values.shape[:2] == self.color.shape[:2] and self._in_piece == self._layout.colors == self._layout.samples
        )
        if whole and values.dtype == self.color.dtype and values.flags.writeable:
            # A single strip holds the page; copying it would double the memory.
            self.color = values.reshape(self.color.shape)
            return self._range(values)
        height, width = self.color.shape[0] - piece.y, self.color.shape[1] - piece.x
        values = values[:height, :width]
        rows, columns = slice(piece.y, piece.y + len(values)), slice(piece.x, piece.x + values.shape[1])
        layout = self._layout
        if self._separate:
            color = values[..., 0] if piece.plane < layout.colors else None
            alpha = values[..., 0] if piece.plane == layout.alpha else None
            canvas = self.color if layout.colors == 1 else self.color[..., min(piece.plane, layout.colors - 1)]
            place = canvas[rows, columns]
        else:
            color = values[..., 0] if layout.colors == 1 else values[..., : layout.colors]
            alpha = None if layout.alpha is None else values[..., layout.alpha]
            place = self.color[rows, columns]
        found = (np.inf, -np.inf)
        if color is not None:
            found = self._range(color)
            place[...] = color.view(place.dtype) if color.dtype.kind == "i" else color
        if alpha is not None and self.alpha is not None:
            self._range(alpha)
            self.alpha[rows, columns] = alpha
        return found

    def _range(self, values: Array) -> tuple[float, float]:
        if values.dtype.itemsize == 1 and values.dtype.kind in "ub":
            return 0, 255
        low, high = values.min().item(), values.max().item()
        if values.dtype.kind == "f" and not abs(low) + abs(high) < np.finfo(np.float32).max:
            raise ImageError("the picture holds NaN or infinity")
        return low, high

    def _values(self, piece: _Piece, data: bytes | bytearray) -> Array:
        """The samples `(rows, columns, samples)` of a piece; pieces at the edge may have fewer rows and columns."""
        page, layout = self._page, self._layout
        if layout.compression in IMAGE_CODECS:
            return self._image(piece, data)
        if page.fillorder == 2:
            data = imagecodecs.bitorder_decode(data)
        if layout.compression in CCITT:
            lines = self._fax(piece, data)
            return lines.reshape(piece.rows, piece.columns, 1)
        size = self._bytes_of(piece.rows, piece.columns)
        if layout.compression != NONE:
            room = bytearray(max(size, self._bytes_of(piece.whole_rows, piece.columns)))
            data = _BYTE_CODECS[layout.compression](data, out=room)
        if len(data) < size:
            raise _damaged(piece)
        return self._unpacked(piece, memoryview(data)[:size])

    def _fax(self, piece: _Piece, data: bytes | bytearray) -> Array:
        rows, columns = piece.rows, piece.columns
        if self._layout.compression == 2:
            return np.asarray(imagecodecs.ccittrle_decode(data, rows, columns))
        if self._layout.compression == 4:
            return np.asarray(imagecodecs.ccittfax4_decode(data, rows, columns))
        options = int(self._page.tags.valueof(_T4_OPTIONS, 0))
        return np.asarray(imagecodecs.ccittfax3_decode(data, rows, columns, t4options=options))

    def _unpacked(self, piece: _Piece, data: memoryview) -> Array:
        page, layout = self._page, self._layout
        shape = (piece.rows, piece.columns, self._in_piece)
        order, bits = page.parent.byteorder, layout.bits
        if bits == 24:
            return np.asarray(imagecodecs.float24_decode(bytes(data), byteorder=order)).reshape(shape)
        if bits not in (8, 16, 32, 64):
            run = piece.columns * self._in_piece
            return np.asarray(imagecodecs.packints_decode(bytes(data), layout.dtype, bits, runlen=run)).reshape(shape)
        dtype = np.dtype(f"{layout.kind}{bits // 8}")
        predictor = int(page.predictor) if layout.compression in PREDICTED else 1
        if predictor == 3:
            # This predictor stores the bytes of a float separately, independent of the byte order of the file.
            floats: Array = imagecodecs.floatpred_decode(np.frombuffer(data, dtype).reshape(shape), axis=-2)
            return floats
        values = np.frombuffer(data, dtype.newbyteorder(order)).astype(dtype, copy=False)
        if self._subsampling:
            return _upsampled(values, piece.rows, piece.columns, *self._subsampling)
        values = values.reshape(shape)
        return imagecodecs.delta_decode(values, axis=-2) if predictor == 2 else values

    def _image(self, piece: _Piece, data: bytes | bytearray) -> Array:
        """Decodes a picture within the page. The codecs compare its size with that of `out` before they decode it."""
        layout = self._layout
        size = {"u": layout.dtype.itemsize, "i": layout.bits // 8, "f": layout.bits // 8}[layout.kind]
        dtype = np.dtype(f"{layout.kind}{size}")
        error: Exception | None = None
        inside = min(piece.rows, layout.height - piece.y), min(piece.columns, layout.width - piece.x)
        # Tiles at the edge may be complete or clipped.
        for rows, columns in dict.fromkeys(
            ((piece.rows, piece.columns), inside, (inside[0], piece.columns), (piece.rows, inside[1]))
        ):
            shape = (rows, columns) if self._in_piece == 1 else (rows, columns, self._in_piece)
            try:
                return self._codec(data, np.empty(shape, dtype)).reshape(rows, columns, self._in_piece)
            except ValueError as raised:
                error = raised
        assert error is not None
        raise error

    def _codec(self, data: bytes | bytearray, out: Array) -> Array:
        page, layout = self._page, self._layout
        if layout.compression == JPEG:
            marker, bits = frame(io.BytesIO(data))
            if marker is not None and bits != layout.bits:
                raise ImageError(f"the JPEG data have {bits} bits a sample, but the tags say {layout.bits}")
            color, target = self._jpeg_colors()
            return np.asarray(
                imagecodecs.jpeg_decode(
                    data,
                    bitspersample=layout.bits,
                    tables=page.jpegtables,
                    colorspace=color,
                    outcolorspace=target,
                    shape=out.shape[:2],
                    out=out,
                )
            )
        if layout.compression == LERC:
            around = _AROUND_LERC.get(int((page.tags.valueof(_LERC_PARAMETERS) or (0, 0))[1]))
            data = data if around is None else around(data, out=2 * out.nbytes + _OVERHEAD)
        if layout.compression == _WEBP:
            return np.asarray(imagecodecs.webp_decode(data, hasalpha=self._in_piece == 4, out=out))
        return _IMAGE_CODECS[layout.compression](data, out=out)

    def _jpeg_colors(self) -> tuple[str | None, str | None]:
        """The color spaces of JPEG data and of the decoded samples; the tags overrule the markers in the data."""
        layout = self._layout
        if self._in_piece == 1:
            return None, "minisblack"
        if layout.samples == layout.colors == 3:
            return {YCBCR: "ycbcr", RGB: None if self._page.is_jfif else "rgb"}.get(layout.photometric), "rgb"
        return None, "cmyk" if layout.photometric == CMYK and layout.samples == 4 else None


def _damaged(piece: _Piece, layout: Layout | None = None, samples: int = 1) -> ImageError:
    where = f"strip or tile {piece.number + 1}"
    if layout is None or layout.compression not in IMAGE_CODECS:
        return ImageError(f"{where} is damaged or truncated")
    return ImageError(
        f"{where} cannot be decoded: it is damaged, or not {piece.columns} × {piece.rows} pixels with {samples} "
        f"channels of {layout.bits} bits; {compression_name(layout.compression)}"
    )


def _upsampled(values: Array, rows: int, columns: int, across: int, down: int) -> Array:
    """Y, Cb and Cr of all pixels, from units of `across` × `down` luma samples followed by Cb and Cr (TIFF 6.0, 21)."""
    high, wide = -(-rows // down), -(-columns // across)
    units = values.reshape(high, wide, across * down + 2)
    result = np.empty((high * down, wide * across, 3), values.dtype)
    luma = units[..., :-2].reshape(high, wide, down, across)
    result[..., 0] = luma.transpose(0, 2, 1, 3).reshape(high * down, wide * across)
    result[..., 1:] = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return result[:rows, :columns]
