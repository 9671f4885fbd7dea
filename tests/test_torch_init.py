"""The drop-in for torch.nn.init: torch's names, arguments, warnings and errors; fastinit's values."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from conftest import optional
from scipy import stats

import fastinit as fi

torch = optional("torch")
import fastinit.torch as init  # noqa: E402
from fastinit.torch import tensors  # noqa: E402

theirs = torch.nn.init
NAN, INF = math.nan, math.inf
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]

SHAPE, FAN_IN, FAN_OUT = (20, 6, 3, 5), 90, 300
SQRT3 = math.sqrt(3)


def symmetric(bound: float) -> fi.Uniform:
    return fi.Uniform(-bound, bound)


DRAWS: list[Any] = [
    ("uniform_", {"a": -1, "b": 3}, fi.Uniform(-1, 3)),
    ("normal_", {"mean": 1, "std": 2}, fi.Normal(1, 2)),
    ("trunc_normal_", {"std": 0.5, "a": -0.5}, fi.TruncatedNormal(0, 0.5, -0.5, 2)),
    ("xavier_uniform_", {"gain": 2}, symmetric(SQRT3 * (2 * math.sqrt(2 / (FAN_IN + FAN_OUT))))),
    ("xavier_normal_", {"gain": 2}, fi.Normal(0, 2 * math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    ("kaiming_uniform_", {"a": 0.5}, symmetric(SQRT3 * (math.sqrt(2 / 1.25) / math.sqrt(FAN_IN)))),
    ("kaiming_normal_", {"nonlinearity": "tanh", "mode": "fan_out"}, fi.Normal(0, 5 / 3 / math.sqrt(FAN_OUT))),
    ("orthogonal_", {"gain": 2}, fi.distribution("orthogonal", SHAPE, gain=2)),
]  # fmt: skip
every_draw = pytest.mark.parametrize(("name", "numbers", "law"), DRAWS)


def next_seed(generator: Any) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(-(2**63), None, generator=generator)) % 2**64


def generator(seed: int = 7) -> Any:
    return torch.Generator().manual_seed(seed)


def as_numpy(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().resolve_neg().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def drawn(law: Any, dtype: Any, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    array = as_numpy(torch.zeros(shape, dtype=dtype))
    fi.fill(array, law, seed=next_seed(generator()))
    return array


# Names and signatures


def test_every_name_of_torch_is_here() -> None:
    assert set(theirs.__all__) <= set(init.__all__)
    private = ("_calculate_fan_in_and_fan_out", "_calculate_correct_fan", "_no_grad_uniform_", "_no_grad_normal_",
               "_no_grad_trunc_normal_", "_no_grad_fill_", "_no_grad_zero_")  # fmt: skip
    for name in (*theirs.__all__, *private):
        ours, other = (inspect.signature(getattr(m, name)).parameters.values() for m in (init, theirs))
        assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in other]


@pytest.mark.parametrize("name", [name for name in theirs.__all__ if name + "_" in theirs.__all__])
def test_deprecated_names(name: str) -> None:
    arguments = {"constant": (3.0,), "sparse": (0.5,)}.get(name, ())
    shape = (3, 3, 3) if name == "dirac" else (3, 3)
    one, two = torch.zeros(shape), torch.zeros(shape)
    torch.manual_seed(5)
    with pytest.warns(FutureWarning, match=rf"`nn.init.{name}` is now deprecated") as caught:
        assert getattr(init, name)(one, *arguments) is one
    assert caught[0].filename == __file__
    torch.manual_seed(5)
    getattr(init, name + "_")(two, *arguments)
    assert torch.equal(one, two) and one.count_nonzero()
    assert getattr(init, name).__name__ == name


def test_gains_are_torchs() -> None:
    names = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
    names += [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]
    for name in names:
        assert init.calculate_gain(name) == theirs.calculate_gain(name)
    for slope in (None, 0, 0.01, 10, -1.0):
        assert init.calculate_gain("leaky_relu", slope) == theirs.calculate_gain("leaky_relu", slope)
    for slope in (True, [1], {"a": "b"}, "0.1", NAN, INF, -INF):
        with pytest.raises(ValueError, match="negative_slope"):
            init.calculate_gain("leaky_relu", slope)
    for name in ("", "gelu", "Relu", 3):
        with pytest.raises(ValueError, match="nonlinearity"):
            init.calculate_gain(name)


def test_fans_are_torchs() -> None:
    weight = torch.nn.ConvTranspose2d(16, 64, 3).weight
    assert init._calculate_fan_in_and_fan_out(weight) == (576, 144)
    assert init._calculate_correct_fan(weight, "FAN_OUT") == 144


# Values


@every_draw
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_are_those_of_the_law(name: str, numbers: dict[str, Any], law: Any, dtype: Any) -> None:
    tensor = torch.zeros(SHAPE, dtype=dtype)
    assert getattr(init, name)(tensor, **numbers, generator=generator()) is tensor
    np.testing.assert_array_equal(as_numpy(tensor), drawn(law, dtype))


def padded(tensor: Any) -> Any:
    return torch.zeros(*(2 * n for n in tensor.shape), dtype=tensor.dtype)[
        tuple(slice(1, 2 * n, 2) for n in tensor.shape)
    ]


MEMORY: list[Callable[[Any], Any]] = [
    lambda t: t.to(memory_format=torch.channels_last),
    lambda t: t.permute(2, 0, 3, 1).contiguous().permute(1, 3, 0, 2),
    padded,
    lambda t: torch._neg_view(t),
    lambda t: torch._neg_view(t.to(memory_format=torch.channels_last)),
    lambda t: torch._neg_view(padded(t)),
]


@every_draw
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_memory_does_not_matter(
    name: str, numbers: dict[str, Any], law: Any, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the way through a buffer in host memory: here for tensors that are stored negated."""
    for staging_bytes in (1 << 20, 40, 4):
        monkeypatch.setattr(tensors, "_STAGING_BYTES", staging_bytes)
        for layout in MEMORY:
            tensor = layout(torch.zeros(SHAPE, dtype=dtype))
            getattr(init, name)(tensor, **numbers, generator=generator())
            np.testing.assert_array_equal(as_numpy(tensor), drawn(law, dtype))


