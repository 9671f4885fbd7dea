"""Copies that a model's own code makes: they begin with the values of the original, wherever and however they are drawn."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.laws import Copied
from fastinit.plans.plan import Plan

torch = optional("torch")

from torch import nn  # noqa: E402
from torch.optim.swa_utils import AveragedModel  # noqa: E402

import fastinit.torch as ft  # noqa: E402
from fastinit.torch import sharded  # noqa: E402


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))


class Holder(nn.Module):
    """What a function puts into it."""

    def __init__(self, build: Callable[[Any], None]) -> None:
        super().__init__()
        build(self)


def deep_copied(model: Any) -> None:  # a target network
    model.critic = mlp()
    model.target = copy.deepcopy(model.critic)


def loaded(model: Any) -> None:
    model.critic, model.target = mlp(), mlp()
    model.target.load_state_dict(model.critic.state_dict())


def data_copied(model: Any) -> None:  # a momentum encoder, as in MoCo, BYOL and DINO
    model.critic, model.target = mlp(), mlp()
    for p, q in zip(model.target.parameters(), model.critic.parameters(), strict=True):
        p.data.copy_(q.data)
        p.requires_grad = False


def cloned(model: Any) -> None:
    model.critic, model.target = mlp(), mlp()
    for mine, its in zip(model.target, model.critic, strict=True):
        for name, q in its.named_parameters():
            setattr(mine, name, nn.Parameter(q.detach().clone()))


def averaged(model: Any) -> None:  # an EMA model
    model.critic = mlp()
    model.target = AveragedModel(model.critic)


def no_grad_copied(model: Any) -> None:
    model.critic, model.target = mlp(), mlp()
    with torch.no_grad():
        for p, q in zip(model.target.parameters(), model.critic.parameters(), strict=True):
            p.copy_(q)


def frozen_copies(model: Any) -> None:  # Siamese networks, and a copy of a copy
    model.critic = mlp()
    middle = copy.deepcopy(model.critic)
    model.target = copy.deepcopy(middle).requires_grad_(False).eval()


KINDS = [deep_copied, loaded, data_copied, cloned, averaged, no_grad_copied, frozen_copies]


@pytest.mark.parametrize("build", KINDS, ids=lambda build: build.__name__)
def test_copies_are_equal_everywhere(build: Callable[[Any], None], tmp_path: Path) -> None:
    def factory() -> nn.Module:
        return Holder(build)

    plan = ft.record(factory)
    originals = {name: f"critic.{'.'.join(name.split('.')[-2:])}" for name in plan}
    pairs = {name: of for name, of in originals.items() if name.startswith("target.") and of in plan}
    weights = [name for name in pairs if name.endswith("weight")]
    assert len(weights) == 2 and not plan.ties
    text = str(plan)
    for name, of in pairs.items():
        law = plan[name].distribution
        assert isinstance(law, Copied) and law.inner == plan[of].distribution
        assert f"the values of {of!r}" in text
    assert Plan.from_json(plan.to_json()) == plan

    arrays = fi.init(plan, seed=3)
    expected = fi.init(ft.record(mlp), seed=3, prefix="critic.")
    model = ft.init_(factory(), plan, seed=3)
    state = plain(model)
    for name, of in pairs.items():
        assert np.array_equal(arrays[name], arrays[of]) and np.array_equal(arrays[of], expected[of])
        assert np.ptp(arrays[name]) > 0
    for name, array in arrays.items():
        assert np.array_equal(state[name].numpy(), array)
    for name, tensor in plain(ft.build(factory, seed=3)).items():
        assert torch.equal(tensor, state[name])

    path = tmp_path / "model.safetensors"
    fi.checkpoints.write(plan, path, seed=3)
    assert not fi.checkpoints.verify(path) and not fi.checkpoints.verify(path, plan, seed=3)
    apart = {name: replace(plan[name], distribution=plan[of].distribution) for name, of in pairs.items()}
    path.unlink()
    fi.checkpoints.write(replace(plan, parameters={**plan.parameters, **apart}), path, seed=3)
    assert {finding.name for finding in fi.checkpoints.verify(path, plan, seed=3)} == set(pairs)
    # Any shard has the values of the whole.
    for name in weights:
        whole, tensor = arrays[name], torch.from_numpy(arrays[name])
        for rank in range(4):
            runs = sharded.index_runs(tensor.shape, (2, 2), divmod(rank, 2), shards())
            rows, columns = [np.concatenate([np.arange(a, a + n) for a, n in [*run, (0, 0)]]) for run in runs]
            local = torch.full((len(rows), len(columns)), torch.nan)
            task = sharded.task_of(tensor, local, plan[name].distribution, name, runs)
            sharded.fill_task(task, 3, 1)
            assert np.array_equal(local.numpy(), whole[np.ix_(rows.astype(int), columns.astype(int))])
        assert np.array_equal(plan.tensor(name, seed=3, block=np.s_[1:3, ::2]), whole[1:3, ::2])
        chunks = plan.chunks(name, iter([np.empty(7, np.float32) for _ in range(99)]), seed=3)
        assert np.array_equal(np.concatenate(list(chunks)), whole.reshape(-1))


def plain(model: nn.Module) -> dict[str, Any]:
    """The values by names without `AveragedModel`'s wrapper."""
    return {name.replace("target.module.", "target."): value for name, value in model.state_dict().items()}


