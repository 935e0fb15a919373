import copy

import pytest
import torch

import artcolor
import artcolor.models.vae as module
from artcolor.color.lab import rgb_to_lab
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Guidance
from artcolor.models.latent import Gaussian, Latent, stratified_normal
from artcolor.models.vae import VAEModel
from tests.models.base import ReleasedModelTester


class TestVAE(ReleasedModelTester):
    builder = staticmethod(artcolor.vae)
    small = {"width": 16}
    weights = "vae.art_v6"

    def test_training_loss_reaches_every_parameter(
        self, model: ColorizationModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Below its free nats, the divergence of the spatial latent has no gradient.
        monkeypatch.setattr(module, "_FREE_SPATIAL_NATS", 0.0)
        super().test_training_loss_reaches_every_parameter(model)


@pytest.fixture(scope="module")
def model() -> VAEModel:
    torch.manual_seed(0)
    model = artcolor.vae(width=16).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


LIGHT = torch.rand(2, 1, 50, 70, generator=torch.Generator().manual_seed(1)) * 100


CROPPED = LIGHT[..., :32, :64]


def samples_of(model: VAEModel, light: torch.Tensor, **options: object) -> torch.Tensor:
    """`(samples, N, 2, h, w)`."""
    ab = model.predict(light, Guidance(**options)).ab
    return ab.unflatten(0, (-1, len(light)))


def plain_raw(model: VAEModel) -> torch.Tensor:
    """What the model predicts without a latent."""
    network = model.network
    return model.head(network.plain(network.encode(CROPPED)), CROPPED)


def test_samples_differ_and_repeat(model: VAEModel) -> None:
    first = samples_of(model, LIGHT, samples=3, seed=5, spread=1.0)
    assert first.shape == (3, 2, 2, 13, 18)
    assert (first[0] - first[1]).abs().max() > 0.1
    torch.testing.assert_close(samples_of(model, LIGHT, samples=3, seed=5, spread=1.0), first)
    assert (samples_of(model, LIGHT, samples=3, seed=6, spread=1.0) - first).abs().max() > 0.1
    alone = samples_of(model, LIGHT[1:], samples=3, seed=5, spread=1.0)
    torch.testing.assert_close(alone, first[:, 1:], rtol=1e-3, atol=1e-2)


def test_no_spread_is_the_most_typical(model: VAEModel) -> None:
    typical = samples_of(model, LIGHT, samples=2, spread=0.0)
    torch.testing.assert_close(typical[0], model.predict(LIGHT).ab)
    torch.testing.assert_close(typical[0], typical[1])


def test_without_the_latent_it_is_a_unet(model: VAEModel) -> None:
    plain = artcolor.unet(width=16).eval()
    plain.load_state_dict({name: model.state_dict()[name] for name in plain.state_dict()})
    torch.testing.assert_close(plain_raw(model), plain(CROPPED))


def test_it_starts_from_a_unet(tmp_path) -> None:
    plain = artcolor.unet(width=16, size=160).eval()
    torch.nn.init.normal_(plain.head.project.weight, std=0.1)
    path = tmp_path / "unet.safetensors"
    artcolor.save_weights(plain, path)
    model = artcolor.vae(start=path).eval()
    assert model.size == 160
    torch.testing.assert_close(plain_raw(model), artcolor.unet(weights=path)(CROPPED))
    with pytest.raises(ConfigError, match=r"either weights=\.\.\. or start="):
        artcolor.vae(weights=path, start=path)


def test_a_reference_determines_the_global_latent(model: VAEModel) -> None:
    reds, blues = torch.zeros(1, 3, 60, 40), torch.zeros(1, 3, 60, 40)
    reds[:, 0], blues[:, 2] = 0.8, 0.8
    red = model.predict(LIGHT, Guidance(reference=reds)).ab
    blue = model.predict(LIGHT, Guidance(reference=blues)).ab
    drawn = samples_of(model, LIGHT, samples=2, spread=0.0, reference=reds)
    torch.testing.assert_close(drawn[1], red)
    # These are not like the picture, so they count little.
    assert (red - blue).abs().max() > 0.02
    lab = rgb_to_lab(torch.nn.functional.interpolate(reds, (288, 192), mode="bicubic", antialias=True).clamp(0, 1))
    assert model.transforms().output_size(60, 40) == (288, 192)
    seen = model.network.encode(lab[:, :1])
    plain = model.network.plain(seen)
    truth = model.posterior_input(plain, lab[:, :1], lab[:, 1:])
    expected = model.network.posterior(seen, plain, truth).global_latent.mean
    torch.testing.assert_close(model._encode_reference(reds)[0], expected, rtol=1e-2, atol=1e-2)
    with pytest.raises(ConfigError, match=r"reference must be \(1, 3, H, W\)"):
        model.predict(LIGHT, Guidance(reference=torch.rand(3, 20, 20)))


def test_guidance_that_a_model_does_not_accept_is_refused() -> None:
    with pytest.raises(ConfigError, match="cnn_report does not accept samples, seed"):
        artcolor.cnn_report(width=16).predict(LIGHT, Guidance(seed=0, samples=2))


@pytest.mark.parametrize("options", [{}, {"samples": 3, "seed": 5}, {"reference": torch.rand(1, 3, 40, 30)}])
def test_features_are_encoded_once_and_guided_often(model: VAEModel, options: dict[str, object]) -> None:
    features = model.encode(LIGHT)
    for _ in range(2):
        found, expected = model.predict(features, Guidance(**options)), model.predict(LIGHT, Guidance(**options))
        assert torch.equal(found.ab, expected.ab)
        assert torch.equal(found.raw, expected.raw)
        assert torch.equal(found.lightness, expected.lightness)


def test_colorized_samples_keep_lightness_and_size(model: VAEModel) -> None:
    gray = torch.rand(2, 1, 33, 47)
    found = model.colorize(gray, samples=2, seed=3)
    assert found.shape == (4, 3, 33, 47)
    lightness = rgb_to_lab(gray.expand(-1, 3, -1, -1))[:, :1]
    for sample in found.split(2):
        assert (rgb_to_lab(sample)[:, :1] - lightness).abs().max() < 0.02


def test_divergence_is_that_of_normals() -> None:
    torch.manual_seed(0)

    for shape in ((3, 5), (3, 2, 4, 4)):
        q, p = (Gaussian(torch.randn(shape), torch.randn(shape)) for _ in range(2))
        normals = [torch.distributions.Normal(g.mean, (g.log_variance / 2).exp()) for g in (q, p)]
        expected = torch.distributions.kl_divergence(*normals).flatten(1).sum(1)
        torch.testing.assert_close(q.divergence(p), expected)


def test_the_divergence_warms_up_and_the_spatial_latent_has_free_nats(model: VAEModel) -> None:
    light, ab = torch.rand(4, 1, 64, 64) * 100, torch.randn(4, 2, 64, 64) * 20

    def losses(step: int) -> dict[str, float]:
        found = model.training_loss(light, ab, step=step, generator=torch.Generator().manual_seed(0))
        return {name: float(value) for name, value in found.items()}

    start, half, warm = losses(0), losses(200), losses(400)
    pull = 0.0003 * start["drift"]
    assert start["loss"] == pytest.approx(start["nll"] + pull)
    penalty = 0.016 * warm["kl_global"] + 0.06 * max(1.0, warm["kl_spatial"])
    assert warm["loss"] == pytest.approx(warm["nll"] + pull + penalty, rel=1e-5)
    assert half["loss"] == pytest.approx(half["nll"] + pull + penalty / 2, rel=1e-5)


def test_prior_and_posterior_may_not_drift_away_together(model: VAEModel) -> None:
    """If both are equal but far from the standard normal, their divergence is 0; the drift penalty is not."""
    moved = copy.deepcopy(model)
    light, ab = torch.rand(4, 1, 64, 64) * 100, torch.randn(4, 2, 64, 64) * 20
    for layer in (moved.network.prior_layer, moved.network.posterior_layer):
        for part in (layer.whole[-1], layer.grid):
            torch.nn.init.zeros_(part.weight)
            torch.nn.init.constant_(part.bias[: len(part.bias) // 2], 50.0)
            torch.nn.init.zeros_(part.bias[len(part.bias) // 2 :])
    found = moved.training_loss(light, ab, step=0, generator=torch.Generator().manual_seed(0))
    assert found["kl_global"] == found["kl_spatial"] == 0
    entries = moved.network.codes + moved.network.grid * 4
    assert float(found["drift"]) == pytest.approx(50**2 / 2 * entries)


def test_samples_are_spread_evenly(model: VAEModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    decode = model.network.decode_with

    def remember(features: list[torch.Tensor], latent: Latent) -> torch.Tensor:
        seen.append(latent)
        return decode(features, latent)

    monkeypatch.setattr(model.network, "decode_with", remember)
    light = torch.rand(1, 1, 64, 64) * 100
    network = model.network
    features = network.encode(light)
    prior = network.prior(features, network.plain(features))
    typical, deviation = prior.typical, (prior.global_latent.log_variance / 2).exp()
    samples_of(model, light, samples=8, spread=0.5)
    drawn = torch.cat([latent.global_latent for latent in seen])
    apart = torch.nn.functional.normalize((drawn - typical.global_latent)[:, :3] / deviation[:, :3], dim=1)
    assert torch.cdist(apart, apart).fill_diagonal_(9).min() > 1.2
    turn = torch.atan2(*((drawn - typical.global_latent) / deviation)[:, 3:5].T).sort().values
    torch.testing.assert_close(turn.diff(), torch.full((7,), torch.pi / 4), rtol=0, atol=1e-3)
    assert ((drawn < typical.global_latent).sum(0)[5:] == 4).all()
    grids = torch.cat([latent.spatial_latent for latent in seen])
    assert len(grids.flatten(1).unique(dim=0)) == 8
    first = seen[:3]
    seen.clear()
    samples_of(model, light, samples=3, spread=0.5)
    for few, many in zip(seen, first, strict=True):
        torch.testing.assert_close(few.global_latent, many.global_latent)
        torch.testing.assert_close(few.spatial_latent, many.spatial_latent)


def test_the_spatial_latent_is_conditioned_on_the_global_one(model: VAEModel) -> None:
    network = model.network
    seen = network.encode(torch.rand(1, 1, 64, 96) * 100)
    prior = network.prior(seen, network.plain(seen))
    here, there = (prior.spatial_given(torch.full((1, network.codes), value)).mean for value in (0.0, 1.0))
    assert here.shape == (1, network.grid, 2, 3)
    assert (here - there).abs().max() > 1e-3
    torch.testing.assert_close(prior.typical.spatial_latent, prior.spatial_given(prior.global_latent.mean).mean)


def test_the_spatial_latent_acts_locally(model: VAEModel) -> None:
    """A change of one column of the spatial latent changes the colors there, and hardly those far away."""
    network = model.network
    light = torch.rand(1, 1, 64, 256, generator=torch.Generator().manual_seed(2)) * 100
    seen = network.encode(light)
    latent = network.prior(seen, network.plain(seen)).typical
    moved = latent.spatial_latent.clone()
    moved[..., 0] += 3
    before, after = (
        network.decode_with(seen, latent._replace(spatial_latent=spatial)) for spatial in (latent.spatial_latent, moved)
    )
    change = (after - before).abs().mean(dim=(0, 1, 2))
    assert change[:8].mean() > 10 * change[-8:].mean()


def test_each_even_draw_alone_is_standard_normal() -> None:
    order = torch.tensor([2, 0, 4, 1, 3])
    every = torch.stack([stratified_normal(10, order, seed) for seed in range(2000)])
    torch.testing.assert_close(every.mean(0), torch.zeros(10, 5), atol=0.1, rtol=0)
    torch.testing.assert_close(every.std(0), torch.ones(10, 5), atol=0.1, rtol=0)
    normal = torch.distributions.Normal(0.0, 1.0)
    for draw in range(10):
        # Within a draw, dimensions are uncorrelated; across draws they are not.
        torch.testing.assert_close(torch.corrcoef(every[:, draw].T), torch.eye(5), atol=0.1, rtol=0)
        for values in every[:, draw].T:
            expected = normal.icdf((torch.arange(2000) + 0.5) / 2000)
            assert (values.sort().values - expected)[100:-100].abs().max() < 0.2
    for numbers in (order[:3], order[3:]):
        length = every[:, :8][..., numbers].norm(dim=2)
        # One of the eight is in each eighth of the chi distribution with as many degrees of freedom.
        share = torch.special.gammainc(torch.full_like(length, len(numbers) / 2), length**2 / 2)
        assert ((share * 8).long().sort(dim=1).values == torch.arange(8)).all()


def test_training_tracks_the_importance_of_dimensions(model: VAEModel) -> None:
    trained = copy.deepcopy(model).train()
    light, ab = torch.rand(4, 1, 64, 64) * 100, torch.randn(4, 2, 64, 64) * 20
    trained.training_loss(light, ab, step=0, generator=torch.Generator().manual_seed(0))
    network = trained.network
    seen = network.encode(light)
    plain = network.plain(seen)
    truth = trained.posterior_input(plain, light, ab)
    prior, posterior = network.prior(seen, plain), network.posterior(seen, plain, truth)
    torch.testing.assert_close(network.nats, 0.01 * posterior.global_latent.divergences(prior.global_latent).mean(0))
