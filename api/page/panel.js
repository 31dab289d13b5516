// The document of a citation, beside what cites it; over it on a small screen.

import { button, el } from "./dom.js";
import { problem } from "./status.js";
import { t } from "./language.js";
import { changed, documentOf } from "./library.js";
import { reader } from "./reader.js";
import { unitsOf } from "./spans.js";

const body = el("div", { class: "scroll" });
const whole = el("a", { class: "quiet" });
const closer = button("×", () => closePanel(), { class: "close" });
export const panel = el("aside", { class: "panel", hidden: true }, el("div", { class: "bar" }, whole, closer), body);
let opener = null;

/** Shows the span `[start, end)` of the document `source`, marked; where it once held a text, only if it still does. */
export async function openPanel({ source, start, end, quote, text = quote }) {
  if (!panel.contains(document.activeElement)) opener = document.activeElement;
  panel.hidden = false;
  panel.setAttribute("aria-label", `${t("document")} ${source}`);
  document.body.classList.add("with-panel");
  closer.setAttribute("aria-label", t("close"));
  whole.textContent = t("openWhole");
  whole.href = documentLink(source, { start, end });
  body.replaceChildren(el("p", { class: "empty" }, t("loading")));
  closer.focus();
  try {
    const there = text === undefined || (await stands(source, { start, end, text }));
    const shown = await reader(source, there ? { mark: { start, end } } : {});
    body.replaceChildren(there ? "" : el("p", { class: "problem", role: "alert" }, t("changedSince")), shown);
    shown.showMark();
  } catch (refused) {
    body.replaceChildren(problem(refused));
  }
}

/** Whether a text stands at its place in the document as it is now. */
async function stands(source, { start, end, text }) {
  const isIn = (whole) => whole.slice(unitsOf(whole)(start), unitsOf(whole)(end)) === text;
  if (isIn((await documentOf(source)).text)) return true;
  changed(); // it may have been taken in anew since it was looked at here
  return isIn((await documentOf(source)).text);
}

export function closePanel() {
  if (panel.hidden) return;
  panel.hidden = true;
  body.replaceChildren();
  document.body.classList.remove("with-panel");
  opener?.focus();
}

export function documentLink(name, span) {
  return `#/documents/${encodeURIComponent(name)}${span ? `?at=${span.start}-${span.end}` : ""}`;
}

const OVER_IT = "dialog[open], :popover-open"; // closed by the browser, first
addEventListener("keydown", (event) => event.key === "Escape" && !document.querySelector(OVER_IT) && closePanel());
