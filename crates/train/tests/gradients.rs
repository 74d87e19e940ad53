//! Gradients and losses against PyTorch (golden/make_training_reference.py).

use std::path::PathBuf;
use std::sync::Arc;

use kernels::gemm::Update;
use kernels::optimiser::{AdamW, adamw};
use kernels::pool::Pool;
use model::safetensors;
use train::batch::Batch;
use train::import::{self, Imported};
use train::network::{Auxiliary, Network, Outcome, Share};

/// What the script used.
const AUXILIARY: Auxiliary = Auxiliary { balance: 0.01, router_z: 0.001, logit_z: 0.0001 };
const LENGTHS: [usize; 3] = [37, 2, 61];
const MODELS: [&str; 4] = ["llama-tiny", "qwen2-tiny", "qwen3-tiny", "qwen3-moe-tiny"];

struct Reference {
    tensors: model::weights::Weights,
    batch: Batch,
}

fn golden(model: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(model)
}

fn reference(model: &str) -> Reference {
    let path = golden(model).join("training.safetensors");
    let bytes = std::fs::read(&path).expect("the golden file");
    let file = ::safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let tokens = file.tensor("tokens").expect("tokens").data().chunks_exact(8);
    let tokens: Vec<u32> =
        tokens.map(|t| i64::from_le_bytes(t.try_into().unwrap()) as u32).collect();
    let mut batch = Batch::new();
    let mut start = 0;
    for length in LENGTHS {
        batch.push(&tokens[start..start + length], None);
        start += length;
    }
    let mut tensors = model::weights::Weights::new(&path);
    safetensors::add_file(&mut tensors, &path, &|name: &str| Some(name.to_owned())).unwrap();
    Reference { tensors, batch }
}

fn network(imported: &Imported, threads: usize) -> Network {
    Network::new(imported.config.clone(), Arc::new(Pool::new(threads)), AUXILIARY).unwrap()
}

fn pass(
    network: &mut Network,
    parameters: &[f32],
    gradients: &mut [f32],
    batch: &Batch,
) -> Outcome {
    let share = Share {
        n_counted: batch.n_counted(),
        n_tokens: batch.len(),
        update: Update::Replace,
        earlier_load: &[],
    };
    network.pass(parameters, gradients, batch, share)
}

/// The values of a tensor of any shape.
fn values(weights: &model::weights::Weights, name: &str) -> Vec<f32> {
    let tensor = weights.get(name).unwrap_or_else(|| panic!("no {name}"));
    tensor.bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn every_gradient_agrees_with_pytorch() {
    for model in MODELS {
        let imported = import::read(&golden(model)).unwrap();
        let reference = reference(model);
        let mut network = network(&imported, 2);
        let mut gradients = vec![f32::NAN; imported.layout.len];
        let outcome = pass(&mut network, &imported.parameters, &mut gradients, &reference.batch);
        let loss = outcome.loss_sum / outcome.n_counted as f64;
        let theirs = f64::from(values(&reference.tensors, "loss")[0]);
        assert!((loss / theirs - 1.0).abs() < 1e-6, "{model}: loss {loss}, theirs {theirs}");
        for tensor in &imported.layout.tensors {
            let ours = &gradients[tensor.range.clone()];
            let theirs = values(&reference.tensors, &format!("gradient.{}", tensor.name));
            assert_eq!(ours.len(), theirs.len(), "{model}: {}", tensor.name);
            let norm = |values: &mut dyn Iterator<Item = f32>| {
                values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
            };
            let size = norm(&mut theirs.iter().copied());
            let distance = norm(&mut ours.iter().zip(&theirs).map(|(a, b)| a - b));
            assert!(
                distance <= 1e-5 * size + 1e-9,
                "{model}: {} differs by {:.2e} of its size {size:.3e}",
                tensor.name,
                distance / size
            );
        }
    }
}

#[test]
fn twenty_steps_of_adamw_follow_pytorch() {
    for model in MODELS {
        let imported = import::read(&golden(model)).unwrap();
        let reference = reference(model);
        let mut network = network(&imported, 2);
        let pool = Arc::clone(network.pool());
        let mut parameters = imported.parameters.clone();
        let mut gradients = vec![0.0; parameters.len()];
        let (mut m, mut v) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
        for (step, theirs) in values(&reference.tensors, "curve").into_iter().enumerate() {
            let outcome = pass(&mut network, &parameters, &mut gradients, &reference.batch);
            let loss = outcome.loss_sum / outcome.n_counted as f64;
            let difference = (loss - f64::from(theirs)).abs();
            assert!(difference < 1e-4, "{model}, step {step}: loss {loss}, theirs {theirs}");
            let update = AdamW {
                learning_rate: 1e-3,
                beta1: 0.9,
                beta2: 0.95,
                eps: 1e-8,
                weight_decay: 0.1,
                step: step as u64 + 1,
                gradient_scale: 1.0,
            };
            adamw(&pool, &mut parameters, &gradients, &mut m, &mut v, update);
        }
    }
}

#[test]
fn gradients_have_the_same_bits_at_any_number_of_threads() {
    for model in MODELS {
        let imported = import::read(&golden(model)).unwrap();
        let batch = reference(model).batch;
        let bits = |threads| {
            let mut gradients = vec![0.0; imported.layout.len];
            let outcome = pass(
                &mut network(&imported, threads),
                &imported.parameters,
                &mut gradients,
                &batch,
            );
            let bits: Vec<u32> = gradients.iter().map(|g| g.to_bits()).collect();
            (outcome.loss_sum.to_bits(), bits)
        };
        let alone = bits(1);
        assert_eq!(alone, bits(2), "{model}");
        assert_eq!(alone, bits(5), "{model}");
    }
}

/// A batch cut into micro-batches gives the gradient of the whole, but for rounding.
#[test]
fn micro_batches_add_up_to_the_whole_batch() {
    for model in MODELS {
        let imported = import::read(&golden(model)).unwrap();
        let whole = reference(model).batch;
        // The balance loss sees earlier micro-batches only, so it is left out here.
        let auxiliary = Auxiliary { balance: 0.0, ..AUXILIARY };
        let pool = Arc::new(Pool::new(2));
        let mut network = Network::new(imported.config.clone(), pool, auxiliary).unwrap();
        let mut expected = vec![0.0; imported.layout.len];
        pass(&mut network, &imported.parameters, &mut expected, &whole);
        let mut gradients = vec![f32::NAN; imported.layout.len];
        for (idx, pair) in whole.starts.windows(2).enumerate() {
            let mut part = Batch::new();
            part.push(&whole.tokens[pair[0] as usize..pair[1] as usize], None);
            let share = Share {
                n_counted: whole.n_counted(),
                n_tokens: whole.len(),
                update: if idx == 0 { Update::Replace } else { Update::Add },
                earlier_load: &[],
            };
            network.pass(&imported.parameters, &mut gradients, &part, share);
        }
        let size = expected.iter().map(|g| g.abs()).fold(0.0, f32::max);
        let worst = expected.iter().zip(&gradients).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-5 * size, "{model}: {worst} of {size}");
    }
}

