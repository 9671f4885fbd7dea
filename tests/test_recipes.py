"""The shipped recipes against their sources' formulas on real models' names, and against what transformers draws."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit import cli
from fastinit.laws.distributions import Elementwise
from fastinit.plans.recipe import Recipe, shipped_recipes

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
Shape = tuple[int, ...]
Shapes = dict[str, Shape]

# -------------------------------------------------------------------- models that are not among the examples


def torchtitan() -> Shapes:
    shapes: Shapes = {"tok_embeddings.weight": (500, 64), "norm.weight": (64,), "output.weight": (500, 64)}
    for i in range(3):
        at = f"layers.{i}."
        shapes |= {f"{at}attention.{w}.weight": (64, 64) for w in ("wq", "wk", "wv", "wo")}
        shapes |= {f"{at}feed_forward.{w}.weight": (96, 64) for w in ("w1", "w3")}
        shapes[f"{at}feed_forward.w2.weight"] = (64, 96)
        shapes |= {f"{at}{norm}.weight": (64,) for norm in ("attention_norm", "ffn_norm")}
    return shapes


def olmo() -> Shapes:
    shapes: Shapes = {"transformer.wte.weight": (500, 64), "transformer.ff_out.weight": (500, 64)}
    for i in range(3):
        at = f"transformer.blocks.{i}."
        shapes |= {f"{at}att_proj.weight": (192, 64), f"{at}attn_out.weight": (64, 64)}
        shapes |= {f"{at}ff_proj.weight": (256, 64), f"{at}ff_out.weight": (64, 128)}
    return shapes


def fairseq(encoder: int = 3, decoder: int = 2) -> Shapes:
    shapes: Shapes = {f"{side}.embed_tokens.weight": (500, 64) for side in ("encoder", "decoder")}
    for side, count in (("encoder", encoder), ("decoder", decoder)):
        for i in range(count):
            at = f"{side}.layers.{i}."
            for attention in ("self_attn", "encoder_attn") if side == "decoder" else ("self_attn",):
                for w in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    shapes |= {f"{at}{attention}.{w}.weight": (64, 64), f"{at}{attention}.{w}.bias": (64,)}
            shapes |= {f"{at}fc1.weight": (256, 64), f"{at}fc2.weight": (64, 256)}
            shapes[f"{at}final_layer_norm.weight"] = (64,)
    return shapes


def resnet(convolutions: int, norms: bool) -> Shapes:
    """torchvision's names, or those of Fixup's authors, who have no norms; stages of 3, 4, 6 and 3 blocks."""
    shapes: Shapes = {"conv1.weight": (8, 3, 7, 7), "fc.weight": (10, 64), "fc.bias": (10,)}
    shapes |= {"bn1.weight": (8,), "bn1.bias": (8,)} if norms else {"bias1": (1,), "bias2": (1,)}
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}."
            for i in range(1, convolutions + 1):
                shapes[f"{at}conv{i}.weight"] = (8 * i, 8, 3, 3)
                if norms:
                    shapes |= {f"{at}bn{i}.weight": (8 * i,), f"{at}bn{i}.bias": (8 * i,)}
                else:
                    shapes |= {f"{at}bias{i}a": (1,), f"{at}bias{i}b": (1,)}
            if not norms:
                shapes[f"{at}scale"] = (1,)
        shapes[f"layer{stage}.0.downsample.{'0.' if norms else ''}weight"] = (16, 8, 1, 1)
    return shapes


def convnext() -> Shapes:
    """torchvision's names; norms and scales are told from weights by their axes."""
    return {
        "features.0.0.weight": (96, 3, 4, 4), "features.0.0.bias": (96,), "features.0.1.weight": (96,),
        "features.0.1.bias": (96,), "features.1.0.layer_scale": (96, 1, 1),
        "features.1.0.block.0.weight": (96, 1, 7, 7), "features.1.0.block.2.weight": (96,),
        "features.1.0.block.3.weight": (384, 96), "features.1.0.block.5.weight": (96, 384),
        "classifier.2.weight": (1000, 96), "classifier.2.bias": (1000,),
    }  # fmt: skip


