//! The thread that runs the network for all answers under way.

use super::prefix::Prefixes;
use super::{Event, Job, Shared};
use crate::companion;
use crate::generation::{Cancel, Finish};
use crate::turn::Turn;
use crate::{Engine, Error};
use model::decoder::{KvCache, PAGE_TOKENS, Part};
use std::panic::AssertUnwindSafe;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

/// Tokens that are guessed in a step, all answers together: the more of them are under way, the more a wrong guess costs
/// the others.
const GUESSES: usize = 8;

/// An answer under way.
struct Running<'e> {
    turn: Turn<'e>,
    cache: KvCache,
    /// Whether others may begin with its prompt already.
    is_shared: bool,
    cancel: Cancel,
    events: Sender<Event>,
}

/// Works until the batcher is dropped.
pub(super) fn run(engine: &Engine, shared: &Shared) {
    let bytes_per_token = KvCache::bytes_per_token(engine.config()).max(1);
    let budget_tokens = shared.limits.prefix_bytes / bytes_per_token;
    let mut prefixes = Prefixes::new(budget_tokens);
    let mut running = Vec::new();
    let mut logits = Vec::new();
    loop {
        let worked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let goes_on = admit(engine, shared, &mut running, &mut prefixes);
            if goes_on {
                step(engine, shared, &mut running, &mut prefixes, &mut logits);
            }
            goes_on
        }));
        match worked {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => {
                // Whatever was half done is not trusted: everybody hears of it and the work begins anew.
                running.clear();
                prefixes = Prefixes::new(budget_tokens);
            }
        }
        shared.counts.running.store(running.len() as u64, Ordering::Relaxed);
    }
}

