"""Probe how well frozen features predict the style of a painting, after Zhang et al. 2017 (section 4.2).

    python benchmarks/probe.py ../shared/art --out ~/runs/probe

Five kinds of features of a picture (its central square at 128 px) are compared: those of `splitbrain`; of the same
network with random weights; of an autoencoder that is trained here on the same pictures (the same layers on all three
channels, squared error in Lab); of EfficientNet-Lite0, trained on the labels of ImageNet; and plain means and standard
deviations of L, a and b. All are averaged over a 4 × 4 grid, standardized, and reduced to at most 512 dimensions by the
principal components of the training pictures. A multinomial logistic regression then predicts the style. Its L2 penalty
is chosen on 2,000 held-out training pictures. Styles are those with at least 100 pictures. Accuracy is measured on val
and test together.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import artcolor
from artcolor.color.lab import lab_to_rgb
from artcolor.data.dataset import Sample
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import Head
from artcolor.models.layers import dilated_trunk
from artcolor.models.lite0 import load_lite0
from artcolor.models.network import Network

SIDE, GRID, NUMBERS, HELD_OUT, COMMON = 128, 4, 512, 2000, 100
SPLITS = ("train", "val", "test")
PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


class WholeTrunk(Network):
    """One trunk for all three channels, with about as many parameters as both halves of `splitbrain`."""

    channels, stride, out_stride = 256, 8, 4

    def __init__(self):
        super().__init__()
        self.config = {}
        self.trunk = dilated_trunk(3, self.channels)

    def forward(self, lab):
        if lab.shape[1] == 1:
            # The trainer's grids of pictures pass L only; treat it as a gray picture.
            lab = scaled(lab, lab.new_zeros(len(lab), 2, *lab.shape[-2:]))
        return self.trunk(lab)


class LabHead(Head):
    """Reconstructs the picture in Lab."""

    def __init__(self, channels):
        super().__init__()
        self.project = nn.Conv2d(channels, 3, 1)

    @property
    def config(self):
        return {}

    def forward(self, features, lightness):
        return self.project(features)

    def chroma(self, raw, lightness, decoding):
        return raw[:, 1:] * 50


def scaled(lightness, ab):
    return torch.cat((lightness - 50, ab), dim=1) / 50


class Autoencoder(ColorizationModel):
    def training_loss(self, lightness, ab, *, step, generator):
        lab = scaled(lightness, ab)
        raw = self.head(self.network(lab), lightness)
        return {"loss": F.mse_loss(raw, F.interpolate(lab, raw.shape[-2:], mode="area"))}


def trained_autoencoder(data, out, steps):
    model = Autoencoder("autoencoder", WholeTrunk(), LabHead(WholeTrunk.channels))
    # Like `splitbrain`, train on small pictures most of the time.
    config = artcolor.TrainConfig(
        steps=steps, size=96, final_size=SIDE, final_from=0.8, batch_size=32, learning_rate=2e-3, warmup_steps=200
    )
    trainer = artcolor.Trainer(model, config, artcolor.ArtDataset(data, "train"), out=out)
    trainer.fit()
    return trainer.model.eval()


def splitbrain_features(model):
    return lambda lightness, ab: torch.cat((model.network(lightness), model.network.see_chroma(ab)), dim=1)


def untrained(batches):
    """Returns the features of `splitbrain` with random weights, after its BatchNorms have seen the pictures."""
    torch.manual_seed(0)
    model = artcolor.splitbrain().train()
    describe = splitbrain_features(model)
    for lightness, ab in batches:
        describe(lightness, ab)
    return splitbrain_features(model.eval())


def lite0_features():
    network = load_lite0()
    return lambda lightness, ab: network(lab_to_rgb(torch.cat((lightness, ab), dim=1)).clamp(0, 1) * 2 - 1)[-1]


def plain(lightness, ab):
    lab = torch.cat((lightness, ab), dim=1)
    mean = F.adaptive_avg_pool2d(lab, GRID)
    return torch.cat((mean, (F.adaptive_avg_pool2d(lab**2, GRID) - mean**2).clamp(0).sqrt()), dim=1)


def batches_of(dataset, numbers, length=32):
    for start in range(0, len(numbers), length):
        pairs = [dataset[Sample(int(number), 0, SIDE)] for number in numbers[start : start + length]]
        yield tuple(torch.stack(part) for part in zip(*pairs, strict=True))


def fitted(x, y, classes, penalty):
    """Fits a multinomial logistic regression and returns its classifier. The problem is convex; LBFGS solves it."""
    weight, bias = torch.zeros(x.shape[1], classes, requires_grad=True), torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ weight + bias, y) + penalty * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return lambda z: (z @ weight + bias).argmax(1).detach()


def compressed(train, others):
    """Standardizes and projects features, by statistics of the training pictures."""
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    train, others = (train - mean) / deviation, (others - mean) / deviation
    if train.shape[1] > NUMBERS:
        # In single precision, this may not converge for redundant features.
        _, vectors = torch.linalg.eigh((train.T @ train / len(train)).double())
        components = vectors[:, -NUMBERS:].float()
        train, others = train @ components, others @ components
    spread = train.std()
    return train / spread, others / spread


def probe(x, y, test_x, test_y, classes):
    """Returns for each test picture whether its style is predicted correctly, and the chosen penalty."""
    x, test_x = compressed(x, test_x)
    shuffled = torch.from_numpy(np.random.default_rng(0).permutation(len(x)))
    held, rest = shuffled[:HELD_OUT], shuffled[HELD_OUT:]
    scores = [
        (fitted(x[rest], y[rest], classes, penalty)(x[held]) == y[held]).float().mean().item() for penalty in PENALTIES
    ]
    penalty = PENALTIES[int(np.argmax(scores))]
    return (fitted(x, y, classes, penalty)(test_x) == test_y).numpy(), penalty


def interval(values):
    """Formats a mean with the bounds of its 95% bootstrap interval."""
    rng = np.random.default_rng(0)
    draws = values[rng.integers(0, len(values), (2000, len(values)))].mean(1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return f"{100 * values.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="output folder of the autoencoder's training")
    parser.add_argument("--autoencoder-steps", type=int, default=1000, help="training steps of the autoencoder")
    parser.add_argument("--limit", type=int, help="use only this many pictures of each split")
    options = parser.parse_args()
    sets = {name: artcolor.ArtDataset(options.data, name, augmentation=None, limit=options.limit) for name in SPLITS}
    labels = {name: np.array(each.labels("style")) for name, each in sets.items()}
    names, counts = np.unique(np.concatenate(list(labels.values())), return_counts=True)
    common = 1 if options.limit else COMMON
    styles = [str(name) for name, count in zip(names, counts, strict=True) if name and count >= common]
    chosen = {name: np.flatnonzero(np.isin(each, styles)) for name, each in labels.items()}
    y = {name: torch.tensor([styles.index(labels[name][i]) for i in chosen[name]]) for name in sets}
    autoencoder = trained_autoencoder(options.data, options.out, options.autoencoder_steps)
    with torch.no_grad():
        describers = {
            "`splitbrain`": splitbrain_features(artcolor.splitbrain(weights="DEFAULT")),
            "the same network, random weights": untrained(batches_of(sets["train"], chosen["train"][:512])),
            "autoencoder": lambda lightness, ab: autoencoder.network(scaled(lightness, ab)),
            "EfficientNet-Lite0, ImageNet": lite0_features(),
            "means and deviations of L, a, b": plain,
        }
        features = {key: {name: [] for name in sets} for key in describers}
        for name, dataset in sets.items():
            for lightness, ab in batches_of(dataset, chosen[name]):
                for key, describe in describers.items():
                    pooled = F.adaptive_avg_pool2d(describe(lightness, ab), GRID)
                    features[key][name].append(pooled.flatten(1))
    joined = {key: {name: torch.cat(parts) for name, parts in of.items()} for key, of in features.items()}
    test_y = torch.cat((y["val"], y["test"]))
    print(f"{len(styles)} styles, {len(y['train'])} training pictures, {len(test_y)} test pictures\n")
    most = y["train"].bincount().argmax()
    print("| features | dimensions | penalty | accuracy | above random weights |")
    print("|---|---|---|---|---|")
    print(f"| none: always {styles[most]} | 0 | – | {interval((test_y == most).numpy())} | – |")
    found = {
        key: probe(of["train"], y["train"], torch.cat((of["val"], of["test"])), test_y, len(styles))
        for key, of in joined.items()
    }
    base = found["the same network, random weights"][0].astype(float)
    for key, (correct, penalty) in found.items():
        numbers = joined[key]["train"].shape[1]
        print(f"| {key} | {numbers} | {penalty:g} | {interval(correct)} | {interval(correct - base)} |")


if __name__ == "__main__":
    main()
