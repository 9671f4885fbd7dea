"""Write docs/schemes.md from the table of schemes: ``python tools/make_catalogue.py``."""

from pathlib import Path

from fastinit.schemes.catalogue import CATEGORIES, SCHEMES, Scheme

PAGE = Path(__file__).parents[1] / "docs" / "schemes.md"
TITLES = {
    "fill": "Fills",
    "fan-scaled": "Fan-scaled",
    "structured": "Structured",
    "bias": "Biases",
    "state-space": "State-space layers",
}
# What other libraries call it: scheme, call here, torch.nn.init, jax.nn.initializers, keras.initializers, others.
PARITY = [
    ("zeros", "`zeros`", "`zeros_`", "`zeros`", "`Zeros`", ""),
    ("ones", "`ones`", "`ones_`", "`ones`", "`Ones`", ""),
    ("constant", "`constant(value=)`", "`constant_`", "`constant`", "`Constant`", ""),
    ("array", "`array(values=)`", "`copy_`", "", "", "MXNet `Load`, Paddle `Assign`"),
    ("uniform", "`uniform`, `uniform(eps=)`", "`uniform_`", "`uniform` is U[0, scale)", "`RandomUniform`", ""),
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
    ("lecun_uniform", "`caffe2_xavier`", "`kaiming_uniform_(a=1)`", "", "", "mmengine `Caffe2Xavier`, fvcore"),
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

Every scheme is a function `fastinit.NAME(shape, seed=, name=, ...)` and a name for `fill`, `distribution` and recipes. Its numbers are
keywords, shown with their defaults. In formulas $w$ is the weight, with $o$ its output, $i$ its input, $t$ its tap and $k$ the
length of the kernel; $\\mathcal{N}$ is the normal law by mean and variance, $\\mathcal{U}$ the uniform one. Pictures show what
is drawn with `seed=0, name="w"`, and the law's density where it has one.

This page is written by `tools/make_catalogue.py` from the table in `catalogue.py`, its pictures by
`tools/make_scheme_images.py`.
"""
NOTES = """\
## Notes

- The values of all schemes but the orthogonal family (`orthogonal`, `delta_orthogonal`, `conv_orthogonal`,
  `hadamard_orthogonal`) have the same bits on every machine. That family's last bits follow NumPy's matrix product.
- Structured schemes compute the whole tensor and then take the block asked for. Beside the target they need, in sizes of the
  float32 tensor: the orthogonal family up to 2, patterns 1 to 2, sparse ones 6, `log_uniform` and `complex_*` 13 and
  `dt_bias` 21 (they compute in float64; meant for vectors). Values too large for the dtype are refused before
  anything is written.
- Fans are counted as `fastinit.fans` does, from `layout`, `groups`, `stride`, `transposed` and `packed`, or given as `fan_in` and
  `fan_out`. Structured convolutions follow `layout` (letters: o outputs, i inputs, b stacked weights, others kernel),
  `groups` and `transposed`.
"""


def page() -> str:
    """The text of docs/schemes.md."""
    parts = [INTRODUCTION]
    for category in CATEGORIES:
        rows = [row for name, row in SCHEMES.items() if name == row.name and row.category == category]
        links = " ·\n".join(f"[`{row.name}`](#{row.name})" for row in rows)
        parts += [f"## {TITLES[category]}\n\n{links}\n", *map(_section, rows)]
    table = ["| here | torch | JAX | Keras | others |", "|---|---|---|---|---|"]
    table += ["| " + " | ".join(entry[1:]) + " |" for entry in PARITY]
    parts += ["## What other libraries call it\n\n" + "\n".join(table) + "\n", NOTES]
    return "\n".join(parts)


def _section(row: Scheme) -> str:
    numbers = ", ".join(f"`{number}={default!r}`" for number, default in row.numbers.items())
    title, comma, link = row.source.rpartition(", https://")
    facts = [
        f"Also called {', '.join(f'`{name}`' for name in row.aliases)}." if row.aliases else "",
        f"Numbers: {numbers}." if numbers else "",
        f"Source: [{title}](https://{link})." if comma else f"Source: {row.source}.",
    ]
    return f"""\
### `{row.name}`

$$
{row.formula}
$$

{row.summary}

![What {row.name} draws](images/schemes/{row.name}.png)

{" ".join(fact for fact in facts if fact)}
"""


if __name__ == "__main__":
    PAGE.write_text(page())
