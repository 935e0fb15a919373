"""What README and docs show must run, and what they point to must be there.

Each page is gone through as by a reader: its Python and its `artcolor` commands run from top to bottom, in one folder
that holds what pages speak of (`world`). A page that speaks of another file gets it there. So does what stands in for
what a test cannot have: a Hub on loopback, this checkout for GitHub, the CPU for GPUs, two steps for a training.
"""

import importlib
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from artcolor.cli.app import app
from artcolor.train.trainer import Trainer
from tests.conftest import ROOT, make_painting
from tests.hub_server import HubServer, point_client_to
from tests.iiif.host import manifest
from tests.video.clips import make

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Indented ones stand in tabs and lists.
FENCE = re.compile(r"^([ \t]*)```[ \t]*(\w+)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
SHELLS = {"bash", "console", "sh", "text"}
# `artcolor dataset build SPEC --out DIR [--root FOLDER]` is how a command is called, not one.
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|…|\.\.\.|\[")


def fences(page: Path) -> Iterator[tuple[str, str, int]]:
    """Language, code and first line of each."""
    text = page.read_text()
    for fence in FENCE.finditer(text):
        yield fence[2], textwrap.dedent(fence[3]), text[: fence.start(3)].count("\n")


def without_code(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def commands(page: Path) -> Iterator[tuple[str, int]]:
    """Lines of shells that call artcolor, with their number."""
    for language, code, line in fences(page):
        if language in SHELLS:
            for number, text in enumerate(code.splitlines(), line + 1):
                command = text.removeprefix("$ ").partition(" #")[0]
                assert not command.endswith("\\"), f"{page.name}:{number}: a command in one line can be run"
                if command.startswith("artcolor "):
                    yield command, number


def transcript(page: Path, line: int) -> list[str]:
    """Lines that a `console` fence shows after a command; none if the page does not show its output."""
    shown = itertools.takewhile(lambda text: not text.startswith(("$ ", "```")), page.read_text().splitlines()[line:])
    return [text.rstrip() for text in shown if text.strip()]


def on_this_machine(code: str) -> str:
    return re.sub(r"\b(cuda|mps)\b", "cpu", code)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what pages speak of."""
    for name in ("examples", "artcolor", "hubconf.py", "weights_manifest.json", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    for number, name in enumerate(("portrait.jpg", "a.jpg", "scans/portrait.tif", "scans/1887/harbor.jpg")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        make_painting(number).convert("L").save(tmp_path / name)
    page, next_page = (make_painting(number).convert("L") for number in (4, 5))
    page.save(tmp_path / "scan.tif", save_all=True, append_images=[next_page])
    make_painting(6).save(tmp_path / "mood.jpg")
    (tmp_path / "letters.json").write_text(json.dumps(manifest("https://museum.org/iiif", "portrait", "harbor")))
    for name in ("art", "my-paintings"):
        lines = ["file_name,split,artist,style"]
        for number, split in enumerate(("train", "train", "train", "train", "val", "val", "test", "test")):
            file = tmp_path / name / split / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            make_painting(number, 320, 280).save(file)
            lines.append(f"{split}/{file.name},{split},nobody,{('baroque', 'cubism')[number % 2]}")
        (tmp_path / name / "metadata.csv").write_text("\n".join(lines) + "\n")

    make(tmp_path / "film.mp4", "libx264", frames=4, size=(96, 64))
    make(tmp_path / "film.mkv", "libx264", frames=4, size=(96, 64))
    (tmp_path / "frames").mkdir()
    for number in range(3):
        make_painting(0).convert("L").save(tmp_path / "frames" / f"f{number}.png")

    server = HubServer()
    point_client_to(server, tmp_path / ".hub", monkeypatch)
    monkeypatch.setenv("HF_TOKEN", server.token)
    # Torch would ask GitHub for this folder; tests/test_hub.py lets it, with a GitHub on loopback.
    monkeypatch.setattr(torch.hub, "_get_cache_or_reload", lambda *_, **__: str(ROOT))
    monkeypatch.setattr(Trainer, "_planned_steps", lambda _: 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_snippets_run(page: Path, world: Path) -> None:
    called = {line: command for command, line in commands(page) if not PLACEHOLDER.search(command)}
    names: dict[str, object] = {"__name__": "__main__"}
    for language, code, line in fences(page):
        if language == "python":
            # Blank lines before it, so that a traceback names the line of the page.
            exec(compile("\n" * line + on_this_machine(code), str(page), "exec"), names)
        for number in range(line + 1, line + 1 + code.count("\n")):
            if number in called:
                expected = transcript(page, number) if language == "console" else None
                run_command(called[number], f"{page.name}:{number}", expected)


def run_command(command: str, where: str, expected: list[str] | None) -> None:
    arguments = shlex.split(on_this_machine(command))[1:]
    if arguments[0] == "serve":
        start_server(arguments, where)
        return
    if arguments[0] == "colorize" and "--resume" not in arguments:
        # A page may show two ways to one file.
        arguments.append("--force")
    done = CliRunner().invoke(app, arguments)
    # A reader who follows a page sees what it shows; a failure that is meant to happen is shown, too.
    fails = any(text.startswith("failed: ") for text in expected or ())
    assert done.exit_code == int(fails), f"{where}: {command}\n{done.output}{done.exception!r}"
    if expected is not None:
        assert [text.rstrip() for text in done.output.splitlines() if text.strip()] == expected, where


def start_server(arguments: list[str], where: str) -> None:
    """Waits until a server listens, and ends it."""
    words = [sys.executable, "-c", "from artcolor.cli import main; main()", *arguments, "--port", "0"]
    # `true` opens no browser.
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "BROWSER": "true"}) as server:
        assert server.stdout is not None
        assert "artcolor listens on" in server.stdout.readline(), where
        server.terminate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_scripts_exist(page: Path) -> None:
    for command, line in commands(page):
        name = re.match(r"artcolor ((?:dataset )?[a-z]+)", command)
        assert name, f"{page.name}:{line}"
        shown = CliRunner().invoke(app, [*name[1].split(), "--help"], env={"COLUMNS": "200"}).output
        for option in re.findall(r"--[a-z-]+", command):
            assert option in shown, f"{page.name}:{line}: {option}"
    for script in re.findall(r"(?<![\w/])(?:examples|benchmarks|scripts|tests)/[\w/]+\.\w+", page.read_text()):
        assert (ROOT / script).exists(), f"{page.name}: {script}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_is_marked_as_such(page: Path) -> None:
    """Otherwise nothing would run it."""
    for language, code, line in fences(page):
        if language in SHELLS:
            assert not re.search(r"^(import|from) \w|^torch\.hub\.\w+\(", code, re.MULTILINE), f"{page.name}:{line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page: Path) -> None:
    text = without_code(page)
    for target in re.findall(r"\]\(([^)\s]+)\)|<(?:a|img)[^>]* (?:href|src)=\"([^\"]+)\"", text):
        file, _, anchor = "".join(target).partition("#")
        if re.match(r"[a-z]+:", file):
            continue
        found = page.parent / file if file else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", without_code(found), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, target


def test_no_file_is_too_large_and_no_pickle_is_there() -> None:
    # What is fetched for the page is in no commit.
    fetched = {ROOT / "artcolor/serve/web" / name for name in ("vendor", "model.onnx")}
    for path in (ROOT / "artcolor").rglob("*"):
        if fetched & {path, path.parent}:
            continue
        assert path.stat().st_size <= 12 * 2**20, path
        assert path.suffix not in (".pth", ".pt", ".pkl", ".bin"), path


def squares(image: Image.Image) -> np.ndarray[Any, Any]:
    """Mean colors of squares of 64 pixels."""
    rows, columns = image.height // 64, image.width // 64
    pixels = np.asarray(image.convert("RGB"))[: rows * 64, : columns * 64]
    return pixels.reshape(rows, 64, columns, 64, 3).mean((1, 3))


def test_picture_of_the_readme_is_a_result_of_the_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    strip = importlib.import_module("sitegen.strip")
    # Compressed in the same way, so that only the colors can differ.
    drawn = strip.webp(strip.strip())
    with Image.open(ROOT / "docs" / "assets" / "strip.webp") as old, Image.open(io.BytesIO(drawn)) as new:
        difference = np.abs(squares(old) - squares(new)).mean()
    # Another processor makes 0.08, as WebP amplifies the last bit; a vividness of 1.9 instead of 2 makes 0.29.
    assert difference < 0.15, f"it is out of date by {difference:.2f} on average; run: python scripts/make_strip.py"
