// The verdict on each start in words, with buttons that change what is wrong.
import { named } from "./controls.js";
import { h, percent, short } from "./dom.js";
import { judge, remedies } from "./verdict.js";

const TWO = (value) =>
  short(typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(2)) : value);

/** A finding in words. */
function sentence(words, { what, level, ...values }) {
  const shown = { ...values };
  for (const key of ["share", "first", "last", "loss"]) if (key in shown) shown[key] = TWO(shown[key]);
  if (/^(dead|saturated)/.test(what)) shown.share = percent(values.share);
  if ("layer" in shown) shown.layer = values.layer + 1;
  if (what === "first loss") shown.guess = Math.log(values.classes).toFixed(3);
  return words.findings[what](shown);
}

export function verdictPanel(words, app) {
  const list = h("div.verdicts", { "aria-live": "polite" });
  const element = h(
    "section",
    { "aria-labelledby": "verdict-title" },
    h("h2", { id: "verdict-title" }, words.verdictTitle),
    list,
  );
  let shown = "";

  function one(state, run, i, { measured, target }) {
    const findings = judge({ ...measured, target: target ?? null }, state.outputs),
      worst = findings[0]?.level ?? "fine";
    const ways = target === undefined ? [] : remedies(findings, run, state, target);
    return h(
      "article.card.verdict",
      {},
      h("h3", {}, app.mark(i), `${named(run, words)}: `, h(`span.${worst}`, {}, words.levels[worst])),
      h(
        "ul",
        {},
        findings.map((finding) => h(`li.${finding.level}`, {}, sentence(words, finding))),
      ),
      ways.length
        ? h(
            "p.remedies",
            {},
            h("span", {}, words.remedy),
            ways.map((way) =>
              h(
                "button",
                {
                  type: "button",
                  onclick: () => app.mend(i, way),
                },
                words.remedies[way.what](way),
              ),
            ),
          )
        : null,
    );
  }

  return {
    element,
    sync(state, found) {
      // What was measured for another state is left as it stands until there is something new.
      if (found.some(({ stale }) => stale) && list.children.length === state.runs.length) return;
      const known = found.map(({ measured, target, stale }) => measured && target !== undefined && !stale);
      const key = JSON.stringify([
        known,
        state.runs,
        state.norm,
        state.residual,
        state.outputs,
        found.map(({ measured }) => measured?.loss),
        app.look().paper,
        found.map(({ measured }) => measured?.layers[0].gradient),
      ]);
      if (key === shown) return;
      shown = key;
      const focused = document.activeElement?.closest?.(".verdict")
        ? [...list.children].indexOf(document.activeElement.closest(".verdict"))
        : -1;
      list.replaceChildren(
        ...state.runs.map((run, i) =>
          found[i]?.measured ? one(state, run, i, found[i]) : h("article.card.verdict", {}, app.mark(i), "…"),
        ),
      );
      if (focused >= 0) list.children[focused]?.querySelector("button")?.focus();
    },
  };
}
