//! Other words for a word: everyday vocabulary in English, German and French, so that "rent" finds "Miete".
//!
//! The groups stand in `alike.txt`. They were written by subject: home, money, health, school, family, food, travel,
//! work, time. A word is found in them by any of its stems.

use std::collections::HashMap;
use std::sync::OnceLock;

use vault::text::words::Stems;

const GROUPS: &str = include_str!("alike.txt");

struct Groups {
    groups: Vec<Vec<&'static str>>,
    by_stem: HashMap<String, Vec<usize>>,
}

impl Groups {
    /// The groups that a word stands in, by any of its stems.
    fn places_of(&self, word: &str, stems: &mut Stems) -> Vec<usize> {
        let stems = stems.stems_of(word);
        stems.iter().filter_map(|stem| self.by_stem.get(stem)).flatten().copied().collect()
    }
}

/// Letters that each part of a compound has at least: shorter ones are found in words that are none.
const LEAST_PART: usize = 5;

/// The two words of a compound that both stand in a group, "klavierstunde" as "klavier" and "stunde", with or without
/// the letters that German puts between them; the longest first part wins.
fn parts(word: &str, stems: &mut Stems) -> Option<(String, String)> {
    let known = groups();
    let letters: Vec<usize> = word.char_indices().map(|(at, _)| at).collect();
    let most = letters.len().checked_sub(LEAST_PART)?;
    (LEAST_PART..=most).rev().find_map(|at| {
        let (first, last) = word.split_at(letters[at]);
        let first = ["", "s", "n", "en", "es"]
            .iter()
            .filter_map(|joint| first.strip_suffix(joint))
            .find(|part| part.len() >= LEAST_PART && !known.places_of(part, stems).is_empty())?;
        let last_is_known = !known.places_of(last, stems).is_empty();
        last_is_known.then(|| (first.to_owned(), last.to_owned()))
    })
}

fn groups() -> &'static Groups {
    static READ: OnceLock<Groups> = OnceLock::new();
    READ.get_or_init(|| {
        let mut stems = Stems::default();
        let lines = GROUPS.lines().filter(|line| !line.starts_with('#'));
        let groups: Vec<Vec<&str>> =
            lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        let mut by_stem: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, group) in groups.iter().enumerate() {
            for word in group {
                for stem in stems.stems_of(word) {
                    let places = by_stem.entry(stem).or_default();
                    if places.last() != Some(&at) {
                        places.push(at);
                    }
                }
            }
        }
        Groups { groups, by_stem }
    })
}

/// The words that mean about what `word` (folded) does, without itself; none for a word in no group.
pub fn of(word: &str, stems: &mut Stems) -> Vec<String> {
    let known = groups();
    // The plain word's own groups first: the stem of one language may be a word of another.
    let mut places: Vec<usize> = known.by_stem.get(word).cloned().unwrap_or_default();
    places.retain(|&at| known.groups[at].contains(&word));
    if places.is_empty() {
        places = known.places_of(word, stems);
    }
    let mut others: Vec<String> = Vec::new();
    if places.is_empty()
        && let Some((first, last)) = parts(word, stems)
    {
        places.extend([&first, &last].into_iter().flat_map(|part| known.places_of(part, stems)));
        others.extend([first, last]);
    }
    for at in places {
        for other in &known.groups[at] {
            if *other != word && !others.iter().any(|known| known == other) {
                others.push((*other).to_owned());
            }
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_words_are_found_in_three_languages_and_in_any_form() {
        let mut stems = Stems::default();
        assert!(of("rent", &mut stems).contains(&"miete".to_owned()));
        assert!(of("rents", &mut stems).contains(&"loyer".to_owned()));
        assert!(of("rechnungen", &mut stems).contains(&"invoice".to_owned()));
        assert_eq!(of("perseverance", &mut stems), Vec::<String>::new());
    }

    #[test]
    fn a_compound_in_no_group_is_read_by_its_parts() {
        let mut stems = Stems::default();
        let alike = of("klavierstunde", &mut stems);
        for word in ["klavier", "piano", "lesson"] {
            assert!(alike.contains(&word.to_owned()), "{word} in {alike:?}");
        }
        assert_eq!(of("klavierxyzzy", &mut stems), Vec::<String>::new());
    }

    #[test]
    fn the_groups_are_written_as_words_are_folded() {
        for word in
            GROUPS.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace)
        {
            assert_eq!(vault::text::words::key(word), word, "in the file of groups");
        }
    }
}
