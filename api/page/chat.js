// A conversation: questions of several turns, answers as they are written.

import { stream } from "./api.js";
import { answerBody, source, understoodNote } from "./answers.js";
import { model, within } from "./choices.js";
import { button, copyText, el, sendsOnEnter } from "./dom.js";
import { number, place, t } from "./language.js";
import { problem, waiting } from "./status.js";
import { tries } from "./suggestions.js";

const TURNS = "guide.turns";
const turns = kept();
const choice = { model: "", within: "", retrieve: true };
const nothing = () => {};
const view = { draw: nothing, add: nothing, update: nothing, finish: nothing, refill: nothing }; // of the chat that is on the page; answers go on without it
let running = null; // the controller that stops the answer being written
let draft = "";

export function chat(root) {
  const log = el("div", { class: "log", role: "log", "aria-label": t("chat"), "aria-live": "polite" });
  const field = el("textarea", {
    rows: 1, name: "question", placeholder: t("askHere"), title: t("askKeys"), "aria-label": t("question"),
  });
  const go = el("button", { class: "primary" }, "");
  const submit = (event) => {
    event.preventDefault();
    if (running) running.abort();
    else put(field.value);
  };
  const put = (question) => {
    if (!question.trim() || running) return;
    field.value = draft = "";
    fit(field);
    run(question.trim());
    log.lastElementChild.scrollIntoView({ block: "start" });
  };

  const label = () => (go.textContent = t(running ? "stop" : "sendIt"));
  view.draw = () => {
    log.replaceChildren(...(turns.length > 0 ? [titled(), ...turns.map(shownTurn)] : [welcome(put)]));
    label();
  };
  view.add = (turn) => {
    if (turns.length === 1) return view.draw();
    log.append(shownTurn(turn)); // what was opened in the turns before stays open
    label();
  };
  view.update = (turn) => log.lastElementChild.querySelector(".answer")?.replaceChildren(...answerBody(turn));
  view.finish = (turn) => {
    if (turns.includes(turn)) log.lastElementChild.replaceWith(shownTurn(turn));
    label();
  };
  view.refill = () => {
    field.value = draft;
    fit(field);
  };
  field.addEventListener("input", () => {
    draft = field.value;
    fit(field);
  });
  sendsOnEnter(field, () => put(field.value));
  root.append(
    log,
    el("div", { class: "dock" }, el("form", { class: "composer", on: { submit } }, field, go), options()),
  );
  view.draw();
  view.refill();
  if (matchMedia("(min-width: 48rem)").matches) field.focus();
  if (turns.length > 0) log.lastElementChild.scrollIntoView({ block: "start" });
}

/** Asks one question after the turns before it, and shows the answer while it comes. */
async function run(question) {
  const turn = { question, answer: "", citations: [], passages: [], retrieved: choice.retrieve, state: "writing" };
  const again = turns.at(-1)?.state === "failed" && turns.at(-1).question === question;
  if (again) turns.pop();
  const before = turns.filter(({ answer }) => answer).flatMap(asMessages);
  turns.push(turn);
  running = new AbortController();
  const began = performance.now();
  if (again) view.draw();
  else view.add(turn);
  try {
    const body = asked([...before, { role: "user", content: question }]);
    for await (const chunk of stream("v1/chat/completions", body, { signal: running.signal })) {
      take(turn, chunk);
      view.update(turn);
    }
    turn.state = "done";
  } catch (failure) {
    turn.state = failure.name === "AbortError" ? "stopped" : "failed";
    turn.failure = failure;
    if (turn.state === "failed") giveBack(question);
  }
  turn.seconds = (performance.now() - began) / 1000;
  running = null;
  keep();
  view.finish(turn);
}

/** A question that was not answered stands in the field again, to be sent or changed, unless another one is there. */
function giveBack(question) {
  draft ||= question;
  view.refill();
}

/** The turns that a reload of the page, or a phone that put it away, leaves. */
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(TURNS)) ?? [];
  } catch {
    return [];
  }
}

