"""The explorer's engine, run by Node: the numbers of fastinit.propagation, of examples/claims.py and of NumPy."""

from __future__ import annotations

import gzip
import math
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, optional, program_of
from explorer_engine import CLAIMS, answers, close, run

import fastinit as fi
from fastinit.propagation import probe
from fastinit.schemes.activations import ACTIVATIONS

EXPLORER = ROOT / "docs" / "explorer"


WIDTHS = [20, 30, 30, 30, 30, 30, 7]


PLAIN: dict[str, Any] = {"widths": WIDTHS, "batch": 16, "seed": 5, "norm": "none", "branch": 0}


# A scheme, its number in the page, and Python's keywords.
SCHEMES: list[tuple[str, float | None, dict[str, float]]] = [
    ("he_normal", None, {}),
    ("xavier_uniform", 1.3, {"gain": 1.3}),
    ("normal", 0.3, {"std": 0.3}),
    ("uniform", 0.2, {"low": -0.2, "high": 0.2}),
    ("torch_default", None, {}),
    ("constant", 0.02, {"value": 0.02}),
    ("zeros", None, {}),
    ("orthogonal", None, {}),
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_measures_and_predicts_what_python_does(activation: str) -> None:
    cases = [(scheme, 0.0) for scheme in SCHEMES] + [(SCHEMES[i], 0.1) for i in (0, 3, 5)]
    if activation == "tanhshrink":  # z - tanh(z) of a small z is rounding: tanh's last bit
        cases = [case for case in cases if case[0][0] not in ("torch_default", "orthogonal", "constant")]
    found = answers(
        *[
            ("probe", {"network": PLAIN, "run": run(activation, scheme, value, bias)})
            for (scheme, value, _), bias in cases
        ]
    )
    for ((scheme, _, numbers), bias), page in zip(cases, found, strict=True):
        law = fi.distribution("constant", 1, value=bias) if bias else "zeros"
        report = probe(
            WIDTHS, activation, fi.schemes.scheme(scheme).name, seed=5, batch=16, bias=law, **numbers
        )
        case = f"{activation}, {scheme}, bias {bias}"
        # A matrix of Haar's law comes from NumPy's float32 products in Python; some activations magnify that.
        measured = 1e-2 if scheme == "orthogonal" else 1e-6
        for i, (layer, ours) in enumerate(zip(report.layers, page["layers"], strict=True)):
            for key in ("rms", "gradient"):
                close(ours[key], getattr(layer, key), measured, f"{case}, {key} {i}")
            for key in ("saturated", "dead", "unbiased"):
                if activation != "tanhshrink":
                    close(ours[key], getattr(layer, key), 1e-9, f"{case}, {key} {i}")
            assert ours["copies"] == (layer.copies or 0), case
            theory = layer.expected
            assert (theory is None) == (page["expected"] is None), case
            if theory is None:
                continue
            for key, ours_of in (("rms", "q"), ("gradient", "gradient")):
                for end, name in (("", "mean"), ("_low", "low"), ("_high", "high")):
                    squared = page["expected"][ours_of][i][name]
                    known = getattr(theory, key + end)
                    # The ends of a band that is wider than this are the exponential of their logarithm's rounding.
                    close(
                        math.sqrt(squared), known, 1e-6 if known > 1e-20 else 1e-4, f"{case}, {key}{end} {i}"
                    )
            assert abs(page["dead"][i] - theory.dead) < 1e-6, case
        close(page["loss"], report.loss, measured, case)
        if report.layers[0].target is not None:
            close(page["target"], report.layers[0].target, 1e-6, case)
        texts = {finding.text.partition(":")[0] for finding in report_findings(report)}
        ours_say = {finding["what"] for finding in page["findings"]}
        for what in ("overflows", "symmetric", "no signal", "dead", "saturated"):
            assert any(word.startswith(what) for word in ours_say) == (what in texts), f"{case}, {what}"


def report_findings(report: Any) -> Any:
    from fastinit.propagation import judge

    return judge(report).findings


@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
@pytest.mark.parametrize("branch", [0.0, 0.5])
def test_norms_and_branches_are_those_of_torch(norm: str, branch: float) -> None:
    torch = optional("torch")
    network = {**PLAIN, "widths": [12, 16, 16, 16, 5], "norm": norm, "branch": branch}
    [page] = answers(("probe", {"network": network, "run": run("tanh", "xavier_normal", None, 0.1)}))
    x = torch.from_numpy(_drawn("batch", (16, 12)))
    hs: list[Any] = []
    for i, (n_in, n_out) in enumerate(pairwise(network["widths"])):
        weight = torch.empty(n_out, n_in)
        fi.fill(weight.numpy(), "xavier_normal", seed=5, name=f"layer.{i}.weight")
        value = x
        if hs:
            last = hs[-1]
            over = {"none": (), "layer": (1,), "batch": (0,)}[norm]
            if over:
                centred = last - last.mean(over, keepdim=True)
                last = centred / (centred.square().mean(over, keepdim=True) + 1e-5).sqrt()
            value = last.tanh()
        h = value @ weight.double().T + float(np.float32(0.1))
        if branch and hs and n_in == n_out:
            h = hs[-1] + branch * h
        h.requires_grad_() if not h.requires_grad else h.retain_grad()
        hs.append(h)
    hs[-1].backward(torch.from_numpy(_drawn("gradient", (16, 5))))
    whole = [float(h.grad.norm() / hs[-1].grad.norm()) for h in hs]
    for h, gradient, layer in zip(hs, whole, page["layers"], strict=True):
        close(layer["rms"], float(h.detach().square().mean().sqrt()), 1e-6, "rms")
        close(layer["gradient"], gradient, 1e-6, "gradient")
    assert page["expected"] is None or (norm == "none" and not branch)


def _drawn(name: str, shape: tuple[int, int]) -> Any:
    values = np.empty(shape, np.float32)
    fi.fill(values, "normal", seed=5, name=name)
    return values.astype(np.float64)


@pytest.mark.parametrize(("norm", "branch"), [("layer", 0.0), ("none", 1.0), ("none", 0.3), ("layer", 0.3)])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_wide_networks_do_what_the_theory_of_norms_and_branches_says(
    norm: str, branch: float, activation: str
) -> None:
    network = {"widths": [500] * 9, "batch": 16, "norm": norm, "branch": branch}
    calls = [
        ("probe", {"network": {**network, "seed": seed}, "run": run(activation, "he_normal")})
        for seed in range(4)
    ]
    found = answers(*calls)
    for key, of in (("rms", "q"), ("gradient", "gradient")):
        measured = np.array([[layer[key] ** 2 for layer in page["layers"]] for page in found]).mean(axis=0)
        expected = [band["mean"] for band in found[0]["expected"][of]]
        np.testing.assert_allclose(measured, expected, rtol=0.12)


def test_batches_and_digits_are_those_of_the_claims() -> None:
    optional("sklearn")

    digits = program_of("examples/network.py").digits
    batches, page, points = answers(
        ("batches", {"count": 1797, "size": 32, "times": 300}), ("digits", {}), ("points", {"shape": "moons"})
    )
    choose = np.random.default_rng(0)
    assert batches == [choose.integers(1797, size=32).tolist() for _ in range(300)]
    x, labels = digits()
    np.testing.assert_allclose(np.reshape(page["x"], x.shape), x, rtol=0, atol=1e-12)
    assert page["labels"] == labels.tolist()
    assert len(points["x"]) == 800 and np.abs(points["x"]).max() < 2


def test_presets_show_the_claims_numbers() -> None:
    presets, facts = answers(("presets", {}), ("facts", {}))
    assert len(presets) == len(facts["claims"]["en"]) == len(facts["claims"]["zh"])
    ranges, tanh, sigmoid, dead = (
        presets[2]["state"],
        presets[3]["state"],
        presets[4]["state"],
        presets[7]["state"],
    )
    wanted = [presets[0]["state"], ranges, tanh, sigmoid, dead]
    networks = answers(*[("network", {"of": state}) for state in wanted])
    pages = answers(
        *[
            ("probe", {"network": network, "run": one})
            for network, state in zip(networks, wanted, strict=True)
            for one in state["runs"]
        ]
    )
    drawn, ranges_found, tanh_found, sigmoid_found, dead_found = (
        pages[:3],
        pages[3:6],
        pages[6:8],
        pages[8:11],
        pages[11:],
    )
    for page, (scheme, row) in zip(drawn, CLAIMS["densities"]["schemes"].items(), strict=True):
        close(page["layers"][0]["std"], row["law std"], 0.01, scheme)
        assert (page["layers"][0]["largest"] > 4 * row["law std"]) == (scheme != "xavier_uniform")
    twenty = CLAIMS["ranges"][2]
    for page, eps in zip(ranges_found, (0.1, None, 1.0), strict=True):
        if eps:
            at = int(np.argmin(np.abs(np.array(twenty["eps"]) - eps)))
            close(math.sqrt(page["expected"]["q"][19]["mean"]), twenty["theory"][at], 0.05, f"eps {eps}")
    for page, case in zip(tanh_found, ("tanh, Xavier", "tanh, Xavier x 5/3"), strict=True):
        for layer in (9, 39):
            theory = page["expected"]["q"][layer]
            # The gain is 1.67 for 5/3, and the inputs' mean square is 1 only on average.
            close(theory["mean"], CLAIMS["variance"][case]["q"]["theory"][layer], 0.02, case)
            assert theory["low"] < page["layers"][layer]["rms"] ** 2 < theory["high"], case
    close(
        sigmoid_found[0]["expected"]["gradient"][39]["mean"],
        CLAIMS["variance"]["sigmoid, Xavier"]["gradient"]["theory"][39],
        0.02,
        "",
    )
    for page, row in zip(dead_found, CLAIMS["dead"], strict=True):
        for layer in (9, 29):
            assert abs(page["layers"][layer]["dead"] - row["theory"][layer]) < 0.12, row["bias"]


def test_facts_and_digits_are_up_to_date() -> None:
    optional("sklearn")
    make = program_of("tools/make_explorer.py")
    assert (EXPLORER / "facts.js").read_text() == make.facts(), "run tools/make_explorer.py"
    assert gzip.decompress((EXPLORER / "digits.bin.gz").read_bytes()) == gzip.decompress(make.digits())


def test_a_state_is_its_address() -> None:
    state = {"view": "training", "lang": "zh", "depth": 100, "seed": 2**53 - 1, "rate": 0.003, "norm": "layer",
             "runs": [run("gelu", "uniform", 1e-6, 0.1), run("tanh", "zeros"), run("sin", "he_uniform")]}  # fmt: skip
    hashes = answers(("format", {"of": state}), ("format", {"of": {}}))
    assert hashes[1] == "#"
    parsed, wrong = answers(("parse", {"hash": hashes[0]}), ("parse", {"hash": WRONG}))
    assert {key: parsed["state"][key] for key in state} == state
    assert parsed["problems"] == []
    assert wrong["problems"] == WRONG[1:].split("&")
    [plain] = answers(("parse", {"hash": ""}))
    assert wrong["state"] == plain["state"]


WRONG = ("#depth=101&depth=2.5&width=0&seed=-1&norm=group&nonsense=1&view=&rate=0&run=relu&run=swoosh,he_normal&run=relu,he_normal,99"
         "&run=relu,zeros,1&run=relu,he_normal,,x&run=relu,constructor&toString=1&batch= ")  # fmt: skip


def test_both_languages_have_the_same_words_and_numbers() -> None:
    [[english, chinese]] = answers(("words", {}))
    assert english == chinese


@pytest.mark.parametrize(("scheme", "value", "_"), SCHEMES)
def test_the_lines_to_take_home_draw_what_the_page_draws(scheme: str, value: float | None, _: Any) -> None:
    torch = optional("torch")
    of = {"inputs": 20, "width": 30, "depth": 4, "outputs": 7, "batch": 16, "seed": 5}
    one = run("tanh", scheme, value, 0.1)
    trained = {**of, "view": "training", "hidden": 2, "units": 9}
    (python, torchs, widths), (python2, torch2, widths2) = answers(
        ("lines", {"of": of, "run": one, "data": None}),
        ("lines", {"of": trained, "run": one, "data": {"inputs": 2, "classes": 2}}),
    )
    [page] = answers(("probe", {"network": {**PLAIN, "widths": widths}, "run": one}))
    for code, torch_code, name, shape, measured in (
        (python, torchs, "layer.{}.weight", widths, True),
        (python2, torch2, "layer{}.weight", widths2, False),
    ):
        room: dict[str, Any] = {}
        exec(code, room)
        exec(torch_code, room)
        parameters = dict(room["model"].named_parameters())
        first = 0 if measured else 1
        assert [w.shape for w in room["weights"]] == [(n_out, n_in) for n_in, n_out in pairwise(shape)]
        for i, weight in enumerate(room["weights"], first):
            parameter = parameters[name.format(i)]
            assert torch.equal(parameter, torch.from_numpy(weight))
            assert (parameters[name.format(i).replace("weight", "bias")] == np.float32(0.1)).all()
        if measured:
            for layer, ours in zip(room["report"].layers, page["layers"], strict=True):
                close(ours["rms"], layer.rms, 1e-5, "rms")


def test_remedies_mend() -> None:
    network = {**PLAIN, "widths": [100] * 31, "batch": 32}
    ill = [
        run("relu", "xavier_normal"),
        run("relu", "uniform", 1.0),
        run("tanh", "constant", 0.1),
        run("relu", "zeros"),
    ]
    ways = answers(*[("remedies", {"network": network, "run": one}) for one in ill])
    mended = [{**one, **way[0]["run"]} for one, way in zip(ill, ways, strict=True)]
    for page in answers(*[("probe", {"network": network, "run": one}) for one in mended]):
        assert all(finding["level"] != "fault" for finding in page["findings"])


def test_the_site_has_the_page(tmp_path: Path) -> None:
    optional("sphinx")
    pages = program_of("docs/pages.py")
    app: Any = SimpleNamespace(builder=SimpleNamespace(format="html"), srcdir=ROOT / "docs", outdir=tmp_path)
    for _ in range(2):
        pages.with_explorer(app, None)
    assert {path.name for path in (tmp_path / "explorer").iterdir()} == {
        path.name for path in EXPLORER.iterdir()
    }


def test_the_page_is_small() -> None:
    files = [path for path in EXPLORER.iterdir() if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 400_000
    for path in files:
        if path.suffix == ".js" and path.name not in ("tables.js", "facts.js"):
            assert len(path.read_text().splitlines()) <= 350, path.name
