// Training runs: what is under way and what is done; each opens its report, which draws itself again while it runs.
import { html, useEffect, useState } from "./html.js";
import { address, get } from "./api.js";
import { Icon } from "./icons.js";

const LOOK_AGAIN_MS = 5000;

export function Runs() {
  const [runs, setRuns] = useState(null);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const look = () => get("runs").then((found) => { setRuns(found); setTrouble(""); }, (error) => setTrouble(error.message));
    look();
    const timer = setInterval(() => document.hidden || look(), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<div class="page">
    <header><h1>Training runs</h1>
      <p class="soft">Read from their journals, which only ever grow. A report shows the curves, what the model writes, and what it cost.</p></header>
    ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
    ${runs && !runs.length && html`<p class="soft">No run yet. <code>polymath train</code> begins one.</p>`}
    ${runs && html`<ul class="table">${runs.map((run) => html`<${Run} key=${run.id} run=${run} />`)}</ul>`}
  </div>`;
}

const short = (n) => Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(n);

function Run({ run }) {
  const facts = [
    run.loss != null && `loss ${run.loss.toFixed(3)}`,
    run.tokens > 0 && `${short(run.tokens)} tokens`,
    run.kwh != null && `${run.kwh < 1 ? `${(run.kwh * 1000).toPrecision(3)} Wh` : `${run.kwh.toPrecision(3)} kWh`}`,
  ];
  const steps = run.of_steps ? `step ${run.step.toLocaleString("en")} of ${run.of_steps.toLocaleString("en")}` : `step ${run.step.toLocaleString("en")}`;
  return html`<li>
    <div class="row"><div class="grow"><b>${run.name}</b> <span class="small soft">${[run.state !== "unreadable" && steps, ...facts].filter(Boolean).join(" · ")}</span></div>
      <span class=${`state ${run.state === "finished" ? "good" : ""}`}>${run.state}</span>
      ${run.state !== "unreadable" && html`<a class="button" href=${address(`runs/${run.id}/report`)} target="_blank" rel="noopener"><${Icon} name="runs" size=${16} />Report</a>`}</div>
    ${run.state === "under way" && run.of_steps && html`<progress class="bar" value=${run.step} max=${run.of_steps} aria-label=${`Progress of ${run.name}`}></progress>`}
    ${run.note && html`<p class=${run.state === "unreadable" ? "note bad" : "small soft"}>${run.note}</p>`}
  </li>`;
}
