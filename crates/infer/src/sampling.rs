//! Choosing the next token from logits.
//!
//! In this order, as in Hugging Face's and vLLM's samplers:
//!
//! ```text
//! logits  ─ bias ─ repetition ─ presence, frequency ─▶  temperature 0: the largest, the first of equals
//!         ─ ÷ temperature ─ top-k ─ top-p ─ min-p ─ renormalise ─▶ draw
//! ```
//!
//! Randomness is a pure function of the seed and the number of tokens drawn before (see [`uniform`]): no state,
//! the same on every machine and in every release. Temperature 0 draws nothing, so the seed does not matter.
//!
//! Nothing sorts the vocabulary. Top-k selects in linear time; top-p takes candidates off a heap until their
//! probability is reached; without either, the draw walks the vocabulary in order.

use crate::Error;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// How to choose. The default is greedy, unchanged logits.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0: always the most probable token. Above: logits are divided by it.
    pub temperature: f32,
    /// Only the k most probable tokens; 0: all.
    pub top_k: usize,
    /// Only the most probable tokens that together reach this probability; 1: all.
    pub top_p: f32,
    /// Only tokens at least this probable relative to the most probable; 0: all.
    pub min_p: f32,
    /// Logits of tokens in the prompt or the answer are divided by this if positive, multiplied if negative
    /// (arXiv 1909.05858); 1: no change.
    pub repetition_penalty: f32,
    /// Taken off the logits of tokens that the answer has already.
    pub presence: f32,
    /// Taken off once for each time that the answer has the token.
    pub frequency: f32,
    /// Which of the possible answers.
    pub seed: u64,
    /// Added to the logits of single tokens.
    pub logit_bias: Vec<(u32, f32)>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence: 0.0,
            frequency: 0.0,
            seed: 0,
            logit_bias: Vec::new(),
        }
    }
}

impl Sampling {
    /// Every option in its range, or an error that names the range.
    pub fn validate(&self) -> Result<(), Error> {
        let check = |option, value: f32, allowed: bool, range| match allowed {
            true => Ok(()),
            false => Err(Error::Option { option, value, range }),
        };
        let Self { temperature, top_p, min_p, repetition_penalty, presence, frequency, .. } = *self;
        let finite = |value: f32| value.is_finite();
        check("temperature", temperature, finite(temperature) && temperature >= 0.0, "0 or more")?;
        check("top_p", top_p, top_p > 0.0 && top_p <= 1.0, "above 0 and at most 1")?;
        check("min_p", min_p, (0.0..=1.0).contains(&min_p), "from 0 to 1")?;
        let positive = finite(repetition_penalty) && repetition_penalty > 0.0;
        check("repetition_penalty", repetition_penalty, positive, "above 0")?;
        check("presence_penalty", presence, finite(presence), "a number")?;
        check("frequency_penalty", frequency, finite(frequency), "a number")?;
        // Minus infinity forbids a token; plus infinity would leave nothing to compare.
        let wrong = |bias: &f32| bias.is_nan() || *bias == f32::INFINITY;
        let bias = self.logit_bias.iter().map(|(_, bias)| *bias).find(wrong);
        check("logit_bias", bias.unwrap_or(0.0), bias.is_none(), "a number or minus infinity")
    }
}

/// Chooses tokens one after the other and remembers what the penalties need.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    /// Tokens of prompt and answer, with how often the answer has each.
    seen: HashMap<u32, u32>,
    n_drawn: u64,
    candidates: Vec<Candidate>,
}

