"""Names of models and weights, and building models from them."""

import enum
import functools
import importlib
import pkgutil
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from artcolor import models
from artcolor.color.planes import ToLightness
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel, Network
from artcolor.models.heads import Head
from artcolor.models.loading import build
from artcolor.zoo import hub, locate, manifest, store


class WeightsEnum(enum.Enum):
    """Base of the enums of released weights. A member's value is its key in the manifest."""

    @property
    def entry(self) -> manifest.Entry:
        """All that the manifest says of these weights."""
        return manifest.entry_of(self.value)

    @property
    def meta(self) -> dict[str, Any]:
        """Parameters, multiply-adds, size, hash, metrics, recipe, data and license, as a dictionary."""
        entry = self.entry
        return {name: value for name, value in vars(entry).items() if name not in ("key", "config", "golden")}

    def transforms(self) -> ToLightness:
        """What turns a picture into the input of the network that has these weights."""
        return get_model(self.entry.model, weights=self).transforms()


WeightsArgument = WeightsEnum | str | Path | None
"""A member of a weights enum, its name, `"DEFAULT"`, a key as `cnn.art_v1`, a path, `hf-hub:org/repo@revision`,
`local-dir:path`, or `None`."""

Builder = Callable[..., ColorizationModel]
_B = TypeVar("_B", bound=Builder)
_M = TypeVar("_M", bound=ColorizationModel)

_BUILDERS: dict[str, Builder] = {}
_WEIGHTS: dict[str, type[WeightsEnum]] = {}


def register_model(weights: type[WeightsEnum]) -> Callable[[_B], _B]:
    """Makes a builder known under its own name, together with its weights."""

    def register(builder: _B) -> _B:
        _BUILDERS[builder.__name__] = builder
        _WEIGHTS[builder.__name__] = weights
        return builder

    return register


@functools.cache
def _families() -> None:
    # Importing a family registers it, so a new one needs no other place to be known in.
    for module in pkgutil.iter_modules(models.__path__, f"{models.__name__}."):
        importlib.import_module(module.name)


def list_models() -> list[str]:
    """Names of all models.

    Example:
        >>> "cnn" in list_models()
        True
    """
    _families()
    return sorted(_BUILDERS)


def models_accepting(field: str) -> list[str]:
    """Names of the models that read a field of `Guidance`.

    Args:
        field: for example `"seed"`.

    Example:
        >>> models_accepting("seed")
        ['vae']
    """
    return [name for name in list_models() if field in typing.get_type_hints(_BUILDERS[name])["return"].accepts]


def get_builder(name: str) -> Builder:
    """The function that builds a model.

    Raises:
        ConfigError: there is no model of this name.
    """
    _families()
    try:
        return _BUILDERS[name]
    except KeyError:
        raise ConfigError(f"there is no model called {name!r}. There are: {', '.join(list_models())}.") from None


def get_model(name: str, **keywords: Any) -> ColorizationModel:
    """Builds a model by its name.

    Args:
        name: as in `list_models()`.
        **keywords: of its builder; `weights` among them.

    Example:
        >>> get_model("cnn", width=16).name
        'cnn'
    """
    return get_builder(name)(**keywords)


def hub_entry(name: str, pretrained: bool, keywords: dict[str, Any]) -> ColorizationModel:
    """What the entry points of `hubconf.py` share: `pretrained` stands for `weights="DEFAULT"`.

    Args:
        name: of the model.
        pretrained: take its default weights.
        keywords: of its builder.

    Raises:
        ConfigError: both `pretrained` and `weights` are given.
    """
    if pretrained and keywords.get("weights") is not None:
        raise ConfigError("give either pretrained=True or weights=..., not both")
    if pretrained:
        keywords = {**keywords, "weights": "DEFAULT"}
    return get_model(name, **keywords)


def get_model_weights(name: str) -> type[WeightsEnum]:
    """The enum of a model's released weights.

    Example:
        >>> [weights.value for weights in get_model_weights("cnn")]
        ['cnn.art_v1']
    """
    get_builder(name)
    return _WEIGHTS[name]


