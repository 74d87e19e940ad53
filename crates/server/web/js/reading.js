// Adding one's own files: a path typed, or files dropped; then live counters. Searchable from the first batch.
import { html, useRef, useState } from "./html.js";
import { store, update, useStore } from "./store.js";
import { refresh, stream, upload } from "./api.js";
import { to } from "./route.js";
import { count, duration } from "./format.js";
import { announce } from "./announce.js";
import { Icon } from "./icons.js";

/** Runs a reading of files and keeps its counters in the store. */
async function read(path, body) {
  if (store.reading?.running) return;
  const abort = new AbortController();
  const reading = { running: true, abort, last: null, error: "" };
  update({ reading });
  const fresh = setInterval(() => refresh().catch(() => {}), 1000);
  try {
    let done = false;
    await stream(path, body, (step) => {
      if (step.stage === "done") done = true;
      else reading.last = step;
      update({});
    }, abort.signal);
    if (!done) throw new Error("The reading broke off. Read again: it goes on from there; the terminal says why.");
    announce(`Done: ${count(reading.last?.items)} items read.`);
  } catch (error) {
    reading.error = error.name === "AbortError" ? "Stopped. What was read stays; reading again goes on from there." : error.message;
  }
  clearInterval(fresh);
  reading.running = false;
  await refresh().catch(() => {});
}

export const sync = (source = null) => read("vault/sync", { source });

async function take(files) {
  try {
    for (const file of files) await upload(file.name, file);
    await sync();
  } catch (error) {
    update({ reading: { running: false, last: null, error: error.message } });
  }
}

export function AddFolder() {
  const { reading } = useStore();
  const [path, set] = useState("");
  const [over, setOver] = useState(false);
  const picker = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    if (path.trim()) read("vault/add", { path: path.trim() });
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take([...event.dataTransfer.files]);
  };
  const busy = reading?.running;
  return html`<form class=${`drop ${over ? "over" : ""}`} onSubmit=${submit} onDrop=${drop}
      onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}>
    <div><b><label for="folder">A folder or file on this machine</label></b>
      <p class="small soft">Mail (mbox, Maildir, .eml), calendars, contacts, notes, PDF, Word, web pages. It is only read, never changed.</p></div>
    <div class="row">
      <input id="folder" type="text" value=${path} onInput=${(event) => set(event.target.value)} placeholder="~/Documents" autocomplete="off" spellcheck=${false} disabled=${busy} />
      <button class="main" disabled=${busy || !path.trim()}><${Icon} name="folder" />Add</button>
    </div>
    <p class="small soft">Or drop files here, or <button class="plain" type="button" disabled=${busy} onClick=${() => picker.current.click()}>choose files</button></p>
    <input type="file" multiple hidden ref=${picker} onChange=${(event) => take([...event.target.files])} />
    <${Counters} />
  </form>`;
}

export function Counters() {
  const { reading } = useStore();
  if (!reading) return null;
  const { last, running, error } = reading;
  return html`
    ${last && html`<div class="counters" aria-label="Read so far">
      <div><b>${count(last.items)}</b><span>items</span></div>
      <div><b>${count(last.people)}</b><span>people</span></div>
      ${last.years && html`<div><b>${last.years}</b><span>years</span></div>`}
      <div><b>${count(Math.round(last.per_second))}</b><span>per second</span></div>
      ${last.failures > 0 && html`<div><b>${count(last.failures)}</b><span><a href=${to("vault")}>could not be read</a></span></div>`}
    </div>`}
    ${running && html`<progress class="bar" aria-label="Reading" value=${last?.of_files ? last.files : null} max=${last?.of_files || null}></progress>
      <p class="row small soft"><span class="grow cut">${last?.of_files ? `${count(last.files)} of ${count(last.of_files)} files` : "Looking for files…"}${last?.seconds_left != null ? `, ${duration(last.seconds_left)} left` : ""}</span>
        <button type="button" onClick=${() => reading.abort.abort()}>Stop</button></p>`}
    ${last?.items > 0 && html`<p class="small">${running ? "You can " : "Done. "}<a href=${to("search")}>${running ? "search what is here already" : "Search it"}</a>${running ? "" : ", "}${!running && html`<a href=${to("found")}>see what I found</a>, or <a href=${to("ask")}>ask</a>.`}</p>`}
    ${last?.now && html`<p class="note warn">${last.now}</p>`}
    ${error && html`<p class="note bad" role="alert">${error}</p>`}`;
}
