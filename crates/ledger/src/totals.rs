//! From a journal to sums: work, energy, time, and what of them was in vain.
//!
//! `model_flop` and `palm_flop` count the steps that stand. Rolled-back steps, evaluations and samples are shares of
//! their own; `issued_flop`, energy and time count everything, because everything was paid for.

use serde::Serialize;

use crate::energy::Reading;
use crate::history::History;
use crate::number::Sum;
use crate::record::Step;

const JOULES_PER_KWH: f64 = 3.6e6;

/// A value and the interval it is believed to lie in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Range {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Range {
    fn scaled(self, value: f64, low: f64, high: f64) -> Self {
        Self { value: self.value * value, low: self.low * low, high: self.high * high }
    }
}

/// One kind of work.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Share {
    /// Steps, evaluations or samples.
    pub count: u64,
    pub tokens: u64,
    pub model_flop: f64,
    pub palm_flop: f64,
    pub hardware_flop: f64,
    pub seconds: f64,
    pub energy: Reading,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Steps that stand.
    pub training: Share,
    /// Steps that were done and rolled back.
    pub wasted: Share,
    pub evaluation: Share,
    pub sampling: Share,
    /// Steps among `training` whose gradient was not applied.
    pub skipped_steps: u64,
    /// Steps that a checkpoint proves and the journal does not hold.
    pub unaccounted_steps: u64,
    /// Hardware FLOPs of all shares.
    pub issued_flop: f64,
    /// Energy of all shares.
    pub energy: Reading,
    /// Records of work that say nothing about energy.
    pub unmetered: u64,
    /// From the first line to the last.
    pub wall_s: f64,
    /// Of that, when no process ran.
    pub downtime_s: f64,
    /// Time spent in steps, evaluations and samples.
    pub busy_s: f64,
    /// Time training stood still for checkpoints.
    pub stalled_s: f64,
    pub sessions: u64,
    pub checkpoints: u64,
    pub kwh: Range,
    /// At the meter of the building, where a PUE is declared.
    pub kwh_at_meter: Option<Range>,
    /// Grams of CO2 equivalent, where the grid is declared.
    pub co2e_g: Option<Range>,
    /// Share of issued FLOPs that was rolled back, 0 to 1.
    pub wasted_share: f64,
    /// Model FLOPs per second of training ÷ the machine's highest rate, where that is known.
    pub model_utilisation: Option<f64>,
    pub hardware_utilisation: Option<f64>,
}

impl Totals {
    pub fn of(history: &History<'_>) -> Self {
        let mut totals = Self {
            training: steps(history, true),
            wasted: steps(history, false),
            skipped_steps: history.surviving().filter(|step| step.skipped.is_some()).count() as u64,
            unaccounted_steps: history.unaccounted_steps,
            sessions: history.sessions.len() as u64,
            checkpoints: history.checkpoints.len() as u64,
            stalled_s: history.checkpoints.iter().map(|told| told.record.stall_seconds).sum(),
            ..Self::default()
        };
        let evaluations = history.evaluations.iter().map(|told| told.record);
        totals.evaluation = others(evaluations.map(|e| (e.flop, e.seconds, &e.energy)));
        let samples = history.samples.iter().map(|told| told.record);
        totals.sampling = others(samples.map(|s| (s.flop, s.seconds, &s.energy)));
        totals.unmetered = unmetered(history);
        totals.time(history);
        totals.unite(history);
        totals
    }

    pub fn shares(&self) -> [(&'static str, &Share); 4] {
        [
            ("training", &self.training),
            ("rolled back", &self.wasted),
            ("evaluation", &self.evaluation),
            ("samples", &self.sampling),
        ]
    }

    fn time(&mut self, history: &History<'_>) {
        let sessions = &history.sessions;
        let gaps = sessions.windows(2).map(|pair| pair[1].from.duration_since(pair[0].until));
        self.downtime_s = gaps.map(|gap| gap.as_secs_f64().max(0.0)).sum();
        if let (Some(first), Some(last)) = (sessions.first(), sessions.last()) {
            self.wall_s = last.until.duration_since(first.from).as_secs_f64().max(0.0);
        }
        self.busy_s = self.shares().iter().map(|(_, share)| share.seconds).sum();
    }

    fn unite(&mut self, history: &History<'_>) {
        self.issued_flop = self.shares().iter().map(|(_, share)| share.hardware_flop).sum();
        let mut energy = Reading::default();
        self.shares().iter().for_each(|(_, share)| energy += &share.energy);
        self.energy = energy;
        self.wasted_share = ratio(self.wasted.hardware_flop, self.issued_flop).unwrap_or(0.0);
        let joules =
            Range { value: self.energy.joules(), low: self.energy.low(), high: self.energy.high() };
        self.kwh = joules.scaled(1.0 / JOULES_PER_KWH, 1.0 / JOULES_PER_KWH, 1.0 / JOULES_PER_KWH);
        let declared = &history.started.declared;
        self.kwh_at_meter = declared.pue.map(|pue| self.kwh.scaled(pue, pue, pue));
        self.co2e_g = declared.grid_g_per_kwh.map(|grams| {
            let low = declared.grid_low_g_per_kwh.unwrap_or(grams);
            let high = declared.grid_high_g_per_kwh.unwrap_or(grams);
            self.kwh_at_meter.unwrap_or(self.kwh).scaled(grams, low, high)
        });
        let peak = history.started.host.peak_flop_per_s;
        let rate = |flop| Some(ratio(flop, self.training.seconds)? / peak.filter(|p| *p > 0.0)?);
        self.model_utilisation = rate(self.training.model_flop);
        self.hardware_utilisation = rate(self.training.hardware_flop);
    }
}

fn steps(history: &History<'_>, survived: bool) -> Share {
    let steps = history.steps.iter().filter(|told| told.survived == survived);
    let steps: Vec<&Step> = steps.map(|told| told.record).collect();
    let sum = |of: fn(&Step) -> f64| {
        let mut sum = Sum::default();
        steps.iter().for_each(|step| sum.add(of(step)));
        sum.get()
    };
    let mut energy = Reading::default();
    steps.iter().for_each(|step| energy += &step.energy);
    Share {
        count: steps.len() as u64,
        tokens: steps.iter().map(|step| step.tokens).sum(),
        model_flop: sum(|step| step.model_flop),
        palm_flop: sum(|step| step.palm_flop),
        hardware_flop: sum(|step| step.hardware_flop),
        seconds: sum(|step| step.seconds),
        energy,
    }
}

/// Forward passes: model and hardware FLOPs are the same there.
fn others<'a>(work: impl Iterator<Item = (f64, f64, &'a Reading)>) -> Share {
    let mut share = Share::default();
    let (mut flop, mut seconds) = (Sum::default(), Sum::default());
    for (more_flop, more_seconds, energy) in work {
        share.count += 1;
        flop.add(more_flop);
        seconds.add(more_seconds);
        share.energy += energy;
    }
    (share.model_flop, share.palm_flop, share.hardware_flop) = (flop.get(), flop.get(), flop.get());
    share.seconds = seconds.get();
    share
}

fn unmetered(history: &History<'_>) -> u64 {
    let steps = history.steps.iter().map(|told| &told.record.energy);
    let evaluations = history.evaluations.iter().map(|told| &told.record.energy);
    let samples = history.samples.iter().map(|told| &told.record.energy);
    steps.chain(evaluations).chain(samples).filter(|energy| energy.is_empty()).count() as u64
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
