//! Cutting text into words for byte-level BPE, by the rule that the model file names.
//!
//! A rule is one or more regular expressions. Each cuts every piece that the one before left: a match becomes
//! a piece, and so does what lies between matches. The expressions are those of the models' own
//! `tokenizer.json` files, under the names that GGUF files use for them.
//!
//! Nearly all of them end in `\s+(?!\S)|\s+`: a run of white space, but its last character stays with the word
//! that follows. The look-ahead would need a backtracking engine, which takes quadratic time on hostile text
//! and gives up at some length. It is a look at one character, so we take it out of the expression: match
//! `\s+`, and when a match that is all white space, longer than one character, is followed by something else,
//! give its last character back. The remaining expressions run in linear time.

use crate::Error;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";
const CONTRACTION: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

/// A splitting rule, compiled.
#[derive(Debug)]
pub(super) struct WordRule {
    stages: Vec<Stage>,
    /// A word that is a token as it stands is taken whole, without asking the merge rules.
    pub(super) whole_words_first: bool,
    /// Text is brought to Unicode NFC before it is cut.
    pub(super) nfc: bool,
}

#[derive(Debug)]
struct Stage {
    expression: Regex,
    /// White space that ends in a line break is matched by an alternative of its own, `\s*[\r\n]+`, which has
    /// no look-ahead: such a match stays whole.
    line_breaks_stay: bool,
}

impl WordRule {
    /// The rule of that name, or [`Error::UnknownPreTokenizer`].
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        let mut rule = match name {
            "gpt-2" | "phi-2" | "jina-es" | "jina-de" | "jina-v1-en" | "jina-v2-es"
            | "jina-v2-de" | "jina-v2-code" | "roberta-bpe" | "gigachat" | "a.x-4.0" | "mellum"
            | "modern-bert" | "mpt" | "olmo" | "jais" | "trillion" | "granite-docling"
            | "exaone4" => Self::compile(&[GPT2]),
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone"
            | "minerva-7b" => Self::compile(&[r"\p{N}", GPT2]),
            "" | "default" => {
                Self::compile(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"])
            }
            "falcon" => Self::compile(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"]),
            "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "falcon-h1" | "pixtral"
            | "midm-2.0" | "lfm2" | "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => {
                Self::compile(&[&tiktoken(r"\p{L}", r"\p{L}", r"\p{N}{1,3}")])
            }
            "qwen2" | "deepseek-r1-qwen" | "kormo" | "megrez" | "stablelm2" | "grok-2" => {
                Self::compile(&[&tiktoken(r"\p{L}", r"\p{L}", r"\p{N}")])
            }
            "qwen35" => Self::compile(&[&tiktoken(r"[\p{L}\p{M}]", r"\p{L}\p{M}", r"\p{N}")]),
            "gpt-4o" | "llama4" => {
                Self::compile(&[&cased(&format!("{CONTRACTION}?"), r"\p{N}{1,3}")])
            }
            "tekken" => Self::compile(&[&cased("", r"\p{N}")]),
            "deepseek-coder" => Self::compile(&[
                r"[\r\n]",
                r"\s?\p{L}+",
                r"\s?\p{P}+",
                "[一-龥ࠀ-一가-\u{d7ff}]+",
                r"\p{N}",
            ]),
            "deepseek-v3" => Self::compile(&[
                r"\p{N}{1,3}",
                "[一-龥\u{3040}-ゟ゠-ヿ]+",
                r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+"##,
            ]),
            "bloom" | "poro-chat" | "gpt3-finnish" => Self::compile(&[BLOOM]),
            "viking" => Self::compile(&[BLOOM, r"\p{N}"]),
            unknown => return Err(Error::UnknownPreTokenizer(unknown.to_string())),
        }?;
        rule.whole_words_first = matches!(
            name,
            "llama-bpe"
                | "llama3"
                | "llama-v3"
                | "falcon3"
                | "falcon-h1"
                | "pixtral"
                | "midm-2.0"
                | "lfm2"
                | "tekken"
        );
        rule.nfc = matches!(name, "qwen2" | "deepseek-r1-qwen" | "qwen35");
        Ok(rule)
    }

    fn compile(stages: &[&str]) -> Result<Self, Error> {
        let stage = |source: &&str| {
            let line_breaks_stay = source.contains(r"\s*[\r\n]+");
            Regex::new(source).map(|expression| Stage { expression, line_breaks_stay })
        };
        let stages = stages.iter().map(stage).collect::<Result<_, _>>();
        let stages = stages.map_err(|e| Error::Vocabulary(format!("splitting rule: {e}")))?;
        Ok(Self { stages, whole_words_first: false, nfc: false })
    }

    /// The words of `text`, in order and without gaps.
    pub(super) fn split(&self, text: &str) -> Vec<Range<usize>> {
        let mut words: Vec<Range<usize>> = std::iter::once(0..text.len()).collect();
        let mut next = Vec::with_capacity(text.len() / 4 + 1);
        for stage in &self.stages {
            next.clear();
            for word in &words {
                split_once(&mut next, stage, text, word.clone());
            }
            std::mem::swap(&mut words, &mut next);
        }
        words
    }
}

