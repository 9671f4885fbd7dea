"""fastinit.torch.build: the model, its memory and its values in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

torch = optional("torch")
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8, padding_idx=3)
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
        self.layers[2].requires_grad_(False)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight
        self.head.weight.is_tied = True
        both = torch.randn(2, 8)
        self.first, self.second = nn.Parameter(both[0]), nn.Parameter(both[1])
        self.register_buffer("positions", torch.arange(5), persistent=False)
        self.register_buffer("noise", 0.5 * torch.randn(4))
        self.tables = {"cos": torch.linspace(0, 1, 5).cos(), "all": [torch.ones(2), self.norm.weight]}
        self.scale = torch.tensor(8**-0.5)

    def forward(self, x: Any) -> Any:
        h = self.embed(x) * self.scale + self.tables["cos"][self.positions][:, None]
        for layer in self.layers:
            h = torch.relu(layer(h)) * self.tables["all"][1]
        return self.head(h + self.first + self.second)


def state(model: nn.Module) -> dict[str, Any]:
    return {**dict(model.named_buffers()), **dict(model.named_parameters(remove_duplicate=False))}


def test_values_are_those_of_init() -> None:
    built = ft.build(Net, seed=3)
    plan = ft.record(Net)
    other = ft.init_(Net(), plan, seed=3)
    for name, tensor in state(other).items():
        assert torch.equal(tensor, state(built)[name]) and tensor.dtype == state(built)[name].dtype, name
    assert (built.embed.weight[3] == 0).all() and built.positions.tolist() == [0, 1, 2, 3, 4]
    for name, array in fi.init(plan, seed=3).items():
        np.testing.assert_array_equal(state(built)[name].detach(), array)
    x = torch.tensor([[1, 3, 5, 7, 9]])
    assert torch.equal(built(x), other(x))
    built(x).sum().backward()
    assert built.embed.weight.grad is not None


def test_what_is_one_stays_one() -> None:
    model = ft.build(Net, seed=0)
    assert model.head.weight is model.embed.weight and model.head.weight.is_tied
    assert model.tables["all"][1] is model.norm.weight
    assert model.first.untyped_storage().data_ptr() == model.second.untyped_storage().data_ptr()
    assert [p.requires_grad for p in model.layers[2].parameters()] == [False, False]
    assert not any(p.is_meta for p in state(model).values()) and model.training
    assert set(model.state_dict()) == set(Net().state_dict())


def test_another_dtype() -> None:
    model = ft.build(Net, seed=0, dtype=torch.bfloat16)
    like = Net().to(torch.bfloat16)
    ft.init_(like, ft.record(Net), seed=0)
    for name, tensor in state(like).items():
        assert tensor.dtype == state(model)[name].dtype, name
        assert torch.equal(tensor, state(model)[name]), name


def test_a_plan_of_the_callers() -> None:
    with torch.device("meta"):
        plan = ft.plan(Net(), {"first": "ones", "second": "zeros", "layers.*.weight": "orthogonal"})
    model = ft.build(Net, seed=1, plan=plan)
    assert (model.first == 1).all() and (model.second == 0).all()
    weight = model.layers[0].weight.detach()
    assert torch.allclose(weight @ weight.T, torch.eye(8), atol=1e-5)
    assert model.positions.tolist() == [0, 1, 2, 3, 4]  # by the model's code


def test_two_networks_from_one_seed() -> None:
    """The prefix has the meaning that it has in init_: names are those of a larger model."""
    plan = ft.record(Net)
    for prefix in ("q1.", "q2."):
        model, named = ft.build(Net, seed=7, prefix=prefix), plan.prefixed(prefix)
        arrays = fi.init(plan, seed=7, prefix=prefix)
        assert arrays.keys() == {prefix + name for name in (*plan.stored, *plan.ties)}
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                assert np.array_equal(tensor, arrays[prefix + name]), name
        assert ft.checksum({prefix: model}, named) == fi.checksum(arrays) == fi.checksum(named, seed=7)
        assert ft.verify({prefix: model}, named, seed=7) == []
        for other in (ft.build(Net, seed=7, plan=named, prefix=prefix),
                      ft.init_(Net(), named, seed=7, prefix=prefix)):  # fmt: skip
            assert ft.checksum({prefix: other}, named) == fi.checksum(named, seed=7)
        assert not np.array_equal(arrays[prefix + "first"], fi.init(plan, seed=7)["first"])
    both = nn.ModuleDict(
        {"q1": ft.build(Net, seed=7, prefix="q1."), "q2": ft.build(Net, seed=7, prefix="q2.")}
    )
    whole = ft.build(lambda: nn.ModuleDict({"q1": Net(), "q2": Net()}), seed=7)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, both.state_dict()[name]), name
    with pytest.raises(ValueError, match=r"'q1\.embed\.weight' is not in the plan"):
        ft.build(Net, seed=7, plan=plan, prefix="q1.")


class Unknown(nn.Module):
    """A parameter that is never written: only a plan says what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 4))


