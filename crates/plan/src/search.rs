//! All valid layouts of a plan, costed and ranked.
//!
//! A layout is valid when tensor-parallel ranks share heads evenly and stay in a scale-up domain, no pipeline stage is
//! empty, micro-batches divide the batch, experts divide among their ranks, interleaved stages get micro-batches in
//! whole rounds, and a context is split into no less than 4,096 tokens.
//! Every number of replicas that divides the batch is tried. Ranked by time, chips left over idle: they are paid, draw
//! idle power, and their failures stop nothing ([`Chips`]). Ranked by cost or energy, only used chips are paid.
//!
//! A split is skipped only when its lower bound — matrix products alone, at the achievable rate, with nothing moved
//! and no idle stage — is above the worst layout kept so far. The bound never exceeds the true step time
//! (`tests/search.rs` checks that, and that skipping changes no result), so the best layouts are exact.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde::Serialize;

use crate::Error;
use crate::layout::{Layout, Recompute};
use crate::memory::{Memory, memory};
use crate::plan_file::Plan;
use crate::predict::can_offload;
use crate::step::Breakdown;
use crate::whole_run::{Chips, Totals, WholeRun, totals, whole_run};

/// A layout that fits, with what it costs.
#[derive(Debug, Clone, Serialize)]
pub struct Candidate {
    pub layout: Layout,
    pub chips_used: u32,
    pub step_s: f64,
    pub tokens_per_s: f64,
    /// Model FLOPs, causal attention counted once, over the bf16 peak of all chips that are paid.
    pub mfu_pct: f64,
    pub memory_gb: f64,
    pub capacity_gb: f64,
    pub breakdown: Breakdown,
    pub memory: Memory,
    #[serde(flatten)]
    pub run: WholeRun,
}

#[derive(Debug, Clone, Serialize)]
pub struct Found {
    pub best: Vec<Candidate>,
    /// Tokens of the run: the plan's, or what its days are enough for.
    pub tokens: f64,
    /// Layouts whose memory and, where they fit, time and money were computed.
    pub layouts: usize,
    pub fitting: usize,
    /// Splits skipped by their bound.
    pub splits_skipped: usize,
    pub seconds: f64,
    pub layouts_per_s: f64,
    pub threads: usize,
}

/// Cheap copy of a costed layout, for ranking.
#[derive(Debug, Clone, Copy)]
struct Costed {
    score: f64,
    layout: Layout,
}

/// One way to divide the chips, before the choices inside it.
#[derive(Debug, Clone, Copy)]
struct Split {
    tp: u32,
    pp: u32,
    cp: u32,
    micro_batch: u32,
    dp: u32,
}

/// Searches with `threads` threads; `prune: false` costs every layout.
pub fn search(plan: &Plan<'_>, threads: usize, prune: bool) -> Result<Found, Error> {
    search_unless(plan, threads, prune, &AtomicBool::new(false))
}

/// The same, given up with [`Error::Stopped`] soon after `stop` is set.
pub fn search_unless(
    plan: &Plan<'_>,
    threads: usize,
    prune: bool,
    stop: &AtomicBool,
) -> Result<Found, Error> {
    let begun = Instant::now();
    let splits = splits(plan);
    let next = AtomicUsize::new(0);
    let (layouts, fitting, skipped) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let top = plan.search.top.clamp(1, 1000);
    let kept: Mutex<Vec<Costed>> = Mutex::new(Vec::new());
    let threads = threads.clamp(1, 256);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while let Some(split) = splits.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let worst = {
                        let kept = kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        if kept.len() == top { kept[top - 1].score } else { f64::INFINITY }
                    };
                    let used = split.tp * split.pp * split.cp * split.dp;
                    if prune && score(plan, used, lower_bound(plan, used)) > worst {
                        skipped.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    mine.clear();
                    let (seen, held) = cost_split(plan, split, &mut mine);
                    layouts.fetch_add(seen, Ordering::Relaxed);
                    fitting.fetch_add(held, Ordering::Relaxed);
                    keep_best(&mut mine, top);
                    let mut kept = kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    kept.extend_from_slice(&mine);
                    keep_best(&mut kept, top);
                }
            });
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Stopped);
    }
    let seconds = begun.elapsed().as_secs_f64().max(1e-9);
    let layouts = layouts.into_inner();
    let kept = kept.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    if kept.is_empty() {
        return Err(no_layout(plan, layouts));
    }
    let plan = &with_tokens(plan, &kept[0].layout);
    Ok(Found {
        best: kept.iter().map(|costed| candidate(plan, &costed.layout)).collect(),
        tokens: plan.tokens,
        layouts,
        fitting: fitting.into_inner(),
        splits_skipped: skipped.into_inner(),
        seconds,
        layouts_per_s: layouts as f64 / seconds,
        threads,
    })
}

