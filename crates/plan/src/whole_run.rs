//! From one step to the whole run: failures, checkpoints, days, money, energy.
//!
//! A run of `work` seconds on a machine that fails at random with mean time `mtbf`, saves for `save` seconds after
//! every `interval` seconds of work and needs `restart` seconds after a failure, takes (Daly 2006, equation 13)
//! `mtbf · e^(restart/mtbf) · (e^((interval+save)/mtbf) − 1) · work / interval` seconds in the mean. The best interval
//! is near √(2 · save · mtbf) (Young 1974), refined by Daly. [`simulate`] plays the same run event by event.
//!
//! Chips that a layout leaves idle are paid for and draw idle power, but their failures stop nothing ([`Chips`]).

use serde::Serialize;

use crate::plan_file::{Cluster, Plan};
use crate::step::Breakdown;

/// A value with the range that 90 % of samples lie in.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct Range {
    pub low: f64,
    pub mid: f64,
    pub high: f64,
}

/// The chips that a run pays for.
///
/// Only a failure of a chip at work stops the run: the mean time between failures, and with it checkpoints, goodput and
/// days, are those of `working`. Idle chips are spares. Whoever owns or rents a cluster pays for all of it, so money
/// counts both. Energy counts both as well, but an idle chip draws idle power (`idle_share` of the board's); its host,
/// its network and the cooling are on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chips {
    pub working: f64,
    pub idle: f64,
}

impl Chips {
    pub fn paid(&self) -> f64 {
        self.working + self.idle
    }
}

/// What a whole run takes.
#[derive(Debug, Clone, Serialize)]
pub struct WholeRun {
    pub steps: f64,
    pub days: f64,
    /// Share of wall time that ends up in the model.
    pub goodput: f64,
    /// Of chips at work, as are the hours between them.
    pub failures: f64,
    pub hours_between_failures: f64,
    pub checkpoint_interval_s: f64,
    /// For all chips that are paid, idle ones too.
    pub dollars: f64,
    pub energy_dollars: f64,
    /// With what idle chips draw.
    pub kwh: f64,
    pub kgco2e: f64,
    pub water_m3: f64,
    /// Paid ones.
    pub chip_hours: f64,
    /// Chips that are paid and have no part in the layout, and their share of the dollars and the energy above.
    pub idle_chips: f64,
    pub idle_dollars: f64,
    pub idle_kwh: f64,
    /// Spare chips that keep the run full while one failed node in a hundred waits for repair. Idle ones serve as such.
    pub spare_chips: f64,
    pub days_range: Range,
    pub dollars_range: Range,
    pub kwh_range: Range,
}

impl WholeRun {
    /// What is to be said of chips without work, if there are any.
    pub fn idle_in_words(&self) -> Option<String> {
        (self.idle_chips > 0.0).then(|| {
            format!(
                "{:.0} chips are left idle: spares ({:.0} are enough) whose failures stop nothing. They are paid, {:.2} \
                 million dollars of the sum, and draw idle power, {:.0} of the MWh.",
                self.idle_chips,
                self.spare_chips,
                self.idle_dollars / 1e6,
                self.idle_kwh / 1e3
            )
        })
    }
}

/// Seconds between checkpoints: Young's first-order optimum with Daly's correction (Daly 2006, equation 37).
pub fn best_interval(save: f64, mtbf: f64) -> f64 {
    if save >= 2.0 * mtbf {
        return mtbf;
    }
    let ratio = (save / (2.0 * mtbf)).sqrt();
    (2.0 * save * mtbf).sqrt() * (1.0 + ratio / 3.0 + ratio * ratio / 9.0) - save
}

/// Expected share of wall time that is work.
pub fn goodput(interval: f64, save: f64, restart: f64, mtbf: f64) -> f64 {
    let grown = (restart / mtbf).exp() * ((interval + save) / mtbf).exp_m1();
    interval / (mtbf * grown)
}

/// Random numbers: splitmix64, the same for the same seed on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// One played run: wall seconds and failures.
pub fn simulate(
    work: f64,
    interval: f64,
    save: f64,
    restart: f64,
    mtbf: f64,
    random: &mut Random,
) -> (f64, u64) {
    let (mut wall, mut done, mut failures) = (0.0, 0.0, 0_u64);
    let mut until_failure = random.exponential(mtbf);
    while done < work {
        let piece = interval.min(work - done);
        let needed = piece + save;
        if until_failure >= needed {
            until_failure -= needed;
            wall += needed;
            done += piece;
            continue;
        }
        // The piece is lost; a failure during the restart begins the restart again.
        wall += until_failure;
        failures += 1;
        until_failure = random.exponential(mtbf);
        while until_failure < restart {
            wall += until_failure;
            failures += 1;
            until_failure = random.exponential(mtbf);
        }
        until_failure -= restart;
        wall += restart;
    }
    (wall, failures)
}

/// The middle of everything for a step time, without ranges: cheap enough for every layout of a search.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    pub days: f64,
    pub goodput: f64,
    pub dollars: f64,
    pub kwh: f64,
}

/// Seconds between two failures that stop a run, in the mean.
fn seconds_between_failures(cluster: &Cluster, chips: Chips) -> f64 {
    cluster.chip_hours_per_failure * 3600.0 / chips.working
}

/// Totals of a run of `steps` steps of `step_s` seconds.
pub fn totals(cluster: &Cluster, chips: Chips, steps: f64, step_s: f64) -> Totals {
    let mtbf = seconds_between_failures(cluster, chips);
    let interval = best_interval(cluster.save_s, mtbf).max(1.0);
    let goodput = goodput(interval, cluster.save_s, cluster.restart_s, mtbf).max(1e-9);
    let wall_s = steps * step_s / goodput;
    let hours = wall_s / 3600.0;
    let watts = chips.working * cluster.watts_per_chip + chips.idle * cluster.watts_per_idle_chip;
    Totals {
        days: wall_s / 86400.0,
        goodput,
        dollars: hours * chips.paid() * cluster.usd_per_chip_hour,
        kwh: hours * watts / 1000.0,
    }
}

