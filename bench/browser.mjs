// Million values a second in Node, by case: node browser.mjs COUNT SECONDS. Run by browser.py.
import { load } from "../docs/explorer/fastinit.js";

const [count, seconds] = process.argv.slice(2).map(Number);
const fi = await load();

/** What a page without a library would write. */
const PLAIN = {
  uniform(out) {
    for (let i = 0; i < out.length; i++) out[i] = Math.random();
  },
  normal(out) {
    for (let i = 0; i < out.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
      const angle = 2 * Math.PI * Math.random();
      out[i] = radius * Math.cos(angle);
      out[i + 1] = radius * Math.sin(angle);
    }
  },
  truncated_normal(out) {
    for (let i = 0; i < out.length; ) {
      const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
      const angle = 2 * Math.PI * Math.random();
      const [x, y] = [radius * Math.cos(angle), radius * Math.sin(angle)];
      if (Math.abs(x) <= 2) out[i++] = x;
      if (Math.abs(y) <= 2) out[i++] = y; // past the end it is ignored
    }
  },
};
const LAWS = {
  uniform: { kind: "uniform", low: 0, high: 1 },
  normal: { kind: "normal", mean: 0, std: 1 },
  truncated_normal: { kind: "truncated_normal", mean: 0, std: 1, low: -2, high: 2 },
};

const rates = {};
for (const [kind, law] of Object.entries(LAWS)) {
  for (const [dtype, Result] of [["float32", Float32Array], ["float64", Float64Array]]) {
    const calls = [
      () => PLAIN[kind](new Result(count)),
      () => fi.fill(law, { seed: 0, name: "w", count, dtype }),
    ];
    const best = [Infinity, Infinity];
    const end = performance.now() + 1000 * seconds;
    while (performance.now() < end) {
      calls.forEach((call, i) => {
        const started = performance.now();
        call();
        best[i] = Math.min(best[i], performance.now() - started);
      });
    }
    rates[`${kind} ${dtype}`] = best.map((ms) => count / ms / 1000);
  }
}
console.log(JSON.stringify(rates));
