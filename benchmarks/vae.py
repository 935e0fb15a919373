"""Measure what the latent of `vae` contributes, on pictures of a data set.

    python benchmarks/vae.py DATA [--model vae] [--split test] [--limit N] [--sheet FILE]

Prints the PSNR of the posterior's mean and its KL divergence in nats; the PSNR of the prior's mean, of the plain model,
and of the best of 8 samples; the distance between samples; and FD-grid and colorfulness of one sample at the default
decoding. --sheet writes a PNG of a few pictures: gray, the most typical coloring, samples, truth.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from torchvision.utils import save_image

from artcolor.color.lab import lab_to_rgb_in_gamut, rgb_to_lab
from artcolor.color.transforms import JoinChroma
from artcolor.evaluate import metrics
from artcolor.evaluate.frechet import frechet_distance, grid_features
from artcolor.evaluate.predictors import lightness_at_working_size
from artcolor.evaluate.protocol import choose, protocol_of
from artcolor.models.guidance import Decoding, Guidance
from artcolor.models.registry import from_pretrained
from artcolor.models.vae import VAEModel

SAMPLES, SHOWN = 8, 10
ACCURATE = Decoding(vividness=0.0, temperature=1.0)


def decode_posterior(model: VAEModel, small, lab):
    """Decodes the posterior's mean at τ = 0 and T = 1; returns ab, and KL in nats per picture: (global, spatial)."""
    network = model.network
    sides = [max(network.stride, round(side / network.stride) * network.stride) for side in small.shape[-2:]]
    resized = torch.nn.functional.interpolate(lab, sides, mode="bilinear", antialias=True)
    lightness, ab = resized[:, :1], resized[:, 1:]
    features = network.encode(lightness)
    plain = network.plain(features)
    prior = network.prior(features, plain)
    posterior = network.posterior(features, plain, model.posterior_input(plain, lightness, ab))
    latent = posterior.typical
    raw = model.head(network.decode_with(features, latent), lightness)
    whole = posterior.global_latent.divergence(prior.global_latent)
    spatial = posterior.spatial_given(latent.global_latent).divergence(prior.spatial_given(latent.global_latent))
    return model.head.decode(raw, lightness, ACCURATE), (whole, spatial)


@torch.no_grad()
def main(
    data: Annotated[Path, typer.Argument(help="Folder of color pictures.")],
    model: Annotated[str, typer.Option(help="Name of a model, or path of a weights file.")] = "vae",
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    limit: Annotated[int | None, typer.Option(help="Use only this many pictures.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="PNG file for a sheet of pictures.")] = None,
) -> None:
    """Measures the latent and prints the figures."""
    loaded = from_pretrained(model)
    if not isinstance(loaded, VAEModel):
        raise typer.BadParameter(f"{model} is not a vae, but {loaded.name}", param_hint="--model")
    paths = choose(data, split, limit)
    sums: dict[str, list[torch.Tensor]] = {}
    single, true, rows = [], [], []

    def note(**values: torch.Tensor) -> None:
        for name, value in values.items():
            sums.setdefault(name, []).append(value)

    for truth in protocol_of("paintings-256").batches(paths, 1):
        # With one seed for all pictures, the figures would measure a single latent.
        seed = len(true)
        lab = rgb_to_lab(truth)
        small = lightness_at_working_size(loaded, lab)

        def paint(ab: torch.Tensor, lab=lab, truth=truth) -> torch.Tensor:
            return JoinChroma(ab, *truth.shape[-2:])(lab[:, :1])

        ab, (nats_global, nats_spatial) = decode_posterior(loaded, small, lab)
        prior = loaded.predict(small, decoding=ACCURATE).ab
        plain_raw = loaded.head(loaded.network.plain(loaded.network.encode(small)), small)
        plain = loaded.head.decode(plain_raw, small, ACCURATE)
        wide = Guidance(samples=SAMPLES, seed=seed, spread=1.0)
        full = loaded.predict(small, wide, Decoding(vividness=0.5, temperature=1.0)).ab.split(1)
        each = torch.stack([metrics.psnr(paint(ab_), truth) for ab_ in full])
        note(posterior=metrics.psnr(paint(ab), truth), nats_global=nats_global, nats_spatial=nats_spatial)
        note(prior=metrics.psnr(paint(prior), truth), plain=metrics.psnr(paint(plain), truth))
        note(best_of_8=each.max(0).values, one_at_full_spread=each[0])
        default = [paint(ab_) for ab_ in loaded.predict(small, Guidance(samples=SAMPLES, seed=seed)).ab.split(1)]
        note(one_at_default_spread=metrics.psnr(default[0], truth))
        apart = [metrics.abrmse(a, b) for i, a in enumerate(default) for b in default[:i]]
        note(pairwise_abrmse=torch.stack(apart).mean(0))
        note(delta_colorfulness=metrics.colorfulness(default[0]) - metrics.colorfulness(truth))
        single.append(grid_features(default[0]))
        true.append(grid_features(truth))
        if sheet is not None and len(rows) < SHOWN:
            gray = lab_to_rgb_in_gamut(lab[:, :1], torch.zeros_like(lab[:, 1:]))
            typical = paint(loaded.predict(small).ab)
            rows += list(torch.stack((gray, typical, *default[:4], truth), dim=1)[: SHOWN - len(rows)])
        print(f"\r{sum(map(len, single))}/{len(paths)}", end="", flush=True)
    print()
    for name, values in sums.items():
        print(f"{name}: {float(torch.cat(values).mean()):.3f}")
    print(f"fd_grid of one sample: {frechet_distance(torch.cat(single), torch.cat(true)):.0f} (n = {len(paths)})")
    if sheet is not None:
        pictures = torch.stack(rows)
        save_image(pictures.flatten(0, 1), sheet, nrow=pictures.shape[1], padding=4, pad_value=1.0)


if __name__ == "__main__":
    typer.run(main)