/// A token that may be chosen. The order is by logit, then the smaller id first: total and reproducible.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    logit: f32,
    id: u32,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.logit.total_cmp(&other.logit).then(other.id.cmp(&self.id))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Sampler {
    /// A sampler for one answer to `prompt`.
    pub fn new(sampling: &Sampling, prompt: &[u32]) -> Result<Self, Error> {
        sampling.validate()?;
        let remember = sampling.repetition_penalty != 1.0;
        let seen = prompt.iter().filter(|_| remember).map(|&id| (id, 0)).collect();
        Ok(Self { sampling: sampling.clone(), seen, n_drawn: 0, candidates: Vec::new() })
    }

    /// A copy that chooses what this one would, without changing it.
    pub(crate) fn ahead(&self) -> Self {
        let Self { sampling, seen, n_drawn, .. } = self;
        let (sampling, seen) = (sampling.clone(), seen.clone());
        Self { sampling, seen, n_drawn: *n_drawn, candidates: Vec::new() }
    }

    /// Whether the most probable token is taken, without chance.
    pub fn is_greedy(&self) -> bool {
        self.sampling.temperature == 0.0
    }

    /// The next token, or `None` if a logit is NaN or all are −∞. Changes `logits`.
    pub fn next(&mut self, logits: &mut [f32]) -> Option<u32> {
        self.adjust(logits);
        let top = largest(logits)?;
        let id = if self.is_greedy() { top.id } else { self.draw(logits, top) };
        self.n_drawn += 1;
        *self.seen.entry(id).or_insert(0) += 1;
        Some(id)
    }

    fn adjust(&self, logits: &mut [f32]) {
        let Sampling { repetition_penalty, presence, frequency, logit_bias, .. } = &self.sampling;
        for (id, bias) in logit_bias {
            if let Some(logit) = logits.get_mut(*id as usize) {
                *logit += bias;
            }
        }
        if *repetition_penalty == 1.0 && *presence == 0.0 && *frequency == 0.0 {
            return;
        }
        for (&id, &count) in &self.seen {
            let Some(logit) = logits.get_mut(id as usize) else { continue };
            *logit = if *logit > 0.0 {
                *logit / repetition_penalty
            } else {
                *logit * repetition_penalty
            };
            if count > 0 {
                *logit -= presence + frequency * count as f32;
            }
        }
    }

    fn draw(&mut self, logits: &[f32], top: Candidate) -> u32 {
        let Sampling { temperature, top_k, top_p, min_p, seed, .. } = self.sampling;
        let candidates = &mut self.candidates;
        candidates.clear();
        let all = logits.iter().enumerate().map(|(id, &logit)| Candidate { logit, id: id as u32 });
        candidates.extend(all.filter(|c| c.logit != f32::NEG_INFINITY));
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k - 1, |a, b| b.cmp(a));
            candidates.truncate(top_k);
        }
        let weight =
            |c: &Candidate| f64::exp(f64::from(c.logit - top.logit) / f64::from(temperature));
        if top_p < 1.0 {
            let total: f64 = candidates.iter().map(weight).sum();
            let mut heap = BinaryHeap::from(std::mem::take(candidates));
            let mut mass = 0.0;
            while mass < f64::from(top_p) * total
                && let Some(candidate) = heap.pop()
            {
                mass += weight(&candidate);
                candidates.push(candidate);
            }
        }
        if min_p > 0.0 {
            candidates.retain(|c| weight(c) >= f64::from(min_p));
        }
        // Selection leaves candidates in no particular order; the draw must not depend on that.
        if top_k > 0 || top_p < 1.0 {
            candidates.sort_unstable_by(|a, b| b.cmp(a));
        }
        let total: f64 = candidates.iter().map(weight).sum();
        let mut left = uniform(seed, self.n_drawn) * total;
        for candidate in candidates.iter() {
            left -= weight(candidate);
            if left < 0.0 {
                return candidate.id;
            }
        }
        // Rounding may leave a crumb; it belongs to the most probable token.
        top.id
    }
}

