"""Settings of a training, validated before it starts."""

from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from artcolor.data.validation import in_words
from artcolor.errors import ConfigError

_C = TypeVar("_C", bound="TrainConfig")

RECIPES = Path(__file__).resolve().parent.parent / "recipes"

# Keys that may change when a training resumes, because they do not affect its result.
_FREE = frozenset({"workers", "device", "checkpoint_minutes", "checkpoint_every", "keep_checkpoints", "picture_every"})


class TrainConfig(BaseModel):
    """Settings of a `Trainer`. Unknown keys are errors.

    Exactly one of `steps`, `epochs` and `max_minutes` sets the length of the training.

    Attributes:
        seed: seed of everything random.
        steps: length in optimizer steps.
        epochs: length in passes over the data.
        max_minutes: length as a time budget, converted to steps by the speed measured at the start.
        batch_size: pictures per optimizer step, over all processes.
        accumulate: number of micro-batches per step; more of them save memory.
        size: side of the square crops, in pixels.
        final_size: side of the crops in the last part of the training, in pixels; `None` keeps `size`.
        final_from: start of the last part, as a share of the steps.
        crop: smallest crop, as a share of the short side.
        flip: whether to mirror half of the pictures.
        lightness_jitter: L is raised to a power whose logarithm is drawn uniformly from ± this value.
        classify: columns of `metadata.csv` that the encoder learns to predict as an auxiliary task. Requires a model
            with an encoder; data sets without labels train without it. The result does not contain the classifier.
        kernel: train the kernel only, which spreads the colors of hints; see `artcolor.models.kernel.ChromaKernel`.
            Requires `frozen: [network, head]`.
        teacher: name or path of weights whose predicted distributions are additional training targets (distillation).
        teacher_share: weight of the teacher's term in the loss; the model's own loss has weight 1 - `teacher_share`.
        balance: column of `metadata.csv` whose values are sampled equally often.
        learning_rate: peak learning rate of AdamW.
        encoder_rate: learning rate of pretrained parts, as a share of `learning_rate`.
        frozen: names of the parts of the model not to train, for example `["network.encoder"]`.
        freeze_norms: whether BatchNorms keep their statistics; recommended for small data sets and small batches.
        weight_decay: weight decay of AdamW for kernels and matrices.
        warmup_steps: steps of the linear rise to the peak learning rate; a cosine decay to zero follows.
        clip_norm: maximum norm of the gradient.
        ema_decay: decay of the exponential moving average of the weights, which is the result.
        precision: `"fp32"`, autocast to `"bf16"` or `"fp16"`, or `"auto"`: bf16 on hardware with native support, else
            fp32. Losses and color conversions are always in fp32.
        fit_head: whether to compute bins and priors from the training pictures before the first step.
        validate_every: steps between validations.
        validate_pictures: number of validation pictures to use.
        stop_metric: validation metric for early stopping; lower must be better.
        patience: validations without improvement before stopping early; `None` never stops early.
        workers: number of processes that load pictures.
        device: `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
        checkpoint_minutes: minutes between checkpoints.
        checkpoint_every: steps between additional checkpoints; `None` saves by `checkpoint_minutes` only.
        keep_checkpoints: number of checkpoints to keep.
        picture_every: steps between picture grids (input, prediction, truth).

    Example:
        >>> TrainConfig(max_minutes=10, size=192).batch_size
        32
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0)
    steps: int | None = Field(None, gt=0)
    epochs: float | None = Field(None, gt=0)
    max_minutes: float | None = Field(None, gt=0)
    batch_size: int = Field(32, gt=0)
    accumulate: int = Field(1, gt=0)
    size: int = Field(128, ge=16)
    final_size: int | None = Field(None, ge=16)
    final_from: float = Field(0.6, ge=0, le=1)
    crop: float = Field(0.62, gt=0, le=1)
    flip: bool = True
    lightness_jitter: float = Field(0.15, ge=0, le=1)
    classify: tuple[Literal["style", "genre", "artist"], ...] = ()
    kernel: bool = False
    teacher: str | None = None
    teacher_share: float = Field(0.5, gt=0, le=1)
    balance: Literal["style", "genre", "artist"] | None = None
    learning_rate: float = Field(2e-3, gt=0)
    encoder_rate: float = Field(0.3, ge=0)
    frozen: tuple[str, ...] = ()
    freeze_norms: bool = False
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(200, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    ema_decay: float = Field(0.999, ge=0, lt=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"
    fit_head: bool = False
    validate_every: int = Field(1000, gt=0)
    validate_pictures: int = Field(256, gt=0)
    stop_metric: str = "loss"
    patience: int | None = Field(None, gt=0)
    workers: int = Field(1, ge=0)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    checkpoint_minutes: float = Field(5.0, gt=0)
    checkpoint_every: int | None = Field(None, gt=0)
    keep_checkpoints: int = Field(2, ge=1)
    picture_every: int = Field(1000, gt=0)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        given = [name for name in ("steps", "epochs", "max_minutes") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of steps, epochs and max_minutes sets the length of the training; "
                + (f"{' and '.join(given)} are given" if given else "none is given")
            )
        return self

    def differences(self, other: "TrainConfig") -> list[str]:
        """Lists the keys that affect the result and differ, as `key: mine → theirs`.

        Args:
            other: the settings to compare with.
        """
        mine, theirs = self.model_dump(), other.model_dump()
        return [
            f"{key}: {mine[key]!r} → {theirs.get(key)!r}"
            for key in mine
            if key not in _FREE and mine[key] != theirs.get(key)
        ]


class Recipe(TrainConfig):
    """A model and the settings to train it, as read from a YAML file.

    Attributes:
        model: name of the model to train.
        options: keyword arguments of its builder, for training from scratch.
    """

    model: str
    options: dict[str, Any] = Field(default_factory=dict)


def load_recipe(name: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Reads a recipe.

    Args:
        name: name of a shipped recipe, or path of a YAML file.
        overrides: values that replace those of the recipe, by key. One of `steps`, `epochs` and `max_minutes` replaces
            all three.

    Raises:
        ConfigError: the recipe does not exist or is not YAML, or a key is unknown or out of range.
    """
    path = Path(name)
    shipped = RECIPES / f"{name}.yaml"
    if path.suffix not in (".yaml", ".yml") and shipped.is_file():
        path = shipped
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise ConfigError(
            f"there is no recipe {name}. The shipped recipes are {known}; or give the path of a YAML file."
        )
    try:
        keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(keys, dict):
        raise ConfigError(f"{path} must consist of `key: value` lines")
    overrides = overrides or {}
    lengths = {"steps", "epochs", "max_minutes"}
    if lengths & set(overrides):
        keys = {key: value for key, value in keys.items() if key not in lengths}
    return checked(Recipe, {**keys, **overrides}, str(path))


def parse_overrides(pairs: list[str]) -> dict[str, Any]:
    """Parses `key=value` strings. Values are YAML, so `size=96` is a number.

    Args:
        pairs: strings of the form `key=value`.

    Returns:
        Values by key.

    Raises:
        ConfigError: a string has no `=`, or its value is not YAML.

    Example:
        >>> parse_overrides(["size=96", "precision=bf16", "options={width: 64}"])
        {'size': 96, 'precision': 'bf16', 'options': {'width': 64}}
    """
    overrides = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set takes key=value, not {pair!r}")
        try:
            overrides[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {pair}: the value is not YAML: {error}") from error
    return overrides


def checked(kind: type[_C], keys: dict[str, Any], source: str) -> _C:
    """Validates settings, with errors that name the key.

    Args:
        kind: class of the settings.
        keys: values by key.
        source: origin of the keys, for errors.

    Returns:
        The settings.

    Raises:
        ConfigError: a key is unknown, missing or out of range.
    """
    try:
        return kind(**keys)
    except ValidationError as error:
        faults = "; ".join(in_words(each, "setting", kind.model_fields) for each in error.errors())
        raise ConfigError(f"{source}: {faults}") from error
