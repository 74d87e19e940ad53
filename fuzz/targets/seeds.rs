//! Writes models of a few kilobytes into `corpus/gguf` and `corpus/safetensors`: a dense one, one with experts, in types
//! that are multiplied in different ways; and sound requests into `corpus/body`. Fuzzing begins at what is right and goes
//! wrong from there.

// The coverage passes call it.
use libfuzzer_sys as _;

#[allow(dead_code)]
#[path = "../../crates/server/tests/common/requests.rs"]
mod requests;

use std::path::Path;

use kernels::format::Format;
use model::config::DecoderConfig;
use model::export::{Options, to_gguf, to_hugging_face};
use model::quantise::Encoding;
use model::weights::map::Bytes;
use model::weights::{Storage, Tensor, Weights};
use serde_json::{Map, Value, json};

const HIDDEN: usize = 32;
const VOCAB: usize = 8;

fn main() {
    let corpus = Path::new("corpus");
    bodies(&corpus.join("body"));
    for (family, experts) in [("llama", 0), ("qwen3_moe", 2)] {
        let config = describe(family, experts);
        let weights = weights(family, experts);
        for encoding in [Encoding::F32, Encoding::Q8_0, Encoding::Q4_0, Encoding::Q4_1] {
            let path = corpus.join("gguf").join(format!("{family}-{}", encoding.name()));
            to_gguf(&path, &config, &weights, family, vec![], &mut options(Some(encoding)))
                .expect("a model file");
        }
        for encoding in [Encoding::F16, Encoding::Bf16] {
            let folder = tempfolder();
            let more = Map::new();
            to_hugging_face(&folder, &config, &weights, more, &[], &mut options(Some(encoding)))
                .expect("a model folder");
            let mut seed = std::fs::read(folder.join("config.json")).expect("config.json");
            seed.push(0);
            seed.extend(std::fs::read(folder.join("model.safetensors")).expect("the weights"));
            let name = format!("{family}-{}", encoding.name());
            std::fs::write(corpus.join("safetensors").join(name), seed).expect("a seed");
            std::fs::remove_dir_all(folder).expect("what was written can be removed");
        }
    }
}

/// A digit for the path, then the body.
fn bodies(folder: &Path) {
    for (i, (path, body)) in requests::sound().iter().enumerate() {
        let place = requests::PATHS.iter().position(|known| known == path).expect("a known path");
        std::fs::write(folder.join(format!("sound-{i}")), format!("{place}{body}"))
            .expect("a seed");
    }
}

fn options(encoding: Option<Encoding>) -> Options<'static> {
    Options {
        encoding,
        n_threads: 1,
        on_progress: Box::leak(Box::new(|_: u64, _: u64, _: &str| {})),
    }
}

fn tempfolder() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("polymath-fuzz-seed-{}", std::process::id()))
}

fn describe(family: &str, experts: usize) -> DecoderConfig {
    let architecture = if experts > 0 { "Qwen3MoeForCausalLM" } else { "LlamaForCausalLM" };
    let mut config = json!({
        "architectures": [architecture], "model_type": family, "hidden_act": "silu", "hidden_size": HIDDEN,
        "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 16, "num_attention_heads": 2,
        "num_key_value_heads": 1, "vocab_size": VOCAB, "rms_norm_eps": 1e-6, "max_position_embeddings": 64,
        "rope_theta": 10000.0, "tie_word_embeddings": true,
    });
    if experts > 0 {
        let more = json!({
            "num_experts": experts, "num_experts_per_tok": 1, "moe_intermediate_size": 32, "norm_topk_prob": true,
            "decoder_sparse_step": 1, "mlp_only_layers": [],
        });
        let Value::Object(more) = more else { unreachable!("it is written above") };
        config.as_object_mut().expect("it is written above").extend(more);
    }
    DecoderConfig::from_hugging_face(&config, Path::new("config.json")).expect("a description")
}

fn weights(family: &str, experts: usize) -> Weights {
    let mut weights = Weights::new(Path::new(family));
    let mut add = |name: String, shape: Vec<usize>| {
        let n = shape.iter().product::<usize>();
        let bytes = (0..n).flat_map(|i| (0.01 * (i % 13) as f32 - 0.06).to_le_bytes()).collect();
        let storage = Storage::Ready(Format::F32);
        weights.insert(name, Tensor { storage, shape, bytes: Bytes::owned(bytes) });
    };
    add("token_embd.weight".into(), vec![VOCAB, HIDDEN]);
    add("output_norm.weight".into(), vec![HIDDEN]);
    let mut of = |part: &str, shape| add(format!("blk.0.{part}.weight"), shape);
    of("attn_norm", vec![HIDDEN]);
    of("ffn_norm", vec![HIDDEN]);
    of("attn_q", vec![32, HIDDEN]);
    of("attn_k", vec![16, HIDDEN]);
    of("attn_v", vec![16, HIDDEN]);
    of("attn_output", vec![HIDDEN, 32]);
    if experts > 0 {
        of("attn_q_norm", vec![16]);
        of("attn_k_norm", vec![16]);
        of("ffn_gate_inp", vec![experts, HIDDEN]);
    }
    let blocks: Vec<String> = match experts {
        0 => vec![String::new()],
        n => (0..n).map(|expert| format!(".{expert}")).collect(),
    };
    for block in blocks {
        for part in ["ffn_gate", "ffn_up", "ffn_down"] {
            of(&format!("{part}{block}"), vec![32, HIDDEN]);
        }
    }
    weights
}
