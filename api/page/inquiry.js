// A view with one question and what comes of it: searching and comparing are such.

import { el, sendsOnEnter } from "./dom.js";
import { t } from "./language.js";
import { problem, waiting } from "./status.js";
import { tries } from "./suggestions.js";

/** What was asked last and what came of it; it outlives the view, and goes on without it. */
export const unasked = () => ({ question: "", reply: null, failure: null, running: null, draw: () => {} });

/**
 * Draws the view called `name`: `fetched(question, options)` asks the server, `shown(reply)` are the nodes of its reply,
 * `waitingFor` is said until then. Returns what asks again where something was asked, since another choice was made.
 */
export function inquiry(root, state, { name, waitingFor, fetched, shown, choices = null }) {
  const field = el("input", {
    type: "search", name: "question", required: true, placeholder: t("question"),
    "aria-label": t("question"), value: state.question,
  });
  const results = el("div", { "aria-live": "polite" });

  const put = async (question) => {
    if (!question) return;
    state.running?.abort(); // only the last question counts
    const running = new AbortController();
    Object.assign(state, { question, reply: null, failure: null, running });
    state.draw();
    const outcome = await fetched(question, { signal: running.signal }).then((reply) => ({ reply }), (failure) => ({ failure }));
    if (state.running !== running) return;
    Object.assign(state, outcome, { running: null });
    state.draw();
  };
  const submit = (event) => {
    event.preventDefault();
    put(field.value.trim());
  };
  const form = el("form", { class: "ask", on: { submit } }, field, el("button", { class: "primary" }, t(`${name}It`)));

  state.draw = () => {
    results.setAttribute("aria-busy", String(state.running !== null));
    if (state.running) results.replaceChildren(waiting(waitingFor));
    else if (state.failure) results.replaceChildren(problem(state.failure));
    else if (state.reply) results.replaceChildren(...shown(state.reply));
    else results.replaceChildren(tries((question) => put((field.value = question))));
  };
  sendsOnEnter(field, () => form.requestSubmit());
  root.append(el("h1", {}, t(`${name}Title`)), el("p", { class: "lead" }, t(`${name}Lead`)), form, choices ?? "", results);
  state.draw();
  field.focus();
  return () => state.question && put(field.value.trim());
}
