"""Isolates computations from torch settings of the caller."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Turns autocast and a default device off, so that results do not depend on them.

    Serves as a context and as a decorator. The default dtype is global to the process, so it cannot be turned off for
    one thread; code that creates tensors names their type instead.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16), isolated():
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.float32
    """
    with contextlib.ExitStack() as stack:
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            # Entered only where it is needed, as it slows every call of torch down.
            stack.enter_context(torch.device("cpu"))
        yield
