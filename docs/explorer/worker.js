// Draws, runs and trains networks, away from the page: a message names a job, a newer message ends it.
import { batches, digits, points } from "./data.js";
import { load } from "./fastinit.js";
import { measure, target, theory, theoryOfDead } from "./probe.js";
import { branchOf, numbersOf, widthsOf } from "./state.js";
import * as training from "./training.js";

const FRAME = 40,
  GRID = 48,
  REACH = 2,
  SHOWN = 16,
  MOST_KEPT = 30;
const TARGET = 0.5,
  DEPTHS = [2, 5, 10, 20],
  SCAN_STEPS = 300,
  SCAN_UNITS = 64,
  SCAN_SEEDS = 3;
const JOBS = { depth, training: train, scan, nothing: () => {} };

/** Thrown where a job has to end because there is a newer one. */
class Superseded extends Error {}

let latest = 0,
  library = null,
  digitsData = null;
const cache = new Map();

self.onmessage = async ({ data: { id, kind, state } }) => {
  latest = id;
  let rested = performance.now();
  const post = (message) => self.postMessage({ id, ...message });
  /** Lets newer messages in, now and then. */
  const pause = async (progress) => {
    if (performance.now() - rested > FRAME) {
      if (progress !== undefined) post({ progress });
      await new Promise((resolve) => setTimeout(resolve));
      rested = performance.now();
    }
    if (latest !== id) throw new Superseded();
  };
  try {
    library ??= load();
    await JOBS[kind]({ fi: await library, state, post, pause });
    post({ done: true });
  } catch (error) {
    if (!(error instanceof Superseded)) post({ error: String(error.message ?? error) });
  }
};

const withNumbers = (run) => ({ ...run, numbers: numbersOf(run) });

async function depth({ fi, state, post, pause }) {
  const { batch, seed, norm, runs } = state,
    widths = widthsOf(state);
  const network = { widths, batch, seed, norm, branch: branchOf(state) };
  const known = async (what, run, make) => {
    const key = JSON.stringify([what, network, run]);
    if (!cache.has(key)) {
      const made = await make();
      if (cache.size > MOST_KEPT) cache.clear();
      cache.set(key, made);
    }
    return cache.get(key);
  };
  const drawings = [],
    expected = [];
  for (const [i, run] of runs.entries()) {
    let layers = 0;
    const onward = () => pause((i + ++layers / (2 * widths.length)) / (3 * runs.length));
    const { drawing, ...measured } = await known("measured", run, () =>
      measure(fi, network, withNumbers(run), onward),
    );
    drawings.push(drawing);
    post({ run: i, measured });
    await pause();
  }
  for (const [i, run] of runs.entries()) {
    expected.push(await known("theory", run, () => theory(drawings[i])));
    post({ run: i, expected: expected[i], target: target(run, widths.length - 1) });
    await pause((runs.length + i + 1) / (3 * runs.length));
  }
  for (const [i, run] of runs.entries()) {
    if (!expected[i]) continue;
    let layers = 0;
    const onward = () => pause((2 * runs.length + i + ++layers / widths.length) / (3 * runs.length));
    post({ run: i, dead: await known("dead", run, () => theoryOfDead(drawings[i], expected[i], onward)) });
  }
}

async function dataOf(fi, name) {
  if (name !== "digits") return points(fi, name);
  if (!digitsData) {
    const packed = await fetch(new URL("./digits.bin.gz", import.meta.url));
    const stream = packed.body.pipeThrough(new DecompressionStream("gzip"));
    digitsData = digits(new Uint8Array(await new Response(stream).arrayBuffer()));
  }
  return digitsData;
}