/// The plan with the tokens that its days are enough for under a layout. The order of layouts does not depend on
/// them: time, money and energy all grow with the steps.
fn with_tokens<'a>(plan: &Plan<'a>, layout: &Layout) -> Plan<'a> {
    let mut plan = plan.clone();
    if let Some(days) = plan.days {
        let step_s = plan.job.step(layout).total_s;
        let one = totals(&plan.cluster, chips(&plan, layout.chips()), 1.0, step_s);
        let steps = (days / one.days).floor().max(1.0);
        plan.tokens = steps * plan.job.global_batch * plan.job.seq;
    }
    plan
}

fn no_layout(plan: &Plan<'_>, layouts: usize) -> Error {
    let bytes = 18.0 * plan.job.shape.parameters();
    let chip = plan.job.chip;
    let reason = if layouts == 0 {
        "no split of the chips divides heads, layers and batch; try a batch with more divisors"
            .to_string()
    } else {
        format!(
            "none of {layouts} layouts fits in {:.0} GB a chip; weights, gradients and Adam alone are {:.0} GB, so use \
             at least {:.0} chips, a smaller micro-batch or a shorter sequence",
            chip.memory_bytes() / 1e9,
            bytes / 1e9,
            (1.5 * bytes / chip.memory_bytes()).ceil()
        )
    };
    Error::NoLayout { chips: plan.cluster.chips, chip: chip.name.clone(), reason }
}

fn order(a: &Costed, b: &Costed) -> std::cmp::Ordering {
    let key = |l: &Layout| {
        let division = (l.tp, l.pp, l.cp, l.ep, l.vpp, l.micro_batch);
        (division, l.recompute, l.full_layers_pct, l.zero, l.dp)
    };
    a.score.total_cmp(&b.score).then_with(|| key(&a.layout).cmp(&key(&b.layout)))
}

/// Keeps the best layout of each division into tp, pp, cp and ep, and of those the `top` best: ten variants of one
/// division would tell a person less than ten divisions.
fn keep_best(layouts: &mut Vec<Costed>, top: usize) {
    layouts.sort_by(order);
    let mut seen = HashSet::new();
    layouts.retain(|c| seen.insert((c.layout.tp, c.layout.pp, c.layout.cp, c.layout.ep)));
    layouts.truncate(top);
}

/// The chips paid for when `used` work: all of the cluster where time counts, otherwise the rest is given back.
fn chips(plan: &Plan<'_>, used: u32) -> Chips {
    let paid = if plan.search.rank == "time" { plan.cluster.chips.max(used) } else { used };
    Chips { working: f64::from(used), idle: f64::from(paid - used) }
}

/// What is ranked.
fn score(plan: &Plan<'_>, used: u32, step_s: f64) -> f64 {
    let steps = plan.tokens / (plan.job.global_batch * plan.job.seq);
    let Totals { days, dollars, kwh, .. } = totals(&plan.cluster, chips(plan, used), steps, step_s);
    match plan.search.rank.as_str() {
        "cost" => dollars,
        "energy" => kwh,
        _ => days,
    }
}

/// Seconds that no layout of so many chips can go below.
pub fn lower_bound(plan: &Plan<'_>, used: u32) -> f64 {
    plan.job.matmul_bound() / f64::from(used)
}

