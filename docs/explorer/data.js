// What small networks are trained on: the digits, and points in a plane.
import { normal } from "./network.js";
import { facts } from "./facts.js";

const PIXELS = 64,
  DIGITS = 1797,
  POINTS = 400,
  NOISE = 0.12;

/** {x, labels, count, inputs, classes} of the digits, less the mean image, each scaled to mean square 1. */
export function digits(bytes) {
  const x = new Float64Array(DIGITS * PIXELS),
    labels = new Uint8Array(DIGITS),
    mean = new Float64Array(PIXELS);
  for (let i = 0; i < DIGITS; i++) {
    for (let j = 0; j < PIXELS; j++) {
      x[i * PIXELS + j] = bytes[i * (PIXELS + 1) + j];
      mean[j] += x[i * PIXELS + j] / DIGITS;
    }
    labels[i] = bytes[i * (PIXELS + 1) + PIXELS];
  }
  for (let i = 0; i < DIGITS; i++) {
    let square = 0;
    for (let j = 0; j < PIXELS; j++) square += (x[i * PIXELS + j] -= mean[j]) ** 2 / PIXELS;
    for (let j = 0; j < PIXELS; j++) x[i * PIXELS + j] /= Math.sqrt(square);
  }
  return { x, labels, count: DIGITS, inputs: PIXELS, classes: 10 };
}

const turn = (radius, angle) => [radius * Math.cos(angle), radius * Math.sin(angle)];
const SHAPES = {
  moons: (label, t) =>
    label
      ? [1 - Math.cos(Math.PI * t) - 0.5, 0.25 - Math.sin(Math.PI * t)]
      : [Math.cos(Math.PI * t) - 0.5, Math.sin(Math.PI * t) - 0.25],
  circles: (label, t) => turn(label ? 1.3 : 0.55, 2 * Math.PI * t),
  spirals: (label, t) => turn(0.15 + 1.35 * t, 3 * Math.PI * t + label * Math.PI),
  corners: (label, t) =>
    [
      [0.8, 0.8],
      [-0.8, -0.8],
      [0.8, -0.8],
      [-0.8, 0.8],
    ][2 * label + (t > 0.5 ? 1 : 0)],
};

/** Two classes in a plane, of this shape. */
export function points(fi, shape) {
  const x = normal(fi, 0, "points", 2 * POINTS),
    labels = new Uint8Array(POINTS);
  const noise = shape === "corners" ? 2.4 * NOISE : NOISE;
  for (let i = 0; i < POINTS; i++) {
    labels[i] = i % 2;
    const [a, b] = SHAPES[shape](labels[i], (i - labels[i]) / (POINTS - 2));
    x[2 * i] = a + noise * x[2 * i];
    x[2 * i + 1] = b + noise * x[2 * i + 1];
  }
  return { x, labels, count: POINTS, inputs: 2, classes: 2 };
}

/** Batches of indices below `count`: NumPy's default_rng(0).integers, so that runs here are those of docs/claims.md. */
export function batches(count, size) {
  const mask = (1n << 128n) - 1n,
    words = [];
  let state = BigInt(facts.generator.state);
  const increment = BigInt(facts.generator.inc),
    factor = 0x2360ed051fc65da44385df649fccf645n;
  const word = () => {
    if (words.length) return words.pop();
    state = (state * factor + increment) & mask;
    const mixed = ((state >> 64n) ^ state) & 0xffffffffffffffffn,
      by = state >> 122n;
    const value = ((mixed >> by) | (mixed << (64n - by))) & 0xffffffffffffffffn;
    words.push(Number(value >> 32n));
    return Number(value & 0xffffffffn);
  };
  const below = () => {
    for (;;) {
      const product = BigInt(word()) * BigInt(count);
      if (Number(product & 0xffffffffn) >= (2 ** 32 - count) % count) return Number(product >> 32n);
    }
  };
  return () => Uint32Array.from({ length: size }, below);
}
