from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with four smooth color pictures of different sizes per split."""
    root = tmp_path_factory.mktemp("gallery")
    rng = np.random.default_rng(0)
    for split in ("val", "test"):
        (root / split).mkdir()
        for number in range(4):
            coarse = rng.integers(30, 226, size=(4, 5, 3), dtype=np.uint8)
            # Brownish on average, like paintings.
            coarse[..., 2] = coarse[..., 2] // 2
            size = (150 + 30 * number, 170 - 8 * number)
            picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
            picture.save(root / split / f"{number}.png")
    return root
