// What is going on: failures, waiting, and whether the server can answer.

import { Refused, send } from "./api.js";
import { el } from "./dom.js";
import { language, t } from "./language.js";
import { inChinese } from "./problems.js";

/** A failure as one sentence: the server's own, with one in Chinese before it for those who read that; or that it can't be reached. */
export function problem(failure) {
  const told = failure instanceof Refused && inChinesePage(failure);
  const detail = failure instanceof Refused ? failure.message : t("offline");
  return el("p", { class: "problem", role: "alert" }, told ? [told, el("small", { lang: "en" }, detail)] : detail);
}

const inChinesePage = (failure) => (language() === "zh" ? inChinese(failure) : undefined);

export const waiting = (key) => el("p", { class: "waiting", role: "status" }, t(key));

const PAUSE = 4000; // milliseconds until a server that can't be reached is asked again
let again;

export const banner = el("div", { class: "banner", role: "status", hidden: true });

/** Asks whether questions can be answered; says so above everything else while they can't. */
export async function checkReady() {
  clearTimeout(again);
  const slow = setTimeout(() => say([t("preparing")]), 700);
  try {
    await send("ready");
    say([]);
  } catch (failure) {
    if (failure instanceof Refused) {
      say([t("notReady"), ...(failure.problem.missing ?? [inChinesePage(failure) ?? failure.message])]);
    } else {
      say([t("offline")]);
      again = setTimeout(checkReady, PAUSE);
    }
  } finally {
    clearTimeout(slow);
  }
}

function say(sentences) {
  if (banner.textContent === sentences.join("")) return; // what is said already is not read out anew
  banner.replaceChildren(...sentences.map((sentence) => el("p", {}, sentence)));
  banner.hidden = sentences.length === 0;
}
