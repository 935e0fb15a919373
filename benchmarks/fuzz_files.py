"""Valid files of every format that artcolor reads, and mutations of them."""

import io
import random
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import tifffile
from imagecodecs import png_encode
from PIL import Image, ImageCms

from artcolor.images import open_file, save_pictures

WIDTH, HEIGHT = 24, 18
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a &amp; b"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def picture(mode="RGB", number=0):
    """Returns a small picture with edges, grain and flat parts."""
    rng = np.random.default_rng(number)
    pixels = np.indices((HEIGHT, WIDTH)).sum(0)[..., None] * [5, 3, 6] + rng.integers(0, 30, (HEIGHT, WIDTH, 3))
    pixels[: HEIGHT // 3] = 200
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray((pixels[..., 0] * 2).clip(0, 255).astype(np.uint8)))
    if mode == "PA":
        return image.convert("P").convert("PA")
    if mode == "LAB":
        return Image.merge("LAB", image.convert("YCbCr").split())
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(np.asarray(image.convert("L"), np.float32) / 255)
    return image.convert(mode)


def described():
    """Returns keywords with which Pillow writes all kinds of metadata."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0112], exif[0x011A] = "a portrait", 6, 300.0
    exif.get_ifd(0x8769).update({0x9003: "2020:02:03 04:05:06", 0xA001: 65535, 0x927C: b"maker" * 9})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 12.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {"exif": exif, "icc_profile": profile, "xmp": XMP, "dpi": (300, 150), "comment": b"on the back"}


def saved(image, format, **keywords):
    buffer = io.BytesIO()
    image.save(buffer, format, **keywords)
    return buffer.getvalue()


def moving(format, mode="RGB", **keywords):
    frames = [picture(mode, number) for number in range(3)]
    return saved(frames[0], format, save_all=True, append_images=frames[1:], duration=[40, 50, 60], **keywords)


def tiff(*pages, **options):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=options.pop("bigtiff", False)) as writer:
        for page in pages:
            writer.write(page, **options)
    return buffer.getvalue()


def jpeg_seeds():
    yield saved(picture("L"), "JPEG")
    yield saved(picture(), "JPEG", quality=80, **described())
    yield saved(picture(), "JPEG", progressive=True, subsampling=0)
    yield saved(picture("CMYK"), "JPEG", restart_marker_blocks=2)
    yield saved(picture("L"), "JPEG", progressive=True, **described())
    yield saved(picture(), "MPO", save_all=True, append_images=[picture("RGB", 1)])


def png_seeds():
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield saved(picture(mode), "PNG")
    yield saved(picture("P"), "PNG", transparency=3, bits=8)
    yield saved(picture("RGB"), "PNG", transparency=(200, 200, 200), **described())
    yield moving("PNG", "RGBA", default_image=True)
    deep = np.asarray(picture("RGBA")).astype(np.uint16) * 257
    yield png_encode(deep)
    yield png_encode(deep[..., :3].copy())
    yield png_encode(deep[..., 2:].copy())


def webp_seeds():
    yield saved(picture(), "WEBP", quality=70)
    yield saved(picture("RGBA"), "WEBP", lossless=True, **described())
    yield saved(picture("RGBA"), "WEBP", quality=50)
    yield moving("WEBP")
    yield moving("WEBP", "RGBA", lossless=True)


def tiff_seeds():
    for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "F"):
        yield saved(picture(mode), "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        yield saved(picture(), "TIFF", compression=compression)
    yield saved(picture("1"), "TIFF", compression="group4")
    yield saved(picture("L"), "TIFF", **described())
    yield saved(picture(), "TIFF", save_all=True, append_images=[picture("L", 1)])
    rgb, gray = np.asarray(picture()), np.asarray(picture("I;16"))
    deep = rgb.astype(np.uint16) * 257
    yield tiff(rgb, deep, bigtiff=True, compression="adobe_deflate", predictor=True, photometric="rgb")
    yield tiff(deep, photometric="rgb", tile=(16, 16))
    yield tiff(deep.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate")
    yield tiff(np.concatenate([deep, deep[..., :1]], -1), photometric="rgb", extrasamples=["assocalpha"])
    yield tiff(gray, gray[::2, ::2], compression="lzw", photometric="miniswhite")
    yield tiff(gray >> 4, bitspersample=12, photometric="minisblack")
    yield tiff(rgb[..., 0], rgb[::2, ::2, 0], subfiletype=1, photometric="minisblack")


def gif_seeds():
    yield saved(picture("P"), "GIF", comment=b"on the back")
    yield saved(picture("L"), "GIF", interlace=0)
    yield saved(picture("RGBA"), "GIF")
    yield moving("GIF", loop=2)
    yield moving("GIF", "RGBA", disposal=2, transparency=0)


def bmp_seeds():
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield saved(picture(mode), "BMP", dpi=(300, 300))
    palette = bytes(range(256)) * 4
    # Run lengths: a row of literal bytes, rows of one color, rows after a jump, and the end.
    rows = [bytes((0, WIDTH, *range(WIDTH), 0, 0)), *[bytes((WIDTH, 7 * row, 0, 0)) for row in range(HEIGHT - 3)]]
    data = b"".join(rows) + bytes((0, 2, 4, 1, WIDTH - 4, 9, 0, 0, 0, 1))
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(data), 2835, 2835, 256, 0)
    yield b"BM" + struct.pack("<IHHI", 54 + 1024 + len(data), 0, 0, 54 + 1024) + header + palette + data


def ppm_seeds():
    for mode in ("1", "L", "RGB", "I;16", "F"):
        yield saved(picture(mode), "PPM")
    rgb = np.asarray(picture())
    yield b"P6\n# deep\n%d %d\n65535\n" % (WIDTH, HEIGHT) + (rgb.astype(">u2") * 257).tobytes()
    yield b"P6 %d %d 1000 " % (WIDTH, HEIGHT) + (rgb * np.uint16(3)).astype(">u2").tobytes()
    yield b"P3 %d %d 255\n" % (WIDTH, HEIGHT) + " ".join(map(str, rgb.ravel())).encode()
    yield b"P2 %d %d 999\n" % (WIDTH, HEIGHT) + " ".join(map(str, rgb[..., 0].ravel())).encode()
    yield b"P1\n%d %d\n" % (WIDTH, HEIGHT) + " ".join(map(str, rgb[..., 0].ravel() % 2)).encode()


def avif_seeds():
    yield saved(picture(), "AVIF", quality=60)
    yield saved(picture("L"), "AVIF", subsampling="4:0:0")
    described_ = {key: value for key, value in described().items() if key in ("exif", "icc_profile", "xmp")}
    yield saved(picture("RGBA"), "AVIF", **described_)
    yield moving("AVIF")


def jpeg2000_seeds():
    for mode in ("L", "LA", "RGB", "RGBA", "I;16"):
        yield saved(picture(mode), "JPEG2000")
    yield saved(picture(), "JPEG2000", no_jp2=True, tile_size=(16, 16), irreversible=True)
    folder = Path(tempfile.mkdtemp())
    save_pictures([decoded(saved(picture(), "PNG", **described()))], folder / "a.jp2")
    yield (folder / "a.jp2").read_bytes()
    (folder / "a.jp2").unlink()
    folder.rmdir()


def heif_seeds():
    for image in (picture("L"), picture(), picture("RGBA"), picture("I;16")):
        file = pillow_heif.from_pillow(image)
        if image.mode == "RGB":
            file.add_from_pillow(picture("RGB", 1))
            file.info["icc_profile"] = described()["icc_profile"]
        file.save(buffer := io.BytesIO(), quality=60, exif=described()["exif"].tobytes(), xmp=XMP)
        yield buffer.getvalue()


def decoded(data):
    with open_file(data) as file:
        return next(iter(file))


SEEDS = {
    "JPEG": jpeg_seeds,
    "PNG": png_seeds,
    "WEBP": webp_seeds,
    "TIFF": tiff_seeds,
    "GIF": gif_seeds,
    "BMP": bmp_seeds,
    "PPM": ppm_seeds,
    "AVIF": avif_seeds,
    "JPEG2000": jpeg2000_seeds,
    "HEIF": heif_seeds,
}


def place(data, rng):
    """Returns a random position in a file; half the time near its beginning, where lengths and offsets are."""
    end = max(1, len(data))
    return rng.randrange(min(end, 160) if rng.random() < 0.5 else end)


def flip(data, rng, seeds):
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if data:
            data[place(data, rng)] ^= 1 << rng.randrange(8)


def scribble(data, rng, seeds):
    start, count = place(data, rng), rng.choice((1, 1, 2, 4, 8, 40))
    data[start : start + count] = rng.randbytes(min(count, max(0, len(data) - start)))


def blank(data, rng, seeds):
    start, count = place(data, rng), rng.choice((1, 2, 4, 16, 100))
    data[start : start + count] = rng.choice((b"\0", b"\xff", b" ", b"9")) * min(count, max(0, len(data) - start))


def renumber(data, rng, seeds):
    """Changes a length, an offset, a size or a count."""
    size, order = rng.choice((1, 2, 2, 4, 4, 4, 8)), rng.choice(("big", "little"))
    start = place(data, rng)
    was = int.from_bytes(data[start : start + size], order)
    others = (
        0,
        1,
        was - 1,
        was + 1,
        was * 2,
        was // 2,
        1 << 8 * size - 1,
        -1,
        (1 << 8 * size - 1) - 1,
        len(data),
        65535,
    )
    data[start : start + size] = (rng.choice(others) % (1 << 8 * size)).to_bytes(size, order)


def cut(data, rng, seeds):
    del data[rng.randrange(len(data) + 1) :]


def remove(data, rng, seeds):
    start = place(data, rng)
    del data[start : start + rng.choice((1, 2, 4, 12, 60))]


def insert(data, rng, seeds):
    start = place(data, rng)
    again = place(data, rng)
    data[start:start] = rng.choice(
        (rng.randbytes(rng.choice((1, 4, 30))), data[again : again + rng.choice((4, 30, 300))])
    )


def splice(data, rng, seeds):
    other = rng.choice(seeds)
    at = rng.randrange(len(data) + 1)
    data[at:] = other[at if rng.random() < 0.5 else rng.randrange(len(other)) :]


CHANGES = (flip, flip, scribble, scribble, blank, renumber, renumber, renumber, cut, remove, insert, splice)


def checksums_mended(data):
    """Corrects the checksums of a PNG, so that its reader does not stop at the first chunk."""
    start = 8
    while start + 12 <= len(data):
        stop = start + 8 + int.from_bytes(data[start : start + 4], "big")
        if stop + 4 > len(data):
            break
        data[stop : stop + 4] = zlib.crc32(data[start + 4 : stop]).to_bytes(4, "big")
        start = stop + 4
    return data


def mutated(format, seeds, number, seed=0):
    """Returns a damaged file.

    Args:
        format: of the file.
        seeds: sound files of this format.
        number: of the damaged file; the same number and seed give the same file.
        seed: of all of them.
    """
    rng = random.Random(f"{seed}/{format}/{number}")
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(CHANGES)(data, rng, seeds)
    return bytes(checksums_mended(data) if format == "PNG" and rng.random() < 0.7 else data)
