"""Helpers for the tests of `artcolor.batch`."""

import csv
from pathlib import Path

import torch

import artcolor
from artcolor.batch.plan import Outcome, plan_jobs
from artcolor.batch.run import run_jobs
from artcolor.batch.saving import Saving
from tests.conftest import make_painting


def make_gray(folder: Path) -> Path:
    """Twelve gray pictures of three sizes, in two folders."""
    (folder / "sub").mkdir(parents=True)
    for number in range(12):
        name = f"{number:02}.png" if number % 3 else f"sub/{number:02}.jpg"
        make_painting(number, 60 + number % 3 * 30, 64).convert("L").save(folder / name)
    return folder


def make_colorizer(**options: object) -> artcolor.Colorizer:
    torch.manual_seed(0)
    return artcolor.Colorizer(artcolor.cnn(width=16), size=64, **options)


def run(source: Path, out: Path, saving: Saving | None = None, **options: object) -> dict[str, Outcome]:
    outcomes = run_jobs(make_colorizer(**options), plan_jobs([source], out), saving or Saving())
    return {outcome.job.source.name: outcome for outcome in outcomes}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))
