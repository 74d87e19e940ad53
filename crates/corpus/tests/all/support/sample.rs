//! The sample of texts; the same bytes as reference/make_sample.py makes from the same fragments.

use serde_json::Value;

pub(crate) const N_TEXTS: usize = 10_000;
const SEED: u64 = 20_261_124;

pub(crate) fn sample() -> Vec<String> {
    let parts: Value = serde_json::from_str(include_str!("../reference/fragments.json")).unwrap();
    let strings =
        |key: &str| -> Vec<String> { serde_json::from_value(parts[key].clone()).unwrap() };
    let (fragments, separators) = (strings("fragments"), strings("separators"));
    let ranges: Vec<(u32, u32)> = serde_json::from_value(parts["ranges"].clone()).unwrap();
    (0..N_TEXTS as u64)
        .map(|idx| {
            let mut rng = SplitMix(SEED + idx);
            let mut text = String::new();
            for _ in 0..1 + rng.below(6) {
                match rng.below(8) {
                    0..5 => text.push_str(&fragments[rng.below(fragments.len() as u64) as usize]),
                    5 => {
                        let (first, last) = ranges[rng.below(ranges.len() as u64) as usize];
                        for _ in 0..1 + rng.below(10) {
                            let code = first + rng.below(u64::from(last - first + 1)) as u32;
                            text.push(char::from_u32(code).unwrap());
                        }
                    }
                    6 => {
                        let digits = 1 + rng.below(12) as u32;
                        text.push_str(&rng.below(10u64.pow(digits)).to_string());
                    }
                    _ => {
                        let separator = &separators[rng.below(separators.len() as u64) as usize];
                        text.push_str(&separator.repeat(1 + rng.below(40) as usize));
                    }
                }
                text.push_str(&separators[rng.below(separators.len() as u64) as usize]);
            }
            text
        })
        .collect()
}

/// splitmix64, as published by Steele, Lea and Flood (2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}
