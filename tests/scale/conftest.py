import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scale.collections import make_scans

# Ray lets its workers wait for all else on a machine, which on a busy one takes minutes.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scans(tmp_path_factory.mktemp("scans") / "scans")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray with two cores, as `colorize_dataset` starts it, kept for all tests of a module."""
    from artcolor.scale.cluster import connected

    with connected(None, cpus=2):
        yield
