// What a reader takes along: code, a link, the pictures.
import { h } from "./dom.js";
import { drawnBy, python, torch } from "./takehome.js";

export function takePanel(words, app, picture, data = () => null) {
  let state = null,
    chosen = 0;
  const starts = h("select", {
    onchange: () => {
      chosen = Number(starts.value);
      show();
    },
  });
  const blocks = [
    ["Python", python],
    ["torch", torch],
  ].map(([name, write]) => {
    const code = h("code"),
      button = copier(() => code.textContent, `${words.copy}: ${name}`, words.copy);
    return {
      code,
      write,
      element: h("figure.code", {}, h("figcaption", {}, name, button), h("pre", { tabIndex: 0 }, code)),
    };
  });
  const note = h("p.note");

  function copier(text, label, shown) {
    const button = h(
      "button",
      {
        type: "button",
        "aria-label": label,
        onclick: async () => {
          try {
            await navigator.clipboard.writeText(text());
            button.textContent = words.copied;
            setTimeout(() => {
              button.textContent = shown;
            }, 1500);
          } catch (error) {
            app.fail(error.message);
          }
        },
      },
      shown,
    );
    return button;
  }

  function save() {
    const url = URL.createObjectURL(new Blob([picture()], { type: "image/svg+xml" }));
    h("a", { href: url, download: "fastinit-explorer.svg" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  function show() {
    const run = state.runs[chosen],
      drawing = drawnBy(state, data());
    for (const { code, write } of blocks) code.textContent = write(state, run, drawing);
    note.textContent = run.scheme === "orthogonal" ? words.takeOrthogonal : words.takeText;
  }

  let offered = 0;
  const element = h(
    "section.take",
    { "aria-labelledby": "take-title" },
    h("h2", { id: "take-title" }, words.takeTitle),
    h(
      "p.row",
      {},
      h("label.field.inline", {}, h("span", {}, words.takeStart), starts),
      copier(app.link, words.copyLink, words.copyLink),
      h("button", { type: "button", onclick: save }, words.saveSvg),
    ),
    note,
    h(
      "div.codes",
      {},
      blocks.map(({ element: block }) => block),
    ),
  );
  return {
    element,
    sync(next) {
      state = next;
      chosen = Math.min(chosen, state.runs.length - 1);
      if (offered !== state.runs.length) {
        offered = state.runs.length;
        starts.replaceChildren(
          ...state.runs.map((_, i) => h("option", { value: String(i), selected: i === chosen }, String(i + 1))),
        );
      }
      show();
    },
  };
}
