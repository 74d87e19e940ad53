//! Errors of the quantisers against the size of a step, and blocks that try to break them.

use kernels::format::{Format, dequantize};
use model::quantise::Encoding;
use proptest::prelude::*;

/// The same values through `encoding` and back.
fn there_and_back(encoding: Encoding, values: &[f32]) -> Vec<f32> {
    let mut bytes = Vec::new();
    encoding.encode(&mut bytes, values);
    assert_eq!(bytes.len(), values.len() / encoding.block_len() * encoding.block_bytes());
    let format = Format::ALL.into_iter().find(|format| format.name() == encoding.name()).unwrap();
    let mut back = vec![0.0; values.len()];
    dequantize(&mut back, format, &bytes);
    back
}

fn rms(values: impl Iterator<Item = f32>) -> f64 {
    let squares: Vec<f64> = values.map(|value| f64::from(value).powi(2)).collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

/// Values like those of a weight matrix: sums of uniform numbers, nearly normal.
fn weights(n: usize) -> Vec<f32> {
    let mut state = 7_u64;
    let mut uniform = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| (0..6).map(|_| uniform()).sum()).collect()
}

/// Upper bounds of the relative error on normal values: those of a uniform quantiser with as many steps over
/// 4 to 5 standard deviations a block.
#[test]
fn the_error_falls_with_the_bits() {
    let values = weights(256 * 200);
    for (encoding, bound) in [
        (Encoding::F32, 1e-9),
        (Encoding::F16, 3e-4),
        (Encoding::Bf16, 3e-3),
        (Encoding::Q8_0, 0.006),
        (Encoding::Q6K, 0.021),
        (Encoding::Q5K, 0.040),
        (Encoding::Q5_0, 0.045),
        (Encoding::Q4K, 0.079),
        (Encoding::Q4_1, 0.085),
        (Encoding::Q4_0, 0.095),
    ] {
        let back = there_and_back(encoding, &values);
        let error = rms(back.iter().zip(&values).map(|(a, b)| a - b));
        let relative = error / rms(values.iter().copied());
        assert!(relative < bound, "{}: {relative}", encoding.name());
    }
}

#[test]
fn nothing_stays_nothing_and_a_constant_block_stays_nearly_constant() {
    for encoding in Encoding::ALL {
        assert!(there_and_back(encoding, &[0.0; 256]).iter().all(|&value| value == 0.0));
        for constant in [0.75_f32, -0.75] {
            let back = there_and_back(encoding, &[constant; 256]);
            let worst = back.iter().map(|v| (v - constant).abs()).fold(0.0, f32::max);
            assert!(worst < 0.75 / 30.0, "{} of {constant}: {worst}", encoding.name());
        }
    }
}

proptest! {
    #[test]
    fn any_bits_are_stored_without_a_panic(
        bits in prop::collection::vec(any::<u32>(), 256),
        exponent in prop_oneof![Just(None), (0..256_u32).prop_map(Some)],
    ) {
        // Values of one magnitude make the scales themselves too small or too large for f16.
        let shape = |bits: u32| match exponent {
            Some(exponent) => f32::from_bits(bits & 0x807f_ffff | exponent << 23),
            None => f32::from_bits(bits),
        };
        let values: Vec<f32> = bits.into_iter().map(shape).collect();
        for encoding in Encoding::ALL {
            there_and_back(encoding, &values);
        }
    }
}
