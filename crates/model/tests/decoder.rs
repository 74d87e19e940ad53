//! The decoder agrees with PyTorch and with itself.

mod support;

use kernels::pool::Pool;
use model::cost::parameters;
use model::decoder::{Decoder, KvCache, Part, Precision, Rows};
use support::{Reference, argmax, golden, log_softmax, real_model};

const TINY: [&str; 12] = [
    "llama-tiny",
    "llama-dynamic-tiny",
    "gemma3-tiny",
    "gemma2-tiny",
    "qwen2-tiny",
    "qwen2-yarn-tiny",
    "qwen3-tiny",
    "qwen3-moe-tiny",
    "mixtral-tiny",
    "olmoe-tiny",
    "falcon-tiny",
    "falcon-new-tiny",
];

fn tiny(name: &str) -> (Decoder, Vec<u32>, Vec<f32>) {
    let decoder = Decoder::load(&golden(name)).unwrap();
    let reference = Reference::open(&golden(name).join("reference.safetensors"));
    (decoder, reference.ids("tokens"), reference.floats("log_probs"))
}

fn logits(decoder: &Decoder, tokens: &[u32]) -> Vec<f32> {
    let mut cache = KvCache::new(decoder.config(), tokens.len());
    decoder.forward(&Pool::new(2), &mut cache, tokens, Rows::All).unwrap()
}

/// Largest difference of log-probabilities from rows `[n, vocab]` of PyTorch's; the likeliest tokens are the same.
fn worst_difference(name: &str, vocab: usize, ours: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(ours.len(), expected.len(), "{name}");
    let mut worst = 0.0_f64;
    for (row, expected) in ours.chunks(vocab).zip(expected.chunks(vocab)) {
        assert_eq!(argmax(row), argmax(expected), "{name}");
        for (ours, theirs) in log_softmax(row).iter().zip(expected) {
            worst = worst.max((ours - f64::from(*theirs)).abs());
        }
    }
    worst
}

#[test]
fn tiny_models_of_each_family_agree_with_pytorch() {
    let pool = Pool::new(2);
    for name in TINY {
        let (decoder, tokens, expected) = tiny(name);
        let vocab = decoder.config().vocab;
        let together = worst_difference(name, vocab, &logits(&decoder, &tokens), &expected);
        let mut cache = KvCache::new(decoder.config(), tokens.len());
        let step = |token| decoder.forward(&pool, &mut cache, &[token], Rows::Last).unwrap();
        let stepped: Vec<f32> = tokens.iter().copied().flat_map(step).collect();
        let stepped = worst_difference(name, vocab, &stepped, &expected);
        eprintln!(
            "{name}: largest difference of log-probabilities {together:.1e}, by steps {stepped:.1e}"
        );
        assert!(together < 1e-3 && stepped < 1e-3, "{name}: {together}, {stepped}");
    }
}

#[test]
fn sequences_of_different_lengths_taking_turns_agree_with_a_padded_batch_of_pytorch() {
    let pool = Pool::new(2);
    for name in TINY {
        let reference = Reference::open(&golden(name).join("reference.safetensors"));
        let decoder = Decoder::load(&golden(name)).unwrap();
        let vocab = decoder.config().vocab;
        let sequences = reference.sequences("batch_");
        let longest = sequences.iter().map(Vec::len).max().unwrap();
        let mut caches: Vec<KvCache> =
            sequences.iter().map(|_| KvCache::new(decoder.config(), longest)).collect();
        let mut rows = vec![Vec::new(); sequences.len()];
        // Each reads the first half of its tokens together, then they take turns, a token each.
        for turn in 0..longest {
            for (idx, sequence) in sequences.iter().enumerate() {
                let half = sequence.len() / 2;
                let start = if turn == 0 { 0 } else { half + turn - 1 };
                let Some(part) = sequence.get(start..sequence.len().min(half + turn)) else {
                    continue;
                };
                let more = decoder.forward(&pool, &mut caches[idx], part, Rows::All).unwrap();
                rows[idx].extend(more);
            }
        }
        let worst =
            worst_difference(name, vocab, &rows.concat(), &reference.floats("batch_log_probs"));
        eprintln!("{name}: largest difference of log-probabilities in a batch {worst:.1e}");
        assert!(worst < 1e-3, "{name}: {worst}");
    }
}

