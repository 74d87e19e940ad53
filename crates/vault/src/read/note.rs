//! Notes: Markdown with front matter, headings and links; and plain text.

use pulldown_cmark::{Event as Mark, LinkType, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use super::text::{clip, one_line};
use super::{Format, Limits, Raw, Sink, text};
use crate::item::{Item, Kind, PersonRef, Role, Section, Weight, When};

/// Reads a Markdown or plain text file.
pub(crate) fn read(raw: &Raw<'_>, format: Format, limits: &Limits, sink: &mut Sink<'_>) {
    let label = raw.parent.as_ref().and_then(|p| p.media_type.split("charset=").nth(1));
    let decoded = text::decode(raw.bytes, label);
    let (body, cut) = text::tidy(&decoded.text, limits.text_bytes);
    // Attached text is a document of its sender's; a file of text is the owner's note.
    let kind = if raw.parent.is_some() { Kind::Document } else { Kind::Note };
    let media_type = if format == Format::Markdown { "text/markdown" } else { "text/plain" };
    let mut item = raw.item(kind, media_type);
    if let Some(guess) = decoded.guessed {
        item.remarks.push(format!("the file's encoding was guessed: {guess}"));
    }
    if cut {
        item.remarks.push(format!("text cut at {} bytes", limits.text_bytes));
    }
    if format == Format::Markdown {
        markdown(&mut item, &body);
    } else {
        plain(&mut item, &body);
    }
    if item.when.is_none() || raw.parent.is_some() {
        item.when = date_in_name(raw.stem()).or(item.when);
    }
    if item.sections.is_empty() {
        item.remarks.push("no text".to_owned());
    }
    sink(Ok(item));
}

fn plain(item: &mut Item, body: &str) {
    let text = body.trim();
    if !text.is_empty() {
        item.sections.push(Section {
            heading: Vec::new(),
            text: text.to_owned(),
            weight: Weight::Body,
        });
    }
}

fn markdown(item: &mut Item, body: &str) {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_WIKILINKS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reader = Reader::new(item);
    for mark in Parser::new_ext(body, options) {
        reader.mark(mark);
    }
    reader.end_section();
    if let Some(matter) = reader.front_matter.take() {
        front_matter(item, &matter);
    }
    let tags: Vec<String> = item.sections.iter().flat_map(|s| hash_tags(&s.text)).collect();
    for tag in tags {
        if !item.tags.contains(&tag) {
            item.tags.push(tag);
        }
    }
}

struct Reader<'i> {
    item: &'i mut Item,
    heading: Vec<(u8, String)>,
    /// Set while a heading is open.
    level: Option<u8>,
    out: String,
    in_matter: bool,
    front_matter: Option<String>,
    /// Open list items' counters: `None` for bullets.
    lists: Vec<Option<u64>>,
    cells: usize,
    titled: bool,
}

impl<'i> Reader<'i> {
    fn new(item: &'i mut Item) -> Self {
        Self {
            item,
            heading: Vec::new(),
            level: None,
            out: String::new(),
            in_matter: false,
            front_matter: None,
            lists: Vec::new(),
            cells: 0,
            titled: false,
        }
    }

