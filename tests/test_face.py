"""The public face as a whole: names, types, documentation, and the error for a wrong argument."""

from __future__ import annotations

import doctest
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import pytest
from conftest import example_of, optional, program_of

import fastinit as fi
from fastinit import propagation
from fastinit.schemes.catalogue import SCHEMES

typed = program_of("examples/typed.py")
SPACES = ["", "inspection", "jax", "keras", "propagation", "torch"]


def space(name: str) -> ModuleType:
    if name in ("jax", "keras", "torch"):
        optional(name)
    return importlib.import_module(f"fastinit.{name}".rstrip("."))


def own(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public names whose objects are made here, not a framework's."""
    for name in module.__all__:
        value = getattr(module, name)
        if getattr(value, "__module__", "").startswith("fastinit"):
            yield name, value


@pytest.mark.parametrize("name", SPACES)
def test_all_names_the_public(name: str) -> None:
    module = space(name)
    assert len(set(module.__all__)) == len(module.__all__)
    defined = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", "").startswith("fastinit.")
    }
    assert defined <= set(module.__all__)


@pytest.mark.parametrize("name", SPACES)
def test_every_function_is_documented_and_typed(name: str) -> None:
    """A docstring for each; an example for functions, laws and initializers; hints for all arguments."""
    finder = doctest.DocTestFinder(recurse=False)
    for key, value in own(space(name)):
        docstring = inspect.getdoc(value)
        assert docstring, key
        called = inspect.isfunction(value) or (
            inspect.isclass(value)
            and (hasattr(value, "law") or any("__call__" in vars(kind) for kind in value.__mro__))
        )
        if called and "eprecated" not in docstring:
            assert any(test.examples for test in finder.find(value, key)), f"{key} has no example"
        if inspect.isfunction(value) and key not in SCHEMES:
            signature = inspect.signature(value)
            assert signature.return_annotation is not signature.empty, key
            assert all(p.annotation is not p.empty for p in signature.parameters.values()), key


@pytest.mark.parametrize("name", ["", "jax", "keras", "propagation", "torch"])
def test_what_functions_return_has_a_public_name(name: str) -> None:
    public = [
        value
        for place in ("", "inspection", "laws", "plans", "propagation", "schemes")
        for _, value in own(space(place))
    ]
    for key, value in own(space(name)):
        if inspect.isfunction(value) and key not in SCHEMES:
            hint = eval(
                value.__annotations__["return"], {"Figure": Any, **vars(sys.modules[value.__module__])}
            )
            for part in (hint, *typing.get_args(hint)):
                if getattr(part, "__module__", "").startswith("fastinit") and inspect.isclass(part):
                    assert part in public, f"{key} returns {part}"


class Odd:
    """What no argument may be."""

    def __repr__(self) -> str:
        return "<odd>"


