// Requests to the server. The key is given out once per sign-in and kept in this origin's storage, because a
// cookie alone is shared with every other port of this machine.
import { store, update } from "./store.js";

const KEY = "polymath-key";
let key = localStorage.getItem(KEY) ?? "";

const LOCKED = "This page is no longer signed in. Open the address that Polymath printed in the terminal.";
const GONE = "Polymath does not answer. Is it still running in the terminal? Start it again, then open the address it prints.";

async function signIn() {
  const response = await fetch("/api/session", { method: "POST" });
  if (!response.ok) return false;
  ({ key } = await response.json());
  localStorage.setItem(KEY, key);
  return true;
}

async function send(path, options = {}) {
  const once = () => fetch(`/api/${path}`, { ...options, headers: { ...options.headers, "x-polymath-key": key } });
  let response;
  try {
    if (!key) await signIn();
    response = await once();
    if (response.status === 401 && (await signIn())) response = await once();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    update({ trouble: GONE });
    throw new Error(GONE);
  }
  if (response.status === 401) {
    update({ trouble: LOCKED });
    throw new Error(LOCKED);
  }
  if (store.trouble) update({ trouble: "" });
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Error(told.error ?? `The server answered ${response.status}; please try again.`);
  }
  return response;
}

const asJson = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });

/** @returns {Promise<any>} */
export const get = async (path, signal) => (await send(path, { signal })).json();
/** @returns {Promise<any>} */
export const post = async (path, body, signal) => (await send(path, { ...asJson(body), signal })).json();
export const upload = async (name, file) =>
  (await send(`vault/upload?name=${encodeURIComponent(name)}`, { method: "POST", body: file })).json();

/** Posts, and hands over each line of the answer as it comes. Rejects when a line is an error. */
export async function stream(path, body, onLine, signal) {
  const response = await send(path, { ...asJson(body), signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines.filter(Boolean)) {
      const said = JSON.parse(line);
      if (said.error) throw new Error(said.error);
      onLine(said);
    }
    if (done) return;
  }
}

/** An address for a frame or a download, which cannot send headers. */
export const address = (path) => `/api/${path}?key=${key}`;

/** Asks again how the house stands. */
export async function refresh() {
  update({ house: await get("state") });
}

/** A query string from the filled fields. */
export const query = (fields) =>
  new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== "" && value != null)).toString();
