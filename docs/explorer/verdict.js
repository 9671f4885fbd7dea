// What a measurement means, and what to change: the limits and the words of fastinit.propagation.judge.
import { facts } from "./facts.js";
import { valueOf } from "./state.js";

const { warning: WARNING, fault: FAULT, largest: LARGEST, half: HALF, nearlyAll: NEARLY_ALL } = facts.limits;
const ORDER = ["fault", "warning", "fine"];

const size = (ratio) => (Number.isFinite(ratio) && ratio !== 0 ? Math.abs(Math.log(ratio)) : Infinity);

/** What a norm does that changes by this ratio, and how bad that is. */
function change(ratio) {
  if (size(ratio) <= Math.log(WARNING)) return ["keeps", "fine"];
  if (size(ratio) <= Math.log(FAULT)) return [ratio < 1 ? "fades" : "grows", "warning"];
  return [ratio < 1 ? "vanishes" : "explodes", "fault"];
}

/** Findings {level, what, ...values}, the worst first: `what` names the sentence in words.js. */
export function judge({ layers, loss, target }, classes) {
  const found = [
    ...overflow(layers),
    ...gradient(layers, target),
    ...signal(layers),
    ...symmetry(layers),
    ...dead(layers),
    ...saturated(layers),
    ...firstLoss(loss, classes),
  ];
  return found.sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
}

function overflow(layers) {
  const at = layers.findIndex(({ rms }) => !(rms <= LARGEST));
  return at < 0 ? [] : [{ level: "fault", what: "overflows", layer: at }];
}

function gradient(layers, target) {
  const share = layers[0].gradient,
    steps = layers.length - 1;
  if (share === null || steps < 1) return [];
  if (!Number.isFinite(share)) return [{ level: "fault", what: "gradient explodes", share: Infinity, steps }];
  const [verb, level] = change(share);
  const gain = level === "fine" || target === null || byBias(layers) ? null : Math.sqrt(target);
  return [{ level, what: `gradient ${verb}`, share, steps, gain }];
}

const byBias = (layers) => layers.some(({ dead, unbiased }) => dead >= HALF && unbiased < HALF);

function signal(layers) {
  const first = layers[0].rms,
    last = layers[layers.length - 1].rms;
  if (layers.length < 2 || !(first <= LARGEST && last <= LARGEST)) return [];
  if (first === 0) return [{ level: "fault", what: "no signal" }];
  const [verb, level] = change(last / first);
  return level === "fine" ? [] : [{ level, what: `signal ${verb}`, first, last }];
}

function symmetry(layers) {
  const at = layers.findIndex(({ copies }) => copies > 0);
  if (at < 0) return [];
  return [{ level: "fault", what: "symmetric", copies: layers[at].copies, layer: at }];
}

function dead(layers) {
  const at = most(layers, "dead"),
    share = layers[at].dead ?? 0;
  if (share < HALF) return [];
  const what = byBias(layers) ? "dead by bias" : "dead";
  return [{ level: share >= NEARLY_ALL ? "fault" : "warning", what, share, layer: at }];
}

function saturated(layers) {
  const at = most(layers, "saturated"),
    share = layers[at].saturated ?? 0;
  return share < HALF ? [] : [{ level: "warning", what: "saturated", share, layer: at }];
}

const most = (layers, key) =>
  layers.reduce((best, layer, i) => ((layer[key] ?? 0) > (layers[best][key] ?? 0) ? i : best), 0);

function firstLoss(loss, classes) {
  if (loss === null || loss <= 2 * Math.log(classes)) return [];
  return [{ level: "warning", what: "first loss", loss, classes }];
}

/**
 * What to change, the most telling first: {what, run or network}, a patch of the state. Each is offered only where a finding
 * asks for it.
 */
export function remedies(findings, run, network, target) {
  const whats = new Set(findings.filter(({ level }) => level !== "fine").map(({ what }) => what));
  if (!whats.size) return [];
  const has = (...names) => names.some((name) => whats.has(name));
  const found = [],
    gain = target === null ? null : Number(Math.sqrt(target).toPrecision(3));
  if (has("dead by bias")) found.push({ what: "bias", run: { bias: 0 } });
  const asks =
    has("overflows", "no signal", "symmetric", "saturated") ||
    [...whats].some((w) => /^(gradient|signal) /.test(w));
  const plain = network.norm === "none";
  const already = run.scheme === "he_normal" && gain !== null && Math.abs(valueOf(run) / gain - 1) < 0.02;
  if (asks && plain && gain !== null && !already)
    found.push({ what: "gain", gain, run: { scheme: "he_normal", value: gain } });
  if (asks && plain && (already || gain === null)) found.push({ what: "normalise", network: { norm: "layer" } });
  if (asks && plain && gain === null)
    found.push({ what: "tanh", run: { activation: "tanh", scheme: "xavier_normal", value: null } });
  if (asks && !plain && has("symmetric", "no signal", "overflows")) {
    found.push({ what: "random", run: { scheme: "he_normal", value: null } });
  }
  if (asks && !plain && network.residual === "none" && !found.length)
    found.push({ what: "residual", network: { residual: "scaled" } });
  if (has("dead") && run.activation !== "leaky_relu")
    found.push({ what: "leaky", run: { activation: "leaky_relu" } });
  return found;
}
