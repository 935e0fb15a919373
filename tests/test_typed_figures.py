"""No figure of released weights is typed: README, docs, changelog and docstrings take them from the manifest.

Two rules find typed figures. A number that equals a figure of the manifest is one, whatever the text around it says, if
it has so many digits that it hardly does so by chance. And a decimal number in a sentence or table row that names a
metric is suspicious: it is a marker, or it is listed in `ALLOWED`, because it is no figure of released weights.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import figures

MANIFEST = json.loads((ROOT / "weights_manifest.json").read_text())["weights"]
LOG = "docs/training-log.md"
SECTION = re.compile(r"^<!-- ([\w-]+) -->\n.*?^<!-- /\1 -->$", re.DOTALL | re.MULTILINE)
METRIC = re.compile(
    r"PSNR|\bdB\b|\bMSE\b|SSIM|abRMSE|\bAuC\b|ΔE|\bΔ?CF\b|colorfulness|hot spots|FD-grid|FD-lite0|\bNLL\b|\bECE\b|"
    "warp error"
)
DECIMAL = re.compile(r"(?<![\w.,])[+−-]?\d*\.\d+(?![\d.]*\w)")
# Fréchet distances are given without decimals.
DISTANCE = re.compile(r"FD-(?:grid|lite0)[\w ]* (\d{2,4}\b(?!\.\d))")
SIZE = re.compile(r"(\d+\.\d) MB")
SENTENCE = re.compile(r"(?<=[.!?:;])\s+(?=[\"'(*\[`]*[A-Z])")

# Page → beginnings or parts of sentences and rows whose decimals are no figures of released weights.
ALLOWED: dict[str, list[str]] = {
    # What vividness and chroma are.
    "docs/color.md": ["a 2.93, b 13.46"],
    # How sweeps choose, and what was planned before any model was trained.
    "docs/evaluation.md": [
        "vividness takes the values 0, 0.5",
        "(|ΔCF| ≤ 0.5)",
        "| figure | planned | measured | reason |",
        "the planned MSE",
    ],
    # PSNR of chroma on the grid of the output, for a network in 8 bits.
    "docs/benchmarks.md": ["PSNR of chroma, dB"],
    # Of others.
    "docs/comparison.md": ["siggraph17 publishes its own curve", "DDColor compares with a ground truth"],
    # Of the report itself.
    "docs/report.md": ["CNN 0.0074, AE 0.0093, VAE 0.05756 (MSE + KLD)"],
}

# The same for docstrings.
DOCSTRINGS = ["within 0.5 of the target"]


def values(*metrics: str, key: str | None = None) -> list[tuple[str, float]]:
    """All figures of the manifest for some metrics, with the key of their marker."""
    found = []
    for weights, entry in MANIFEST.items():
        for name, protocol in figures.PROTOCOLS.items():
            for setting, measured in entry["metrics"].get(protocol, {}).items():
                for metric in metrics if isinstance(measured, dict) and key in (None, weights) else ():
                    mean = measured.get(metric, {}).get("mean")
                    if mean is not None:
                        found.append((f"{weights}/{name}/{setting}/{metric}", abs(mean)))
    return found


def like(number: str, key: str | None = None) -> list[str]:
    """Keys of the figures that a number states, if it has enough digits to state one."""
    value, decimals = abs(float(number.replace("−", "-"))), len(number.rpartition(".")[2])
    if decimals >= 4:
        metrics = ["mse", "ssim", "ece"]
    elif decimals == 3 and value >= 1:
        metrics = ["nll"]
    elif decimals == 2 and value >= 10:
        metrics = [
            "psnr",
            "abrmse",
            "colorfulness",
            "delta_colorfulness",
            "fd_lite0",
            "auc",
            "auc_rebalanced",
            "delta_e",
        ]
    else:
        return []
    return [name for name, mean in values(*metrics, key=key) if f"{mean:.{decimals}f}" == f"{value:.{decimals}f}"]


def statements(text: str) -> Iterator[str]:
    """Sentences, and rows of tables with the head of their table."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*] |\d+\. |#|> |\w+: ))", text):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            yield from (f"{lines[0]} {line}" for line in lines[2:])
        else:
            yield from SENTENCE.split(" ".join(line.strip() for line in lines))


