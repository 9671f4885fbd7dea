"""Write docs/schemes.md from the table of schemes: ``python tools/make_catalogue.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fastinit.schemes.catalogue import CATEGORIES, REQUIRED, Scheme

PAGE = Path(__file__).parents[1] / "docs" / "schemes.md"
# Of a constant there is nothing to see.
NOT_SHOWN = ("zeros", "ones", "constant", "positive_bias", "focal_prior", "class_prior")
# What other libraries call it: scheme, call here, torch.nn.init, jax.nn.initializers, keras.initializers, others.
PARITY = [
    ("zeros", "`zeros`", "`zeros_`", "`zeros`", "`Zeros`", ""),
    ("ones", "`ones`", "`ones_`", "`ones`", "`Ones`", ""),
    ("constant", "`constant(value=)`", "`constant_`", "`constant`", "`Constant`", ""),
    ("array", "`array(values=)`", "`copy_`", "", "", "MXNet `Load`, Paddle `Assign`"),
    ("uniform", "`uniform`", "`uniform_`", "`uniform` is U[0, scale)", "`RandomUniform`", ""),
    ("normal", "`normal`", "`normal_`", "`normal`", "`RandomNormal`", ""),
    ("truncated_normal", "`truncated_normal` (bounds in std)", "", "`truncated_normal`", "`TruncatedNormal`", ""),
    ("truncated_normal", "`truncated_normal(bounds='absolute')`", "`trunc_normal_`", "", "", "timm, transformers"),
    ("variance_scaling", "`variance_scaling` (std after the cut)", "", "`variance_scaling`", "`VarianceScaling`",
     "axlearn"),
    ("log_uniform", "`log_uniform`", "", "", "", "model code of S4, Mamba"),
    ("complex_normal", "`complex_normal`", "`normal_` of a complex tensor", "`normal` of a complex dtype", "", "Haiku"),
    ("complex_truncated_normal", "`complex_truncated_normal`", "", "complex `truncated_normal`, std 0.9 % too large", "",
     ""),
    ("complex_uniform", "`complex_uniform`", "", "`variance_scaling` of a complex dtype", "", ""),
    ("xavier_uniform", "`xavier_uniform`", "`xavier_uniform_`", "`glorot_uniform`", "`GlorotUniform`", "all"),
    ("xavier_normal", "`xavier_normal`", "`xavier_normal_`", "", "", "MXNet, Flux"),
    ("variance_scaling", "`variance_scaling(mode='fan_avg')`", "", "`glorot_normal`", "`GlorotNormal`", "Flax, Haiku"),
    ("he_uniform", "`he_uniform`", "`kaiming_uniform_`", "`he_uniform`", "`HeUniform`", "all"),
    ("he_normal", "`he_normal`", "`kaiming_normal_`", "", "", "Flux, MXNet `MSRAPrelu`"),
    ("variance_scaling", "`variance_scaling(scale=2)`", "", "`he_normal`", "`HeNormal`", "Flax, Haiku"),
    ("lecun_uniform", "`lecun_uniform`", "", "`lecun_uniform`", "`LecunUniform`", "MLX `he_uniform`"),
    ("lecun_normal", "`lecun_normal`", "", "", "", "Chainer `LeCunNormal`"),
    ("variance_scaling", "`variance_scaling()`", "", "`lecun_normal`", "`LecunNormal`", "timm `lecun_normal_`"),
    ("lecun_uniform", "`lecun_uniform`", "`kaiming_uniform_(a=1)`", "", "", "mmengine `Caffe2Xavier`, fvcore"),
    ("torch_default", "`torch_default`", "`kaiming_uniform_(a=sqrt(5))`", "", "", "tinygrad, Equinox, burn"),
    ("he_normal", "`he_normal(gain=)`", "by activation only", "", "", "Flux"),
    ("uniform_scaling", "`uniform_scaling`", "", "", "", "Haiku `UniformScaling`, Praxis"),
    ("siren", "`siren`", "", "", "", "the authors' code"),
    ("identity", "`identity`", "`eye_`", "", "`Identity`", "Flux `identity_init` (shift)"),
    ("dirac", "`dirac`", "`dirac_`", "", "", "MindSpore, Paddle"),
    ("orthogonal", "`orthogonal`", "`orthogonal_`", "`orthogonal`", "`Orthogonal`", "all"),
    ("delta_orthogonal", "`delta_orthogonal`", "", "`delta_orthogonal`", "", "Praxis"),
    ("conv_orthogonal", "`conv_orthogonal`", "", "", "", "TF 1 `ConvolutionOrthogonal2D`"),
    ("hadamard_orthogonal", "`hadamard_orthogonal`", "", "", "", ""),
    ("sparse", "`sparse`", "`sparse_`", "", "", "MLX (axis=-1), Flux, Lasagne"),
    ("n_m_sparse", "`n_m_sparse`", "", "", "", ""),
    ("bilinear", "`bilinear`", "", "", "", "MXNet, Paddle, Chainer `UpsamplingDeconvFilter`"),
    ("bilinear", "`bilinear(down=True)`", "", "", "", "Chainer `DownsamplingConvFilter`"),
    ("averaging", "`averaging`", "", "", "", ""),
    ("stft", "`stft`", "", "", "`STFT`", ""),
    ("icnr", "`icnr`", "", "", "", "fastai `icnr_init`"),
    ("zer_o", "`zer_o`", "", "", "", "the authors' code"),
    ("hadamard", "`hadamard`", "", "", "", "SciPy `linalg.hadamard`"),
    ("zeros", "`zeros`", "", "`zeros`", "`Zeros`", "the bias of most layers"),
    ("torch_bias", "`torch_bias`", "`Linear.reset_parameters`", "", "", "MLX, Equinox"),
    ("forget_gate_bias", "`forget_gate_bias`", "", "", "`unit_forget_bias=`", "MXNet `LSTMBias`"),
    ("chrono", "`chrono`", "", "", "", ""),
    ("focal_prior", "`focal_prior`", "", "", "", "detectors' code"),
    ("class_prior", "`class_prior`", "", "", "", "big_vision"),
    ("dt_bias", "`dt_bias`", "", "", "", "Mamba's code"),
    ("mamba_a_log", "`mamba_a_log`", "", "", "", "Mamba's code"),
    ("s4d_lin", "`s4d_lin`, `s4d_inv`, `s4d_real`", "", "", "", "S4's code"),
    ("hippo_legs", "`hippo_legs`", "", "", "", "S4's code"),
]  # fmt: skip
INTRODUCTION = """\
# Schemes

