// The documents' tables, filtered by what is typed; tables of the same columns under one heading are shown as one.

import { button, el } from "./dom.js";
import { number, t } from "./language.js";
import { tables as all } from "./library.js";
import { openPanel } from "./panel.js";
import { problem, waiting } from "./status.js";

const ROWS = 40; // of one table, until more are asked for
const state = { filter: "", source: "" };

export async function tables(root) {
  const field = el("input", {
    type: "search", name: "filter", placeholder: t("filterHint"), "aria-label": t("filter"), value: state.filter,
  });
  const sources = el("select", { "aria-label": t("document") }, el("option", { value: "" }, t("allDocuments")));
  const count = el("p", { class: "hint", role: "status" });
  const place = el("div", { class: "tables" }, waiting("loading"));
  root.append(
    el("h1", {}, t("tablesTitle")),
    el("p", { class: "lead" }, t("tablesLead")),
    el("div", { class: "ask" }, field, sources),
    count,
    place,
  );
  try {
    const joined = join(await all());
    const names = [...new Set(joined.map((table) => table.source))];
    sources.append(...names.map((name) => el("option", { value: name, selected: name === state.source }, name)));
    const draw = () => {
      Object.assign(state, { filter: field.value, source: sources.value });
      const shown = filtered(joined);
      const rows = shown.reduce((sum, table) => sum + table.rows.length, 0);
      count.textContent = shown.length > 0 ? t("tableCount", { tables: number(shown.length), rows: number(rows) }) : t("noTables");
      place.replaceChildren(...shown.map(shownTable));
    };
    field.addEventListener("input", draw);
    sources.addEventListener("change", draw);
    draw();
  } catch (failure) {
    place.replaceChildren(problem(failure));
  }
}

/** Tables of one document with the same columns under the same heading become one, with a column for where a row is from. */
function join(found) {
  const groups = Map.groupBy(found, (table) =>
    JSON.stringify([table.document_id, table.kind, table.section.slice(0, -1), table.columns]),
  );
  return [...groups.values()].flatMap((group) => {
    if (group.length < 3 || group[0].section.length < 2) return group.map((table) => ({ ...table, groups: null }));
    const rows = group.flatMap((table) => table.rows.map((row) => ({ ...row, group: table.title })));
    const section = group[0].section.slice(0, -1);
    return [{ ...group[0], title: section.at(-1), section, rows, groups: group.length }];
  });
}

function filtered(found) {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (text, word) => text.toLowerCase().includes(word);
  return found
    .filter((table) => !state.source || table.source === state.source)
    .map((table) => {
      const about = `${table.title} ${table.section.join(" ")} ${table.columns.join(" ")}`;
      const rows = table.rows.filter((row) => {
        const said = `${row.group ?? ""} ${row.cells.join(" ")}`;
        return words.every((word) => has(said, word) || has(about, word));
      });
      return { ...table, rows };
    })
    .filter((table) => table.rows.length > 0);
}

function shownTable(table) {
  const heads = [...(table.groups ? [t("group")] : []), ...table.columns];
  const body = el("tbody", {}, table.rows.slice(0, ROWS).map((row) => shownRow(table, row)));
  const rest = table.rows.slice(ROWS);
  const more = rest.length > 0 && button(t("moreRows", { count: number(rest.length) }), () => {
    body.append(...rest.map((row) => shownRow(table, row)));
    more.remove();
  }, { class: "more" });
  return el(
    "section",
    { class: "table" },
    el("h2", {}, table.title),
    el("p", { class: "trail" }, [table.source, ...table.section.slice(0, -1)].join(" › ")),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": table.title },
      el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), body)),
    more,
  );
}

function shownRow(table, row) {
  const [name, ...cells] = row.cells;
  const open = button(name || "—", () => openPanel({ source: table.source, ...row }), { class: "cell", title: t("openRow") });
  return el(
    "tr",
    {},
    table.groups && el("td", { class: "from" }, row.group),
    el("th", { scope: "row" }, open),
    cells.map((cell) => el("td", {}, cell)),
  );
}
