// The lines of Python and of torch that draw exactly what the page shows.
import { numbersOf, widthsOf } from "./state.js";

/** A float as Python writes it, so that it is a float there too. */
const float = (value) => (Number.isInteger(value) ? `${value}.0` : String(value));
const keywords = (run) =>
  Object.entries(numbersOf(run))
    .map(([name, value]) => `, ${name}=${float(value)}`)
    .join("");

/** The list of widths, written briefly. */
function widthsText(widths) {
  const [first, ...rest] = widths,
    middle = rest.slice(0, -1),
    last = rest[rest.length - 1];
  if (widths.length <= 4) return `[${widths.join(", ")}]`;
  if (widths.every((n) => n === first)) return `[${first}] * ${widths.length}`;
  return `[${first}, *[${middle[0]}] * ${middle.length}, ${last}]`;
}

/** The part of the state that names and shapes of weights come from: the deep stack's, or those that are trained. */
export function drawnBy(state, data) {
  if (state.view !== "training")
    return { widths: widthsOf(state), seed: state.seed, from: 0, name: "layer.{i}.weight", measured: true };
  const { inputs, classes } = data;
  const widths = [inputs, ...new Array(state.hidden).fill(state.units), classes];
  return { widths, seed: 0, from: 1, name: "layer{i}.weight", measured: false };
}

export function python(state, run, { widths, seed, from, name, measured }) {
  const start = from ? `, start=${from}` : "";
  const lines = [
    "import fastinit as fi",
    "",
    `widths = ${widthsText(widths)}`,
    "weights = [",
    `    fi.${run.scheme}((n_out, n_in)${keywords(run)}, seed=${seed}, name=f"${name}")`,
    `    for i, (n_in, n_out) in enumerate(zip(widths, widths[1:])${start})`,
    "]",
  ];
  if (measured && state.norm === "none" && state.residual === "none") {
    const bias = run.bias ? `, bias=fi.distribution("constant", 1, value=${float(run.bias)})` : "";
    const rest = `${keywords(run)}${bias}, seed=${seed}, batch=${state.batch}`;
    lines.push(
      `report = fi.propagation.probe(widths, "${run.activation}", "${run.scheme}"${rest})`,
      "print(fi.propagation.text(report))",
    );
  }
  return lines.join("\n");
}

export function torch(state, run, { widths, seed, from }) {
  const rules = run.bias ? `, rules=[{"match": "*bias", "scheme": "constant", "value": ${float(run.bias)}}]` : "";
  const model = from
    ? ['model = torch.nn.ModuleDict({f"layer{i}": layer for i, layer in enumerate(layers, start=1)})']
    : ['model = torch.nn.ModuleDict({"layer": torch.nn.ModuleList(layers)})'];
  return [
    "import torch",
    "",
    "import fastinit.torch as ft",
    "",
    `widths = ${widthsText(widths)}`,
    "layers = [torch.nn.Linear(n_in, n_out) for n_in, n_out in zip(widths, widths[1:])]",
    ...model,
    `ft.init_(model, "${run.scheme}"${keywords(run)}${rules}, seed=${seed})`,
  ].join("\n");
}
