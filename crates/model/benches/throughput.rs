//! Tokens per second of decoders and encoders: `cargo bench -p model -- MODEL… [--threads N] [--rounds N]`.
//!
//! For a decoder: a prompt of 512 tokens, then 128 single steps, as medians of five rounds or so many as asked for. For an encoder: texts
//! of 32 to 256 tokens, one at a time and 16 together, exact and in eight bits. Token ids are random; numbers do
//! not depend on them. Results are checked in `tests/`, not here.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use kernels::pool::Pool;
use model::cost;
use model::decoder::{self, Decoder, KvCache, Rows};
use model::encoder::{Encoder, Precision};

fn main() {
    let mut n_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut clock: fn() -> f64 = wall_seconds;
    let mut n_rounds = 5;
    let mut models = Vec::new();
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--threads" => n_threads = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--rounds" => n_rounds = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--cpu-time" => clock = cpu_seconds,
            _ => models.push(argument),
        }
    }
    let pool = Pool::new(n_threads);
    for model in models {
        let path = Path::new(&model);
        println!("{model}, {n_threads} threads");
        match Decoder::load_with(path, decoder::Precision::Fast) {
            Ok(decoder) => bench_decoder(&pool, &decoder, n_rounds, clock),
            Err(_) => {
                for precision in [Precision::Exact, Precision::Int8] {
                    match Encoder::load_with(path, precision) {
                        Ok(encoder) => bench_encoder(&pool, &encoder, precision, n_rounds, clock),
                        Err(error) => println!("  {error}"),
                    }
                }
            }
        }
    }
}

fn bench_decoder(pool: &Pool, decoder: &Decoder, n_rounds: usize, clock: fn() -> f64) {
    let config = decoder.config();
    let tokens = ids(512 + 128, config.vocab);
    let (prompt, steps) = tokens.split_at(512);
    let mut cache = KvCache::new(config, tokens.len());
    let mut logits = Vec::new();
    let (mut prefill, mut decode) = (Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        cache.truncate(0);
        let mut forward = |tokens: &[u32]| {
            decoder.forward_into(pool, &mut cache, tokens, Rows::Last, &mut logits).expect("fits");
        };
        let start = clock();
        forward(prompt);
        prefill.push(clock() - start);
        let start = clock();
        steps.iter().for_each(|&token| forward(&[token]));
        decode.push(clock() - start);
    }
    let (prefill, decode) = (median(prefill), median(decode));
    // Only the last row's logits are computed.
    let head = 2.0 * 511.0 * (config.vocab * config.hidden) as f64;
    let gflops = (cost::forward_flops(config, &[512]) - head) / prefill / 1e9;
    let bytes = decoder.weight_bytes() as f64 * 128.0 / decode / 1e9;
    println!("  prefill {:7.1} tokens/s ({gflops:.0} GFLOP/s)", 512.0 / prefill);
    println!("  decode  {:7.1} tokens/s ({bytes:.1} GB/s of weights)", 128.0 / decode);
}

fn bench_encoder(
    pool: &Pool,
    encoder: &Encoder,
    precision: Precision,
    n_rounds: usize,
    clock: fn() -> f64,
) {
    for length in [32, 64, 128, 256] {
        for n_texts in [1, 16] {
            let texts: Vec<Vec<u32>> =
                (0..n_texts).map(|_| ids(length, encoder.config().vocab)).collect();
            let mut seconds = Vec::new();
            for _ in 0..n_rounds {
                let repeats = 1024_usize.div_ceil(length * n_texts);
                let start = clock();
                for _ in 0..repeats {
                    encoder.embed(pool, &texts).expect("texts fit");
                }
                seconds.push((clock() - start) / repeats as f64);
            }
            let rate = (length * n_texts) as f64 / median(seconds);
            println!("  {precision:?} {length:3} × {n_texts:2}: {rate:8.0} tokens/s");
        }
    }
}

fn wall_seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Seconds that this thread has had a core.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.expect("/proc/thread-self/schedstat is there on Linux") / 1e9
}

/// Token ids that only look random.
fn ids(n: usize, vocab: usize) -> Vec<u32> {
    (0..n as u64).map(|i| ((i + 1).wrapping_mul(2_654_435_761) % vocab as u64) as u32).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
