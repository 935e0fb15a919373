"""The settings of heads, which may come from an untrusted weights file. Does not import torch."""

import numbers
from typing import Any

from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding

_RANGES = {
    "vividness": (0, 100),
    "temperature": (0.01, 1),
    "smoothing": (0, 1),
    "given_l": (0, 1),
    "power": (0.001, 100),
    "cast": (0, 1),
    "offset": (-50, 50),
    "limit": (1, 1000),
    "accuracy": (0, 1000),
    "sigma": (0.1, 100),
}


def check_setting(name: str, value: Any) -> float:
    """Checks a number.

    Args:
        name: name of the setting, a keyword of `DistributionHead`.
        value: value of the setting.

    Returns:
        The value as a float.

    Raises:
        ConfigError: the value is not a number, or out of range.

    Example:
        >>> check_setting("cast", 1)
        1.0
    """
    low, high = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not low <= float(value) <= high:
        raise ConfigError(f"{name} must be a number from {low} to {high}, not {value!r}")
    return float(value)


def check_pair(name: str, values: Any) -> tuple[float, float]:
    """Checks a pair of numbers; see `check_setting`.

    Args:
        name: name of the setting.
        values: two numbers.

    Returns:
        The numbers as floats.

    Raises:
        ConfigError: there are not exactly two numbers, or one of them is out of range.

    Example:
        >>> check_pair("offset", [1, -2])
        (1.0, -2.0)
    """
    if not isinstance(values, list | tuple) or len(values) != 2:
        raise ConfigError(f"{name} must be two numbers, not {values!r}")
    return check_setting(name, values[0]), check_setting(name, values[1])


def effective(decoding: Decoding, *, vividness: float, temperature: float) -> tuple[float, float]:
    """Completes a decoding by the defaults of a head.

    Args:
        decoding: the requested decoding.
        vividness: default τ of the head.
        temperature: default T of the head.

    Returns:
        Vividness and temperature. Below the default vividness, the default temperature rises, up to 1 at vividness 0.

    Raises:
        ConfigError: a default is out of range.

    Example:
        >>> effective(Decoding(vividness=0), vividness=2, temperature=0.2)
        (0.0, 1.0)
    """
    tau = vividness if decoding.vividness is None else decoding.vividness
    found = decoding.temperature
    if found is None:
        found = temperature ** (min(1.0, tau / vividness) if vividness > 0 else 1.0)
    # Defaults can be set, too, so they are checked like what is given.
    checked = Decoding(vividness=tau, temperature=found)
    assert checked.vividness is not None
    assert checked.temperature is not None
    return checked.vividness, checked.temperature
