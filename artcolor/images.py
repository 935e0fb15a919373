"""Decoding and encoding pictures so that nothing but the colour changes."""

import io
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from artcolor.atomic import replacing
from artcolor.errors import ImageError

_LOG = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".pbm"})
"""What is taken for a picture when a folder is gone through."""

# Formats that cannot hold the result in full, and what is written in their place.
_INSTEAD = {".gif": ".png", ".pgm": ".ppm", ".pbm": ".ppm"}
_NO_ALPHA = frozenset({"JPEG", "BMP", "PPM"})
_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass
class Picture:
    """A decoded picture, upright and in sRGB, and what of it must survive.

    Attributes:
        pixels: `(H, W)` gray or `(H, W, 3)`, uint8, uint16 or float32 in 0..1.
        alpha: `(H, W)`, uint8, or `None`.
        info: EXIF, resolution and profile, as keywords for saving.
    """

    pixels: npt.NDArray[Any]
    alpha: npt.NDArray[np.uint8] | None = None
    info: dict[str, Any] = field(default_factory=dict)


def open_picture(path: str | Path) -> Picture:
    """Decodes a picture file.

    Args:
        path: of the file.

    Raises:
        ImageError: it is missing, no picture, damaged, or has several pages.
    """
    path = Path(path)
    if path.is_dir():
        raise ImageError(f"{path} is a folder, not a picture")
    try:
        with Image.open(path) as image:
            pages = getattr(image, "n_frames", 1)
            if pages > 1:
                raise ImageError(f"{path} has {pages} pages or frames; save the one to colorize as a file of its own")
            image.load()
            return decode(image)
    except FileNotFoundError:
        raise ImageError(f"there is no file {path}") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not a picture that Pillow can read") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} is too large: {error}") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{path} cannot be read: {error}") from error


def decode(image: Image.Image) -> Picture:
    """Turns a Pillow image of any mode into upright sRGB pixels, alpha and metadata.

    Args:
        image: of any mode.

    Raises:
        ImageError: its numbers have no meaning as a picture.
    """
    if 0 in image.size:
        raise ImageError(f"the picture is empty: {image.width} × {image.height} pixels")
    image = ImageOps.exif_transpose(image)
    info = _kept_info(image)
    if image.mode.startswith(("I", "F")):
        return Picture(_high_depth(image), None, info)
    image, alpha = _without_alpha(image)
    return Picture(np.asarray(_to_srgb(image)), alpha, info)


def _kept_info(image: Image.Image) -> dict[str, Any]:
    info: dict[str, Any] = {}
    exif = image.getexif()
    if len(exif):
        info["exif"] = exif.tobytes()
    if "dpi" in image.info:
        info["dpi"] = tuple(float(value) for value in image.info["dpi"])
    if image.info.get("icc_profile"):
        # Pixels leave in sRGB, whatever the profile they came with.
        info["icc_profile"] = _SRGB.tobytes()
    return info


def _high_depth(image: Image.Image) -> npt.NDArray[Any]:
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return values.astype(np.uint16)
    if not np.isfinite(values).all():
        raise ImageError("the picture holds NaN or infinity")
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        limit = 1.0 if high <= 1 else 255.0
        if low < 0 or high > limit:
            raise ImageError(f"a float picture must lie in 0..1 or 0..255, but holds {low:g} to {high:g}")
        return (values / limit).astype(np.float32)
    if low < 0 or high > 65535:
        raise ImageError(f"an integer picture must lie in 0..65535, but holds {low:g} to {high:g}")
    return values.astype(np.uint16)


def _without_alpha(image: Image.Image) -> tuple[Image.Image, npt.NDArray[np.uint8] | None]:
    """Splits a picture of up to 8 bits into opaque pixels and alpha."""
    straight = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
    if image.mode in straight:
        image = image.convert(straight[image.mode])
    elif image.mode == "P" or (image.mode in ("1", "L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("LA", "RGBA"):
        return image, None
    alpha = np.asarray(image.getchannel("A"))
    channels = [image.getchannel(band) for band in image.getbands()[:-1]]
    opaque = Image.merge("L" if len(channels) == 1 else "RGB", channels)
    opaque.info.update(image.info)
    return opaque, alpha


def _to_srgb(image: Image.Image) -> Image.Image:
    mode = "L" if image.mode == "L" else "RGB"
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":
        return _profiled(image, ImageCms.createProfile("LAB"), mode)
    if profile:
        try:
            return _profiled(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), mode)
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            _LOG.warning("the colour profile of the picture is ignored: %s", error)
    return image if image.mode == mode else image.convert(mode)


def _profiled(image: Image.Image, profile: Any, mode: str) -> Image.Image:
    # LittleCMS has no gray sRGB to go to, so gray goes by way of RGB, whose channels then are equal.
    converted = ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB")
    if converted is None:
        raise ValueError("nothing came out of the conversion")
    return converted.getchannel("G") if mode == "L" else converted


def encode(picture: Picture, rgb: npt.NDArray[Any]) -> Image.Image:
    """Makes a Pillow image of coloured pixels, with the alpha and metadata of the picture they came from.

    Args:
        picture: the original.
        rgb: `(H, W, 3)`, uint8, uint16 or float in 0..1. Pillow holds 8 bits a channel, so deeper ones are rounded.

    Returns:
        An image of mode RGB, or RGBA if there is alpha.
    """
    if rgb.dtype == np.uint16:
        rgb = ((rgb.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    elif rgb.dtype != np.uint8:
        rgb = np.round(rgb * 255).astype(np.uint8)
    image = Image.fromarray(rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    image.info.update(picture.info)
    return image


def output_suffix(suffix: str) -> str:
    """The suffix of the result for an input's: the same, unless that format cannot hold the result.

    GIF becomes PNG (a palette of 256 colours is too small), PGM and PBM become PPM.

    Example:
        >>> output_suffix(".JPG"), output_suffix(".pgm")
        ('.JPG', '.ppm')
    """
    return _INSTEAD.get(suffix.lower(), suffix)


def save_picture(image: Image.Image, path: str | Path) -> None:
    """Writes an image, whole or not at all; the suffix decides the format.

    Args:
        image: with EXIF, resolution and profile in its `info`.
        path: of the file; one that is there is replaced.

    Raises:
        ImageError: the format is unknown or cannot hold the picture, or the file cannot be written.
    """
    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise ImageError(f"{path}: {path.suffix or 'no suffix'} is not a format that pictures can be saved in")
    if kind == "WEBP" and max(image.size) > 16383:
        raise ImageError(f"{path}: WebP holds at most 16383 pixels a side, not {max(image.size)}; use .png or .tif")
    if kind in _NO_ALPHA and image.mode == "RGBA":
        raise ImageError(f"{path}: {kind} cannot hold transparency; use .png, .webp or .tif")
    keywords = {key: image.info[key] for key in ("exif", "icc_profile", "dpi") if key in image.info}
    try:
        with replacing(path) as file:
            image.save(file, format=kind, **_OPTIONS.get(kind, {}), **keywords)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be written: {error}") from error
