// Search while typing. What was read out of the words stands below as chips; taking one away searches without it.
import { html, useEffect, useRef, useState } from "./html.js";
import { useStore } from "./store.js";
import { get, query } from "./api.js";
import { change, itemFields, NO_ITEM, read } from "./route.js";
import { count, cutAtMany, marked, milliseconds, plural, terms } from "./format.js";
import { announce } from "./announce.js";
import { Icon } from "./icons.js";

const KINDS = ["mail", "event", "contact", "note", "document"];
const LISTS = { unanswered: "unanswered mails", upcoming: "next events", attachments: "attachments" };

export function Search({ route }) {
  const { life } = useStore();
  const { q = "", kind = "", person = "", list = "", media = "" } = route;
  const [found, setFound] = useState(null);
  const [trouble, setTrouble] = useState("");
  const field = useRef(null);
  useEffect(() => void field.current.focus(), []);
  useEffect(() => {
    const abort = new AbortController();
    // Two keys in quick succession need one search.
    const timer = setTimeout(() => {
      get(`${life}/search?${query({ q, kind, person, list, media })}`, abort.signal).then(
        (result) => { setFound(result); setTrouble(""); },
        (error) => error.name === "AbortError" || setTrouble(error.message),
      );
    }, 40);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [life, q, kind, person, list, media]);
  useEffect(() => {
    if (!found) return;
    const timer = setTimeout(() => announce(found.hits.length ? `${found.hits.length} found` : "Nothing found"), 900);
    return () => clearTimeout(timer);
  }, [found]);

  const set = (fields) => change({ ...NO_ITEM, ...fields }, true);
  const remove = (words) => set({ q: q.replace(words, "").replace(/\s+/g, " ").trim() });
  const fixed = [person && ["person", person], list && ["list", LISTS[list] ?? list], media && ["media", media]].filter(Boolean);
  return html`<div class="page">
    <header><h1>Search</h1></header>
    <div class="search-box" role="search"><${Icon} name="search" />
      <input type="search" data-entry ref=${field} value=${q} placeholder="invoice from Anna last June" aria-label="Search"
        onInput=${(event) => set({ q: event.target.value })} onKeyDown=${arrowsDown} autocomplete="off" spellcheck=${false} />
      ${q && html`<button class="plain icon" aria-label="Empty the field" onClick=${() => set({ q: "" })}><${Icon} name="close" size=${16} /></button>`}
    </div>
    <div class="kinds" role="group" aria-label="Kinds">
      <button aria-pressed=${String(!kind)} onClick=${() => set({ kind: "" })}>Everything</button>
      ${KINDS.map((name) => html`<button aria-pressed=${String(kind === name)} onClick=${() => set({ kind: kind === name ? "" : name })}>${capital(plural(name))}</button>`)}
    </div>
    ${(fixed.length > 0 || found?.chips.length > 0) && html`<ul class="chips" aria-label="Filters">
      ${fixed.map(([name, text]) => html`<${Chip} text=${text} onRemove=${() => set({ [name]: "" })} />`)}
      ${found?.chips.map((chip) => html`<${Chip} text=${chip.text} onRemove=${() => remove(chip.words)} />`)}
    </ul>`}
    ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
    ${found && html`<p class="small soft numbers">${found.hits.length ? `${count(found.hits.length)} found in ${milliseconds(found.ms)}` : "Nothing found. Fewer words, or a filter less, finds more."}</p>
      <${Hits} hits=${found.hits} words=${terms(q)} />`}
  </div>`;
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);

function Chip({ text, onRemove }) {
  return html`<li class="chip">${text}<button aria-label=${`Remove the filter ${text}`} onClick=${onRemove}><${Icon} name="close" size=${14} /></button></li>`;
}

/** Rows that open beside the list. Arrow keys walk them. */
export function Hits({ hits, words = [] }) {
  const { item } = read();
  return html`<ul class="hits" onKeyDown=${arrows}>
    ${hits.map((hit) => html`<li class="hit" key=${`${hit.id}:${hit.start}`}>
      <a href=${`#${hit.id}`} aria-current=${Number(item) === hit.id ? "true" : null} onClick=${(event) => { event.preventDefault(); change(hitFields(hit)); }}>
        <${Icon} name=${hit.kind} /><b class="cut">${hit.title}</b><span class="date">${hit.date}</span>
        ${hit.people && html`<span class="people cut">${hit.people}</span>`}
        ${hit.snippet && html`<span class="snippet">${snippet(hit, words).map((part, i) => (i % 2 ? html`<mark>${part}</mark>` : part))}</span>`}
      </a></li>`)}
  </ul>`;
}

/** [plain, marked, plain, …]: where the server says it matches, else the words of the query. */
const snippet = (hit, words) => (hit.matches.length ? cutAtMany(hit.snippet, hit.matches) : marked(hit.snippet, words));

export const hitFields = (hit) => (hit.end > hit.start ? itemFields(hit) : { ...NO_ITEM, item: hit.id });

function arrowsDown(event) {
  if (event.key !== "ArrowDown") return;
  event.preventDefault();
  document.querySelector(".hit a")?.focus();
}

function arrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = [...event.currentTarget.querySelectorAll("a")];
  const next = rows.indexOf(document.activeElement) + step;
  (rows[next] ?? document.querySelector("[data-entry]"))?.focus();
}
