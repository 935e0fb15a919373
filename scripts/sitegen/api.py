"""Generates the pages of the API reference: one for each room of artcolor, found by walking the package."""

import ast
import pkgutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import artcolor

_ROOMS = {
    "engine": (
        "Colorizing",
        ("colorizer", "session", "hints", "hint_files", "suggest", "result", "options", "sequence"),
    ),
    "models": (
        "Models",
        ("guidance", "registry", "base", "unet", "vae", "ae", "cnn", "cic", "splitbrain", "student_report", "heads"),
    ),
    "zoo": ("The model zoo", ("manifest", "hub", "store", "card")),
    "images": ("Picture files", ("picture", "read", "write", "formats", "colored", "provenance", "metadata")),
    "color": ("Color: Lab, codebook, planes", ("lab", "codebook", "planes", "transforms", "srgb")),
    "batch": ("Folders and batches", ("run", "plan", "saving", "report", "watch")),
    "video": ("Films", ("film", "numbered", "read", "write")),
    "scale": ("Many machines", ("run", "rows", "journal")),
    "iiif": ("IIIF", ("run", "manifest", "fetch")),
    "serve": ("The server", ("app", "settings", "run")),
    "data": ("Data sets", ("dataset", "build", "spec", "stream", "duplicates", "summary")),
    "train": ("Training", ("trainer", "config", "callbacks", "checkpoint", "objectives")),
    "evaluate": ("Evaluation", ("benchmark", "metrics", "predictors", "protocol", "results", "hints", "sweep")),
    "cli": ("Command-line interface", ("app",)),
}
"""Rooms in the order of the navigation: title, and the modules that readers look for, which come first."""
_GROUPS = {
    "Colorize": ("colorize", "Session", "Colorizer", "save"),
    "Options": ("Decoding", "Guidance"),
    "Find and load models": (
        *("get_model", "list_models", "from_pretrained", "save_weights", "get_weight", "get_model_weights"),
    ),
    "Build models": ("unet", "vae"),
    "Weights": ("UNet_Weights", "VAE_Weights"),
    "Data and training": ("ArtDataset", "Augmentation", "TrainConfig", "Trainer"),
    "Errors": ("ArtcolorError",),
    "More": (),
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
    top = rooms.pop("toplevel")
    order = sorted(rooms, key=lambda room: [*_ROOMS, room].index(room))
    found = {"index.md": _overview(order)}
    for room in order:
        title, first = _ROOMS.get(room, (room, ()))
        found[f"{room}.md"] = _page(title, *_split(room, first, [m for m in rooms[room] if _has_content(m)]))
    found["toplevel.md"] = _page("Errors and files", top)
    found["hubconf.md"] = _page("torch.hub", ["hubconf"]) + _UNTYPED + _entry_points()
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


def _split(room: str, first: tuple[str, ...], modules: list[str]) -> tuple[list[str], list[str]]:
    """Splits the modules of a room into those that readers look for, and its internals."""
    leading = [f"artcolor.{room}", *(f"artcolor.{room}.{name}" for name in first)]
    return [each for each in leading if each in modules], [each for each in modules if each not in leading]


def _page(title: str, modules: list[str], internals: Sequence[str] = ()) -> str:
    names = ", ".join(module.rpartition(".")[2] for module in modules)
    front = f"---\ndescription: 'API reference of artcolor, {title}: {names}'\n---"
    parts = [front, f"# {title}", *(_block(module) for module in modules)]
    if internals:
        parts += ["## Internals", "Code behind the modules above. It may change with any release."]
        parts += [f"::: {module}" for module in internals]
    return "\n\n".join(parts) + "\n"


def _block(module: str) -> str:
    # Names that a package takes from its modules are documented there.
    return f"::: {module}\n    options:\n      members: false" if module == "artcolor.images" else f"::: {module}"


def homes() -> dict[str, str]:
    """Returns the public names of artcolor and the module that defines each, as `artcolor/__init__.pyi` lists them."""
    stub = ast.parse(Path(artcolor.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    return {
        alias.name: f"artcolor.{node.module}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _overview(rooms: Sequence[str]) -> str:
    lines = [
        "# API reference",
        "",
        "`import artcolor` provides these names; torch is imported when one of them is first used.",
    ]
    for group, names in _grouped(homes()).items():
        lines += ["", f"## {group}", "", *_table(names)]
    lines += ["", "## Modules", "", "| page | content |", "|---|---|"]
    lines += [f"| [{_ROOMS.get(room, (room,))[0]}]({room}.md) | {_summary(room)} |" for room in rooms]
    lines += ["| [Errors and files](toplevel.md) | Exceptions, and files that are written atomically. |"]
    lines += ["| [torch.hub](hubconf.md) | Entry points for `torch.hub.load`. |"]
    return "\n".join(lines) + "\n"


def _table(names: Mapping[str, str]) -> list[str]:
    """Returns a table of public names, given the module that defines each."""
    lines = ["| name | summary |", "|---|---|"]
    for name, module in names.items():
        summary = (getattr(artcolor, name).__doc__ or "").strip().splitlines()[0].replace("|", "\\|")
        lines.append(f"| [`{name}`][{module}.{name}] | {summary} |")
    return lines


def _summary(room: str) -> str:
    spec = find_spec(f"artcolor.{room}")
    assert spec is not None and spec.origin is not None, room
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def _entry_points() -> str:
    """Returns the entry points of torch.hub, which hubconf.py makes when it is loaded."""
    models = _grouped(homes())["Build models"]
    text = "Each takes `pretrained` and the arguments of the builder of the same name; `torch.hub.help` shows them."
    return "\n".join(["", "## Entry points", "", text, "", *_table(models)]) + "\n"


def _grouped(found: dict[str, str]) -> dict[str, dict[str, str]]:
    models = set(artcolor.list_models())

    def group(name: str) -> str:
        if name.endswith("_Weights"):
            return "Weights"
        listed = next((group for group, names in _GROUPS.items() if name in names), "More")
        return "Build models" if name in models else listed

    grouped: dict[str, dict[str, str]] = {each: {} for each in _GROUPS}
    for name in (*(name for names in _GROUPS.values() for name in names if name in found), *found):
        grouped[group(name)][name] = found[name]
    return {each: names for each, names in grouped.items() if names}
