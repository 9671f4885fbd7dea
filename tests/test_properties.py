"""What must hold for any shape, block, strides, dtype, law, name and size; the examples are the same in every run."""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
from conftest import BITS, loaded
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_structured import CASES

import fastinit as fi
from fastinit import checkpoints
from fastinit.checkpoints import sharded, stored
from fastinit.files import safetensors as format
from fastinit.laws.composed import Patched, Transformed
from fastinit.laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from fastinit.plans.model import TensorSpec, read_model
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan
from fastinit.plans.sizes import StackIndex, layers_of
from fastinit.schemes.catalogue import SCHEMES

Draw = Any

DTYPES = st.sampled_from(list(BITS))
SHAPES = st.lists(st.integers(0, 7), max_size=4).map(tuple)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MODEST = st.floats(-100, 100)


@st.composite
def elementwise(draw: Draw) -> Any:
    """A law with numbers of any size."""
    number = draw(st.sampled_from([FINITE, MODEST, st.floats(-1, 1)]))
    low, high = sorted([draw(number), draw(number)])
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return Constant(low)
    if kind == 1:
        return Uniform(low, high)
    if kind == 2:
        return Normal(low, abs(high))
    assume(low < high)
    low, high = draw(
        st.sampled_from([(low, high), (-math.inf, high), (low, math.inf), (-math.inf, math.inf)])
    )
    std = abs(draw(number))
    assume(std > 0)
    return TruncatedNormal(draw(number), std, low, high)


@st.composite
def laws(draw: Draw) -> tuple[Any, tuple[int, ...]]:
    """A law and a shape that it has."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        scheme, shape, numbers = draw(st.sampled_from(CASES))
        return fi.distribution(scheme, shape, **numbers), shape
    inner, shape = draw(elementwise()), draw(SHAPES)
    if kind == 1:
        return Transformed(
            inner, draw(st.sampled_from(["x", ("add", "x", 1.0), ("neg", ("abs", "x")), 2.0]))
        ), shape
    if kind == 2 and math.prod(shape):
        boxes = [tuple(draw(extents(size)) for size in shape) for _ in range(draw(st.integers(0, 2)))]
        return Patched(inner, tuple((box, draw(elementwise())) for box in boxes)), shape
    return inner, shape


def extents(size: int) -> st.SearchStrategy[Any]:
    stops = st.tuples(st.integers(0, size), st.integers(0, size), st.integers(1, 3))
    return st.integers(0, size - 1) | stops


@st.composite
def blocks(draw: Draw, shape: tuple[int, ...]) -> Any:
    """Any index of integers, slices and at most one "..."."""
    items: list[Any] = []
    for size in shape:
        bounds = st.none() | st.integers(-size - 2, size + 2)
        slices = st.builds(slice, bounds, bounds, st.none() | st.integers(-3, 3).filter(bool))
        items.append(draw(slices | st.integers(-size, size - 1) if size else slices))
    items = items[: draw(st.integers(0, len(items)))]
    if draw(st.booleans()):
        at = draw(st.integers(0, len(items)))
        items = [*items[:at], ..., *items[at:]] if at == len(items) or len(items) == len(shape) else items
    return tuple(items)


@st.composite
def room(draw: Draw, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array in any order of its axes, with gaps, backwards, at any address."""
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, -1, -3])) for _ in shape]
    kind = np.dtype(dtype)
    wide = [shape[axis] * abs(steps[axis]) for axis in order]
    offset = draw(st.integers(0, kind.itemsize))
    memory = np.full(math.prod(wide) * kind.itemsize + offset, 0xA5, np.uint8)[offset:].view(kind)
    array = memory.reshape(wide).transpose(np.argsort(order))
    return array[(..., *(slice(None, None, step) for step in steps))]


def drawn(law: Any, shape: tuple[int, ...], dtype: str, name: str) -> np.ndarray:
    """The whole tensor. Laws that the dtype cannot hold are not what is looked at here."""
    whole = np.zeros(shape, dtype)
    try:
        fi.fill(whole, law, seed=5, name=name)
    except ValueError:
        assume(False)
    return whole


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


@given(st.data(), laws(), DTYPES, st.integers(1, 3), NAMES)
def test_any_block_in_any_memory_is_the_slice_of_the_whole(
    data: st.DataObject, given: Any, dtype: str, threads: int, name: str
) -> None:
    law, shape = given
    whole = drawn(law, shape, dtype, name)
    block = data.draw(blocks(shape))
    target = data.draw(room(whole[block].shape, dtype))
    around = target.base
    fi.fill(target, law, seed=5, name=name, shape=shape, block=block, threads=threads)
    assert same(target, whole[block])
    if around is not None:  # nothing beside it is written
        target[...] = np.frombuffer(b"\xa5" * 8, target.dtype)[0]
        assert set(around.tobytes()) <= {0xA5}


