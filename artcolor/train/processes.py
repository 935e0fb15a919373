"""Coordinates the processes of one training."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from accelerate import Accelerator

from artcolor.errors import TrainingError
from artcolor.files import locked

_LOG = logging.getLogger(__name__)
_LOCK = ".lock"
# Data loaders look every 5 seconds whether their training was killed, and hold its lock until then.
_PATIENCE_SECONDS = 30.0


class Processes:
    """The processes of a training, as seen by one of them. A single process agrees with itself at no cost.

    Args:
        accelerator: the accelerator of this process.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._launcher = os.getppid()

    @property
    def orphaned(self) -> bool:
        """Whether the launcher was killed. It starts processes in sessions of their own, so they outlive it."""
        return self._accelerator.num_processes > 1 and os.getppid() != self._launcher

    def any(self, *flags: bool) -> list[bool]:
        """Returns for each flag whether it is set in any process.

        Clocks and signals differ between processes. If each acted on its own, one would save while the others wait
        for its gradients.

        Args:
            *flags: what this process has found.
        """
        if self._accelerator.num_processes == 1:
            return list(flags)
        counts = self._accelerator.reduce(torch.tensor(flags, dtype=torch.float32, device=self._accelerator.device))
        return [count > 0 for count in counts.tolist()]

    @contextlib.contextmanager
    def alone_in(self, out: Path) -> Iterator[None]:
        """Keeps other trainings out of a folder. Waits a while for one that was killed and has not ended yet.

        Args:
            out: the folder, which exists.

        Raises:
            TrainingError: another training is running there.
        """
        with contextlib.ExitStack() as stack:
            if self._accelerator.is_main_process:
                self._lock(out, stack)
            self._accelerator.wait_for_everyone()
            yield

    @staticmethod
    def _lock(out: Path, stack: contextlib.ExitStack) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        waiting = False
        while True:
            try:
                stack.enter_context(locked(out / _LOCK))
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise TrainingError(
                        f"another training is running in {out}; wait for it, stop it, or choose another folder"
                    ) from error
            else:
                return
            if not waiting:
                _LOG.info("waiting for another training in %s to end", out)
            waiting = True
            time.sleep(0.2)

    def require_same(self, step: int, out: Path) -> None:
        """Checks that all processes start from the same checkpoint.

        Args:
            step: the step that this process found; -1 for none.
            out: the folder of the training.

        Raises:
            TrainingError: they differ.
        """
        if self._accelerator.num_processes == 1:
            return
        found = self._accelerator.gather(torch.tensor([step], device=self._accelerator.device)).tolist()
        if len(set(found)) > 1:
            seen = ", ".join("none" if each < 0 else f"step {each}" for each in found)
            raise TrainingError(
                f"the processes do not see the same checkpoint in {out} ({seen}). "
                "Choose a folder on a disk that all machines share."
            )
