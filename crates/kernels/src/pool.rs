//! Persistent threads that share out the tasks of one operation.
//!
//! `run(n_tasks, task)` calls `task(0) … task(n_tasks − 1)`, each exactly once, on the pool's threads and the
//! caller's, and returns when all are done. Operations here split their work so that each output element belongs to
//! one task, whatever the number of threads; so results have the same bits on one thread and on sixty-four.
//!
//! A decoder calls `run` a few hundred times per token, so a call must cost a microsecond, not a system call: idle
//! threads spin for a while before they sleep.
//!
//! Tasks that lie near each other mostly touch data that do, and operations follow each other over the same rows: what
//! one wrote the next reads. So each thread has a range of the tasks as its own and begins with it; when it is through,
//! it takes from the ranges of others. Rows then stay in the cache of one core from operation to operation.
//!
//! The hand-over is one atomic word, the ticket: a generation number above the count of tasks. Each thread's range has
//! a word too, with the generation it was last claimed from and how many tasks of that generation were: one of an older
//! generation stands for a range nobody has begun, so that putting a job out writes no word but the ticket. A thread
//! claims a task by compare-and-swap on the range's word. That succeeds only while a task of the generation it saw is
//! left, and a claimed task keeps the caller from returning, so the job it points to is alive.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::isa::Isa;

/// Bits of the words that count tasks; the generation above them does not wrap within a machine's life.
const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// How often an idle thread looks for work before it sleeps: some tens of microseconds, the time between two
/// operations of one token.
const SPINS_BEFORE_SLEEP: u32 = 3_000;
/// How often the caller looks for the end before it offers its core to whoever else wants it.
const SPINS_BEFORE_YIELD: u32 = 3_000;

/// Persistent threads; dropping it ends them.
pub struct Pool {
    isa: Isa,
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a job is out. A second caller, or a task that calls `run` again, does its tasks alone.
    busy: Mutex<()>,
}

struct Shared {
    /// Generation and count of tasks.
    ticket: AtomicU64,
    /// Per thread, the caller's first.
    ranges: Vec<Claimed>,
    job: AtomicPtr<Job<'static>>,
    stop: AtomicBool,
    n_sleeping: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

/// How many tasks of a thread's range were claimed, below the generation they belong to; on a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Claimed(AtomicU64);

struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    n_finished: AtomicUsize,
    panicked: AtomicBool,
}

impl Pool {
    /// A pool of `n_threads` threads, the caller's among them (0 counts as 1), for the best instruction set here.
    pub fn new(n_threads: usize) -> Self {
        Self::with_isa(n_threads, Isa::detect())
    }

