//! An answer in the making: words with `[n]` marks and the cited passages, numbered as they come.

use std::ops::Range;

use vault::lookup::items::Entry;
use vault::store::Vault;

use crate::answer::{Source, Step};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub step: Step,
    pub text: String,
    pub sources: Vec<Source>,
    /// The share of the question's topic that what was looked up says; 1 where it was asked for outright.
    pub covers: f32,
}

impl Draft {
    pub(crate) fn new(step: Step) -> Self {
        Self { step, text: String::new(), sources: Vec::new(), covers: 1.0 }
    }

    /// Cites `text[range]` of an item and returns its mark. The same passage keeps its number.
    pub(crate) fn cite(
        &mut self,
        entry: &Entry,
        text: &str,
        range: Range<usize>,
        score: f32,
    ) -> String {
        let quote = text.get(range.clone()).unwrap_or_default();
        let range = if quote.is_empty() { 0..0 } else { range };
        let same = |source: &&Source| {
            source.id == entry.id && source.start == range.start && source.end == range.end
        };
        if let Some(known) = self.sources.iter().find(same) {
            return format!("[{}]", known.number);
        }
        let number = self.sources.len() + 1;
        self.sources.push(source(number, entry, quote, range, score));
        format!("[{number}]")
    }

    /// Cites the first line of an item: its title.
    pub(crate) fn cite_title(
        &mut self,
        vault: &Vault,
        entry: &Entry,
    ) -> Result<String, vault::error::Error> {
        let text = vault.text(entry.id)?.unwrap_or_default();
        let end = text.find('\n').unwrap_or(text.len());
        Ok(self.cite(entry, &text, 0..end, 1.0))
    }
}

pub(crate) fn source(
    number: usize,
    entry: &Entry,
    quote: &str,
    range: Range<usize>,
    score: f32,
) -> Source {
    Source {
        number,
        id: entry.id,
        path: entry.path.clone(),
        title: entry.title.clone(),
        kind: entry.kind.name().to_owned(),
        date: entry.date.clone(),
        start: range.start,
        end: range.end,
        quote: quote.to_owned(),
        score,
    }
}
