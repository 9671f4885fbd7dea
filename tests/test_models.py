"""Model files and recipes that become plans, and those that are refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import pytest
from conftest import EXAMPLES

import fastinit as fi
from fastinit import checkpoints
from fastinit.plans import model
from fastinit.plans.make import make_plan
from fastinit.plans.recipe import as_recipe


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_gpt2_has_its_own_numbers() -> None:
    gpt2 = fi.plan(EXAMPLES / "gpt2.json", "gpt2")
    assert len(gpt2) == 148 and gpt2.nbytes == 497_759_232
    for name, parameter in gpt2.items():
        std = 0.02 * (2 * 12) ** -0.5 if "c_proj.weight" in name else 0.02
        expected: fi.laws.Distribution = fi.Normal(0, std)
        if name.endswith(".bias"):
            expected = fi.Constant(0)
        elif ".ln_" in name:
            expected = fi.Constant(1)
        assert parameter.distribution == expected, name
    assert dict(gpt2.ties) == {"lm_head.weight": "transformer.wte.weight"}


def test_default_recipe() -> None:
    resnet = fi.plan(EXAMPLES / "resnet-50.json")
    assert resnet["resnet.embedder.embedder.convolution.weight"].distribution == fi.distribution(
        "he_normal", (64, 3, 7, 7)
    )
    assert resnet["resnet.embedder.embedder.normalization.weight"].distribution == fi.Constant(1)
    assert resnet["resnet.embedder.embedder.normalization.bias"].distribution == fi.Constant(0)
    assert resnet["classifier.1.weight"].distribution == fi.distribution("xavier_normal", (1000, 2048))
    gpt2 = fi.plan(EXAMPLES / "gpt2.json")
    assert gpt2["transformer.h.0.mlp.c_fc.weight"].fans == (768, 3072)


def test_a_scheme_or_globs_change_the_default_recipe() -> None:
    shapes = {"a.weight": (4, 8), "b.weight": (4, 8), "a.bias": (4,), "conv.weight": (2, 3, 3, 3)}
    laws = {name: row.distribution for name, row in fi.plan(shapes, "lecun_uniform").items()}
    assert laws["a.weight"] == fi.distribution("lecun_uniform", (4, 8)) and laws["a.bias"] == fi.Constant(0)
    assert laws["conv.weight"] == fi.distribution("lecun_uniform", (2, 3, 3, 3))
    globs = {"a.*": {"scheme": "normal", "std": 3.0}, "b.weight": "ones"}
    laws = {name: row.distribution for name, row in fi.plan(shapes, globs).items()}
    assert laws["a.weight"] == laws["a.bias"] == fi.Normal(0, 3) and laws["b.weight"] == fi.Constant(1)
    assert laws["conv.weight"] == fi.distribution("he_normal", (2, 3, 3, 3))
    for bad in ({"a.*": "he_norml"}, {"a.*": {"std": 3.0}}, {"nothing": "ones"}, {"a.*": 3}, {3: "ones"}):
        with pytest.raises((TypeError, ValueError)):
            fi.plan(shapes, bad)


def test_a_parameter_may_know_its_axes_and_a_rule_knows_better() -> None:
    tensor = model.TensorSpec((6, 4, 5), "float32", "", {"layout": "kio", "stride": (2,)})
    one = model.Model({"w": tensor})
    assert make_plan(one, as_recipe("he_normal"))["w"].fans == (24, 15)
    own = as_recipe({"w": {"scheme": "he_normal", "layout": "koi", "stride": 1}})
    assert make_plan(one, own)["w"].fans == (30, 24)
    law = make_plan(one, as_recipe({"w": "orthogonal"}))["w"].distribution
    assert law == fi.distribution("orthogonal", (6, 4, 5), layout="kio")


def test_depth_rules_and_layouts(small: Path, tmp_path: Path) -> None:
    text = """
