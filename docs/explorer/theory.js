// Mean-field theory of a stack of layers and its finite-width band: the numbers of fastinit.propagation.
import { erfc } from "./special.js";
import { expect } from "./quadrature.js";
import { facts } from "./facts.js";

const LEAST_STD = 1e-4,
  NORM_EPSILON = 1e-5,
  UNHEARD = 1e-12;
const ratio = (part, whole) => (whole ? part / whole : 1);

/** E[f(h)^2] for h ~ N(0, q). */
function secondMoment(f, q) {
  return q === 0 ? f.f(0) ** 2 : expect(f, [(v) => v * v], { std: Math.sqrt(q) })[0];
}

/** A moment by std that rounding hides near 0 goes on there as a straight line. */
function fromZero(at, std) {
  if (std >= LEAST_STD) return at(std);
  const near = at(LEAST_STD);
  return near + (at(2 * LEAST_STD) - near) * (std / LEAST_STD - 1);
}

/** What one layer does to a signal of mean square q: moments, logarithmic derivatives, and the noise of finite width. */
function layerMoments(f, q) {
  const std = Math.sqrt(q);
  const [value, slope, valueBend, slopeBend, fourth, both, slopeFourth] = expect(
    f,
    [
      (v) => v * v,
      (v, s) => s * s,
      (v, s, z) => (z * z - 1) * v * v,
      (v, s, z) => (z * z - 1) * s * s,
      (v) => v ** 4,
      (v, s) => (v * s) ** 2,
      (v, s) => s ** 4,
    ],
    { std, slope: true },
  );
  const tiny = std < LEAST_STD;
  const growth = (at) => expect(f, [(v, s, z) => (z * z - 1) * v * v], { std: at })[0] / (2 * at * at);
  const steepness = tiny ? fromZero(growth, std) * q : 0.5 * valueBend;
  const chi = tiny
    ? Math.max(
        fromZero((at) => expect(f, [(v, s) => s * s], { std: at, slope: true })[0], std),
        0,
      )
    : slope;
  return {
    value,
    chi,
    steepness: ratio(steepness, value),
    bend: 0.5 * ratio(slopeBend, slope),
    noise: [ratio(fourth, value * value), ratio(both, value * slope), ratio(3 * slopeFourth, slope * slope)],
  };
}

const correlated = (noise, width) => noise.map((r) => Math.log1p(Math.max((r - 1) / width, -0.5)));

function band(mean, variance) {
  const middle = Math.log(Math.max(mean, 5e-324)) - 0.5 * variance,
    reach = facts.reach * Math.sqrt(variance);
  return { mean, low: Math.exp(middle - reach), high: Math.exp(middle + reach) };
}

/**
 * What a fully connected network does at its first step, as fastinit.propagation.predict: {q, gradient}, each with a band
 * {mean, low, high} for every layer, or null where no signal is left.
 */
export function predict(widths, f, weights, biases, inputMoment) {
  const depth = widths.length - 1,
    layers = [],
    q = [],
    forward = [0];
  let moment = inputMoment;
  for (let i = 0; i < depth; i++) {
    q.push(weights[i] * moment + biases[i]);
    if (!(q[i] > 0) || !Number.isFinite(q[i])) return null;
    if (i) forward.push((weights[i] * moment) / q[i]);
    layers.push(layerMoments(f, q[i]));
    moment = layers[i].value;
  }
  // Deviations of ln q and of the log gradient, as sums over the sources: two for each layer.
  const sources = 2 * depth,
    ofQ = [],
    ofGradient = [],
    noise = layers.map((l, i) => correlated(l.noise, widths[i + 1]));
  let ofOutput = new Float64Array(sources);
  for (let i = 0; i < depth; i++) {
    ofQ.push(ofOutput.map((x) => forward[i] * x));
    ofOutput = ofQ[i].map((x) => layers[i].steepness * x);
    ofOutput[2 * i] += 1;
  }
  const gradient = new Array(depth).fill(1);
  ofGradient[depth - 1] = new Float64Array(sources);
  for (let i = depth - 2; i >= 0; i--) {
    gradient[i] = layers[i].chi * weights[i + 1] * gradient[i + 1];
    ofGradient[i] = ofGradient[i + 1].map((x, k) => x + layers[i].bend * ofQ[i][k]);
    ofGradient[i][2 * i + 1] += 1;
  }
  const variance = (of) =>
    noise.reduce((sum, [a, b, c], j) => {
      const x = of[2 * j],
        y = of[2 * j + 1];
      return sum + x * x * a + 2 * x * y * b + y * y * c;
    }, 0);
  return {
    q: q.map((x, i) => band(x, variance(ofQ[i]) + Math.log1p(2 / widths[i + 1]))),
    gradient: gradient.map((x, i) => band(x, variance(ofGradient[i]))),
  };
}

