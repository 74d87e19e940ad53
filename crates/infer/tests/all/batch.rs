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
    let cancel = Cancel::new();
    let mut n_pieces = 0;
    let said = batcher
        .generate(&prompt(4), &options(0, 200), &cancel.clone(), &mut || {}, &mut |_| {
            n_pieces += 1;
            cancel.cancel();
        })
        .unwrap();
    assert_eq!(said.finish, Finish::Cancelled);
    assert!(said.tokens.len() < 200);
    let next = batcher
        .generate(&prompt(4), &options(0, 5), &Cancel::new(), &mut || {}, &mut |_| {})
        .unwrap();
    assert_eq!(next.tokens, alone(&prompt(4), &options(0, 5)).tokens);
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