def lstm() -> Shapes:
    """A language model on a torch.nn.LSTM of two layers."""
    shapes: Shapes = {"encoder.weight": (500, 32), "decoder.weight": (500, 64), "decoder.bias": (500,)}
    for layer, fed in enumerate((32, 64)):
        shapes |= {f"rnn.weight_ih_l{layer}": (256, fed), f"rnn.weight_hh_l{layer}": (256, 64)}
        shapes |= {f"rnn.bias_ih_l{layer}": (256,), f"rnn.bias_hh_l{layer}": (256,)}
    return shapes


def layer_of(name: str) -> int:
    return int(re.search(r"\.(\d+)\.", name)[1])  # type: ignore[index]


# ------------------------------------------------- what the sources say: (name, shape) -> a law, or a std of N(0, std^2)

Law = Any


def residual(name: str) -> bool:
    """Whether a weight of GPT-2, Llama, BERT, T5 or ViT, as transformers names them, writes to the residual stream."""
    ends = ("c_proj", "o_proj", "down_proj", "output.dense", "mlp.fc2", "Attention.o", ".wo")
    return name.removesuffix(".weight").endswith(ends)


def of_transformer(std: Callable[[str, Shape], Law]) -> Callable[[str, Shape], Law]:
    """Norms 1, biases 0, and what else there is."""

    def law(name: str, shape: Shape) -> Law:
        if name.endswith("bias"):
            return fi.Constant(0)
        if re.search(r"(norm\d?|Norm|ln_.|layernorm_\w+)\.weight$", name):
            return fi.Constant(1)
        return std(name, shape)

    return law


def megatron(layers: int) -> Callable[[str, Shape], Law]:
    return of_transformer(lambda name, _: 0.02 / sqrt(2 * layers) if residual(name) else 0.02)


def neox(layers: int, d: int) -> Callable[[str, Shape], Law]:
    return of_transformer(lambda name, _: 2 / (layers * sqrt(d)) if residual(name) else sqrt(2 / (5 * d)))


def cut(std: float) -> fi.laws.Distribution:
    return fi.TruncatedNormal(0, std, -3 * std, 3 * std)


@of_transformer
def llama_titan(name: str, shape: Shape) -> Law:
    if name.startswith(("model.embed", "tok_embeddings")):
        return 1.0
    if name in ("lm_head.weight", "output.weight"):
        return cut(shape[1] ** -0.5)
    if any(part in name for part in ("wo.", "w2.", "w3.", "o_proj", "down_proj", "up_proj")):
        return 0.02 / sqrt(2 * (layer_of(name) + 1))
    return 0.02


@of_transformer
def mitchell(name: str, shape: Shape) -> Law:
    if "wte" in name or "embed" in name or name in ("transformer.ff_out.weight", "lm_head.weight"):
        return cut(shape[1] ** -0.5)
    if any(part in name for part in ("attn_out", "ff_out", "o_proj", "down_proj")):
        return cut(1 / sqrt(2 * shape[1] * (layer_of(name) + 1)))
    return cut(1 / sqrt(shape[1]))


@of_transformer
def t5(name: str, shape: Shape) -> Law:
    d, d_ff, heads, d_kv = 512, 2048, 8, 64
    if name == "shared.weight":
        return 1.0
    kind = name.split(".")[-2]
    stds = {"q": (d * d_kv) ** -0.5, "k": d**-0.5, "v": d**-0.5, "o": (heads * d_kv) ** -0.5}
    return (stds | {"wi": d**-0.5, "wo": d_ff**-0.5, "relative_attention_bias": d**-0.5})[kind]


def resnet_laws(last: str, features: int) -> Callable[[str, Shape], Law]:
    def law(name: str, shape: Shape) -> Law:
        if name in ("fc.bias", "classifier.1.bias", "fc.weight", "classifier.1.weight"):
            return fi.Uniform(-(features**-0.5), features**-0.5)
        if len(shape) == 4:
            return sqrt(2 / (shape[0] * shape[2] * shape[3]))
        return fi.Constant(0 if name.endswith("bias") or last in name else 1)

    return law


def xavier(shape: Shape, gain: float) -> float:
    return gain * sqrt(2 / sum(shape))


