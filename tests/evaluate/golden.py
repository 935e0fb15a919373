"""Golden figures of released models on 32 crops of photographs that scikit-image and matplotlib ship.

After a release, from the root of a checkout: python -m tests.evaluate.golden unet.art_v6
"""

import hashlib
import importlib.resources
import json
import sys
import tempfile
from pathlib import Path

import matplotlib.cbook
import torch
from PIL import Image

from artcolor.evaluate.benchmark import Evaluator
from artcolor.evaluate.predictors import predictor_of
from artcolor.evaluate.protocol import choose, protocol_of
from artcolor.evaluate.reference import load_reference
from artcolor.evaluate.results import METRICS, Results

FILE = Path(__file__).with_suffix(".json")
COMMAND = "python -m tests.evaluate.golden"

# In the public domain: astronaut, hubble_deep_field (NASA), rocket (SpaceX), grace_hopper (United States Navy).
# CC0: chelsea (Stéfan van der Walt), coffee (Rachel Michetti), retina, motorcycle_left (Daniel Scharstein).
_OF_SKIMAGE = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
_OF_MATPLOTLIB = "grace_hopper.jpg"


def photographs() -> list[Path]:
    """Returns the paths of the eight photographs, which packages of the extra `test` ship."""
    folder = Path(str(importlib.resources.files("skimage"))) / "data"
    return [*(folder / name for name in _OF_SKIMAGE), Path(matplotlib.cbook.get_sample_data(_OF_MATPLOTLIB, False))]


def content() -> str:
    """Returns a hash of the files, which changes when the golden figures must be measured again."""
    whole = hashlib.sha256()
    for path in photographs():
        whole.update(path.read_bytes())
    return whole.hexdigest()


def measure(key: str, folder: Path) -> dict[str, float]:
    """Evaluates released weights at their defaults on the four quarters of each photograph.

    Args:
        key: key of the weights in the manifest, `model.tag`.
        folder: empty folder for the crops.
    """
    (folder / "test").mkdir()
    for path in photographs():
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        x, y = rgb.width // 2, rgb.height // 2
        for number, box in enumerate([(0, 0, x, y), (x, 0, 2 * x, y), (0, y, x, 2 * y), (x, y, 2 * x, 2 * y)]):
            rgb.crop(box).save(folder / "test" / f"{path.stem}-{number}.png")
    paths, reference = choose(folder, "test", None), load_reference()
    evaluator = Evaluator(protocol_of("paintings-256"), paths, reference)
    scores = evaluator.scores(predictor_of(key, reference), seconds=False)
    results = Results("paintings-256", [path.name for path in paths], evaluator.truth, {key: scores}, evaluator.missing)
    found = {metric: results.interval(key, metric).mean for metric in METRICS if metric != "seconds"}
    return {metric: value for metric, value in found.items() if value is not None}


def main() -> None:
    """Measures the weights named on the command line and writes their figures to the JSON file."""
    torch.set_num_threads(1)
    golden = json.loads(FILE.read_text()) if FILE.exists() else {"weights": {}}
    golden["photographs"] = content()
    for key in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            golden["weights"][key] = {name: round(value, 6) for name, value in measure(key, Path(folder)).items()}
        sys.stdout.write(f"{key}: {golden['weights'][key]}\n")
    FILE.write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
