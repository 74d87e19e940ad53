// Keys that work everywhere. What they do is listed in help.js.
import { store, update } from "./store.js";
import { change, go, NO_ITEM, read } from "./route.js";
import { stop } from "./ask.js";

const WAYS = { a: "ask", s: "search", f: "found", v: "vault", m: "models", p: "plan" };

function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    update({ dialog: store.dialog === "palette" ? null : "palette" });
    return;
  }
  if (store.dialog || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    escape(event);
  } else if (typing(event.target)) {
    return;
  } else if (event.key === "/") {
    event.preventDefault();
    focusEntry();
  } else if (event.key === "?") {
    update({ dialog: "help" });
  } else if (WAYS[event.key] && !event.repeat) {
    go(WAYS[event.key]);
  }
}

/** Closes the nearest thing: the quoted words, the open item, the running answer, the field. */
function escape(event) {
  if (store.tip) update({ tip: null });
  else if (read().item) change(NO_ITEM);
  else if (!stop() && typing(event.target)) event.target.blur();
}

/** The field of this page that one types into. */
export function focusEntry() {
  document.querySelector("[data-entry]")?.focus();
}

export function listenForKeys() {
  addEventListener("keydown", onKey);
}
