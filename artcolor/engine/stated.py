"""The weights and options that the provenance of a result records."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from artcolor.engine.hints import Hint, mask_of
from artcolor.engine.options import OPTIONS
from artcolor.images import Provenance
from artcolor.images.streams import is_source, source_name
from artcolor.models.guidance import Decoding, Guidance


def stated_options(guidance: Guidance, decoding: Decoding, *, chroma_only: bool) -> dict[str, Any]:
    """Lists the options that differ from their defaults, as JSON values.

    Args:
        guidance: hints, palette, reference and sampling; its hints are a list of `Hint`.
        decoding: how the model's output becomes chroma.
        chroma_only: the option of this name.

    Returns:
        Option → value: hints in full, of a reference only its name.

    Example:
        >>> stated_options(Guidance(hints=[Hint(x=0.5, y=0.5, color="teal")]), Decoding(), chroma_only=False)
        {'hints': [{'x': 0.5, 'y': 0.5, 'color': 'teal'}]}
    """
    values = {"chroma_only": chroma_only, **_fields(guidance), **_fields(decoding)}
    return {
        name: _in_words(values[name])
        for name, (_, option) in OPTIONS.items()
        if name in values and not _is_default(values[name], option.default)
    }


def numbered(provenance: Provenance, sample: int) -> Provenance:
    """The provenance of one of several samples, which are numbered from 1.

    Args:
        provenance: provenance of all samples.
        sample: its number, from 0.
    """
    return dataclasses.replace(provenance, options={**provenance.options, "sample": sample + 1})


def fingerprint_of(provenance: Provenance, guidance: Guidance) -> str:
    """Hashes everything that affects the colors of results, so that a run only reuses results with the same colors.

    Args:
        provenance: model and options.
        guidance: guidance with a decoded reference; the masks of its hints are read here.

    Returns:
        The hash, in hexadecimal.

    Example:
        >>> len(fingerprint_of(Provenance("1.0", "unet", "", {}), Guidance()))
        64
    """
    found = hashlib.sha256(json.dumps(dataclasses.asdict(provenance), sort_keys=True, default=str).encode())
    if guidance.reference is not None:
        found.update(np.asarray(guidance.reference).tobytes())
    for hint in guidance.hints or ():
        if hint.mask is not None:
            found.update(mask_of(hint.mask).image.tobytes())
    return found.hexdigest()


def _fields(value: Guidance | Decoding) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _is_default(value: Any, default: Any) -> bool:
    # A reference may be an array, which compares element by element.
    return value is default or (isinstance(value, bool | int | float) and value == default)


def _in_words(value: Any) -> Any:
    if isinstance(value, list):
        return [each.to_json() if isinstance(each, Hint) else each for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return Path(source_name(value)).name if is_source(value) else f"a {type(value).__name__}"
