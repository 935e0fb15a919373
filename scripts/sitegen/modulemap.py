"""Draws which room of artcolor imports which, from the imports in the code."""

import ast
from pathlib import Path

from sitegen.cache import ROOT
from sitegen.drawing import BLUE, GRAY, GREEN, ORANGE, PURPLE, Drawing, text_width

_GROUPS = {
    "command and torch.hub": (ORANGE, {"cli", "hubconf"}),
    "training and evaluation": (PURPLE, {"data", "train", "evaluate"}),
    "colorizing and picture files": (GREEN, {"batch", "engine", "iiif", "images", "scale", "serve", "video"}),
    "models and weights": (BLUE, {"models", "zoo"}),
    "foundation": (GRAY, {"errors", "files", "color"}),
}
_WIDTH, _HEIGHT, _STEP = 104.0, 32.0, 74.0


def imports() -> dict[str, set[str]]:
    """Returns the rooms of artcolor (folders, and single modules at the top) and the rooms that each imports."""
    found: dict[str, set[str]] = {}
    for file in [*sorted((ROOT / "artcolor").rglob("*.py")), ROOT / "hubconf.py"]:
        # The package's lazy __init__ only re-exports; `python -m artcolor` and `python -m artcolor.train` are ways to
        # start the command.
        if file.name != "__main__.py" and file.relative_to(ROOT).as_posix() != "artcolor/__init__.py":
            room = _room_of(file)
            found.setdefault(room, set()).update(_imported(file) - {room})
    return {room: others & set(found) for room, others in found.items()}


def draw() -> str:
    """Returns the map as SVG. Edges that follow from others are left out."""
    graph = imports()
    level = {room: _height(graph, room) for room in graph}
    highest = max(level.values())
    rows: dict[int, list[str]] = {}
    for room in sorted(graph):
        is_entrance = not any(room in others for others in graph.values())
        rows.setdefault(highest if is_entrance else level[room], []).append(room)
    widest = max(len(row) for row in rows.values())
    drawing = Drawing()
    places = {}
    for number, row in rows.items():
        # Every other row is shifted so that edges pass between the boxes.
        left = 10 + (widest - len(row)) * (_WIDTH + 40) / 2 + (number % 2) * 46
        for place, room in enumerate(row):
            places[room] = (left + place * (_WIDTH + 40), 14 + (highest - number) * _STEP)
    for room, others in graph.items():
        for other in sorted(_direct(graph, others)):
            start, end = places[room], places[other]
            drawing.curve((start[0] + _WIDTH / 2, start[1] + _HEIGHT), (end[0] + _WIDTH / 2, end[1] - 1))
    for room, (x, y) in places.items():
        color = next((color for color, members in _GROUPS.values() if room in members), GREEN)
        title = f"{room} imports {', '.join(sorted(graph[room])) or 'nothing'}"
        drawing.box(x, y, _WIDTH, _HEIGHT, color, title)
        drawing.text(x + _WIDTH / 2, y + 21, room, size=14)
    x, y = 10.0, 14 + (highest + 1) * _STEP
    for group, (color, _) in _GROUPS.items():
        drawing.box(x, y - 11, 12, 12, color)
        drawing.text(x + 17, y, group, size=11, anchor="start")
        x += 37 + text_width(group, 11)
    return drawing.svg("Which room of artcolor imports which; arrows point down")


def _room_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[1] if len(parts) > 1 else parts[0]


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "artcolor":
            names.update(f"artcolor.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("artcolor.")}


def _height(graph: dict[str, set[str]], room: str) -> int:
    return 1 + max((_height(graph, other) for other in graph[room]), default=-1)


def _direct(graph: dict[str, set[str]], others: set[str]) -> set[str]:
    return others - set().union(*(_all_below(graph, other) for other in others))


def _all_below(graph: dict[str, set[str]], room: str) -> set[str]:
    return graph[room].union(*(_all_below(graph, other) for other in graph[room]))
