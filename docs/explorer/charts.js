// Pictures as SVG text, from data only: every colour is in the text, so that a picture can be kept.

const FONT = "system-ui, sans-serif",
  LEFT = 46,
  RIGHT = 12,
  TOP = 30,
  BOTTOM = 26,
  PAD = 3;
const MARKERS = [
  (x, y, r) => `<circle cx="${x}" cy="${y}" r="${r}"/>`,
  (x, y, r) => `<rect x="${x - r}" y="${y - r}" width="${2 * r}" height="${2 * r}"/>`,
  (x, y, r) => `<path d="M${x} ${y - 1.2 * r}L${x + 1.1 * r} ${y + 0.9 * r}H${x - 1.1 * r}Z"/>`,
  (x, y, r) => `<path d="M${x} ${y - 1.3 * r}L${x + 1.3 * r} ${y}L${x} ${y + 1.3 * r}L${x - 1.3 * r} ${y}Z"/>`,
];
const round = (v) => Math.round(v * 100) / 100;
const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function text(x, y, content, { look, size = 11, anchor = "start", weight = "normal", colour = look.ink }) {
  const style = `font-size="${size}" text-anchor="${anchor}" font-weight="${weight}" fill="${colour}"`;
  return `<text x="${round(x)}" y="${round(y)}" ${style}>${content}</text>`;
}

/** The mark of a run, for legends. */
export function mark(look, run, size = 14) {
  const middle = size / 2,
    shape = MARKERS[run](middle, middle, size / 3.2);
  return `<svg width="${size}" height="${size}" aria-hidden="true"><g fill="${look.colours[run]}">${shape}</g></svg>`;
}

