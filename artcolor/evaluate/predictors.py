"""Predictors that a benchmark evaluates: trivial baselines, and models with their settings."""

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from artcolor.color.lab import lab_to_rgb
from artcolor.color.transforms import JoinChroma
from artcolor.errors import ConfigError
from artcolor.evaluate.protocol import Protocol
from artcolor.evaluate.reference import Reference, l_bin
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding
from artcolor.models.heads import DistributionHead
from artcolor.models.network import Network
from artcolor.models.registry import from_pretrained

L_PRIOR = "l_prior"
"""Name of the model that predicts p(bin | L) of the training paintings, as any model does before training."""

# Resolution of the distribution of a model with a working size of 192 px and an output at 1/4 size.
_PRIOR_SIDE = 48


class Output(NamedTuple):
    """The output of a predictor, as metrics need it.

    Attributes:
        ab: `(N, 2, h, w)`, chroma in Lab units, at any resolution.
        probabilities: `(N, Q, h, w)`, the predicted distribution before decoding; `None` if there is none.
        centers: `(Q, 2)`, centers of the bins in Lab units; `None` without a distribution.
        rgb: `(N, 3, h, w)`, the picture of a network that predicts RGB, sRGB in 0..1; `None` for other networks.
    """

    ab: Tensor
    probabilities: Tensor | None = None
    centers: Tensor | None = None
    rgb: Tensor | None = None

    def picture(self, lightness: Tensor, protocol: Protocol) -> Tensor:
        """Returns the picture to evaluate: the chroma joined with the true lightness, or the network's own RGB.

        Args:
            lightness: `(N, 1, H, W)`, L in 0..100 of the true pictures.
            protocol: selects the network's own RGB if its `own_rgb` is set.

        Returns:
            `(N, 3, H, W)`, sRGB in 0..1.
        """
        size = (lightness.shape[-2], lightness.shape[-1])
        if not protocol.own_rgb or self.rgb is None:
            joined: Tensor = JoinChroma(self.ab, *size)(lightness)
            return joined
        if self.rgb.shape[-2:] == lightness.shape[-2:]:
            return self.rgb
        return F.interpolate(self.rgb, size, mode="bilinear", antialias=True)


@dataclass(frozen=True)
class Settings:
    """Settings with which a model is evaluated.

    Attributes:
        decoding: how the output becomes chroma.
        size: working size in pixels; `None` uses the model's default.
    """

    decoding: Decoding = Decoding()
    size: int | None = None


class Predictor:
    """Base class of everything that predicts chroma.

    Attributes:
        name: name in all results.
        fingerprint: hash of everything that the predictions depend on.
    """

    name: str
    fingerprint: str

    def predict(self, lab: Tensor) -> Output:
        """Predicts chroma.

        Args:
            lab: `(N, 3, H, W)`, the true pictures in Lab. Only oracles use more than L.

        Returns:
            The output for all N pictures, on the CPU.
        """
        raise NotImplementedError


class Baseline(Predictor):
    """A trivial predictor.

    Args:
        name: name in all results; it is also the fingerprint, so rename a baseline whose function changes.
        function: returns the `Output` for true pictures `(N, 3, H, W)` in Lab.
    """

    def __init__(self, name: str, function: Callable[[Tensor], Output]) -> None:
        self.name, self.fingerprint = name, name
        self._function = function

    def predict(self, lab: Tensor) -> Output:
        """Applies the function; see `Predictor.predict`."""
        return self._function(lab)


def baselines(reference: Reference) -> list[Predictor]:
    """Returns the four trivial baselines: `gray`, `constant`, `l_table` and the oracle `picture_mean`.

    Args:
        reference: constants of the baselines.
    """
    codebook = reference.codebook

    def gray(lab: Tensor) -> Output:
        return Output(torch.zeros_like(lab[:, 1:, :1, :1]))

    def constant(lab: Tensor) -> Output:
        return Output(reference.constant.reshape(1, 2, 1, 1).expand(len(lab), 2, 1, 1))

    def l_table(lab: Tensor) -> Output:
        ab = reference.l_table[l_bin(lab[:, 0])].movedim(-1, 1)
        lightness = F.interpolate(lab[:, :1], (_PRIOR_SIDE, _PRIOR_SIDE), mode="area")
        return Output(ab, codebook.log_prior(lightness).exp(), codebook.centers)

    def picture_mean(lab: Tensor) -> Output:
        return Output(lab[:, 1:].mean((2, 3), keepdim=True))

    functions = (gray, constant, l_table, picture_mean)
    return [Baseline(function.__name__, function) for function in functions]


class ModelPredictor(Predictor):
    """A model with settings. Its mode and device are left unchanged.

    Args:
        name: name in all results.
        model: model to evaluate; the fingerprint is that of its current weights.
        settings: decoding and working size.
    """

    def __init__(self, name: str, model: ColorizationModel, settings: Settings) -> None:
        self.name, self.model, self.settings = name, model, settings
        self.fingerprint = _fingerprint(model, settings)

    @torch.no_grad()
    def predict(self, lab: Tensor) -> Output:
        """Runs the model on the lightness; see `Predictor.predict`."""
        model, head = self.model, self.model.head
        small = lightness_at_working_size(model, lab, self.settings.size)
        prediction = model.predict(small, decoding=self.settings.decoding)
        assert prediction.raw is not None
        ab = prediction.ab.cpu()
        if isinstance(head, DistributionHead):
            return Output(ab, head.distribution(prediction.raw).cpu(), head.codebook.centers.cpu())
        to_rgb = getattr(head, "to_rgb", None)
        return Output(ab, rgb=None if to_rgb is None else to_rgb(prediction.raw).cpu())


