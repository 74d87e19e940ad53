// One turn: the question, how it was read, its sources, the sentence with its numbers, and how it was made.
import { html } from "./html.js";
import { store, update } from "./store.js";
import { ask } from "./ask.js";
import { change, itemFields, to } from "./route.js";
import { milliseconds } from "./format.js";
import { Icon } from "./icons.js";

const STEPS = {
  lookup: ["Looked up", "An exact lookup, count or date computation. No model was used.", "vault"],
  quote: ["Quoted", "The words of a source, as they stand. No model was used.", "note"],
  template: ["Quoted in a sentence", "A fixed sentence around looked-up values or a quote. No model was used.", "note"],
  choose: ["Chosen by the model", "The model chose among passages; the words are the source's.", "models"],
  write: ["Written by the model", "The model wrote; names, numbers and dates were checked against the sources.", "models"],
  abstain: ["Not in the data", "Nothing found says it, so no answer was made up.", "search"],
};

export function Turn({ turn }) {
  const { answer } = turn;
  const abstained = answer?.step === "abstain";
  return html`<article class="turn" aria-busy=${String(turn.running)} onMouseEnter=${() => show(turn)} onFocusIn=${() => show(turn)}>
    <h2>${turn.question}</h2>
    <${Reading} turn=${turn} />
    ${turn.sources.length > 0 && html`<${Strip} turn=${turn} />`}
    ${turn.error ? html`<p class="note bad" role="alert">${turn.error}</p>`
      : abstained ? html`<${Abstention} answer=${answer} turn=${turn} />`
      : html`<${Text} turn=${turn} />`}
    ${!turn.running && html`<${How} turn=${turn} />`}
  </article>`;
}

/** The panel follows the turn one is at. */
function show(turn) {
  if (store.shown !== turn && turn.life === store.life) update({ shown: turn });
}

/** How the question was understood; each reading can be taken away, and the question is asked again without it. */
function Reading({ turn }) {
  const { reading } = turn;
  if (!reading) return turn.running ? html`<p class="small soft pulse" role="status">Understanding the question…</p>` : null;
  const readings = [...reading.times, ...reading.people, ...reading.kinds];
  if (!readings.length && !turn.without.length) return null;
  const remove = (text) => () => ask(turn.question, [...turn.without, text]);
  return html`<ul class="chips" aria-label="How the question was understood">
    ${readings.map((text) => html`<li class="chip">${text}
      <button aria-label=${`Ask again without “${text}”`} title="Ask again without this" onClick=${remove(text)}><${Icon} name="close" size=${14} /></button></li>`)}
    ${turn.without.map((text) => html`<li class="chip fixed"><s>${text}</s></li>`)}
  </ul>`;
}

function Strip({ turn }) {
  return html`<div class="strip" role="group" aria-label="Sources">
    ${turn.sources.slice(0, 6).map((source) => html`<button class="appear" onClick=${() => open(source)} ...${pointing(source)}>
      <span class="number">${source.number}</span>
      <span class="grow"><b class="cut">${source.title}</b><span class="small soft cut">${[source.kind, source.date].filter(Boolean).join(" · ")}</span></span>
    </button>`)}
  </div>`;
}

export const open = (source) => {
  update({ tip: null });
  change(itemFields(source));
};

/** Pointing at a source shows its words at the pointer and lights its number everywhere. */
export function pointing(source, withTip = false) {
  const on = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    update({ lit: source.number, tip: withTip ? { source, x: box.left + box.width / 2, y: box.top, below: box.bottom } : null });
  };
  const off = () => update({ lit: 0, tip: null });
  return { onMouseEnter: on, onMouseLeave: off, onFocus: on, onBlur: off };
}