/// Spread of predicted over measured step times (`docs/planner-accuracy.md`), as a standard deviation of the log.
const STEP_SPREAD: f64 = 0.08;
/// Failure rates of published runs differ by this much (12,300 to 64,500 chip-hours per failure).
const FAILURE_SPREAD: f64 = 0.4;
const SAMPLES: usize = 500;

/// Everything about a run with one layout's step time.
pub fn whole_run(plan: &Plan<'_>, chips: Chips, step: &Breakdown) -> WholeRun {
    let cluster = &plan.cluster;
    let steps = (plan.tokens / (plan.job.global_batch * plan.job.seq)).ceil();
    let mid = totals(cluster, chips, steps, step.total_s);
    let mtbf = seconds_between_failures(cluster, chips);
    let [days_range, dollars_range, kwh_range] = ranges(cluster, chips, steps, step.total_s, &mid);
    let wall_s = mid.days * 86400.0;
    let hours = wall_s / 3600.0;
    WholeRun {
        steps,
        days: mid.days,
        goodput: mid.goodput,
        failures: wall_s / mtbf,
        hours_between_failures: mtbf / 3600.0,
        checkpoint_interval_s: best_interval(cluster.save_s, mtbf).max(1.0),
        dollars: mid.dollars,
        energy_dollars: mid.kwh * cluster.usd_per_kwh,
        kwh: mid.kwh,
        kgco2e: mid.kwh * cluster.gco2_per_kwh / 1000.0,
        water_m3: mid.kwh * cluster.water_l_per_kwh / 1000.0,
        chip_hours: hours * chips.paid(),
        idle_chips: chips.idle,
        idle_dollars: hours * chips.idle * cluster.usd_per_chip_hour,
        idle_kwh: hours * chips.idle * cluster.watts_per_idle_chip / 1000.0,
        spare_chips: (0.01 * chips.working / 8.0).ceil() * 8.0,
        days_range,
        dollars_range,
        kwh_range,
    }
}

/// Where nine in ten cases lie: days, dollars, kilowatt-hours. Failures, power, price and step time vary.
fn ranges(cluster: &Cluster, chips: Chips, steps: f64, step_s: f64, mid: &Totals) -> [Range; 3] {
    let mut random = Random(7);
    let mut samples: [Vec<f64>; 3] = Default::default();
    for _ in 0..SAMPLES {
        let mut varied = *cluster;
        varied.chip_hours_per_failure *= (FAILURE_SPREAD * random.normal()).exp();
        let power = 0.85 + 0.3 * random.uniform();
        varied.watts_per_chip *= power;
        varied.watts_per_idle_chip *= power;
        varied.usd_per_chip_hour *= 0.9 + 0.2 * random.uniform();
        let step_s = step_s * (STEP_SPREAD * random.normal()).exp();
        let one = totals(&varied, chips, steps, step_s);
        for (list, value) in samples.iter_mut().zip([one.days, one.dollars, one.kwh]) {
            list.push(value);
        }
    }
    let mids = [mid.days, mid.dollars, mid.kwh];
    std::array::from_fn(|i| {
        samples[i].sort_by(f64::total_cmp);
        let (low, high) = (samples[i][SAMPLES / 20], samples[i][SAMPLES - 1 - SAMPLES / 20]);
        Range { low, mid: mids[i], high }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_and_the_played_runs_agree_within_two_per_cent() {
        for (save, restart, mtbf) in [
            (15.0, 480.0, 11_000.0),
            (60.0, 900.0, 8_000.0),
            (5.0, 60.0, 3_000.0),
            (120.0, 300.0, 90_000.0),
        ] {
            let interval = best_interval(save, mtbf);
            let work = 4000.0 * mtbf;
            let (wall, _) = simulate(work, interval, save, restart, mtbf, &mut Random(1));
            let expected = work / goodput(interval, save, restart, mtbf);
            assert!((wall / expected - 1.0).abs() < 0.02, "{wall} against {expected}");
        }
    }

    #[test]
    fn no_interval_beats_the_best_interval_noticeably() {
        for (save, mtbf) in [(15.0, 11_000.0), (60.0, 8_000.0), (120.0, 90_000.0)] {
            let best = goodput(best_interval(save, mtbf), save, 300.0, mtbf);
            for factor in [0.5, 0.7, 0.9, 1.1, 1.4, 2.0] {
                let other = goodput(factor * best_interval(save, mtbf), save, 300.0, mtbf);
                assert!(other <= best * 1.0005, "{factor}: {other} > {best}");
            }
        }
    }

    /// arXiv 2407.21783, section 3.3.4: 419 unexpected interruptions in 54 days on 16,384 H100, over 90 % effective.
    #[test]
    fn llama_3s_run_has_about_419_interruptions_and_keeps_nine_tenths_of_its_time() {
        let mtbf = 50_700.0 * 3600.0 / 16_384.0;
        let (save, restart) = (15.0, 480.0);
        let interval = best_interval(save, mtbf);
        let share = goodput(interval, save, restart, mtbf);
        let (wall, failures) =
            simulate(54.0 * 86400.0 * share, interval, save, restart, mtbf, &mut Random(3));
        assert!((wall / 86400.0 - 54.0).abs() < 2.0, "{} days", wall / 86400.0);
        assert!((379..=459).contains(&failures), "{failures} interruptions");
        assert!(share >= 0.9, "{share}");
    }
}
