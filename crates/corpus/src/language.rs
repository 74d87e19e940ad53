//! Which language a text is in.
//!
//! `whatlang` guesses from the script and from trigrams: no model file, a megabyte of code, ten times faster than
//! the neural guessers and good enough for documents (it is weak on single sentences, which is not our case).

/// Bytes that are looked at: a guess from more is not better.
const LOOK_AT_BYTES: usize = 4096;

/// Whether a document is, as far as one can tell, in one of the languages to keep; else the language it is in.
pub fn foreign(text: &str, keep: &[String], min_confidence: f64) -> Option<&'static str> {
    let info = whatlang::detect(middle(text))?;
    let code = info.lang().code();
    let foreign = info.confidence() >= min_confidence && !keep.iter().any(|kept| kept == code);
    foreign.then_some(code)
}

/// A stretch from the middle: beginnings are full of names and titles.
fn middle(text: &str) -> &str {
    if text.len() <= LOOK_AT_BYTES {
        return text;
    }
    let start = text.floor_char_boundary((text.len() - LOOK_AT_BYTES) / 2);
    let end = text.floor_char_boundary(start + LOOK_AT_BYTES);
    &text[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_german_text_is_foreign_where_english_is_kept() {
        let german =
            "Der schnelle braune Fuchs springt über den faulen Hund und freut sich. ".repeat(90);
        let english =
            "The quick brown fox jumps over the lazy dog and is happy about it. ".repeat(90);
        let keep = ["eng".to_string()];
        assert_eq!(foreign(&german, &keep, 0.5), Some("deu"));
        assert_eq!(foreign(&english, &keep, 0.5), None);
        assert_eq!(foreign("", &keep, 0.5), None);
    }
}
