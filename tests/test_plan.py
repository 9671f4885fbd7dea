"""Plans as data: JSON, digests, differences, parts, findings; values checked against a plan; checksums."""

from __future__ import annotations

import json
import math
import sys
from functools import partial, reduce
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
from conftest import BITS, optional
from test_structured import CASES

import fastinit as fi
from fastinit import checkpoints
from fastinit.drawing.streams import STREAM_VERSION
from fastinit.laws import Kept
from fastinit.laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from fastinit.laws.orthogonal import Orthogonal
from fastinit.plans.buffer import Buffer
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan, written_plan

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = [(name, recipe) for name in ("gpt2", "resnet-50") for recipe in ("default", "gpt2")][:3]
LAWS: list[tuple[str, Any]] = [
    ("constant", Constant(0.25)), ("uniform", Uniform(-0.5, 1.5)), ("normal", Normal(0.5, 0.1)),
    ("truncated_normal", TruncatedNormal(0, 0.5, -1, 1)), ("truncated_normal", TruncatedNormal(0, 1, 4, math.inf)),
    ("normal", Normal(0, 0)), ("orthogonal", Orthogonal(2.0, 1)),
]  # fmt: skip


def one(
    scheme: str, law: Any, shape: tuple[int, ...] = (40, 50), dtype: str = "float32", **more: Any
) -> Plan:
    return Plan({"w": Parameter("w", shape, dtype, scheme, law, None, **more)}, {}, "test")


def laws(dtype: str = "float32") -> Plan:
    rows = {f"w{i}": Parameter(f"w{i}", (40, 50), dtype, *row, None) for i, row in enumerate(LAWS)}
    return Plan(rows, {"tied": "w1"}, "test")


# ------------------------------------------------------------------------------------------- data


@pytest.mark.parametrize(("model", "recipe"), MODELS)
def test_json_both_ways(model: str, recipe: str) -> None:
    plan = fi.plan(EXAMPLES / f"{model}.json", recipe)
    again = Plan.from_json(plan.to_json())
    assert dict(again) == dict(plan) and again.ties == plan.ties and again.source == f"recipe {recipe}"
    assert again == plan and hash(again) == hash(plan) and again.digest == plan.digest
    assert fi.diff(plan, again) == [] and str(again) == str(plan)


def test_json_of_every_law_is_strict() -> None:
    text = laws().to_json()
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
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


# --------------------------------------------------------------------------------------- findings


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


def test_what_is_left_alone_has_a_row_and_is_not_a_key() -> None:
    steps = Parameter.kept("steps", (2,), "int64", "a count")
    plan = Plan(one("normal", Normal(0, 0.02)).parameters, {}, "test", {"steps": steps})
    assert plan["steps"].reason == "a count" and plan["steps"].distribution == Kept()
    assert "steps" not in plan and len(plan) == 1 and "steps" not in fi.init(plan, seed=0)
    with pytest.raises(KeyError, match="steps"):
        plan.tensor("steps", seed=0)
    with pytest.raises(KeyError, match="nothing"):
        plan["nothing"]


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


# ----------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("dtype", BITS)
def test_verify_finds_one_bit(dtype: str) -> None:
    plan = laws(dtype)
    arrays = fi.init(plan, seed=5)
    assert fi.verify(arrays, plan, seed=5) == [] == fi.verify(arrays, plan)
    for name in plan:
        flipped = {**arrays, "tied": arrays["tied"].copy(), name: arrays[name].copy()}
        flipped[name].view(BITS[dtype])[17, 31] ^= 1
        flipped[name].view(BITS[dtype])[29, 2] ^= 1
        (finding,) = fi.verify(flipped, plan, seed=5)
        assert (finding.name, finding.kind, finding.index) == (name, "bits", (17, 31))
        assert "2 of 2,000" in finding.message


