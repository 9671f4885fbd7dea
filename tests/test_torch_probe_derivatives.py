"""Models that derive within their forward pass, and those that call vmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import optional

from fastinit.propagation import judge

torch = optional("torch")
from torch import nn  # noqa: E402
from torch_networks import (  # noqa: E402
    Snapshot,
    normal,
    stack,
)

import fastinit.torch as fit  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.mark.parametrize("activation", [False, True])
def test_a_model_that_calls_vmap_is_refused_by_a_sentence(activation: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Sequential(nn.ReLU(), nn.Linear(8, 8)) if activation else nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.vmap(self.layer)(x)

    with pytest.raises(ValueError, match=r"calls torch\.vmap on its layers"):
        fit.probe(Net(), torch.randn(4, 8))


class Energy(nn.Module):
    def __init__(self, activation: Callable[[], Any] = nn.Tanh) -> None:
        super().__init__()
        self.net = stack([6, 40, 40, 1], activation)

    def energy(self, x: Any) -> Any:
        return self.net(x).sum()


def _forces(model: Any, x: Any) -> Any:
    return -torch.autograd.grad(model.energy(x), x, create_graph=True)[0]


def _forces_apart(model: Any, x: Any) -> Any:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(model.energy(x), x)[0]


def _laplacian(model: Any, x: Any) -> Any:
    first = torch.autograd.grad(model.energy(x), x, create_graph=True)[0]
    return sum(torch.autograd.grad(first[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(3))


def _residual(model: Any, x: Any) -> Any:
    u = model.net(x)
    return u + torch.autograd.grad(u.sum(), x, create_graph=True)[0].sum(1, keepdim=True)


def _carried_forward(model: Any, x: Any) -> Any:
    ahead = torch.autograd.forward_ad
    with ahead.dual_level():
        return ahead.unpack_dual(model.net(ahead.make_dual(x, torch.ones_like(x)))).tangent


def _by_vjp(model: Any, x: Any) -> Any:
    out, back = torch.func.vjp(model.net, x)
    return back(torch.ones_like(out))[0]


def _by_backward(model: Any, x: Any) -> Any:
    x = x.detach().requires_grad_()
    model.energy(x).backward(inputs=[x])
    return x.grad


DERIVING: dict[str, Callable[[Any, Any], Any]] = {
    "autograd.grad": _forces,
    "autograd.grad without its graph": _forces_apart,
    "second derivatives": _laplacian,
    "a residual": _residual,
    "backward": _by_backward,
    "forward mode": _carried_forward,
    "func.grad": lambda model, x: torch.func.grad(model.energy)(x),
    "func.vjp": _by_vjp,
    "func.jvp": lambda model, x: torch.func.jvp(model.net, (x,), (torch.ones_like(x),))[1],
    "func.jacrev": lambda model, x: torch.func.jacrev(lambda y: model.net(y).sum(0))(x),
    "func.jacfwd": lambda model, x: torch.func.jacfwd(lambda y: model.net(y).sum(0))(x),
    "func.hessian": lambda model, x: torch.func.hessian(model.energy)(x),
    "functional.jacobian": lambda model, x: torch.autograd.functional.jacobian(
        lambda y: model.net(y).sum(0), x, create_graph=True
    ),
}


@pytest.mark.filterwarnings(
    "ignore:.*torch.jit:DeprecationWarning"
)  # which torch itself calls in forward mode
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, lambda: nn.ReLU(inplace=True)])
@pytest.mark.parametrize("way", DERIVING)
def test_derivatives_within_forward_are_no_vanishing_gradient(
    way: str, activation: Callable[[], Any]
) -> None:
    class Deriving(Energy):
        def forward(self, x: Any) -> Any:
            return DERIVING[way](self, x)

    model, x = Deriving(activation), normal(16, 6)
    snapshot = Snapshot(model, x)
    report = fit.probe(model, x)
    snapshot.check()
    plain = fit.probe(model.net, x)
    assert report.derives and all(layer.gradient is None for layer in report.layers)
    assert [layer.rms for layer in report.layers[:3]] == pytest.approx([layer.rms for layer in plain.layers])
    verdict = judge(report)
    assert verdict.level == "fine" and "the gradient is not measured: the model takes deriv" in verdict.text
    assert not plain.derives and "not measured" not in judge(plain).text


def test_derivatives_within_vmap_are_refused_by_a_sentence() -> None:
    class PerSample(Energy):
        def forward(self, x: Any) -> Any:
            return torch.vmap(torch.func.grad(self.energy))(x)

    with pytest.raises(ValueError, match=r"calls torch\.vmap on its layers"):
        fit.probe(PerSample(), normal(16, 6))
