//! The only file that knows `calcard`'s contact side: the text of one vCard (2.1, 3.0, 4.0) to plain fields.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calcard::common::PartialDateTime;
use calcard::vcard::{VCard, VCardEntry, VCardParameterName, VCardValue};

/// One property of a card.
#[derive(Debug, Default, Clone)]
pub(crate) struct Field {
    /// Lower case: `tel`, `adr`, `x-abdate`.
    pub(crate) name: String,
    /// Lower case type words: `work`, `cell`, `spouse`.
    pub(crate) types: Vec<String>,
    /// Apple's own label for the group this property is in.
    pub(crate) label: Option<String>,
    /// Text values; structured ones (`N`, `ADR`, `ORG`) one per component.
    pub(crate) values: Vec<String>,
    /// Whether the value was binary or a data address (photos, keys): there are no `values` then.
    pub(crate) binary: bool,
}

/// The fields of one card, or `None` when the text holds no card.
pub(crate) fn parse(text: &str) -> Option<Vec<Field>> {
    let text = basic_dates(text);
    let parsed = catch_unwind(AssertUnwindSafe(|| VCard::parse(text.as_ref()).ok()));
    let card = parsed.ok().flatten()?;
    let labels: Vec<(&str, String)> = card
        .entries
        .iter()
        .filter(|e| e.name.as_str().eq_ignore_ascii_case("X-ABLabel"))
        .filter_map(|e| Some((e.group.as_deref()?, apple_label(e.values.first()?.as_text()?))))
        .collect();
    let fields = card.entries.iter().map(|entry| {
        let mut field = field(entry);
        let group = entry.group.as_deref();
        field.label = labels.iter().find(|(g, _)| Some(*g) == group).map(|(_, l)| l.clone());
        field
    });
    Some(fields.filter(|f| f.binary || f.values.iter().any(|v| !v.trim().is_empty())).collect())
}

/// Version 4 knows dates as `19880229` only, and the library takes `1988-02-29`, which many programs write, for a time
/// zone; so days of that form lose their dashes.
fn basic_dates(text: &str) -> Cow<'_, str> {
    const NAMES: [&str; 3] = ["BDAY", "ANNIVERSARY", "DEATHDATE"];
    let is_day = |value: &str| {
        let day = value.trim().as_bytes();
        day.len() == 10
            && (day.iter().enumerate()).all(|(at, byte)| {
                if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() }
            })
    };
    let dated = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let bare = name.split(';').next()?.rsplit('.').next()?;
        let known = NAMES.iter().any(|known| known.eq_ignore_ascii_case(bare));
        (known && is_day(value)).then(|| format!("{name}:{}", value.replace('-', "")))
    };
    if !text.lines().any(|line| dated(line).is_some()) {
        return Cow::Borrowed(text);
    }
    let lines = text.split('\n').map(|line| dated(line).unwrap_or_else(|| line.to_owned()));
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// Apple writes its built-in labels as `_$!<HomePage>!$_`.
fn apple_label(label: &str) -> String {
    label.trim_start_matches("_$!<").trim_end_matches(">!$_").to_lowercase()
}

fn field(entry: &VCardEntry) -> Field {
    let mut field = Field { name: entry.name.as_str().to_lowercase(), ..Field::default() };
    for param in &entry.params {
        if param.name == VCardParameterName::Type
            && let Some(word) = param.value.as_text()
        {
            let words = word.split(',').map(|w| w.trim_matches('"').to_lowercase());
            field
                .types
                .extend(words.filter(|w| !["pref", "internet", "voice", ""].contains(&w.as_str())));
        }
    }
    for value in &entry.values {
        match value {
            VCardValue::Component(parts) => field.values.extend(parts.iter().cloned()),
            VCardValue::PartialDateTime(at) => field.values.push(date(at)),
            VCardValue::Binary(_) => field.binary = true,
            VCardValue::Integer(n) => field.values.push(n.to_string()),
            VCardValue::Float(n) => field.values.push(n.to_string()),
            VCardValue::Boolean(b) => field.values.push(b.to_string()),
            other => field.values.extend(other.as_text().map(str::to_owned)),
        }
    }
    field
}

/// `1985-04-12`, `--04-12` without a year, `1985-04` without a day.
fn date(at: &PartialDateTime) -> String {
    match (at.year, at.month, at.day) {
        (Some(y), Some(m), Some(d)) => format!("{y:04}-{m:02}-{d:02}"),
        (None, Some(m), Some(d)) => format!("--{m:02}-{d:02}"),
        (Some(y), Some(m), None) => format!("{y:04}-{m:02}"),
        (Some(y), None, None) => format!("{y:04}"),
        _ => at.to_rfc3339().unwrap_or_default(),
    }
}
