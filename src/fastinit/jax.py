"""JAX: the initializers of ``jax.nn.initializers``, drawn by fastinit, and whole models by the paths of their leaves.

The initializers have JAX's names, arguments, defaults and laws: only the values differ. The two words of a key are the
high and the low half of the seed, so that ``he_normal()(jax.random.key(5), shape)`` draws from the stream of ``seed=5``
with the empty name; keys of more words (rbg) are hashed to 64 bits by BLAKE2b.
"""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer as Initializer
from jax.nn.initializers import constant as constant
from jax.nn.initializers import ones as ones
from jax.nn.initializers import zeros as zeros
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

from . import memory
from .blocks import block_shape
from .distributions import Normal, TruncatedNormal, Uniform, choose, non_negative, real
from .fans import integer, integers
from .fill import draw, random_bits
from .model import Model, Tensor
from .plan import Plan, make_plan
from .recipe import as_recipe
from .schemes import distribution
from .streams import Seed, resolve_seed

Shape: TypeAlias = tuple[int, ...]
Axes: TypeAlias = int | Sequence[int]


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """U[0, scale), as in JAX: not symmetric.

    >>> uniform(0.5)(jax.random.key(0), (2, 3)).shape
    (2, 3)
    """
    law = Uniform(0.0, non_negative("scale", _item(scale)))
    return _initializer(dtype, lambda shape: law)


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """N(0, stddev^2); complex values have independent parts of variance stddev^2 / 2.

    >>> normal()(jax.random.key(0), (2, 3), jnp.bfloat16).dtype
    dtype(bfloat16)
    """
    law = Normal(0.0, non_negative("stddev", _item(stddev)))
    return _initializer(dtype, lambda shape: law, may_be_complex=True)


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """N(0, stddev^2) cut at ``lower`` and ``upper``, in units of stddev; the cut is not made up for.

    >>> float(abs(truncated_normal(1.0)(jax.random.key(0), (1000,))).max()) <= 2
    True
    """
    std = non_negative("stddev", _item(stddev))
    low, high = real("lower", _item(lower), finite=False), real("upper", _item(upper), finite=False)
    if not low < high:
        raise ValueError(f"lower must be below upper, got lower={lower!r}, upper={upper!r}")
    law = distribution("truncated_normal", (), std=std, low=low, high=high)
    return _initializer(dtype, lambda shape: law)


def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """Mean 0 and variance scale / n, with n the fan that ``mode`` names: fan_in, fan_out, fan_avg or fan_geo_avg.

    ``distribution`` is truncated_normal (cut at 2 sigma before it is scaled to its variance), normal or uniform. Axes
    that are neither in, out nor batch are a convolution's. Complex values are drawn from JAX's complex laws: the normal
    one, the one cut at a modulus of 2 sigma, the uniform disk. A shape without elements gives an empty array.

    >>> variance_scaling(2.0, "fan_in", "normal")(jax.random.key(0), (0, 5)).shape
    (0, 5)
    """
    non_negative("scale", _item(scale))
    choose("mode", mode, dict.fromkeys(("fan_in", "fan_out", "fan_avg", "fan_geo_avg")))
    choose("distribution", distribution, dict.fromkeys(("truncated_normal", "normal", "uniform")))
    given = {"in_axis": in_axis, "out_axis": out_axis, "batch_axis": batch_axis}
    axes = {name: integers(name, value) for name, value in given.items()}
    numbers = {"scale": _item(scale), "mode": mode, "law": distribution}
    return _initializer(dtype, lambda shape: _scaled(shape, axes, numbers), may_be_complex=True)


def _named(name: str, law: str, scale: float, mode: str, distribution: str) -> Callable[..., Initializer]:
    def initializer(
        in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
    ) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    initializer.__name__ = initializer.__qualname__ = name
    initializer.__doc__ = f"{law}; see `variance_scaling`."
    return initializer


