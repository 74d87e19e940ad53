// The sliders of the plan. Each hands back a changed plan; values that the plan leaves open show what was taken.
import { html } from "./html.js";
import { Choice, Slider } from "./slider.js";
import { LADDERS, later, monthsBetween, PRECISIONS } from "./plan-state.js";
import { cents, monthName, percent, short, whole } from "./plan-format.js";

/** The table's line of the plan's chip, whichever spelling the plan has. */
const chipOf = (known, { cluster }) => known.chips.find(({ name, names }) => name === cluster.chip || names.includes(cluster.chip));

/** @param overview what the server made of the plan last, or null */
export function Controls({ plan, overview, known, change }) {
  const set = (table, fields) => change({ ...plan, [table]: { ...plan[table], ...fields } });
  return html`<form class="controls" aria-label="The plan" onSubmit=${(event) => event.preventDefault()}>
    <${Model} plan=${plan} overview=${overview} set=${set} change=${change} />
    <${Training} plan=${plan} overview=${overview} known=${known} set=${set} change=${change} />
    <${Cluster} plan=${plan} overview=${overview} known=${known} set=${set} change=${change} />
    <${Money} plan=${plan} overview=${overview} set=${set} />
    <${Growth} plan=${plan} set=${set} />
  </form>`;
}

function Model({ plan, overview, change }) {
  const { model } = plan;
  const shape = overview?.shape;
  const experts = shape?.experts;
  // What the plan says comes before what the server made of the plan before it.
  const parameters = model.parameters ?? overview?.parameters;
  const nExperts = model.parameters || model.layers ? (model.experts ?? 1) : (experts?.n_experts ?? 1);
  const topk = model.topk ?? experts?.topk ?? 8;
  /** From the number of parameters alone: the server finds a shape. */
  const bySize = (fields) => {
    const wanted = { parameters, experts: nExperts, topk, ...fields };
    if (!(wanted.experts > 1)) wanted.experts = wanted.topk = null;
    else wanted.topk = Math.min(wanted.topk ?? 8, wanted.experts);
    change({ ...plan, model: { vocab: shape?.vocab ?? model.vocab, ...wanted } });
  };
  /** From the shape that stands, with one size changed and the others in proportion. */
  const byShape = ({ layers = shape.layers, hidden = shape.hidden }) => {
    const grown = hidden / shape.hidden;
    const even = (width) => Math.max(128, Math.round((width * grown) / 128) * 128);
    const heads = Math.max(1, Math.round(hidden / shape.head_dim));
    const kv_heads = heads % shape.kv_heads === 0 ? shape.kv_heads : heads;
    change({
      ...plan,
      model: {
        layers, hidden, heads, kv_heads, head_dim: shape.head_dim, ffn: even(shape.ffn), gated: shape.gated, vocab: shape.vocab, tied: shape.tied,
        ...(experts && { experts: experts.n_experts, topk: experts.topk, expert_ffn: even(experts.width), shared_ffn: experts.shared_width && even(experts.shared_width), dense_layers: Math.min(experts.dense_layers, layers) }),
      },
    });
  };
  return html`<fieldset><legend>Model</legend>
    <${Slider} id="size" label="Parameters" ladder=${LADDERS.parameters} value=${parameters} show=${short} onChange=${(parameters) => bySize({ parameters })}
      note=${overview && overview.active_parameters < 0.99 * overview.parameters && `${short(overview.active_parameters)} active for a token`} />
    <${Slider} id="experts" label="Experts" ladder=${LADDERS.experts} value=${nExperts} show=${(n) => (n > 1 ? whole(n) : "dense")} onChange=${(n) => bySize({ experts: n })} />
    ${nExperts > 1 && html`<${Slider} id="topk" label="Experts per token" ladder=${LADDERS.topk} value=${topk} show=${whole} onChange=${(topk) => bySize({ topk })} />`}
    ${shape && html`<details><summary>Shape: ${shape.layers} layers, ${whole(shape.hidden)} wide</summary>
      <${Slider} id="layers" label="Layers" ladder=${LADDERS.layers} value=${model.layers ?? shape.layers} show=${whole} onChange=${(layers) => byShape({ layers })} />
      <${Slider} id="hidden" label="Width" ladder=${LADDERS.hidden} value=${model.hidden ?? shape.hidden} show=${whole} onChange=${(hidden) => byShape({ hidden })}
        note=${`${shape.heads} heads of ${shape.head_dim}, ${shape.kv_heads} for keys and values; ${experts ? `experts ${whole(experts.width)} wide` : `feed-forward ${whole(shape.ffn)}`}; vocabulary ${whole(shape.vocab)}`} />
    </details>`}
  </fieldset>`;
}

