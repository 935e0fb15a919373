"""What a data set is built from, as a YAML file: sources, filters, cleaning, balance, splits, output."""

import string
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from artcolor.errors import ConfigError

try:
    import yaml
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
except ImportError as error:
    raise ImportError("building a data set needs pydantic and pyyaml: pip install 'artcolor[train]'") from error

Label = Literal["artist", "style", "genre"]
LABELS: tuple[Label, ...] = ("artist", "style", "genre")

_SHIPPED = Path(__file__).resolve().parent.parent / "recipes" / "datasets"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lookup(_Strict):
    """A CSV file with more labels, one row for each value of a label that the pictures already carry.

    Attributes:
        file: the CSV file, relative to the source's folder.
        by: the label that rows are looked up by.
        key: the column that holds it.
        columns: label → the column to take it from.
        separator: where a cell holds several values, what is between them; the first value counts.
    """

    file: Path
    by: Label = "artist"
    key: str
    columns: dict[Label, str]
    separator: str | None = None


class _Source(_Strict):
    """What every kind of source has.

    Attributes:
        name: what the result calls this source.
        labels: labels of pictures that have no other.
        aliases: spelling found → label to use instead; `""` means unknown.
    """

    name: Annotated[str, Field(min_length=1)]
    labels: dict[Label, str] = {}
    aliases: dict[str, str] = {}


class FolderSource(_Source):
    """A folder of pictures, whose labels are read off the paths.

    Attributes:
        path: the folder, relative to the spec's own.
        layouts: patterns of paths below the folder, with `{artist}`, `{style}` and `{genre}`; `*` is anything
            but `/`, `**` anything. They are alternatives: the first that fits any picture is the one used.
        lookup: more labels from a CSV file.
    """

    kind: Literal["folder"]
    path: Path
    layouts: Annotated[tuple[str, ...], Field(min_length=1)] = ("**",)
    lookup: Lookup | None = None

    @field_validator("layouts")
    @classmethod
    def _known_places(cls, layouts: tuple[str, ...]) -> tuple[str, ...]:
        for layout in layouts:
            places = [name for _, name, _, _ in string.Formatter().parse(layout) if name is not None]
            if unknown := set(places) - set(LABELS):
                raise ValueError(f"{layout!r} has {sorted(unknown)}; only {list(LABELS)} can stand in braces")
            if len(places) != len(set(places)):
                raise ValueError(f"{layout!r} has a label twice")
        return layouts


class CsvSource(_Source):
    """A folder of pictures, and a CSV file with a row for each.

    Attributes:
        path: the folder, relative to the spec's own.
        table: the CSV file, relative to the folder.
        file: the column with the pictures' paths, relative to the folder.
        columns: label → the column to take it from.
        delimiter: what is between the CSV file's cells.
    """

    kind: Literal["csv"]
    path: Path
    table: Path = Path("metadata.csv")
    file: str = "file_name"
    columns: dict[Label, str] = {}
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


class HuggingFaceSource(_Source):
    """A data set that `datasets.load_dataset` can stream; needs the package `datasets`.

    Attributes:
        repo: `owner/name` on the Hub, or a local folder that begins with `./`, `../` or `/`.
        config: its configuration, where it has several.
        revision: branch, tag or commit.
        split: which part of it.
        image: the column with the pictures.
        columns: label → the column to take it from; class numbers become their names.
        limit: use only the first so many rows; `None` for all.
    """

    kind: Literal["huggingface"]
    repo: str
    config: str | None = None
    revision: str | None = None
    split: str = "train"
    image: str = "image"
    columns: dict[Label, str] = {}
    limit: Annotated[int, Field(gt=0)] | None = None


Source = Annotated[FolderSource | CsvSource | HuggingFaceSource, Field(discriminator="kind")]


class CleanRules(_Strict):
    """Which pictures are dropped for what they look like.

    Attributes:
        min_side: shorter sides are too small, in pixels, after cropping.
        max_pixels: larger pictures are not even decoded. Pillow itself refuses more than 178,956,970.
        max_aspect: the long side over the short one.
        min_chroma: mean chroma in Lab units; below, a picture counts as gray.
        min_spread: standard deviation of ab in Lab units; below, a picture counts as sepia.
        min_hue_spread: the same, across its mean hue only. What has one hue and no other is sepia, a drawing
            on yellowed paper, a print in one ink.
        crop_borders: whether plain frames and padding are cropped off.
    """

    min_side: Annotated[int, Field(ge=1)] = 128
    max_pixels: Annotated[int, Field(ge=1, le=178_956_970)] = 89_000_000
    max_aspect: Annotated[float, Field(ge=1)] = 2.6
    min_chroma: Annotated[float, Field(ge=0)] = 4.0
    min_spread: Annotated[float, Field(ge=0)] = 3.0
    min_hue_spread: Annotated[float, Field(ge=0)] = 1.0
    crop_borders: bool = True


