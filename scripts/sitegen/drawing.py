"""Small SVG drawings whose lines and text use the color of the page, so that they suit light and dark themes."""

import math
from html import escape

# Midtones with contrast on both white and near black.
BLUE, ORANGE, GREEN, PURPLE, RED, GRAY = "#4c86c6", "#d9822b", "#3f9e66", "#9067c6", "#cf5a5a", "#8a8f98"


def text_width(words: str, size: float) -> float:
    """Estimates how wide text is in the fonts of the site, with room to spare.

    Args:
        words: the text.
        size: its font size.
    """
    narrow = sum(words.count(letter) for letter in " ,.:;()|iljtfrI1/")
    wide = sum(words.count(letter) for letter in "mwMWG→")
    return size * (0.33 * narrow + 0.86 * wide + 0.57 * (len(words) - narrow - wide))


class Drawing:
    """Collects shapes and their extent."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._right = self._bottom = 0.0

    def box(self, x: float, y: float, width: float, height: float, color: str, title: str = "") -> None:
        """Adds a filled rectangle with `title` as its tooltip."""
        self._reach(x + width, y + height)
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2.5"'
        # The color is translucent, so the background of the page hides what is behind the box.
        self._parts.append(
            f'<rect {place} style="fill: var(--md-default-bg-color)"/>'
            f'<rect {place} fill="{color}" fill-opacity=".82"><title>{escape(title)}</title></rect>'
        )

    def text(self, x: float, y: float, words: str, *, size: float = 11, anchor: str = "middle", turn: int = 0) -> None:
        """Adds text in the color of the page."""
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        reach = {"middle": 0.5, "start": 1.0, "end": 0.0}[anchor] * text_width(words, size)
        angle = math.radians(turn)
        self._reach(x + reach * math.cos(angle), y + reach * math.sin(angle))
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="currentColor"{turned}>'
            f"{escape(words)}</text>"
        )

    def line(self, points: list[tuple[float, float]], *, dashed: bool = False, arrow: bool = True) -> None:
        """Adds a line through points, with an arrow at its end."""
        path = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shape(f"M{path}", points, dashed, arrow)

    def curve(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Adds a curve that starts and ends vertically, with an arrow at its end."""
        middle = (start[1] + end[1]) / 2
        path = f"M{start[0]:.1f},{start[1]:.1f} C{start[0]:.1f},{middle:.1f} {end[0]:.1f},{middle:.1f} "
        self._shape(f"{path}{end[0]:.1f},{end[1]:.1f}", [start, end], False, True)

    def svg(self, label: str) -> str:
        """Returns the drawing for a page; `label` describes it to screen readers."""
        width, height = self._right + 8, self._bottom + 8
        return (
            f'<svg class="ac-drawing" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
            f'role="img" aria-label="{escape(label)}" font-family="inherit">'
            '<defs><marker id="ac-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" '
            'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker></defs>'
            f"{''.join(self._parts)}</svg>"
        )

    def _shape(self, path: str, points: list[tuple[float, float]], dashed: bool, arrow: bool) -> None:
        for x, y in points:
            self._reach(x, y)
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        tip = ' marker-end="url(#ac-arrow)"' if arrow else ""
        self._parts.append(f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".6"{dash}{tip}/>')

    def _reach(self, x: float, y: float) -> None:
        self._right, self._bottom = max(self._right, x), max(self._bottom, y)
