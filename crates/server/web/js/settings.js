// Colours, the owner's name, and what went over the network.
import { html, useState } from "./html.js";
import { store, update, useStore } from "./store.js";
import { post } from "./api.js";
import { bytes } from "./format.js";

const THEMES = ["system", "light", "dark"];
const THEME = "polymath-theme";

export const nextTheme = (theme) => THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
/** Kept here too, so that the first paint has the right colours. */
export const rememberedTheme = () => localStorage.getItem(THEME) ?? "system";

export function applyTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  localStorage.setItem(THEME, theme || "system");
}

export async function saveSettings(change) {
  const settings = { ...store.house.settings, ...change };
  applyTheme(settings.theme);
  update({ house: { ...store.house, settings } });
  await post("settings", settings).catch(() => {});
}

export function Settings() {
  const { house } = useStore();
  const { settings, outside } = house;
  const [owner, setOwner] = useState(settings.owner);
  const theme = settings.theme || "system";
  return html`<div class="page">
    <header><h1>Settings</h1></header>
    <form class="field" onSubmit=${(event) => { event.preventDefault(); saveSettings({ owner: owner.trim() }); }}>
      <label for="owner">Your name</label>
      <p class="small soft">So that “my” and “me” mean you in your own mail.</p>
      <div class="row"><input id="owner" class="grow" type="text" value=${owner} onInput=${(event) => setOwner(event.target.value)} autocomplete="name" /><button>Save</button></div>
    </form>
    <div class="field" role="group" aria-label="Colours"><b>Colours</b>
      <div class="kinds">${THEMES.map((name) => html`<button aria-pressed=${String(theme === name)} onClick=${() => saveSettings({ theme: name })}>${name}</button>`)}</div></div>
    <section class="field"><b>What went over the network</b>
      <p>${outside.sent_bytes ? `About ${bytes(outside.sent_bytes)} left` : "0 bytes left"} this machine and ${bytes(outside.received_bytes)} came in since Polymath started.</p>
      <p class="small soft">Requests for models are the only ones Polymath makes; about 4 kB is counted for each file asked for. None of your data is in them.</p>
      ${outside.transfers.length > 0 && html`<ul class="table">${outside.transfers.map((transfer) => html`<li class="small">${transfer}</li>`)}</ul>`}</section>
    <p class="small soft">Polymath ${house.version}</p>
  </div>`;
}
