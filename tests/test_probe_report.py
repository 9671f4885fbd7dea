"""What a probe of the NumPy stack shows: picture, page, table, command."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import optional

from fastinit.cli import main
from fastinit.propagation import ProbeReport, html, plot, probe, text


@pytest.fixture(scope="module")
def reports() -> list[ProbeReport]:
    return [probe([32] * 8, "tanh", scheme, **numbers) for scheme, numbers in
            (("he_normal", {}), ("constant", {"value": 0.01}), ("normal", {"std": 1e3}))]  # fmt: skip


def test_the_picture(reports: list[ProbeReport], tmp_path: Path) -> None:
    optional("matplotlib")
    figure = plot(reports)
    forward, gradient, shares, cosine = figure.axes
    assert (
        forward.get_ylim() == gradient.get_ylim() and forward.get_yscale() == gradient.get_yscale() == "log"
    )
    names = [label.get_text() for label in cosine.get_xticklabels()]
    assert names == [layer.name for layer in reports[0].layers]
    lines = {line.get_label(): line.get_ydata() for line in forward.get_lines()}
    assert set(lines) >= {report.title for report in reports}
    np.testing.assert_array_equal(lines[reports[0].title], [layer.rms for layer in reports[0].layers])
    dashed = [line for line in forward.get_lines() if line.get_linestyle() == "--"]
    expected = [layer.expected.rms for layer in reports[0].layers if layer.expected]
    np.testing.assert_array_equal(dashed[0].get_ydata(), expected)
    assert len(forward.collections) == 3 and shares.get_ylim()[1] > 1
    for ending, magic in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        plot(reports, tmp_path / f"p{ending}")
        assert (tmp_path / f"p{ending}").read_bytes().startswith(magic)
    first = (tmp_path / "p.svg").read_bytes()
    plot(reports, tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_bytes() == first
    with pytest.raises(ValueError, match="reports"):
        plot([])


def test_the_page_loads_nothing_and_escapes_names(reports: list[ProbeReport]) -> None:
    optional("matplotlib")
    layers = probe([4, 5, 6], "relu", "he_normal", batch=8, seed=0).layers
    odd = ProbeReport("<script>&", (replace(layers[0], name="a<b"), replace(layers[1], name="c")))
    page = html([*reports, odd])
    assert "<script" not in page and "&lt;script&gt;&amp;" in page and "a&lt;b" in page
    assert (
        not re.findall(r"(?:src|href|srcset)=\"(?!data:)", page)
        and "url(" not in page
        and "@import" not in page
    )
    assert page.count("data:image/svg+xml;base64,") == 2 and "prefers-color-scheme: dark" in page
    tags = re.findall(r"<(/?)(\w+)[^>]*>", page)
    for tag in {name for _, name in tags} - {"meta", "source", "img"}:
        assert tags.count(("", tag)) == tags.count(("/", tag)), tag


def test_the_table() -> None:
    lines = text(probe([16] * 40, "relu", "he_normal")).splitlines()
    assert lines[1].split()[:3] == ["layer", "weight", "Var"]
    assert lines[18] == "16 of 39 layers" and lines[19].startswith("first loss 2.")
    assert lines[2].startswith("layer.0 ") and lines[17].startswith("layer.38 ")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["probe", "--widths", "32x8,10", "--activation", "tanh"]
    assert main([*arguments, "--scheme", "he_normal:gain=1.2,orthogonal"]) == 0
    out = capsys.readouterr().out
    assert "he_normal, gain=1.2, tanh: fine" in out and "orthogonal, tanh: fine" in out
    target = tmp_path / "r.json"
    assert main([*arguments, "--scheme", "zeros", "-o", str(target)]) == 3
    (data,) = json.loads(target.read_text())
    assert data["verdict"]["level"] == "fault" and len(data["layers"]) == 8
    assert data["layers"][-1]["shape"] == [10, 32]
    capsys.readouterr()
    assert main([*arguments, "--scheme", "zeros", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == [data]
    optional("matplotlib")
    for ending in ("html", "png", "svg"):
        assert main([*arguments, "-o", str(tmp_path / f"r.{ending}")]) == 0
        assert (tmp_path / f"r.{ending}").stat().st_size > 10_000


def test_pictures_without_matplotlib(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["probe", "--widths", "3,4", "-o", str(tmp_path / "r.png")]) == 2
    assert 'needs matplotlib: pip install "fastinit-nn[plot]"' in capsys.readouterr().err
    assert main(["probe", "--widths", "3,4,5"]) == 0
