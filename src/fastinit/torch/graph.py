"""The place of a layer in a model, by the graph of torch.fx."""

from __future__ import annotations

import inspect
import re
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn

from ._private import HOOKS, plain_class
from .activations import ActivationCall, of_function, of_module
from .layers import has_children, is_layer, is_norm


@dataclass(frozen=True)
class Place:
    """What stands around a layer: the activation behind it, a normalisation before it or before the activation,
    whether it ends a residual branch, and whether nothing but the model's output follows."""

    activation: ActivationCall | None = None
    normalised: bool = False
    residual: bool = False
    output: bool = False
    found_by: str = "order of modules"


@dataclass
class Places:
    """By the module's id; `ends` are the norms that end a residual branch; `depth` counts the layers of the longest path."""

    layers: dict[int, Place] = field(default_factory=dict)
    ends: set[int] = field(default_factory=set)
    depth: int = 0


_PASSING = re.compile(
    r"dropout|droppath|stochasticdepth|view|reshape|flatten|permute|transpose|^t$|contiguous|squeeze|getitem|chunk|split|"
    r"unbind|pool|^mean$|interpolate|upsample|pad|^to$|float|^type$|expand|identity|pixelshuffle|^cat$|concat|clone"
)
_SOFTMAX = re.compile("softmax")


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # so that forward writes to no buffer

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        of_torch = plain_class(m).__module__.startswith("torch.nn") and not isinstance(m, nn.Sequential)
        if of_torch or of_module(m) is not None or is_norm(m):
            return True
        return is_layer(m) and not has_children(m)


def by_graph(model: nn.Module) -> Places | None:
    """The places of all layers that the graph shows, or None if the model does not trace. The model stays as it is."""
    before = [(module, dict(vars(module))) for module in model.modules()]
    try:
        for module, attributes in before:
            vars(module).update({table: type(attributes[table])() for table in HOOKS if table in attributes})
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            optional = {
                name: parameter.default
                for name, parameter in inspect.signature(model.forward).parameters.items()
                if parameter.default is not parameter.empty
            }
            graph = _Tracer().trace(model, optional)
    except Exception:  # forward is anybody's code, run on proxies: it may fail in any way
        return None
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
    return _Graph(model, graph).places()


@dataclass(frozen=True)
class _Step:
    """A node on the way from a layer, and what the way has met."""

    node: fx.Node
    norms: tuple[nn.Module, ...] = ()
    added: bool = False
    factor: float = 1.0


class _Graph:
    def __init__(self, model: nn.Module, graph: fx.Graph) -> None:
        self.model, self.nodes = model, list(graph.nodes)
        self.above: dict[fx.Node, int] = {}  # bit sets of all nodes that a node depends on, itself included
        self.layers_above: dict[fx.Node, int] = {}
        for i, node in enumerate(self.nodes):
            above, count = 1 << i, 0
            for source in node.all_input_nodes:
                above |= self.above[source]
                count = max(count, self.layers_above[source])
            module = self.module(node)
            self.above[node] = above
            self.layers_above[node] = count + (module is not None and is_layer(module))

    def module(self, node: fx.Node) -> nn.Module | None:
        return self.model.get_submodule(str(node.target)) if node.op == "call_module" else None

    def places(self) -> Places:
        places = Places(depth=max(self.layers_above.values(), default=0))
        for node in self.nodes:
            module = self.module(node)
            if module is not None and is_layer(module) and id(module) not in places.layers:
                place, ends = self.follow(node)
                places.ends |= {id(norm) for norm in ends}
                if isinstance(module, nn.MultiheadAttention):  # two layers in one node
                    places.layers[id(module.out_proj)] = place
                    place = Place(normalised=place.normalised, found_by="graph")
                places.layers[id(module)] = place
        return places

    def follow(self, layer: fx.Node) -> tuple[Place, list[nn.Module]]:
        """The layer's place, and the norms that end its branch in its stead."""
        place = Place(normalised=self._normalised(layer), found_by="graph")
        ends: list[nn.Module] = []
        ways, seen = [_Step(layer)], {layer}
        for step in ways:  # which grows on the way
            for user in step.node.users:
                if user in seen or (step.added and self._adds(user)):
                    continue  # a second addition is the end of a later branch
                activation = self._activation(user, step)
                if activation is not None:
                    normalised = place.normalised or bool(step.norms)
                    place = replace(place, activation=activation, normalised=normalised, output=False)
                    return place, ends
                if user.op == "output":
                    place = replace(place, output=not place.residual)
                elif self._ends_branch(user, step.node):
                    # A norm undoes the scale of the layer before it: its own scale is the one to set.
                    ends += step.norms[-1:]
                    place = replace(place, residual=not step.norms, output=False)
                    place = replace(place, normalised=place.normalised or bool(step.norms))
                following = self._pass(user, step)
                if following is not None:
                    seen.add(user)
                    ways.append(following)
        return place, ends

    def _activation(self, node: fx.Node, step: _Step) -> ActivationCall | None:
        module = self.module(node)
        if module is not None:
            return of_module(module)
        if node.op not in ("call_function", "call_method"):
            return None
        found = of_function(node.target, node.kwargs, node.args[1:])
        if found == ActivationCall("sigmoid") and any(
            _name(user.target) == "mul" and {node, step.node} == set(user.all_input_nodes)
            for user in node.users
        ):
            return ActivationCall("silu")
        if found == ActivationCall("sin"):
            return ActivationCall("sin", abs(step.factor) or None)
        return found

    def _pass(self, node: fx.Node, step: _Step) -> _Step | None:
        """The way on through a node that leaves the signal's law more or less as it is, or None."""
        module = self.module(node)
        if module is not None and is_layer(module):
            return None
        if module is not None and is_norm(module):
            # Behind an addition it normalises the stream, and what follows belongs to the next layer.
            return None if step.added else replace(step, node=node, norms=(*step.norms, module))
        name = _name(node.target if module is None else type(module).__name__)
        if _PASSING.search(name) or _SOFTMAX.search(name):
            return replace(step, node=node)
        if self._adds(node):
            return replace(step, node=node, added=True)
        if node.op in ("call_function", "call_method"):
            others = [a for a in node.args if a is not step.node]
            if name in ("mul", "imul") and len(others) == 1:
                if isinstance(others[0], (int, float)):
                    return replace(step, node=node, factor=step.factor * others[0])
                if isinstance(others[0], fx.Node) and others[0].op == "get_attr":
                    return replace(step, node=node)
        return None

    @staticmethod
    def _adds(node: fx.Node) -> bool:
        return node.op in ("call_function", "call_method") and _name(node.target) in ("add", "iadd")

    def _ends_branch(self, node: fx.Node, branch: fx.Node) -> bool:
        """Whether the node adds to the branch what the branch began with."""
        others = [source for source in node.all_input_nodes if source is not branch]
        if not self._adds(node) or len(others) != 1:
            return False
        other = others[0]
        if not self.above[branch] & self.above[other]:
            return False
        return self.layers_above[branch] > self.layers_above[other]

    def _normalised(self, layer: fx.Node) -> bool:
        node = layer
        while node.all_input_nodes:
            node = node.all_input_nodes[0]
            module = self.module(node)
            if module is not None and is_norm(module):
                return True
            if not _PASSING.search(_name(node.target if module is None else type(module).__name__)):
                return False
        return False


def _name(target: Any) -> str:
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    return name.lower().replace("_", "")
