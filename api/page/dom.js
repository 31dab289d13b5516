// Elements. Whatever comes from documents, models or people goes in as text, never as markup.

/** An element: `on` are listeners, `class` and the rest attributes (false and null are left out). */
export function el(name, { on = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(attribute, "");
    else if (value !== false && value != null) element.setAttribute(attribute, value);
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

export const button = (label, onclick, attributes = {}, ...more) =>
  el("button", { type: "button", on: { click: onclick }, ...attributes }, label, ...more);

/** Enter sends, Shift+Enter breaks the line; the Enter that ends the input of Chinese does neither. */
export function sendsOnEnter(field, send) {
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      event.preventDefault();
      send();
    }
  });
}

/** Puts a text on the clipboard, also where the page came without TLS: there browsers copy only what is selected. */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = el("textarea", { class: "unseen" }, text);
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/** Has the browser save a text as a file. */
export function saveText(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  el("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

/** A question over the page that is answered with a button; Escape says no. Resolves to its return value. */
export function ask(content, actions) {
  const dialog = el("dialog", {}, content, el("div", { class: "actions" }, actions));
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.showModal();
  });
}
