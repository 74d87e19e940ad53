// What a screen reader is told: whole sentences, once, politely; never single tokens.
import { html, useEffect, useState } from "./html.js";

let speak = () => {};

export function announce(sentence) {
  speak(sentence);
}

/** Collects streamed text and announces each sentence when it is complete. */
export function sentences() {
  let rest = "";
  return {
    add(piece) {
      rest += piece;
      const end = rest.search(/[.!?…:](\s*\[\d+\])*\s+(?=\S)/);
      if (end < 0) return;
      const cut = rest.slice(end).match(/^[.!?…:](\s*\[\d+\])*\s+/)[0].length + end;
      announce(rest.slice(0, cut));
      rest = rest.slice(cut);
    },
    finish() {
      if (rest.trim()) announce(rest);
      rest = "";
    },
  };
}

export function Announcer() {
  const [said, set] = useState([]);
  useEffect(() => {
    // The last few stay, so that two sentences in a row are both read.
    speak = (sentence) => set((before) => [...before.slice(-2), sentence.replace(/\[(\d+)\]/g, "source $1")]);
    return () => (speak = () => {});
  }, []);
  return html`<div class="hidden-but-read" aria-live="polite" role="log">${said.map((sentence) => html`<p>${sentence}</p>`)}</div>`;
}