function Training({ plan, overview, known, set, change }) {
  const { training } = plan;
  const byDays = training.days != null;
  const setLength = (fields) => change({ ...plan, training: { ...training, tokens: null, days: null, ...fields } });
  const chip = chipOf(known, plan);
  const possible = PRECISIONS.filter((name) => !chip || name === "bf16" || (name === "nvfp4" ? chip.tflops.fp4 : chip.tflops.fp8));
  const batch = training.global_batch;
  return html`<fieldset><legend>Training</legend>
    <${Choice} label="As long as" options=${["tokens", "days"]} value=${byDays ? "days" : "tokens"} names=${{ tokens: "it takes for tokens", days: "so many days" }}
      onChange=${(how) => setLength(how === "days" ? { days: Math.max(1, Math.round(overview?.best[0].days ?? 90)) } : { tokens: Number((overview?.tokens ?? 1e12).toPrecision(2)) })} />
    ${byDays
      ? html`<${Slider} id="days" label="Days" ladder=${LADDERS.days} value=${training.days} show=${(n) => String(Number(n.toPrecision(4)))} onChange=${(days) => setLength({ days })} note=${overview && `enough for ${short(overview.tokens)} tokens`} />`
      : html`<${Slider} id="tokens" label="Tokens" ladder=${LADDERS.tokens} value=${training.tokens} show=${short} onChange=${(tokens) => setLength({ tokens })} />`}
    <${Slider} id="sequence" label="Sequence" ladder=${LADDERS.sequence} value=${training.sequence} show=${whole} thousand=${1024} onChange=${(sequence) => set("training", { sequence: Math.round(sequence) })} />
    <${Slider} id="batch" label="Sequences per step" ladder=${LADDERS.batch} value=${batch} show=${whole} onChange=${(n) => set("training", { global_batch: Math.max(1, Math.round(n)) })} note=${`${short(batch * training.sequence)} tokens a step`} />
    <${Choice} label="Number format" options=${possible} value=${training.precision} onChange=${(precision) => set("training", { precision })} />
    <div class="pick"><label for="software">Software</label>
      <select id="software" value=${training.software ?? ""} onChange=${(event) => set("training", { software: event.target.value || null })}>
        <option value="" selected=${!training.software}>usual: ${chip?.software}</option>
        ${known.software.map(({ name }) => html`<option value=${name} selected=${name === training.software}>${name}</option>`)}</select></div>
  </fieldset>`;
}

