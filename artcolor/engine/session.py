"""One picture, opened once and rendered often."""

from pathlib import Path
from typing import Any

import torch

from artcolor.color.isolation import isolated
from artcolor.engine.colorizer import DEFAULT_MODEL, Colorizer, numbered
from artcolor.engine.inputs import decoded, item_of, path_of
from artcolor.engine.predict import check_accepts
from artcolor.engine.result import ColoredImage, check_not_original
from artcolor.errors import ConfigError, ImageError
from artcolor.images import save_picture
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding, Guidance, Prediction
from artcolor.models.inference import inference_copy

__all__ = ["Session"]


class Session:
    """Keeps a picture and the network's features of it, so that rendering with other options costs little.

    Everything that does not depend on guidance or decoding is computed once, as segment-anything's predictor does it
    (Kirillov et al. 2023): encode once, prompt often. Safe to use from several threads.

    Args:
        picture: a path, bytes, file object, Pillow image, array or tensor of one picture.
        model: name of a model or of weights, path of a weights file, or a model.
        size: working size in pixels; `None` is the model's own.
        device: where the network runs.

    Raises:
        ImageError: the picture cannot be read, or there are several.
        ConfigError: there is no model of this name, or `size` or `device` make no sense.
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
        self._colorizer = Colorizer(model, size=size, device=device)
        self._model = inference_copy(self._colorizer.model, self._colorizer.device)
        pictures = item_of(picture).pictures
        if len(pictures) > 1:
            raise ImageError(f"a session takes one picture, not {len(pictures)}")
        self._picture, self._source = pictures[0], path_of(picture)
        with isolated():
            self._features = self._model.encode(self._colorizer.look(self._picture).to(self._colorizer.device))

    def render(self, guidance: Guidance = Guidance(), decoding: Decoding = Decoding()) -> ColoredImage:
        """Colorizes the picture.

        Args:
            guidance: what a person knows or wants of the colors.
            decoding: how the output becomes chroma.

        Returns:
            The colored picture, at full size.

        Raises:
            ConfigError: the model does not accept a field of `guidance` or `decoding`, or several samples are asked
                for; `render_samples` returns those.
        """
        _check_kinds(guidance, decoding)
        if guidance.samples > 1:
            raise ConfigError(f"render returns one picture, not {guidance.samples} samples; use render_samples")
        return self.render_samples(guidance, decoding)[0]

    def render_samples(self, guidance: Guidance, decoding: Decoding = Decoding()) -> list[ColoredImage]:
        """Colorizes the picture in several ways.

        Args:
            guidance: what a person knows or wants of the colors; `samples` says how many.
            decoding: how the output becomes chroma.

        Returns:
            As many colored pictures as there are samples.

        Raises:
            ConfigError: as for `render`.
        """
        prediction = self._predict(guidance, decoding)
        provenance = self._colorizer.provenance_of(guidance, decoding)
        painted = [self._colorizer.paint(self._picture, prediction, sample) for sample in range(guidance.samples)]
        if guidance.samples == 1:
            return [ColoredImage(painted[0], provenance, self._source)]
        made = [numbered(provenance, sample) for sample in range(guidance.samples)]
        return [ColoredImage(picture, of, self._source) for picture, of in zip(painted, made, strict=True)]

    def save(
        self,
        path: str | Path,
        guidance: Guidance = Guidance(),
        decoding: Decoding = Decoding(),
        *,
        format: str | None = None,
        quality: int | None = None,
        depth: int | None = None,
    ) -> None:
        """Colorizes the picture and writes it as the command does, strip by strip, with metadata and provenance.

        Args:
            path: of the file; one that exists is replaced. Its suffix decides the format.
            guidance: what a person knows or wants of the colors.
            decoding: how the output becomes chroma.
            format: as `artcolor.images.save_picture` takes it.
            quality: as `artcolor.images.save_picture` takes it.
            depth: as `artcolor.images.save_picture` takes it.

        Raises:
            ConfigError: as for `render`.
            ImageError: the format is unknown or cannot hold the picture, the file cannot be written, or it is the
                original.
        """
        check_not_original(self._source, path)
        prediction = self._predict(guidance, decoding)
        save_picture(
            self._colorizer.paint(self._picture, prediction),
            path,
            format=format,
            quality=quality,
            depth=depth,
            provenance=self._colorizer.provenance_of(guidance, decoding),
        )

    @torch.no_grad()
    @isolated()
    def _predict(self, guidance: Guidance, decoding: Decoding) -> Prediction:
        _check_kinds(guidance, decoding)
        check_accepts(self._model, guidance)
        found = self._model.predict(self._features, decoded(guidance), decoding)
        return Prediction(found.ab.cpu(), found.lightness.cpu())


def _check_kinds(guidance: object, decoding: object) -> None:
    for name, given, kind in (("guidance", guidance, Guidance), ("decoding", decoding, Decoding)):
        if not isinstance(given, kind):
            known = {Guidance: "guidance", Decoding: "decoding"}.get(type(given))
            hint = f"pass it as {known}=..." if known else f"give artcolor.{kind.__name__}(...)"
            raise ConfigError(f"{name} must be a {kind.__name__}, not a {type(given).__name__}; {hint}")
