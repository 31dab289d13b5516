// The same question plain and retrieved, without and with the adapter, side by side.

import { post } from "./api.js";
import { answerBody } from "./answers.js";
import { el, sendsOnEnter } from "./dom.js";
import { number, percent, t } from "./language.js";
import { problem, waiting } from "./status.js";
import { tries } from "./suggestions.js";

const state = { question: "", reply: null };

export function compare(root) {
  const field = el("input", {
    type: "search", name: "question", required: true, placeholder: t("question"),
    "aria-label": t("question"), value: state.question,
  });
  const go = el("button", { class: "primary" }, t("compareIt"));
  const results = el("div", { class: "variants", "aria-live": "polite" });
  const form = el("form", { class: "ask", on: { submit: (event) => submit(event) } }, field, go);

  const submit = async (event) => {
    event.preventDefault();
    state.question = field.value;
    go.disabled = true;
    results.replaceChildren(waiting("comparing"));
    try {
      state.reply = await post("v1/compare", { question: field.value });
      results.replaceChildren(...state.reply.answers.map(variant));
    } catch (failure) {
      results.replaceChildren(problem(failure));
    } finally {
      go.disabled = false;
    }
  };

  const put = (question) => {
    field.value = question;
    form.requestSubmit();
  };
  sendsOnEnter(field, () => form.requestSubmit());
  root.append(el("h1", {}, t("compareTitle")), el("p", { class: "lead" }, t("compareLead")), form, results);
  results.append(...(state.reply ? state.reply.answers.map(variant) : [tries(put)]));
  field.focus();
}

function variant(answer) {
  const [mode, adapter] = answer.variant.split("+");
  const title = `${t(mode === "rag" ? "retrieved" : "plain")} · ${t(adapter ? "withAdapter" : "withoutAdapter")}`;
  return el(
    "article",
    { class: `variant ${mode}` },
    el("h2", {}, title),
    el(
      "dl",
      { class: "measures" },
      measure(t("grounded"), answer.abstained ? t("abstained") : percent(answer.grounded), {
        title: t("groundedHint"),
        bar: answer.grounded,
      }),
      measure(t("took", { seconds: number(answer.seconds, 1) }), null),
      measure(t("tokens", { count: number(answer.tokens) }), null),
    ),
    answerBody(answer),
  );
}

function measure(name, value, { title, bar } = {}) {
  return el(
    "div",
    { title },
    el("dt", {}, name),
    value !== null && el("dd", {}, bar !== undefined && el("meter", { value: bar, min: 0, max: 1, "aria-label": name }), value),
  );
}
