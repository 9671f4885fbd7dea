// Answers calls of the explorer's modules for explorer_engine.py: [[what, arguments], ...] in, a list of answers out.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const explorer = new URL("../docs/explorer/", import.meta.url);
const module = (name) => import(new URL(name, explorer));
const [{ load }, probe, data, training, state, { PRESETS }, { judge, remedies }, { facts }, en, zh, take] =
  await Promise.all(
    [
      "fastinit.js",
      "probe.js",
      "data.js",
      "training.js",
      "state.js",
      "presets.js",
      "verdict.js",
      "facts.js",
      "words-en.js",
      "words-zh.js",
      "takehome.js",
    ].map(module),
  );
const fi = await load();
const digits = data.digits(gunzipSync(readFileSync(new URL("digits.bin.gz", explorer))));

/** Of a table of words the numbers in its texts, and how many arguments its sentences take. */
const outline = (words) =>
  typeof words === "string"
    ? (words.match(/\d+(\.\d+)?/g) ?? []).sort()
    : typeof words === "function"
      ? words.length
      : Object.fromEntries(Object.entries(words).map(([key, value]) => [key, outline(value)]));

const ANSWERS = {
  async probe({ network, run }) {
    const { drawing, layers, loss } = await probe.measure(fi, network, { ...run, numbers: state.numbersOf(run) });
    const expected = probe.theory(drawing),
      dead = expected && (await probe.theoryOfDead(drawing, expected));
    const target = probe.target(run, network.widths.length - 1);
    const findings = judge({ layers, loss, target }, network.widths.at(-1));
    return {
      layers: layers.map(({ histogram, weights, ...row }) => ({
        ...row,
        std: weights.std,
        largest: weights.largest,
      })),
      loss,
      expected,
      dead,
      target,
      findings,
    };
  },
  async remedies({ network, run }) {
    const { findings, target } = await ANSWERS.probe({ network, run });
    return remedies(findings, run, { norm: network.norm, residual: network.branch ? "scaled" : "none" }, target);
  },
  train({ widths, run, seed, optimiser, rate, steps, shape }) {
    const set = shape ? data.points(fi, shape) : digits,
      next = data.batches(set.count, 32),
      losses = [];
    const network = training.start(fi, widths, { ...run, numbers: state.numbersOf(run) }, seed);
    for (let s = 0; s < steps; s++)
      losses.push(training.step(network, ...training.rows(set, next()), { optimiser, rate }));
    return {
      losses,
      smooth: training.smooth(losses),
      units: training.differentUnits(network),
      accuracy: training.accuracy(network, set),
      weights: network.layers.map(({ weights }) => [...weights]),
      biases: network.layers.map(({ bias }) => [...bias]),
    };
  },
  batches: ({ count, size, times }) => {
    const next = data.batches(count, size);
    return Array.from({ length: times }, () => [...next()]);
  },
  digits: () => ({ x: [...digits.x], labels: [...digits.labels] }),
  points: ({ shape }) => ({ x: [...data.points(fi, shape).x] }),
  parse: ({ hash }) => state.parse(hash),
  format: ({ of }) => state.format({ ...state.DEFAULTS, ...of }),
  presets: () =>
    PRESETS.map((preset) => ({ ...preset, hash: state.format({ ...state.DEFAULTS, ...preset.state }) })),
  facts: () => facts,
  words: () => [outline(en.words), outline(zh.words)],
  network: ({ of }) => {
    const { batch, seed, norm } = of;
    return { widths: state.widthsOf(of), batch, seed, norm, branch: state.branchOf(of) };
  },
  lines: ({ of, run, data: sizes }) => {
    const full = { ...state.DEFAULTS, ...of },
      drawing = take.drawnBy(full, sizes);
    return [take.python(full, run, drawing), take.torch(full, run, drawing), drawing.widths];
  },
};

const calls = JSON.parse(readFileSync(0, "utf8"));
// JSON has no infinities: they become the word.
const found = [];
for (const [what, given] of calls) found.push(await ANSWERS[what](given));
process.stdout.write(JSON.stringify(found, (_, v) => (v === Infinity ? "inf" : v)));
