// A document to read: its lines with their numbers, a quote marked, inferred characters shown, the original beside it.

import { damageInWords } from "./damage.js";
import { button, el, saveText } from "./dom.js";
import { explain, inferred, legend } from "./inferred.js";
import { number, t } from "./language.js";
import { documentOf, receivedOf } from "./library.js";
import { lineAt, linesOf, pieces, unitsOf } from "./spans.js";

const WINDOW = 3000; // lines shown at once, so that a huge document opens as fast as a small one
const MORE = 1000;

/** The reader of a document below a heading; `mark` is a span in code points that is marked and brought into view. */
export async function reader(name, { heading = "h2", mark = null } = {}) {
  const shown = await documentOf(name);
  const text = textOf(shown, mark);
  const state = { beside: false, onlyChanged: false, received: null, from: 0, to: 0, doubt: -1 };
  const body = el("div", { class: "lines" });
  const rows = new Map();

  const draw = () => {
    rows.clear();
    body.className = state.beside ? "lines beside" : "lines";
    const nodes = [];
    for (let i = state.from; i < state.to; i += 1) {
      const received = state.beside ? (state.received[i] ?? "") : null;
      const same = received === shown.text.slice(text.lines[i].start, text.lines[i].end);
      if (state.onlyChanged && same) continue;
      rows.set(i, line(shown.text, text, i, received, same));
      if (text.pages.has(i)) nodes.push(el("p", { class: "page" }, t("page", { first: text.pages.get(i) })));
      nodes.push(rows.get(i));
    }
    if (nodes.length === 0) nodes.push(el("p", { class: "empty" }, t("unchanged")));
    body.replaceChildren(
      state.from > 0 ? button(t("earlier"), () => widen(-MORE), { class: "more" }) : "",
      ...nodes,
      state.to < text.lines.length ? button(t("later"), () => widen(MORE), { class: "more" }) : "",
    );
  };
  const widen = (by) => {
    const kept = by < 0 ? rows.get(state.from) : null;
    const before = kept?.getBoundingClientRect().top;
    const index = state.from;
    if (by < 0) state.from = Math.max(0, state.from + by);
    else state.to = Math.min(text.lines.length, state.to + by);
    draw();
    if (kept) body.closest(".scroll")?.scrollBy(0, rows.get(index).getBoundingClientRect().top - before);
  };
  const around = (index) => {
    if (index >= state.from && index < state.to) return;
    state.from = Math.max(0, index - WINDOW / 2);
    state.to = Math.min(text.lines.length, state.from + WINDOW);
    draw();
  };
  const toDoubt = (step) => {
    const doubts = text.doubts;
    state.doubt = (state.doubt + step + doubts.length) % doubts.length;
    around(lineAt(text.lines, doubts[state.doubt].start));
    const span = body.querySelector(`[data-at="${doubts[state.doubt].start}"]`);
    span?.scrollIntoView({ block: "center" });
    if (span) explain(span, doubts[state.doubt].repair);
  };

  state.to = Math.min(WINDOW, text.lines.length);
  if (mark) around(lineAt(text.lines, text.marks[0].start));
  draw();
  const view = el(
    "article",
    { class: "reader", "aria-label": shown.name },
    head(shown, heading),
    shown.repairs.length > 0 && legend(),
    tools(shown, text, state, draw, toDoubt),
    body,
  );
  view.showMark = () => body.querySelector("mark")?.scrollIntoView({ block: "center" });
  return view;
}

/** The document's lines in units, and by line what is to be shown there: the mark, the repairs, the page that begins. */
function textOf(shown, mark) {
  const units = unitsOf(shown.text);
  const lines = linesOf(shown.text);
  const inUnits = ({ start, end }) => ({ start: units(start), end: units(end) });
  const marks = mark ? [{ ...inUnits(mark), mark: true }] : [];
  const repairs = shown.repairs.map((repair) => ({ ...inUnits(repair), repair }));
  const spans = new Map();
  for (const span of [...marks, ...repairs]) {
    for (let i = lineAt(lines, span.start); i < lines.length && lines[i].start < span.end; i += 1) {
      spans.set(i, [...(spans.get(i) ?? []), span]);
    }
  }
  const pages = new Map((shown.page_starts ?? []).map((first, i) => [first - 1, i + 1]));
  const doubts = repairs.filter((one) => one.repair.doubtful);
  return { lines, marks, spans, pages, kinds: kindsOf(shown.text, lines), doubts };
}

