//! Best-fit packing of documents into sequences.
//!
//! A document longer than a sequence is cut into pieces. Each piece goes into the open sequence that it fills
//! best (the smallest room that still holds it); where none holds it, a new one is opened. When too many are
//! open, the fullest one is given out, so memory is bounded however long the stream is. Nothing is dropped,
//! nothing is repeated, nothing is padded: a sequence may be shorter than the limit.

use std::collections::{BTreeMap, VecDeque};

/// Tokens that may wait in open sequences: 32 MiB as `u32`.
const OPEN_TOKENS: usize = 8 << 20;

/// Tokens of several documents in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The tokens, without gaps.
    pub tokens: Vec<u32>,
    /// Where each document (or piece of one) begins; the first is 0. Attention must not cross these.
    pub starts: Vec<u32>,
    /// Per token, whether predicting it counts in the loss; `None` means every one does.
    pub counted: Option<Vec<bool>>,
}

impl Sequence {
    fn push(&mut self, tokens: &[u32], counted: Option<&[bool]>) {
        self.starts.push(self.tokens.len() as u32);
        self.tokens.extend_from_slice(tokens);
        if let (Some(mine), Some(new)) = (&mut self.counted, counted) {
            mine.extend_from_slice(new);
        }
    }
}

/// Takes documents, gives sequences.
#[derive(Debug)]
pub(super) struct Packer {
    length: usize,
    with_counted: bool,
    max_open: usize,
    n_open: usize,
    /// Open sequences by the room left in them, the longest-waiting first.
    open: BTreeMap<usize, VecDeque<Sequence>>,
}

impl Packer {
    pub(super) fn new(length: usize, with_counted: bool) -> Self {
        let max_open = (OPEN_TOKENS / length.max(1)).clamp(16, 8192);
        Self { length: length.max(1), with_counted, max_open, n_open: 0, open: BTreeMap::new() }
    }

    /// Packs one document; `full` receives the sequences that are thereby complete.
    pub(super) fn push<E>(
        &mut self,
        tokens: &[u32],
        counted: Option<&[bool]>,
        full: &mut impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        for from in (0..tokens.len()).step_by(self.length) {
            let piece = from..(from + self.length).min(tokens.len());
            let counted = counted.map(|counted| &counted[piece.clone()]);
            self.push_piece(&tokens[piece], counted, full)?;
        }
        Ok(())
    }

    fn push_piece<E>(
        &mut self,
        tokens: &[u32],
        counted: Option<&[bool]>,
        full: &mut impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        let room = self.open.range(tokens.len()..).next().map(|(&room, _)| room);
        let (mut sequence, room) = match room.and_then(|room| Some((self.take(room)?, room))) {
            Some(found) => found,
            None => {
                let counted = self.with_counted.then(Vec::new);
                (Sequence { counted, ..Sequence::default() }, self.length)
            }
        };
        sequence.push(tokens, counted);
        let room = room - tokens.len();
        if room == 0 {
            return full(sequence);
        }
        self.open.entry(room).or_default().push_back(sequence);
        self.n_open += 1;
        if self.n_open > self.max_open
            && let Some(&room) = self.open.keys().next()
            && let Some(fullest) = self.take(room)
        {
            full(fullest)?;
        }
        Ok(())
    }

    fn take(&mut self, room: usize) -> Option<Sequence> {
        let waiting = self.open.get_mut(&room)?;
        let sequence = waiting.pop_front();
        if waiting.is_empty() {
            self.open.remove(&room);
        }
        self.n_open -= usize::from(sequence.is_some());
        sequence
    }

    /// Gives out what is still open.
    pub(super) fn finish<E>(
        self,
        full: &mut impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open.into_values().flatten().try_for_each(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(length: usize, max_open: usize, documents: &[Vec<u32>]) -> Vec<Sequence> {
        let mut packer = Packer::new(length, false);
        packer.max_open = max_open;
        let mut sequences = Vec::new();
        let mut full = |sequence| {
            sequences.push(sequence);
            Ok::<(), ()>(())
        };
        documents.iter().for_each(|d| packer.push(d, None, &mut full).unwrap());
        packer.finish(&mut full).unwrap();
        sequences
    }

    proptest! {
        #[test]
        fn packing_loses_and_repeats_no_token(
            lengths in prop::collection::vec(0_usize..90, 0..60),
            length in 1_usize..40,
            max_open in 1_usize..6,
        ) {
            let mut next = 0_u32;
            let documents: Vec<Vec<u32>> = lengths.iter().map(|&n| {
                let document = (next..next + n as u32).collect();
                next += n as u32;
                document
            }).collect();
            let sequences = pack(length, max_open, &documents);
            let mut all: Vec<u32> = sequences.iter().flat_map(|s| s.tokens.clone()).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..next).collect::<Vec<_>>());
            for sequence in &sequences {
                prop_assert!(!sequence.tokens.is_empty() && sequence.tokens.len() <= length);
                prop_assert_eq!(sequence.starts[0], 0);
                prop_assert!(sequence.starts.is_sorted_by(|a, b| a < b));
                // Inside a document tokens count on; only at a start may they jump.
                for at in 1..sequence.tokens.len() {
                    let jumps = sequence.tokens[at] != sequence.tokens[at - 1] + 1;
                    prop_assert!(!jumps || sequence.starts.contains(&(at as u32)));
                }
            }
        }
    }

    #[test]
    fn ordinary_document_lengths_fill_the_sequences() {
        let mut state = 1_u64;
        let documents: Vec<Vec<u32>> = (0..4000)
            .map(|_| {
                state = super::super::order::mix(state.wrapping_add(1));
                vec![0; 20 + (state % 1500) as usize]
            })
            .collect();
        let tokens: usize = documents.iter().map(Vec::len).sum();
        let sequences = pack(512, 4096, &documents);
        let filled = tokens as f64 / (512 * sequences.len()) as f64;
        assert!(filled > 0.98, "{filled}");
    }
}
