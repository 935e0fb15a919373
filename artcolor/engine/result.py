"""The colored image that `colorize` returns: a Pillow image that keeps the metadata of its file."""

import io
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from artcolor.engine.arrays import is_tensor, of_array
from artcolor.engine.targets import check_not_original as check_not_original
from artcolor.errors import ImageError
from artcolor.images import Picture, Provenance, encode, save_picture

__all__ = ["ColoredImage", "save"]


class ColoredImage(Image.Image):
    """A Pillow image of mode RGB or RGBA whose `save` writes the file as the command would.

    `save("out.tif")` keeps EXIF, ICC, XMP, resolution, transparency and 16-bit depth where the format supports
    them, and records in the file that its colors were computed. Images made from this one (`resize`, `crop`,
    `convert`) are plain Pillow images.

    Args:
        picture: a picture with colored pixels.
        provenance: origin of the colors.
        source: path of the original, which `save` never replaces; `None` if it is not a file.

    Example:
        >>> import io, artcolor
        >>> image = artcolor.colorize(Image.new("L", (50, 30), 128))
        >>> image.save(file := io.BytesIO(), "PNG")
        >>> artcolor.images.read_provenance(file.getvalue()).model[:4]
        'unet'
    """

    def __init__(self, picture: Picture, provenance: Provenance, source: Path | None = None) -> None:
        super().__init__()
        shown = encode(picture, picture.pixels)
        self.im, self._mode, self._size, self.info = shown.im, shown.mode, shown.size, shown.info
        self.provenance = provenance
        self.source = source
        # Of 8 bits Pillow holds all; deeper pixels are kept beside it.
        self._deep = picture if picture.pixels.dtype != np.uint8 else None

    # Pillow also takes paths as bytes.
    def save(  # type: ignore[override]
        self, fp: str | PathLike[str] | IO[bytes], format: str | None = None, **params: Any
    ) -> None:
        """Writes the image atomically.

        Args:
            fp: a path, or a binary file that is open for writing.
            format: overrides the suffix; required for an open file without a name.
            **params: `quality` and `depth`; see `artcolor.images.save_picture`. With any other parameter,
                Pillow itself writes the image.

        Raises:
            ImageError: the format is unknown or cannot hold the picture, the file cannot be written, or it is the
                original.
        """
        check_not_original(self.source, fp)
        if set(params) - {"quality", "depth"}:
            super().save(fp, format, **params)
            return
        save(self, fp, format=format, **params)

    def to_bytes(self, format: str, *, quality: int | None = None, depth: int | None = None) -> bytes:
        """Returns the bytes of the file that `save` would write, for example for a web service.

        Args:
            format: `"png"`, `"jpg"`, `".tif"` and so on.
            quality: see `artcolor.images.save_picture`.
            depth: see `artcolor.images.save_picture`.

        Raises:
            ImageError: the format is unknown or cannot hold the picture.

        Example:
            >>> import artcolor
            >>> artcolor.colorize(Image.new("L", (50, 30), 128)).to_bytes("png")[1:4]
            b'PNG'
        """
        file = io.BytesIO()
        save(self, file, format=format, quality=quality, depth=depth)
        return file.getvalue()

    def __getstate__(self) -> list[Any]:
        deep = self._deep
        if deep is not None:
            # Rows that are computed on demand cannot be pickled.
            deep = Picture(deep.pixels, deep.alpha, deep.info)
        return [super().__getstate__(), self.provenance, self.source, deep]

    def __setstate__(self, state: list[Any]) -> None:
        super().__setstate__(state[0])
        self.provenance, self.source, self._deep = state[1:]

    def _picture(self) -> Picture:
        info = {str(key): value for key, value in self.info.items()}
        pixels = np.asarray(self.convert("RGB"))
        alpha = np.asarray(self.getchannel("A")) if self.mode == "RGBA" else None
        deep = self._deep
        # Somebody may have drawn on the image; its 8 bits then say more than the depth it once had.
        if deep is not None and self._is_unchanged(deep):
            return Picture(deep.pixels, deep.alpha, info)
        return Picture(pixels, alpha, info)

    def _is_unchanged(self, deep: Picture) -> bool:
        shown = encode(deep, deep.pixels)
        return shown.mode == self.mode and shown.size == self.size and shown.tobytes() == self.tobytes()


def save(
    result: Any,
    target: str | PathLike[str] | IO[bytes],
    *,
    format: str | None = None,
    quality: int | None = None,
    depth: int | None = None,
) -> None:
    """Writes a result of `colorize` atomically.

    A `ColoredImage` keeps metadata, resolution, depth and provenance; arrays and tensors only have pixels.

    Args:
        result: an image, an array `(H, W)` or `(H, W, 3)`, or a tensor `(1|3, H, W)` or `(1, 1|3, H, W)`.
        target: a path, or a binary file that is open for writing.
        format: overrides the suffix; required for an open file without a name.
        quality: see `artcolor.images.save_picture`.
        depth: see `artcolor.images.save_picture`.

    Raises:
        ImageError: the result contains several pictures or invalid values, the format is unknown or cannot
            hold the picture, the file cannot be written, or it is the original.

    Example:
        >>> import tempfile, artcolor
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(artcolor.colorize(np.full((30, 50), 128, np.uint8)), f"{folder}/a.png")
    """
    provenance = None
    if isinstance(result, ColoredImage):
        check_not_original(result.source, target)
        provenance = result.provenance
        picture: Picture | Image.Image = result._picture()
    elif isinstance(result, Image.Image):
        picture = result
    elif isinstance(result, np.ndarray):
        picture = Picture(of_array(result))
    elif is_tensor(result):
        from artcolor.models.pictures import of_tensor  # noqa: PLC0415  (imports torch)

        pictures = of_tensor(result)
        if len(pictures) > 1:
            raise ImageError(f"the tensor contains {len(pictures)} pictures; save them one by one")
        picture = Picture(pictures[0])
    else:
        raise ImageError(f"cannot save a {type(result).__name__}; give an image, an array or a tensor")
    save_picture(picture, target, format=format, quality=quality, depth=depth, provenance=provenance)