/// The largest logit, the first of equals; `None` if one is NaN or none is above −∞.
///
/// A block at a time without branches, which the compiler turns into vectors: a vocabulary of 262,144 took a twentieth
/// of the time of a small model's token.
fn largest(logits: &[f32]) -> Option<Candidate> {
    const BLOCK: usize = 1024;
    const LANES: usize = 16;
    let mut best = (f32::NEG_INFINITY, 0);
    for (block_idx, block) in logits.chunks(BLOCK).enumerate() {
        let (lines, rest) = block.as_chunks::<LANES>();
        let mut tops = [f32::NEG_INFINITY; LANES];
        let mut nans = [0u32; LANES];
        for line in lines {
            for lane in 0..LANES {
                let logit = line[lane];
                tops[lane] = if logit > tops[lane] { logit } else { tops[lane] };
                nans[lane] |= u32::from(logit.is_nan());
            }
        }
        if nans.iter().any(|nan| *nan > 0) || rest.iter().any(|logit| logit.is_nan()) {
            return None;
        }
        let top = tops.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
        if top > best.0 {
            best = (top, block_idx * BLOCK);
        }
    }
    let (logit, start) = best;
    let place = logits.get(start..)?.iter().position(|other| *other == logit)?;
    logit.is_finite().then_some(Candidate { logit, id: (start + place) as u32 })
}

/// The `n`-th number in [0, 1) of the sequence that belongs to `seed`.
///
/// The seed is mixed once, then the finaliser of splitmix64 (Steele, Lea and Flood, 2014) mixes seed + n · γ;
/// the upper 53 bits are the fraction. This function is a promise: it does not change between releases.
pub fn uniform(seed: u64, n: u64) -> f64 {
    let start = mix(seed ^ 0x506f_6c79_6d61_7468);
    (mix(start.wrapping_add((n + 1).wrapping_mul(GAMMA))) >> 11) as f64 / (1u64 << 53) as f64
}

