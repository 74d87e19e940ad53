// The side (a bar at the bottom on narrow screens): where one can go, whose life it is, what left the machine.
import { html } from "./html.js";
import { store, update, useStore } from "./store.js";
import { go, to } from "./route.js";
import { bytes } from "./format.js";
import { Icon } from "./icons.js";
import { nextTheme, saveSettings } from "./settings.js";

const WAYS = [["ask", "Ask"], ["search", "Search"], ["found", "Found"], ["vault", "Vault"], ["models", "Models"], ["plan", "Plan"]];
/** Shown to those who train. */
const RUNS = ["runs", "Runs"];

function Brand() {
  return html`<a class="brand" href=${to("ask")} aria-label="Polymath"><img src="/web/icon.svg" alt="" width="28" height="28" /><span>Polymath</span></a>`;
}

function Lives() {
  const { house, life } = useStore();
  if (!house.sample) return null;
  const choose = (which) => () => {
    update({ life: which, shown: null, tip: null });
    go(which === "own" && !house.own.items ? "vault" : "ask");
  };
  const one = (which, name) => html`<button aria-pressed=${String(life === which)} onClick=${choose(which)}>${name}</button>`;
  return html`<div class="lives" role="group" aria-label="Whose life">${one("sample", "Sample life")}${one("own", "My life")}</div>`;
}

/** The bar above the page on narrow screens. */
export function Top() {
  const { house } = useStore();
  return html`<section class="top" aria-label="Polymath"><${Brand} /><${Badge} outside=${house.outside} short />
    <${Lives} />
    <a class="button plain icon" href=${to("settings")} aria-label="Settings"><${Icon} name="settings" /></a></section>`;
}

export function Side({ way }) {
  const { house } = useStore();
  const theme = house.settings.theme || "system";
  return html`<header class="side">
    <${Brand} />
    <${Lives} />
    <nav class="ways" aria-label="Main">
      ${(house.runs ? [...WAYS, RUNS] : WAYS).map(([name, title]) => html`<a href=${to(name)} aria-current=${way === name ? "page" : null} title=${title}>
        <${Icon} name=${name} /><span>${title}</span></a>`)}
    </nav>
    <div class="rest"></div>
    <div class="foot">
      <${Badge} outside=${house.outside} />
      <div class="row">
        <button class="plain" onClick=${() => update({ dialog: "palette" })} title="Search and commands"><kbd>Ctrl</kbd><kbd>K</kbd></button>
        <button class="plain icon" onClick=${() => saveSettings({ theme: nextTheme(theme) })}
          aria-label=${`Colours: ${theme}. Change`} title=${`Colours: ${theme}`}>
          <${Icon} name=${{ light: "sun", dark: "moon" }[theme] ?? "half"} /></button>
        <a class="button plain icon" href=${to("settings")} aria-label="Settings" title="Settings"><${Icon} name="settings" /></a>
      </div>
    </div>
  </header>`;
}

/** Says what left the machine. Downloads send something too: their requests are counted. */
function Badge({ outside, short }) {
  const sent = outside.sent_bytes;
  const words = short ? html`<b>${bytes(sent)}</b> sent`
    : sent ? html`<b>about ${bytes(sent)}</b> left this machine: requests for models` : html`<b>0 bytes</b> left this machine`;
  return html`<a class=${`badge ${sent ? "sent" : ""}`} href=${to("settings")} title="What went over the network"><${Icon} name="lock" /><span>${words}</span></a>`;
}
