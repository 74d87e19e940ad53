//! Finding the tokens that are taken whole: `<|im_end|>`, `[CLS]`, Gemma's runs of line breaks.
//!
//! The leftmost match wins, and of several that begin there the longest. Two sets are kept: what is taken
//! whole in any text, and that plus the control tokens, for text in which control tokens mean themselves.

use super::Special;
use crate::Error;
use aho_corasick::{AhoCorasick, MatchKind};
use std::ops::Range;

/// One token that is taken whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole {
    pub(super) text: String,
    pub(super) id: u32,
    /// Only where [`Special::Parse`] is asked for.
    pub(super) control: bool,
    /// The match swallows white space before it, or after it.
    pub(super) strip_left: bool,
    pub(super) strip_right: bool,
    /// Only where no letter or digit touches it.
    pub(super) single_word: bool,
}

#[derive(Debug)]
pub(super) struct Wholes {
    tokens: Vec<Whole>,
    always: Matcher,
    parsed: Matcher,
}

/// An automaton over a selection of the tokens; `None` when there are none.
#[derive(Debug)]
struct Matcher {
    automaton: Option<AhoCorasick>,
    token_idx: Vec<usize>,
}

/// A stretch of text: ordinary, or one whole token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    Text(Range<usize>),
    Token(u32),
}

impl Wholes {
    pub(super) fn new(tokens: Vec<Whole>) -> Result<Self, Error> {
        let always = Matcher::new(&tokens, |token| !token.control)?;
        let parsed = Matcher::new(&tokens, |_| true)?;
        Ok(Self { tokens, always, parsed })
    }

    /// Where whole tokens stand in `text`, and which.
    pub(super) fn find<'w>(
        &'w self,
        text: &'w str,
        special: Special,
    ) -> impl Iterator<Item = (Range<usize>, &'w Whole)> + 'w {
        let matcher = match special {
            Special::Text => &self.always,
            Special::Parse => &self.parsed,
        };
        let mut done = 0;
        matcher.automaton.iter().flat_map(move |a| a.find_iter(text)).filter_map(move |found| {
            if found.start() < done {
                return None; // swallowed as the white space beside the token before
            }
            let token = &self.tokens[matcher.token_idx[found.pattern().as_usize()]];
            let (before, after) = (&text[done..found.start()], &text[found.end()..]);
            let touches = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if token.single_word
                && (touches(before.chars().next_back()) || touches(after.chars().next()))
            {
                return None;
            }
            let start =
                if token.strip_left { done + before.trim_end().len() } else { found.start() };
            let end =
                if token.strip_right { text.len() - after.trim_start().len() } else { found.end() };
            done = end;
            Some((start..end, token))
        })
    }

    /// `text` as ordinary stretches and whole tokens, in order; empty stretches are left out.
    pub(super) fn cut(&self, text: &str, special: Special) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut done = 0;
        for (place, token) in self.find(text, special) {
            if done < place.start {
                stretches.push(Stretch::Text(done..place.start));
            }
            stretches.push(Stretch::Token(token.id));
            done = place.end;
        }
        if done < text.len() {
            stretches.push(Stretch::Text(done..text.len()));
        }
        stretches
    }
}

impl Matcher {
    fn new(tokens: &[Whole], wanted: impl Fn(&Whole) -> bool) -> Result<Self, Error> {
        let wanted = |token: &Whole| !token.text.is_empty() && wanted(token);
        let token_idx: Vec<usize> = (0..tokens.len()).filter(|&i| wanted(&tokens[i])).collect();
        let automaton = (!token_idx.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(token_idx.iter().map(|&i| tokens[i].text.as_bytes()))
            })
            .transpose()
            .map_err(|e| Error::Vocabulary(format!("too many special tokens: {e}")))?;
        Ok(Self { automaton, token_idx })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stretch::{Text, Token};

    fn wholes() -> Wholes {
        let token =
            |text: &str, id, control| Whole { text: text.into(), id, control, ..Whole::default() };
        let mask = Whole { strip_left: true, ..token("<mask>", 5, true) };
        let word = Whole { single_word: true, ..token("us", 6, false) };
        Wholes::new(vec![
            token("<|end|>", 1, true),
            token("\n", 2, false),
            token("\n\n", 3, false),
            mask,
            word,
        ])
        .unwrap()
    }

    #[test]
    fn control_tokens_are_found_only_when_asked_for() {
        assert_eq!(wholes().cut("a<|end|>", Special::Parse), [Text(0..1), Token(1)]);
        assert_eq!(wholes().cut("a<|end|>", Special::Text), [Text(0..8)]);
    }

    #[test]
    fn the_longest_of_those_that_begin_first_wins() {
        assert_eq!(wholes().cut("\n\n\n", Special::Text), [Token(3), Token(2)]);
    }

    #[test]
    fn a_token_may_swallow_the_space_before_it() {
        assert_eq!(
            wholes().cut("a  <mask> b", Special::Parse),
            [Text(0..1), Token(5), Text(9..11)]
        );
    }

    #[test]
    fn a_single_word_token_is_not_found_inside_a_word() {
        assert_eq!(wholes().cut("bus us", Special::Text), [Text(0..4), Token(6)]);
    }
}
