"""Add to tests/vectors/golden.txt what it lacks, from tests/reference.py: ``python tools/make_golden.py``.

What stands there is frozen: a line that would be written otherwise is an error, and nothing is written.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

import golden  # noqa: E402
import reference  # noqa: E402
import test_bits  # noqa: E402
import test_complex  # noqa: E402
import test_kernels  # noqa: E402
from test_structured import FOLLOWS_NUMPY, STRUCTURED  # noqa: E402

import fastinit as fi  # noqa: E402
from fastinit import _core, laws  # noqa: E402

HEADER = """\
# The bits of stream version 1. They are frozen: no hash here changes, and no line is taken out. docs/versions.md says what a
# change of bits is: stream version 2, which comes beside version 1, with golden hashes of its own.
#
# Each line is an object in JSON.
# - With "block": a law of independent elements (docs/bits.md), a stream and a part of a tensor, which is [start, stop] or
#   [start, stop, step] for each axis; for each dtype SHA-256 of the little-endian values in C order.
# - With "draws": whole tensors, each a distribution as plans have it and a shape, of seed 0 and name "weight"; SHA-256 of the
#   values of all, each in each of the dtypes, as little-endian float64.
# - With "values": such a tensor in float64. Its last bits follow NumPy's library, so values are near these.
#
# tests/test_frozen.py draws all of it. tools/make_golden.py adds lines.
"""
FIELDS = {"bits": "", "constant": "value", "uniform": "low high", "normal": "mean std", "truncated_normal": "mean std low high"}  # fmt: skip
Law = tuple[str, tuple[float, ...]]
# Where words of seed 0, name "weight" have these values, as signed ones; found by trying.
WORDS = {
    0: 7_772_674_036, 1: 11_422_964_273, -1: 1_051_744_806, 2**17 - 1: 34_896_953, 1 - 2**17: 4_202_676_838,
    2**17: 1_611_150_233, -(2**17): 3_539_472_151, 2**31 - 1: 5_100_863_166, -(2**31): 2_803_956_999,
}  # fmt: skip
# Streams and where to begin in them. Block numbers pass 2**32 and 2**31; tensors have up to 2**60 elements, the kernels up to 2**63.
PLACES = [
    (2**64 - 1, "", 2**34 - 1500), (2**63, "\u00e9", 2**33 - 1500), (1, "e\u0301", 2**63 - 3000),
    (11, "a b\n", 2**60 - 3001), (7, "\u5c42.0.\u6743\u91cd", 2**32 - 1500), (2**32, "\U0001f600." + "n" * 300, 3),
]  # fmt: skip
SHARDS: list[tuple[tuple[int, ...], list[list[int]]]] = [
    ((50, 64), [[3, 40], [16, 48]]),
    ((2**20, 2**20), [[2**15, 2**15 + 9], [77, 141]]),
    ((9, 7, 40), [[2, 8], [0, 7, 3], [1, 40, 2]]),
]


def elementwise() -> Iterator[tuple[Law, int, str, tuple[int, ...], list[list[int]], tuple[str, ...]]]:
    """Laws, streams, parts and dtypes."""
    every = tuple(reference.FORMATS)
    first = [
        "bits", "uniform", "uniform unit", "normal", "normal shifted", "truncated 2", "truncated 6", "truncated skew"
    ]  # fmt: skip
    for name in first:
        yield test_kernels.LAWS[name], 0, "weight", (2**56,), [[1, 100_001]], every
    for law in [*(law for name, law in test_kernels.LAWS.items() if name not in first), *test_bits.EDGES]:
        yield law, 0, "weight", (2**56,), [[1, 5001]], every
    for dtype in every:  # the least and the largest that it has
        precision, exponent, largest, _ = reference.FORMATS[dtype]
        least = math.ldexp(1.0, exponent - precision + 1)
        for law in [
            ("constant", (-least,)), ("constant", (largest,)), ("uniform", (-5 * least, 7 * least)),
            ("uniform", (-largest / 2, largest / 2)), ("uniform", (largest / 2, largest)),
            ("normal", (0.0, 3 * least)), ("normal", (0.0, largest / 10)), ("normal", (largest / 4, largest / 16)),
            ("truncated_normal", (0.0, 4 * least, -9 * least, 6 * least)),
            ("truncated_normal", (0.0, largest / 2, -largest, largest)),
        ]:  # fmt: skip
            yield law, 0, "weight", (2**56,), [[1, 501]], (dtype,)
    common = [
        test_kernels.LAWS[name]
        for name in ("bits", "uniform unit", "normal", "truncated 2", "truncated skew")
    ]
    for seed, name, start in PLACES:
        for law in common:
            yield law, seed, name, (2**63,), [[start, start + 3000]], every
    yield (
        test_kernels.LAWS["normal"],
        1,
        "e\u0301",
        (2**63,),
        [[2**63 - 100_000, 2**63]],
        ("float32", "bfloat16"),
    )
    for at in WORDS.values():
        for law in (
            *common[1:],
            ("uniform", (-0.05, 0.05)),
            ("normal", (0.0, 1.0)),
            test_kernels.LAWS["truncated one-sided"],
            test_kernels.LAWS["truncated 6"],
        ):
            yield law, 0, "weight", (2**56,), [[at - 4, at + 5]], every
    for shape, block in SHARDS:
        for law in common[1:]:
            yield law, 7, "h.0.attn.weight", shape, block, every


def exists(law: str, dtype: str, parameters: tuple[float, ...]) -> bool:
    try:
        _core.Law(law, dtype, parameters)
    except ValueError:
        return False
    return True


def of_elements() -> Iterator[dict[str, Any]]:
    for (law, parameters), seed, name, shape, block, dtypes in elementwise():
        described = dict(zip(FIELDS[law].split(), parameters, strict=True))
        numbers = {key: str(value) if math.isinf(value) else value for key, value in described.items()}
        line = {"law": {"law": law, **numbers}, "seed": seed, "name": name, "shape": shape, "block": block}
        indices = golden.parsed(json.dumps({**line, "sha256": {}})).indices  # type: ignore[union-attr]
        key = fi.drawing.streams.key(seed, name)
        hashes = {
            dtype: golden.digest(reference.draw(law, parameters, indices, key, dtype))
            for dtype in dtypes
            if exists(law, dtype, parameters)
        }
        if hashes:
            yield {**line, "sha256": hashes}


OPERATIONS: list[Any] = [
    ("log", "x"), ("sqrt", ("div", "x", 3.0)), ("exp", ("neg", "x")), ("log1p", ("mul", "x", 0.1)),
    ("log", ("neg", ("expm1", ("neg", "x")))), ("fmod", ("add", "x", 7.3), 0.7), ("abs", ("sub", "x", 1.0)),
    ("maximum", ("minimum", "x", 1.5), 0.5), ("where", ("maximum", ("sub", "x", 1.0), 0.0), 2.0, "x"),
    ("mul", "x", laws.Given([[1.0], [2.0], [-3.0]])),
]  # fmt: skip
COMPOSED: list[tuple[fi.laws.Distribution, tuple[int, ...]]] = [
    *((laws.Transformed(fi.Uniform(0.1, 2.0), formula), (3, 8)) for formula in OPERATIONS),
    (laws.Patched(fi.Normal(), (((2, (0, 6, 1)), fi.Constant(0.0)), (((3, 8, 2), (1, 5, 1)), fi.Uniform(5.0, 6.0)))), (9, 6)),
    (laws.Viewed(fi.Normal(), (3, 8), (8, 3, 2), (1, 8, 0)), (8, 3, 2)),
    (laws.Copied(fi.TruncatedNormal(0.0, 1.0, -2.0, 2.0), "other"), (5, 3)),
]  # fmt: skip
COMPLEX: list[tuple[fi.laws.Distribution, tuple[int, ...]]] = [
    *((law, (9, 9)) for law in test_complex.LAWS), (fi.Uniform(0.5, 0.5), (3,)), (fi.TruncatedNormal(0.0, 0.02, -0.04, 0.04), (7, 9)),
    (laws.ComplexTruncatedNormal(3.0), (7, 9)), (fi.distribution("s4d_lin", (3, 8, 2)), (3, 8)),
    (fi.distribution("s4d_inv", (3, 8, 2)), (3, 8)), (laws.Given([[1.0, -2.0]]), (1, 2)),
]  # fmt: skip
NEAR: list[tuple[fi.laws.Distribution, tuple[int, ...]]] = [
    *((fi.distribution(scheme, shape, **numbers), shape)
      for scheme in sorted(FOLLOWS_NUMPY) for shape, numbers in STRUCTURED[scheme][:2]),
    (laws.Norms(fi.Normal(), (3, 8), (1,)), (3,)), (laws.SingularVector(fi.Normal(), (3, 8), 0, True, "other"), (3,)),
]  # fmt: skip


def of_tensors() -> Iterator[dict[str, Any]]:
    def line(draws: list[tuple[Any, tuple[int, ...]]], dtypes: list[str]) -> dict[str, Any]:
        described = [[law.to_dict(), shape] for law, shape in draws]
        return {"draws": described, "dtypes": dtypes, "sha256": golden.drawn(described, dtypes)}

    wide, narrow = ["float32", "float64"], [name for name in reference.FORMATS if reference.is_narrow(name)]
    groups = [
        [
            (fi.distribution(scheme, shape, **numbers), shape)
            for shape, numbers in cases
            if numbers.get("inner") != "orthogonal"
        ]
        for scheme, cases in sorted(STRUCTURED.items())
        if scheme not in FOLLOWS_NUMPY
    ]
    groups += [[draw] for draw in COMPOSED]
    for draws in groups:
        yield line(draws, wide)
        yield line(draws, narrow)
    for draw in COMPLEX:
        yield line([draw], ["complex64", "complex128"])
    for law, shape in NEAR:
        values = golden.values(law.to_dict(), shape, "float64").ravel().tolist()
        yield {"law": law.to_dict(), "shape": shape, "values": values}


def key_of(line: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in line.items() if name not in ("sha256", "values")})


if __name__ == "__main__":
    lines = [json.loads(line) for line in golden.written()]
    kept = {key_of(line): line for line in lines}
    for new in map(json.loads, map(json.dumps, (*of_elements(), *of_tensors()))):
        old = kept.setdefault(key_of(new), new)
        if isinstance(new.get("sha256"), dict):  # a dtype may be new
            old["sha256"] = new["sha256"] | old["sha256"]
        if "sha256" in new and old["sha256"] != new["sha256"]:
            raise SystemExit(
                f"other bits than stream version 1, of {key_of(new)}:\n{old['sha256']}\n{new['sha256']}"
            )
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in kept.values())
    golden.PATH.write_text(HEADER + text)
