"""A model's own initialisation code -> a plan, without memory for its weights."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ...arguments import instance
from ...dtypes import dtype_name
from ...laws.composed import Patched, Transformed
from ...laws.copies import Copied, drawn_as
from ...laws.distributions import Distribution
from ...laws.parts import of_reals
from ...laws.patterns import Given
from ...laws.structured import seen_from
from ...plans.buffer import Buffer
from ...plans.parameter import BUFFER, Parameter
from ...plans.plan import Plan
from ...schemes.catalogue import SCHEMES
from ...schemes.fans import Fans, fans
from ..parametrised import Vector, computed_weights
from ..survey import clean_modules
from .home import Home, explained, line_of
from .hooks import hooked
from .outcome import Outcome, outcomes
from .trace import Trace, UnknownValueError

_BY_FANS = ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal")
_CHANCE = "its values differ from call to call, by chance outside torch"


def record(factory: Callable[[], nn.Module]) -> Plan:
    """The plan of the model that `factory()` builds: for each parameter the distribution that its own code draws it from.

    The factory runs on the meta device, where tensors have no memory; its code sees them as if they were on a CPU. Functions of
    `torch.nn.init` (and of this drop-in), in-place and other operations of torch are followed: the last one that writes a
    whole parameter decides, later ones rescale or overwrite parts. Values without chance become constants or given values.
    The factory is called twice, to see that these are the same. torch's generator is left as it was. How it works:
    docs/recording.md.

    Tied parameters stand once, under their first name. Names are those without wrappers. Persistent buffers of dtypes that
    can be drawn come after the parameters; all others (integers, or not persistent, or not known) are the plan's ``buffers``.
    What the code copies, as ``copy.deepcopy`` and ``load_state_dict`` do, has the values of what it is a copy of (``fastinit.laws.Copied``).

    Parameters
    ----------
    factory
        Builds and returns the module. It must not depend on devices other than the CPU.

    Raises
    ------
    ValueError
        for a parameter that is never initialised, or whose distribution cannot be told: it names the parameter and the
        operation. Also if the code asks for the value of a random tensor: it names the line.
    TypeError
        for a dtype that cannot be drawn, and for a factory that does not return a module.

    Examples
    --------
    >>> plan = record(lambda: torch.nn.Linear(256, 10))
    >>> plan["weight"].scheme, plan["bias"].distribution
    ('kaiming_uniform', Uniform(low=-0.0625, high=0.0625))
    """
    instance("factory", factory, Callable)
    return recorded(followed(factory, 0), followed(factory, 1))


class Followed(NamedTuple):
    """A model that was built on the meta device, and what its code has done to its tensors."""

    model: nn.Module
    trace: Trace


def recorded(first: Followed, second: Followed, known: Container[str] = ()) -> Plan:
    """The plan by two runs of the factory. The distributions of the parameters in ``known`` need not be told."""
    found = _outcomes(first)
    again = {outcome.name: outcome for outcome in _outcomes(second)}
    rows: dict[str, Parameter] = {}
    buffers: dict[str, Buffer] = {}
    ties: dict[str, str] = {}
    for outcome in found:
        if outcome.tied:
            ties[outcome.name] = outcome.tied
            continue
        error = outcome.error
        if error is None and not _same(outcome, again.get(outcome.name)):
            error = ValueError(_CHANCE)
        try:
            if error is not None:
                raise error
            if outcome.kind != "transient":
                rows[outcome.name] = _row(outcome)
                continue
        except (TypeError, ValueError) as problem:
            if outcome.kind == "parameter" and outcome.name in known:
                continue
            if outcome.kind == "parameter":
                raise type(problem)(f"parameter {outcome.name!r}: {problem}") from None
        buffers[outcome.name] = outcome.buffer(known=error is None)
    unfilled = {
        name: Parameter.kept(name, buffer.shape, buffer.dtype, BUFFER)
        for name, buffer in buffers.items()
        if buffer.persistent and not buffer.stored
    }
    ties = {alias: owner for alias, owner in ties.items() if owner in rows or owner in buffers}
    return Plan(rows, ties, f"recorded from {type(first.model).__name__}", unfilled, buffers)


def followed(factory: Callable[[], nn.Module], seed: int) -> Followed:
    """Build the model on the meta device, with torch's generator at a seed, and follow its code."""
    trace = Trace()
    try:
        with torch.random.fork_rng(devices=[]), hooked(trace), Home(trace), trace:
            torch.default_generator.manual_seed(seed)
            model = factory()
    except UnknownValueError as error:
        raise explained(error, trace) from None
    except (NotImplementedError, RuntimeError, TypeError) as error:
        if "meta" not in str(error):
            raise
        what = f"the model's code asks for what only real values can give: {str(error).splitlines()[0]}"
        raise ValueError(f"{what}, at {line_of(error)}") from error
    if not isinstance(model, nn.Module):
        raise TypeError(f"factory must return a torch.nn.Module, not {type(model).__name__}")
    return Followed(model, trace)


