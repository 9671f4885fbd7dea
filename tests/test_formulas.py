"""Formulas, sizes and depth rules of recipes."""

from __future__ import annotations

import json
import math
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import fastinit as fi
from fastinit import cli
from fastinit.plans.formula import Formula
from fastinit.schemes.depth import DEPTH_RULES


def with_std(std: Any, sizes: dict[str, Any] | None = None, tmp_path: Path = Path(), **keys: Any) -> Path:
    rule = {"scheme": "normal", "std": std, **keys}
    lines = ["[sizes]", *(f"{name} = {json.dumps(value)}" for name, value in (sizes or {}).items())]
    lines += ["[[rule]]", *(f"{key} = {json.dumps(value)}" for key, value in rule.items())]
    path = tmp_path / "own.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-2 + 3 * 4 / 8 - +1", -1.5), ("sqrt(2 / (5 * d))", sqrt(2 / 40)), ("1e-3 * d", 0.008),
     ("min(d, max(2, 3))", 3), ("log(2 * d)", math.log(16))],
)  # fmt: skip
def test_formula(text: str, value: float) -> None:
    assert Formula(text)({"d": 8.0}.__getitem__) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    ["", "d d", "2 ** 3", "d.real", "d[0]", "'a'", "True", "1j", "lambda: 1", "(1, 2)", "d < 1", "abs(d)", "sqrt()",
     "sqrt(1, 2)", "min(*d)", "min(x=1, y=2)", "__import__('os')", "1 if d else 2", "1 // 2", "not d", "1 " * 200, "1\x00"],
)  # fmt: skip
def test_what_is_no_formula(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="formula"):
        Formula(text)
    with pytest.raises(ValueError, match=r"rule 1: formula"):
        fi.plan({"w": (2, 2)}, with_std(text, tmp_path=tmp_path))


@pytest.mark.parametrize(
    "text", ["1 / 0", "1 / (n0 - n0)", "sqrt(-1)", "log(0)", "1e200 * 1e200", "dd", "n2", "heads"]
)
def test_formulas_without_a_value(text: str, tmp_path: Path) -> None:
    recipe = with_std(text, {"d": "w:1", "heads": "nowhere:0"}, tmp_path)
    with pytest.raises(ValueError, match="parameter 'w': std: formula"):
        fi.plan({"w": (2, 2)}, recipe)


def test_sizes(tmp_path: Path) -> None:
    shapes = {"enc.0.w": (2, 3), "enc.1.w": (2, 3), "dec.0.w": (4, 5)}

    def std(text: str, **sizes: Any) -> float:
        made = fi.plan(shapes, with_std(text, sizes, tmp_path))
        return made["dec.0.w"].distribution.to_dict()["std"]  # type: ignore[no-any-return]

    assert std("d", d="enc.*:1") == 3 and std("d", d=["nowhere:0", "dec*:-1"]) == 5 and std("d", d=7) == 7
    assert std("N + 10 * M", N="enc.{layer}.*", M="*.{layer}.w") == 32
    assert std("fan_in + 10 * fan_out + 100 * n0") == 5 + 40 + 400
    bad: Any
    for bad in (0, -1, True, "w", "w:x", [3], "a.{layer}.{layer}", {}):
        with pytest.raises((TypeError, ValueError), match="size d"):
            std("d", d=bad)
    with pytest.raises(ValueError, match=r"size d is 2, 4 by '\*:0'"):
        std("d", d="*:0")


def test_sizes_from_outside(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "examples" / "gpt2.json")
    assert cli.main(["plan", path, "--recipe", "mup", "--size", "base_width=768"]) == 0
    assert "recipe mup, base_width=768" in capsys.readouterr().out
    for size in ("base_width", "base_width=x", "base_with=3", "base_width=0", "base_width=nan"):
        assert cli.main(["plan", path, "--recipe", "mup", "--size", size]) == 2
        assert "base_wi" in capsys.readouterr().err
    with pytest.raises(ValueError, match="did you mean 'base_width'"):
        fi.read_recipe("mup", base_with=128)
    with pytest.raises(TypeError, match="base_width"):
        fi.read_recipe("mup", base_width=True)


def test_learning_rates_must_not_be_negative(tmp_path: Path) -> None:
    for lr in (-1.0, "0 - 1", True):
        with pytest.raises((TypeError, ValueError), match="lr"):
            fi.plan({"w": (2, 2)}, with_std(1.0, tmp_path=tmp_path, lr=lr))


def test_depth_rules() -> None:
    n, i = 24, 5
    expected = {
        "1/sqrt(L)": n**-0.5, "1/sqrt(2L)": (2 * n) ** -0.5, "1/sqrt(l+1)": (i + 1) ** -0.5,
        "1/sqrt(2(l+1))": (2 * (i + 1)) ** -0.5, "1/L": 1 / n, "2/L": 2 / n, "(8L)^(-1/4)": (8 * n) ** -0.25,
        "(9L)^(-1/4)": (9 * n) ** -0.25, "(12L)^(-1/4)": (12 * n) ** -0.25, "0.67 L^(-1/4)": 0.67 * n**-0.25,
        "sqrt(ln(2L))": math.log(2 * n) ** 0.5,
    }  # fmt: skip
    assert {name: rule(n, i) for name, rule in DEPTH_RULES.items()} == pytest.approx(expected, rel=1e-14)
    page = (ROOT / "docs" / "model-files.md").read_text()
    assert all(f"`{name}`" in page for name in DEPTH_RULES)


def test_each_stack_counts_its_own_layers(tmp_path: Path) -> None:
    path = with_std(1.0, tmp_path=tmp_path, depth="1/L")
    path.write_text('layers = ["enc.{layer}.*", "dec.{layer}.*"]\n' + path.read_text())
    rows = fi.plan({f"{s}.{i}.w": (2, 2) for s, n in (("enc", 4), ("dec", 2)) for i in range(n)}, path)
    assert rows["enc.3.w"].distribution == fi.Normal(0, 0.25) and rows["dec.1.w"].distribution == fi.Normal(
        0, 0.5
    )
