// What is chosen from a list: the documents that are looked at, the model that answers.

import { el } from "./dom.js";
import { t } from "./language.js";
import { documents, models } from "./library.js";

/** The documents to look at: all, or one. */
export const within = (choice, change) =>
  select("within", choice, {
    known: [["", t("allDocuments")]],
    rest: async () => (await documents()).map(({ id, name }) => [id, name]),
    change,
  });

/** The configured model, which goes without a name, and the others that can be named. */
export const model = (choice) => select("model", choice, { known: [], rest: async () => modelChoices(await models()) });

/** The adapters first, then the base without them. */
function modelChoices(all) {
  const usual = all.find(({ kind }) => kind === "guide").parent;
  const called = (kind, key) => all.filter((one) => one.kind === kind).map(({ id }) => [id === usual ? "" : id, t(key, { id })]);
  return [...called("adapter", "withAdapterNamed"), ...called("base", "withoutAdapterNamed")];
}

/** A choice by its name in `choice`: values with their labels, those `known` and the `rest` that is still to come. */
export function select(name, choice, { known, rest = async () => [], change = () => {} }) {
  const chosen = () => {
    choice[name] = field.value;
    change();
  };
  const field = el("select", { "aria-label": t(name), on: { change: chosen } });
  const add = (all) => {
    field.append(...all.map(([value, label]) => el("option", { value, selected: value === choice[name] }, label)));
    field.hidden = field.options.length === 0;
  };
  add(known);
  rest().then((all) => {
    add(all);
    choice[name] = field.value; // what is no longer there is no longer chosen
  }, () => {}); // what can't be listed can't be chosen
  return field;
}