/// The bits of every gradient of a batch, and its loss.
fn bits(model: &str, batch: &Batch) -> (f64, Vec<u32>) {
    let imported = import::read(&golden(model)).unwrap();
    // The losses of the router count every token, whether or not it is predicted.
    let auxiliary = Auxiliary { balance: 0.0, router_z: 0.0, ..AUXILIARY };
    let pool = Arc::new(Pool::new(2));
    let mut network = Network::new(imported.config.clone(), pool, auxiliary).unwrap();
    let mut gradients = vec![f32::NAN; imported.layout.len];
    let outcome = pass(&mut network, &imported.parameters, &mut gradients, batch);
    (outcome.loss_sum, gradients.iter().map(|g| g.to_bits()).collect())
}

/// Fine-tuning learns answers, not questions: what a token that does not count should have been changes nothing.
#[test]
fn a_token_that_does_not_count_has_no_gradient() {
    for model in MODELS {
        let prompt = [5, 9, 14, 3, 22];
        let answer = [8, 8, 30];
        // What follows the answer is read by nobody and counts for nothing.
        let batch = |rest: [u32; 3]| {
            let mut batch = Batch::new();
            let text = [&prompt[..], &answer, &rest].concat();
            let counted: Vec<bool> = (0..text.len()).map(|i| (5..8).contains(&i)).collect();
            batch.push(&text, Some(&counted));
            batch.push(&[7, 7, 7], Some(&[false; 3]));
            batch
        };
        let (loss, gradients) = bits(model, &batch([1, 2, 3]));
        assert!(loss > 0.0);
        assert_eq!(bits(model, &batch([40, 41, 42])), (loss, gradients.clone()), "{model}");
        // The same as the text alone, cut where it stops to count.
        let mut short = Batch::new();
        let counted: Vec<bool> = (0..8).map(|i| i >= 5).collect();
        short.push(&[&prompt[..], &answer].concat(), Some(&counted));
        let (alone, of_short) = bits(model, &short);
        assert!((alone - loss).abs() <= 1e-6 * loss, "{model}: {alone} and {loss}");
        let size =
            |bits: &[u32]| bits.iter().map(|&b| f64::from(f32::from_bits(b)).powi(2)).sum::<f64>();
        let apart = gradients
            .iter()
            .zip(&of_short)
            .map(|(&a, &b)| (f64::from(f32::from_bits(a)) - f64::from(f32::from_bits(b))).powi(2));
        assert!(apart.sum::<f64>() <= 1e-10 * size(&gradients), "{model}");
    }
}

/// A micro-batch in which nothing counts (an answer that was cut off, say) is no division by zero.
#[test]
fn a_batch_in_which_nothing_counts_has_no_gradient_and_no_nan() {
    for model in MODELS {
        let mut batch = Batch::new();
        batch.push(&[5, 9, 14, 3, 22], Some(&[false; 5]));
        let (loss, gradients) = bits(model, &batch);
        assert_eq!(loss, 0.0, "{model}");
        let zero = |bits: &u32| f32::from_bits(*bits) == 0.0;
        assert!(gradients.iter().all(zero), "{model}");
    }
}
