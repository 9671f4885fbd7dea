// The first view: what arrives at each layer, forward and back.
import { frame, histograms, lines, sheet } from "./charts.js";
import { client } from "./client.js";
import { named, sharedPanel } from "./controls.js";
import { h, inNextFrame, percent, reading, select, short, slider, table } from "./dom.js";
import { takePanel } from "./take-panel.js";
import { verdictPanel } from "./verdict-panel.js";

const HISTOGRAMS = { signal: "histogram", weights: "weights" };
const DECADES = 12,
  KEYS = ["inputs", "width", "depth", "outputs", "batch", "seed", "norm", "residual", "runs"];

export function depthView(words, app) {
  const network = sharedPanel(
    words.networkTitle,
    "network-title",
    [
      ["slider", "depth", words.depth],
      ["slider", "width", words.width],
      ["choice", "norm", words.norm, words.norms],
      ["choice", "residual", words.residual, words.residuals],
      ["integer", "inputs", words.inputs],
      ["integer", "outputs", words.outputs],
      ["integer", "batch", words.batch],
      ["integer", "seed", words.seed],
    ],
    app.change,
  );
  const pictures = h("div.pictures"),
    key = h("p.note"),
    values = h("div");
  const layer = slider(words.layer, { min: 1, max: 100, show: String }, (value) => app.change({ layer: value }));
  const kind = select(words.histogram, Object.entries(words.histograms), (value) =>
    app.change({ histogram: value }),
  );
  const progress = h("progress", { max: 1, value: 0, "aria-label": words.busy });
  const verdicts = verdictPanel(words, app),
    take = takePanel(words, app, () => whole());
  const results = h(
    "div.results",
    { id: "results" },
    progress,
    pictures,
    key,
    reading(words.reading.depth),
    h("div.layer", {}, layer.element, kind.element),
    values,
    verdicts.element,
    take.element,
  );
  const worker = client();
  let computing = false,
    asked = "",
    found = [],
    state = null;

  function ask() {
    const wanted = JSON.stringify(KEYS.map((k) => state[k]));
    if (wanted === asked) return;
    asked = wanted;
    found = state.runs.map((_, i) => (found[i] ? { ...found[i], stale: true } : {}));
    progress.hidden = false;
    progress.removeAttribute("value");
    computing = true;
    app.busy(true);
    worker.start("depth", state, (message) => {
      const { run, progress: share, done, error, measured, expected, target, dead } = message;
      if (error) app.fail(error);
      if (share !== undefined) progress.value = share;
      if (measured) found[run] = { measured };
      if (expected !== undefined) Object.assign(found[run], { expected, target });
      if (dead !== undefined) Object.assign(found[run], { dead });
      if (done || error) {
        progress.hidden = true;
        computing = false;
      }
      soon();
    });
  }

  const soon = inNextFrame(draw);

  function draw() {
    if (!state || !pictures.isConnected) return;
    const width = pictures.clientWidth,
      columns = width > 640 ? 2 : 1,
      each = Math.floor((width - 24 * (columns - 1)) / columns);
    if (each < 100) return;
    const size = { width: each, height: Math.round(Math.min(250, Math.max(190, each * 0.62))) };
    pictures.innerHTML = drawn(app.look(), size).join("");
    const missing = found.some(({ expected }) => expected === null);
    key.textContent = [words.legendTheory, missing ? words.noTheory : ""].join(" ");
    const left = values.firstChild?.scrollLeft ?? 0;
    values.replaceChildren(numbers());
    values.firstChild.scrollLeft = left;
    verdicts.sync(state, found);
    take.sync(state);
    if (!computing) app.busy(false);
  }

  const at = () => Math.min(state.layer, state.depth) - 1;

  /** The four pictures, as SVG texts. */
  function drawn(look, size) {
    const depth = state.depth,
      xs = [1, Math.max(depth, 2)],
      xTicks = ticks(depth);
    const here = found.map((one, run) => ({ run, ...one })).filter(({ measured }) => measured);
    const range = decades(here),
      shared = { ...size, look, xs, xTicks, xTitle: words.layerAxis, at: at() + 1 };
    const along = (of) =>
      here.flatMap(({ run, measured, expected }) => {
        const bands = expected?.[of === "rms" ? "q" : "gradient"] ?? [];
        return [
          {
            run,
            band: bands.map(({ low, high }, i) => [i + 1, low === null ? null : Math.sqrt(low), Math.sqrt(high)]),
          },
          { run, dashed: true, points: bands.map(({ mean }, i) => [i + 1, Math.sqrt(mean)]) },
          { run, points: measured.layers.map((layer, i) => [i + 1, finite(layer[of])]) },
        ];
      });
    const shares = here
      .flatMap(({ run, measured, dead }) => [
        { run, dashed: true, points: (dead ?? []).slice(0, -1).map((share, i) => [i + 1, share]) },
        { run, points: measured.layers.slice(0, -1).map((layer, i) => [i + 1, layer.dead]) },
        { run, dotted: true, points: measured.layers.slice(0, -1).map((layer, i) => [i + 1, layer.saturated]) },
      ])
      .filter(({ points }) => points.some(([, y]) => y !== null));
    const told = (of) =>
      here
        .map(({ run, measured }) => `${named(state.runs[run], words)}: ${short(measured.layers[at()]?.[of])}`)
        .join("; ");
    const label = (title, of) => `${title}. ${words.layer} ${at() + 1}: ${told(of)}`;
    return [
      lines({
        ...shared,
        title: words.forward,
        label: label(words.forward, "rms"),
        y: { log: range },
        series: along("rms"),
      }),
      lines({
        ...shared,
        title: words.backward,
        label: label(words.backward, "gradient"),
        y: { log: range },
        series: along("gradient"),
      }),
      lines({
        ...shared,
        title: words.shares,
        label: label(words.shares, "dead"),
        series: shares,
        y: { low: 0, high: 1, ticks: [0, 0.25, 0.5, 0.75, 1], show: (v) => `${100 * v}%` },
      }),
      here.length
        ? histograms({
            ...size,
            look,
            title: words.values[state.histogram](at() + 1),
            told: ({ std, largest }) => [words.spread.std(short(std)), words.spread.largest(short(largest))],
            empty: words.nothing,
            show: short,
            series: here.map(({ run, measured }) => ({
              run,
              histogram: measured.layers[at()]?.[HISTOGRAMS[state.histogram]] ?? null,
            })),
          })
        : frame(size.width, size.height, look, "", ""),
    ];
  }

  /** The numbers of the layer that is pointed out. */
  function numbers() {
    const { start, rms, theory, gradient, dead: off, saturated } = words.columns;
    const rows = found.map(({ measured, expected, dead }, run) => {
      const layer = measured?.layers[at()];
      const band = (one) => (one && one.mean > 0 ? theoryText(one) : "–");
      const predicted = dead?.[at()] !== undefined && layer?.dead !== null ? ` (${percent(dead[at()])})` : "";
      return [
        [app.mark(run), named(state.runs[run], words)],
        short(layer?.rms),
        band(expected?.q[at()]),
        short(layer?.gradient),
        band(expected?.gradient[at()]),
        percent(layer?.dead) + predicted,
        percent(layer?.saturated),
      ];
    });
    return table(words.table, [start, rms, theory, gradient, theory, `${off} (${theory})`, saturated], rows);
  }

  function theoryText({ mean, low, high }) {
    const root = (v) => short(Math.sqrt(v));
    return low === null ? root(mean) : `${root(mean)} (${words.band(root(low), root(high))})`;
  }

  /** All pictures as one, for keeping. */
  function whole() {
    const size = { width: 420, height: 260 };
    return sheet({
      look: app.look(),
      pictures: drawn(app.look(), size),
      columns: 2,
      ...size,
      legend: state.runs.map((run) => named(run, words)),
    });
  }

  pictures.onpointerdown = pictures.onpointermove = (event) => {
    const picture = [...pictures.children].slice(0, 3).find((one) => one.contains(event.target));
    if (!picture || !event.buttons) return;
    const { left, width } = picture.getBoundingClientRect(),
      share = (event.clientX - left - 46) / (width - 58);
    app.change({ layer: Math.min(Math.max(Math.round(1 + share * (state.depth - 1)), 1), state.depth) });
  };
  new ResizeObserver(soon).observe(pictures);

  return {
    panels: [network.element],
    results,
    sync(next) {
      state = next;
      network.sync(state);
      layer.field.max = state.depth;
      layer.sync(at() + 1);
      kind.sync(state.histogram);
      ask();
      draw();
    },
    leave: () => {},
    /** The numbers that the pictures show, for tests. */
    picture: whole,
    report: () =>
      found.map(({ measured, expected, dead }) => ({
        layers: measured.layers.map(({ histogram, weights, ...row }) => row),
        expected,
        dead,
      })),
  };
}

const finite = (value) => (Number.isFinite(value) ? value : null);

function ticks(depth) {
  const step = [1, 2, 5, 10, 20, 25].find((s) => depth / s <= 6) ?? 50,
    found = [1];
  for (let n = step === 1 ? 2 : step; n <= depth * 0.93; n += step) found.push(n);
  return found;
}

/** The decades that the logarithmic axes share, around 1. */
function decades(found) {
  const values = found
    .flatMap(({ measured, expected }) => [
      ...measured.layers.flatMap(({ rms, gradient }) => [rms, gradient]),
      ...[...(expected?.q ?? []), ...(expected?.gradient ?? [])].flatMap(({ low, high, mean }) =>
        [low ?? mean, high ?? mean].map(Math.sqrt),
      ),
    ])
    .filter((v) => v > 0 && Number.isFinite(v))
    .map(Math.log10);
  const low = Math.max(
      values.reduce((a, b) => Math.min(a, b), -0.5),
      -DECADES,
    ),
    high = Math.min(
      values.reduce((a, b) => Math.max(a, b), 0.5),
      DECADES,
    );
  return [low - 0.3, high + 0.3];
}