/// The words of `text` by the rule of Qwen 2 and 3, after NFC: what byte-level BPE training counts.
pub(crate) fn split_words(text: &str, word: &mut dyn FnMut(&str)) {
    static QWEN2: LazyLock<Option<WordRule>> = LazyLock::new(|| WordRule::named("qwen2").ok());
    let text = super::byte_bpe::nfc(text);
    if let Some(rule) = &*QWEN2 {
        rule.split(&text).into_iter().for_each(|range| word(&text[range]));
    }
}

/// Matches of one expression within one piece, and what lies between them.
fn split_once(words: &mut Vec<Range<usize>>, stage: &Stage, text: &str, piece: Range<usize>) {
    let (base, text) = (piece.start, &text[piece]);
    let (mut position, mut gap) = (0, 0);
    while let Some(found) = stage.expression.find_at(text, position) {
        if found.is_empty() {
            break;
        }
        let whole = stage.line_breaks_stay && found.as_str().ends_with(['\r', '\n']);
        let end = match whole {
            true => found.end(),
            false => found.start() + without_last_space(found.as_str(), &text[found.end()..]),
        };
        if gap < found.start() {
            words.push(base + gap..base + found.start());
        }
        words.push(base + found.start()..base + end);
        (position, gap) = (end, end);
    }
    if gap < text.len() {
        words.push(base + gap..base + text.len());
    }
}

/// Length of a match once the look-ahead of `\s+(?!\S)` is applied (see the head of this file).
fn without_last_space(found: &str, rest: &str) -> usize {
    let Some(last) = found.chars().next_back() else { return 0 };
    let kept = found.len() - last.len_utf8();
    let followed_by_word = rest.chars().next().is_some_and(|c| !c.is_whitespace());
    if kept > 0 && followed_by_word && found.chars().all(char::is_whitespace) {
        kept
    } else {
        found.len()
    }
}

/// The family of `cl100k`: Llama 3, Qwen. `letter` is what a word consists of, `letters` the same inside a
/// negated class, `number` how many digits go together.
fn tiktoken(letter: &str, letters: &str, number: &str) -> String {
    format!(
        r"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?{letter}+|{number}| ?[^\s{letters}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+"
    )
}

/// The family of `o200k`: a word is capitals then small letters, so that `camelCase` comes apart.
fn cased(suffix: &str, number: &str) -> String {
    let lead = r"[^\r\n\p{L}\p{N}]?";
    let upper = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    let lower = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    format!(
        r"{lead}{upper}*{lower}+{suffix}|{lead}{upper}+{lower}*{suffix}|{number}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+"
    )
}

const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'t>(rule: &str, text: &'t str) -> Vec<&'t str> {
        WordRule::named(rule).unwrap().split(text).into_iter().map(|r| &text[r]).collect()
    }

    #[test]
    fn the_last_space_of_a_run_goes_with_the_word_that_follows() {
        assert_eq!(words("gpt-2", "a   b"), ["a", "  ", " b"]);
        assert_eq!(words("gpt-2", "a\t\tb"), ["a", "\t", "\t", "b"]);
        assert_eq!(words("gpt-2", "a   "), ["a", "   "]);
        assert_eq!(words("gpt-2", "a b"), ["a", " b"]);
    }

    #[test]
    fn line_breaks_keep_their_run_together_in_the_newer_rules() {
        assert_eq!(words("llama-bpe", "a  \n\n  b"), ["a", "  \n\n", " ", " b"]);
        assert_eq!(words("llama-bpe", "a\n\nb"), ["a", "\n\n", "b"]);
        assert_eq!(words("gpt-2", "a\n\nb"), ["a", "\n", "\n", "b"]);
        assert_eq!(words("gpt-2", "a  \n\n  b"), ["a", "  \n\n ", " b"]);
        assert_eq!(words("llama-bpe", "f();\n\nx"), ["f", "();\n\n", "x"]);
    }

    #[test]
    fn digits_go_alone_in_threes_or_together_as_the_rule_says() {
        assert_eq!(words("smollm", "in 2026"), ["in", " ", "2", "0", "2", "6"]);
        assert_eq!(words("llama-bpe", "in 2026"), ["in", " ", "202", "6"]);
        assert_eq!(words("qwen2", "20"), ["2", "0"]);
        assert_eq!(words("gpt-2", "in 2026"), ["in", " 2026"]);
        assert_eq!(words("default", "20261"), ["202", "61"]);
    }

    #[test]
    fn capitals_begin_a_word_in_the_newest_rules() {
        assert_eq!(words("gpt-4o", "camelCase's"), ["camel", "Case's"]);
    }

    #[test]
    fn a_rule_that_nobody_knows_is_an_error() {
        assert!(
            matches!(WordRule::named("klingon"), Err(Error::UnknownPreTokenizer(name)) if name == "klingon")
        );
    }

    #[test]
    fn words_cover_the_text_without_gaps() {
        let names = [
            "gpt-2",
            "smollm",
            "default",
            "llama-bpe",
            "qwen2",
            "qwen35",
            "gpt-4o",
            "tekken",
            "falcon",
            "deepseek-coder",
            "deepseek-v3",
            "bloom",
            "viking",
        ];
        let rules = names.map(|name| (name, WordRule::named(name).unwrap()));
        proptest::proptest!(|(text in "[a-z0-9 \t\r\n'.,é漢\u{301}]{0,40}")| {
            for (name, rule) in &rules {
                let words: String = rule.split(&text).into_iter().map(|r| &text[r]).collect();
                proptest::prop_assert_eq!(&words, &text, "{}", name);
            }
        });
    }
}
