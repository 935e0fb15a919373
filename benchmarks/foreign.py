"""Read files that other tools wrote in random legal forms, and compare them with what was written.

    python benchmarks/foreign.py --count 5000 --seed 0
    python benchmarks/foreign.py --tools tifffile,magick --out found
    python benchmarks/foreign.py --tools tifffile --first 1234 --count 1

Each file must be read with the right lightness (mean difference of L below 0.5; more for lossy forms), size,
orientation, alpha and number of pages, or be refused by an `ImageError` whose message says what it is. A difference
that a warning of artcolor explains counts as warned. Everything else is a failure: the exit status is 1, and the files
are kept under `--out`. A file depends only on its tool, its number and `--seed`. Prints a Markdown table.
"""

import argparse
import contextlib
import functools
import logging
import multiprocessing
import os
import re
import sys
import tempfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from foreign_commands import COMMANDS
from foreign_files import Foreign, Page, Rng, UnwritableError, lightness
from foreign_imagecodecs import with_imagecodecs
from foreign_pillow import with_pillow
from foreign_tiff import with_tifffile

from artcolor.errors import ImageError
from artcolor.images import Picture, open_file
from artcolor.images.picture import at_depth

TOOLS: dict[str, Callable[[Rng, Path], Foreign]] = {
    "tifffile": with_tifffile,
    "imagecodecs": with_imagecodecs,
    "pillow": with_pillow,
    **{name: tool.draw for name, tool in COMMANDS.items()},
}
OUTCOMES = ("right", "refused", "warned", "wrong silently", "unclear refusal", "other exception")
FAILURES = OUTCOMES[3:]
SHOWN = 20
_ATTEMPTS, _CHUNK = 200, 25
# Words of warnings that explain a difference.
_EXPLAINED = re.compile(
    r"clipped|ignored|not supported|too dark|read as 16 bits|assumed|makes? no sense|left out|unclear"
)
# Signs of a message that was not written for people.
_UNCLEAR = re.compile(
    r"Traceback|[A-Z]\w+Error\b|NoneType|object has no|ndarray|dtype|broadcast|out of range|buffer|codec|decoder error"
    r"|\breturned\b|by this driver|unpack|subscriptable|argument|0x[0-9a-f]+|[\w']+\(\)|cannot reshape"
)


@dataclass(frozen=True)
class Outcome:
    """The outcome for one file."""

    tool: str
    number: int
    kind: str
    how: str = ""
    detail: str = ""
    kept: str = ""


def missing(tool: str) -> str | None:
    """Returns why a tool cannot be used here, or `None`."""
    return COMMANDS[tool].missing() if tool in COMMANDS else None


def drawn(tool: str, number: int, seed: int) -> Foreign:
    """Makes a file: the same one for the same arguments and versions of the tools."""
    rng = np.random.default_rng([seed, zlib.crc32(tool.encode()), number])
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="foreign-") as folder:
            try:
                return TOOLS[tool](rng, Path(folder))
            except UnwritableError as raised:
                error = raised
    raise RuntimeError(f"{tool} wrote none of {_ATTEMPTS} forms in a row; the last: {error}")