glorot_uniform = _named(
    "glorot_uniform", "U[-a, a), a = sqrt(6 / (fan_in + fan_out))", 1.0, "fan_avg", "uniform"
)
glorot_normal = _named(
    "glorot_normal", "Truncated, variance 2 / (fan_in + fan_out)", 1.0, "fan_avg", "truncated_normal"
)
lecun_uniform = _named("lecun_uniform", "U[-a, a), a = sqrt(3 / fan_in)", 1.0, "fan_in", "uniform")
lecun_normal = _named("lecun_normal", "Truncated, variance 1 / fan_in", 1.0, "fan_in", "truncated_normal")
he_uniform = _named("he_uniform", "U[-a, a), a = sqrt(6 / fan_in)", 2.0, "fan_in", "uniform")
he_normal = _named("he_normal", "Truncated, variance 2 / fan_in", 2.0, "fan_in", "truncated_normal")
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """scale times a semi-orthogonal matrix of Haar's law, whose columns ``column_axis`` counts. Real dtypes.

    >>> w = orthogonal()(jax.random.key(0), (4, 3))
    >>> bool(jnp.allclose(w.T @ w, jnp.eye(3), atol=1e-6))
    True
    """
    gain, axis = real("scale", _item(scale)), integer("column_axis", column_axis)
    return _initializer(dtype, lambda shape: distribution("orthogonal", shape, gain=gain, axis=axis))


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Zeros, but for an orthogonal matrix at the middle tap of a kernel of one to three dimensions, then in and out axis
    (Xiao et al. 2018, https://arxiv.org/abs/1806.05393)."""
    gain = real("scale", _item(scale))
    integer("column_axis", column_axis)  # Haar's law is that of the transpose too

    def law(shape: Shape) -> Any:
        if len(shape) not in (3, 4, 5):
            raise ValueError(f"shape must have 3, 4 or 5 axes, got {shape}")
        if shape[-1] < shape[-2]:
            raise ValueError(f"shape must have no fewer outputs than inputs, got {shape}")
        return distribution("delta_orthogonal", shape, gain=gain, layout="xyz"[: len(shape) - 2] + "io")

    return _initializer(dtype, law)


def _item(value: Any) -> Any:
    """The number that a zero-dimensional array holds."""
    return value.item() if isinstance(value, (jax.Array, np.ndarray)) and value.ndim == 0 else value


def _scaled(shape: Shape, axes: Mapping[str, Shape], numbers: Mapping[str, Any]) -> Any:
    sizes = {}
    for name, indices in axes.items():
        for index in indices:
            if not -len(shape) <= index < len(shape):
                raise ValueError(f"{name} {index} is out of range for shape {shape}: it has no fans without")
        sizes[name] = math.prod(shape[index] for index in indices)
    size = math.prod(shape)
    fan_in = size / sizes["out_axis"] / sizes["batch_axis"] if size else 1.0
    fan_out = size / sizes["in_axis"] / sizes["batch_axis"] if size else 1.0
    return distribution("variance_scaling", shape, fan_in=fan_in, fan_out=fan_out, **numbers)


def _initializer(dtype: Any, law_for: Callable[[Shape], Any], *, may_be_complex: bool = False) -> Initializer:
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = default, out_sharding: Any = None) -> jax.Array:
        words, whole = _words(key), memory.checked_shape(shape)
        kind = _dtype(dtype, may_be_complex)
        draw_one = partial(_draw_complex if kind.kind == "c" else draw, law=law_for(whole), shape=whole)
        if isinstance(words, jax.core.Tracer):
            return _traced(words, whole, kind, out_sharding, draw_one)
        return sharded_array(whole, kind, out_sharding, partial(draw_one, seed=_seed(words)))

    return init


def _words(key: Any) -> Any:
    """The 32-bit words of one key, typed or raw; traced where the key is."""
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        key, lead = jax.random.key_data(key), key.ndim
    elif isinstance(key, (jax.Array, np.ndarray)) and dtype == np.uint32 and key.ndim:
        lead = key.ndim - 1
    else:
        raise TypeError(f"key must be a key of jax.random, not {key!r} ({type(key).__name__})")
    if lead:
        raise ValueError(f"key must be a single key, not an array of shape {key.shape[:lead]}: see jax.vmap")
    return key if isinstance(key, jax.core.Tracer) else np.asarray(key)


def _seed(words: memory.Array) -> int:
    if words.size == 2:
        return int(words[0]) << 32 | int(words[1])
    return int.from_bytes(blake2b(words.astype("<u4").tobytes(), digest_size=8).digest(), "little")


def _dtype(dtype: Any, may_be_complex: bool) -> np.dtype[Any]:
    """JAX's default dtype or the one asked for, as wide as JAX has it."""
    if dtype is None:
        return np.dtype(jnp.result_type(float))
    if may_be_complex and dtype in (np.complex64, np.complex128, "complex64", "complex128"):
        asked = np.dtype(dtype)
    else:
        asked = memory.numpy_dtype(memory.dtype_name(dtype))
    known = np.dtype(jax.dtypes.canonicalize_dtype(asked))
    if known != asked:
        warnings.warn(f"dtype {asked} is {known} without jax_enable_x64", UserWarning, stacklevel=3)
    return known


