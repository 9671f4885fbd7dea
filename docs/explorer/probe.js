// One network drawn, run and measured, layer by layer, beside the theory: fastinit.propagation.probe.
import { activation, slope } from "./activations.js";
import { backward, drawn, forward, normal } from "./network.js";
import { deadShares, keepingVariance, predict, predictWide } from "./theory.js";

const BINS = 48;

/**
 * {layers, loss, drawing}: of every layer {rms, gradient, saturated, dead, unbiased, copies} and the histograms of h and of
 * the weights; null is what could not be measured. `network` has widths, seed, batch, norm and branch, `run` activation,
 * scheme, numbers and bias. The drawing is what `theory` needs. `pause` is awaited now and then, and may end all by an error.
 */
export async function measure(fi, network, run, pause = () => {}) {
  const f = activation(run.activation),
    { widths, batch, seed } = network,
    depth = widths.length - 1;
  const net = drawn(fi, { ...network, ...run, f });
  const x = normal(fi, seed, "batch", batch * widths[0]);
  const states = await forward(net, x, batch, pause),
    whole = states.length === depth;
  const random = normal(fi, seed, "gradient", batch * widths[depth]);
  const gradients = whole ? await backward(net, states, random, batch, pause) : [];
  const last = whole ? norm(gradients[depth - 1]) : 0;
  const layers = net.layers.map((layer, i) => {
    const state = states[i],
      inside = state && i < depth - 1;
    return {
      rms: state ? rms(state.h) : Infinity,
      gradient: whole ? norm(gradients[i]) / last : null,
      copies: whole ? copies(layer, gradients[i], batch) : 0,
      histogram: state ? histogram(state.h) : null,
      weights: histogram(layer.weights),
      ...(inside ? shares(f, state.normalised, layer, net.norm) : { saturated: null, dead: null, unbiased: null }),
    };
  });
  const loss = whole && widths[depth] > 1 ? uniformLoss(states[depth - 1].h, widths[depth]) : null;
  // Without the weights, which take up room.
  const shape = { ...net, layers: net.layers.map(({ weights, ...layer }) => layer) };
  return { layers, loss, drawing: { net: shape, x, batch, f } };
}

/** The Var(W) fan_in with which the gradient keeps its norm; null if there is none. */
export const target = (run, depth) => keepingVariance(activation(run.activation), depth);

/** {q, gradient} with bands, as the laws of the weights have it; null where the theory says nothing. */
export function theory({ net, x, f }) {
  const laws = lawsOf(net, x);
  if (!laws) return null;
  const { weights, biases, square } = laws;
  return quietly(() => {
    if (isPlain(net)) return predict(net.widths, f, weights, biases, square);
    if (net.norm === "batch" || biases.some((b) => b)) return null;
    const residual = net.layers.map((layer) => layer.residual);
    return predictWide(f, weights, { norm: net.norm, branch: net.branch, residual }, square);
  });
}

/** The share of dead units in every layer, for the q of `theory`; null where the theory says nothing. */
export async function theoryOfDead({ net, x, f, batch }, { q }, pause = () => {}) {
  if (!isPlain(net)) return null;
  const { weights, biases, square } = lawsOf(net, x);
  const shares = deadShares(
      f,
      q.map((band) => band.mean),
      weights,
      biases,
      square,
      likeness(x, batch),
      batch,
    ),
    found = [];
  for (let share; !(share = quietly(() => shares.next()) ?? { done: true }).done; await pause())
    found.push(share.value);
  return found.length === q.length ? found : null;
}

const isPlain = (net) => net.norm === "none" && !net.layers.some((layer) => layer.residual);

function lawsOf(net, x) {
  if (!net.layers.every(({ moments }) => moments.mean === 0 && Number.isFinite(moments.std))) return null;
  return {
    weights: net.layers.map((layer) => layer.moments.std ** 2 * layer.inputs),
    biases: net.layers.map(() => net.bias ** 2),
    square: x.reduce((sum, v) => sum + v * v, 0) / x.length,
  };
}

