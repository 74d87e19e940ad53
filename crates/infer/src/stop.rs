//! Stop strings in a stream of text.
//!
//! Text arrives in pieces that know nothing of stop strings, so one may begin in a piece and end three pieces
//! later. The watch holds back the longest tail that could still become a stop string and lets the rest go.

/// Watches for the first of some strings.
#[derive(Debug)]
pub(crate) struct StopWatch {
    stops: Vec<String>,
    held: String,
}

/// What to do with the text so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Text that may go out.
    pub(crate) text: String,
    /// A stop string follows; nothing after it goes out.
    pub(crate) stopped: bool,
}

impl StopWatch {
    /// Empty strings never stop anything.
    pub(crate) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, held: String::new() }
    }

    pub(crate) fn push(&mut self, text: &str) -> Watched {
        self.held.push_str(text);
        let first = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = first {
            self.held.truncate(at);
            return Watched { text: std::mem::take(&mut self.held), stopped: true };
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let held = self.held.split_off(self.held.len() - keep);
        Watched { text: std::mem::replace(&mut self.held, held), stopped: false }
    }

    /// The text is over: what was held back was no stop string.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes of the longest tail of `text` that `stop` begins with, without being all of it.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = (stop.len() - 1).min(text.len());
    let fits = |&n: &usize| {
        text.is_char_boundary(text.len() - n) && stop.starts_with(&text[text.len() - n..])
    };
    (1..=longest).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|stop| stop.to_string()).collect();
        let mut watch = StopWatch::new(&stops);
        let mut out = String::new();
        for piece in pieces {
            let watched = watch.push(piece);
            out.push_str(&watched.text);
            if watched.stopped {
                return (out, true);
            }
        }
        out.push_str(&watch.finish());
        (out, false)
    }

    #[test]
    fn a_stop_string_is_found_across_pieces_and_never_shown() {
        assert_eq!(run(&["\nUser:"], &["Hi", "\nUs", "er", ": more"]), ("Hi".into(), true));
    }

    #[test]
    fn what_only_looked_like_a_stop_string_is_shown() {
        assert_eq!(run(&["\nUser:"], &["a\nUs", "ed car"]), ("a\nUsed car".into(), false));
        assert_eq!(run(&["END"], &["the EN"]), ("the EN".into(), false));
    }

    #[test]
    fn the_earliest_of_several_stops() {
        assert_eq!(run(&["c", "ab"], &["xabc"]), ("x".into(), true));
        assert_eq!(run(&["", "é!"], &["caf", "é", "é!"]), ("café".into(), true));
    }

    proptest::proptest! {
        #[test]
        fn cutting_the_text_differently_changes_nothing(text in "[ab]{0,16}", cut in 0usize..16) {
            let cut = cut.min(text.len());
            let whole = run(&["aab", "bb"], &[&text]);
            proptest::prop_assert_eq!(run(&["aab", "bb"], &[&text[..cut], &text[cut..]]), whole);
        }
    }
}
