// Models: which are here, which can be fetched, which one answers.
import { html, useState } from "./html.js";
import { store, update, useStore } from "./store.js";
import { post, refresh, stream } from "./api.js";
import { bytes } from "./format.js";
import { Icon } from "./icons.js";

const PURPOSES = [["chat", "For answers"], ["embedding", "For finding by meaning"]];

async function pull(name) {
  const abort = new AbortController();
  const show = (change) => update({ downloads: { ...store.downloads, [name]: { abort, ...store.downloads[name], ...change } } });
  show({ bytes: 0, error: "" });
  try {
    await stream("models/pull", { name }, show, abort.signal);
    const { [name]: _, ...others } = store.downloads;
    update({ downloads: others });
  } catch (error) {
    show({ error: error.name === "AbortError" ? "Stopped; fetching again goes on from here." : error.message, stopped: true });
  }
  await refresh().catch(() => {});
}

export function Models() {
  const { house } = useStore();
  return html`<div class="page">
    <header><h1>Models</h1>
      <p class="soft">Lookups and quotes need no model. A chat model chooses and writes; an embedding model finds by meaning. All of them run here.</p></header>
    ${PURPOSES.map(([purpose, title]) => html`<section><h2>${title}</h2><ul class="table">
      ${house.models.filter((model) => model.purpose === purpose).map((model) => html`<${Model} key=${model.name} model=${model} />`)}</ul></section>`)}
  </div>`;
}

function Model({ model }) {
  const { downloads } = useStore();
  const [trouble, setTrouble] = useState("");
  const mine = downloads[model.name];
  const running = (mine && !mine.error && !mine.stopped) || model.downloading != null;
  const here = mine?.bytes ?? model.downloading ?? 0;
  const select = () => post("models/select", { name: model.name }).then(refresh).catch((error) => setTrouble(error.message));
  const error = trouble || mine?.error || model.failure;
  return html`<li>
    <div class="row"><div class="grow"><b>${model.name}</b> <span class="small soft">${[model.parameters, model.bytes && bytes(model.bytes), model.licence].filter(Boolean).join(" · ")}</span></div>
      ${model.selected && model.present ? html`<span class="state good">in use</span>`
        : model.present && model.runs ? html`<button onClick=${select}>Use</button>`
        : !model.runs ? html`<span class="state">a later version runs it</span>`
        : running ? mine && html`<button onClick=${() => mine.abort.abort()}>Stop</button>`
        : html`<button onClick=${() => pull(model.name)}><${Icon} name="down" size=${16} />Fetch</button>`}</div>
    ${running && html`<progress class="bar" value=${here} max=${model.bytes || null} aria-label=${`Fetching ${model.name}`}></progress>
      <p class="small soft numbers">${bytes(here)}${model.bytes ? ` of ${bytes(model.bytes)}` : ""}${mine?.from ? ` from ${mine.from}` : ""}</p>`}
    ${error && html`<p class="note bad" role="alert">${error}</p>`}
  </li>`;
}