def typed(text: str, allowed: list[str], used: set[str]) -> list[str]:
    """What is wrong with a text without code, markers and generated sections."""
    wrong = []
    for number in DECIMAL.findall(text):
        if keys := like(number):
            wrong.append(f"{number} is the figure {' or '.join(keys)}")
    for number in SIZE.findall(text):
        wrong += [
            f"{number} MB is the figure {key}/bytes"
            for key, entry in MANIFEST.items()
            if f"{entry['bytes'] / 1e6:.1f}" == number
        ]
    for statement in statements(text):
        if METRIC.search(statement) and (DECIMAL.search(statement) or DISTANCE.search(statement)):
            known = [part for part in allowed if part in statement]
            used.update(known)
            if not known:
                wrong.append(f"a figure in: {statement}")
    return wrong


def advice(wrong: list[str]) -> str:
    return "write <!-- figure KEY --><!-- /figure --> (CONTRIBUTING.md), or words:\n" + "\n".join(wrong)


def text_of(document: str) -> str:
    text = SECTION.sub("", figures.without_figures((ROOT / document).read_text()))
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("document", [page for page in figures.documents() if page != LOG])
def test_no_figure_is_typed(document: str) -> None:
    allowed = ALLOWED.get(document, [])
    used: set[str] = set()
    wrong = typed(text_of(document), allowed, used)
    assert not wrong, advice(wrong)
    assert used == set(allowed), "no longer needed in ALLOWED"


def test_the_log_does_not_type_the_figures_of_what_is_released() -> None:
    """It tells of experiments; but in the section of current weights, their figures are those of the manifest."""
    wrong = []
    for part in re.split(r"^## ", (ROOT / LOG).read_text(), flags=re.MULTILINE):
        key = part.partition("\n")[0].strip("` ")
        if key in MANIFEST:
            for number in DECIMAL.findall(figures.without_figures(part)):
                wrong += [f"{key}: {number} is the figure {name}" for name in like(number, key)]
    assert not wrong, advice(wrong)


def docstrings() -> Iterator[tuple[str, str]]:
    for path in (
        ROOT / "hubconf.py",
        *sorted((ROOT / "artcolor").rglob("*.py")),
        *sorted((ROOT / "examples").glob("*.py")),
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    yield path.relative_to(ROOT).as_posix(), text


def test_no_docstring_states_figures() -> None:
    """Not even as a marker: help texts are assembled from the manifest where they state figures."""
    wrong, used = [], set()
    for path, text in docstrings():
        # What stands in examples is checked by doctest, or skipped.
        text = re.sub(r"^ *>>> .*?(?=\n\s*\n|\Z)", "", text, flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r"`[^`\n]*`", "", text)
        wrong += [f"{path}: {each}" for each in typed(text, DOCSTRINGS, used)]
    assert not wrong, "\n".join(wrong)
    assert used == set(DOCSTRINGS), "no longer needed in DOCSTRINGS"


@pytest.mark.parametrize(
    "text",
    [
        "It reaches {psnr} on whole paintings.",
        "- a list\n- with {psnr} of something",
        "| a | b |\n|---|---|\n| x | {psnr} |",
        "Its FD-grid is 254.",
        "A PSNR of 30.1 dB was reached.",
        "| | FD-grid | ΔCF |\n|---|---|---|\n| now | 254 | −0.3 |",
        "The file is {size}.",
    ],
)
def test_typed_figures_are_found(text: str) -> None:
    key, entry = next(iter(MANIFEST.items()))
    psnr = entry["metrics"]["paintings-whole"]["default"]["psnr"]["mean"]
    stated = text.format(psnr=f"{psnr:.2f}", size=f"{entry['bytes'] / 1e6:.1f} MB")
    assert typed(stated, [], set())
    filled = f"It has <!-- figure {key}/whole/default/psnr -->{psnr:.2f}<!-- /figure --> dB of PSNR."
    assert not typed(figures.without_figures(filled), [], set())


@pytest.mark.parametrize(
    "text",
    [
        "It takes 1.00 s, and 0.52 with ONNX Runtime.",
        "The PSNR is higher. A step takes 0.44 s.",
        "| size | ms |\n|---|---|\n| 256 | 24.3 |",
        "Python 3.11.7 has a PSNR that I do not know.",
    ],
)
def test_other_numbers_may_be_typed(text: str) -> None:
    assert not typed(text, [], set())