Each scheme is a function and a name: `fill`, `distribution`, recipes and the command line take the name.

```python
import fastinit as fi

w = fi.he_normal((4096, 1024), seed=0, name="mlp.up.weight")
fi.fill(w, "he_normal", seed=0, name="mlp.up.weight")  # the same values, in place
```

## All schemes

N is the normal distribution by mean and variance, U the uniform one. Mean and std are those of one element; they are left out
if values differ from place to place. `ln` is the natural logarithm.
"""
DETAILS = """\
## One by one

In formulas $w$ is the weight, $o$ its output, $i$ its input, $t$ its tap and $k$ the length of the kernel;
$\\mathcal{N}$ is the normal distribution by mean and variance, $\\mathcal{U}$ the uniform one. Pictures show what is drawn with
`seed=0, name="w"`, and the density if there is one.
"""
NOTES = """\
## Notes

- The values of all schemes except the orthogonal ones (`orthogonal`, `delta_orthogonal`, `conv_orthogonal`, `hadamard_orthogonal`) have
  the same bits on every machine. The last bits of those four follow NumPy's matrix product.
- Fans are counted as `fastinit.fans` does, from `layout`, `groups`, `stride`, `transposed` and `packed`, or given as `fan_in` and
  `fan_out`. A scheme that needs no fans takes none of these keywords, except those that say where its outputs and inputs lie.
- Structured schemes compute the whole tensor and then take the block asked for. Besides the target they need, in sizes of the
  float32 tensor: the orthogonal ones up to 2, patterns 1 to 2, sparse ones 6, `log_uniform` and `complex_*` 13 and `dt_bias` 21 (they
  compute in float64 and are meant for vectors). Values too large for the dtype are refused before anything is written.
"""


def page() -> str:
    """The text of docs/schemes.md."""
    parts = [INTRODUCTION]
    for title, rows in CATEGORIES.items():
        parts.append(f"### {title}\n\n{table(HEAD, map(_line, rows))}")
    parts.append(DETAILS)
    parts += [_section(row) for rows in CATEGORIES.values() for row in rows]
    parts.append("## What other libraries call it\n\n" + table(OTHERS, (entry[1:] for entry in PARITY)))
    return "\n".join([*parts, NOTES])


HEAD = ("scheme", "draws", "mean", "std", "for")
OTHERS = ("here", "torch", "JAX", "Keras", "others")


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _line(row: Scheme) -> Sequence[str]:
    place = "fi.schemes" if row.specialist else "fi"
    required = "".join(f", {number.name}=..." for number in row.numbers if number.default is REQUIRED)
    draws = row.formula.replace("`", "").replace("|", "\\|").replace("*", "\\*")
    moments = [(text or "").replace(" * ", " ") for text in (row.mean, row.std)]
    return [f"[`{place}.{row.name}(shape{required})`](#{row.name})", draws, *moments, row.use]


def _section(row: Scheme) -> str:
    place = "fi.schemes" if row.specialist else "fi"
    stream = ', seed=0, name="w"' if row.random else ""
    keywords = [f"{n.name}" if n.default is REQUIRED else f"{n.name}={n.default!r}" for n in row.numbers]
    keywords += row.geometry
    explained = f"{{py:func}}`explained <fastinit.{'schemes.' if row.specialist else ''}{row.name}>`"
    title, comma, link = (row.source or "").rpartition(", http")
    facts = [
        f"Also called {', '.join(f'`{name}`' for name in row.aliases)}." if row.aliases else "",
        f"Keywords ({explained}): {', '.join(f'`{name}`' for name in keywords)}." if keywords else "",
        f"Source: [{title}](http{link})." if comma else f"Source: {row.source}." if row.source else "",
    ]
    picture = f"""\
```{{image}} images/schemes/{row.name}.png
:alt: What {row.name} draws
:width: 320px
:align: right
:loading: lazy
```

"""
    return (
        f"""\
### `{row.name}`

{"" if row.name in NOT_SHOWN else picture}{row.summary} For {row.use}. {row.note}

```python
{place}.{row.name}({row.example}{stream})
```

$\\displaystyle {row.tex}$

{" ".join(fact for fact in facts if fact)}
""".replace(". \n", ".\n").rstrip()
        + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page())
