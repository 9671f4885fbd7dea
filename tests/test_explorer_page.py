"""The explorer in headless Chromium: its numbers, its links, its lines of code, its keyboard, and what it asks of the net."""

from __future__ import annotations

import itertools
import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, Page, served
from conftest import ROOT

IDLE = "window.explorer && document.body.dataset.busy === 'false'"
DESKTOP, PHONE = 1280, 390
SMALL = "inputs=20&width=30&depth=8&outputs=7&batch=16&seed=5"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str]]:
    """A tab of Chromium and the address of the explorer."""
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("FASTINIT_REQUIRE_OPTIONAL") else pytest.skip)(
            "Chromium is not installed"
        )
    with served(ROOT / "docs") as base:
        page = Page(tmp_path_factory.mktemp("profile"))
        try:
            yield page, f"{base}/explorer/index.html"
        finally:
            page.close()


def opened(tab: tuple[Page, str], state: str = "", **how: Any) -> Page:
    page, address = tab
    page.open(address + state, **how)
    page.wait(IDLE)
    return page


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("view", ["depth", "training", "claims"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_shows_every_view_and_asks_nobody_else(
    tab: tuple[Page, str], lang: str, view: str, width: int
) -> None:
    page = opened(tab, f"#view={view}&lang={lang}&steps=20&seeds=1&{SMALL}", width=width)
    assert page.errors == []
    base = tab[1].partition("/explorer")[0]
    assert page.requests and all(url.startswith((base, "data:", "about:")) for url in page.requests)
    assert page.run("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[lang]
    assert page.run("document.scrollingElement.scrollWidth") <= width
    assert page.run("document.querySelector('.notice').hidden")
    if view != "claims":
        paths = page.run(
            "[...document.querySelectorAll('.pictures svg path')].map(p => p.getAttribute('d')).join()"
        )
        assert len(paths) > 500 and "NaN" not in paths and "Infinity" not in paths


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize(
    "run", ["relu,he_normal", "tanh,uniform,0.3,0.1", "gelu,xavier_uniform,1.5", "relu,constant"]
)
def test_its_line_of_python_gives_its_numbers(tab: tuple[Page, str], run: str, width: int) -> None:
    page = opened(tab, f"#{SMALL}&run={run}", width=width)
    [ours] = page.run("window.explorer.report()")
    code, _ = page.run("[...document.querySelectorAll('.code code')].map(c => c.textContent)")
    room: dict[str, Any] = {}
    exec(code, room)
    for i, (layer, drawn) in enumerate(zip(room["report"].layers, ours["layers"], strict=True)):
        assert drawn["rms"] == pytest.approx(layer.rms, rel=1e-6)
        assert drawn["gradient"] == pytest.approx(layer.gradient, rel=1e-6)
        assert drawn["dead"] == layer.dead
        if layer.expected:
            assert np.sqrt(ours["expected"]["q"][i]["mean"]) == pytest.approx(layer.expected.rms, rel=1e-6)
            assert np.sqrt(ours["expected"]["gradient"][i]["high"]) == pytest.approx(
                layer.expected.gradient_high, rel=1e-6
            )
            assert ours["dead"][i] == pytest.approx(layer.expected.dead, abs=1e-6)
        else:
            assert ours["expected"] is None


def test_its_address_holds_its_state(tab: tuple[Page, str]) -> None:
    page = opened(tab, f"#{SMALL}")
    page.run("""(() => {
        const set = (field, value) => { field.value = value; field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input")); };
        const [card] = document.querySelectorAll("fieldset.card");
        set(card.querySelectorAll("select")[0], "tanh");
        set(card.querySelectorAll("select")[1], "normal");
        set(card.querySelector("input"), 300);
        set(document.querySelectorAll(".settings select")[0], "layer");
        document.querySelector(".remove:not([hidden])");
    })()""")
    page.wait("location.hash.includes('run=tanh,normal,')")
    page.wait(IDLE)
    before, state, address = page.run("[window.explorer.report(), window.explorer.state(), location.hash]")
    assert (
        state["norm"] == "layer" and state["runs"][0]["scheme"] == "normal" and state["runs"][0]["value"] > 1
    )
    again = opened(tab, address)
    assert again.run("window.explorer.state()") == state
    assert again.run("window.explorer.report()") == before
    assert page.errors == []


def test_says_what_it_does_not_understand_of_a_link(tab: tuple[Page, str]) -> None:
    page = opened(tab, f"#{SMALL}&norm=group")
    assert "norm=group" in page.run("document.querySelector('.notice:not([hidden])').textContent")


def test_a_button_mends_what_is_wrong(tab: tuple[Page, str]) -> None:
    page = opened(tab, "#width=64&inputs=64&outputs=64&run=relu,xavier_normal")
    assert page.run("document.querySelector('.verdict .fault') !== null")
    page.run("document.querySelector('.remedies button').click()")
    page.wait(f"{IDLE} && document.querySelector('.verdict .fault') === null")
    assert page.run("window.explorer.state().runs[0].scheme") == "he_normal"


def test_every_control_is_reached_by_keyboard_in_its_order(tab: tuple[Page, str]) -> None:
    page = opened(tab, f"#{SMALL}")
    wanted = page.run("""(() => {
        const all = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")];
        all.filter((e) => e.checkVisibility()).forEach((e, i) => { e.dataset.place = i; });
        return document.querySelectorAll("[data-place]").length;
    })()""")
    reached = []
    for _ in range(wanted):
        page.press("Tab", 9)
        place, outline, name = page.run(
            "(e => [Number(e.dataset.place), getComputedStyle(e).outlineStyle, e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent])"
            "(document.activeElement)"
        )
        assert outline != "none" and name.strip(), (
            place,
            page.run("document.activeElement.outerHTML.slice(0, 300)"),
        )
        reached.append(place)
    assert reached == list(range(wanted)) and wanted > 30
    # A slider moves by its arrows.
    page.run("document.querySelector('.layer input').focus()")
    page.press("ArrowLeft", 37)
    assert page.run("window.explorer.state().layer") == 7


def test_zeros_and_constants_stay_equal_while_training(tab: tuple[Page, str]) -> None:
    page = opened(
        tab,
        "#view=training&steps=60&seeds=2&data=moons&units=8&run=tanh,zeros&run=tanh,constant&run=tanh,xavier_normal",
    )
    zeros, constant, xavier = page.run("window.explorer.report()")
    assert [run["units"] for run in (zeros, constant, xavier)] == [[1, 1], [1, 1], [8, 8]]
    assert zeros["losses"][0][-1] == pytest.approx(np.log(2), abs=0.01)
    assert (
        len(xavier["losses"]) == 2
        and xavier["losses"][0][-1] < constant["losses"][0][-1] < zeros["losses"][0][-1]
    )
    # What is drawn is what the picture of the plane shows: two colours for two classes.
    assert len(page.run("[...document.querySelectorAll('canvas')].map(c => c.toDataURL().length)")) == 3
    assert page.errors == []


@pytest.mark.parametrize("view", ["depth", "training"])
def test_starts_come_and_go(tab: tuple[Page, str], view: str) -> None:
    page = opened(tab, f"#view={view}&steps=20&seeds=1&{SMALL}&run=relu,zeros&run=tanh,he_normal")
    for button, left in (
        (".runs > button", 3),
        (".runs > button", 4),
        (".card .remove", 3),
        (".card .remove", 2),
    ):
        page.run(f"document.querySelector('{button}').click()")
        page.wait(IDLE)
        assert (
            len(page.run("window.explorer.report()")) == len(page.run("window.explorer.state().runs")) == left
        )
        assert (
            page.run("[...document.querySelectorAll('fieldset.card')].filter(c => !c.hidden).length") == left
        )
    assert page.errors == []


def test_steps_by_depth_are_those_of_the_claims(tab: tuple[Page, str]) -> None:
    page = opened(tab, "#view=training&steps=20&seeds=1&run=tanh,xavier_normal")
    page.run("[...document.querySelectorAll('.results section .row button')][0].click()")
    page.wait("window.explorer.arrivals().length > 0")
    page.run("[...document.querySelectorAll('.results section .row button')][0].click()")
    [arrival, *_] = page.run("window.explorer.arrivals()")
    known = json.loads((ROOT / "docs" / "images" / "claims.json").read_text())["convergence"]["tanh, Xavier"][
        0
    ]
    assert (arrival["depth"], arrival["rate"], arrival["counts"]) == (2, known["rate"], known["steps"][:3])
    page.wait(IDLE)
    assert page.errors == []


def test_a_claim_opens_as_its_experiment(tab: tuple[Page, str]) -> None:
    page = opened(tab, "#view=claims")
    titles = page.run("[...document.querySelectorAll('article.claim h2')].map(h => h.textContent)")
    assert len(titles) == 9
    page.run("document.querySelectorAll('article.claim')[5].querySelector('button').click()")
    page.wait(f"{IDLE} && document.querySelector('.pictures svg')")
    assert page.run("document.querySelector('.card.claim h2').textContent") == titles[5]
    assert page.run("window.explorer.state().runs.map(r => r.scheme)") == ["he_normal", "xavier_normal"]
    page.run("history.back()")
    page.wait("document.querySelectorAll('article.claim').length === 9")
    assert page.errors == []


@pytest.mark.parametrize("view", ["depth", "training"])
def test_its_picture_is_svg(tab: tuple[Page, str], view: str) -> None:
    page = opened(tab, f"#view={view}&steps=20&seeds=1&{SMALL}")
    root = ET.fromstring(page.run("window.explorer.picture()"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall(".//{*}path")) > 10
    assert "var(" not in ET.tostring(root, encoding="unicode")


def test_light_and_dark_are_the_readers_choice(tab: tuple[Page, str]) -> None:
    theme, paper = "document.documentElement.dataset.theme", "getComputedStyle(document.body).backgroundColor"
    seen = []
    for dark in (False, True):
        page = opened(tab, f"#{SMALL}", dark=dark)
        page.run("localStorage.removeItem('theme')")
        page = opened(tab, f"#{SMALL}", dark=dark)
        assert page.run(theme) == ("dark" if dark else "light")
        seen.append(page.run(paper))
        page.run("document.getElementById('theme').click()")
        assert page.run(theme) == ("light" if dark else "dark")
        assert page.run("localStorage.getItem('theme')") == ("light" if dark else "dark")
        page.run("localStorage.removeItem('theme')")
    assert seen[0] != seen[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(theme: str) -> None:
    """4.5 to 1 for text, 3 to 1 for lines, after WCAG 2."""
    facts = json.loads(
        "{"
        + (ROOT / "docs" / "explorer" / "facts.js").read_text().partition("{")[2].rpartition(",\n}")[0]
        + "}"
    )
    look = facts["look"][theme]
    for colour in (look["ink"], *look["colours"][:4]):
        assert contrast(colour, look["paper"]) >= (4.5 if colour == look["ink"] else 2.9)
    for one, other in itertools.combinations(look["colours"][:4], 2):
        assert one != other


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
