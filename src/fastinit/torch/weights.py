"""Plans of weights that modules compute: the recipe is asked for the weight, the plan has what the weight is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..laws.composed import Patched
from ..laws.copies import renamed
from ..laws.distributions import Constant, Distribution
from ..laws.views import Norms
from ..plans.buffer import Buffer
from ..plans.parameter import Parameter
from ..plans.plan import Plan
from ..plans.recipe import Recipe
from .recording.inverse import outcomes_of_parts
from .recording.record import scheme_of
from .survey import Slot, Survey, Whole

_REASONS = {
    "weight norm": "the directions of weight norm",
    "spectral norm": "spectral norm divides it by its largest singular value",
}
_DIVIDING = ("weight norm", "spectral norm")


def put_together(
    seen: Survey, drawn: Mapping[str, Slot], recipe: Recipe, prefix: str
) -> tuple[dict[str, Slot], dict[str, str], list[str]]:
    """The parameters that are drawn, with each computed weight in the place of its parts, unless a rule takes a part and not
    the weight. Then the weight of each such part; and the parts that are left alone because another one is frozen.

    Raises ValueError for a weight that has no way back to its parts.
    """
    weight_of: dict[str, str] = {}
    left: list[str] = []
    for name, whole in seen.weights.items():
        own = [part for part in whole.parts if part in drawn]
        meant = [part for part in own if not _taken(recipe, prefix, drawn[part], whole.slot)]
        if meant and whole.slot.fault:
            raise ValueError(
                f"the model has parameters that cannot be drawn: {prefix + name!r}: {whole.slot.fault}"
            )
        missing = set(whole.parts) - set(own)
        if missing - set(whole.parts[:1]) or (missing and whole.computed.kind != "weight norm"):
            left += meant
            continue
        weight_of |= dict.fromkeys(meant, name)
    result: dict[str, Slot] = {}
    for name, slot in drawn.items():
        if name in weight_of:
            result.setdefault(weight_of[name], seen.weights[weight_of[name]].slot)
        elif name not in left:
            result[name] = slot
    return result, weight_of, left


def _taken(recipe: Recipe, prefix: str, part: Slot, weight: Slot) -> bool:
    """Whether a rule speaks of the part by its name, and not of the weight."""
    return any(
        rule.match
        and rule.takes(prefix + part.name, part.spec)
        and not rule.takes(prefix + weight.name, weight.spec)
        for rule in recipe.rules
    )


def taken_apart(plan: Plan, seen: Survey, weight_of: Mapping[str, str], prefix: str) -> Plan:
    """The plan with the parts in the place of each computed weight, then the buffers that belong to them.

    Raises ValueError, naming the part, where the weight's distribution does not tell the part's.
    """
    wanted = {
        name: (seen.weights[name].computed, plan[prefix + name].distribution)
        for name in dict.fromkeys(weight_of.values())
    }
    for name, (computed, law) in wanted.items():
        if computed.kind in _DIVIDING and _has_zeros(law):
            raise ValueError(f"parameter {prefix + name!r}: {computed.kind} of zeros divides 0 by 0")
    found = outcomes_of_parts(wanted) if wanted else {}
    rows: dict[str, Parameter] = {}
    others: list[Parameter] = []
    for name, row in plan.items():
        local = name[len(prefix) :]
        if local not in wanted:
            rows[name] = row
            continue
        whole = seen.weights[local]
        for made in found[local]:
            slot = (seen.parameters | seen.buffers).get(made.name)
            if slot is None or (made.name in whole.parts and weight_of.get(made.name) != local):
                continue
            if made.error is not None:
                raise ValueError(f"parameter {prefix + made.name!r}: {made.error}")
            part = _row(whole, row, slot, prefix, made.law())
            if made.name in whole.parts:
                rows[part.name] = part
            else:
                others.append(part)
    others += _vectors(seen, rows, prefix)
    kept = {row.name: row for row in others if seen.buffers[row.name[len(prefix) :]].persistent}
    passing = {
        row.name: Buffer(row.name, row.shape, row.dtype, row.distribution)
        for row in others
        if row.name not in kept
    }
    unfilled = {name: row for name, row in plan.unfilled.items() if name not in kept}
    return replace(plan, parameters=rows | kept, unfilled=unfilled, buffers={**plan.buffers, **passing})


def _has_zeros(law: Distribution) -> bool:
    """Whether all of it, or a part such as the row of an embedding for padding, is 0."""
    parts = [part for _, part in law.patches] if isinstance(law, Patched) else [law]
    return Constant(0.0) in parts


def _row(whole: Whole, row: Parameter, slot: Slot, prefix: str, law: Distribution) -> Parameter:
    computed = whole.computed
    scheme = row.scheme
    if isinstance(law, Norms):
        reason = f"the gain of weight norm: norms of the rows drawn for {law.of}"
    elif law == row.distribution:
        reason = _REASONS.get(computed.kind, f"as the {computed.kind} takes it")
        reason = "; ".join(filter(None, (row.reason, reason)))
    elif "orthogonal parametrisation" in computed.kind:
        scheme = scheme_of(law, "")
        reason = "of an orthogonal parametrisation, which computes a random orthogonal matrix for any scheme"
    else:
        scheme = scheme_of(law, "")
        reason = f"as {computed.kind} computes a weight of {row.scheme} from it"
    fans = row.fans if slot.spec.shape == row.shape and scheme == row.scheme else None
    law = renamed(law, slot.name, prefix + slot.name, lambda other: prefix + other)
    return replace(
        row, name=prefix + slot.name, shape=slot.spec.shape, dtype=slot.spec.dtype, scheme=scheme, distribution=law,
        fans=fans, reason=reason,
    )  # fmt: skip


def _vectors(seen: Survey, rows: Mapping[str, Parameter], prefix: str) -> Iterator[Parameter]:
    for whole in seen.weights.values():
        row = rows.get(prefix + whole.parts[0])
        for vector in whole.computed.vectors if row is not None else ():
            slot = seen.buffers.get(whole.path + vector.name)
            if slot is None or row is None:
                continue
            if slot.name == vector.name and not vector.of.startswith("."):
                vector = vector._replace(of=prefix.rpartition(".")[2] + vector.of)
            side = "left" if vector.left else "right"
            yield replace(
                row, name=prefix + slot.name, shape=slot.spec.shape, dtype=slot.spec.dtype, fans=None, also=(),
                distribution=vector.law(row.distribution, row.shape),
                reason=f"spectral norm: the {side} singular vector of what is drawn for {whole.parts[0]}",
            )  # fmt: skip