function keep() {
  const whole = turns.filter(({ state }) => state === "done" || state === "stopped");
  try {
    sessionStorage.setItem(TURNS, JSON.stringify(whole));
  } catch {
    sessionStorage.removeItem(TURNS); // there are more than the browser keeps
  }
}

function asked(messages) {
  return {
    messages,
    stream: true,
    stream_options: { include_usage: true },
    use_context: choice.retrieve,
    include_sources: true,
    ...(choice.model && { model: choice.model }),
    ...(choice.retrieve && choice.within && { context_filter: { docs_ids: [choice.within] } }),
  };
}

function take(turn, { model, choices: [first], usage }) {
  turn.model = model;
  turn.tokens = usage ? usage.total_tokens : turn.tokens;
  turn.answer += first?.delta.content ?? "";
  turn.citations = first?.citations ?? turn.citations;
  turn.passages = first?.sources?.map(placed) ?? turn.passages;
  turn.abstained = first?.abstained ?? turn.abstained;
  turn.answerable = first?.answerable ?? turn.answerable;
  turn.understood = first?.understood ?? turn.understood;
}

const placed = (chunk) => ({ ...chunk, source: chunk.document.doc_metadata.file_name });

const asMessages = (turn) => [
  { role: "user", content: turn.question },
  { role: "assistant", content: turn.answer },
];

function shownTurn(turn) {
  const writing = turn.state === "writing";
  return el(
    "article",
    { class: `turn ${turn.state}`, "aria-busy": String(writing) },
    el("h2", { class: "asked" }, turn.question),
    understoodNote(turn.question, turn.understood),
    el("div", { class: "answer" }, writing && !turn.answer ? waiting("writing") : answerBody(turn)),
    turn.state === "stopped" && el("p", { class: "hint" }, t("stopped")),
    turn.state === "failed" && problem(turn.failure),
    !writing && turn.answer && [passages(turn), foot(turn)],
  );
}

function passages({ passages: found }) {
  if (found.length === 0) return null;
  return el(
    "details",
    { class: "passages" },
    el("summary", {}, t("passages", { count: found.length })),
    el("ol", {}, found.map((passage) => el("li", {}, source(passage), el("blockquote", {}, passage.text)))),
  );
}

function foot(turn) {
  const copy = button(t("copy"), async () => {
    await copyText(withSources(turn));
    copy.focus();
    copy.textContent = t("copied");
  });
  const facts = [
    !turn.retrieved && t("plainAnswer"),
    turn.model,
    t("took", { seconds: number(turn.seconds, 1) }),
    turn.tokens > 0 && t("tokens", { count: number(turn.tokens) }),
  ];
  return el("footer", {}, facts.filter(Boolean).map((fact) => el("span", {}, fact)), copy);
}

/** An answer with what its numbers stand for, to be put elsewhere. */
const withSources = ({ answer, citations }) =>
  [answer, ...(citations.length > 0 ? [""] : []), ...citations.map((one) => `[${one.n}] ${one.source} · ${place(one)}`)].join("\n");

const titled = () => el("h1", { class: "unseen" }, t("chat"));

function welcome(put) {
  return el("section", { class: "welcome" }, el("h1", {}, t("chatTitle")), el("p", {}, t("chatLead")), tries(put));
}

function options() {
  const documents = within(choice);
  const retrieve = el("input", { type: "checkbox", checked: choice.retrieve });
  retrieve.addEventListener("change", () => {
    choice.retrieve = retrieve.checked;
    documents.disabled = !choice.retrieve;
  });
  documents.disabled = !choice.retrieve;
  const again = button(t("newChat"), () => {
    running?.abort();
    turns.length = 0;
    keep();
    view.draw();
  });
  return el("div", { class: "options" }, el("label", { class: "toggle" }, retrieve, t("useDocuments")), documents, model(choice), again);
}

/** As high as its text, up to what the stylesheet allows. */
function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
