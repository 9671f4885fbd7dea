"""Plans as data: JSON, digests, differences, parts, prefixes, views in notebooks."""

from __future__ import annotations

import json
import sys
from functools import partial, reduce
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
from conftest import EXAMPLES
from some_plans import MODELS, laws, one
from test_structured import CASES

import fastinit as fi
from fastinit.drawing.streams import STREAM_VERSION
from fastinit.laws import Kept
from fastinit.laws.distributions import Normal, Uniform
from fastinit.plans.buffer import Buffer
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan, written_plan


@pytest.mark.parametrize(("model", "recipe"), MODELS)
def test_json_both_ways(model: str, recipe: str) -> None:
    plan = fi.plan(EXAMPLES / f"{model}.json", recipe)
    again = Plan.from_json(plan.to_json())
    assert dict(again) == dict(plan) and again.ties == plan.ties and again.source == f"recipe {recipe}"
    assert again == plan and hash(again) == hash(plan) and again.digest == plan.digest
    assert fi.diff(plan, again) == [] and str(again) == str(plan)


def test_json_of_every_law_is_strict() -> None:
    text = laws().to_json()
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert dict(Plan.from_json(text)) == dict(laws())


@pytest.mark.parametrize(("scheme", "shape", "numbers"), CASES, ids=str)
def test_json_of_structured_laws(scheme: str, shape: tuple[int, ...], numbers: dict[str, Any]) -> None:
    plan = one(scheme, fi.distribution(scheme, shape, **numbers), shape)
    again = Plan.from_json(plan.to_json())
    assert dict(again) == dict(plan) and again == plan


def test_a_plans_json_is_a_model_file(tmp_path: Path) -> None:
    plan = fi.plan(EXAMPLES / "gpt2.json", "gpt2")
    (tmp_path / "plan.json").write_text(plan.to_json())
    assert dict(fi.plan(tmp_path / "plan.json", "gpt2")) == dict(plan)


def changed(**fields: Any) -> str:
    data = json.loads(one("normal", Normal()).to_json())
    data["parameters"]["w"] |= fields
    return json.dumps(data)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"source": "r", "tied": [], "parameters": {}}', changed(shape=[-1]), changed(shape="w"),
     changed(dtype="int8"), changed(scheme="nromal"), changed(distribution={"law": "normal"}), changed(fans=[1]),
     changed(distribution={"law": "normal", "mean": 0, "std": -1}), changed(rule="1"), changed(module=None),
     changed(shape=[3], distribution={"law": "orthogonal", "gain": 1.0, "axis": 0, "packed": 1, "stacked": []}),
     changed()[:-1] + ', "tied": {"t": "v"}}', changed().replace('"tied": {}', '"tied": {"t": []}'),
     changed().replace('"tied": {}', '"tied": {"w": "w"}')],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_bad_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"w|JSON|Expecting|is there twice|plan has"):
        Plan.from_json(text)


def test_plans_of_other_releases(tmp_path: Path) -> None:
    steps = Buffer("steps", (), "int64", np.array(3), persistent=True)
    kept = Parameter.kept("kept", (2,), "int64", "a count")
    plan = Plan(one("normal", Normal()).parameters, {}, "test", {"kept": kept}, {"steps": steps})
    text = plan.to_json()
    data = json.loads(text)
    assert data.pop("stream") == STREAM_VERSION == 1
    assert Plan.from_json(json.dumps(data)) == plan, "before 1.0.0 plans did not say their stream version"
    path = tmp_path / "plan.json"
    for stream in (0, 2, True, "1", None):
        path.write_text(json.dumps({**data, "stream": stream, "more": 1}))
        for read in (lambda: Plan.from_json(path.read_text()), lambda: written_plan(path)):
            with pytest.raises(ValueError, match=f"stream version {stream!r}, this fastinit draws version 1"):
                read()
    for place in ((), ("parameters", "w"), ("unfilled", "kept"), ("buffers", "steps")):
        data = json.loads(text)
        reduce(dict.__getitem__, place, data)["new"] = 1
        with pytest.raises(ValueError, match=f"(?s){''.join(place[1:])}.*'new'"):
            Plan.from_json(json.dumps(data))