fn agrees_with_pytorch(file: &str) {
    let Some(path) = real_model(file) else { return };
    let stem = file.strip_suffix(".gguf").unwrap();
    let reference = Reference::open(&golden(&format!("{stem}.reference.safetensors")));
    let decoder = Decoder::load(&path).unwrap();
    let vocab = decoder.config().vocab;

    let tokens = reference.ids("tokens");
    let (ids, expected) = (reference.ids("ids"), reference.floats("log_probs"));
    let per_row = ids.len() / tokens.len();
    let mut worst = 0.0_f64;
    let mut compare = |row: &[f32], ids: &[u32], expected: &[f32]| {
        let ours = log_softmax(row);
        for (&id, &expected) in ids.iter().zip(expected) {
            worst = worst.max((ours[id as usize] - f64::from(expected)).abs());
        }
    };
    let ours = logits(&decoder, &tokens);
    for (row_idx, row) in ours.chunks(vocab).enumerate() {
        assert_eq!(argmax(row), reference.ids("argmax")[row_idx] as usize, "row {row_idx}");
        let span = row_idx * per_row..(row_idx + 1) * per_row;
        compare(row, &ids[span.clone()], &expected[span]);
    }
    let long = reference.ids("long_tokens");
    let mut cache = KvCache::new(decoder.config(), long.len());
    let last = decoder.forward(&Pool::new(2), &mut cache, &long, Rows::Last).unwrap();
    let long_ids = reference.ids("long_ids");
    assert_eq!(argmax(&last), long_ids[0] as usize);
    compare(&last, &long_ids, &reference.floats("long_log_probs"));
    eprintln!("{file}: largest difference of log-probabilities {worst:.1e}");
    assert!(worst < 1e-3, "{worst}");
}

#[test]
fn smollm2_from_gguf_agrees_with_pytorch_on_the_dequantised_weights() {
    agrees_with_pytorch("SmolLM2-135M-Instruct.Q4_1.gguf");
}

#[test]
fn gemma3_from_gguf_agrees_with_pytorch_on_the_dequantised_weights() {
    agrees_with_pytorch("gemma-3-270m-q4_k_m.gguf");
}

/// Logits do not depend on how many tokens are read together, to the last bit.
#[track_caller]
fn assert_same_bits(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let differing = a.iter().zip(b).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    assert_eq!(differing, 0, "{what}: so many of {} logits differ", a.len());
}

/// The tiny models with exact products, and real ones of all formats with fast products where they are here.
fn all_models() -> Vec<(String, Decoder)> {
    let tiny = TINY.iter().map(|name| (name.to_string(), Decoder::load(&golden(name)).unwrap()));
    let real = ["SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"];
    let real = real.iter().filter_map(|name| {
        let decoder = Decoder::load_with(&real_model(name)?, Precision::Fast).unwrap();
        Some((name.to_string(), decoder))
    });
    tiny.chain(real).collect()
}

#[test]
fn step_by_step_gives_what_the_whole_prompt_gives() {
    let pool = Pool::new(2);
    for (name, decoder) in all_models() {
        let tokens: Vec<u32> = (0..29).map(|i| 3 + i * 37 % 125).collect();
        let whole = logits(&decoder, &tokens);
        for step in [1, 3, 17] {
            let mut cache = KvCache::new(decoder.config(), tokens.len());
            let mut stepped = Vec::new();
            for part in tokens.chunks(step) {
                stepped.extend(decoder.forward(&pool, &mut cache, part, Rows::All).unwrap());
            }
            assert_eq!(cache.len(), tokens.len());
            assert_same_bits(&whole, &stepped, &format!("{name} in steps of {step}"));
        }
    }
}

#[test]
fn arranged_weights_change_no_bit() {
    let pool = Pool::new(2);
    for name in ["SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"] {
        let Some(path) = real_model(name) else { continue };
        let decoder = Decoder::load_with(&path, Precision::Fast).unwrap();
        let arranged = Decoder::load_with(&path, Precision::Fast).unwrap().interleaved(&pool);
        let tokens: Vec<u32> = (0..40).map(|i| 3 + i * 3_701 % 40_000).collect();
        let whole = logits(&decoder, &tokens);
        // Few rows of x that meet a panel at once, several times, and through the cache.
        for step in [1, 3, 7, 40] {
            let mut cache = KvCache::new(decoder.config(), tokens.len());
            let mut stepped = Vec::new();
            for part in tokens.chunks(step) {
                stepped.extend(arranged.forward(&pool, &mut cache, part, Rows::All).unwrap());
            }
            assert_same_bits(&whole, &stepped, &format!("{name} in steps of {step}"));
        }
    }
}

