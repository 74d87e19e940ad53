//! Numbers for terms: a text repeats its words, and numbers are sorted, compared and copied for next to nothing.

use hashbrown::HashMap;

use super::Counts;
use super::write::Counted;
use crate::text::words::{Language, Stems};

/// Gives each string a number, in the order in which they come.
#[derive(Default)]
pub(crate) struct Numbers {
    known: HashMap<String, u32>,
    names: Vec<Box<str>>,
}

impl Numbers {
    pub(crate) fn of(&mut self, name: &str) -> u32 {
        *self.known.entry_ref(name).or_insert_with(|| {
            self.names.push(name.into());
            self.names.len() as u32 - 1
        })
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.names.clear();
    }
}

/// Terms remembered before the memory is dropped and begun again.
const MAX_KNOWN: usize = 150_000;

/// The terms that words become, with a memory: a look-up is ten times cheaper than stemming.
#[derive(Default)]
pub(crate) struct Terms {
    stems: Stems,
    numbers: Numbers,
    /// Of each language.
    words: [HashMap<String, Forms>; 3],
    exact: String,
}

#[derive(Clone, Copy)]
struct Forms {
    stem: u32,
    /// The word as it stands; `None` while nobody asked.
    exact: Option<u32>,
}

impl Terms {
    /// Drops what is remembered when it has become much. Numbers given before mean nothing after.
    pub(crate) fn tidy(&mut self) {
        if self.numbers.len() > MAX_KNOWN {
            self.numbers.clear();
            self.words.iter_mut().for_each(HashMap::clear);
        }
    }

    /// The term for the stem of a folded word and, when `exact`, that for the word as it stands.
    pub(crate) fn word(
        &mut self,
        word: &str,
        language: Language,
        exact: bool,
    ) -> (u32, Option<u32>) {
        let Self { stems, numbers, words, exact: buffer } = self;
        let forms = words[language as usize].entry_ref(word).or_insert_with(|| Forms {
            stem: numbers.of(&stems.fresh(word, language)),
            exact: None,
        });
        if exact && forms.exact.is_none() {
            forms.exact = Some(numbers.of(behind_mark(buffer, word)));
        }
        (forms.stem, forms.exact.filter(|_| exact))
    }

    /// The term for something that is found as it stands and not by its stem.
    pub(crate) fn exact(&mut self, word: &str) -> u32 {
        self.numbers.of(behind_mark(&mut self.exact, word))
    }
}

fn behind_mark<'a>(buffer: &'a mut String, word: &str) -> &'a str {
    buffer.clear();
    buffer.push('=');
    buffer.push_str(word);
    buffer
}

/// Counts of one chunk while its terms come in.
#[derive(Default, Clone)]
pub(crate) struct Count {
    terms: Vec<(u32, Counts)>,
    length: u8,
}

impl Count {
    /// A word of the chunk, with the term for it as it stands where it is one to be found so.
    pub(crate) fn word(
        &mut self,
        (stem, exact): (u32, Option<u32>),
        stem_field: Counts,
        exact_field: Counts,
    ) {
        self.length = self.length.saturating_add(1);
        self.terms.push((stem, stem_field));
        self.terms.extend(exact.map(|exact| (exact, exact_field)));
    }

    pub(crate) fn exact(&mut self, term: u32, field: Counts) {
        self.terms.push((term, field));
    }

    /// Each term once.
    pub(crate) fn done(mut self, terms: &Terms) -> Counted {
        self.terms.sort_unstable_by_key(|(term, _)| *term);
        let mut counted = Counted::of_length(self.length);
        for same in self.terms.chunk_by(|a, b| a.0 == b.0) {
            let counts = same.iter().fold(Counts::default(), |sum, (_, counts)| sum.plus(*counts));
            counted.push(terms.numbers.name(same[0].0), counts);
        }
        counted
    }
}
