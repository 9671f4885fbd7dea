"""Parameters of which no theory speaks: they get what the model's own code gives them, or are refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import optional

from fastinit.laws.distributions import Constant, Normal, Uniform

torch = optional("torch")
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402

RECIPES = ["auto", "he_normal", "default"]


class Scaled(nn.Module):
    """Values of its own, which no method can give again."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))
        self.layer_scale = nn.Parameter(1e-6 * torch.ones(4))
        self.mystery = nn.Parameter(torch.full((3, 3), 0.5))


class Attention(nn.Module):
    """Raw parameters that `reset_parameters` draws."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std
        self.att_src, self.sinks = nn.Parameter(torch.empty(1, 2, 4)), nn.Parameter(torch.empty(2))
        self.lin = nn.Linear(4, 8)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.att_src, -0.5, 0.5)
        nn.init.normal_(self.sinks, std=self.std)
        self.lin.reset_parameters()


@pytest.mark.parametrize("recipe", RECIPES)
def test_scales_keep_the_value_that_the_model_has(recipe: str) -> None:
    model = Scaled()
    rows = ft.plan(model, recipe)
    assert rows["logit_scale"].distribution == Constant(float(torch.tensor(2.6593)))
    assert rows["layer_scale"].reason == "a layer scale: the model's own value"
    assert rows["mystery"].distribution == Constant(0.5) and rows["mystery"].reason == "the model's own value"
    ft.init_(model, recipe, seed=0)
    assert model.logit_scale.item() == pytest.approx(2.6593)
    assert (model.layer_scale == torch.tensor(1e-6)).all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_scales_without_a_value_are_refused(recipe: str) -> None:
    with torch.device("meta"):
        model = Scaled()
    with pytest.raises(ValueError, match=r"'logit_scale'.*\(a logit scale or temperature\), 'layer_scale'"):
        ft.plan(model, recipe)
    model.to_empty(device="cpu")  # what it holds now is not the model's
    with torch.no_grad():
        before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=r"'logit_scale'.*'layer_scale'"):
        ft.init_(model, recipe, seed=0)
    assert all(
        torch.equal(p.nan_to_num(), q.nan_to_num()) for p, q in zip(model.parameters(), before, strict=True)
    )
    model.fc.reset_parameters()
    with pytest.raises(ValueError, match=r"'0.logit_scale'.*'0.layer_scale'"):
        ft.plan(nn.Sequential(model, nn.Linear(2, 2, device="meta").to_empty(device="cpu")), recipe)
    uneven = Scaled()
    with torch.no_grad():
        uneven.layer_scale[1] = 2
    with pytest.raises(ValueError, match="parameter 'layer_scale'"):
        ft.plan(uneven, recipe)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_reset_parameters_draws(recipe: str, device: str) -> None:
    with torch.device(device):
        model = nn.Sequential(nn.Linear(4, 4), Attention(0.25), Attention(0.75))
    rows = ft.plan(model, recipe)
    assert rows["1.att_src"].distribution == Uniform(-0.5, 0.5)
    assert rows["1.sinks"].distribution == Normal(0, 0.25)
    assert rows["2.sinks"].distribution == Normal(0, 0.75)
    assert rows["2.sinks"].reason == "the model's code: normal"
    assert rows["1.lin.bias"].distribution == Constant(0)  # the theory speaks of it
    model.to_empty(device="cpu")
    ft.init_(model, recipe, seed=0)
    assert model[1].att_src.abs().max() <= 0.5 and all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("fault", ["raises", "another shape", "leaves one out"])
def test_reset_parameters_that_cannot_be_followed(fault: str) -> None:
    class Faulty(Attention):
        def reset_parameters(self) -> None:
            nn.init.zeros_(self.att_src)
            if fault == "raises" and self.sinks.is_meta:
                raise KeyError("no")
            if fault == "another shape":
                self.sinks = nn.Parameter(torch.zeros(3))
            if fault != "leaves one out":
                nn.init.zeros_(self.sinks)

    model = Faulty(1.0)
    model.sinks = nn.Parameter(torch.arange(2.0))
    with pytest.raises(ValueError, match=r"'sinks' of shape \(2,\)"):
        ft.plan(model)


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_models_of_transformers_are_built_again(device: str, wrapped: bool) -> None:
    transformers: Any = optional("transformers")
    config = transformers.Mamba2Config(vocab_size=32, hidden_size=16, num_heads=4, head_dim=8, num_hidden_layers=2, state_size=4,
                                       n_groups=1)  # fmt: skip
    with torch.device(device):
        model = transformers.Mamba2ForCausalLM(config)
        model = nn.ModuleDict({"lm": model, "head": nn.Linear(2, 2)}) if wrapped else model
    prefix = "lm." if wrapped else ""
    rows = ft.plan(model)
    state = rows[f"{prefix}backbone.layers.1.mixer.A_log"]
    own = ft.record(lambda: transformers.Mamba2ForCausalLM(config))["backbone.layers.1.mixer.A_log"]
    assert state.distribution == own.distribution and state.reason.startswith("the model's code")
    assert rows[f"{prefix}backbone.layers.1.mixer.in_proj.weight"].scheme != "normal"


class Cached(nn.Module):
    """A table that a forward pass of a longer sequence may replace."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("cache", torch.arange(float(length)), persistent=False)


def test_a_buffer_of_another_length() -> None:
    plan = ft.record(lambda: Cached(8))
    grown = ft.init_(Cached(12), plan, seed=0)
    assert grown.cache.tolist() == list(range(12))  # the model's own
    with torch.device("meta"):
        model = Cached(12)
    model.to_empty(device="cpu")
    with pytest.raises(ValueError, match=r"buffer 'cache': its shape is \(12,\), the plan's is \(8,\)"):
        ft.init_(model, plan, seed=0)