def shards() -> list[Any]:
    from torch.distributed.tensor.placement_types import Shard

    return [Shard(0), Shard(1)]


def drawn(build: Callable[[Any], None], seed: int = 5) -> tuple[Plan, dict[str, Any]]:
    """The plan, and its values; `init_` and `build` give the same."""

    def factory() -> nn.Module:
        return Holder(build)

    plan = ft.record(factory)
    arrays = fi.init(plan, seed=seed)
    for name, tensor in ft.init_(factory(), plan, seed=seed).state_dict().items():
        assert np.array_equal(tensor.float().numpy(), arrays[name].astype(np.float32)), name
    return plan, arrays


@pytest.mark.parametrize("prefix", ["agent.", "my_", "a.b_"])
def test_prefixes_lead_to_the_original(prefix: str) -> None:
    plan, arrays = drawn(deep_copied)
    named = fi.init(plan, seed=5, prefix=prefix)
    assert np.array_equal(named[f"{prefix}target.0.weight"], named[f"{prefix}critic.0.weight"])
    assert not np.array_equal(named[f"{prefix}target.0.weight"], arrays["target.0.weight"])
    assert f"the values of '{prefix}critic.0.weight'" in str(plan.prefixed(prefix))


def test_a_part_of_the_model_is_enough() -> None:
    """A stage of a pipeline that has only the copy."""
    plan, arrays = drawn(deep_copied)
    stage: Any = Holder(lambda model: setattr(model, "target", mlp()))
    ft.init_(stage, plan, seed=5, strict=False)
    assert np.array_equal(stage.target[0].weight.detach().numpy(), arrays["critic.0.weight"])


