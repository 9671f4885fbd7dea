"""What docs/claims.md says of initialisation: each claim on smaller networks, and the page's numbers run again."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional, program_of

from fastinit import propagation

optional("sklearn")
claims, experiments, network = (
    program_of(f"examples/{name}.py") for name in ("claims", "experiments", "network")
)


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    """Those that the page shows."""
    shown: dict[str, Any] = json.loads(claims.NUMBERS.read_text())
    return shown


def within(run: dict[str, Any], layers: slice) -> bool:
    """Whether the median over networks lies in the theory's band for one."""
    low, median, high = (np.array(run[key][layers]) for key in ("low", "median", "high"))
    return bool(((low < median) & (median < high)).all())


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "silu", "gelu"])
def test_gradients_are_those_of_differences(activation: str) -> None:
    x, labels = network.digits()
    x, labels, at, step = x[:16], labels[:16], (1, 3, 2), 1e-6
    networks = network.Networks(
        [64, 9, 8, 10], activation, [(network.Init("he_normal", bias=0.1), seed) for seed in (0, 1)]
    )
    signals = networks.forward(x)
    back = networks.backward(x, signals, network.cross_entropy(signals[-1], labels)[1])
    for arrays, gradients in ((networks.weights, back.weights), (networks.biases, back.biases)):
        for array, gradient in zip(arrays, gradients, strict=True):
            losses = []
            place = at[: array.ndim]
            for change in (step, -2 * step):
                array[place] += change
                losses.append(network.cross_entropy(networks.forward(x)[-1], labels)[0])
            array[place] += step
            assert np.allclose((losses[0] - losses[1]) / (2 * step), [0, gradient[place]], atol=1e-8)


def test_laws_have_their_spread_and_bounds() -> None:
    schemes = experiments.densities((256, 784))["schemes"]
    for run in schemes.values():
        assert abs(run["std"] / run["law std"] - 1) < 5 / math.sqrt(2 * 256 * 784)
    uniform, normal = schemes["xavier_uniform"], schemes["xavier_normal"]
    assert uniform["law std"] == pytest.approx(normal["law std"]) == pytest.approx(math.sqrt(2 / 1040))
    assert 1.73 < uniform["largest"] / uniform["law std"] <= math.sqrt(3)
    assert 4 < normal["largest"] / normal["law std"] < 7


def test_equal_units_stay_equal(numbers: dict[str, Any]) -> None:
    runs = {(run["activation"], run["scheme"]): run for run in experiments.symmetry()}
    for (activation, scheme), run in runs.items():
        silent = scheme == "zeros" and activation != "sigmoid"
        assert run["moved"] == [not silent] * 3
        assert run["units"] == ([32, 32] if scheme == "xavier_normal" else [1, 1])
        if silent:
            assert max(abs(loss - math.log(10)) for loss in run["losses"][9:]) < 0.06
        elif scheme != "xavier_normal":
            assert 1.5 < run["losses"][-1] < 2.1  # one unit's worth
        else:
            assert run["losses"][-1] < 0.2
    for run, shown in zip(runs.values(), numbers["symmetry"], strict=True):
        assert run["losses"][-1] == pytest.approx(shown["losses"][-1], rel=1e-3)
        assert run["units"] == shown["units"]


def test_small_ranges_vanish_and_large_explode(numbers: dict[str, Any]) -> None:
    for run in experiments.ranges(exponents=(-6, -2.5, -0.5, 0.5, 2), depths=(2, 8), steps=100):
        spread = math.sqrt(5 * run["depth"] / 64)
        for measured, theory in zip(run["rms"], run["theory"], strict=True):
            assert abs(math.log(measured / theory)) < 2 * spread
        tiny, small, right, large, huge = run["loss"]
        assert abs(tiny - math.log(10)) < 0.05 and abs(small - math.log(10)) < 0.05 and right < 0.6
        assert huge == math.inf and (run["depth"] == 2 or large == math.inf)
    windows = [claims.window(run) for run in numbers["ranges"]]
    decades = [math.log10(window[-1] / window[0]) for window in windows]
    assert decades[0] > 1 > 0.5 > decades[1] > decades[2]
    assert all(window[0] <= math.sqrt(6 / 64) * 10**0.0625 <= window[-1] * 10**0.0625 for window in windows)