def _sharding(sharding: Any, traced: bool) -> NamedSharding | None:
    """With the mesh of the context, where it names none; outside of a trace that is one of devices."""
    if sharding is None:
        return None
    spec: Any = sharding if isinstance(sharding, PartitionSpec) else getattr(sharding, "spec", None)
    if isinstance(sharding, PartitionSpec) or isinstance(getattr(sharding, "mesh", None), AbstractMesh):
        mesh: Any = jax.sharding.get_abstract_mesh() if traced else jax.sharding.get_mesh()
        if mesh.empty:
            raise ValueError(f"out_sharding {sharding} needs a mesh: see jax.set_mesh")
        return NamedSharding(mesh, spec)
    if not isinstance(sharding, NamedSharding):
        raise TypeError(f"out_sharding must be a NamedSharding or a PartitionSpec, not {sharding!r}")
    return sharding


def sharded_array(
    whole: Shape, dtype: np.dtype[Any], sharding: Any, draw_one: Callable[..., None]
) -> jax.Array:
    """A new array, by shards if ``sharding`` is one. JAX keeps aligned memory without a copy: each shard gets its own."""
    placed = _sharding(sharding, traced=False)

    def part(block: Any) -> memory.Array:
        out = _empty(block_shape(block, whole), dtype)
        draw_one(out, block=block)
        return out

    if placed is None:
        return jax.device_put(part(...))
    return jax.make_array_from_callback(whole, placed, part, dtype=dtype)


def _traced(
    words: Any, whole: Shape, dtype: np.dtype[Any], out_sharding: Any, draw_one: Callable[..., None]
) -> jax.Array:
    """The same values, drawn when the traced function runs; where sharded, each shard by itself."""
    sharding = _sharding(out_sharding, traced=True)
    # Whatever is wrong with the law is said now: a callback could not.
    draw_one(_empty((0,) * len(whole), dtype), block=(slice(0, 0),) * len(whole), seed=0)
    part = whole if sharding is None else sharding.shard_shape(whole)

    def on_host(words: Any, starts: Any) -> memory.Array:
        words, starts = np.asarray(words), np.asarray(starts)
        out = _empty(words.shape[:-1] + part, dtype)
        for i in np.ndindex(words.shape[:-1]):  # under vmap: one key, one tensor
            block = tuple(slice(s, s + n) for s, n in zip(starts[i].tolist(), part, strict=True))
            draw_one(out[(*i, ...)], block=block, seed=_seed(words[i]))
        return out

    def call(words: Any, *starts: Any) -> Any:
        result = jax.ShapeDtypeStruct(part, dtype)
        place = jnp.array(starts, jnp.int32).reshape(len(whole))
        return jax.pure_callback(on_host, result, words, place, vmap_method="broadcast_all")

    if sharding is None:
        return call(words, *[0] * len(whole))
    axes = (*sharding.spec, *[None] * (len(whole) - len(sharding.spec)))

    def shard(words: Any) -> Any:
        return call(words, *[jax.lax.axis_index(a) * n if a else 0 for a, n in zip(axes, part, strict=True)])

    mapped = jax.shard_map(
        shard, mesh=sharding.mesh, in_specs=PartitionSpec(), out_specs=sharding.spec, check_vma=False
    )
    return mapped(words)


def _empty(shape: Shape, dtype: np.dtype[Any]) -> memory.Array:
    if dtype.kind != "c":
        return memory.empty(shape, dtype.name)
    return memory.empty((*shape, 2), _PARTS[dtype.name]).view(dtype)[..., 0]


_PARTS = {"complex64": "float32", "complex128": "float64"}


def _draw_complex(out: memory.Array, law: Any, *, seed: int, shape: Shape, block: Any) -> None:
    """JAX's complex laws of the real law's variance: normal; uniform in a disk; normal, cut at a modulus of 2 sigma."""
    std, whole = law.moments()[1], (*shape, 2)
    if isinstance(law, Uniform) and std:
        law = distribution("complex_uniform", whole, radius=math.sqrt(2) * std)
    elif isinstance(law, TruncatedNormal):
        law = distribution("complex_truncated_normal", whole, std=std / math.sqrt(1 - 4 / math.expm1(4)))
    else:
        law = Normal(0.0, std / math.sqrt(2))
    pairs = memory.empty((*out.shape, 2), _PARTS[out.dtype.name])
    where = (..., slice(None)) if block is ... else (*block, slice(None))
    draw(pairs, law, seed=seed, shape=whole, block=where)
    out[...] = pairs.view(out.dtype)[..., 0]


