//! What sessions promise, on a Llama of 3 layers and 128 tokens with random weights (golden/llama-tiny).

use crate::tiny::{CONTEXT, TINY, VOCAB, engine, engine_at, prompt};
use infer::{Cancel, Error, Finish, GenerateOptions, Generation, Sampling, Session, Truncate};
use std::path::PathBuf;

fn options(max_tokens: usize) -> GenerateOptions {
    GenerateOptions { max_tokens, ignore_end: true, ..GenerateOptions::default() }
}

fn warm(seed: u64) -> GenerateOptions {
    let sampling = Sampling { temperature: 1.5, top_p: 0.95, seed, ..Sampling::default() };
    GenerateOptions { sampling, ..options(24) }
}

fn generate(session: &mut Session, prompt: &[u32], options: &GenerateOptions) -> Generation {
    session.generate(prompt, options, &Cancel::new(), &mut |_| {}).unwrap()
}

fn fresh(prompt: &[u32], options: &GenerateOptions) -> Generation {
    generate(&mut Session::new(&engine()), prompt, options)
}

fn argmax(row: &[f32]) -> u32 {
    (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as u32
}

#[test]
fn greedy_is_the_chain_of_the_most_probable_tokens() {
    let mut tokens = prompt(9);
    let answer = fresh(&tokens, &options(12)).tokens;
    let mut session = Session::new(&engine());
    for token in answer {
        let rows = session.logits(&tokens).unwrap();
        assert_eq!(token, argmax(rows.last().unwrap()));
        tokens.push(token);
    }
}

#[test]
fn a_seed_decides_the_answer() {
    let prompt = prompt(7);
    let first = fresh(&prompt, &warm(1));
    assert_eq!(first.tokens, fresh(&prompt, &warm(1)).tokens);
    assert_ne!(first.tokens, fresh(&prompt, &warm(2)).tokens);
    assert_eq!(first.finish, Finish::Length);
}

#[test]
fn what_was_read_before_is_not_read_again_and_the_answer_is_the_same() {
    let engine = engine();
    let mut session = Session::new(&engine);
    let first = generate(&mut session, &prompt(40), &options(10));
    assert_eq!(first.cached_tokens, 0);

    // The conversation goes on: the old prompt, most of the answer, something new.
    let mut longer = prompt(40);
    longer.extend(&first.tokens[..8]);
    longer.extend(prompt(5));
    for options in [options(16), warm(3)] {
        let again = generate(&mut session, &longer, &options);
        assert!(again.cached_tokens >= 48, "{} tokens were remembered", again.cached_tokens);
        let alone = fresh(&longer, &options);
        assert_eq!((again.tokens, again.text), (alone.tokens, alone.text));
    }

    // Another beginning: only what is common is kept.
    let other = [&prompt(20)[..], &[100, 101]].concat();
    let other_answer = generate(&mut session, &other, &options(4));
    assert_eq!(other_answer.cached_tokens, 20);
    assert_eq!(other_answer.tokens, fresh(&other, &options(4)).tokens);
}

#[test]
fn a_stop_text_ends_the_answer_and_is_not_part_of_it() {
    let prompt = prompt(6);
    let whole = fresh(&prompt, &options(20)).text;
    // From inside one token's text into the next: wherever tokens end, the cut is here.
    let at = whole.char_indices().nth(whole.chars().count() / 2).unwrap().0;
    let stop: String = whole[at..].chars().take(3).collect();
    let cut = &whole[..whole.find(&stop).unwrap()];

    let stopping = GenerateOptions { stop: vec!["never".into(), stop], ..options(20) };
    let mut pieces = String::new();
    let mut session = Session::new(&engine());
    let generation = session
        .generate(&prompt, &stopping, &Cancel::new(), &mut |piece| pieces.push_str(&piece.text))
        .unwrap();
    assert_eq!((generation.text.as_str(), generation.finish), (cut, Finish::Stop));
    assert_eq!(pieces, cut, "what streams out is the answer");
}

#[test]
fn the_model_can_end_its_answer() {
    let prompt = prompt(6);
    let free = fresh(&prompt, &options(20)).tokens;
    // Make the end token the favourite from the start.
    let sampling = Sampling { logit_bias: vec![(2, 1000.0)], ..Sampling::default() };
    let ended = fresh(&prompt, &GenerateOptions { sampling, ignore_end: false, ..options(20) });
    assert_eq!((ended.tokens.len(), ended.finish), (0, Finish::Stop));
    assert_eq!(free.len(), 20);
}

#[test]
fn cancelling_keeps_what_there_is_and_the_session_goes_on() {
    let mut session = Session::new(&engine());
    let cancel = Cancel::new();
    let mut n_pieces = 0;
    let stopped = session
        .generate(&prompt(6), &options(50), &cancel.clone(), &mut |_| {
            n_pieces += 1;
            if n_pieces == 3 {
                cancel.cancel();
            }
        })
        .unwrap();
    assert_eq!(stopped.finish, Finish::Cancelled);
    let whole = fresh(&prompt(6), &options(50));
    assert!(stopped.tokens.len() < 50 && whole.tokens.starts_with(&stopped.tokens));

    let cancelled = Cancel::new();
    cancelled.cancel();
    let nothing = session.generate(&prompt(60), &options(5), &cancelled, &mut |_| {}).unwrap();
    assert_eq!((nothing.tokens.len(), nothing.finish), (0, Finish::Cancelled));

    assert_eq!(generate(&mut session, &prompt(6), &options(50)).tokens, whole.tokens);
}

#[test]
fn scores_are_sums_of_log_probabilities_and_do_not_depend_on_company() {
    let prompt = prompt(17);
    let continuations =
        vec![vec![5, 6, 7], vec![80], vec![], (3..60).collect::<Vec<u32>>(), vec![5, 6, 8]];
    let engine = engine();
    let mut session = Session::new(&engine);
    let together = session.score(&prompt, &continuations).unwrap();
    for (continuation, score) in continuations.iter().zip(&together) {
        let alone =
            Session::new(&engine).score(&prompt, std::slice::from_ref(continuation)).unwrap();
        assert_eq!(alone[0], *score);

        let text = [&prompt[..], continuation].concat();
        let rows = Session::new(&engine).logits(&text).unwrap();
        let logprob: f64 = (prompt.len()..text.len())
            .map(|i| {
                let row: Vec<f64> = rows[i - 1].iter().map(|&logit| f64::from(logit)).collect();
                row[text[i] as usize] - row.iter().map(|logit| logit.exp()).sum::<f64>().ln()
            })
            .sum();
        // f32 logits of size ten, summed over up to 57 tokens.
        assert!((score.logprob - logprob).abs() < 1e-3, "{} against {logprob}", score.logprob);
        assert_eq!(score.tokens, continuation.len());
    }
    let greedy = fresh(&prompt, &options(3)).tokens;
    assert!(session.score(&prompt, &[greedy]).unwrap()[0].greedy);
    assert!(!together[4].greedy);
}

#[test]
fn a_prompt_that_does_not_fit_is_refused_or_cut_as_asked() {
    let mut session = Session::new(&engine());
    let long = prompt(400);
    let refused = session.generate(&long, &options(8), &Cancel::new(), &mut |_| {});
    assert!(matches!(refused, Err(Error::ContextFull { needed: 401, limit: CONTEXT })));

    let cut = GenerateOptions { truncate: Truncate::DropOldest { keep_first: 20 }, ..options(8) };
    let generation = generate(&mut session, &long, &cut);
    assert_eq!(
        (generation.prompt_tokens, generation.dropped_tokens),
        (CONTEXT - 8, 400 - (CONTEXT - 8))
    );
    let kept = [&long[..20], &long[400 - (CONTEXT - 8 - 20)..]].concat();
    assert_eq!(generation.tokens, fresh(&kept, &options(8)).tokens);

    // An answer that fills the context ends there; its last token need not be read.
    let full = fresh(&prompt(CONTEXT - 6), &options(100));
    assert_eq!((full.tokens.len(), full.finish), (7, Finish::ContextFull));
    let small = GenerateOptions { context_len: Some(64), ..options(100) };
    assert_eq!(fresh(&prompt(60), &small).tokens.len(), 5);
}

#[test]
fn impossible_requests_are_errors_and_leave_the_session_usable() {
    let mut session = Session::new(&engine());
    let mut run = |prompt: &[u32], options: &GenerateOptions| {
        session.generate(prompt, options, &Cancel::new(), &mut |_| {})
    };
    assert!(matches!(run(&[], &options(3)), Err(Error::EmptyPrompt)));
    assert!(matches!(run(&[3, VOCAB], &options(3)), Err(Error::Model(_))));
    let wrong = Sampling { min_p: 2.0, ..Sampling::default() };
    let wrong = GenerateOptions { sampling: wrong, ..options(3) };
    assert!(matches!(run(&[3], &wrong), Err(Error::Option { option: "min_p", .. })));
    assert_eq!(run(&[3], &options(0)).unwrap().finish, Finish::Length);
    assert_eq!(run(&prompt(5), &options(9)).unwrap().tokens, fresh(&prompt(5), &options(9)).tokens);

    let mut session = Session::new(&engine());
    assert!(matches!(session.score(&[3], &[vec![VOCAB]]), Err(Error::Model(_))));
    assert!(matches!(session.score(&[], &[vec![3]]), Err(Error::EmptyPrompt)));
    assert!(matches!(session.logits(&prompt(300)), Err(Error::ContextFull { .. })));
}

#[test]
fn weights_that_are_not_numbers_give_an_error_and_no_words() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(PathBuf::from(TINY).join(file), folder.path().join(file)).unwrap();
    }
    let path = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    // All bits set is NaN; everything after the header becomes that.
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[header..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let mut session = Session::new(&engine_at(folder.path()));
    let wrong = session.generate(&prompt(4), &options(3), &Cancel::new(), &mut |_| {});
    assert!(matches!(wrong, Err(Error::NotFinite { position: 4 })));
    assert!(matches!(session.score(&prompt(4), &[vec![3, 4]]), Err(Error::NotFinite { .. })));
}