def test_the_buffer_is_used_and_kept_small(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    draw = tensors.fill_memory
    monkeypatch.setattr(
        tensors,
        "fill_memory",
        lambda to, *rest, **names: (sizes.append(math.prod(to.shape)), draw(to, *rest, **names)),
    )
    monkeypatch.setattr(tensors, "_STAGING_BYTES", 400)
    init.normal_(torch._neg_view(torch.zeros(250)))
    assert sizes == [100, 100, 50]


def test_numbers_may_be_scalars_of_numpy_and_torch() -> None:
    for number in (
        np.float64(0.5),
        np.float32(0.5),
        torch.tensor(0.5),
        torch.tensor(0.5, dtype=torch.float16),
    ):
        tensor = init.normal_(torch.zeros(9), 0, number, generator=generator())
        np.testing.assert_array_equal(as_numpy(tensor), drawn(fi.Normal(0, 0.5), torch.float32, (9,)))


SAMPLE = (60, 50, 3, 3)
KS: list[Any] = [
    ("uniform_", {"a": -2.5, "b": 1.25}, stats.uniform(-2.5, 3.75)),
    ("normal_", {"mean": -1.5, "std": 3.0}, stats.norm(-1.5, 3.0)),
    ("trunc_normal_", {}, stats.truncnorm(-2, 2)),
    ("trunc_normal_", {"mean": 2.5, "std": 0.5, "a": 2.0, "b": 2.25}, stats.truncnorm(-1, -0.5, 2.5, 0.5)),
    ("trunc_normal_", {"mean": 0.0, "std": 1.0, "a": 2.0, "b": 3.0}, stats.truncnorm(2, 3)),
    ("trunc_normal_", {"a": -INF, "b": -1.0}, stats.truncnorm(-np.inf, -1)),
    ("xavier_uniform_", {}, stats.uniform(-(6 / 990) ** 0.5, 2 * (6 / 990) ** 0.5)),
    ("xavier_normal_", {"gain": 1.7}, stats.norm(0, 1.7 * (2 / 990) ** 0.5)),
    ("kaiming_uniform_", {}, stats.uniform(-(6 / 450) ** 0.5, 2 * (6 / 450) ** 0.5)),
    ("kaiming_uniform_", {"a": 1.3, "mode": "fan_out"}, stats.uniform(-(6 / 2.69 / 540) ** 0.5, 2 * (6 / 2.69 / 540) ** 0.5)),
    ("kaiming_normal_", {}, stats.norm(0, (2 / 450) ** 0.5)),
    ("kaiming_normal_", {"a": 0.7, "mode": "fan_out"}, stats.norm(0, (2 / 1.49 / 540) ** 0.5)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "numbers", "law"), KS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_distributions(name: str, numbers: dict[str, float], law: Any, dtype: Any) -> None:
    tensor = torch.empty(SAMPLE, dtype=dtype)
    x = as_numpy(getattr(init, name)(tensor, **numbers, generator=generator(11))).ravel()
    assert stats.kstest(x, law.cdf).pvalue > 1e-3
    assert abs(x.mean() - law.mean()) < 5 * law.std() / x.size**0.5
    assert x.std() == pytest.approx(law.std(), rel=5 / x.size**0.5)
    low, high = law.support()
    assert low * (1 + 1e-6 * np.sign(-low)) <= x.min() and x.max() <= high * (1 + 1e-6 * np.sign(high))


@pytest.mark.parametrize(
    ("dtype", "distinct"), [*zip(DTYPES, (5000, 5000, 3000, 1000), strict=True)], ids=str
)
def test_truncated_normal_keeps_its_bounds_and_its_many_values(dtype: Any, distinct: int) -> None:
    tensor = init.trunc_normal_(torch.empty(10_000, dtype=dtype), generator=generator(1))
    assert tensor.min() >= -2 and tensor.max() <= 2 and tensor.unique().numel() > distinct
    narrow = init.trunc_normal_(torch.empty(10_000, dtype=dtype), std=0.1, generator=generator(1))
    assert narrow.abs().max() < 1


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (20, 2, 3, 4), (2, 3, 4, 5), (1, 1), (130, 130)], ids=str)
@pytest.mark.parametrize("gain", [1, -1.5, torch.tensor(0.25), 0])
def test_orthogonal(shape: tuple[int, ...], gain: Any) -> None:
    tensor = init.orthogonal_(torch.empty(shape, dtype=torch.float64), gain, generator=generator())
    matrix = tensor.view(shape[0], -1)
    if matrix.size(0) > matrix.size(1):
        matrix = matrix.T
    torch.testing.assert_close(
        matrix @ matrix.T, float(gain) ** 2 * torch.eye(len(matrix), dtype=torch.float64)
    )


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.15, 0.5, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sparse(sparsity: float, dtype: Any) -> None:
    tensor = init.sparse_(torch.empty(33, 200, dtype=dtype), sparsity, std=0.2, generator=generator())
    zeros = as_numpy(tensor == 0).sum(0)
    assert (zeros == math.ceil(sparsity * 33)).all()
    if sparsity < 1:
        assert stats.kstest(as_numpy(tensor[tensor != 0].double()), stats.norm(0, 0.2).cdf).pvalue > 1e-3
    if sparsity == 0.5:  # every row loses its share
        rows = as_numpy(tensor == 0).sum(1)
        assert rows.min() > 60 and rows.max() < 150
    torch.manual_seed(0)
    default = init.sparse_(torch.empty(33, 200), 0.1)
    assert float(default[default != 0].std()) == pytest.approx(0.01, rel=0.05)


