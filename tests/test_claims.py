"""What pages say in words about models holds, by the manifest and the results that the figures come from."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from artcolor.evaluate.results import METRICS
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import zoo_tables
from figures import number

MANIFEST = json.loads((ROOT / "weights_manifest.json").read_text())["weights"]
MODELS = {key.partition(".")[0]: entry for key, entry in MANIFEST.items()}


def best(key: str, choose: Callable[..., Any]) -> str:
    """The model whose figure is the best one; `accurate` exists for models with a vividness only."""
    _, setting, _ = key.split("/")
    names = [name for name, entry in MODELS.items() if setting in entry["metrics"]["paintings-whole"]]
    return choose(names, key=lambda name: number(f"{name}/{key}"))


def missed(model: str) -> set[str]:
    rows = [row.split(" | ") for row in zoo_tables.targets_table().splitlines()]
    return {row[1] for row in rows if model in row[0] and "missed" in row[-1]}


def defaults_are_vivid() -> bool:
    heads = {name: entry["config"]["head"] for name, entry in MODELS.items()}
    distributions = {name: head for name, head in heads.items() if "vividness" in head}
    return {name for name, head in distributions.items() if head["vividness"] != 2} == {"cic"}


CLAIMS: list[tuple[str, str, Callable[[], bool]]] = [
    (
        "docs/models/unet.md",
        "it has the highest PSNR at vividness 0 and the lowest FD-grid",
        lambda: best("whole/accurate/psnr", max) == best("whole/default/fd_grid", min) == "unet",
    ),
    (
        "docs/models/unet.md",
        "the only one with a trained kernel",
        lambda: [name for name, entry in MODELS.items() if "kernel" in entry["config"]] == ["unet"],
    ),
    (
        "docs/models/unet.md",
        "It misses its targets for FD-lite0 and for hints",
        lambda: (
            {word for target in missed("unet") for word in ("FD-lite0", "hint") if word in target}
            == {"FD-lite0", "hint"}
            and all("FD-lite0" in target or "hint" in target for target in missed("unet"))
        ),
    ),
    (
        "docs/models/vae.md",
        "use [`unet`](unet.md): it has the higher PSNR and the lower FD-grid",
        lambda: (
            all(
                number(f"unet/whole/{setting}/psnr") > number(f"vae/whole/{setting}/psnr")
                for setting in ("default", "accurate")
            )
            and number("unet/whole/default/fd_grid") < number("vae/whole/default/fd_grid")
        ),
    ),
    ("docs/models/vae.md", "It met all of its [targets](../models.md#targets)", lambda: not missed("vae")),
    (
        "docs/models/cnn.md",
        "and less accurate",
        lambda: number("cnn/whole/accurate/psnr") < number("unet/whole/accurate/psnr"),
    ),
    (
        "docs/color.md",
        "the default of all released weights that predict a distribution except [`cic`](models/cic.md), is as colorful",
        defaults_are_vivid,
    ),
    (
        "docs/models.md",
        "The defaults are vivid on purpose, as colorful as real paintings",
        lambda: all(
            abs(number(f"{name}/whole/default/delta_colorfulness")) < 2
            for name, entry in MODELS.items()
            if entry["config"]["head"].get("vividness")
        ),
    ),
    (
        "docs/report.md",
        "a constant brown beats the autoencoder and the VAE. Only the CNN narrowly beats it",
        lambda: (
            number("cnn_report/report-200/default/mse")
            < number("constant/report-200/mse")
            < number("ae_report/report-200/default/mse")
            and number("constant/report-128/mse") < number("vae_report/report-128/default/mse")
        ),
    ),
    (
        "docs/report.md",
        "more than twice that of a constant brown",
        lambda: number("vae_report/report-128/default/mse") > 2 * number("constant/report-128/mse"),
    ),
    (
        "docs/report.md",
        "the chroma of all three is about as good as that table",
        lambda: all(
            abs(number(f"{name}_report/crops/default/psnr") - number("l_table/crops/psnr")) < 0.2
            for name in ("cnn", "ae", "vae")
        ),
    ),
    ("docs/report.md", "fourteen metrics", lambda: len(set(METRICS) - {"seconds"}) == 14),
]


@pytest.mark.parametrize(("page", "claim", "holds"), CLAIMS, ids=lambda value: value if isinstance(value, str) else "")
def test_claims_hold(page: str, claim: str, holds: Callable[[], bool]) -> None:
    text = " ".join((ROOT / page).read_text().split())
    assert claim in text, "the page no longer says so: change or remove the claim here"
    assert holds(), f"{page} says what is no longer true: {claim}"