@pytest.fixture(scope="module")
def variance() -> dict[str, Any]:
    return experiments.variance(depth=21, width=100, networks=12)


@pytest.mark.parametrize("case", [case for case in experiments.CASES if case != "SiLU, own gain"])
def test_theory_tells_what_happens_to_the_variance(variance: dict[str, Any], case: str) -> None:
    assert within(variance[case]["q"], slice(0, -1))
    if case != "GELU, He":  # whose q strays too far for a band of first order in 1 / width
        assert within(variance[case]["gradient"], slice(0, -1))


def test_xavier_keeps_tanh_only_near_zero(variance: dict[str, Any]) -> None:
    q, steep = variance["tanh, Xavier"]["q"], variance["tanh, Xavier x 5/3"]
    way = propagation.mean_field("tanh", weight_variance=1).trajectory(400, q=0.5).q
    assert way[-1] * 2 * 400 == pytest.approx(1, rel=0.02)  # 1 / 2l
    assert 0.01 < q["median"][19] < 0.05 < 0.4 < q["median"][0]
    assert abs(steep["q"]["median"][19] - 1.178) < 0.2
    chi = propagation.mean_field("tanh", weight_variance=25 / 9).chi
    assert chi == pytest.approx(1.2098, abs=1e-4) and 10 < steep["gradient"]["median"][0] < 2 * chi**20


def test_xavier_does_not_suit_sigmoid(variance: dict[str, Any]) -> None:
    gradient = variance["sigmoid, Xavier"]["gradient"]["median"]
    plain, fourfold = (propagation.mean_field("sigmoid", weight_variance=v) for v in (1, 16))
    assert round(plain.chi, 4) == 0.0557 and round(fourfold.chi, 2) == 0.4
    assert (gradient[0] / gradient[15]) ** (1 / 15) == pytest.approx(plain.chi, rel=0.05)
    assert gradient[10] < 1e-11


def test_he_keeps_relu_in_the_mean_and_xavier_halves_it(variance: dict[str, Any]) -> None:
    assert 0.4 < variance["ReLU, He"]["q"]["median"][19] < 5
    halved = variance["ReLU, Xavier"]["q"]["median"]
    assert abs(math.log2(halved[0] / halved[19]) / 19 - 1) < 0.1


def test_the_mean_relu_network_keeps_the_signal() -> None:
    assert abs(experiments.spread(256, 10, 400)["growth"] - 1) < 4 * math.sqrt((1 + 5 / 256) ** 10 - 1) / 20


def test_the_typical_relu_network_shrinks(numbers: dict[str, Any]) -> None:
    spread = experiments.spread()
    assert abs(spread["mean"] - spread["theory mean"]) < 4 * spread["theory std"] / math.sqrt(400)
    assert abs(spread["std"] / spread["theory std"] - 1) < 4 / math.sqrt(800)
    assert spread["mean"] < -1.5 and abs(spread["shrunk"] - spread["theory shrunk"]) < 0.08
    assert spread == pytest.approx(numbers["spread"], rel=1e-4)


def test_he_is_wrong_for_gelu_and_silu(variance: dict[str, Any], numbers: dict[str, Any]) -> None:
    assert variance["SiLU, He"]["q"]["median"][19] < 1e-3 and variance["GELU, He"]["q"]["median"][19] < 0.2
    for shown in (variance["SiLU, own gain"]["q"], numbers["variance"]["SiLU, own gain"]["q"]):
        assert shown["theory"][:20] == pytest.approx([1] * 20, rel=1e-6)  # kept, but on a knife's edge
        assert shown["least"][19] < 0.2 and shown["largest"][19] > 5
    assert round(math.log10(shown["largest"][39] / shown["least"][39])) == 10


