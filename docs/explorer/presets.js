// The experiment of each claim of docs/claims.md, in the page's order, as a state; and how well the claim holds.

const stack = {
  view: "depth",
  inputs: 64,
  outputs: 10,
  batch: 64,
  seed: 0,
  norm: "none",
  residual: "none",
  histogram: "signal",
};
const run = (activation, scheme, value = null, bias = 0) => ({ activation, scheme, value, bias });
const training = { view: "training", data: "digits", optimiser: "sgd", rate: 0.1, steps: 300 };

export const PRESETS = [
  {
    level: "fine",
    state: {
      ...stack,
      inputs: 784,
      width: 256,
      depth: 2,
      layer: 1,
      histogram: "weights",
      runs: [run("relu", "xavier_uniform"), run("relu", "xavier_normal"), run("relu", "he_normal")],
    },
  },
  {
    level: "warning",
    state: {
      ...training,
      units: 32,
      hidden: 2,
      seeds: 1,
      runs: [run("tanh", "zeros"), run("tanh", "constant"), run("tanh", "xavier_normal"), run("relu", "constant")],
    },
  },
  {
    level: "fine",
    state: {
      ...stack,
      width: 64,
      depth: 21,
      layer: 20,
      runs: [run("relu", "uniform", 0.1), run("relu", "uniform", 0.306), run("relu", "uniform", 1)],
    },
  },
  {
    level: "warning",
    state: {
      ...stack,
      width: 200,
      depth: 50,
      layer: 40,
      runs: [run("tanh", "xavier_normal"), run("tanh", "xavier_normal", 1.67)],
    },
  },
  {
    level: "fault",
    state: {
      ...stack,
      width: 200,
      depth: 50,
      layer: 40,
      runs: [run("sigmoid", "xavier_normal"), run("sigmoid", "xavier_normal", 4), run("tanh", "xavier_normal")],
    },
  },
  {
    level: "warning",
    state: {
      ...stack,
      width: 64,
      depth: 50,
      layer: 40,
      runs: [run("relu", "he_normal"), run("relu", "xavier_normal")],
    },
  },
  {
    level: "fault",
    state: {
      ...stack,
      width: 200,
      depth: 50,
      layer: 40,
      runs: [run("gelu", "he_normal"), run("silu", "he_normal"), run("silu", "he_normal", 1.68)],
    },
  },
  {
    level: "fault",
    state: {
      ...stack,
      outputs: 256,
      width: 256,
      depth: 50,
      batch: 128,
      layer: 10,
      runs: [run("relu", "he_normal"), run("relu", "he_normal", null, 0.01), run("relu", "he_normal", null, 0.1)],
    },
  },
  {
    level: "warning",
    state: {
      ...training,
      units: 64,
      hidden: 10,
      seeds: 3,
      runs: [
        run("relu", "he_normal"),
        run("relu", "xavier_normal"),
        run("tanh", "he_normal"),
        run("tanh", "xavier_normal"),
      ],
    },
  },
];
