// What the page says, in Chinese or English: the browser's language unless another was chosen.

import { WORDS } from "./words.js";

const KEY = "guide.language";
let chosen = localStorage.getItem(KEY) ?? (navigator.languages.some((one) => one.startsWith("zh")) ? "zh" : "en");

export const language = () => chosen;

export function setLanguage(one) {
  chosen = one;
  localStorage.setItem(KEY, one);
}

/** A phrase with its values put in, in the language of the page unless another is named. */
export function t(key, values = {}, tongue = chosen) {
  return WORDS[tongue][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Where something stands in its document: its pages if it has some, else its lines. */
export function place({ pages, lines }) {
  const kind = pages ? "page" : "line";
  const [first, last] = pages ?? lines;
  return first === last ? t(kind, { first }) : t(`${kind}s`, { first, last });
}

export const number = (value, digits = 0) =>
  value.toLocaleString(chosen === "zh" ? "zh-CN" : "en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A share in percent, rounded down: 99.97% sure is not certain. */
export function percent(share) {
  const tenths = Math.floor(share * 1000) / 10;
  return `${share >= 1 ? 100 : tenths.toFixed(share > 0.99 ? 1 : 0)}%`;
}
