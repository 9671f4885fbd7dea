"""A model with its values by one call: its code is followed without memory, then memory is given and drawn into."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from ..arguments import instance
from ..drawing.streams import Seed, encoded_name
from ..plans.plan import Plan
from ..terminal import progress
from . import _private
from .modules import draw
from .parametrised import computed_weights
from .recording.record import Followed, followed, recorded
from .recording.trace import on_meta
from .survey import clean_modules, survey

_Model = TypeVar("_Model", bound=nn.Module)
_LONG = 1 << 30  # bytes, from which on a terminal shows a bar


@torch.no_grad()
def build(
    factory: Callable[[], _Model],
    *,
    seed: Seed,
    device: torch.device | str | int | None = None,
    dtype: torch.dtype | None = None,
    plan: Plan | None = None,
    prefix: str = "",
    threads: int | None = None,
) -> _Model:
    """The model that ``factory()`` builds, its parameters drawn each from the stream of its own name.

    The code of the factory is followed on the meta device, as by `record`; then parameters and buffers get memory, and are
    filled as `init_` fills them. A large model is there in a fraction of the time that its own construction takes. Ties,
    shared memory, frozen parameters and tensors kept as attributes are as the factory makes them.

    Parameters
    ----------
    factory
        Builds and returns the module; see `record`.
    seed
        With a parameter's name it is the stream: equal names have equal values under one seed. None is fresh entropy.
    device
        Where the model is to be; the CPU by default.
    dtype
        For all floating-point parameters and buffers, instead of their own, as by ``model.to(dtype)``.
    plan
        What is drawn for the parameters, from `plan`, `record` or a file; what the model's own code draws by default.
    prefix
        As in `init_`: goes before the model's names, and a plan's names begin with it. Two networks that are drawn with one
        seed need a prefix each.
    threads
        See `fastinit.fill`.

    Returns
    -------
    torch.nn.Module
        The model. A bar shows the progress of long runs on a terminal.

    Raises
    ------
    TypeError, ValueError
        as `record` and `init_`; ValueError also for a buffer, or a tensor that a module keeps as an attribute, whose values
        the factory draws by chance or never writes.

    Examples
    --------
    >>> model = build(lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)), seed=0)
    >>> model[0].weight.device, model[0].weight.abs().max() <= 8**-0.5
    (device(type='cpu'), tensor(True))
    """
    instance("factory", factory, Callable)
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype must be a floating-point dtype of torch, not {dtype!r}")
    place = torch.device("cpu" if device is None else device)
    if place.type == "meta":
        raise ValueError("device must have memory, unlike 'meta'")
    if plan is not None:
        instance("plan", plan, Plan)
    encoded_name(prefix, "prefix")
    if isinstance(factory, nn.Module):
        raise TypeError("factory must build a module, not be one: init_ draws into it")
    first = followed(factory, 0)
    known = {name.removeprefix(prefix) for name in plan or () if name.startswith(prefix)}
    own = recorded(first, followed(factory, 1), known).prefixed(prefix)
    memory = _Memory(first, place, dtype)
    seen = survey(first.model)
    chosen = own if plan is None else _chosen(plan, own, {prefix + name for name in seen.parameters})
    _check([prefix + name for name in seen.buffers], chosen)
    memory.give()
    seen = survey(first.model)
    with progress() as show:
        total = sum(slot.tensor.nbytes for slot in seen.parameters.values())
        draw(
            seen,
            chosen,
            prefix=prefix,
            seed=seed,
            threads=threads,
            progress=show if total >= _LONG else lambda done, total: None,
        )
    return cast(_Model, first.model)


def _chosen(plan: Plan, own: Plan, parameters: Container[str]) -> Plan:
    """The plan for parameters; for buffers, and for what the plan leaves alone, what the model's own code says."""
    rows = {name: row for name, row in own.items() if name not in parameters or name in plan.unfilled}
    known = {**rows, **plan.parameters}
    ties = {
        a: owner for a, owner in {**own.ties, **plan.ties}.items() if owner in known or owner in own.buffers
    }
    return replace(own, parameters=known, ties=ties)