function Cluster({ plan, overview, known, set, change }) {
  const { cluster } = plan;
  /** Another chip has other prices and links: those of the table. */
  const choose = (event) => {
    const chip = known.chips.find(({ name }) => name === event.target.value);
    const has = { nvfp4: chip.tflops.fp4, fp8: chip.tflops.fp8, mxfp8: chip.tflops.fp8 }[plan.training.precision];
    const precision = has || plan.training.precision === "bf16" ? plan.training.precision : "bf16";
    change({ ...plan, training: { ...plan.training, precision }, cluster: { ...cluster, chip: chip.name, usd_per_chip_hour: null, domain: null, nic_gb_s: null } });
  };
  const chip = chipOf(known, plan);
  return html`<fieldset><legend>Chips</legend>
    <div class="pick"><label for="chip">Chip</label>
      <select id="chip" value=${chip?.name} onChange=${choose}>${known.chips.map(({ name, date }) => html`<option value=${name} selected=${name === chip?.name}>${name} (${date.slice(0, 4)})</option>`)}</select>
      ${chip && html`<p class="small soft">${short(chip.tflops.bf16 * 1e12)}FLOP/s in bf16, ${chip.hbm_gib} GiB, ${chip.watts} W, ${chip.domain} to a domain</p>`}</div>
    <${Slider} id="chips" label="How many" ladder=${LADDERS.chips} value=${cluster.chips} show=${whole} onChange=${(chips) => set("cluster", { chips: Math.max(1, Math.round(chips)) })} />
    <${Choice} label="Best means" options=${["time", "cost", "energy"]} value=${plan.search.rank} names=${{ time: "soonest", cost: "cheapest", energy: "least energy" }} onChange=${(rank) => set("search", { rank })} />
    <details><summary>Network and failures</summary>
      <${Slider} id="nic" label="Network per chip, GB/s" ladder=${LADDERS.nic} value=${cluster.nic_gb_s ?? chip?.nic_gb_s} show=${String} onChange=${(nic_gb_s) => set("cluster", { nic_gb_s })} />
      <${Slider} id="failure" label="Chip-hours per failure" ladder=${LADDERS.failure} value=${cluster.chip_hours_per_failure ?? overview?.cluster.chip_hours_per_failure} show=${whole}
        onChange=${(chip_hours_per_failure) => set("cluster", { chip_hours_per_failure })} note="Llama 3: 50,700; OPT in 2021: 12,300" />
      <${Slider} id="restart" label="Seconds to restart" ladder=${LADDERS.restart} value=${cluster.restart_s ?? overview?.cluster.restart_s} show=${whole} onChange=${(restart_s) => set("cluster", { restart_s })} />
    </details>
  </fieldset>`;
}

function Money({ plan, overview, set }) {
  const { cluster } = plan;
  const of = (field) => cluster[field] ?? overview?.cluster[field];
  const one = (field, label, ladder, show, note) =>
    html`<${Slider} id=${field} label=${label} ladder=${ladder} value=${of(field)} show=${(n) => (n == null ? "" : show(n))} onChange=${(value) => set("cluster", { [field]: value })} note=${note} />`;
  return html`<fieldset><legend>Money and power</legend>
    ${one("usd_per_chip_hour", "Price of a chip-hour", LADDERS.hour, cents)}
    ${one("gco2_per_kwh", "Grid, g CO₂e per kWh", LADDERS.grid, whole)}
    <details><summary>Power</summary>
      ${one("power_share", "Drawn, of board power", LADDERS.power, (n) => percent(100 * n))}
      ${one("idle_share", "Drawn by idle chips, of board power", LADDERS.idle, (n) => percent(100 * n))}
      ${one("host_share", "Hosts and network, of board power", LADDERS.host, (n) => percent(100 * n))}
      ${one("pue", "PUE of the building", LADDERS.pue, (n) => n.toFixed(2))}
      ${one("usd_per_kwh", "Price of a kWh", LADDERS.kwh, cents)}
    </details>
  </fieldset>`;
}

function Growth({ plan, set }) {
  const { start, until, chips_per_month, run_months, unique_tokens } = plan.timeline;
  const [, perMonth] = chips_per_month ?? [0, 0, 0];
  const months = monthsBetween(start, until);
  return html`<fieldset><legend>Growth</legend>
    <${Slider} id="per-month" label="Chips more a month" ladder=${LADDERS.chipsPerMonth} value=${perMonth} show=${whole}
      onChange=${(n) => set("timeline", { chips_per_month: [(2 / 3) * n, n, (4 / 3) * n] })} note=${perMonth > 0 && "give or take a third"} />
    <details><summary>From ${monthName(start)}, ${months} months</summary>
      <div class="pick"><label for="start">Begins</label><input id="start" type="month" value=${start} onChange=${(event) => event.target.value && set("timeline", { start: event.target.value, until: later(event.target.value, months) })} /></div>
      <${Slider} id="months" label="Months shown" ladder=${LADDERS.months} value=${months} show=${whole} onChange=${(n) => set("timeline", { until: later(start, Math.min(600, Math.max(1, Math.round(n)))) })} />
      <${Slider} id="run-months" label="Months of one run" ladder=${LADDERS.runMonths} value=${run_months} show=${whole} onChange=${(n) => set("timeline", { run_months: n })} />
      <${Slider} id="unique" label="Different tokens there are" ladder=${LADDERS.unique} value=${unique_tokens ?? 15e12} show=${short} onChange=${(n) => set("timeline", { unique_tokens: n })} />
    </details>
  </fieldset>`;
}