/// 2⁶⁴ divided by the golden ratio, made odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(sampling: &Sampling, logits: &[f32]) -> Option<u32> {
        Sampler::new(sampling, &[]).unwrap().next(&mut logits.to_vec())
    }

    /// Tokens that come up in a thousand draws, each with its share.
    fn shares(sampling: &Sampling, logits: &[f32]) -> HashMap<u32, f64> {
        let n = 4000;
        let mut shares = HashMap::new();
        for seed in 0..n {
            let sampling = Sampling { seed, ..sampling.clone() };
            *shares.entry(next(&sampling, logits).unwrap()).or_insert(0.0) += 1.0 / n as f64;
        }
        shares
    }

    fn warm() -> Sampling {
        Sampling { temperature: 1.0, ..Sampling::default() }
    }

    /// Around the borders of blocks and lines, with equals, infinities and what is no number.
    #[test]
    fn the_largest_is_the_first_of_the_largest_wherever_it_stands() {
        let slowly = |logits: &[f32]| {
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let fine = !logits.iter().any(|logit| logit.is_nan()) && top.is_finite();
            fine.then(|| logits.iter().position(|logit| *logit == top).unwrap() as u32)
        };
        for len in [1usize, 15, 16, 17, 1023, 1024, 1025, 2048, 2500] {
            for place in [0, 1, 14, 15, 16, 1022, 1023, 1024, 1040, len - 1] {
                let Some(last) = len.checked_sub(1 + place) else { continue };
                for special in [2.0, f32::NEG_INFINITY, f32::INFINITY, f32::NAN, -0.0] {
                    let mut logits: Vec<f32> = (0..len).map(|i| -((i * 7 % 5) as f32)).collect();
                    logits[place] = special;
                    logits[last] = 2.0_f32.min(special);
                    let found = largest(&logits).map(|candidate| candidate.id);
                    assert_eq!(found, slowly(&logits), "{special} at {place} of {len}");
                }
            }
        }
        assert_eq!(largest(&[]), None);
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest_and_ignores_the_seed() {
        for seed in 0..20 {
            let sampling = Sampling { seed, ..Sampling::default() };
            assert_eq!(next(&sampling, &[0.0, 3.0, 1.0, 3.0]), Some(1));
        }
    }

    #[test]
    fn draws_follow_the_softmax_of_the_logits() {
        let logits = [0.1f32, 0.2, 0.3, 0.4].map(f32::ln);
        for (id, share) in shares(&warm(), &logits) {
            // Four standard deviations of a share of 4,000 draws.
            let wanted = f64::from(id + 1) / 10.0;
            assert!(
                (share - wanted).abs() < 4.0 * (wanted * (1.0 - wanted) / 4000.0).sqrt(),
                "{id}: {share}"
            );
        }
    }

    #[test]
    fn temperature_sharpens_by_dividing_the_logits() {
        let cold = Sampling { temperature: 0.5, ..warm() };
        let share = shares(&cold, &[0.0, 1.0])[&1];
        let wanted = 1.0 / (1.0 + f64::exp(-2.0));
        assert!((share - wanted).abs() < 0.025, "{share} for {wanted}");
    }

    #[test]
    fn top_k_top_p_and_min_p_leave_out_the_rest() {
        let logits = [0.1f32, 0.2, 0.3, 0.4].map(f32::ln);
        let kept = |sampling: Sampling| {
            let mut kept: Vec<u32> = shares(&sampling, &logits).into_keys().collect();
            kept.sort();
            kept
        };
        assert_eq!(kept(Sampling { top_k: 2, ..warm() }), [2, 3]);
        assert_eq!(kept(Sampling { top_k: 9, ..warm() }), [0, 1, 2, 3]);
        assert_eq!(kept(Sampling { top_p: 0.69, ..warm() }), [2, 3]);
        assert_eq!(kept(Sampling { top_p: 0.71, ..warm() }), [1, 2, 3]);
        assert_eq!(kept(Sampling { top_p: 1e-6, ..warm() }), [3]);
        assert_eq!(kept(Sampling { min_p: 0.6, ..warm() }), [2, 3]);
    }

    #[test]
    fn a_seed_gives_the_same_tokens_for_ever() {
        let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.37).sin()).collect();
        let mut sampler = Sampler::new(&Sampling { seed: 7, ..warm() }, &[]).unwrap();
        let tokens: Vec<u32> = (0..8).map(|_| sampler.next(&mut logits.clone()).unwrap()).collect();
        assert_eq!(tokens, PROMISED);
    }

    #[test]
    fn penalties_lower_what_was_said() {
        let sampling = Sampling { repetition_penalty: 2.0, ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, &[0]).unwrap();
        assert_eq!(sampler.next(&mut [3.0, 2.0, 1.0]), Some(1), "the prompt counts");
        assert_eq!(sampler.next(&mut [3.0, 2.0, 1.6]), Some(2), "and so does the answer");

        let sampling = Sampling { presence: 0.5, frequency: 0.4, ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, &[0]).unwrap();
        let answer: Vec<u32> =
            (0..4).map(|_| sampler.next(&mut [2.0, 1.0, 0.9]).unwrap()).collect();
        assert_eq!(
            answer,
            [0, 0, 1, 2],
            "presence once, frequency each time, the prompt not at all"
        );
    }

    #[test]
    fn a_bias_can_forbid_and_force() {
        let forbid = Sampling { logit_bias: vec![(1, f32::NEG_INFINITY)], ..Sampling::default() };
        assert_eq!(next(&forbid, &[0.0, 9.0, 1.0]), Some(2));
        let force = Sampling { logit_bias: vec![(0, 100.0), (99, 1.0)], ..Sampling::default() };
        assert_eq!(next(&force, &[0.0, 9.0, 1.0]), Some(0));
    }

    #[test]
    fn logits_that_are_not_numbers_choose_nothing() {
        for sampling in [Sampling::default(), warm()] {
            assert_eq!(next(&sampling, &[0.0, f32::NAN]), None);
            assert_eq!(next(&sampling, &[f32::NEG_INFINITY; 3]), None);
            assert_eq!(next(&sampling, &[0.0, f32::INFINITY]), None);
            assert_eq!(next(&sampling, &[]), None);
        }
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        let wrong = Sampling { top_p: 0.0, ..Sampling::default() };
        assert!(matches!(wrong.validate(), Err(Error::Option { option: "top_p", .. })));
        let wrong = Sampling { temperature: f32::NAN, ..Sampling::default() };
        assert!(matches!(wrong.validate(), Err(Error::Option { option: "temperature", .. })));
        assert!(Sampling::default().validate().is_ok());
    }

    /// Written down once; see [`uniform`].
    const PROMISED: [u32; 8] = [32, 22, 37, 40, 18, 32, 36, 4];
}
