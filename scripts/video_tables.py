"""The sections about films that are generated from docs/results/video.json, which benchmarks/video.py writes."""

import json
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results" / "video.json"
# Name in the results → name in the table.
_METHODS = {
    "each frame alone": "each frame alone",
    "held where lightness stands still": "held where lightness stands still (animations)",
    "averaged without motion": "averaged without motion",
    "averaged along the motion": "averaged along the motion (films)",
}


def steady_tables() -> str:
    """Returns a Markdown table of how steady colors are, and sentences on cuts and on places that are seen again."""
    results = _read()
    steady, cuts, mood = (results[part] for part in ("steady", "cuts", "mood"))
    lines = ["| method | warp error | PSNR | ΔCF | 1000 · histograms |\n", "|---|--:|--:|--:|--:|\n"]
    for name, shown in _METHODS.items():
        row = steady["methods"][name]
        cells = (row["warp"], row["psnr"], row["delta_colorfulness"], 1000 * row["excess"])
        signed = f"{cells[2]:+.2f}".replace("-", "−") if name != "each frame alone" else "0.00"
        lines.append(f"| {shown} | {cells[0]:.2f} | {cells[1]:.2f} | {signed} | {cells[3]:.2f} |\n")
    lines += [
        f"\n{_measured(steady)}.\n\n",
        f"- Shots: {cuts['found']} of {cuts['cuts']} hard cuts in {cuts['films']} films are found, to within a frame, "
        f"with {cuts['wrong']} false ones; {cuts['fades']} fades and dissolves cause {cuts['extra']} extra cuts. "
        f"{_measured(cuts)}.\n",
        f"- Places that return: the mean color of a place differs by {mood['alone']:.2f} (ab) between two shots that "
        f"are colorized independently, and by {mood['remembered']:.2f} if the place is remembered. "
        f"{_measured(mood)}.\n",
    ]
    return "".join(lines)


def speed_tables() -> str:
    """Returns paragraphs on the speed of the whole road and on memory, as far as they were measured."""
    results = _read()
    lines = []
    if "road" in results:
        road = results["road"]
        lines.append(
            f"Speed: {road['frames_per_second']:.1f} frames per second at 720 × 576, from one H.264 file to another "
            f"({road['processor_ms_per_frame']:.0f} ms of CPU time per frame). {_measured(road)}, with "
            f"{road['threads']} threads, at a load average of {road['load']}.\n"
        )
    if "memory" in results:
        memory = results["memory"]
        shown = ", ".join(f"{size} MB after {frames} frames" for frames, size in memory["resident_mb"].items())
        lines.append(f"Memory: {shown} of one shot at 720 × 576. {_measured(memory)}.\n")
    return "\n".join(lines)


def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_RESULTS.read_text(encoding="utf-8"))
    return found


def _measured(part: dict[str, Any]) -> str:
    return f"Measured on {part['date']} with `{part['command']}` on {part['machine']}"
