// A scheme's name, a shape and numbers -> the law to draw, as fastinit.distribution in Python gives it.
//
// tables.js says of each scheme how it becomes a law; it is written from Python's own table.

import { choose, nonNegative, onlyKeywords, positive, real, shape as checkedShape, shown } from "./arguments.js";
import { GAINS, LAWS, SCHEMES, TRUNCATED_STD } from "./tables.js";

/**
 * A law to draw: `kind` and its parameters, which `fill` takes.
 * @typedef {{kind: string, [parameter: string]: any}} Law
 */

const ROWS = Object.fromEntries(
  Object.values(SCHEMES).flatMap((row) => [row.name, ...row.aliases].map((name) => [name, row])),
);

/** @typedef {(name: "fan_in" | "fan_out") => number} Fan */
/** @type {Record<string, (fan: Fan) => number>} */
const MODES = {
  fan_in: (fan) => fan("fan_in"),
  fan_out: (fan) => fan("fan_out"),
  fan_avg: (fan) => 0.5 * (fan("fan_in") + fan("fan_out")),
  fan_geo_avg: (fan) => Math.sqrt(fan("fan_in") * fan("fan_out")),
};
/** @type {Record<string, (std: number) => Law>} */
const KINDS = {
  normal: (std) => ({ kind: "normal", mean: 0, std }),
  truncated_normal: (std) => twoSigma(std / TRUNCATED_STD),
  uniform: (std) => ({ kind: "uniform", low: -Math.sqrt(3) * std, high: Math.sqrt(3) * std }),
};

/** @param {number} std @returns {Law} */
function twoSigma(std) {
  if (std === 0) return { kind: "constant", value: 0 };
  return { kind: "truncated_normal", mean: 0, std, low: -2 * std, high: 2 * std };
}

/**
 * The factor on a layer's weight std that keeps the signal's scale through an activation, as fastinit.gain has it.
 * @param {string} activation
 * @param {number | null} [negativeSlope] that of "leaky_relu", 0.01 by default
 * @returns {number}
 */
export function gain(activation, negativeSlope = null) {
  const known = choose("activation", activation, GAINS);
  if (negativeSlope === null) return known;
  if (activation !== "leaky_relu")
    throw new RangeError(`negative_slope belongs to "leaky_relu" only, got ${shown(negativeSlope)} for ${shown(activation)}`);
  const slope = real("negative_slope", negativeSlope);
  return Math.sqrt(2 / (1 + slope * slope));
}

/**
 * The law that a scheme draws for a tensor of this shape. Nothing is drawn.
 *
 * Fans are those of a weight in torch's layout: outputs, inputs, then kernel axes.
 * @param {string} name such as "he_normal"
 * @param {number[]} shape
 * @param {Record<string, any>} [numbers] the scheme's own, such as `gain`, and `fan_in` and `fan_out` in place of what
 *   the shape says
 * @returns {Law}
 */
export function scheme(name, shape, numbers = {}) {
  const row = choose("scheme", name, ROWS);
  const sizes = checkedShape(shape);
  const taken = [...Object.keys(row.numbers), ...(row.draws.by === "fans" ? ["fan_in", "fan_out"] : [])];
  onlyKeywords(name, numbers, taken);
  const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
  const all = { ...row.numbers, ...given };
  if (row.draws.by === "fans") return byFans(row, all, knownFans(sizes, given));
  if (row.draws.by === "numbers") return checkedLaw({ kind: row.draws.law, ...row.draws.fixed, ...all });
  return BY_NAME[row.name](sizes, all);
}

/** @param {any} row @param {Record<string, any>} numbers @param {Fan} fan @returns {Law} */
function byFans(row, numbers, fan) {
  const { draws } = row;
  const mode = choose("mode", draws.mode ?? numbers.mode, MODES);
  const kind = choose("distribution", draws.kind ?? numbers.distribution, KINDS);
  let variance = draws.variance;
  if (typeof variance === "string") variance = nonNegative(variance, numbers[variance]);
  if (draws.std !== null) {
    const std = nonNegative(draws.std, "activation" in numbers ? ofActivation(numbers) : numbers[draws.std]);
    variance = std * std;
  }
  return kind(Math.sqrt(variance / mode(fan)));
}

/** @param {Record<string, any>} numbers */
function ofActivation({ gain: given, activation, negative_slope: slope }) {
  if (given === null) return gain(activation, slope);
  if (slope !== null)
    throw new RangeError(`gain=${shown(given)} and negative_slope=${shown(slope)} both say the gain: give one`);
  choose("activation", activation, GAINS);
  return given;
}

