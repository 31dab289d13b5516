// An answer with what it rests on; chat and compare show answers alike.

import { button, el } from "./dom.js";
import { restoredNote } from "./inferred.js";
import { place, t } from "./language.js";
import { openPanel } from "./panel.js";
import { prose } from "./prose.js";

/** The answer's text with its citations as buttons, and the list of them below. */
export function answerBody({ answer, citations = [] }) {
  const byNumber = new Map(citations.map((citation) => [citation.n, citation]));
  return [
    el("div", { class: "prose" }, prose(answer, (n) => byNumber.get(n), openPanel)),
    ...(citations.length > 0 ? [sources(citations)] : []),
  ];
}

function sources(citations) {
  return el(
    "section",
    { class: "sources" },
    el("h3", {}, t("sources")),
    el("ol", {}, citations.map((citation) => el("li", { value: citation.n }, source(citation)))),
  );
}

/** Where a quote or passage stands; opens it. */
export function source(citation) {
  return button(
    el("span", { class: "where" }, el("b", {}, citation.source), ` ${place(citation)}`),
    () => openPanel(citation),
    { class: "source" },
    trail(citation.section),
    restoredNote(citation.restored),
  );
}

export const trail = (section) => section.length > 0 && el("span", { class: "trail" }, section.join(" › "));
