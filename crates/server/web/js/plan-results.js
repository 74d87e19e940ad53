// What came of the plan: the numbers first, then the layouts part by part, then money, energy and haste.
import { html, useState } from "./html.js";
import { Legend, Stack } from "./chart.js";
import { Icon } from "./icons.js";
import { asToml } from "./plan-state.js";
import { cents, days, dollars, energy, layoutWords, percent, power, seconds, short, span, times, tonnes, whole } from "./plan-format.js";

const STEP = ["products", "attention", "element-wise", "recomputed", "head", "traffic", "bubble", "other"];
const stepParts = (b) => [
  b.matmul_s, b.attention_s, b.elementwise_s, b.recompute_s, b.head_s,
  b.tp_s + b.cp_s + b.ep_s + b.pp_s + b.dp_s, b.bubble_s, b.optimizer_s + b.fixed_s + b.straggler_s,
];
const MEMORY = ["weights", "gradients", "optimiser", "activations", "at work", "buffers"];
const memoryParts = (m) => [m.weights, m.gradients, m.optimizer, m.activations, m.working, m.buffers].map((bytes) => bytes / 1e9);

const parts = (names, values, unit) => values.map((value, i) => ({ value, tone: i + 1, title: `${names[i]}: ${value < 0.01 ? value.toFixed(4) : value.toFixed(2)} ${unit}` }));
const spoken = (names, values, unit) => names.map((name, i) => [name, values[i]]).filter(([, value]) => value > 0).map(([name, value]) => `${name} ${value.toFixed(2)} ${unit}`).join(", ");

/** One sentence for the screen reader and the top of the page. */
export function sentence(overview, chosen) {
  const [n, unit] = days(chosen.days);
  return `${n} ${unit}, ${dollars(chosen.dollars)}, ${energy(chosen.kwh).join(" ")}`;
}

export function Headline({ overview, chosen }) {
  const [n, unit] = days(chosen.days);
  const per = { days: 1, hours: 24, minutes: 1440 }[unit];
  const range = (r, show) => `${show(r.low)} to ${show(r.high)}`;
  const [used, usedUnit] = energy(chosen.kwh);
  const share = chosen.kwh / Number(used);
  const one = (value, name, small) => html`<div><dd><b>${value}</b></dd><dt>${name}${small && html`<span class="small soft">${small}</span>`}</dt></div>`;
  return html`<dl class="headline">
    ${one(n, unit, range(chosen.days_range, (d) => span(d * per)))}
    ${one(dollars(chosen.dollars), "for the chips", range(chosen.dollars_range, dollars))}
    ${one(used, usedUnit, range(chosen.kwh_range, (kwh) => short(kwh / share)))}
    ${one(...tonnes(chosen.kgco2e), `${short(chosen.water_m3)} m³ of water`)}
    ${one(whole(chosen.failures), "failures", `one every ${span(chosen.hours_between_failures)} h; ${percent(100 * chosen.goodput)} of time counts`)}
    ${one(percent(chosen.mfu_pct), "of peak (MFU)", `${short(chosen.tokens_per_s)} tokens/s`)}
  </dl>
  <p class="small soft numbers">${short(overview.parameters)} parameters on ${short(overview.tokens)} tokens are ${power(overview.model_flop)} FLOP, ${times(overview.gpt4_multiple)} GPT-4’s.
    ${" "}${whole(overview.layouts)} layouts costed in ${Math.max(1, Math.round(1000 * overview.seconds))} ms on ${overview.threads} threads, ${whole(overview.fitting)} fit. Software ${overview.software.name}${overview.software.usual && ", usual on this chip"}. Ranges hold nine cases in ten.</p>`;
}

export function Layouts({ overview, at, choose }) {
  const { best, reasons } = overview;
  const slowest = Math.max(...best.map((one) => one.step_s));
  const capacity = best[0].capacity_gb;
  return html`<section aria-labelledby="layouts"><h2 id="layouts">Layouts</h2>
    <p class="soft">How the model lies on the chips, the best first: tensor, pipeline, context, expert and data parallel. Choose one and the page follows.</p>
    <div class="legends"><div><h3>Seconds of a step</h3><${Legend} names=${STEP} /></div><div><h3>Memory of a chip</h3><${Legend} names=${MEMORY} /></div></div>
    <ol class="layouts">${best.map((one, i) => {
      const [split, rest] = layoutWords(one.layout);
      const [step, memory] = [stepParts(one.breakdown), memoryParts(one.memory)];
      return html`<li class=${i === at ? "chosen" : ""}>
        <button type="button" aria-pressed=${String(i === at)} onClick=${() => choose(i)}><b>${split}</b><span class="small soft">${rest}</span></button>
        <div class="measure"><${Stack} parts=${parts(STEP, step, "s")} scale=${slowest} label=${`Step time: ${spoken(STEP, step, "seconds")}`} /><span class="numbers">${seconds(one.step_s)}</span></div>
        <div class="measure"><${Stack} parts=${parts(MEMORY, memory, "GB")} scale=${capacity} limit=${capacity} label=${`Memory: ${spoken(MEMORY, memory, "gigabytes")}; a chip holds ${capacity.toFixed(0)}`} />
          <span class="numbers">${one.memory_gb.toFixed(0)} of ${capacity.toFixed(0)} GB</span></div>
      </li>`;
    })}</ol>
    ${at > 0 && html`<p class="note">Why not this one: ${reasons[at]}.</p>`}
  </section>`;
}

