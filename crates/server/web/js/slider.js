// A slider over a ladder of sensible values, with a field beside it for any other.
import { html, useState } from "./html.js";
import { numberIn } from "./plan-state.js";

const nearest = (ladder, value) => {
  const off = (rung) => Math.abs(Math.log((rung + 1e-9) / (value + 1e-9)));
  return ladder.reduce((best, rung, i) => (off(rung) < off(ladder[best]) ? i : best), 0);
};

/**
 * `show` turns a value into what stands in the field and is read out; `note` is a line below; `thousand` is what a typed k
 * means.
 */
export function Slider({ id, label, ladder, value, show = String, onChange, note, thousand = 1000 }) {
  // What is being typed stays while results come in and draw the page again.
  const [draft, setDraft] = useState(null);
  const commit = (event) => {
    const typed = numberIn(event.target.value, thousand);
    setDraft(null);
    if (Number.isFinite(typed)) onChange(typed);
    else event.target.value = show(known);
  };
  const known = value ?? ladder[0];
  return html`<div class="slider">
    <label for=${id}>${label}</label>
    <input type="text" class="exact numbers" aria-label=${`${label}, exactly`} value=${draft ?? show(known)} autocomplete="off" spellcheck=${false}
      onFocus=${(event) => event.target.select()} onInput=${(event) => setDraft(event.target.value)} onChange=${commit} />
    <input type="range" id=${id} min="0" max=${ladder.length - 1} step="1" value=${nearest(ladder, known)} aria-valuetext=${show(known)}
      onInput=${(event) => onChange(ladder[event.target.value])} />
    ${note && html`<p class="small soft">${note}</p>`}
  </div>`;
}

/** A few values as buttons. */
export function Choice({ label, options, value, onChange, names = {} }) {
  return html`<div class="choice" role="group" aria-label=${label}><span class="name" aria-hidden="true">${label}</span>
    <div class="segments">${options.map((option) => html`<button type="button" aria-pressed=${String(option === value)} onClick=${() => onChange(option)}>${names[option] ?? option}</button>`)}</div></div>`;
}
