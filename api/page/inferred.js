// Characters that had to be inferred: how sure they are, and what is told about each.

import { el } from "./dom.js";
import { percent, t } from "./language.js";

const SURE = 0.99;

export const level = (repair) => (repair.doubtful ? "doubtful" : repair.confidence >= SURE ? "sure" : "likely");

/** What a citation or a row says of its inferred characters, or null without any. */
export function restoredNote(restored, threshold = 0.9) {
  if (restored == null) return null;
  const doubtful = restored < threshold;
  const phrase = t(doubtful ? "doubtfulQuote" : "inferred", { share: percent(restored) });
  return el("span", { class: `note ${doubtful ? "doubtful" : "likely"}` }, phrase);
}

/** One inferred stretch; clicking it tells how sure it is, what was received and what else it could be. */
export function inferred(text, repair) {
  const span = el("span", { class: `inferred ${level(repair)}`, on: { click: () => explain(span, repair) } }, text);
  return span;
}

export function explain(span, repair) {
  const readings = repair.alternatives.map((reading) => `「${visible(reading)}」`).join(" ");
  const about = el(
    "div",
    { class: "about", popover: "auto", role: "note" },
    el("strong", {}, visible(repair.after)),
    el("p", {}, t("sure", { share: percent(repair.confidence) })),
    el("p", {}, t("was", { before: visible(repair.before) })),
    readings && el("p", {}, t("others", { readings })),
  );
  about.addEventListener("toggle", (event) => event.newState === "closed" && about.remove());
  (span.closest("dialog") ?? document.body).append(about);
  about.showPopover();
  const [at, size] = [span.getBoundingClientRect(), about.getBoundingClientRect()];
  const below = at.bottom + 8 + size.height < innerHeight;
  about.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  about.style.top = `${below ? at.bottom + 8 : Math.max(8, at.top - size.height - 8)}px`;
}

export const legend = () =>
  el(
    "p",
    { class: "legend" },
    t("legend"),
    ["Sure", "Likely", "Doubtful"].map((name) =>
      el("span", {}, el("span", { class: `inferred ${name.toLowerCase()}` }, "字"), ` ${t(`legend${name}`)}`),
    ),
  );

/** White space and controls as something that can be seen; damaged text is full of them. */
const visible = (text) => text.replace(/[\s\p{C}]/gu, (character) => (character === " " ? "␠" : `⟨${code(character)}⟩`));
const code = (character) => character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
