//! How much energy the machine used, and how that is known.
//!
//! A [`Meter`] is made of sources, one per component: the processor's own counters ([`rapl`]), the graphics card's
//! power sensor ([`nvidia`]), and where neither can be read a stated estimate ([`estimate`]). Each part of a
//! [`Reading`] says which it is. A measured part is what the counter says; an estimated part carries a range.
//!
//! RAPL and the card measure the whole package, other programs included; the estimate counts this process alone.

mod estimate;
mod nvidia;
mod rapl;
mod watts;

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// How a number of joules came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Counters of the processor (Running Average Power Limit), read through powercap.
    Rapl,
    /// Power sensor of the graphics card, sampled through `nvidia-smi` and summed over time.
    NvidiaSmi,
    /// Busy time times watts per core; gigabytes times watts per gigabyte.
    Estimate,
}

impl Method {
    pub fn is_measured(self) -> bool {
        self != Self::Estimate
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Rapl => "measured by RAPL",
            Self::NvidiaSmi => "measured by nvidia-smi",
            Self::Estimate => "estimated",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    Processor,
    Memory,
    Accelerator,
}

/// The energy of one component over some time. `low` and `high` equal `joules` where a counter was read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub component: Component,
    pub method: Method,
    pub joules: f64,
    pub low: f64,
    pub high: f64,
}

/// What the machine used since the reading before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reading {
    pub parts: Vec<Part>,
}

impl Reading {
    pub fn joules(&self) -> f64 {
        self.parts.iter().map(|part| part.joules).sum()
    }

    pub fn low(&self) -> f64 {
        self.parts.iter().map(|part| part.low).sum()
    }

    pub fn high(&self) -> f64 {
        self.parts.iter().map(|part| part.high).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether every part was read from a counter.
    pub fn is_measured(&self) -> bool {
        !self.is_empty() && self.parts.iter().all(|part| part.method.is_measured())
    }
}

impl std::ops::AddAssign<&Reading> for Reading {
    /// Adds part by part; a component known by two methods keeps two parts.
    fn add_assign(&mut self, other: &Reading) {
        for part in &other.parts {
            let same =
                |mine: &&mut Part| (mine.component, mine.method) == (part.component, part.method);
            match self.parts.iter_mut().find(same) {
                Some(mine) => {
                    mine.joules += part.joules;
                    mine.low += part.low;
                    mine.high += part.high;
                }
                None => self.parts.push(*part),
            }
        }
    }
}

/// Where to look, and what the owner of the machine knows better than its tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `/sys/class/powercap`.
    pub powercap: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
    /// The program that reads graphics cards; none where they do no work for this run.
    pub nvidia_smi: Option<PathBuf>,
    /// Watts of one busy core, where declared.
    pub watts_per_core: Option<f64>,
    /// Bytes of memory the run is held accountable for; 0 leaves memory out of the estimate.
    pub memory_bytes: u64,
}

impl Default for Options {
    /// This machine as Linux shows it, all of its memory, and no graphics card.
    fn default() -> Self {
        let proc = PathBuf::from("/proc");
        Self {
            powercap: "/sys/class/powercap".into(),
            memory_bytes: estimate::memory_bytes(&proc).unwrap_or(0),
            proc,
            nvidia_smi: None,
            watts_per_core: None,
        }
    }
}

/// One component's energy since the reading before.
trait Source: Send {
    fn read(&mut self, now: Instant) -> Vec<Part>;
    /// What is read or assumed, in a sentence.
    fn describe(&self) -> String;
}

/// Reads energy between two moments.
pub struct Meter {
    sources: Vec<Box<dyn Source>>,
    /// Why a better source was not used.
    notes: Vec<String>,
}

impl Meter {
    /// Starts counting. This never fails: what cannot be read is estimated, and [`Meter::describe`] says why.
    pub fn start(options: &Options, now: Instant) -> Self {
        let mut meter = Self { sources: Vec::new(), notes: Vec::new() };
        let (mut processor, mut memory) = (false, false);
        match rapl::Rapl::open(&options.powercap) {
            Ok(rapl) => {
                (processor, memory) = (rapl.has(Component::Processor), rapl.has(Component::Memory));
                meter.sources.push(Box::new(rapl));
            }
            Err(why) => meter.notes.push(why),
        }
        if let Some(program) = &options.nvidia_smi {
            match nvidia::Cards::start(program, now) {
                Ok(cards) => meter.sources.push(Box::new(cards)),
                Err(why) => meter.notes.push(why),
            }
        }
        if !processor {
            meter.sources.push(Box::new(estimate::Cores::start(options, now)));
        }
        if !memory && options.memory_bytes > 0 {
            meter.sources.push(Box::new(estimate::Memory::start(options.memory_bytes, now)));
        }
        meter
    }

    /// What was used since the reading before, or since the start.
    pub fn read(&mut self, now: Instant) -> Reading {
        Reading { parts: self.sources.iter_mut().flat_map(|source| source.read(now)).collect() }
    }

    /// How energy is known on this machine, for the journal and the disclosure.
    pub fn describe(&self) -> String {
        let sources = self.sources.iter().map(|source| source.describe());
        sources.chain(self.notes.iter().cloned()).collect::<Vec<_>>().join(" ")
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Meter({})", self.describe())
    }
}
