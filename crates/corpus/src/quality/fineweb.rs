//! FineWeb's rules about lines.

use super::repetition::duplicates;
use super::words::Lexicon;
use super::words::chars::{SPACE, TERMINAL, is};
use super::{n_chars, strip};

/// Judges a text.
pub(super) fn judge(text: &str, lexicon: &mut Lexicon) -> Result<(), &'static str> {
    let lines = || text.split('\n').filter(|line| !strip(line).is_empty());
    let (mut n, mut ended, mut short) = (0_usize, 0_usize, 0_usize);
    for line in lines() {
        n += 1;
        ended += usize::from(line.ends_with(|c| is(c, TERMINAL)));
        short += usize::from(line.len() <= 30 || n_chars(line) <= 30);
    }
    if n == 0 {
        return Err("empty");
    }
    if (ended as f64 / n as f64) < 0.12 {
        return Err("line_punct_ratio");
    }
    if short as f64 / n as f64 > 0.67 {
        return Err("short_line_ratio");
    }
    let new_lines = text.bytes().filter(|&byte| byte == b'\n').count();
    let (_, _, copied) = duplicates(lines());
    if copied as f64 / (n_chars(text) - new_lines) as f64 > 0.01 {
        return Err("char_dup_ratio");
    }
    // There are at least as many words as stretches between white space; counting those is nearly always enough.
    let at_least = text.split(|c| is(c, SPACE)).filter(|chunk| !chunk.is_empty()).count();
    if new_lines as f64 / at_least as f64 > 0.3 {
        let mut numbers = Vec::new();
        lexicon.number(text, &mut numbers);
        if new_lines as f64 / numbers.len() as f64 > 0.3 {
            return Err("list_ratio");
        }
    }
    Ok(())
}
