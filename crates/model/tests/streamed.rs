//! A decoder whose weights are more than memory holds says so, and computes the same.

mod support;

use kernels::pool::Pool;
use model::decoder::{Decoder, KvCache, Precision, Rows, read};
use model::memory::{self, Demand};
use support::golden;

fn logits(decoder: &Decoder, tokens: &[u32]) -> Vec<f32> {
    let mut cache = KvCache::new(decoder.config(), tokens.len());
    let pool = Pool::new(2);
    let (chunk, single) = tokens.split_at(tokens.len() - 3);
    let mut logits = decoder.forward(&pool, &mut cache, chunk, Rows::All).unwrap();
    for token in single {
        logits.extend(decoder.forward(&pool, &mut cache, &[*token], Rows::Last).unwrap());
    }
    logits
}

#[test]
fn weights_larger_than_memory_change_no_bit_of_the_answer() {
    let tokens: Vec<u32> = (0..50).map(|i| i * 37 % 128).collect();
    for name in ["qwen3-moe-tiny", "mixtral-tiny", "olmoe-tiny", "llama-tiny"] {
        for precision in [Precision::Exact, Precision::Fast] {
            let load =
                |available| Decoder::load_with(&golden(name), precision).unwrap().within(available);
            let (there, streamed) = (load(None), load(Some(there_is(name) - 1)));
            assert!(!there.is_streamed() && streamed.is_streamed(), "{name}");
            assert_eq!(logits(&there, &tokens), logits(&streamed, &tokens), "{name}");
            assert!(!load(Some(there_is(name))).is_streamed(), "{name}: just enough is enough");
        }
    }
}

/// Bytes of a tiny model's tensors: the file without its header.
fn there_is(name: &str) -> u64 {
    let file = std::fs::read(golden(name).join("model.safetensors")).unwrap();
    let header = u64::from_le_bytes(file[..8].try_into().unwrap());
    file.len() as u64 - 8 - header
}

#[test]
fn what_a_token_reads_is_all_but_the_experts_and_embeddings_of_others() {
    let demand = |name: &str| {
        let (config, weights) = read(&golden(name)).unwrap();
        Demand::of(&config, &weights)
    };
    // Two of its three layers have 8 experts of three matrices 24 × 32 in f32, of which a token uses 3; the embedding is
    // 128 rows of 32.
    let (expert, row) = (3 * 24 * 32 * 4, 32 * 4);
    let found = demand("qwen3-moe-tiny");
    assert_eq!(found.weight_bytes, there_is("qwen3-moe-tiny"));
    assert_eq!(found.expert_bytes, 2 * 8 * expert);
    assert_eq!(found.bytes_per_token, found.weight_bytes - 2 * 5 * expert - 127 * row);
    // A dense model reads everything, and where the head is the embedding, that too.
    let (dense, tied) = (demand("llama-tiny"), demand("gemma3-tiny"));
    assert_eq!((dense.expert_bytes, tied.expert_bytes), (0, 0));
    assert_eq!(dense.bytes_per_token, dense.weight_bytes - 127 * row);
    assert_eq!(tied.bytes_per_token, tied.weight_bytes);
}

#[test]
fn linux_says_how_much_memory_is_left() {
    if cfg!(target_os = "linux") {
        let available = memory::available().unwrap();
        assert!(available > 0, "this test runs in some memory");
    }
}
