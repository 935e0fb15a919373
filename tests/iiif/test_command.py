"""`artcolor iiif` from the manifest to the pictures, with a host on loopback that the command is allowed to use."""

import json
import tempfile
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from artcolor.cli.app import app
from artcolor.errors import ArtcolorError
from artcolor.images import read_provenance
from tests.batch.runs import files, rows
from tests.conftest import make_painting
from tests.iiif.checks import bodies, check
from tests.iiif.host import Host, manifest, old_manifest


def iiif(*arguments: object) -> Result:
    done = CliRunner().invoke(app, ["iiif", "-m", "cnn", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit | ArtcolorError), done.exception
    return done


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def fetching(host: Host) -> tuple[object, ...]:
    return ("--fetch", "--allow-host", host.name, "--rate", "100")


def test_from_a_folder(tmp_path: Path) -> None:
    given = write(tmp_path / "letters.json", manifest("https://museum.org/iiif", "p1", "p2", "gone"))
    make_painting(1).convert("L").save(tmp_path / "p1.tif")
    make_painting(2).convert("L").save(tmp_path / "p2.png")
    out = tmp_path / "out"
    done = iiif(given, "-o", out, "--base-url", "https://museum.org/colored", "--report", tmp_path / "report.csv")
    assert done.exit_code == 1
    assert "Page gone (gone.jpg): there is no file for its picture" in done.output
    assert "2 of 3 colorized" in done.output
    assert files(out) == ["manifest.json", "p1.jpg", "p2.jpg"]
    assert read_provenance(out / "p1.jpg").model == "cnn.art_v1"
    new = json.loads((out / "manifest.json").read_text())
    check(new)
    assert [each["type"] for each in bodies(new)] == ["Choice", "Choice", "Image"]
    assert bodies(new)[0]["items"][1]["id"] == "https://museum.org/colored/p1.jpg"
    table = {row["file"]: row["status"] for row in rows(tmp_path / "report.csv")}
    assert table == {
        "Page p1 (p1.jpg)": "colorized",
        "Page p2 (p2.jpg)": "colorized",
        "Page gone (gone.jpg)": "failed",
    }
    # What is missing is added later; what is there stays, and its provenance, too.
    make_painting(3).convert("L").save(tmp_path / "gone.png")
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.jpg")}
    again = iiif(given, "-o", out, "--resume", "-m", "vae", "--images", tmp_path)
    assert again.exit_code == 0, again.output
    assert "1 of 3 colorized" in again.output
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times
    new = json.loads((out / "manifest.json").read_text())
    assert [each["type"] for each in bodies(new)] == ["Choice"] * 3
    models = [each["value"]["none"][0] for each in new["metadata"] if each["label"] == {"en": ["Model"]}]
    assert models == ["cnn.art_v1", "vae.art_v6"]


def test_results_of_an_earlier_run_are_no_originals(tmp_path: Path) -> None:
    given = write(tmp_path / "letters.json", manifest("https://museum.org/iiif", "p1", "p2"))
    for name in ("p1", "p2"):
        make_painting(1).convert("L").save(tmp_path / f"{name}.png")
    assert iiif(given, "-o", tmp_path / "first").exit_code == 0
    (tmp_path / "p2.png").unlink()
    done = iiif(given, "-o", tmp_path / "second")
    assert "Page p2 (p2.jpg): there is no file for its picture" in done.output
    assert files(tmp_path / "second") == ["manifest.json", "p1.jpg"]


def test_messages_show_no_query(host: Host, fetching: tuple[object, ...], tmp_path: Path) -> None:
    document = manifest(host.address, "p1")
    body = document["items"][0]["items"][0]["items"][0]["body"]
    body |= {"id": f"{host.address}/x.jpg?token=secret", "service": []}
    host.files["/x.jpg?token=secret"] = b"no picture"
    done = iiif(write(tmp_path / "m.json", document), "-o", tmp_path / "out", *fetching)
    assert f"Page p1 (x.jpg): {host.address}/x.jpg is not a picture" in done.output
    assert "secret" not in done.output


def test_fetched_one_bad_does_not_stop_the_rest(host: Host, fetching: tuple[object, ...], tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(11)]
    for number, name in enumerate(names):
        host.add_picture(name, number)
    host.files["/p3/full/max/0/default.jpg"] = b"no picture"
    del host.files["/p5/full/max/0/default.jpg"]
    host.files["/manifest.json"] = manifest(host.address, *names)
    out = tmp_path / "out"
    assert iiif(f"{host.address}/manifest.json", "-o", out).exit_code == 1
    assert host.asked == []
    done = iiif(f"{host.address}/manifest.json", "-o", out, *fetching)
    assert done.exit_code == 1
    assert "9 of 11 colorized" in done.output
    assert f"Page p3 (p3.jpg): {host.address}/p3/full/max/0/default.jpg" in done.output
    assert "the server answered 404" in done.output
    assert tempfile.gettempdir() not in done.output.replace(str(tmp_path), "")
    new = json.loads((out / "manifest.json").read_text())
    check(new)
    assert [each["type"] for each in bodies(new)].count("Choice") == 9
    # Of those that are there, nothing is fetched again.
    host.asked.clear()
    host.add_picture("p3", 3)
    done = iiif(f"{host.address}/manifest.json", "-o", out, *fetching, "--resume")
    assert "1 of 11 colorized" in done.output
    assert "9 already existed, 1 failed" in done.output
    assert {path.split("/")[1] for path in host.asked} == {"manifest.json", "p3", "p5"}


def test_version_2_and_too_many_pixels(host: Host, fetching: tuple[object, ...], tmp_path: Path) -> None:
    host.add_picture("q1", 1, version=2)
    host.files["/q1/full/48,/0/default.jpg"] = host.files["/q1/full/full/0/default.jpg"]
    given = write(tmp_path / "old.json", old_manifest(host.address, "q1"))
    done = iiif(given, "-o", tmp_path / "out", *fetching, "--max-pixels", 48 * 40, "--format", "png")
    assert "fetched as 48 x 40 pixels, because 96 x 80 are too many" in done.output
    # The server did not keep to it, which reading finds.
    assert "0 of 1 colorized, 1 failed" in done.output
    done = iiif(given, "-o", tmp_path / "out", *fetching, "--format", "png")
    assert done.exit_code == 0, done.output
    assert Image.open(tmp_path / "out" / "q1.png").mode == "RGB"
    check(json.loads((tmp_path / "out" / "manifest.json").read_text()))


def test_mistakes(tmp_path: Path) -> None:
    given = write(tmp_path / "manifest.json", manifest("https://museum.org/iiif", "p1"))
    out = tmp_path / "out"
    broken = tmp_path / "broken.json"
    broken.write_text("{")

    def message(*arguments: object) -> str:
        done = iiif(*arguments)
        assert done.exit_code == 1
        return f"{done.exception} {done.output}"

    assert "cannot be read: No such file" in message(tmp_path / "none.json", "-o", out)
    assert "it is not JSON" in message(broken, "-o", out)
    assert "nothing is downloaded without --fetch" in message("https://museum.org/m.json", "-o", out)
    assert "would replace the original manifest" in message(given, "-o", tmp_path, "--force")
    (tmp_path / "scans").mkdir()
    assert "is the folder of the originals" in message(given, "-o", tmp_path / "scans", "--images", tmp_path / "scans")
    assert "must begin with https:// or http://" in message(given, "-o", out, "--base-url", "ftp://a.org")
    assert "add --fetch" in message(given, "-o", out, "--allow-host", "a.org")
    assert "--samples cannot be combined with artcolor iiif" in message(given, "-o", out, "--samples", 2)
    assert "there is no folder" in message(given, "-o", out, "--images", tmp_path / "nowhere")
    assert "choose jpg, png or webp" in message(given, "-o", out, "--format", "tif")
    for url in ("https://", "https://a.org/x y", "http://[::1/"):
        assert "--base-url is not a valid URL" in message(given, "-o", out, "--base-url", url)
    for url in ("https://me:pw@a.org/", "https://a.org/?a=b", "https://a.org/#c"):
        assert "must not contain a user name" in message(given, "-o", out, "--base-url", url)
    assert "secret" not in message("https://me:secret@museum.org/m.json?key=secret", "-o", out)
    for arguments in (["-o", "s3://b/out"], ["-o", out, "--report", "s3://b/r.csv"], ["-o", out, "--images", "s3://b"]):
        assert "does not read or write object stores" in message(given, *arguments)
    assert "will be the new manifest" in message(given, "-o", out, "--report", out / "manifest.json")
    assert not out.exists()
    out.mkdir()
    (out / "manifest.json").write_text("{}")
    assert "already exists; --force replaces" in message(given, "-o", out)
