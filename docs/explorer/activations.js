// The library's activations, by name, as functions of a number. Their kinks and flat ends are in facts.js.
import { erf } from "./special.js";
import { facts } from "./facts.js";

const SELU_SCALE = 1.0507009873554805,
  SELU_ALPHA = 1.6732632423543772;
const clip = (z, low, high) => Math.min(Math.max(z, low), high);
const sigmoid = (z) => 0.5 * (1 + Math.tanh(0.5 * z));
const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const elu = (z) => (z > 0 ? z : Math.expm1(z));
const leaky = (slope) => (z) => (z > 0 ? z : slope * z);
const silu = (z) => z * sigmoid(z);

const FUNCTIONS = {
  linear: (z) => z,
  identity: (z) => z,
  relu: (z) => (z > 0 ? z : 0),
  relu6: (z) => clip(z, 0, 6),
  squared_relu: (z) => (z > 0 ? z * z : 0),
  elu,
  celu: elu,
  selu: (z) => SELU_SCALE * (z > 0 ? z : SELU_ALPHA * Math.expm1(z)),
  gelu: (z) => 0.5 * z * (1 + erf(z / Math.SQRT2)),
  gelu_tanh: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z))),
  quick_gelu: (z) => z * sigmoid(1.702 * z),
  silu,
  swish: silu,
  mish: (z) => z * Math.tanh(softplus(z)),
  hardswish: (z) => z * clip(z / 6 + 0.5, 0, 1),
  hard_mish: (z) => 0.5 * z * clip(z + 2, 0, 2),
  xielu: (z) => 0.5 * z + 0.8 * (z > 0 ? z * z : Math.expm1(z) - z),
  softplus,
  sqrt_softplus: (z) => Math.sqrt(softplus(z)),
  shifted_softplus: (z) => softplus(z) - Math.LN2,
  sigmoid,
  centred_sigmoid: (z) => 0.5 * Math.tanh(0.5 * z),
  hard_sigmoid: (z) => clip(z / 6 + 0.5, 0, 1),
  log_sigmoid: (z) => -softplus(-z),
  tanh: Math.tanh,
  hardtanh: (z) => clip(z, -1, 1),
  softsign: (z) => z / (1 + Math.abs(z)),
  tanhshrink: (z) => z - Math.tanh(z),
  softshrink: (z) => Math.sign(z) * Math.max(Math.abs(z) - 0.5, 0),
  hardshrink: (z) => (Math.abs(z) > 0.5 ? z : 0),
  erf,
  laplace: (z) => 0.5 * (1 + erf((z - Math.sqrt(1 / 2)) / Math.sqrt(1 / (2 * Math.PI)))),
  arctan: Math.atan,
  sin: Math.sin,
  cos: Math.cos,
  gaussian: (z) => Math.exp(-0.5 * z * z),
  snake: (z) => z + Math.sin(z) ** 2,
  exp: Math.exp,
  abs: Math.abs,
  square: (z) => z * z,
  leaky_relu: leaky(0.01),
  prelu: leaky(0.25),
  rrelu: leaky((1 / 8 + 1 / 3) / 2),
};

export const NAMES = Object.keys(facts.activations);

/** {name, f, kinks, flat}: `flat` is the slope below which values count as saturated, null if that does not happen. */
export function activation(name) {
  if (!(name in facts.activations)) throw new RangeError(`unknown activation ${name}`);
  return { name, f: FUNCTIONS[name], ...facts.activations[name] };
}

/** f'(h) by the flatter of two one-sided differences, 0 where they differ in sign, as in fastinit.propagation. */
export function slope(f, h, value = f(h)) {
  const scale = Math.max(Math.abs(h), Math.min(Math.abs(value), 1));
  const step = 1e-6 * (scale || 1);
  const left = (value - f(h - step)) / step,
    right = (f(h + step) - value) / step;
  if (!(left * right > 0)) return 0;
  return Math.abs(left) < Math.abs(right) ? left : right;
}
