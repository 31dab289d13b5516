// Questions that the documents hold answers to: what their tables say of something.

import { t } from "./language.js";
import { tables } from "./library.js";

const LONGEST = 24;

/** Up to `count` questions, each from another table with at least three columns. */
export async function suggestions(count = 3) {
  const good = (await tables()).filter((table) => table.columns.length > 2).sort((a, b) => weight(b) - weight(a));
  return good
    .map(questionOf)
    .filter((question) => question && question.length <= 2 * LONGEST)
    .slice(0, count);
}

/** Tables that were written as such say the most, then those that are large. */
const weight = ({ kind, columns, rows }) => (kind === "table" ? 100 : 0) + columns.length * Math.min(rows.length, 8);

function questionOf({ columns, rows }, place) {
  const row = rows[(place + 1) % rows.length].cells;
  const told = columns.map((name, i) => ({ name, said: row[i] })).slice(1).filter(({ name }) => name.length <= LONGEST);
  const most = told.reduce((best, one) => (one.said.length > best.said.length ? one : best), { said: "" });
  if (!most.said || row[0].length > LONGEST) return null;
  return t("suggestion", { subject: row[0], aspect: most.name });
}
