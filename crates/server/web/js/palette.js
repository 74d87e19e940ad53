// Ctrl+K: search, people and commands in one box.
import { html, useEffect, useRef, useState } from "./html.js";
import { store, update } from "./store.js";
import { get, query } from "./api.js";
import { change, go } from "./route.js";
import { ask } from "./ask.js";
import { hitFields } from "./search.js";
import { nextTheme, saveSettings } from "./settings.js";
import { Icon } from "./icons.js";

const COMMANDS = [
  ["Ask a question", "ask", () => go("ask")],
  ["Search", "search", () => go("search")],
  ["What I found", "found", () => go("found")],
  ["Waiting for your answer", "reply", () => go("search", { list: "unanswered" })],
  ["Next events", "event", () => go("search", { list: "upcoming" })],
  ["Add a folder", "folder", () => { update({ life: "own" }); go("vault"); }],
  ["Vault status", "vault", () => go("vault")],
  ["Models", "models", () => go("models")],
  ["Plan a training run", "plan", () => go("plan")],
  ["Training runs", "runs", () => go("runs")],
  ["Settings", "settings", () => go("settings")],
  ["Change colours", "half", () => saveSettings({ theme: nextTheme(store.house.settings.theme || "system") })],
  ["Keys", "check", () => update({ dialog: "help" })],
];

function entries(words, hits) {
  const fits = ([title]) => title.toLowerCase().includes(words.trim().toLowerCase());
  const commands = COMMANDS.filter(fits).map(([title, icon, run]) => ({ title, icon, run }));
  if (!words.trim()) return commands;
  const found = hits.map((hit) => ({ title: hit.title, icon: hit.kind, side: hit.date, run: () => change(hitFields(hit)) }));
  return [
    { title: `Ask: ${words}`, icon: "ask", run: () => ask(words.trim()) },
    ...found,
    { title: `Search for “${words}”`, icon: "search", run: () => go("search", { q: words.trim() }) },
    ...commands,
  ];
}

export function Palette() {
  const dialog = useRef(null);
  const [words, setWords] = useState("");
  const [hits, setHits] = useState([]);
  const [at, setAt] = useState(0);
  useEffect(() => void dialog.current.showModal(), []);
  useEffect(() => {
    const abort = new AbortController();
    if (words.trim()) get(`${store.life}/search?${query({ q: words, limit: 8 })}`, abort.signal).then((found) => setHits(found.hits), () => {});
    else setHits([]);
    return () => abort.abort();
  }, [words]);
  const list = entries(words, hits);
  const close = () => update({ dialog: null });
  const run = (entry) => { close(); entry?.run(); };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = (at + step + list.length) % list.length;
      setAt(next);
      document.getElementById(`entry-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(list[at]);
    }
  };
  return html`<dialog class="palette" ref=${dialog} aria-label="Search and commands" onClose=${close} onClick=${(event) => event.target === dialog.current && close()}>
    <input type="text" role="combobox" aria-expanded="true" aria-controls="entries" aria-activedescendant=${`entry-${at}`} aria-label="Search and commands"
      placeholder="Search, ask, or go somewhere" value=${words} autocomplete="off" spellcheck=${false}
      onInput=${(event) => { setWords(event.target.value); setAt(0); }} onKeyDown=${onKeyDown} />
    <ul id="entries" role="listbox" aria-label="Results">
      ${list.map((entry, i) => html`<li id=${`entry-${i}`} role="option" aria-selected=${String(i === at)} onClick=${() => run(entry)} onMouseMove=${() => i !== at && setAt(i)}>
        <${Icon} name=${entry.icon} /><span class="cut">${entry.title}</span>${entry.side && html`<span class="soft">${entry.side}</span>`}</li>`)}
    </ul>
  </dialog>`;
}
