"""Generates the pages of the API reference: one for each room of artcolor, found by walking the package."""

import ast
import pkgutil
from importlib.util import find_spec
from pathlib import Path

import artcolor

_TITLES = {
    "batch": "Folders and batches",
    "cli": "The command",
    "color": "Color: Lab, codebook, planes",
    "data": "Data sets",
    "engine": "Colorizing",
    "evaluate": "Evaluation",
    "images": "Picture files",
    "models": "Models",
    "train": "Training",
    "zoo": "The model zoo",
}
# The entry points of torch.hub are not annotated, so mkdocstrings must not warn about missing types.
_UNTYPED = """    options:
      docstring_options:
        warn_unknown_params: false
        warn_missing_types: false
        returns_multiple_items: false
"""


def pages() -> dict[str, str]:
    """Returns addresses below `api/` and their Markdown, in the order of the navigation."""
    rooms: dict[str, list[str]] = {}
    for module in pkgutil.walk_packages(artcolor.__path__, "artcolor."):
        parts = module.name.split(".")
        if not any(part.startswith("_") for part in parts):
            rooms.setdefault(parts[1] if _is_package(parts[1]) else "toplevel", []).append(module.name)
    found = {"index.md": _overview(), "toplevel.md": _page("Modules at the top", rooms.pop("toplevel"))}
    for room, modules in rooms.items():
        found[f"{room}.md"] = _page(_TITLES.get(room, room), [m for m in modules if _has_content(m)])
    found["hubconf.md"] = _page("torch.hub", ["hubconf"]) + _UNTYPED
    return found


def _is_package(room: str) -> bool:
    spec = find_spec(f"artcolor.{room}")
    return spec is not None and spec.submodule_search_locations is not None


def _has_content(module: str) -> bool:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return False
    # An __init__.py that holds only a docstring has nothing else to show.
    return len(ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body) > 1


def _page(title: str, modules: list[str]) -> str:
    return f"# {title}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"


def homes() -> dict[str, str]:
    """Returns the public names of artcolor and the module that defines each, as `artcolor/__init__.pyi` lists them."""
    stub = ast.parse(Path(artcolor.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    return {
        alias.name: f"artcolor.{node.module}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _overview() -> str:
    lines = [
        "# API reference",
        "",
        "`import artcolor` provides these names; torch is imported when one of them is first used. The other pages "
        "of this section document the modules.",
        "",
        "| name | summary |",
        "|---|---|",
    ]
    for name, module in sorted(homes().items()):
        summary = (getattr(artcolor, name).__doc__ or "").strip().splitlines()[0].replace("|", "\\|")
        lines.append(f"| [`{name}`][{module}.{name}] | {summary} |")
    return "\n".join(lines) + "\n"
