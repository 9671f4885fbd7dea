"""The shipped recipes against their sources' formulas on real models' names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLES, ROOT, optional
from recipe_formulas import (
    Law,
    Shape,
    Shapes,
    convnext,
    convnext_laws,
    deepnorm,
    deepnorm_both,
    fairseq,
    fixup,
    llama_titan,
    lstm,
    lstm_laws,
    mamba,
    megatron,
    mitchell,
    mup,
    neox,
    olmo,
    plain,
    resnet,
    resnet_laws,
    t5,
    t_fixup,
    torchtitan,
)

import fastinit as fi
from fastinit import cli
from fastinit.laws.distributions import Elementwise
from fastinit.plans.recipe import Recipe, shipped_recipes

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
