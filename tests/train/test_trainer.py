import csv
import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import artcolor
from artcolor.data.dataset import ArtDataset
from artcolor.data.stream import SampleStream
from artcolor.errors import ConfigError, TrainingError
from artcolor.train import checkpoint
from artcolor.train.callbacks import Callback, TensorBoard
from artcolor.train.config import RECIPES, Recipe, TrainConfig, checked, load_recipe, parse_overrides
from artcolor.train.trainer import Trainer

SMALL: dict[str, Any] = {
    "steps": 12, "batch_size": 4, "size": 32, "warmup_steps": 2, "workers": 0, "device": "cpu",
    "validate_every": 6, "validate_pictures": 4, "fit_head": True,
}  # fmt: skip

Make = Callable[..., Trainer]


@pytest.fixture
def make(art: Path, tmp_path: Path) -> Make:
    def trainer(out: str = "run", callbacks: tuple[Callback, ...] = (), **changes: Any) -> Trainer:
        torch.manual_seed(0)
        config = TrainConfig(**{**SMALL, **changes})
        train, val = ArtDataset(art, "train"), ArtDataset(art, "val", augmentation=None)
        return Trainer(artcolor.cnn(width=16), config, train, val, callbacks, out=tmp_path / out)

    return trainer


def test_result_loads_and_loss_falls(make: Make) -> None:
    trainer = make(steps=60, learning_rate=5e-3)
    path = trainer.fit()
    with (trainer.out / "log.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val_loss"]]
    assert float(rows[-1]["val_loss"]) < float(rows[0]["val_loss"])
    model = artcolor.from_pretrained(path)
    assert model.head.codebook.bins < 261, "bins are fitted to the pictures"
    light = torch.rand(1, 1, 32, 32) * 100
    torch.testing.assert_close(model.predict_ab(light), trainer.averaged().predict_ab(light), atol=0.2, rtol=0.02)


def test_accumulation_does_not_change_the_result(make: Make) -> None:
    # BatchNorm statistics depend on the micro-batches, so they are frozen here.
    results = []
    for accumulate in (1, 4):
        trainer = make(f"a{accumulate}", accumulate=accumulate, steps=6, freeze_norms=True)
        trainer.fit()
        results.append({n: p.detach().clone() for n, p in trainer.model.named_parameters()})
    for name, one in results[0].items():
        torch.testing.assert_close(one, results[1][name], atol=2e-4, rtol=1e-3, msg=name)


def test_schedule_warms_up_and_falls_to_zero(make: Make) -> None:
    rates: list[float] = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer, losses: dict[str, float]) -> None:
            rates.append(trainer.schedule.get_last_lr()[0])

    make(callbacks=(Watch(),), steps=20, warmup_steps=4, learning_rate=1e-3).fit()
    assert rates[2] == pytest.approx(1e-3)
    assert all(a < b for a, b in itertools.pairwise(rates[:3]))
    assert all(a >= b for a, b in itertools.pairwise(rates[4:]))
    assert rates[-1] < 1e-5


def test_progressive_size(make: Make) -> None:
    trainer = make(steps=10, size=32, final_size=48, final_from=0.6)
    trainer.steps = 10
    assert [trainer.size_at(step) for step in (0, 5, 6, 9)] == [32, 32, 48, 48]


def test_frozen_and_pretrained_parts(make: Make) -> None:
    trainer = make(steps=5, encoder_rate=0.1, frozen=("network.layers.0",), freeze_norms=True)
    network = trainer.model.network
    first, norm = network.layers[0], network.layers[3]
    network.pretrained = ("layers.2", "layers.3")
    before = first.weight.detach().clone()
    trainer.fit()
    assert torch.equal(first.weight, before)
    assert torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean)), "statistics are frozen"
    assert not torch.equal(norm.bias, torch.zeros_like(norm.bias)), "scale and shift are trained"
    with pytest.raises(ConfigError, match=r"no part called 'network\.nothing'"):
        make(out="other", frozen=("network.nothing",)).fit()
    groups = trainer.optimizer.param_groups
    assert sum(len(g["params"]) for g in groups) == len(list(trainer.model.parameters())) - 2
    assert {round(g["initial_lr"] / trainer.config.learning_rate, 3) for g in groups} == {0.1, 1.0}
    for group in groups:
        assert (group["weight_decay"] == 0) == all(p.ndim <= 1 for p in group["params"])


