"""Whole models of torch: a plan of every parameter by name, then the values in place, whole or sharded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from ..arguments import choose, flag, instance
from ..drawing.config import threads_for
from ..drawing.fill import Batch, Part
from ..drawing.spread import spread
from ..drawing.streams import Seed, encoded_name, resolve_seed
from ..plans.make import Choice, make_plan
from ..plans.match import check_nothing_beside
from ..plans.model import Model, TensorSpec
from ..plans.parameter import BUFFER, FROZEN, Parameter
from ..plans.plan import Plan
from ..plans.recipe import Recipe, RecipeLike, as_recipe, shipped_recipes, with_rules
from ..schemes.catalogue import SCHEMES
from . import _private, auto
from .buffers import buffers_of, check_left, fill_buffer
from .own import own_chooser
from .parametrised import recompute
from .sharded import Task, drawn_in_place, fill_task, parts_of, tasks_of
from .survey import Survey, survey
from .weights import put_together, taken_apart

_Model = TypeVar("_Model", bound=nn.Module)
_PIECE_BYTES = 1 << 28


def plan(
    model: nn.Module,
    recipe: RecipeLike | Literal["auto"] = "auto",
    *,
    prefix: str = "",
    layouts: Mapping[str, str] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    frozen: bool = False,
    **numbers: Any,
) -> Plan:
    """What `init_` would draw into a model: the distribution of every parameter, by name. Nothing is drawn.

    Names are those of ``named_parameters`` without the parts that wrappers add (torch.compile, checkpointing, data
    parallel, FSDP). A parameter with several names, or two that are one memory, stands once, under the first name.
    Shapes are those of whole tensors, also of sharded ones. An embedding's row for padding is 0. Where a layer computes its
    weight (weight norm, spectral norm, parametrisations), the recipe is asked for the weight, and the plan has what it is
    made of: docs/torch-models.md, "Weights that are computed".

    Parameters
    ----------
    model
        Any module, with values or on the meta device.
    recipe
        ``"auto"``: `fastinit.recommend` for each layer, by the activation that follows it. A scheme's name: for all
        weights. A recipe, its name or TOML file: its rules decide, with ``type(module).__name__`` as the module. A
        mapping of globs to schemes or rules: the recipe "default", changed. What all of them give to biases, norms and
        other roles is in docs/recipes.md, "Roles". A parameter of which no theory speaks gets what the model's own code
        gives it, and the plan says so.
    prefix
        Goes before every name: ``"encoder."`` for the encoder of a larger model. Two networks that are drawn with one seed
        need a prefix each, for equal names have equal values.
    layouts
        Globs of names -> letters of the axes (see `fastinit.fans`), for weights whose module is not known:
        ``{"*.experts.*": "bio"}``.
    rules
        Rules as in a recipe (docs/model-files.md), which go before everything else:
        ``[{"match": "*.cls_token", "scheme": "normal", "std": 0.02}]``.
    frozen
        Whether parameters with ``requires_grad=False`` are drawn too. They are left alone otherwise, and stand in the
        plan's ``unfilled``, as persistent buffers do.
    **numbers
        The scheme's own: ``gain``, ``std``, ...

    Returns
    -------
    Plan
        In torch's order of parameters.

    Raises
    ------
    TypeError
        for a model that is not a module, a recipe of another type, and numbers that the scheme does not take or that
        stand beside a recipe.
    ValueError
        for parameters of which nothing says how to draw them, or that cannot be drawn (lazy, TorchScript, of another
        dtype, not dense, sharing a part of their memory, of a parametrisation without a way back), by name; for patterns
        that match nothing; for a model whose parameters are all frozen.

    Examples
    --------
    >>> print(plan(nn.Linear(8, 4), "he_normal"))
    name    shape  dtype    scheme     fans  distribution               bytes  why
    weight  4x8    float32  he_normal  8, 4  Normal(mean=0.0, std=0.5)  128    a weight
    bias    4      float32  zeros      -     Constant(value=0.0)        16     a bias
    2 tensors, 144 bytes, recipe he_normal
    """
    return _plan(
        survey(instance("model", model, nn.Module)), model, recipe, prefix, layouts, rules, frozen, numbers
    )


@torch.no_grad()
def init_(
    model: _Model,
    recipe: RecipeLike | Plan | Literal["auto"] = "auto",
    *,
    seed: Seed,
    prefix: str = "",
    layouts: Mapping[str, str] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    frozen: bool = False,
    strict: bool = True,
    threads: int | None = None,
    **numbers: Any,
) -> _Model:
    """Draw every parameter of a model, in place, each from the stream of its own name. Returns the model.

    Parameters may be plain tensors or DTensors: of FSDP2 (`fully_shard`), tensor parallelism, both, hybrid and uneven
    shards. Each process draws the elements that it holds, without communication; element by element the values are those
    of one process, whatever the mesh. FSDP2's modules are resharded first. An NVIDIA GPU draws
    what it holds, if the extra ``cuda`` is installed; for other devices values are drawn in host memory and copied.

    Parameters
    ----------
    model
        A module whose parameters hold memory. Buffers are filled if a plan has them, as `record`'s plan has, and left
        alone otherwise: after ``to_empty`` a recipe leaves garbage in them. What is certainly garbage is an error (NaN, only
        zeros in the whole model, a batch norm's count that its statistics deny); not all garbage can be told from values.
    recipe
        A plan, from `plan`, `record`, `fastinit.plan` or a file; or what `plan` takes. The model's own dtypes count, not
        the plan's. Only `record` sees which parameters the model's code has copied, as target networks are: others draw
        each by its own name, and the copies have to be made again.
    seed
        With a parameter's name it is the stream: equal names have equal values under one seed. Every process must give the
        same. None is fresh entropy, which only a model that is not sharded can have.
    prefix, layouts, rules, frozen, **numbers
        As in `plan`; beside a plan only ``prefix``: the plan's names begin with it.
    strict
        Whether all of a plan must be in the model. With False a model may hold a part of it: a stage of a pipeline, a
        tower. What the model has and the plan lacks is an error in any case.
    threads
        See `fastinit.fill`.

    Returns
    -------
    torch.nn.Module
        The model.

    Raises
    ------
    TypeError, ValueError
        as `plan`; ValueError also for a parameter or buffer on the meta device, for a shape that differs from the plan's,
        for a partial placement, and for buffers that hold garbage and are not filled, by name. Nothing has been written then.

    Examples
    --------
    >>> import fastinit
    >>> model = init_(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)), seed=0)
    >>> bool((model[0].weight.detach().numpy() == fastinit.he_normal((16, 8), seed=0, name="0.weight")).all())
    True
    """
    instance("model", model, nn.Module)
    reshard(model)
    seen = survey(model)
    if isinstance(recipe, Plan):
        check_nothing_beside(numbers, layouts=layouts, rules=rules, frozen=frozen)
        encoded_name(prefix, "prefix")
        planned = recipe
    else:
        planned = _plan(seen, model, recipe, prefix, layouts, rules, frozen, numbers)
    draw(seen, planned, prefix=prefix, strict=flag("strict", strict), seed=seed, threads=threads)
    return model


def draw(
    seen: Survey,
    planned: Plan,
    *,
    prefix: str = "",
    strict: bool = True,
    seed: Seed,
    threads: int | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Draw a plan into the model that was seen: all is checked before the first write. ``progress`` is told bytes, done and in
    all."""
    tasks = tasks_of(seen, planned, prefix, strict)
    buffers = buffers_of(seen, planned, prefix)
    check_left(seen, planned, prefix, buffers)
    workers = threads_for(threads)
    if seed is None and any(task.sharded for task in tasks):
        raise ValueError(
            "seed must be a number for a sharded model: with None each process would draw its own values"
        )
    number, total, done = resolve_seed(seed), sum(task.nbytes for task in tasks), 0

    def finished(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        progress(done, total)

    def run(task: Task, threads: int) -> None:
        fill_task(task, number, threads)
        finished(task.nbytes)

    in_place = [part for task in tasks if drawn_in_place(task) for part in parts_of(task)]
    for parts in _in_pieces(in_place):
        batch = Batch(number)
        for part in parts:
            batch.add(part)
        batch.run(workers)
        finished(sum(part.nbytes for part in parts))
    others = [task for task in tasks if not drawn_in_place(task)]
    spread(others, run, workers, beside=lambda task: task.local.is_cpu)
    for filling in buffers:
        fill_buffer(filling, number, workers)
    recompute({id(whole.slot.module): whole.slot.module for whole in seen.weights.values()}.values())
    for task in tasks:
        torch.autograd.graph.increment_version(task.parameter)
        if task.local is not task.parameter:
            torch.autograd.graph.increment_version(task.local)


def _in_pieces(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Parts that are drawn at once; between pieces the caller hears how far it is."""
    piece: list[Part] = []
    size = 0
    for part in parts:
        piece.append(part)
        size += part.nbytes
        if size >= _PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def reshard(model: nn.Module) -> None:
    """Give up the gathered copies that FSDP2 keeps after a forward pass: what is written to them is lost."""
    for module in _private.fsdp2_modules(model):
        module.reshard()


def _plan(
    seen: Survey,
    model: nn.Module,
    recipe: RecipeLike,
    prefix: str,
    layouts: Mapping[str, str] | None,
    rules: Sequence[Mapping[str, Any]],
    frozen: bool,
    numbers: Mapping[str, Any],
) -> Plan:
    encoded_name(prefix, "prefix")
    flag("frozen", frozen)
    drawn = {name: slot for name, slot in seen.parameters.items() if frozen or not slot.frozen}
    if seen.parameters and not drawn:
        raise ValueError(
            "all of the model's parameters are frozen (requires_grad=False): frozen=True draws them"
        )
    if faults := [f"{prefix + name!r}: {slot.fault}" for name, slot in drawn.items() if slot.fault]:
        raise ValueError(f"the model has parameters that cannot be drawn: {'; '.join(faults)}")
    instance("rules", rules, Sequence)
    choosers = [own_chooser(model)]
    if recipe == "auto" and not numbers:
        choosers.insert(0, auto.chooser(model))
        rules_first = with_rules(Recipe("auto", ()), rules)
    else:
        if isinstance(recipe, str) and not recipe.endswith(".toml"):
            choose("recipe", recipe, {"auto": 0, **SCHEMES, **shipped_recipes()})
        rules_first = with_rules(as_recipe(recipe, numbers), rules)
    slots, weight_of, left = put_together(seen, drawn, rules_first, prefix)
    unfilled = {
        prefix + name: Parameter.kept(
            prefix + name, slot.spec.shape, slot.spec.dtype, reason, slot.spec.module
        )
        for tensors, reason in ((seen.parameters, FROZEN), (seen.buffers, BUFFER))
        for name, slot in tensors.items()
        if (name not in drawn or name in left) and slot.persistent
    }
    specs = {prefix + name: slot.spec for name, slot in slots.items()}
    specs = _with_layouts(specs, {} if layouts is None else instance("layouts", layouts, Mapping))
    ties = {prefix + alias: prefix + owner for alias, owner in seen.ties.items() if owner in drawn}

    def otherwise(name: str, spec: TensorSpec) -> Choice | None:
        slot = replace(slots[name.removeprefix(prefix)], spec=spec)
        return next((choice for choose_ in choosers if (choice := choose_(slot))), None)

    whole = make_plan(Model(specs, ties, unfilled), rules_first, otherwise=otherwise)
    return taken_apart(whole, seen, weight_of, prefix)


def _with_layouts(specs: Mapping[str, TensorSpec], layouts: Mapping[str, str]) -> dict[str, TensorSpec]:
    """The parameters, weights among them being those whose axes the caller has named."""
    result, unused = dict(specs), dict(layouts)
    for name, spec in specs.items():
        for pattern, letters in layouts.items():
            if fnmatchcase(name, pattern):
                result[name] = replace(spec, role="weight", geometry={**spec.geometry, "layout": letters})
                unused.pop(pattern, None)
                break
    if unused:
        raise ValueError(f"layouts: {', '.join(map(repr, unused))} takes no parameter")
    return result
