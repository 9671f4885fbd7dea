"""One look at a torch model: names, ties, memory, padding, frozen and unknown parameters, in plan and init_ alike."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.laws.composed import Patched

torch = optional("torch")
from torch import nn  # noqa: E402
from torch_networks import unchanged, values  # noqa: E402

import fastinit.torch as ft  # noqa: E402
from fastinit.torch import _private  # noqa: E402
from fastinit.torch.survey import clean_modules, survey  # noqa: E402


def names(model: nn.Module) -> list[str]:
    return list(survey(model).parameters)


def test_cycles_end() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].parent = model
    model[1].before = model[0]
    assert names(model) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert survey(model).ties["1.before.weight"] == "0.weight"
    assert len(list(clean_modules(model))) == 4
    ft.init_(model, "he_normal", seed=0)
    assert np.array_equal(model[1].weight.detach(), fi.he_normal((2, 2), seed=0, name="1.weight"))


def test_one_memory_is_one_parameter() -> None:
    model = nn.ModuleList([nn.Linear(4, 4, bias=False) for _ in range(3)])
    model[1].weight.data = model[0].weight.data
    model[2].weight = nn.Parameter(model[0].weight.detach().t())
    assert survey(model).ties == {"1.weight": "0.weight"}
    with pytest.raises(ValueError, match=r"'2.weight': it shares a part of its memory with '0.weight'"):
        ft.plan(model, "he_normal")
    with torch.device("meta"):
        meta = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        meta[1].weight.data = meta[0].weight.data
    assert survey(meta).ties == {"1.weight": "0.weight"}


def test_views_of_one_buffer_may_lie_side_by_side() -> None:
    whole = torch.zeros(4, 6)
    model = nn.ModuleList([nn.Linear(3, 4, bias=False), nn.Linear(3, 4, bias=False)])
    model[0].weight, model[1].weight = nn.Parameter(whole[:, :3]), nn.Parameter(whole[:, 3:])
    ft.init_(model, "he_normal", seed=0)
    assert np.array_equal(whole[:, 3:], fi.he_normal((4, 3), seed=0, name="1.weight"))
    model[1].weight = nn.Parameter(whole[:, 2:5])
    before = whole.clone()
    with pytest.raises(ValueError, match=r"'1.weight': it shares a part"):
        ft.init_(model, "he_normal", seed=1)
    assert torch.equal(whole, before)


def test_empty_parameters() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.ModuleList([nn.Linear(0, 4), nn.Linear(4, 0)])
    ft.init_(model, "he_normal", seed=0)
    assert names(model) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_classes_that_torch_exchanges() -> None:
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
    assert type(layer).__name__ != "Linear" and _private.plain_class(layer) is nn.Linear

    class FSDPLinear(nn.Linear):  # of the user's own: the name is not a sign
        pass

    assert _private.plain_class(nn.Linear(1, 1)) is nn.Linear
    assert _private.plain_class(FSDPLinear(1, 1)) is nn.Linear  # and does no harm


class Padded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.bag = nn.Embedding(9, 4, padding_idx=-1), nn.EmbeddingBag(9, 4, padding_idx=2)
        self.fc = nn.Linear(4, 2)


@pytest.mark.parametrize("recipe", ["auto", "he_normal", "default", {"fc.weight": "ones"}])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_padding_is_in_the_plan(recipe: Any, dtype: str) -> None:
    def build() -> Any:
        return Padded().to(getattr(torch, dtype))

    plan = ft.plan(build(), recipe)
    assert isinstance(plan["tokens.weight"].distribution, Patched)
    drawn = fi.init(plan, seed=3)
    for model in (ft.init_(build(), recipe, seed=3), ft.init_(build(), plan, seed=3)):
        arrays = {name: tensor.detach() for name, tensor in model.named_parameters()}
        assert fi.verify(arrays, plan, seed=3) == []
        for name, row in (("tokens", 8), ("bag", 2)):
            weight = model.get_submodule(name).weight.detach().float()
            zero = (weight == 0).all(1)
            assert zero[row] and zero.sum() == 1
            assert np.array_equal(weight, drawn[f"{name}.weight"].astype(np.float32))
    again = fi.Plan.from_json(plan.to_json())
    assert again == plan


def adapter() -> Any:
    model = nn.ModuleDict({"base": nn.Linear(6, 6).requires_grad_(False)})
    model["lora_A"] = nn.ModuleDict({"default": nn.Linear(6, 2, bias=False)})
    model["lora_B"] = nn.ModuleDict({"default": nn.Linear(2, 6, bias=False)})
    return model


@pytest.mark.parametrize("recipe", ["auto", "he_normal", "default"])
def test_frozen_parameters_are_left_alone(recipe: str) -> None:
    model = adapter()
    before = values(model)
    plan = ft.plan(model, recipe)
    assert list(plan.unfilled) == ["base.weight", "base.bias"] and list(plan) == [
        "lora_A.default.weight", "lora_B.default.weight",
    ]  # fmt: skip
    ft.init_(model, recipe, seed=0)
    assert torch.equal(model["base"].weight, before["base.weight"])
    assert (model["lora_B"].default.weight == 0).all()
    assert not torch.equal(model["lora_A"].default.weight, before["lora_A.default.weight"])
    ft.init_(model, plan, seed=1)  # which says that they are left alone
    assert torch.equal(model["base"].weight, before["base.weight"])
    ft.init_(model, recipe, seed=0, frozen=True)
    asked = ft.plan(model, recipe, frozen=True)
    assert np.array_equal(model["base"].weight, fi.init(asked, seed=0)["base.weight"])
    assert list(asked)[:2] == ["base.weight", "base.bias"] and not asked.unfilled


def test_frozen_and_without_memory() -> None:
    model = adapter()
    model["base"].to("meta")
    with pytest.raises(
        ValueError, match=r"'base.weight' is on the meta device, and the plan does not fill it"
    ):
        ft.init_(model, "he_normal", seed=0)
    with pytest.raises(ValueError, match="all of the model's parameters are frozen"):
        ft.plan(adapter().requires_grad_(False))


def test_a_plan_without_a_word_of_a_frozen_parameter() -> None:
    model = adapter()
    part = fi.plan({"lora_A.default.weight": (2, 6), "lora_B.default.weight": (6, 2)})
    with pytest.raises(ValueError, match=r"'base.weight' is not in the plan; parameter 'base.bias' is not"):
        ft.init_(model, part, seed=0)


class UnitOffset(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((4,), 7.0))


class OffsetNorm(UnitOffset):
    def forward(self, x: Any) -> Any:
        return nn.functional.rms_norm(x, (4,)) * (1.0 + self.weight)


class ScaleNorm(UnitOffset):
    def forward(self, x: Any) -> Any:
        return nn.functional.rms_norm(x, (4,)) * self.weight


@pytest.mark.parametrize("recipe", ["auto", "he_normal", "default"])
def test_norms_by_their_code(recipe: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), OffsetNorm(), ScaleNorm(), nn.LayerNorm((2, 4)), nn.PReLU())
    plan = ft.plan(model, recipe)
    assert [plan[f"{i}.weight"].distribution for i in (1, 2, 3, 4)] == [
        fi.Constant(0), fi.Constant(1), fi.Constant(1), fi.Constant(0.25)
    ]  # fmt: skip
    assert "adds 1" in plan["1.weight"].reason


def test_experts_of_transformers() -> None:
    transformers = optional("transformers")
    config = transformers.MixtralConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=3,
    )  # fmt: skip
    plan = ft.plan(transformers.MixtralForCausalLM(config), "xavier_normal")
    assert plan["model.layers.0.mlp.experts.gate_up_proj"].fans == fi.schemes.Fans(16.0, 24.0)
    assert plan["model.layers.0.mlp.experts.down_proj"].fans == fi.schemes.Fans(24.0, 16.0)


def weight_norm_by_hooks() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Linear(4, 4))


class Stages(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(10, 8), nn.Linear(8, 10)
        self.layers = nn.ModuleDict({str(i): nn.Linear(8, 8) for i in range(4)})


def test_a_stage_of_a_pipeline() -> None:
    plan = ft.record(Stages)
    whole, stage = fi.init(plan, seed=0), Stages()
    del stage.layers["2"], stage.layers["3"], stage.head
    with pytest.raises(
        ValueError, match=r"'layers.2.weight' of the plan is not in the model; parameter 'layers.2.bias'"
    ):
        ft.init_(stage, plan, seed=0)
    ft.init_(stage, plan, seed=0, strict=False)
    assert all(np.array_equal(tensor.detach(), whole[name]) for name, tensor in stage.named_parameters())
    stage.more = nn.Linear(8, 8)
    before = values(stage)
    with pytest.raises(
        ValueError, match=r"'more.weight' is not in the plan; parameter 'more.bias' is not in the plan$"
    ):
        ft.init_(stage, plan, seed=1, strict=False)
    assert unchanged(stage, before)


def test_prefixes() -> None:
    plan = ft.record(Stages)
    head = nn.Linear(8, 10)
    ft.init_(head, plan, seed=0, prefix="head.", strict=False)
    assert np.array_equal(head.weight.detach(), fi.init(plan, seed=0)["head.weight"])
    first, second = nn.Linear(8, 8), nn.Linear(8, 8)
    for prefix, twin in (("first.", first), ("second.", second)):
        assert list(ft.plan(twin, prefix=prefix)) == [f"{prefix}weight", f"{prefix}bias"]
        ft.init_(twin, seed=0, prefix=prefix)
    assert not torch.equal(first.weight, second.weight)
    assert torch.equal(ft.init_(second, seed=0, prefix="first.").weight, first.weight)


def test_the_mapping_of_globs_goes_where_names_go() -> None:
    layer = nn.Linear(4, 4)
    plan = ft.plan(layer, {"weight": {"scheme": "normal", "std": 3.0}})
    assert plan["weight"].distribution == fi.Normal(0, 3) and plan["bias"].distribution == fi.Constant(0)


def test_the_shelf_of_private_interfaces() -> None:
    """What a new torch may take away, each by what it is for."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.twin = model[0]
    model[1].register_buffer("passing", torch.ones(2), persistent=False)
    assert list(_private.children(model)) == ["0", "1", "twin"]
    assert [_private.is_persistent(model[1], name) for name in ("running_mean", "passing")] == [True, False]
    assert "running_mean" in _private.buffers(model[1])
    assert all(isinstance(vars(model)[table], dict) for table in _private.HOOKS)
    weight = model[0].weight
    assert weight.untyped_storage() is weight.detach()[1].untyped_storage()  # and a key of tables
    assert _private.is_view(weight[:1]) and not _private.is_view(weight)
    assert _private.computed_by(weight * 2) == "MulBackward" and _private.computed_by(weight[:1]) == ""
    assert not _private.is_flat_parameter(weight)
    assert isinstance(model[1], _private._NormBase) and issubclass(nn.Conv1d, _private._ConvNd)
    assert _private.fsdp2_modules(model) == []
    assert list(_private.parameters(model[0])) == ["weight", "bias"]
    assert (
        _private.storage_key(weight)
        == _private.storage_key(weight[1:])
        != _private.storage_key(weight.clone())
    )
    assert _private.operator_name(torch.ops.aten.add_.Tensor) == "add_"
    assert [a.name for a in _private.schema(torch.ops.aten.add_.Tensor).arguments] == [
        "self",
        "other",
        "alpha",
    ]
    inside: list[Any] = []
    torch.vmap(lambda row: (inside.append(_private.within_transforms(row)), row)[1])(weight)
    torch.func.grad(lambda w: (inside.append(_private.within_transforms(w * 1)), w.sum())[1])(weight)
    assert [found[1:] for found in inside] == [(True, False), (False, True)]
    assert torch.equal(inside[1][0], weight) and _private.within_transforms(weight) == (weight, False, False)
    assert not _private.in_forward_mode()
    with torch.autograd.forward_ad.dual_level():
        assert _private.in_forward_mode()
    assert _private.pre_hooks(weight_norm_by_hooks())[0].name == "weight"
