// The panel beside an answer: its sources in order, each with the words that count; and the words at a citation.
import { html } from "./html.js";
import { useStore } from "./store.js";
import { open, pointing } from "./answer.js";
import { Icon } from "./icons.js";

export function Sources({ turn }) {
  const { lit } = useStore();
  return html`<aside class="panel sources" aria-label="Sources of the answer">
    <div class="head"><h2 class="grow">${turn.sources.length === 1 ? "One source" : `${turn.sources.length} sources`}</h2></div>
    <ol class="source-list">
      ${turn.sources.map((source) => html`<li key=${source.number} class=${`source ${lit === source.number ? "lit" : ""}`}>
        <button onClick=${() => open(source)} ...${pointing(source)}>
          <span class="number">${source.number}</span>
          <b>${source.title}</b>
          <span class="meta row"><${Icon} name=${source.kind} size=${14} />${[source.kind, source.date].filter(Boolean).join(" · ")}</span>
          <span class="quote">${source.quote}</span>
        </button></li>`)}
    </ol>
  </aside>`;
}

/** The quoted words, above the number that is pointed at, or below it near the top of the window. */
export function Tip() {
  const { tip } = useStore();
  if (!tip) return null;
  const width = Math.min(380, innerWidth - 24);
  // Inside the column of the text, so that the panel stays readable.
  const right = document.getElementById("main")?.getBoundingClientRect().right ?? innerWidth;
  const left = Math.max(12, Math.min(tip.x - width / 2, right - width - 12));
  const above = tip.y > 220;
  const place = above ? { left: `${left}px`, bottom: `${innerHeight - tip.y + 8}px` } : { left: `${left}px`, top: `${tip.below + 8}px` };
  return html`<div class="tip appear" role="tooltip" style=${place}>
    <p><q>${tip.source.quote}</q></p>
    <p class="small soft">${[tip.source.title, tip.source.date].filter(Boolean).join(" · ")}</p>
  </div>`;
}
