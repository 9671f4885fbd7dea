// The page: its frame, its state, and which view is shown. The state is in the address, the theme where the docs keep it.
import { mark } from "./charts.js";
import { claimCard, claimsView } from "./claims-view.js";
import { runsPanel } from "./controls.js";
import { depthView } from "./depth-view.js";
import { h } from "./dom.js";
import { currentTheme, look, switchTheme, systemTheme } from "./look.js";
import { format, parse } from "./state.js";
import { trainingView } from "./training-view.js";
import { words as en } from "./words-en.js";
import { words as zh } from "./words-zh.js";

const VIEWS = { depth: depthView, training: trainingView, claims: claimsView };
const WAIT = 120;
const root = document.getElementById("page");
let { state, problems } = parse(location.hash);
let shown = null;

/** That of the address, of the page of the docs that led here, or of the browser. */
const language = () =>
  state.lang || (document.referrer.includes("/zh/") || navigator.language.startsWith("zh") ? "zh" : "en");

const app = {
  look: () => look(currentTheme()),
  mark: (run) => {
    const span = h("span.badge");
    span.innerHTML = mark(app.look(), run);
    return span;
  },
  busy: (now) => {
    document.body.dataset.busy = String(now);
  },
  link: () => new URL(format(state), location.href).href,
  fail: (message) => notice(shown.words.failed(message)),
  change,
  /** Takes a remedy for a run over. */
  mend: (i, { run = {}, network = {} }) =>
    change({ ...network, runs: state.runs.map((one, k) => (k === i ? { ...one, ...run } : one)) }),
};

function notice(text) {
  shown.notice.textContent = text;
  shown.notice.hidden = !text;
}

let writing = 0;
/** Takes a part of the state over, shows it, and writes it into the address. */
function change(patch) {
  const before = state;
  state = { ...state, ...patch };
  clearTimeout(writing);
  if (before.view !== state.view) history.pushState(null, "", format(state));
  else writing = setTimeout(() => history.replaceState(null, "", format(state)), WAIT);
  if (before.view !== state.view || before.lang !== state.lang || before.claim !== state.claim) build();
  else sync();
}

function sync() {
  if (!shown.view.whole) shown.runs.sync(state, app.look());
  shown.view.sync(state);
}

/** The frame in the state's language with the state's view; the focus stays where it was. */
function build() {
  const focused = document.activeElement?.id;
  shown?.view.leave();
  const chosen = language(),
    words = chosen === "zh" ? zh : en;
  document.documentElement.lang = words.lang;
  document.title = `${words.title} · fastinit`;
  paint();
  const runs = runsPanel(words, (next) => change({ runs: next })),
    view = VIEWS[state.view](words, app, state);
  const message = h("p.notice", { role: "alert", hidden: true });
  const docs = chosen === "zh" ? "../zh/index.html" : "../index.html";
  const tabs = Object.keys(VIEWS).map((name) =>
    h(
      "a.tab",
      {
        id: `view-${name}`,
        href: format({ ...state, view: name }),
        "aria-current": name === state.view ? "page" : null,
        onclick: (event) => {
          event.preventDefault();
          change({ view: name });
        },
      },
      words.views[name],
    ),
  );
  const languages = [
    ["en", "English", "en"],
    ["zh", "简体中文", "zh-CN"],
  ].map(([code, name, lang]) =>
    code === chosen
      ? h("b", { lang }, name)
      : h("button.link", { type: "button", id: "language", lang, onclick: () => change({ lang: code }) }, name),
  );
  root.replaceChildren(
    h(
      "a.skip",
      {
        href: "#results",
        onclick: (event) => {
          event.preventDefault();
          view.results.querySelector("input, button, a")?.focus();
        },
      },
      words.skip,
    ),
    h(
      "header",
      {},
      h("a.brand", { href: docs }, "fastinit"),
      h("nav", { "aria-label": words.title }, tabs),
      h(
        "div.tools",
        {},
        languages[0],
        " · ",
        languages[1],
        h(
          "button.quiet",
          {
            type: "button",
            id: "theme",
            "aria-label": words.theme,
            onclick: () => {
              switchTheme();
              repaint();
            },
          },
          "◐",
        ),
      ),
    ),
    h(
      "main",
      { className: state.view },
      h(
        "div.intro",
        {},
        h("h1", {}, words.title),
        h("p", {}, words.intro[state.view]),
        message,
        state.claim && !view.whole ? claimCard(words, app, state.claim - 1) : null,
      ),
      ...(view.whole ? [view.results] : [runs.element, h("div.settings", {}, view.panels), view.results]),
    ),
    h("footer", {}, h("p", {}, words.lead), h("p", {}, h("a", { href: docs }, words.docs), " · ", words.credit)),
  );
  shown = { words, runs, view, notice: message };
  if (problems.length) notice(words.problem(problems.join(", ")));
  if (focused) document.getElementById(focused)?.focus();
  sync();
}

/** The theme's colours for the style sheet. */
function paint() {
  const theme = currentTheme(),
    { colours, ...rest } = look(theme),
    style = document.documentElement.style;
  document.documentElement.dataset.theme = theme;
  style.colorScheme = theme;
  for (const [name, value] of Object.entries(rest)) style.setProperty(`--${name}`, value);
}

function repaint() {
  paint();
  sync();
}

systemTheme.addEventListener("change", repaint);
addEventListener("storage", ({ key }) => {
  if (key === "theme") repaint();
});
addEventListener("popstate", () => {
  ({ state, problems } = parse(location.hash));
  build();
});
// For tests.
window.explorer = {
  state: () => state,
  report: () => shown.view.report(),
  picture: () => shown.view.picture(),
  arrivals: () => shown.view.arrivals(),
};
build();
