"""Draws the layers of a model from a run of the model itself, so the drawing always matches the code."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from artcolor.models.base import ColorizationModel
from sitegen.drawing import BLUE, GRAY, GREEN, ORANGE, PURPLE, RED, Drawing, text_width

_MANY = 26
"""Models with more convolutions than this show those of one size as one box."""
_KINDS: list[tuple[type[nn.Module], str, str]] = [
    (nn.ConvTranspose2d, "transposed convolution", ORANGE),
    (nn.Conv2d, "convolution", BLUE),
    (nn.Upsample, "upsampling", GREEN),
    (nn.Linear, "linear", PURPLE),
]
_HEIGHT, _GAP, _LEFT = 150.0, 13.0, 10.0
_LINE = 16.0
"""Height of a line of a title."""
_TURN = 58
"""Slant of the labels below, in degrees."""


@dataclass
class _Step:
    """A layer, or several merged layers at one feature size."""

    kind: str
    color: str
    shape: tuple[int, ...]
    layers: list[nn.Module] = field(default_factory=list)
    joins: set[int] = field(default_factory=set)
    head: bool = False


def draw(model: ColorizationModel) -> str:
    """Returns the model as SVG, read from left to right: height is the size of the features, width the channels.

    Args:
        model: with or without weights.
    """
    stride = model.network.stride
    side = model.network.fixed_size or -(-model.size // stride) * stride
    lightness = torch.full((1, 1, side, side), 50.0)
    drawing, top = Drawing(), 0.0
    drawn: list[_Step] = []
    for title, run in _paths(model, lightness):
        steps = _steps(model, run)
        drawn += steps
        for line in title:
            top += _LINE
            drawing.text(_LEFT, top, line, size=12, anchor="start")
        top = _row(drawing, steps, side, top + 24) + 28
    _legend(drawing, top - 4, {step.color for step in drawn})
    return drawing.svg(f"The network of {model.name}, layer by layer")


def _paths(model: ColorizationModel, lightness: Tensor) -> list[tuple[tuple[str, ...], Callable[[], object]]]:
    side = lightness.shape[-1]
    paths: list[tuple[tuple[str, ...], Callable[[], object]]] = [
        # Two lines, so that they fit on a phone.
        ((f"L, {side} × {side} px", f"→ {_result(model)}"), lambda: model(lightness))
    ]
    network, chroma = model.network, torch.zeros(1, 2, side, side)
    if hasattr(network, "see_chroma"):
        other = model.lightness_head
        paths.append(
            (
                ("The other half, used for features only:", "ab → L"),
                lambda: other(network.see_chroma(chroma), lightness),
            )
        )
    if hasattr(network, "posterior"):
        seen = network.encode(lightness)
        plain = network.plain(seen)
        truth = model.posterior_input(plain, lightness, chroma)
        paths.append(
            (
                ("In training only: posterior q(z | L, ab)",),
                lambda: network.posterior(seen, plain, truth).typical,
            )
        )
    return paths


def _result(model: ColorizationModel) -> str:
    kind = type(model.head).__name__
    bins = getattr(getattr(model.head, "codebook", None), "bins", None)
    what = f"a distribution over {bins} bins of ab" if bins else "RGB" if kind == "RGBHead" else "ab"
    return f"{what} at 1/{model.network.out_stride} size" if model.network.out_stride > 1 else what


def _steps(model: ColorizationModel, run: Callable[[], object]) -> list[_Step]:
    steps: list[_Step] = []
    made: dict[int, int] = {}
    kept: list[Tensor] = []
    many = sum(isinstance(m, nn.Conv2d) for m in model.modules()) > _MANY
    of_head = set(model.head.modules()) | set(getattr(model, "lightness_head", nn.Identity()).modules())

    def arrives(module: nn.Module, inputs: tuple[object, ...]) -> None:
        # A module with two feature maps as inputs joins them: the older one is a skip connection.
        maps = [x for x in inputs if isinstance(x, Tensor) and x.dim() == 4]
        origins = [made[x.data_ptr()] for x in maps if x.data_ptr() in made]
        pending.update(origin for origin in origins if origin < len(steps) - 1 and len(maps) > 1)

    def leaves(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if not isinstance(output, Tensor):
            return
        kind = next(((name, color) for known, name, color in _KINDS if isinstance(module, known)), None)
        if kind is not None:
            name, color = kind
            head = module in of_head
            last = steps[-1] if steps else None
            merges = (
                many
                and last is not None
                and not pending
                and (last.kind, last.head) == (name, head)
                and len(last.shape) == output.dim() == 4
                and last.shape[-1] == output.shape[-1]
            )
            if merges and last is not None:
                last.shape = tuple(output.shape)
            else:
                steps.append(_Step(name, RED if head else color, tuple(output.shape), joins=set(pending), head=head))
                pending.clear()
            steps[-1].layers.append(module)
        if steps:
            # Kept alive so that no later tensor reuses its address.
            kept.append(output)
            made[output.data_ptr()] = len(steps) - 1

    def sums(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        # The sum at the end of a residual block has no layer of its own.
        if isinstance(output, Tensor) and steps and output.data_ptr() not in made:
            kept.append(output)
            made[output.data_ptr()] = len(steps) - 1

    pending: set[int] = set()
    handles = []
    for module in model.modules():
        if any(True for _ in module.children()):
            handles.append(module.register_forward_pre_hook(arrives))
            handles.append(module.register_forward_hook(sums))
        else:
            handles.append(module.register_forward_hook(leaves))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            run()
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return steps


def _row(drawing: Drawing, steps: list[_Step], side: int, top: float) -> float:
    middle = top + _HEIGHT / 2
    x, places, below = _LEFT, [], 0.0
    drawing.box(x, top, 6, _HEIGHT, GRAY, f"the input, {side} × {side}")
    drawing.text(x + 3, top + _HEIGHT + 13, str(side), size=9)
    x += 6 + _GAP
    for step in steps:
        if len(step.shape) == 4:
            height = max(8.0, _HEIGHT * step.shape[-1] / side) ** 0.8 * _HEIGHT**0.2
            width = max(5.0, 1.9 * math.sqrt(step.shape[1]))
        else:
            height, width = 10.0, max(8.0, 1.2 * math.sqrt(step.shape[1]))
        drawing.box(x, middle - height / 2, width, height, step.color, _title(step))
        drawing.text(x + width / 2, middle - height / 2 - 4, str(step.shape[1]), size=9)
        if len(step.shape) == 4:
            drawing.text(x + width / 2, top + _HEIGHT + 13, str(step.shape[-1]), size=9)
        drawing.text(x + width / 2 + 3, top + _HEIGHT + 20, _short(step), size=9, anchor="start", turn=_TURN)
        below = max(below, text_width(_short(step), 9) * math.sin(math.radians(_TURN)))
        places.append((x, width, height))
        x += width + _GAP + 4
    skips = [(number - origin, origin, number) for number, step in enumerate(steps) for origin in step.joins]
    lanes: list[tuple[int, int, float]] = []
    # Short ones first: longer ones pass above them, and above the labels of all boxes between their ends.
    for _, origin, number in sorted(skips):
        start, end = places[origin], places[number]
        high = middle - max(height for *_, height in places[origin : number + 1]) / 2 - 20
        high = min([high, *(lane - 7 for first, last, lane in lanes if first < number and origin < last)])
        lanes.append((origin, number, high))
        left, right = start[0] + start[1] / 2, end[0] + end[1] / 2 - 3
        ends = (middle - start[2] / 2 - 14, middle - end[2] / 2 - 14)
        drawing.line([(left, ends[0]), (left, high), (right, high), (right, ends[1])], dashed=True)
    return top + _HEIGHT + 24 + below


def _short(step: _Step) -> str:
    first = step.layers[0]
    count = f"{len(step.layers)} × " if len(step.layers) > 1 else ""
    if isinstance(first, nn.Conv2d | nn.ConvTranspose2d):
        kernels = {layer.kernel_size[0] for layer in step.layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)}
        sizes = "/".join(map(str, sorted(kernels))) + "²"
        extra = f", dilated {first.dilation[0]}" if len(step.layers) == 1 and first.dilation[0] > 1 else ""
        extra += f", stride {first.stride[0]}" if len(step.layers) == 1 and first.stride[0] > 1 else ""
        return f"{count}{sizes}{extra}"
    return f"{count}{step.kind}"


def _title(step: _Step) -> str:
    size = " × ".join(map(str, step.shape[1:]))
    return f"{len(step.layers)} × {step.kind}{' of the head' if step.head else ''}, output {size}"


def _legend(drawing: Drawing, top: float, colors: set[str]) -> None:
    x = _LEFT
    kinds = [*((name, color) for _, name, color in _KINDS), ("head", RED)]
    for name, color in (kind for kind in kinds if kind[1] in colors):
        drawing.box(x, top - 11, 12, 12, color)
        drawing.text(x + 17, top - 1, name, size=11, anchor="start")
        x += 35 + text_width(name, 11)
