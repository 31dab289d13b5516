// The passages nearest to a question, without an answer.

import { post } from "./api.js";
import { source } from "./answers.js";
import { el, sendsOnEnter } from "./dom.js";
import { number, t } from "./language.js";
import { problem, waiting } from "./status.js";
import { tries } from "./suggestions.js";

const PASSAGES = 10;
const state = { question: "", passages: null };

export function search(root) {
  const field = el("input", {
    type: "search", name: "question", required: true, placeholder: t("question"),
    "aria-label": t("question"), value: state.question,
  });
  const results = el("ol", { class: "hits", "aria-live": "polite" });
  const form = el(
    "form",
    { class: "ask", on: { submit: (event) => submit(event) } },
    field,
    el("button", { class: "primary" }, t("searchIt")),
  );

  const submit = async (event) => {
    event.preventDefault();
    state.question = field.value;
    results.replaceChildren(waiting("searching"));
    try {
      state.passages = (await post("v1/search", { question: field.value, top_k: PASSAGES })).passages;
      results.replaceChildren(...(state.passages.length > 0 ? state.passages.map(hit) : [el("p", {}, t("nothing"))]));
    } catch (failure) {
      results.replaceChildren(problem(failure));
    }
  };

  const put = (question) => {
    field.value = question;
    form.requestSubmit();
  };
  sendsOnEnter(field, () => form.requestSubmit());
  root.append(el("h1", {}, t("searchTitle")), el("p", { class: "lead" }, t("searchLead")), form, results);
  results.append(...(state.passages ? state.passages.map(hit) : [el("li", {}, tries(put))]));
  field.focus();
}

function hit(passage) {
  return el(
    "li",
    { class: "hit" },
    source(passage),
    el("blockquote", {}, passage.text),
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
