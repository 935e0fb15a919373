"""The training loop, in the order in which it runs: prepare, loop, step, log, validate, save."""

import contextlib
import functools
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
from artcolor.models.registry import save_weights
from artcolor.train import checkpoint
from artcolor.train.callbacks import Callback, CsvLog, PictureGrid
from artcolor.train.config import TrainConfig
from artcolor.train.objectives import objective_for
from artcolor.train.optimization import moving_average, parameter_groups, set_training_mode, warmup_cosine
from artcolor.train.precision import accelerator_for, fast_precision
from artcolor.train.processes import Processes
from artcolor.train.state import Interrupt, Patience, RunningMean
from artcolor.train.timing import StepTime, Stopwatch, mean_step_seconds, measure_steps, planned_steps
from artcolor.train.validation import METRICS, validate

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 50
_TIMED_STEPS = 12


class Trainer:
    """Trains or fine-tunes a model, and resumes exactly where it stopped.

    Args:
        model: the model to train; any `ColorizationModel`.
        config: the settings.
        train: training pictures.
        val: validation pictures; `None` trains without validation.
        callbacks: callbacks to call besides `CsvLog` and `PictureGrid`, which are always active.
        out: folder for results and checkpoints.

    Raises:
        ConfigError: `teacher` or `classify` of the settings does not suit the model.
        TrainingError: the batch size is not divisible among processes and accumulation steps, or the network does
            not support a crop size.

    Attributes:
        step: optimizer steps done.
        steps: optimizer steps planned; 0 before `fit`.
        interrupt: records requests to stop the training early.

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
        cpu, precision = config.device == "cpu", config.precision
        self.precision = fast_precision(PartialState(cpu=cpu).device) if precision == "auto" else precision
        self.accelerator = accelerator_for(self.precision, cpu=cpu)
        self.device = self.accelerator.device
        self._world = self.accelerator.num_processes
        self._processes = Processes(self.accelerator)
        if config.batch_size % (self._world * config.accumulate):
            raise TrainingError(
                f"batch_size {config.batch_size} cannot be divided among {self._world} processes "
                f"and {config.accumulate} accumulation steps; choose a multiple of {self._world * config.accumulate}"
            )
        stride, fixed = model.network.stride, model.network.fixed_size
        for key, size in (("size", config.size), ("final_size", config.final_size)):
            if size is not None and size % stride:
                raise TrainingError(f"{key} {size} is not a multiple of {stride}, which {model.name} needs")
            if size is not None and size != (fixed or size):
                raise TrainingError(f"{key} is {size}, but {model.name} only works at {fixed}")
        self.objective = objective_for(model, config, train)
        self.step = self.steps = 0
        self._means, self._patience, self.interrupt = RunningMean(), Patience(config.patience), Interrupt()
        self._stopwatch = Stopwatch()

    def fit(self, resume: Literal["auto"] | Path | None = "auto") -> Path:
        """Trains to the end.

        Args:
            resume: `"auto"` resumes from the newest intact checkpoint in `out`, if there is one; a path resumes from
                that checkpoint; `None` requires that `out` holds no checkpoint.

        Returns:
            The file of the averaged weights, `OUT/model.safetensors`.

        Raises:
            TrainingError: the loss is not finite, a checkpoint could not be read or written, the settings differ
                from those that the training began with, or another training is running in `out`.
            KeyboardInterrupt: Ctrl-C was pressed, SIGTERM arrived, or the launcher of several processes was killed; a
                checkpoint has been written.
        """
        result = self.out / "model.safetensors"
        if (self.out / "DONE").exists():
            _LOG.warning("the training in %s is finished; nothing to do", self.out)
            return result
        self.out.mkdir(parents=True, exist_ok=True)
        with self._processes.alone_in(self.out):
            found = checkpoint.latest(self.out / "checkpoints") if resume in ("auto", None) else Path(str(resume))
            if resume is None and found is not None:
                raise TrainingError(f"{self.out} holds checkpoints of a run; resume it or choose another folder")
            self._prepare(found)
            try:
                with self.interrupt:
                    self._notify("on_start")
                    self._loop()
            finally:
                self._notify("on_end")
            if self.accelerator.is_main_process:
                save_weights(self.averaged(), result)
                (self.out / "DONE").write_text(f"{self.step} steps\n", encoding="utf-8")
            self.accelerator.wait_for_everyone()
        return result

    def _prepare(self, found: Path | None) -> None:
        """Sets up model, optimizer, schedule and average for the first step, or as a checkpoint holds them."""
        config, model = self.config, self.model
        saved = None if found is None else checkpoint.load(found)
        self._processes.require_same(-1 if saved is None else saved.state["step"], self.out)
        if saved is not None:
            self._refuse_changed_settings(saved.state)
        if config.fit_head:
            model.head.fit(self.train.statistics())
        self.objective.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        set_training_mode(model, config)
        groups = parameter_groups(model, config, self.objective.auxiliaries())
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self._ema = AveragedModel(model, multi_avg_fn=moving_average(config.ema_decay))
        self.steps = self._planned_steps() if saved is None else saved.state["steps"]
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, functools.partial(warmup_cosine, warmup=config.warmup_steps, total=self.steps)
        )
        if saved is not None:
            self._restore(saved)
            _LOG.info("resuming from %s", found)
        elif self.accelerator.is_main_process:
            text = yaml.safe_dump({**config.model_dump(), "steps_planned": self.steps}, sort_keys=False)
            (self.out / "config.yaml").write_text(text, encoding="utf-8")
        self._loss, self._stepper = self.accelerator.prepare(self.objective, self.optimizer)

    def _refuse_changed_settings(self, state: dict[str, Any]) -> None:
        changed = self.config.differences(type(self.config)(**state["config"]))
        if changed:
            raise TrainingError(
                f"the training in {self.out} began with other settings (now → then): {'; '.join(changed)}. "
                "Restore those settings, or choose another folder."
            )

    def _restore(self, saved: checkpoint.Checkpoint) -> None:
        tensors, optimizer, state = saved
        self.model.load_state_dict(tensors["model"])
        self._ema.load_state_dict(tensors["ema"])
        for name, module in self.objective.auxiliaries().items():
            module.load_state_dict(tensors[name])
        self.optimizer.load_state_dict(optimizer["optimizer"])
        self.schedule.load_state_dict(optimizer["schedule"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(optimizer["scaler"])
        self.step = state["step"]
        self._means.sums = state["sums"]
        self._patience.best, self._patience.stale = state["best"], state["stale"]

    def _planned_steps(self) -> int:
        config = self.config
        if config.max_minutes is None:
            return planned_steps(config, len(self.train), 0.0)
        seconds = mean_step_seconds(config, lambda size: self.measure(size).total)
        # All processes must plan the same number of steps.
        seconds = float(self.accelerator.gather(torch.tensor([seconds], device=self.device)).max())
        steps = planned_steps(config, len(self.train), seconds)
        per_picture = 1000 * seconds / config.batch_size
        _LOG.info("%.1f ms/picture: %d steps in %s minutes", per_picture, steps, config.max_minutes)
        return steps

    def size_at(self, step: int) -> int:
        """Returns the side of the crops at a step, in pixels."""
        config = self.config
        late = step >= config.final_from * self.steps
        return config.final_size if config.final_size is not None and late else config.size

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
            self.objective.dataset(self.train),
            batch_sampler=stream,
            num_workers=self.config.workers,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=8 if self.config.workers else None,
        )
        return iter(loader)

    def _loop(self) -> None:
        batches = self._batches(self.step, self.steps, self.size_at)
        saved_at = time.monotonic()
        self._stopwatch.restart()
        while self.step < self.steps:
            losses = self._one_step(batches)
            self._notify("on_step", losses)
            row = self._log_row(losses)
            if row is not None:
                self._notify("on_log", row)
                self._stopwatch.restart()
            over, asked, late = self._processes.any(
                self._patience.is_over((row or {}).get(f"val_{self.config.stop_metric}")),
                self.interrupt.requested or self._processes.orphaned,
                time.monotonic() - saved_at > 60 * self.config.checkpoint_minutes,
            )
            if over:
                _LOG.info("no improvement of %s: stopping at step %d", self.config.stop_metric, self.step)
                break
            every = self.config.checkpoint_every
            if asked or late or (every and self.step % every == 0):
                self._save()
                saved_at = time.monotonic()
            if asked:
                raise KeyboardInterrupt
        self._save()

    def _one_step(self, batches: Iterator[Sequence[Tensor]]) -> dict[str, float]:
        config = self.config
        # All randomness is a function of (seed, step, process), which makes resuming exact.
        noise = (config.seed * 1_000_003 + self.step) * 4096 + self.accelerator.process_index
        set_seed(noise % 2**32)
        generator = torch.Generator(self.device).manual_seed(noise)
        sums: dict[str, float] = {}
        for part in range(config.accumulate):
            batch = self._stopwatch.next(batches)
            lightness, ab, *extra = (x.to(self.device, non_blocking=True) for x in batch)
            last = part == config.accumulate - 1
            with self.accelerator.no_sync(self._loss) if not last else contextlib.nullcontext():
                losses = self._loss(lightness, ab, *extra, step=self.step, generator=generator)
                self.accelerator.backward(losses["loss"] / config.accumulate)
            for name, value in losses.items():
                mean = self.accelerator.reduce(value.detach(), "mean")
                sums[name] = sums.get(name, 0.0) + float(mean) / config.accumulate
        norm = float(self.accelerator.clip_grad_norm_(self._loss.parameters(), config.clip_norm))
        # With fp16, infinite gradients are normal: the scaler skips such a step.
        self._require_finite(sums if self.precision == "fp16" else {**sums, "grad_norm": norm})
        self._stepper.step()
        self._stepper.zero_grad()
        self.schedule.step()
        self._ema.update_parameters(self.model)
        self.step += 1
        self._stopwatch.steps += 1
        return {**sums, "grad_norm": norm}

    def _require_finite(self, losses: dict[str, float]) -> None:
        if all(map(math.isfinite, losses.values())):
            return
        last = checkpoint.latest(self.out / "checkpoints")
        raise TrainingError(
            f"step {self.step + 1} is not finite: {losses}. "
            + (f"The last good checkpoint is {last}. " if last else "There is no checkpoint yet. ")
            + "Likely causes: learning_rate is too high, the warm-up (warmup_steps) is too short, the network needs "
            "bf16 or fp32 instead of fp16, or a picture in the data is broken."
        )

    @property
    def log_columns(self) -> list[str]:
        """Columns of `log.csv` besides `step`."""
        return ["loss", "learning_rate", "grad_norm", *(f"val_{name}" for name in METRICS if self.val is not None)]

    def _log_row(self, losses: dict[str, float]) -> dict[str, float] | None:
        self._means.add({name: losses[name] for name in ("loss", "grad_norm")})
        validates = self.val is not None and (self.step % self.config.validate_every == 0 or self.step == self.steps)
        if self.step % _LOG_EVERY and self.step != self.steps and not validates:
            return None
        row = self._means.take()
        row["learning_rate"] = float(self.schedule.get_last_lr()[0])
        if validates:
            metrics = self.evaluate()
            self._notify("on_validate", metrics)
            row.update({f"val_{name}": value for name, value in metrics.items()})
        return row

    def timings(self) -> dict[str, float]:
        """Returns the speed since the last row of the log: `seconds`, `ms_per_picture` and `waiting_share`."""
        return self._stopwatch.speed(self.config.batch_size)

    def evaluate(self) -> dict[str, float]:
        """Validates on central crops of the validation pictures: the averaged weights or, before `fit`, the model.

        Returns:
            `loss`, `psnr` (in dB, with the model's default decoding) and `colorfulness` of the predictions.

        Raises:
            TrainingError: there are no validation pictures.
        """
        if self.val is None:
            raise TrainingError("there are no validation pictures; pass `val` to the Trainer")
        model = self.averaged() if self.steps else self.model.eval()
        return validate(model, self.val, self.config, self.objective, step=self.step, device=self.device)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            modules = {"model": self.model, "ema": self._ema, **self.objective.auxiliaries()}
            path = checkpoint.save(
                self.out / "checkpoints",
                self.step,
                tensors={name: module.state_dict() for name, module in modules.items()},
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
            self._notify("on_checkpoint", path)
        self.accelerator.wait_for_everyone()

    def _notify(self, moment: str, *arguments: Any) -> None:
        if self.accelerator.is_main_process:
            for callback in self.callbacks:
                getattr(callback, moment)(self, *arguments)

    def averaged(self) -> ColorizationModel:
        """Returns the model with averaged (EMA) weights, in evaluation mode.

        Raises:
            TrainingError: `fit` has not been called.
        """
        if not self.steps:
            raise TrainingError("there are no averaged weights yet; call `fit` first")
        average = cast(ColorizationModel, self._ema.module)
        return average.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Saves the averaged weights; see `ColorizationModel.save_pretrained`.

        Args:
            folder: created if it does not exist.
        """
        self.averaged().save_pretrained(folder)

    def push_to_hub(self, repo: str, *, private: bool = False, token: str | None = None) -> str:
        """Uploads the averaged weights; see `ColorizationModel.push_to_hub`.

        Args:
            repo: `organization/repository` on the Hugging Face Hub.
            private: whether a new repository is private.
            token: access token; `None` uses the stored login.

        Returns:
            The commit hash of the upload.
        """
        return self.averaged().push_to_hub(repo, private=private, token=token)

    def measure(self, size: int, steps: int = _TIMED_STEPS) -> StepTime:
        """Times training steps on a copy of the model, with real pictures.

        Args:
            size: side of the crops, in pixels.
            steps: how many steps to run; the first three are not counted.
        """
        set_training_mode(self.model, self.config)
        return measure_steps(
            self.objective.to(self.device, memory_format=torch.channels_last),  # type: ignore[call-overload]
            self._batches(0, steps, lambda _: size),
            autocast=self.accelerator.autocast,
            device=self.device,
            learning_rate=self.config.learning_rate,
            parts=self.config.accumulate,
        )
