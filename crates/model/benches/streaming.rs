//! A mixture of experts that is larger than memory: what a token reads from the disk, and how long it takes.
//!
//! ```text
//! cargo bench -p model --bench streaming -- make FILE [SKEW]      writes a random model of the Qwen 3 MoE family, 8 bits
//! cargo bench -p model --bench streaming -- run FILE [TOKENS]     steps of one token, in a memory control group
//! ```
//!
//! Tokens are random, and so is what they choose: nothing repeats itself but by chance. With a SKEW above zero the first
//! experts are chosen more often than the last.
//!
//! `run` belongs into a control group whose limit is below the file's size, with a page cache that does not hold the file
//! already. The numbers go to docs/LOG.md. With `--plain`, experts are not asked for before they are computed.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use kernels::format::Format;
use kernels::pool::Pool;
use model::config::DecoderConfig;
use model::decoder::{Decoder, KvCache, Precision, Rows};
use model::export::{Options, to_gguf};
use model::memory;
use model::quantise::Encoding;
use model::weights::map::Bytes;
use model::weights::{Storage, Tensor, Weights};
use serde_json::json;

const HIDDEN: usize = 1024;
const LAYERS: usize = 16;
const EXPERT_WIDTH: usize = 256;
const VOCAB: usize = 4096;
const EXPERTS: usize = 128;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let plain = arguments.iter().any(|argument| argument == "--plain");
    arguments.retain(|argument| argument != "--plain");
    let number = |at: usize, otherwise: f32| {
        arguments.get(at).and_then(|n| n.parse().ok()).unwrap_or(otherwise)
    };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", file, ..] => make(Path::new(file), number(2, 0.0)),
        ["run", file, ..] => run(Path::new(file), number(2, 200.0) as usize, plain),
        _ => println!("make FILE [EXPERTS] | run FILE [TOKENS] [--plain]"),
    }
}

fn make(path: &Path, skew: f32) {
    let config = json!({
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": 2048, "num_hidden_layers": LAYERS, "head_dim": 64,
        "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": VOCAB, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 4096, "rope_theta": 10000.0, "tie_word_embeddings": false,
        "num_experts": EXPERTS, "num_experts_per_tok": 8, "moe_intermediate_size": EXPERT_WIDTH,
        "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": [],
    });
    let config = DecoderConfig::from_hugging_face(&config, path).expect("a description");
    let mut random = Random(7);
    let noise = Bytes::owned((0..64 << 20).flat_map(|_| random.bf16(0.03).to_le_bytes()).collect());
    let mut weights = Weights::new(path);
    let mut matrix = |name: String, shape: Vec<usize>| {
        let len = 2 * shape.iter().product::<usize>();
        let start = 64 * (random.next() as usize % ((noise.len() - len) / 64));
        let bytes = noise.slice(start..start + len).expect("the noise is long enough");
        weights.insert(name, Tensor { storage: Storage::Ready(Format::Bf16), shape, bytes });
    };
    matrix("output.weight".into(), vec![VOCAB, HIDDEN]);
    for layer in 0..LAYERS {
        let mut of = |part: &str, shape| matrix(format!("blk.{layer}.{part}.weight"), shape);
        of("attn_q", vec![1024, HIDDEN]);
        of("attn_k", vec![256, HIDDEN]);
        of("attn_v", vec![256, HIDDEN]);
        of("attn_output", vec![HIDDEN, 1024]);
        for expert in 0..EXPERTS {
            of(&format!("ffn_gate.{expert}"), vec![EXPERT_WIDTH, HIDDEN]);
            of(&format!("ffn_up.{expert}"), vec![EXPERT_WIDTH, HIDDEN]);
            of(&format!("ffn_down.{expert}"), vec![HIDDEN, EXPERT_WIDTH]);
        }
    }
    add_floats(&mut weights, skew);
    let mut options =
        Options { encoding: Some(Encoding::Q8_0), n_threads: 2, on_progress: &mut |_, _, _| {} };
    let written = to_gguf(path, &config, &weights, "random-moe", vec![], &mut options);
    println!("{:?}", written.expect("a model file"));
}