/** Null where a mean does not converge: then there is no prediction. */
function quietly(compute) {
  try {
    return compute();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The mean correlation of two inputs, 0 or more. */
function likeness(x, batch) {
  const width = x.length / batch,
    sums = new Float64Array(width);
  for (let i = 0; i < batch; i++) {
    let square = 0;
    for (let j = 0; j < width; j++) square += x[i * width + j] ** 2 / width;
    for (let j = 0; j < width; j++) sums[j] += x[i * width + j] / Math.sqrt(square);
  }
  const c = (sums.reduce((sum, v) => sum + v * v, 0) / width - batch) / (batch * (batch - 1));
  return batch > 1 ? Math.min(Math.max(c, 0), 1) : 0;
}

function largestOf(values) {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}

/** Root mean square, without overflow on the way. */
export function rms(values) {
  const largest = largestOf(values);
  let sum = 0;
  if (largest) for (let i = 0; i < values.length; i++) sum += (values[i] / largest) ** 2;
  return largest ? largest * Math.sqrt(sum / values.length) : 0;
}

const norm = (values) => rms(values) * Math.sqrt(values.length);

/** Shares of saturated values and of dead units; `unbiased` is the latter without the bias. */
function shares(f, h, layer, norm) {
  const batch = h.length / layer.units,
    bias = norm === "none" ? layer.bias[0] : 0;
  let flat = 0,
    dead = 0,
    unbiased = 0;
  for (let j = 0; j < layer.units; j++) {
    let on = false,
      alive = false;
    for (let i = 0; i < batch; i++) {
      const at = h[i * layer.units + j],
        value = f.f(at);
      if (f.flat !== null && value !== 0 && Math.abs(slope(f.f, at, value)) < f.flat) flat++;
      on ||= value !== 0;
      alive ||= bias !== 0 && f.f(at - bias) !== 0;
    }
    dead += !on;
    unbiased += !(bias ? alive : on);
  }
  return {
    saturated: f.flat === null ? null : flat / h.length,
    dead: dead / layer.units,
    unbiased: unbiased / layer.units,
  };
}

/** Units that equal an earlier one in weights and in their gradient, to 1e-5 of the largest. */
function copies({ weights, inputs, units }, gradient, batch) {
  const sums = new Float64Array(units),
    sizes = new Float64Array(units);
  for (let i = 0, k = 0; i < batch; i++) {
    for (let j = 0; j < units; j++, k++) {
      sums[j] += gradient[k];
      sizes[j] += Math.abs(gradient[k]);
    }
  }
  const row = (j) => weights.subarray(j * inputs, (j + 1) * inputs),
    kin = new Map();
  const equal = (a, b) => row(a).every((value, k) => value === weights[b * inputs + k]);
  const limits = [sums, sizes].map((of) => 1e-5 * largestOf(of));
  const close = (a, b) => [sums, sizes].every((of, k) => Math.abs(of[a] - of[b]) <= limits[k]);
  let found = 0;
  for (let j = 0; j < units; j++) {
    const key = row(j).reduce((sum, value, k) => sum + value * (k + 1), 0),
      alike = kin.get(key) ?? [];
    if (alike.slice(0, 8).some((other) => equal(j, other) && close(j, other))) found++;
    else kin.set(key, [...alike, j]);
  }
  return found;
}

/** {low, high, counts, std, largest} of values, over four times their rms, the rest in the outer bins. */
function histogram(h) {
  const std = rms(h),
    reach = 4 * std || 1,
    counts = new Uint32Array(BINS);
  for (let i = 0; i < h.length; i++) {
    counts[Math.min(Math.max(Math.floor(((h[i] / reach + 1) * BINS) / 2), 0), BINS - 1)]++;
  }
  return { low: -reach, high: reach, counts, std, largest: largestOf(h) };
}

/** The mean cross-entropy over all labels alike. */
function uniformLoss(logits, classes) {
  let sum = 0;
  for (let i = 0; i < logits.length; i += classes) {
    const row = logits.subarray(i, i + classes),
      largest = row.reduce((a, b) => Math.max(a, b));
    sum +=
      Math.log(row.reduce((s, v) => s + Math.exp(v - largest), 0)) +
      largest -
      row.reduce((s, v) => s + v, 0) / classes;
  }
  return sum / (logits.length / classes);
}
