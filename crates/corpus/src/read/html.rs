//! The text of an HTML page, without a browser's machinery.
//!
//! Tags become line breaks where a browser would begin a block, list items get a dash, preformatted text keeps
//! its white space, and scripts, styles and navigation are left out. What is malformed becomes text or nothing;
//! it cannot fail.

use super::entities::push_resolved;

/// Left out with everything inside them.
const SKIPPED: [&str; 9] =
    ["script", "style", "head", "nav", "template", "svg", "math", "noscript", "form"];
/// Begin a new line.
const LINE: [&str; 8] = ["br", "li", "tr", "dt", "dd", "option", "caption", "th"];
/// Begin a new paragraph.
const PARAGRAPH: [&str; 24] = [
    "p",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "dl",
    "table",
    "pre",
    "blockquote",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "aside",
    "hr",
    "figure",
    "figcaption",
    "body",
];

/// The readable text of a page.
pub(crate) fn to_text(html: &str) -> String {
    let mut page = Page { text: String::with_capacity(html.len() / 2), ..Page::default() };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        page.push(&rest[..at]);
        rest = &rest[at..];
        rest = match Tag::read(rest) {
            Some((Tag::Comment, after)) => after,
            Some((Tag::Open(name), after)) if SKIPPED.contains(&name.as_str()) => {
                past_closing(after, &name)
            }
            Some((tag, after)) => {
                page.tag(&tag);
                after
            }
            None => {
                page.push("<");
                &rest[1..]
            }
        };
    }
    page.push(rest);
    page.text.truncate(page.text.trim_end().len());
    page.text
}

enum Tag {
    Open(String),
    Close(String),
    Comment,
}

impl Tag {
    /// The tag that `html` begins with, and what follows it.
    fn read(html: &str) -> Option<(Self, &str)> {
        if let Some(comment) = html.strip_prefix("<!--") {
            let end = comment.find("-->").map_or(comment.len(), |end| end + 3);
            return Some((Self::Comment, &comment[end..]));
        }
        let inside = &html[1..];
        let first = inside.bytes().next()?;
        let closing = first == b'/';
        let name = &inside[usize::from(closing)..];
        if first == b'!' || first == b'?' {
            return Some((Self::Comment, &inside[inside.find('>')? + 1..]));
        }
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let end = name.find(|c: char| !c.is_ascii_alphanumeric())?;
        let after = &name[end..];
        let tag = name[..end].to_ascii_lowercase();
        let rest = &after[end_of_tag(after)?..];
        Some((if closing { Self::Close(tag) } else { Self::Open(tag) }, rest))
    }
}

/// Past the `>` that ends a tag; one inside quotes does not.
fn end_of_tag(attributes: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in attributes.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    // A quote that never closes: the first `>` must do.
    attributes.find('>').map(|at| at + 1)
}

/// What follows the closing tag of `name`; everything is skipped if it is never closed.
fn past_closing<'t>(html: &'t str, name: &str) -> &'t str {
    let mut rest = html;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let closes = rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if closes {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

#[derive(Default)]
struct Page {
    text: String,
    /// Line breaks to write before the next text.
    breaks: usize,
    /// A space is owed before the next text.
    space: bool,
    item: bool,
    preformatted: usize,
}

impl Page {
    fn tag(&mut self, tag: &Tag) {
        let (name, opens) = match tag {
            Tag::Open(name) => (name.as_str(), true),
            Tag::Close(name) => (name.as_str(), false),
            Tag::Comment => return,
        };
        if name == "pre" {
            self.preformatted =
                if opens { self.preformatted + 1 } else { self.preformatted.saturating_sub(1) };
        }
        if PARAGRAPH.contains(&name) {
            self.breaks = self.breaks.max(2);
        } else if LINE.contains(&name) && (opens || name != "th") {
            self.breaks = self.breaks.max(1);
            self.item = opens && name == "li";
        } else if name == "td" {
            self.space = true;
        }
    }

    fn push(&mut self, raw: &str) {
        if self.preformatted > 0 {
            if !raw.is_empty() {
                self.settle();
                push_resolved(&mut self.text, raw);
            }
            return;
        }
        let mut words = raw.split_ascii_whitespace();
        self.space |= raw.starts_with(|c: char| c.is_ascii_whitespace());
        if let Some(first) = words.next() {
            self.settle();
            push_resolved(&mut self.text, first);
            for word in words {
                self.text.push(' ');
                push_resolved(&mut self.text, word);
            }
            self.space = raw.ends_with(|c: char| c.is_ascii_whitespace());
        }
    }

    /// Writes the breaks or the space that is owed.
    fn settle(&mut self) {
        if !self.text.is_empty() {
            match self.breaks {
                0 if self.space => self.text.push(' '),
                0 => {}
                n => {
                    let there = self.text.bytes().rev().take_while(|&byte| byte == b'\n').count();
                    self.text.extend(std::iter::repeat_n('\n', n.saturating_sub(there)));
                }
            }
        }
        if self.item {
            self.text.push_str("- ");
        }
        (self.breaks, self.space, self.item) = (0, false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_paragraphs_lists_and_preformatted_text() {
        let html = "<!DOCTYPE html><html><head><title>T</title></head><body><nav>Home</nav>\
            <h1>Ti&shy;tle</h1><p>One <b>bold</b>\n word&mdash;and <a href='a>b'>link</a>.</p>\
            <ul><li>first<li>second</ul><script>if (a < b) {}</script><pre>  x\n  y</pre>\
            <!-- no --><table><tr><td>a<td>b</tr></table></body></html>";
        assert_eq!(
            to_text(html),
            "Ti&shy;tle\n\nOne bold word—and link.\n\n- first\n- second\n\n  x\n  y\n\na b"
        );
    }

    #[test]
    fn what_is_malformed_becomes_text_or_nothing() {
        assert_eq!(to_text("1 < 2 and <b"), "1 < 2 and <b");
        assert_eq!(to_text("a<script>never closed"), "a");
        assert_eq!(to_text("<p title=\"open>text"), "text");
        proptest::proptest!(|(html in "[<>/a-c!\"' &;\\-é]{0,60}")| {
            to_text(&html);
        });
    }
}
