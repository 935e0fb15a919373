"""Turns a finished training into a release: chooses defaults on val, measures on test, and writes the manifest entry.

Run from a checkout: python scripts/release_weights.py ~/runs/cnn cnn.art_v1 --recipe cnn --data ../shared/art

To choose and measure the defaults of released weights anew:
python scripts/release_weights.py artcolor/weights/cnn.art_v1.safetensors cnn.art_v1 --retune --data ../shared/art

To release a kernel (recipe `unet_kernel`) with the weights that it was trained for, whose figures stay:
python scripts/release_weights.py ~/runs/kernel unet.art_v6 --kernel --replaces unet.art_v5 --data ../shared/art
"""

import dataclasses
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from artcolor.evaluate.benchmark import evaluate
from artcolor.evaluate.calibration import fit_temperatures
from artcolor.evaluate.protocol import choose, protocol_of, sources_of
from artcolor.evaluate.reference import load_reference
from artcolor.evaluate.sweep import sweep
from artcolor.evaluate.sweep_bench import Bench
from artcolor.evaluate.sweep_tables import save_sweep, summary
from artcolor.models.base import ColorizationModel
from artcolor.models.cic import RebalancedHead
from artcolor.models.heads import DistributionHead
from artcolor.models.registry import from_pretrained, save_weights
from artcolor.models.regression import RGBHead
from artcolor.models.verify import count_parameters, make_golden, multiply_adds
from artcolor.zoo.manifest import entries, manifest_path, update

_WEIGHTS = Path(__file__).resolve().parent.parent / "artcolor" / "weights"
_DATA = (
    "16,755 reproductions of paintings believed to be in the public domain, collected from public repositories "
    "(about a third of them the Kaggle set 'Best Artworks of All Time'); near-gray pictures and near duplicates removed"
)
# The weights are bounded and chroma is limited, so that rare colors do not glow. Chosen on val (docs/training-log.md).
_DECODING = {"smoothing": 0.1, "given_l": 0.3, "power": 0.6, "cast": 0.2, "limit": (40.0, 70.0)}
_PROTOCOL = "paintings-whole"
_TEMPERATURES = (0.4, 0.3, 0.2)
_VIVIDNESS = (1.0, 1.5)
_GAINS = (1.5, 2.0)
_DEFAULT = 2.0

_KEPT = ("mse", "psnr", "ssim", "abrmse", "auc", "auc_rebalanced", "delta_e", "colorfulness", "delta_colorfulness")
_KEPT += ("hot_spots",)
_KEPT += ("fd_grid", "fd_lite0", "nll", "ece")