def test_a_plan_serves_where_the_code_says_nothing() -> None:
    with pytest.raises(ValueError, match="'weight': it is never initialised"):
        ft.build(Unknown, seed=0)
    model = ft.build(Unknown, seed=0, plan=fi.plan({"weight": (4, 4)}, "he_normal"))
    np.testing.assert_array_equal(model.weight.detach(), fi.he_normal((4, 4), seed=0, name="weight"))
    with pytest.raises(ValueError, match="'weight': it is never initialised"):
        ft.build(Unknown, seed=0, plan=fi.plan({"other": (4, 4)}))
    with pytest.raises(ValueError, match="'bias' is not in the plan"):
        ft.build(lambda: nn.Linear(4, 4), seed=0, plan=fi.plan({"weight": (4, 4)}))


def test_what_a_plan_leaves_alone_is_as_the_code_makes_it() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)
            self.table = nn.Parameter(torch.arange(6.0).view(2, 3).sin(), requires_grad=False)

    plan = ft.plan(Table(), "he_normal")
    model = ft.build(Table, seed=0, plan=plan)
    assert torch.equal(model.table, Table().table) and not model.table.requires_grad
    np.testing.assert_array_equal(model.fc.weight.detach(), fi.he_normal((3, 3), seed=0, name="fc.weight"))


def with_attribute(make: Any, buffer: bool = False) -> Any:
    def factory() -> nn.Module:
        model = nn.Sequential(nn.Linear(2, 2))
        model[0].register_buffer("extra", make()) if buffer else setattr(model[0], "extra", [make()])
        return model

    return factory


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match=r"'0.extra' is a tensor beside parameters and buffers.*randn"):
        ft.build(with_attribute(lambda: torch.randn(3)), seed=0)
    with pytest.raises(ValueError, match=r"the buffers '0.extra'"):
        ft.build(with_attribute(lambda: torch.randperm(9), buffer=True), seed=0)
    for wrong in (
        {"device": "meta"},
        {"dtype": torch.int8},
        {"dtype": "float16"},
        {"plan": {}},
        {"device": "nowhere"},
    ):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            ft.build(Net, seed=0, **wrong)
    with pytest.raises(TypeError, match="factory"):
        ft.build(Net(), seed=0)


def test_models_of_transformers() -> None:
    transformers: Any = optional("transformers")
    sizes = {
        "vocab_size": 64,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
    }
    config = transformers.LlamaConfig(**sizes, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2)

    def factory() -> Any:
        return transformers.LlamaForCausalLM(config)

    model, like = ft.build(factory, seed=7), ft.init_(factory(), ft.record(factory), seed=7)
    x = torch.arange(12)[None]
    assert torch.equal(model(x).logits, like(x).logits)
    assert model.lm_head.weight is model.model.embed_tokens.weight


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_are_computed(kind: str, hooks: bool) -> None:
    wrap = getattr(nn.utils if hooks else nn.utils.parametrizations, kind)

    def factory() -> nn.Module:
        return nn.Sequential(wrap(nn.Linear(5, 4)), nn.ReLU())

    model, like = ft.build(factory, seed=2).eval(), ft.init_(factory(), ft.record(factory), seed=2).eval()
    assert all(torch.equal(tensor, state(model)[name]) for name, tensor in state(like).items())
    assert torch.equal(model[0].weight, like[0].weight) and not model[0].weight.is_meta
    x = torch.ones(2, 5)
    assert torch.equal(model(x), like(x))