#[test]
fn a_prompt_longer_than_a_chunk_gives_what_its_halves_give() {
    let pool = Pool::new(2);
    let (decoder, ..) = tiny("gemma3-tiny");
    let tokens: Vec<u32> = (0..600).map(|i| i * 31 % 128).collect();
    let mut cache = KvCache::new(decoder.config(), 600);
    let whole = decoder.forward(&pool, &mut cache, &tokens, Rows::Last).unwrap();
    cache.truncate(0);
    assert!(decoder.forward(&pool, &mut cache, &tokens[..399], Rows::None).unwrap().is_empty());
    let halves = decoder.forward(&pool, &mut cache, &tokens[399..], Rows::Last).unwrap();
    assert_same_bits(&whole, &halves, "halves");
}

#[test]
fn a_truncated_cache_continues_like_a_fresh_one() {
    let pool = Pool::new(2);
    for name in TINY {
        let (decoder, tokens, _) = tiny(name);
        let mut cache = KvCache::new(decoder.config(), tokens.len());
        decoder.forward(&pool, &mut cache, &tokens, Rows::None).unwrap();
        cache.truncate(100);
        assert_eq!(cache.len(), tokens.len());
        cache.truncate(21);
        assert_eq!(cache.len(), 21);
        let other: Vec<u32> = tokens.iter().rev().copied().take(10).collect();
        let continued = decoder.forward(&pool, &mut cache, &other, Rows::All).unwrap();
        let mut fresh = KvCache::new(decoder.config(), 31);
        decoder.forward(&pool, &mut fresh, &tokens[..21], Rows::None).unwrap();
        let expected = decoder.forward(&pool, &mut fresh, &other, Rows::All).unwrap();
        // The first 21 rows of the cache came from 40 tokens together, the fresh ones from 21.
        assert_same_bits(&continued, &expected, name);
    }
}

#[test]
fn results_have_the_same_bits_for_any_number_of_threads() {
    let (decoder, tokens, _) = tiny("llama-tiny");
    let run = |n_threads| {
        let pool = Pool::new(n_threads);
        let mut cache = KvCache::new(decoder.config(), 64);
        let mut logits = decoder.forward(&pool, &mut cache, &tokens, Rows::All).unwrap();
        logits.extend(decoder.forward(&pool, &mut cache, &[5], Rows::Last).unwrap());
        logits
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(5));
}

#[test]
fn what_cannot_be_done_is_an_error_and_leaves_the_cache_as_it_was() {
    let pool = Pool::new(1);
    let (decoder, ..) = tiny("llama-tiny");
    let mut cache = KvCache::new(decoder.config(), 4);
    decoder.forward(&pool, &mut cache, &[1, 2], Rows::None).unwrap();
    let error = decoder.forward(&pool, &mut cache, &[128], Rows::Last).unwrap_err().to_string();
    assert!(error.contains("token 128"), "{error}");
    let error = decoder.forward(&pool, &mut cache, &[1, 2, 3], Rows::Last).unwrap_err().to_string();
    assert!(error.contains("5 positions") && error.contains("room for 4"), "{error}");
    assert_eq!(cache.len(), 2);
    assert!(decoder.forward(&pool, &mut cache, &[], Rows::Last).unwrap().is_empty());
    assert_eq!(decoder.forward(&pool, &mut cache, &[3, 4], Rows::Last).unwrap().len(), 128);
}

#[test]
fn parameters_are_counted_as_the_files_have_them() {
    for name in TINY {
        let (config, weights) = model::decoder::read(&golden(name)).unwrap();
        assert_eq!(parameters(&config).total, weights.n_elements() as u64, "{name}");
    }
    for (file, published) in [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", 134_515_008),
        ("gemma-3-270m-q4_k_m.gguf", 268_098_176),
    ] {
        let Some(path) = real_model(file) else { continue };
        let (config, weights) = model::decoder::read(&path).unwrap();
        assert_eq!(parameters(&config).total, published);
        assert_eq!(weights.n_elements(), published as usize);
    }
}