@given(elementwise(), DTYPES)
def test_values_stay_within_the_law(law: Any, dtype: str) -> None:
    """In the dtype and in double: nothing below low, above high, or, of the uniform law, at high."""
    x = drawn(law, (300,), dtype, "w").astype(np.float64)
    assert np.isfinite(x).all()
    if isinstance(law, Uniform) and law.low < law.high:
        assert ((law.low <= x) & (x < law.high)).all()
    if isinstance(law, TruncatedNormal):
        assert ((law.low <= x) & (x <= law.high)).all()


@st.composite
def plans(draw: Draw, elements: int = 2000) -> Plan:
    """Parameters of any names, laws and dtypes, tied or not."""
    rows = {}
    for name in draw(st.lists(NAMES.filter(lambda name: name != "__metadata__"), unique=True, max_size=5)):
        law, shape = draw(laws())
        assume(math.prod(shape) <= elements)
        scheme = draw(st.sampled_from(sorted(SCHEMES)))
        fan = draw(st.none() | st.just(fi.schemes.Fans(3.0, 4.5)))
        rows[name] = Parameter(
            name, shape, draw(DTYPES), scheme, law, fan, draw(st.integers(0, 9)), draw(NAMES), draw(NAMES)
        )
    aliases = (
        draw(st.lists(NAMES.filter(lambda name: name not in rows), unique=True, max_size=2)) if rows else []
    )
    return Plan(rows, {alias: draw(st.sampled_from(sorted(rows))) for alias in aliases}, draw(NAMES))


@given(plans())
def test_plans_survive_json(plan: Plan) -> None:
    again = Plan.from_json(plan.to_json())
    assert dict(again) == dict(plan) and again.ties == plan.ties and again.source == plan.source
    assert (again.digest, str(again), again.to_json()) == (plan.digest, str(plan), plan.to_json())


