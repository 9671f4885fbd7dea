"""Whole torch modules: names, fans, plans, what is written and what is not; and what auto finds."""

from __future__ import annotations

import copy
import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.laws.composed import Patched

torch = optional("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

import fastinit.torch as ft  # noqa: E402
from fastinit.torch.graph import by_graph  # noqa: E402

ROOT = Path(__file__).parents[1]


def equal(model: nn.Module, arrays: Any, names: Any = None) -> None:
    for name, tensor in model.named_parameters():
        assert (tensor.detach().numpy() == arrays[(names or {}).get(name, name)]).all(), name


# ------------------------------------------------------------------------------------------- fans

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


# ------------------------------------------------------------------------------- layers, as measured


def _bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_layers", ROOT / "bench" / "layers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


LAYERS = _bench()


@pytest.mark.parametrize("name", LAYERS.CASES)
def test_every_layer_keeps_the_signal(name: str) -> None:
    case = LAYERS.CASES[name]
    assert LAYERS.ratio(case, LAYERS.ours(case), error=0.01) == pytest.approx(1, abs=0.02)


# -------------------------------------------------------------------------------- values and names


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


# ------------------------------------------------------------------------------------- what is not known


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


# ------------------------------------------------------------------------------------------------- auto


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        h = self.norm_1(x)
        x = x + self.attention(h, h, h)[0]
        return x + self.down(F.gelu(self.up(self.norm_2(x))))


class Transformer(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, width)
        self.blocks = nn.Sequential(Block(width), Block(width), Block(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 20)

    def forward(self, tokens: Any, targets: Any = None) -> Any:
        logits = self.head(self.norm(self.blocks(self.embedding(tokens))))
        return logits if targets is None else F.cross_entropy(logits.view(-1, 20), targets.view(-1))


class Residual(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv_1, self.norm_1 = nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out)
        self.conv_2, self.norm_2 = nn.Conv2d(n_out, n_out, 3, padding=1), nn.BatchNorm2d(n_out)
        self.short = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else None
        self.last = nn.Conv2d(n_out, n_out, 1)

    def forward(self, x: Any) -> Any:
        h = self.norm_2(self.conv_2(F.relu(self.norm_1(self.conv_1(x)))))
        x = torch.relu(h + (x if self.short is None else self.short(x)))
        return x + self.last(x)


class Mixed(nn.Module):
    """Activations of all spellings."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h = (nn.Linear(4, 4) for _ in range(8))
        self.act = nn.LeakyReLU(0.3)
        self.soft = nn.ELU(alpha=2.0)

    def forward(self, x: Any) -> Any:
        x = self.act(F.dropout(self.a(x), 0.1))
        x = self.b(x).tanh()
        x = torch.sin(30 * self.c(x))
        x = self.soft(self.d(x).view(-1, 4))
        x = self.e(x)
        x = x * torch.sigmoid(x)
        x = F.leaky_relu(self.f(x), 0.1)
        x = F.gelu(self.g(x), approximate="tanh")
        return F.log_softmax(self.h(x), -1)


def std(plan: Any, name: str) -> float:
    return float(plan[name].distribution.moments()[1])


def test_auto_follows_the_graph() -> None:
    plan = ft.plan(Mixed())
    assert [plan[f"{name}.weight"].scheme for name in "abcdefgh"] == [
        "he_normal", "xavier_normal", "siren", "he_normal", "he_normal", "he_normal", "he_normal", "lecun_normal"
    ]  # fmt: skip
    elu = fi.gain(lambda z: np.where(z > 0, z, 2 * np.expm1(np.minimum(z, 0))))
    gains = [fi.gain("leaky_relu", 0.3), fi.gain("tanh", kind="exact"), math.sqrt(2) / 30, elu, fi.gain("silu"),
             fi.gain("leaky_relu", 0.1), fi.gain("gelu_tanh"), 1.0]  # fmt: skip
    assert [std(plan, f"{name}.weight") * 2 for name in "abcdefgh"] == pytest.approx(gains, rel=1e-6)
    assert "tanh follows (by graph)" in plan["b.weight"].reason and "output" in plan["h.weight"].reason


def test_auto_scales_the_ends_of_branches() -> None:
    plan = ft.plan(Transformer())
    scale = 1 / math.sqrt(6)  # two branches in each of three blocks
    for i in range(3):
        assert std(plan, f"blocks.{i}.attention.out_proj.weight") == pytest.approx(scale / 4)
        assert std(plan, f"blocks.{i}.attention.in_proj_weight") == pytest.approx(1 / 4)
        assert std(plan, f"blocks.{i}.up.weight") == pytest.approx(fi.gain("gelu") / 4)
        assert std(plan, f"blocks.{i}.down.weight") == pytest.approx(scale * math.sqrt(2 / 80))
    assert plan["embedding.weight"].distribution == fi.Normal(0.0, 0.02)
    assert plan["head.weight"].scheme == "lecun_normal"


def test_auto_knows_shortcuts_from_branches() -> None:
    plan = ft.plan(nn.Sequential(Residual(4, 8), Residual(8, 8)))
    scale = 1 / 2  # four branches
    for i in range(2):
        assert std(plan, f"{i}.conv_2.weight") == pytest.approx(math.sqrt(2 / 72))
        assert plan[f"{i}.norm_1.weight"].distribution == fi.Constant(1.0)
        assert plan[f"{i}.norm_2.weight"].distribution == fi.Constant(
            scale
        )  # it would undo a scale of conv_2
        assert std(plan, f"{i}.last.weight") == pytest.approx(scale / math.sqrt(8))
        assert plan[f"{i}.conv_1.bias"].scheme == "zeros"
    assert std(plan, "0.short.weight") == pytest.approx(math.sqrt(2 / 4))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(8, 8), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        logits = self.fc(F.relu(self.lstm(x)[0]))
        return logits, torch.tanh(logits)


def test_gates_are_no_activation_and_outputs_may_have_one() -> None:
    plan = ft.plan(Recurrent())
    assert std(plan, "lstm.weight_ih_l0") == pytest.approx(1 / math.sqrt(8))
    assert plan["lstm.weight_hh_l0"].scheme == "orthogonal" and plan["lstm.bias_ih_l0"].scheme == "zeros"
    state = ft.init_(Recurrent(), seed=0).lstm.weight_hh_l0.detach().double().view(4, 8, 8)
    assert torch.allclose(state @ state.mT, torch.eye(8, dtype=torch.float64).expand(4, 8, 8), atol=1e-6)
    assert plan["fc.weight"].scheme == "xavier_normal" and "tanh follows" in plan["fc.weight"].reason


def test_deep_relu_stacks_get_positive_biases() -> None:
    layers = [module for _ in range(6) for module in (nn.Linear(8, 8), nn.ReLU())]
    plan = ft.plan(nn.Sequential(*layers))
    assert plan["0.bias"].distribution == fi.Constant(0.01)
    assert ft.plan(nn.Sequential(*layers[:4]))["0.bias"].distribution == fi.Constant(0.0)


class Untraceable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(8, 24), "c_proj": nn.Linear(8, 8)})
        self.c_fc, self.c_proj, self.act = nn.Linear(8, 32), nn.Linear(32, 8), nn.SiLU()
        self.norm, self.pooler = nn.LayerNorm(8), nn.Linear(8, 8)
        self.activation, self.calls = nn.Tanh(), 0
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.last, self.drawn = x, torch.rand(3)
        return x if x.sum() > 0 else -x


class Mlp(nn.Module):
    """Registers its activation behind its layers, as transformers' GPT-2 does."""

    def __init__(self) -> None:
        super().__init__()
        self.c_fc, self.c_proj, self.act = nn.Linear(8, 32), nn.Linear(32, 8), nn.SiLU()


class ByOrder(Untraceable):
    def __init__(self) -> None:
        super().__init__()
        self.mlp, self.out, self.tanh = Mlp(), nn.Linear(8, 8), nn.Tanh()
        self.head = nn.Linear(8, 3)
        del self.c_fc, self.c_proj, self.act, self.pooler, self.activation


def test_auto_goes_by_order_where_nothing_traces() -> None:
    module = ByOrder()
    plan = ft.plan(module)
    reasons = {name: row.reason for name, row in plan.items()}
    assert "silu follows (by order of modules)" in reasons["mlp.c_fc.weight"]
    assert "no activation is seen (by order of modules)" in reasons["mlp.c_proj.weight"]
    assert "tanh follows" in reasons["out.weight"] and "output follows" in reasons["head.weight"]
    scale = 1 / math.sqrt(2)
    assert std(plan, "mlp.c_proj.weight") == pytest.approx(scale * math.sqrt(2 / 40))
    assert std(plan, "attn.c_proj.weight") == pytest.approx(scale / math.sqrt(8))
    assert plan["attn.c_attn.weight"].fans == fi.schemes.Fans(8.0, 8.0)


def test_tracing_leaves_no_trace() -> None:
    module, state = Untraceable(), torch.get_rng_state()
    before = dict(vars(module))
    assert by_graph(module) is None
    assert vars(module) == before and (torch.get_rng_state() == state).all()
    assert by_graph(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))) is not None


def test_torchs_own_transformer() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
    plan = ft.plan(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))
    assert std(plan, "layers.1.linear1.weight") == pytest.approx(fi.gain("gelu") / math.sqrt(8))
    assert std(plan, "layers.1.linear2.weight") == pytest.approx(0.5 * math.sqrt(2 / 24))
    assert std(plan, "layers.1.self_attn.out_proj.weight") == pytest.approx(0.5 / math.sqrt(8))


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
    assert std(plan, "transformer.h.1.mlp.c_proj.weight") == pytest.approx(0.5 * math.sqrt(2 / 40))
    equal(ft.init_(module, "gpt2", seed=0), fi.init(ft.plan(module, "gpt2"), seed=0))


def test_a_deep_network_keeps_its_signal() -> None:
    """What it is all for: 20 layers of ReLU, convolutions and transposed convolutions among them."""
    layers: list[nn.Module] = []
    for _ in range(10):
        layers += [nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular"), nn.ReLU()]
        layers += [nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular", groups=2), nn.ReLU()]
    module = nn.Sequential(*layers)
    x = torch.randn(2, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ratios = [float(ft.init_(module, seed=seed)(x).square().mean()) for seed in range(4)]
    assert 0.3 < sum(ratios) / 4 < 3