def test_average_keeps_up_with_a_short_training(make: Make) -> None:
    trainer = make(steps=30, learning_rate=5e-3)
    trainer.fit()
    name = "network.layers.8.weight"
    now, average = trainer.model.get_parameter(name), trainer.averaged().get_parameter(name)
    torch.manual_seed(0)
    start = artcolor.cnn(width=16).get_parameter(name)
    assert (now - average).norm() < 0.5 * (now - start).norm()


class _Broken(ArtDataset):
    """A data set in which one picture is NaN."""

    def __getitem__(self, key: Any) -> tuple[torch.Tensor, torch.Tensor]:
        light, ab = super().__getitem__(key)
        return (light * math.nan, ab) if (key.index, key.epoch) == (5, 1) else (light, ab)


def test_nan_error_names_the_step_and_likely_causes(art: Path, make: Make) -> None:
    trainer = make(checkpoint_every=4)
    trainer.train = _Broken(art, "train")
    order = [s for batch in _stream_of(trainer) for s in batch]
    bad = next(place for place, s in enumerate(order) if (s.index, s.epoch) == (5, 1)) // 4 + 1
    with pytest.raises(TrainingError, match=rf"step {bad} is not finite.*step-0000000[48].*learning_rate"):
        trainer.fit()
    assert not (trainer.out / "model.safetensors").exists()
    tensors, _, _ = checkpoint.load(checkpoint.latest(trainer.out / "checkpoints") or Path())
    assert all(torch.isfinite(t).all() for t in tensors["model"].values())


def _stream_of(trainer: Trainer) -> SampleStream:
    """Returns the samples that a trainer draws."""
    return SampleStream(
        len(trainer.train), trainer.config.batch_size, seed=0, start=0, stop=12, size_at=trainer.size_at
    )


def test_precision_may_change_within_one_process(make: Make) -> None:
    for precision in ("bf16", "fp32", "bf16"):
        trainer = make(steps=1, precision=precision, device="cpu")
        with trainer.accelerator.autocast():
            found = torch.ones(2, 2) @ torch.ones(2, 2)
        assert found.dtype == {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]


def test_auto_precision_matches_the_processor(make: Make) -> None:
    trainer = make(steps=2, precision="auto", device="cpu")
    trainer.fit()
    assert all(torch.isfinite(p).all() for p in trainer.averaged().parameters())
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    if flags and hasattr(torch.cpu, "get_capabilities"):
        assert trainer.precision == ("bf16" if {"amx_bf16", "avx512_bf16"} & set(flags) else "fp32")
    assert trainer.accelerator.mixed_precision == {"fp32": "no"}.get(trainer.precision, trainer.precision)


def test_early_stopping(make: Make) -> None:
    trainer = make(steps=40, validate_every=2, patience=2, learning_rate=1e-12)
    trainer.fit()
    assert trainer.step < 40


def test_training_outside_the_main_thread(make: Make) -> None:
    with ThreadPoolExecutor(1) as pool:
        path = pool.submit(make().fit).result()
    assert artcolor.from_pretrained(path).name == "cnn"


