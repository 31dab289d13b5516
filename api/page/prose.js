// Answers as they are written: paragraphs, lists, tables and code from Markdown's commonest marks, and citations as buttons.

import { button, el } from "./dom.js";
import { place, t } from "./language.js";

const INLINE = /(\[\d+\])|`([^`\n]+)`|\*\*([^*\n]+)\*\*|\[([^\]\n]+)\]\(([^)\s]+)\)/g;
const ITEM = /^\s*(?:[-*+•]|(\d+)[.)])\s+/;
const ROW = /^\s*\|/;
const TABLE_RULE = /^\s*\|[\s:]*-[-\s:|]*$/;

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
  const lines = text.split("\n");
  let list = null;
  while (lines.length > 0) {
    const line = lines[0];
    const table = TABLE_RULE.test(lines[1] ?? "") && ROW.test(line);
    const [mark, numbered] = line.match(ITEM) ?? [];
    const content = () => inline(lines.shift().slice(mark?.length ?? 0).replace(/^#{1,6}\s+/, ""), cite, open);
    if (table) nodes.push(shownTable(takeWhile(lines, ROW), cite, open));
    else if (line.trim() === "") lines.shift();
    else if (mark) {
      if (list?.tagName !== (numbered ? "OL" : "UL")) nodes.push((list = numbered ? el("ol", { start: numbered }) : el("ul")));
      list.append(el("li", {}, content()));
      continue;
    } else nodes.push(el("p", { class: /^#{1,6}\s/.test(line) && "heading" }, content()));
    list = null;
  }
  return nodes;
}

/** The lines from the first on that fit, which are taken away from `lines`. */
function takeWhile(lines, pattern) {
  const end = lines.findIndex((line) => !pattern.test(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

/** A Markdown table; what stands behind a row, such as its citation, goes into the last cell. */
function shownTable([head, , ...rows], cite, open) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());
  const heads = cells(head);
  const fitted = (all) => [...all.slice(0, heads.length - 1), all.slice(heads.length - 1).join(" ")];
  const row = (name, all) => el("tr", {}, all.map((cell) => el(name, {}, inline(cell, cite, open))));
  return el(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": t("tables") },
    el("table", {}, el("thead", {}, row("th", heads)), el("tbody", {}, rows.map((one) => row("td", fitted(cells(one)))))),
  );
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
