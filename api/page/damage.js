// The kinds of mojibake in words; docs/restoring.md lists them.

import { t } from "./language.js";

const CALLED = {
  "utf-8": "UTF-8",
  "latin-1": "Latin-1",
  mac_roman: "Mac Roman",
  big5: "Big5",
  shift_jis: "Shift-JIS",
  cp932: "Shift-JIS",
  euc_jp: "EUC-JP",
  euc_kr: "EUC-KR",
  cp949: "EUC-KR",
};

/** What was misread as what, and what became of bytes that it had no characters for. */
export const damageInWords = (kinds) => kinds.map(inWords).join(t("alsoDamaged"));

function inWords(kind) {
  if (kind === "inconsistent_utf8") return t("damage_single");
  const [, written = "utf-8", read, fate = "whole"] = kind.match(/^(?:(.+)_as_)?(.+?)(?:_(dropped|replaced))?$/);
  return t(`damage_${fate}`, { written: called(written), read: called(read) });
}

const called = (encoding) => CALLED[encoding] ?? encoding.toUpperCase().replace(/^CP(?=125)/, "Windows-").replace("ISO8859", "ISO 8859");
