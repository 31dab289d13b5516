// The document of a citation, beside what cites it; over it on a small screen.

import { button, el } from "./dom.js";
import { problem } from "./status.js";
import { t } from "./language.js";
import { reader } from "./reader.js";

const body = el("div", { class: "scroll" });
const whole = el("a", { class: "quiet" });
const closer = button("×", () => closePanel(), { class: "close" });
export const panel = el("aside", { class: "panel", hidden: true }, el("div", { class: "bar" }, whole, closer), body);
let opener = null;

/** Shows the span `[start, end)` of the document `source`, marked. */
export async function openPanel({ source, start, end }) {
  if (panel.hidden) opener = document.activeElement;
  panel.hidden = false;
  panel.setAttribute("aria-label", `${t("document")} ${source}`);
  document.body.classList.add("with-panel");
  closer.setAttribute("aria-label", t("close"));
  whole.textContent = t("openWhole");
  whole.href = documentLink(source, { start, end });
  body.replaceChildren(el("p", { class: "empty" }, t("loading")));
  closer.focus();
  try {
    const shown = await reader(source, { mark: { start, end } });
    body.replaceChildren(shown);
    shown.showMark();
  } catch (refused) {
    body.replaceChildren(problem(refused));
  }
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

addEventListener("keydown", (event) => event.key === "Escape" && !document.querySelector("dialog[open]") && closePanel());
