"""The registry of models and released weights, and functions that build models by name."""

import difflib
import enum
import fnmatch
import functools
import importlib
import pkgutil
import typing
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from artcolor import models
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.features import FeatureExtractor
from artcolor.models.heads import Head
from artcolor.models.loading import build
from artcolor.models.network import Network
from artcolor.models.pictures import PictureTransform
from artcolor.zoo import locate, manifest, names, store

__all__ = [
    "WeightsArgument",
    "WeightsEnum",
    "assemble",
    "from_pretrained",
    "get_builder",
    "get_model",
    "get_model_weights",
    "get_weight",
    "list_models",
    "models_accepting",
    "register_model",
    "save_weights",
]


class WeightsEnum(enum.Enum):
    """Base class of enums of released weights. The value of a member is its key in the manifest."""

    @property
    def entry(self) -> manifest.Entry:
        """The manifest entry of these weights."""
        return manifest.entry_of(self.value)

    @property
    def meta(self) -> dict[str, Any]:
        """Parameters, multiply-adds, file size, hash, metrics, recipe, data and license, as a dictionary."""
        entry = self.entry
        return {name: value for name, value in vars(entry).items() if name not in ("key", "config", "golden")}

    def transforms(self) -> PictureTransform:
        """Returns the transform from pictures to the input of the model with these weights."""
        return get_model(self.entry.model, weights=self).transforms()


WeightsArgument = WeightsEnum | str | Path | None
"""A member of a weights enum, its name, `"DEFAULT"`, a manifest key such as `cnn.art_v1`, a path,
`hf-hub:org/repo@revision`, `local-dir:path`, or `None`."""

_Builder = Callable[..., ColorizationModel]
_B = TypeVar("_B", bound=_Builder)
_M = TypeVar("_M", bound=ColorizationModel)

_BUILDERS: dict[str, _Builder] = {}
_WEIGHTS: dict[str, type[WeightsEnum]] = {}


def register_model(weights: type[WeightsEnum]) -> Callable[[_B], _B]:
    """Registers a builder under its own name, together with its weights.

    Args:
        weights: enum of the released weights; an enum without members if there are none.

    Returns:
        A decorator for the builder. The builder's return annotation names the model class, whose `accepts` lists the
        guidance it supports.
    """

    def register(builder: _B) -> _B:
        _BUILDERS[builder.__name__] = builder
        _WEIGHTS[builder.__name__] = weights
        return builder

    return register


@functools.cache
def _import_families() -> None:
    # Importing a module registers its models, so a new model needs no entry in any list.
    for module in pkgutil.iter_modules(models.__path__, f"{models.__name__}."):
        importlib.import_module(module.name)


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """Lists the names of models.

    Args:
        pattern: names to list, with the wildcards `*`, `?` and `[...]`.
        pretrained: list only models with released weights.

    Example:
        >>> list_models("u*", pretrained=True)
        ['unet']
    """
    _import_families()
    found = sorted(fnmatch.filter(_BUILDERS, pattern))
    return [name for name in found if "DEFAULT" in _WEIGHTS[name].__members__] if pretrained else found


def models_accepting(field: str) -> list[str]:
    """Lists the models that accept a field of `Guidance`.

    Args:
        field: name of the field, for example `"seed"`.

    Example:
        >>> models_accepting("palette")
        ['ae', 'cic', 'cnn', 'splitbrain', 'unet', 'vae']
    """
    return [name for name in list_models() if field in typing.get_type_hints(_BUILDERS[name])["return"].accepts]


def get_builder(name: str) -> _Builder:
    """Finds the function that builds the model `name`.

    Raises:
        ConfigError: there is no model of this name.
    """
    _import_families()
    try:
        return _BUILDERS[name]
    except KeyError:
        known = list_models()
        raise ConfigError(
            f"there is no model called {name!r}.{_nearest(name, known)} The models are: {', '.join(known)}."
        ) from None


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f" Did you mean {near[0]!r}?" if near else ""