def test_verify_names_other_faults() -> None:
    plan = laws()
    arrays: dict[str, Any] = fi.init(plan, seed=5)
    arrays["more"] = arrays.pop("w0")
    arrays["w1"], arrays["w2"] = arrays["w1"].T, arrays["w2"].astype(np.float64)
    kinds = {finding.name: finding.kind for finding in fi.verify(arrays, plan, seed=5)}
    assert kinds == {"w0": "missing", "more": "unexpected", "w1": "shape", "w2": "dtype"}
    with pytest.raises(TypeError, match="w3"):
        fi.verify({"w3": [1.0]}, plan)


def test_verify_of_views_and_tensors() -> None:
    torch = optional("torch")
    plan = laws("bfloat16")
    arrays: dict[str, Any] = fi.init(plan, seed=5)
    tensors = {name: torch.empty(40, 50, dtype=torch.bfloat16) for name in plan}
    for name, parameter in plan.items():
        fi.fill(tensors[name], parameter.distribution, seed=5, name=name)
    assert fi.verify(tensors, plan, seed=5) == []
    assert fi.checksum(tensors["w1"]) == fi.checksum(arrays["w1"])
    arrays["w1"] = np.asfortranarray(arrays["w1"])
    arrays["w2"].flags.writeable = False
    assert fi.verify(arrays, plan, seed=5) == []


@pytest.mark.parametrize("dtype", [dtype for dtype, bits in BITS.items() if bits.itemsize > 1])
@pytest.mark.parametrize(("scheme", "law"), [row for row in LAWS if row[0] not in ("constant", "orthogonal")])
def test_verify_by_statistics(scheme: str, law: Any, dtype: str) -> None:
    """No false alarm over seeds and names; what is off by a fifth, or out of bounds, is found."""
    plan = one(scheme, law, (100, 1000), dtype)
    for seed in range(20):
        values = plan.tensor("w", seed=seed)
        assert fi.verify({"w": values}, plan) == []
    mean, std = law.moments()
    if std == 0:
        return
    exact = one(scheme, law, (100, 1000), "float64").tensor("w", seed=0)
    wrong = {
        "mean": exact + 0.3 * std,
        "std": (exact - mean) * 0.8 + mean,
        "bounds": np.where(np.arange(exact.size).reshape(exact.shape) == 99, np.nan, exact),
    }
    for kind, array in wrong.items():
        found = [finding.kind for finding in fi.verify({"w": array.astype(values.dtype)}, plan)]
        assert found and (kind in found or "bounds" in found), kind


def test_verify_of_few_values_is_of_bounds_alone() -> None:
    plan = one("uniform", Uniform(0, 1), (9,))
    assert fi.verify({"w": np.zeros(9, np.float32)}, plan) == []
    assert [f.kind for f in fi.verify({"w": np.ones(9, np.float32)}, plan)] == ["bounds"]


def test_verify_of_files(tmp_path: Path) -> None:
    plan, path = laws("bfloat16"), tmp_path / "m.safetensors"
    checkpoints.write(plan, path, seed=5)
    assert fi.verify(path, plan, seed=5) == [] == fi.verify(tmp_path / "m.safetensors", plan)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (finding,) = fi.verify(path, plan, seed=5)
    assert finding.kind == "bits" and finding.index == (39, 49)
    assert {f.name for f in fi.verify(path, plan, seed=6)} == {"w1", "w2", "w3", "w4", "w6"}, (
        "all that is random"
    )
    with pytest.raises(FileNotFoundError):
        fi.verify(tmp_path / "nothing.safetensors", plan)
    path.write_bytes(data[:-1])
    with pytest.raises(ValueError, match=r"m\.safetensors"):
        fi.verify(path, plan)


# -------------------------------------------------------------------------------------- checksums


@pytest.mark.parametrize("dtype", BITS)
def test_checksums_of_parts_add_up(dtype: str) -> None:
    shape = (7, 60, 131)
    whole = fi.normal(shape, seed=1, dtype=dtype)
    expected = fi.checksum(whole, name="w")
    assert fi.checksum(np.asfortranarray(whole), name="w") == expected
    for axis, size in enumerate(shape):
        for step in (1, 3):
            parts = [slice(i, None, step) for i in range(step)] if step > 1 else [slice(0, 5), slice(5, size)]
            blocks = [(slice(None),) * axis + (part,) for part in parts]
            sums = [fi.checksum(whole[block], name="w", shape=shape, block=block) for block in blocks]
            assert sum(sums) % 2**64 == expected
    rows = [fi.checksum(whole[i], name="w", shape=shape, block=i) for i in range(7)]
    assert sum(rows) % 2**64 == expected