def figures(results: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the figures of one model for the manifest, rounded to six decimals."""
    found = results["models"][name]
    return {
        metric: {edge: value if value is None else round(value, 6) for edge, value in found[metric].items()}
        for metric in _KEPT
        # NLL and ECE exist for distributions only.
        if metric in found and found[metric]["mean"] is not None
    }


def _calibrate(model: ColorizationModel, data: Path, network: float | None, prior: float | None) -> None:
    assert isinstance(model.head, DistributionHead)
    if network is None:
        if prior is not None:
            raise typer.BadParameter("--prior-calibration needs --calibration")
        paths = choose(data, "val", None)
        (network, prior), likelihoods = fit_temperatures(model, paths, load_reference().codebook, progress=_progress)
        print("NLL by temperatures of network and prior:", {at: round(value, 4) for at, value in likelihoods.items()})
    model.head.calibrate(network, prior=prior)
    print(f"calibration: network {network}, prior {prior or network}")


def _choose_defaults(
    model: ColorizationModel,
    data: Path,
    results: Path,
    sizes: Sequence[int],
    temperatures: Sequence[float],
    aim: float,
) -> None:
    """Chooses size, temperature and vividness, then the offset, then the vividness that suits the offset."""
    head = model.distribution_head()
    head.offset = (0.0, 0.0)
    for stage in ("before", "chosen"):
        source = results / f"{stage}.safetensors"
        save_weights(model, source)
        found = sweep(
            source,
            data,
            protocol=_PROTOCOL,
            sizes=sizes,
            vividness=_VIVIDNESS,
            temperatures=temperatures,
            gains=_GAINS,
            aim=aim,
            lite0=False,
            out=results,
            progress=_progress,
        )
        print("\n".join(summary(found)))
        chosen = found.chosen.setting
        model.size, head.vividness, head.temperature = chosen.size, chosen.vividness, chosen.temperature
        if stage == "before":
            paths = choose(data, "val", None)
            bench = Bench(
                model, protocol_of(_PROTOCOL), paths, sources_of(data, paths), lite0=False, progress=_progress
            )
            a, b = bench.offset(chosen)
            head.offset = (round(a, 2), round(b, 2))
            sizes, temperatures = (chosen.size,), (chosen.temperature,)
    save_sweep(found, results)
    # The same weights of bins, on a scale on which the default is the same for every model.
    head.power, head.vividness = round(head.power * head.vividness / _DEFAULT, 4), _DEFAULT


def _measured(model: ColorizationModel, target: Path, data: Path, results: Path) -> dict[str, Any]:
    """Returns the manifest's figures on test by protocol: at the defaults and, for distributions, at vividness 0."""
    names, beside, protocols = {"default": str(target)}, [], ["paintings-256", _PROTOCOL]
    if isinstance(model.head, DistributionHead) and not isinstance(model.head, RebalancedHead):
        names["accurate"] = f"{target}:vividness=0,temperature=1"
        beside = ["l_prior:vividness=0,temperature=1"]
    elif isinstance(model.head, RGBHead):
        protocols.append(f"report-{model.size}")
    found = {}
    for protocol in protocols:
        outcome = evaluate(
            [*names.values(), *beside], data, protocol=protocol, out=results.parent / protocol, progress=_progress
        )
        print(outcome.to_markdown())
        table = outcome.to_json()
        settings = {setting: figures(table, name) for setting, name in names.items()}
        found[protocol] = {"n": table["n"], "split": "test", **settings}
    return found


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training, or a weights file.")],
    key: Annotated[str, typer.Argument(help="Key of the new weights, model.tag.")],
    data: Annotated[Path, typer.Option(help="Folder of the data set of paintings.")],
    recipe: Annotated[str | None, typer.Option(help="Name of the recipe of the training.")] = None,
    commit: Annotated[
        str | None, typer.Option(help="Commit that is closest to the code of the training; default: HEAD.")
    ] = None,
    code_changes: Annotated[
        str | None, typer.Option(help="How the code of the training differed from that commit, if it did.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Output folder for tables and plots.")] = Path("runs/release"),
    replaces: Annotated[str | None, typer.Option(help="model.tag of unpublished weights to replace.")] = None,
    retune: Annotated[
        bool, typer.Option("--retune", help="Keep calibration, recipe and commit of released weights.")
    ] = False,
    kernel: Annotated[
        bool, typer.Option("--kernel", help="RUN differs from the weights that it replaces by its kernel only.")
    ] = False,
    size: Annotated[list[int] | None, typer.Option(help="Working size to try; repeatable. Default: its own.")] = None,
    temperature: Annotated[list[float] | None, typer.Option(help="Temperature to try; repeatable.")] = None,
    aim: Annotated[float, typer.Option(help="Target ΔCF of the defaults.")] = 0.0,
    given_l: Annotated[float | None, typer.Option(help="Exponent s of p(bin | L) in the class weights, 0..1.")] = None,
    smoothing: Annotated[float | None, typer.Option(help="λ of the class weights.")] = None,
    calibration: Annotated[
        float | None, typer.Option(help="Temperature of the logits; default: the one with the lowest NLL.")
    ] = None,
    prior_calibration: Annotated[
        float | None, typer.Option(help="Temperature of log p(bin | L); needs --calibration, which is its default.")
    ] = None,
) -> None:
    """Chooses defaults, measures, and writes the weights file and the manifest entry."""
    torch.set_num_threads(2)
    if kernel:
        if replaces is None:
            raise typer.BadParameter("--kernel needs --replaces")
        _release_kernel(run / "model.safetensors" if run.is_dir() else run, key, replaces)
        return
    before = entries()[key] if retune else None
    if (recipe is None) != retune:
        raise typer.BadParameter("give either --recipe or --retune")
    results = results / key
    results.mkdir(parents=True, exist_ok=True)
    source = run / "model.safetensors" if run.is_dir() else run
    model = from_pretrained(source)
    # The head of Zhang et al. 2016 has fixed weights and temperature, and RGB has no decoding settings.
    if isinstance(model.head, DistributionHead) and not isinstance(model.head, RebalancedHead):
        given = {"smoothing": smoothing, "given_l": given_l}
        for name, value in _DECODING.items():
            chosen = given.get(name)
            setattr(model.head, name, value if chosen is None else chosen)
        if not retune:
            _calibrate(model, data, calibration, prior_calibration)
        _choose_defaults(model, data, results, size or (model.size,), temperature or _TEMPERATURES, aim)
    elif size:
        model.size = size[0]
    target = _WEIGHTS / f"{key}.safetensors"
    target.parent.mkdir(exist_ok=True)
    save_weights(model, target)
    metrics = _measured(model, target, data, results)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    entry = {
        **_described(model, target),
        "multiply_adds": multiply_adds(model),
        "metrics": metrics,
        "recipe": recipe if before is None else before.recipe,
        "commit": commit or (head if before is None else before.commit),
        "code_changes": code_changes or (None if before is None else before.code_changes),
        "data": _DATA,
        "license": "Apache-2.0",
        "torch": torch.__version__.partition("+")[0] if before is None else before.torch,
    }
    update(key, entry, replaces=replaces)
    if replaces is not None:
        (_WEIGHTS / f"{replaces}.safetensors").unlink()
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB; entry written to {manifest_path()}")


