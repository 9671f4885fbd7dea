"""Roles: what each name, module and neighbour tells of a parameter, and what whole models give to each role."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.plans.make import make_plan
from fastinit.plans.model import Model, TensorSpec
from fastinit.plans.recipe import as_recipe, default_recipe, parse_rule
from fastinit.plans.roles import CLUES, ROLES, TELLING, WEIGHTS, adds_one, with_roles

# (name, shape, type of the module, role); "" is not known.
KNOWN: list[tuple[str, tuple[int, ...], str, str]] = [
    ("fc.weight", (4, 8), "", "weight"),
    ("fc.weight", (4, 8), "Linear", "weight"),
    ("head.weight", (1, 8), "", "weight"),
    ("fc.kernel", (3, 4, 8), "Dense", "weight"),  # stacked layers
    ("q.kernel", (8, 2, 4), "DenseGeneral", "weight"),
    ("w", (4, 8), "", "weight"),
    ("h.0.attn.c_attn.weight", (4, 12), "Conv1D", "weight"),
    ("lstm.weight_hh_l0", (16, 4), "LSTM", "recurrent"),
    ("rnn.recurrent_kernel", (4, 16), "LSTMCell", "recurrent"),
    ("conv.weight", (4, 3, 3, 3), "", "conv"),
    ("conv.weight", (1, 1, 3), "Conv1d", "conv"),
    ("up.kernel", (3, 3, 4, 8), "Conv2DTranspose", "conv"),
    ("dw.depthwise_kernel", (3, 3, 4, 1), "DepthwiseConv2D", "conv"),
    ("fc.bias", (4,), "", "bias"),
    ("attn.in_proj_bias", (12,), "", "bias"),
    ("lstm.bias_hh_l0_reverse", (16,), "LSTM", "bias"),
    ("q.bias", (2, 4), "DenseGeneral", "bias"),
    ("b", (4,), "", "bias"),
    ("wte.weight", (50, 8), "", "embedding"),
    ("model.embed_tokens.weight", (50, 8), "", "embedding"),
    ("emb.embedding", (50, 8), "Embed", "embedding"),
    ("emb.embeddings", (50, 8), "Embedding", "embedding"),
    ("shared.weight", (50, 8), "", "embedding"),
    ("wpe.weight", (50, 8), "", "position"),
    ("vit.pos_embed", (1, 5, 8), "", "position"),
    ("attn.relative_position_bias_table", (9, 2), "SwinSelfAttention", "position"),
    ("attn.relative_attention_bias.weight", (32, 4), "", "position"),
    ("vit.cls_token", (1, 1, 8), "ViTEmbeddings", "token"),
    ("class_embedding", (8,), "", "token"),
    ("masked_spec_embed", (8,), "Wav2Vec2Model", "token"),
    ("time_embed.0.weight", (4, 8), "", "weight"),  # a linear layer of diffusion models
    ("embed_out.weight", (50, 8), "", "weight"),  # the output of GPT-NeoX
    ("patch_embed.proj.weight", (8, 3, 4, 4), "", "conv"),
    ("conformer.linear_pos.weight", (8, 8), "Linear", "weight"),
    ("norm.weight", (4,), "", "norm"),
    ("h.0.ln_1.weight", (4,), "", "norm"),
    ("layer1.bn2.weight", (4,), "", "norm"),
    ("LayerNorm_0.scale", (4,), "", "norm"),
    ("norm.weight", (4, 16), "LayerNorm", "norm"),
    ("linear_qkv.layer_norm_weight", (4,), "", "norm"),
    ("a.gamma", (4,), "BatchNormalization", "norm"),
    ("model.norm.weight", (4,), "GemmaRMSNorm", "norm_plus_one"),
    ("a.running_mean", (4,), "", "mean"),
    ("a.moving_variance", (4,), "BatchNormalization", "variance"),
    ("act.weight", (1,), "PReLU", "slope"),
    ("q_proj.lora_A.default.weight", (2, 8), "Linear", "lora_a"),
    ("q_proj.lora_B.default.weight", (8, 2), "Linear", "lora_b"),
    ("wte.lora_embedding_A.default", (2, 50), "ParameterDict", "lora_b"),
    ("lora.lora_a", (8, 2), "LoRA", "lora_a"),
    ("dense.lora_kernel_b", (2, 8), "Dense", "lora_b"),
    ("mixer.A_log", (8, 4), "MambaMixer", "state_matrix"),
    ("mixer.dt_proj.bias", (8,), "Linear", "step_bias"),
    ("clip.logit_scale", (), "CLIPModel", "logit_scale"),
    ("temperature", (), "", "logit_scale"),
    ("attn.logit_scale", (4, 1, 1), "", "logit_scale"),
    ("blocks.0.ls1.gamma", (8,), "LayerScale", "layer_scale"),
    ("layers.0.layer_scale_parameter", (8,), "ConvNextLayer", "layer_scale"),
    ("layers.0.lambda_1", (8,), "BeitLayer", "layer_scale"),
    ("conv.weight_g", (4, 1, 1), "Conv1d", "parametrisation"),
    ("conv.parametrizations.weight.original0", (4, 1), "ParametrizationList", "parametrisation"),
    ("stages.0.blocks.0.gamma", (8,), "", ""),  # of timm's ConvNeXt: a layer scale
    ("mlp.scale", (8,), "Mlp", ""),
    ("1.weight", (8,), "", ""),  # a norm of roots, or a PReLU: nothing says which
    ("k_proj.ia3_l.default", (8, 1), "ParameterDict", ""),
    ("mixer.A_log", (8,), "Mamba2Mixer", ""),
    ("mixer.dt_bias", (8,), "Mamba2Mixer", "step_bias"),
    ("attn.sinks", (8,), "GptOssAttention", ""),
    ("rope.inv_freq", (8,), "", ""),
    ("vq.codebook", (50, 8), "", ""),
    ("block.scale_shift_table", (6, 8), "", ""),
    ("mlp.experts.gate_up_proj", (4, 16, 8), "", ""),
    ("flow.translate", (8, 1), "", ""),
    ("norm.other", (4,), "ScaleNorm", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "module", "role"), KNOWN, ids=lambda value: str(value))
def test_roles_by_names_and_modules(name: str, shape: tuple[int, ...], module: str, role: str) -> None:
    specs = with_roles({name: TensorSpec(shape, "float32", module)})
    assert specs[name].role == role
    assert with_roles(specs) == specs


def test_roles_by_neighbours() -> None:
    shapes: dict[str, tuple[int, ...]] = {
        "0.weight": (8, 4), "0.bias": (8,), "1.weight": (8,), "1.bias": (8,), "2.weight": (8,), "2.running_mean": (8,),
        "3.gamma": (8,), "3.beta": (8,), "4.mean": (8,), "4.var": (8,), "5.A_log": (8, 2), "5.D": (8,), "6.D": (8,),
        "7.beta": (8,),
    }  # fmt: skip
    specs = with_roles({name: TensorSpec(shape, "float32") for name, shape in shapes.items()})
    assert [spec.role for spec in specs.values()] == [
        "weight", "bias", "norm", "bias", "norm", "mean", "norm", "bias", "mean", "variance", "state_matrix", "skip", "", "",
    ]  # fmt: skip


def test_a_role_that_is_known_stays_except_where_the_name_tells() -> None:
    given = {"a.table": TensorSpec((4, 8), "float32", role="weight", geometry={"layout": "io"}),
             "a.lora_B.weight": TensorSpec((4, 8), "float32", role="weight")}  # fmt: skip
    specs = with_roles(given)
    assert specs["a.table"] == given["a.table"] and specs["a.lora_B.weight"].role == "lora_b"


def test_the_table_is_whole() -> None:
    """Each role that a clue gives has words, and a rule of its own or none that takes it by chance."""
    assert {clue.role for clue in (*TELLING, *CLUES)} - {""} <= set(ROLES)
    ruled = [role for rule in default_recipe().rules for role in rule.role]
    assert len(set(ruled)) == len(ruled) and set(WEIGHTS) < set(ruled)
    assert set(ROLES) - set(ruled) == {"layer_scale", "logit_scale", "parametrisation", "unclear"}
    assert all(rule.role and rule.optional and not rule.match for rule in default_recipe().rules)
    assert not any(set(rule.role) & set(WEIGHTS) for rule in as_recipe("he_normal").rules[1:])


def test_what_each_role_gets() -> None:
    shapes: dict[str, Any] = {
        "fc.weight": (4, 8), "conv.weight": (4, 3, 3, 3), "fc.bias": (4,), "wte.weight": (50, 8), "cls_token": (1, 1, 8),
        "pos_embed": (1, 5, 8), "norm.weight": (8,), "x.running_mean": (4,), "x.running_var": (4,), "q.lora_A.weight": (2, 8),
        "q.lora_B.weight": (8, 2), "m.A_log": (4, 3), "m.D": (4,),
    }  # fmt: skip
    small, zero, one = fi.Normal(0, 0.02), fi.Constant(0), fi.Constant(1)
    fixed = {
        "fc.bias": zero, "wte.weight": small, "cls_token": small, "pos_embed": small, "norm.weight": one,
        "x.running_mean": zero, "x.running_var": one, "q.lora_A.weight": fi.distribution("torch_default", (2, 8)),
        "q.lora_B.weight": zero, "m.A_log": fi.distribution("mamba_a_log", (4, 3)), "m.D": one,
    }  # fmt: skip
    default, scheme = fi.plan(shapes), fi.plan(shapes, "orthogonal")
    for name, law in fixed.items():
        assert default[name].distribution == law == scheme[name].distribution, name
    assert default["fc.weight"].distribution == fi.distribution("xavier_normal", (4, 8))
    assert default["conv.weight"].distribution == fi.distribution("he_normal", (4, 3, 3, 3))
    for name in ("fc.weight", "conv.weight"):
        assert scheme[name].distribution == fi.distribution("orthogonal", shapes[name])
    assert default["norm.weight"].reason == "a norm's scale"


def test_what_is_not_known_is_named_and_its_role_with_it() -> None:
    shapes = {"fc.weight": (4, 8), "logit_scale": (), "scale": (8,), "ls1.gamma": (8,), "c.weight_g": (4, 1)}
    text = (
        r"'logit_scale' of shape \(\) \(a logit scale or temperature\), 'scale' of shape \(8,\), 'ls1.gamma' of shape \(8,\) "
        r"\(a layer scale\), 'c.weight_g' of shape \(4, 1\) \(a part of a parametrised weight\)"
    )
    for recipe in ("default", "he_normal", {"fc.*": "zeros"}):
        with pytest.raises(ValueError, match=text):
            fi.plan(shapes, recipe)
    rules = {"*scale": {"scheme": "constant", "value": 2.6593}, "*gamma": "ones", "*_g": "ones"}
    assert fi.plan(shapes, rules)["logit_scale"].distribution == fi.Constant(2.6593)


def test_rules_may_name_roles() -> None:
    rule = parse_rule(1, {"role": ["norm", "bias"], "scheme": "zeros"})
    assert rule.conditions == "role norm, role bias"
    recipe = fi.Recipe("test", (rule, parse_rule(2, {"scheme": "ones"})))
    model = Model({name: TensorSpec((4,), "float32") for name in ("norm.weight", "a.bias", "c.gamma")})
    rows = make_plan(model, recipe)
    assert [row.scheme for row in rows.values()] == ["zeros", "zeros", "ones"]
    with pytest.raises(ValueError, match="unknown role 'norms'; did you mean 'norm'"):
        parse_rule(1, {"role": "norms", "scheme": "ones"})


def test_numbers_are_the_schemes_own() -> None:
    assert as_recipe("he_normal", {"gain": 0.5}).rules[0].numbers == {"gain": 0.5}
    with pytest.raises(TypeError, match=r"he_normal takes no 'std'.* it takes .*gain"):
        as_recipe("he_normal", {"std": 0.5})
    with pytest.raises(TypeError, match="only a scheme takes numbers such as gain; the recipe is 'gpt2'"):
        as_recipe("gpt2", {"gain": 0.5})


class Plain:
    def forward(self, x: Any) -> Any:
        return x * self.weight + 1  # type: ignore[attr-defined]


class Shifted:
    def forward(self, x: Any) -> Any:
        return self.inner(x) * (1.0 + self.weight.float())  # type: ignore[attr-defined]

    def inner(self, x: Any) -> Any:
        return x + 1


class Given:
    def forward(self, x: Any) -> Any:
        weight = self.weight + 1  # type: ignore[attr-defined]
        return x * weight


class Behind(Shifted):
    def forward(self, x: Any) -> Any:
        return x * (self.scale + 1)  # type: ignore[attr-defined]


def test_code_that_adds_one() -> None:
    assert not adds_one(Plain, "weight") and adds_one(Shifted, "weight") and not adds_one(Shifted, "weight_2")
    assert adds_one(Given, "weight")
    assert adds_one(Behind, "scale") and adds_one(Behind, "weight") and not adds_one(int, "weight")


# ------------------------------------------------------------------------------------------- models of arrays


def test_a_state_dict_is_a_model() -> None:
    torch = optional("torch")
    nn = torch.nn
    model = nn.Sequential(
        nn.Embedding(20, 8), nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 20)
    ).bfloat16()
    model[3].weight = model[0].weight
    model.register_buffer("position_ids", torch.arange(4))
    state = model.state_dict()
    rows = fi.plan(state, "he_normal")
    assert list(rows.unfilled) == ["position_ids", "2.num_batches_tracked"]
    assert rows.ties == {"3.weight": "0.weight"} and rows["1.weight"].dtype == "bfloat16"
    assert rows["2.weight"].distribution == rows["2.running_var"].distribution == fi.Constant(1)
    with torch.device("meta"):
        tied = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        tied[1].weight = tied[0].weight
    assert fi.plan(tied.state_dict()).ties == {"1.weight": "0.weight"}
    drawn = fi.init(state, "he_normal", seed=0)
    assert set(drawn) == set(state) - set(rows.unfilled)
    assert fi.plan(state, dtype="float32")["1.weight"].dtype == "float32"
    with pytest.raises(TypeError, match=r"fastinit\.torch\.plan takes it"):
        fi.plan(model, "he_normal")


def test_arrays_and_shapes_are_a_model() -> None:
    jax = optional("jax")
    shared = np.zeros((4, 4), np.float16)
    rows = fi.plan({"a.weight": (4, 4), "b.weight": shared, "c.weight": shared, "d.bias": jax.ShapeDtypeStruct((4,), "bfloat16"),
                    "e.count": np.int32(3), "e.mask": np.ones(3, bool)})  # fmt: skip
    assert [row.dtype for row in rows.values()] == ["float32", "float16", "bfloat16"]
    assert rows.ties == {"c.weight": "b.weight"} and list(rows.unfilled) == ["e.count", "e.mask"]


@pytest.mark.parametrize(
    ("params", "error", "text"),
    [
        ({"w": np.zeros((2, 2), np.clongdouble)}, TypeError, "parameter 'w': dtype must be one of"),
        ({"w": {"kernel": (2, 2)}}, TypeError, "parameter 'w': it is a mapping"),
        ({"w": "ab"}, TypeError, "parameter 'w'"),
        ({"w": (2, -1)}, ValueError, "parameter 'w': .*negative"),
        ({"n": np.int64(3)}, ValueError, "only integers and bools, which are not drawn: n"),
        ({3: (2, 2)}, TypeError, "names in params must be strings, not 3"),
        ([(2, 2)], TypeError, "params must be a path"),
    ],
)
def test_what_is_not_a_model(params: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        fi.plan(params)


def test_a_seed_is_asked_for() -> None:
    with pytest.raises(TypeError, match="seed"):
        fi.init({"fc.weight": (4, 8)})  # type: ignore[call-arg]
    drawn = [fi.init({"fc.weight": (4, 8)}, seed=None)["fc.weight"] for _ in range(2)]
    assert not (drawn[0] == drawn[1]).all()