def test_functions_and_parts_of_other_parameters() -> None:
    def build(model: Any) -> None:
        model.scaled = nn.Parameter(torch.empty(6, 4))
        model.w = nn.Parameter(nn.init.normal_(torch.empty(6, 4), std=0.1))
        w = model.w.detach()
        model.scaled.data.copy_(0.5 * w)
        model.shifted = nn.Parameter(w.clone().mul_(3).add_(1))
        model.negated = nn.Parameter(-w)
        model.grown = nn.Parameter(w.exp())
        model.negated_and_grown = nn.Parameter((-w).exp())
        model.rows = nn.Parameter(w[:4].clone())
        model.column = nn.Parameter(w[:, 2].clone())
        model.chosen = nn.Parameter(w[torch.tensor([1, 3, 5])])  # as peft's trainable tokens
        model.turned = nn.Parameter(w.t().contiguous())
        model.flat = nn.Parameter(w.reshape(-1).clone())
        model.repeated = nn.Parameter(w[0].expand(3, 4).clone())
        model.twice = nn.Parameter(torch.cat([w, -w]))
        model.register_buffer("anchor", w.clone())
        model.register_buffer("passing", w.clone(), persistent=False)

    plan, a = drawn(build)
    w = a["w"]
    assert not isinstance(plan["w"].distribution, Copied)
    exact = {
        "scaled": 0.5 * w,
        "negated": -w,
        "rows": w[:4],
        "column": w[:, 2],
        "chosen": w[[1, 3, 5]],
        "turned": w.T,
        "flat": w.reshape(-1),
        "repeated": np.stack([w[0]] * 3),
        "twice": np.concatenate([w, -w]),
        "anchor": w,
    }
    for name, values in exact.items():
        assert np.array_equal(a[name], values), name
    for name, values in {
        "shifted": 3 * w + 1,
        "grown": np.exp(w),
        "negated_and_grown": np.exp(-w),
    }.items():
        assert np.allclose(a[name], values, rtol=1e-6, atol=1e-7), name
    assert "made of the values of 'w'" in str(plan)
    model: Any = ft.init_(Holder(build), plan, seed=5)
    assert torch.equal(model.passing, model.w.detach())


def test_what_is_written_later_counts() -> None:
    def build(model: Any) -> None:
        model.one = nn.Embedding(8, 5, padding_idx=0)
        model.same = copy.deepcopy(model.one)  # with its row of zeros
        model.over = copy.deepcopy(model.one)
        nn.init.uniform_(model.over.weight[2:4], 5, 6)
        model.again = copy.deepcopy(model.one)
        nn.init.normal_(model.again.weight)  # all of it: nothing is left of the copy
        model.late = copy.deepcopy(model.one)
        nn.init.zeros_(model.one.weight[7])  # of the original only

    plan, a = drawn(build)
    one, over, late = (a[f"{name}.weight"] for name in ("one", "over", "late"))
    assert not one[[0, 7]].any() and late[7].any() and not late[0].any()
    assert np.array_equal(late[:7], one[:7]) and np.array_equal(a["same.weight"], late)
    assert np.array_equal(over[[0, 1, 4, 5, 6, 7]], late[[0, 1, 4, 5, 6, 7]])
    assert (over[2:4] >= 5).all()
    assert not isinstance(plan["again.weight"].distribution, Copied)
    assert not np.isin(a["again.weight"], one[1:7]).any()


def test_a_row_that_is_drawn_anew_after_the_copy_differs() -> None:
    def build(model: Any) -> None:
        model.w = nn.Parameter(torch.randn(4, 8))
        model.copy = nn.Parameter(model.w.detach().clone())
        nn.init.normal_(model.w[1])  # of the same distribution as before

    _, a = drawn(build)
    same = (a["w"] == a["copy"]).all(1)
    assert same.tolist() == [True, False, True, True]
    assert not (a["w"][1] == a["copy"][1]).any()


def test_copies_of_structured_distributions() -> None:
    def build(model: Any) -> None:
        model.w = nn.Linear(6, 4)
        nn.init.orthogonal_(model.w.weight)
        model.sparse = nn.Parameter(nn.init.sparse_(torch.empty(6, 4), 0.5))
        model.copy = copy.deepcopy(model.w)
        model.chain = copy.deepcopy(model.copy)
        model.halved = nn.Parameter(model.w.weight.detach() * 0.5)
        model.rows = nn.Parameter(model.w.weight.detach()[1:3].clone())
        model.sparse_copy = nn.Parameter(model.sparse.detach().clone())

    _, a = drawn(build)
    w = a["w.weight"]
    assert np.allclose(w @ w.T, np.eye(4), atol=1e-5)
    assert np.array_equal(a["copy.weight"], w) and np.array_equal(a["chain.weight"], w)
    assert np.array_equal(a["halved"], 0.5 * w) and np.array_equal(a["rows"], w[1:3])
    assert np.array_equal(a["sparse_copy"], a["sparse"]) and (a["sparse"] == 0).sum() == 12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.complex64])
