//! How fast a training step is on this machine, on the shapes that the PyTorch peer measures.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use kernels::gemm::Update;
use kernels::pool::Pool;
use model::config::DecoderConfig;
use model::cost;

use crate::Error;
use crate::batch::Batch;
use crate::describe::Sizes;
use crate::initial::{self, Random};
use crate::network::{Auxiliary, Network, Share};
use crate::optimise::{self, Moments, Rule, Settings};

/// Which of the two small decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 6 layers of width 384, feed-forward 1,024.
    Dense,
    /// The same with 32 experts of width 256, four per token.
    Moe,
}

/// Texts per step and their length.
const TEXTS: usize = 16;
const LENGTH: usize = 256;
const WARM_UP: usize = 2;

/// Medians over the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub tokens_per_s: f64,
    /// Model FLOPs (attention over visible pairs) per second.
    pub gflops: f64,
    pub ms_per_step: f64,
    pub parameters: usize,
    pub gflop_per_token: f64,
    /// Of the last step, so that a broken step shows.
    pub loss: f64,
}

/// Sizes of a shape.
pub fn sizes(shape: Shape) -> Sizes {
    Sizes {
        vocab: 8192,
        n_layers: 6,
        hidden: 384,
        n_heads: 6,
        n_kv_heads: 2,
        head_dim: 64,
        feed_forward: 1024,
        experts: (shape == Shape::Moe).then_some((32, 4, 256)),
        context: LENGTH,
        tied_head: false,
        rope_theta: 10_000.0,
    }
}

/// Runs `steps` steps of forward, backward and AdamW after two that warm up.
///
/// # Errors
/// Never for the shapes here; the description is checked like any other.
pub fn run(shape: Shape, n_threads: usize, steps: usize) -> Result<Measured, Error> {
    run_sizes(&sizes(shape), Rule::AdamW, (TEXTS, LENGTH), n_threads, steps)
}

/// The same for a model of any size and either optimiser, on steps of `n_texts` random texts of `length` tokens.
///
/// # Errors
/// When the sizes describe no model.
pub fn run_sizes(
    sizes: &Sizes,
    rule: Rule,
    (n_texts, length): (usize, usize),
    n_threads: usize,
    steps: usize,
) -> Result<Measured, Error> {
    let json = sizes.to_json();
    let config = DecoderConfig::from_hugging_face(&json, Path::new("config.json"))?;
    let pool = Arc::new(Pool::new(n_threads));
    let mut network = Network::new(config, Arc::clone(&pool), Auxiliary::default())?;
    let n = network.layout().len;
    let mut parameters = initial::parameters(network.layout(), network.config().n_layers(), 0);
    let mut gradients = vec![0.0; n];
    let mut moments = Moments::new(n);
    let settings = Settings { rule, ..Settings::default() };
    let mut random = Random::new(1);
    let vocab = network.config().vocab as u64;
    let mut seconds = Vec::new();
    let mut loss = 0.0;
    for step in 0..WARM_UP + steps.max(1) {
        let mut batch = Batch::new();
        for _ in 0..n_texts {
            let text: Vec<u32> = (0..=length).map(|_| (random.bits() % vocab) as u32).collect();
            // The peer predicts from every position: one more token is drawn as the last target.
            batch.push(&text[..length], None);
            let last = batch.len() - 1;
            batch.targets[last] = text[length];
            batch.counted[last] = true;
        }
        let begin = Instant::now();
        let share = Share {
            n_counted: batch.n_counted(),
            n_tokens: batch.len(),
            update: Update::Replace,
            earlier_load: &[],
        };
        let outcome = network.pass(&parameters, &mut gradients, &batch, share);
        let at = (step as u64 + 1, 1e-3, 1.0);
        let (layout, parameters) = (network.layout(), &mut parameters[..]);
        optimise::step(&pool, layout, &settings, parameters, &gradients, &mut moments, at);
        seconds.push(begin.elapsed().as_secs_f64());
        loss = outcome.loss_sum / outcome.n_counted as f64;
    }
    let mut timed = seconds.split_off(WARM_UP);
    timed.sort_by(f64::total_cmp);
    let median = timed[timed.len() / 2];
    let flops = cost::training_flops(network.config(), &vec![length as u64; n_texts]);
    let n_tokens = (n_texts * length) as f64;
    Ok(Measured {
        tokens_per_s: n_tokens / median,
        gflops: flops / median / 1e9,
        ms_per_step: median * 1e3,
        parameters: n,
        gflop_per_token: flops / n_tokens / 1e9,
        loss,
    })
}

/// The most memory this process has had resident so far, in MB; `None` where the system does not say.
pub fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