@overload
def get_model(
    name: str, *, pretrained: bool = False, features_only: Literal[False] = False, **keywords: Any
) -> ColorizationModel: ...
@overload
def get_model(
    name: str, *, pretrained: bool = False, features_only: Literal[True], **keywords: Any
) -> FeatureExtractor: ...
def get_model(
    name: str, *, pretrained: bool = False, features_only: bool = False, **keywords: Any
) -> ColorizationModel | FeatureExtractor:
    """Builds a model by name.

    Args:
        name: name of a model, as in `list_models()`, or of released weights, such as `"cnn.art_v1"`, which are then
            loaded.
        pretrained: load the default weights of the model.
        features_only: return only the encoder, which computes features at several sizes from L.
        **keywords: arguments of its builder, such as `weights`.

    Raises:
        ConfigError: the name is unknown, weights are given twice, a keyword contradicts the weights file, or
            `features_only` is given for a model without an encoder.
        WeightsError: the weights file is missing, damaged, or does not fit.

    Example:
        >>> get_model("cnn", width=16).name
        'cnn'
        >>> get_model("cnn.art_v1").training
        False
        >>> get_model("unet", pretrained=True, features_only=True).channels
        (24, 40, 112, 320)
    """
    tagged = get_weight(name) if "." in name else None
    if (pretrained or tagged is not None) and keywords.get("weights") is not None:
        given = "pretrained=True" if tagged is None else f"the name {name!r}"
        raise ConfigError(f"give either {given} or weights=..., not both")
    if tagged is not None:
        name, keywords = tagged.entry.model, {**keywords, "weights": tagged}
    elif pretrained:
        keywords = {**keywords, "weights": "DEFAULT"}
    model = get_builder(name)(**keywords)
    return FeatureExtractor(model) if features_only else model


def get_model_weights(name: str) -> type[WeightsEnum]:
    """Finds the enum of the released weights of the model `name`.

    Raises:
        ConfigError: there is no model of this name.

    Example:
        >>> [weights.value for weights in get_model_weights("cnn")]
        ['cnn.art_v1']
    """
    get_builder(name)
    return _WEIGHTS[name]


def _named_weights() -> dict[str, WeightsEnum]:
    _import_families()
    named: dict[str, WeightsEnum] = {}
    for model, members in _WEIGHTS.items():
        for member_name, member in members.__members__.items():
            named |= {member.value: member, f"{members.__name__}.{member_name}": member}
            if member_name == "DEFAULT":
                named[model] = member
    return named


def get_weight(name: str) -> WeightsEnum:
    """Finds released weights by name.

    Args:
        name: `"cnn.art_v1"`, `"CNN_Weights.ART_V1"`, or a model's name for its default weights.

    Raises:
        ConfigError: there are no weights of this name.

    Example:
        >>> get_weight("cnn").value
        'cnn.art_v1'
    """
    named = _named_weights()
    if name in named:
        return named[name]
    weights = (member.value for members in _WEIGHTS.values() for member in members)
    raise names.unknown_name(name, [*list_models(), *weights])


def from_pretrained(name: str | Path, *, progress: bool = True) -> ColorizationModel:
    """Loads a model with weights; the config in the weights file determines the model.

    Args:
        name: name of a model (`"cnn"`, for its default weights) or of weights (`"cnn.art_v1"`), the path of a weights
            file under any name, `hf-hub:org/repo@revision`, or `local-dir:path`. A file with the name of a model or
            of weights needs a slash: `"./cnn"`.
        progress: show a progress bar while downloading.

    Raises:
        ConfigError: there is no model and no weights of this name.
        WeightsError: the file is missing, damaged, does not fit, or could not be downloaded.

    Example:
        >>> from_pretrained("cnn").name
        'cnn'
    """
    if isinstance(name, str) and not _is_path(name, known=_named_weights()):
        found = locate.fetch(get_weight(name).entry, progress=progress)
    else:
        found = locate.open_weights(name, progress=progress)
    # Passed on as read, so the builder loads the bytes that were checked.
    return get_model(str(found.config.get("model"))[:100], weights=found)


