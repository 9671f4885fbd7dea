// The third view: the claims of docs/claims.md with their tables, each of which opens as an experiment.
import { h, table } from "./dom.js";
import { facts } from "./facts.js";
import { PRESETS } from "./presets.js";

/** Bold, code and links of a line of Markdown, as elements. */
function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`|\[[^\]]+\]\([^)]+\))/).map((part) => {
    if (part.startsWith("**")) return h("strong", {}, part.slice(2, -2));
    if (part.startsWith("`")) return h("code", {}, part.slice(1, -1));
    if (/^\[.*\)$/.test(part)) return part.slice(1, part.indexOf("]"));
    return part;
  });
}

const paragraphs = (claim) => claim.text.map((text) => h("p", {}, inline(text)));

const tables = (claim) =>
  claim.tables.map(([heads, ...rows]) =>
    table(
      claim.title,
      heads.map(inline),
      rows.map((row) => row.map(inline)),
    ),
  );

/** The claims in a language of facts.js: {title, verdict, text, tables, level, state}. */
const claimsIn = (language) => facts.claims[language].map((claim, i) => ({ ...claim, ...PRESETS[i] }));

export function claimsView(words, app) {
  const results = h(
    "div.results",
    { id: "results" },
    claimsIn(words.key).map((claim, i) =>
      h(
        "article.claim",
        {},
        h("h2", {}, claim.title),
        h(`p.verdict-word.${claim.level}`, {}, claim.verdict),
        paragraphs(claim),
        tables(claim),
        h(
          "p.row",
          {},
          h(
            "button",
            { type: "button", onclick: () => app.change({ ...claim.state, claim: i + 1 }) },
            words.claimShow,
          ),
          h(
            "a",
            { href: words.key === "zh" ? "../zh/claims.html" : `../claims.html#${claim.anchor}` },
            words.claimPage,
          ),
        ),
      ),
    ),
  );
  return { results, whole: true, sync: () => app.busy(false), leave: () => {} };
}

/** The claim that an experiment came from, above it. */
export function claimCard(words, app, index) {
  const claim = claimsIn(words.key)[index];
  return h(
    "article.card.claim",
    {},
    h("h2", {}, claim.title),
    h(`p.verdict-word.${claim.level}`, {}, claim.verdict),
    h("details", {}, h("summary", {}, words.claimMore), paragraphs(claim), tables(claim)),
    h(
      "button.quiet.remove",
      {
        type: "button",
        id: "claim-close",
        "aria-label": words.claimClose,
        onclick: () => app.change({ claim: 0 }),
      },
      "×",
    ),
  );
}
