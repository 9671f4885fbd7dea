"""Whole torch modules: names, fans, plans, what is written and what is not."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from conftest import ROOT, optional, program_of

import fastinit as fi
from fastinit.laws.composed import Patched

torch = optional("torch")
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402


def equal(model: nn.Module, arrays: Any, names: Any = None) -> None:
    for name, tensor in model.named_parameters():
        assert (tensor.detach().numpy() == arrays[(names or {}).get(name, name)]).all(), name


FANS = [
    (nn.Linear(8, 4), "weight", (8, 4)),
    (nn.Conv1d(8, 4, 3), "weight", (24, 12)),
    (nn.Conv2d(8, 4, 3, stride=2), "weight", (72, 9)),
    (nn.Conv2d(8, 16, 3, groups=4), "weight", (18, 36)),
    (nn.Conv2d(8, 8, 3, groups=8), "weight", (9, 9)),
    (nn.Conv3d(2, 4, 3), "weight", (54, 108)),
    (nn.ConvTranspose1d(8, 4, 4, stride=2), "weight", (16, 16)),
    (nn.ConvTranspose2d(8, 4, 4, stride=2), "weight", (32, 64)),
    (nn.ConvTranspose2d(8, 4, 4, stride=(4, 1), groups=2), "weight", (16, 32)),
    (nn.Bilinear(3, 4, 5), "weight", (12, 20)),
    (nn.LSTM(6, 8), "weight_ih_l0", (6, 8)),
    (nn.LSTM(6, 8), "weight_hh_l0", (8, 8)),
    (nn.LSTM(6, 8, proj_size=2), "weight_hr_l0", (8, 2)),
    (nn.GRU(6, 8, bidirectional=True), "weight_ih_l0_reverse", (6, 8)),
    (nn.RNN(6, 8), "weight_ih_l0", (6, 8)),
    (nn.LSTMCell(6, 8), "weight_ih", (6, 8)),
    (nn.GRUCell(6, 8), "weight_hh", (8, 8)),
    (nn.MultiheadAttention(8, 2), "in_proj_weight", (8, 8)),
    (nn.MultiheadAttention(8, 2, kdim=6, vdim=4), "k_proj_weight", (6, 8)),
    (nn.MultiheadAttention(8, 2), "out_proj.weight", (8, 8)),
    (nn.Sequential(nn.ModuleDict({"qkv": nn.Linear(8, 24)})), "0.qkv.weight", (8, 8)),
    (nn.Linear(8, 24), "weight", (8, 24)),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "fans"), FANS, ids=lambda value: str(value)[:40])
def test_fans(module: nn.Module, name: str, fans: tuple[float, float]) -> None:
    assert ft.plan(module, "xavier_normal")[name].fans == fi.schemes.Fans(*map(float, fans))


def test_what_is_no_weight() -> None:
    model = nn.Sequential(nn.Embedding(10, 4, padding_idx=3), nn.LayerNorm(4), nn.BatchNorm1d(4), nn.GroupNorm(2, 4),
                          nn.RMSNorm(4), nn.InstanceNorm1d(4, affine=True), nn.PReLU(3), nn.LSTM(4, 4),
                          nn.EmbeddingBag(9, 4, padding_idx=0), nn.MultiheadAttention(4, 2, add_bias_kv=True))  # fmt: skip
    running = {name: buffer.clone() for name, buffer in model.named_buffers()}
    assert ft.init_(model, "he_normal", seed=0) is model
    for i in range(1, 6):
        assert (model[i].weight == 1).all()
        assert getattr(model[i], "bias", None) is None or (model[i].bias == 0).all()
    assert (model[6].weight == 0.25).all()
    for name in ("bias_ih_l0", "bias_hh_l0"):
        assert (getattr(model[7], name) == 0).all()
    assert (model[9].in_proj_bias == 0).all() and (model[9].bias_k == 0).all()
    for i, padding in ((0, 3), (8, 0)):
        zero = (model[i].weight == 0).all(1)
        assert zero[padding] and zero.sum() == 1
    assert all((buffer == running[name]).all() for name, buffer in model.named_buffers())


LAYERS = program_of("bench/layers.py")


@pytest.mark.parametrize("name", LAYERS.CASES)
def test_every_layer_keeps_the_signal(name: str) -> None:
    case = LAYERS.CASES[name]
    assert LAYERS.ratio(case, LAYERS.ours(case), error=0.01) == pytest.approx(1, abs=0.02)


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Conv1d(8, 8, 1, groups=2), nn.LayerNorm(8))


@pytest.mark.parametrize("scheme", ["auto", "he_normal", "xavier_uniform", "orthogonal", "default"])
def test_the_values_are_those_of_the_plan(scheme: str) -> None:
    module = model()
    plan = ft.plan(module, scheme)
    assert plan.source == f"recipe {scheme}" and list(plan) == [name for name, _ in module.named_parameters()]
    equal(ft.init_(module, scheme, seed=5), fi.init(plan, seed=5))
    threaded = ft.init_(model(), scheme, seed=5, threads=1)
    assert all((a == b).all() for a, b in zip(module.parameters(), threaded.parameters(), strict=True))


def test_prefix_and_numbers() -> None:
    part = ft.init_(nn.Linear(6, 8), "xavier_uniform", seed=1, prefix="encoder.fc.", gain=0.5)
    assert (
        part.weight.detach().numpy() == fi.xavier_uniform((8, 6), seed=1, name="encoder.fc.weight", gain=0.5)
    ).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_dtypes(dtype: str) -> None:
    module = nn.Linear(64, 64, dtype=getattr(torch, dtype))
    ft.init_(module, "he_uniform", seed=1)
    assert ft.plan(module, "he_uniform")["weight"].dtype == dtype
    want = fi.he_uniform((64, 64), seed=1, name="weight", dtype=dtype).astype("float64")
    assert (module.weight.detach().double().numpy() == want).all()


def test_strided_parameters() -> None:
    module = nn.Conv2d(4, 8, 3).to(memory_format=torch.channels_last)
    ft.init_(module, "he_normal", seed=2)
    assert not module.weight.is_contiguous()
    assert (module.weight.detach().numpy() == fi.he_normal((8, 4, 3, 3), seed=2, name="weight")).all()


class Tied(nn.Module):
    def __init__(self, padding: int | None = None, head_first: bool = False) -> None:
        super().__init__()
        if head_first:
            self.head = nn.Linear(4, 10)
        self.embedding = nn.Embedding(10, 4, padding_idx=padding)
        if not head_first:
            self.head = nn.Linear(4, 10)
        self.head.weight = self.embedding.weight


@pytest.mark.parametrize("head_first", [False, True])
def test_ties_are_drawn_once(head_first: bool) -> None:
    module = Tied(padding=2, head_first=head_first)
    first, second = ("head", "embedding") if head_first else ("embedding", "head")
    plan = ft.plan(module)
    assert plan.ties == {f"{second}.weight": f"{first}.weight"}
    law = Patched(fi.Normal(0.0, 0.5), (((2, (0, 4, 1)), fi.Constant(0.0)),))  # the fan_in of the output
    assert plan[f"{first}.weight"].distribution == law
    ft.init_(module, seed=0)
    want = fi.lecun_normal((10, 4), seed=0, name=f"{first}.weight")
    want[2] = 0
    assert (module.head.weight.detach().numpy() == want).all()


class DataParallel(nn.Module):
    """Stands in for torch's, which wants devices."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


class Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.module = model()  # an honest name, and no wrapper


@pytest.mark.filterwarnings("ignore:.*script_method.*:DeprecationWarning")  # of torch.compile
def test_wrappers_are_no_part_of_a_name() -> None:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    wanted = [name for name, _ in model().named_parameters()]
    inner = model()
    inner[2] = checkpoint_wrapper(inner[2])
    assert list(ft.plan(inner)) == wanted
    assert list(ft.plan(DataParallel(inner))) == wanted
    assert list(ft.plan(torch.compile(DataParallel(inner)))) == wanted
    assert list(ft.plan(Holder())) == [f"module.{name}" for name in wanted]
    plain = ft.init_(model(), seed=0)
    wrapped = ft.init_(torch.compile(DataParallel(inner)), seed=0)
    assert all((a == b).all() for a, b in zip(plain.parameters(), wrapped.parameters(), strict=True))
    assert ft.plan(DataParallel(inner)).parameters == ft.plan(inner).parameters


def test_autograd_sees_the_write() -> None:
    module = nn.Linear(3, 3)
    loss = (module.weight * module.weight).sum()
    ft.init_(module, "he_normal", seed=0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    assert module.weight.requires_grad and module.weight.is_leaf


def test_recipes_decide() -> None:
    recipe = ROOT / "tests" / "vectors" / "none.toml"
    with pytest.raises(FileNotFoundError):
        ft.plan(model(), recipe)
    plan = ft.plan(model(), "default", rules=[{"match": "2.weight", "scheme": "ones"}])
    assert plan["0.weight"].scheme == "xavier_normal" and plan["2.weight"].scheme == "ones"
    up = ft.plan(nn.ConvTranspose2d(8, 4, 4, stride=2), "default")
    assert up["weight"].fans == fi.schemes.Fans(32.0, 64.0)


class Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.up = nn.Parameter(torch.arange(96.0).view(3, 4, 8))
        self.scale = nn.Parameter(torch.arange(4.0))
        self.token = nn.Parameter(torch.full((1, 1, 4), 7.0))
        self.own_bias = nn.Parameter(torch.full((4,), 7.0))
        self.table = nn.Parameter(torch.arange(24.0).view(6, 4))


def test_unknown_parameters_are_all_named_and_nothing_is_written() -> None:
    module = Experts()
    before = copy.deepcopy(module.state_dict())
    for recipe in ("auto", "he_normal", "default"):
        with pytest.raises(
            ValueError, match=r"'up' of shape \(3, 4, 8\), 'scale' of shape \(4,\), 'table' of shape \(6, 4\)"
        ):
            ft.init_(module, recipe, seed=0)
    assert all((before[name] == tensor).all() for name, tensor in module.state_dict().items())
    rules = [{"match": ["scale", "table"], "scheme": "normal", "std": 0.3}]
    plan = ft.plan(module, "he_normal", layouts={"u*": "bio"}, rules=rules)
    assert plan["up"].fans == fi.schemes.Fans(4.0, 8.0)
    assert plan["table"].distribution == fi.Normal(0.0, 0.3) and plan["table"].rule == 1
    assert plan["token"].distribution == fi.Normal(0.0, 0.02) and plan["own_bias"].scheme == "zeros"
    equal(ft.init_(module, "he_normal", seed=0, layouts={"u*": "bio"}, rules=rules), fi.init(plan, seed=0))


def bad_meta() -> nn.Module:
    with torch.device("meta"):
        return nn.Linear(3, 3)


def bad_dtype(dtype: str) -> nn.Module:
    module = nn.Linear(3, 3)
    module.weight = nn.Parameter(torch.ones(3, 3, dtype=getattr(torch, dtype)), requires_grad=False)
    return module


def bad_layout() -> nn.Module:
    module = nn.Linear(3, 3)
    tensor = torch.zeros(3, 3).to_sparse()
    module.weight = nn.Parameter(tensor)
    return module


def test_what_is_not_stored_as_it_reads_gets_the_same_values() -> None:
    plain, negated = nn.Linear(40, 30), nn.Linear(40, 30)
    negated.weight = nn.Parameter(torch._neg_view(torch.zeros(30, 40)))
    ft.init_(plain, "orthogonal", seed=1)
    ft.init_(negated, "orthogonal", seed=1)
    assert torch.equal(plain.weight, negated.weight)


def overlapping() -> nn.Module:
    module = nn.Linear(3, 3)
    module.bias = nn.Parameter(torch.zeros(1).expand(3))
    return module


def overflowing() -> nn.Module:
    return nn.Linear(3, 3, dtype=torch.float16)


BAD = [
    (lambda: (bad_meta(), "he_normal", {}), ValueError, "to_empty"),
    (lambda: (bad_dtype("int32"), "he_normal", {"frozen": True}), ValueError, "int32"),
    (lambda: (bad_dtype("float8_e8m0fnu"), "he_normal", {"frozen": True}), ValueError, "float8_e8m0fnu"),
    (lambda: (bad_layout(), "he_normal", {}), ValueError, "must be dense"),
    (lambda: (overlapping(), "he_normal", {}), ValueError, "overlap"),
    (lambda: (overflowing(), "normal", {"std": 1e9}), ValueError, "weight"),
    (lambda: (nn.LazyLinear(3), "he_normal", {}), ValueError, "lazy"),
    (lambda: (torch.ones(3), "he_normal", {}), TypeError, "model"),
    (lambda: (model(), "he_norml", {}), ValueError, "did you mean 'he_normal'"),
    (lambda: (model(), "he_normal", {"std": 1.0}), TypeError, "takes no 'std'"),
    (lambda: (model(), "auto", {"gain": 1.0}), TypeError, "only a scheme takes numbers"),
    (lambda: (model(), "he_normal", {"layouts": {"nothing*": "oi"}}), ValueError, "nothing"),
    (lambda: (model(), "he_normal", {"rules": [{"match": "nothing", "scheme": "ones"}]}), ValueError, "takes no parameter"),
    (lambda: (model(), "he_normal", {"seed": -1}), ValueError, "seed"),
    (lambda: (model(), "he_normal", {"prefix": 3}), TypeError, "prefix"),
    (lambda: (model(), "he_normal", {"threads": 0}), ValueError, "threads"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "text"), BAD, ids=[text for _, _, text in BAD])
def test_bad_input_writes_nothing(make: Any, error: type[Exception], text: str) -> None:
    module, scheme, options = make()
    before = (
        {n: t.clone() for n, t in module.state_dict().items()}
        if text in ("overlap", "seed", "weight")
        else {}
    )
    with pytest.raises(error, match=text):
        ft.init_(module, scheme, **{"seed": 0, **options})
    assert all((module.state_dict()[name] == tensor).all() for name, tensor in before.items())


def test_gpt2_of_transformers() -> None:
    transformers = optional("transformers")
    config = transformers.GPT2Config(
        n_layer=2, n_embd=8, n_head=2, vocab_size=20, n_positions=4, bos_token_id=0, eos_token_id=0
    )
    module = transformers.GPT2LMHeadModel(config)
    plan = ft.plan(module)
    assert plan.ties == {"lm_head.weight": "transformer.wte.weight"}
    assert plan["transformer.h.0.attn.c_attn.weight"].fans == fi.schemes.Fans(8.0, 8.0)
    assert plan["transformer.h.0.mlp.c_fc.weight"].fans == fi.schemes.Fans(8.0, 32.0)
    assert "gelu_tanh follows" in plan["transformer.h.0.mlp.c_fc.weight"].reason
    assert plan["transformer.h.1.mlp.c_proj.weight"].distribution.std == pytest.approx(
        0.5 * math.sqrt(2 / 40)
    )
    equal(ft.init_(module, "gpt2", seed=0), fi.init(ft.plan(module, "gpt2"), seed=0))
