//! The processor's own energy counters, as Linux shows them under `/sys/class/powercap`.
//!
//! A zone `intel-rapl:0` is a package (AMD uses the same names), `intel-rapl:0:1` a part of it. Counted are packages
//! and memory; cores and graphics are inside the package already. `psys`, the whole board, would count them twice, and
//! `intel-rapl-mmio` shows the same package by another way. A counter is in microjoules and wraps at
//! `max_energy_range_uj`, after a quarter of an hour at 280 W on common machines: readings further apart than that
//! would miss a lap, so a trainer reads once per step.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Component, Method, Part, Source};

pub(super) struct Rapl {
    zones: Vec<Zone>,
}

struct Zone {
    component: Component,
    counter: PathBuf,
    range_uj: u64,
    last_uj: u64,
}

impl Rapl {
    /// The readable zones, or in a sentence why there are none.
    pub(super) fn open(powercap: &Path) -> Result<Self, String> {
        let mut names: Vec<String> = std::fs::read_dir(powercap)
            .map_err(|_| format!("RAPL is not available ({} is missing).", powercap.display()))?
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with("intel-rapl:"))
            .collect();
        names.sort();
        let mut zones = Vec::new();
        for name in names {
            zones.extend(Zone::open(&powercap.join(&name))?);
        }
        if zones.iter().all(|zone| zone.component != Component::Processor) {
            return Err(format!("RAPL is not available ({} has no package).", powercap.display()));
        }
        Ok(Self { zones })
    }

    pub(super) fn has(&self, component: Component) -> bool {
        self.zones.iter().any(|zone| zone.component == component)
    }
}

impl Zone {
    fn open(folder: &Path) -> Result<Option<Self>, String> {
        let Ok(name) = std::fs::read_to_string(folder.join("name")) else { return Ok(None) };
        let component = match name.trim() {
            "dram" => Component::Memory,
            package if package.starts_with("package") => Component::Processor,
            _ => return Ok(None),
        };
        let counter = folder.join("energy_uj");
        let last_uj = number(&counter).map_err(|cause| match cause.kind() {
            ErrorKind::PermissionDenied => format!(
                "RAPL is there but only root may read it; `sudo chmod -R a+r {}` allows it until the next start.",
                folder.display()
            ),
            _ => format!("RAPL cannot be read ({}: {cause}).", counter.display()),
        })?;
        let range_uj = number(&folder.join("max_energy_range_uj")).unwrap_or(u64::from(u32::MAX));
        Ok(Some(Self { component, counter, range_uj, last_uj }))
    }

    /// Joules since the reading before; a counter that cannot be read adds to the next reading instead.
    fn read(&mut self) -> f64 {
        let Ok(now_uj) = number(&self.counter) else { return 0.0 };
        let used = if now_uj >= self.last_uj {
            now_uj - self.last_uj
        } else {
            now_uj + self.range_uj.saturating_sub(self.last_uj)
        };
        self.last_uj = now_uj;
        used as f64 * 1e-6
    }
}

impl Source for Rapl {
    fn read(&mut self, _now: Instant) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for zone in &mut self.zones {
            let joules = zone.read();
            match parts.iter_mut().find(|part| part.component == zone.component) {
                Some(part) => {
                    part.joules += joules;
                    (part.low, part.high) = (part.joules, part.joules);
                }
                None => parts.push(Part {
                    component: zone.component,
                    method: Method::Rapl,
                    joules,
                    low: joules,
                    high: joules,
                }),
            }
        }
        parts
    }

    fn describe(&self) -> String {
        let count = |c| self.zones.iter().filter(|zone| zone.component == c).count();
        let memory = match count(Component::Memory) {
            0 => "; memory has no counter here",
            _ => " and of memory",
        };
        format!("RAPL counters of {} package(s){memory}.", count(Component::Processor))
    }
}

fn number(path: &Path) -> std::io::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    text.trim().parse().map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "not a number"))
}