def _is_path(name: str, *, known: Container[str]) -> bool:
    """Returns whether `name` looks like a path or a location; a file whose name says nothing must exist."""
    if (
        name.startswith((names.HUB, names.LOCAL))
        or name.lower().endswith(".safetensors")
        or "/" in name
        or "\\" in name
    ):
        return True
    return name not in known and Path(name).exists()


def _read(model: str, weights: WeightsEnum | str | Path | locate.Weights, progress: bool) -> locate.Weights:
    """Reads the file that a `weights` argument refers to."""
    if isinstance(weights, locate.Weights):
        return weights
    members = _WEIGHTS[model]
    named = {**{m.value: m for m in members}, **{m.value.partition(".")[2]: m for m in members}, **members.__members__}
    if isinstance(weights, str) and not _is_path(weights, known=named):
        if weights in named:
            weights = named[weights]
        else:
            known = ", ".join(repr(n) for n in members.__members__) or "none yet"
            raise ConfigError(
                f"{model} has no weights called {weights!r}. Its weights are: {known}. "
                "A file name must end in .safetensors or contain a slash."
            )
    if isinstance(weights, WeightsEnum):
        if not isinstance(weights, members):
            raise ConfigError(f"{weights} are weights of {weights.entry.model}, not of {model}")
        return locate.fetch(weights.entry, progress=progress)
    if not isinstance(weights, str | Path):
        raise ConfigError(
            f"weights must be a member of {members.__name__}, a name or a path, not {weights!r}; "
            f"get_model({model!r}, pretrained=True) loads the default weights"
        )
    return locate.open_weights(weights, progress=progress)


def assemble(
    name: str,
    network_type: type[Network],
    head_type: type[Head],
    weights: WeightsArgument,
    *,
    network: Mapping[str, Any],
    head: Mapping[str, Any],
    size: int | None,
    model_type: type[_M] = ColorizationModel,  # type: ignore[assignment]
    progress: bool = True,
) -> _M:
    """Builds a model from network and head, untrained or with weights; all builders share this function.

    The config in a weights file determines everything. Keywords that contradict it are an error.

    Args:
        name: name of the model family.
        network_type: class of the network.
        head_type: class of the head of an untrained model.
        weights: the argument `weights` of the builder; `None` builds an untrained model.
        network: keywords of the network; `None` values count as not given.
        head: keywords of the head; `None` values count as not given.
        size: working size in pixels; `None` uses the default.
        model_type: class of the model.
        progress: show a progress bar while downloading weights.

    Returns:
        The model, in evaluation mode if it has weights.

    Raises:
        ConfigError: a name is unknown, or a keyword contradicts the weights file.
        WeightsError: the file is missing, damaged, or does not fit.
    """
    if weights is None:
        net = network_type(**_given(network))
        return model_type(name, net, head_type(net.channels, **_given(head)), **_given({"size": size}))
    found = _read(name, weights, progress)
    return build(name, network_type, model_type, found, _given({**network, **head, "size": size}))


def _given(keywords: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keywords.items() if value is not None}


def save_weights(model: ColorizationModel, path: str | Path) -> None:
    """Saves a model as a self-contained weights file, for `artcolor.from_pretrained(path)`.

    Args:
        model: the model to save.
        path: path of the file. An existing file is replaced atomically.

    Raises:
        WeightsError: a tensor contains NaN or infinity.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_weights(get_model("cnn", width=16), f"{folder}/mine.safetensors")
        ...     from_pretrained(f"{folder}/mine.safetensors").network.config
        {'width': 16}
    """
    model = original(model)
    store.write(Path(path), model.config, model.state_dict())


def original(model: Any) -> Any:
    """Returns the model that `torch.compile` was given, or `model` itself.

    Args:
        model: the return value of `torch.compile`, or anything else.

    Example:
        >>> import torch
        >>> original(torch.compile(get_model("cnn", width=16))).name
        'cnn'
    """
    return getattr(model, "_orig_mod", model)
