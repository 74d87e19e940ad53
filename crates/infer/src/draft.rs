//! Guesses at the next tokens, taken from the text itself.
//!
//! Prompt lookup (Saxena 2023; "n-gram speculation"): where the last few tokens have stood before, what followed
//! them then may follow now: names, quotations, code and JSON repeat themselves. The guesses are read together
//! with the last token in one step, and only those that the sampler would have chosen stay, so that the answer
//! is the same as without them.

/// Tokens that have to agree before what followed is guessed.
const MATCH: usize = 3;
/// How far back is looked.
const WINDOW: usize = 4096;

/// Decides how many tokens to guess from how guesses have fared.
#[derive(Debug)]
pub(crate) struct Drafter {
    most: usize,
    /// How many to guess next.
    next: usize,
    /// Steps to make without guesses.
    rest: usize,
}

impl Drafter {
    /// At most `most` tokens at a time; 0: never.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, next: most, rest: 0 }
    }

    /// What may follow `tokens`.
    pub(crate) fn draft<'t>(&mut self, tokens: &'t [u32], room: usize) -> &'t [u32] {
        if self.most == 0 {
            return &[];
        }
        if self.rest > 0 {
            self.rest -= 1;
            return &[];
        }
        let followed = followed_before(tokens);
        &followed[..followed.len().min(self.next).min(room)]
    }

    /// How many of the guesses were right.
    pub(crate) fn learn(&mut self, n_guessed: usize, n_right: usize) {
        if n_guessed == 0 {
            return;
        }
        if n_right == n_guessed {
            self.next = (self.next + 1).min(self.most);
        } else if n_right == 0 {
            // A wrong guess costs time: the more of them, the longer the pause.
            self.next /= 2;
            if self.next == 0 {
                self.next = 1;
                self.rest = 8;
            }
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
        assert_eq!(drafter.draft(&[1, 2, 3, 7, 8, 1, 2, 3, 9, 6, 5, 4, 1, 2, 3], 9), [9, 6, 5]);
        assert_eq!(drafter.draft(&[1, 2, 3, 9, 6, 5, 4, 1, 2, 3], 2), [9, 6]);
        assert!(drafter.draft(&[1, 2, 3, 4, 2, 3], 9).is_empty());
        assert!(drafter.draft(&[1, 2], 9).is_empty());
        assert_eq!(drafter.draft(&[5, 5, 5, 5], 9), [5]);
    }

    #[test]
    fn wrong_guesses_are_followed_by_a_pause() {
        let tokens = [1, 2, 3, 9, 6, 5, 4, 1, 2, 3];
        let mut drafter = Drafter::new(2);
        for wanted in [2, 1] {
            assert_eq!(drafter.draft(&tokens, 9).len(), wanted);
            drafter.learn(wanted, 0);
        }
        for _ in 0..8 {
            assert!(drafter.draft(&tokens, 9).is_empty());
        }
        assert_eq!(drafter.draft(&tokens, 9).len(), 1);
        drafter.learn(1, 1);
        assert_eq!(drafter.draft(&tokens, 9).len(), 2);
        assert!(Drafter::new(0).draft(&tokens, 9).is_empty());
    }
}