def deepnorm(layers: int) -> Callable[[str, Shape], Law]:
    scaled = ("value", "v_proj", "output.dense", "o_proj", "intermediate.dense", "_proj", "fc1", "fc2")

    def std(name: str, shape: Shape) -> Law:
        if "embed" in name and len(shape) < 4:
            return shape[-1] ** -0.5
        if len(shape) == 4:  # ViT's patches
            return sqrt(2 / ((shape[0] + shape[1]) * shape[2] * shape[3]))
        query = any(part in name for part in ("query", "key", "q_proj", "k_proj"))
        return xavier(
            shape,
            (8 * layers) ** -0.25 if not query and any(s in name for s in scaled) and "layer" in name else 1,
        )

    return of_transformer(std)


@of_transformer
def deepnorm_both(name: str, shape: Shape) -> Law:
    n, m = 3, 2
    if "embed" in name:
        return shape[1] ** -0.5
    if "q_proj" in name or "k_proj" in name:
        return xavier(shape, 1)
    return xavier(shape, 0.87 * (n**4 * m) ** (-1 / 16) if "encoder.l" in name else (12 * m) ** -0.25)


@of_transformer
def t_fixup(name: str, shape: Shape) -> Law:
    if "embed" in name:
        return shape[1] ** -0.5 * (9 * 2) ** -0.25
    encoder = 0.67 * 3**-0.25
    gain = 0.5**0.5 if re.search("[qk]_proj", name) else encoder if "encoder.l" in name else (9 * 2) ** -0.25
    bound = gain * sqrt(6 / sum(shape))
    return fi.Uniform(-bound, bound)


def fixup(last: str, power: float) -> Callable[[str, Shape], Law]:
    def law(name: str, shape: Shape) -> Law:
        if len(shape) == 4 and last not in name:
            branch = re.search(r"\.conv\d|layer\.\d\.convolution", name)
            return sqrt(2 / (shape[0] * shape[2] * shape[3])) * (16**power if branch else 1)
        one = name.endswith("scale") or "normalization.weight" in name
        return fi.Constant(1 if one else 0)

    return law


def mup(name: str, shape: Shape, d: int, layers: int) -> tuple[Law, float]:
    """Tensor Programs V, table 3, Adam: the law and the learning rate's multiplier."""
    m = d / 256
    law = of_transformer(lambda *_: None)(name, shape)
    if law is not None:
        return law, 1.0
    if name in ("lm_head.weight", "classifier.weight"):
        return 0.02 / m, 1 / m
    if any(part in name for part in ("embed", "wte", "wpe", "shared", "relative_attention_bias")):
        return 0.02, 1.0
    return 0.02 / sqrt(m) / (sqrt(2 * layers) if residual(name) else 1), 1 / m


def mamba(name: str, shape: Shape) -> Law:
    def torch_default(n: float) -> fi.laws.Distribution:
        return fi.Uniform(-(n**-0.5), n**-0.5)

    if name.endswith(("A_log", "dt_proj.bias")):
        return fi.distribution("mamba_a_log" if name.endswith("A_log") else "dt_bias", shape)
    if name.endswith(("norm.weight", "norm_f.weight", ".D")):
        return fi.Constant(1)
    if "embeddings" in name:
        return 0.02
    if "conv1d" in name:
        return torch_default(4)
    return torch_default(shape[1] * (24 if "out_proj" in name else 1))  # dt_rank is that layer's fan_in


def lstm_laws(name: str, shape: Shape) -> Law:
    if "weight_hh" in name:
        return fi.distribution("orthogonal", shape, packed=4)
    if "bias_ih" in name:
        return fi.distribution("forget_gate_bias", shape)
    if "bias" in name:
        return fi.Constant(0)
    bound = sqrt(6 / (shape[1] + shape[0] / (4 if "weight_ih" in name else 1)))
    return fi.Uniform(-0.05, 0.05) if name == "encoder.weight" else fi.Uniform(-bound, bound)


def plain(name: str, shape: Shape) -> Law:
    """Every weight N(0, .02^2)."""
    return of_transformer(lambda *_: 0.02)(name, shape)


def convnext_laws(name: str, shape: Shape) -> Law:
    if "layer_scale" in name:
        return fi.Constant(1e-6)
    return fi.Constant(0 if name.endswith("bias") else 1) if len(shape) == 1 else 0.02