/**
 * The same of wide networks with normalisation (before the activation) or residual branches of factor `branch`, without
 * biases and without a band. `residual[i]` says whether layer i adds to its input.
 */
export function predictWide(f, weights, { norm, residual, branch }, inputMoment) {
  const q = [],
    factors = [],
    depth = weights.length;
  for (let i = 0; i < depth; i++) {
    let moment = inputMoment,
      slope = 1;
    if (i) {
      const scale = norm === "layer" ? q[i - 1] + NORM_EPSILON : 1;
      const std = Math.sqrt(q[i - 1] / scale);
      if (!(std > 0)) return null;
      [moment, slope] = expect(f, [(v) => v * v, (v, s) => s * s], { std, slope: true });
      slope /= scale;
    }
    const share = residual[i] ? branch * branch : 1;
    q.push((residual[i] ? q[i - 1] : 0) + share * weights[i] * moment);
    if (!(q[i] > 0) || !Number.isFinite(q[i])) return null;
    factors.push((residual[i] ? 1 : 0) + share * weights[i] * slope);
  }
  const gradient = new Array(depth).fill(1);
  for (let i = depth - 2; i >= 0; i--) gradient[i] = factors[i + 1] * gradient[i + 1];
  const alone = (x) => ({ mean: x, low: null, high: null });
  return { q: q.map(alone), gradient: gradient.map(alone) };
}

/** Layer by layer, the share of units that give 0 for a whole batch, whose inputs have the correlation c at first. */
export function* deadShares(f, q, weights, biases, inputMoment, c, batch) {
  const regions = q.map((v) => zeroRegions(f, Math.sqrt(v)));
  const alone = q.map((v, i) =>
    regions[i].reduce((sum, [low, high]) => sum + within(0, low, high, Math.sqrt(v)), 0),
  );
  let correlation = (weights[0] * inputMoment * c + biases[0]) / q[0];
  for (let i = 0; i < q.length; i++) {
    if (alone.slice(i).every((share) => share < UNHEARD)) {
      yield 0;
      continue;
    }
    if (i) correlation = correlate(f, correlation, q[i - 1], weights[i], biases[i]);
    const shared = Math.min(Math.max(correlation, 0), 1);
    yield alone[i] < UNHEARD ? 0 : deadShare(f, regions[i], q[i], shared, batch);
  }
}

/** The correlation of two inputs in the next layer. */
function correlate(f, c, q, weight, bias) {
  const at = Math.min(Math.max(q, LEAST_STD ** 2), 2 ** 54),
    whole = secondMoment(f, at);
  const next = weight * whole + bias;
  return next ? (weight * pairMoment(f, at, c, whole) + bias) / next : NaN;
}

/** E[f(u) f(v)] for u, v ~ N(0, q) with correlation c in [0, 1]: first over what is their own, then over what they share. */
function pairMoment(f, q, c, whole) {
  if (c === 1) return whole;
  const own = Math.sqrt(q * (1 - c)),
    floor = Math.sqrt(whole);
  const given = (m) => expect(f, [(v) => v], { mean: m, std: own, floor })[0];
  if (c === 0) return given(0) ** 2;
  const kinks = [0, ...f.kinks].flatMap((kink) => [kink - 8 * own, kink, kink + 8 * own]);
  return expect({ name: f.name, f: given, kinks }, [(v) => v * v], { std: Math.sqrt(q * c), floor: whole })[0];
}

