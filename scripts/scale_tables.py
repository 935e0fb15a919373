"""The sections about collections that are generated from docs/results/scale.json, which benchmarks/scale.py writes."""

import json
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results" / "scale.json"


def scale_measured() -> str:
    """Returns what `benchmarks/scale.py` measured on one machine."""
    found = _scale()
    runs, ratios, kills = found["speed"]["runs"], found["speed"]["ratios"], found["kills"]
    lines = [
        f"`{found['model']}`, {found['files']} pictures of 0.05 megapixels, {found['machine']}, {found['date']}:\n\n",
        "| | pictures per second | seconds until the first result |\n|---|--:|--:|\n",
        *(f"| {name} | {run['speed']:.1f} | {run['start']:.1f} |\n" for name, run in runs.items()),
    ]
    two, parallel, overhead = ratios["two actors to one"], ratios["two commands to one"], ratios["overhead"]
    memory = {name: size["uss"] for name, size in found["sizes"].items()}
    memory["0.05"] = max(memory["0.05"], *(run.get("uss", 0) for run in runs.values()))
    lines += [
        f"\n- Two actors are {two:.2f} times as fast as one (target: {_met(two >= 1.8, '1.8')}); two "
        f"commands without Ray, each on a core of its own, are {parallel:.2f} times as fast as one.\n",
        f"- On both cores, Ray is {abs(overhead):.1%} {'slower' if overhead > 0 else 'faster'} than `artcolor "
        f"colorize` (target: {_met(overhead <= 0.15, 'at most 15% slower')}). With the start, once per run, all "
        f"pictures took {runs['two actors']['wall']:.0f} s with Ray and "
        f"{runs['one command, two cores']['wall']:.0f} s without.\n",
        f"- An actor has at most {' / '.join(f'{each / 1e6:.0f}' for each in memory.values())} MB of memory of its own "
        f"with pictures of {' / '.join(memory)} megapixels (target: "
        f"{_met(max(memory.values()) <= 1.2e9, 'at most 1.2 GB')}).\n",
        f"- Damaged files: {found['speed']['bad']} of {found['files']}, which are `failed` in the journal; all others "
        "are colorized" + (", byte-identical to `artcolor colorize`.\n" if found["speed"]["same_bytes"] else ".\n"),
    ]
    for what in ("worker", "machine", "driver"):
        each = kills[what]
        lines.append(
            f"- SIGKILL of a {what} during a run over {kills['files']} pictures: {each['lost']} results lost, "
            f"{each['torn']} corrupted, {each['twice']} recorded twice.\n"
        )
    return "".join(lines)


def scale_sizes() -> str:
    """Returns a Markdown table of speed and bytes by size."""
    lines = ["| megapixels | pictures per second per core | MB read | MB written |\n|--:|--:|--:|--:|\n"]
    for name, size in _scale()["sizes"].items():
        read, written = size["read"] / 1e6, size["written"] / 1e6
        lines.append(f"| {name} | {size['speed_a_core']:.2f} | {read:.2f} | {written:.2f} |\n")
    return "".join(lines)


def scale_paper() -> str:
    """Returns what ten million scans take, computed from what was measured."""
    found = _scale()
    pictures, cores = 10_000_000, 1600
    size, rows, requests = found["sizes"]["12"], found["rows"], found["requests"]["12"]
    speed = size["speed_a_core"] * cores
    hours, core_hours = pictures / speed / 3600, pictures / size["speed_a_core"] / 3600
    read, written = size["read"] * speed, size["written"] * speed
    files = hours * 360
    most = rows["journaled_a_second"]
    asked = " and ".join(f"{count * speed:,.0f} {method}" for method, count in requests.items())
    lines = [
        "| ten million scans of 12 megapixels on 100 machines of 16 cores | |\n|---|---|\n",
        f"| speed | {speed:,.0f} pictures per second |\n",
        f"| time | {hours:,.1f} hours, {core_hours:,.0f} core hours |\n",
        f"| price, if a core hour costs $0.05 | ${core_hours * 0.05:,.0f} |\n",
        f"| bytes moved | {size['read'] * pictures / 1e12:,.1f} TB read, {size['written'] * pictures / 1e12:,.1f} TB "
        "written |\n",
        f"| load on the store | {asked} requests per second, {read / 1e6:,.0f} MB/s read, {written / 1e6:,.0f} MB/s "
        "written |\n",
        f"| load on a machine | {read / 1e6 / 100:,.1f} MB/s read, {written / 1e6 / 100:,.1f} MB/s written |\n",
        f"| load on the scheduler | {speed:,.0f} rows per second, {speed / 16:,.0f} batches per second |\n",
        f"| planning by the driver | {pictures / rows['planned_a_second'] / 60:,.1f} minutes, with "
        f"{rows['driver_bytes_a_row'] * pictures / 1e9:,.1f} GB of memory |\n",
        f"| the journal | {files:,.0f} files, {rows['journal_bytes_a_row'] * pictures / 1e9:,.2f} GB |\n",
        "\n",
        f"With workers that do nothing, the driver and two actors on this machine handle {most:,.0f} rows per "
        f"second. This is the first bottleneck: {most / size['speed_a_core']:,.0f} cores reach it at 12 megapixels, "
        f"{most / found['sizes']['1']['speed_a_core']:,.0f} at 1, and "
        f"{most / found['sizes']['0.05']['speed_a_core']:,.0f} at 0.05. To go further, split the manifest; each part "
        "is then a run with its own journal.\n",
    ]
    return "".join(lines)


def _scale() -> Any:
    return json.loads(_RESULTS.read_text(encoding="utf-8"))


def _met(met: bool, target: str) -> str:
    return f"{target}, {'met' if met else '**missed**'}"
