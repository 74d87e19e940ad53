//! The decoder agrees with PyTorch and with itself.

mod support;

use kernels::pool::Pool;
use model::decoder::{Decoder, KvCache, Rows};
use support::{Reference, argmax, golden, log_softmax, real_model};

const TINY: [&str; 5] = ["llama-tiny", "gemma3-tiny", "gemma2-tiny", "qwen2-tiny", "qwen3-tiny"];

fn tiny(name: &str) -> (Decoder, Vec<u32>, Vec<f32>) {
    let decoder = Decoder::load(&golden(name)).unwrap();
    let reference = Reference::open(&golden(name).join("reference.safetensors"));
    (decoder, reference.ids("tokens"), reference.floats("log_probs"))
}

fn logits(decoder: &Decoder, tokens: &[u32]) -> Vec<f32> {
    let mut cache = KvCache::new(decoder.config(), tokens.len());
    decoder.forward(&Pool::new(2), &mut cache, tokens, Rows::All).unwrap()
}

#[test]
fn tiny_models_of_each_family_agree_with_pytorch() {
    for name in TINY {
        let (decoder, tokens, expected) = tiny(name);
        let vocab = decoder.config().vocab;
        let ours = logits(&decoder, &tokens);
        assert_eq!(ours.len(), expected.len());
        let mut worst = 0.0_f64;
        for (row, expected) in ours.chunks(vocab).zip(expected.chunks(vocab)) {
            assert_eq!(argmax(row), argmax(expected), "{name}");
            for (ours, theirs) in log_softmax(row).iter().zip(expected) {
                worst = worst.max((ours - f64::from(*theirs)).abs());
            }
        }
        eprintln!("{name}: largest difference of log-probabilities {worst:.1e}");
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
