// The documents; what was looked at of them is fetched once until something changes.

import { get } from "./api.js";

const known = new Map();

const once = (path) => {
  if (!known.has(path)) {
    known.set(path, get(path).catch((problem) => {
      known.delete(path);
      throw problem;
    }));
  }
  return known.get(path);
};

const place = (name) => `v1/documents/${encodeURIComponent(name)}`;

/** All documents as they are now, for they are taken in from elsewhere too. */
export const documents = async () => (await get("v1/documents")).documents;
export const tables = async () => (await once("v1/tables")).tables;
export const models = async () => (await once("v1/models")).data;
/** A document by its name or id, with its restored text and repairs. */
export const documentOf = (name) => once(place(name));
/** The text of a document as it was received, line for line that of the restored one. */
export const receivedOf = async (name) => (await once(`${place(name)}/received`)).text;

/** Forgets everything, since the knowledge base has changed. */
export const changed = () => known.clear();