#[test]
fn guesses_change_the_speed_and_never_the_answer() {
    let engine = engine();
    // Text that repeats itself, so that there is something to guess.
    let prompt: Vec<u32> = prompt(12).into_iter().cycle().take(60).collect();
    for options in [options(60), warm(5), warm(6)] {
        let answers = [Some(0), Some(1), Some(3), Some(8), None].map(|guess_tokens| {
            let options = GenerateOptions { guess_tokens, max_tokens: 60, ..options.clone() };
            generate(&mut Session::new(&engine), &prompt, &options)
        });
        for answer in &answers[1..] {
            assert_eq!(answer.tokens, answers[0].tokens);
            assert_eq!((&answer.text, answer.finish), (&answers[0].text, answers[0].finish));
        }
    }
    // And the session holds what it says it holds.
    let mut session = Session::new(&engine);
    let first = generate(&mut session, &prompt, &options(30));
    let remembered = session.tokens().to_vec();
    assert_eq!(remembered, [&prompt[..], &first.tokens[..29]].concat());
    let again = session.logits(&remembered).unwrap();
    assert_eq!(argmax(again.last().unwrap()), first.tokens[29]);
}

#[test]
fn log_probabilities_are_those_of_the_logits() {
    let prompt = prompt(9);
    let sampling = Sampling { temperature: 2.0, seed: 3, ..Sampling::default() };
    let asked = GenerateOptions { sampling, top_logprobs: Some(4), ..options(6) };
    let mut pieces = Vec::new();
    let mut session = Session::new(&engine());
    let collect = &mut |piece: &infer::Piece| pieces.extend(piece.logprobs.clone());
    let answer = session.generate(&prompt, &asked, &Cancel::new(), collect).unwrap();
    assert_eq!(answer.logprobs.len(), 6);
    assert_eq!(pieces, answer.logprobs, "what streams out is complete");
    let text = [&prompt[..], &answer.tokens].concat();
    let rows = session.logits(&text).unwrap();
    for (i, said) in answer.logprobs.iter().enumerate() {
        let row: Vec<f64> = rows[prompt.len() + i - 1].iter().map(|&x| f64::from(x)).collect();
        let total = row.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        let wanted = row[answer.tokens[i] as usize] - total;
        assert_eq!(said.token, answer.tokens[i]);
        assert!((f64::from(said.logprob) - wanted).abs() < 1e-4);
        assert_eq!(said.top.len(), 4);
        assert_eq!(said.top[0].0, argmax(&rows[prompt.len() + i - 1]));
        assert!(said.top.is_sorted_by(|a, b| a.1 >= b.1));
    }
}
