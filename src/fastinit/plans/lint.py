"""What can be said of plans without drawing: what looks wrong in one, and how two differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ..arguments import instance
from ..dtypes import rounding_step
from ..laws.distributions import Elementwise
from ..schemes.fans import Fans
from .parameter import Parameter
from .plan import Plan

_FAR = 10.0  # bounds so many std away from the mean cut nothing off
_TOO_WIDE = 3.0  # times the largest std that keeps a signal or its gradient
_DENSE = {"Linear", "Conv1D", "Dense"}  # modules whose weight is a matrix between units


@dataclass(frozen=True)
class Finding:
    """Something wrong with a parameter.

    ``kind`` is a word for programs, ``message`` the rest of a sentence that begins with the ``name``, and ``index`` the
    element that shows it, if there is one.
    """

    name: str
    kind: str
    message: str
    index: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """The finding for JSON."""
        return asdict(self)


def lint(plan: Plan) -> list[Finding]:
    """Find what in a plan is probably a mistake, without drawing. The kinds of findings are:

    - "empty": a parameter without elements.
    - "constant": a weight with two axes or more, not of a norm, whose values are all the same.
    - "collapsed": a distribution so narrow that all its values are the same in the dtype.
    - "bounds": bounds more than 10 standard deviations away on both sides, which cut nothing off.
    - "scale": a weight whose root mean square is more than 3 times sqrt(2 / n), where n is the smaller fan: the largest that
      keeps a signal or its gradient. Only weights with known fans are looked at. Smaller values are often meant, as in
      residual branches.
    - "tie": a tied parameter that is also drawn on its own, or whose owner is missing.
    - "twice": a parameter that two rules match, of which the first also matches others that the second does not. Rules that
      are ``optional`` or have no pattern do not count.
    - "buffer": a persistent buffer or a frozen parameter that the plan does not fill: a checkpoint lacks it.

    >>> import fastinit as fi
    >>> lint(fi.plan({"fc.weight": (0, 4)}))
    [Finding(name='fc.weight', kind='empty', message='has no elements', index=None)]
    """
    instance("plan", plan, Plan)
    findings = [Finding(p.name, *found) for p in plan.values() for found in _look(p)]
    for alias, owner in plan.ties.items():
        if alias in plan:
            findings.append(Finding(alias, "tie", f"is tied to {owner!r} and drawn on its own too"))
        if owner not in plan:
            findings.append(Finding(alias, "tie", f"is tied to {owner!r}, which is not a parameter"))
    findings += _matched_twice(plan)
    findings += [
        Finding(name, "buffer", f"is left alone by the plan: {row.reason}")
        for name, row in plan.unfilled.items()
        if name not in plan.buffers or plan.buffers[name].content is None
    ]
    return findings


def _matched_twice(plan: Plan) -> Iterator[Finding]:
    """Each pair of rules that overlap, at its first parameter, unless the first rule is the more specific one."""
    matched: dict[int, set[str]] = {}
    for parameter in plan.values():
        for rule in (parameter.rule, *parameter.also):
            matched.setdefault(rule, set()).add(parameter.name)
    seen = set()
    for parameter in plan.values():
        for other in parameter.also:
            pair = parameter.rule, other
            if pair not in seen and not matched[pair[0]] < matched[other]:
                seen.add(pair)
                yield Finding(
                    parameter.name,
                    "twice",
                    f"rules {pair[0]} and {other} both match it, and neither is more specific; rule {pair[0]} counts",
                )


def _look(parameter: Parameter) -> Iterator[tuple[str, str]]:
    law, size = parameter.distribution, math.prod(parameter.shape)
    if not size:
        yield "empty", "has no elements"
        return
    if not isinstance(law, Elementwise):
        return
    mean, std = law.moments()
    other = parameter.name.endswith(("bias", "_scale", "_scale_inv", ".scales"))  # of quantised weights
    weight = sum(n > 1 for n in parameter.shape) >= 2 and not other
    if weight and std == 0 and "norm" not in parameter.module.lower():
        yield "constant", f"all {size:,} weights are {mean:g}"
    low, high = (_rounded(bound, parameter.dtype) for bound in law.reach())
    if size > 1 and std > 0 and low == high:
        yield "collapsed", f"{law} is {low:g} everywhere in {parameter.dtype}"
    bounds = law.support()
    if any(map(math.isfinite, bounds)) and min(mean - bounds[0], bounds[1] - mean) > _FAR * std > 0:
        yield "bounds", f"{law} is cut nowhere: its bounds are more than {_FAR:g} std away"
    fans = parameter.fans
    if fans is None and len(parameter.shape) == 2 and parameter.module in _DENSE:
        fans = Fans(*parameter.shape)
    if weight and fans and std > 0:
        keeps = math.sqrt(2 / max(min(fans), 1))
        if (ratio := math.hypot(mean, std) / keeps) > _TOO_WIDE:
            yield (
                "scale",
                f"{law} is {ratio:.3g} times wider than sqrt(2 / {min(fans):g}), which keeps a signal",
            )


def _rounded(x: float, dtype: str) -> float:
    step = rounding_step(x, dtype)
    return round(x / step) * step


@dataclass(frozen=True)
class Change:
    """A difference between two plans; ``what`` is "parameter", "shape", "dtype", "distribution", "tie" or "order"."""

    name: str
    what: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.what} {self.before} -> {self.after}"


def diff(a: Plan, b: Plan) -> list[Change]:
    """What to change in ``a`` to get ``b``: nothing if the plans are equal.

    A parameter that only one of them has is None in the other.

    >>> import fastinit as fi
    >>> print(*diff(fi.plan({"w": (4, 8)}), fi.plan({"w": (8, 8)})), sep="\\n")
    w: shape (4, 8) -> (8, 8)
    w: distribution Normal(mean=0.0, std=0.408248290463863) -> Normal(mean=0.0, std=0.3535533905932738)
    """
    instance("a", a, Plan)
    instance("b", b, Plan)
    changes = []
    for name in dict.fromkeys((*a, *b)):
        old, new = a.parameters.get(name), b.parameters.get(name)
        if old is None or new is None:
            changes.append(Change(name, "parameter", old and old.shape, new and new.shape))
            continue
        for what in ("shape", "dtype", "distribution"):
            before, after = getattr(old, what), getattr(new, what)
            if before != after:
                changes.append(Change(name, what, before, after))
    for alias in dict.fromkeys((*a.ties, *b.ties)):
        if a.ties.get(alias) != b.ties.get(alias):
            changes.append(Change(alias, "tie", a.ties.get(alias), b.ties.get(alias)))
    if a.keys() == b.keys():
        moved = (name for name, other in zip(a, b, strict=True) if name != other)
        if (first := next(moved, None)) is not None:
            changes.append(Change(first, "order", list(a).index(first), list(b).index(first)))
    return changes