@torch.no_grad()
def _outcomes(run: Followed) -> list[Outcome]:
    return _with_vectors(run.model, outcomes(run.model, run.trace))


def _with_vectors(model: nn.Module, found: list[Outcome]) -> list[Outcome]:
    """The outcomes, with the laws of what spectral norm keeps of random weights."""
    index = {outcome.name: i for i, outcome in enumerate(found)}
    for path, module in clean_modules(model):
        for weight in computed_weights(module):
            before = f"{path}." if path else ""
            original = found[index[before + next(iter(weight.parts))]]
            if not isinstance(original.content, Distribution):
                continue
            for vector in weight.vectors:
                i = index.get(before + vector.name)
                if i is not None and not isinstance(found[i].content, np.ndarray):
                    law = _of_vector(vector, before, original)
                    found[i] = replace(found[i], content=law, text="spectral_norm", error=None)
    return found


def _of_vector(vector: Vector, before: str, original: Outcome) -> Distribution:
    """The law of a vector of the module whose names begin so, and whose weight has that outcome."""
    assert isinstance(original.content, Distribution)
    law, of = drawn_as(original.content, original.name)
    local = original.name.removeprefix(before)
    if of == original.name or not f".{of}".endswith(f".{local}"):
        return vector.law(original.content, original.shape)
    its = of.removesuffix(local) + vector.name  # that of the module which was copied
    return Copied(vector.law(law, original.shape), seen_from(before + vector.name, its))


def _same(outcome: Outcome, other: Outcome | None) -> bool:
    if other is None or other.error is not None or outcome.shape != other.shape:
        return False
    one, two = outcome.content, other.content
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return one.dtype == two.dtype and one.tobytes() == two.tobytes()
    return not isinstance(one, np.ndarray) and not isinstance(two, np.ndarray) and one == two


_fans: Callable[[tuple[int, ...]], Fans] = cache(fans)


def _row(outcome: Outcome) -> Parameter:
    law, shape = outcome.law(), outcome.shape
    dtype = dtype_name(outcome.dtype)
    of_reals(law, shape, dtype)  # raises for a shape or dtype that it does not have
    scheme = scheme_of(law, outcome.text)
    counted = _fans(shape) if scheme in _BY_FANS and len(shape) > 1 else None
    reason = f"the model's code: {outcome.text}"
    if isinstance(law, Copied):
        reason += ", copied"
    is_buffer = outcome.kind == "buffer"
    return Parameter(
        outcome.name, shape, dtype, scheme, law, counted, 0, reason, outcome.owner, buffer=is_buffer
    )


def scheme_of(law: Distribution, text: str) -> str:
    """The scheme that torch's function is, or else the innermost law is."""
    function = text.split(", ")[0]
    inner: Any = law
    while isinstance(inner, (Transformed, Patched)) or hasattr(inner, "inner"):
        inner = inner.inner
    if isinstance(inner, Given):
        function = "given"
    return next(name for name in (function, inner.law, "array") if name in SCHEMES)
