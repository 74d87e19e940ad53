//! Energy where nothing can be measured: busy time times watts, stated as such and with a range.
//!
//! Processor: seconds this process kept a core busy (user and system time of all its threads, from `/proc/self/stat`)
//! times the watts of one busy core: the design power of the processor divided by its cores, see [`super::watts`].
//! Memory: 0.375 W per gigabyte for the whole time, as CodeCarbon assumes (3 W per 8 GB); modern modules need between
//! a third and one and a half times that. What is left out: fans, drives, supply losses. The declared PUE does not
//! cover them either, so a reader who wants a figure at the wall should expect 10 to 30 % more.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::watts::{self, PerCore};
use super::{Component, Method, Options, Part, Source};

/// Clock ticks per second in `/proc`; the kernel's interface has used 100 on every architecture for two decades.
const TICKS_PER_SECOND: f64 = 100.0;

const WATTS_PER_GB: f64 = 0.375;
const WATTS_PER_GB_RANGE: [f64; 2] = [0.125, 0.56];

pub(super) struct Cores {
    stat: PathBuf,
    watts: PerCore,
    /// Used where `/proc` does not exist: all cores count as busy.
    cores: usize,
    last: Moment,
}

#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    busy_s: Option<f64>,
}

impl Cores {
    pub(super) fn start(options: &Options, now: Instant) -> Self {
        let stat = options.proc.join("self/stat");
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let watts = match options.watts_per_core {
            Some(declared) if declared > 0.0 && declared.is_finite() => PerCore::declared(declared),
            _ => watts::per_core(&cpu_name(&options.proc)),
        };
        let last = Moment { at: now, busy_s: busy_seconds(&stat) };
        Self { stat, watts, cores, last }
    }
}

impl Source for Cores {
    fn read(&mut self, now: Instant) -> Vec<Part> {
        let busy_s = busy_seconds(&self.stat);
        let used = match (busy_s, self.last.busy_s) {
            (Some(now), Some(before)) => now - before,
            _ => now.saturating_duration_since(self.last.at).as_secs_f64() * self.cores as f64,
        };
        self.last = Moment { at: now, busy_s };
        let used = used.max(0.0);
        vec![Part {
            component: Component::Processor,
            method: Method::Estimate,
            joules: used * self.watts.watts,
            low: used * self.watts.low,
            high: used * self.watts.high,
        }]
    }

    fn describe(&self) -> String {
        let busy = match self.last.busy_s {
            Some(_) => "core-seconds this process was busy".to_string(),
            None => format!("all {} cores counted as busy the whole time", self.cores),
        };
        let PerCore { watts, low, high, source } = &self.watts;
        format!(
            "Processor estimated: {busy} × {watts:.2} W per core ({low:.2} to {high:.2}; {source})."
        )
    }
}

pub(super) struct Memory {
    gigabytes: f64,
    last: Instant,
}

impl Memory {
    pub(super) fn start(bytes: u64, now: Instant) -> Self {
        Self { gigabytes: bytes as f64 / 1e9, last: now }
    }
}

impl Source for Memory {
    fn read(&mut self, now: Instant) -> Vec<Part> {
        let seconds = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        let gb_seconds = self.gigabytes * seconds;
        let [low, high] = WATTS_PER_GB_RANGE.map(|watts| gb_seconds * watts);
        vec![Part {
            component: Component::Memory,
            method: Method::Estimate,
            joules: gb_seconds * WATTS_PER_GB,
            low,
            high,
        }]
    }

    fn describe(&self) -> String {
        let [low, high] = WATTS_PER_GB_RANGE;
        format!(
            "Memory estimated: {:.1} GB × {WATTS_PER_GB} W per GB ({low} to {high}; CodeCarbon's assumption).",
            self.gigabytes
        )
    }
}

/// User and system time of all threads of this process: fields 14 and 15, counted behind the program's name, which
/// stands in parentheses and may hold anything.
fn busy_seconds(stat: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(stat).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn cpu_name(proc: &Path) -> String {
    let text = std::fs::read_to_string(proc.join("cpuinfo")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or(String::new(), |(_, name)| name.trim().into())
}

/// All memory of the machine.
pub(super) fn memory_bytes(proc: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(proc.join("meminfo")).ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(kilobytes.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