layers = "h.{layer}.*"
[[rule]]
match = "*.c_proj.weight"
scheme = "xavier_normal"
layout = "io"
depth = "%s"
[[rule]]
scheme = "zeros"
"""
    base = fi.distribution("xavier_normal", (64, 16), layout="io").std
    for depth, factor in {"1/sqrt(L)": 0.5**0.5, "1/sqrt(2L)": 0.5, "1/sqrt(l+1)": 0.5**0.5, "1/sqrt(2(l+1))": 0.5,
                          "1/L": 0.5}.items():  # fmt: skip
        got = fi.plan(small, recipe(tmp_path, text % depth))["h.1.c_proj.weight"]
        assert got.distribution.std == pytest.approx(base * factor, rel=1e-12)
        assert got.fans == (64, 16)


BAD_RECIPES = [
    ('[[rule]]\nmatch = "h.*"\nscheme = "zeros"', "wte.weight"),
    ('[[rule]]\nscheme = "zeros"\n[[rule]]\nmatch = "nothing"\nscheme = "ones"', "rule 2.*nothing"),
    ('[[rule]]\nscheme = "zeroes"', "rule 1.*zeros"),
    ('[[rule]]\nscheme = "normal"\nstdd = 1.0', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\nstd = "one"', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\nstd = true', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\nstd = nan', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\ndepth = "1/sqrt(3L)"', "rule 1.*1/sqrt"),
    ('[[rule]]\nscheme = "normal"\ndepth = "1/L"', "rule 1.*layer"),
    ('[[rule]]\nscheme = "normal"\noptional = 1', "optional"),
    ('[[rule]]\nscheme = "normal"\nmatch = 3', "match"),
    ('[[rule]]\nmatch = "*"', "scheme"),
    ('layers = "h"\n[[rule]]\nscheme = "zeros"', "layers"),
    ('rules = 1', "rule"),
    ("x = [", "recipe"),
    ("x = " + "[" * 10_000, "recipe.*nested"),
    ("", "rule"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD_RECIPES)
def test_bad_recipes(text: str, message: str, small: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        fi.plan(small, recipe(tmp_path, text))


def test_unknown_recipe(small: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'gpt2'"):
        fi.plan(small, "gpt-2")
    with pytest.raises(FileNotFoundError):
        fi.plan(small, "missing.toml")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "{", '{"parameters": {"a": 3}}', '{"parameters": {"a": {"shape": [-1]}}}',
     '{"parameters": {"a": {"shape": [1.5]}}}', '{"parameters": {"a": {"shape": [1]}, "a": {"shape": [1]}}}',
     '{"parameters": {"a": {"shape": [1], "dtype": "int8"}}}', '{"parameters": {"__metadata__": {"shape": [1]}}}',
     '{"parameters": {"a": {"shape": [1]}}, "tied": {"b": "c"}}', "[" * 100_000,
     '{"parameters": {"a": {"shape": [4294967296, 4294967296]}}}', '{"parameters": {"\\ud800": {"shape": [1]}}}',
     '{"parameters": {"a": {"shape": [1], "dtype": ","}}}'],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_bad_model_files(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"model\.json"):
        model.read_model(path)


def test_hostile_headers(small: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    checkpoints.write(fi.plan(small), good, seed=0)
    data = good.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, values = json.loads(data[8 : 8 + length]), data[8 + length :]

    def with_header(change: Any) -> bytes:
        changed = json.loads(json.dumps(header))
        change(changed)
        text = json.dumps(changed).encode()
        return struct.pack("<Q", len(text)) + text + values

    def set_in(name: str, key: str, value: Any) -> Any:
        return lambda h: h[name].__setitem__(key, value)

    cases = [
        b"", data[:7], data[:100], data[:-1], data + b"\0", struct.pack("<Q", 2**63) + data[8:],
        struct.pack("<Q", 0) + data[8:], struct.pack("<Q", length) + b"[" * length + values,
        with_header(set_in("bias", "data_offsets", [0, 4])),
        with_header(set_in("bias", "data_offsets", [-4, 0])),
        with_header(set_in("bias", "data_offsets", "ab")),
        with_header(set_in("bias", "shape", [2])),
        with_header(set_in("bias", "shape", [2**40, 2**40])),
        with_header(set_in("bias", "dtype", "I64")),
        with_header(lambda h: h.pop("wte.weight")),
    ]  # fmt: skip
    for i, case in enumerate(cases):
        path = tmp_path / f"{i}.safetensors"
        path.write_bytes(case)
        with pytest.raises(ValueError, match=rf"{i}\.safetensors"):
            model.read_model(path)
