// A training run on paper: sliders to the left, what comes of them to the right, searched again while a slider moves.
import { html, useEffect, useMemo, useState } from "./html.js";
import { get, post } from "./api.js";
import { announce } from "./announce.js";
import { Controls } from "./plan-controls.js";
import { Accuracy, Growing } from "./plan-charts.js";
import { Energy, Haste, Headline, Layouts, sentence, TakeAlong } from "./plan-results.js";
import { opened, remember, remembered } from "./plan-state.js";

/** A slider says many values on its way; a search for each would only be stopped again. */
const SETTLE_MS = 40;
/** The five searches of other numbers of chips wait until one looks. */
const HASTE_MS = 400;
/** Read out when the sliders rest. */
const QUIET_MS = 1200;

export function Plan() {
  const [known, setKnown] = useState(null);
  const [plan, setPlan] = useState(remembered());
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    get("plan").then((told) => { setKnown(told); setPlan((now) => now ?? opened(told.examples[0])); }, (error) => setTrouble(error.message));
  }, []);
  useEffect(() => remember(plan), [plan]);
  if (!known || !plan) return html`<div class="page"><header><h1>Plan a training run</h1></header>
    ${trouble ? html`<p class="note bad" role="alert">${trouble}</p>` : html`<p class="soft pulse" role="status">Predicting every published run once…</p>`}</div>`;
  return html`<${Desk} known=${known} plan=${plan} setPlan=${setPlan} />`;
}

function Desk({ known, plan, setPlan }) {
  const { overview, trouble, busy } = useOverview(plan);
  const [at, setAt] = useState(0);
  useEffect(() => setAt(0), [overview]);
  const chosen = overview?.best[at] ?? overview?.best[0];
  const choices = useChoices(plan, overview);
  const example = known.examples.findIndex((one) => one.model.name === plan.model.name);
  return html`<div class="page planner">
    <header><h1>Plan a training run</h1>
      <p class="soft">Layout, days, money, energy, failures: predicted from ${known.points.length} published runs. Move a slider.</p>
      <div class="kinds" role="group" aria-label="Begin with">${known.examples.map((one, i) => html`<button type="button" aria-pressed=${String(i === example)} onClick=${() => setPlan(opened(one))}>${one.model.name}</button>`)}</div></header>
    ${chosen && html`<p class="glance numbers" aria-hidden="true">${sentence(overview, chosen)}</p>`}
    <${Controls} plan=${plan} overview=${overview} known=${known} change=${setPlan} />
    <div class=${`results ${busy ? "busy" : ""}`}>
      ${trouble && html`<p class="note bad" role="alert">${trouble}</p>`}
      ${chosen && html`<div class="first"><${Headline} overview=${overview} chosen=${chosen} /></div>
        <${Layouts} overview=${overview} at=${at} choose=${setAt} />
        <${Growing} timeline=${overview.timeline} />
        <${Energy} overview=${overview} chosen=${chosen} />
        <${Haste} choices=${choices} chips=${overview.cluster.chips} use=${(chips) => setPlan({ ...plan, cluster: { ...plan.cluster, chips } })} />
        <${Trust} known=${known} />
        <${TakeAlong} plan=${plan} overview=${overview} />`}
    </div>
  </div>`;
}

/** The scatter does not depend on the plan, so it is not drawn again with it. */
function Trust({ known }) {
  return useMemo(() => html`<${Accuracy} points=${known.points} groups=${known.groups} />`, [known]);
}

/** What the server makes of the plan. A changed plan stops the search before it, here and there. */
function useOverview(plan) {
  const [state, setState] = useState({ overview: null, trouble: "", busy: true });
  useEffect(() => {
    const abort = new AbortController();
    const set = (change) => setState((before) => ({ ...before, ...change }));
    set({ busy: true });
    const timer = setTimeout(() => {
      post("plan", plan, abort.signal).then(
        (overview) => set({ overview, trouble: "", busy: false }),
        (error) => error.name === "AbortError" || set({ trouble: error.message, busy: false }),
      );
    }, SETTLE_MS);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [plan]);
  useEffect(() => {
    if (!state.overview && !state.trouble) return;
    const timer = setTimeout(() => announce(state.trouble || `The best layout takes ${sentence(state.overview, state.overview.best[0])}.`), QUIET_MS);
    return () => clearTimeout(timer);
  }, [state.overview, state.trouble]);
  return state;
}

/** The same tokens on other numbers of chips, once the plan rests. */
function useChoices(plan, overview) {
  const [choices, setChoices] = useState(null);
  useEffect(() => {
    if (!overview) return;
    const abort = new AbortController();
    const fixed = { ...plan, training: { ...plan.training, tokens: overview.tokens, days: null }, timeline: null, claim: [] };
    const timer = setTimeout(() => post("plan/choices", fixed, abort.signal).then(setChoices, () => {}), HASTE_MS);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [overview]);
  return choices;
}