# (recipe, an example's name or shapes, the law by the source)
CASES: list[tuple[str, Any, Callable[[str, Shape], Law]]] = [
    ("gpt2", "gpt2", megatron(12)),
    *[("megatron", model, megatron(layers)) for model, layers in
      (("gpt2", 12), ("llama-3-8b", 32), ("bert-base", 12), ("t5-small", 6), ("vit-base-16", 12))],
    *[("neox", model, neox(layers, d)) for model, layers, d in
      (("gpt2", 12, 768), ("llama-3-8b", 32, 4096), ("bert-base", 12, 768), ("t5-small", 6, 512))],
    ("llama", "llama-3-8b", plain),
    ("bert", "bert-base", plain),
    ("vit", "vit-base-16", plain),
    ("llama-torchtitan", "llama-3-8b", llama_titan),
    ("llama-torchtitan", torchtitan(), llama_titan),
    ("olmo", "llama-3-8b", mitchell),
    ("olmo", olmo(), mitchell),
    ("t5", "t5-small", t5),
    ("resnet", "resnet-50", resnet_laws("layer.2.normalization", 2048)),
    ("resnet", resnet(3, True), resnet_laws("bn3", 64)),
    ("resnet-basic", resnet(2, True), resnet_laws(".bn2", 64)),
    ("convnext", convnext(), convnext_laws),
    *[("deepnorm", model, deepnorm(layers)) for model, layers in
      (("llama-3-8b", 32), ("bert-base", 12), ("vit-base-16", 12))],
    ("deepnorm-encoder-decoder", fairseq(), deepnorm_both),
    ("t-fixup", fairseq(), t_fixup),
    ("fixup", resnet(3, False), fixup("conv3", -1 / 4)),
    ("fixup", "resnet-50", fixup("layer.2.conv", -1 / 4)),
    ("fixup-basic", resnet(2, False), fixup("conv2", -1 / 2)),
    *[("mup", model, lambda name, shape, d=d, layers=layers: mup(name, shape, d, layers)[0]) for model, d, layers in
      (("gpt2", 768, 12), ("llama-3-8b", 4096, 32), ("bert-base", 768, 12), ("t5-small", 512, 6))],
    ("mamba", "mamba-130m", mamba),
    ("lstm", lstm(), lstm_laws),
    ("dummy", "llama-3-8b", lambda name, shape: fi.Uniform(-1e-3, 1e-3)),
    ("dummy", {"w": (4, 8), "w_scale_inv": (1, 1)}, lambda name, shape: fi.Constant(1) if "scale" in name else fi.Uniform(-1e-3, 1e-3)),
]  # fmt: skip


def planned(model: Any, recipe: Any) -> fi.Plan:
    return fi.plan(EXAMPLES / f"{model}.json" if isinstance(model, str) else model, recipe)


@pytest.mark.parametrize(
    ("recipe", "model", "law_of"),
    CASES,
    ids=[f"{c[0]}-{c[1] if isinstance(c[1], str) else 'own'}" for c in CASES],
)
def test_formulas(recipe: str, model: Any, law_of: Callable[[str, Shape], Law]) -> None:
    for name, row in planned(model, recipe).items():
        expected, law = law_of(name, row.shape), row.distribution
        if isinstance(expected, float):
            expected = fi.Normal(0, expected)
        assert type(law) is type(expected), name
        if isinstance(law, Elementwise):
            fields = [list(d.to_dict().values())[1:] for d in (law, expected)]
            assert fields[0] == pytest.approx(fields[1], rel=1e-14), name
        else:
            assert law == expected, name


def test_plans_look_right() -> None:
    for recipe, model, _ in CASES:
        kinds = {finding.kind for finding in fi.lint(planned(model, recipe))}
        assert kinds == ({"constant"} if "fixup" in recipe and recipe != "t-fixup" else set()), recipe


def test_every_recipe_has_a_case_and_a_line_in_the_docs() -> None:
    tested = {recipe for recipe, *_ in CASES} | {"default", "spectral"}  # test_models, and below
    assert tested == set(shipped_recipes())
    lines = (ROOT / "docs" / "recipes.md").read_text().splitlines()
    assert {match[1] for line in lines if (match := re.match(r"\| `([\w-]+)` \|", line))} == tested