# What needs no draw


EVERY_DTYPE = [*DTYPES, torch.complex64, torch.int64, torch.uint8, torch.bool, torch.float8_e8m0fnu]


@pytest.mark.parametrize("dtype", EVERY_DTYPE, ids=str)
def test_constants_of_every_dtype(dtype: Any) -> None:
    for name, arguments in (("constant_", (1,)), ("ones_", ()), ("zeros_", ()), ("eye_", ())):
        for shape in ((3, 3), (2, 5), (5, 2), (0, 3)):
            ours, other = torch.ones(shape, dtype=dtype), torch.ones(shape, dtype=dtype)
            assert getattr(init, name)(ours, *arguments) is ours
            getattr(theirs, name)(other, *arguments)
            assert torch.equal(ours.to(torch.complex64), other.to(torch.complex64))


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(3,), (4, 1), (2, 3, 5)], ids=str)
@pytest.mark.parametrize("channels", [(2, 2), (1, 4), (5, 3)], ids=str)
def test_dirac_is_torchs(groups: int, kernel: tuple[int, ...], channels: tuple[int, int]) -> None:
    shape = (channels[0] * groups, channels[1], *kernel)
    for dtype in (torch.float32, torch.bfloat16, torch.int32, torch.complex64):
        ours, other = torch.ones(shape, dtype=dtype), torch.ones(shape, dtype=dtype)
        assert init.dirac_(ours, groups) is ours
        assert torch.equal(ours, theirs.dirac_(other, groups))
        assert ours.count_nonzero() == groups * min(channels)
    strided = torch.ones(shape[::-1]).permute(*range(len(shape) - 1, -1, -1))
    assert torch.equal(init.dirac_(strided, groups), theirs.dirac_(torch.ones(shape), groups))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_dirac_convolution_keeps_its_input(axes: int) -> None:
    convolve = (torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d)[axes - 1]
    x = torch.randn(4, 6, *(5,) * axes, generator=generator())
    weight = init.dirac_(torch.empty(9, 2, *(3,) * axes), 3)
    y = convolve(x, weight, padding=1, groups=3).unflatten(1, (3, 3))
    assert torch.equal(y[:, :, :2].flatten(1, 2), x)
    assert not y[:, :, 2].any()