fn powers(limit: u32) -> impl Iterator<Item = u32> {
    (0..31).map(|power| 1_u32 << power).take_while(move |n| *n <= limit)
}

fn divisors(n: u32) -> impl Iterator<Item = u32> {
    (1..=n).filter(move |d| n.is_multiple_of(*d))
}

/// The largest divisor of `n` that is at most `limit`.
fn largest_divisor(n: u32, limit: u32) -> u32 {
    (1..=limit.min(n)).rev().find(|d| n.is_multiple_of(*d)).unwrap_or(0)
}

fn splits(plan: &Plan<'_>) -> Vec<Split> {
    let shape = &plan.job.shape;
    let limits = &plan.search;
    let capped = |own: u32, limit: u32| if limit == 0 { own } else { own.min(limit) };
    let chips = plan.cluster.chips;
    let batch = plan.job.global_batch.min(f64::from(u32::MAX)) as u32;
    let heads = shape.heads as u32;
    let domain = plan.job.network.domain as u32;
    let layers = shape.layers as u32;
    // Ring attention merges what fused kernels give, and nobody is known to have run it on less than this.
    let parts =
        if plan.job.fused_attention() { plan.job.seq / TOKENS_PER_CONTEXT_RANK } else { 1.0 };
    let max_cp = capped(parts.max(1.0) as u32, limits.max_cp);
    let mut out = Vec::new();
    for tp in powers(capped(domain.clamp(1, 64), limits.max_tp)) {
        if !heads.is_multiple_of(tp) {
            continue;
        }
        for pp in 1..=capped(layers.min(chips), limits.max_pp) {
            // The last stage may have fewer layers, but must have some.
            if (pp - 1) * layers.div_ceil(pp) >= layers {
                continue;
            }
            for cp in powers(max_cp) {
                let group = tp.saturating_mul(pp).saturating_mul(cp);
                if group > chips {
                    continue;
                }
                for micro_batch in powers(limits.max_micro_batch.clamp(1, 1024)) {
                    if !batch.is_multiple_of(micro_batch) {
                        continue;
                    }
                    // Fewer replicas may be cheaper, or faster: their micro-batches may come in whole rounds. So more
                    // chips never make a plan slower.
                    let mut dp = largest_divisor(batch / micro_batch, chips / group);
                    while dp > 0 {
                        out.push(Split { tp, pp, cp, micro_batch, dp });
                        dp = largest_divisor(batch / micro_batch, dp - 1);
                    }
                }
            }
        }
    }
    // Splits that use more chips first: good layouts early make the bound bite.
    out.sort_by_key(|s| std::cmp::Reverse(u64::from(s.tp * s.pp * s.cp) * u64::from(s.dp)));
    out
}

/// Share of the memory that a plan leaves free: allocators fragment it, and communicators grow.
const RESERVE: f64 = 0.05;

/// Llama 3.1 405B on H100 and GB300 (Megatron-Bridge); published runs with longer contexts have 8,192 and more.
const TOKENS_PER_CONTEXT_RANK: f64 = 4096.0;

/// Modes with the share of the layers that they apply to.
const RECOMPUTE: [(Recompute, u8); 8] = [
    (Recompute::None, 100),
    (Recompute::Selective, 100),
    (Recompute::Offload, 25),
    (Recompute::Offload, 50),
    (Recompute::Offload, 60),
    (Recompute::Mlp, 100),
    (Recompute::Full, 25),
    (Recompute::Full, 100),
];

