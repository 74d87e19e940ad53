//! Guesses at the next tokens, taken from the text itself; and how many it is worth guessing.
//!
//! Prompt lookup (Saxena 2023; "n-gram speculation"): where the last few tokens have stood before, what followed
//! them then may follow now: names, quotations, code and JSON repeat themselves. The guesses are read together
//! with the last token in one step, and only those that the sampler would have chosen stay, so that the answer
//! is the same as without them. Guesses of a draft model ([`crate::companion`]) take their turn where the text has none.

use std::ops::RangeInclusive;

/// Tokens that have to agree before what followed is guessed.
const MATCH: usize = 3;
/// How far back is looked.
const WINDOW: usize = 4096;
/// What is guessed at first: reading three tokens costs about half as much again as reading one.
const FIRST: usize = 2;
/// Steps without guesses after a single guess was wrong; doubled each time until a guess is right again.
const PAUSES: RangeInclusive<usize> = 8..=256;
/// The same for a draft model: its next guess is right more often than that of a text that has changed its subject.
const PAUSES_OF_MODEL: RangeInclusive<usize> = 2..=64;

/// Decides how many tokens to guess from how guesses have fared.
#[derive(Debug)]
pub(crate) struct Drafter {
    most: usize,
    /// How many to guess next.
    next: usize,
    /// Steps to make without guesses.
    rest: usize,
    /// How long the next pause will be.
    pause: usize,
    pauses: RangeInclusive<usize>,
}

impl Drafter {
    /// For guesses from the text: at most `most` tokens at a time; 0: never.
    pub(crate) fn new(most: usize) -> Self {
        Self::with_pauses(most, PAUSES)
    }

    /// For guesses of a draft model.
    pub(crate) fn of_model(most: usize) -> Self {
        Self::with_pauses(most, PAUSES_OF_MODEL)
    }

    fn with_pauses(most: usize, pauses: RangeInclusive<usize>) -> Self {
        Self { most, next: FIRST.min(most), rest: 0, pause: *pauses.start(), pauses }
    }

    /// How many tokens to guess in this step.
    pub(crate) fn allowance(&mut self) -> usize {
        if self.rest > 0 {
            self.rest -= 1;
            return 0;
        }
        self.next
    }

    /// What may follow `tokens`.
    pub(crate) fn draft<'t>(&mut self, tokens: &'t [u32], room: usize) -> &'t [u32] {
        let most = self.allowance().min(room);
        if most == 0 {
            return &[];
        }
        let followed = followed_before(tokens);
        &followed[..followed.len().min(most)]
    }

    /// How many of the guesses were right.
    pub(crate) fn learn(&mut self, n_guessed: usize, n_right: usize) {
        if n_guessed == 0 {
            return;
        }
        if n_right > 0 {
            self.pause = *self.pauses.start();
            let all = n_right == n_guessed;
            self.next = if all { self.next.max(2 * n_right).min(self.most) } else { n_right };
        } else if self.next > 1 {
            self.next = 1;
        } else {
            // A wrong guess costs time: the more of them, the longer the pause.
            self.rest = self.pause;
            self.pause = (2 * self.pause).min(*self.pauses.end());
        }
    }
}

/// The tokens after the latest earlier place where the last [`MATCH`] tokens stand.
fn followed_before(tokens: &[u32]) -> &[u32] {
    let window = &tokens[tokens.len().saturating_sub(WINDOW)..];
    let Some(split) = window.len().checked_sub(MATCH) else { return &[] };
    let (before, last) = window.split_at(split);
    // The place may overlap the last tokens: "ha ha ha ha" goes on.
    let starts = (0..before.len()).rev();
    let found = starts.filter(|&at| window[at..].starts_with(last)).map(|at| &window[at + MATCH..]);
    found.into_iter().next().unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_the_last_time_is_guessed() {
        let mut drafter = Drafter::new(3);
        let tokens = [1, 2, 3, 7, 8, 1, 2, 3, 9, 6, 5, 4, 1, 2, 3];
        assert_eq!(drafter.draft(&tokens, 9), [9, 6]);
        drafter.learn(2, 2);
        assert_eq!(drafter.draft(&tokens, 9), [9, 6, 5]);
        assert_eq!(drafter.draft(&[1, 2, 3, 9, 6, 5, 4, 1, 2, 3], 2), [9, 6]);
        assert!(drafter.draft(&[1, 2, 3, 4, 2, 3], 9).is_empty());
        assert!(drafter.draft(&[1, 2], 9).is_empty());
        assert_eq!(drafter.draft(&[5, 5, 5, 5], 9), [5]);
        assert!(Drafter::new(0).draft(&tokens, 9).is_empty());
    }

    #[test]
    fn right_guesses_become_more_and_those_partly_right_as_many_as_were() {
        let tokens: Vec<u32> = (0..40).chain(0..3).collect();
        let mut drafter = Drafter::new(7);
        for (wanted, n_right) in [(2, 2), (4, 4), (7, 3), (3, 3), (6, 1), (1, 1), (2, 2)] {
            assert_eq!(drafter.draft(&tokens, 9).len(), wanted);
            drafter.learn(wanted, n_right);
        }
    }

    #[test]
    fn wrong_guesses_are_followed_by_ever_longer_pauses() {
        let tokens = [1, 2, 3, 9, 6, 5, 4, 1, 2, 3];
        let mut drafter = Drafter::new(4);
        assert_eq!(drafter.draft(&tokens, 9).len(), 2);
        drafter.learn(2, 0);
        let mut steps_between = Vec::new();
        for _ in 0..7 {
            assert_eq!(drafter.draft(&tokens, 9).len(), 1);
            drafter.learn(1, 0);
            steps_between.push(drafter.rest);
            for _ in 0..drafter.rest {
                assert!(drafter.draft(&tokens, 9).is_empty());
            }
        }
        assert_eq!(steps_between, [8, 16, 32, 64, 128, 256, 256]);
        // One that is right is forgiven all.
        drafter.learn(1, 1);
        drafter.learn(2, 0);
        drafter.learn(1, 0);
        assert_eq!(drafter.rest, 8);
    }
}
