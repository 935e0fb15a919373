"""The files that `artcolor colorize` writes beside the result of a single picture: layers and a card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artcolor.cli.request import Request
from artcolor.engine.targets import CARD_SUFFIXES, LAYERS_SUFFIXES, check_not_original, check_suffix
from artcolor.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from artcolor.batch.plan import Job
    from artcolor.engine.session import Session
    from artcolor.models.guidance import Decoding, Guidance

# With these a session would show another picture than the result, or could not open the original.
_REFUSED = ("chroma_only", "max_pixels", "allow_truncated")


def plan_documents(jobs: "Sequence[Job]", request: Request) -> dict[str, Path]:
    """Checks which documents can be written, before anything is colorized.

    Args:
        jobs: all jobs of the run.
        request: arguments and options of the command.

    Returns:
        `"layers"` and `"card"` → path, of those to write.

    Raises:
        ConfigError: there are several pictures, a document exists, or an option does not go with documents.
        ImageError: a path has another suffix, or is the original.
    """
    asked = {name: path for name, path in (("layers", request.layers), ("card", request.card)) if path is not None}
    if not asked:
        return {}
    from artcolor.images import open_file

    saving = request.saving
    flags = " and ".join(f"--{name}" for name in asked)
    takes = "takes" if len(asked) == 1 else "take"
    if len(jobs) != 1:
        raise ConfigError(f"{flags} {takes} a single picture, not {len(jobs)}; colorize them one by one")
    if request.samples > 1:
        raise ConfigError(f"{flags} {takes} a single coloring, not {request.samples}; leave out --samples")
    request.refuse(_REFUSED, flags)
    for name, path in asked.items():
        check_suffix(path, LAYERS_SUFFIXES if name == "layers" else CARD_SUFFIXES)
        check_not_original(jobs[0].source, path)
        if path.exists() and not saving.force and not saving.resume:
            raise ConfigError(f"{path} already exists; --force replaces it, and --resume skips it")
    if jobs[0].source.is_file():
        with open_file(jobs[0].source) as file:
            if file.frames > 1:
                raise ConfigError(f"{flags} {takes} a file with one page, but {jobs[0].source} has {file.frames}")
    return {name: path for name, path in asked.items() if not (saving.resume and path.exists())}


def write_documents(
    documents: Mapping[str, Path], session: "Session", guidance: "Guidance", decoding: "Decoding"
) -> None:
    """Writes documents, and makes their folders.

    Args:
        documents: what `plan_documents` returned.
        session: session of the picture.
        guidance: guidance that it was colorized with.
        decoding: decoding that it was colorized with.

    Raises:
        ImageError: one of them cannot be written.
    """
    for name, path in documents.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"the folder {path.parent} cannot be created: {error.strerror}") from error
        save = session.save_layers if name == "layers" else session.save_card
        save(path, guidance, decoding)
