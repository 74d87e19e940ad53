//! The course of a run, read off its journal: what stands, what was rolled back, when it ran.
//!
//! Resuming from a checkpoint takes back every step above it. Those steps happened and cost what they cost; the curves
//! of the run are the steps that **survived**.

use crate::Timestamp;
use crate::record::{
    Checkpoint, Entry, Evaluation, Finished, Record, Resumed, RunStarted, Sample, Step, Stopped,
};

/// A record with its moment, and whether it belongs to the course that stands.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a, T> {
    pub at: Timestamp,
    pub survived: bool,
    pub record: &'a T,
}

/// One stretch in which a process was writing the journal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Session {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Session {
    pub fn seconds(&self) -> f64 {
        self.until.duration_since(self.from).as_secs_f64().max(0.0)
    }
}

/// How the journal ends. A run that was killed has no ending.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    Finished(&'a Finished),
    Stopped(&'a Stopped),
}

#[derive(Debug, Clone)]
pub struct History<'a> {
    pub started: &'a RunStarted,
    pub steps: Vec<Told<'a, Step>>,
    pub evaluations: Vec<Told<'a, Evaluation>>,
    pub checkpoints: Vec<Told<'a, Checkpoint>>,
    pub samples: Vec<Told<'a, Sample>>,
    pub resumptions: Vec<Told<'a, Resumed>>,
    pub sessions: Vec<Session>,
    pub ending: Option<Ending<'a>>,
    /// Steps that a checkpoint proves and the journal does not hold, lost with the power.
    pub unaccounted_steps: u64,
}

impl<'a> History<'a> {
    /// The course told by these entries; none if the first does not start a run.
    pub fn of(entries: &'a [Entry]) -> Option<Self> {
        let first = entries.first()?;
        let Record::RunStarted(started) = &first.record else { return None };
        let mut history = Self {
            started,
            steps: Vec::new(),
            evaluations: Vec::new(),
            checkpoints: Vec::new(),
            samples: Vec::new(),
            resumptions: Vec::new(),
            sessions: vec![Session { from: first.at, until: first.at }],
            ending: None,
            unaccounted_steps: 0,
        };
        entries.iter().skip(1).for_each(|entry| history.tell(entry));
        Some(history)
    }

    /// Steps that stand, in order.
    pub fn surviving(&self) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(|told| told.survived).map(|told| told.record)
    }

    pub fn last_step(&self) -> Option<&'a Step> {
        self.steps.iter().rev().find(|told| told.survived).map(|told| told.record)
    }

    fn tell(&mut self, entry: &'a Entry) {
        let at = entry.at;
        if let Record::Resumed(resumed) = &entry.record {
            self.roll_back(resumed.from_step);
            self.resumptions.push(Told { at, survived: true, record: resumed });
            self.sessions.push(Session { from: at, until: at });
        }
        if let Some(session) = self.sessions.last_mut() {
            session.until = session.until.max(at);
        }
        self.ending = None;
        match &entry.record {
            Record::Step(record) => self.steps.push(told(at, record)),
            Record::Evaluation(record) => self.evaluations.push(told(at, record)),
            Record::Checkpoint(record) => self.checkpoints.push(told(at, record)),
            Record::Sample(record) => self.samples.push(told(at, record)),
            Record::Stopped(record) => self.ending = Some(Ending::Stopped(record)),
            Record::Finished(record) => self.ending = Some(Ending::Finished(record)),
            Record::RunStarted(_) | Record::Resumed(_) => {}
        }
    }

    fn roll_back(&mut self, to: u64) {
        let reached = self.last_step().map_or(0, |step| step.step);
        self.unaccounted_steps += to.saturating_sub(reached);
        take_back(&mut self.steps, |step| step.step > to);
        take_back(&mut self.evaluations, |evaluation| evaluation.step > to);
        take_back(&mut self.checkpoints, |checkpoint| checkpoint.step > to);
        take_back(&mut self.samples, |sample| sample.step > to);
    }
}

fn told<T>(at: Timestamp, record: &T) -> Told<'_, T> {
    Told { at, survived: true, record }
}

fn take_back<T>(told: &mut [Told<'_, T>], undone: impl Fn(&T) -> bool) {
    for told in told.iter_mut().rev() {
        if told.survived && !undone(told.record) {
            break;
        }
        told.survived = false;
    }
}
