// The first thing one sees: whose life this is, three questions to click, and the way to one's own.
import { html } from "./html.js";
import { life, update, useStore } from "./store.js";
import { to } from "./route.js";
import { many } from "./format.js";
import { ask } from "./ask.js";
import { Icon } from "./icons.js";
import { AddFolder } from "./reading.js";

export function Welcome() {
  const { house, life: which } = useStore();
  const here = life();
  if (which === "own" && !here.items) return html`<div class="welcome"><h1>Your life, on your machine</h1>
    <p class="lead">Point me at a folder with mail, calendars, contacts, notes or documents. I read it here and nothing leaves.</p>
    <${AddFolder} /></div>`;
  const invented = which === "sample";
  return html`<div class="welcome">
    <div><h1>${invented ? `Meet ${here.name || "a sample life"}` : greeting(here)}</h1></div>
    <p class="lead">${invented
      ? `${here.name ? `${first(here.name)} is` : "They are"} invented, with mail, calendars, contacts, notes and documents like yours. Ask what you would ask about your own life: each answer shows the words it comes from.`
      : "Ask anything about your mail, people, dates, notes and documents. Each answer shows the words it comes from."}</p>
    ${here.note && html`<p class="note" role="status">${here.note}</p>`}
    <div class="questions" role="group" aria-label="Questions to try">
      ${here.questions.map((question) => html`<button onClick=${() => ask(question)}><span>${question}</span><${Icon} name="right" /></button>`)}
    </div>
    <p class="facts">
      <span>Today is ${here.today}</span>
      <a href=${to("found")}>${many(here.items, "item")}</a>
      ${here.kinds.slice(0, 5).map(([kind, n]) => html`<a href=${to("search", { kind })}>${many(n, kind)}</a>`)}
      ${here.attachments > 0 && html`<a href=${to("search", { list: "attachments" })}>${many(here.attachments, "attachment")}</a>`}
    </p>
    ${invented && !house.own.items && html`<div class="invite">
      <div class="grow"><b>Now your own</b><p>Add a folder; it can be searched while it is still being read.</p></div>
      <button class="main" onClick=${toOwn}><${Icon} name="folder" />Add my folder</button>
    </div>`}
    <${ModelLine} />
  </div>`;
}

const first = (name) => name.split(" ")[0];

function greeting(here) {
  const hour = new Date().getHours();
  const part = hour < 5 ? "night" : hour < 12 ? "morning" : hour < 18 ? "afternoon" : "evening";
  return `Good ${part}${here.name ? `, ${first(here.name)}` : ""}`;
}

function toOwn() {
  location.hash = to("vault");
  update({ life: "own" });
}

/** What the model is doing, while it is not simply ready. */
function ModelLine() {
  const { house } = useStore();
  const chosen = house.models.find((model) => model.selected && model.purpose === "chat");
  if (!chosen || chosen.present) return null;
  if (chosen.downloading != null) {
    return html`<p class="small soft" role="status">The language model is on its way (${Math.round((100 * chosen.downloading) / chosen.bytes)} %).
      These questions need none: they are answered by looking up and quoting.</p>`;
  }
  return html`<p class="small soft">No language model is here yet. Looking up and quoting work without one;
    <a href=${to("models")}>fetch ${chosen.name}</a> for questions that need choosing or writing.</p>`;
}
