// What a trained network looks like: its decisions in the plane beside the points, or the weights of its first units.
import { h } from "./dom.js";

const SIDE = 224,
  PIXELS = 8,
  COLUMNS = 8,
  GAP = 1;
const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const mix = (a, b, share) => a.map((v, i) => v + (b[i] - v) * share);

/** The two ends of the colours that stand for values: blue and orange, which colour-blind readers tell apart. */
const ends = (look) => [channels(look.colours[0]), channels(look.colours[1]), channels(look.paper)];

function canvas(width, height, label, colour) {
  const element = h("canvas", { width, height, role: "img", "aria-label": label }),
    context = element.getContext("2d");
  const image = context.createImageData(width, height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) image.data.set([...colour(x, y), 255], 4 * (y * width + x));
  context.putImageData(image, 0, 0);
  return { element, context };
}

/** A canvas of a snapshot of the worker's; `points` are the data in the plane, if they lie there. */
export function drawing(snapshot, points, look, label) {
  return snapshot.boundary ? plane(snapshot.boundary, points, look, label) : features(snapshot, look, label);
}

function plane(boundary, points, look, label) {
  const [blue, orange, paper] = ends(look),
    grid = Math.sqrt(boundary.length),
    at = (v) => Math.min(Math.floor((v * grid) / SIDE), grid - 1);
  const { element, context } = canvas(SIDE, SIDE, label, (x, y) => {
    const p = boundary[at(y) * grid + at(x)],
      sure = Number.isFinite(p) ? 2 * Math.abs(p - 0.5) : 0;
    return mix(paper, p > 0.5 ? orange : blue, 0.5 * sure);
  });
  const place = (v) => SIDE * (0.5 + (0.5 * v) / points.reach);
  for (let i = 0; points && i < points.labels.length; i++) {
    context.fillStyle = look.colours[points.labels[i]];
    context.beginPath();
    context.arc(place(points.x[2 * i]), SIDE - place(points.x[2 * i + 1]), 1.8, 0, 7);
    context.fill();
  }
  element.classList.add("plane");
  return element;
}

/** The weights of the first units, 8 x 8 pixels each for digits, in one scale; in the plane's case they are never asked for. */
function features({ features: weights, inputs }, look, label) {
  const [blue, orange, paper] = ends(look),
    count = weights.length / inputs,
    rows = Math.ceil(count / COLUMNS),
    cell = PIXELS + GAP;
  const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0) || 1,
    columns = Math.min(count, COLUMNS);
  const { element } = canvas(columns * cell - GAP, rows * cell - GAP, label, (x, y) => {
    const unit = Math.floor(y / cell) * COLUMNS + Math.floor(x / cell),
      pixel = (y % cell) * PIXELS + (x % cell);
    if (x % cell === PIXELS || y % cell === PIXELS || unit >= count) return paper;
    const w = weights[unit * inputs + pixel] / largest;
    return mix(paper, w > 0 ? orange : blue, Number.isFinite(w) ? Math.sqrt(Math.abs(w)) : 0);
  });
  element.classList.add("features");
  return element;
}
