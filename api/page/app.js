// The page: its frame, its views by the address after #, language, colours and the key.

import { onKeyNeeded } from "./api.js";
import { chat } from "./chat.js";
import { compare } from "./compare.js";
import { documents } from "./documents.js";
import { ask, button, el } from "./dom.js";
import { language, setLanguage, t } from "./language.js";
import { closePanel, panel } from "./panel.js";
import { search } from "./search.js";
import { banner, checkReady } from "./status.js";
import { tables } from "./tables.js";

const VIEWS = { chat, compare, search, documents, tables };
const THEMES = ["auto", "light", "dark"];
const THEME_KEY = "guide.theme";

const main = el("main", { id: "content", tabindex: "-1" });
let theme = localStorage.getItem(THEME_KEY) ?? "auto";

/** `#/documents/NAME?at=1-2` as the view's name, what follows it, and the options. */
function address() {
  const [path, options] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, rest] = path.split("/");
  return { view: view in VIEWS ? view : "chat", rest: rest && decoded(rest), options: new URLSearchParams(options) };
}

/** A part of the address without its escapes; as it stands where a link was cut off amid one. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function show() {
  const { view, rest, options } = address();
  closePanel();
  const root = el("div", { class: `view ${view}` });
  main.replaceChildren(root);
  VIEWS[view](root, { rest, options });
  document.title = `${t(view)} · ${t("brand")}`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  if (!banner.hidden) checkReady(); // something may have changed
}

function frame() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.theme = theme;
  const anew = ({ target }) => target.hash === location.hash && show(); // the browser does nothing then
  const links = Object.keys(VIEWS).map((view) => el("a", { href: `#/${view}`, "data-view": view, on: { click: anew } }, t(view)));
  const other = language() === "zh" ? "en" : "zh";
  document.body.replaceChildren(
    el("a", { class: "skip", href: "#content", on: { click: skip } }, t("skip")),
    el(
      "header",
      { class: "top" },
      el("a", { class: "brand", href: "#/chat" }, el("span", { class: "seal", "aria-hidden": "true" }, "指"), t("brand")),
      el("nav", { "aria-label": t("views") }, links),
      el(
        "div",
        { class: "settings" },
        button(t("switchLanguage"), () => redraw(() => setLanguage(other)), { lang: other === "zh" ? "zh-CN" : "en" }),
        button("◐", () => redraw(nextTheme), { "aria-label": themeLabel(), title: themeLabel() }),
        el("a", { href: "docs" }, t("restDocs")),
      ),
    ),
    banner,
    main,
    panel,
  );
}

function redraw(change) {
  change();
  frame();
  show();
}

function skip(event) {
  event.preventDefault();
  main.focus();
}

function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem(THEME_KEY, theme);
}

function themeLabel() {
  return t("theme", { theme: t(`theme${theme[0].toUpperCase()}${theme.slice(1)}`) });
}

/** Asks for the server's key; requests that need it at the same time share one question. */
let asking = null;
function askForKey(wasWrong) {
  asking ??= (async () => {
    const field = el("input", { type: "password", autocomplete: "current-password", name: "key", required: true });
    const form = el(
      "form",
      { method: "dialog", id: "key-form" },
      el("h2", {}, t("keyNeeded")),
      wasWrong && el("p", { class: "problem" }, t("keyWrong")),
      el("label", {}, t("key"), field),
      el("p", { class: "hint" }, t("keyHint")),
    );
    const given = await ask(form, [
      button(t("cancel"), (event) => event.target.closest("dialog").close("")),
      el("button", { form: "key-form", value: "given", class: "primary" }, t("enter")),
    ]);
    asking = null;
    return given === "given" ? field.value : null;
  })();
  return asking;
}

onKeyNeeded(askForKey, () => !banner.hidden && show()); // what was refused without a key is there now
addEventListener("hashchange", show);
frame();
show();
checkReady();
