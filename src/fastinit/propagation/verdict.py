"""What a report means, in words: per layer one, for the whole a sentence for each finding."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..arguments import instance
from .layer import Layer
from .measurement import ProbeReport

# By how much a norm may change over the whole depth: optimisers make up for a little, and for much less than the second.
_WARNING, _FAULT = 10.0, 1000.0
# float32 ends here; so does training, whatever this report was computed in.
_LARGEST = 3.4028235e38
_HALF, _NEARLY_ALL = 0.5, 0.95
# Beyond these, inputs are not standardised: their mean, the std below and above, the rms of a feature.
_MEAN, _SMALL, _LARGE, _COLUMN = 1.0, 0.2, 5.0, 10.0

FINE, WARNING, FAULT = "fine", "warning", "fault"
_ORDER = [FAULT, WARNING, FINE]


@dataclass(frozen=True)
class Judgement:
    """One sentence; `layer` is the name of the layer that it is about, or "" for the whole network."""

    level: str
    layer: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """All findings, and one word for each layer. What the inputs have to do with it comes first, then the worst."""

    findings: tuple[Judgement, ...]
    words: tuple[str, ...]

    @property
    def level(self) -> str:
        """The worst finding's, "fine", "warning" or "fault"."""
        return min([finding.level for finding in self.findings], key=_ORDER.index)

    @property
    def exit_code(self) -> int:
        """3 for a fault, else 0."""
        return 3 if self.level == FAULT else 0

    @property
    def text(self) -> str:
        """The findings, one a line."""
        return "\n".join(finding.text for finding in self.findings)


def judge(report: ProbeReport) -> Verdict:
    """The verdict on a report.

    A gradient's norm or a signal's rms that changes by more than 10 over the network is a warning, by more than 1000 a
    fault; so are units of which half or 95 % are dead. Values beyond float32 and units that training cannot tell apart
    are faults; saturation, rank and loss give warnings. So do inputs whose mean is beyond +-1, whose standard deviation is
    below 0.2 or above 5, or of which a feature has an rms above 10. A batch of one sample has no verdict.

    >>> from fastinit.propagation import probe
    >>> judge(probe([64] * 51, "relu", "xavier_normal", seed=0)).level
    'fault'
    """
    instance("report", report, ProbeReport)
    if report.samples == 1:
        text = "no verdict: the batch has one sample; give some dozens that differ"
        words = tuple("not run" if layer.rms is None else "-" for layer in report.layers)
        return Verdict((Judgement(WARNING, "", text),), words)
    measured = [layer for layer in report.layers if layer.rms is not None]
    # Between which a signal is passed on: not lookups, which have no rank.
    signals = [layer for layer in measured if layer.rank is not None] or measured
    gradient, signal = _gradient(signals), _signal(signals)
    findings = [*_overflow(measured), *gradient, *signal]
    findings += [*_symmetry(report.layers), *_shares(measured), *_loss(report)]
    findings.sort(key=lambda finding: _ORDER.index(finding.level))
    findings = [*_inputs(report), *findings, *_derivatives(report)]
    if not findings:
        findings = [Judgement(FINE, "", "nothing to judge: no two layers can be compared")]
    # Branches differ in scale: what a single layer's numbers mean depends on those of the whole network.
    first = _rms(signals[0]) if signal else 0.0
    level = gradient[0].level if gradient else FINE
    return Verdict(tuple(findings), tuple(_word(layer, first, level) for layer in report.layers))


def _inputs(report: ProbeReport) -> list[Judgement]:
    for x in report.inputs:
        name = f"the input {x.name!r} is" if x.name else "the inputs are"
        moments = f"mean {number(x.mean)}, standard deviation {number(x.std)}"
        if not (abs(x.mean) <= _MEAN and _SMALL <= x.std <= _LARGE):
            text = f"{name} not standardised: {moments}; standardise them first, as all numbers rest on them"
        elif x.column > _COLUMN:
            text = f"{name} not standardised: {moments}, but one feature has the rms {number(x.column)}"
        else:
            continue
        return [Judgement(WARNING, "", text)]
    return []


def _derivatives(report: ProbeReport) -> list[Judgement]:
    if not report.derives:
        return []
    text = "the gradient is not measured: the model takes derivatives in its forward pass, through which its weights learn"
    return [Judgement(FINE, "", text)]


def _overflow(layers: list[Layer]) -> list[Judgement]:
    for i, layer in enumerate(layers):
        if math.isnan(_rms(layer)):
            return [Judgement(FAULT, layer.name, f"overflows: the values of {layer.name} are not numbers")]
        if _rms(layer) > _LARGEST:
            before = f"; the rms is {number(_rms(layers[i - 1]))} a layer before" if i else ""
            return [Judgement(FAULT, layer.name, f"overflows: float32 ends at {layer.name}{before}")]
    return []


