// The same question plain and retrieved, without and with the adapter, side by side.

import { post } from "./api.js";
import { answerBody } from "./answers.js";
import { el } from "./dom.js";
import { inquiry, unasked } from "./inquiry.js";
import { number, percent, t } from "./language.js";

const state = unasked();

export function compare(root) {
  inquiry(root, state, { name: "compare", waitingFor: "comparing", fetched, shown });
}

const fetched = (question, options) => post("v1/compare", { question }, options);
const shown = ({ answers }) => [el("div", { class: "variants" }, answers.map(variant))];

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
