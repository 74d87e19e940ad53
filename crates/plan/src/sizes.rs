//! A decoder's shape from its number of parameters alone, for questions about compute where the shape matters little.
//!
//! The rule is what large published models have in common (Llama 3, GPT-3, Qwen 3): width 128 times the depth, heads
//! of 128 that share keys and values by eights, a gated feed-forward block of 3.5 widths, or experts whose active ones
//! together have three widths. Widths are round numbers, so that heads and matrices divide; the depth settles the rest.

use crate::shape::{Experts, Shape};

const HEAD: f64 = 128.0;
const WIDTH_PER_LAYER: f64 = 128.0;

/// The shape nearest to `parameters`, with `experts` = (number, active ones); none where the tables of the vocabulary
/// leave nothing for a layer.
pub fn shape(parameters: f64, vocab: f64, experts: Option<(f64, f64)>) -> Option<Shape> {
    let mut best: Option<(f64, Shape)> = None;
    for step in 1..=2048 {
        // Large models have heads in multiples of eight, so that they split over the chips of a node.
        let heads = f64::from(step);
        if heads > 8.0 && heads % 8.0 != 0.0 {
            continue;
        }
        let mut shape = of_width(heads, vocab, experts);
        let tables = shape.parameters();
        shape.layers = 1.0;
        let layer = shape.parameters() - tables;
        let layers = (parameters - tables) / layer;
        // Multiples of four divide into pipelines; small models have none.
        let round = if layers >= 16.0 { 4.0 } else { 1.0 };
        shape.layers = (layers / round).round() * round;
        if shape.layers < 1.0 {
            break;
        }
        let off_ratio = (shape.hidden / shape.layers / WIDTH_PER_LAYER).ln().abs();
        let off_size = (shape.parameters() / parameters).ln().abs();
        let off = off_ratio + 10.0 * off_size;
        if best.as_ref().is_none_or(|(least, _)| off < *least) {
            best = Some((off, shape));
        }
    }
    best.map(|(_, shape)| shape)
}

/// Everything but the depth, which is zero.
fn of_width(heads: f64, vocab: f64, experts: Option<(f64, f64)>) -> Shape {
    let hidden = heads * HEAD;
    let even = |width: f64| ((width / 128.0).round() * 128.0).max(128.0);
    let experts = experts.map(|(n_experts, topk)| Experts {
        n_experts,
        topk,
        width: even(3.0 * hidden / topk),
        shared_width: 0.0,
        dense_layers: 0.0,
        limited_groups: 0.0,
    });
    Shape {
        layers: 0.0,
        hidden,
        heads,
        kv_heads: if heads % 8.0 == 0.0 { 8.0 } else { heads },
        head_dim: HEAD,
        ffn: even(3.5 * hidden),
        gated: true,
        vocab,
        tied: false,
        experts,
        latent: None,
        window: 0.0,
        sinks: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_published_models_come_near_their_shapes() {
        for (parameters, layers, hidden) in
            [(8.0e9, 32.0, 4096.0), (70.6e9, 80.0, 8192.0), (405.9e9, 126.0, 16384.0)]
        {
            let shape = shape(parameters, 128_256.0, None).unwrap();
            assert!((shape.hidden / hidden - 1.0_f64).abs() < 0.25, "{shape:?}");
            assert!((shape.layers / layers - 1.0_f64).abs() < 0.35, "{shape:?}");
        }
    }

    #[test]
    fn every_size_is_met_within_a_few_per_cent_and_splits_over_chips() {
        for experts in [None, Some((64.0, 8.0)), Some((256.0, 8.0))] {
            for exponent in 0..=28 {
                let parameters = 1e9 * 10_f64.powf(f64::from(exponent) / 7.0);
                let shape = shape(parameters, 128_256.0, experts).unwrap();
                let off = shape.parameters() / parameters;
                assert!((0.9..1.1).contains(&off), "{parameters:e}: {shape:?} has {off}");
                assert!(shape.heads % shape.kv_heads == 0.0);
            }
        }
        assert!(shape(1e6, 128_256.0, None).is_none(), "the tables are larger than that");
    }
}
