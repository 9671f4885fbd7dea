// Written by tools/make_wasm.py; do not edit.

/**
 * The parameters of each distribution with their defaults, in the kernels' order, and which may be infinite.
 * @type {Record<string, {parameters: Record<string, number | null>, infinite: string[]}>}
 */
export const LAWS = {
 "constant": {
  "parameters": {
   "value": null
  },
  "infinite": []
 },
 "uniform": {
  "parameters": {
   "low": null,
   "high": null
  },
  "infinite": []
 },
 "normal": {
  "parameters": {
   "mean": 0.0,
   "std": 1.0
  },
  "infinite": []
 },
 "truncated_normal": {
  "parameters": {
   "mean": 0.0,
   "std": 1.0,
   "low": -Infinity,
   "high": Infinity
  },
  "infinite": [
   "low",
   "high"
  ]
 }
};

/**
 * The gain of each activation.
 * @type {Record<string, number>}
 */
export const GAINS = {
 "linear": 1.0,
 "identity": 1.0,
 "relu": 1.4142135623730951,
 "relu6": 1.4142135650950736,
 "squared_relu": 0.8164965809277259,
 "elu": 1.2451983007007066,
 "celu": 1.2451983007007066,
 "selu": 1.0000000000000002,
 "gelu": 1.5335304411955353,
 "gelu_tanh": 1.533580521666147,
 "quick_gelu": 1.5394587622988314,
 "silu": 1.6765324703310909,
 "swish": 1.6765324703310909,
 "mish": 1.486847581273208,
 "hardswish": 1.7366572127665416,
 "hard_mish": 1.3312072394975771,
 "xielu": 0.759076938277292,
 "softplus": 1.0418668355353016,
 "sqrt_softplus": 1.1138239059428763,
 "shifted_softplus": 1.8755962561350412,
 "sigmoid": 1.8462285453386054,
 "centred_sigmoid": 4.801313372039963,
 "hard_sigmoid": 1.8978404247295588,
 "log_sigmoid": 1.0418668355353016,
 "tanh": 1.592537419722832,
 "hardtanh": 1.3920361404483097,
 "softsign": 2.33753336310854,
 "tanhshrink": 2.338367530102121,
 "softshrink": 1.5443605282801334,
 "hardshrink": 1.015796354719734,
 "erf": 1.4671669504891387,
 "laplace": 2.2391945751600644,
 "arctan": 1.4912076181342089,
 "sin": 1.5208666231788148,
 "cos": 1.3272506002845748,
 "gaussian": 1.3160740129524924,
 "snake": 0.8745809829313702,
 "exp": 0.3678794411714423,
 "abs": 1.0,
 "square": 0.5773502691896256,
 "leaky_relu": 1.4141428569978354,
 "prelu": 1.3719886811400706,
 "rrelu": 1.378479664546057,
 "relu2": 0.8164965809277259,
 "relu_squared": 0.8164965809277259,
 "gelu_10": 1.5335304411955353,
 "gelu-approximate": 1.533580521666147,
 "linear-silu": 1.6765324703310909,
 "sqrtsoftplus": 1.1138239059428763,
 "gelu_new": 1.533580521666147,
 "gelu_fast": 1.533580521666147,
 "gelu_accurate": 1.533580521666147,
 "gelu_pytorch_tanh": 1.533580521666147,
 "gelu_python": 1.5335304411955353,
 "gelu_python_tanh": 1.533580521666147,
 "quickgelu": 1.5394587622988314,
 "hard_swish": 1.7366572127665416,
 "hardsigmoid": 1.8978404247295588,
 "logsigmoid": 1.0418668355353016,
 "hard_tanh": 1.3920361404483097,
 "leakyrelu": 1.4141428569978354,
 "sine": 1.5208666231788148,
 "glu": 1.8462285453386054,
 "bilinear_glu": 1.0,
 "reglu": 1.4142135623730951,
 "geglu": 1.5335304411955353,
 "geglu-approximate": 1.533580521666147,
 "swiglu": 1.6765324703310909
};

/**
 * The std of a unit normal law cut at 2 std.
 * @type {number}
 */
export const TRUNCATED_STD = 0.8796256610342391;

/**
 * The schemes that the binding knows, with their numbers' defaults and how they become distributions.
 * @type {Record<string, {name: string, aliases: string[], summary: string, formula: string, tex: string,
 *   numbers: Record<string, any>, draws: any}>}
 */