/// Costs all layouts of a split; returns how many there were and how many fit.
fn cost_split(plan: &Plan<'_>, split: &Split, out: &mut Vec<Costed>) -> (usize, usize) {
    let job = &plan.job;
    let (mut seen, mut fit) = (0, 0);
    let per_stage = ((job.shape.layers / f64::from(split.pp)).ceil() as u32).max(1);
    let ranks = split.tp.saturating_mul(split.cp).saturating_mul(split.dp);
    let experts = job.shape.experts.map_or(1, |experts| experts.n_experts as u32);
    let capacity = (1.0 - RESERVE) * job.chip.memory_bytes();
    // Interleaved stages take micro-batches in rounds of as many as there are stages.
    let micro_batches = job.global_batch / (f64::from(split.dp) * f64::from(split.micro_batch));
    let rounds = split.pp > 1 && micro_batches % f64::from(split.pp) == 0.0;
    let offloads = split.pp == 1 && can_offload(job);
    for ep in divisors(experts).filter(|ep| *ep == 1 || ranks.is_multiple_of(*ep)) {
        for vpp in divisors(if rounds { per_stage } else { 1 }) {
            for (recompute, full_layers_pct) in RECOMPUTE {
                if recompute == Recompute::Offload && !offloads {
                    continue;
                }
                for zero in [1, 3] {
                    if zero == 3 && split.pp > 1 {
                        continue;
                    }
                    let layout = Layout {
                        tp: split.tp,
                        pp: split.pp,
                        vpp,
                        dp: split.dp,
                        cp: split.cp,
                        ep,
                        micro_batch: split.micro_batch,
                        recompute,
                        full_layers_pct,
                        zero,
                        sequence_parallel: split.tp > 1,
                    };
                    seen += 1;
                    if !memory(job, &layout).fits(capacity) {
                        continue;
                    }
                    fit += 1;
                    let score = score(plan, layout.chips(), job.step(&layout).total_s);
                    out.push(Costed { score, layout });
                }
            }
        }
    }
    (seen, fit)
}

/// Everything about one layout.
pub fn candidate(plan: &Plan<'_>, layout: &Layout) -> Candidate {
    let job = &plan.job;
    let breakdown = job.step(layout);
    let bytes = memory(job, layout);
    let tokens = job.global_batch * job.seq;
    let flops = job.shape.training_flops(job.seq, true) * tokens;
    let chips = chips(plan, layout.chips());
    let peak = job.chip.peak(crate::chips::Precision::Bf16) * chips.paid();
    Candidate {
        layout: *layout,
        chips_used: layout.chips(),
        step_s: breakdown.total_s,
        tokens_per_s: tokens / breakdown.total_s,
        mfu_pct: 100.0 * flops / breakdown.total_s / peak,
        memory_gb: bytes.total / 1e9,
        capacity_gb: job.chip.memory_bytes() / 1e9,
        run: whole_run(plan, chips, &breakdown),
        breakdown,
        memory: bytes,
    }
}

/// Why a layout is not the winner: what its best completion costs more, part by part.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    pub asked: String,
    /// The best layout with the asked values, if any is valid and fits.
    pub best: Option<Candidate>,
    pub reason: String,
}

