//! One machine's own training run, predicted before its first step.
//!
//! Training on a processor computes in f32 and moves nothing over a network, so the step is its products at the share
//! of the machine's measured peak that they reach, its attention at another, and what is read and written once per
//! step: gradients, weights, averages. The peak is measured when the run begins. The shares are round estimates from
//! the rates of the kernels (docs/kernels.md), fitted to no run: each run's disclosure says how far off they were.

use model::config::DecoderConfig;
use model::cost;

/// What decides a run's speed.
#[derive(Debug, Clone, Copy)]
pub struct LocalRun<'a> {
    pub model: &'a DecoderConfig,
    pub batch_tokens: f64,
    /// Tokens of a text; attention reaches no further.
    pub sequence: u64,
    /// f32 multiply-adds as two, all threads together.
    pub peak_flop_per_s: f64,
    /// Products of the optimiser in one step: none of AdamW's, those of Muon's iteration.
    pub optimiser_flop: f64,
}

/// Seconds of a step and where they go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalStep {
    pub products_s: f64,
    pub attention_s: f64,
    pub optimiser_s: f64,
    pub total_s: f64,
    pub low_s: f64,
    pub high_s: f64,
    /// As [`cost::training_flops`] counts.
    pub model_flop: f64,
}

/// Share of the peak in products of dense layers, of experts (rows are gathered, tiles are smaller), in attention.
const DENSE: f64 = 0.62;
const EXPERTS: f64 = 0.52;
const ATTENTION: f64 = 0.25;
/// Bytes per second that two memory channels give, and bytes per parameter and step: gradient cleared, summed and read,
/// weight and two averages read and written.
const BANDWIDTH: f64 = 14e9;
const BYTES_PER_PARAMETER: f64 = 32.0;
/// Two machines of the same peak differ in memory and cooling, and others may be at work on them.
const SPREAD: f64 = 0.25;

/// The step of a run on this machine.
pub fn predict(run: &LocalRun<'_>) -> LocalStep {
    let length = run.sequence.max(1);
    let model_flop = cost::training_flops(run.model, &[length]) / length as f64 * run.batch_tokens;
    let weights = cost::matrix_weights_per_token(run.model) as f64;
    let products = (6.0 * weights * run.batch_tokens).min(model_flop);
    let share = if run.model.experts.is_some() { EXPERTS } else { DENSE };
    let peak = run.peak_flop_per_s.max(1.0);
    let products_s = products / (share * peak);
    let attention_s = (model_flop - products) / (ATTENTION * peak);
    let parameters = cost::parameters(run.model).total as f64;
    let optimiser_s =
        BYTES_PER_PARAMETER * parameters / BANDWIDTH + run.optimiser_flop / (DENSE * peak);
    let total_s = products_s + attention_s + optimiser_s;
    LocalStep {
        products_s,
        attention_s,
        optimiser_s,
        total_s,
        low_s: total_s / (1.0 + SPREAD),
        high_s: total_s * (1.0 + SPREAD),
        model_flop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products are counted apart from the rest: what they add is their FLOPs over the rate of dense products.
    #[test]
    fn the_optimisers_products_take_their_flops_at_the_rate_of_dense_products() {
        let json = r#"{"architectures": ["Qwen3ForCausalLM"], "vocab_size": 320, "hidden_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
            "intermediate_size": 96, "max_position_embeddings": 128}"#;
        let json = serde_json::from_str(json).unwrap();
        let path = std::path::Path::new("config.json");
        let model = DecoderConfig::from_hugging_face(&json, path).unwrap();
        let run = LocalRun {
            model: &model,
            batch_tokens: 4096.0,
            sequence: 128,
            peak_flop_per_s: 2e11,
            optimiser_flop: 0.0,
        };
        let adamw = predict(&run);
        let muon = predict(&LocalRun { optimiser_flop: 3e9, ..run });
        let added = muon.total_s - adamw.total_s;
        assert!((added - 3e9 / (0.62 * 2e11)).abs() < 1e-12, "{added}");
        assert_eq!(muon.optimiser_s - adamw.optimiser_s, added);
        assert_eq!((muon.products_s, muon.attention_s), (adamw.products_s, adamw.attention_s));
        assert_eq!(muon.model_flop, adamw.model_flop);
        assert!(muon.low_s < muon.total_s && muon.total_s < muon.high_s);
        // At twice the peak everything but the memory traffic takes half the time.
        let fast = predict(&LocalRun { peak_flop_per_s: 4e11, ..run });
        let memory_s = adamw.optimiser_s;
        assert!((fast.total_s - memory_s - 0.5 * (adamw.total_s - memory_s)).abs() < 1e-12);
    }
}