def plan(tree: Any, recipe: Any = "default") -> Plan:
    """What `init` would draw: the law of every floating-point leaf, by name. Nothing is drawn.

    >>> layer = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32), "bias": jax.ShapeDtypeStruct((4,), jnp.float32)}
    >>> plan({"Dense_0": layer}, "he_normal")["Dense_0.kernel"].distribution
    Normal(mean=0.0, std=0.5)
    """
    return _plan(tree, _flatten(tree)[0], recipe)


def init(tree: Any, recipe: Any = "default", *, seed: Seed = None) -> Any:
    """A tree like the given one with every floating-point leaf drawn by the recipe; the given one is left as it is.

    The name is the path with dots: ``layers.0.kernel``. Other leaves stay, but for those of an abstract nnx module's
    random streams: an abstract key becomes a new one, an abstract count 0.

    Parameters
    ----------
    tree
        Arrays or ``jax.ShapeDtypeStruct`` in any pytree: parameters of Flax linen, an Equinox module, an nnx module
        (also from ``nnx.eval_shape``), dicts. A leaf's NamedSharding is kept, and each shard drawn alone.
    recipe
        A recipe or its file; a scheme's name, for all weights that have fans; or a mapping of globs to schemes or rules.
    seed
        With a leaf's name it is the stream, so that a leaf's values do not depend on the others. Every process
        must give the same.

    Raises
    ------
    TypeError, ValueError
        for a tree without floating-point leaves, leaves of other dtypes than can be drawn, and what `plan` refuses.

    Examples
    --------
    >>> layer = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32), "bias": jax.ShapeDtypeStruct((4,), jnp.float32)}
    >>> init({"Dense_0": layer}, "lecun_normal", seed=0)["Dense_0"]["kernel"].shape
    (8, 4)
    """
    leaves, rebuild = _flatten(tree)
    planned, number = _plan(tree, leaves, recipe), resolve_seed(seed)

    def value(path: Path, leaf: Any) -> Any:
        parameter = planned.get(_name(path))
        if parameter is None:
            return _random_state(_name(path), leaf, number)
        sharding = getattr(leaf, "sharding", None)
        sharding = sharding if isinstance(sharding, NamedSharding) else None
        dtype = memory.numpy_dtype(parameter.dtype)
        write = partial(
            draw, law=parameter.distribution, seed=number, name=parameter.name, shape=parameter.shape
        )
        return sharded_array(parameter.shape, dtype, sharding, write)

    return rebuild([value(path, leaf) for path, leaf in leaves])


Path: TypeAlias = tuple[Any, ...]


