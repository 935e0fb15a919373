"""Response headers for what the body cannot contain."""

import json
from collections.abc import Sequence
from urllib.parse import quote

from artcolor.images import Provenance

__all__ = ["HEADERS", "provenance_headers", "warning_headers"]

HEADERS = {
    "X-Artcolor-Model": "Name of the weights, percent-encoded where it is not ASCII.",
    "X-Artcolor-Weights-SHA256": "SHA-256 of the weights.",
    "X-Artcolor-Version": "Version of artcolor.",
    "X-Artcolor-Options": "JSON object with the options recorded in the file, except for hints.",
    "X-Artcolor-Used": "JSON object with the vividness, temperature and strength that were used, including defaults.",
    "X-Artcolor-Warnings": "Percent-encoded JSON list of warnings; absent if there are none.",
    "X-Artcolor-Failed": "Number of files in the ZIP file that failed; see report.json for the reasons.",
}
"""Name of each header → its content."""


def provenance_headers(provenance: Provenance) -> dict[str, str]:
    """Returns headers with the provenance of a picture.

    Args:
        provenance: provenance of the picture. Hints are left out, because headers are short; the file has them.

    Returns:
        Name of the header → value. The name of the model is percent-encoded where it is not ASCII.
    """
    options = {name: value for name, value in provenance.options.items() if name != "hints"}
    return {
        # Weights of one's own may have any name, and headers hold ASCII.
        "X-Artcolor-Model": quote(provenance.model, safe=" @"),
        "X-Artcolor-Weights-SHA256": provenance.weights_sha256,
        "X-Artcolor-Version": provenance.version,
        "X-Artcolor-Options": json.dumps(options),
    }


def warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """Returns a header with warnings.

    Args:
        warnings: sentences.

    Returns:
        Name of the header → value; empty without warnings.

    Example:
        >>> warning_headers(["the end is missing"])
        {'X-Artcolor-Warnings': '%5B%22the%20end%20is%20missing%22%5D'}
    """
    return {"X-Artcolor-Warnings": quote(json.dumps(list(warnings), ensure_ascii=False), safe="")} if warnings else {}
