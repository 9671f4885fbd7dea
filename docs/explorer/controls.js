// The two panels of controls: the starts that stand side by side, and the network they are drawn for.
import { NAMES } from "./activations.js";
import { mark } from "./charts.js";
import { h, integer, select, short, slider } from "./dom.js";
import { MOST_RUNS, RUN, SCHEMES, SHARED, valueOf } from "./state.js";

const COMMON = ["relu", "tanh", "sigmoid", "gelu", "silu", "leaky_relu", "elu", "selu", "linear"];
const BIASES = [0, 0.01, 0.1, 0.5, 1];
const STEPS = 400;

/** A run in words: "relu, He normal, gain 2". */
export function named(run, words) {
  const row = SCHEMES[run.scheme],
    value = short(valueOf(run));
  const parts = [run.activation, row.number === "eps" ? `U[−${value}, ${value})` : words.schemes[run.scheme]];
  if (["gain", "std", "value"].includes(row.number) && (run.value !== null || !row.own))
    parts.push(`${words.brief[row.number]}${value}`);
  if (run.bias) parts.push(words.biasName(short(run.bias)));
  return parts.join(", ");
}

/** Cards for up to MOST_RUNS starts. `change(runs)` is called with the new ones. */
export function runsPanel(words, change) {
  let runs = [];
  const replace = (i, patch) => change(runs.map((run, k) => (k === i ? { ...run, ...patch } : run)));
  const others = NAMES.filter((name) => !COMMON.includes(name));
  const cards = Array.from({ length: MOST_RUNS }, (_, i) => card(i));
  const add = h(
    "button.quiet",
    { type: "button", onclick: () => change([...runs, { ...(runs[runs.length - 1] ?? RUN) }]) },
    `+ ${words.add}`,
  );
  const element = h(
    "section.panel.runs",
    { "aria-labelledby": "runs-title" },
    h("h2", { id: "runs-title" }, words.schemesTitle),
    cards.map(({ element: card }) => card),
    add,
  );

  function card(i) {
    const name = words.start(i + 1),
      badge = h("span.badge");
    const activation = select(
      words.activation,
      [...COMMON.map((n) => [n, n]), ["···", others.map((n) => [n, n])]],
      (value) => replace(i, { activation: value }),
    );
    const scheme = select(
      words.scheme,
      Object.keys(SCHEMES).map((n) => [n, words.schemes[n]]),
      (value) => replace(i, { scheme: value, value: null }),
    );
    const exponent = (value) =>
      value <= 0 ? 0 : STEPS * (Math.log(value / row().low) / Math.log(row().high / row().low));
    const row = () => SCHEMES[runs[i]?.scheme ?? "he_normal"];
    const value = slider(
      " ",
      {
        min: 0,
        max: STEPS,
        show: short,
        to: (step) => Number((row().low * (row().high / row().low) ** (step / STEPS)).toPrecision(3)),
        from: exponent,
      },
      (v) => replace(i, { value: v }),
    );
    const bias = select(
      words.bias,
      BIASES.map((b) => [String(b), String(b)]),
      (b) => replace(i, { bias: Number(b) }),
    );
    const remove = h(
      "button.quiet.remove",
      { type: "button", "aria-label": words.remove(name), onclick: () => change(runs.filter((_, k) => k !== i)) },
      "×",
    );
    const element = h(
      "fieldset.card",
      {},
      h("legend", {}, badge, name),
      remove,
      activation.element,
      scheme.element,
      value.element,
      bias.element,
    );
    return {
      element,
      sync(look) {
        const run = runs[i];
        element.hidden = !run;
        if (!run) return;
        badge.innerHTML = mark(look, i);
        activation.sync(run.activation);
        scheme.sync(run.scheme);
        value.element.hidden = !row().number;
        if (row().number) {
          value.name.textContent = words.number[row().number];
          value.sync(valueOf(run));
        }
        if (![...bias.field.options].some((o) => Number(o.value) === run.bias))
          bias.field.append(h("option", { value: String(run.bias) }, String(run.bias)));
        bias.sync(String(run.bias));
        remove.hidden = runs.length < 2;
      },
    };
  }

  return {
    element,
    sync(state, look) {
      runs = state.runs;
      cards.forEach((one) => one.sync(look));
      add.hidden = runs.length >= MOST_RUNS;
    },
  };
}

/** Controls of what all starts share. `rows` are [kind, key, ...] as below; `change(patch)` is called with what changed. */
export function sharedPanel(title, id, rows, change) {
  const controls = rows.map(([kind, key, label, options]) => {
    const set = (value) => change({ [key]: value });
    if (kind === "integer") return [key, integer(label, SHARED[key], set)];
    if (kind === "choice")
      return [
        key,
        select(
          label,
          SHARED[key].values.map((v) => [v, options[v]]),
          set,
        ),
      ];
    const { low, high } = SHARED[key];
    if (kind === "power") {
      const to = (step) => Number((low * (high / low) ** (step / STEPS)).toPrecision(2));
      return [
        key,
        slider(
          label,
          { min: 0, max: STEPS, to, from: (v) => (STEPS * Math.log(v / low)) / Math.log(high / low), show: short },
          set,
        ),
      ];
    }
    return [key, slider(label, { min: low, max: high, step: options ?? 1, show: String }, set)];
  });
  // On a phone it is folded up, so that the pictures are near the starts.
  const element = h(
    "details.panel",
    { open: matchMedia("(min-width: 56rem)").matches },
    h("summary", {}, h("h2", { id }, title)),
    h(
      "div.fields",
      {},
      controls.map(([, { element: field }]) => field),
    ),
  );
  return { element, sync: (state) => controls.forEach(([key, control]) => control.sync(state[key])) };
}