def test_biases_do_little_against_dead_units_compared_with_depth() -> None:
    none, small, large = experiments.dead(depth=16, width=128, networks=4)
    for run in (none, small, large):
        for measured, theory in zip(run["dead"][3:], run["theory"][3:], strict=True):
            assert abs(measured - theory) < 0.08
        assert run["dead"][15] - run["dead"][1] > 0.15
    assert 0 <= none["off"][9] - small["off"][9] < 0.01 and 0.005 < none["off"][9] - large["off"][9] < 0.04
    assert abs(small["dead"][15] - none["dead"][15]) < 0.01
    assert none["theory"][9] < small["theory"][9] < large["theory"][9] < 1.2 * none["theory"][9]
    c = propagation.mean_field("relu", weight_variance=2).trajectory(10).correlation[-1]
    alone = [propagation.dead_share(c, 128, q=2, bias=bias) for bias in (0, 0.1)]
    assert [round(share, 3) for share in alone] == [0.146, 0.129]


def arrivals(run: str, depth: int, **size: int) -> list[Any]:
    steps: list[Any] = experiments.convergence([run], [depth], **size)[run][0]["steps"]
    return steps


def test_the_scheme_decides_whether_and_how_fast_relu_and_sigmoid_learn() -> None:
    he, xavier = (sorted(arrivals(f"ReLU, {name}", 10, seeds=3)) for name in ("He", "Xavier"))
    assert he[-1] < xavier[0]
    assert arrivals("ReLU, Xavier", 20, seeds=2, steps=150) == [None] * 2
    assert None not in arrivals("sigmoid, Xavier", 2, seeds=2, steps=100)
    assert arrivals("sigmoid, Xavier", 5, seeds=2) == [None] * 2


def test_for_tanh_he_is_no_worse_than_xavier() -> None:
    xavier, he = (sorted(arrivals(f"tanh, {name}", 10, seeds=3, steps=100)) for name in ("Xavier", "He"))
    assert he[1] <= xavier[1] <= 2 * he[1]
    assert round(propagation.mean_field("tanh", weight_variance=2).q_star, 2) == 0.62


def test_biases_make_no_difference_beyond_the_spread(numbers: dict[str, Any]) -> None:
    for bias in ("0.01", "0.1"):
        rows = [
            [row["steps"] for row in numbers["convergence"][run]]
            for run in ("ReLU, He", f"ReLU, He, bias {bias}")
        ]
        again = [arrivals(run, 5, seeds=3, steps=80) for run in ("ReLU, He", f"ReLU, He, bias {bias}")]
        for pair in [*zip(*rows, strict=True), again]:
            without, biased = ([math.inf if s is None else s for s in steps] for steps in pair)
            assert min(without) <= max(biased) and min(biased) <= max(without)


def test_the_page_shows_the_numbers_of_the_script(numbers: dict[str, Any]) -> None:
    page = claims.PAGE.read_text()
    assert claims.renewed(page, claims.tables(numbers)) == page, "run python examples/claims.py"
    with pytest.raises(ValueError, match="<!-- dead -->"):
        claims.renewed("", {"dead": ""})
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    links = re.findall(r"\]\(#(.*?)\)", page)
    assert len(links) == 9 and set(links) <= {heading.lower().replace(" ", "-") for heading in headings}


def test_the_script_gives_the_numbers_again(numbers: dict[str, Any]) -> None:
    assert claims.rounded(experiments.densities()) == numbers["densities"]
    case = "tanh, Xavier"
    again = experiments.variance([case])[case]
    for key in ("q", "gradient"):
        for name, values in again[key].items():
            assert values == pytest.approx(numbers["variance"][case][key][name], rel=1e-4)
    for steps, shown in zip(
        arrivals("ReLU, He", 2), numbers["convergence"]["ReLU, He"][0]["steps"], strict=True
    ):
        assert steps is not None and abs(steps - shown) <= 2


def test_pictures_are_drawn(numbers: dict[str, Any], tmp_path: Path) -> None:
    optional("matplotlib")
    import pictures

    pictures.draw(numbers, tmp_path)
    drawn = {path.stem for path in tmp_path.iterdir()}
    assert drawn == {f"claims-{name}{dark}" for name in pictures.PICTURES for dark in ("", "-dark")}
    shown = set(re.findall(r"images/(claims-\w+)\.png", claims.PAGE.read_text()))
    assert drawn == shown | {f"{name}-dark" for name in shown}
