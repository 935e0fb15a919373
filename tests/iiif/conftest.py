from collections.abc import Iterator

import pytest

from tests.iiif.host import Host


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()