def test_dirac_of_empty_tensors() -> None:
    for shape in ((0, 2, 3), (2, 0, 3), (2, 2, 0)):
        assert init.dirac_(torch.empty(shape)).numel() == 0


# Randomness


@every_draw
def test_seeds(name: str, numbers: dict[str, Any], law: Any) -> None:
    def draw(**arguments: Any) -> Any:
        return getattr(init, name)(torch.empty(SHAPE), **numbers, **arguments)

    torch.manual_seed(3)
    first, second = draw(), draw()
    torch.manual_seed(3)
    assert torch.equal(draw(), first) and not torch.equal(first, second)
    assert torch.equal(draw(generator=generator(3)), first)
    state = torch.get_rng_state()
    draw(generator=generator())
    assert torch.equal(torch.get_rng_state(), state)
    before = fi.get_num_threads()
    try:
        fi.set_num_threads(1)
        assert torch.equal(draw(generator=generator(3)), first)
    finally:
        fi.set_num_threads(before)


def test_a_call_takes_one_number() -> None:
    g = generator()
    init.normal_(torch.empty(100_000), generator=g)
    same = generator()
    next_seed(same)
    assert torch.equal(g.get_state(), same.get_state())
    for nothing in (torch.empty(0), torch.empty(3, device="meta")):
        init.normal_(nothing, generator=g)
    assert torch.equal(g.get_state(), same.get_state())


