// The documents: sent, listed, read and deleted.

import { get, Refused, remove, upload } from "./api.js";
import { damageInWords } from "./damage.js";
import { ask, button, el } from "./dom.js";
import { number, t } from "./language.js";
import { changed, documents as all } from "./library.js";
import { documentLink } from "./panel.js";
import { reader } from "./reader.js";
import { checkReady, problem, waiting } from "./status.js";

const AT_ONCE = 4; // files on their way or being taken in; the server lets only so many wait
const PAUSE = 400; // milliseconds between two questions after a document that is taken in
const news = el("ul", { class: "uploads", "aria-live": "polite" }); // files are taken in while other views are looked at
let refresh = async () => {}; // the list that is on the page

export function documents(root, { rest, options }) {
  if (rest) showOne(root, rest, options.get("at"));
  else showAll(root);
}

async function showOne(root, name, at) {
  const place = el("div", { class: "scroll" }, waiting("loading"));
  root.append(el("p", {}, el("a", { class: "quiet", href: "#/documents" }, `‹ ${t("backToDocuments")}`)), place);
  const [start, end] = (at ?? "").split("-").map(Number);
  try {
    const shown = await reader(name, { heading: "h1", ...(end > start && { mark: { start, end } }) });
    place.replaceChildren(shown);
    shown.showMark();
  } catch (failure) {
    place.replaceChildren(problem(failure));
  }
}

function showAll(root) {
  const table = el("div", { class: "listing" }, waiting("loading"));
  refresh = async () => {
    try {
      table.replaceChildren(listing(await all(), removed));
    } catch (failure) {
      table.replaceChildren(problem(failure));
    }
  };
  const removed = async (document, place) => {
    tell(el("li", {}, t("removed", { name: document.name })));
    changed();
    checkReady();
    await refresh();
    const links = table.querySelectorAll("th a");
    (links[Math.min(place, links.length - 1)] ?? root.querySelector("input")).focus(); // the button had it, and is gone
  };
  root.append(el("h1", {}, t("documentsTitle")), el("p", { class: "lead" }, t("documentsLead")), dropZone(), news, table);
  changed();
  refresh();
}

/** Puts news above those that are not over yet. */
function tell(...items) {
  if (!news.querySelector("progress")) news.replaceChildren();
  news.prepend(...items);
}

async function take(files, folders = []) {
  const queue = files.map(announced);
  tell(...folders.map(refusedFolder), ...queue.map(({ item }) => item));
  const sendNext = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      await next.send();
      changed();
      refresh();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
  checkReady();
}

function dropZone() {
  const input = el("input", { type: "file", multiple: true, accept: ".md,.markdown,.txt,.rst,.html,.htm,.docx,.xlsx,.pptx,.epub,.pdf,.csv,.tsv,text/*", class: "unseen" });
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  const zone = el("label", { class: "drop" }, t("drop"), " ", el("span", { class: "link" }, t("choose")), input);
  for (const event of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(event, (happened) => {
      happened.preventDefault();
      zone.classList.toggle("over", event === "dragover");
      if (event === "drop") take(...dropped(happened.dataTransfer));
    });
  }
  return zone;
}

/** The files that were dropped, and the names of folders: their files could not keep the names that tell them apart. */
function dropped(transfer) {
  const entries = [...transfer.items].filter(({ kind }) => kind === "file").map((item) => [item.webkitGetAsEntry(), item.getAsFile()]);
  const [folders, files] = [true, false].map((wanted) => entries.filter(([entry]) => Boolean(entry?.isDirectory) === wanted));
  return [files.map(([, file]) => file), folders.map(([entry]) => entry.name)];
}

function refusedFolder(name) {
  return el("li", {}, el("b", {}, name), " ", el("p", { class: "problem", role: "alert" }, t("folder")));
}

/** A file's item in the news, and what sends it. */
function announced(file) {
  const bar = el("progress", { max: 1, value: 0, "aria-label": file.name });
  const stage = el("span", { class: "stage" }, t("stage_queued"));
  const item = el("li", {}, el("b", {}, file.name), " ", stage, bar);
  return { item, send: () => takeIn(file, item, stage, bar) };
}

/** Sends a file, follows it until it is taken in, and tells what was restored in it. */
async function takeIn(file, item, stage, bar) {
  const step = (key, share) => {
    stage.textContent = t(key);
    bar.value = share;
  };
  try {
    let job = await upload("v1/ingest/file?wait=false", file, (share) => step("uploading", share / 2));
    while (job.status === "queued" || job.status === "running") {
      step(`stage_${job.stage}`, 0.5 + job.progress / 2);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      job = await get(`v1/ingest/status/${job.track_id}`);
    }
    if (job.problem) throw new Refused(job.problem.status, job.problem.detail, job.problem);
    bar.remove();
    item.append(takenIn(job.data[0]));
    stage.textContent = t("status_done");
  } catch (failure) {
    item.replaceChildren(el("b", {}, file.name), " ", failed(failure));
  }
}

/** Why a file was not taken in; a document that has its content already can be opened. */
function failed(failure) {
  const there = failure instanceof Refused && failure.problem.doc_id;
  if (!there) return problem(failure);
  return el("span", {}, el("span", {}, t("duplicate")), el("a", { href: documentLink(there) }, t("openWhole")));
}

function takenIn({ doc_id: id, doc_metadata: facts }) {
  const damage = damageInWords(facts.damage);
  return el(
    "span",
    {},
    el("span", {}, t("addedAs", { passages: number(facts.passages) })),
    damage && el("span", { class: "note likely" }, t("repairedAs", { damage, repairs: number(facts.repairs) })),
    el("a", { href: documentLink(id) }, t("openWhole")),
  );
}

function listing(rows, removed) {
  if (rows.length === 0) return el("p", { class: "empty" }, t("noDocuments"));
  const heads = ["name", "encoding", "size", "passageCount", "damage"].map((key) => el("th", { scope: "col" }, t(key)));
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, heads, el("td", {}))),
    el("tbody", {}, rows.map((row, place) => listed(row, () => removed(row, place)))),
  );
}

function listed(row, removed) {
  const damage = row.damage.length === 0 ? t("intact") : damageInWords(row.damage);
  const inferred = row.repairs > 0 && el("span", { class: "note likely" }, t("inferredCount", { count: number(row.repairs) }));
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("a", { href: documentLink(row.id) }, row.name), el("small", {}, row.title)),
    el("td", { "data-head": t("encoding") }, row.encoding),
    el("td", { "data-head": t("size"), class: "number" }, number(row.chars)),
    el("td", { "data-head": t("passageCount"), class: "number" }, number(row.passages)),
    el("td", { "data-head": t("damage") }, el("span", {}, damage, " ", inferred)),
    el("td", {}, button(t("remove"), () => confirmRemoval(row, removed), { class: "danger", "aria-label": t("removeNamed", { name: row.name }) })),
  );
}

async function confirmRemoval(row, removed) {
  const answer = await ask(
    el("div", {}, el("h2", {}, t("removeAsk", { name: row.name })), el("p", {}, t("removeHint"))),
    [
      button(t("cancel"), (event) => event.target.closest("dialog").close(""), { autofocus: true }),
      button(t("remove"), (event) => event.target.closest("dialog").close("yes"), { class: "danger" }),
    ],
  );
  if (answer !== "yes") return;
  try {
    await remove(`v1/ingest/${encodeURIComponent(row.id)}`);
    removed();
  } catch (failure) {
    await ask(problem(failure), [button(t("close"), (event) => event.target.closest("dialog").close(""))]);
  }
}
