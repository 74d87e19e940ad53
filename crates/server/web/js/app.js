// The page: starts, draws the frame around the place one is at, keeps the state fresh.
import { html, render, useEffect } from "./html.js";
import { store, update, useStore } from "./store.js";
import { refresh } from "./api.js";
import { useRoute } from "./route.js";
import { listenForKeys } from "./keys.js";
import { Announcer } from "./announce.js";
import { Side, Top } from "./frame.js";
import { Ask } from "./ask.js";
import { Sources, Tip } from "./sources.js";
import { Item } from "./item.js";
import { Search } from "./search.js";
import { Card } from "./card.js";
import { Vault } from "./vault.js";
import { Models } from "./models.js";
import { Plan } from "./plan.js";
import { Runs } from "./runs.js";
import { Settings, applyTheme, rememberedTheme } from "./settings.js";
import { Palette } from "./palette.js";
import { Help } from "./help.js";

const WAYS = { ask: Ask, search: Search, found: Card, vault: Vault, models: Models, plan: Plan, runs: Runs, settings: Settings };

function App() {
  const { house, trouble, dialog, shown, life } = useStore();
  const route = useRoute();
  useEffect(() => void start(), []);
  useEffect(() => void (document.title = `${TITLES[route.way] ?? "Polymath"} · Polymath`), [route.way]);
  if (!house) return html`<${Waiting} trouble=${trouble} />`;

  const Page = WAYS[route.way] ?? Ask;
  const turn = route.way === "ask" && shown?.sources?.length ? shown : null;
  const panel = route.item
    ? html`<${Item} key=${`${life}${route.item}`} life=${life} id=${route.item} start=${route.start} end=${route.end} />`
    : turn && html`<${Sources} turn=${turn} />`;
  return html`
    <div class=${`frame ${panel ? "with-panel" : ""}`}>
      <a class="button skip" href="#main" onClick=${skip}>Skip to the content</a>
      <${Top} />
      <${Side} way=${route.way} />
      <main class="middle" id="main" tabindex="-1">
        ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
        <${Page} key=${life} route=${route} />
      </main>
      ${panel}
    </div>
    <${Tip} />
    <${Announcer} />
    ${dialog === "palette" && html`<${Palette} />`}
    ${dialog === "help" && html`<${Help} />`}`;
}

const TITLES = { ask: "Ask", search: "Search", found: "What I found", vault: "Vault", models: "Models", plan: "Plan", runs: "Training runs", settings: "Settings" };

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Waiting({ trouble }) {
  return html`<main class="door">
    <img src="/web/icon.svg" alt="" width="48" height="48" />
    ${trouble ? html`<h1>Not connected</h1><p role="alert">${trouble}</p><p><button onClick=${() => location.reload()}>Try again</button></p>`
      : html`<p class="soft" role="status">Opening…</p>`}
  </main>`;
}

async function start() {
  await refresh().catch(() => {});
  if (store.house) {
    applyTheme(store.house.settings.theme);
    const mine = store.house.own.items > 0 || !store.house.sample;
    update({ life: mine ? "own" : "sample" });
  }
  // Counts and downloads move without us: look again while the page is visible.
  setInterval(() => document.hidden || refresh().catch(() => {}), 4000);
}

applyTheme(rememberedTheme());
listenForKeys();
addEventListener("hashchange", () => update({ tip: null }));
render(html`<${App} />`, document.getElementById("app"));