def test_seeds_use_64_bits() -> None:
    g = generator()
    seeds = [int(tensors._Seed(g)) for _ in range(200)]
    assert all(0 <= seed < 2**64 for seed in seeds)
    bits = np.array([[seed >> bit & 1 for bit in range(64)] for seed in seeds]).mean(0)
    assert (abs(bits - 0.5) < 5 * 0.5 / 200**0.5).all()


# Autograd


def every_function(shape: tuple[int, ...]) -> list[tuple[str, dict[str, Any]]]:
    calls = [(name, numbers) for name, numbers, _ in DRAWS]
    calls += [("constant_", {"val": 2.0}), ("ones_", {}), ("zeros_", {})]
    calls += [("sparse_", {"sparsity": 0.5})] if len(shape) == 2 else []
    return calls + ([("eye_", {})] if len(shape) == 2 else [("dirac_", {})])


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2)], ids=str)
def test_autograd(shape: tuple[int, ...]) -> None:
    for name, numbers in every_function(shape):
        for make in (torch.nn.Parameter, lambda t: t.requires_grad_(), lambda t: t, lambda t: t.clone()[:2]):
            tensor = make(torch.full(shape, 7.0))
            version = tensor._version
            assert getattr(init, name)(tensor, **numbers) is tensor
            assert tensor._version > version and tensor.grad_fn is None and tensor.is_leaf
            assert not (tensor == 7).any()
        leaf = torch.full(shape, 7.0, requires_grad=True)
        product = leaf * leaf
        getattr(init, name)(leaf, **numbers)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            product.sum().backward()


def test_a_view_bumps_its_base() -> None:
    base = torch.zeros(6, 4)
    init.normal_(base[::2])
    assert base._version == 1 and base[::2].all() and not base[1::2].any()


def test_inference_mode() -> None:
    with torch.inference_mode():
        tensor = init.normal_(torch.zeros(5))
    assert tensor.all()
    for module in (init, theirs):
        with pytest.raises(RuntimeError, match="inference"):
            module.normal_(tensor)


# Tensors without values of their own


@every_draw
def test_meta_and_fake_tensors(name: str, numbers: dict[str, Any], law: Any) -> None:
    fake_mode = torch._subclasses.FakeTensorMode()
    fake = fake_mode.from_tensor(torch.zeros(SHAPE))
    g = generator()
    for tensor in (torch.empty(SHAPE, device="meta"), fake, torch.nn.Parameter(fake)):
        assert getattr(init, name)(tensor, **numbers, generator=g) is tensor
    assert torch.equal(g.get_state(), generator().get_state())


def test_meta_and_fake_tensors_without_draws() -> None:
    fake = torch._subclasses.FakeTensorMode().from_tensor
    for make in (lambda t: t.to("meta"), fake):
        for name, shape in (("eye_", (3, 4)), ("dirac_", (3, 4, 2)), ("ones_", (3,)), ("zeros_", (3,))):
            tensor = make(torch.zeros(shape))
            assert getattr(init, name)(tensor) is tensor


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
def test_kaiming_warns_of_empty_tensors(name: str) -> None:
    for shape in ((0, 1), (0, 0), (2, 3, 0), (0,)):
        tensor = torch.empty(shape)
        for module in (init, theirs):
            with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op") as caught:
                assert getattr(module, name)(tensor) is tensor
            assert caught[0].filename == __file__


def test_other_empty_tensors_are_left_alone() -> None:
    for name in ("uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "orthogonal_"):
        for shape in ((0, 0), (0, 5), (5, 0), (2, 3, 0)):
            tensor = torch.empty(shape)
            assert getattr(init, name)(tensor) is tensor


class Wrapper(torch.Tensor):
    """Its values are elsewhere, as a DTensor's are."""

    @staticmethod
    def __new__(cls) -> Any:
        return torch.Tensor._make_wrapper_subclass(cls, (2, 2))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} must not be called")


