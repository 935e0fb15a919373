"""The training loop."""

import contextlib
import functools
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch
import yaml
from accelerate import PartialState
from accelerate.utils import set_seed
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from artcolor.data.dataset import ArtDataset
from artcolor.data.stream import SampleStream
from artcolor.errors import TrainingError
from artcolor.models.base import ColorizationModel
from artcolor.models.registry import from_pretrained, save_weights
from artcolor.train import checkpoint
from artcolor.train.callbacks import Callback, CsvLog, PictureGrid
from artcolor.train.config import TrainConfig
from artcolor.train.objective import Classifier, Objective, Teacher, labeled
from artcolor.train.optimization import moving_average, parameter_groups, set_training_mode, warmup_cosine
from artcolor.train.precision import accelerator_for, fast_precision
from artcolor.train.state import Interrupt, Patience, RunningMean
from artcolor.train.timing import StepTime, measure_steps
from artcolor.train.validation import validate

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 50
_VALIDATED = ["val_loss", "val_psnr", "val_colorfulness"]
_TIMED_STEPS = 12


class Trainer:
    """Trains or fine-tunes a model, and resumes exactly where it was stopped.

    Args:
        model: any `ColorizationModel`.
        config: the settings.
        train: training pictures.
        val: pictures to validate on; `None` does without.
        callbacks: told of progress; `CsvLog` and `PictureGrid` are always there.
        out: folder for results and checkpoints.

    Raises:
        TrainingError: the batch cannot be divided among processes and accumulation steps, or a size does not
            suit the network.

    Example:
        >>> import artcolor
        >>> config, model = artcolor.TrainConfig(max_minutes=10), artcolor.cnn(weights="DEFAULT")
        >>> data = artcolor.ArtDataset("my-paintings", "train")  # doctest: +SKIP
        >>> artcolor.Trainer(model, config, data, out="runs/mine").fit()  # doctest: +SKIP
    """

    def __init__(
        self,
        model: ColorizationModel,
        config: TrainConfig,
        train: ArtDataset,
        val: ArtDataset | None = None,
        callbacks: Sequence[Callback] = (),
        *,
        out: str | Path = "runs/artcolor",
    ) -> None:
        self.model, self.config, self.train, self.val = model, config, train, val
        self.out = Path(out)
        self.callbacks = [CsvLog(), PictureGrid(), *callbacks]
        cpu = config.device == "cpu"
        self.precision = (
            fast_precision(PartialState(cpu=cpu).device) if config.precision == "auto" else config.precision
        )
        self.accelerator = accelerator_for(self.precision, cpu=cpu)
        self.device = self.accelerator.device
        self._world = self.accelerator.num_processes
        if config.batch_size % (self._world * config.accumulate):
            raise TrainingError(
                f"batch_size {config.batch_size} cannot be divided among {self._world} processes "
                f"and {config.accumulate} accumulation steps"
            )
        stride, fixed = model.network.stride, model.network.fixed_size
        for key, size in (("size", config.size), ("final_size", config.final_size)):
            if size is not None and size % stride:
                raise TrainingError(f"{key} {size} is not a multiple of {stride}, which {model.name} needs")
            if size is not None and size != (fixed or size):
                raise TrainingError(f"{key} is {size}, but {model.name} only works at {fixed}")
        self._labeled = labeled(train, config.classify) if config.classify else None
        self._classifier: Classifier | None = None
        self._teacher: Teacher | None = None
        if config.teacher is not None:
            self._teacher = Teacher(from_pretrained(config.teacher), model, config.teacher_share)
        self.step = 0
        self.steps = 0
        self._means, self._patience, self._interrupt = RunningMean(), Patience(config.patience), Interrupt()
        self._waited = self._logged_at = 0.0

    @property
    def log_columns(self) -> list[str]:
        """Columns of `log.csv` beside `step`."""
        return ["loss", "learning_rate", "grad_norm", *(_VALIDATED if self.val is not None else [])]

    def averaged(self) -> ColorizationModel:
        """The model with averaged (EMA) weights, in evaluation mode."""
        average = cast(ColorizationModel, self._ema.module)
        return average.eval()

    def fit(self, resume: Literal["auto"] | Path | None = "auto") -> Path:
        """Trains to the end.

        Args:
            resume: `"auto"` goes on from the newest whole checkpoint in `out`, if there is one; a path from that
                checkpoint; `None` insists on starting anew.

        Returns:
            The file of the averaged weights, `OUT/model.safetensors`.

        Raises:
            TrainingError: the loss is not finite, a checkpoint could not be written, or the settings differ
                from those that the training began with.
            KeyboardInterrupt: after Ctrl-C, once a checkpoint is written.
        """
        result = self.out / "model.safetensors"
        if (self.out / "DONE").exists():
            _LOG.warning("the training in %s is finished; nothing to do", self.out)
            return result
        self.out.mkdir(parents=True, exist_ok=True)
        found = checkpoint.latest(self.out / "checkpoints") if resume in ("auto", None) else Path(str(resume))
        if resume is None and found is not None:
            raise TrainingError(f"{self.out} holds checkpoints of a training; resume it or choose another folder")
        self._prepare(found)
        try:
            with self._interrupt:
                self._tell("on_start")
                self._loop()
        finally:
            self._tell("on_end")
        if self.accelerator.is_main_process:
            save_weights(self.averaged(), result)
            (self.out / "DONE").write_text(f"{self.step} steps\n")
        self.accelerator.wait_for_everyone()
        return result

    def _prepare(self, found: Path | None) -> None:
        """Brings model, optimizer, schedule and average to where the training begins or goes on."""
        config, model = self.config, self.model
        if config.fit_head:
            model.head.fit(self.train.statistics())
        model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self._labeled is not None:
            self._classifier = Classifier(model, self._labeled.classes).to(self.device)
        set_training_mode(model, config)
        groups = parameter_groups(model, config)
        if self._classifier is not None:
            groups += [
                {"params": [layer.weight for layer in self._classifier.layers], "weight_decay": config.weight_decay},
                {"params": [layer.bias for layer in self._classifier.layers], "weight_decay": 0.0},
            ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self._ema = AveragedModel(model, multi_avg_fn=moving_average(config.ema_decay))
        state: dict[str, Any] = {}
        if found is not None:
            state = self._check(json.loads((found / "state.json").read_text()))
            self.steps = state["steps"]
        else:
            self.steps = self._plan()
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, functools.partial(warmup_cosine, warmup=config.warmup_steps, total=self.steps)
        )
        if found is not None:
            self._restore(found, state)
        elif self.accelerator.is_main_process:
            text = yaml.safe_dump({**config.model_dump(), "steps_planned": self.steps}, sort_keys=False)
            (self.out / "config.yaml").write_text(text)
        self._loss, self._stepper = self.accelerator.prepare(
            Objective(model, self._classifier, self._teacher), self.optimizer
        )

    def size_at(self, step: int) -> int:
        """Side of the crops at a step, in pixels."""
        late = self.config.final_size is not None and step >= self.config.final_from * self.steps
        return self.config.final_size if late and self.config.final_size else self.config.size

    def _batches(self, start: int, stop: int, size_at: Callable[[int], int]) -> Iterator[Sequence[Tensor]]:
        stream = SampleStream(
            len(self.train),
            self.config.batch_size,
            seed=self.config.seed,
            start=start,
            stop=stop,
            size_at=size_at,
            parts=self.config.accumulate * self._world,
            rank=self.accelerator.process_index,
            world=self._world,
            labels=self.train.labels(self.config.balance) if self.config.balance else None,
        )
        loader: DataLoader[Sequence[Tensor]] = DataLoader(
            self.train if self._labeled is None else self._labeled,
            batch_sampler=stream,
            num_workers=self.config.workers,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=8 if self.config.workers else None,
        )
        return iter(loader)

    def _loop(self) -> None:
        batches = self._batches(self.step, self.steps, self.size_at)
        saved_at = self._logged_at = time.monotonic()
        while self.step < self.steps:
            losses = self._one_step(batches)
            self._tell("on_step", losses)
            row = self._log_row(losses)
            if row is not None:
                self._tell("on_log", row)
                self._waited, self._logged_at = 0.0, time.monotonic()
            if self._patience.is_over((row or {}).get(f"val_{self.config.stop_metric}")):
                _LOG.info("no improvement of %s: stopping at step %d", self.config.stop_metric, self.step)
                break
            every = self.config.checkpoint_every
            late = time.monotonic() - saved_at > 60 * self.config.checkpoint_minutes
            if self._interrupt.asked or late or (every and self.step % every == 0):
                self._save()
                saved_at = time.monotonic()
            if self._interrupt.asked:
                raise KeyboardInterrupt
        self._save()

    def _one_step(self, batches: Iterator[Sequence[Tensor]]) -> dict[str, float]:
        config = self.config
        noise = (config.seed * 1_000_003 + self.step) * 4096 + self.accelerator.process_index
        set_seed(noise % 2**32)
        generator = torch.Generator(self.device).manual_seed(noise)
        sums: dict[str, float] = {}
        for part in range(config.accumulate):
            asked = time.monotonic()
            lightness, ab, *labels = (x.to(self.device, non_blocking=True) for x in next(batches))
            self._waited += time.monotonic() - asked
            last = part == config.accumulate - 1
            with self.accelerator.no_sync(self._loss) if not last else contextlib.nullcontext():
                losses = self._loss(lightness, ab, self.step, generator, *labels)
                self.accelerator.backward(losses["loss"] / config.accumulate)
            for name, value in losses.items():
                mean = self.accelerator.reduce(value.detach(), "mean")
                sums[name] = sums.get(name, 0.0) + float(mean) / config.accumulate
        norm = float(self.accelerator.clip_grad_norm_(self._loss.parameters(), config.clip_norm))
        # fp16 meets infinite gradients in its normal course; its scaler then skips the step.
        if self.precision != "fp16":
            sums["grad_norm"] = norm
        self._stop_if_not_finite(sums)
        sums["grad_norm"] = norm
        self._stepper.step()
        self._stepper.zero_grad()
        self.schedule.step()
        self._ema.update_parameters(self.model)
        self.step += 1
        return sums

    def _stop_if_not_finite(self, losses: dict[str, float]) -> None:
        if all(math.isfinite(value) for value in losses.values()):
            return
        last = checkpoint.latest(self.out / "checkpoints")
        raise TrainingError(
            f"step {self.step + 1} is not finite: {losses}. "
            + (f"The last good checkpoint is {last}. " if last else "There is no checkpoint yet. ")
            + "Likely causes: a learning_rate that is too high, too short a warm-up (warmup_steps), fp16 on a "
            "network that needs bf16 or fp32, or a broken picture in the data."
        )

    def _log_row(self, losses: dict[str, float]) -> dict[str, float] | None:
        self._means.add({name: losses[name] for name in ("loss", "grad_norm")})
        validates = self.val is not None and (self.step % self.config.validate_every == 0 or self.step == self.steps)
        if self.step % _LOG_EVERY and self.step != self.steps and not validates:
            return None
        row = self._means.take()
        row["learning_rate"] = float(self.schedule.get_last_lr()[0])
        if validates:
            found = self.evaluate()
            self._tell("on_validate", found)
            row.update({f"val_{name}": value for name, value in found.items()})
        return row

    def evaluate(self) -> dict[str, float]:
        """Validates the averaged weights on central crops of the val pictures.

        Returns:
            `loss`, `psnr` (dB, at the model's own decoding) and `colorfulness` of the predictions.

        Raises:
            TrainingError: there are no val pictures.
        """
        if self.val is None:
            raise TrainingError("there are no val pictures to evaluate on")
        model = self.averaged() if hasattr(self, "_ema") else self.model.eval()
        return validate(model, self.val, self.config, step=self.step, device=self.device)

    def save_pretrained(self, folder: str | Path) -> None:
        """Saves the averaged weights; see `ColorizationModel.save_pretrained`."""
        self.averaged().save_pretrained(folder)

    def push_to_hub(self, repo: str, *, private: bool = False, token: str | None = None) -> str:
        """Uploads the averaged weights; see `ColorizationModel.push_to_hub`."""
        return self.averaged().push_to_hub(repo, private=private, token=token)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            classifier = {} if self._classifier is None else {"classifier": self._classifier.state_dict()}
            path = checkpoint.save(
                self.out / "checkpoints",
                self.step,
                tensors={"model": self.model.state_dict(), "ema": self._ema.state_dict(), **classifier},
                optimizer={
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(),
                    "scaler": scaler.state_dict() if scaler is not None else {},
                },
                state={
                    "steps": self.steps,
                    "config": self.config.model_dump(),
                    "sums": self._means.sums,
                    "best": self._patience.best,
                    "stale": self._patience.stale,
                },
                keep=self.config.keep_checkpoints,
            )
            self._tell("on_checkpoint", path)
        self.accelerator.wait_for_everyone()

    def _check(self, state: dict[str, Any]) -> dict[str, Any]:
        changed = self.config.differences(type(self.config)(**state["config"]))
        if changed:
            raise TrainingError(
                f"the training in {self.out} began with other settings (now → then): {'; '.join(changed)}. "
                "Take those again, or choose another folder."
            )
        return state

    def _restore(self, path: Path, state: dict[str, Any]) -> None:
        tensors, saved, _ = checkpoint.load(path)
        self.model.load_state_dict(tensors["model"])
        self._ema.load_state_dict(tensors["ema"])
        if self._classifier is not None:
            self._classifier.load_state_dict(tensors["classifier"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(saved["scaler"])
        self.step = state["step"]
        self._means.sums = state["sums"]
        self._patience.best, self._patience.stale = state["best"], state["stale"]
        _LOG.info("resuming from %s", path)

    def _plan(self) -> int:
        config = self.config
        if config.max_minutes is None:
            return self.planned_steps(0.0)
        late = 1 - config.final_from if config.final_size else 0.0
        per_step = (1 - late) * self.measure(config.size).total
        if late:
            per_step += late * self.measure(config.final_size or config.size).total
        slowest = torch.tensor([per_step], device=self.device)
        per_step = float(self.accelerator.gather(slowest).max())
        steps = self.planned_steps(per_step)
        speed = 1000 * per_step / config.batch_size
        _LOG.info("%.1f ms/picture: %d steps in %s minutes", speed, steps, config.max_minutes)
        return steps

    def planned_steps(self, seconds_per_step: float) -> int:
        """How many steps the settings ask for, at this speed.

        Args:
            seconds_per_step: only a time budget depends on it.
        """
        config = self.config
        if config.steps is not None:
            return config.steps
        if config.epochs is not None:
            return math.ceil(config.epochs * len(self.train) / config.batch_size)
        return max(1, int(60 * (config.max_minutes or 0) / seconds_per_step))

    def measure(self, size: int, steps: int = _TIMED_STEPS) -> StepTime:
        """Times steps on a copy of the model, with real pictures.

        Args:
            size: side of the crops, in pixels.
            steps: how many to run; the first three are not counted.
        """
        set_training_mode(self.model, self.config)
        return measure_steps(
            self.model.to(self.device, memory_format=torch.channels_last),  # type: ignore[call-overload]
            self._batches(0, steps, lambda _: size),
            autocast=self.accelerator.autocast,
            device=self.device,
            learning_rate=self.config.learning_rate,
            parts=self.config.accumulate,
            teacher=self._teacher,
        )

    def timings(self) -> dict[str, float]:
        """Speed since the last row of the log."""
        seconds = time.monotonic() - self._logged_at
        pictures = self.config.batch_size * (self.step % _LOG_EVERY or _LOG_EVERY)
        return {
            "seconds": round(seconds, 3),
            "ms_per_picture": round(1000 * seconds / pictures, 3),
            "waiting_share": round(self._waited / seconds, 4),
        }

    def _tell(self, moment: str, *what: Any) -> None:
        if self.accelerator.is_main_process:
            for callback in self.callbacks:
                getattr(callback, moment)(self, *what)
