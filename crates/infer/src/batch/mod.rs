//! Many answers at once from one engine: continuous batching.
//!
//! One thread runs the network. In each step it reads one token (with guesses) of every answer under way and, with
//! what is left of the step, the next part of the oldest prompts; the weights are read once for all of them. An
//! answer enters when there is room and leaves when it ends, whatever the others do. A long prompt is read in parts
//! beside them, so it delays nobody by more than a step.

mod prefix;
mod worker;

use crate::generation::{Cancel, GenerateOptions, Generation, Piece};
use crate::{Engine, Error};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

/// How much is done at once, and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answers under way together.
    pub running: usize,
    /// Requests that may wait; the next is refused with [`Error::Busy`].
    pub waiting: usize,
    /// Tokens of a step: a latency that the ones under way feel while a prompt is read.
    pub step_tokens: usize,
    /// Memory for the beginnings of earlier requests, in bytes.
    pub prefix_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { running: 16, waiting: 64, step_tokens: 256, prefix_bytes: 1 << 30 }
    }
}

/// What a batcher has done since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests taken in.
    pub requests: u64,
    /// Requests answered with [`Error::Busy`].
    pub refused: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Of these, tokens remembered from earlier requests.
    pub cached_tokens: u64,
    /// Tokens of answers that have ended.
    pub generated_tokens: u64,
    /// Passes through the network.
    pub steps: u64,
    /// Tokens that the draft model guessed for answers that have ended.
    pub drafted_tokens: u64,
    /// Of these, those that the answers have.
    pub drafted_right: u64,
    /// Answers under way now.
    pub running: u64,
    /// Requests that wait now.
    pub waiting: u64,
}

/// Runs many generations of one engine together. Dropping it ends those under way.
#[derive(Debug)]
pub struct Batcher {
    engine: Engine,
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    line: Mutex<Line>,
    arrived: Condvar,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Job>,
    closed: bool,
}

#[derive(Debug)]
struct Job {
    prompt: Vec<u32>,
    options: GenerateOptions,
    cancel: Cancel,
    events: mpsc::Sender<Event>,
}

#[derive(Debug)]
enum Event {
    Started,
    Piece(Piece),
    Done(Box<Result<Generation, Error>>),
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    refused: AtomicU64,
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    steps: AtomicU64,
    drafted_tokens: AtomicU64,
    drafted_right: AtomicU64,
    running: AtomicU64,
}

impl Batcher {
    /// Starts the thread that runs `engine` for everybody.
    pub fn new(engine: &Engine, limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            limits,
            line: Mutex::default(),
            arrived: Condvar::new(),
            counts: Counts::default(),
        });
        let worker = std::thread::spawn({
            let (engine, shared) = (engine.clone(), Arc::clone(&shared));
            move || worker::run(&engine, &shared)
        });
        Self { engine: engine.clone(), shared, worker: Some(worker) }
    }

    /// The engine it runs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Continues `prompt`, as [`Session::generate`](crate::Session::generate) does, together with whatever else
    /// runs; blocks until the answer has ended. With the same options the answer is the same as alone.
    /// `on_start` is called once, when the prompt was accepted and its turn has come.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many wait, and what a session would answer.
    pub fn generate(
        &self,
        prompt: &[u32],
        options: &GenerateOptions,
        cancel: &Cancel,
        on_start: &mut dyn FnMut(),
        on_piece: &mut dyn FnMut(&Piece),
    ) -> Result<Generation, Error> {
        let (events, coming) = mpsc::channel();
        {
            let mut line = self.shared.line();
            let waiting = line.waiting.len();
            if waiting >= self.shared.limits.waiting {
                self.shared.counts.refused.fetch_add(1, Ordering::Relaxed);
                return Err(Error::Busy { waiting });
            }
            line.waiting.push_back(Job {
                prompt: prompt.to_vec(),
                options: options.clone(),
                cancel: cancel.clone(),
                events,
            });
        }
        self.shared.arrived.notify_one();
        loop {
            match coming.recv() {
                Ok(Event::Started) => on_start(),
                Ok(Event::Piece(piece)) => on_piece(&piece),
                Ok(Event::Done(outcome)) => return *outcome,
                Err(_) => return Err(Error::BrokenOff),
            }
        }
    }

    /// What was done so far and what is under way.
    pub fn counters(&self) -> Counters {
        let counts = &self.shared.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counters {
            requests: read(&counts.requests),
            refused: read(&counts.refused),
            prompt_tokens: read(&counts.prompt_tokens),
            cached_tokens: read(&counts.cached_tokens),
            generated_tokens: read(&counts.generated_tokens),
            steps: read(&counts.steps),
            drafted_tokens: read(&counts.drafted_tokens),
            drafted_right: read(&counts.drafted_right),
            running: read(&counts.running),
            waiting: self.shared.line().waiting.len() as u64,
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.shared.line().closed = true;
        self.shared.arrived.notify_all();
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has answered everybody already.
            let _ = worker.join();
        }
    }
}
