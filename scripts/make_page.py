"""Builds the page that colorizes in the browser, as static files for any host.

Run from a checkout with the extra `export`:

    python scripts/fetch_onnxruntime_web.py
    python scripts/make_page.py OUT
    python -m http.server --directory OUT
"""

from pathlib import Path
from typing import Annotated

import typer
from sitegen import page

from artcolor.errors import ArtcolorError


def main(
    out: Annotated[Path, typer.Argument(help="Folder to write to; an earlier page in it is replaced.")],
    model: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="What `artcolor export --half --hints` wrote. Default: the default model."
        ),
    ] = None,
) -> None:
    """Writes the page into a folder."""
    try:
        sizes = page.build(out, model)
    except (ArtcolorError, OSError) as error:
        raise SystemExit(f"the page was not made: {error}") from None
    for name, size in sizes.items():
        print(f"{size:>12,} {out / name}")
    print(f"{sum(sizes.values()):>12,} in all")


if __name__ == "__main__":
    typer.run(main)
