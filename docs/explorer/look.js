// Colours, as data for the pictures and as variables for the style sheet: those of the probe's report and of the docs.
import { facts } from "./facts.js";

const MORE = {
  light: { soft: "#5f6368", card: "#f8f9fb" },
  dark: { soft: "#a0a6ad", card: "#1d2025" },
};

/** {ink, faint, paper, soft, card, colours} of "light" or "dark". */
export const look = (theme) => ({ ...facts.look[theme], ...MORE[theme] });

/** The reader's choice, kept where the docs' theme keeps it: "light", "dark" or "auto". */
const chosenTheme = () => localStorage.getItem("theme") ?? "auto";

export const systemTheme = matchMedia("(prefers-color-scheme: dark)");

export function currentTheme() {
  const chosen = chosenTheme();
  return chosen === "auto" ? (systemTheme.matches ? "dark" : "light") : chosen;
}

/** From one theme to the other. */
export function switchTheme() {
  localStorage.setItem("theme", currentTheme() === "dark" ? "light" : "dark");
}
