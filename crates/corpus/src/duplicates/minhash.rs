//! MinHash: a sketch of a document's word five-grams.
//!
//! A document is a set of shingles (runs of five simplified words, hashed). For each of 14 × 8 random functions the
//! sketch holds the least value over the set; the chance that two documents agree in one is the share of shingles
//! they have in common (Broder 1997). The 14 buckets of 8 make pairs that share at least about 0.72 likely to meet
//! in one. Functions and hashes are those of `datatrove` (xxh64; x ↦ (a·x + b mod 2⁶⁴) mod 2⁶¹ − 1 with numbers of
//! Mersenne Twister seed 1), so the sketches are the same ones.

use super::super::quality::simplify::Simplifier;
use twox_hash::XxHash64;

/// 2⁶¹ − 1.
const PRIME: u64 = (1 << 61) - 1;

/// The functions.
#[derive(Debug, Clone)]
pub struct MinHash {
    multipliers: Vec<u64>,
    offsets: Vec<u64>,
    hashes_per_bucket: usize,
    words: usize,
}

impl MinHash {
    /// `buckets` × `hashes_per_bucket` functions over shingles of `words` words.
    pub fn new(buckets: usize, hashes_per_bucket: usize, words: usize) -> Self {
        let n = buckets * hashes_per_bucket;
        let mut twister = Twister::new(1);
        let multipliers = (0..n).map(|_| twister.below(1, PRIME)).collect();
        let offsets = (0..n).map(|_| twister.below(0, PRIME)).collect();
        Self { multipliers, offsets, hashes_per_bucket, words }
    }

    /// The least values over a set of shingles.
    pub fn minima(&self, shingles: &[u64]) -> Vec<u64> {
        // Values below 2⁶¹ − 1; the functions inside, so that the compiler takes several at once.
        let mut minima = vec![u64::MAX; self.multipliers.len()];
        for &shingle in shingles {
            let functions = self.multipliers.iter().zip(&self.offsets);
            for (least, (&a, &b)) in minima.iter_mut().zip(functions) {
                let value = shingle.wrapping_mul(a).wrapping_add(b);
                let folded = (value & PRIME) + (value >> 61);
                let value = if folded >= PRIME { folded - PRIME } else { folded };
                *least = (*least).min(value);
            }
        }
        minima
    }

    /// One number per bucket: equal for documents whose minima in that bucket are all equal.
    pub fn buckets(&self, minima: &[u64]) -> Vec<u64> {
        let fold = |bucket: &[u64]| {
            bucket.iter().fold(0, |hash: u64, &least| {
                (hash.rotate_left(23) ^ least).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            })
        };
        minima.chunks(self.hashes_per_bucket).map(fold).collect()
    }
}

/// Makes sketches; keeps what can be used again for the next document.
#[derive(Debug)]
pub struct Sketcher {
    simplifier: Simplifier,
    shingles: Vec<u64>,
}

impl Sketcher {
    /// A sketcher for one thread.
    pub fn new() -> Self {
        Self { simplifier: Simplifier::new(), shingles: Vec::new() }
    }

    /// The shingles of a text. A text of fewer words has none.
    pub fn shingles(&mut self, text: &str, words: usize) -> &[u64] {
        let (simple, ends) = self.simplifier.words(text);
        self.shingles.clear();
        for last in words.max(1) - 1..ends.len() {
            let first = last + 1 - words;
            let start = if first == 0 { 0 } else { ends[first - 1] + 1 };
            self.shingles.push(XxHash64::oneshot(0, &simple.as_bytes()[start..ends[last]]));
        }
        &self.shingles
    }

    /// The bucket numbers of a text; `None` if it is too short to have any.
    pub fn sketch(&mut self, text: &str, minhash: &MinHash) -> Option<Vec<u64>> {
        let shingles = self.shingles(text, minhash.words);
        (!shingles.is_empty()).then(|| minhash.buckets(&minhash.minima(shingles)))
    }
}

impl Default for Sketcher {
    fn default() -> Self {
        Self::new()
    }
}

/// Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded and used as numpy's `RandomState` does.
struct Twister {
    state: [u32; 624],
    at: usize,
}

impl Twister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for i in 1..624 {
            let last = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { state, at: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.at == 624 {
            for i in 0..624 {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ (y >> 1) ^ twist;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number in `low..high`: 64 bits, high half first, cut to the width of the range, again until below it.
    fn below(&mut self, low: u64, high: u64) -> u64 {
        let range = high - low - 1;
        let mask = u64::MAX >> range.leading_zeros();
        loop {
            let value = (u64::from(self.next()) << 32 | u64::from(self.next())) & mask;
            if value <= range {
                return low + value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_those_of_numpys_generator() {
        // numpy.random.RandomState(1).randint(1, 2**61 - 1, dtype=uint64, size=(1, 112))[0, :3], and the offsets.
        let minhash = MinHash::new(14, 8, 5);
        assert_eq!(minhash.multipliers[..3], GOLDEN_MULTIPLIERS);
        assert_eq!(minhash.offsets[..3], GOLDEN_OFFSETS);
    }

    const GOLDEN_MULTIPLIERS: [u64; 3] =
        [775_169_054_918_279_404, 1_758_426_461_858_698_313, 2_109_959_069_025_162];
    const GOLDEN_OFFSETS: [u64; 3] =
        [1_062_448_801_025_099_917, 1_324_811_268_927_594_100, 1_217_488_311_597_731_462];
}