/// Explains a partial layout such as `tp=8,pp=4`.
pub fn why(plan: &Plan<'_>, asked: &str, winner: &Candidate) -> Result<Why, Error> {
    let mut wanted = Vec::new();
    for part in asked.split([',', ' ']).filter(|part| !part.is_empty()) {
        let known = ["tp", "pp", "cp", "dp", "ep", "vpp", "mbs"];
        let pair =
            part.split_once('=').map(|(name, value)| (name.trim(), value.trim().parse::<u32>()));
        match pair {
            Some((name, Ok(value))) if known.contains(&name) => {
                wanted.push((name.to_string(), value));
            }
            _ => {
                let reason = "a list of tp, pp, cp, dp, ep, vpp and mbs with numbers is asked for";
                return Err(Error::field("--why", part, reason, "tp=8,pp=4"));
            }
        }
    }
    let is_asked = |layout: &Layout| {
        wanted.iter().all(|(name, value)| {
            let own = match name.as_str() {
                "tp" => layout.tp,
                "pp" => layout.pp,
                "cp" => layout.cp,
                "dp" => layout.dp,
                "ep" => layout.ep,
                "vpp" => layout.vpp,
                _ => layout.micro_batch,
            };
            own == *value
        })
    };
    let unlimited = Plan {
        search: crate::plan_file::SearchPart { top: usize::MAX, ..plan.search.clone() },
        ..plan.clone()
    };
    let (mut all, mut seen) = (Vec::new(), 0);
    let mut smallest: Option<(f64, Layout)> = None;
    for split in splits(&unlimited) {
        let stub = Layout {
            tp: split.tp,
            pp: split.pp,
            cp: split.cp,
            dp: split.dp,
            micro_batch: split.micro_batch,
            ..winner.layout
        };
        let free = ["ep", "vpp"];
        if !wanted
            .iter()
            .filter(|(name, _)| !free.contains(&name.as_str()))
            .all(|(name, value)| is_same(&stub, name, *value))
        {
            continue;
        }
        let mut mine = Vec::new();
        seen += cost_split(plan, &split, &mut mine).0;
        all.extend(mine.into_iter().filter(|costed| is_asked(&costed.layout)));
        let least =
            Layout { recompute: Recompute::Full, full_layers_pct: 100, vpp: 1, ep: 1, ..stub };
        let bytes = memory(&plan.job, &least).total;
        if smallest.as_ref().is_none_or(|(best, _)| bytes < *best) {
            smallest = Some((bytes, least));
        }
    }
    all.sort_by(order);
    let Some(first) = all.first() else {
        let reason = match smallest {
            Some((bytes, layout)) if seen > 0 => format!(
                "no completion fits: even {layout} needs {:.0} of {:.0} GB",
                bytes / 1e9,
                plan.job.chip.memory_bytes() / 1e9
            ),
            _ => "no valid layout has these values: they must divide heads, layers, experts, batch and chips".into(),
        };
        return Ok(Why { asked: asked.into(), best: None, reason });
    };
    let best = candidate(plan, &first.layout);
    let reason = compare(&best, winner);
    Ok(Why { asked: asked.into(), best: Some(best), reason })
}

fn is_same(layout: &Layout, name: &str, value: u32) -> bool {
    match name {
        "tp" => layout.tp == value,
        "pp" => layout.pp == value,
        "cp" => layout.cp == value,
        "dp" => layout.dp == value,
        _ => layout.micro_batch == value,
    }
}

/// The parts of the step in which one layout loses most against another, in words.
pub fn compare(one: &Candidate, winner: &Candidate) -> String {
    if one.layout == winner.layout {
        return "this is the winner".into();
    }
    let (a, b) = (&one.breakdown, &winner.breakdown);
    let mut parts = [
        ("matrix products", a.matmul_s - b.matmul_s),
        ("attention", a.attention_s - b.attention_s),
        ("element-wise work", a.elementwise_s - b.elementwise_s),
        ("recomputation", a.recompute_s - b.recompute_s),
        ("output head", a.head_s - b.head_s),
        ("tensor-parallel traffic", a.tp_s - b.tp_s),
        ("context-parallel traffic", a.cp_s - b.cp_s),
        ("expert traffic", a.ep_s - b.ep_s),
        ("pipeline bubble", a.bubble_s - b.bubble_s),
        ("traffic between stages", a.pp_s - b.pp_s),
        ("gradient and weight traffic", a.dp_s - b.dp_s),
        ("optimiser", a.optimizer_s - b.optimizer_s),
    ];
    parts.sort_by(|x, y| y.1.total_cmp(&x.1));
    let share = 100.0 * (one.step_s / winner.step_s - 1.0);
    let worst: Vec<String> = parts
        .iter()
        .take(3)
        .filter(|(_, seconds)| *seconds > 0.0)
        .map(|(name, seconds)| format!("{name} {seconds:+.2} s"))
        .collect();
    let gained = parts.last().filter(|(_, seconds)| *seconds < 0.0);
    let gained = gained
        .map_or(String::new(), |(name, seconds)| format!("; it gains {name} {seconds:+.2} s"));
    format!(
        "{} takes {:.2} s, {share:+.1} % against {}: {}{gained}",
        one.layout,
        one.step_s,
        winner.layout,
        worst.join(", ")
    )
}
