// Two drawings: what a growing cluster can train by each month, and every published run beside its prediction.
import { html, useMemo, useState } from "./html.js";
import { band, line, linear, logarithmic, powersOfTen, roundTicks, useWidth } from "./chart.js";
import { count } from "./format.js";
import { monthName, percent, power, seconds, short, times, whole } from "./plan-format.js";

const LEFT = 52;
const RIGHT = 12;

/** One panel of the timeline: bands and lines over months, between two heights. */
function Panel({ top, height, title, ticks, show, series, x, y, width }) {
  return html`<g>
    <text class="title" x="0" y=${top - 10}>${title}</text>
    ${ticks.map((tick) => html`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(tick)} y2=${y(tick)} /><text class="tick" x=${LEFT - 8} y=${y(tick) + 4} text-anchor="end">${show(tick)}</text>`)}
    <line class="axis" x1=${LEFT} x2=${width - RIGHT} y1=${top + height} y2=${top + height} />
    ${series.map(({ low, high, values, tone }) => html`
      ${low && html`<polygon class=${`band tone-${tone}`} points=${band(high.map((v, i) => [x(i), y(v)]), low.map((v, i) => [x(i), y(v)]))} />`}
      <polyline class=${`line tone-${tone}`} points=${line(values.map((v, i) => [x(i), y(v)]))} />`)}
  </g>`;
}

const of = (months, field) => ({ low: months.map((m) => m[field].low), high: months.map((m) => m[field].high), values: months.map((m) => m[field].mid) });
const padded = (values) => [Math.min(...values) / 1.3, Math.max(...values) * 1.3];

export function Growing({ timeline }) {
  const { months, claims, chip } = timeline;
  const [place, width] = useWidth();
  const [picked, setPicked] = useState(null);
  const at = Math.min(picked ?? months.length - 1, months.length - 1);
  const now = months[at];
  const x = linear(0, Math.max(1, months.length - 1), LEFT, width - RIGHT);
  const chips = of(months, "chips");
  const reach = of(months, "gpt4_multiple");
  const dense = months.map((m) => m.dense.active_parameters);
  const moe = months.map((m) => m.moe.total_parameters);
  const most = 1.08 * Math.max(...chips.high);
  const yChips = linear(0, most, 124, 28);
  const [lowReach, highReach] = padded([...reach.low, ...reach.high]);
  const yReach = logarithmic(lowReach, highReach, 316, 180);
  const [lowSize, highSize] = padded([...dense, ...moe]);
  const ySize = logarithmic(lowSize, highSize, 482, 372);
  const every = Math.ceil(months.length / Math.max(2, Math.floor(width / 110)));
  const pick = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = ((event.clientX - box.left) * (width / box.width) - LEFT) / (width - LEFT - RIGHT);
    setPicked(Math.min(months.length - 1, Math.max(0, Math.round(share * (months.length - 1)))));
  };
  return html`<section aria-labelledby="growing"><h2 id="growing">What grows out of it</h2>
    <p class="soft">A run that ends in each month on the cluster of its time, with the compute spent on the model it is best spent on.</p>
    <div class="drawing" ref=${place}>
      <svg width=${width} height="512" viewBox=${`0 0 ${width} 512`} role="img" aria-label=${`Chips, compute and model size by month, ${monthName(months[0].date)} to ${monthName(months.at(-1).date)}. The slider below reads them out.`}
        onPointerMove=${pick} onPointerDown=${pick}>
        <${Panel} top=${28} height=${96} title=${`${chip} chips`} ticks=${roundTicks(most)} show=${short} series=${[{ ...chips, tone: 1 }]} x=${x} y=${yChips} width=${width} />
        <${Panel} top=${180} height=${136} title="One run, in multiples of GPT-4" ticks=${powersOfTen(lowReach, highReach)} show=${(n) => `${short(n)}×`} series=${[{ ...reach, tone: 4 }]} x=${x} y=${yReach} width=${width} />
        <${Panel} top=${372} height=${110} title="Parameters: dense, and mixture of experts above" ticks=${powersOfTen(lowSize, highSize)} show=${short} series=${[{ values: dense, tone: 2 }, { values: moe, tone: 6 }]} x=${x} y=${ySize} width=${width} />
        ${months.map((month, i) => i % every === 0 && html`<text class="tick" x=${x(i)} y="502" text-anchor=${i === 0 ? "start" : i > months.length - every / 2 ? "end" : "middle"}>${month.date}</text>`)}
        <line class="cursor" x1=${x(at)} x2=${x(at)} y1="24" y2="484" />
        ${[[chips.values[at], yChips, 1], [reach.values[at], yReach, 4], [dense[at], ySize, 2], [moe[at], ySize, 6]].map(([value, y, tone]) => html`<circle class=${`dot tone-${tone}`} cx=${x(at)} cy=${y(value)} r="4.500" />`)}
      </svg>
    </div>
    <div class="slider along"><label for="month">Month</label>
      <input type="range" id="month" min="0" max=${months.length - 1} value=${at} aria-valuetext=${monthName(now.date)} onInput=${(event) => setPicked(Number(event.target.value))} /></div>
    <p class="numbers" id="month-says"><b>${monthName(now.date)}</b>: ${whole(now.chips.mid)} chips; a run is ${power(now.flop.mid)} FLOP, ${times(now.gpt4_multiple.mid)} GPT-4 (${times(now.gpt4_multiple.low)} to ${times(now.gpt4_multiple.high)}, its own uncertainty included).
      ${" "}Best spent on ${short(now.dense.active_parameters)} dense parameters and ${short(now.dense.tokens)} tokens${now.dense.epochs > 1.01 && `, each read ${now.dense.epochs.toFixed(1)} times`}; or on a mixture of ${short(now.moe.total_parameters)}, ${short(now.moe.active_parameters)} of them active.</p>
    ${claims.length > 0 && html`<ul class="table claims">${claims.map((claim) => html`<li><div class="row"><q class="grow">${claim.says}</q><span class=${`state ${claim.feasible ? "good" : "bad"}`}>${claim.feasible ? "holds" : "does not hold"}</span></div><p class="small soft">${claim.because}.</p></li>`)}</ul>`}
  </section>`;
}