def _flatten(tree: Any) -> tuple[list[tuple[Path, Any]], Callable[[list[Any]], Any]]:
    """The leaves with their paths of names and indices, and the way back."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(tree, (nnx.Module, nnx.State)):
        # As a pytree, a shared variable would stand, and be drawn, twice.
        definition, state = nnx.split(tree)
        variables = nnx.to_flat_state(state)

        def merge(values: list[Any]) -> Any:
            new = [
                (path, variable.replace(value))
                for (path, variable), value in zip(variables, values, strict=True)
            ]
            return nnx.merge(definition, nnx.from_flat_state(new))

        return [(path, variable.get_value()) for path, variable in variables], merge
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    return [(_path(path), leaf) for path, leaf in leaves], partial(jax.tree_util.tree_unflatten, structure)


def _path(entries: Any) -> Path:
    """The names and indices in a path of jax.tree_util, without the boxes that linen puts partitioned leaves in."""
    keys = [next(getattr(e, kind) for kind in ("name", "idx", "key") if hasattr(e, kind)) for e in entries]
    boxed = len(keys) > 1 and entries[-1] == _VALUE and isinstance(entries[-2], jax.tree_util.DictKey)
    return tuple(keys[:-1] if boxed else keys)


_VALUE = jax.tree_util.GetAttrKey("value")


def _name(path: Path) -> str:
    return ".".join(map(str, path))


def _plan(tree: Any, leaves: list[tuple[Path, Any]], recipe: Any) -> Plan:
    tensors: dict[str, Tensor] = {}
    for path, leaf in leaves:
        name, dtype = _name(path), getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, np.inexact):
            continue
        if name in tensors:
            raise ValueError(f"two leaves have the name {name!r}")
        try:
            kind = memory.dtype_name(dtype)
        except TypeError as error:
            raise TypeError(f"leaf {name!r}: {error}") from None
        module, geometry = _owner(tree, path, leaf.shape)
        tensors[name] = Tensor(tuple(leaf.shape), kind, module, geometry)
    if not tensors:
        raise ValueError("tree has no floating-point arrays")
    return make_plan(Model(tensors), as_recipe(recipe))


def _random_state(name: str, leaf: Any, seed: int) -> Any:
    """Of an abstract random stream of nnx: a new key, a count of 0. Anything else as it is."""
    if not isinstance(leaf, jax.ShapeDtypeStruct) or leaf.shape != ():
        return leaf
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key(int(random_bits(1, seed=seed, name=name)[0]))
    return jnp.zeros((), leaf.dtype)


def _owner(tree: Any, path: Path, shape: Shape) -> tuple[str, dict[str, Any]]:
    """The type of the module that owns a leaf, and what it says of the leaf's axes.

    A dict of parameters has no modules: there linen's names (``Dense_0``) tell the type.
    """
    owner: Any = tree
    try:
        for key in path[:-1]:
            by_name = isinstance(key, str) and not isinstance(owner, Mapping)
            owner = getattr(owner, key) if by_name else owner[key]
    except (AttributeError, KeyError, IndexError, TypeError):  # a pytree whose paths are not its attributes
        owner = None
    if not isinstance(owner, Mapping):
        module = type(owner).__name__
    else:
        module = re.sub(r"_\d+$", "", str(path[-2])) if len(path) > 1 else ""
        if module in ("query", "key", "value", "out"):
            module = "DenseGeneral"
    if len(shape) < 2 or module.startswith("Embed"):
        return module, {}
    leaf = str(path[-1])
    if leaf.startswith("weight") and not isinstance(owner, Mapping):
        return module, _equinox_geometry(owner, module, shape)
    if module in ("LinearGeneral", "DenseGeneral") and leaf == "kernel" and len(shape) > 2:
        return module, _general_geometry(owner, path, shape)
    return module, _flax_geometry(owner, module, shape)


def _flax_geometry(owner: Any, module: str, shape: Shape) -> dict[str, Any]:
    """Kernel axes, then i and o; what stands before them in a layer of known rank is stacked."""
    kernel = 0 if module.startswith(("Linear", "Dense")) else len(shape) - 2
    if not module.startswith("Conv"):
        return {"layout": _layout(shape, kernel, "io")}
    size = getattr(owner, "kernel_size", shape[:-2])
    kernel = len(size) if isinstance(size, Sequence) else 1
    flipped, strides = getattr(owner, "transpose_kernel", False), getattr(owner, "strides", None)
    return {
        "layout": _layout(shape, kernel, "oi" if flipped else "io"),
        "groups": getattr(owner, "feature_group_count", 1),
        "stride": tuple(strides) if isinstance(strides, Sequence) else strides or 1,
        "transposed": module.startswith("ConvTranspose"),
    }


def _layout(shape: Shape, kernel: int, last: str) -> str:
    return "b" * (len(shape) - 2 - kernel) + "tuvwxyz"[:kernel] + last


def _general_geometry(owner: Any, path: Path, shape: Shape) -> dict[str, Any]:
    """Several in or out axes: an attention's heads. The single one counts the rows of an orthogonal matrix."""
    if hasattr(owner, "in_features"):
        fan_in, fan_out = math.prod(owner.in_features), math.prod(owner.out_features)
        single_out = len(owner.out_features) == 1
    else:
        single_out = path[-2] == "out"
        fan_out = shape[-1] if single_out else math.prod(shape[1:])
        fan_in = math.prod(shape) // max(fan_out, 1)
    return {"fan_in": fan_in or 1, "fan_out": fan_out or 1, "axis": -1 if single_out else 0}


def _equinox_geometry(owner: Any, module: str, shape: Shape) -> dict[str, Any]:
    """o, i and kernel axes, as in torch; also in a transposed convolution, which counts the inputs of one group."""
    kernel = getattr(owner, "num_spatial_dims", 0) if module.startswith("Conv") else 0
    stacked = len(shape) - 2 - kernel
    layout = "b" * stacked + "oi" + "tuvwxyz"[:kernel]
    if not kernel:
        return {"layout": layout, "packed": {"LSTMCell": 4, "GRUCell": 3}.get(module, 1)}
    if module.startswith("ConvTranspose"):
        n_out, n_in, taps = shape[stacked], shape[stacked + 1], math.prod(shape[stacked + 2 :])
        fan_in, fan_out = n_in * taps / math.prod(owner.stride), n_out / owner.groups * taps
        return {"fan_in": fan_in or 1, "fan_out": fan_out or 1, "axis": stacked}
    return {"layout": layout, "groups": owner.groups, "stride": tuple(owner.stride)}
