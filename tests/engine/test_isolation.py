"""Colors do not depend on settings of torch that others have made."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import torch

import artcolor

GRAY = np.tile(np.arange(256, dtype=np.uint8), (120, 1))


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


SETTINGS = {
    "bf16": lambda: torch.autocast("cpu", torch.bfloat16),
    "fp16": lambda: torch.autocast("cpu", torch.float16),
    "float64": default_dtype,
    "device": default_device,
    "inference": torch.inference_mode,
    "deterministic": deterministic,
    "grad": torch.enable_grad,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_seed_gives_the_same_coloring(name: str) -> None:
    expected = artcolor.colorize(GRAY, "vae", seed=3)
    with SETTINGS[name]():
        found = artcolor.colorize(GRAY, "vae", seed=3)
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("model", ["unet", "cnn", "ae_report"])
def test_settings_of_others_do_not_matter(name: str, model: str) -> None:
    settings: Callable[[], AbstractContextManager[None]] = SETTINGS[name]
    expected = artcolor.colorize(GRAY, model)
    with settings():
        assert np.array_equal(artcolor.colorize(GRAY, model), expected)
        session = artcolor.Session(GRAY, model)
    assert np.array_equal(np.asarray(session.render()), expected)
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("name", ["bf16", "float64", "inference"])
def test_models_may_be_loaded_under_them(name: str) -> None:
    with SETTINGS[name]():
        model = artcolor.unet(weights="DEFAULT")
        found = artcolor.colorize(GRAY, model)
    assert np.array_equal(found, artcolor.colorize(GRAY))
    assert np.array_equal(artcolor.colorize(GRAY, model), found)


@pytest.mark.parametrize("kind", ["half", "bfloat16", "double"])
@pytest.mark.parametrize("name", ["unet", "vae", "ae_report"])
def test_models_of_other_precision_colorize(name: str, kind: str) -> None:
    model = getattr(artcolor.from_pretrained(name), kind)()
    gray = torch.from_numpy(GRAY.copy())[None, None] / 255
    expected = artcolor.from_pretrained(name).colorize(gray)
    # bfloat16 knows L to half a unit, and weights to three digits.
    tolerance = {"half": 0.02, "bfloat16": 0.2, "double": 0.005}[kind]
    found = model.colorize(gray)
    # The default temperature sharpens the distribution, and differences with it.
    assert (found - expected).abs().mean() < tolerance / 3
    assert (found - expected).abs().max() < tolerance * 6
    assert np.abs(artcolor.colorize(GRAY, model).astype(int) - artcolor.colorize(GRAY, name)).mean() < 255 * tolerance


FORK = """
import multiprocessing
import numpy as np
import torch
import artcolor

torch.set_num_threads(2)
gray = np.full((300, 400), 128, np.uint8)

def work(number):
    return int(artcolor.colorize(gray, "cnn").sum())

expected = work(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    one, other = pool.map_async(work, range(2)).get(timeout=60)
assert one == other
# Children compute on one thread, which rounds otherwise.
assert abs(one / expected - 1) < 1e-3, (one, expected)
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_forked_children_colorize() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120)
    assert done.stdout == "done\n", done.stderr