@settings(max_examples=25)
@given(plans(), st.integers(0, 2**64 - 1), st.integers(40, 9000))
def test_files_hold_what_is_drawn(plan: Plan, seed: int, limit: int) -> None:
    try:
        arrays = fi.init(plan, seed=seed)
    except ValueError:
        assume(False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.safetensors")
        checkpoints.write(plan, path, seed=seed)
        found = loaded(path)
        assert found.keys() == plan.keys()
        assert all(
            same(found[name], arrays[name]) and found[name].dtype == arrays[name].dtype for name in plan
        )
        assert {n: (t.shape, t.dtype) for n, t in read_model(path).tensors.items()} == {
            n: (p.shape, p.dtype) for n, p in plan.items()
        }
        assert fi.verify(path, plan, seed=seed) == [] == fi.verify(arrays, plan, seed=seed)
        checkpoints.write(plan, Path(folder, "shards"), seed=seed, max_shard_size=limit)
        assert stored(Path(folder, "shards")).keys() == plan.keys()
        assert fi.verify(Path(folder, "shards"), plan, seed=seed) == []


@given(st.lists(st.integers(0, 300), max_size=12), st.integers(1, 1500), st.integers(1, 4))
def test_shards(sizes: list[int], limit: int, of: int) -> None:
    """Every tensor once and in order; no file above the limit but of one tensor; none that the one before has room for."""
    plan = (
        fi.plan({f"w{i}": (size,) for i, size in enumerate(sizes)}, {"*": "ones"})
        if sizes
        else Plan({}, {}, "")
    )
    shards = checkpoints.split(plan, limit)
    names = [name for shard in shards for name in shard.names]
    assert sorted(names) == sorted(plan) and len(names) == len(set(names))
    large = {name for name in plan if plan[name].nbytes > limit}
    assert [name for name in names if name not in large] == [name for name in plan if name not in large]
    for shard in shards:
        assert shard.nbytes == sum(plan[name].nbytes for name in shard.names)
        assert shard.nbytes <= limit or len(shard.names) == 1
    greedy = [shard for shard in shards if not large & set(shard.names)]
    for one, after in itertools.pairwise(greedy):
        assert one.nbytes + plan[after.names[0]].nbytes > limit
    assert len({shard.file for shard in shards}) == len(shards)
    index = json.loads(format.index({n: s.file for s in shards for n in s.names}, plan.nbytes))
    assert index["metadata"]["total_size"] == plan.nbytes
    assert {name: shard.file for shard in shards for name in shard.names} == index["weight_map"]
    mine = [shard for rank in range(of) for shard in shards[rank::of]]
    assert sorted(mine, key=shards.index) == shards


@given(st.integers(1, 10**6), st.sampled_from(["KB", "MB", "GB", "TB"]))
def test_sizes_in_units(number: int, unit: str) -> None:
    whole = sharded.parse_size(f"{number}{unit}")
    assert (
        whole == number * 1000 ** (["KB", "MB", "GB", "TB"].index(unit) + 1) == sharded.parse_size(str(whole))
    )
    assert sharded.parse_size(f"{number}{unit.lower()}") == whole == sharded.parse_size(f"{number}.0{unit}")


PIECES = st.text("ab.*?[]()+\\{}\n1", max_size=5)


@given(PIECES, PIECES, st.integers(0, 10**6), PIECES)
def test_layers_by_pattern(before: str, after: str, number: int, star: str) -> None:
    """The pattern is literal except "*", and the number is all digits that stand there."""
    assume("{layer}" not in before + after)
    literal_before, literal_after = before.replace("*", ""), after.replace("*", "")
    assume(not literal_before[-1:].isdigit() and not literal_after[:1].isdigit())
    name = f"{literal_before}{number}{literal_after}"
    expected = {name: StackIndex(literal_before, number)}
    assert layers_of([f"{literal_before}{{layer}}{literal_after}"], [name, f"{name}!"]) == expected
    filled = before.replace("*", star)
    assume(not filled[-1:].isdigit() and not any(c.isdigit() for c in star))
    found = layers_of([f"{before}{{layer}}{literal_after}"], [f"{filled}{number}{literal_after}"])
    assert {layer.number for layer in found.values()} == {number}


@given(
    st.lists(st.text("ab.*?[]!", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.text("ab.", max_size=4), unique=True, max_size=6),
)
def test_the_first_rule_that_fits_counts(globs: list[str], names: list[str]) -> None:
    values = {glob: {"scheme": "constant", "value": i, "optional": True} for i, glob in enumerate(globs)}
    values.setdefault("*", {"scheme": "constant", "value": -1, "optional": True})
    made = fi.plan({name: (2,) for name in names}, values)
    for name in names:
        first = next(rule for glob, rule in values.items() if fnmatchcase(name, glob))
        assert made[name].distribution == Constant(first["value"])


@given(
    st.data(),
    st.integers(1, 6),
    st.integers(1, 6),
    st.lists(st.integers(1, 4), max_size=3),
    st.integers(1, 3),
)
def test_fans_do_not_depend_on_the_order_of_axes(
    data: st.DataObject, n_in: int, n_out: int, kernel: list[int], groups: int
) -> None:
    """By the definition of fan_in, counted: the weights of one output that are there."""
    letters = "hwd"[: len(kernel)]
    sizes = {"o": n_out * groups, "i": n_in, **dict(zip(letters, kernel, strict=True))}
    layout = "".join(data.draw(st.permutations(["o", "i", *letters])))
    stack = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(0, len(layout)))
    layout = layout[:at] + "b" * stack + layout[at:]
    shape = tuple(3 if axis == "b" else sizes[axis] for axis in layout)
    counted = fi.fans(shape, layout, groups=groups)
    assert counted == (n_in * math.prod(kernel), n_out * math.prod(kernel))
    swapped = layout.translate(str.maketrans("oi", "io"))
    assert fi.fans(shape, swapped, groups=groups, transposed=True) == counted[::-1]


@given(st.data(), SHAPES, DTYPES, NAMES)
def test_checksums_of_any_parts_add_up(
    data: st.DataObject, shape: tuple[int, ...], dtype: str, name: str
) -> None:
    """Of boxes that make up the whole, cut in two again and again, in any memory."""
    whole = data.draw(room(shape, dtype))
    fi.fill(whole, "normal", seed=1)
    parts: list[tuple[slice, ...]] = [tuple(slice(0, size) for size in shape)]
    for _ in range(data.draw(st.integers(0, 4)) if shape else 0):
        box = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        axis = data.draw(st.integers(0, len(shape) - 1))
        cut = data.draw(st.integers(box[axis].start, box[axis].stop))
        for part in (slice(box[axis].start, cut), slice(cut, box[axis].stop)):
            parts.append((*box[:axis], part, *box[axis + 1 :]))
    sums = [fi.checksum(whole[(..., *part)], name=name, shape=shape, block=part) for part in parts]
    assert sum(sums) % 2**64 == fi.checksum(np.ascontiguousarray(whole), name=name)


@given(NAMES, NAMES, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_streams_are_apart(a: str, b: str, seed: int, other: int) -> None:
    """Equal only where seed and name are."""
    equal = (a, seed) == (b, other)
    assert (
        same(fi.drawing.random_bits(4, seed=seed, name=a), fi.drawing.random_bits(4, seed=other, name=b))
        == equal
    )


@given(st.lists(st.tuples(NAMES, SHAPES), unique_by=lambda row: row[0], max_size=4))
def test_model_files_say_what_mappings_say(rows: list[tuple[str, tuple[int, ...]]]) -> None:
    assume(all(name != "__metadata__" for name, _ in rows))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.json")
        path.write_text(json.dumps({"parameters": {name: {"shape": list(shape)} for name, shape in rows}}))
        assert dict(read_model(path).tensors) == {name: TensorSpec(shape, "float32") for name, shape in rows}
        assert fi.plan(path, {"*": "ones"}) == fi.plan(dict(rows), {"*": "ones"}) if rows else True