@pytest.mark.parametrize("depth", [700, 100_000])  # too deep for the reader of laws; for that of JSON too
def test_json_nested_too_deeply(depth: int, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(partial(sys.setrecursionlimit, sys.getrecursionlimit()))
    sys.setrecursionlimit(1000)  # Python's own; some frameworks raise it
    law = '{"law": "normal", "mean": 0, "std": 1}'
    nested = '{"law": "patched", "patches": [], "inner": ' * depth + law + "}" * depth
    with pytest.raises(ValueError, match="nested too deeply"):
        Plan.from_json(changed(distribution="LAW").replace('"LAW"', nested))


def test_digest_is_of_what_is_drawn() -> None:
    plan = one("normal", Normal(0, 0.02))
    assert plan.digest == "8d999d8d5af6bb5e07d27a7617e04bc6", (
        "digests are kept in files: they must not change"
    )
    same = Plan(
        {"w": Parameter("w", (40, 50), "float32", "xavier_normal", Normal(0.0, 0.02), None, 3, "why")},
        {},
        "x",
    )
    assert same == plan and len({same, plan}) == 1
    row = plan["w"]
    others = [
        Plan({"v": row.__class__(**{**vars(row), "name": "v"})}, {}, "test"),
        one("normal", Normal(0, 0.02), (50, 40)),
        one("normal", Normal(0, 0.02), dtype="float16"),
        one("normal", Normal(0, 0.021)),
        one("uniform", Uniform(0, 0.02)),
        Plan(plan.parameters, {"t": "w"}, "test"),
        Plan({}, {}, "test"),
    ]
    assert len({other.digest for other in others} | {plan.digest}) == len(others) + 1
    assert all(plan != other and fi.diff(plan, other) and fi.diff(other, plan) for other in others)
    assert plan != "w"


def test_order_counts() -> None:
    a, b = fi.plan({"u": (2, 2), "v": (2, 2)}), fi.plan({"v": (2, 2), "u": (2, 2)})
    assert a != b and [(change.what, change.name) for change in fi.diff(a, b)] == [("order", "u")]


def test_diff_names_what_changed() -> None:
    a = fi.plan({"u": (2, 2), "v": (2, 2)})
    b = fi.plan({"u": np.zeros((4, 2), np.float16), "w": (3, 3)})
    changes = {(change.name, change.what): (change.before, change.after) for change in fi.diff(a, b)}
    assert changes.keys() == {
        ("u", "shape"),
        ("u", "dtype"),
        ("u", "distribution"),
        ("v", "parameter"),
        ("w", "parameter"),
    }
    assert changes["u", "shape"] == ((2, 2), (4, 2)) and changes["v", "parameter"] == ((2, 2), None)
    assert "u: dtype float32 -> float16" in map(str, fi.diff(a, b))


def test_any_part_at_any_time() -> None:
    plan = laws("bfloat16")
    arrays = fi.init(plan, seed=5)
    for name in plan:
        assert np.array_equal(plan.tensor(name, seed=5), arrays[name])
        block = (slice(None, None, -3), slice(7, 9))
        assert np.array_equal(plan.tensor(name, seed=5, block=block, threads=1), arrays[name][block])
        assert plan.tensor(name, seed=5, block=(3, 4)) == arrays[name][3, 4]
    assert np.array_equal(plan.tensor("tied", seed=5), arrays["w1"])
    with pytest.raises(KeyError):
        plan.tensor("nothing", seed=5)
    with pytest.raises(IndexError):
        plan.tensor("w1", seed=5, block=40)


def test_views_in_notebooks() -> None:
    """Tables of HTML, cut in the middle, with names as they are."""
    plan = fi.plan({f"h.{i}.<b>.weight": (4, 8) for i in range(500)}, "he_normal")
    report = fi.inspect(fi.init(plan, seed=0), plan)
    probed = fi.propagation.probe([8] * 60, "relu", "he_normal", seed=0)
    for view, rows, first, last in (
        (plan._repr_html_(), 500, "h.0.&lt;b&gt;.weight", "h.499.&lt;b&gt;.weight"),
        (report._repr_html_(), 500, "h.0.&lt;b&gt;.weight", "h.499.&lt;b&gt;.weight"),
        (probed._repr_html_(), 59, "layer.0", "layer.58"),
    ):
        assert view.startswith("<table><thead><tr><th>") and "<b>" not in view
        assert view.count("<tr>") == 42 and f"{rows - 40} more rows" in view
        assert f"<td>{first}</td>" in view and f"<td>{last}</td>" in view
    assert "500 tensors, 64,000 bytes, recipe he_normal" in plan._repr_html_()
    assert (
        "deviating from recipe he_normal: none" in report._repr_html_()
        and "first loss" in probed._repr_html_()
    )
    assert "more rows" not in fi.plan({"w": (4, 8)})._repr_html_() and fi.inspect({})._repr_html_()


def test_what_is_left_alone_has_a_row_and_is_not_a_key() -> None:
    steps = Parameter.kept("steps", (2,), "int64", "a count")
    plan = Plan(one("normal", Normal(0, 0.02)).parameters, {}, "test", {"steps": steps})
    assert plan["steps"].reason == "a count" and plan["steps"].distribution == Kept()
    assert "steps" not in plan and len(plan) == 1 and "steps" not in fi.init(plan, seed=0)
    with pytest.raises(KeyError, match="steps"):
        plan.tensor("steps", seed=0)
    with pytest.raises(KeyError, match="nothing"):
        plan["nothing"]


def test_prefixes() -> None:
    shapes = {"fc.weight": (4, 8), "fc.bias": (4,)}
    plan = fi.plan(shapes, "he_normal", prefix="q1.")
    assert plan == fi.plan({"q1." + name: shape for name, shape in shapes.items()}, "he_normal")
    assert plan == fi.plan(shapes, "he_normal").prefixed("q1.")
    for given in ((shapes, "he_normal"), (fi.plan(shapes, "he_normal"),)):
        arrays = fi.init(*given, seed=3, prefix="q1.")
        assert fi.verify(arrays, plan, seed=3) == []
    weight = np.zeros((4, 8), np.float32)
    counted = {"w": weight, "again": weight, "count": np.zeros((), np.int64)}
    tied = fi.plan(counted, "he_normal", prefix="a.").prefixed("b.")
    assert list(tied) == ["b.a.w"] and tied.ties == {"b.a.again": "b.a.w"}
    assert tied.unfilled["b.a.count"].name == "b.a.count" and fi.Plan.from_json(tied.to_json()) == tied
    with pytest.raises(TypeError, match="prefix"):
        plan.prefixed(3)  # type: ignore[arg-type]


def test_a_plan_is_drawn_as_it_is() -> None:
    plan = fi.plan({"fc.weight": (4, 8)}, "he_normal")
    assert (
        fi.init(plan, seed=0)["fc.weight"] == fi.init({"fc.weight": (4, 8)}, "he_normal", seed=0)["fc.weight"]
    ).all()
    with pytest.raises(TypeError, match=r"fastinit\.init draws it"):
        fi.plan(plan)
    for given in ({"recipe": "zeros"}, {"dtype": "float64"}):
        with pytest.raises(TypeError, match=next(iter(given))):
            fi.init(plan, seed=0, **given)
