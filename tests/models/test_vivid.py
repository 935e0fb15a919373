"""Vivid decoding: bounded, without a tint, and a gentle control."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import artcolor
from artcolor.color.lab import limit_chroma, rgb_to_lightness
from artcolor.color.transforms import JoinChroma
from artcolor.errors import ConfigError
from artcolor.evaluate.metrics import colorfulness
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding
from artcolor.models.heads import DistributionHead
from artcolor.models.registry import save_weights

PICTURES = sorted((Path(__file__).parents[2] / "docs" / "pictures").glob("*.jpg"))
LIGHT = torch.linspace(10, 90, 48).reshape(1, 1, 6, 8)


def head(**keywords: object) -> tuple[DistributionHead, torch.Tensor]:
    """A head with a skewed prior, and random logits."""
    made = DistributionHead(4, smoothing=0.1, **keywords)  # type: ignore[arg-type]
    prior = torch.softmax(-made.codebook.centers.norm(dim=1) / 15, dim=0)
    made.codebook.prior.copy_(prior)
    made.codebook.prior_given_l.copy_(prior.expand_as(made.codebook.prior_given_l))
    noise = torch.randn(1, made.codebook.bins, 6, 8, generator=torch.Generator().manual_seed(0))
    return made, 2 * noise + prior.log().reshape(1, -1, 1, 1)


def decode(made: DistributionHead, raw: torch.Tensor, vividness: float) -> torch.Tensor:
    return made.decode(raw, LIGHT, Decoding(vividness=vividness, temperature=0.4))


def test_power_scales_vividness() -> None:
    (plain, raw), (half, _) = head(), head(power=0.5)
    torch.testing.assert_close(decode(half, raw, 1.6), decode(plain, raw, 0.8))
    torch.testing.assert_close(decode(half, raw, 0), decode(plain, raw, 0))


def test_cast_takes_the_tint_back() -> None:
    (plain, raw), (some, _), (full, _) = head(), head(cast=0.25), head(cast=1)
    mean = {vividness: decode(plain, raw, vividness).mean((2, 3)) for vividness in (0, 2)}
    accurate = plain.codebook.annealed_mean(raw).mean((2, 3))
    tint = mean[2] - accurate
    assert tint.norm() > 1
    torch.testing.assert_close(decode(full, raw, 2).mean((2, 3)), accurate, atol=1e-3, rtol=0)
    torch.testing.assert_close(decode(some, raw, 2).mean((2, 3)), accurate + 0.75 * tint, atol=1e-3, rtol=0)
    # Colors keep their differences: only the picture as a whole is shifted.
    difference = decode(full, raw, 2) - decode(plain, raw, 2)
    torch.testing.assert_close(difference, difference.mean((2, 3), keepdim=True).expand_as(difference))


def test_limit_bounds_chroma_and_keeps_hue() -> None:
    (plain, raw), (bounded, _) = head(), head(limit=(10, 25))
    free, found = decode(plain, raw, 2), decode(bounded, raw, 2)
    chroma, limited = free.norm(dim=1), found.norm(dim=1)
    assert chroma.max() > 30
    assert limited.max() < 25
    low = chroma <= 10
    torch.testing.assert_close(found.movedim(1, -1)[low], free.movedim(1, -1)[low])
    assert torch.cosine_similarity(found, free, dim=1).min() > 0.9999
    # Stronger colors stay stronger.
    assert (limited.flatten()[chroma.flatten().argsort()].diff() >= -1e-4).all()


def test_limit_is_smooth_at_the_knee() -> None:
    ab = torch.stack((torch.linspace(0, 200, 2001), torch.zeros(2001)))[..., None]
    slope = limit_chroma(ab, 40, 70)[0, :, 0].diff() * 10
    assert slope.max() <= 1.001
    assert slope.diff().abs().max() < 0.01
    assert limit_chroma(torch.zeros(2, 1, 1), 40, 70).abs().max() == 0
    # Neutral pixels do not spoil gradients.
    some = torch.tensor([0.0, 0.0, 60.0, 0.0]).reshape(2, 1, 2).requires_grad_()
    limit_chroma(some, 40, 70).sum().backward()
    assert some.grad is not None
    assert some.grad.isfinite().all()
    assert some.grad[:, 0, 1].tolist() == [1.0, 1.0]


def test_all_of_it_sets_in_gradually() -> None:
    made, raw = head(power=0.5, cast=0.3, offset=(1, -3), limit=(20, 40))
    steps = [decode(made, raw, vividness) for vividness in torch.arange(0, 2, 0.01).tolist()]
    assert max(float((b - a).abs().max()) for a, b in itertools.pairwise(steps)) < 1.5
    shifted = decode(head(offset=(1, -3))[0], raw, 1.5) - decode(head()[0], raw, 1.5)
    torch.testing.assert_close(shifted[0, :, 0, 0], torch.tensor([1.0, -3.0]))
    assert torch.equal(decode(made, raw, 0), decode(head()[0], raw, 0)), "the accurate decoding is untouched"


def test_default_temperature_rises_to_the_plain_mean() -> None:
    made, raw = head(vividness=2, temperature=0.2)

    def at(vividness: float, temperature: float | None = None) -> torch.Tensor:
        return made.decode(raw, LIGHT, Decoding(vividness=vividness, temperature=temperature))

    torch.testing.assert_close(at(0), made.codebook.annealed_mean(raw))
    torch.testing.assert_close(at(1), at(1, 0.2**0.5))
    torch.testing.assert_close(at(2), at(2, 0.2))
    torch.testing.assert_close(at(5), at(5, 0.2))
    assert not torch.allclose(at(0), at(0, 0.2)), "a temperature that is given is used"
    # A head whose own default is vividness 0, as in the paper, keeps its temperature.
    paper, _ = head(temperature=0.38)
    torch.testing.assert_close(paper.decode(raw, LIGHT, Decoding()), paper.codebook.annealed_mean(raw, 0.38))


def test_settings_are_part_of_the_weights_file(tmp_path: Path) -> None:
    model = artcolor.cnn(width=16)
    vivid = {"power": 0.5, "cast": 0.25, "offset": (0.5, -2.0), "limit": (40.0, 70.0)}
    for name, value in vivid.items():
        setattr(model.head, name, value)
    save_weights(model, tmp_path / "a.safetensors")
    loaded = artcolor.from_pretrained(tmp_path / "a.safetensors")
    assert isinstance(loaded, ColorizationModel)
    assert {name: getattr(loaded.head, name) for name in vivid} == vivid
    assert {"power", "cast", "offset", "limit"}.isdisjoint(DistributionHead(4).config), "older files have no such keys"


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"power": 0}, "power must be a number from 0.001 to 100, not 0"),
        ({"power": True}, "power must be a number from 0.001 to 100, not True"),
        ({"power": 1e300}, "power must be a number"),
        ({"cast": 1.5}, "cast must be a number from 0 to 1, not 1.5"),
        ({"vividness": None}, "vividness must be a number from 0 to 100, not None"),
        ({"temperature": 0}, "temperature must be a number from 0.01 to 1, not 0"),
        ({"smoothing": -3}, "smoothing must be a number from 0 to 1, not -3"),
        ({"given_l": "x"}, "given_l must be a number from 0 to 1, not 'x'"),
        ({"offset": (1,)}, "offset must be two numbers"),
        ({"offset": (0, 1e9)}, "offset must be a number from -50 to 50"),
        ({"offset": (0, float("nan"))}, "offset must be a number"),
        ({"offset": [[0], 1]}, "offset must be a number"),
        ({"offset": "ab"}, "offset must be two numbers"),
        ({"limit": (70, 40)}, "the knee below the limit"),
        ({"limit": (True, 40)}, "limit must be a number from 1 to 1000, not True"),
        ({"limit": (40,)}, "limit must be two numbers"),
    ],
)
def test_settings_out_of_range(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DistributionHead(4, **keywords)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["unet", "cnn"])
def test_vividness_is_a_gentle_control(name: str) -> None:
    assert len(PICTURES) >= 12
    model = artcolor.get_model(name, weights="DEFAULT")
    curves = []
    for path in PICTURES[::3]:
        with Image.open(path) as image:
            pixels = torch.from_numpy(np.array(image.convert("L").resize((160, 120))))[None, None].float() / 255
        features = model.encode(model.transforms()(pixels))
        curve = []
        for step in range(13):
            ab = model.predict(features, decoding=Decoding(vividness=step / 8)).ab
            curve.append(float(colorfulness(_joined(pixels, ab))))
        curves.append(curve)
    mean = torch.tensor(curves).mean(0)
    # Less than 0.5 for each 0.025 of vividness, on average over pictures.
    assert mean.diff().min() > -0.01
    assert mean[-1] > mean[0] + 5
    assert mean.diff().max() < 0.5 * 0.125 / 0.025


def _joined(gray: torch.Tensor, ab: torch.Tensor) -> torch.Tensor:
    joined: torch.Tensor = JoinChroma(ab, *gray.shape[-2:])(rgb_to_lightness(gray))
    return joined