    /// A pool whose operations use a given instruction set.
    pub fn with_isa(n_threads: usize, isa: Isa) -> Self {
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(0),
            ranges: (0..n_threads.max(1)).map(|_| Claimed::default()).collect(),
            job: AtomicPtr::new(std::ptr::null_mut()),
            stop: AtomicBool::new(false),
            n_sleeping: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        });
        // A machine that refuses a thread gets a smaller pool rather than none.
        let workers = (1..n_threads)
            .map_while(|idx| {
                let shared = Arc::clone(&shared);
                let name = format!("kernels-{idx}");
                std::thread::Builder::new().name(name).spawn(move || shared.work(idx)).ok()
            })
            .collect();
        Self { isa, shared, workers, busy: Mutex::new(()) }
    }

    /// Threads that share the work, the caller's among them.
    pub fn n_threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// The instruction set that operations on this pool use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Calls `task` with every index below `n_tasks`, each once, in any order, and returns when all have returned.
    ///
    /// # Panics
    /// When a task panics, after all others have ended.
    pub fn run(&self, n_tasks: usize, task: impl Fn(usize) + Sync) {
        let alone = self.workers.is_empty() || n_tasks <= 1;
        let claim = if alone { None } else { self.busy.try_lock().ok() };
        match claim {
            None => (0..n_tasks).for_each(task),
            Some(_claim) => {
                for start in (0..n_tasks).step_by(COUNT_MASK as usize) {
                    let count = (n_tasks - start).min(COUNT_MASK as usize);
                    self.share(count, &|idx| task(start + idx));
                }
            }
        }
    }

    /// Puts one job out, works on it and waits for its end. `n_tasks` fits the ticket.
    fn share(&self, n_tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        let job = Job { task, n_finished: AtomicUsize::new(0), panicked: AtomicBool::new(false) };
        shared.job.store((&raw const job).cast_mut().cast(), Ordering::Relaxed);
        let generation = (shared.ticket.load(Ordering::Relaxed) >> COUNT_BITS) + 1;
        // Sequentially consistent with the sleeper's count: either it sees this ticket or we see it asleep.
        shared.ticket.store(generation << COUNT_BITS | n_tasks as u64, Ordering::SeqCst);
        if shared.n_sleeping.load(Ordering::SeqCst) > 0 {
            drop(shared.sleep.lock().unwrap_or_else(PoisonError::into_inner));
            shared.wake.notify_all();
        }
        shared.work_on(0);
        let mut spins = 0;
        while job.n_finished.load(Ordering::Acquire) < n_tasks {
            spins += 1;
            if spins < SPINS_BEFORE_YIELD {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        if job.panicked.load(Ordering::Relaxed) {
            resume_unwind(Box::new("a task of a kernel panicked; its message stands above"));
        }
    }
}

/// Which of several items a task belongs to and its number there, when item i has `n_tasks(i)` of the tasks, in order.
pub(crate) fn locate<T>(
    items: &[T],
    task_idx: usize,
    n_tasks: impl Fn(&T) -> usize,
) -> (usize, usize) {
    let mut left = task_idx;
    for (idx, item) in items.iter().enumerate() {
        let n = n_tasks(item);
        if left < n {
            return (idx, left);
        }
        left -= n;
    }
    unreachable!("task {task_idx} belongs to no item")
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(self.shared.sleep.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // Tasks' panics are caught, so a worker ends normally.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Runs tasks of the current generation until none is left to claim, those of the thread's own range first.
    /// Returns the generation.
    fn work_on(&self, thread: usize) -> u64 {
        let ticket = self.ticket.load(Ordering::SeqCst);
        let n_ranges = self.ranges.len();
        for step in 0..n_ranges {
            while self.claim_and_run(ticket, (thread + step) % n_ranges) {}
        }
        ticket >> COUNT_BITS
    }

    /// Claims one task of a range and runs it; false when none is left, or the ticket's generation is over.
    fn claim_and_run(&self, ticket: u64, range: usize) -> bool {
        let (generation, n_tasks) = (ticket >> COUNT_BITS, (ticket & COUNT_MASK) as usize);
        let start = |range: usize| (range * n_tasks).div_ceil(self.ranges.len());
        let (first, n) = (start(range), start(range + 1) - start(range));
        let word = &self.ranges[range].0;
        let mut before = word.load(Ordering::Acquire);
        loop {
            let is_begun = before >> COUNT_BITS == generation;
            let n_claimed = if is_begun { before & COUNT_MASK } else { 0 };
            if before >> COUNT_BITS > generation || n_claimed >= n as u64 {
                return false;
            }
            let job = self.job.load(Ordering::Relaxed);
            let after = generation << COUNT_BITS | (n_claimed + 1);
            let claimed =
                word.compare_exchange_weak(before, after, Ordering::AcqRel, Ordering::Acquire);
            match claimed {
                Err(now) => before = now,
                Ok(_) => {
                    // SAFETY: the exchange succeeded, so a task of this generation was left and no later job was put
                    // out before; nor was the pointer an earlier one, for it was stored before the ticket. The caller
                    // that owns the job waits for the task just claimed.
                    let job = unsafe { &*job };
                    let run = AssertUnwindSafe(|| (job.task)(first + n_claimed as usize));
                    if catch_unwind(run).is_err() {
                        job.panicked.store(true, Ordering::Relaxed);
                    }
                    // The job may be gone after this.
                    job.n_finished.fetch_add(1, Ordering::Release);
                    return true;
                }
            }
        }
    }

    /// The life of a worker.
    fn work(&self, thread: usize) {
        // The generation whose tasks are all claimed.
        let mut done = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let mut spins = 0;
            while spins < SPINS_BEFORE_SLEEP && !self.is_after(done) {
                spins += 1;
                std::hint::spin_loop();
            }
            if self.is_after(done) {
                done = self.work_on(thread);
            } else {
                self.fall_asleep(done);
            }
        }
    }

    fn is_after(&self, generation: u64) -> bool {
        self.ticket.load(Ordering::SeqCst) >> COUNT_BITS > generation
    }

    fn fall_asleep(&self, done: u64) {
        let mut guard = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.n_sleeping.fetch_add(1, Ordering::SeqCst);
        while !self.is_after(done) && !self.stop.load(Ordering::SeqCst) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.n_sleeping.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_exactly_once() {
        for n_threads in [1, 2, 3, 7] {
            let pool = Pool::new(n_threads);
            for n_tasks in [0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 1000] {
                let counts: Vec<AtomicUsize> = (0..n_tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(n_tasks, |idx| {
                    counts[idx].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_thread_begins_with_its_own_range() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        for _ in 0..100 {
            // Both first tasks wait for each other, so each thread has one.
            let meeting = std::sync::Barrier::new(2);
            pool.run(10, |idx| {
                if idx == 0 || idx == 5 {
                    meeting.wait();
                    assert_eq!(std::thread::current().id() == caller, idx == 0);
                }
            });
        }
    }

    #[test]
    fn many_short_jobs_in_a_row_lose_no_task() {
        let pool = Pool::new(3);
        let total = AtomicUsize::new(0);
        for round in 0..20_000 {
            pool.run(round % 7, |_| {
                total.fetch_add(1, Ordering::Relaxed);
            });
        }
        let expected: usize = (0..20_000).map(|round| round % 7).sum();
        assert_eq!(total.into_inner(), expected);
    }

    #[test]
    fn a_task_may_run_tasks_of_its_own() {
        let pool = Pool::new(2);
        let total = AtomicUsize::new(0);
        pool.run(8, |_| {
            pool.run(8, |_| {
                total.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(total.into_inner(), 64);
    }

    #[test]
    fn callers_on_several_threads_share_a_pool() {
        let pool = Pool::new(2);
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        pool.run(5, |_| {
                            total.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 500 * 5);
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(3);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.run(10, |idx| assert_ne!(idx, 7, "seven"));
        }));
        assert!(outcome.is_err());
        let count = AtomicUsize::new(0);
        pool.run(10, |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 10);
    }
}
