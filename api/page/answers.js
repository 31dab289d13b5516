// An answer with what it rests on; chat and compare show answers alike.

import { button, el } from "./dom.js";
import { restoredNote } from "./inferred.js";
import { place, t } from "./language.js";
import { openPanel } from "./panel.js";
import { prose } from "./prose.js";

// How probable an answer must be for the nearest passages to be told in its place, and how many; as on the command line.
const NEAR = 0.15;
const FEW = 3;

/** The answer's text with its citations as buttons, and the list of them below; or what is nearest where there is no answer. */
export function answerBody({ answer, citations = [], passages = [], abstained = false, answerable = 0 }) {
  const byNumber = new Map(citations.map((citation) => [citation.n, citation]));
  const cited = citations.map((citation) => el("li", { value: citation.n }, source(citation)));
  const near = abstained && answerable >= NEAR ? passages.slice(0, FEW).map((passage) => el("li", {}, source(passage))) : [];
  return [
    el("div", { class: "prose" }, prose(answer, (n) => byNumber.get(n), openPanel)),
    ...listed("sources", "ol", cited),
    ...listed("nearest", "ul", near),
  ];
}

const listed = (key, list, items) =>
  items.length > 0 ? [el("section", { class: key }, el("h3", {}, t(key)), el(list, {}, items))] : [];

/** What was looked for, where that is not what was asked: misspelt names are put right, a follow-up is made whole. */
export const understoodNote = (asked, understood) =>
  understood && understood !== asked ? el("p", { class: "hint" }, t("searchedFor", { question: understood })) : null;

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
