"""Generated sections and figures are current, and no figure of released weights is typed by hand."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import figures
import update_tables

MANIFEST = json.loads((ROOT / "weights_manifest.json").read_text())["weights"]
NEW = "run: python scripts/update_tables.py"


@pytest.mark.parametrize(("document", "name"), sorted(update_tables.SECTIONS))
def test_generated_sections_are_current(document: str, name: str) -> None:
    assert update_tables.updated(document, name) == (ROOT / document).read_text(), NEW


@pytest.mark.parametrize("document", list(figures.documents()))
def test_figures_are_current(document: str) -> None:
    assert figures.filled(document) == (ROOT / document).read_text(), NEW


def test_every_section_of_a_page_is_generated() -> None:
    for document in figures.documents():
        text = figures.without_figures((ROOT / document).read_text())
        for name in re.findall(r"^<!-- /([\w-]+) -->$", text, re.MULTILINE):
            assert (document, name) in update_tables.SECTIONS, f"{document}: nothing generates the section {name}"


def test_figures_come_from_the_manifest() -> None:
    key, entry = next((key, entry) for key, entry in MANIFEST.items() if key.startswith("unet."))
    whole, crops = entry["metrics"]["paintings-whole"], entry["metrics"]["paintings-256"]
    psnr = whole["accurate"]["psnr"]
    assert figures.figure("unet/whole/accurate/psnr") == f"{psnr['mean']:.2f}"
    assert figures.figure(f"{key}/whole/accurate/psnr.ci") == f"{psnr['low']:.2f} to {psnr['high']:.2f}"
    spread = crops["default"]["delta_colorfulness"]
    assert figures.figure("unet/crops/default/delta_colorfulness.sources") == (
        f"{spread['source_low']:+.2f} to {spread['source_high']:+.2f}"
    )
    assert figures.figure("unet/bytes") == f"{(ROOT / 'artcolor/weights' / entry['file']).stat().st_size / 1e6:.1f} MB"
    assert figures.figure("unet/parameters") == f"{entry['parameters'] / 1e6:.2f} M"


def test_every_metric_of_the_manifest_has_a_format() -> None:
    for key, entry in MANIFEST.items():
        for protocol in figures.PROTOCOLS:
            for setting, metrics in entry["metrics"].get(figures.PROTOCOLS[protocol], {}).items():
                for metric in metrics if isinstance(metrics, dict) else ():
                    assert re.fullmatch(r"[+-]?\d+(\.\d+)?", figures.figure(f"{key}/{protocol}/{setting}/{metric}"))


def test_figures_come_from_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"how": "a", "n": 1, "gain": 1.26}, {"how": "a", "n": 2, "gain": -0.5}]
    (tmp_path / "x.json").write_text(json.dumps({"size, in all": 10_415_576, "rows": rows}))
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    assert figures.figure("results/x.json/size, in all") == "10415576"
    assert figures.figure("results/x.json/size, in all:MB") == "10.4 MB"
    assert figures.figure("results/x.json/size, in all:,d") == "10,415,576"
    assert figures.figure("results/x.json/rows/how=a;n=2/gain:+.1f") == "-0.5"
    assert figures.figure("results/x.json/rows/0/gain:.1f") == "1.3"
    with pytest.raises(ValueError, match="'how=a' holds for 2 rows"):
        figures.figure("results/x.json/rows/how=a/gain")
    with pytest.raises(ValueError, match="no docs/results/y.json"):
        figures.figure("results/y.json/size")
    with pytest.raises(ValueError, match="not a single value"):
        figures.figure("results/x.json/rows")


def filled(text: str) -> str:
    return figures.filled_text(text, "docs/page.md")


def test_markers_are_filled_in_but_not_in_code() -> None:
    stale = (
        "It has <!-- figure unet/parameters -->5 M<!-- /figure --> of them, <!-- figure cnn/bytes --><!-- /figure -->."
    )
    assert filled(stale) == filled(filled(stale))
    assert figures.without_markers(filled(stale)) == (
        f"It has {figures.figure('unet/parameters')} of them, {figures.figure('cnn/bytes')}."
    )
    shown = f"Write `{stale}`:\n\n```text\n{stale}\n```\n\n- a list:\n\n  ```\n  {stale}\n  ```\n"
    assert filled(shown) == shown


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a <!-- figure nobody/bytes -->1<!-- /figure -->", "'nobody' is neither a released model nor a baseline"),
        ("a <!-- figure unet/beauty -->1<!-- /figure -->", "unknown 'beauty'; there are bytes, "),
        ("a <!-- figure unet/whole/vivid/psnr -->1<!-- /figure -->", "unknown 'vivid'; there are "),
        ("a <!-- figure unet/half/default/psnr -->1<!-- /figure -->", "unknown 'half'; there are whole, crops"),
        ("a <!-- figure unet/whole/default/fd_grid.ci -->1<!-- /figure -->", "fd_grid has no ci"),
        ("a <!-- figure unet/whole/psnr -->1<!-- /figure -->", "expected MODEL/PROTOCOL/SETTING/METRIC"),
        ("a <!-- figure unet/bytes -->1", "incomplete marker"),
        ("a 1<!-- /figure -->", "incomplete marker"),
        ("a <!-- figure unet/bytes -->1\nMB<!-- /figure -->", "incomplete marker"),
        ("<!-- figure unet/bytes -->1<!-- /figure --> on disk", "a line that begins with a marker is HTML"),
    ],
)
def test_wrong_markers_are_errors_with_file_and_line(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=r"^docs/page\.md:3: ") as raised:
        filled(f"# Title\n\n{text}\n")
    assert error in str(raised.value)
