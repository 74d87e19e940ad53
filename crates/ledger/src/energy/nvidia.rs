//! Graphics cards by NVIDIA: their power sensor, asked through the driver's own program `nvidia-smi`.
//!
//! The driver's library could be asked for a running total, but loading it takes `unsafe`, which this crate does
//! without. So a process of `nvidia-smi` prints the power of each card twice a second, a thread reads its lines and adds
//! watts times seconds. The sensor itself averages over some tens of milliseconds to a second depending on the card, so
//! what is missed is shorter than a step. The process ends with the meter.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Component, Method, Part, Source};

const INTERVAL_MS: u32 = 500;

pub(super) struct Cards {
    process: Child,
    names: Vec<String>,
    state: Arc<Mutex<State>>,
}

/// Per card the last power seen and when; and the joules not yet handed out.
#[derive(Default)]
pub(super) struct State {
    last: Vec<(u32, f64, Instant)>,
    joules: f64,
}

impl State {
    /// Between two samples the power is taken to change evenly.
    pub(super) fn sample(&mut self, card: u32, watts: f64, now: Instant) {
        match self.last.iter_mut().find(|(known, ..)| *known == card) {
            Some((_, last_watts, at)) => {
                let seconds = now.saturating_duration_since(*at).as_secs_f64();
                self.joules += 0.5 * (*last_watts + watts) * seconds;
                (*last_watts, *at) = (watts, now);
            }
            None => self.last.push((card, watts, now)),
        }
    }

    /// Joules up to now since the last call, the last power seen held until now.
    pub(super) fn take(&mut self, now: Instant) -> f64 {
        for (_, watts, at) in &mut self.last {
            self.joules += *watts * now.saturating_duration_since(*at).as_secs_f64();
            *at = (*at).max(now);
        }
        std::mem::take(&mut self.joules)
    }
}

impl Cards {
    pub(super) fn start(program: &Path, now: Instant) -> Result<Self, String> {
        let query = "--query-gpu=index,power.draw,name";
        let format = "--format=csv,noheader,nounits";
        let why = |cause: String| format!("The graphics card's power cannot be read ({cause}).");
        let once = Command::new(program)
            .args([query, format])
            .output()
            .map_err(|cause| why(format!("{}: {cause}", program.display())))?;
        let mut state = State::default();
        let mut names = Vec::new();
        for line in String::from_utf8_lossy(&once.stdout).lines() {
            let Some((card, watts, name)) = parse(line) else { continue };
            state.sample(card, watts, now);
            names.push(name);
        }
        if names.is_empty() {
            let said = String::from_utf8_lossy(&once.stdout).trim().to_string();
            return Err(why(format!("{} says: {said}", program.display())));
        }
        let mut process = Command::new(program)
            .args([query, format, &format!("--loop-ms={INTERVAL_MS}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|cause| why(cause.to_string()))?;
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        if let Some(output) = process.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Some((card, watts, _)) = parse(&line) {
                        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        state.sample(card, watts, Instant::now());
                    }
                }
            });
        }
        Ok(Self { process, names, state })
    }
}

impl Drop for Cards {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Source for Cards {
    fn read(&mut self, now: Instant) -> Vec<Part> {
        let joules = self.state.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        let (component, method) = (Component::Accelerator, Method::NvidiaSmi);
        vec![Part { component, method, joules, low: joules, high: joules }]
    }

    fn describe(&self) -> String {
        format!(
            "Power sensor of {} every {} s through nvidia-smi, summed over time.",
            self.names.join(", "),
            f64::from(INTERVAL_MS) / 1000.0
        )
    }
}

/// `0, 71.35, NVIDIA H100 80GB HBM3`.
fn parse(line: &str) -> Option<(u32, f64, String)> {
    let mut fields = line.splitn(3, ',').map(str::trim);
    let card = fields.next()?.parse().ok()?;
    let watts: f64 = fields.next()?.parse().ok()?;
    (watts.is_finite() && watts >= 0.0).then(|| (card, watts, fields.next().unwrap_or("").into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn power_over_time_is_energy() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut state = State::default();
        state.sample(0, 100.0, at(0.0));
        state.sample(1, 50.0, at(0.0));
        state.sample(0, 300.0, at(2.0));
        // Card 0: a ramp from 100 to 300 W over 2 s, then 300 W for 1 s; card 1: 50 W for 3 s.
        assert!((state.take(at(3.0)) - (400.0 + 300.0 + 150.0)).abs() < 1e-6);
        assert_eq!(state.take(at(3.0)), 0.0);
    }

    #[test]
    fn what_is_no_reading_is_left_out() {
        assert_eq!(parse("0, 71.35, NVIDIA H100"), Some((0, 71.35, "NVIDIA H100".into())));
        for line in ["", "0, [N/A], NVIDIA T4", "0, -1, x", "0, NaN, x", "No devices were found"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