Calls: TypeAlias = list[tuple[Callable[..., Any], dict[str, Any]]]
PLAN = fi.plan({"fc.weight": (4, 3)})
REPORT = propagation.probe([4, 4, 4], "relu", "he_normal", seed=0)
CALLS: Calls = [
    (fi.checksum, {"values": np.ones(3)}),
    (fi.diff, {"a": PLAN, "b": PLAN}),
    (fi.distribution, {"scheme": "he_normal", "shape": (4, 4)}),
    (fi.fans, {"shape": (4, 4)}),
    (fi.fill, {"out": np.empty((4, 3)), "scheme": "he_normal"}),
    (fi.gain, {"activation": "leaky_relu"}),
    (fi.init, {"params": {"fc.weight": (4, 3)}, "seed": 0}),
    (fi.inspect, {"checkpoint": fi.init(PLAN, seed=0)}),
    (fi.lint, {"plan": PLAN}),
    (fi.plan, {"params": {"fc.weight": (4, 3)}}),
    (fi.drawing.random_bits, {"shape": 3}),
    (fi.recommend, {"activation": "leaky_relu", "depth": 2}),
    (fi.set_num_threads, {"threads": fi.get_num_threads()}),
    (fi.verify, {"checkpoint": fi.init(PLAN, seed=0), "plan": PLAN}),
    (fi.Constant, {"value": 1}),
    (fi.Normal, {}),
    (fi.Uniform, {"low": 0, "high": 1}),
    (fi.TruncatedNormal, {}),
    (fi.Plan.from_json, {"text": PLAN.to_json()}),
    (propagation.calibrate, {"widths": [4, 4], "activation": "leaky_relu"}),
    (propagation.critical_line, {"activation": "leaky_relu"}),
    (propagation.dead_network, {"width": 2, "hidden": 2}),
    (propagation.dead_ray, {"widths": [2]}),
    (propagation.dead_share, {"c": 0.5, "batch": 3, "activation": "leaky_relu"}),
    (propagation.judge, {"report": REPORT}),
    (propagation.largest_squared_singular_value, {"depth": 2}),
    (propagation.linear_lyapunov, {"width": 2}),
    (propagation.mean_field, {"activation": "leaky_relu", "weight_variance": 2.0}),
    (propagation.predict, {"widths": [4, 4], "activation": "leaky_relu", "weight_variances": 2.0}),
    (propagation.probe, {"widths": [4, 4], "activation": "leaky_relu", "scheme": "he_normal"}),
    (propagation.relu_log_moments, {"width": 3}),
    (propagation.text, {"reports": REPORT}),
    (propagation.variances, {"widths": [4, 4], "scheme": "he_normal"}),
]


CALLS += [(getattr(fi.schemes, name), example_of(row)) for name, row in SCHEMES.items()]


def of_matplotlib() -> Calls:
    return [(propagation.plot, {"reports": REPORT}), (propagation.html, {"reports": REPORT})]


def of_torch() -> Calls:
    import torch

    import fastinit.torch as init

    model, batch = torch.nn.Linear(3, 4), torch.ones(2, 3)
    return [
        (init.plan, {"model": model}),
        (init.init_, {"model": model, "seed": 0}),
        (init.record, {"factory": lambda: torch.nn.Linear(3, 4)}),
        (init.init_, {"model": model, "recipe": init.plan(model), "seed": 0}),
        (init.checksum, {"model": model, "plan": init.plan(model)}),
        (init.verify, {"model": model, "plan": init.plan(model), "seed": 0}),
        (init.probe, {"model": model, "batch": batch}),
        (init.calibrate, {"model": model, "batch": torch.eye(3)}),
    ]


def of_jax() -> Calls:
    import jax

    import fastinit.jax as init

    tree = {"kernel": jax.ShapeDtypeStruct((3, 4), "float32")}
    return [(init.plan, {"tree": tree}), (init.init, {"tree": tree, "seed": 0})]


def of_keras() -> Calls:
    import keras

    import fastinit.keras as init

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    return [(init.plan, {"model": model}), (init.init, {"model": model, "seed": 0})]


@pytest.mark.parametrize("framework", ["matplotlib", "torch", "jax", "keras"])
def test_the_error_for_a_wrong_type_with(framework: str) -> None:
    optional(framework)
    for function, arguments in globals()[f"of_{framework}"]():
        test_the_error_for_a_wrong_type_names_the_argument(function, arguments)


@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=lambda v: getattr(v, "__qualname__", ""))
def test_the_error_for_a_wrong_type_names_the_argument(
    function: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    """Each argument in turn is an object of no use."""
    function(**arguments)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD or parameter.name == "progress":
            continue
        given = {**arguments, parameter.name: Odd()}
        if "activation" in inspect.signature(function).parameters:
            of = {"negative_slope": "leaky_relu", "omega": "sin"}
            given["activation"] = of.get(parameter.name, given.get("activation", "relu"))
        error = ValueError if parameter.name == "tree" else TypeError  # anything is a tree
        with pytest.raises(error, match=rf"(?i)\b{parameter.name}\b"):
            function(**given)


def test_the_examples_for_type_checkers_run(capsys: pytest.CaptureFixture[str]) -> None:
    for framework in ("torch", "jax", "keras"):
        optional(framework)
    typed.main()
    assert "stream version" in capsys.readouterr().out