async function train({ fi, state, post, pause }) {
  const data = await dataOf(fi, state.data),
    { optimiser, rate, steps, seeds } = state;
  const widths = [data.inputs, ...new Array(state.hidden).fill(state.units), data.classes];
  if (state.data !== "digits")
    post({ points: { x: Float32Array.from(data.x), labels: data.labels, reach: REACH } });
  for (let seed = 0; seed < seeds; seed++) {
    for (const [i, run] of state.runs.entries()) {
      const network = training.start(fi, widths, withNumbers(run), seed),
        next = batches(data.count, 32),
        losses = [];
      let shown = 0;
      for (let s = 0; s < steps; s++) {
        losses.push(training.step(network, ...training.rows(data, next()), { optimiser, rate }));
        const done = (seed * state.runs.length + i + (s + 1) / steps) / (seeds * state.runs.length);
        if (performance.now() - shown > 250 || s + 1 === steps) {
          post({
            run: i,
            seed,
            losses: training.smooth(losses),
            ...(seed ? {} : { snapshot: snapshot(network, data) }),
          });
          shown = performance.now();
        }
        await pause(done);
      }
    }
  }
}

/** What can be seen of a network: its decisions in the plane, its first layer, how many units differ, what it gets right. */
function snapshot(network, data) {
  const first = network.layers[0],
    count = Math.min(first.units, SHOWN);
  return {
    units: training.differentUnits(network),
    of: network.layers[0].units,
    accuracy: training.accuracy(network, data),
    inputs: first.inputs,
    features: Float32Array.from(first.weights.subarray(0, count * first.inputs)),
    boundary: data.inputs === 2 ? boundary(network) : null,
  };
}

/** The probability of the second class on a grid of the plane. */
function boundary(network) {
  const x = new Float64Array(2 * GRID * GRID);
  for (let k = 0; k < GRID * GRID; k++) {
    x[2 * k] = REACH * ((2 * ((k % GRID) + 0.5)) / GRID - 1);
    x[2 * k + 1] = REACH * (1 - (2 * (Math.floor(k / GRID) + 0.5)) / GRID);
  }
  const { hs } = training.forward(network, x, GRID * GRID),
    logits = hs[hs.length - 1];
  return Float32Array.from(
    { length: GRID * GRID },
    (_, k) => 1 / (1 + Math.exp(logits[2 * k] - logits[2 * k + 1])),
  );
}

/** Steps to a loss of 0.5 on the digits by depth, at the best of three rates, as examples/claims.py counts them. */
async function scan({ fi, state, post, pause }) {
  const data = await dataOf(fi, "digits"),
    all = DEPTHS.length * state.runs.length;
  for (const [d, hidden] of DEPTHS.entries()) {
    for (const [i, run] of state.runs.entries()) {
      const rates = run.activation === "sigmoid" ? [0.1, 0.3, 1] : [0.01, 0.03, 0.1],
        found = [];
      for (const rate of rates) {
        const steps = [];
        for (let seed = 0; seed < SCAN_SEEDS; seed++) {
          const widths = [data.inputs, ...new Array(hidden).fill(SCAN_UNITS), data.classes];
          const network = training.start(fi, widths, withNumbers(run), seed),
            next = batches(data.count, 32),
            losses = [];
          let arrived = null;
          for (let s = 0; s < SCAN_STEPS && arrived === null; s++) {
            losses.push(training.step(network, ...training.rows(data, next()), { optimiser: "sgd", rate }));
            if (!Number.isFinite(losses[s])) break;
            if (s >= 9 && losses.slice(-10).reduce((a, b) => a + b) / 10 < TARGET) arrived = s + 1;
            await pause((d * state.runs.length + i + found.length / 3 + seed / 9 + s / SCAN_STEPS / 9) / all);
          }
          steps.push(arrived);
        }
        found.push({ rate, steps });
      }
      const missing = ({ steps }) => steps.filter((s) => s === null).length;
      const sum = ({ steps }) => steps.reduce((a, b) => a + (b ?? 0), 0);
      found.sort((a, b) => missing(a) - missing(b) || sum(a) - sum(b));
      post({ run: i, depth: hidden, ...found[0] });
    }
  }
}