def log_of(probabilities: Tensor) -> Tensor:
    """Computes the logarithm of probabilities; it stays finite where a probability underflows to 0."""
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()


def lightness_at_working_size(model: ColorizationModel, lab: Tensor, size: int | None = None) -> Tensor:
    """Computes the input of a model for pictures in Lab: L of their gray versions, as `colorize` computes it.

    Args:
        model: model whose transforms are used; the result is on its device.
        lab: `(N, 3, H, W)`, pictures in Lab; only L is used.
        size: working size in pixels; `None` uses the model's default.

    Returns:
        `(N, 1, h, w)`, L in 0..100.
    """
    gray = lab_to_rgb(torch.cat((lab[:, :1], torch.zeros_like(lab[:, 1:])), dim=1))[:, :1]
    small: Tensor = model.transforms(size)(gray.clamp(0, 1).to(device_of(model)))
    return small


def device_of(model: ColorizationModel) -> torch.device:
    """Returns the device of a model's parameters and buffers."""
    return next(itertools.chain(model.parameters(), model.buffers())).device


def _fingerprint(model: ColorizationModel, settings: Settings) -> str:
    whole = hashlib.sha256(json.dumps([model.config, asdict(settings)], sort_keys=True).encode())
    for name, tensor in model.state_dict().items():
        whole.update(name.encode())
        whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


class _NoNetwork(Network):
    """Returns zeros, so the output of the head depends on lightness only."""

    channels = 1
    stride = 4
    out_stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.config = {}

    def forward(self, lightness: Tensor) -> Tensor:
        return torch.zeros_like(lightness[..., :: self.out_stride, :: self.out_stride])


def l_prior(reference: Reference) -> ColorizationModel:
    """Builds the model that predicts p(bin | L), as any network with a `DistributionHead` does before training.

    Args:
        reference: reference whose codebook the head uses.

    Returns:
        The model, in evaluation mode.
    """
    head = DistributionHead(1, bins=reference.codebook.bins)
    head.codebook.load_state_dict(reference.codebook.state_dict())
    return ColorizationModel(L_PRIOR, _NoNetwork(), head).eval()


def parse_spec(spec: str) -> tuple[str, Settings]:
    """Splits `NAME[:key=value,...]` into a name or path and settings.

    Args:
        spec: a model such as `"cnn"`, `"runs/cnn/model.safetensors"` or `"cnn:vividness=0.5,size=224"`. Settings are
            `vividness`, `temperature`, `strength` and `size`.

    Returns:
        The name or path, and the settings.

    Raises:
        ConfigError: a setting does not exist, or its value is not a number or out of range.

    Example:
        >>> parse_spec("cnn:vividness=0,size=224")[1]
        Settings(decoding=Decoding(vividness=0.0, temperature=None, strength=1.0), size=224)
    """
    name, colon, tail = spec.rpartition(":")
    if not colon or "=" not in tail:
        return spec, Settings()
    kinds: dict[str, type[float]] = {"vividness": float, "temperature": float, "strength": float, "size": int}
    values: dict[str, Any] = {}
    for setting in tail.split(","):
        key, _, text = setting.partition("=")
        if key not in kinds:
            raise ConfigError(f"{spec!r}: unknown setting {key!r}; the settings are {', '.join(kinds)}")
        try:
            values[key] = kinds[key](text)
        except ValueError:
            raise ConfigError(f"{spec!r}: {key} must be a number, not {text!r}") from None
    size = values.pop("size", None)
    try:
        return name, Settings(Decoding(**values), size)
    except ConfigError as error:
        raise ConfigError(f"{spec!r}: {error}") from None


def predictor_of(
    model: str | Path | ColorizationModel, reference: Reference, device: str | torch.device = "cpu"
) -> ModelPredictor:
    """Loads a model by its name, or wraps a given model.

    Args:
        model: a name, the path of a weights file or `"l_prior"`, optionally with settings (see `parse_spec`); or a
            model, which is used as it is.
        reference: reference whose codebook `"l_prior"` uses.
        device: device for a model that is loaded by name.

    Returns:
        The predictor, named after `model`.

    Raises:
        ConfigError: the model does not exist, or does not support a setting.
        WeightsError: the weights are damaged or missing.
    """
    if isinstance(model, ColorizationModel):
        return ModelPredictor(model.name, model, Settings())
    name, settings = parse_spec(str(model))
    loaded = l_prior(reference) if name == L_PRIOR else from_pretrained(name)
    # Reject a setting that the model does not support before other models are evaluated.
    loaded.transforms(settings.size)
    smallest = torch.full((1, 1, 2 * loaded.network.stride, 2 * loaded.network.stride), 50.0)
    loaded.eval().predict(smallest, decoding=settings.decoding)
    return ModelPredictor(str(model), loaded.to(device).eval(), settings)