def test_copies_in_other_dtypes(dtype: Any) -> None:
    def build(model: Any) -> None:
        model.w = nn.Parameter(torch.randn(64, 5, dtype=dtype))
        model.copy = nn.Parameter(model.w.detach().clone())
        if not dtype.is_complex:
            model.u = nn.Parameter(torch.rand(64, 65, dtype=dtype))
            model.v = copy.deepcopy(model.u)

    plan = ft.record(lambda: Holder(build))
    model: Any = ft.init_(Holder(build), plan, seed=0)
    assert torch.equal(model.w, model.copy) and model.w.detach().abs().sum() > 0
    if not dtype.is_complex:
        assert torch.equal(model.u, model.v)


def test_a_copy_in_a_narrow_dtype_is_the_rounded_original() -> None:
    def build(model: Any) -> None:
        model.u, model.n = nn.Parameter(torch.rand(300, 70)), nn.Parameter(torch.randn(300, 70))
        model.narrow_u = nn.Parameter(model.u.detach().bfloat16())
        model.narrow_n = nn.Parameter(model.n.detach().bfloat16())

    model: Any = ft.init_(Holder(build), ft.record(lambda: Holder(build)), seed=0)
    assert torch.equal(model.narrow_u, model.u.bfloat16())  # with its ones
    assert (model.narrow_u == 1).any()
    assert torch.equal(model.narrow_n, model.n.bfloat16())


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("norm", ["hook", "parametrisation"])
def test_weight_norm(norm: str) -> None:
    wrap = nn.utils.weight_norm if norm == "hook" else nn.utils.parametrizations.weight_norm

    def copied(model: Any) -> None:
        model.critic = wrap(nn.Linear(6, 4))
        model.target = wrap(nn.Linear(6, 4))
        model.target.load_state_dict(model.critic.state_dict())

    def wrapped_later(model: Any) -> None:
        model.critic = nn.Linear(6, 4)
        model.target = wrap(copy.deepcopy(model.critic))

    _, a = drawn(copied)
    names = [name for name in a if name.startswith("critic.")]
    assert len(names) == 3
    for name in names:
        assert np.array_equal(a[name], a[name.replace("critic", "target")]), name
    model: Any = ft.init_(Holder(wrapped_later), ft.record(lambda: Holder(wrapped_later)), seed=0)
    assert torch.allclose(model.target.weight, model.critic.weight, atol=1e-6)


@pytest.mark.parametrize(
    "wrap", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm], ids=["hook", "parametrisation"]
)
def test_spectral_norm(wrap: Any) -> None:
    def build(model: Any) -> None:
        model.critic, model.target = wrap(nn.Linear(6, 4)), wrap(nn.Linear(6, 4))
        model.target.load_state_dict(model.critic.state_dict())

    _, a = drawn(build)
    names = [name for name in a if name.startswith("critic.")]
    assert len(names) == 4
    for name in names:
        assert np.array_equal(a[name], a[name.replace("critic", "target")]), name


def test_layers_that_torch_copies_are_equal() -> None:
    def stack() -> Any:
        return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 3)

    built, arrays = stack().state_dict(), fi.init(ft.record(stack), seed=0)
    for name, tensor in built.items():
        of = "layers.0." + name.split(".", 2)[2]
        assert torch.equal(tensor, built[of]) and np.array_equal(arrays[name], arrays[of])


def test_parts_of_one_draw_stay_independent() -> None:
    def build(model: Any) -> None:
        whole = torch.randn(2, 100)
        model.a, model.b = nn.Parameter(whole[0].clone()), nn.Parameter(whole[1].clone())
        left, right = torch.randn(10, 4, 6).chunk(2, 1)
        model.c, model.d = nn.Parameter(left.contiguous()), nn.Parameter(right.contiguous())
        numbers = torch.randn(10, 5, dtype=torch.cfloat)
        model.e, model.f = nn.Parameter(numbers.real.clone()), nn.Parameter(numbers.imag.clone())

    plan, a = drawn(build)
    for one, other in ("ab", "cd", "ef"):
        assert not np.isin(a[one], a[other]).any()
    assert not any(isinstance(row.distribution, Copied) for row in plan.values())