export function frame(width, height, look, label, content) {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="${FONT}" role="img" aria-label="${escaped(label)}">${content}</svg>`
  );
}

/** 10^n with its exponent raised, or the plain number near 1. */
function power(n) {
  return n === 0 ? "1" : n === 1 ? "10" : `10<tspan dy="-4" font-size="8">${String(n).replace("-", "−")}</tspan>`;
}

/** Where a chart's values lie on paper: {x, y, ticks}. `y` is {log: [low, high]} in decades, or {low, high, ticks, show}. */
function scales({ width, height, xs, y }) {
  const inner = width - LEFT - RIGHT,
    tall = height - TOP - BOTTOM;
  const [low, high] = y.log ?? [y.low, y.high],
    [first, last] = xs;
  const near = (v) => Math.min(Math.max(v, 2 * low - high), 2 * high - low);
  const at = (v) => TOP + tall * (1 - (near(v) - low) / (high - low));
  return {
    x: (v) => LEFT + (inner * (v - first)) / (last - first || 1),
    y: y.log ? (v) => at(v > 0 ? Math.log10(v) : -400) : at,
    ticks: y.log
      ? decades(low, high).map(([n, shown]) => [at(n), shown])
      : y.ticks.map((v) => [at(v), escaped(y.show(v))]),
  };
}

/** Where a logarithmic axis has lines: [exponent, text]. Within two decades, also at 2 and 5. */
function decades(low, high) {
  if (high - low < 2) {
    const all = [-4, -3, -2, -1, 0, 1, 2].flatMap((n) =>
      [1, 2, 5].map((k) => [n + Math.log10(k), String(Number((k * 10 ** n).toPrecision(1)))]),
    );
    return all.filter(([n]) => n >= low && n <= high);
  }
  const step = [1, 2, 3, 4, 6].find((s) => (high - low) / s <= 7) ?? 10,
    found = [];
  for (let n = Math.ceil(low / step) * step; n <= high; n += step) found.push([n, power(n)]);
  return found;
}

function path(points, sx, sy) {
  let d = "",
    pen = false;
  for (const [x, y] of points) {
    if (y === null || Number.isNaN(y)) pen = false;
    else {
      d += `${pen ? "L" : "M"}${round(sx(x))} ${round(sy(y))}`;
      pen = true;
    }
  }
  return d;
}

/**
 * Lines over a shared axis. Each of `series` has the run (its colour and mark), points [x, y], and perhaps `dashed`, `dotted`,
 * `faint`, or `band` [x, low, high] in place of points; `at` is a place to point out;
 * `xNames` are what stands at the ticks, if not their values.
 */
export function lines({
  width,
  height,
  look,
  title,
  label,
  xs,
  xTicks,
  xNames = xTicks,
  xTitle,
  y,
  series,
  at = null,
}) {
  const { x: sx, y: sy, ticks } = scales({ width, height, xs, y });
  const bottom = height - BOTTOM,
    right = width - RIGHT,
    out = [text(0, 14, escaped(title), { look, size: 13, weight: 600 })];
  for (const [place, shown] of ticks) {
    out.push(`<path d="M${LEFT} ${round(place)}H${right}" stroke="${look.faint}" stroke-width="0.7"/>`);
    out.push(text(LEFT - 6, place + 4, shown, { look, anchor: "end", colour: look.soft }));
  }
  xTicks.forEach((tick, i) =>
    out.push(text(sx(tick), bottom + 16, xNames[i], { look, anchor: "middle", colour: look.soft })),
  );
  out.push(text(right, bottom + 16, escaped(xTitle), { look, anchor: "end", colour: look.soft }));
  if (at !== null)
    out.push(`<path d="M${round(sx(at))} ${TOP}V${bottom}" stroke="${look.soft}" stroke-width="1"/>`);
  // What leaves the axes is cut off at their edge.
  const box = [LEFT - PAD, TOP - PAD, right - LEFT + 2 * PAD, bottom - TOP + 2 * PAD];
  out.push(
    `<svg x="${box[0]}" y="${box[1]}" width="${box[2]}" height="${box[3]}" viewBox="${box.join(" ")}" overflow="hidden">`,
  );
  for (const row of series.filter((s) => s.band)) {
    const there = row.band.filter(([, low]) => low !== null);
    if (there.length)
      out.push(`<path d="${area(there, sx, sy)}" fill="${look.colours[row.run]}" opacity="0.15"/>`);
  }
  for (const row of series.filter((s) => s.points)) out.push(line(row, series, sx, sy, look));
  out.push("</svg>");
  out.push(`<path d="M${LEFT} ${TOP}V${bottom}H${right}" fill="none" stroke="${look.ink}" stroke-width="1"/>`);
  return frame(width, height, look, label ?? title, out.join(""));
}

function area(bandPoints, sx, sy) {
  const up = bandPoints.map(([x, , high]) => `${round(sx(x))} ${round(sy(high))}`);
  const down = bandPoints.map(([x, low]) => `${round(sx(x))} ${round(sy(low))}`).reverse();
  return `M${[...up, ...down].join("L")}Z`;
}

function line(row, series, sx, sy, look) {
  const colour = look.colours[row.run],
    dash = row.dashed ? ' stroke-dasharray="5 3"' : row.dotted ? ' stroke-dasharray="1.5 3"' : "";
  const stroke = `stroke="${colour}" stroke-width="${row.dashed || row.faint ? 1.1 : 1.8}" opacity="${row.faint ? 0.45 : 1}"`;
  const drawn = `<path d="${path(row.points, sx, sy)}" fill="none" stroke-linejoin="round" ${stroke}${dash}/>`;
  if (row.dashed || row.faint) return drawn;
  // Marks are shifted, so that lines of several runs that coincide can be told apart.
  const there = row.points.filter(([, v]) => v !== null && !Number.isNaN(v)),
    step = Math.max(1, Math.ceil(there.length / 9));
  const runs = Math.max(...series.map((s) => s.run)) + 1,
    first = Math.floor((row.run * step) / runs);
  const marks = there
    .filter((_, i) => i % step === first)
    .map(([x, v]) => MARKERS[row.run](round(sx(x)), round(sy(v)), 3.2));
  return `${drawn}<g fill="${colour}">${marks.join("")}</g>`;
}

/** One histogram {high, counts, ...} from -high to high for each run, side by side, each on its own scale. */
export function histograms({ width, height, look, title, label, empty, show, told, series }) {
  const bottom = height - BOTTOM,
    gap = 18,
    each = (width - gap * (series.length - 1)) / series.length;
  const out = [text(0, 14, escaped(title), { look, size: 13, weight: 600 })];
  series.forEach(({ run, histogram }, i) => {
    const left = i * (each + gap),
      middle = left + each / 2;
    out.push(`<path d="M${round(left)} ${bottom}h${round(each)}" stroke="${look.ink}"/>`);
    if (!histogram) {
      out.push(text(middle, (TOP + bottom) / 2, escaped(empty), { look, anchor: "middle", colour: look.soft }));
      return;
    }
    const { counts, high } = histogram,
      most = Math.max(...counts),
      step = each / counts.length;
    const tops = [...counts].map((n, k) => [left + k * step, bottom - ((bottom - TOP - 26) * n) / most]);
    const outline = tops.map(([x, y]) => `L${round(x)} ${round(y)}h${round(step)}`).join("");
    const colour = look.colours[run];
    out.push(
      `<path d="M${round(left)} ${bottom}${outline}V${bottom}Z" fill="${colour}" fill-opacity="0.2" stroke="${colour}" stroke-width="1.3"/>`,
    );
    told(histogram).forEach((line, k) =>
      out.push(text(middle, TOP + 14 * k, escaped(line), { look, anchor: "middle", colour: look.soft })),
    );
    out.push(text(middle, bottom + 16, `±${escaped(show(high))}`, { look, anchor: "middle", colour: look.soft }));
  });
  return frame(width, height, look, label ?? title, out.join(""));
}

/** Several pictures of one size beneath a legend, as one: for keeping. */
export function sheet({ look, pictures, columns, width, height, legend }) {
  const rows = Math.ceil(pictures.length / columns),
    pad = 20,
    head = 22 * legend.length + 14;
  const whole = columns * (width + pad) + pad,
    tall = rows * (height + pad) + pad + head;
  const out = [`<rect width="${whole}" height="${tall}" fill="${look.paper}"/>`];
  legend.forEach((name, run) => {
    out.push(`<g fill="${look.colours[run]}">${MARKERS[run](pad + 6, pad + 22 * run, 5)}</g>`);
    out.push(text(pad + 20, pad + 22 * run + 4, escaped(name), { look, size: 13 }));
  });
  pictures.forEach((picture, i) => {
    const x = pad + (i % columns) * (width + pad),
      y = head + pad + Math.floor(i / columns) * (height + pad);
    out.push(picture.replace("<svg ", `<svg x="${x}" y="${y}" `));
  });
  return frame(whole, tall, look, legend.join("; "), out.join(""));
}
