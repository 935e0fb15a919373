"""What is refused before Ray is started."""

import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from artcolor.batch.addresses import path_of
from artcolor.cli.app import app
from artcolor.errors import ArtcolorError, ConfigError, DataError
from artcolor.scale import colorize_dataset
from artcolor.scale.journal import COLUMNS, Journal
from artcolor.scale.rows import read_rows
from tests.conftest import make_painting

SECRET = "wJalrXUtnFEMI"


def rows_of(tmp_path: Path, text: str, **options: object) -> list[dict[str, object]]:
    (tmp_path / "all.csv").write_text(text)
    return read_rows(tmp_path / "all.csv", tmp_path / "out", **options).to_pylist()


def test_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, third = rows_of(
        tmp_path,
        'options,uri,key,title\n,s3://museum/a.tif,001,x\n"{""vividness"": 1, ""hints"": ""h.json""}",b.gif,b/2.GIF,'
        '"two\nlines"\n,c.PNG,c.new\n'.replace("c.new", "c.new,"),
    )
    assert first["key"] == "001"
    assert first["result"] == str(tmp_path / "out/001.tif")
    assert second["uri"] == str(tmp_path / "b.gif")
    assert second["result"] == str(tmp_path / "out/b/2.png")
    assert (second["hints"], second["options"]) == ([str(tmp_path / "h.json")], '{"vividness": 1}')
    assert third["result"] == str(tmp_path / "out/c.new.PNG")
    table = pa.table({"key": ["a"], "uri": ["/a.png"]})
    pa.parquet.write_table(table, tmp_path / "all.parquet")
    (row,) = read_rows(tmp_path / "all.parquet", path_of("s3://museum/out"), format="webp").to_pylist()
    assert row["result"] == "s3://museum/out/a.webp"


