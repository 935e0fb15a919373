"""Defines the YAML spec of a data set: sources, filters, cleaning, balance, splits and output."""

import string
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from artcolor.errors import ConfigError, install_extra

try:
    import yaml
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

    from artcolor.data.validation import in_words
except ImportError as error:
    raise ImportError(f"building a data set needs pydantic and pyyaml: {install_extra('train')}") from error

Label = Literal["artist", "style", "genre"]
LABELS: tuple[Label, ...] = ("artist", "style", "genre")

_SHIPPED = Path(__file__).resolve().parent.parent / "recipes" / "datasets"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lookup(_Strict):
    """A CSV file with additional labels, one row for each value of a label that the pictures already have.

    Attributes:
        file: path of the CSV file, relative to the folder of the source.
        by: label by which rows are looked up.
        key: column that holds the values of `by`.
        columns: label → column that holds its values.
        separator: separator of several values in a cell, of which the first is used; `None` uses the whole cell.
    """

    file: Path
    by: Label = "artist"
    key: str
    columns: dict[Label, str]
    separator: str | None = None


class _Source(_Strict):
    """Fields of every kind of source.

    Attributes:
        name: name of the source in `metadata.csv` and the report.
        labels: label → default value for pictures without this label.
        aliases: spelling found → label to use instead; `""` means unknown.
    """

    name: Annotated[str, Field(min_length=1)]
    labels: dict[Label, str] = {}
    aliases: dict[str, str] = {}


class FolderSource(_Source):
    """A folder of pictures whose labels are part of the paths.

    Attributes:
        path: path of the folder, relative to the folder of the spec.
        layouts: alternative patterns of paths below the folder, with `{artist}`, `{style}` and `{genre}`; `*` matches
            anything but `/`, and `**` anything. The first pattern that matches any picture is used.
        lookup: additional labels from a CSV file.
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
                raise ValueError(f"{layout!r} has {sorted(unknown)}; braces may contain {list(LABELS)} only")
            if len(places) != len(set(places)):
                raise ValueError(f"{layout!r} repeats a label")
        return layouts


class CsvSource(_Source):
    """A folder of pictures, and a CSV file with one row per picture.

    Attributes:
        path: path of the folder, relative to the folder of the spec.
        table: path of the CSV file, relative to `path`.
        file: column that holds the paths of the pictures, relative to `path`.
        columns: label → column that holds its values.
        delimiter: delimiter of the CSV file.
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
        repo: `owner/name` on the Hub, or a local folder that starts with `./`, `../` or `/`.
        config: name of the configuration; `None` uses the default.
        revision: branch, tag or commit; `None` uses the default branch.
        split: split of the Hugging Face data set that is read.
        image: column that holds the pictures.
        columns: label → column that holds its values; class numbers are replaced by their names.
        limit: use only this many leading rows; `None` for all.
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
    """Limits beyond which pictures are dropped.

    Attributes:
        min_side: smallest short side after cropping, in pixels.
        max_pixels: largest number of pixels that is decoded; Pillow itself refuses more than 178,956,970.
        max_aspect: largest ratio of the long side to the short side.
        min_chroma: smallest mean chroma, in Lab units; below it, a picture counts as gray.
        min_spread: smallest standard deviation of ab, in Lab units; below it, a picture counts as sepia.
        min_hue_spread: smallest standard deviation of ab perpendicular to the mean hue, in Lab units; below it, a
            picture has a single hue, like a sepia photograph, a drawing on yellowed paper or a one-ink print.
        crop_borders: crop plain frames and padding.
    """

    min_side: Annotated[int, Field(ge=1)] = 128
    max_pixels: Annotated[int, Field(ge=1, le=178_956_970)] = 89_000_000
    max_aspect: Annotated[float, Field(ge=1)] = 2.6
    min_chroma: Annotated[float, Field(ge=0)] = 4.0
    min_spread: Annotated[float, Field(ge=0)] = 3.0
    min_hue_spread: Annotated[float, Field(ge=0)] = 1.0
    crop_borders: bool = True


