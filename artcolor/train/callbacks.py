"""Callbacks of the trainer: progress bar, tables, sample pictures, TensorBoard."""

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from artcolor.color.lab import lab_to_rgb_in_gamut
from artcolor.data.dataset import Sample
from artcolor.files import replacing

if TYPE_CHECKING:
    from artcolor.train.trainer import Trainer


class Callback:
    """Base class of callbacks, with six hooks to override. They are called in the main process only."""

    def on_start(self, trainer: "Trainer") -> None:
        """Called before the first step; `trainer.step` is above 0 when resuming.

        Args:
            trainer: the training.
        """

    def on_step(self, trainer: "Trainer", losses: dict[str, float]) -> None:
        """Called after each optimizer step.

        Args:
            trainer: the training.
            losses: losses of the batch by name, among them `"loss"`.
        """

    def on_log(self, trainer: "Trainer", row: dict[str, float]) -> None:
        """Called when a row of the log is complete.

        Args:
            trainer: the training.
            row: values by column.
        """

    def on_validate(self, trainer: "Trainer", metrics: dict[str, float]) -> None:
        """Called after each validation.

        Args:
            trainer: the training.
            metrics: values by name.
        """

    def on_checkpoint(self, trainer: "Trainer", path: Path) -> None:
        """Called after a checkpoint has been written to disk.

        Args:
            trainer: the training.
            path: folder of the checkpoint.
        """

    def on_end(self, trainer: "Trainer") -> None:
        """Called when the training stops, finished or not.

        Args:
            trainer: the training.
        """


class CsvTable:
    """A CSV file that is written row by row and can be truncated to an earlier step.

    Args:
        path: path of the file.
        columns: names of the columns; the first is `step`.
    """

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path, self.columns = path, columns

    def rewind(self, step: int) -> None:
        """Removes the rows after `step` and a row that a killed process left incomplete."""
        kept = [",".join(self.columns)]
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines()[1:]:
                number = line.split(",", 1)[0]
                if line.count(",") == len(self.columns) - 1 and number.isdigit() and int(number) <= step:
                    kept.append(line)
        with replacing(self.path) as file:
            file.write(("\n".join(kept) + "\n").encode())

    def append(self, row: dict[str, float]) -> None:
        """Adds a row; missing columns stay empty."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, restval="", lineterminator="\n").writerow(row)


class CsvLog(Callback):
    """Writes losses and validation metrics to `log.csv`, and timings to `timings.csv`.

    Timings are in a separate file so that the logs of two identical trainings are identical.
    """

    def on_start(self, trainer: "Trainer") -> None:
        """Truncates both tables to the step from which the training resumes."""
        self.log = CsvTable(trainer.out / "log.csv", ["step", *trainer.log_columns])
        self.timings = CsvTable(trainer.out / "timings.csv", ["step", "seconds", "ms_per_picture", "waiting_share"])
        for table in (self.log, self.timings):
            table.rewind(trainer.step)

    def on_log(self, trainer: "Trainer", row: dict[str, float]) -> None:
        """Adds a row to both tables."""
        self.log.append({"step": trainer.step, **row})
        self.timings.append({"step": trainer.step, **trainer.timings()})


class ProgressBar(Callback):
    """Shows a line in the terminal with step, loss and remaining time."""

    def on_start(self, trainer: "Trainer") -> None:
        """Starts the bar."""
        self.bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.task = self.bar.add_task(trainer.model.name, total=trainer.steps, completed=trainer.step)
        self.bar.start()

    def on_step(self, trainer: "Trainer", losses: dict[str, float]) -> None:
        """Updates the bar."""
        self.bar.update(self.task, completed=trainer.step, description=f"loss {losses['loss']:.3f}")

    def on_validate(self, trainer: "Trainer", metrics: dict[str, float]) -> None:
        """Prints the metrics above the bar."""
        self.bar.console.print(
            f"step {trainer.step}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        )

    def on_end(self, trainer: "Trainer") -> None:
        """Stops the bar."""
        self.bar.stop()


class PictureGrid(Callback):
    """Saves input, prediction and truth of some pictures as a PNG, every `picture_every` steps.

    Args:
        rows: number of pictures, spread evenly over the validation set.
        side: side of the crop of each picture, in pixels.
    """

    def __init__(self, rows: int = 8, side: int = 192) -> None:
        self.rows, self.side = rows, side

    def on_step(self, trainer: "Trainer", losses: dict[str, float]) -> None:
        """Saves a grid if one is due."""
        if trainer.step % trainer.config.picture_every and trainer.step != trainer.steps:
            return
        data: Any = trainer.val or trainer.train
        numbers = np.linspace(0, len(data) - 1, min(self.rows, len(data))).round().astype(int)
        pairs = [data[Sample(int(number), 0, self.side)] for number in numbers]
        lightness = torch.stack([pair[0] for pair in pairs]).to(trainer.device)
        truth = torch.stack([pair[1] for pair in pairs]).to(trainer.device)
        predicted = trainer.averaged().predict_ab(lightness)
        columns = [lab_to_rgb_in_gamut(lightness, ab) for ab in (torch.zeros_like(truth), predicted, truth)]
        # Two pictures side by side keep the grid near square.
        cells = torch.cat(columns, dim=3)
        height = math.ceil(len(cells) / 2)
        grid = torch.cat(
            [torch.cat(list(half), dim=1) for half in torch.split(cells, height) if len(half) == height], dim=2
        )
        pixels = (grid.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        folder = trainer.out / "pictures"
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"step-{trainer.step:08d}.png")


class TensorBoard(Callback):
    """Writes losses and metrics to `OUT/tensorboard`. Requires the package `tensorboard`."""

    def on_start(self, trainer: "Trainer") -> None:
        """Opens the writer."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (an optional package)

        self.writer = SummaryWriter(trainer.out / "tensorboard", purge_step=trainer.step)

    def on_log(self, trainer: "Trainer", row: dict[str, float]) -> None:
        """Writes a row of the log."""
        for name, value in row.items():
            self.writer.add_scalar(name, value, trainer.step)

    def on_end(self, trainer: "Trainer") -> None:
        """Closes the writer."""
        self.writer.close()
