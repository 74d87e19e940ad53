//! Which kept documents go where: near copies out, a share set aside, the rest into the training shards.

use crate::shards::mix;

/// Where a document goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    Training,
    HeldOut,
    NearCopy,
}

/// What is remembered of each kept document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembered {
    /// Of its text: the held-out documents are chosen by it, so that adding a source changes no choice.
    pub(super) hash: u64,
    pub(super) source: u32,
    pub(super) bytes: u64,
}

/// Chooses. Of the documents that are no near copies, the `share` with the smallest seeded hashes is set aside, at
/// least one if the share is not zero and there are two.
pub(super) fn choose(
    documents: &[Remembered],
    near_copies: &[bool],
    share: f64,
    seed: u64,
) -> Vec<Chosen> {
    let key = |at: usize| mix(documents[at].hash ^ mix(seed.wrapping_add(0x6865_6c64)));
    let mut chosen: Vec<Chosen> = near_copies
        .iter()
        .map(|&copy| if copy { Chosen::NearCopy } else { Chosen::Training })
        .collect();
    let mut left: Vec<usize> = (0..documents.len()).filter(|&at| !near_copies[at]).collect();
    if share <= 0.0 || left.len() < 2 {
        return chosen;
    }
    let n = ((left.len() as f64 * share).round() as usize).clamp(1, left.len() - 1);
    left.sort_unstable_by_key(|&at| (key(at), at));
    for &at in &left[..n] {
        chosen[at] = Chosen::HeldOut;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_set_aside_and_copies_are_never_in_it() {
        let documents: Vec<Remembered> =
            (0..1000).map(|i| Remembered { hash: mix(i + 1), source: 0, bytes: 1 }).collect();
        let copies: Vec<bool> = (0..1000).map(|i| i % 2 == 0).collect();
        let chosen = choose(&documents, &copies, 0.1, 3);
        let count = |what| chosen.iter().filter(|&&c| c == what).count();
        assert_eq!((count(Chosen::HeldOut), count(Chosen::NearCopy)), (50, 500));
        assert_ne!(chosen, choose(&documents, &copies, 0.1, 4));
        let two = choose(&documents[..2], &[false, false], 0.01, 3);
        assert_eq!(two.iter().filter(|&&c| c == Chosen::HeldOut).count(), 1);
        assert_eq!(choose(&documents[..1], &[false], 0.5, 3), [Chosen::Training]);
    }
}
