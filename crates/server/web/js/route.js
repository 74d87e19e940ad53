// Where one is: #/WAY?field=value. Going back in the browser goes back here.
import { useEffect, useState } from "./html.js";

export function read() {
  const [way, fields] = location.hash.replace(/^#\/?/, "").split("?");
  return { way: way || "ask", ...Object.fromEntries(new URLSearchParams(fields ?? "")) };
}

/** The hash for a place; empty fields are left out. */
export function to(way, fields = {}) {
  const kept = Object.entries(fields).filter(([, value]) => value !== "" && value != null);
  const text = new URLSearchParams(kept).toString();
  return `#/${way}${text ? `?${text}` : ""}`;
}

/** Goes somewhere; `quietly` replaces the history entry (typing in a search). */
export function go(way, fields, quietly = false) {
  const hash = to(way, fields);
  if (hash === location.hash) return;
  if (quietly) {
    history.replaceState(null, "", hash);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = hash;
  }
}

/** Stays, with some fields changed. */
export function change(fields, quietly = false) {
  const { way, ...now } = read();
  go(way, { ...now, ...fields }, quietly);
}

export function useRoute() {
  const [route, set] = useState(read);
  useEffect(() => {
    const listener = () => set(read());
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return route;
}

/** Opens an item at some words, beside whatever is on the page. */
export const itemFields = (source) => ({ item: source.id, start: source.start, end: source.end });
export const NO_ITEM = { item: null, start: null, end: null };
