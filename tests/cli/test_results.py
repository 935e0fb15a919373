"""Where results go, and what the command prints of them."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from artcolor.batch.names import beside
from artcolor.batch.plan import plan_jobs
from artcolor.cli.app import app
from artcolor.engine.loading import device_of
from artcolor.errors import ConfigError
from artcolor.images import read_provenance
from tests.conftest import make_painting


def colorize(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["colorize", "-m", "cnn", *map(str, arguments)])


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def put(folder: Path, *given: str) -> None:
    for name in given:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        make_painting(1, 40, 30).convert("L").save(folder / name)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_beside_originals(here: Path) -> None:
    put(here, "a.gif", "a.png", "b.jpg", "scans/sub/c.png", "v1.2/d.png")
    jobs = plan_jobs([Path(name) for name in ("a.gif", "a.png", "b.jpg", "scans", "v1.2")], None)
    assert {str(job.source): str(job.target) for job in jobs} == {
        "a.gif": "a.gif.color.png",
        "a.png": "a.color.png",
        "b.jpg": "b.color.jpg",
        "scans/sub/c.png": "scans.color/sub/c.png",
        "v1.2/d.png": "v1.2.color/d.png",
    }
    assert [job.target.name for job in plan_jobs([Path("b.jpg")], None, format="webp")] == ["b.color.webp"]
    assert beside(Path()) == here.with_name(f"{here.name}.color")
    assert beside(here / "scans" / "..").name == f"{here.name}.color"
    with pytest.raises(ConfigError, match="the results of / need an output folder; give one with -o"):
        beside(Path("/"))


def test_without_an_output(here: Path) -> None:
    put(here, "a.png", "scans/sub/b.jpg")
    done = colorize("a.png")
    assert done.exit_code == 0, done.output
    assert "1 of 1 colorized into a.color.png" in done.output
    done = colorize("scans")
    assert "1 of 1 colorized into scans.color/sub/b.jpg" in done.output
    assert read_provenance("a.color.png") is not None
    assert names(here) == ["a.color.png", "a.png", "scans.color/sub/b.jpg", "scans/sub/b.jpg"]


def test_results_beside_originals_are_not_colorized_again(here: Path) -> None:
    put(here, "a.png", "b.png", "c.color.png")
    first = colorize("*.png")
    assert "3 of 3 colorized beside the originals" in first.output
    made = ["a.color.png", "a.png", "b.color.png", "b.png", "c.color.color.png", "c.color.png"]
    assert names(here) == made
    assert "all 3 results already exist" in str(colorize("*.png").exception)
    again = colorize("*.png", "-f")
    assert again.exit_code == 0, again.output
    assert "3 of 3 colorized" in again.output
    assert names(here) == made
    # Samples, contact sheets and maps are results, too.
    done = colorize("b.png", "-m", "vae", "--samples", "2", "--uncertainty")
    written = "uncertainty map b.color.png.uncertainty.png, contact sheet b.color.sheet.jpg"
    assert done.stdout == f"1 of 1 colorized into b.color.1.png to b.color.2.png; also written: {written}\n"
    assert {"b.color.1.png", "b.color.sheet.jpg", "b.color.png.uncertainty.png"} <= set(names(here))
    again = colorize("*.png", "*.jpg", "-f")
    assert "3 of 3 colorized" in again.output, again.output
    # Without the others, a result is recognized by what it states.
    assert "0 of 1 colorized, 1 already colored" in colorize("a.color.png").output


def test_a_damaged_file_beside_an_original_is_an_input(here: Path) -> None:
    put(here, "a.png")
    Path("a.color.png").write_text("no picture")
    jobs = plan_jobs([Path("a.png"), Path("a.color.png")], None)
    assert [job.target.name for job in jobs] == ["a.color.png", "a.color.color.png"]
    assert "would replace the original a.color.png" in str(colorize("*.png", "-f").exception)


def test_folders_of_outputs(here: Path) -> None:
    put(here, "a.png")
    for out, made in (("new/folder/b.png", "new/folder/b.png"), ("v1.2/", "v1.2/a.png"), ("plain", "plain/a.png")):
        assert colorize("a.png", "-o", out).exit_code == 0
        assert Path(made).is_file()


def test_patterns_that_shells_left_alone(here: Path) -> None:
    put(here, "a.png", "b.png", "c.jpg", "sub/d.png", "[e].png")
    assert colorize("[ab].png", "-o", "one").exit_code == 0
    assert names(here / "one") == ["a.png", "b.png"]
    assert colorize("**/*.png", "-o", "all", "-q").exit_code == 0
    assert {"a.png", "b.png", "d.png", "[e].png"} <= set(names(here / "all"))
    # A name that looks like a pattern is a name first.
    assert colorize("[e].png", "-o", "e.png").exit_code == 0
    assert Path("e.png").is_file()


def test_json_is_an_object_for_each_file_and_nothing_else(here: Path) -> None:
    put(here, "in/a.gif", "in/a.png", "in/b.png")
    (here / "in" / "bad.png").write_text("no picture")
    done = colorize("in", "-o", "out", "--json", "--samples", "2", "--uncertainty", "--resume")
    assert done.exit_code == 1
    told = {entry["file"]: entry for entry in map(json.loads, done.stdout.splitlines())}
    assert {name: entry["status"] for name, entry in told.items()} == {
        "in/a.gif": "colorized",
        "in/a.png": "colorized",
        "in/b.png": "colorized",
        "in/bad.png": "failed",
    }
    assert told["in/b.png"]["results"] == ["out/b.1.png", "out/b.2.png"]
    assert told["in/b.png"]["other_files"] == {
        "uncertainty": "out/b.png.uncertainty.png",
        "sheet": "out/b.sheet.jpg",
    }
    assert told["in/bad.png"]["other_files"] == {}
    assert told["in/b.png"]["model"] == "cnn.art_v1"
    assert told["in/b.png"]["seconds"] > 0
    assert told["in/b.png"]["color"] == 0
    assert told["in/a.gif"]["message"] == "renamed, because the result of in/a.png has the same name"
    assert told["in/bad.png"]["results"] == []
    assert "is not a picture" in told["in/bad.png"]["message"]
    # A single picture that cannot be read is an object, too.
    done = colorize("in/bad.png", "-o", "x.png", "--json")
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (1, "failed")


def test_quiet_and_verbose(here: Path) -> None:
    put(here, "a.png", "b.png")
    (here / "bad.png").write_text("no picture")
    quiet = colorize("a.png", "-o", "quiet.png", "-q")
    assert (quiet.exit_code, quiet.output) == (0, "")
    quiet = colorize("a.png", "bad.png", "-o", "quiet", "-q")
    assert quiet.exit_code == 1
    assert quiet.output.startswith("failed: bad.png is not a picture")
    assert len(quiet.output.splitlines()) == 1
    verbose = colorize("a.png", "b.png", "-o", "quiet", "-v", "--resume")
    assert "a.png already existed" in verbose.stdout
    assert "b.png colorized into quiet/b.png in 0." in verbose.stdout


def test_a_contact_sheet_replaces_nothing(here: Path) -> None:
    put(here, "a.png", "b.png")
    Image.new("L", (9, 9)).save("a.sheet.jpg")
    before = Path("a.sheet.jpg").read_bytes()
    done = colorize("a.png", "b.png", "-o", ".", "--samples", "2")
    assert done.exit_code == 1
    assert "the contact sheet a.sheet.jpg already exists; --force replaces it" in done.output
    assert "2 of 2 colorized" in done.output
    assert Path("a.sheet.jpg").read_bytes() == before
    with Image.open("b.sheet.jpg") as sheet:
        assert sheet.size == (2 * 40 + 36, 30 + 44)


def test_the_fastest_device() -> None:
    assert device_of("auto").type in ("cuda", "mps", "cpu")


@pytest.mark.parametrize("command", ["", "colorize", "inspect", "models", "download", "verify", "train", "dataset"])
def test_help_shows_placeholders_and_no_types(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "-h"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert done.exit_code == 0
    assert "<" not in done.output.replace("<=x<=", "")
    assert max(map(len, done.output.splitlines())) <= 80
    if command == "colorize":
        assert "--no-provenance" in done.output
        assert "--provenance" not in done.output
        assert "143  stopped by SIGTERM" in done.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion(shell: str) -> None:
    def complete(line: str) -> str:
        words = line.split(" ")
        environment = {
            "_ARTCOLOR_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        return CliRunner().invoke(app, [], env=environment, prog_name="artcolor").output

    assert "colorize" in complete("artcolor co")
    assert "--files-from" in complete("artcolor colorize --fi")
    models = complete("artcolor colorize -m v")
    assert "vae_report" in models
    assert "unet" not in models
    assert "webp" in complete("artcolor colorize --format w")
    assert "cuda" in complete("artcolor colorize --device c")
    # Shells complete the names of files themselves.
    assert not {"cnn", "colorize"} & set(complete("artcolor colorize ").split())
