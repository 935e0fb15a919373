"""The request that `artcolor colorize` was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artcolor.batch.saving import Saving
from artcolor.cli.output import Showing
from artcolor.engine.options import OPTIONS
from artcolor.errors import ConfigError

if TYPE_CHECKING:
    from artcolor.engine.colorizer import Colorizer


@dataclass(frozen=True)
class Request:
    """The arguments and options of `artcolor colorize`.

    Attributes:
        inputs: pictures and folders, or `-`.
        out: file or folder; `None` is beside the inputs.
        into_folder: `out` is a folder, whatever its name.
        model: name of a model or of weights, or path of a weights file.
        saving: how results are written.
        options: colorizing options; see `Colorizer`.
        files_from: list of further inputs.
        layers: where the layers go.
        card: where the card goes.
        report: where the report goes.
        watch: keep looking for new pictures.
        workers: number of threads; `None` is one per core.
        codec: codec of films; `None` is that of the original.
        crf: quality of films.
        sequence: folders hold the numbered frames of films.
        showing: what is printed.
        reference_at: number of a frame of a film → reference of the shot that contains it.
    """

    inputs: Sequence[Path]
    out: Path | None
    into_folder: bool
    model: str
    saving: Saving
    options: Mapping[str, Any]
    files_from: Path | None
    layers: Path | None
    card: Path | None
    report: Path | None
    watch: bool
    workers: int | None
    codec: str | None
    crf: int | None
    sequence: bool
    showing: Showing
    reference_at: Mapping[int, Path] | None = None

    @property
    def samples(self) -> int:
        """Number of colorings of each picture."""
        samples: int = self.options["samples"]
        return samples

    def refuse(self, names: Sequence[str], flags: str) -> None:
        """Refuses options that do not go with others.

        Args:
            names: names of the options to refuse.
            flags: flags of the other options, for the message.

        Raises:
            ConfigError: one of `names` was given.
        """
        for name in names:
            if self.given(name):
                raise ConfigError(f"--{name.replace('_', '-')} cannot be combined with {flags}; leave it out")

    def given(self, name: str) -> bool:
        """Returns whether an option differs from its default.

        Args:
            name: name of the option.
        """
        if name in self.options:
            return bool(self.options[name] != OPTIONS[name][1].default)
        holder = next(each for each in (self, self.saving, self.showing) if hasattr(each, name))
        value = getattr(holder, name)
        # 0 is a value.
        return value is not None and value is not False

    def colorizer(self, **changes: Any) -> "Colorizer":
        """Loads the model.

        Args:
            **changes: options that differ from those given.

        Raises:
            ConfigError: an option is invalid, or the model does not accept it.
            ImageError: hints or reference cannot be read.
            WeightsError: the weights are missing or damaged.
        """
        from artcolor.engine.colorizer import Colorizer

        return Colorizer(self.model, **{**self.options, **changes})