class DuplicateRules(_Strict):
    """Limits within which two pictures count as duplicates or as related.

    Attributes:
        distance: largest number of differing bits, of 64, between the perceptual hashes of duplicates. Their detail
            must agree, too. Of duplicates, only the largest is kept.
        related: largest number of differing bits between related pictures, which go to the same split.
    """

    distance: Annotated[int, Field(ge=0, le=16)] = 6
    related: Annotated[int, Field(ge=0, le=16)] = 10

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.related < self.distance:
            raise ValueError("related must be at least distance")
        return self


class Balance(_Strict):
    """A cap on the number of pictures per artist, style or genre.

    Attributes:
        by: label whose values are capped.
        cap: largest number of pictures per value. Pictures without the label count as one value.
    """

    by: Label
    cap: Annotated[int, Field(ge=1)]


class SplitRules(_Strict):
    """Sizes of the splits, and what must not be divided between them.

    Attributes:
        val: size of the validation split: a fraction of all pictures if below 1, else a number of pictures.
        test: size of the test split: a fraction of all pictures if below 1, else a number of pictures.
        by: `"group"` keeps related pictures in one split. `"artist"` also keeps the pictures of an artist in one split;
            all pictures by unknown artists go to train.
    """

    val: Annotated[float, Field(ge=0)] = 0.05
    test: Annotated[float, Field(ge=0)] = 0.05
    by: Literal["group", "artist"] = "group"

    @field_validator("val", "test")
    @classmethod
    def _share_or_number(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError(f"{value} is neither a fraction below 1 nor a whole number of pictures")
        return value


class Output(_Strict):
    """Size and format of the written pictures.

    Attributes:
        side: longest short side in pixels, to which larger pictures are reduced; `None` keeps the full size.
        format: format of the files.
        quality: encoder quality, 1..100.
        gray: also write `gray/`, which holds a gray twin of every picture with the same L.
    """

    side: Annotated[int, Field(ge=16)] | None = 512
    format: Literal["webp", "jpeg"] = "webp"
    quality: Annotated[int, Field(ge=1, le=100)] = 85
    gray: bool = False

    @property
    def suffix(self) -> str:
        """The suffix of the files, with its dot."""
        return {"webp": ".webp", "jpeg": ".jpg"}[self.format]


class DatasetSpec(_Strict):
    """The spec of a data set.

    Attributes:
        name: name of the data set.
        sources: sources of the pictures. Of duplicates of equal size, the one from the earlier source is kept.
        where: label → the values to use; pictures with another value, or without one, are skipped unread.
        clean: limits beyond which pictures are dropped.
        duplicates: limits for duplicates and related pictures.
        balance: cap on the number of pictures per artist, style or genre; `None` for no cap.
        split: sizes of the splits.
        output: size and format of the written pictures.
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
    """Returns the names of the specs that artcolor ships, for `load_spec`."""
    return sorted(path.stem for path in _SHIPPED.glob("*.yaml"))


def load_spec(source: str | Path, *, root: str | Path | None = None) -> DatasetSpec:
    """Reads a spec.

    Args:
        source: path of a YAML file, or the name of a shipped spec.
        root: folder that paths in the spec are relative to; `None` uses the folder of the YAML file, or the current
            folder for a shipped spec.

    Returns:
        The spec, with absolute paths.

    Raises:
        ConfigError: the spec does not exist, or is invalid.

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
            f"the spec {source} cannot be read ({error.strerror}). Pass the path of a YAML file, or the name of a "
            f"shipped spec: {', '.join(shipped_specs())}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid YAML: {error}") from error
    try:
        spec = DatasetSpec.model_validate(values)
    except ValidationError as error:
        lines = [f"  {in_words(each, 'key')}" for each in error.errors()]
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
