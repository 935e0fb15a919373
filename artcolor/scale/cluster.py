"""Connects to a Ray cluster, or starts one on this machine for the duration of a run."""

import contextlib
import logging
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from typing import Any

from artcolor.batch.pipeline import cores
from artcolor.errors import ConfigError

_ENVIRONMENT = {
    # Nothing is sent to the makers of Ray.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Under `uv run`, Ray would send the working folder to the workers.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    # Of Ray's processes in C++, which write to the terminal past `logging`.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402  (it reads some of these when it is imported)
import ray.data  # noqa: E402

_OBJECT_STORE = 100_000_000
_SECONDS_TO_CONNECT = 10.0


@contextlib.contextmanager
def connected(address: str | None, *, cpus: int | None = None, bytes_of_rows: int = 0) -> Iterator[None]:
    """Connects to a cluster, or starts one on this machine and ends it afterwards. An existing connection is kept.

    The logs of a cluster on this machine are removed when the block ends without an exception, unless `RAY_TMPDIR` is
    set.

    Args:
        address: address of a cluster for `ray.init`: `auto`, or host and port; `None` starts one on this machine.
        cpus: processor cores of a cluster that is started here; `None` uses all that this process may use.
        bytes_of_rows: memory that its rows need, in bytes.

    Raises:
        ConfigError: there is no cluster at the address, or Ray cannot be started.
    """
    if ray.is_initialized():
        if address is not None:
            raise ConfigError("this process is connected to a cluster already; leave out the address")
        yield
        return
    options: dict[str, Any] = {"address": address}
    if address is None:
        # It listens on the network, and takes orders from those who know a token. Ray would keep its own on disk.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        options = {
            "address": "local",
            "num_cpus": cpus or cores(),
            "include_dashboard": False,
            "object_store_memory": max(_OBJECT_STORE, 2 * bytes_of_rows),
        }
    elif address.startswith("ray://"):
        raise ConfigError(
            "Ray Data does not run through ray://; start the command on a machine of the cluster, with auto"
        )
    try:
        if address is not None:
            _check_reachable(address)
        with _without_standard_error():
            context: Any = ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        if address is not None:
            # Ray says no more where the token is another one.
            reason += (
                "; check the address, and that RAY_AUTH_MODE and RAY_AUTH_TOKEN (or ~/.ray/auth_token) are the same as "
                "where the cluster was started"
            )
        raise ConfigError(f"Ray cannot be reached or started: {reason}") from error
    try:
        yield
    finally:
        ray.shutdown()
    if address is None and "RAY_TMPDIR" not in os.environ:
        shutil.rmtree(context.address_info["session_dir"], ignore_errors=True)


def _check_reachable(address: str) -> None:
    """Refuses an address where nothing listens, for which Ray would wait for minutes.

    Raises:
        ConfigError: nothing listens there.
        ConnectionError: `auto` finds no cluster.
    """
    with contextlib.suppress(ImportError):
        # What `auto` means, and RAY_ADDRESS, is not in Ray's public interface.
        from ray._private.services import canonicalize_bootstrap_address  # noqa: PLC0415

        address = canonicalize_bootstrap_address(address) or ""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        # Ray says what is wrong with it.
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"no Ray cluster answers at {address} ({reason}); start one with ray start --head, or correct the address"
        ) from error


@contextlib.contextmanager
def _without_standard_error() -> Iterator[None]:
    """Within it, what code in C++ writes to the terminal is lost, such as the line that its log level was set."""
    try:
        kept = os.dup(2)
    except OSError:
        # It is closed.
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def quiet_context() -> Iterator[None]:
    """A context in which data sets of Ray print nothing and pass on rows as soon as they are ready."""
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # In bytes, less than a batch of outcomes; otherwise they would be kept back until a task ends.
    context.target_max_block_size = 1500
    with ray.data.DataContext.current(context):
        yield


def default_actors(cpus_per_actor: int, gpus_per_actor: float) -> int:
    """Returns the number of actors that the cluster has room for now.

    Args:
        cpus_per_actor: processor cores of each actor.
        gpus_per_actor: GPUs of each actor.

    Raises:
        ConfigError: it has no room for any.
    """
    has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    room = int(has.get("CPU", 0) // cpus_per_actor)
    if gpus_per_actor:
        room = min(room, int(has.get("GPU", 0) // gpus_per_actor))
    if room < 1:
        raise ConfigError(
            f"an actor takes {cpus_per_actor} cores and {gpus_per_actor:g} GPUs, but the cluster has "
            f"{has.get('CPU', 0):g} and {has.get('GPU', 0):g}; lower them"
        )
    return room
