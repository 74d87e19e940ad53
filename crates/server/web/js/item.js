// One item, opened beside the answer or the hits, at the words that were quoted.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { address, get } from "./api.js";
import { change, itemFields, NO_ITEM, to } from "./route.js";
import { bytes, cutAtBytes, plural } from "./format.js";
import { Icon } from "./icons.js";

export function Item({ life, id, start, end }) {
  const [item, setItem] = useState(null);
  const [trouble, setTrouble] = useState("");
  const [tab, setTab] = useState("text");
  const panel = useRef(null);
  const opener = useRef(document.activeElement);
  useEffect(() => {
    get(`${life}/item/${id}`).then(setItem, (error) => setTrouble(error.message));
    // The panel takes the focus, and gives it back to where it was opened from.
    panel.current.focus();
    return () => opener.current?.isConnected && opener.current.focus({ preventScroll: true });
  }, [life, id]);
  const close = () => change(NO_ITEM);
  return html`<aside class="panel" aria-label=${item ? `${item.kind}: ${item.title}` : "Item"} tabindex="-1" ref=${panel}>
    <div class="head">
      <button class="plain" onClick=${close}><${Icon} name="back" size=${18} />Back <kbd>Esc</kbd></button>
      <span class="grow"></span>
      ${item?.bytes > 0 && html`<a class="button plain" download href=${address(`${life}/item/${id}/original`)} title=${`Save the original, ${bytes(item.bytes)}`}>
        <${Icon} name="down" size=${18} />Save</a>`}
    </div>
    ${trouble && html`<div class="item"><p class="note bad" role="alert">${trouble}</p></div>`}
    ${!item && !trouble && html`<div class="item soft" role="status">Opening…</div>`}
    ${item && html`<div class="item">
      <${Heading} item=${item} />
      ${item.has_html && html`<div class="tabs" role="tablist">
        <button role="tab" aria-selected=${String(tab === "text")} onClick=${() => setTab("text")}>Text</button>
        <button role="tab" aria-selected=${String(tab === "html")} onClick=${() => setTab("html")}>As it looks</button></div>`}
      ${tab === "html"
        ? html`<iframe title="The original, without scripts and remote pictures" sandbox="allow-popups allow-popups-to-escape-sandbox"
            src=${address(`${life}/item/${id}/html`)}></iframe><p class="small soft">Pictures from elsewhere are not loaded; links show where they lead.</p>`
        : html`<${Words} text=${item.text} start=${start} end=${end} />`}
      <${Rest} item=${item} />
    </div>`}
  </aside>`;
}

function Heading({ item }) {
  const rows = [...item.people, ...item.fields];
  return html`<div class="row soft small"><${Icon} name=${item.kind} size=${16} />${item.kind}${item.date && html` · ${item.date}`}</div>
    <h2>${item.title}</h2>
    ${rows.length > 0 && html`<dl>${rows.map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl>`}`;
}

/** The stored text with the quoted words marked and in view. */
function Words({ text, start, end }) {
  const mark = useRef(null);
  useLayoutEffect(() => mark.current?.scrollIntoView({ block: "center" }), [start, end, text]);
  if (!text) return html`<p class="soft">It has no text of its own.</p>`;
  if (start == null || end == null) return html`<div class="words">${text}</div>`;
  const [before, quoted, after] = cutAtBytes(text, Number(start), Number(end));
  return html`<div class="words">${before}<mark ref=${mark}>${quoted}</mark>${after}</div>`;
}

function Rest({ item }) {
  const groups = Object.groupBy(item.related, (related) => related.relation);
  return html`
    ${Object.entries(groups).map(([relation, list]) => html`<div class="card"><h3>${relation}</h3><ul>
      ${list.map((related) => html`<li><a href=${to("search", itemFields({ id: related.id }))} onClick=${(event) => { event.preventDefault(); change({ ...NO_ITEM, item: related.id }); }}>
        <span>${related.title}</span><span class="soft">${related.date}</span></a></li>`)}</ul></div>`)}
    ${item.remarks.map((remark) => html`<p class="small soft">${remark}</p>`)}
    <p class="path">${item.path}</p>
    <p class="small"><a href=${to("vault", { why: item.path })}>How was this read?</a> · <a href=${to("search", { kind: item.kind })}>All ${plural(item.kind)}</a></p>`;
}