def _described(model: ColorizationModel, target: Path) -> dict[str, Any]:
    """Returns the fields of a manifest entry that follow from the model and its new weights file."""
    content = target.read_bytes()
    return {
        "file": target.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "hub_repo": None,
        "hub_revision": None,
        "config": model.config,
        "parameters": count_parameters(model),
        # From the written file, whose kernels are rounded to half precision.
        "golden": make_golden(from_pretrained(target)),
    }


def _release_kernel(run: Path, key: str, replaces: str) -> None:
    """Releases weights with a new kernel. Without hints they give the same results, so all figures stay."""
    before, model = entries()[replaces], from_pretrained(run)
    old = from_pretrained(replaces)
    model.size = old.size
    now = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("kernel.")}
    same = {name: tensor for name, tensor in old.state_dict().items() if not name.startswith("kernel.")}
    wrong = sorted(same.keys() ^ now.keys())
    wrong += [name for name in same.keys() & now.keys() if not torch.equal(same[name], now[name])]
    if wrong or model.kernel is None or {**model.config, "kernel": None} != {**old.config, "kernel": None}:
        raise typer.BadParameter(f"{run} differs from {replaces} by more than its kernel: {wrong[:3]}")
    target = _WEIGHTS / f"{key}.safetensors"
    save_weights(model, target)
    fields = {name: value for name, value in dataclasses.asdict(before).items() if name != "key"}
    update(key, fields | _described(model, target), replaces=replaces)
    (_WEIGHTS / f"{replaces}.safetensors").unlink()
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB; entry written to {manifest_path()}")


def _progress(name: str, done: int, total: int) -> None:
    print(f"\r{name}: {done}/{total}    ", end="\n" if done == total else "", flush=True)


if __name__ == "__main__":
    typer.run(main)
