//! A draft model changes how many steps an answer takes and nothing else.

use crate::tiny::{CONTEXT, TINY, VOCAB, engine, engine_at, letter, other_tokenizer, prompt};
use infer::export::{Target, export};
use infer::{
    Batcher, Cancel, Engine, Error, Form, GenerateOptions, Generation, Limits, Sampling, Session,
};
use model::decoder::Decoder;
use model::quantise::Encoding;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name)
}

/// The tiny Llama with a draft model of each kind: itself, itself in four bits (right now and then), another network.
fn drafted() -> &'static [(&'static str, Engine); 3] {
    static ENGINES: OnceLock<[(&str, Engine); 3]> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let rough = folder.path().join("rough.gguf");
        let from = Path::new(TINY);
        export(from, Target::Gguf, &rough, Some(Encoding::Q4_0), 1, &mut |_, _, _| {}).unwrap();
        let with = |draft: Engine| engine().with_draft(draft).unwrap();
        [
            ("itself", with(engine())),
            ("itself in four bits", with(engine_at(&rough))),
            ("another network", with(engine_at(&golden("qwen3-tiny")))),
        ]
    })
}

fn say(engine: &Engine, prompt: &[u32], options: &GenerateOptions) -> Generation {
    Session::new(engine).generate(prompt, options, &Cancel::new(), &mut |_| {}).unwrap()
}

fn assert_same(said: &Generation, plain: &Generation, how: &str) {
    assert_eq!(said.tokens, plain.tokens, "{how}");
    assert_eq!((&said.text, said.finish), (&plain.text, plain.finish), "{how}");
    assert_eq!(said.logprobs, plain.logprobs, "{how}");
}

fn options(sampling: Sampling, max_tokens: usize) -> GenerateOptions {
    GenerateOptions { sampling, max_tokens, ignore_end: true, ..GenerateOptions::default() }
}

#[test]
fn a_model_that_guesses_for_itself_is_always_right_and_saves_steps() {
    let itself = &drafted()[0].1;
    let warm = Sampling { temperature: 1.3, top_k: 40, top_p: 0.9, seed: 8, ..Sampling::default() };
    let strict = Sampling {
        repetition_penalty: 1.4,
        presence: 0.3,
        frequency: 0.2,
        logit_bias: vec![(7, 1.0)],
        ..Sampling::default()
    };
    // Longer than the draft model reads in one step.
    for prompt in [prompt(9), prompt(150)] {
        for sampling in [Sampling::default(), warm.clone(), strict.clone()] {
            let options = options(sampling, 60);
            let plain = say(
                &engine(),
                &prompt,
                &GenerateOptions { guess_tokens: Some(0), ..options.clone() },
            );
            assert_eq!((plain.steps, plain.draft.made, plain.lookup.made), (59, 0, 0));
            let said = say(itself, &prompt, &options);
            assert_same(&said, &plain, "itself");
            assert_eq!(said.draft.right, said.draft.made);
            assert_eq!(said.tokens.len(), 1 + said.steps + said.draft.right + said.lookup.right);
            // A text that repeats itself is looked up instead; both together still save most steps.
            assert!(said.steps < 30 && said.draft.made > 5, "{said:?}");
        }
    }
}

#[test]
fn a_form_is_kept_by_guesses_too() {
    let form = Form::Regex("(19|20)[0-9]{2}-(0[1-9]|1[0-2]) [a-z]{20}".into());
    for seed in 0..5 {
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let asked = GenerateOptions {
            form: Some(form.clone()),
            max_tokens: 50,
            sampling,
            ..GenerateOptions::default()
        };
        let plain = say(&engine(), &prompt(5), &asked);
        for (how, drafted) in drafted() {
            let said = say(drafted, &prompt(5), &asked);
            assert_same(&said, &plain, how);
            if *how == "itself" {
                assert_eq!(said.draft.right, said.draft.made);
                assert!(said.steps < plain.steps / 2, "{} of {} steps", said.steps, plain.steps);
            }
        }
    }
}

