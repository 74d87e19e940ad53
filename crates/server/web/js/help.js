// The keys, listed.
import { html, useEffect, useRef } from "./html.js";
import { update } from "./store.js";

const KEYS = [
  [["Ctrl", "K"], "search, ask, or go anywhere"],
  [["/"], "type a question or a search"],
  [["Enter"], "ask; with Shift a new line"],
  [["↑"], "in the empty field: the last question again"],
  [["↓", "↑"], "walk through hits"],
  [["Esc"], "close the open item, stop an answer, leave the field"],
  [["A"], "ask"], [["S"], "search"], [["F"], "what I found"], [["V"], "vault"], [["M", "P"], "models, plan a training run"],
  [["?"], "this list"],
];

export function Help() {
  const dialog = useRef(null);
  useEffect(() => void dialog.current.showModal(), []);
  const close = () => update({ dialog: null });
  return html`<dialog class="keys-dialog" ref=${dialog} aria-labelledby="keys-title" onClose=${close} onClick=${(event) => event.target === dialog.current && close()}>
    <div class="keys"><h2 id="keys-title">Keys</h2>
      <dl>${KEYS.map(([keys, what]) => html`<dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd>`)}</dl>
      <p><button onClick=${close} autofocus>Close</button></p></div>
  </dialog>`;
}