/// Norms of ones; embeddings that are large beside what the layers add, so that each token goes its own way; routers.
fn add_floats(weights: &mut Weights, skew: f32) {
    let mut random = Random(8);
    let mut add = |name: String, shape: Vec<usize>, values: Vec<f32>| {
        let bytes = Bytes::owned(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        weights.insert(name, Tensor { storage: Storage::Ready(Format::F32), shape, bytes });
    };
    add("output_norm.weight".into(), vec![HIDDEN], vec![1.0; HIDDEN]);
    let embeddings = (0..VOCAB * HIDDEN).map(|_| 2.0 * random.normal()).collect();
    add("token_embd.weight".into(), vec![VOCAB, HIDDEN], embeddings);
    for layer in 0..LAYERS {
        for (part, len) in
            [("attn_norm", HIDDEN), ("ffn_norm", HIDDEN), ("attn_q_norm", 64), ("attn_k_norm", 64)]
        {
            add(format!("blk.{layer}.{part}.weight"), vec![len], vec![1.0; len]);
        }
        let rows = (0..EXPERTS).flat_map(|expert| {
            let length = 0.03 * (1.0 + skew / (1.0 + expert as f32 / 8.0));
            (0..HIDDEN).map(|_| random.normal() * length).collect::<Vec<_>>()
        });
        add(format!("blk.{layer}.ffn_gate_inp.weight"), vec![EXPERTS, HIDDEN], rows.collect());
    }
}

fn run(path: &Path, n_tokens: usize, plain: bool) {
    let available = memory::available();
    let mut decoder = Decoder::load_with(path, Precision::Fast).expect("a model");
    let is_streamed = decoder.is_streamed();
    if plain {
        decoder = decoder.within(None);
    }
    let mega = |bytes: u64| bytes as f64 / 1e6;
    let demand = decoder.demand();
    println!(
        "weights {:.0} MB, experts {:.0} MB, per token {:.1} MB; available {:.0} MB; larger than memory: {is_streamed}",
        mega(demand.weight_bytes),
        mega(demand.expert_bytes),
        mega(demand.bytes_per_token),
        available.map_or(f64::NAN, mega),
    );
    let pool = Pool::new(2);
    let mut cache = KvCache::new(decoder.config(), n_tokens + 1);
    let mut random = Random(9);
    for chunk in 0..4 {
        let (before, begun) = (Read::now(), Instant::now());
        let n = n_tokens / 4;
        for _ in 0..n {
            let token = random.next() as u32 % VOCAB as u32;
            decoder.forward(&pool, &mut cache, &[token], Rows::Last).expect("logits");
        }
        let (after, seconds) = (Read::now(), begun.elapsed().as_secs_f64());
        println!(
            "tokens {}..{}: {:.2} tokens/s; per token {:.0} major faults, {:.1} MB from the disk",
            chunk * n,
            (chunk + 1) * n,
            n as f64 / seconds,
            (after.faults - before.faults) as f64 / n as f64,
            mega(after.bytes - before.bytes) / n as f64,
        );
    }
}

/// What this process had read from the disk: `majflt` of `/proc/self/stat`, `read_bytes` of `/proc/self/io`.
struct Read {
    faults: u64,
    bytes: u64,
}

impl Read {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The program's name, in brackets, may hold blanks.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let faults = after_name.split_whitespace().nth(9).and_then(|n| n.parse().ok()).unwrap_or(0);
        let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
        let bytes = io.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse().ok());
        Self { faults, bytes: bytes.unwrap_or(0) }
    }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// About normal: the sum of twelve.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
    }

    fn bf16(&mut self, scale: f32) -> u16 {
        ((self.normal() * scale).to_bits() >> 16) as u16
    }
}