def test_a_folder_with_hints(tmp_path: Path) -> None:
    scans, hints = tmp_path / "scans", tmp_path / "hints"
    for name in ("a.png", "sub/b.gif", "sub/b.png"):
        (scans / name).parent.mkdir(parents=True, exist_ok=True)
        make_painting(0).convert("L").save(scans / name)
    (hints / "sub").mkdir(parents=True)
    (hints / "sub/b.json").write_text("[]")
    rows = read_rows(scans, tmp_path / "out", hints=hints).to_pylist()
    assert [row["key"] for row in rows] == ["a.png", "sub/b.gif", "sub/b.png"]
    # Second names are those of the command.
    assert [Path(str(row["result"])).name for row in rows] == ["a.png", "b.gif.png", "b.png"]
    assert [row["hints"] for row in rows] == [[], [f"{hints}/sub/b.json"], [f"{hints}/sub/b.json"]]
    assert all(row["found"] for row in rows)
    with pytest.raises(ConfigError, match="gpus_per_actor is above 0"):
        colorize_dataset(scans, tmp_path / "out", journal=tmp_path / "journal", device="cuda")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key,url\na,a.png\n", "must have one column 'uri', but has: key, url"),
        ("key,uri\n", "has no rows"),
        ("key,uri\na,a.png\n,b.png\n", "row 2 has no key"),
        ("key,uri\na,\n", "row 1 has no uri"),
        ("key,uri\na,a.png\nb,b.png\na,c.png\n", "the key 'a' is there more than once"),
        ("key,uri\na.png,a.png\nA.PNG,b.png\n", "the results of 'a.png' and 'A.PNG' would have the same name"),
        ("key,uri\na.png,a.png\na,b.png\n", "the results of 'a.png' and 'a' would have the same name"),
        (
            "key,uri\nb,b.png\na.png/c,a.png\nA,b.png\n",
            "the result of 'A' would be a file where 'a.png/c' needs a folder",
        ),
        ("key,uri\n../a.png,a.png\n", "row 1: the key '../a.png' is no name inside of a folder"),
        ("key,uri\n/etc/a.png,a.png\n", "row 1: the key '/etc/a.png' is no name inside of a folder"),
        ("key,uri\na/../../b.png,a.png\n", "is no name inside of a folder"),
        ("key,uri\nC:a.png,a.png\n", "is no name inside of a folder"),
        ("key,uri\na\\b.png,a.png\n", "is no name inside of a folder"),
        ("key,uri\na,scan\n", "row 1: neither the key nor the uri ends in the suffix of a picture"),
        (f"key,uri\n{'a' * 300},a.png\n", "is too long for the name of a file"),
        ("key,uri\na,https://a.org/a.png\n", "row 1: https://a.org/a.png is an address that is not read"),
        ("key,uri\na,memory://a.png\n", "row 1: memory://a.png is in the memory of this process"),
        (f"key,uri\na,s3://me:{SECRET}@museum/a.png\n", "row 1: s3://museum/a.png contains a user name"),
        (f"key,uri\na,s3://museum/a.png?X-Amz-Signature={SECRET}\n", "contains a query"),
        ("key,uri,options\na,a.png,vivid\n", "row 1: options must be JSON"),
        ("key,uri,options\na,a.png,[1]\n", "options must be a JSON object"),
        ('key,uri,options\na,a.png,"{""samples"": 2}"\n', "a row cannot have the option 'samples'"),
        ('key,uri,options\na,a.png,"{""vividness"": 200}"\n', "vividness must be 0 to 100"),
        ('key,uri,options\na,a.png,"{""palette"": [""navy""]}"\n', "palette must be 2 to 16 colors"),
        ('key,uri,options\na,a.png,"{""hints"": [{""x"": 2}]}"\n', "row 1: "),
        ('key,uri,options\na,a.png,"{""hints"": ""s3://museum/h.json""}"\n', "not an address"),
    ],
)
def test_mistakes_in_a_manifest(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        rows_of(tmp_path, text)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_manifest_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "all.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"all\.parquet cannot be read"):
        read_rows(tmp_path / "all.parquet", tmp_path / "out")
    with pytest.raises(DataError, match="a result would replace the original"):
        rows_of(tmp_path, f"key,uri\na.png,{tmp_path}/b.png\nb.png,{tmp_path}/out/a.png\n")


def test_originals_are_safe_behind_links(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "scans", target_is_directory=True)
    with pytest.raises(DataError, match="a result would replace the original"):
        rows_of(tmp_path, f"key,uri\na,{tmp_path}/scans/a.png\n")


def test_options_that_are_no_text(tmp_path: Path) -> None:
    table = pa.table({"key": ["a"], "uri": ["/a.png"], "options": [{"vividness": 1}]})
    pa.parquet.write_table(table, tmp_path / "all.parquet")
    with pytest.raises(DataError, match="its column options must be text with JSON, not struct"):
        read_rows(tmp_path / "all.parquet", tmp_path / "out")


def test_an_address_where_nothing_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scans").mkdir()
    make_painting(0).convert("L").save(tmp_path / "scans/a.png")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    for given in (address, "auto"):
        # Where `auto` looks first.
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ConfigError, match="no Ray cluster answers at"):
            colorize_dataset(
                tmp_path / "scans", tmp_path / "out", journal=tmp_path / "journal", model="cnn", address=given
            )


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    make_painting(0).convert("L").save(tmp_path / "a.png")
    (tmp_path / "all.csv").write_text("key,uri\na.png,a.png\n")
    with pytest.raises(DataError, match="report.csv cannot be written"):
        colorize_dataset(
            *(tmp_path / "all.csv", tmp_path / "out"),
            journal=tmp_path / "journal",
            model="cnn",
            report=tmp_path / "a.png/report.csv",
        )
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path: Path) -> None:
    make_painting(0).convert("L").save(tmp_path / "a.png")
    (tmp_path / "scans").mkdir()

    def message(*arguments: object) -> str:
        done = CliRunner().invoke(app, ["colorize", *map(str, arguments)])
        assert done.exit_code
        assert done.exception is None or isinstance(done.exception, SystemExit | ArtcolorError), done.exception
        return f"{done.exception}{done.output}"

    scans, out = tmp_path / "scans", tmp_path / "out"
    ray = ("-o", out, "--engine", "ray")
    assert "there is no engine 'spark'" in message(scans, "-o", out, "--engine", "spark")
    assert "--engine ray needs -o" in message(scans, "--engine", "ray")
    assert "--actors is for --engine ray" in message(scans, "-o", out, "--actors", 2)
    for option in (("--samples", 2), ("--uncertainty",), ("--json",), ("--watch",), ("--workers", 2)):
        assert f"{option[0]} cannot be combined with --engine ray" in message(scans, *ray, *option)
    assert "leave out --resume" in message(scans, *ray, "--resume")
    assert "takes one folder, or one manifest" in message(scans, scans, *ray)
    assert "give a folder, or a manifest" in message(tmp_path / "a.png", *ray)
    assert "there are no pictures in" in message(scans, *ray)
    assert "a.png exists and is no report" in message(scans, *ray, "--report", tmp_path / "a.png")
    assert "name one with --journal" in message(scans, "-o", "s3://museum", "--engine", "ray")
    assert "is in the memory of this process" in message(scans, "-o", "memory://out/a", "--engine", "ray")
    assert not list(tmp_path.glob("*.journal"))


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    code = f"""
import sys
sys.modules["ray"] = None
try:
    from artcolor.scale import colorize_dataset
except ImportError as error:
    assert "artcolor.scale.colorize_dataset needs ray" in str(error) and "[scale]" in str(error), error
else:
    raise SystemExit("no error")
from artcolor.cli import main
sys.argv = ["artcolor", "colorize", {str(tmp_path / "scans")!r}, "-o", "out", "--engine", "ray"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "error: this needs ray, which is not installed: pip install" in done.stderr
    assert "[scale]" in done.stderr


def test_a_journal(tmp_path: Path) -> None:
    folder = tmp_path / "journal"

    def table(key: str, status: str) -> pa.Table:
        return pa.Table.from_pylist([{"key": key, "status": status}], schema=COLUMNS)

    with Journal(folder) as journal:
        assert journal.is_new
        journal.add(table("a", "failed"))
        journal.add(table("b", "colorized"))
        with pytest.raises(ConfigError, match="another run writes the journal"), Journal(folder):
            pass
    # What a killed run was writing.
    (folder / ".half.parquet.0123456789ab.tmp").write_bytes(b"PAR1")
    with Journal(folder) as journal:
        assert not journal.is_new
        journal.add(table("a", "colorized"))
        assert journal.latest(["key", "status"]).to_pylist()[0] == {"key": "a", "status": "failed"}
    found = Journal(folder).latest(["key", "status"]).to_pylist()
    assert found == [{"key": "b", "status": "colorized"}, {"key": "a", "status": "colorized"}]
    assert not list(folder.glob("*.tmp"))
    (folder / "other.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="is not a journal file of artcolor"):
        Journal(folder).latest()
