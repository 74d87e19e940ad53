// The conversation: asking, streaming, stopping, and the place to type.
//
// A turn: {id, question, without, reading, sources, text, answer, error, running, abort, life}
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { store, update, useStore } from "./store.js";
import { stream } from "./api.js";
import { go, read } from "./route.js";
import { announce, sentences } from "./announce.js";
import { Icon } from "./icons.js";
import { Turn } from "./answer.js";
import { Welcome } from "./welcome.js";

let nextId = 1;

/** Asks, and lets the answer grow in place. `without` lists readings the person took away. */
export async function ask(question, without = []) {
  stop();
  const { life, turns } = store;
  const turn = { id: nextId++, question, without, life, text: "", sources: [], running: true, abort: new AbortController() };
  const said = turns[life].filter((t) => t.answer).map((t) => ({ question: t.question, answer: t.answer.answer }));
  update({ turns: { ...turns, [life]: [...turns[life], turn] }, shown: turn });
  if (read().way !== "ask") go("ask");

  const speaker = sentences();
  const on = {
    reading: (reading) => { turn.reading = reading; },
    sources: (sources) => {
      turn.sources = sources;
      if (sources.length) announce(sources.length === 1 ? "One source." : `${sources.length} sources.`);
    },
    text: (piece) => { turn.text += piece; speaker.add(piece); },
    done: (answer) => {
      Object.assign(turn, { answer, sources: answer.sources, text: answer.answer });
    },
    error: (sentence) => { throw new Error(sentence); },
  };
  try {
    const body = { question, without, history: said.slice(-6) };
    await stream(`${life}/ask`, body, ({ event, data }) => {
      on[event]?.(data);
      update({});
    }, turn.abort.signal);
    if (!turn.answer) throw new Error("The answer broke off. Ask again; if it happens twice, the terminal says why.");
  } catch (error) {
    if (error.name === "AbortError") turn.stopped = true;
    else turn.error = error.message;
  }
  speaker.finish();
  turn.running = false;
  update({});
}

/** Stops the running answer; false when none runs. */
export function stop() {
  const running = Object.values(store.turns).flat().find((turn) => turn.running);
  running?.abort.abort();
  return Boolean(running);
}

export function Ask() {
  const { turns, life } = useStore();
  const list = turns[life];
  const end = useRef(null);
  const last = list.at(-1);
  // A new question comes into view; after that the reader's own scrolling is left alone.
  useLayoutEffect(() => {
    end.current?.querySelector(".turn:last-child")?.scrollIntoView({ block: "start", behavior: motion() });
    // The question that was clicked is gone; whoever uses the keyboard goes on in the field.
    if (last && document.activeElement === document.body && hovers()) document.getElementById("question").focus();
  }, [last?.id]);
  return html`<div class="talk">
    ${list.length > 0 && html`<h1 class="hidden-but-read">Conversation</h1>`}
    <div class="turns" ref=${end}>
      ${list.length ? html`<div class="inner">${list.map((turn) => html`<${Turn} key=${turn.id} turn=${turn} />`)}</div>` : html`<${Welcome} />`}
    </div>
    <${Composer} running=${Boolean(last?.running)} />
  </div>`;
}

// Keyboards on touch screens would cover the page.
const hovers = () => matchMedia("(hover: hover)").matches;
const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

function Composer({ running }) {
  const [words, set] = useState("");
  const field = useRef(null);
  useEffect(() => void (hovers() && field.current.focus()), []);
  useLayoutEffect(() => {
    field.current.style.height = "auto";
    field.current.style.height = `${field.current.scrollHeight}px`;
  }, [words]);
  const submit = (event) => {
    event.preventDefault();
    if (!words.trim()) return;
    ask(words.trim());
    set("");
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === "ArrowUp" && !words) set(store.turns[store.life].at(-1)?.question ?? "");
  };
  return html`<div class="composer">
    <form onSubmit=${submit}>
      <label class="hidden-but-read" for="question">Your question</label>
      <textarea id="question" data-entry rows="1" ref=${field} value=${words} placeholder="Ask about mail, people, dates…"
        onInput=${(event) => set(event.target.value)} onKeyDown=${onKeyDown}></textarea>
      ${running
        ? html`<button type="button" onClick=${stop} aria-label="Stop" title="Stop (Esc)"><${Icon} name="stop" /></button>`
        : html`<button class="main" type="submit" aria-label="Ask" disabled=${!words.trim()}><${Icon} name="send" /></button>`}
    </form>
    <p class="hint"><kbd>/</kbd> to type, <kbd>Ctrl</kbd> <kbd>K</kbd> for everything, <kbd>?</kbd> for all keys</p>
  </div>`;
}
