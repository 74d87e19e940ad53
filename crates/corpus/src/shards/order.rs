//! The order in which sequences are read: a shuffle that is computed, not stored.
//!
//! Position `p` of the run belongs to epoch `p / n`, and each epoch is another permutation of `0..n`. The
//! permutation is a Feistel network on the smallest even number of bits that holds `n`, walked along its cycle
//! until it falls below `n` (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). Nothing is
//! kept between calls: the data of step `s`, slot `j` is a pure function of (seed, s, j), so a run can stop,
//! resume, and change its number of workers without changing what it reads.

/// Rounds of the network. Four already pass for random; small domains have few bits to mix, so twice that.
const ROUNDS: u64 = 8;

/// A seeded order over `n` sequences without end: epoch after epoch, each shuffled anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    n: u64,
    seed: u64,
    half_bits: u32,
}

impl Order {
    /// The order over `n_sequences`. Zero is taken as one: an order needs something to order.
    pub fn new(n_sequences: u64, seed: u64) -> Self {
        let n = n_sequences.max(1);
        let bits = u64::BITS - (n - 1).leading_zeros();
        Self { n, seed, half_bits: bits.div_ceil(2).max(1) }
    }

    /// The sequence to read at `position`, counted from the beginning of the run.
    pub fn at(&self, position: u64) -> u64 {
        let (epoch, mut place) = (position / self.n, position % self.n);
        let key = mix(self.seed ^ mix(epoch.wrapping_add(0x9e37_79b9_7f4a_7c15)));
        loop {
            place = self.permute(place, key);
            if place < self.n {
                return place;
            }
        }
    }

    /// Which pass over the data `position` belongs to.
    pub fn epoch(&self, position: u64) -> u64 {
        position / self.n
    }

    fn permute(&self, place: u64, key: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (place >> self.half_bits, place & mask);
        for round in 0..ROUNDS {
            let mixed = mix(key ^ mix(right ^ (round << 56)));
            (left, right) = (right, left ^ (mixed & mask));
        }
        left << self.half_bits | right
    }
}

/// The finaliser of SplitMix64: every input bit flips every output bit about half the time.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_epoch_visits_each_sequence_once(n in 1_u64..700, seed: u64, epoch in 0_u64..5) {
            let order = Order::new(n, seed);
            let mut seen: Vec<u64> = (0..n).map(|i| order.at(epoch * n + i)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n).collect::<Vec<_>>());
        }

        #[test]
        fn huge_positions_and_sizes_stay_in_range(n in 1_u64.., seed: u64, position: u64) {
            prop_assert!(Order::new(n, seed).at(position) < n);
        }
    }

    #[test]
    fn epochs_and_seeds_give_different_orders() {
        let n = 1000;
        let read = |seed, epoch| -> Vec<u64> {
            let order = Order::new(n, seed);
            (0..n).map(|i| order.at(epoch * n + i)).collect()
        };
        let same = |a: &[u64], b: &[u64]| a.iter().zip(b).filter(|(a, b)| a == b).count();
        // Two independent permutations agree in one place on average; in 20 of 1000 practically never.
        assert!(same(&read(1, 0), &read(1, 1)) < 20);
        assert!(same(&read(1, 0), &read(2, 0)) < 20);
        assert!(same(&read(1, 0), &(0..n).collect::<Vec<_>>()) < 20);
        assert_eq!(read(7, 3), read(7, 3));
    }

    #[test]
    fn neighbours_are_scattered_as_evenly_as_chance_would() {
        // Chi-squared over 64 cells of the step between neighbours, 63 degrees of freedom: mean 63, deviation 11.
        let n = 1 << 14;
        let order = Order::new(n, 42);
        let mut cells = [0_f64; 64];
        for i in 0..n - 1 {
            let step = order.at(i + 1).wrapping_sub(order.at(i)) & (n - 1);
            cells[(step * 64 / n) as usize] += 1.0;
        }
        let expected = (n - 1) as f64 / 64.0;
        let chi: f64 = cells.iter().map(|c| (c - expected) * (c - expected) / expected).sum();
        assert!((20.0..120.0).contains(&chi), "{chi}");
    }
}
