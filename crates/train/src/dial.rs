//! One dial sets a model: its depth. Everything else follows by the rules stated here.
//!
//! ```text
//! hidden          64 · depth
//! heads           depth, of width 64; key heads: the largest divisor of depth that is at most depth / 4
//! experts         32, four per token, below depth 12; 64, eight per token, from there
//! expert width    hidden · 8/3 / (experts per token), to the next multiple of 64
//! dense width     the width of all chosen experts together
//! head            tied to the embedding where that table is more than 30 % of the parameters
//! tokens          20 per active parameter (arXiv 2203.15556)
//! rate, batch     1.1576 · C^−0.1529 and 0.0694 · C^0.3644 tokens, C = training FLOPs (arXiv 2507.17702, eq. 3),
//!                 the rate at most 4e-3 because the law was fitted above 3e17
//! optimiser       Muon, scaled so that AdamW's rate fits it (module `optimise`)
//! ```

use crate::describe::Sizes;

/// Names of the family's sizes.
pub const FAMILY: [(&str, usize); 5] =
    [("nano", 4), ("micro", 6), ("mini", 8), ("base", 12), ("pro", 20)];

/// The sizes of a model of this depth.
pub fn sizes(depth: usize, vocab: usize, context: usize, experts: Option<(usize, usize)>) -> Sizes {
    let depth = depth.max(1);
    let hidden = 64 * depth;
    let most_kv = (depth / 4).max(1);
    let n_kv_heads = (1..=most_kv).rev().find(|kv| depth.is_multiple_of(*kv)).unwrap_or(1);
    let usual = if depth < 12 { (32, 4) } else { (64, 8) };
    let (n_experts, n_active) = experts.unwrap_or(usual);
    let width = |n: usize| (hidden * 8).div_ceil(3 * n.max(1)).next_multiple_of(64);
    let mut sizes = Sizes {
        vocab,
        n_layers: depth,
        hidden,
        n_heads: depth,
        n_kv_heads,
        head_dim: 64,
        feed_forward: width(usual.1) * usual.1,
        experts: (n_experts > 0).then(|| (n_experts, n_active, width(n_active))),
        context,
        tied_head: false,
        rope_theta: 10_000.0,
    };
    let table = (vocab * hidden) as f64;
    let inner = sizes.experts.map_or(sizes.feed_forward, |(n, _, width)| n * width);
    let layers = (depth * (3 * hidden * inner + 4 * hidden * hidden)) as f64;
    sizes.tied_head = table > 0.3 * (layers + 2.0 * table);
    sizes
}

/// Learning rate and tokens per batch for a run of `flops` training FLOPs.
pub fn rate_and_batch(flops: f64) -> (f64, u64) {
    let rate = (1.1576 * flops.powf(-0.1529)).min(4e-3);
    let batch = 0.0694 * flops.powf(0.3644);
    (rate, (batch.round() as u64).max(4096))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the paper's appendix: 1e20 FLOPs ask for about 1.0e-3 and 1.35 M tokens.
    #[test]
    fn rate_and_batch_follow_the_published_law() {
        let (rate, batch) = rate_and_batch(1e20);
        assert!((rate / 1.0e-3 - 1.0).abs() < 0.05, "{rate}");
        assert!((batch as f64 / 1.35e6 - 1.0).abs() < 0.05, "{batch}");
    }

    #[test]
    fn every_depth_gives_heads_that_divide_and_experts_that_quantise() {
        for depth in 1..=40 {
            let sizes = sizes(depth, 8192, 512, None);
            assert!(sizes.n_heads.is_multiple_of(sizes.n_kv_heads), "depth {depth}");
            let (_, n_active, width) = sizes.experts.expect("a mixture");
            assert!(width.is_multiple_of(64));
            assert!(n_active * width >= sizes.hidden * 8 / 3);
        }
    }
}
