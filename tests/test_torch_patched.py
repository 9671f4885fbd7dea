"""fastinit's functions in torch.nn.init's place: by any reference, in one thread, and gone afterwards."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import Any

import pytest
from conftest import optional

torch = optional("torch")
from torch import nn  # noqa: E402
from torch.nn import init as torch_init  # noqa: E402
from torch.nn.init import kaiming_uniform_ as alias  # noqa: E402

import fastinit.torch as ft  # noqa: E402
from fastinit.torch.patched import _NAMES  # noqa: E402

TABLE = {"orthogonal": torch_init.orthogonal_}
PARTIAL = functools.partial(torch_init.sparse_, sparsity=0.5)
SIGNATURES = {name: inspect.signature(getattr(torch_init, name)) for name in _NAMES}
CODES = {name: getattr(torch_init, name).__code__ for name in _NAMES}


def by_default(tensor: Any, function: Any = torch_init.xavier_normal_) -> Any:
    return function(tensor)


WAYS = {
    "alias": (alias, ft.kaiming_uniform_),
    "table": (TABLE["orthogonal"], ft.orthogonal_),
    "partial": (PARTIAL, functools.partial(ft.sparse_, sparsity=0.5)),
    "default argument": (by_default, ft.xavier_normal_),
    "module": (lambda t: nn.init.trunc_normal_(t, std=0.5), lambda t: ft.trunc_normal_(t, std=0.5)),
    "private": (lambda t: torch_init._no_grad_normal_(t, 0.0, 2.0), lambda t: ft.normal_(t, 0.0, 2.0)),
    "deprecated": (lambda t: torch_init.uniform(t, -1, 2), lambda t: ft.uniform_(t, -1, 2)),
}


def seeded(function: Any) -> Any:
    torch.manual_seed(5)
    return function(torch.empty(8, 8))


@pytest.mark.filterwarnings("ignore:.*is now deprecated")
@pytest.mark.parametrize("way", WAYS)
def test_every_reference_is_reached(way: str) -> None:
    held, ours = WAYS[way]
    theirs = seeded(held)
    with ft.patched():
        assert torch.equal(seeded(held), seeded(ours))
    assert torch.equal(seeded(held), theirs) and not torch.equal(theirs, seeded(ours))


def test_torchs_own_layers() -> None:
    def build() -> Any:
        torch.manual_seed(1)
        return [
            *nn.MultiheadAttention(8, 2).parameters(),
            *nn.LSTM(8, 8).parameters(),
            *nn.Conv1d(8, 8, 3).parameters(),
        ]

    plain = build()
    with ft.patched():
        patched = build()
    same = [torch.equal(a, b) for a, b in zip(plain, patched, strict=True)]
    assert [bool((a == a.flatten()[0]).all()) for a in plain] == same  # only constants
    assert all(torch.equal(a, b) for a, b in zip(plain, build(), strict=True))


def test_signatures_and_codes_come_back() -> None:
    with ft.patched(), ft.patched():
        assert {name: inspect.signature(getattr(torch_init, name)) for name in _NAMES} == SIGNATURES
        assert all(getattr(torch_init, name).__code__ is not code for name, code in CODES.items())
    assert all(getattr(torch_init, name).__code__ is code for name, code in CODES.items())
    assert {name: inspect.signature(getattr(torch_init, name)) for name in _NAMES} == SIGNATURES
    with pytest.raises(KeyError), ft.patched():
        raise KeyError
    assert all(getattr(torch_init, name).__code__ is code for name, code in CODES.items())


def test_other_threads_keep_torchs_functions() -> None:
    """Threads enter and leave in every order; each sees its own, all the while."""
    generator = torch.Generator()

    def drawn(function: Any) -> Any:
        return function(torch.empty(16), generator=torch.Generator().manual_seed(3))

    theirs, ours = drawn(torch_init.normal_), drawn(ft.normal_)
    assert not torch.equal(theirs, ours) and generator is not None
    barrier, wrong = threading.Barrier(4), []

    def worker(number: int) -> None:
        barrier.wait()
        for turn in range(60):
            if (turn + number) % 3:
                with ft.patched():
                    wrong.extend([turn] * (not torch.equal(drawn(torch_init.normal_), ours)))
            wrong.extend([turn] * (not torch.equal(drawn(torch_init.normal_), theirs)))

    threads = [threading.Thread(target=worker, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and all(getattr(torch_init, name).__code__ is code for name, code in CODES.items())


def test_as_a_decorator_and_with_modes() -> None:
    @ft.patched()
    def build() -> Any:
        torch.manual_seed(0)
        with torch.device("cpu"):
            return nn.Linear(8, 8)

    first, second = build(), build()
    torch.manual_seed(0)
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(first.weight, ft.kaiming_uniform_(torch.empty(8, 8), a=5**0.5))


def test_a_recording_hears_what_is_patched() -> None:
    def build() -> Any:
        layer = nn.Linear(8, 8)
        with ft.patched():
            TABLE["orthogonal"](layer.weight)
        return layer

    orthogonal = ft.record(build)["weight"]
    assert orthogonal.scheme == "orthogonal"
    with ft.patched():
        assert ft.record(build)["weight"].distribution == orthogonal.distribution


def test_computed_tensors_are_warned_of() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
    with pytest.warns(UserWarning, match="tensor is computed"):
        ft.uniform_(layer.weight)
    for tensor in (
        nn.Linear(8, 8).weight,
        nn.Linear(8, 8).weight[:2],
        torch.empty(3),
        nn.Linear(8, 8).weight.detach(),
    ):
        ft.uniform_(tensor)