def test_unusual_tensors_are_refused() -> None:
    sparse = torch.zeros(2, 2).to_sparse()
    for tensor in (Wrapper(), sparse):
        for function in (init.normal_, init.kaiming_normal_, init.orthogonal_, init.eye_):
            with pytest.raises(TypeError, match=r"Wrapper|sparse_coo"):
                function(tensor)
    jagged = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged)
    freed = torch.zeros(3)
    freed.untyped_storage().resize_(0)
    for tensor in (jagged, freed, torch._to_functional_tensor(torch.zeros(3)),
                   *(torch.zeros(2, 2, dtype=dtype) for dtype in EVERY_DTYPE[len(DTYPES) + 1 :])):  # fmt: skip
        with pytest.raises(TypeError, match="tensor"):
            init.normal_(tensor)
    for name, _, _ in DRAWS:
        with pytest.raises(TypeError, match=r"int64"):
            getattr(init, name)(torch.zeros(2, 2, dtype=torch.int64))
        with pytest.raises((TypeError, AttributeError)):
            getattr(init, name)([[1.0]])


class Watched(torch.Tensor):
    seen: list[Any]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(func)
        return super().__torch_function__(func, types, args, kwargs or {})


@pytest.mark.parametrize("name", ["uniform_", "normal_", "kaiming_uniform_", "constant_"])
def test_torch_function(name: str) -> None:
    """The four functions that subclasses and modes see as such in torch are seen here too."""
    arguments = {"constant_": (3.0,)}.get(name, ())
    tensor = torch.zeros(3, 3).as_subclass(Watched)
    for module in (init, theirs):
        Watched.seen = []
        torch.manual_seed(0)
        assert type(getattr(module, name)(tensor, *arguments)) is Watched
        assert Watched.seen[0] is getattr(module, name)
    torch.manual_seed(0)
    plain = getattr(init, name)(torch.zeros(3, 3), *arguments)
    torch.manual_seed(0)
    with torch.device("meta"):  # a mode
        assert torch.equal(getattr(init, name)(plain.clone(), *arguments), plain)


def test_uninitialised_parameters() -> None:
    for name in ("normal_", "uniform_", "xavier_normal_", "kaiming_normal_", "orthogonal_", "eye_", "zeros_"):
        errors = []
        for module in (init, theirs):
            with pytest.raises((ValueError, RuntimeError)) as caught:
                getattr(module, name)(torch.nn.UninitializedParameter())
            errors.append(caught.type)
        assert errors[0] is errors[1]


# Bad input