class DuplicateRules(_Strict):
    """Which pictures count as the same.

    Attributes:
        distance: pictures whose perceptual hashes differ in at most so many of 64 bits count as one, if their
            detail agrees too; the largest stays.
        related: up to so many bits, both stay but go to the same split.
    """

    distance: Annotated[int, Field(ge=0, le=16)] = 6
    related: Annotated[int, Field(ge=0, le=16)] = 10

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.related < self.distance:
            raise ValueError("related must be at least distance")
        return self


class Balance(_Strict):
    """A cap for every artist, style or genre.

    Attributes:
        by: the label.
        cap: the most pictures of one value. Pictures without the label count as one more value.
    """

    by: Label
    cap: Annotated[int, Field(ge=1)]


class SplitRules(_Strict):
    """How pictures are held out.

    Attributes:
        val: below 1, the share of pictures for validation; from 1, their number.
        test: the same for testing.
        by: `"group"` keeps related pictures together; `"artist"` also keeps artists apart, and pictures whose
            artist is unknown all train.
    """

    val: Annotated[float, Field(ge=0)] = 0.05
    test: Annotated[float, Field(ge=0)] = 0.05
    by: Literal["group", "artist"] = "group"

    @field_validator("val", "test")
    @classmethod
    def _share_or_number(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError(f"{value} is neither a share below 1 nor a whole number of pictures")
        return value


class Output(_Strict):
    """How pictures are written.

    Attributes:
        side: pictures are made smaller until their short side is at most this; `None` keeps every pixel.
        format: of the files.
        quality: of the encoding, 1..100.
        gray: whether `gray/` is written too: every picture once more, without its color and with the same L.
    """

    side: Annotated[int, Field(ge=16)] | None = 512
    format: Literal["webp", "jpeg"] = "webp"
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    gray: bool = False

    @property
    def suffix(self) -> str:
        """What the files' names end in."""
        return {"webp": ".webp", "jpeg": ".jpg"}[self.format]


class DatasetSpec(_Strict):
    """A data set to build.

    Attributes:
        name: of the data set.
        sources: where pictures come from. Of two copies of equal size, the one of the earlier source stays.
        where: label → the values to use; pictures with another value, or none, are left out unread.
        clean: which pictures are dropped for what they look like.
        duplicates: which pictures count as the same.
        balance: a cap for every artist, style or genre; `None` for none.
        split: how pictures are held out.
        output: how pictures are written.
    """

    name: str
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    where: dict[Label, tuple[str, ...]] = {}
    clean: CleanRules = CleanRules()
    duplicates: DuplicateRules = DuplicateRules()
    balance: Balance | None = None
    split: SplitRules = SplitRules()
    output: Output = Output()

    @field_validator("sources")
    @classmethod
    def _own_names(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        if len({source.name for source in sources}) < len(sources):
            raise ValueError("two sources have the same name")
        return sources


def shipped_specs() -> list[str]:
    """Names of the specs that come with artcolor, for `load_spec`."""
    return sorted(path.stem for path in _SHIPPED.glob("*.yaml"))


def load_spec(source: str | Path, *, root: str | Path | None = None) -> DatasetSpec:
    """Reads a spec.

    Args:
        source: a YAML file, or the name of a shipped spec.
        root: folder that the paths in the spec are relative to; if not given, the folder of the YAML file, or
            the current one for a shipped spec.

    Returns:
        The spec, with absolute paths.

    Raises:
        ConfigError: there is no such spec, or it makes no sense.

    Example:
        >>> [source.kind for source in load_spec("wikiart").sources]
        ['huggingface']
    """
    file = Path(source)
    if str(source) in shipped_specs():
        file, default = _SHIPPED / f"{source}.yaml", Path()
    else:
        default = file.parent
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"the spec {source} cannot be read ({error.strerror}). Give a YAML file, or one of the names "
            f"{', '.join(shipped_specs())}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid YAML: {error}") from error
    try:
        spec = DatasetSpec.model_validate(values)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join([f"{file} is not a valid spec:", *lines])) from error
    base = Path(root if root is not None else default).resolve()
    return spec.model_copy(update={"sources": tuple(_below(base, each) for each in spec.sources)})


def _below(base: Path, source: Source) -> Source:
    change: dict[str, Any]
    if isinstance(source, HuggingFaceSource):
        local = source.repo.startswith(("./", "../", "/"))
        change = {"repo": str((base / source.repo).resolve())} if local else {}
    else:
        change = {"path": (base / source.path).resolve()}
    return source.model_copy(update=change)