export const SCHEMES = {
 "zeros": {
  "name": "zeros",
  "aliases": [],
  "summary": "Zeros.",
  "formula": "0",
  "tex": "0",
  "numbers": {},
  "draws": {
   "by": "numbers",
   "law": "constant",
   "fixed": {
    "value": 0.0
   }
  }
 },
 "ones": {
  "name": "ones",
  "aliases": [],
  "summary": "Ones.",
  "formula": "1",
  "tex": "1",
  "numbers": {},
  "draws": {
   "by": "numbers",
   "law": "constant",
   "fixed": {
    "value": 1.0
   }
  }
 },
 "constant": {
  "name": "constant",
  "aliases": [],
  "summary": "One value everywhere.",
  "formula": "value",
  "tex": "\\mathrm{value}",
  "numbers": {
   "value": 0.0
  },
  "draws": {
   "by": "numbers",
   "law": "constant",
   "fixed": {}
  }
 },
 "uniform": {
  "name": "uniform",
  "aliases": [],
  "summary": "Uniform values between two bounds.",
  "formula": "U[low, high)",
  "tex": "\\mathcal{U}[\\mathrm{low}, \\mathrm{high})",
  "numbers": {
   "low": 0.0,
   "high": 1.0
  },
  "draws": {
   "by": "numbers",
   "law": "uniform",
   "fixed": {}
  }
 },
 "normal": {
  "name": "normal",
  "aliases": [],
  "summary": "Normal values.",
  "formula": "N(mean, std^2)",
  "tex": "\\mathcal{N}(\\mathrm{mean}, \\mathrm{std}^2)",
  "numbers": {
   "mean": 0.0,
   "std": 1.0
  },
  "draws": {
   "by": "numbers",
   "law": "normal",
   "fixed": {}
  }
 },
 "truncated_normal": {
  "name": "truncated_normal",
  "aliases": [],
  "summary": "Normal values between two bounds.",
  "formula": "N(mean, std^2), given mean + low std <= x <= mean + high std",
  "tex": "\\mathcal{N}(\\mathrm{mean}, \\mathrm{std}^2) \\quad\\text{given}\\quad \\mathrm{low} \\le \\frac{x - \\mathrm{mean}}{\\mathrm{std}} \\le \\mathrm{high}",
  "numbers": {
   "mean": 0.0,
   "std": 1.0,
   "low": -2.0,
   "high": 2.0,
   "bounds": "sigma"
  },
  "draws": {
   "by": "name"
  }
 },
 "variance_scaling": {
  "name": "variance_scaling",
  "aliases": [],
  "summary": "Values of mean 0 and variance scale / fan.",
  "formula": "mean 0, variance scale / fan, with fan the one that `mode` names",
  "tex": "\\mathrm{E}[w] = 0, \\quad \\mathrm{Var}[w] = \\frac{\\mathrm{scale}}{\\mathrm{fan}}",
  "numbers": {
   "scale": 1.0,
   "mode": "fan_in",
   "distribution": "truncated_normal"
  },
  "draws": {
   "by": "fans",
   "kind": null,
   "mode": null,
   "variance": "scale",
   "std": null
  }
 },
 "xavier_uniform": {
  "name": "xavier_uniform",
  "aliases": [
   "glorot_uniform"
  ],
  "summary": "Uniform values of variance 2 / (fan_in + fan_out).",
  "formula": "U[-a, a), with a = gain sqrt(6 / (fan_in + fan_out))",
  "tex": "\\mathcal{U}[-a, a), \\quad a = \\mathrm{gain} \\sqrt{\\frac{6}{\\mathrm{fan}_\\mathrm{in} + \\mathrm{fan}_\\mathrm{out}}}",
  "numbers": {
   "gain": 1.0
  },
  "draws": {
   "by": "fans",
   "kind": "uniform",
   "mode": "fan_avg",
   "variance": 1.0,
   "std": "gain"
  }
 },
 "xavier_normal": {
  "name": "xavier_normal",
  "aliases": [
   "glorot_normal"
  ],
  "summary": "Normal values of variance 2 / (fan_in + fan_out).",
  "formula": "N(0, gain^2 2 / (fan_in + fan_out))",
  "tex": "\\mathcal{N}\\left(0, \\mathrm{gain}^2 \\frac{2}{\\mathrm{fan}_\\mathrm{in} + \\mathrm{fan}_\\mathrm{out}}\\right)",
  "numbers": {
   "gain": 1.0
  },
  "draws": {
   "by": "fans",
   "kind": "normal",
   "mode": "fan_avg",
   "variance": 1.0,
   "std": "gain"
  }
 },
 "he_uniform": {
  "name": "he_uniform",
  "aliases": [
   "kaiming_uniform"
  ],
  "summary": "Uniform values of variance gain^2 / fan_in.",
  "formula": "U[-a, a), with a = gain sqrt(3 / fan_in)",
  "tex": "\\mathcal{U}[-a, a), \\quad a = \\mathrm{gain} \\sqrt{\\frac{3}{\\mathrm{fan}_\\mathrm{in}}}",
  "numbers": {
   "mode": "fan_in",
   "gain": null,
   "activation": "relu",
   "negative_slope": null
  },
  "draws": {
   "by": "fans",
   "kind": "uniform",
   "mode": null,
   "variance": 1.0,
   "std": "gain"
  }
 },
 "he_normal": {
  "name": "he_normal",
  "aliases": [
   "kaiming_normal"
  ],
  "summary": "Normal values of variance gain^2 / fan_in.",
  "formula": "N(0, gain^2 / fan_in)",
  "tex": "\\mathcal{N}\\left(0, \\frac{\\mathrm{gain}^2}{\\mathrm{fan}_\\mathrm{in}}\\right)",
  "numbers": {
   "mode": "fan_in",
   "gain": null,
   "activation": "relu",
   "negative_slope": null
  },
  "draws": {
   "by": "fans",
   "kind": "normal",
   "mode": null,
   "variance": 1.0,
   "std": "gain"
  }
 },
 "lecun_uniform": {
  "name": "lecun_uniform",
  "aliases": [],
  "summary": "Uniform values of variance 1 / fan_in.",
  "formula": "U[-a, a), with a = sqrt(3 / fan_in)",
  "tex": "\\mathcal{U}[-a, a), \\quad a = \\sqrt{\\frac{3}{\\mathrm{fan}_\\mathrm{in}}}",
  "numbers": {},
  "draws": {
   "by": "fans",
   "kind": "uniform",
   "mode": "fan_in",
   "variance": 1.0,
   "std": null
  }
 },
 "lecun_normal": {
  "name": "lecun_normal",
  "aliases": [],
  "summary": "Normal values of variance 1 / fan_in.",
  "formula": "N(0, 1 / fan_in)",
  "tex": "\\mathcal{N}\\left(0, \\frac{1}{\\mathrm{fan}_\\mathrm{in}}\\right)",
  "numbers": {},
  "draws": {
   "by": "fans",
   "kind": "normal",
   "mode": "fan_in",
   "variance": 1.0,
   "std": null
  }
 },
 "torch_default": {
  "name": "torch_default",
  "aliases": [],
  "summary": "Uniform values of variance 1 / (3 fan_in).",
  "formula": "U[-a, a), with a = 1 / sqrt(fan_in)",
  "tex": "\\mathcal{U}[-a, a), \\quad a = \\frac{1}{\\sqrt{\\mathrm{fan}_\\mathrm{in}}}",
  "numbers": {},
  "draws": {
   "by": "fans",
   "kind": "uniform",
   "mode": "fan_in",
   "variance": 0.3333333333333333,
   "std": null
  }
 },
 "uniform_scaling": {
  "name": "uniform_scaling",
  "aliases": [],
  "summary": "Uniform values of variance scale^2 / fan_in.",
  "formula": "U[-a, a), with a = scale sqrt(3 / fan_in)",
  "tex": "\\mathcal{U}[-a, a), \\quad a = \\mathrm{scale} \\sqrt{\\frac{3}{\\mathrm{fan}_\\mathrm{in}}}",
  "numbers": {
   "scale": 1.0
  },
  "draws": {
   "by": "fans",
   "kind": "uniform",
   "mode": "fan_in",
   "variance": 1.0,
   "std": "scale"
  }
 },
 "orthogonal": {
  "name": "orthogonal",
  "aliases": [],
  "summary": "A random matrix with orthonormal rows or columns.",
  "formula": "gain Q, with Q uniform (Haar) among the matrices with Q^T Q = I or Q Q^T = I",
  "tex": "\\mathrm{gain} \\thinspace Q, \\quad Q^\\top Q = I \\enspace\\text{or}\\enspace Q Q^\\top = I, \\quad Q \\sim \\text{Haar}",
  "numbers": {
   "gain": 1.0,
   "axis": 0
  },
  "draws": {
   "by": "name"
  }
 },
 "identity": {
  "name": "identity",
  "aliases": [],
  "summary": "The identity matrix, cut or padded with zeros if it is not square.",
  "formula": "gain if o = (i + shift) mod n_out and i < n_out, else 0",
  "tex": "w_{o,i} = \\begin{cases} \\mathrm{gain} & i < n_\\mathrm{out}, \\enspace o = (i + \\mathrm{shift}) \\bmod n_\\mathrm{out} \\cr 0 & \\text{else} \\end{cases}",
  "numbers": {
   "gain": 1.0,
   "shift": 0
  },
  "draws": {
   "by": "name"
  }
 },
 "torch_bias": {
  "name": "torch_bias",
  "aliases": [],
  "summary": "Uniform values of variance 1 / (3 fan_in), with the fan_in of the weight.",
  "formula": "U[-a, a), with a = 1 / sqrt(fan_in)",
  "tex": "\\mathcal{U}[-a, a), \\quad a = \\frac{1}{\\sqrt{\\mathrm{fan}_\\mathrm{in}}}",
  "numbers": {},
  "draws": {
   "by": "fans",
   "kind": "uniform",
   "mode": "fan_in",
   "variance": 0.3333333333333333,
   "std": null
  }
 }
};
