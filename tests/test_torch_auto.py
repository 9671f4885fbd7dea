"""Models by "auto": activations that follow, ends of branches, what cannot be traced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

torch = optional("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

import fastinit.torch as ft  # noqa: E402
from fastinit.torch.graph import by_graph  # noqa: E402


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
