// All that the page shows, as data, and as the part of its address after #: what is not there is as in DEFAULTS.
import { NAMES } from "./activations.js";

const number = (low, high, start, whole = true) => ({ kind: "number", low, high, start, whole });
const choice = (...values) => ({ kind: "choice", values, start: values[0] });

export const SHARED = {
  view: choice("depth", "training", "claims"),
  lang: choice("", "en", "zh"),
  inputs: number(1, 784, 100),
  width: number(1, 256, 100),
  depth: number(2, 100, 30),
  outputs: number(1, 256, 100),
  batch: number(2, 256, 64),
  seed: number(0, Number.MAX_SAFE_INTEGER, 0),
  norm: choice("none", "layer", "batch"),
  residual: choice("none", "scaled", "plain"),
  layer: number(1, 100, 10),
  histogram: choice("signal", "weights"),
  data: choice("digits", "moons", "circles", "spirals", "corners"),
  units: number(1, 128, 32),
  hidden: number(1, 50, 2),
  optimiser: choice("sgd", "adam"),
  rate: number(1e-5, 10, 0.1, false),
  steps: number(10, 2000, 300),
  seeds: number(1, 5, 3),
  claim: number(0, 9, 0),
};

/** What a scheme takes: the name of its number, the slider's range as powers of ten or plain, and the default. */
export const SCHEMES = {
  he_normal: { number: "gain", low: 0.1, high: 10, start: Math.SQRT2, own: true },
  he_uniform: { number: "gain", low: 0.1, high: 10, start: Math.SQRT2, own: true },
  xavier_normal: { number: "gain", low: 0.1, high: 10, start: 1, own: true },
  xavier_uniform: { number: "gain", low: 0.1, high: 10, start: 1, own: true },
  lecun_normal: {},
  lecun_uniform: {},
  orthogonal: { number: "gain", low: 0.1, high: 10, start: 1, own: true },
  torch_default: {},
  normal: { number: "std", low: 1e-4, high: 1e2, start: 0.01 },
  uniform: { number: "eps", low: 1e-6, high: 1e2, start: 0.1 },
  constant: { number: "value", low: 1e-4, high: 10, start: 0.1 },
  zeros: {},
};

export const MOST_RUNS = 4;
export const RUN = { activation: "relu", scheme: "he_normal", value: null, bias: 0 };
const RUNS = [RUN, { ...RUN, scheme: "xavier_normal" }, { ...RUN, scheme: "uniform", value: 0.1 }];
const BIAS = number(-10, 10, 0, false);

export const DEFAULTS = Object.freeze({
  ...Object.fromEntries(Object.entries(SHARED).map(([key, row]) => [key, row.start])),
  runs: RUNS,
});

/** The number that a run draws with; its scheme's default where it has none of its own. */
export const valueOf = (run) => run.value ?? SCHEMES[run.scheme].start ?? null;

/** The scheme's keywords, as `fi.scheme` and Python take them; those that are the library's defaults are left out. */
export function numbersOf(run) {
  const row = SCHEMES[run.scheme],
    value = valueOf(run);
  if (!row.number || (row.own && run.value === null)) return {};
  return row.number === "eps" ? { low: -value, high: value } : { [row.number]: value };
}

/** Inputs, the hidden layers' units, outputs. */
export const widthsOf = (state) => [state.inputs, ...new Array(state.depth - 1).fill(state.width), state.outputs];

/** The factor on each residual branch, 0 for none. */
export function branchOf(state) {
  return { none: 0, plain: 1, scaled: 1 / Math.sqrt(state.depth) }[state.residual];
}

function allowed(row, text) {
  if (row.kind === "choice") return row.values.includes(text) ? text : undefined;
  const value = Number(text);
  const fits =
    text.trim() !== "" && value >= row.low && value <= row.high && (!row.whole || Number.isInteger(value));
  return fits ? value : undefined;
}

/** {state, problems}: the problems are the parts of the address that mean nothing here, as they stand there. */
export function parse(hash) {
  const state = { ...DEFAULTS },
    problems = [],
    runs = [];
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (key === "run") {
      const run = parseRun(text);
      if (run && runs.length < MOST_RUNS) runs.push(run);
      else problems.push(`run=${text}`);
      continue;
    }
    const value = Object.hasOwn(SHARED, key) ? allowed(SHARED[key], text) : undefined;
    if (value === undefined) problems.push(`${key}=${text}`);
    else state[key] = value;
  }
  if (runs.length) state.runs = runs;
  return { state, problems };
}

function parseRun(text) {
  const [activation, scheme, value = "", bias = "0", ...rest] = text.split(",");
  if (rest.length || !NAMES.includes(activation) || !Object.hasOwn(SCHEMES, scheme)) return null;
  const run = { activation, scheme, value: value === "" ? null : Number(value), bias: allowed(BIAS, bias) };
  if (run.bias === undefined || (run.value !== null && !fits(run))) return null;
  return run;
}

function fits({ scheme, value }) {
  const { number: name, low, high } = SCHEMES[scheme];
  return Boolean(name) && value >= low && value <= high;
}

/** The address's part for a state, which `parse` reads. */
export function format(state) {
  const found = Object.keys(SHARED)
    .filter((key) => state[key] !== DEFAULTS[key])
    .map((key) => `${key}=${state[key]}`);
  if (JSON.stringify(state.runs) !== JSON.stringify(RUNS)) {
    for (const { activation, scheme, value, bias } of state.runs) {
      const tail = bias ? `,${value ?? ""},${bias}` : value === null ? "" : `,${value}`;
      found.push(`run=${activation},${scheme}${tail}`);
    }
  }
  return found.length ? `#${found.join("&")}` : "#";
}