@contextlib.contextmanager
def _warned() -> Iterator[list[str]]:
    """Collects the warnings that artcolor logs."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("artcolor"), Collector(logging.WARNING)
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield messages
    finally:
        logger.removeHandler(handler)


def judge(foreign: Foreign, source: bytes | Path) -> tuple[str, str]:
    """Reads a file. Returns one of `OUTCOMES`, and what was wrong."""
    with _warned() as messages:
        try:
            with open_file(source) as file:
                pages = list(file)
        except ImageError as error:
            return _refusal(foreign, str(error).replace(str(source), "the file"))
        except Exception as error:
            return "other exception", f"{type(error).__name__}: {error}"
    wrong = _difference(foreign, pages)
    if not wrong:
        return "right", ""
    explained = next((message for message in messages if _EXPLAINED.search(message)), None)
    return ("warned", f"{wrong}; {explained}") if explained else ("wrong silently", wrong)


def _refusal(foreign: Foreign, message: str) -> tuple[str, str]:
    rest = message.replace("the bytes given", "the file")
    damaged = re.search(r"damaged|cut off", rest) and not re.search(r"compression \d+ \(", rest)
    wordless = len(re.findall(r"[A-Za-z]{3,}", rest.partition("the file")[2])) < 3
    if _UNCLEAR.search(rest) or damaged or wordless or not re.search(foreign.must_name, rest):
        return "unclear refusal", message
    return "refused", message


def _difference(foreign: Foreign, pictures: list[Picture]) -> str:
    """Returns in words what differs from what was written; empty if nothing does."""
    if len(pictures) != len(foreign.pages):
        return f"{len(pictures)} pages or frames, not {len(foreign.pages)}"
    for number, (page, picture) in enumerate(zip(foreign.pages, pictures, strict=True), 1):
        where = f"page {number}: " if len(pictures) > 1 else ""
        if wrong := _page_difference(foreign, page, picture):
            return where + wrong
    return ""


def _page_difference(foreign: Foreign, page: Page, picture: Picture) -> str:
    height, width = page.pixels.shape[:2]
    if picture.pixels.shape[:2] != (height, width):
        return f"{picture.pixels.shape[1]} × {picture.pixels.shape[0]} pixels, not {width} × {height}"
    difference = lightness(at_depth(picture.pixels, 16) / 65535) - lightness(page.pixels)
    compared = difference if page.compared is None else difference[page.compared]
    if compared.size and np.abs(compared).mean() >= foreign.tolerance:
        return f"L differs by {np.abs(compared).mean():.2f} (mean {compared.mean():+.2f})"
    if picture.alpha is None and (page.alpha is None or foreign.alpha_optional):
        return ""
    wanted = np.ones((height, width)) if page.alpha is None else page.alpha
    given = np.ones((height, width)) if picture.alpha is None else at_depth(picture.alpha, 16) / 65535
    if (off := np.abs(given - wanted).mean()) >= foreign.alpha_tolerance:
        return f"alpha differs by {off:.3f} ({'none' if picture.alpha is None else f'mean {given.mean():.3f}'} read)"
    return ""


def examine(tool: str, number: int, seed: int, out: Path | None = None) -> Outcome:
    """Makes a file and reads it; keeps it under `out` if that fails."""
    foreign = drawn(tool, number, seed)
    with tempfile.TemporaryDirectory(prefix="foreign-") as folder:
        source: bytes | Path = foreign.data
        if number % 2:
            # Codecs may read files and bytes differently.
            source = Path(folder) / f"scene{foreign.suffix}"
            source.write_bytes(foreign.data)
        kind, detail = judge(foreign, source)
    kept = ""
    if kind in FAILURES and out is not None:
        out.mkdir(parents=True, exist_ok=True)
        kept = str(out / f"{tool}-{number}-{kind.replace(' ', '-')}{foreign.suffix}")
        Path(kept).write_bytes(foreign.data)
    return Outcome(tool, number, kind, foreign.how, detail, kept)


def _examine_many(jobs: list[tuple[str, int]], seed: int, out: Path) -> list[Outcome]:
    return [examine(tool, number, seed, out) for tool, number in jobs]


def examine_all(jobs: list[tuple[str, int]], seed: int, out: Path) -> Iterable[Outcome]:
    """Examines files in at most two processes; a crash of one is the outcome of its file."""
    context = multiprocessing.get_context("forkserver")
    pool_of = functools.partial(ProcessPoolExecutor, mp_context=context)
    chunks = [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)]
    lost: list[tuple[str, int]] = []
    with pool_of(min(2, os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_examine_many, chunk, seed, out): chunk for chunk in chunks}
        for future in as_completed(futures):
            try:
                yield from future.result()
            except BrokenProcessPool:
                lost += futures[future]
    for tool, number in lost:
        with pool_of(1) as pool:
            try:
                yield pool.submit(examine, tool, number, seed, out).result()
            except BrokenProcessPool:
                yield Outcome(tool, number, "other exception", drawn(tool, number, seed).how, "the process crashed")


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Returns the lines of a Markdown table of tools and outcomes."""
    yield f"| tool | files | {' | '.join(OUTCOMES)} |"
    yield "|---" * (len(OUTCOMES) + 2) + "|"
    for tool in dict.fromkeys(outcome.tool for outcome in outcomes):
        counts = Counter(outcome.kind for outcome in outcomes if outcome.tool == tool)
        yield f"| {tool} | {counts.total()} | {' | '.join(str(counts[kind]) for kind in OUTCOMES)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="files in all, shared by the tools")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file of each tool")
    parser.add_argument("--tools", default=",".join(TOOLS), help=f"names separated by commas: {', '.join(TOOLS)}")
    parser.add_argument("--out", type=Path, default=Path("foreign-findings"), help="folder for files that fail")
    parser.add_argument(
        "--verbose", action="store_true", help="also list files that are refused or explained by a warning"
    )
    options = parser.parse_args()
    tools = options.tools.split(",")
    if unknown := set(tools) - set(TOOLS):
        parser.error(f"no such tool: {', '.join(sorted(unknown))}; there are {', '.join(TOOLS)}")
    for tool in [tool for tool in tools if missing(tool)]:
        print(f"{tool} is skipped: {missing(tool)}", file=sys.stderr)
        tools.remove(tool)
    jobs = [(tools[number % len(tools)], options.first + number // len(tools)) for number in range(options.count)]
    outcomes = sorted(
        examine_all(jobs, options.seed, options.out), key=lambda each: (tools.index(each.tool), each.number)
    )
    print("\n".join(table(outcomes)))
    failures = sorted((each for each in outcomes if each.kind in FAILURES), key=lambda each: FAILURES.index(each.kind))
    for each in failures[:SHOWN]:
        print(f"\n- {each.kind}: {each.detail}\n  {each.kept or f'{each.tool} {each.number}'}: {each.how}")
    if len(failures) > SHOWN:
        print(f"\n… and {len(failures) - SHOWN} more failures; see {options.out}")
    if options.verbose:
        for each in outcomes:
            if each.kind in ("refused", "warned"):
                print(f"\n- {each.kind}: {each.tool} {each.number}: {each.detail}\n  {each.how}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
