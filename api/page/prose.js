// Answers as they are written: paragraphs, lists and code from Markdown's commonest marks, and citations as buttons.

import { button, el } from "./dom.js";
import { place, t } from "./language.js";

const INLINE = /(\[\d+\])|`([^`\n]+)`|\*\*([^*\n]+)\*\*|\[([^\]\n]+)\]\(([^)\s]+)\)/g;
const BULLET = /^\s*(?:[-*+•]|\d+[.)])\s+/;

/** The nodes of an answer; `cite(n)` gives the citation that [n] refers to, `open(citation)` shows it. */
export function prose(text, cite, open) {
  const nodes = [];
  for (const [i, part] of text.split(/^```.*$/m).entries()) {
    if (i % 2 === 1) nodes.push(el("pre", {}, el("code", {}, part.replace(/^\n|\n$/g, ""))));
    else nodes.push(...blocks(part, cite, open));
  }
  return nodes;
}

function blocks(text, cite, open) {
  const nodes = [];
  let list = null;
  for (const line of text.split("\n")) {
    const content = inline(line.replace(BULLET, "").replace(/^#{1,6}\s+/, ""), cite, open);
    if (line.trim() === "") list = null;
    else if (BULLET.test(line)) {
      if (!list) nodes.push((list = el("ul")));
      list.append(el("li", {}, content));
    } else {
      list = null;
      nodes.push(el("p", {}, content));
    }
  }
  return nodes;
}

function inline(text, cite, open) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, mark, code, strong, label] = match;
    nodes.push(text.slice(at, match.index));
    if (mark) nodes.push(citation(mark, cite, open));
    else if (code) nodes.push(el("code", {}, code));
    else nodes.push(el(strong ? "strong" : "span", {}, strong ?? label));
    at = match.index + whole.length;
  }
  return [...nodes, text.slice(at)];
}

function citation(mark, cite, open) {
  const found = cite(Number(mark.slice(1, -1)));
  if (!found) return mark;
  return button(mark, () => open(found), {
    class: "cite",
    "aria-label": t("citation", { n: found.n, source: found.source }),
    title: `${found.source} · ${place(found)}`,
  });
}
