"""What takes part in a benchmark: trivial baselines, and models at given settings."""

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
from artcolor.color.planes import JoinChroma
from artcolor.errors import ConfigError
from artcolor.evaluate.protocol import Protocol
from artcolor.evaluate.reference import Reference, l_bin
from artcolor.models.base import ColorizationModel, Network
from artcolor.models.guidance import Decoding
from artcolor.models.heads import DistributionHead
from artcolor.models.registry import from_pretrained

L_PRIOR = "l_prior"
"""Name of the model that knows p(bin | L) of the training paintings and nothing else: any before training."""

# The resolution of the distribution of a model that works at 192 px and answers at a quarter of it.
_PRIOR_SIDE = 48


class Output(NamedTuple):
    """What a predictor predicts for pictures, as metrics need it.

    Attributes:
        ab: `(N, 2, h, w)` in Lab units, at any resolution.
        probabilities: `(N, Q, h, w)`, the distribution behind it as learned, or `None`.
        centers: `(Q, 2)`, the bins of the distribution, or `None`.
        rgb: `(N, 3, h, w)`, sRGB in 0..1: the network's own picture, if it predicts one, else `None`.
    """

    ab: Tensor
    probabilities: Tensor | None = None
    centers: Tensor | None = None
    rgb: Tensor | None = None

    def picture(self, lightness: Tensor, protocol: Protocol) -> Tensor:
        """The picture that is judged: the chroma joined with the true lightness, or the network's own RGB.

        Args:
            lightness: `(N, 1, H, W)`, L of the true pictures.
            protocol: decides which of the two.

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
    """Settings of a model that take part in its name.

    Attributes:
        decoding: how its output becomes chroma.
        size: working size in pixels; `None` is the model's own.
    """

    decoding: Decoding = Decoding()
    size: int | None = None


class Predictor:
    """Something that predicts chroma.

    Attributes:
        name: in all results.
        fingerprint: changes with everything that its predictions depend on.
    """

    name: str
    fingerprint: str

    def predict(self, lab: Tensor) -> Output:
        """Predicts chroma.

        Args:
            lab: `(N, 3, H, W)`, the true pictures in Lab. Only oracles look at more than L.
        """
        raise NotImplementedError


class Baseline(Predictor):
    """A trivial predictor.

    Args:
        name: of the baseline.
        function: gives a `Output` for true pictures in Lab.
    """

    def __init__(self, name: str, function: Callable[[Tensor], Output]) -> None:
        """Takes the function as it is; its name must stand for it in every way."""
        self.name, self.fingerprint = name, name
        self._function = function

    def predict(self, lab: Tensor) -> Output:
        """Applies the function; see `Predictor.predict`."""
        return self._function(lab)


def baselines(reference: Reference) -> list[Predictor]:
    """The four predictors that a model has to beat, or to come near to in the case of `picture_mean`."""
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
    """A model at given settings. It stays in the mode and on the device it is in.

    Args:
        name: in all results.
        model: predicts.
        settings: its settings.
    """

    def __init__(self, name: str, model: ColorizationModel, settings: Settings) -> None:
        """Takes the fingerprint of the model as it is now."""
        self.name, self.model, self.settings = name, model, settings
        self.fingerprint = _fingerprint(model, settings)

    @torch.no_grad()
    def predict(self, lab: Tensor) -> Output:
        """Runs the model on the lightness; see `Predictor.predict`."""
        model, head = self.model, self.model.head
        small = lightness_at_working_size(model, lab, self.settings.size)
        found = model.predict(small, decoding=self.settings.decoding)
        assert found.raw is not None
        ab = found.ab.cpu()
        if isinstance(head, DistributionHead):
            return Output(ab, head.distribution(found.raw).cpu(), head.codebook.centers.cpu())
        to_rgb = getattr(head, "to_rgb", None)
        return Output(ab, rgb=None if to_rgb is None else to_rgb(found.raw).cpu())


def log_of(probabilities: Tensor) -> Tensor:
    """Logarithm that stays finite where a probability is too small for its type."""
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()


def lightness_at_working_size(model: ColorizationModel, lab: Tensor, size: int | None = None) -> Tensor:
    """What a model gets to see of pictures: L of their gray versions, made small as `colorize` makes them.

    Args:
        model: its transforms are used, and the result is on its device.
        lab: `(N, 3, H, W)`, Lab.
        size: working size in pixels; `None` takes the model's own.

    Returns:
        `(N, 1, h, w)`, L in 0..100.
    """
    gray = lab_to_rgb(torch.cat((lab[:, :1], torch.zeros_like(lab[:, 1:])), dim=1))[:, :1]
    small: Tensor = model.transforms(size)(gray.clamp(0, 1).to(device_of(model)))
    return small


def device_of(model: ColorizationModel) -> torch.device:
    """The device that a model's tensors are on."""
    return next(itertools.chain(model.parameters(), model.buffers())).device


def _fingerprint(model: ColorizationModel, settings: Settings) -> str:
    whole = hashlib.sha256(json.dumps([model.config, asdict(settings)], sort_keys=True).encode())
    for name, tensor in model.state_dict().items():
        whole.update(name.encode())
        whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


class _NoNetwork(Network):
    """Sees nothing, so that its head is left with what is known from lightness."""

    channels = 1
    stride = 4
    out_stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.config = {}

    def forward(self, lightness: Tensor) -> Tensor:
        return torch.zeros_like(lightness[..., :: self.out_stride, :: self.out_stride])


def l_prior(reference: Reference) -> ColorizationModel:
    """The model that any network is before training: p(bin | L), decoded with a head's settings.

    Args:
        reference: its codebook becomes the head's.
    """
    head = DistributionHead(1, bins=reference.codebook.bins)
    head.codebook.load_state_dict(reference.codebook.state_dict())
    return ColorizationModel(L_PRIOR, _NoNetwork(), head).eval()


def parse_spec(spec: str) -> tuple[str, Settings]:
    """Splits `NAME[:key=value,...]` into a name or path and settings.

    Args:
        spec: for example `"cnn"`, `"runs/cnn/model.safetensors"`, `"cnn:vividness=0.5,size=224"`.

    Raises:
        ConfigError: a setting that does not exist, or a value that is no number.

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
            raise ConfigError(f"{spec!r}: there is no setting {key!r}. There are: {', '.join(kinds)}.")
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
    """Finds a model by its name, or takes one as it is.

    Args:
        model: a name, the path of a weights file or `"l_prior"`, each with settings if need be (see
            `parse_spec`); or a model.
        reference: for `"l_prior"`.
        device: where a model that is loaded here goes.

    Raises:
        ConfigError: there is no such model, or a setting makes no sense.
        WeightsError: its weights are damaged or missing.
    """
    if isinstance(model, ColorizationModel):
        return ModelPredictor(model.name, model, Settings())
    name, settings = parse_spec(str(model))
    loaded = l_prior(reference) if name == L_PRIOR else from_pretrained(name)
    # A setting that the model refuses should be known now, not after all the others were judged.
    loaded.transforms(settings.size)
    smallest = torch.full((1, 1, 2 * loaded.network.stride, 2 * loaded.network.stride), 50.0)
    loaded.eval().predict(smallest, decoding=settings.decoding)
    return ModelPredictor(str(model), loaded.to(device).eval(), settings)