function deadShare(f, regions, q, c, batch) {
  if (c === 0) return regions.reduce((sum, [low, high]) => sum + within(0, low, high, Math.sqrt(q)), 0) ** batch;
  const size = c === 1 ? 1 : batch,
    share = c === 1 ? 0.5 : c;
  const own = c === 1 ? Math.sqrt(0.5 * q) : Math.sqrt(q * (1 - c));
  const off = (m) => regions.reduce((sum, [low, high]) => sum + within(m, low, high, own), 0);
  const kinks = regions.flat().filter(Number.isFinite);
  return expect({ name: f.name, f: off, kinks }, [(v) => v ** size], { std: Math.sqrt(q * share) })[0];
}

const upper = (x) => 0.5 * erfc(x / Math.SQRT2);

/** P(low < h < high) for h ~ N(m, own^2), as tails on the side of m, so that small probabilities keep their digits. */
function within(m, low, high, own) {
  const a = (m - low) / own,
    b = (m - high) / own;
  return a > 0 ? upper(b) - upper(a) : upper(-a) - upper(-b);
}

/** The intervals on which f is 0: on a grid of 4096 points to 14 std, their ends by bisection. */
function zeroRegions(f, std) {
  const count = 4096,
    h = (i) => std * (-14 + (28 * i) / (count - 1)),
    regions = [];
  for (let i = 0; i < count; i++) {
    if (f.f(h(i)) !== 0) continue;
    const start = i;
    while (i + 1 < count && f.f(h(i + 1)) === 0) i++;
    if (i === start) continue;
    regions.push([
      start ? edge(f, h(start), h(start - 1)) : -Infinity,
      i + 1 < count ? edge(f, h(i), h(i + 1)) : Infinity,
    ]);
  }
  return regions;
}

function edge(f, inside, outside) {
  for (;;) {
    const middle = 0.5 * (inside + outside);
    if (middle === inside || middle === outside) return middle;
    if (f.f(middle) === 0) inside = middle;
    else outside = middle;
  }
}

const LOGS = Array.from({ length: 289 }, (_, i) => -18 + i / 8);
const moments = new Map();

/** Var(W) fan_in with which the gradient's norm is the same in the first and the last of `depth` layers; null if none. */
export function keepingVariance(f, depth) {
  if (!moments.has(f.name)) moments.set(f.name, logMoments(f));
  const table = moments.get(f.name);
  if (!table) return null;
  const growth = (logVariance) => {
    let q = logVariance,
      total = 0;
    for (let i = 0; i < Math.max(depth - 1, 1); i++) {
      total += logVariance + interpolate(table.slopes, q);
      q = logVariance + interpolate(table.values, q);
    }
    return total;
  };
  let low = -7,
    high = 7;
  if (growth(low) > 0 || growth(high) < 0) return null;
  for (let i = 0; i < 50; i++) {
    const middle = 0.5 * (low + high);
    if (growth(middle) > 0) high = middle;
    else low = middle;
  }
  return Math.exp(low);
}

function logMoments(f) {
  try {
    const pairs = LOGS.map((log) =>
      expect(f, [(v) => v * v, (v, s) => s * s], { std: Math.exp(0.5 * log), slope: true }),
    );
    if (pairs.some(([value, slope]) => !(value > 0 && slope > 0))) return null;
    return { values: pairs.map(([value]) => Math.log(value)), slopes: pairs.map(([, slope]) => Math.log(slope)) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function interpolate(table, x) {
  const at = Math.min(Math.max((x + 18) * 8, 0), LOGS.length - 1),
    i = Math.min(Math.floor(at), LOGS.length - 2);
  return table[i] + (at - i) * (table[i + 1] - table[i]);
}
