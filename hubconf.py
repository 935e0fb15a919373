"""Entry points for torch.hub: `torch.hub.load(".", "cnn", source="local", pretrained=True)` in a clone.

Each builder in `artcolor/models/` gets an entry. Its help is assembled from the source code (parsed, never run) and
from the figures in `weights_manifest.json`. A new model therefore needs no change here, and listing the models does
not import torch.
"""

import ast as _ast
import json as _json
import os as _os
import re as _re
import textwrap as _textwrap

dependencies = [
    "torch", "torchvision", "safetensors", "huggingface_hub", "PIL", "numpy", "lazy_loader",
]  # fmt: skip

_HERE = _os.path.dirname(_os.path.abspath(__file__))
_WIDTH = 120
_DECODING = frozenset({"vividness", "temperature", "strength"})
# How the help shows annotations that say little by themselves.
_ALIASES = {"WeightsArgument": "str | Path | WeightsEnum | None", "Any": "Tensor"}


def _registry():
    import sys
    import warnings

    # torch.hub puts this folder first on sys.path and removes it after loading. Spawned DataLoader workers still need
    # it, so it is also appended.
    if _HERE not in sys.path[1:]:
        sys.path.append(_HERE)
    other = sys.modules.get("artcolor")
    if other is not None:
        there = _os.path.dirname(_os.path.abspath(getattr(other, "__file__", None) or ""))
        if _os.path.realpath(there) != _os.path.realpath(_os.path.join(_HERE, "artcolor")):
            warnings.warn(
                f"artcolor is imported already, from {there}; torch.hub uses that copy instead of the one in {_HERE}. "
                "To use the latter, load it in a new process, before anything imports the other copy.",
                stacklevel=3,
            )
    from artcolor.models import registry

    return registry


def _sources():
    """Yields the syntax tree of each module in `artcolor/models/`."""
    folder = _os.path.join(_HERE, "artcolor", "models")
    for file in sorted(_os.listdir(folder)):
        if file.endswith(".py"):
            with open(_os.path.join(folder, file), encoding="utf-8") as source:
                yield _ast.parse(source.read())


def _definitions():
    """Returns the top-level functions and classes of `artcolor/models/` by name."""
    kinds = _ast.FunctionDef | _ast.ClassDef
    return {node.name: node for tree in _sources() for node in tree.body if isinstance(node, kinds)}


def _weights_enum(function):
    """Returns the argument of the decorator `@register_model(...)`, or `None` if the function is not a builder."""
    for decorator in getattr(function, "decorator_list", ()):
        if isinstance(decorator, _ast.Call) and getattr(decorator.func, "id", "") == "register_model":
            return decorator.args[0].id
    return None


def _assigned(definition):
    """Returns the values assigned in the body of a class, as syntax trees, by name."""
    found = {}
    for node in definition.body:
        if isinstance(node, _ast.Assign):
            found[node.targets[0].id] = node.value
        elif isinstance(node, _ast.AnnAssign):
            found[node.target.id] = node.value
    return found


def _default_key(enum):
    """Returns the manifest key of the default weights, or `None` if the enum has no default."""
    values = _assigned(enum)
    value = values.get("DEFAULT")
    if isinstance(value, _ast.Name):
        value = values[value.id]
    return value.value if value is not None else None


def _accepts(name, definitions):
    """Returns the fields of `Guidance` that a model class accepts: its own `accepts`, or an inherited one."""
    definition = definitions.get(name)
    if not isinstance(definition, _ast.ClassDef):
        return frozenset()
    value = _assigned(definition).get("accepts")
    if value is None:
        return frozenset().union(*(_accepts(base.id, definitions) for base in definition.bases if hasattr(base, "id")))
    return _evaluated(value, definitions)


def _evaluated(value, definitions):
    """Returns the set that `frozenset({...})`, or `Base.accepts | {...}`, stands for."""
    if isinstance(value, _ast.BinOp):
        return _evaluated(value.left, definitions) | _evaluated(value.right, definitions)
    if isinstance(value, _ast.Attribute):
        return _accepts(value.value.id, definitions)
    if isinstance(value, _ast.Call):
        return _evaluated(value.args[0], definitions) if value.args else frozenset()
    return frozenset(_ast.literal_eval(value))


def _annotation(node):
    text = _ast.unparse(node)
    return _re.sub(r"\w+", lambda match: _ALIASES.get(match[0], match[0]), text)


def _documented(docstring, heading):
    """Returns the descriptions in a section of a docstring, by argument or attribute."""
    section = docstring.partition(f"{heading}:\n")[2].partition("\n\n")[0]
    items = _re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, _re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in items}


