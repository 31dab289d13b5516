// The passages nearest to a question, without an answer.

import { post } from "./api.js";
import { source, understoodNote } from "./answers.js";
import { select, within } from "./choices.js";
import { el } from "./dom.js";
import { inquiry, unasked } from "./inquiry.js";
import { number, t } from "./language.js";

const PASSAGES = 10;
const KINDS = ["prose", "table", "table_row", "list", "code"];
const state = unasked();
const choice = { within: "", kind: "" };

export function search(root) {
  const kinds = [["", t("allKinds")], ...KINDS.map((kind) => [kind, t(`kind_${kind}`)])];
  const change = () => again();
  const choices = el("div", { class: "options" }, within(choice, change), select("kind", choice, { known: kinds, change }));
  const again = inquiry(root, state, { name: "search", waitingFor: "searching", fetched, shown, choices });
}

const fetched = (question, options) =>
  post("v1/search", {
    question,
    top_k: PASSAGES,
    ...(choice.within && { document: choice.within }),
    ...(choice.kind && { kind: choice.kind }),
  }, options);

function shown({ question, understood, passages }) {
  const hits = passages.length > 0 ? el("ol", { class: "hits" }, passages.map(hit)) : el("p", { class: "empty" }, t("nothing"));
  return [understoodNote(question, understood) ?? "", hits];
}

function hit(passage) {
  return el(
    "li",
    { class: "hit" },
    source(passage),
    el("blockquote", { class: passage.kind }, passage.text),
    el(
      "p",
      { class: "facts" },
      el("span", {}, t(`kind_${passage.kind}`)),
      score(t("dense"), passage.dense),
      score(t("lexical"), passage.lexical),
    ),
  );
}

const score = (name, value) => el("span", {}, `${name} ${value === null ? "–" : number(value, 2)}`);