/** Paragraphs and lists, with the numbers made into buttons. Text stays text: nothing becomes markup. */
function Text({ turn }) {
  const { text, running, stopped } = turn;
  const blocks = [];
  for (const line of text.split("\n")) {
    const entry = line.match(/^\s*(?:[-•*]|\d+\.)\s+(.*)/);
    if (entry && blocks.at(-1)?.list) blocks.at(-1).list.push(entry[1]);
    else if (entry) blocks.push({ list: [entry[1]] });
    else if (line.trim()) blocks.push({ line });
  }
  const words = (content) => html`<${Sentences} text=${content} turn=${turn} />`;
  return html`<div class="text">
    ${blocks.map((block) => block.list ? html`<ul>${block.list.map((entry) => html`<li>${words(entry)}</li>`)}</ul>` : html`<p>${words(block.line)}</p>`)}
    ${running && html`<p>${text ? "" : html`<span class="small soft">Looking…</span>`}<span class="caret pulse" aria-hidden="true"></span></p>`}
    ${stopped && html`<p class="small soft">Stopped.</p>`}
  </div>`;
}

/** Sentences the model wrote without a source look different from those with one. */
function Sentences({ text, turn }) {
  const written = turn.answer?.step === "write";
  const sentences = text.match(/[^.!?]+(?:[.!?]+["”’)]*(?:\s*\[\d+\])*\s*|$)/g) ?? [text];
  if (!written) return html`<${Cited} text=${text} turn=${turn} />`;
  return sentences.map((sentence) => /\[\d+\]/.test(sentence)
    ? html`<${Cited} text=${sentence} turn=${turn} />`
    : html`<span class="unsourced" title="No source says this">${sentence}</span>`);
}

function Cited({ text, turn }) {
  return text.split(/(\[\d+\])/).map((part) => {
    const number = Number(part.match(/^\[(\d+)\]$/)?.[1]);
    const source = number && turn.sources.find((s) => s.number === number);
    if (!source) return part;
    const lit = store.lit === number && store.shown === turn;
    return html`<button class=${`cite ${lit ? "lit" : ""}`} aria-label=${`Source ${number}: ${source.title}`}
      onClick=${() => open(source)} ...${pointing(source, true)}>${number}</button>`;
  });
}

function Abstention({ answer, turn }) {
  return html`<div class="abstain">
    <div class="text"><p><${Cited} text=${answer.answer} turn=${turn} /></p></div>
    ${answer.searched && !answer.answer.includes(answer.searched) && html`<p class="small soft">Looked through ${answer.searched}.</p>`}
    ${answer.nearest.length > 0 && html`<div><h3>Came close</h3><ul class="source-list">${answer.nearest.map((source) => html`<li class="source">
      <button onClick=${() => open(source)}><${Icon} name=${source.kind} /><span><b>${source.title}</b> <span class="small soft">${source.date}</span></span>
      <span class="quote">${source.quote}</span></button></li>`)}</ul></div>`}
    <p class="small">Try other words in <a href=${to("search", { q: turn.question })}>search</a>, or see in the <a href=${to("vault")}>vault</a> whether everything was read.</p>
  </div>`;
}

function How({ turn }) {
  const { answer } = turn;
  const [name, why, icon] = STEPS[answer?.step] ?? [];
  const again = () => ask(turn.question, turn.without);
  return html`<div class="how">
    ${name && html`<span class="step" title=${why}><${Icon} name=${icon} size=${16} />${name}</span>
      <span class="numbers" title=${parts(answer.timings_ms)}>${milliseconds(answer.timings_ms.total)}</span>
      ${answer.tokens.generated > 0 && html`<span class="numbers">${answer.tokens.generated} tokens</span>`}`}
    <span class="grow"></span>
    ${answer && html`<button class="plain" onClick=${() => copy(answer)}><${Icon} name="copy" size=${16} />Copy with sources</button>`}
    <button class="plain" onClick=${again}><${Icon} name="again" size=${16} />Ask again</button>
  </div>`;
}

const parts = (t) => `understand ${milliseconds(t.understand)}, search ${milliseconds(t.search)}, answer ${milliseconds(t.answer)}`;

function copy(answer) {
  const sources = answer.sources.map((s) => `[${s.number}] ${s.title}${s.date ? `, ${s.date}` : ""} (${s.path}): “${s.quote}”`);
  navigator.clipboard?.writeText([answer.answer, "", ...sources].join("\n"));
}
