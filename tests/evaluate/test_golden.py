import json
from pathlib import Path

import pytest

from artcolor.engine.colorizer import DEFAULT_MODEL
from artcolor.models.registry import get_weight
from tests.evaluate.golden import COMMAND, FILE, content, measure

# Rounding differs between processors, torch versions and JPEG decoders, by a thousandth of a figure or less. Real
# changes are larger: 0.05 more vividness changed PSNR by 0.08 dB, abRMSE by 0.17, AuC by 0.10 and CF by 0.8.
TOLERANCES = {
    "mse": 5e-5,
    "psnr": 0.02,
    "ssim": 5e-4,
    "abrmse": 0.05,
    "auc": 0.03,
    "auc_rebalanced": 0.05,
    "delta_e": 0.03,
    "colorfulness": 0.15,
    "delta_colorfulness": 0.15,
    "hot_spots": 0.05,
    "fd_grid": 10.0,
    "fd_lite0": 0.6,
    "nll": 0.005,
    "ece": 0.003,
}


def test_the_default_model_matches_its_golden_figures(tmp_path: Path) -> None:
    key, golden = get_weight(DEFAULT_MODEL).value, json.loads(FILE.read_text())
    if key not in golden["weights"]:
        pytest.fail(f"{FILE.name} has no figures for {key}, the default model. Add them with `{COMMAND} {key}`.")
    if content() != golden["photographs"]:
        pytest.fail(
            "scikit-image or matplotlib ships other photographs than those of the golden figures. "
            f"Measure all figures again with `{COMMAND} {' '.join(golden['weights'])}`."
        )
    found = measure(key, tmp_path)
    assert set(found) == set(golden["weights"][key])
    off = {
        name: (value, golden["weights"][key][name])
        for name, value in found.items()
        if value != pytest.approx(golden["weights"][key][name], abs=TOLERANCES[name])
    }
    assert not off, f"measured and golden figures: {off}"