@pytest.mark.parametrize("recipe", sorted({recipe for recipe, *_ in CASES} | {"spectral"}))
def test_the_command_line_plans_every_recipe(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = next((model for name, model, _ in CASES if name == recipe), "gpt2")
    path = EXAMPLES / f"{model}.json"
    if not isinstance(model, str):
        path = tmp_path / "model.json"
        path.write_text(json.dumps({"parameters": {name: {"shape": shape} for name, shape in model.items()}}))
    assert cli.main(["plan", str(path), "--recipe", recipe]) == 0
    assert f"recipe {recipe}" in capsys.readouterr().out


def test_recipes_refuse_models_of_another_family() -> None:
    for recipe, model in (
        ("resnet", "gpt2"),
        ("t5", "llama-3-8b"),
        ("mamba", "bert-base"),
        ("lstm", "t5-small"),
    ):
        with pytest.raises(ValueError, match=f"recipe '{recipe}'"):
            planned(model, recipe)


# ----------------------------------------------------------------------------------- muP and the spectral condition


def test_mup_multiplies_learning_rates() -> None:
    for model, d, layers in (("gpt2", 768, 12), ("llama-3-8b", 4096, 32), ("t5-small", 512, 6)):
        for name, row in planned(model, "mup").items():
            assert row.lr == pytest.approx(mup(name, row.shape, d, layers)[1], rel=1e-14), name


def test_mup_at_its_base_width_is_megatrons() -> None:
    base = planned("gpt2", fi.read_recipe("mup", base_width=768))
    assert base == planned("gpt2", "megatron") and base.source == "recipe mup, base_width=768"
    assert {row.lr for row in base.values()} == {1.0}


def test_spectral_norms_and_steps() -> None:
    """Every drawn matrix has a norm near sqrt(fan_out / fan_in): s (sqrt(fan_in) + sqrt(fan_out)) for large ones."""
    shapes: Shapes = {"wide.weight": (64, 256), "tall.weight": (256, 64), "square.weight": (128, 128)}
    shapes |= {"h.0.mlp.c_fc.weight": (64, 256), "h.0.attn.c_attn.weight": (64, 192), "x.bias": (7,)}
    drawn, rows = fi.init(shapes, "spectral", seed=0), fi.plan(shapes, "spectral")
    assert rows["x.bias"].lr == 7
    for name, w in drawn.items():
        if w.ndim == 1:
            continue
        w = w if "c_" not in name else w[:, :64].T if "attn" in name else w.T
        ratio = w.shape[0] / w.shape[1]
        assert rows[name].lr == ratio
        expected = min(1, sqrt(ratio)) * (1 + sqrt(ratio))
        assert np.linalg.norm(w, 2) == pytest.approx(expected, rel=0.1), name
        assert 0.9 < np.linalg.norm(w, 2) / sqrt(ratio) < 2.1
    ends = fi.plan({"embed_in.weight": (500, 64), "embed_out.weight": (500, 64)}, "spectral")
    assert (ends["embed_in.weight"].distribution, ends["embed_in.weight"].lr) == (fi.Normal(0, 1), 64)
    assert (ends["embed_out.weight"].distribution, ends["embed_out.weight"].lr) == (
        fi.Normal(0, 1 / 8),
        500 / 64,
    )


def test_learning_rates_in_the_plan() -> None:
    made = planned("llama-3-8b", "mup")
    again = fi.Plan.from_json(made.to_json())
    assert {name: row.lr for name, row in again.items()} == {name: row.lr for name, row in made.items()}
    assert re.search(r"distribution +lr +bytes", str(made)) and "0.0625" in str(made)
    assert not re.search(r"distribution +lr", str(planned("llama-3-8b", "llama")))


def test_steps_under_mup_move_wide_models_as_far() -> None:
    torch, transformers = optional("torch"), optional("transformers")
    import fastinit.torch as ft

    def moved(width: int, recipe: Any) -> float:
        config = transformers.LlamaConfig(hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
                                          num_attention_heads=width // 16, vocab_size=100)  # fmt: skip
        model = ft.init_(transformers.LlamaForCausalLM(config), recipe, seed=0)
        rows = ft.plan(model, recipe)
        optimizer = torch.optim.Adam(
            [{"params": [p], "lr": 3e-3 * rows[name].lr} for name, p in model.named_parameters()]
        )
        tokens = torch.arange(32)[None] * 37 % 100
        outputs = []
        for _ in range(4):
            out = model(tokens, labels=tokens, output_hidden_states=True)
            outputs.append(out.hidden_states[1].detach())
            optimizer.zero_grad()
            out.loss.backward()
            optimizer.step()
        return float((outputs[-1] - outputs[0]).pow(2).mean().sqrt())

    mup = fi.read_recipe("mup", base_width=64)
    assert moved(256, mup) == pytest.approx(moved(64, mup), rel=0.15)
    assert moved(256, "megatron") > 3 * moved(64, "megatron")


def test_a_recipe_goes_wherever_its_name_goes() -> None:
    recipe = fi.read_recipe("gpt2")
    assert isinstance(recipe, Recipe) and planned("gpt2", recipe) == planned("gpt2", "gpt2")
    torch = optional("torch")
    import fastinit.torch as ft

    heard = {"wte": torch.nn.Embedding(20, 8), "attn": torch.nn.ModuleDict({"c_proj": torch.nn.Linear(8, 8)})}
    layer = torch.nn.ModuleDict({**heard, "norm": torch.nn.LayerNorm(8), "fc": torch.nn.Linear(8, 8)})
    model = torch.nn.ModuleDict({"h": torch.nn.ModuleList([layer])})
    rows = ft.plan(model, fi.read_recipe("mup", base_width=4))
    assert rows["h.0.fc.weight"].lr == 0.5 and rows["h.0.wte.weight"].lr == 1


# --------------------------------------------------------------------------------------- what transformers draws


def drawn_by_transformers(kind: str, **config: Any) -> dict[str, np.ndarray]:
    optional("torch").manual_seed(0)
    transformers = optional("transformers")
    name = {"GPT2": "LMHeadModel", "Llama": "ForCausalLM", "Bert": "ForMaskedLM", "T5": "ForConditionalGeneration",
            "Bart": "ForConditionalGeneration", "GPTNeoX": "ForCausalLM",
            "Mamba": "ForCausalLM"}.get(kind, "ForImageClassification")  # fmt: skip
    model = getattr(transformers, kind + name)(getattr(transformers, f"{kind}Config")(**config))
    return {name: p.detach().numpy() for name, p in model.named_parameters()}


SMALL = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.mark.parametrize(
    ("recipe", "kind", "config"),
    [
        ("gpt2", "GPT2", {"n_embd": 64, "n_layer": 3, "n_head": 4, "vocab_size": 500, "n_positions": 64}),
        ("llama", "Llama", {**SMALL, "vocab_size": 500}),
        ("bert", "Bert", {**SMALL, "vocab_size": 5000}),
        ("vit", "ViT", {**SMALL, "image_size": 32, "patch_size": 8, "num_labels": 50}),
        (
            "t5",
            "T5",
            {"d_model": 64, "d_kv": 8, "d_ff": 96, "num_layers": 2, "num_heads": 6, "vocab_size": 500},
        ),
        (
            "convnext",
            "ConvNext",
            {"hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 2, 1], "num_labels": 50},
        ),
        (
            "resnet",
            "ResNet",
            {"embedding_size": 16, "hidden_sizes": [32, 64, 128, 256], "depths": [1] * 4, "num_labels": 50},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_transformers_draws_the_same_laws(recipe: str, kind: str, config: dict[str, Any]) -> None:
    arrays = drawn_by_transformers(kind, **config)
    rows = fi.plan(arrays, recipe)
    differing = {finding.name for finding in fi.verify(arrays, rows)}
    # transformers leaves these norms at one.
    zeroed = {name for name in arrays if recipe == "resnet" and "layer.2.normalization.weight" in name}
    assert differing == zeroed and bool(zeroed) == (recipe == "resnet")


def timm_vit() -> Shapes:
    shapes: Shapes = {
        "cls_token": (1, 1, 64),
        "pos_embed": (1, 17, 64),
        "patch_embed.proj.weight": (64, 3, 8, 8),
    }
    for i in range(2):
        at = f"blocks.{i}."
        shapes |= {f"{at}norm1.weight": (64,), f"{at}norm1.bias": (64,), f"{at}attn.qkv.weight": (192, 64)}
        shapes |= {f"{at}attn.proj.weight": (64, 64), f"{at}mlp.fc1.weight": (256, 64)}
        shapes[f"{at}mlp.fc2.weight"] = (64, 256)
    return shapes | {"norm.weight": (64,), "head.weight": (10, 64), "head.bias": (10,)}


def megatron_gpt() -> Shapes:
    shapes: Shapes = {"embedding.word_embeddings.weight": (500, 64), "decoder.final_layernorm.weight": (64,)}
    for i in range(2):
        at = f"decoder.layers.{i}."
        shapes |= {
            f"{at}self_attention.linear_qkv.weight": (192, 64),
            f"{at}mlp.linear_fc1.weight": (256, 64),
        }
        shapes |= {
            f"{at}self_attention.linear_proj.weight": (64, 64),
            f"{at}mlp.linear_fc2.weight": (64, 256),
        }
        shapes[f"{at}self_attention.linear_qkv.layer_norm_weight"] = (64,)
    return shapes


def bart() -> Shapes:
    sides: dict[str, Any] = {}
    for side in ("encoder", "decoder"):
        sides |= {f"{side}_layers": 2, f"{side}_ffn_dim": 128, f"{side}_attention_heads": 2}
    arrays = drawn_by_transformers("Bart", d_model=64, vocab_size=500, max_position_embeddings=32, **sides)
    return {name: array.shape for name, array in arrays.items()}


def gpt_neox() -> Shapes:
    return {
        name: array.shape for name, array in drawn_by_transformers("GPTNeoX", **SMALL, vocab_size=500).items()
    }


def std_of(row: fi.plans.Parameter) -> float:
    assert isinstance(row.distribution, fi.laws.Distribution)
    return row.distribution.moments()[1]


@pytest.mark.parametrize(
    ("family", "ends", "head"),
    [
        (timm_vit, r"attn\.proj|fc2", "head.weight"),
        (megatron_gpt, r"linear_proj|linear_fc2", ""),
        (torchtitan, r"wo|w2", "output.weight"),
        (bart, r"out_proj|fc2", ""),
        (gpt_neox, r"attention\.dense|dense_4h_to_h", "lm_head.weight"),
    ],
)
def test_branch_ends_of_every_family(family: Callable[[], Shapes], ends: str, head: str) -> None:
    shapes = family()
    n, expected = (
        3 if family is torchtitan else 2,
        {name for name in shapes if re.search(rf"({ends})\.weight$", name)},
    )
    for recipe, own, plain in (("megatron", 0.02 / sqrt(2 * n), 0.02), ("neox", 2 / (n * 8), sqrt(2 / 320))):
        stds = {name: std_of(row) for name, row in fi.plan(shapes, recipe).items()}
        assert {name for name, std in stds.items() if std == pytest.approx(own)} == expected
        rest = {name for name in shapes if len(shapes[name]) > 1} - expected
        assert [stds[name] for name in rest] == pytest.approx([plain] * len(rest))
    rows = fi.plan(shapes, fi.read_recipe("mup", base_width=16))
    inputs = {name for name in shapes if re.search("embed|shared|token", name)} - {head}
    for name, row in rows.items():
        constant = std_of(row) == 0
        assert row.lr == (1 if constant or name in inputs else 1 / 4), name
    assert not head or rows[head].distribution == fi.Normal(0, 0.02 / 4)
    if family is bart:
        assert len(fi.plan(shapes, "t-fixup")) == len(fi.plan(shapes, "deepnorm-encoder-decoder"))
    if family is timm_vit:
        assert len(fi.plan(shapes, "vit")) == len(shapes)


def test_transformers_draws_mambas_state_space_alike() -> None:
    arrays = drawn_by_transformers("Mamba", hidden_size=128, num_hidden_layers=8, vocab_size=50, state_size=8)
    rows, ours = fi.plan(arrays, "mamba"), fi.init(arrays, "mamba", seed=0)
    own = {
        name: a
        for name, a in arrays.items()
        if name.endswith(("A_log", "mixer.D", "dt_proj.weight", "norm.weight"))
    }
    assert len(own) == 4 * 8
    part = fi.Plan({name: rows[name] for name in own}, {}, "mamba")
    assert fi.verify(own, part) == []
    for name in own:
        if name.endswith("A_log"):
            assert ours[name] == pytest.approx(arrays[name], rel=1e-6)
    # Both are drawn alike: the two samples' distribution functions differ by less than chance does once in 10^6 times.
    biases = [
        np.sort(np.concatenate([a for n, a in of.items() if n.endswith("dt_proj.bias")]))
        for of in (arrays, ours)
    ]
    places = np.concatenate(biases)
    heights = [np.searchsorted(sample, places, "right") / len(sample) for sample in biases]
    assert np.abs(heights[0] - heights[1]).max() < sqrt(-math.log(5e-7) / len(biases[0]))
