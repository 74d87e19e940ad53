//! The random numbers of Python's `random.Random`, so that examples are drawn as other harnesses draw them.
//!
//! MT19937 (Matsumoto & Nishimura 1998), seeded by `init_by_array`; sampling without and with replacement as CPython's
//! `Random.sample` and `Random.choices` do it.

const N: usize = 624;
const M: usize = 397;

/// A generator with a state of its own.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: [u32; N],
    next: usize,
}

impl Random {
    /// As `random.Random(seed)`.
    pub(super) fn new(seed: u64) -> Self {
        let low = seed as u32;
        let high = (seed >> 32) as u32;
        let key = [low, high];
        let key = if high == 0 { &key[..1] } else { &key[..] };
        let mut state = [0; N];
        state[0] = 19_650_218_u32;
        for i in 1..N {
            let before = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(before ^ before >> 30).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let before = state[i - 1];
            let mixed = state[i] ^ (before ^ before >> 30).wrapping_mul(1_664_525);
            state[i] = mixed.wrapping_add(key[j]).wrapping_add(j as u32);
            (i, j) = (i + 1, (j + 1) % key.len());
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 0..N - 1 {
            let before = state[i - 1];
            let mixed = state[i] ^ (before ^ before >> 30).wrapping_mul(1_566_083_941);
            state[i] = mixed.wrapping_sub(i as u32);
            i += 1;
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, next: N }
    }

    fn bits(&mut self) -> u32 {
        if self.next == N {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    fn refill(&mut self) {
        for i in 0..N {
            let y = self.state[i] & 0x8000_0000 | self.state[(i + 1) % N] & 0x7fff_ffff;
            let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ y >> 1 ^ twist;
        }
        self.next = 0;
    }

    /// Below `n`, which is at least 1 and below 2³².
    fn below(&mut self, n: usize) -> usize {
        let n_bits = usize::BITS - n.leading_zeros();
        loop {
            let candidate = (self.bits() >> (32 - n_bits)) as usize;
            if candidate < n {
                return candidate;
            }
        }
    }

    /// In [0, 1), with 53 random bits.
    fn unit(&mut self) -> f64 {
        let (a, b) = (self.bits() >> 5, self.bits() >> 6);
        (f64::from(a) * 67_108_864.0 + f64::from(b)) / 9_007_199_254_740_992.0
    }

    /// `k` different numbers below `n`, in the order in which they were drawn; `k` is at most `n`.
    pub(super) fn sample(&mut self, n: usize, k: usize) -> Vec<usize> {
        // Below this size CPython draws from a list that it shortens, above it remembers what was drawn.
        let mut list_size = 21;
        if k > 5 {
            list_size += 4_usize.pow((3.0 * k as f64).log(4.0).ceil() as u32);
        }
        if n <= list_size {
            let mut pool: Vec<usize> = (0..n).collect();
            return (0..k)
                .map(|i| {
                    let at = self.below(n - i);
                    let drawn = pool[at];
                    pool[at] = pool[n - i - 1];
                    drawn
                })
                .collect();
        }
        let mut drawn = Vec::with_capacity(k);
        while drawn.len() < k {
            let candidate = self.below(n);
            if !drawn.contains(&candidate) {
                drawn.push(candidate);
            }
        }
        drawn
    }

    /// A number below `n`, as `Random.choices` draws each of its numbers.
    pub(super) fn choice(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by CPython 3.11: `r = random.Random(1234)`, then the calls in this order.
    #[test]
    fn numbers_are_those_of_python() {
        let mut random = Random::new(1234);
        assert_eq!(random.sample(5, 3), [3, 0, 4]);
        assert_eq!(random.sample(7473, 6), [742, 7462, 6610, 4769, 286, 5501]);
        assert_eq!(random.sample(60, 10), [44, 5, 6, 49, 22, 15, 1, 53, 50, 52]);
        let choices: Vec<usize> = (0..6).map(|_| random.choice(100)).collect();
        assert_eq!(choices, [34, 62, 61, 14, 18, 11]);
        let mut large = Random::new((1 << 40) + 7);
        assert_eq!(large.sample(1000, 4), [628, 765, 834, 960]);
    }
}