/** @param {number[]} shape @param {Record<string, any>} given @returns {Fan} */
function knownFans(shape, given) {
  const taps = shape.slice(2).reduce((product, size) => product * size, 1);
  const empty = shape.includes(0);
  const counted = { fan_in: shape[1] * taps, fan_out: shape[0] * taps };
  return (name) => {
    if (given[name] !== undefined && given[name] !== null) return positive(name, given[name]);
    if (shape.length < 2)
      throw new RangeError(`shape ${shown(shape)} has no ${name}: give ${name}, or a shape of two axes or more`);
    return empty ? Math.max(counted[name], 1) : counted[name];
  };
}

/** @param {string} name @param {number[]} shape */
function matrix(name, shape) {
  if (shape.length !== 2) throw new RangeError(`${name} needs a shape of two axes here, got ${shown(shape)}`);
  return { rows: shape[0], columns: shape[1] };
}

/** @type {Record<string, (shape: number[], numbers: Record<string, any>) => Law>} */
const BY_NAME = {
  truncated_normal(_, { mean, std, low, high, bounds }) {
    [mean, std] = [real("mean", mean), nonNegative("std", std)];
    [low, high] = [real("low", low, false), real("high", high, false)];
    if (choose("bounds", bounds, { sigma: true, absolute: false })) {
      if (!(low < high)) throw new RangeError(`low must be below high, got low=${low}, high=${high}`);
      if (std === 0) return { kind: "constant", value: mean };
      [low, high] = [mean + std * low, mean + std * high];
    }
    return checkedLaw({ kind: "truncated_normal", mean, std, low, high });
  },
  orthogonal: (shape, numbers) => checkedLaw({ kind: "orthogonal", ...matrix("orthogonal", shape), ...numbers }),
  identity: (shape, numbers) => checkedLaw({ kind: "identity", ...matrix("identity", shape), ...numbers }),
};

// Laws of a whole matrix, beside those of tables.js.
const WHOLE = {
  orthogonal: { parameters: { rows: null, columns: null, gain: 1, axis: 0 }, infinite: [] },
  identity: { parameters: { rows: null, columns: null, gain: 1, shift: 0 }, infinite: [] },
};

/** What each kind of law must hold besides numbers. @type {Record<string, (law: any) => void>} */
const CHECKS = {
  uniform({ low, high }) {
    if (low > high) throw new RangeError(`low must not be above high, got low=${low}, high=${high}`);
  },
  normal({ std }) {
    nonNegative("std", std);
  },
  truncated_normal({ mean, std, low, high }) {
    nonNegative("std", std);
    if (low >= high) throw new RangeError(`low must be below high, got low=${low}, high=${high}`);
    if (std === 0 && !(low <= mean && mean <= high))
      throw new RangeError(`with std=0, mean must lie within [${low}, ${high}], got ${mean}`);
  },
  orthogonal({ rows, columns, axis }) {
    checkedShape([rows, columns]);
    if (![-2, -1, 0, 1].includes(axis)) throw new RangeError(`axis ${axis} is out of range for two axes`);
  },
  identity({ rows, columns, shift }) {
    checkedShape([rows, columns]);
    if (!Number.isSafeInteger(shift)) throw new TypeError(`shift must be an integer, got ${shown(shift)}`);
  },
};

/**
 * A law with all its parameters, in their order, or an error.
 * @param {Law} law
 * @returns {Law}
 */
export function checkedLaw(law) {
  if (typeof law !== "object" || law === null || !("kind" in law))
    throw new TypeError(`law must be an object with a kind, got ${shown(law)}`);
  const { kind, ...given } = law;
  const known = { bits: { parameters: {}, infinite: [] }, ...LAWS, ...WHOLE };
  const { parameters, infinite } = choose("law", kind, /** @type {Record<string, any>} */ (known));
  onlyKeywords(kind, given, Object.keys(parameters));
  /** @type {Law} */
  const checked = { kind };
  for (const [name, missing] of Object.entries(parameters)) {
    const value = given[name] === undefined ? missing : given[name];
    if (value === null) throw new TypeError(`${kind} needs ${name}`);
    checked[name] = real(name, value, !infinite.includes(name));
  }
  CHECKS[kind]?.(checked);
  return checked;
}
