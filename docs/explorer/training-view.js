// The second view: small networks that are trained from the starts, and what becomes of them.
import { lines, sheet } from "./charts.js";
import { client } from "./client.js";
import { named, sharedPanel } from "./controls.js";
import { h, inNextFrame, percent, reading, short } from "./dom.js";
import { drawing } from "./pixels.js";
import { takePanel } from "./take-panel.js";

const KEYS = ["data", "units", "hidden", "optimiser", "rate", "steps", "seeds", "runs"];
const SIZES = { digits: { inputs: 64, classes: 10 } },
  PLANE = { inputs: 2, classes: 2 };
const WAIT = 250,
  LIMIT = 300;

export function trainingView(words, app) {
  const settings = sharedPanel(
    words.trainingTitle,
    "training-title",
    [
      ["choice", "data", words.data, words.datasets],
      ["choice", "optimiser", words.optimiser, words.optimisers],
      ["slider", "hidden", words.hidden],
      ["slider", "units", words.units],
      ["power", "rate", words.rate],
      ["slider", "steps", words.steps, 10],
      ["slider", "seeds", words.seeds],
    ],
    app.change,
  );
  const progress = h("progress", { max: 1, value: 0, "aria-label": words.busy });
  const picture = h("div.pictures.one"),
    seen = h("div.seen"),
    steps = h("div.pictures.one");
  const again = h(
    "button",
    { type: "button", onclick: () => (running === "training" ? stop() : train()) },
    words.stop,
  );
  const measure = h(
    "button",
    { type: "button", onclick: () => (running === "scan" ? stop() : scan()) },
    words.scanRun,
  );
  const size = () => SIZES[state.data] ?? PLANE;
  const take = takePanel(words, app, () => whole(), size);
  const results = h(
    "div.results",
    { id: "results" },
    progress,
    picture,
    h("p.row", {}, again),
    reading(words.reading.training),
    h("section", { "aria-labelledby": "seen-title" }, h("h2", { id: "seen-title" }, words.seen), seen),
    h(
      "section",
      { "aria-labelledby": "scan-title" },
      h("h2", { id: "scan-title" }, words.scanTitle),
      h("p.note", {}, words.scanText),
      h("p.row", {}, measure),
      steps,
    ),
    take.element,
  );
  const worker = client();
  let state = null,
    asked = "",
    scanned = "",
    running = null,
    found = [],
    arrivals = [],
    points = null,
    waiting = 0;

  function begin(kind, onmessage) {
    running = kind;
    progress.hidden = false;
    progress.value = 0;
    app.busy(true);
    worker.start(kind, state, (message) => {
      if (message.error) app.fail(message.error);
      if (message.progress !== undefined) progress.value = message.progress;
      if (message.done || message.error) ended();
      onmessage(message);
      soon();
    });
    soon();
  }

  function ended() {
    running = null;
    progress.hidden = true;
  }

  function stop() {
    worker.end();
    ended();
    soon();
  }

  function train() {
    waiting = 0;
    found = state.runs.map(() => ({ losses: [] }));
    points = null;
    begin("training", ({ run, seed, losses, snapshot, points: drawn }) => {
      if (drawn) points = drawn;
      if (losses) found[run].losses[seed] = losses;
      if (snapshot) found[run].snapshot = snapshot;
    });
  }

  function scan() {
    arrivals = [];
    begin("scan", ({ run, depth, steps: counts, rate }) => {
      if (depth) arrivals.push({ run, depth, counts, rate });
    });
  }

  const soon = inNextFrame(draw);

  function draw() {
    if (!state || !picture.isConnected || picture.clientWidth < 100) return;
    const wide = { width: picture.clientWidth, height: Math.min(320, Math.max(210, picture.clientWidth * 0.45)) };
    picture.innerHTML = losses(app.look(), wide);
    steps.innerHTML = arrivals.length ? scanned && arrivalsPicture(app.look(), wide) : "";
    again.textContent = running === "training" ? words.stop : words.again;
    measure.textContent = running === "scan" ? words.scanStop : words.scanRun;
    seen.replaceChildren(...found.map(one));
    take.sync(state);
    if (!running && !waiting) app.busy(false);
  }

  function losses(look, box) {
    const series = found.flatMap(({ losses: all }, run) =>
      all.map((row, seed) => ({
        run,
        faint: seed > 0,
        points: row.map((v, i) => [i + 1, Number.isFinite(v) ? v : null]),
      })),
    );
    const values = series.flatMap(({ points: row }) => row.map(([, v]) => v)).filter((v) => v > 0);
    const low = Math.max(
        values.reduce((a, b) => Math.min(a, b), 1),
        1e-4,
      ),
      high = Math.min(
        values.reduce((a, b) => Math.max(a, b), 3),
        1e3,
      );
    const told = found
      .map(({ losses: all }, run) => `${named(state.runs[run], words)}: ${words.endLoss(short(all[0]?.at(-1)))}`)
      .join("; ");
    return lines({
      ...box,
      look,
      title: words.loss,
      label: `${words.loss}. ${told}`,
      xs: [0, state.steps],
      xTicks: even(state.steps),
      xTitle: words.stepAxis,
      y: { log: [Math.log10(low) - 0.1, Math.log10(high) + 0.1] },
      series: series.reverse(),
    });
  }

  /** What the first network of a start has become. */
  function one({ losses: all, snapshot }, run) {
    const title = h("h3", {}, app.mark(run), named(state.runs[run], words));
    if (!snapshot) return h("article.card", {}, title, "…");
    const { units, of, accuracy } = snapshot,
      equal = units.length > 0 && units.every((n) => n === 1) && of > 1;
    const image = drawing(snapshot, points, app.look(), snapshot.boundary ? words.boundary : words.features);
    return h(
      "article.card",
      {},
      title,
      image,
      h("p", {}, `${words.endLoss(short(all[0].at(-1)))}, ${words.accuracy(percent(accuracy))}`),
      h("p.note", {}, words.different(units.join(", "), of)),
      equal ? h("p.fault", {}, words.equal) : null,
    );
  }

  function arrivalsPicture(look, box) {
    const depths = [...new Set(arrivals.map(({ depth }) => depth))],
      place = (depth) => depths.indexOf(depth) + 1;
    const value = (count) => count ?? LIMIT,
      middle = (counts) => value([...counts].sort((a, b) => value(a) - value(b))[Math.floor(counts.length / 2)]);
    const of = (run) => arrivals.filter((row) => row.run === run);
    const series = state.runs.flatMap((_, run) => [
      {
        run,
        band: of(run).map(({ depth, counts }) => [
          place(depth),
          Math.min(...counts.map(value)),
          Math.max(...counts.map(value)),
        ]),
      },
      { run, points: of(run).map(({ depth, counts }) => [place(depth), middle(counts)]) },
    ]);
    const told = arrivals.map(
      ({ run, depth, counts }) =>
        `${named(state.runs[run], words)}, ${depth}: ${counts.map((c) => c ?? `> ${LIMIT}`).join(", ")}`,
    );
    return lines({
      ...box,
      look,
      title: words.scanTitle,
      label: told.join("; "),
      xs: [0.8, 4.3],
      xTicks: [1, 2, 3, 4],
      xNames: [2, 5, 10, 20],
      xTitle: words.hiddenAxis,
      y: { low: 0, high: LIMIT, ticks: [0, 100, 200, 300], show: String },
      series,
    });
  }

  function whole() {
    const box = { width: 720, height: 320 },
      look = app.look();
    const pictures = [losses(look, box), ...(arrivals.length ? [arrivalsPicture(look, box)] : [])];
    return sheet({ look, pictures, columns: 1, ...box, legend: state.runs.map((run) => named(run, words)) });
  }

  new ResizeObserver(soon).observe(picture);

  return {
    panels: [settings.element],
    results,
    sync(next) {
      state = next;
      settings.sync(state);
      const wanted = JSON.stringify(KEYS.map((key) => state[key])),
        starts = JSON.stringify(state.runs);
      if (starts !== scanned) arrivals = [];
      scanned = starts;
      if (wanted !== asked) {
        found = found.slice(0, state.runs.length);
        // While a slider moves, training waits.
        clearTimeout(waiting);
        waiting = setTimeout(train, asked ? WAIT : 0);
        if (running) stop();
        app.busy(true);
        asked = wanted;
      }
      soon();
    },
    leave() {
      clearTimeout(waiting);
      worker.end();
    },
    picture: whole,
    report: () =>
      found.map(({ losses: all, snapshot }) => ({
        losses: all,
        units: snapshot?.units,
        accuracy: snapshot?.accuracy,
      })),
    arrivals: () => arrivals,
  };
}

function even(steps) {
  const step = [10, 20, 50, 100, 200, 500].find((s) => steps / s <= 6) ?? 1000,
    found = [];
  for (let n = 0; n <= steps * 0.94; n += step) found.push(n);
  return found;
}
