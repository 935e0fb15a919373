"""Nodes for ComfyUI that colorize images with artcolor. Copy this file into the folder `custom_nodes`."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import artcolor
from artcolor.engine.hints import Hint
from artcolor.models.heads import DistributionHead

CATEGORY = "image/artcolor"
DEFAULT = "unet"
# A mask and a color each.
Hints = tuple[tuple[torch.Tensor, str], ...]


@functools.lru_cache(maxsize=2)
def load_model(name: str) -> torch.nn.Module:
    """Loads a model once. artcolor checks the hash of the weights; those in its wheel need no network."""
    return artcolor.get_model(name, weights="DEFAULT")


class ArtcolorHint:
    """Says which color a masked place has. Several of these nodes are chained by `hints`."""

    CATEGORY = CATEGORY
    DESCRIPTION = "A place whose color is known. The lightness of the image is kept."
    RETURN_TYPES = ("ARTCOLOR_HINTS",)
    RETURN_NAMES = ("hints",)
    FUNCTION = "add"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describes the inputs, as ComfyUI asks for them."""
        color = {
            "default": "#27408b",
            "tooltip": "#27408b, a CSS name, or lab(40 10 -45); 'picture' keeps the color of the image.",
        }
        return {
            "required": {"mask": ("MASK", {"tooltip": "White marks the place."}), "color": ("STRING", color)},
            "optional": {"hints": ("ARTCOLOR_HINTS", {"tooltip": "Further hints."})},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, color: str | None = None) -> bool | str:
        """Lets ComfyUI tell of a wrong color before anything runs; one from another node is not known by then."""
        try:
            Hint(x=0, y=0, color="gray" if color is None else color)
        except artcolor.ArtcolorError as error:
            return str(error)
        return True

    def add(self, mask: torch.Tensor, color: str, hints: Hints = ()) -> tuple[Hints]:
        """Adds a hint to those given."""
        return ((*hints, (mask.reshape(-1, *mask.shape[-2:]), color)),)


class ArtcolorColorize:
    """Colorizes images."""

    CATEGORY = CATEGORY
    DESCRIPTION = "Colorizes grayscale art. The colors are a guess; the lightness of the image is kept."
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("image", "uncertainty")
    OUTPUT_TOOLTIPS = (
        "In color.",
        "White where the model is uncertain; black for models that do not estimate uncertainty.",
    )
    FUNCTION = "colorize"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describes the inputs, as ComfyUI asks for them."""
        vividness = "0: accurate but muted; 2: about as colorful as paintings; -1: the model's default."
        chosen = "Below 1, sharpens the predicted distribution; 0: the model's default."
        seed = {"default": -1, "min": -1, "max": 2**63 - 1, "tooltip": "-1: the most typical coloring."}
        return {
            "required": {
                "image": ("IMAGE",),
                "model": (artcolor.list_models(pretrained=True), {"default": DEFAULT}),
                "vividness": ("FLOAT", {"default": -1.0, "min": -1.0, "max": 10.0, "step": 0.1, "tooltip": vividness}),
                "temperature": (
                    "FLOAT",
                    {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.01, "tooltip": chosen},
                ),
                "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.05, "tooltip": "0 is gray."}),
                # Otherwise ComfyUI would draw another seed after each run.
                "seed": ("INT", {**seed, "control_after_generate": False}),
            },
            "optional": {"hints": ("ARTCOLOR_HINTS",)},
        }

    def colorize(
        self,
        image: torch.Tensor,
        model: str,
        vividness: float,
        temperature: float,
        strength: float,
        seed: int,
        hints: Hints = (),
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Colorizes a batch.

        Args:
            image: `(B, H, W, C)` in 0..1. Of an alpha channel nothing is kept.
            model: name of a model of the zoo.
            vividness: as in `artcolor.Decoding`; -1 is the model's default.
            temperature: as in `artcolor.Decoding`; 0 is the model's default.
            strength: as in `artcolor.Decoding`.
            seed: as in `artcolor.Guidance`; -1 is the most typical coloring.
            hints: from `ArtcolorHint`.

        Returns:
            `(B, H, W, 3)`, and the uncertainty `(B, H, W)` in 0..1.
        """
        # Resizing and decoding of latents leave values a little outside 0..1.
        pictures = image.movedim(-1, 1).clamp(0, 1).cpu()
        pictures = pictures[:, :3] if pictures.shape[1] == 4 else pictures
        colorizer = artcolor.Colorizer(
            load_model(model),
            device="auto",
            vividness=None if vividness < 0 else vividness,
            temperature=None if temperature == 0 else temperature,
            strength=strength,
            seed=None if seed < 0 else seed,
        )
        check_hints(hints, pictures)
        if hints:
            colored = torch.stack([with_hints(colorizer, hints, each, n) for n, each in enumerate(pictures)])
        else:
            colored = colorizer(pictures)
        return colored.movedim(1, -1).to(image.device), uncertainty(colorizer, pictures).to(image.device)


def check_hints(hints: Hints, pictures: torch.Tensor) -> None:
    """Checks that masks fit the images.

    Args:
        hints: from `ArtcolorHint`.
        pictures: `(B, C, H, W)`.

    Raises:
        ValueError: they do not.
    """
    count, _, height, width = pictures.shape
    for number, (mask, color) in enumerate(hints, start=1):
        which = f"the mask of hint {number} ({color})"
        if mask.shape[-2:] != (height, width):
            found = f"{mask.shape[-1]} × {mask.shape[-2]}"
            raise ValueError(f"{which} has {found} pixels, the image {width} × {height}; resize or repaint the mask")
        if len(mask) not in (1, count):
            raise ValueError(f"{which} is a batch of {len(mask)}, but there are {count} images; give 1 or {count}")
        if not all((each >= 0.5).any() for each in mask):
            raise ValueError(f"{which} marks nothing; paint the place in the mask editor, or remove the hint")


def with_hints(colorizer: artcolor.Colorizer, hints: Hints, picture: torch.Tensor, number: int) -> torch.Tensor:
    """Colorizes one image of a batch.

    Args:
        colorizer: without hints.
        hints: whose masks fit the batch.
        picture: `(C, H, W)`.
        number: its place in the batch.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = []
        for mask, color in hints:
            path = Path(folder) / f"{len(given)}.png"
            marked = (mask[number if len(mask) > 1 else 0] >= 0.5).to(torch.uint8) * 255
            Image.fromarray(marked.cpu().numpy()).save(path)
            given.append(Hint(mask=path, color=color))
        return colorizer.with_hints(given)(picture)


def uncertainty(colorizer: artcolor.Colorizer, pictures: torch.Tensor) -> torch.Tensor:
    """Maps how unsure the model is.

    Args:
        colorizer: its hints do not count.
        pictures: `(B, C, H, W)`.

    Returns:
        `(B, H, W)` in 0..1; zeros if the model predicts no distribution.
    """
    if not isinstance(colorizer.model.head, DistributionHead):
        return torch.zeros(len(pictures), *pictures.shape[-2:])
    maps = [torch.frombuffer(bytearray(colorizer.uncertainty(each).tobytes()), dtype=torch.uint8) for each in pictures]
    return torch.stack(maps).reshape(len(pictures), *pictures.shape[-2:]) / 255


NODE_CLASS_MAPPINGS = {"ArtcolorColorize": ArtcolorColorize, "ArtcolorHint": ArtcolorHint}
NODE_DISPLAY_NAME_MAPPINGS = {"ArtcolorColorize": "Colorize (artcolor)", "ArtcolorHint": "Color hint (artcolor)"}
