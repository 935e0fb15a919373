"""Mistakes are told before torch is imported, which takes seconds, and the messages say what to do."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artcolor.cli.checks import NEED_DISTRIBUTION
from artcolor.models.guidance import Guidance
from artcolor.models.registry import get_builder
from artcolor.zoo.manifest import entries
from tests.conftest import make_painting

# Runs the command once for each list of arguments, in one process.
CODE = """
import contextlib, io, json, sys
from artcolor.cli import main

told = []
for arguments in json.load(sys.stdin):
    sys.argv = ["artcolor", *arguments]
    # Typer and rich look up the streams whenever they print.
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
            status = 0
        except SystemExit as stop:
            status = stop.code
    told.append([status, out.getvalue(), err.getvalue()])
print(json.dumps({"told": told, "torch": "torch" in sys.modules}))
"""

MISTAKES = [
    (["colorize"], "there is nothing to colorize; give pictures or folders"),
    (["colorize", "a.png", "-m", "unett"], "Did you mean 'unet'?"),
    (["colorize", "a.png", "-m", "unet.art_v1"], "Did you mean 'unet.art_v6'?"),
    (["colorize", "a.png", "-m", "xyz"], "The models are ae, ae_report"),
    (["colorize", "a.png", "-m", "no/weights.safetensors"], "there is no weights file no/weights.safetensors"),
    (["colorize", "a.png", "-m", "org/repo"], "for a repository on the Hub write hf-hub:org/repo"),
    (["colorize", "a.png", "-m", "local-dir:nope"], "there is no folder nope"),
    (["colorize", "a.png", "-m", "./folder"], "is a folder, not a weights file; for a saved model write local-dir:"),
    (["colorize", "portrat.png"], "there is no file portrat.png; did you mean portrait.png?"),
    (["colorize", "a.png", "missing.png"], "there is no file missing.png"),
    (["colorize", ""], "an input is empty"),
    (["colorize", "a.png", "-o", ""], "-o is empty"),
    (["colorize", "https://example.org/a.png"], "https://example.org/a.png is an address"),
    (["colorize", "https:/example.org/a.png"], "https:/example.org/a.png is an address"),
    (["colorize", "a.png", "-o", "http://example.org/a.png"], "http://example.org/a.png is an address"),
    (["colorize", "nope*.png"], "no file matches nope*.png"),
    (["colorize", "a.png", "--device", "gpu"], "no device 'gpu'; choose cuda, mps or cpu, or auto for the fastest"),
    (["colorize", "a.png", "--device", "cuda:x"], "no device 'cuda:x'"),
    (["colorize", "folder", "-o", "x.png"], "x.png is the name of a picture, but the results need a folder"),
    (["colorize", "a.png", "portrait.png", "-o", "x.png"], "the results need a folder"),
    (["colorize", "a.png", "-o", "x.xyz"], ".xyz is not a format that pictures can be saved in; use .jpg"),
    (["colorize", "a.png", "-o", "x.gif"], "cannot hold a coloring; use .png"),
    (["colorize", "a.png", "--format", "xyz"], "xyz is not a format"),
    (["colorize", "a.png", "-o", "x.png", "--format", "jpg"], "contradicts the format jpg"),
    (["colorize", "a.png", "--quality", "50"], "a.color.png: PNG is lossless and has no quality setting"),
    (["colorize", "folder", "--format", "png", "--quality", "50"], "PNG is lossless and has no quality setting"),
    (["colorize", "a.png", "-o", "x.jpg", "--depth", "16"], "JPEG cannot be written with 16 bits"),
    (["colorize", "a.png", "--depth", "12"], "depth must be 8 or 16 bits, not 12"),
    (["colorize", "a.png", "-o", "a.png"], "the result would replace the original a.png"),
    (["colorize", "a.png", "-o", "portrait.png"], "portrait.png already exists; --force replaces it"),
    (["colorize", "a.png", "portrait.png", "-o", "."], "the result would replace the original a.png"),
    (["colorize", "a.png", "-o", "bad.jpg/x.png"], "part of the path is a file, not a folder"),
    (["colorize", "bad.jpg"], "bad.jpg is not a picture in a format that artcolor reads"),
    (
        ["colorize", "a.png", "--max-pixels", "100"],
        "the limit is 100; if you trust the file, raise max_pixels (--max-pixels)",
    ),
    (["colorize", "empty"], "there are no pictures in empty"),
    (["colorize", "/"], "the results of / need an output folder; give one with -o"),
    (["colorize", "a.png", "-f", "--resume"], "give only one of them"),
    (["colorize", "a.png", "-q", "-v"], "--quiet and --verbose contradict each other"),
    (["colorize", "a.png", "--spread", "3"], "spread has no effect on the most typical coloring; add seed or samples"),
    (["colorize", "a.png", "--hints", "nope.json"], "--hints: there is no file nope.json"),
    (["colorize", "a.png", "--reference", "nope.jpg"], "--reference: there is no file nope.jpg"),
    (["colorize", "a.png", "-m", "cnn_report", "--seed", "3"], "--seed requires a model that predicts a distribution"),
    (["colorize", "a.png", "-m", "cnn_report.art_v1", "--uncertainty"], "use ae, cic, cnn, splitbrain, unet or vae"),
    (["colorize", "a.png", "--report", "folder"], "it is a folder; give a file, such as folder"),
    (["colorize", "a.png", "--report", "bad.jpg"], "bad.jpg exists and is not a report of artcolor"),
    (["colorize", "a.png", "--layers", "a.png"], "a.png must end in .ora"),
    (["colorize", "a.png", "--watch"], "a.png is not a folder; only folders can be watched"),
    (["colorize", "folder", "empty", "--watch"], "the results of several folders need an output folder"),
    (["colorize", "a.png", "-o", "-", "--json"], "--json cannot be combined with -"),
    (["download", "unett"], "Did you mean 'unet'?"),
    (["verify", "unett"], "Did you mean 'unet'?"),
    (["train", "nope", "--data", ".", "--out", "x"], "there is no recipe nope"),
    (["train", "cnn", "--data", "nope", "--out", "x"], "there is no folder nope"),
    (["train", "cnn", "--data", ".", "--out", "x", "--set", "stepz=3"], "did you mean 'steps'?"),
    (["train", "cnn", "--data", ".", "--out", "x", "--init", "unett"], "Did you mean 'unet'?"),
    (["evaluate", "unett:vividness=0", "--data", ".", "--out", "x"], "Did you mean 'unet'?"),
    (["evaluate", "unet", "--data", "nope", "--out", "x"], "there is no folder nope"),
    (["dataset", "build", "nope", "--out", "x"], "the spec nope cannot be read"),
]

MISUSES = [
    (["a.png", "-o", "b.png"], "a.png is not a command. To colorize it: artcolor colorize a.png -o b.png"),
    (["nope.jpg"], "artcolor colorize nope.jpg"),
    (["colorise", "a.png"], "Did you mean 'colorize'?"),
    (["colorize", "a.png", "--vividnes", "1"], "--vividness"),
    (["colorize", "a.png", "--vividness", "101"], "Invalid value for '--vividness'"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("a.png", "portrait.png", "folder/b.png"):
        make_painting(1).convert("L").save(tmp_path / name)
    (tmp_path / "bad.jpg").write_text("no picture")
    return tmp_path


def test_options_that_a_model_does_not_accept_are_known() -> None:
    """They are told from the manifest, as the models themselves need torch."""
    names = {field.name for field in dataclasses.fields(Guidance)} & set(NEED_DISTRIBUTION)
    for entry in entries().values():
        accepts = get_builder(entry.model).__annotations__["return"].accepts
        assert names & accepts == (names if "vividness" in entry.config["head"] else set()), entry.key
        assert {"hints", "reference"} <= accepts
    assert names == {field.name for field in dataclasses.fields(Guidance)} - {"hints", "reference"}


def test_mistakes_are_told_before_torch_is_imported(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    given = [arguments for arguments, _ in MISTAKES + MISUSES]
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb"},
    )
    result = json.loads(done.stdout)
    for (arguments, message), (status, out, err) in zip(MISTAKES, result["told"], strict=False):
        assert message in err, arguments
        assert (status, out) == (1, ""), arguments
        assert len(err.splitlines()) == 1, arguments
    for (arguments, message), (status, _, err) in zip(MISUSES, result["told"][len(MISTAKES) :], strict=True):
        # A box surrounds the message.
        assert message in " ".join(err.replace("│", " ").split()), arguments
        assert status == 2, arguments
    assert not result["torch"]
    assert sorted(folder.rglob("*")) == before
