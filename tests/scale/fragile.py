"""Workers that a picture kills, as does one that needs more memory than there is."""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from artcolor.scale.worker import Worker

POISON = "/09.png"


class FragileWorker(Worker):
    def _colorize(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        if any(row["uri"].endswith(POISON) for row in rows):
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._colorize(rows)