#[test]
fn a_draft_model_that_sees_less_falls_silent_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let from = golden("llama-tiny");
    std::fs::copy(from.join("model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let config = std::fs::read_to_string(from.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["max_position_embeddings"] = 64.into();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let drafted = engine().with_draft(engine_at(folder.path())).unwrap();
    let asked = options(Sampling { temperature: 1.0, seed: 3, ..Sampling::default() }, 100);
    let said = say(&drafted, &prompt(20), &asked);
    assert_same(&said, &say(&engine(), &prompt(20), &asked), "a short context");
    assert!(said.draft.made > 20 && said.draft.right == said.draft.made, "{:?}", said.draft);
    assert!(said.steps >= 100 - 64 + 20, "{} steps", said.steps);
}

#[test]
fn a_conversation_goes_on_with_what_the_draft_model_has_read() {
    for (how, drafted) in drafted() {
        let (mut session, mut plain) = (Session::new(drafted), Session::new(&engine()));
        let mut text = prompt(40);
        for turn in 0..3 {
            let asked = options(Sampling { repetition_penalty: 1.2, ..Sampling::default() }, 20);
            let say = |session: &mut Session| {
                session.generate(&text, &asked, &Cancel::new(), &mut |_| {}).unwrap()
            };
            let (said, wanted) = (say(&mut session), say(&mut plain));
            assert_same(&said, &wanted, how);
            assert_eq!(said.cached_tokens, wanted.cached_tokens);
            // The next turn keeps part of this answer, or none of it.
            text.extend(&said.tokens[..10 * (turn % 2)]);
            text.extend(prompt(6 + turn));
        }
    }
}

#[test]
fn answers_together_with_a_draft_model_are_the_answers_alone() {
    let requests: Vec<(Vec<u32>, GenerateOptions)> = (0..6)
        .map(|i| {
            let temperature = if i % 2 == 0 { 0.0 } else { 1.2 };
            let sampling = Sampling { temperature, seed: i, ..Sampling::default() };
            (prompt(3 + 37 * i as usize), options(sampling, 12 + 5 * i as usize))
        })
        .collect();
    for (how, drafted) in drafted() {
        let batcher = Batcher::new(drafted, Limits { running: 3, ..Limits::default() });
        std::thread::scope(|scope| {
            for (prompt, options) in &requests {
                let batcher = &batcher;
                scope.spawn(move || {
                    let said = batcher
                        .generate(prompt, options, &Cancel::new(), &mut || {}, &mut |_| {})
                        .unwrap();
                    assert_same(&said, &say(&engine(), prompt, options), how);
                });
            }
        });
    }
    // One alone gets as many guesses as there is room for.
    let batcher = Batcher::new(&drafted()[0].1, Limits::default());
    let asked = options(Sampling { temperature: 1.0, seed: 1, ..Sampling::default() }, 80);
    let said =
        batcher.generate(&prompt(4), &asked, &Cancel::new(), &mut || {}, &mut |_| {}).unwrap();
    let counters = batcher.counters();
    assert!(counters.steps < 25, "{counters:?}");
    assert_eq!(counters.drafted_tokens, said.draft.made as u64);
    assert_eq!(counters.drafted_right, counters.drafted_tokens);
}

#[test]
fn a_draft_model_with_other_tokens_or_ends_is_refused_by_name() {
    let other = |name: &str, tokenizer| {
        let decoder = Decoder::load(&golden("llama-tiny")).unwrap();
        Engine::from_parts(name, decoder, tokenizer, None, 1)
    };
    let refused = |draft: Engine| match engine().with_draft(draft) {
        Err(error @ Error::Draft { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let swapped = other_tokenizer(|tokens| tokens.swap(40, 41), Some(2));
    let message = refused(other("swapped", Some(swapped)));
    let (forty, other_forty) = ((b'!' + 36) as char, (b'!' + 37) as char);
    assert_eq!(letter(forty), 40);
    assert!(message.contains("swapped cannot guess for llama-tiny"), "{message}");
    assert!(message.contains(&format!("its token 40 is `{other_forty}` and not `{forty}`")));
    assert!(message.contains("hint:"));

    let longer = other_tokenizer(|tokens| tokens.push("more".into()), Some(2));
    assert!(refused(other("longer", Some(longer))).contains("129 tokens and not 128"));
    let ends = other_tokenizer(|_| {}, Some(1));
    assert!(refused(other("ends", Some(ends))).contains("end with tokens [1] and not [2]"));
    // What fills a GGUF file up is no difference.
    let filled = other_tokenizer(|tokens| tokens.push("[PAD128]".into()), Some(2));
    assert!(engine().with_draft(other("filled", Some(filled))).is_ok());
    let mute = engine().with_draft(other("mute", None));
    assert!(matches!(mute, Err(Error::NoTokenizer { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_answer_never_depends_on_the_draft_model(
        prompt in proptest::collection::vec(3..VOCAB, 1..CONTEXT - 60),
        seed in 0u64..1000,
        temperature in prop_oneof![Just(0.0f32), 0.5f32..2.0],
        repetition_penalty in prop_oneof![Just(1.0f32), 0.8f32..1.6],
        presence in prop_oneof![Just(0.0f32), -0.5f32..0.5],
        top_k in prop_oneof![Just(0usize), 1usize..50],
        guess_tokens in prop_oneof![Just(None), (1usize..9).prop_map(Some)],
        max_tokens in 1usize..60,
        which in 0usize..3,
    ) {
        let sampling = Sampling {
            temperature, repetition_penalty, presence, top_k, seed, ..Sampling::default()
        };
        // The model may end its answer: some of these do.
        let asked = GenerateOptions {
            guess_tokens,
            ignore_end: seed % 2 == 0,
            top_logprobs: Some(2),
            ..options(sampling, max_tokens)
        };
        let plain = GenerateOptions { guess_tokens: Some(0), ..asked.clone() };
        let (how, drafted) = &drafted()[which];
        assert_same(&say(drafted, &prompt, &asked), &say(&engine(), &prompt, &plain), how);
    }
}