    fn mark(&mut self, mark: Mark<'_>) {
        match mark {
            Mark::Start(tag) => self.start(tag),
            Mark::End(tag) => self.end(tag),
            Mark::Text(text) if self.in_matter => {
                self.front_matter.get_or_insert_default().push_str(&text);
            }
            Mark::Text(text)
            | Mark::Code(text)
            | Mark::InlineMath(text)
            | Mark::DisplayMath(text) => {
                self.out.push_str(&text);
            }
            Mark::InlineHtml(html) | Mark::Html(html) => {
                if html.starts_with("<br") {
                    self.out.push('\n');
                }
            }
            Mark::SoftBreak | Mark::HardBreak => self.out.push('\n'),
            Mark::Rule => self.paragraph(),
            Mark::TaskListMarker(done) => self.out.push_str(if done { "[x] " } else { "[ ] " }),
            Mark::FootnoteReference(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::MetadataBlock(MetadataBlockKind::YamlStyle) => self.in_matter = true,
            Tag::Heading { level, .. } => {
                self.end_section();
                self.level = Some(level as u8);
            }
            Tag::List(first) => {
                self.line();
                self.lists.push(first);
            }
            Tag::Item => {
                self.line();
                let depth = self.lists.len().saturating_sub(1).min(20);
                self.out.push_str(&"  ".repeat(depth));
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        self.out.push_str(&format!("{number}. "));
                        *number += 1;
                    }
                    _ => self.out.push_str("- "),
                }
            }
            Tag::Paragraph if self.lists.is_empty() => self.paragraph(),
            Tag::BlockQuote(_) | Tag::CodeBlock(_) | Tag::Table(_) | Tag::HtmlBlock => {
                self.paragraph();
            }
            Tag::TableHead | Tag::TableRow => {
                self.line();
                self.cells = 0;
            }
            Tag::TableCell => {
                if self.cells > 0 {
                    self.out.push_str(" | ");
                }
                self.cells += 1;
            }
            Tag::Link { link_type, dest_url, .. } => self.link(link_type, &dest_url),
            Tag::Image { dest_url, .. } => self.link(LinkType::Inline, &dest_url),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::MetadataBlock(_) => self.in_matter = false,
            TagEnd::Heading(_) => self.end_heading(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Paragraph if self.lists.is_empty() => self.paragraph(),
            TagEnd::CodeBlock | TagEnd::Table | TagEnd::BlockQuote(_) => self.paragraph(),
            _ => {}
        }
    }

    fn link(&mut self, link_type: LinkType, target: &str) {
        const MAX_LINKS: usize = 1000;
        let target = target.trim();
        // Addresses in angle brackets stand in the text already.
        let own =
            !matches!(link_type, LinkType::Email) && !target.is_empty() && !target.starts_with('#');
        if own && self.item.links.len() < MAX_LINKS && !self.item.links.iter().any(|l| l == target)
        {
            self.item.links.push(target.to_owned());
        }
    }

    fn line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn paragraph(&mut self) {
        self.line();
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn end_heading(&mut self) {
        let Some(level) = self.level.take() else { return };
        let title = clip(&one_line(&std::mem::take(&mut self.out)), 300);
        if title.is_empty() {
            return;
        }
        if !self.titled && level == 1 {
            self.titled = true;
            self.item.title = title.clone();
        }
        self.heading.retain(|(l, _)| *l < level);
        self.heading.push((level, title));
    }

    fn end_section(&mut self) {
        let text = std::mem::take(&mut self.out);
        let text = text.trim();
        if !text.is_empty() {
            let heading = self.heading.iter().map(|(_, t)| t.clone()).collect();
            self.item.sections.push(Section {
                heading,
                text: text.to_owned(),
                weight: Weight::Body,
            });
        }
    }
}

/// `#tag` in running text, as note programs have it; not headings, not colours, not issue numbers.
fn hash_tags(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "()[],;".contains(c));
    let tags =
        words.filter_map(|w| w.strip_prefix('#')).map(|t| t.trim_end_matches(['.', '!', '?', ':']));
    let real = |t: &&str| {
        t.len() > 1
            && t.chars().next().is_some_and(char::is_alphabetic)
            && t.chars().all(|c| c.is_alphanumeric() || "-_/".contains(c))
    };
    tags.filter(real).map(str::to_owned).collect()
}