export function Energy({ overview, chosen }) {
  const { power_share, host_share, pue } = overview.cluster;
  // What idle chips draw is told apart, with their hosts and cooling.
  const all = chosen.kwh - chosen.idle_kwh;
  const inside = all / pue;
  const idle = chosen.idle_chips > 0;
  const used = [(inside * power_share) / (power_share + host_share), (inside * host_share) / (power_share + host_share), all - inside, ...(idle ? [chosen.idle_kwh] : [])];
  const names = ["chips", "hosts and network", "cooling and conversion", ...(idle ? ["idle chips"] : [])];
  const show = (kwh) => energy(kwh).join(" ");
  return html`<section aria-labelledby="energy"><h2 id="energy">Energy and money</h2>
    <div class="measure wide"><${Stack} parts=${used.map((value, i) => ({ value, tone: i + 1, title: `${names[i]}: ${show(value)}` }))} scale=${chosen.kwh}
      label=${`Energy: ${names.map((name, i) => `${name} ${show(used[i])}`).join(", ")}`} /></div>
    <${Legend} names=${names.map((name, i) => `${name} ${show(used[i])}`)} />
    <p>${whole(chosen.chip_hours)} chip-hours at ${cents(overview.cluster.usd_per_chip_hour)} are ${dollars(chosen.dollars)}; whoever owns the chips pays ${dollars(chosen.energy_dollars)} for the electricity.
      ${" "}It draws ${short((1000 * chosen.kwh) / (24 * chosen.days))}W, hosts and cooling included.</p>
    ${idle && html`<p id="idle">${whole(chosen.idle_chips)} chips are left idle: spares (${whole(chosen.spare_chips)} are enough) whose failures stop nothing. They are paid, ${dollars(chosen.idle_dollars)} of the sum, and draw idle power.</p>`}
  </section>`;
}

/** The same run on fewer and more chips. */
export function Haste({ choices, chips, use }) {
  if (!choices) return html`<section aria-labelledby="haste"><h2 id="haste">What haste costs</h2><p class="soft pulse">Searching a quarter to four times the chips…</p></section>`;
  const fitting = choices.filter(({ best }) => best);
  const [longest, dearest] = [Math.max(...fitting.map(({ best }) => best.days)), Math.max(...fitting.map(({ best }) => best.dollars))];
  return html`<section aria-labelledby="haste"><h2 id="haste">What haste costs</h2>
    <p class="soft">The same tokens with the best layout of fewer and of more chips.</p>
    <ol class="layouts haste">${choices.map(({ chips: n, best }) => html`<li class=${n === chips ? "chosen" : ""}>
      <button type="button" aria-pressed=${String(n === chips)} onClick=${() => use(n)}><b>${whole(n)} chips</b><span class="small soft">${best ? percent(best.mfu_pct) : "nothing fits"}</span></button>
      ${best && html`<div class="measure"><${Stack} parts=${[{ value: best.days, tone: 1, title: days(best.days).join(" ") }]} scale=${longest} label="Days" /><span class="numbers">${days(best.days).join(" ")}</span></div>
      <div class="measure"><${Stack} parts=${[{ value: best.dollars, tone: 4, title: dollars(best.dollars) }]} scale=${dearest} label="Dollars" /><span class="numbers">${dollars(best.dollars)}</span></div>`}
    </li>`)}</ol></section>`;
}

/** The plan and its best layout in the words of other programs. */
export function TakeAlong({ plan, overview }) {
  const texts = [["plan.toml, for polymath plan search", asToml(plan)], ["Megatron-LM", overview.flags.megatron], ["torchtitan", overview.flags.torchtitan], ["run.toml", overview.flags.run_toml]];
  return html`<section aria-labelledby="along"><h2 id="along">Take it along</h2>
    ${texts.map(([name, text]) => html`<${Text} key=${name} name=${name} text=${text} />`)}</section>`;
}

function Text({ name, text }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard.writeText(text).then(() => { setCopied(true); setTimeout(() => setCopied(false), 1500); }, () => {});
  return html`<details class="text-out"><summary>${name}</summary>
    <pre tabindex="0" role="region" aria-label=${name}><code>${text}</code></pre>
    <p><button type="button" onClick=${copy}><${Icon} name=${copied ? "check" : "copy"} size=${16} />${copied ? "Copied" : "Copy"}</button></p></details>`;
}