def get_weight(name: str) -> WeightsEnum:
    """Finds released weights by `"cnn.art_v1"`, `"CNN_Weights.ART_V1"`, or a model's name for its default.

    Raises:
        ConfigError: there are none of this name.

    Example:
        >>> get_weight("cnn").value
        'cnn.art_v1'
    """
    _families()
    for model, members in _WEIGHTS.items():
        if name == model and "DEFAULT" in members.__members__:
            return members["DEFAULT"]
        for member_name, member in members.__members__.items():
            if name in (member.value, f"{members.__name__}.{member_name}"):
                return member
    known = sorted(member.value for members in _WEIGHTS.values() for member in members)
    raise ConfigError(f"there are no weights called {name!r}. There are: {', '.join(known)}.")


def from_pretrained(name: str | Path, *, progress: bool = True) -> ColorizationModel:
    """Loads any model with weights; the weights' own config says which model it is.

    Args:
        name: a model (`"cnn"`, its default weights), weights (`"cnn.art_v1"`), the path of a weights file,
            `hf-hub:org/repo@revision`, or `local-dir:path`.
        progress: show a bar while something is downloaded.

    Raises:
        ConfigError: there is no model, no weights and no file of this name.
        WeightsError: the file is damaged or does not fit, or could not be downloaded.

    Example:
        >>> from_pretrained("cnn").name
        'cnn'
    """
    if isinstance(name, str) and not _looks_like_path(name):
        found = locate.fetch(get_weight(name).entry, progress=progress)
    else:
        found = locate.open_weights(name, progress=progress)
    # Given to the builder as it is, so that the bytes that were looked at are those that are loaded.
    return get_model(str(found.config.get("model"))[:100], weights=found)


def _looks_like_path(name: str) -> bool:
    return name.startswith((hub.HUB, hub.LOCAL)) or name.endswith(".safetensors") or "/" in name or "\\" in name


def _read(model: str, weights: WeightsEnum | str | Path | locate.Weights, progress: bool) -> locate.Weights:
    """The file that a `weights` argument means."""
    if isinstance(weights, locate.Weights):
        return weights
    members = _WEIGHTS[model]
    if isinstance(weights, str) and not _looks_like_path(weights):
        if weights in members.__members__:
            weights = members[weights]
        elif any(weights in (m.value, m.value.partition(".")[2]) for m in members):
            weights = next(m for m in members if weights in (m.value, m.value.partition(".")[2]))
        else:
            known = ", ".join(repr(n) for n in members.__members__) or "none yet"
            raise ConfigError(
                f"{model} has no weights called {weights!r}. There are: {known}. "
                "The name of a file must end in .safetensors or hold a slash."
            )
    if isinstance(weights, WeightsEnum):
        if not isinstance(weights, members):
            raise ConfigError(f"{weights} are not weights of {model}, but of {weights.entry.model}")
        return locate.fetch(weights.entry, progress=progress)
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
    """What builders share: a network with a head, untrained or with weights.

    A weights file's own config decides everything; keywords that contradict it are an error.

    Args:
        name: of the model.
        network_type: its network.
        head_type: its head when it has no weights.
        weights: the builder's argument.
        network: keywords of the network; those that are `None` were not given.
        head: keywords of the head, likewise.
        size: working size, or `None`.
        model_type: what network and head become.
        progress: show a bar while weights are downloaded.
    """
    if weights is None:
        net = network_type(**_given(network))
        return model_type(name, net, head_type(net.channels, **_given(head)), **_given({"size": size}))
    found = _read(name, weights, progress)
    return build(name, network_type, model_type, found, _given({**network, **head, "size": size}))


def _given(keywords: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keywords.items() if value is not None}


def save_weights(model: ColorizationModel, path: str | Path) -> None:
    """Saves a model as a weights file that is enough to colorize: `artcolor.from_pretrained(path)`.

    Args:
        model: any model.
        path: of the file; what stood there is replaced only once all is written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_weights(get_model("cnn", width=16), f"{folder}/mine.safetensors")
        ...     from_pretrained(f"{folder}/mine.safetensors").network.config
        {'width': 16}
    """
    store.write(Path(path), model.config, model.state_dict())