/// Takes in those who wait, as far as there is room; waits when there is nothing to do. `false`: the end.
fn admit<'e>(
    engine: &'e Engine,
    shared: &Shared,
    running: &mut Vec<Running<'e>>,
    prefixes: &mut Prefixes,
) -> bool {
    loop {
        let mut line = shared.line();
        while !line.closed && line.waiting.is_empty() && running.is_empty() {
            line = shared.arrived.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        if line.closed {
            return false;
        }
        if running.len() >= shared.limits.running.max(1) {
            return true;
        }
        let Some(job) = line.waiting.pop_front() else { return true };
        drop(line);
        shared.counts.requests.fetch_add(1, Ordering::Relaxed);
        let Job { prompt, options, cancel, events } = job;
        match Turn::new(engine, &prompt, &options) {
            Ok(mut turn) => {
                let (config, capacity) = (engine.config(), engine.context_len());
                let cache = prefixes
                    .take(config, capacity, turn.prompt())
                    .unwrap_or_else(|| KvCache::new(config, capacity));
                let n_cached = cache.len();
                turn.remember(n_cached);
                let counts = &shared.counts;
                counts.prompt_tokens.fetch_add(turn.prompt().len() as u64, Ordering::Relaxed);
                counts.cached_tokens.fetch_add(n_cached as u64, Ordering::Relaxed);
                // Whoever asked may have left; the first piece will notice.
                let _ = events.send(Event::Started);
                running.push(Running { turn, cache, is_shared: false, cancel, events });
            }
            // Whoever asked may have left; then nobody needs to hear it.
            Err(error) => drop(events.send(Event::Done(Box::new(Err(error))))),
        }
    }
}

/// One pass through the network for all, and what it means for each.
fn step(
    engine: &Engine,
    shared: &Shared,
    running: &mut Vec<Running<'_>>,
    prefixes: &mut Prefixes,
    logits: &mut Vec<f32>,
) {
    for one in running.iter_mut().filter(|one| one.cancel.is_cancelled()) {
        one.turn.end(Finish::Cancelled);
    }
    let outcomes = read(engine, shared, running, logits);
    let mut still = Vec::with_capacity(running.len());
    for (mut one, outcome) in running.drain(..).zip(outcomes) {
        for piece in one.turn.take_pieces() {
            if one.events.send(Event::Piece(piece)).is_err() {
                one.cancel.cancel();
            }
        }
        match outcome {
            Ok(()) if !one.turn.has_ended() => {
                share_prompt(&mut one, prefixes);
                still.push(one);
            }
            Ok(()) => leave(shared, one, prefixes),
            Err(error) => drop(one.events.send(Event::Done(Box::new(Err(error))))),
        }
    }
    *running = still;
}

/// Answers go on first, then prompts in the order they came, until the step is full.
fn read(
    engine: &Engine,
    shared: &Shared,
    running: &mut [Running<'_>],
    logits: &mut Vec<f32>,
) -> Vec<Result<(), Error>> {
    let n_answering = running.iter().filter(|one| is_answering(one)).count();
    let step_tokens = shared.limits.step_tokens.max(1);
    let mut left = step_tokens.saturating_sub(n_answering).max(1);
    let guess_room = (GUESSES / n_answering.max(1)).min(left / 4);
    let asks = running.iter_mut().filter_map(|one| one.turn.guess(guess_room)).collect();
    companion::guess(engine, asks);
    let mut outcomes: Vec<Result<(), Error>> = running.iter().map(|_| Ok(())).collect();
    let (mut places, mut parts) = (Vec::new(), Vec::new());
    for (place, one) in running.iter_mut().enumerate() {
        let answering = is_answering(one);
        if one.turn.has_ended() || (!answering && left == 0) {
            continue;
        }
        let feed = one.turn.feed(left.max(1));
        if !answering {
            left -= feed.tokens.len().min(left);
        }
        places.push((place, feed.tokens.len()));
        parts.push(Part { cache: &mut one.cache, tokens: feed.tokens, want: feed.want });
    }
    let forwarded = engine.decoder().forward_parts(engine.pool(), &mut parts, logits);
    let n_rows: Vec<usize> = parts.iter().map(|part| part.n_rows()).collect();
    drop(parts);
    shared.counts.steps.fetch_add(1, Ordering::Relaxed);
    if let Err(error) = forwarded {
        let reason = error.to_string();
        for (place, _) in places {
            outcomes[place] = Err(Error::Step(reason.clone()));
        }
        return outcomes;
    }
    let vocab = engine.vocab();
    let mut rows = logits.as_mut_slice();
    for ((place, n_fed), n_rows) in places.into_iter().zip(n_rows) {
        let (mine, rest) = rows.split_at_mut(n_rows * vocab);
        rows = rest;
        let one = &mut running[place];
        outcomes[place] = one.turn.absorb(n_fed, mine, vocab).map(|kept| one.cache.truncate(kept));
    }
    outcomes
}

fn is_answering(one: &Running<'_>) -> bool {
    !one.turn.has_ended() && !one.turn.is_reading_prompt()
}

/// Lets others begin with a prompt that has just been read, as far as its pages are full.
fn share_prompt(one: &mut Running<'_>, prefixes: &mut Prefixes) {
    if one.is_shared || one.turn.is_reading_prompt() {
        return;
    }
    one.is_shared = true;
    let len = one.turn.prompt().len().min(one.cache.len()) / PAGE_TOKENS * PAGE_TOKENS;
    prefixes.put(&one.turn.prompt()[..len], &one.cache);
}

/// Hands the answer over and keeps what was computed for it.
fn leave(shared: &Shared, mut one: Running<'_>, prefixes: &mut Prefixes) {
    one.turn.close();
    for piece in one.turn.take_pieces() {
        let _ = one.events.send(Event::Piece(piece));
    }
    prefixes.put(one.turn.read_tokens(), &one.cache);
    let generation = one.turn.into_generation();
    let counts = &shared.counts;
    counts.generated_tokens.fetch_add(generation.tokens.len() as u64, Ordering::Relaxed);
    counts.drafted_tokens.fetch_add(generation.draft.made as u64, Ordering::Relaxed);
    counts.drafted_right.fetch_add(generation.draft.right as u64, Ordering::Relaxed);
    let _ = one.events.send(Event::Done(Box::new(Ok(generation))));
}
