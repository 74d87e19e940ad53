//! Many answers at once: each is what it would be alone.

use crate::tiny::{CONTEXT, VOCAB, engine, prompt};
use infer::{
    Batcher, Cancel, Error, Finish, GenerateOptions, Generation, Limits, Sampling, Session,
};
use std::sync::Barrier;

fn options(seed: u64, max_tokens: usize) -> GenerateOptions {
    let temperature = if seed == 0 { 0.0 } else { 1.2 };
    let sampling = Sampling { temperature, seed, ..Sampling::default() };
    GenerateOptions { sampling, max_tokens, ignore_end: true, ..GenerateOptions::default() }
}

fn alone(prompt: &[u32], options: &GenerateOptions) -> Generation {
    Session::new(&engine()).generate(prompt, options, &Cancel::new(), &mut |_| {}).unwrap()
}

/// Requests of all lengths, some that share a beginning, some that repeat themselves.
fn requests() -> Vec<(Vec<u32>, GenerateOptions)> {
    let long: Vec<u32> = prompt(40).into_iter().cycle().take(150).collect();
    let other = |n: usize| [&long[..120], &prompt(n)[..]].concat();
    vec![
        (prompt(3), options(0, 40)),
        (long.clone(), options(0, 60)),
        (other(7), options(4, 30)),
        (other(9), options(0, 1)),
        (prompt(90), options(5, 17)),
        (prompt(1), options(6, 50)),
        (long, options(7, 9)),
        (prompt(30), options(0, 25)),
    ]
}

#[test]
fn answers_together_are_the_answers_alone() {
    let limits = Limits { running: 3, step_tokens: 50, ..Limits::default() };
    let engine = engine();
    let batcher = Batcher::new(&engine, limits);
    let requests = requests();
    let wanted: Vec<Generation> = requests.iter().map(|(p, o)| alone(p, o)).collect();
    // Twice: the second time beginnings are remembered.
    for round in 0..2 {
        let start = Barrier::new(requests.len());
        let ask = |(prompt, options): &(Vec<u32>, GenerateOptions)| {
            start.wait();
            let mut text = String::new();
            let add = &mut |piece: &infer::Piece| text.push_str(&piece.text);
            let said = batcher.generate(prompt, options, &Cancel::new(), &mut || {}, add).unwrap();
            assert_eq!(text, said.text, "what streams out is the answer");
            said
        };
        std::thread::scope(|scope| {
            let ask = &ask;
            let asked: Vec<_> =
                requests.iter().map(|request| scope.spawn(move || ask(request))).collect();
            for (asked, wanted) in asked.into_iter().zip(&wanted) {
                let said = asked.join().unwrap();
                assert_eq!((said.tokens, said.finish), (wanted.tokens.clone(), wanted.finish));
            }
        });
        let counters = batcher.counters();
        assert_eq!(counters.requests, (round + 1) * requests.len() as u64);
        assert_eq!(counters.waiting, 0);
    }
    assert!(batcher.counters().cached_tokens > 120, "{:?}", batcher.counters());
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let engine = engine();
    let batcher = Batcher::new(&engine, Limits { running: 1, ..Limits::default() });
    // The two hundred tokens take milliseconds; on a busy machine they may all come before the client is heard.
    let left_early = (0..50).any(|_| {
        let cancel = Cancel::new();
        let said = batcher
            .generate(&prompt(4), &options(0, 200), &cancel.clone(), &mut || {}, &mut |_| {
                cancel.cancel();
            })
            .unwrap();
        assert!((said.finish == Finish::Cancelled) == (said.tokens.len() < 200));
        said.finish == Finish::Cancelled
    });
    assert!(left_early);
    let next = batcher
        .generate(&prompt(4), &options(0, 5), &Cancel::new(), &mut || {}, &mut |_| {})
        .unwrap();
    assert_eq!(next.tokens, alone(&prompt(4), &options(0, 5)).tokens);
}

