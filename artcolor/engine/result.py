"""The colored image that a person gets back: a Pillow image that remembers what its file said."""

from os import PathLike
from typing import IO, Any

import numpy as np
from PIL import Image

from artcolor.images import Picture, Provenance, encode, save_picture

__all__ = ["ColoredImage"]


class ColoredImage(Image.Image):
    """A Pillow image of mode RGB or RGBA whose `save` writes the file as the command would.

    `save("out.tif")` keeps EXIF, ICC, XMP, resolution, transparency and a depth of 16 bits where the format can hold
    them, and writes into the file that its colors were computed. Images made from this one (`resize`, `crop`,
    `convert`) are plain Pillow images.

    Args:
        picture: with colored pixels.
        provenance: where the colors come from.

    Example:
        >>> import io, artcolor
        >>> image = artcolor.colorize(Image.new("L", (50, 30), 128))
        >>> image.save(file := io.BytesIO(), "PNG")
        >>> artcolor.images.read_provenance(file.getvalue()).model[:4]
        'unet'
    """

    def __init__(self, picture: Picture, provenance: Provenance) -> None:
        super().__init__()
        shown = encode(picture, picture.pixels)
        self.im, self._mode, self._size, self.info = shown.im, shown.mode, shown.size, shown.info
        self.provenance = provenance
        # Of 8 bits Pillow holds all; deeper pixels are kept beside it.
        self._deep = picture if picture.pixels.dtype != np.uint8 else None

    # Pillow also takes paths as bytes.
    def save(  # type: ignore[override]
        self, fp: str | PathLike[str] | IO[bytes], format: str | None = None, **params: Any
    ) -> None:
        """Writes the image, whole or not at all.

        Args:
            fp: a path, or a binary file that is open for writing.
            format: decides instead of the suffix; required for an open file that has no name.
            **params: `quality` and `depth` as `artcolor.images.save_picture` takes them. With any other parameter,
                Pillow itself writes the image.

        Raises:
            ImageError: the format is unknown or cannot hold the picture, or the file cannot be written.
        """
        if set(params) - {"quality", "depth"}:
            super().save(fp, format, **params)
            return
        save_picture(self._picture(), fp, format=format, provenance=self.provenance, **params)

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
