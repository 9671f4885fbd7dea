// Elements of the page.

/** h("button.small", {onclick}, "text", child, ...). Attributes that are functions or belong to the element are set on it. */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split("."),
    element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key in element && !key.startsWith("aria")) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A choice; `sync(value)` shows one. `options` are [value, text], or [group, options]. */
export function select(label, options, onchange, extra = {}) {
  const items = options.map(([value, shown]) =>
    Array.isArray(shown)
      ? h(
          "optgroup",
          { label: value },
          shown.map(([v, t]) => h("option", { value: v }, t)),
        )
      : h("option", { value }, shown),
  );
  const field = h("select", { onchange: () => onchange(field.value), ...extra }, items);
  const element = h("label.field", {}, h("span", {}, label), field);
  return {
    element,
    field,
    sync: (value) => {
      field.value = value;
    },
  };
}

/** A slider with its value written out. `to` and `from` map the slider's steps to values and back. */
export function slider(label, { min, max, step = 1, to = (v) => v, from = (v) => v, show }, onchange, extra = {}) {
  const field = h("input", { type: "range", min, max, step, ...extra }),
    value = h("output");
  const told = () => {
    value.textContent = show(to(Number(field.value)));
    field.setAttribute("aria-valuetext", value.textContent);
  };
  field.oninput = () => {
    told();
    onchange(to(Number(field.value)));
  };
  const name = h("span", {}, label),
    element = h("label.field.slider", {}, name, field, value); // a label names its first field
  return {
    element,
    field,
    name,
    sync(current) {
      field.value = from(current);
      value.textContent = show(current);
      field.setAttribute("aria-valuetext", value.textContent);
    },
  };
}

/** A whole number, typed; what does not fit stays in the field, marked, and changes nothing. */
export function integer(label, { low, high }, onchange, extra = {}) {
  const field = h("input", { type: "number", min: low, max: high, step: 1, inputMode: "numeric", ...extra });
  field.oninput = () => {
    const fits = field.value !== "" && field.checkValidity();
    field.setAttribute("aria-invalid", String(!fits));
    if (fits) onchange(Number(field.value));
  };
  const element = h("label.field", {}, h("span", {}, label), field);
  return {
    element,
    field,
    sync: (value) => {
      if (document.activeElement !== field) field.value = value;
    },
  };
}

/** A table that scrolls in its box: `rows` begin with their heading, and cells are texts or lists of elements. */
export function table(label, heads, rows) {
  const head = h(
    "tr",
    {},
    heads.map((title) => h("th", { scope: "col" }, title)),
  );
  const body = rows.map(([first, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, first),
      cells.map((cell) => h("td", {}, cell)),
    ),
  );
  return h(
    "div.scroll",
    { tabIndex: 0, role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, head), h("tbody", {}, body)),
  );
}

/** A title that unfolds into a list of sentences. */
export function reading([title, sentences]) {
  return h(
    "details.reading",
    {},
    h("summary", {}, title),
    h(
      "ul",
      {},
      sentences.map((sentence) => h("li", {}, sentence)),
    ),
  );
}

/** A number in three digits, as people read it. */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return "∞";
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e4)) return String(Number(value.toPrecision(3)));
  const [digits, exponent] = value.toExponential(1).split("e");
  const raised = [...String(Number(exponent))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
  return `${Number(digits)}×10${raised}`;
}

export const percent = (share) =>
  share === null || share === undefined ? "–" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;

/** A call of `draw` in the next frame, however often it is asked for until then. */
export function inNextFrame(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
}
