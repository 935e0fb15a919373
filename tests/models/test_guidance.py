import math

import numpy as np
import pytest
import torch

from artcolor.errors import ConfigError
from artcolor.models.guidance import Decoding, Guidance, guided
from artcolor.models.options import ModelOptions


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": 0}, "samples must be 1 or more, not 0"),
        ({"samples": -3}, "samples must be 1 or more, not -3"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"seed": 0, "spread": -1}, "spread must be 0 to 100, not -1"),
        ({"seed": 0, "spread": math.nan}, "spread must be 0 to 100, not nan"),
        ({"samples": 2, "spread": math.inf}, "spread must be 0 to 100, not inf"),
        ({"seed": 1 << 63}, "seed must be at most 9223372036854775807, not 9223372036854775808"),
        ({"seed": 10**5000}, "seed must be at most 9223372036854775807, not a huge integer"),
        ({"seed": -(10**5000)}, "seed must be 0 or more, not a huge integer"),
        ({"seed": 0, "spread": 10**400}, "spread must be 0 to 100, not a huge integer"),
        ({"seed": 1.0}, "seed must be an integer, 0 or more, not 1.0"),
        ({"seed": True}, "seed must be an integer"),
        ({"samples": "2"}, "samples must be an integer, 1 or more, not '2'"),
        ({"samples": None}, "samples must be an integer"),
        ({"seed": 0, "spread": [1]}, r"spread must be a number, 0 to 100, not \[1\]"),
        ({"spread": 0.5}, "spread has no effect .*add seed or samples"),
        ({"spread": 0.5, "reference": torch.zeros(1, 3, 4, 4)}, "spread has no effect .*add seed or samples"),
    ],
)
def test_guidance_out_of_range(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Guidance(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vividness": -0.1}, "vividness must be 0 to 100, not -0.1"),
        ({"vividness": 10**400}, "vividness must be 0 to 100, not a huge integer"),
        ({"vividness": math.nan}, "vividness must be 0 to 100, not nan"),
        ({"vividness": math.inf}, "vividness must be 0 to 100, not inf"),
        ({"temperature": 0}, "temperature must be 0.01 to 1, not 0"),
        ({"temperature": 1.01}, "temperature must be 0.01 to 1, not 1.01"),
        ({"temperature": math.nan}, "temperature must be 0.01 to 1, not nan"),
        ({"strength": None}, "strength must be a number, 0 to 100, not None"),
        ({"strength": 1e308}, "strength must be 0 to 100, not 1e\\+308"),
        ({"vividness": "1"}, "vividness must be a number, 0 to 100, not '1'"),
        ({"temperature": 1e-320}, "temperature must be 0.01 to 1"),
        ({"strength": -1}, "strength must be 0 to 100, not -1"),
        ({"strength": math.nan}, "strength must be 0 to 100, not nan"),
        ({"strength": math.inf}, "strength must be 0 to 100, not inf"),
    ],
)
def test_decoding_out_of_range(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Decoding(**values)


def test_limits_are_in_range() -> None:
    assert Guidance(seed=0, samples=1, spread=0).draws
    assert Decoding(vividness=0, temperature=1, strength=0).strength == 0
    assert Decoding(vividness=5, temperature=0.01, strength=3).temperature == 0.01


def test_numbers_of_numpy_are_numbers() -> None:
    guidance = Guidance(seed=np.int64(2), samples=np.uint8(3), spread=np.float32(0.5))
    assert (guidance.seed, guidance.samples, guidance.spread) == (2, 3, 0.5)
    assert type(guidance.seed) is int
    assert Decoding(vividness=np.float64(0.5)).vividness == 0.5


def test_given_names_the_fields_that_are_set() -> None:
    assert Guidance().given() == frozenset()
    assert Guidance(samples=1, seed=None).given() == frozenset()
    assert Guidance(seed=0).given() == {"seed"}
    assert Guidance(samples=2, spread=0.0).given() == {"samples", "spread"}
    assert Guidance(reference=torch.zeros(1, 3, 4, 4)).given() == {"reference"}


def test_samples_are_drawn_only_if_requested() -> None:
    assert not Guidance().draws
    assert not Guidance(reference=torch.zeros(1, 3, 4, 4)).draws
    assert Guidance(seed=0).draws
    assert Guidance(samples=2).draws


def test_options_become_guidance_and_decoding() -> None:
    reference = torch.zeros(1, 3, 4, 4)
    options = {"seed": 3, "samples": 2, "spread": 0.5, "reference": reference, "vividness": 0.5, "size": 64}
    guidance, decoding = guided(options)
    assert (guidance.seed, guidance.samples, guidance.spread) == (3, 2, 0.5)
    assert guidance.reference is reference
    assert decoding == Decoding(vividness=0.5)
    guidance, decoding = guided({})
    assert guidance.given() == frozenset()
    assert decoding == Decoding()
    with pytest.raises(ConfigError, match="samples must be 1 or more"):
        guided({"samples": 0})


def test_options_list_the_fields_of_guidance_and_decoding() -> None:
    fields = {*Guidance.__dataclass_fields__, *Decoding.__dataclass_fields__}
    assert set(ModelOptions.__annotations__) == fields
    for values in (Guidance(), Decoding()):
        for name in values.__dataclass_fields__:
            (option,) = ModelOptions.__annotations__[name].__metadata__
            assert getattr(values, name) == option.default, name
