// The REST interface. Addresses are relative, so that the page also works below another path.

import { language } from "./language.js";

const KEY = "guide.key";
let askForKey = async () => null;
let keyIsTaken = () => {};
let taken = null; // the key that the server took last

/** What the server said no with; `message` is its sentence for people. */
export class Refused extends Error {
  constructor(status, detail, problem = {}) {
    super(detail);
    this.status = status;
    this.problem = problem;
  }
}

/** `ask()` resolves to a key, or null when none is given; `isTaken()` is called when the server takes one. */
export const onKeyNeeded = (ask, isTaken) => {
  askForKey = ask;
  keyIsTaken = isTaken;
};

/** A response that is fine; asks for a key as long as the server wants one. */
export async function send(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { "Accept-Language": language(), ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
    const response = await fetch(path, { ...options, headers, credentials: "omit" }); // this page asks, not the browser
    if (response.ok) {
      if (key !== taken) keyIsTaken((taken = key));
      return response;
    }
    if (response.status !== 401 || !(await keyIsGiven(key))) throw await refusal(response);
  }
}

export const get = async (path) => (await send(path)).json();
export const remove = (path) => send(path, { method: "DELETE" });
export const post = async (path, body, options = {}) => (await send(path, posted(body, options))).json();

/** Server-sent events: the JSON of each `data:`, until [DONE]; throws when one tells of a problem, or the reply breaks off. */
export async function* stream(path, body, options = {}) {
  const response = await send(path, posted(body, options));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new TypeError("the reply broke off");
    const events = (waiting + value).replaceAll("\r\n", "\n").split("\n\n");
    waiting = events.pop();
    for (const event of events) {
      const lines = event.split("\n").filter((line) => line.startsWith("data:"));
      const data = lines.map((line) => line.slice(5).trimStart()).join("\n");
      if (data === "[DONE]") return;
      if (!data) continue;
      const told = JSON.parse(data);
      if (told.error) throw new Refused(told.error.code ?? told.error.status, told.error.message ?? told.error.detail, told.error);
      yield told;
    }
  }
}

/** Sends a file as a form; `progress` takes the share that is sent. The browser's fetch can't tell that share. */
export async function upload(path, file, progress) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const response = await sendForm(path, file, key, progress);
    if (response.ok) return response.json();
    if (response.status !== 401 || !(await keyIsGiven(key))) throw await refusal(response);
  }
}

function sendForm(path, file, key, progress) {
  const form = new FormData();
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", path);
  if (key) request.setRequestHeader("Authorization", `Bearer ${key}`);
  request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
  return new Promise((resolve, reject) => {
    request.addEventListener("load", () => resolve(new Response(request.responseText, { status: request.status })));
    request.addEventListener("error", () => reject(new TypeError("network")));
    request.send(form);
  });
}

function posted(body, options) {
  return { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, ...options };
}

/** Whether there is another key now than the one that was refused. */
async function keyIsGiven(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return true;
  const key = await askForKey(refused !== null);
  if (key) sessionStorage.setItem(KEY, key);
  return Boolean(key);
}

async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  return new Refused(response.status, problem.detail ?? `${response.status} ${response.statusText}`, problem);
}
