// What I found: who, what comes next, what waits for an answer, what was attached. Each row leads somewhere.
import { html, useEffect, useState } from "./html.js";
import { life, useStore } from "./store.js";
import { get } from "./api.js";
import { change, to } from "./route.js";
import { count, many } from "./format.js";
import { hitFields } from "./search.js";
import { Icon } from "./icons.js";

export function Card() {
  const { life: which } = useStore();
  const here = life();
  const [card, setCard] = useState(null);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    get(`${which}/card`).then(setCard, (error) => setTrouble(error.message));
  }, [which, here.items]);
  return html`<div class="page">
    <header><h1>What I found</h1>
      ${card && html`<p class="soft">${many(card.items, "item")}${card.years && ` from ${card.years}`}: ${here.kinds.map(([kind, n]) => many(n, kind)).join(", ")}.</p>`}</header>
    ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
    ${card && card.items === 0 && html`<p class="note">Nothing is here yet. <a href=${to("vault")}>Add a folder</a> and this page fills while it is read.</p>`}
    ${card && card.items > 0 && html`<div class="cards">
      <${People} rows=${card.people} />
      <${Items} title="Next events" icon="event" list="upcoming" hits=${card.events} empty="Nothing is planned." />
      <${Items} title="Waiting for your answer" icon="reply" list="unanswered" hits=${card.unanswered} empty="Every mail has its answer." />
      <${Files} rows=${card.attachments} />
    </div>`}
  </div>`;
}

function People({ rows }) {
  return html`<section class="card"><h2><${Icon} name="people" />People you meet most</h2><ul>
    ${rows.map(([name, n]) => html`<li><a href=${to("search", { person: name })}><span class="cut">${name}</span><span class="soft numbers">${count(n)}</span></a></li>`)}
  </ul></section>`;
}

function Items({ title, icon, list, hits, empty }) {
  return html`<section class="card"><h2><${Icon} name=${icon} />${title}</h2>
    ${hits.length ? html`<ul>${hits.map((hit) => html`<li><a href=${to("found", hitFields(hit))} onClick=${(event) => { event.preventDefault(); change(hitFields(hit)); }}>
      <span class="cut">${hit.title}</span><span class="soft">${hit.date}</span></a></li>`)}
      <li><a href=${to("search", { list })}><span>All of them</span><${Icon} name="right" size=${16} /></a></li></ul>` : html`<p class="soft">${empty}</p>`}
  </section>`;
}

function Files({ rows }) {
  return html`<section class="card"><h2><${Icon} name="clip" />Attachments</h2>
    ${rows.length ? html`<ul>${rows.map(([kind, media, n]) => html`<li><a href=${to("search", { list: "attachments", media })}><span>${kind}</span><span class="soft numbers">${count(n)}</span></a></li>`)}</ul>`
      : html`<p class="soft">No mail carries a file.</p>`}
  </section>`;
}
