"""A slice of benchmarks/foreign.py: files of other tools are read as written or refused by name."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import foreign

SEED = 2028
# A call of ExifTool takes a third of a second.
DRAWS = dict.fromkeys(foreign.TOOLS, 16) | {"tifffile": 24, "pillow": 24, "exiftool": 8}


def test_the_slice_covers_all_tools():
    assert sum(DRAWS.values()) >= 120
    assert {"tifffile", "imagecodecs", "pillow", "magick", "exiftool", "libtiff", "libjxl", "libvips"} == set(DRAWS)


@pytest.mark.parametrize("tool", DRAWS)
def test_files_of_other_tools_are_read_right_or_refused_by_name(tool):
    if reason := foreign.missing(tool):
        pytest.skip(reason)
    outcomes = [foreign.examine(tool, number, SEED) for number in range(DRAWS[tool])]
    failures = [
        f"{each.number}: {each.kind}: {each.detail}: {each.how}" for each in outcomes if each.kind in foreign.FAILURES
    ]
    assert not failures, "\n".join(failures)
    assert any(each.kind == "right" for each in outcomes)


@pytest.mark.parametrize("tool", ["tifffile", "imagecodecs", "pillow"])
def test_a_file_depends_on_its_number_and_the_seed_only(tool):
    one, other, another = (foreign.drawn(tool, number, SEED).data for number in (3, 3, 4))
    assert one == other
    assert one != another


def test_what_is_wrong_is_found():
    made = foreign.drawn("pillow", 0, SEED)
    page = made.pages[0]
    assert foreign.judge(made, made.data)[0] == "right"
    page.pixels = 1 - page.pixels
    assert foreign.judge(made, made.data)[0] == "wrong silently"
    page.pixels = page.pixels[1:]
    assert "pixels, not" in foreign.judge(made, made.data)[1]
    made.pages.append(page)
    assert "pages or frames" in foreign.judge(made, made.data)[1]
    made.data = b"no picture"
    assert foreign.judge(made, made.data)[0] == "refused"
    made.must_name = "JPEG XL"
    assert foreign.judge(made, made.data)[0] == "unclear refusal"
