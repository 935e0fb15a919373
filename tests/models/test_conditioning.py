"""What the kernel of a model does with hints, references, palettes and samples."""

import functools

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import to_dtype, to_image

import artcolor
from artcolor import Decoding, Guidance
from artcolor.color.lab import rgb_to_lab
from artcolor.models.base import ColorizationModel
from artcolor.models.spread import Observations
from tests.conftest import ROOT

PLAIN = Decoding(vividness=0, temperature=1)


@functools.cache
def painting(name: str) -> Tensor:
    with Image.open(ROOT / "docs" / "pictures" / f"{name}.jpg") as image:
        return to_dtype(to_image(image.convert("RGB")), torch.float32, scale=True)[None]


@functools.cache
def model(name: str) -> ColorizationModel:
    return artcolor.from_pretrained(name)


def true_ab(rgb: Tensor, grid: torch.Size) -> Tensor:
    return F.interpolate(rgb_to_lab(rgb)[:, 1:], grid, mode="area")


def error(found: Tensor, truth: Tensor) -> float:
    return float((found - truth).square().sum(1).mean().sqrt())


@pytest.mark.parametrize("name", ["unet", "cnn", "ae_report"])
def test_true_colors_of_a_few_cells_make_the_rest_more_accurate(name: str) -> None:
    rgb = painting("bruegel_harvesters")
    features = model(name).encode(model(name).transforms()(rgb))
    decoding = PLAIN if name != "ae_report" else Decoding()
    plain = model(name).predict(features, decoding=decoding).ab
    truth = true_ab(rgb, plain.shape[-2:])
    cells = torch.randperm(truth[0, 0].numel(), generator=torch.Generator().manual_seed(1))[:20]
    hints = Observations(cells, truth.flatten(2)[0].T[cells])
    found = model(name).predict(features, Guidance(hints=hints), decoding).ab
    assert (found.flatten(2)[0].T[cells] - hints.ab).abs().max() < 1
    assert error(found, truth) < 0.85 * error(plain, truth)


def test_a_trained_kernel_is_better_than_an_untrained_one() -> None:
    trained, untrained = model("unet"), artcolor.unet(weights="DEFAULT")
    untrained.kernel = None
    errors = {}
    for name in ("bruegel_harvesters", "cassatt_summertime", "renoir_galette", "bazille_aigues_mortes"):
        rgb = painting(name)
        for number in range(4):
            for each in (trained, untrained):
                features = each.encode(each.transforms()(rgb))
                truth = true_ab(rgb, each.predict(features).ab.shape[-2:])
                cells = torch.randperm(truth[0, 0].numel(), generator=torch.Generator().manual_seed(number))[:10]
                hints = Observations(cells, truth.flatten(2)[0].T[cells])
                errors.setdefault(each, []).append(
                    error(each.predict(features, Guidance(hints=hints), PLAIN).ab, truth)
                )
    assert sum(errors[trained]) < sum(errors[untrained])


def test_an_impossible_color_stays_with_its_object() -> None:
    features = model("unet").encode(model("unet").transforms()(painting("bazille_aigues_mortes")))
    plain = model("unet").predict(features).ab
    height, width = plain.shape[-2:]
    sky = torch.tensor([height // 8 * width + width // 3])
    purple = Observations(sky, torch.tensor([[45.0, -50.0]]))
    change = (model("unet").predict(features, Guidance(hints=purple)).ab - plain).norm(dim=1)[0]
    # The horizon is below the upper third.
    assert change[: height // 3].sum() > 0.8 * change.sum()
    assert change[: height // 3].mean() > 5


def test_a_reference_counts_as_far_as_it_is_alike() -> None:
    rgb = painting("cassatt_summertime")
    left, right = rgb[..., : rgb.shape[-1] // 2], rgb[..., rgb.shape[-1] // 2 :]
    lightness = model("unet").transforms()(left)
    plain = model("unet").predict(lightness).ab
    truth = true_ab(left, plain.shape[-2:])
    same, other = (
        model("unet").predict(lightness, Guidance(reference=each)).ab for each in (right, painting("duerer_lion"))
    )
    assert error(same, truth) < 0.9 * error(plain, truth)
    assert error(other, plain) < 0.4 * error(same, plain)


@pytest.mark.parametrize("name", ["unet", "ae", "cic"])
def test_a_palette_draws_colors_toward_it(name: str) -> None:
    lightness = model(name).transforms()(painting("bruegel_harvesters"))
    palette = torch.tensor([[20.0, -50.0], [0.0, 0.0]])
    plain = model(name).predict(lightness).ab
    found = model(name).predict(lightness, Guidance(palette=palette)).ab

    def distance(ab: Tensor) -> Tensor:
        return torch.cdist(ab.flatten(2)[0].T, palette).amin(1).mean()

    assert distance(found) < 0.7 * distance(plain)


@pytest.mark.parametrize("name", ["unet", "splitbrain"])
def test_samples_lie_around_the_most_typical_coloring(name: str) -> None:
    features = model(name).encode(model(name).transforms()(painting("bruegel_harvesters")))
    typical = model(name).predict(features).ab
    drawn = model(name).predict(features, Guidance(samples=4, seed=1, spread=1.0)).ab
    again = model(name).predict(features, Guidance(samples=4, seed=1, spread=1.0)).ab
    assert torch.equal(drawn, again)
    assert error(drawn.mean(0, keepdim=True), typical) < 0.1
    assert min(error(one[None], typical) for one in drawn) > 2
    narrow = model(name).predict(features, Guidance(samples=4, seed=1)).ab
    torch.testing.assert_close(narrow - typical, (drawn - typical) / 2, atol=1e-3, rtol=1e-3)
    assert torch.equal(model(name).predict(features, Guidance(seed=1, spread=0)).ab, typical)


def test_samples_of_a_batch_follow_hints() -> None:
    lightness = torch.cat([model("unet").transforms()(painting("bruegel_harvesters"))[..., :224, :224]] * 2)
    hints = Observations(torch.tensor([100]), torch.tensor([[30.0, -30.0]]))
    found = model("unet").predict(lightness, Guidance(samples=3, hints=hints)).ab
    assert found.shape[0] == 6
    assert (found.flatten(2)[..., 100] - hints.ab).abs().max() < 1
    torch.testing.assert_close(found[0], found[1])


def test_parts_of_a_grid_are_regions_of_their_own() -> None:
    features = model("unet").encode(model("unet").transforms()(painting("bazille_aigues_mortes")))
    plain = model("unet").predict(features).ab
    regions = torch.zeros(plain.shape[-2:], dtype=torch.long)
    regions[:, : regions.shape[1] // 2] = 1
    hints = Observations(torch.tensor([0]), torch.tensor([[60.0, 40.0]]), regions)
    change = (model("unet").predict(features, Guidance(hints=hints)).ab - plain).norm(dim=1)[0]
    assert change[regions == 0].max() == 0
    assert change[0, 0] > 20