def _gradient(layers: list[Layer]) -> list[Judgement]:
    """How much of the gradient's norm is left in the first layer."""
    known = [layer for layer in layers if layer.gradient is not None]
    if len(known) < 2:
        return []
    first, last = known[0], known[-1]
    share, steps = _gradient_of(first), len(known) - 1
    if not math.isfinite(share):
        return [Judgement(FAULT, first.name, f"explodes: the gradient is not finite after {_layers(steps)}")]
    verb, level = _change(share)
    if level == FINE:
        text = f"{verb}: the gradient norm changes by a factor of {number(share)} over {_layers(steps)}"
        return [Judgement(FINE, "", text)]
    if share > 1:
        text = f"{verb}: the gradient norm is {number(share)} times as large after {_layers(steps)}"
    else:
        left = number(share) if share else "nothing"
        text = f"{verb}: {left} of the gradient norm is left after {_layers(steps)}"
    if level == FAULT:
        where = next(layer.name for layer in reversed(known) if _change(_gradient_of(layer))[1] == FAULT)
        text += f" (a thousandth at {where})" if 0 < share < 1 else ""
    if last.target is not None and not any(layer.dead_by_bias for layer in layers):
        text += f"; He-normal with gain {math.sqrt(last.target):.3g} would keep it"
    return [Judgement(level, "", text)]


def _signal(layers: list[Layer]) -> list[Judgement]:
    """How much of the rms is left in the last layer."""
    if len(layers) < 2:
        return []
    first, last = _rms(layers[0]), _rms(layers[-1])
    if not (first <= _LARGEST and last <= _LARGEST):
        return []
    if first == 0:
        return [Judgement(FAULT, layers[0].name, f"no signal: {layers[0].name} puts out only zeros")]
    verb, level = _change(last / first)
    if level == FINE:
        return []
    text = f"the signal {verb}: rms {number(first)} in {layers[0].name}, {number(last)} in {layers[-1].name}"
    return [Judgement(level, "", text)]


def _symmetry(layers: tuple[Layer, ...]) -> list[Judgement]:
    hit = [layer for layer in layers if layer.copies]
    if not hit:
        return []
    first = hit[0]
    more = f" (and in {len(hit) - 1} more layers)" if len(hit) > 1 else ""
    text = (
        f"symmetric: {first.copies} of {first.shape[0]} units of {first.name} are copies of others in weights and "
        f"gradient{more}; training keeps them equal: draw the weights at random"
    )
    return [Judgement(FAULT, first.name, text)]


def _shares(layers: list[Layer]) -> list[Judgement]:
    findings = []
    dead = max(layers, key=lambda layer: layer.dead or 0.0, default=None)
    if dead is not None and (share := dead.dead or 0.0) >= _HALF:
        text = f"dead: {share:.0%} of the units of {dead.name} are 0 for the whole batch"
        if dead.dead_by_bias:
            text += f", by the bias of {dead.bias or dead.name}: {dead.unbiased:.0%} are without it; start it at 0"
        findings.append(Judgement(FAULT if share >= _NEARLY_ALL else WARNING, dead.name, text))
    full = max(layers, key=lambda layer: layer.saturated or 0.0, default=None)
    if full is not None and (share := full.saturated or 0.0) >= _HALF:
        findings.append(Judgement(WARNING, full.name, f"saturated: {share:.0%} of the values of {full.name}"))
    for layer in layers:
        if layer.rank and layer.full_rank and layer.rank < layer.full_rank and not layer.copies:
            text = f"low rank: the weights of {layer.name} have rank {layer.rank} of {layer.full_rank}"
            findings.append(Judgement(WARNING, layer.name, text))
            break
    return findings


def _loss(report: ProbeReport) -> list[Judgement]:
    if report.loss is None or report.classes is None:
        return []
    ideal = math.log(report.classes)
    if report.loss <= 2 * ideal:
        return []
    text = (
        f"the first loss is {number(report.loss)}, that of knowing nothing ln {report.classes} = {ideal:.3f}: "
        "the last layer's outputs are too large"
    )
    return [Judgement(WARNING, report.layers[-1].name, text)]


def _word(layer: Layer, first: float, gradient: str) -> str:
    """One word for a layer, for the worst that happens there; the first layer's rms is 0 where the signal is fine."""
    if layer.rms is None:
        return "not run"
    if not _rms(layer) <= _LARGEST:
        return "overflows"
    if layer.copies:
        return "symmetric"
    if (layer.dead or 0.0) >= _NEARLY_ALL:
        return "dead"
    changes = [1.0 if layer.gradient is None else _gradient_of(layer)]
    if first:
        changes.append(_rms(layer) / first)
    worst = max(changes, key=_size)
    verb, level = _change(worst)
    if level == FAULT or (level == WARNING and (first or gradient != FINE)):
        return verb
    if max(layer.dead or 0.0, layer.saturated or 0.0) >= _HALF:
        return "half dead" if (layer.dead or 0.0) >= _HALF else "saturated"
    return "fine"


def _change(ratio: float) -> tuple[str, str]:
    """What a norm does that changes by this ratio, and how bad that is."""
    if _size(ratio) <= math.log(_WARNING):
        return "keeps", FINE
    if _size(ratio) <= math.log(_FAULT):
        return ("fades" if ratio < 1 else "grows"), WARNING
    return ("vanishes" if ratio < 1 else "explodes"), FAULT


def _size(ratio: float) -> float:
    if not math.isfinite(ratio) or ratio == 0:
        return math.inf
    return abs(math.log(ratio))


def _rms(layer: Layer) -> float:
    return math.nan if layer.rms is None else layer.rms


def _gradient_of(layer: Layer) -> float:
    return math.nan if layer.gradient is None else layer.gradient


def _layers(count: int) -> str:
    return f"{count} layer{'s' if count > 1 else ''}"


def number(value: float) -> str:
    """Two digits, for reading."""
    return f"{value:.2g}"
