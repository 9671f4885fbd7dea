"""The drop-in for torch.nn.init on tensors of every kind: of autograd, without memory, of subclasses, empty."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

torch = optional("torch")
from torch_draws import (  # noqa: E402
    DRAWS,
    DTYPES,
    EVERY_DTYPE,
    SHAPE,
    as_numpy,
    drawn,
    every_draw,
    every_function,
    generator,
)

import fastinit.torch as init  # noqa: E402
from fastinit.torch import tensors  # noqa: E402

theirs = torch.nn.init


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
