//! Gopher's rules about words and lines.

use super::python_lines;
use super::words::Word;
use super::words::chars::{SPACE, is};

/// Judges a text of which the words are numbered.
pub(super) fn judge(text: &str, numbers: &[u32], words: &[Word]) -> Result<(), &'static str> {
    let (mut n_words, mut chars, mut with_letter, mut stop_words) = (0_usize, 0_u64, 0_usize, 0_u8);
    for &number in numbers {
        let word = &words[number as usize];
        if word.is_word {
            n_words += 1;
            chars += u64::from(word.chars);
        }
        with_letter += usize::from(word.has_letter);
        stop_words |= word.stop_word;
    }
    if n_words < 50 {
        return Err("gopher_short_doc");
    }
    if n_words > 100_000 {
        return Err("gopher_long_doc");
    }
    let mean_length = chars as f64 / n_words as f64;
    if mean_length < 3.0 {
        return Err("gopher_below_avg_threshold");
    }
    if mean_length > 10.0 {
        return Err("gopher_above_avg_threshold");
    }
    let n = numbers.len() as f64;
    let hashes = text.bytes().filter(|&byte| byte == b'#').count();
    if hashes as f64 / n > 0.1 {
        return Err("gopher_too_many_hashes");
    }
    let ellipses = text.matches("...").count() + text.matches('…').count();
    if ellipses as f64 / n > 0.1 {
        return Err("gopher_too_many_ellipsis");
    }
    let (mut n_lines, mut bullets, mut trailing) = (0_usize, 0_usize, 0_usize);
    for line in python_lines(text) {
        n_lines += 1;
        bullets += usize::from(line.trim_start_matches(|c| is(c, SPACE)).starts_with(['•', '-']));
        let end = line.trim_end_matches(|c| is(c, SPACE));
        trailing += usize::from(end.ends_with("...") || end.ends_with('…'));
    }
    if bullets as f64 / n_lines as f64 > 0.9 {
        return Err("gopher_too_many_bullets");
    }
    if trailing as f64 / n_lines as f64 > 0.3 {
        return Err("gopher_too_many_end_ellipsis");
    }
    if (with_letter as f64 / n) < 0.8 {
        return Err("gopher_below_alpha_threshold");
    }
    if stop_words.count_ones() < 2 {
        return Err("gopher_enough_stop_words");
    }
    Ok(())
}