const SIDE = 460;

export function Accuracy({ points, groups }) {
  const [place, width] = useWidth();
  const [group, setGroup] = useState("");
  const [near, setNear] = useState(null);
  const size = Math.min(width, SIDE);
  const all = useMemo(() => padded(points.flatMap((point) => [point.measured_s, point.predicted_s])), [points]);
  const x = logarithmic(...all, 44, size - 10);
  const y = logarithmic(...all, size - 34, 10);
  const shown = group ? points.filter((point) => point.group === group) : points;
  const overall = groups.find(({ name }) => name === "all");
  const ticks = powersOfTen(...all);
  const look = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const distance = (point) => Math.hypot(x(point.measured_s) - px, y(point.predicted_s) - py);
    const nearest = shown.reduce((best, point) => (distance(point) < distance(best) ? point : best), shown[0]);
    setNear(nearest && distance(nearest) < 24 ? nearest : null);
  };
  return html`<section aria-labelledby="accuracy"><h2 id="accuracy">How far to trust it</h2>
    <p class="soft">Every published run in the table: measured seconds per step across, predicted up. On the line a prediction is exact. Constants were fitted on the filled points; the rings took no part.</p>
    <div class="kinds" role="group" aria-label="Runs of"><button type="button" aria-pressed=${String(!group)} onClick=${() => { setGroup(""); setNear(null); }}>All</button>
      ${groups.filter(({ name }) => name !== "all").map(({ name }) => html`<button type="button" aria-pressed=${String(group === name)} onClick=${() => { setGroup(group === name ? "" : name); setNear(null); }}>${name}</button>`)}</div>
    <div class="beside">
      <div class="drawing" ref=${place}>
        <svg width=${size} height=${size} viewBox=${`0 0 ${size} ${size}`} role="img" aria-label=${`Predicted against measured step time of ${points.length} runs; the table has the errors.`} onPointerMove=${look} onPointerLeave=${() => setNear(null)}>
          ${ticks.map((tick) => html`<line class="grid" x1=${x(tick)} x2=${x(tick)} y1="10" y2=${size - 34} /><line class="grid" x1="44" x2=${size - 10} y1=${y(tick)} y2=${y(tick)} />
            <text class="tick" x=${x(tick)} y=${size - 18} text-anchor="middle">${tick}</text><text class="tick" x="38" y=${y(tick) + 4} text-anchor="end">${tick}</text>`)}
          <polygon class="within" points=${line([[x(all[0]), y(all[0] * 1.1)], [x(all[1] / 1.1), y(all[1])], [x(all[1]), y(all[1])], [x(all[1]), y(all[1] / 1.1)], [x(all[0] * 1.1), y(all[0])], [x(all[0]), y(all[0])]])} />
          <line class="exact" x1=${x(all[0])} y1=${y(all[0])} x2=${x(all[1])} y2=${y(all[1])} />
          <text class="tick" x=${size - 10} y=${size - 3} text-anchor="end">measured, s</text><text class="tick" x="44" y="22">  predicted, s</text>
          ${points.map((point) => html`<circle key=${point.id} class=${`run ${point.held_out ? "held" : ""} ${group && point.group !== group ? "dim" : ""}`} cx=${x(point.measured_s)} cy=${y(point.predicted_s)} r="3.500" />`)}
          ${near && html`<circle class="near" cx=${x(near.measured_s)} cy=${y(near.predicted_s)} r="7" />`}
        </svg>
        <p class="small numbers told" aria-hidden="true">${near ? html`<b>${near.model}</b> on ${count(near.chips)} ${near.chip}: ${seconds(near.measured_s)} measured, ${seconds(near.predicted_s)} predicted; ${near.layout}` : "Point at a run."}</p>
      </div>
      <table class="errors numbers"><caption>Median error of the step time</caption>
        <thead><tr><th scope="col">runs of</th><th scope="col">fitted</th><th scope="col">held out</th></tr></thead>
        <tbody>${groups.map(({ name, fitted, held_out }) => html`<tr class=${name === group ? "chosen" : ""}><th scope="row">${name === "all" ? "all" : name}</th><${Cell} errors=${fitted} /><${Cell} errors=${held_out} /></tr>`)}</tbody></table>
    </div>
    ${group && html`<details><summary>The ${shown.length} runs of ${group}</summary><div class="scroll" tabindex="0" role="region" aria-label=${`Runs of ${group}`}><table class="errors numbers"><thead><tr><th scope="col">model</th><th scope="col">chips</th><th scope="col">measured</th><th scope="col">predicted</th><th scope="col">error</th></tr></thead>
      <tbody>${shown.map((point) => html`<tr><th scope="row">${point.model}</th><td>${count(point.chips)} ${point.chip}</td><td>${seconds(point.measured_s)}</td><td>${seconds(point.predicted_s)}</td><td>${percent(100 * (point.predicted_s / point.measured_s - 1))}</td></tr>`)}</tbody></table></div></details>`}
    ${overall && html`<p class="small soft">A prediction for another run than these is about as good as those held out: half of them within ${percent(overall.held_out.median)}, on average ${percent(overall.held_out.mean)} off.</p>`}
  </section>`;
}

function Cell({ errors }) {
  return html`<td>${errors ? html`${percent(errors.median)} <span class="soft">of ${errors.n}</span>` : "–"}</td>`;
}
