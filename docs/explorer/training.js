// Small classifiers trained by gradient descent, as in examples/network.py: h = W x + b, the last h are logits.
import { activation, slope } from "./activations.js";
import { multiply, transposed } from "./matrices.js";
import { weight } from "./network.js";

const BETAS = [0.9, 0.999],
  EPSILON = 1e-8;
// f'(h), from h and f(h), where that is quicker than a difference.
const SLOPES = {
  relu: (h) => (h > 0 ? 1 : 0),
  tanh: (h, value) => 1 - value * value,
  sigmoid: (h, value) => value * (1 - value),
};

/** A network before its first step. */
export function start(fi, widths, { activation: name, scheme, numbers, bias }, seed) {
  const f = activation(name).f,
    steep = SLOPES[name] ?? ((h, value) => slope(f, h, value)),
    layers = [];
  for (let i = 1; i < widths.length; i++) {
    const inputs = widths[i - 1],
      units = widths[i];
    const { weights } = weight(fi, [units, inputs], { scheme, numbers, seed, name: `layer${i}.weight` });
    layers.push({
      inputs,
      units,
      weights: Float64Array.from(weights),
      bias: new Float64Array(units).fill(Math.fround(bias)),
    });
  }
  return { f, steep, layers, steps: 0 };
}

/** h of every layer and f(h) of every hidden one. */
export function forward({ layers, f }, x, batch) {
  const hs = [],
    values = [x];
  for (const layer of layers) {
    const h = multiply(values[values.length - 1], layer.weights, batch, layer.inputs, layer.units);
    for (let k = 0, i = 0; i < batch; i++) for (let j = 0; j < layer.units; j++, k++) h[k] += layer.bias[j];
    hs.push(h);
    if (hs.length < layers.length) values.push(h.map(f));
  }
  return { hs, values };
}

/** The mean cross-entropy; `logits` become its gradient. */
function crossEntropy(logits, labels, classes) {
  const batch = labels.length;
  let loss = 0;
  for (let i = 0; i < batch; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    let largest = -Infinity,
      sum = 0;
    for (let j = 0; j < classes; j++) largest = Math.max(largest, row[j]);
    for (let j = 0; j < classes; j++) sum += row[j] = Math.exp(row[j] - largest);
    loss -= Math.log(Math.max(row[labels[i]] / sum, 1e-30)) / batch;
    for (let j = 0; j < classes; j++) row[j] /= sum * batch;
    row[labels[i]] -= 1 / batch;
  }
  return loss;
}

/** One step on a batch, in place; the loss before it. */
export function step(network, x, labels, { optimiser, rate }) {
  const { layers, steep } = network,
    batch = labels.length,
    { hs, values } = forward(network, x, batch);
  let gradient = hs[hs.length - 1];
  const loss = crossEntropy(gradient, labels, layers[layers.length - 1].units);
  network.steps += 1;
  for (let l = layers.length - 1; l >= 0; l--) {
    const layer = layers[l],
      { inputs, units } = layer;
    const across = transposed(gradient, batch, units);
    const ofWeights = multiply(across, transposed(values[l], batch, inputs), units, batch, inputs);
    const ofBias = Float64Array.from({ length: units }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < batch; i++) sum += across[j * batch + i];
      return sum;
    });
    if (l) {
      const below = multiply(gradient, transposed(layer.weights, units, inputs), batch, units, inputs);
      for (let k = 0; k < below.length; k++) below[k] *= steep(hs[l - 1][k], values[l][k]);
      gradient = below;
    }
    update(layer, "weights", ofWeights, optimiser, rate, network.steps);
    update(layer, "bias", ofBias, optimiser, rate, network.steps);
  }
  return loss;
}

function update(layer, key, gradient, optimiser, rate, steps) {
  const values = layer[key];
  if (optimiser === "sgd") {
    for (let k = 0; k < values.length; k++) values[k] -= rate * gradient[k];
    return;
  }
  const [mean, square] = (layer[`${key} moments`] ??= [
    new Float64Array(values.length),
    new Float64Array(values.length),
  ]);
  const first = 1 - BETAS[0] ** steps,
    second = 1 - BETAS[1] ** steps;
  for (let k = 0; k < values.length; k++) {
    mean[k] += (1 - BETAS[0]) * (gradient[k] - mean[k]);
    square[k] += (1 - BETAS[1]) * (gradient[k] ** 2 - square[k]);
    values[k] -= (rate * (mean[k] / first)) / (Math.sqrt(square[k] / second) + EPSILON);
  }
}

/** The rows of a batch. */
export function rows({ x, labels, inputs }, indices) {
  const part = new Float64Array(indices.length * inputs);
  indices.forEach((row, i) => part.set(x.subarray(row * inputs, (row + 1) * inputs), i * inputs));
  return [part, Uint8Array.from(indices, (row) => labels[row])];
}

/** The mean of each loss and those before it, `over` in all; infinite before there are so many, and where one is not finite. */
export function smooth(losses, over = 10) {
  return losses.map((_, i) => {
    if (i + 1 < over) return Infinity;
    const mean = losses.slice(i + 1 - over, i + 1).reduce((a, b) => a + b) / over;
    return Number.isFinite(mean) ? mean : Infinity;
  });
}

/** How many units of each hidden layer differ from all others by more than rounding. */
export function differentUnits({ layers }) {
  return layers.slice(0, -1).map(({ weights, inputs, units }) => {
    const found = [],
      limit = 1e-9 * weights.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (let j = 0; j < units; j++) {
      const row = weights.subarray(j * inputs, (j + 1) * inputs);
      if (found.every((other) => row.some((v, k) => !(Math.abs(v - other[k]) <= limit)))) found.push(row);
    }
    return found.length;
  });
}

/** The share of rows that are classified as they are labelled. */
export function accuracy(network, { x, labels, count, classes }) {
  const { hs } = forward(network, x, count),
    logits = hs[hs.length - 1];
  let right = 0;
  for (let i = 0; i < count; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    right += row.indexOf(row.reduce((a, b) => Math.max(a, b))) === labels[i];
  }
  return right / count;
}