SQUARE = (4, 4)
BAD: list[Any] = [
    ("uniform_", SQUARE, {"a": 1, "b": 0}),
    ("uniform_", SQUARE, {"a": NAN}),
    ("uniform_", SQUARE, {"b": NAN}),
    ("uniform_", SQUARE, {"b": INF}),
    ("uniform_", SQUARE, {"b": 1e39}),
    ("uniform_", SQUARE, {"a": "0"}),
    ("uniform_", SQUARE, {"a": None}),
    ("uniform_", SQUARE, {"a": 1j}),
    ("uniform_", SQUARE, {"a": torch.zeros(1)}),
    ("uniform_", SQUARE, {"generator": 1}),
    ("normal_", SQUARE, {"std": -1}),
    ("normal_", SQUARE, {"std": NAN}),
    ("normal_", SQUARE, {"std": None}),
    ("normal_", SQUARE, {"generator": "g"}),
    ("trunc_normal_", SQUARE, {"a": 2, "b": 1}),
    ("trunc_normal_", SQUARE, {"a": NAN}),
    ("trunc_normal_", SQUARE, {"b": NAN}),
    ("trunc_normal_", SQUARE, {"std": "1"}),
    ("xavier_uniform_", (), {}),
    ("xavier_uniform_", (4,), {}),
    ("xavier_uniform_", SQUARE, {"gain": -1}),
    ("xavier_uniform_", SQUARE, {"gain": NAN}),
    ("xavier_uniform_", SQUARE, {"gain": INF}),
    ("xavier_uniform_", SQUARE, {"gain": "x"}),
    ("xavier_normal_", (), {}),
    ("xavier_normal_", (4,), {}),
    ("xavier_normal_", SQUARE, {"gain": -1}),
    ("xavier_normal_", SQUARE, {"gain": NAN}),
    ("xavier_normal_", SQUARE, {"gain": None}),
    ("kaiming_uniform_", (), {}),
    ("kaiming_uniform_", (4,), {}),
    ("kaiming_uniform_", SQUARE, {"mode": "fan_avg"}),
    ("kaiming_uniform_", SQUARE, {"nonlinearity": "gelu"}),
    ("kaiming_uniform_", SQUARE, {"a": NAN}),
    ("kaiming_uniform_", SQUARE, {"a": True}),
    ("kaiming_uniform_", SQUARE, {"a": 1e200}),
    ("kaiming_normal_", (), {}),
    ("kaiming_normal_", (4,), {}),
    ("kaiming_normal_", SQUARE, {"mode": "fan_avg"}),
    ("kaiming_normal_", SQUARE, {"mode": 3}),
    ("kaiming_normal_", SQUARE, {"nonlinearity": "gelu"}),
    ("kaiming_normal_", SQUARE, {"a": "0"}),
    ("kaiming_normal_", SQUARE, {"a": NAN}),
    ("orthogonal_", (), {}),
    ("orthogonal_", (4,), {}),
    ("orthogonal_", SQUARE, {"gain": "x"}),
    ("sparse_", (4,), {"sparsity": 0.5}),
    ("sparse_", (4, 4, 4), {"sparsity": 0.5}),
    ("sparse_", SQUARE, {"sparsity": NAN}),
    ("sparse_", SQUARE, {"sparsity": "x"}),
    ("sparse_", SQUARE, {"sparsity": 0.5, "std": -1}),
    ("sparse_", SQUARE, {"sparsity": 0.5, "std": NAN}),
    ("eye_", (4,), {}),
    ("eye_", (4, 4, 4), {}),
    ("dirac_", (4,), {}),
    ("dirac_", SQUARE, {}),
    ("dirac_", (2,) * 6, {}),
    ("dirac_", (4, 4, 4), {"groups": 3}),
    ("dirac_", (4, 4, 4), {"groups": "x"}),
    ("dirac_", (4, 4, 4), {"groups": 2.0}),
]  # fmt: skip
# torch takes these, or stumbles over them (ZeroDivisionError).
WORSE: list[Any] = [
    ("normal_", {"mean": NAN}, "mean"),
    ("normal_", {"mean": INF}, "mean"),
    ("normal_", {"std": INF}, "std"),
    ("normal_", {"mean": 1e39}, "float32"),
    ("trunc_normal_", {"mean": NAN}, "mean"),
    ("trunc_normal_", {"mean": INF}, "mean"),
    ("trunc_normal_", {"std": NAN}, "std"),
    ("trunc_normal_", {"std": INF}, "std"),
    ("trunc_normal_", {"std": -1}, "std"),
    ("trunc_normal_", {"std": 0, "mean": 3}, "std"),
    ("xavier_normal_", {"gain": INF}, "gain"),
    ("kaiming_normal_", {"a": INF}, "negative_slope"),
    ("kaiming_uniform_", {"a": -INF}, "negative_slope"),
    ("orthogonal_", {"gain": NAN}, "gain"),
    ("orthogonal_", {"gain": INF}, "gain"),
    ("sparse_", {"sparsity": -0.1}, "sparsity"),
    ("sparse_", {"sparsity": 1.1}, "sparsity"),
    ("sparse_", {"sparsity": 0.5, "std": INF}, "std"),
    ("dirac_", {"groups": 0}, "groups"),
    ("dirac_", {"groups": -1}, "groups"),
]