/** How each line is set: a heading, code, a table's row, a quotation, or nothing of these. */
function kindsOf(text, lines) {
  let fence = null;
  return lines.map(({ start, end }) => {
    const content = text.slice(start, end);
    const mark = content.match(/^\s*(`{3,}|~{3,})/)?.[1];
    if (mark && (!fence || mark.startsWith(fence))) {
      fence = fence ? null : mark;
      return "code";
    }
    if (fence) return "code";
    const level = content.match(/^(#{1,6})\s/)?.[1].length;
    if (level) return `heading h${Math.min(level, 4)}`;
    if (/^\s*\|/.test(content)) return "row";
    return /^\s*>/.test(content) ? "quotation" : "";
  });
}

function line(content, text, i, received, same) {
  const { start, end } = text.lines[i];
  const cut = pieces(start, end, text.spans.get(i) ?? []);
  const restored = el("span", { class: "text" }, cut.map((piece) => shownPiece(content, piece)));
  const before = received === null ? null : el("span", { class: same ? "text same" : "text received" }, received);
  return el("div", { class: `line ${text.kinds[i]}`, "data-n": i + 1 }, before, restored);
}

function shownPiece(content, piece) {
  const part = content.slice(piece.start, piece.end);
  const found = piece.spans.find((span) => span.repair);
  let node = document.createTextNode(part);
  if (found) {
    node = inferred(part, found.repair);
    node.dataset.at = found.start;
  }
  return piece.spans.some((span) => span.mark) ? el("mark", {}, node) : node;
}

function head(shown, heading) {
  const doubtful = shown.repairs.filter((repair) => repair.doubtful).length;
  const facts = [
    shown.encoding,
    damageInWords(shown.damage),
    shown.repairs.length > 0 && t("inferredCount", { count: number(shown.repairs.length) }),
    doubtful > 0 && t("doubtfulCount", { count: number(doubtful) }),
  ];
  return el(
    "header",
    {},
    el(heading, {}, shown.title),
    el("p", { class: "facts" }, el("span", {}, shown.name), facts.filter(Boolean).map((fact) => el("span", {}, fact))),
  );
}

function tools(shown, text, state, draw, toDoubt) {
  const download = button(t("download"), () => saveText(nameOfText(shown.name), shown.text));
  if (shown.damage.length === 0) return el("div", { class: "tools" }, el("span", { class: "group" }, download));
  const onlyChanged = toggle(t("onlyChanged"), (on) => {
    state.onlyChanged = on;
    draw();
  });
  const beside = toggle(t("besideOriginal"), async (on) => {
    state.received ??= (await receivedOf(shown.id)).split("\n");
    state.beside = on;
    state.onlyChanged = on && onlyChanged.querySelector("input").checked;
    onlyChanged.hidden = !on;
    draw();
  });
  onlyChanged.hidden = true;
  const doubts = text.doubts.length > 0 && [
    button("‹", () => toDoubt(-1), { "aria-label": t("previousDoubtful"), title: t("previousDoubtful") }),
    button(t("nextDoubtful"), () => toDoubt(1)),
  ];
  return el("div", { class: "tools" }, beside, onlyChanged, el("span", { class: "group" }, doubts || [], download));
}

/** A text as it was restored keeps its name; what was read as Markdown is called so. */
const nameOfText = (name) => (/\.(md|markdown|txt|rst)$/i.test(name) ? name : `${name}.md`);

function toggle(label, change) {
  return el(
    "label",
    { class: "toggle" },
    el("input", { type: "checkbox", on: { change: (event) => change(event.target.checked) } }),
    label,
  );
}
