"""What a probe's verdict says of inputs, of biases that kill and of complex layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import optional

import fastinit as fi
from fastinit.propagation import judge
from fastinit.propagation import probe as probe_stack

torch = optional("torch")
from torch import nn  # noqa: E402
from torch_networks import (  # noqa: E402
    normal,
    stack,
)

import fastinit.torch as fit  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: 255 * x, "standard deviation 2.5e+02"),
        (
            lambda x: x + 30,
            "the inputs are not standardised: mean 30, standard deviation 1; standardise them first",
        ),
        (lambda x: 1e-3 * x, "standard deviation 0.001"),
        (lambda x: x * torch.tensor([30.0] + 63 * [1.0]), "but one feature has the rms 3"),
    ],
)
def test_inputs_that_are_not_standardised_come_first(change: Callable[[Any], Any], says: str) -> None:
    model, x = stack([64, 64, 64, 8], nn.ReLU), normal(200, 64)
    model[2].bias.data.fill_(-1e6)  # a fault beside it
    for first in (judge(fit.probe(model, change(x))), judge(fit.probe(model, (change(x),)))):
        assert says in first.findings[0].text and first.findings[0].text.startswith(
            "the inputs are not stand"
        )
        assert (first.level, first.exit_code) == ("fault", 3)


def test_inputs_that_are_standardised_or_have_no_scale() -> None:
    model = stack([64, 64, 8], nn.ReLU)
    for x in (normal(99, 64), torch.rand(99, 64), torch.eye(64), torch.ones(9, 64), 3 * normal(99, 64)):
        assert "standardised" not in judge(fit.probe(model, x)).text

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.fc = nn.Embedding(9, 64), nn.Linear(64, 4)

        def forward(self, ids: Any, times: Any, image: Any, mask: Any) -> Any:
            return self.fc(self.embed(ids) * mask + times[:, None] + image)

    batch = {"ids": torch.arange(9), "times": 1000 * torch.rand(9), "mask": torch.ones(9, 1)}
    text = judge(fit.probe(Named(), {**batch, "image": 200 * torch.rand(9, 64)})).text
    assert text.startswith("the input 'image' is not standardised: mean ")
    assert "standardised" not in judge(fit.probe(Named(), {**batch, "image": normal(9, 64)})).text


def test_one_sample_is_no_verdict() -> None:
    model = stack([64, 64, 64, 8], nn.ReLU)
    verdict = judge(fit.probe(model, normal(1, 64)))
    assert verdict.text == "no verdict: the batch has one sample; give some dozens that differ"
    assert (verdict.level, verdict.exit_code, verdict.words) == ("warning", 0, ("-", "-", "-"))
    assert judge(fit.probe(model, normal(64))).text.startswith("no verdict")
    assert judge(fit.probe(nn.Conv2d(3, 4, 3), normal(1, 3, 9, 9))).text.startswith("no verdict")
    assert "no verdict" not in judge(fit.probe(model, normal(2, 64))).text
    tokens = nn.Sequential(nn.Embedding(9, 64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    assert fit.probe(tokens, torch.arange(8)[None]).samples == 8
    assert judge(fit.probe(tokens, torch.arange(1)[None])).text.startswith("no verdict")
    assert judge(probe_stack([9, 9, 9], "relu", "he_normal", batch=1)).text.startswith("no verdict")


@pytest.mark.parametrize("inplace", [False, True])
def test_a_bias_that_kills_is_named_and_no_gain_is_offered(inplace: bool) -> None:
    model = stack([64] * 5 + [8], lambda: nn.ReLU(inplace=inplace))
    x = normal(64, 64)
    model[2].bias.data.fill_(-30.0)
    report = fit.probe(model, x)
    assert report.layers[1].dead == 1 and report.layers[1].unbiased == 0
    text = judge(report).text
    assert "dead: 100% of the units of 2 are 0 for the whole batch, by the bias of 2" in text
    assert "gain" not in text
    model[2].bias.data.zero_()
    model[2].weight.data.abs_().neg_()  # dead by its weights
    assert fit.probe(model, x).layers[1].unbiased == 1
    text = judge(fit.probe(model, x)).text
    assert "dead: 100% of the units of 2 are 0 for the whole batch" in text and "by the bias" not in text


def test_the_bias_of_a_norm_kills_too() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.Flatten(),
        nn.Linear(400, 5),
    )
    model[1].bias.data[:12] = -9.0
    report = fit.probe(model, normal(32, 3, 9, 9))
    assert (report.layers[0].dead, report.layers[0].unbiased, report.layers[0].bias) == (0.75, 0, "1")
    text = judge(report).text
    assert "dead: 75% of the units of 0 are 0 for the whole batch, by the bias of 1: 0% are without" in text


def test_a_bias_that_kills_in_numpy() -> None:
    text = judge(probe_stack([64] * 6, "relu", "he_normal", bias=fi.laws.Constant(-9.0))).text
    assert "by the bias of layer.0" in text and "gain" not in text
    assert "by the bias" not in judge(probe_stack([64] * 6, "relu", "he_normal", bias="ones")).text


class _Spectral(nn.Module):
    """Complex inside, as Fourier operators are; `real` says whether what comes out is real."""

    def __init__(self, real: bool) -> None:
        super().__init__()
        self.into, self.out, self.real = nn.Linear(16, 16), nn.Linear(16, 2), real
        self.spectral = nn.Linear(9, 9, dtype=torch.cfloat)

    def forward(self, x: Any) -> Any:
        h = self.spectral(torch.fft.rfft(self.into(x)))
        return self.out(torch.fft.irfft(h, n=16)) if self.real else h


def test_complex_layers_and_outputs_are_named() -> None:
    x = normal(8, 16)
    for make in (fit.probe, fit.calibrate):
        with pytest.raises(TypeError, match=r"the weight of 'spectral' is complex \(torch.complex64\)"):
            make(_Spectral(True), x)
    report = fit.probe(_Spectral(True), x, modules=["into", "out"])
    assert [layer.gradient for layer in report.layers][1] == 1 and report.layers[0].gradient > 0
    model = _Spectral(False)
    with pytest.raises(TypeError, match="the model puts out complex values"):
        fit.probe(model, x, modules=["into"])
    with pytest.raises(TypeError, match=r"loss must return a real number, got torch\.complex64"):
        fit.probe(model, x, lambda out: out.sum(), modules=["into"])
    report = fit.probe(model, x, lambda out: out.abs().sum(), modules=["into"])
    assert report.layers[0].rms is not None and report.loss is not None

    class Turned(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.fft.fft(x)

    net = nn.Sequential(nn.Linear(16, 16), Turned())
    with pytest.raises(TypeError, match="module '1' puts out complex values"):
        fit.probe(net, x, lambda out: out.abs().sum(), modules=["0", "1"])
