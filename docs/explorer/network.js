// A fully connected network: its weights drawn by the library's kernels, a batch sent forward and a gradient back, as in
// fastinit.propagation.probe. Values are float64; weights are float32, as drawn.
import { slope } from "./activations.js";
import { multiply, transposed } from "./matrices.js";

const NORM_EPSILON = 1e-5;

/** Widths, scheme, numbers and seed -> a network, each of whose layers has weights, the moments of their law, and a bias. */
export function drawn(fi, { widths, f, scheme, numbers, bias, seed, norm, branch }) {
  const layers = [];
  for (let i = 0; i + 1 < widths.length; i++) {
    const inputs = widths[i],
      units = widths[i + 1];
    const residual = branch > 0 && i > 0 && inputs === units;
    const { weights, moments } = weight(fi, [units, inputs], { scheme, numbers, seed, name: `layer.${i}.weight` });
    layers.push({
      weights,
      moments,
      bias: new Float64Array(units).fill(Math.fround(bias)),
      inputs,
      units,
      residual,
    });
  }
  return { widths, f, layers, bias, norm, branch: branch || 1 };
}

/** A weight matrix, and mean and standard deviation of its elements' law; NaN where they depend on each other. */
export function weight(fi, [units, inputs], { scheme, numbers, seed, name }) {
  const law = fi.scheme(scheme, [units, inputs], numbers);
  return { weights: fi.fill(law, { seed, name, count: units * inputs }), moments: momentsOf(law) };
}

function momentsOf(law) {
  if (law.kind === "constant") return { mean: law.value, std: 0 };
  if (law.kind === "normal") return { mean: law.mean, std: law.std };
  if (law.kind === "uniform")
    return { mean: 0.5 * (law.low + law.high), std: (law.high - law.low) / Math.sqrt(12) };
  if (law.kind === "orthogonal") return { mean: NaN, std: NaN };
  throw new RangeError(`the page does not know the moments of ${law.kind}`);
}

/** Standard normal values of the stream of this name. */
export function normal(fi, seed, name, count) {
  return Float64Array.from(fi.fill({ kind: "normal", mean: 0, std: 1 }, { seed, name, count }));
}

/** {h, normalised, spread} of every layer, as far as they are finite. `pause` is awaited after each layer. */
export async function forward(network, x, batch, pause) {
  const { layers, f, norm, branch } = network,
    states = [];
  let input = x;
  for (const layer of layers) {
    const h = multiply(input, Float64Array.from(layer.weights), batch, layer.inputs, layer.units);
    const before = layer.residual ? states[states.length - 1].h : null;
    for (let i = 0, k = 0; i < batch; i++) {
      for (let j = 0; j < layer.units; j++, k++) {
        h[k] += layer.bias[j];
        if (before) h[k] = before[k] + branch * h[k];
      }
    }
    if (!h.every(Number.isFinite)) break;
    const state = normalise(h, batch, layer.units, norm);
    states.push(state);
    await pause();
    input = state.normalised.map(f.f);
  }
  return states;
}

/** dL/dh of every layer, from that of the last. */
export async function backward(network, states, gradient, batch, pause) {
  const { layers, f, norm, branch } = network,
    gradients = [gradient];
  for (let i = layers.length - 1; i > 0; i--) {
    const layer = layers[i],
      state = states[i - 1],
      factor = layer.residual ? branch : 1;
    const next = multiply(
      gradient,
      transposed(layer.weights, layer.units, layer.inputs),
      batch,
      layer.units,
      layer.inputs,
    );
    for (let k = 0; k < next.length; k++) next[k] *= factor * slope(f.f, state.normalised[k]);
    denormalise(next, state, batch, layer.inputs, norm);
    if (layer.residual) for (let k = 0; k < next.length; k++) next[k] += gradient[k];
    gradients.push(next);
    gradient = next;
    await pause();
  }
  return gradients.reverse();
}

/** Groups of values that a norm treats as one: [first, step, count] each. */
function groups(norm, batch, units) {
  if (norm === "layer") return Array.from({ length: batch }, (_, i) => [i * units, 1, units]);
  if (norm === "batch") return Array.from({ length: units }, (_, j) => [j, units, batch]);
  return [];
}

function normalise(h, batch, units, norm) {
  if (norm === "none") return { h, normalised: h, spread: [] };
  const normalised = new Float64Array(h.length),
    spread = [];
  for (const [first, step, count] of groups(norm, batch, units)) {
    let mean = 0,
      square = 0;
    for (let k = 0, at = first; k < count; k++, at += step) mean += h[at] / count;
    for (let k = 0, at = first; k < count; k++, at += step) square += (h[at] - mean) ** 2 / count;
    const std = Math.sqrt(square + NORM_EPSILON);
    spread.push(std);
    for (let k = 0, at = first; k < count; k++, at += step) normalised[at] = (h[at] - mean) / std;
  }
  return { h, normalised, spread };
}

/** In place: the gradient by the normalised values becomes that by the values. */
function denormalise(gradient, state, batch, units, norm) {
  groups(norm, batch, units).forEach(([first, step, count], group) => {
    let mean = 0,
      along = 0;
    for (let k = 0, at = first; k < count; k++, at += step) {
      mean += gradient[at] / count;
      along += (gradient[at] * state.normalised[at]) / count;
    }
    for (let k = 0, at = first; k < count; k++, at += step) {
      gradient[at] = (gradient[at] - mean - along * state.normalised[at]) / state.spread[group];
    }
  });
}
