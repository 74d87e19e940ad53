//! Lines that are not a document's own: page headers and footers, navigation, licences.
//!
//! Two signs give them away. A line that comes back many times within one document is a header or footer; a line
//! that stands in many documents is a licence or navigation. The second needs a first pass over everything, which
//! counts in how many documents each line stands.

use hashbrown::{HashMap, HashSet};
use twox_hash::XxHash64;

/// Shorter lines (`}`, `Notes`, `***`) come back without being boilerplate.
const SHORTEST_CHARS: usize = 12;
/// Lines that are counted at most; when there are more, the rarest are forgotten.
const MOST_LINES: usize = 8 << 20;

fn line_hash(line: &str) -> Option<u64> {
    let line = line.trim();
    let long = line.chars().nth(SHORTEST_CHARS - 1).is_some();
    long.then(|| XxHash64::oneshot(0, line.as_bytes()))
}

/// The different lines of a document, as hashes, in rising order.
pub fn line_hashes(text: &str) -> Vec<u64> {
    let mut hashes: Vec<u64> = text.lines().filter_map(line_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// In how many documents each line stands.
#[derive(Debug, Default)]
pub struct LineCounts {
    counts: HashMap<u64, u32>,
}

impl LineCounts {
    /// Counts one document.
    pub fn add(&mut self, hashes: &[u64]) {
        for &hash in hashes {
            *self.counts.entry(hash).or_default() += 1;
        }
        let mut rare = 1;
        while self.counts.len() > MOST_LINES {
            self.counts.retain(|_, count| *count > rare);
            rare *= 2;
        }
    }

    /// The lines that stand in at least `n` documents.
    pub fn shared_by(self, n: u32) -> HashSet<u64> {
        self.counts.into_iter().filter(|&(_, count)| count >= n).map(|(hash, _)| hash).collect()
    }
}

/// The text without lines of `shared` and, with `repeated`, without all lines that come back at least so often.
/// `None` if nothing was removed; else with the number of lines removed.
pub fn without_repeated_lines(
    text: &str,
    shared: Option<&HashSet<u64>>,
    repeated: Option<u32>,
) -> Option<(String, u64)> {
    let hashes: Vec<Option<u64>> = text.lines().map(line_hash).collect();
    let mut counts: HashMap<u64, u32> = HashMap::new();
    if repeated.is_some() {
        hashes.iter().flatten().for_each(|&hash| *counts.entry(hash).or_default() += 1);
    }
    let is_boilerplate = |hash: &Option<u64>| {
        hash.is_some_and(|hash| {
            shared.is_some_and(|shared| shared.contains(&hash))
                || repeated.is_some_and(|n| counts.get(&hash).is_some_and(|&count| count >= n))
        })
    };
    let n_removed = hashes.iter().filter(|hash| is_boilerplate(hash)).count() as u64;
    if n_removed == 0 {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for (line, _) in text.lines().zip(&hashes).filter(|(_, hash)| !is_boilerplate(hash)) {
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    Some((out, n_removed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_within_a_document_and_licences_across_documents_go() {
        let page = "The Annual Report 1997\nOnce upon a time there was a fox.\n}\n";
        let text = page.repeat(2) + "The Annual Report 1997\nIt slept.\n}\n";
        let (kept, n) = without_repeated_lines(&text, None, Some(3)).unwrap();
        assert_eq!(n, 3);
        assert!(!kept.contains("Annual") && kept.matches('}').count() == 3);

        let mut counts = LineCounts::default();
        let licence = "Permission is hereby granted to everybody.";
        for body in ["one", "two", "three"] {
            counts.add(&line_hashes(&format!("{licence}\n{body} and some more words\n{licence}")));
        }
        let shared = counts.shared_by(3);
        assert_eq!(shared.len(), 1);
        let text = format!("{licence}\nIts own words stay.");
        let (kept, n) = without_repeated_lines(&text, Some(&shared), None).unwrap();
        assert_eq!((kept.as_str(), n), ("Its own words stay.", 1));
        assert!(without_repeated_lines("Its own words stay.", Some(&shared), Some(2)).is_none());
    }
}