def refused(name: str, tensor: Any, arguments: dict[str, Any], module: Any = init) -> Any:
    """The error; the tensor and the default generator must be as before."""
    before, version, state = tensor.clone(), tensor._version, torch.get_rng_state()
    with pytest.raises(Exception) as caught:
        getattr(module, name)(tensor, **arguments)
    if module is init:
        assert torch.equal(tensor, before) and tensor._version == version
        assert torch.equal(torch.get_rng_state(), state)
    return caught


@pytest.mark.parametrize(("name", "shape", "arguments"), BAD, ids=str)
def test_errors_are_of_torchs_class(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    other = refused(name, torch.full(shape, 7.0), arguments, theirs).type
    ours = refused(name, torch.full(shape, 7.0), arguments).type
    assert issubclass(ours, other)
    assert other is not RuntimeError or issubclass(ours, ValueError)


@pytest.mark.parametrize(("name", "arguments", "match"), WORSE, ids=str)
def test_errors_where_torch_has_none(name: str, arguments: dict[str, Any], match: str) -> None:
    shape = (4, 4, 4) if name == "dirac_" else SQUARE
    error = refused(name, torch.full(shape, 7.0), arguments)
    assert error.type in (ValueError, tensors.InvalidValueError) and match in str(error.value)


def test_overlapping_tensors() -> None:
    for name, numbers in every_function((4, 2)):
        if name in ("constant_", "ones_", "zeros_"):
            continue
        for tensor in (torch.zeros(2, 1).expand(2, 2), torch.zeros(5).as_strided((4, 2), (1, 1))):
            error = refused(name, tensor, numbers)
            assert issubclass(error.type, ValueError) and "overlaps" in str(error.value)
    with pytest.raises(ValueError, match="overlaps"):
        init.dirac_(torch.zeros(2, 2, 1).expand(2, 2, 3))


def test_a_distant_mean_is_told() -> None:
    for mean, a, b in ((5.0, -2, 2), (-5.0, -2, 2), (4.001, -2, 2)):
        tensor = torch.empty(2000)
        for module in (init, theirs):
            with pytest.warns(UserWarning, match=r"mean is more than 2 std from \[a, b\]"):
                module.trunc_normal_(tensor, mean, 1.0, a, b, generator=generator())
        with pytest.warns(UserWarning) as caught:
            init.trunc_normal_(tensor, mean, 1.0, a, b, generator=generator())
        assert caught[0].filename == __file__
        assert stats.kstest(as_numpy(tensor), stats.truncnorm(a - mean, b - mean, mean).cdf).pvalue > 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init.trunc_normal_(tensor, 4.0)


def test_degenerate_laws() -> None:
    assert (init.uniform_(torch.empty(9), 2, 2) == 2).all()
    assert (init.normal_(torch.empty(9), 3, 0) == 3).all()
    assert (init.trunc_normal_(torch.empty(9), 1, std=0) == 1).all()
    assert (init.trunc_normal_(torch.empty(9), a=1, b=1) == 1).all()
    assert not init.xavier_uniform_(torch.empty(3, 3), gain=0).any()


def test_existing_code_runs_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reset_parameters of torch's own modules, with torch's functions replaced."""
    for name in theirs.__all__:
        monkeypatch.setattr(theirs, name, getattr(init, name))
    torch.manual_seed(0)
    layer = torch.nn.Linear(300, 200)
    seeds = generator(0)
    for tensor in (layer.weight, layer.bias):
        bound = SQRT3 * (math.sqrt(2 / 6) / math.sqrt(300)) if tensor.dim() == 2 else 1 / math.sqrt(300)
        wanted = np.empty(tuple(tensor.shape), np.float32)
        fi.fill(wanted, symmetric(bound), seed=next_seed(seeds))
        np.testing.assert_allclose(as_numpy(tensor), wanted, rtol=1e-6)