/// Applies title, date, tags, aliases and author of a front matter block.
///
/// Only the YAML people write there is understood: `key: value`, `key: [a, b]`, and `key:` followed by `- a`
/// lines. Other keys are kept as text lines, so that they can be found.
fn front_matter(item: &mut Item, matter: &str) {
    let mut rest = Vec::new();
    for (key, values) in yaml_lines(matter) {
        let first = values.first().cloned().unwrap_or_default();
        match key.to_lowercase().as_str() {
            "title" if !first.is_empty() => item.title = clip(&one_line(&first), 500),
            "date" | "created" | "creation date" | "day" if item.when.is_none() => {
                item.when = parse_date(&first);
                if item.when.is_none() && !first.is_empty() {
                    item.remarks.push(format!("date {first} was not understood"));
                }
            }
            "tags" | "tag" | "keywords" | "categories" => {
                let words = values
                    .iter()
                    .flat_map(|v| v.split([',', ' ']))
                    .map(|t| t.trim_start_matches('#'));
                item.tags.extend(words.filter(|t| !t.is_empty()).map(str::to_owned));
            }
            "author" | "authors" => {
                item.people.extend(values.into_iter().filter(|v| !v.is_empty()).map(|name| {
                    PersonRef { role: Role::Author, name: one_line(&name), address: None }
                }));
            }
            "people" | "attendees" | "with" => {
                item.people.extend(values.into_iter().filter(|v| !v.is_empty()).map(|name| {
                    PersonRef {
                        role: Role::Mentioned,
                        name: one_line(name.trim_matches(['[', ']'])),
                        address: None,
                    }
                }));
            }
            _ if !first.is_empty() => rest.push(format!("{key}: {}", values.join(", "))),
            _ => {}
        }
    }
    if !rest.is_empty() {
        let section = Section { heading: Vec::new(), text: rest.join("\n"), weight: Weight::Body };
        item.sections.insert(0, section);
    }
}

fn yaml_lines(matter: &str) -> Vec<(String, Vec<String>)> {
    let mut pairs: Vec<(String, Vec<String>)> = Vec::new();
    for line in matter.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let (Some(value), Some((_, values))) = (trimmed.strip_prefix("- "), pairs.last_mut()) {
            values.push(unquoted(value));
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        match trimmed.split_once(':') {
            Some((key, value)) if !indented => {
                let value = value.trim();
                let list = value.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
                let values = match list {
                    Some(list) if !value.starts_with("[[") => {
                        list.split(',').map(unquoted).collect()
                    }
                    _ if value.is_empty() || value == "|" || value == ">" => Vec::new(),
                    _ => vec![unquoted(value)],
                };
                pairs.push((unquoted(key), values));
            }
            // A folded or nested value goes on.
            _ => {
                if let Some((_, values)) = pairs.last_mut() {
                    values.push(trimmed.to_owned());
                }
            }
        }
    }
    pairs
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
    inner.unwrap_or(value).trim().to_owned()
}

/// `2026-11-24`, `2026-11-24 18:30`, `2026-11-24T18:30:00+01:00`: a floating day or time, or an instant.
pub(crate) fn parse_date(text: &str) -> Option<When> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        let offset_s = jiff::fmt::temporal::Pieces::parse(text)
            .ok()
            .and_then(|p| p.to_numeric_offset())
            .map_or(0, |o| o.seconds());
        let zone = Some("UTC".to_owned());
        return Some(When {
            start: instant.as_second(),
            end: None,
            zone,
            offset_s,
            all_day: false,
        });
    }
    let utc = jiff::tz::TimeZone::UTC;
    let seconds = |at: jiff::civil::DateTime| utc.to_timestamp(at).ok().map(|t| t.as_second());
    // `get`: in a damaged file, byte 10 may lie inside a character.
    let has_time = text.get(10..).is_some_and(|time| time.contains(':'));
    if has_time && let Ok(at) = text.parse::<jiff::civil::DateTime>() {
        return Some(When {
            start: seconds(at)?,
            end: None,
            zone: None,
            offset_s: 0,
            all_day: false,
        });
    }
    let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    let start = seconds(date.at(0, 0, 0, 0))?;
    Some(When { start, end: Some(start + 86_400), zone: None, offset_s: 0, all_day: true })
}

/// Daily notes are named by their day: `2026-11-24`, `2026-11-24 Monday`, `20261124`.
fn date_in_name(stem: &str) -> Option<When> {
    let dashed = stem.get(..10).filter(|d| d.as_bytes()[4] == b'-' && d.as_bytes()[7] == b'-');
    if let Some(day) = dashed {
        return parse_date(day);
    }
    let digits = stem.get(..8).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
    if stem.len() > 8 && stem.as_bytes()[8].is_ascii_digit() {
        return None;
    }
    parse_date(&format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_damaged_inside_a_character_is_no_date() {
        assert_eq!(parse_date("2026-11-2ü 18:30"), None);
        assert_eq!(parse_date("2026-11-24 18:30").map(|when| when.all_day), Some(false));
    }
}
