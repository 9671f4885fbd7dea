"""What looks wrong in a plan, without drawing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
from conftest import BITS, EXAMPLES
from some_plans import MODELS, one

import fastinit as fi
from fastinit.laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan


@pytest.mark.parametrize(("model", "recipe"), MODELS)
def test_shipped_recipes_have_no_findings(model: str, recipe: str) -> None:
    for dtype in BITS:
        assert fi.lint(fi.plan(EXAMPLES / f"{model}.json", recipe, dtype=dtype)) == []


@pytest.mark.parametrize(
    ("kinds", "plan"),
    [
        (["empty"], one("normal", Normal(), (0, 3))),
        (["constant"], one("zeros", Constant(0))),
        (["constant"], one("normal", Normal(0.1, 0), (1, 5, 5))),
        ([], one("zeros", Constant(0), (1, 1, 50))),  # a vector, in truth
        ([], one("ones", Constant(1), (3, 4, 5), module="LayerNorm")),
        ([], Plan({"bias": Parameter("bias", (8, 9), "float32", "zeros", Constant(0), None)}, {}, "test")),
        (["collapsed"], one("uniform", Uniform(1, 1.001), (9,), "bfloat16")),
        ([], one("uniform", Uniform(1, 1.001), (9,))),
        (["collapsed"], one("normal", Normal(0, 1e-9), (9,), "float16")),
        (["collapsed"], one("truncated_normal", TruncatedNormal(0, 1, 1000, math.inf), (9,), "float16")),
        ([], one("normal", Normal(0, 1e-9), (1,), "float16")),
        (["bounds"], one("truncated_normal", TruncatedNormal(0, 0.02, -2, 2))),
        ([], one("truncated_normal", TruncatedNormal(0, 0.02, -2, 0.04))),
        ([], one("truncated_normal", TruncatedNormal(5, 0.02, -2, 2))),
        (["scale"], one("normal", Normal(), module="Linear")),
        (["scale"], one("uniform", Uniform(0, 1), (400, 500), module="Conv1D")),
        ([], one("normal", Normal(), module="Embedding")),
        ([], one("normal", Normal(0, 0.02), (2048, 2048), module="Linear")),
    ],
)  # fmt: skip
def test_lint(kinds: list[str], plan: Plan) -> None:
    assert [finding.kind for finding in fi.lint(plan)] == kinds


def test_lint_of_gains(tmp_path: Path) -> None:
    for gain, kinds in ((1.0, []), (4.0, []), (5.0, ["scale"])):
        (tmp_path / "r.toml").write_text(f'[[rule]]\nscheme = "he_normal"\ngain = {gain}')
        assert [f.kind for f in fi.lint(fi.plan({"w": (64, 64)}, tmp_path / "r.toml"))] == kinds


def test_lint_of_ties() -> None:
    row = one("normal", Normal(0, 0.02)).parameters
    assert [(f.name, f.kind) for f in fi.lint(Plan(row, {"w": "w", "v": "nothing"}, "test"))] == [
        ("w", "tie"), ("v", "tie"),
    ]  # fmt: skip


def _overlapping(tmp_path: Path, *globs: str, optional: str = "false") -> list[tuple[str, str]]:
    rules = [f'[[rule]]\nmatch = "{glob}"\nscheme = "ones"\noptional = {optional}\n' for glob in globs]
    (tmp_path / "r.toml").write_text("".join(rules))
    shapes = {name: (4,) for name in ("a.x", "a.y", "b.x", "b.y")}
    plan = fi.plan(shapes, tmp_path / "r.toml")
    assert dict(Plan.from_json(plan.to_json())) == dict(plan)
    return [(finding.name, finding.kind) for finding in fi.lint(plan)]


def test_lint_of_rules_that_overlap(tmp_path: Path) -> None:
    assert _overlapping(tmp_path, "a.*", "*.x", "*") == [("a.x", "twice")]
    assert _overlapping(tmp_path, "a.*", "*.x", "*", optional="true") == []
    assert _overlapping(tmp_path, "a.x", "a.*", "*") == []
    assert _overlapping(tmp_path, "a.*", "b.*") == []
    with pytest.raises(ValueError, match=r"rule 2 .*takes no parameter: rule 1 goes before it for 'a.x'"):
        _overlapping(tmp_path, "*", "a.*")


def test_lint_of_buffers() -> None:
    steps = Parameter.kept("steps", (2,), "int64", "a count")
    plan = Plan(one("normal", Normal(0, 0.02)).parameters, {}, "test", {"steps": steps})
    again = Plan.from_json(plan.to_json())
    assert again == plan and [(f.name, f.kind) for f in fi.lint(again)] == [("steps", "buffer")]
    for wrong in ("[]", '{"steps": 3}', '{"steps": {"shape": [2]}}'):
        with pytest.raises(ValueError, match=r"unfilled|left alone"):
            Plan.from_json(json.dumps(json.loads(plan.to_json()) | {"unfilled": json.loads(wrong)}))


@pytest.mark.parametrize("dtype", BITS)
def test_collapsed_is_what_draws_one_value(dtype: str) -> None:
    """Over laws from wide to far too narrow: what lint says is what is drawn."""
    seen = set()
    for k in range(0, 1090, 7):
        for law in (Uniform(1.0, 1.0 + 2.0**-k), Normal(0.0, 2.0**-k)):
            plan = one("normal", law, (5000,), dtype)
            collapsed = [finding.kind for finding in fi.lint(plan)] == ["collapsed"]
            try:
                drawn = plan.tensor("w", seed=k)
            except ValueError:
                continue  # no value of the dtype lies in the interval
            if collapsed:
                assert len(np.unique(drawn.view(BITS[dtype]))) <= 2  # both zeros
                assert len(set(drawn.astype(np.float64))) == 1
            seen.add(collapsed)
    assert seen == ({False} if dtype == "float64" else {False, True})  # its laws are made of its own values