def flipped(model: Any) -> None:
    model.w = nn.Parameter(torch.randn(4, 5))
    model.q = nn.Parameter(model.w.detach().flip(0))


def rows_without_order(model: Any) -> None:
    model.w = nn.Parameter(torch.randn(6, 5))
    model.q = nn.Parameter(model.w.detach()[torch.tensor([1, 2, 5])])


def with_noise(model: Any) -> None:
    model.w = nn.Parameter(torch.randn(4, 5))
    model.q = nn.Parameter(model.w.detach() + 0.1 * torch.randn(4, 5))


def with_common_noise(model: Any) -> None:
    noise = torch.randn(4, 5)
    model.w = nn.Parameter(torch.randn(4, 5) + noise)
    model.q = nn.Parameter(torch.randn(4, 5) + noise)


def overlapping(model: Any) -> None:
    whole = torch.randn(10)
    model.w, model.q = nn.Parameter(whole[:6].clone()), nn.Parameter(whole[3:].clone())


def widened(model: Any) -> None:
    model.w = nn.Parameter(torch.randn(4, 5, dtype=torch.bfloat16))
    model.q = nn.Parameter(model.w.detach().float())


def in_another_precision(model: Any) -> None:
    model.w = nn.Parameter(torch.randn(4, 5))
    model.q = nn.Parameter(model.w.detach().double())


def inverse_error_function(model: Any) -> None:
    model.w = nn.Parameter(torch.empty(4, 5).uniform_(-0.9, 0.9))
    model.q = nn.Parameter(model.w.detach().erfinv())


def part_in_a_narrow_dtype(model: Any) -> None:
    model.w = nn.Parameter(torch.rand(4, 5, dtype=torch.bfloat16))
    model.q = nn.Parameter(model.w.detach()[:2].clone())


def real_part(model: Any) -> None:
    model.w = nn.Parameter(torch.randn(4, 5, dtype=torch.cfloat))
    model.q = nn.Parameter(model.w.detach().real.clone())


def interleaved(model: Any) -> None:
    whole = torch.randn(4, 6)
    model.w, model.q = nn.Parameter(whole[:, :4].clone()), nn.Parameter(whole[:, 3:].clone())


REFUSED = [real_part, interleaved, flipped, rows_without_order, with_noise, with_common_noise, overlapping, widened, in_another_precision,
           inverse_error_function, part_in_a_narrow_dtype]  # fmt: skip


@pytest.mark.parametrize("build", REFUSED, ids=lambda build: build.__name__)
def test_what_no_distribution_tells_is_refused_by_name(build: Callable[[Any], None]) -> None:
    with pytest.raises(ValueError, match=r"parameter '[wq]': it has random values .* of which '[wq]' is"):
        ft.record(lambda: Holder(build))


def test_functions_of_one_draw_are_put_together_rightly() -> None:
    """A copy that was scaled is not the draw itself."""

    def build(model: Any) -> None:
        a = torch.randn(40, 50)
        half, minus = a * 0.5, -a
        model.sum = nn.Parameter(a + half)
        model.nothing = nn.Parameter(a + minus)

    _, a = drawn(build)
    assert abs(a["sum"].std() - 1.5) < 0.15 and not a["nothing"].any()


def test_the_survey_of_a_law_by_hand() -> None:
    law = Copied(fi.Normal(0.0, 0.5), "..critic.0.weight")
    assert law.moments() == (0.0, 0.5) and fi.laws.from_dict(law.to_dict()) == law
    with pytest.raises(ValueError, match="of must be a name"):
        Copied(fi.Normal(), "..")
    target, original = np.empty((5, 7), np.float32), np.empty((5, 7), np.float32)
    fi.fill(original, fi.Normal(0.0, 0.5), seed=1, name="critic.0.weight")
    fi.fill(target, law, seed=1, name="target.0.weight")
    assert np.array_equal(target, original)