def test_full_disk_keeps_the_last_checkpoint(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make(checkpoint_every=4)
    real, calls = checkpoint.sync, []

    def sync(path: Path) -> None:
        calls.append(path)
        if "00000008" in str(path):
            raise OSError(28, "No space left on device")
        real(path)

    monkeypatch.setattr(checkpoint, "sync", sync)
    with pytest.raises(TrainingError, match=r"No space left.*last good checkpoint is .*step-00000004.*resumes"):
        trainer.fit()
    monkeypatch.undo()
    assert [p.name for p in (trainer.out / "checkpoints").iterdir()] == ["step-00000004"]
    again = make()
    again.fit()
    assert again.step == 12


def test_damaged_checkpoint_is_skipped(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    trainer = make(steps=8, checkpoint_every=4, keep_checkpoints=3)
    trainer.fit()
    folder = trainer.out / "checkpoints"
    file = folder / "step-00000008" / "ema.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert checkpoint.latest(folder) == folder / "step-00000004"
    assert "ema.safetensors does not match its hash" in caplog.text
    (folder / "step-00000004" / "state.json").unlink()
    assert checkpoint.latest(folder) is None
    with pytest.raises(TrainingError, match="incomplete"):
        checkpoint.load(folder / "step-00000004")


def test_resuming_with_changed_settings_is_an_error(make: Make) -> None:
    class Stop(Callback):
        def on_checkpoint(self, trainer: Trainer, path: Path) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(checkpoint_every=4, callbacks=(Stop(),)).fit()
    with pytest.raises(TrainingError, match=r"learning_rate: 0\.5 → 0\.002; batch_size|batch_size.*learning_rate"):
        make(learning_rate=0.5, batch_size=8).fit()
    with pytest.raises(TrainingError, match="holds checkpoints"):
        make().fit(resume=None)
    resumed = make(checkpoint_every=5, workers=1)
    resumed.fit()
    assert resumed.step == 12


def test_time_budget_is_converted_to_steps(make: Make) -> None:
    trainer = make(steps=None, max_minutes=0.02)
    trainer.fit()
    assert 1 <= trainer.step == trainer.steps < 2000


def test_tensorboard_logs_validation(make: Make) -> None:
    trainer = make(callbacks=(TensorBoard(),), steps=6)
    trainer.fit()
    (events,) = (trainer.out / "tensorboard").iterdir()
    assert b"val_psnr" in events.read_bytes()


def test_evaluate_without_training(make: Make) -> None:
    found = make().evaluate()
    assert set(found) == {"loss", "psnr", "colorfulness"}
    assert 5 < found["psnr"] < 50


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"steps": 5, "stepz": 1}, "there is no setting 'stepz'; did you mean 'steps'"),
        ({}, "^test: exactly one of .*none is given$"),
        ({"steps": 5, "epochs": 1}, "steps and epochs are given"),
        ({"steps": 0}, "^test: steps must be greater than 0, not '0'$"),
        ({"steps": 5, "precision": "fp8"}, "precision must be .*, not 'fp8'"),
    ],
)
def test_invalid_configs(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(TrainConfig, keys, "test")


def test_recipes(tmp_path: Path) -> None:
    recipe = load_recipe("cnn", {"steps": 7, **parse_overrides(["batch_size=4", "size=64"])})
    assert (recipe.steps, recipe.max_minutes, recipe.batch_size, recipe.size) == (7, None, 4, 64)
    assert isinstance(recipe, Recipe)
    with pytest.raises(ConfigError, match=r"no recipe nope\. The shipped recipes are ae, ae_report, cic, cnn, "):
        load_recipe("nope")
    bad = tmp_path / "bad.yaml"
    bad.write_text("model: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_recipe(bad)
    bad.write_text("just words")
    with pytest.raises(ConfigError, match="key: value"):
        load_recipe(bad)
    with pytest.raises(ConfigError, match="key=value, not 'x'"):
        parse_overrides(["x"])


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_every_recipe_builds_its_model(name: str) -> None:
    recipe = load_recipe(name)
    # Downloading nothing, as released weights and ImageNet's come with packages.
    assert artcolor.get_model(recipe.model, **recipe.options).name == recipe.model


def test_settings_that_the_model_does_not_support(make: Make) -> None:
    with pytest.raises(TrainingError, match="final_size 50 is not a multiple of 8, which cnn needs"):
        make(final_size=50)
    with pytest.raises(TrainingError, match="cannot be divided"):
        make(batch_size=4, accumulate=3)