def test_checksum_is_of_bits_and_places() -> None:
    assert fi.checksum(np.zeros(0, np.float32)) == 0
    x = np.arange(6, dtype=np.float32)
    assert fi.checksum(x) == 0xB6213558090139C5, "ranks of different versions must agree"
    assert fi.checksum(np.float64([3])[0:1].reshape(())) == fi.checksum(np.array([3.0]))
    swapped = x[[1, 0, 2, 3, 4, 5]]
    seen = [
        fi.checksum(a)
        for a in (x, swapped, -x, x + 1, x[:5], np.zeros(6, np.float32), np.zeros(5, np.float32))
    ]
    seen += [fi.checksum(x, name="a"), fi.checksum(x, name="b")]
    assert len(set(seen)) == len(seen) and all(0 <= s < 2**64 for s in seen)
    flips = set()
    for bit in range(32):
        y = x.copy()
        y.view(np.uint32)[3] ^= np.uint32(1 << bit)
        flips.add(fi.checksum(y))
    assert len(flips - {fi.checksum(x)}) == 32


def test_checksum_by_hand() -> None:
    """Against integers of Python, one element at a time."""

    def mix(x: int) -> int:
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        return x ^ (x >> 31)

    from hashlib import blake2b

    key = int.from_bytes(blake2b(b"w", digest_size=8).digest(), "little")
    x = fi.normal((3, 5), seed=0, dtype="float16")
    bits = x.view(np.uint16).reshape(-1).tolist()
    by_hand = sum(mix(mix((key + i) % 2**64) ^ b) for i, b in enumerate(bits)) % 2**64
    assert fi.checksum(x, name="w") == by_hand


def test_checksums_of_models(tmp_path: Path) -> None:
    """A model's is the sum of its tensors'; the same for arrays, files and a plan. Integers do not count."""
    plan = fi.plan({"a": (3, 500), "b": (7,)}, "he_normal", dtype="bfloat16")
    arrays = fi.init(plan, seed=4)
    expected = sum(fi.checksum(array, name=name) for name, array in arrays.items()) % 2**64
    assert fi.checksum(arrays) == fi.checksum(plan, seed=4) == expected
    assert fi.checksum({**arrays, "count": np.zeros(3, np.int64), "c": arrays["a"]}) == expected
    assert fi.checksum({**arrays, "c": arrays["a"].copy()}) != expected
    assert fi.checksum(plan.astype("float32"), seed=4) != expected != fi.checksum(plan, seed=5)
    for size, name in ((None, "m.safetensors"), (1000, "folder")):
        checkpoints.write(plan, tmp_path / name, seed=4, max_shard_size=size)
        assert fi.checksum(tmp_path / name) == fi.checksum(str(tmp_path / name)) == expected
    data = bytearray((tmp_path / "m.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "m.safetensors").write_bytes(data)
    assert fi.checksum(tmp_path / "m.safetensors") != expected
    for given in ({"name": "a"}, {"shape": 3}, {"block": 0}, {"seed": 4}):
        with pytest.raises(TypeError, match=next(iter(given))):
            fi.checksum(arrays, **given)
    with pytest.raises(TypeError, match="seed"):
        fi.checksum(plan)
    with pytest.raises(TypeError, match=r"values\['a'\]"):
        fi.checksum({"a": [1.0]})
    with pytest.raises(FileNotFoundError):
        fi.checksum("nothing.safetensors")


def test_bad_checksums() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="shape"):
        fi.checksum(x, shape=(2, 4))
    with pytest.raises(TypeError, match="dtype"):
        fi.checksum(x.astype(np.int32))
    with pytest.raises(TypeError, match="array"):
        fi.checksum([1.0])


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
