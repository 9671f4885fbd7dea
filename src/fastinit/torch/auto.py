"""A scheme for every layer by what stands around it: `fastinit.recommend` asked for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from ..plans.make import Choice, choice_of_role
from ..plans.roles import ROLES
from ..schemes.recommend import recommend
from ._private import _ConvNd, _ConvTransposeNd
from .activations import ActivationCall, of_function, of_module
from .graph import Place, Places, by_graph
from .layers import has_children, is_layer, is_norm
from .survey import Slot, clean_modules, unwrapped

# The last projections of a transformer's branches, as they are called in widespread code.
_ENDS = re.compile(
    r"(^|\.)(c_proj|o_proj|out_proj|down_proj|dense_4h_to_h|fc2|linear2|lin2|wo|w2|out_lin|output\.dense|"
    r"\w*attention\.(dense|o))$",
    re.IGNORECASE,
)
_TRANSFORMER_LAYERS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)


def chooser(model: nn.Module) -> Callable[[Slot], Choice | None]:
    """What is drawn for a parameter of this model; None if nothing is known of it."""
    places = _places(unwrapped(model))
    branches = len(places.ends) + sum(place.residual for place in places.layers.values())
    normalised = any(is_norm(module) for module in model.modules())

    def choose(slot: Slot) -> Choice | None:
        module, place = slot.module, places.layers.get(id(slot.module), Place())
        role = slot.spec.role
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):  # its gates, not what follows it, take its sums
            place = Place(found_by=place.found_by)
        options: dict[str, Any] = {"normalised": place.normalised}
        if role == "norm" and id(module) in places.ends:
            options |= {"layer": "norm", "residual": True, "depth": branches / 2}
        elif role == "embedding":
            options = {"layer": "embedding", "normalised": normalised}
        elif role == "output":
            options["layer"] = "output"
        elif role == "recurrent":
            options["layer"] = "recurrent"
        elif role in ("weight", "conv", "bias"):
            options["layer"] = _kind(module, place)
            options |= {
                "residual": place.residual,
                "depth": branches / 2 if place.residual else places.depth or None,
            }
        else:
            return choice_of_role(role)
        activation = place.activation or ActivationCall("linear")
        options["omega" if activation.function == "sin" else "negative_slope"] = activation.param
        found = recommend(activation.function, **options)
        if role == "bias":
            reason = "against units that never fire" if found.bias_numbers else ROLES["bias"]
            return Choice(found.bias, found.bias_numbers, reason)
        if role not in ("weight", "conv"):
            return Choice(found.scheme, found.numbers, found.reason)
        follows = "output" if place.output else activation.name if place.activation else ""
        none = "no activation follows" if place.found_by == "graph" else "no activation is seen"
        sees = f"{follows} follows" if follows else none
        return Choice(found.scheme, found.numbers, f"{sees} (by {place.found_by}); {found.reason}")

    return choose


def _kind(module: nn.Module, place: Place) -> str:
    if isinstance(module, nn.MultiheadAttention):
        return "attention"
    if place.output:
        return "output"
    if isinstance(module, _ConvTransposeNd):
        return "transposed"
    if isinstance(module, _ConvNd):
        return "depthwise" if module.groups == module.in_channels > 1 else "conv"
    return "linear"


def _places(model: nn.Module) -> Places:
    """By the graph if the model traces. What it does not show, such as the inside of a node, goes by order."""
    found = by_graph(model)
    if found is None:
        return _by_order(model, whole=True)
    if not all(id(module) in found.layers for module in model.modules() if is_layer(module)):
        found.layers = {**_by_order(model, whole=False).layers, **found.layers}
    return found


def _by_order(model: nn.Module, whole: bool) -> Places:
    """Each layer's place by the modules that are registered behind it, up to the next layer."""
    modules = list(clean_modules(model))
    own, apart = _apart(modules)
    attends = any(re.search("attn|attention", path, re.IGNORECASE) for path, _ in modules)
    within = tuple(f"{path}." for path, module in modules if isinstance(module, _TRANSFORMER_LAYERS))
    places, layer = Places(), 0
    normalised = any(is_norm(module) for _, module in modules)  # the order does not tell which ones are
    for path, module in modules:
        if is_layer(module):
            layer = id(module)
            ends = attends and (whole or path.startswith(within)) and bool(_ENDS.search(path))
            places.layers[layer] = Place(own.get(layer), normalised, residual=ends)
            places.depth += 1
        elif layer and id(module) not in apart and places.layers[layer].activation is None:
            places.layers[layer] = replace(places.layers[layer], activation=of_module(module))
    if whole and layer:
        last = places.layers[layer]
        places.layers[layer] = replace(last, output=last.activation is None and not last.residual)
    return places


def _apart(modules: list[tuple[str, nn.Module]]) -> tuple[dict[int, ActivationCall], set[int]]:
    """The activations of layers whose module keeps the one activation apart from them, before or behind all or as a
    function: it follows the layers called gate, or all but the last. With the ids of these activations."""
    own: dict[int, ActivationCall] = {}
    apart: set[int] = set()
    for _, module in modules:
        if isinstance(module, (nn.Sequential, nn.ModuleList)):
            continue
        children = list(module.named_children())
        layers = [i for i, (_, child) in enumerate(children) if is_layer(child) and not has_children(child)]
        acting = {i: activation for i, (_, child) in enumerate(children) if (activation := of_module(child))}
        functions = [
            f for value in vars(module).values() if callable(value) and (f := of_function(value, {}))
        ]
        if not layers or len(acting) + len(functions) != 1:
            continue
        if acting and (len(layers) < 2 or layers[0] < min(acting) < layers[-1]):
            continue
        activation = [*acting.values(), *functions][0]
        gates = [i for i in layers if "gate" in children[i][0]]
        for i in gates or layers[:-1] or layers:
            own[id(children[i][1])] = activation
        apart |= {id(children[i][1]) for i in acting}
    return own, apart
