"""Entry points for torch.hub: `torch.hub.load("org/artcolor", "cnn", pretrained=True, trust_repo=True)`.

There is an entry for each builder in `artcolor/models/`. Its help is made from the builder's docstring, which is read
but not run, and from the figures in `weights_manifest.json`; so a new model needs no change here, and listing the
models imports no torch.
"""

import ast as _ast
import json as _json
import os as _os

dependencies = [
    "torch", "torchvision", "timm", "safetensors", "huggingface_hub", "PIL", "numpy", "lazy_loader",
]  # fmt: skip

_HERE = _os.path.dirname(_os.path.abspath(__file__))


def _registry():
    import sys
    import warnings

    # torch.hub puts this folder first on sys.path, and takes it off again after loading; but spawned DataLoader
    # workers need it there, so it is put at the end as well.
    if _HERE not in sys.path[1:]:
        sys.path.append(_HERE)
    other = sys.modules.get("artcolor")
    if other is not None:
        there = _os.path.dirname(_os.path.abspath(getattr(other, "__file__", None) or ""))
        if _os.path.realpath(there) != _os.path.realpath(_os.path.join(_HERE, "artcolor")):
            warnings.warn(
                f"artcolor is imported already, from {there}; it is used instead of the one that torch.hub has in "
                f"{_HERE}. To use that one, load it in a new process, before anything imports the other.",
                stacklevel=3,
            )
    from artcolor.models import registry

    return registry


def _builders():
    """Name → docstring of each function that is decorated with `@register_model(...)`."""
    folder, found = _os.path.join(_HERE, "artcolor", "models"), {}
    for file in sorted(_os.listdir(folder)):
        if file.endswith(".py"):
            with open(_os.path.join(folder, file), encoding="utf-8") as source:
                tree = _ast.parse(source.read())
            for node in tree.body:
                if isinstance(node, _ast.FunctionDef) and any(map(_registers, node.decorator_list)):
                    found[node.name] = _ast.get_docstring(node) or ""
    return found


def _registers(decorator):
    return isinstance(decorator, _ast.Call) and getattr(decorator.func, "id", "") == "register_model"


def _figures():
    """Name of a model → a paragraph with the figures of its newest weights."""
    with open(_os.path.join(_HERE, "weights_manifest.json"), encoding="utf-8") as file:
        weights = _json.load(file)["weights"]
    return {key.partition(".")[0]: _paragraph(key, entry) for key, entry in weights.items()}


def _paragraph(key, entry):
    measured = entry["metrics"]["paintings-256"]
    default, accurate = measured["default"], measured.get("accurate")
    parts = [f"PSNR {default['psnr']['mean']:.2f} dB"]
    if accurate:
        parts[0] += f" ({accurate['psnr']['mean']:.2f} dB at vividness 0)"
    parts += [
        f"colorfulness {default['delta_colorfulness']['mean']:+.1f} against the truth",
        f"FD-grid {default['fd_grid']['mean']:.0f}",
    ]
    return (
        f"Default weights: {key}, {entry['parameters'] / 1e6:.2f} M parameters, {entry['bytes'] / 2**20:.1f} MB.\n"
        f"Measured on {measured['n']} paintings at 256 px: {', '.join(parts)}."
    )


_HELP = """{summary}

{figures}

Args:
    pretrained (bool): load the default weights.
{arguments}

Returns:
    An `artcolor.models.base.ColorizationModel`. `model.colorize(gray)` takes `(N, 1|3, H, W)`, sRGB in 0..1, any size,
    and returns `(N, 3, H, W)`, sRGB in 0..1.

Example:
    >>> import torch
    >>> model = torch.hub.load(".", "{name}", source="local", pretrained=True)
    >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
    torch.Size([1, 3, 64, 48])
"""


def _help(name, docstring, figures):
    summary, _, rest = docstring.partition("\n")
    arguments = rest.partition("Args:\n")[2].partition("\n\n")[0]
    return _HELP.format(name=name, summary=summary, figures=figures, arguments=arguments)


def _entry(name, docstring, figures):
    def entry(pretrained=False, **keywords):
        return _registry().hub_entry(name, pretrained, keywords)

    entry.__name__ = entry.__qualname__ = name
    entry.__doc__ = _help(name, docstring, figures)
    return entry


def _entries():
    figures = _figures()
    return {
        name: _entry(name, docstring, figures.get(name, "There are no released weights."))
        for name, docstring in _builders().items()
    }


globals().update(_entries())
