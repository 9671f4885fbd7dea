// Means over normal variables, by panels that are halved until two rules agree: fastinit.schemes.quadrature.
import { facts } from "./facts.js";

const { nodes: NODES, kronrod: KRONROD, gauss: GAUSS, grid: GRID, tolerance: TOLERANCE } = facts.quadrature;
const N = NODES.length,
  MOST_PANELS = 1 << 17,
  NARROWEST = 1e-13,
  EPSILON = 2 ** -52;
const DENSITY = 1 / Math.sqrt(2 * Math.PI);

/** The derivative, at the nodes, of the polynomial through values at the nodes (barycentric formula). */
const DERIVATIVE = (() => {
  const weights = NODES.map((x, i) => 1 / NODES.reduce((p, y, j) => (i === j ? p : p * (x - y)), 1));
  return NODES.map((x, i) => {
    const row = NODES.map((y, j) => (i === j ? 0 : weights[j] / weights[i] / (x - y)));
    row[i] = -row.reduce((a, b) => a + b);
    return row;
  });
})();

function slopes(values, halfWidth, out) {
  for (let i = 0; i < N; i++) {
    const row = DERIVATIVE[i];
    let sum = 0;
    for (let j = 0; j < N; j++) sum += row[j] * values[j];
    out[i] = sum / halfWidth;
  }
}

function panels(f, mean, std, floor) {
  const reach = Math.max(1, Math.abs(mean) + GRID[GRID.length - 2] * std);
  const marks = [0, ...f.kinks];
  for (let k = floor ? 0 : -30; k < Math.ceil(Math.log2(reach)); k++) marks.push(2 ** k, -(2 ** k));
  const first = GRID[0],
    last = GRID[GRID.length - 1];
  const edges = marks
    .map((m) => Math.min(Math.max((m - mean) / std, first), last))
    .concat(GRID)
    .sort((a, b) => a - b);
  return edges
    .slice(1)
    .map((right, i) => [edges[i], right])
    .filter(([left, right]) => right > left);
}

/**
 * E[moment(value, slope, z, h)] of f under N(mean, std^2), for each of `moments`, to 1e-9 or better.
 * `slope` says whether any of them uses f's slope. Throws a RangeError where a mean does not converge.
 */
export function expect(f, moments, { mean = 0, std = 1, floor = 0, slope = false } = {}) {
  const count = moments.length;
  const total = new Float64Array(count),
    magnitude = new Float64Array(count),
    whole = new Float64Array(count);
  const v = new Float64Array(N),
    s = new Float64Array(N),
    v2 = new Float64Array(N),
    s2 = new Float64Array(N);
  let left = panels(f, mean, std, floor);
  for (;;) {
    const found = left.map(([low, high]) => {
      const half = 0.5 * (high - low),
        middle = 0.5 * (low + high);
      let largest = 0;
      for (let i = 0; i < N; i++) {
        v[i] = f.f(mean + std * (middle + half * NODES[i]));
        largest = Math.max(largest, Math.abs(v[i]));
      }
      if (slope) {
        for (let i = 0; i < N; i++) v2[i] = v[i] + 4 * largest * EPSILON * (i % 2 ? -1 : 1);
        slopes(v, std * half, s);
        slopes(v2, std * half, s2);
      }
      const integral = new Float64Array(count),
        size = new Float64Array(count),
        error = new Float64Array(count);
      for (let m = 0; m < count; m++) {
        const moment = moments[m];
        let exact = 0,
          coarse = 0,
          absolute = 0,
          rounding = 0;
        for (let i = 0; i < N; i++) {
          const z = middle + half * NODES[i],
            h = mean + std * z;
          const density = Math.exp(-0.5 * z * z) * DENSITY;
          const value = moment(v[i], s[i], z, h),
            g = value * density;
          exact += KRONROD[i] * g;
          absolute += KRONROD[i] * Math.abs(g);
          if (i % 2) coarse += GAUSS[i >> 1] * g;
          if (slope) rounding += KRONROD[i] * Math.abs(moment(v2[i], s2[i], z, h) - value) * density;
        }
        integral[m] = half * exact;
        size[m] = half * absolute;
        error[m] = half * (Math.abs(exact - coarse) - rounding);
        if (!Number.isFinite(size[m])) throw new RangeError(`a moment of ${f.name} is not finite`);
      }
      return { low, middle, high, half, integral, size, error };
    });
    for (let m = 0; m < count; m++) {
      whole[m] = Math.max(
        found.reduce((sum, panel) => sum + panel.size[m], magnitude[m]),
        floor,
      );
    }
    const next = [];
    let narrowest = 1;
    for (const panel of found) {
      if (panel.error.every((e, m) => e <= TOLERANCE * whole[m])) {
        for (let m = 0; m < count; m++) {
          total[m] += panel.integral[m];
          magnitude[m] += panel.size[m];
        }
      } else {
        next.push([panel.low, panel.middle], [panel.middle, panel.high]);
        narrowest = Math.min(narrowest, panel.half);
      }
    }
    if (!next.length) return total;
    if (next.length > MOST_PANELS || narrowest < NARROWEST) break;
    left = next;
  }
  throw new RangeError(`a moment of ${f.name} does not converge at std ${std}`);
}
