//! Files made to mislead: every answer is a model that runs or an error that names the file and the way out.
//!
//! The headers are small, so bit flips hit counts, shapes, offsets and names; what loads nevertheless is run for a
//! few tokens, because a number that passes all checks may still be wrong for the loop that trusts it.

mod support;

use std::path::{Path, PathBuf};

use kernels::pool::Pool;
use model::decoder::{Decoder, KvCache, Rows, read};
use model::export::{Options, to_gguf};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::golden;

const MODELS: [&str; 6] = [
    "llama-tiny",
    "gemma3-tiny",
    "qwen2-yarn-tiny",
    "qwen3-moe-tiny",
    "mixtral-tiny",
    "falcon-new-tiny",
];

/// Loads what is at `path` and runs it; says what was wrong with it, if anything.
fn load(path: &Path) -> Result<(), String> {
    let decoder = match Decoder::load(path) {
        Ok(decoder) => decoder,
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains("hint:"), "{message}");
            return Err(message);
        }
    };
    let mut cache = KvCache::new(decoder.config(), 5);
    let vocab = decoder.config().vocab as u32;
    let tokens = [1, 2, 3, 0, 1].map(|token| token % vocab);
    let run = decoder.forward(&Pool::new(1), &mut cache, &tokens, Rows::All);
    run.map(|_| ()).map_err(|error| error.to_string())
}

/// A copy of a tiny model with another configuration.
fn with_config(name: &str, config: &Value) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let weights = "model.safetensors";
    std::fs::copy(golden(name).join(weights), directory.path().join(weights)).unwrap();
    std::fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
    directory
}

fn config(name: &str) -> Value {
    let text = std::fs::read_to_string(golden(name).join("config.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Values that no model means.
fn absurd() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(0),
        json!(1),
        json!(-1),
        json!(3),
        json!(1_000_000),
        json!(u64::MAX),
        json!(0.5),
        json!(-1e300),
        json!(1e300),
        json!(true),
        json!("many"),
        json!([]),
        json!([7, 7]),
        json!({}),
        json!({ "rope_type": "yarn", "factor": 0.0, "original_max_position_embeddings": -5 }),
        json!({ "rope_type": "llama3", "factor": 1e300 }),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_absurd_value_in_any_place_of_config_json_is_refused_or_harmless(
        name in prop::sample::select(MODELS.to_vec()),
        place in any::<prop::sample::Index>(),
        value in prop::option::of(absurd()),
    ) {
        let mut config = config(name);
        let keys: Vec<String> = config.as_object().unwrap().keys().cloned().collect();
        let key = place.get(&keys);
        match value {
            Some(value) => config[key] = value,
            None => _ = config.as_object_mut().unwrap().remove(key),
        }
        let _ = load(with_config(name, &config).path());
    }

    #[test]
    fn flipped_bits_in_a_safetensors_header_never_panic(
        name in prop::sample::select(MODELS.to_vec()),
        flips in prop::collection::vec((0..4000_usize, 0..8_u32), 1..4),
        len in prop::option::of(0..60_000_usize),
    ) {
        let directory = with_config(name, &config(name));
        let path = directory.path().join("model.safetensors");
        damage(&path, &flips, len);
        let _ = load(directory.path());
    }

    #[test]
    fn flipped_bits_in_a_gguf_file_of_any_family_never_panic(
        name in prop::sample::select(vec!["llama-tiny", "mixtral-tiny", "olmoe-tiny", "falcon-new-tiny"]),
        flips in prop::collection::vec((0..4000_usize, 0..8_u32), 1..4),
        len in prop::option::of(0..60_000_usize),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = gguf(name, directory.path());
        damage(&path, &flips, len);
        let _ = load(&path);
    }
}

fn damage(path: &Path, flips: &[(usize, u32)], len: Option<usize>) {
    let mut bytes = std::fs::read(path).unwrap();
    for &(place, bit) in flips {
        bytes[place] ^= 1 << bit;
    }
    bytes.truncate(len.unwrap_or(usize::MAX));
    std::fs::write(path, bytes).unwrap();
}

/// A tiny model as a GGUF file.
fn gguf(name: &str, directory: &Path) -> PathBuf {
    let (config, weights) = read(&golden(name)).unwrap();
    let path = directory.join("model.gguf");
    let mut silent = |_: u64, _: u64, _: &str| {};
    let mut options = Options { encoding: None, n_threads: 1, on_progress: &mut silent };
    to_gguf(&path, &config, &weights, name, vec![], &mut options).unwrap();
    path
}

#[test]
fn each_refusal_names_what_is_wrong() {
    for (name, key, value, expected) in [
        ("qwen3-moe-tiny", "num_experts_per_tok", json!(9), "9 of 8 experts"),
        ("qwen3-moe-tiny", "num_experts_per_tok", json!(0), "0 of 8 experts"),
        ("qwen3-moe-tiny", "num_local_experts", json!(1_u64 << 40), "number of experts"),
        ("qwen3-moe-tiny", "mlp_only_layers", json!("all"), "mlp_only_layers"),
        ("qwen3-moe-tiny", "moe_intermediate_size", json!(0), "expert size"),
        ("mixtral-tiny", "num_local_experts", json!(65_536), "blk.0.ffn_gate_inp.weight"),
        ("olmoe-tiny", "clip_qkv", json!(8.0), "clip_qkv"),
        ("falcon-tiny", "alibi", json!(true), "ALiBi"),
        ("falcon-tiny", "num_attention_heads", json!(0), "number of heads"),
        ("falcon-new-tiny", "num_kv_heads", json!(3), "divide"),
        ("falcon-new-tiny", "num_kv_heads", json!(4), "attn_qkv"),
        ("falcon-tiny", "activation", json!("mish"), "mish"),
        ("llama-tiny", "hidden_size", json!(u64::MAX), "hidden size"),
    ] {
        let mut config = config(name);
        config[key] = value;
        let message = load(with_config(name, &config).path()).unwrap_err();
        assert!(message.contains(expected), "{key}: {message}");
    }
}
