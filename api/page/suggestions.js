// Questions that the documents hold answers to: what their tables say of something.

import { button, el } from "./dom.js";
import { language, t } from "./language.js";
import { tables } from "./library.js";

const LONGEST = 24;
const HAN = /\p{Script=Han}/u;
const LATIN = /\p{Script=Latin}/u;
const NAME = /^\p{Script=Latin}[\p{Script=Latin}\d.+ -]+$/u;

/** Questions to try, each a button that puts it; empty until they are there, and where there are no documents. */
export function tries(put) {
  const place = el("div", { class: "tries" });
  const offer = (questions) => {
    if (questions.length === 0) return;
    place.append(el("p", {}, t("tryOne")), ...questions.map((question) => button(question, () => put(question))));
  };
  suggestions().then(offer, () => {}); // without documents there is nothing to suggest, and the banner says so
  return place;
}

/**
 * Up to `count` questions, each from another table with at least three columns.
 *
 * A question is in one language: in English those come first whose words are no Chinese ones, and where the documents
 * have too few, questions in Chinese follow.
 */
async function suggestions(count = 3) {
  const good = (await tables()).filter((table) => table.columns.length > 2).sort((a, b) => weight(b) - weight(a));
  const forms = language() === "zh" ? [inWords("zh")] : [inWords("en"), byName, inWords("zh")];
  const asked = new Map(); // by the table's place
  for (const form of forms) {
    for (const [place, table] of good.entries()) {
      if (asked.size === count) return [...asked.values()];
      const question = !asked.has(place) && form(table, place);
      if (question && ![...asked.values()].includes(question)) asked.set(place, question);
    }
  }
  return [...asked.values()];
}

/** Tables that were written as such say the most, then those that are large. */
const weight = ({ kind, columns, rows }) => (kind === "table" ? 100 : 0) + columns.length * Math.min(rows.length, 8);

/** Asks in `tongue` for the cell of a row that says most; in tables that compare, the column is what has a name. */
const inWords = (tongue) => ({ columns, rows }, place) => {
  const row = rows[(place + 1) % rows.length].cells;
  const told = columns.map((name, i) => ({ name, said: row[i] })).slice(1).filter(({ name }) => name.length <= LONGEST);
  const most = told.reduce((best, one) => (one.said.length > best.said.length ? one : best), { said: "" });
  if (!most.said || row[0].length > LONGEST || (tongue === "en" && HAN.test(row[0] + most.name))) return null;
  const [subject, aspect] = LATIN.test(most.name) && !LATIN.test(row[0]) ? [most.name, row[0]] : [row[0], most.name];
  return t("suggestion", { subject, aspect }, tongue).replace(/([^\p{ASCII}]) 的/u, "$1的");
};

/** Asks what something is that is called by a name in Latin letters. */
function byName({ rows }) {
  const named = rows.map(({ cells }) => cells[0].trim()).find((name) => NAME.test(name) && name.length <= LONGEST);
  return named && t("suggestionByName", { subject: named });
}