def _check(buffers: Iterable[str], plan: Plan) -> None:
    """Raise ValueError for buffers whose values nobody knows."""
    unknown = []
    for name in buffers:
        held = plan.buffers.get(plan.ties.get(name, name))
        if name not in plan and (held is None or held.content is None):
            unknown.append(repr(name))
    if unknown:
        raise ValueError(f"the model's code does not say what is in the buffers {', '.join(unknown)}")


class _Memory:
    """Memory for the tensors of a model on the meta device: views of one storage stay so, and one tensor stays one."""

    def __init__(self, run: Followed, device: torch.device, dtype: torch.dtype | None) -> None:
        self._run, self._device, self._dtype = run, device, dtype
        self._storages: dict[tuple[int, torch.dtype], Tensor] = {}
        self._made: dict[int, Tensor] = {}
        self._modules = list(clean_modules(run.model))
        held = (
            tensor
            for _, module in self._modules
            for table in (_private.parameters(module), _private.buffers(module))
            for tensor in table.values()
            if tensor is not None
        )
        computed = (  # by hooks, which `draw` runs
            vars(module)[weight.name]
            for _, module in self._modules
            for weight in computed_weights(module)
            if weight.name in vars(module)
        )
        self._owned = {_private.storage_key(tensor) for tensor in (*held, *computed)}
        self._attributes = list(self._kept())

    def _kept(self) -> Iterator[tuple[nn.Module, str, dict[int, Tensor]]]:
        """The attributes of modules that hold tensors beside parameters and buffers, with the values of these."""
        for path, module in self._modules:
            for name, attribute in vars(module).items():
                if name in _TABLES or not (tensors := _meta_tensors(attribute)):
                    continue
                values: dict[int, Tensor] = {}
                for tensor in tensors:
                    if _private.storage_key(tensor) in self._owned:
                        continue
                    try:
                        values[id(tensor)] = self._run.trace.known(tensor).clone()
                    except ValueError as error:
                        where = f"{path}.{name}" if path else name
                        raise ValueError(
                            f"{where!r} is a tensor beside parameters and buffers, whose values are not known: {error}"
                        ) from None
                yield module, name, values

    def give(self) -> None:
        """Put tensors with memory in the place of those without."""
        for _, module in self._modules:
            for table in (_private.parameters(module), _private.buffers(module)):
                for name, tensor in table.items():
                    if tensor is not None:
                        table[name] = self._with_memory(tensor)  # type: ignore[assignment]
        for module, name, values in self._attributes:

            def there(tensor: Tensor, values: dict[int, Tensor] = values) -> Tensor:
                if not on_meta(tensor):
                    return tensor
                value = values.get(id(tensor))
                return self._with_memory(tensor) if value is None else value.to(self._device)

            vars(module)[name] = _private.tree_map_only(Tensor, there, vars(module)[name])

    def _with_memory(self, tensor: Tensor) -> Tensor:
        if not on_meta(tensor):
            return tensor
        if id(tensor) not in self._made:
            self._made[id(tensor)] = self._new(tensor)
        return self._made[id(tensor)]

    def _new(self, tensor: Tensor) -> Tensor:
        key = (_private.storage_key(tensor), tensor.dtype)
        if key not in self._storages:
            length = tensor.untyped_storage().nbytes() // tensor.element_size()
            dtype = self._dtype if self._dtype is not None and tensor.is_floating_point() else tensor.dtype
            self._storages[key] = torch.empty(length, dtype=dtype, device=self._device)
        made = self._storages[key].as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        if isinstance(tensor, nn.Parameter):
            made = nn.Parameter(made, tensor.requires_grad)
        vars(made).update(vars(tensor))  # what the model's code has noted on it
        return made


_TABLES = ("_parameters", "_buffers", "_modules")


def _meta_tensors(attribute: Any) -> list[Tensor]:
    leaves = _private.tree_leaves(attribute)
    return [leaf for leaf in leaves if isinstance(leaf, Tensor) and on_meta(leaf)]
