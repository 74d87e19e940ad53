// The page's one state: plain data, changed by `update`, drawn again by whoever called `useStore`.
import { useEffect, useState } from "./html.js";

const listeners = new Set();

export const store = {
  /** What /api/state said last; null until the first answer. */
  house: null,
  /** A sentence when the server cannot be reached or does not know us. */
  trouble: "",
  /** `sample` or `own`. */
  life: "sample",
  /** Turns per life, oldest first; see ask.js for the shape of a turn. */
  turns: { sample: [], own: [] },
  /** The turn whose sources stand in the panel. */
  shown: null,
  /** Number of the source that is pointed at, in the text or in the panel. */
  lit: 0,
  /** The quoted words shown at a citation: {source, x, y}. */
  tip: null,
  /** A reading of files under way: see reading.js. */
  reading: null,
  /** Downloads under way, by model name. */
  downloads: {},
  /** `palette`, `help` or null. */
  dialog: null,
};

/** Merges a change and redraws. */
export function update(change) {
  Object.assign(store, change);
  for (const listener of [...listeners]) listener();
}

/** The store, for a component that should be drawn again when it changes. */
export function useStore() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((n) => n + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return store;
}

/** The state of the life that is being looked at. */
export const life = () => store.house?.[store.life] ?? null;
