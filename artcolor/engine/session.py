"""One picture, opened once and rendered often."""

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from artcolor.color import planes
from artcolor.color.isolation import isolated
from artcolor.engine.colorizer import DEFAULT_MODEL, Colorizer
from artcolor.engine.hint_files import HintFile, open_hints, read_hints
from artcolor.engine.hints import Hint
from artcolor.engine.hints_on_picture import HintedPicture
from artcolor.engine.inputs import item_of, path_of, read_guidance
from artcolor.engine.layers import save_layers
from artcolor.engine.painting import LAYER_LIGHTNESS, uncertainty_map
from artcolor.engine.predict import on_grid
from artcolor.engine.result import ColoredImage, check_not_original
from artcolor.engine.result_card import save_card
from artcolor.engine.stated import numbered
from artcolor.engine.suggest import Suggestion, suggest_at, uncertain_places
from artcolor.errors import ConfigError, ImageError
from artcolor.images import Picture, save_picture
from artcolor.images.notices import warn
from artcolor.images.picture import at_depth
from artcolor.images.streams import file_name_of
from artcolor.images.write import Target
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding, Guidance, Prediction
from artcolor.models.inference import inference_copy

__all__ = ["Session"]


class Session:
    """Keeps a picture and its network features, so that rendering again with other options is cheap.

    Everything that does not depend on guidance or decoding is computed once, as in segment-anything's predictor
    (Kirillov et al. 2023): encode once, prompt often. Sessions are thread-safe.

    Args:
        picture: a path, bytes, file object, Pillow image, array or tensor of one picture.
        model: name of a model or of weights, path of a weights file, or a model.
        size: working size in pixels; `None` is the model's own.
        device: device of the network.

    Attributes:
        hints: hints that all renderings follow; see `hint`.

    Raises:
        ImageError: the picture cannot be read, or there are several.
        ConfigError: there is no such model, or `size` or `device` is invalid.
        WeightsError: the weights are missing or damaged.

    Example:
        >>> from PIL import Image
        >>> session = Session(Image.new("L", (50, 30), 128))
        >>> dull, vivid = (session.render(decoding=Decoding(vividness=v)) for v in (0, 1))
        >>> dull.size, vivid.mode
        ((50, 30), 'RGB')
    """

    def __init__(
        self,
        picture: Any,
        model: str | Path | ColorizationModel = DEFAULT_MODEL,
        *,
        size: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._colorizer = Colorizer(model, size=size, device=device, backend="torch")
        self._model = inference_copy(self._colorizer.model, self._colorizer.device)
        pictures = item_of(picture).pictures
        if len(pictures) > 1:
            raise ImageError(f"a session takes a single picture, not {len(pictures)}")
        self._source, self._name = path_of(picture), file_name_of(picture)
        # Hints are about the picture; the other one is painted on.
        self._picture = self._shown = pictures[0]
        self.hints: list[Hint] = []
        self._hinted, self._warned = HintedPicture(self._picture), set[str]()
        with isolated():
            self._features = self._model.encode(self._colorizer.look(self._picture).to(self._colorizer.device))

    def hint(
        self,
        *,
        x: float | None = None,
        y: float | None = None,
        polyline: Sequence[tuple[float, float]] | None = None,
        polygon: Sequence[tuple[float, float]] | None = None,
        mask: str | Path | None = None,
        radius: float = 0.01,
        color: str | Sequence[float] | None = None,
        keep: Literal["automatic", "gray"] | None = None,
    ) -> Hint:
        """Adds a hint, which all further renderings follow.

        Args:
            x: position of a point as a fraction of the width, 0..1.
            y: position of a point as a fraction of the height, 0..1.
            polyline: the corners `(x, y)` of a stroke, at least one.
            polygon: the corners `(x, y)` of a region, at least three.
            mask: path of a picture of the region; see `Hint`.
            radius: radius of a point or stroke, as a fraction of the picture's short side, 0..0.5.
            color: `"#27408b"`, a CSS name, `"lab(40 10 -45)"`, a and b as two numbers, or `"picture"`; see `Hint`.
            keep: `"gray"` for no color, or `"automatic"` for the color that the model predicts.

        Returns:
            The hint; `session.hints.remove(hint)` removes it.

        Raises:
            ConfigError: a value is invalid, the mask is for a picture with a different aspect ratio, or the color is
                `"picture"` and the picture has none there.
            ImageError: the mask cannot be read.
        """
        made = Hint(x=x, y=y, polyline=polyline, polygon=polygon, mask=mask, radius=radius, color=color, keep=keep)
        self._hinted.hints(HintFile(hints=[*self.hints, made]))
        self.hints.append(made)
        return made

    def all_hints(self, guidance: Guidance = Guidance()) -> list[Hint]:
        """Returns all hints that a rendering with this guidance follows.

        Args:
            guidance: may add hints to those of the session.

        Returns:
            The hints, with the color `"picture"` replaced by the picture's own (see
            `artcolor.engine.hints_on_picture.HintedPicture.hints`).

        Raises:
            ConfigError: a hint is invalid or does not fit the picture.
            ImageError: the hints cannot be read.

        Example:
            >>> session = Session(Image.new("L", (50, 30), 128))
            >>> len(session.all_hints(Guidance(hints=[{"x": 0.5, "y": 0.5, "color": "teal"}])))
            1
        """
        added = None if guidance.hints is None else open_hints(guidance.hints)
        return [hint for given in self._given(added) for hint in self._hinted.hints(given)]

    def _given(self, added: HintFile | None) -> list[HintFile]:
        own = HintFile(hints=read_hints(list(self.hints)))
        return [own] if added is None else [own, added]

    @torch.no_grad()
    @isolated()
    def suggest(self, x: float, y: float, k: int = 5) -> list[Suggestion]:
        """Finds the most likely distinct colors at a point, given all hints so far.

        Args:
            x: position as a fraction of the width, 0..1.
            y: position as a fraction of the height, 0..1.
            k: number of colors, at least 1.

        Returns:
            At most k suggestions, most likely first.

        Raises:
            ConfigError: the model predicts no distribution, or a number is out of range.
        """
        Hint(x=x, y=y, keep="automatic")
        return suggest_at(self._model, self._features, self.all_hints(), (x, y), k)

    @torch.no_grad()
    @isolated()
    def most_uncertain(self, k: int = 5) -> list[tuple[float, float]]:
        """Finds the points where a hint would help most, given all hints so far.

        Args:
            k: number of points, at least 1.

        Returns:
            `(x, y)` as fractions of width and height, most helpful first.

        Raises:
            ConfigError: k is out of range.
        """
        return uncertain_places(self._model, self._features, self.all_hints(), k)

    def render(self, guidance: Guidance = Guidance(), decoding: Decoding = Decoding()) -> ColoredImage:
        """Colorizes the picture.

        Args:
            guidance: hints, palette, reference and sampling.
            decoding: how the output becomes chroma.

        Returns:
            The colored picture, at full size.

        Raises:
            ConfigError: the model does not accept a field of `guidance` or `decoding`, or several samples are
                requested; `render_samples` returns those.
        """
        _check_kinds(guidance, decoding)
        if guidance.samples > 1:
            raise ConfigError(f"render returns a single picture, not {guidance.samples} samples; use render_samples")
        return self.render_samples(guidance, decoding)[0]

    def render_samples(self, guidance: Guidance, decoding: Decoding = Decoding()) -> list[ColoredImage]:
        """Colorizes the picture in several ways.

        Args:
            guidance: hints, palette, reference and sampling; `samples` says how many.
            decoding: how the output becomes chroma.

        Returns:
            As many colored pictures as there are samples.

        Raises:
            ConfigError: as for `render`.
        """
        guidance, prediction = self._predict(guidance, decoding)
        provenance = self._colorizer.provenance_of(guidance, decoding)
        painted = [
            self._colorizer.paint(self._shown, prediction, sample, hints=guidance.hints or ())
            for sample in range(guidance.samples)
        ]
        if guidance.samples == 1:
            return [ColoredImage(painted[0], provenance, self._source)]
        return [ColoredImage(each, numbered(provenance, n), self._source) for n, each in enumerate(painted)]

    def save(
        self,
        path: Target,
        guidance: Guidance = Guidance(),
        decoding: Decoding = Decoding(),
        *,
        format: str | None = None,
        quality: int | None = None,
        depth: int | None = None,
        chroma_only: bool = False,
    ) -> None:
        """Colorizes the picture and writes it like the command: strip by strip, with metadata and provenance.

        Args:
            path: path of the file; an existing file is replaced. Its suffix decides the format. Or a binary file that
                is open for writing.
            guidance: hints, palette, reference and sampling.
            decoding: how the output becomes chroma.
            format: see `artcolor.images.save_picture`.
            quality: see `artcolor.images.save_picture`.
            depth: see `artcolor.images.save_picture`.
            chroma_only: write only the color, as a layer for the blend mode "Color".

        Raises:
            ConfigError: as for `render`.
            ImageError: the format is unknown or cannot hold the picture, the file cannot be written, or it is the
                original.
        """
        check_not_original(self._source, path)
        painter = self._colorizer
        if chroma_only:
            painter = copy.copy(painter)
            painter.chroma_only = True
        guidance, prediction = self._predict(guidance, decoding, at_lightness=LAYER_LIGHTNESS if chroma_only else None)
        save_picture(
            painter.paint(self._shown, prediction, hints=guidance.hints or ()),
            path,
            format=format,
            quality=quality,
            depth=depth,
            provenance=painter.provenance_of(guidance, decoding),
        )

    def save_layers(self, path: Target, guidance: Guidance = Guidance(), decoding: Decoding = Decoding()) -> None:
        """Colorizes the picture and writes it as layers for image editors; see `artcolor.engine.layers.save_layers`.

        Args:
            path: path of the OpenRaster file, which ends in `.ora`; an existing file is replaced. Or a binary file that
                is open for writing.
            guidance: hints, palette, reference and sampling.
            decoding: how the output becomes chroma.

        Raises:
            ConfigError: as for `render`.
            ImageError: the suffix is wrong, or the file cannot be written or is the original.
        """
        save_layers(self, path, guidance, decoding)

    def save_card(self, path: Target, guidance: Guidance = Guidance(), decoding: Decoding = Decoding()) -> None:
        """Colorizes the picture and documents it on one HTML page; see `artcolor.engine.result_card.save_card`.

        Args:
            path: path of the page, which ends in `.html`; an existing file is replaced. Or a binary file that is
                open for writing.
            guidance: hints, palette, reference and sampling.
            decoding: how the output becomes chroma.

        Raises:
            ConfigError: as for `render`.
            ImageError: the suffix is wrong, or the file cannot be written or is the original.
        """
        save_card(self, path, guidance, decoding)

    def uncertainty(self, guidance: Guidance = Guidance()) -> Image.Image:
        """Returns a map of the model's uncertainty about the colors.

        Args:
            guidance: hints, palette, reference and sampling. Hints do not change the map.

        Returns:
            A Pillow image of mode L, as large as the picture; see `Colorizer.uncertainty`.

        Raises:
            ConfigError: the model predicts no distribution, or does not accept a field of `guidance`.
        """
        _, prediction = self._predict(guidance, Decoding(), uncertainty=True)
        return uncertainty_map(prediction, self._shown)

    def preview(self, side: int) -> "Session":
        """Returns a session of a reduced copy of the picture, which renders the same colors in less time.

        Args:
            side: length of the longer side in pixels; smaller pictures keep their size.

        Returns:
            A session that shares the hints and the network's features with this one. Its pictures have 8 bits.

        Raises:
            ConfigError: `side` is below 1.

        Example:
            >>> Session(Image.new("L", (50, 30), 128)).preview(25).render().size
            (25, 15)
        """
        if side < 1:
            raise ConfigError(f"side must be at least 1 pixel, not {side}")
        height, width = self._shown.pixels.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        shown, reduced = self._shown, copy.copy(self)
        alpha = None if shown.alpha is None else _reduced(shown.alpha, size)
        reduced._shown = Picture(_reduced(shown.pixels, size), alpha, shown.info)
        return reduced

    @property
    def original(self) -> Picture:
        """The picture to colorize; for a preview, the reduced one."""
        return self._shown

    @property
    def source(self) -> Path | None:
        """Path of the picture; `None` if it is not a file."""
        return self._source

    @property
    def name(self) -> str | None:
        """Name of the picture file, without its folder; `None` if there is no file, or it has no name."""
        return self._name

    @property
    def colorizer(self) -> Colorizer:
        """Holds the model and its working size; its guidance and decoding are the defaults."""
        return self._colorizer

    @torch.no_grad()
    @isolated()
    def _predict(
        self,
        guidance: Guidance,
        decoding: Decoding,
        *,
        uncertainty: bool = False,
        at_lightness: float | None = None,
    ) -> tuple[Guidance, Prediction]:
        """Returns the guidance with all hints, as a list, and the prediction."""
        _check_kinds(guidance, decoding)
        read = read_guidance(guidance, self._colorizer.backend.check)
        hints: list[Hint] = []
        for given in self._given(read.hints):
            hints += self._hinted.hints(given)
            for message in self._hinted.unshown(given, at_lightness=at_lightness):
                warn(message, self._warned)
        guidance, decoded = (dataclasses.replace(each, hints=hints or None) for each in (read.stated, read.decoded))
        placed = on_grid(self._model, decoded, self._features.lightness)
        found = self._model.predict(self._features, placed, decoding, uncertainty=uncertainty)
        entropy = None if found.entropy is None else found.entropy.cpu()
        return guidance, Prediction(found.ab.cpu(), found.lightness.cpu(), entropy)


def _reduced(values: np.ndarray[Any, Any], size: tuple[int, int]) -> np.ndarray[Any, Any]:
    if values.ndim == 3:
        # All channels at once would need several times the memory.
        return np.dstack([_reduced(values[..., channel], size) for channel in range(values.shape[2])])
    return planes.resize(np.ascontiguousarray(at_depth(values, 8)), size)


def _check_kinds(guidance: object, decoding: object) -> None:
    for name, given, kind in (("guidance", guidance, Guidance), ("decoding", decoding, Decoding)):
        if not isinstance(given, kind):
            known = {Guidance: "guidance", Decoding: "decoding"}.get(type(given))
            hint = f"pass it as {known}=..." if known else f"give artcolor.{kind.__name__}(...)"
            raise ConfigError(f"{name} must be a {kind.__name__}, not a {type(given).__name__}; {hint}")
