//! The merge loop that both BPE families share: join the best pair of neighbours until none is left.
//!
//! ```text
//! symbols = the smallest units of the text
//! while some neighbouring pair may be joined:
//!     join the pair of lowest rank, the leftmost of equals
//! ```
//!
//! The naive loop rescans all pairs after each merge, n² steps for n symbols; a hostile text of a million
//! letters without a space would stall it. So pairs wait in a heap, and a merge invalidates the pairs that
//! it touched by changing a symbol's length, which their entries remember: n log n for any text.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One unit of the text while it is being merged: the bytes `start..start + len`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    pub(super) start: u32,
    /// Zero once the symbol has been merged into its left neighbour.
    pub(super) len: u32,
    /// Token id, or [`NO_TOKEN`] for a unit that is in no vocabulary (yet).
    pub(super) id: u32,
    prev: u32,
    next: u32,
}

/// Marks a symbol without a token, and the end of the chain.
pub(super) const NO_TOKEN: u32 = u32::MAX;

/// A pair that may be joined: lower ranks go first; `id` is the token that results.
#[derive(Debug, Clone, Copy)]
pub(super) struct Join {
    pub(super) rank: u32,
    pub(super) id: u32,
}

/// Chains units, given as (start, len, id) from left to right, into symbols.
pub(super) fn symbols(units: impl Iterator<Item = (u32, u32, u32)>) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = units
        .enumerate()
        .map(|(i, (start, len, id))| Symbol {
            start,
            len,
            id,
            prev: (i as u32).wrapping_sub(1),
            next: i as u32 + 1,
        })
        .collect();
    if let Some(last) = symbols.last_mut() {
        last.next = NO_TOKEN;
    }
    symbols
}

/// A pair in the heap: rank and left symbol order it; right symbol, joined length and resulting id ride along.
type Waiting = (u32, u32, u32, u32, u32);

/// Merges in place. Afterwards the symbols with `len > 0`, in order, are the result.
pub(super) fn merge(symbols: &mut [Symbol], join: impl Fn(&Symbol, &Symbol) -> Option<Join>) {
    let mut heap: BinaryHeap<Reverse<Waiting>> = BinaryHeap::new();
    let consider = |heap: &mut BinaryHeap<_>, symbols: &[Symbol], left: u32, right: u32| {
        if left == NO_TOKEN || right == NO_TOKEN {
            return;
        }
        let (l, r) = (&symbols[left as usize], &symbols[right as usize]);
        if let Some(found) = join(l, r) {
            heap.push(Reverse((found.rank, left, right, l.len + r.len, found.id)));
        }
    };
    for right in 1..symbols.len() as u32 {
        consider(&mut heap, symbols, right - 1, right);
    }
    while let Some(Reverse((_, left, right, len, id))) = heap.pop() {
        let (l, r) = (symbols[left as usize], symbols[right as usize]);
        // Lengths only grow, and a merged-away symbol has none: equality means that both sides are as they were.
        if l.len == 0 || r.len == 0 || l.len + r.len != len {
            continue;
        }
        symbols[left as usize] = Symbol { len, id, next: r.next, ..l };
        symbols[right as usize].len = 0;
        if r.next != NO_TOKEN {
            symbols[r.next as usize].prev = left;
        }
        consider(&mut heap, symbols, l.prev, left);
        consider(&mut heap, symbols, left, r.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules over single letters: a pair's text → rank. The specification is the loop at the head of the file.
    fn naive(text: &str, rules: &[&str]) -> Vec<String> {
        let mut parts: Vec<String> = text.chars().map(String::from).collect();
        loop {
            let best = (1..parts.len())
                .filter_map(|i| {
                    let joined = format!("{}{}", parts[i - 1], parts[i]);
                    rules.iter().position(|rule| *rule == joined).map(|rank| (rank, i))
                })
                .min();
            let Some((_, i)) = best else { return parts };
            let right = parts.remove(i);
            parts[i - 1].push_str(&right);
        }
    }

    fn fast(text: &str, rules: &[&str]) -> Vec<String> {
        let mut chain = symbols((0..text.len() as u32).map(|i| (i, 1, 0)));
        let span = |s: &Symbol| s.start as usize..(s.start + s.len) as usize;
        merge(&mut chain, |l, r| {
            let joined = &text[span(l).start..span(r).end];
            let rank = rules.iter().position(|rule| *rule == joined)? as u32;
            Some(Join { rank, id: 0 })
        });
        chain.iter().filter(|s| s.len > 0).map(|s| text[span(s)].to_string()).collect()
    }

    proptest::proptest! {
        #[test]
        fn the_heap_gives_what_rescanning_gives(text in "[ab]{0,24}") {
            let rules = ["ab", "aab", "ba", "aa", "abab", "bb", "aaaa", "abba", "bbb"];
            proptest::prop_assert_eq!(fast(&text, &rules), naive(&text, &rules));
        }
    }
}
