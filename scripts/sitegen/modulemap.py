"""Draws who imports whom among artcolor's modules, from the imports themselves."""

import ast
from pathlib import Path

from sitegen.cache import ROOT
from sitegen.drawing import BLUE, GRAY, GREEN, ORANGE, PURPLE, Drawing

_COLORS = {
    "the command, torch.hub": ORANGE,
    "training and judging": PURPLE,
    "pictures and files": GREEN,
    "models and weights": BLUE,
    "what all stand on": GRAY,
}
_GROUPS = {
    "cli": "the command, torch.hub",
    "hubconf": "the command, torch.hub",
    **dict.fromkeys(("data", "train", "evaluate"), "training and judging"),
    **dict.fromkeys(("models", "zoo"), "models and weights"),
    **dict.fromkeys(("errors", "atomic", "color"), "what all stand on"),
}


def imports() -> dict[str, set[str]]:
    """Rooms of artcolor (a folder, or files that share a stem: `folder`, `folder_plan`) and the rooms they import."""
    found: dict[str, set[str]] = {}
    files = [*sorted((ROOT / "artcolor").rglob("*.py")), ROOT / "hubconf.py"]
    for file in files:
        # The lazy public face names everything; it would only hide who needs whom.
        if file != ROOT / "artcolor" / "__init__.py":
            room = _room_of(file)
            found.setdefault(room, set()).update(other for other in _imported(file) if other != room)
    # `python -m artcolor.train` calls the command line: a way to start, not something that training stands on.
    found["train"].discard("cli")
    return {room: {other for other in others if other in found} for room, others in found.items()}


def _room_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return _room(parts[1] if len(parts) > 1 else parts[0])


def _room(name: str) -> str:
    return name.partition("_")[0]


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "artcolor":
            names.update(f"artcolor.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {_room(name.split(".")[1]) for name in names if name.startswith("artcolor.")}


def draw() -> str:
    """The map as SVG. Lines that follow from others are left out."""
    graph = imports()
    level: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in level:
            level[room] = 1 + max((height(other) for other in graph[room]), default=-1)
        return level[room]

    highest = max(map(height, graph))
    rows: dict[int, list[str]] = {}
    for room in sorted(graph):
        entrance = not any(room in others for others in graph.values())
        rows.setdefault(highest if entrance else height(room), []).append(room)
    box, step = 104.0, 74.0
    widest = max(len(row) for row in rows.values())
    drawing = Drawing()
    places = {}
    for number, row in rows.items():
        # Rows are shifted in turns, so that lines pass between boxes.
        left = 10 + (widest - len(row)) * (box + 40) / 2 + (number % 2) * 46
        for place, room in enumerate(row):
            places[room] = (left + place * (box + 40), 14 + (highest - number) * step)
    for room, others in graph.items():
        for other in sorted(_direct(graph, others)):
            start, end = places[room], places[other]
            drawing.curve((start[0] + box / 2, start[1] + 32), (end[0] + box / 2, end[1] - 1))
    for room, (x, y) in places.items():
        group = _GROUPS.get(room, "pictures and files")
        drawing.box(x, y, box, 32, _COLORS[group], f"{room} imports {', '.join(sorted(graph[room])) or 'nothing'}")
        drawing.text(x + box / 2, y + 21, room, size=14)
    x, y = 10.0, 14 + (highest + 1) * step
    for group, color in _COLORS.items():
        drawing.box(x, y - 11, 12, 12, color)
        drawing.text(x + 17, y, group, size=11, anchor="start")
        x += 36 + len(group) * 6.2
    return drawing.svg("Which module of artcolor imports which; arrows point down")


def _direct(graph: dict[str, set[str]], others: set[str]) -> set[str]:
    below = set().union(*(_all_below(graph, other) for other in others)) if others else set()
    return others - below


def _all_below(graph: dict[str, set[str]], room: str) -> set[str]:
    return graph[room].union(*(_all_below(graph, other) for other in graph[room])) if graph[room] else set()