/// Two texts that part within a page and one that parts at its end, one after the other; then as many others as drive
/// them out.
#[test]
fn texts_share_what_they_begin_with() {
    let engine = engine();
    let ask = |batcher: &Batcher, prompt: &[u32]| {
        let options = options(0, 5);
        let said =
            batcher.generate(prompt, &options, &Cancel::new(), &mut || {}, &mut |_| {}).unwrap();
        assert_eq!(said.tokens, alone(prompt, &options).tokens);
        said.cached_tokens
    };
    let text: Vec<u32> = prompt(90).into_iter().cycle().take(200).collect();
    let with_end = |len: usize, end: usize| [&text[..len], &prompt(end)[..]].concat();
    let batcher = Batcher::new(&engine, Limits::default());
    assert_eq!(ask(&batcher, &text), 0);
    // All of the prompt but the token that is always read again.
    assert_eq!(ask(&batcher, &text), 199);
    for (len, end) in [(128, 9), (100, 9), (140, 3), (199, 1), (1, 30)] {
        let cached = ask(&batcher, &with_end(len, end));
        let asked = with_end(len, end);
        let common = text.iter().zip(&asked).take_while(|(a, b)| a == b).count();
        assert_eq!(cached, common.min(asked.len() - 1), "{len} + {end}");
    }
    assert_eq!(ask(&batcher, &text), 199, "others that begin alike leave it what it is");
    // Room for four pages: the oldest text's are gone after two others.
    let bytes = 4 * 64 * model::decoder::KvCache::bytes_per_token(engine.config());
    let small = Batcher::new(&engine, Limits { prefix_bytes: bytes, ..Limits::default() });
    let other = |token: u32| vec![token; 120];
    ask(&small, &other(5));
    assert_eq!(ask(&small, &other(5)), 119);
    ask(&small, &other(6));
    assert_eq!(ask(&small, &other(5)), 119, "both fit");
    ask(&small, &other(7));
    assert_eq!(ask(&small, &other(5)), 119, "used later than the second");
    assert_eq!(ask(&small, &other(6)), 0);
    assert_eq!(ask(&small, &text[..]), 0);
}

/// A second text that arrives while the first is still being answered.
#[test]
fn a_prompt_that_was_read_is_shared_before_its_answer_ends() {
    let engine = engine();
    let batcher = Batcher::new(&engine, Limits::default());
    let text: Vec<u32> = prompt(90).into_iter().cycle().take(130).collect();
    let mut cached = None;
    let (cancel, ask_other) = (Cancel::new(), |cached: &mut Option<usize>| {
        let other = [&text[..], &[5]].concat();
        let said = batcher
            .generate(&other, &options(0, 1), &Cancel::new(), &mut || {}, &mut |_| {})
            .unwrap();
        *cached = Some(said.cached_tokens);
    });
    batcher
        .generate(&text, &options(0, 100), &cancel, &mut || {}, &mut |_| {
            if cached.is_none() {
                ask_other(&mut cached);
            }
        })
        .unwrap();
    // While it runs two pages; had it ended before, all of it.
    assert!(matches!(cached, Some(128 | 130)), "{cached:?}");
}

#[test]
fn what_cannot_be_done_is_refused_and_harms_nobody() {
    let engine = engine();
    let batcher = Batcher::new(&engine, Limits::default());
    let run = |prompt: &[u32], options: &GenerateOptions| {
        batcher.generate(prompt, options, &Cancel::new(), &mut || {}, &mut |_| {})
    };
    assert!(matches!(run(&[], &options(0, 3)), Err(Error::EmptyPrompt)));
    assert!(matches!(run(&prompt(CONTEXT), &options(0, 3)), Err(Error::ContextFull { .. })));
    assert!(matches!(run(&[3, VOCAB], &options(0, 3)), Err(Error::Model(_))));
    assert_eq!(run(&prompt(4), &options(0, 0)).unwrap().finish, Finish::Length);
    let full = Batcher::new(&engine, Limits { waiting: 0, ..Limits::default() });
    let refused =
        full.generate(&prompt(4), &options(0, 3), &Cancel::new(), &mut || {}, &mut |_| {});
    assert!(matches!(refused, Err(Error::Busy { waiting: 0 })));
    assert_eq!(full.counters().refused, 1);
    assert_eq!(run(&prompt(4), &options(0, 5)).unwrap().tokens.len(), 5);
}