def _item(name, kind, text):
    return _textwrap.fill(
        f"{name} ({kind}): {text}",
        _WIDTH,
        initial_indent="    ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _arguments(builder):
    described = _documented(_ast.get_docstring(builder) or "", "Args")
    return "\n".join(
        _item(argument.arg, _annotation(argument.annotation), described.get(argument.arg, ""))
        for argument in builder.args.kwonlyargs
    )


def _options(names, definitions):
    """Documents options of `ColorizationModel.colorize`, as listed in `ModelOptions`."""
    items = []
    # What people give as files is a tensor here.
    tensors = _documented(_ast.get_docstring(definitions["Guidance"]) or "", "Attributes")
    for node in definitions["ModelOptions"].body:
        if isinstance(node, _ast.AnnAssign) and node.target.id in names:
            kind, option = node.annotation.slice.elts
            text, *limits = map(_ast.literal_eval, option.args)
            keywords = {word.arg: word.value.value for word in option.keywords if isinstance(word.value, _ast.Constant)}
            limits = {**dict(zip(("minimum", "maximum"), limits, strict=False)), **keywords}
            name, annotation = node.target.id, _annotation(kind)
            if annotation == _ALIASES["Any"]:
                text, annotation = tensors[name], "Observations" if name == "hints" else annotation
            items.append(_item(name, annotation + _range(limits), text))
    return "\n".join(items)


def _range(limits):
    if "minimum" not in limits:
        return ""
    return f", {limits['minimum']} to {limits['maximum']}" if "maximum" in limits else f", {limits['minimum']} or more"


def _figures(key, entry, enum):
    """Returns a paragraph about released weights: size, decoding defaults and metrics."""
    measured = entry["metrics"]["paintings-whole"]
    default, accurate = measured["default"], measured.get("accurate")
    psnr = f"PSNR {default['psnr']['mean']:.2f} dB"
    if accurate:
        psnr = f"PSNR {accurate['psnr']['mean']:.2f} dB at vividness 0, {default['psnr']['mean']:.2f} dB by default"
    head = entry["config"]["head"]
    decoding = [f"{name} {head[name]:g}" for name in ("vividness", "temperature") if name in head]
    with_decoding = f", decoded with {' and '.join(decoding)}" if decoding else ""
    text = (
        f"Default weights: {key}, {entry['parameters'] / 1e6:.2f} M parameters, {entry['bytes'] / 1e6:.1f} MB"
        f"{with_decoding}. Measured on {measured['n']} whole paintings: {psnr}; mean colorfulness "
        f"{default['delta_colorfulness']['mean']:+.1f} relative to the originals; "
        f"FD-grid {default['fd_grid']['mean']:.0f}. "
        f'All metrics with intervals: `artcolor.{enum}.DEFAULT.meta["metrics"]`.'
    )
    return _textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


_HELP = """{summary}

{figures}

Args:
    pretrained (bool): load the default weights.
{arguments}

Returns:
    An `artcolor.models.base.ColorizationModel`. `model.colorize(gray, size=None, **options)` takes `(N, 1|3, H, W)`,
    sRGB in 0..1, any size, and returns `{shape}`, sRGB in 0..1.

Options of `model.colorize`:
    size (int | None): working size in pixels; `None` uses the model's own.
{options}

Example:
    >>> import torch
    >>> model = torch.hub.load(".", "{name}", source="local", {how})
    >>> model.colorize(torch.rand(1, 1, 64, 48)).shape
    torch.Size([1, 3, 64, 48])
"""


def _help(builder, definitions, weights):
    enum = _weights_enum(builder)
    key = _default_key(definitions[enum])
    accepts = _accepts(getattr(builder.returns, "id", ""), definitions)
    if key in weights:
        figures, how = _figures(key, weights[key], enum), "pretrained=True"
        decoding = {"strength"} | (_DECODING & set(weights[key]["config"]["head"]))
    else:
        figures, how, decoding = "There are no released weights.", "pretrained=False", _DECODING
    return _HELP.format(
        name=builder.name,
        summary=(_ast.get_docstring(builder) or "").partition("\n")[0],
        figures=figures,
        arguments=_arguments(builder),
        options=_options(accepts | decoding, definitions),
        shape="(samples · N, 3, H, W)" if "samples" in accepts else "(N, 3, H, W)",
        how=how,
    )


def _entry(name, text):
    def entry(pretrained=False, **keywords):
        return _registry().get_model(name, pretrained=pretrained, **keywords)

    entry.__name__ = entry.__qualname__ = name
    entry.__doc__ = text
    return entry


def _entries():
    definitions = _definitions()
    with open(_os.path.join(_HERE, "weights_manifest.json"), encoding="utf-8") as file:
        weights = _json.load(file)["weights"]
    return {
        name: _entry(name, _help(node, definitions, weights))
        for name, node in definitions.items()
        if _weights_enum(node) is not None
    }


globals().update(_entries())
