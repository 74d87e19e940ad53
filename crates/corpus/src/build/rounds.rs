//! Work on many pieces by many threads, with results in the order of the pieces.
//!
//! A reader thread fills a round of batches while the workers are busy with the round before; the results of a round
//! are taken in the order of its batches. Memory is bounded by two rounds, and what comes out does not depend on the
//! number of threads.

use crate::Error;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes of one batch, about.
const BATCH_BYTES: usize = 256 << 10;
/// Batches of one round, per thread.
const BATCHES_PER_THREAD: usize = 8;

/// Collects pieces into batches and batches into rounds.
pub(super) struct Feed<T> {
    batch: Vec<T>,
    bytes: usize,
    round: Vec<Vec<T>>,
    batches_per_round: usize,
    out: SyncSender<Vec<Vec<T>>>,
}

impl<T> Feed<T> {
    /// Adds a piece; breaks off when nobody listens any more.
    pub(super) fn push(&mut self, piece: T, bytes: usize) -> ControlFlow<()> {
        self.batch.push(piece);
        self.bytes += bytes + 64;
        if self.bytes < BATCH_BYTES {
            return ControlFlow::Continue(());
        }
        self.bytes = 0;
        self.round.push(std::mem::take(&mut self.batch));
        match self.round.len() < self.batches_per_round {
            true => ControlFlow::Continue(()),
            false => self.send(),
        }
    }

    fn send(&mut self) -> ControlFlow<()> {
        match self.out.send(std::mem::take(&mut self.round)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn finish(mut self) {
        if !self.batch.is_empty() {
            self.round.push(std::mem::take(&mut self.batch));
        }
        if !self.round.is_empty() {
            let _ = self.send();
        }
    }
}

/// Runs `read` on a thread of its own, `work` on as many threads as there are `workers`, and `take` here.
pub(super) fn run<T: Send, R: Send, W: Send>(
    workers: &mut [W],
    read: impl FnOnce(&mut Feed<T>) -> Result<(), Error> + Send,
    work: impl Fn(&mut W, Vec<T>) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), Error>,
) -> Result<(), Error> {
    let (out, rounds): (_, Receiver<Vec<Vec<T>>>) = sync_channel(1);
    let batches_per_round = BATCHES_PER_THREAD * workers.len().max(1);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut feed =
                Feed { batch: Vec::new(), bytes: 0, round: Vec::new(), batches_per_round, out };
            let done = read(&mut feed);
            feed.finish();
            done
        });
        let taken = rounds.iter().try_for_each(|round| {
            one_round(workers, round, &work).into_iter().try_for_each(&mut take)
        });
        // Ends a reader that is still sending.
        drop(rounds);
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        taken.and(read)
    })
}

fn one_round<T: Send, R: Send, W: Send>(
    workers: &mut [W],
    round: Vec<Vec<T>>,
    work: &(impl Fn(&mut W, Vec<T>) -> R + Sync),
) -> Vec<R> {
    let batches: Vec<Mutex<Option<Vec<T>>>> =
        round.into_iter().map(|batch| Mutex::new(Some(batch))).collect();
    let results: Vec<Mutex<Option<R>>> = batches.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = batches.get(at) else { break };
                    let batch = slot.lock().ok().and_then(|mut slot| slot.take());
                    if let (Some(batch), Ok(mut result)) = (batch, results[at].lock()) {
                        *result = Some(work(worker, batch));
                    }
                }
            });
        }
    });
    results.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_pieces_whatever_the_threads() {
        let run_with = |threads: usize| {
            let mut workers = vec![(); threads];
            let mut all = Vec::new();
            run(
                &mut workers,
                |feed| {
                    let _ = (0..5000_u64).try_for_each(|n| feed.push(n, 2000));
                    Ok(())
                },
                |(), batch| batch.into_iter().map(|n| n * n).collect::<Vec<_>>(),
                |squares| {
                    all.extend(squares);
                    Ok(())
                },
            )
            .unwrap();
            all
        };
        let expected: Vec<u64> = (0..5000).map(|n| n * n).collect();
        assert_eq!(run_with(1), expected);
        assert_eq!(run_with(5), expected);
    }

    #[test]
    fn an_error_of_the_taker_ends_the_reader_too() {
        let mut workers = vec![(); 2];
        let ended = run(
            &mut workers,
            |feed| {
                while feed.push(0_u8, 100_000).is_continue() {}
                Ok(())
            },
            |(), batch| batch.len(),
            |_| Err(Error::Config("enough".to_string())),
        );
        assert!(matches!(ended, Err(Error::Config(_))));
    }
}
