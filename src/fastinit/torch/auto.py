"""A scheme for every layer by what stands around it: `fastinit.recommend` asked for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..plan import Choice
from ..recommend import recommend
from .activations import Activation, of_function, of_module
from .graph import Place, Places, by_graph
from .layers import FIXED, Slot, clean_modules, is_layer, is_norm, unwrapped

# The last projections of a transformer's branches, as they are called in widespread code.
_ENDS = re.compile(
    r"(^|\.)(c_proj|o_proj|out_proj|down_proj|dense_4h_to_h|fc2|linear2|lin2|wo|w2|out_lin|(output|attention)\.dense)$"
)


def chooser(model: nn.Module) -> Callable[[Slot], Choice | None]:
    """What is drawn for a parameter of this model; None where nothing is known of it."""
    places = _places(unwrapped(model))
    branches = len(places.ends) + sum(place.residual for place in places.layers.values())
    normalised = any(is_norm(module) for module in model.modules())

    def choose(slot: Slot) -> Choice | None:
        module, place = slot.module, places.layers.get(id(slot.module), Place())
        options: dict[str, Any] = {"normalised": place.normalised}
        if slot.role == "norm" and id(module) in places.ends:
            options |= {"layer": "norm", "residual": True, "depth": branches / 2}
        elif slot.role == "embedding":
            options = {"layer": "embedding", "normalised": normalised}
        elif slot.role == "output":
            options["layer"] = "output"
        elif slot.role == "recurrent":
            options["layer"] = "recurrent"
        elif slot.role in ("weight", "bias"):
            options["layer"] = _kind(module, place)
            options |= {"residual": place.residual, "depth": branches / 2 if place.residual else places.depth or None}
        else:
            return FIXED.get(slot.role)
        activation = place.activation or Activation("linear")
        found = recommend(activation.function, activation.param, **options)
        if slot.role == "bias":
            reason = "against units that never fire" if found.bias_numbers else FIXED["bias"].reason
            return Choice(found.bias, found.bias_numbers, reason)
        if slot.role != "weight":
            return Choice(found.scheme, found.numbers, found.reason)
        follows = "output" if place.output else activation.name if place.activation else "no activation"
        return Choice(found.scheme, found.numbers, f"{follows} follows (by {place.found_by}); {found.reason}")

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
    """By the graph where there is one; the rest (all, or what stands within one node of the graph) by order."""
    found = by_graph(model)
    ordered = _by_order(model, whole=found is None)
    if found is None:
        return ordered
    found.layers = {**ordered.layers, **found.layers}
    return found


def _by_order(model: nn.Module, whole: bool) -> Places:
    """Each layer's place by the modules that are registered behind it, up to the next layer."""
    modules = list(clean_modules(model))
    late, belongs = _late_activations(modules)
    transformer = any("attn" in path or "attention" in path for path, _ in modules)
    places, current, norm_before = Places(), None, False
    for path, module in modules:
        inside = isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer))
        if is_layer(module):
            current = id(module)
            ends = transformer and (whole or path.rpartition(".")[0] in late) and bool(_ENDS.search(path))
            places.layers[current] = Place(belongs.get(current), normalised=norm_before, residual=ends)
            places.depth += 1
            norm_before = False
        elif is_norm(module):
            norm_before = True
            if current is not None and places.layers[current].activation is None:
                places.layers[current] = replace(places.layers[current], normalised=True)
        elif (activation := of_module(module)) and current is not None and id(module) not in late:
            if places.layers[current].activation is None:
                places.layers[current] = replace(places.layers[current], activation=activation)
    if whole and current is not None:
        last = places.layers[current]
        places.layers[current] = replace(last, output=last.activation is None and not last.residual)
    return places