#[test]
fn texts_in_one_pass_get_the_logits_they_would_get_alone() {
    let pool = Pool::new(2);
    for (name, decoder) in all_models() {
        let vocab = decoder.config().vocab;
        let text = |n: usize, step: usize| -> Vec<u32> {
            (0..n).map(|i| (3 + i * step % (vocab - 3)) as u32).collect()
        };
        // A step among prompts, one of them longer than a pass, one with nothing new.
        let wants = [Rows::Last, Rows::All, Rows::None, Rows::Last, Rows::All, Rows::Last];
        let new = [text(1, 5), text(7, 11), text(40, 7), text(600, 13), vec![], text(33, 17)];
        let known = [text(20, 3), vec![], text(5, 3), text(1, 3), text(4, 3), vec![]];
        let cache = |known: &Vec<u32>| {
            let mut cache = KvCache::new(decoder.config(), 700);
            decoder.forward(&pool, &mut cache, known, Rows::None).unwrap();
            cache
        };
        let mut alone = Vec::new();
        for ((known, new), want) in known.iter().zip(&new).zip(wants) {
            alone.extend(decoder.forward(&pool, &mut cache(known), new, want).unwrap());
        }
        let mut caches: Vec<KvCache> = known.iter().map(cache).collect();
        let mut parts: Vec<Part<'_>> = caches
            .iter_mut()
            .zip(&new)
            .zip(wants)
            .map(|((cache, new), want)| Part { cache, tokens: new.into(), want })
            .collect();
        let mut together = Vec::new();
        decoder.forward_parts(&pool, &mut parts, &mut together).unwrap();
        assert_eq!(together.len(), alone.len(), "{name}");
        assert_same_bits(&alone, &together, &name);
        for ((cache, known), new) in caches.iter().zip(&known).zip(&new) {
            assert_eq!(cache.len(), known.len() + new.len());
        }
    }
}

#[test]
fn a_part_that_cannot_be_read_leaves_all_caches_as_they_were() {
    let decoder = Decoder::load(&golden("llama-tiny")).unwrap();
    let pool = Pool::new(1);
    let (mut fine, mut full) =
        (KvCache::new(decoder.config(), 10), KvCache::new(decoder.config(), 2));
    for tokens in [&[3u32, 4, 5][..], &[3, 1_000_000]] {
        let mut parts = [
            Part { cache: &mut fine, tokens: (&[3, 4]).into(), want: Rows::Last },
            Part { cache: &mut full, tokens: tokens.into(), want: Rows::Last },
        ];
        assert!(decoder.forward_parts(&pool, &mut parts, &mut Vec::new()).is_err());
        assert!(fine.is_empty() && full.is_empty());
    }
    decoder.forward_parts(&pool, &mut [], &mut Vec::new()).unwrap();
}

/// Perplexity of the beginning of ARCHITECTURE.md, 256 tokens as each model's own tokenizer cuts them.
fn perplexity(decoder: &Decoder, tokens: &[u32]) -> f64 {
    let vocab = decoder.config().vocab;
    let logits = logits(decoder, tokens);
    let predicted = logits.chunks(vocab).zip(&tokens[1..]);
    let total: f64 = predicted.map(|(row, &next)| log_softmax(row)[next as usize]).sum();
    f64::exp(-total / (tokens.len() - 1) as f64)
}

#[test]
fn products_in_integers_raise_the_perplexity_by_a_tenth_at_most() {
    // Between them the two hold Q4_1, Q4_K, Q5_0, Q6_K and Q8_0.
    for stem in ["SmolLM2-135M-Instruct.Q4_1", "gemma-3-270m-q4_k_m"] {
        let Some(path) = real_model(&format!("{stem}.gguf")) else { continue };
        let ids = std::fs::read_to_string(golden(&format!("perplexity/{stem}.ids"))).unwrap();
        let tokens: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
        let of = |precision| perplexity(&Decoder::load_with(&path, precision).unwrap(), &tokens);
        let (exact, fast) = (of(Precision::Exact), of(Precision::Fast));
        let percent = 100.0 * (fast / exact - 1.0);
        eprintln!("{stem}: perplexity {exact:.3} exact, {fast:.3} fast ({percent:+.2} %)");
        // A mistake costs tens of percent. A sample this small moves by several whichever way products are rounded;
        // what a large one says stands at the constant that decides which rows are not rounded.
        assert!(percent.abs() < 10.0, "{stem}: perplexity {exact} exact, {fast} fast");
    }
}
