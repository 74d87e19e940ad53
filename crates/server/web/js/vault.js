// The vault: what is there, what is here, what failed and why.
import { html, useEffect, useState } from "./html.js";
import { life, useStore } from "./store.js";
import { get, post, query, refresh } from "./api.js";
import { change, NO_ITEM } from "./route.js";
import { bytes, count, many } from "./format.js";
import { AddFolder, sync } from "./reading.js";
import { Icon } from "./icons.js";

export function Vault({ route }) {
  const { life: which, reading } = useStore();
  const here = life();
  const [status, setStatus] = useState(null);
  const [trouble, setTrouble] = useState("");
  const load = () => get(`${which}/status`).then(setStatus, (error) => setTrouble(error.message));
  useEffect(() => void load(), [which, here.items, reading?.running]);
  const own = which === "own";
  return html`<div class="page">
    <header><h1>Vault</h1>
      ${status && html`<p class="soft">${many(status.items, "item")}, ${bytes(status.text_bytes)} of text, index ${bytes(status.index_bytes)}${status.pending_vectors > 0 ? `, ${count(status.pending_vectors)} passages still to learn` : ""}.</p>`}</header>
    ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
    ${own ? html`<${AddFolder} />` : html`<p class="note">This is the sample life. Switch to “My life” to add your own folder.</p>`}
    ${status && status.sources.length > 0 && html`<section><div class="row"><h2 class="grow">Sources</h2>
      ${own && html`<button onClick=${() => sync()} disabled=${reading?.running}><${Icon} name="again" size=${16} />Read what changed</button>`}</div>
      <ul class="table">${status.sources.map((source) => html`<${Source} key=${source.id} source=${source} own=${own} onChange=${load} />`)}</ul></section>`}
    <${WhyBox} which=${which} path=${route.why ?? ""} />
    ${status && status.failures.length > 0 && html`<section><h2>${many(status.n_failures, "thing")} could not be read</h2>
      <ul class="table">${status.failures.map((failure) => html`<li><code>${failure.path}</code><p class="small soft">${failure.reason}</p></li>`)}</ul></section>`}
  </div>`;
}

function Source({ source, own, onChange }) {
  const [sure, setSure] = useState(false);
  const [tone, state] = !source.reachable ? ["bad", "not reachable"]
    : source.failed ? ["bad", `${count(source.failed)} failed`]
    : source.here >= source.there ? ["good", "complete"] : ["", "to be read"];
  const forget = async () => {
    await post("vault/forget", { source: source.id });
    await refresh();
    onChange();
  };
  return html`<li>
    <div class="row"><b class="grow">${source.path}</b>
      <span class=${`state ${tone}`}>${state}</span></div>
    <progress class="bar" value=${source.here} max=${Math.max(source.there, 1)} aria-label="Here of there"></progress>
    <div class="row small soft"><span class="grow numbers">${count(source.here)} of ${many(source.there, "file")} here, ${many(source.items, "item")}${source.excluded > 0 && `, ${count(source.excluded)} left out by rule`}${source.synced && `, read ${source.synced}`}</span>
      ${own && html`<button class="plain" onClick=${() => sync(source.id)}>Read again</button>
        ${sure ? html`<button class="plain" onClick=${forget}>Really forget it</button>` : html`<button class="plain" onClick=${() => setSure(true)}>Forget</button>`}`}</div>
  </li>`;
}

/** Where one path stands, and by what. */
function WhyBox({ which, path }) {
  const [words, set] = useState(path);
  const [found, setFound] = useState(null);
  const look = async (text) => setFound(text ? await get(`${which}/why?${query({ path: text })}`).catch(() => []) : null);
  useEffect(() => void (path && look(path)), [path]);
  return html`<section class="drop"><form class="field" onSubmit=${(event) => { event.preventDefault(); look(words.trim()); }}>
      <label for="why">Why is something found, or not?</label>
      <div class="row"><input id="why" type="text" value=${words} onInput=${(event) => set(event.target.value)} placeholder="part of a path or file name" />
        <button>Look</button></div></form>
    ${found && (found.length ? html`<ul class="table">${found.map((why) => html`<li><div class="row"><code class="grow">${why.path}</code>
        <span class=${`state ${{ indexed: "good", failed: "bad" }[why.state] ?? ""}`}>${why.state}</span></div>
        ${why.title && html`<p class="small">${why.id ? html`<a href="#" onClick=${(event) => { event.preventDefault(); change({ ...NO_ITEM, item: why.id }); }}>${why.title}</a>` : why.title}</p>`}
        <p class="small soft">${why.reason}</p></li>`)}</ul>`
      : html`<p class="soft">No source holds such a path. Add the folder it is in, or read what changed.</p>`)}
  </section>`;
}
