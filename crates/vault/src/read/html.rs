//! HTML to plain text in one pass over the bytes, without building a tree.
//!
//! Mail HTML is hostile and broken as a rule: a tree builder pays for nesting (a hundred thousand open tags)
//! and for repairs that do not matter to somebody who wants the words. This reader keeps only what the text
//! needs: block breaks, list bullets, table cells, headings, links, and which parts are quotes of an earlier
//! message. Time is linear in the input, memory is the text plus one flag per open `div`.

use super::entity;
use super::quote;
use super::text::{clip, one_line};
use crate::item::{Section, Weight};

/// How to read: a mail (quotes are told apart, headings are ordinary text) or a document (headings make sections).
pub(crate) struct Options {
    pub(crate) mail: bool,
    /// In a forwarded mail the quoted message is the content.
    pub(crate) forward: bool,
    pub(crate) text_bytes: usize,
}

/// What a page says.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) title: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) sections: Vec<Section>,
    pub(crate) links: Vec<String>,
    pub(crate) cut: bool,
}

const MAX_LINKS: usize = 1000;
const MAX_ATTRIBUTE_BYTES: usize = 4096;
const MAX_OPEN_DIVS: usize = 1 << 20;

/// Reads a page. Never fails: what is not HTML comes out as text.
pub(crate) fn read(html: &str, options: &Options) -> Page {
    let mut reader = Reader::new(options);
    reader.run(html, true);
    if reader.hidden.is_some() {
        // A hidden element that never closes would swallow the page: read again and hide nothing.
        reader = Reader::new(options);
        reader.run(html, false);
    }
    reader.finish()
}

/// The charset an HTML file names in its first kilobyte, `<meta charset=…>` or `content="…; charset=…"`.
pub(crate) fn named_charset(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let (_, rest) = head.split_once("charset=")?;
    let rest = rest.trim_start_matches(['"', '\'']);
    let label: String =
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c)).collect();
    (!label.is_empty()).then_some(label)
}

struct Reader<'o> {
    options: &'o Options,
    page: Page,
    heading: Vec<(u8, String)>,
    /// Text of the section being written, and what it weighs.
    out: String,
    weight: Weight,
    total_bytes: usize,
    wanted_breaks: u8,
    wanted_space: bool,
    /// Open `<pre>`s, `<blockquote>`s, and for each open `<div>` whether it began a quote.
    pre: usize,
    blockquotes: usize,
    divs: Vec<bool>,
    quoting_divs: usize,
    /// Everything from here to the end is an earlier message (Outlook has no closing mark).
    rest_quoted: bool,
    /// While a heading is open: its level and the text gathered.
    in_heading: Option<(u8, String)>,
    /// While an element with `display:none` is open: its name and how many of that name are open.
    hidden: Option<(String, usize)>,
}

impl<'o> Reader<'o> {
    fn new(options: &'o Options) -> Self {
        Self {
            options,
            page: Page::default(),
            heading: Vec::new(),
            out: String::new(),
            weight: Weight::Body,
            total_bytes: 0,
            wanted_breaks: 0,
            wanted_space: false,
            pre: 0,
            blockquotes: 0,
            divs: Vec::new(),
            quoting_divs: 0,
            rest_quoted: false,
            in_heading: None,
            hidden: None,
        }
    }

    fn run(&mut self, html: &str, hide: bool) {
        let mut rest = html;
        while !rest.is_empty() && !self.page.cut {
            let open = rest.find('<').unwrap_or(rest.len());
            if open > 0 && self.hidden.is_none() {
                self.text(&rest[..open]);
            }
            rest = &rest[open..];
            if rest.is_empty() {
                break;
            }
            rest = match Tag::parse(rest) {
                Some((tag, after)) => self.tag(&tag, after, hide),
                None => {
                    if self.hidden.is_none() {
                        self.text("<");
                    }
                    &rest[1..]
                }
            };
        }
    }

    /// Handles one tag and returns where reading goes on: raw-text elements are skipped whole.
    fn tag<'h>(&mut self, tag: &Tag<'_>, after: &'h str, hide: bool) -> &'h str {
        if let Some((name, depth)) = &mut self.hidden {
            if tag.name.eq_ignore_ascii_case(name) {
                *depth = if tag.closing { *depth - 1 } else { *depth + 1 };
                if *depth == 0 {
                    self.hidden = None;
                }
            }
            return after;
        }
        let mut lower = [0u8; 16];
        let Some(name) = lower_name(tag.name, &mut lower) else { return after };
        match name {
            "script" | "style" | "svg" | "math" | "template" | "title" if !tag.closing => {
                if tag.self_closing {
                    return after;
                }
                // One that never closes would swallow the page: its text is better than nothing.
                let Some((inside, after)) = raw_text(after, name) else { return after };
                if name == "title" && self.page.title.is_none() {
                    self.page.title = Some(clip(&one_line(&entity::decode(inside)), 300))
                        .filter(|t| !t.is_empty());
                }
                return after;
            }
            _ => {}
        }
        if hide && !tag.closing && !tag.self_closing && is_hideable(name) && tag.is_hidden() {
            self.hidden = Some((name.to_owned(), 1));
            return after;
        }
        self.element(name, tag);
        after
    }

    fn element(&mut self, name: &str, tag: &Tag<'_>) {
        match name {
            "br" => self.wanted_breaks += 1,
            "p" | "ul" | "ol" | "dl" | "table" | "hr" | "form" | "fieldset" => self.paragraph(),
            "pre" => {
                self.paragraph();
                self.pre = step(self.pre, tag.closing);
            }
            "div" => self.div(tag),
            "tr" | "dt" | "dd" | "section" | "article" | "header" | "footer" | "main" | "aside"
            | "nav" | "address" | "figure" | "figcaption" | "center" | "option" | "caption"
            | "thead" | "tbody" | "body" | "html" => self.line(),
            "li" => {
                self.line();
                if !tag.closing {
                    self.word("-");
                    self.wanted_space = true;
                }
            }
            "td" | "th" if !tag.closing => self.cell(),
            "blockquote" => {
                self.paragraph();
                self.blockquotes = step(self.blockquotes, tag.closing);
                self.reweigh();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(name, tag.closing),
            "a" if !tag.closing => {
                if let Some(href) = tag.attribute("href") {
                    self.link(&href);
                }
            }
            "meta" => self.meta(tag),
            _ => {}
        }
        self.wanted_breaks = self.wanted_breaks.min(2);
    }

    fn line(&mut self) {
        self.wanted_breaks = self.wanted_breaks.max(1);
    }

    fn paragraph(&mut self) {
        self.wanted_breaks = 2;
    }

    /// A table cell: a bar between cells that hold words on one line; layout tables rarely do.
    fn cell(&mut self) {
        if self.wanted_breaks == 0 && !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push_str(" |");
            self.wanted_space = true;
        }
    }

    fn div(&mut self, tag: &Tag<'_>) {
        self.line();
        if tag.closing {
            if self.divs.pop() == Some(true) {
                self.quoting_divs -= 1;
                self.reweigh();
            }
            return;
        }
        let mut quotes = false;
        if self.options.mail {
            let class = tag.attribute("class").unwrap_or_default();
            let id = tag.attribute("id").unwrap_or_default();
            if ["divRplyFwdMsg", "appendonsend", "mail-editor-reference-message-container"]
                .contains(&id.as_str())
                && !self.options.forward
            {
                self.rest_quoted = true;
            }
            const QUOTES: [&str; 6] = [
                "gmail_quote",
                "gmail_quote_container",
                "yahoo_quoted",
                "moz-cite-prefix",
                "protonmail_quote",
                "OutlookMessageHeader",
            ];
            quotes = class.split_whitespace().any(|c| QUOTES.contains(&c));
        }
        if self.divs.len() < MAX_OPEN_DIVS {
            self.divs.push(quotes);
            if quotes {
                self.quoting_divs += 1;
            }
        }
        self.reweigh();
    }

    /// Starts a new section when the weight changes.
    fn reweigh(&mut self) {
        let quoted = self.blockquotes > 0 || self.quoting_divs > 0 || self.rest_quoted;
        let weight = if self.options.mail && quoted { Weight::Quoted } else { Weight::Body };
        if weight != self.weight {
            self.end_section();
            self.weight = weight;
        }
    }

    fn heading(&mut self, name: &str, closing: bool) {
        self.paragraph();
        if self.options.mail {
            return;
        }
        if !closing {
            self.end_heading();
            self.end_section();
            self.in_heading = Some((name.as_bytes()[1] - b'0', String::new()));
        } else {
            self.end_heading();
        }
    }

    fn end_heading(&mut self) {
        let Some((level, text)) = self.in_heading.take() else { return };
        let title = clip(&one_line(&text), 300);
        if title.is_empty() {
            return;
        }
        self.heading.retain(|(l, _)| *l < level);
        self.heading.push((level, title));
    }

    fn link(&mut self, href: &str) {
        let known = href.starts_with("http") || href.starts_with("mailto:");
        let relative = !href.contains(':') && !href.starts_with('#');
        if (known || relative)
            && !href.is_empty()
            && self.page.links.len() < MAX_LINKS
            && self.page.links.last().is_none_or(|l| l != href)
        {
            self.page.links.push(href.to_owned());
        }
    }

    fn meta(&mut self, tag: &Tag<'_>) {
        let name = tag.attribute("name").or_else(|| tag.attribute("property")).unwrap_or_default();
        let content = || tag.attribute("content").map(|c| one_line(&c)).filter(|c| !c.is_empty());
        match name.to_ascii_lowercase().as_str() {
            "author" | "dc.creator" | "article:author" if self.page.author.is_none() => {
                self.page.author = content();
            }
            "date" | "dcterms.date" | "dc.date" | "article:published_time"
                if self.page.date.is_none() =>
            {
                self.page.date = content();
            }
            _ => {}
        }
    }

    fn text(&mut self, raw: &str) {
        let decoded = entity::decode(raw);
        if self.pre > 0 && self.in_heading.is_none() {
            for (i, line) in decoded.split('\n').enumerate() {
                if i > 0 {
                    self.flush_breaks();
                    self.out.push('\n');
                }
                if !line.trim().is_empty() {
                    self.flush_breaks();
                    self.out.push_str(line.trim_end());
                }
            }
            self.bound();
            return;
        }
        if decoded.starts_with(char::is_whitespace) {
            self.wanted_space = true;
        }
        for word in decoded.split_whitespace() {
            self.word(word);
            self.wanted_space = true;
        }
        if !decoded.ends_with(char::is_whitespace) {
            self.wanted_space = false;
        }
    }

    fn word(&mut self, word: &str) {
        // Pre-headers are padded with invisible characters; a word of nothing else is no word.
        if word
            .chars()
            .all(|c| matches!(c, '\u{34f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}'))
        {
            return;
        }
        if let Some((_, title)) = &mut self.in_heading {
            if title.len() < MAX_ATTRIBUTE_BYTES {
                if self.wanted_space && !title.is_empty() {
                    title.push(' ');
                }
                title.push_str(word);
            }
            return;
        }
        self.flush_breaks();
        if self.wanted_space && !self.out.is_empty() && !self.out.ends_with(['\n', ' ']) {
            self.out.push(' ');
        }
        self.out.push_str(word);
        self.bound();
    }

    fn flush_breaks(&mut self) {
        if self.wanted_breaks > 0 {
            if !self.out.is_empty() {
                let have = self.out.bytes().rev().take_while(|b| *b == b'\n').count().min(2) as u8;
                for _ in have..self.wanted_breaks.min(2) {
                    self.out.push('\n');
                }
            }
            self.wanted_breaks = 0;
            self.wanted_space = false;
        }
    }

    fn bound(&mut self) {
        if self.total_bytes + self.out.len() > self.options.text_bytes {
            self.page.cut = true;
        }
    }

    fn end_section(&mut self) {
        self.wanted_breaks = 0;
        self.wanted_space = false;
        let text = std::mem::take(&mut self.out);
        let text = text.trim_matches('\n').trim_end();
        if text.is_empty() {
            return;
        }
        self.total_bytes += text.len();
        // A quote that opens with a forwarding line is the forwarded message itself: content.
        let weight = match self.weight {
            Weight::Quoted if quote::opens_forward(text) => Weight::Body,
            weight => weight,
        };
        let heading: Vec<String> = self.heading.iter().map(|(_, t)| t.clone()).collect();
        match self.page.sections.last_mut() {
            Some(last) if last.weight == weight && last.heading == heading => {
                last.text.push_str("\n\n");
                last.text.push_str(text);
            }
            _ => self.page.sections.push(Section { heading, text: text.to_owned(), weight }),
        }
    }

    fn finish(mut self) -> Page {
        self.end_heading();
        self.end_section();
        self.page
    }
}

fn step(count: usize, closing: bool) -> usize {
    if closing { count.saturating_sub(1) } else { count.saturating_add(1) }
}

fn is_hideable(name: &str) -> bool {
    matches!(name, "div" | "span" | "p" | "td" | "table" | "tr" | "section")
}

/// The name in lower case, if it is one of the short ones this reader knows at all.
fn lower_name<'b>(name: &str, buffer: &'b mut [u8; 16]) -> Option<&'b str> {
    let target = buffer.get_mut(..name.len())?;
    target.copy_from_slice(name.as_bytes());
    target.make_ascii_lowercase();
    std::str::from_utf8(target).ok()
}

/// Content of a raw-text element and what follows its end tag; `None` when there is no end tag.
fn raw_text<'h>(html: &'h str, name: &str) -> Option<(&'h str, &'h str)> {
    let bytes = html.as_bytes();
    let mut from = 0;
    while let Some(found) = html[from..].find("</") {
        let at = from + found;
        let start = at + 2;
        let end = start + name.len();
        if bytes.get(start..end).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes())) {
            let after = html[end..].find('>').map_or(html.len(), |i| end + i + 1);
            return Some((&html[..at], &html[after..]));
        }
        from = start;
    }
    None
}

/// One tag: `<name attributes>`, `</name>`; comments and declarations have an empty name.
struct Tag<'h> {
    name: &'h str,
    closing: bool,
    self_closing: bool,
    attributes: &'h str,
}

impl<'h> Tag<'h> {
    /// Parses at `<`; `None` when this `<` is only a character of the text.
    fn parse(html: &'h str) -> Option<(Self, &'h str)> {
        let nothing = Self { name: "", closing: false, self_closing: true, attributes: "" };
        if let Some(comment) = html.strip_prefix("<!--") {
            let after = comment.find("-->").map(|i| &comment[i + 3..]);
            // An unclosed comment: drop the opener alone and keep the words.
            return Some((nothing, after.unwrap_or(comment)));
        }
        if html.starts_with("<!") || html.starts_with("<?") {
            let after = html.find('>').map_or("", |i| &html[i + 1..]);
            return Some((nothing, after));
        }
        let closing = html.starts_with("</");
        let body = &html[if closing { 2 } else { 1 }..];
        if !body.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let name_end =
            body.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(body.len());
        let end = tag_end(body.as_bytes(), name_end);
        let attributes = body[name_end..end].trim();
        let tag = Self {
            name: &body[..name_end],
            closing,
            self_closing: attributes.ends_with('/'),
            attributes,
        };
        Some((tag, body.get(end + 1..).unwrap_or("")))
    }

    fn attribute(&self, wanted: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            let name = &rest[..end];
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                (value, rest) = match after.chars().next() {
                    Some(quote @ ('"' | '\'')) => {
                        let inner = &after[1..];
                        inner.split_once(quote).unwrap_or((inner, ""))
                    }
                    _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
                };
            } else if end == 0 {
                return None;
            }
            if name.eq_ignore_ascii_case(wanted) {
                let mut end = value.len().min(MAX_ATTRIBUTE_BYTES);
                while !value.is_char_boundary(end) {
                    end -= 1;
                }
                return Some(entity::decode(&value[..end]).trim().to_owned());
            }
        }
    }

    fn is_hidden(&self) -> bool {
        self.attribute("style").is_some_and(|style| {
            let style: String = style
                .chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| c.to_ascii_lowercase())
                .collect();
            style.contains("display:none")
        })
    }
}

/// Where the tag's `>` stands, past quoted attribute values; an unclosed quote does not hide the `>`.
fn tag_end(body: &[u8], from: usize) -> usize {
    let mut quote = 0u8;
    let mut first_close = None;
    for (i, &b) in body.iter().enumerate().skip(from) {
        match b {
            b'"' | b'\'' if quote == 0 && body[i - 1] == b'=' => quote = b,
            b if b == quote => quote = 0,
            b'>' if quote == 0 => return i,
            b'>' => {
                first_close.get_or_insert(i);
            }
            _ => {}
        }
        // A quoted value longer than this is either hostile or an unclosed quote.
        if quote != 0 && i - from > (1 << 20) {
            let later = || body[i..].iter().position(|b| *b == b'>').map(|at| i + at);
            return first_close.or_else(later).unwrap_or(body.len());
        }
    }
    first_close.unwrap_or(body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(html: &str) -> Vec<(Weight, String)> {
        let options = Options { mail: true, forward: false, text_bytes: 1 << 20 };
        read(html, &options).sections.into_iter().map(|s| (s.weight, s.text)).collect()
    }

    #[test]
    fn blocks_become_lines_and_runs_of_space_become_one() {
        let html = "<p>One  <b>two</b>,\n three</p><p>Four<br>five</p><ul><li>a<li>b</ul>";
        assert_eq!(mail(html), [(Weight::Body, "One two, three\n\nFour\nfive\n\n- a\n- b".into())]);
    }

    #[test]
    fn quoted_replies_weigh_less_and_forwards_do_not() {
        let html = "<div>Yes.</div><div class=\"gmail_quote\"><div>On Monday Ann wrote:</div>\
                    <blockquote>Shall we?</blockquote></div><div>After</div>";
        let got = mail(html);
        assert_eq!(got[0], (Weight::Body, "Yes.".into()));
        assert_eq!(got[1], (Weight::Quoted, "On Monday Ann wrote:\n\nShall we?".into()));
        assert_eq!(got[2], (Weight::Body, "After".into()));
        let forward = "<div class=gmail_quote>---------- Forwarded message ---------<br>Hi</div>";
        assert_eq!(mail(forward)[0].0, Weight::Body);
    }

    #[test]
    fn scripts_styles_comments_and_hidden_text_are_not_read() {
        let html = "<style>p{}</style><script>var a='<p>x</p>';</script><!-- c -->\
                    <div style='display: none'>pre<div>header</div></div><p>seen</p>";
        assert_eq!(mail(html), [(Weight::Body, "seen".into())]);
    }

    #[test]
    fn a_hidden_element_that_never_closes_hides_nothing() {
        assert_eq!(mail("<div style='display:none'>a<p>b")[0].1, "a\n\nb");
    }

    #[test]
    fn headings_make_the_sections_of_a_document() {
        let options = Options { mail: false, forward: false, text_bytes: 1 << 20 };
        let page =
            read("<title>T &amp; U</title>x<h1>A</h1>y<h2>B <i>c</i></h2>z<h1>D</h1>w", &options);
        let got: Vec<(String, &str)> =
            page.sections.iter().map(|s| (s.heading.join("/"), s.text.as_str())).collect();
        assert_eq!(page.title.as_deref(), Some("T & U"));
        assert_eq!(
            got,
            [("".into(), "x"), ("A".into(), "y"), ("A/B c".into(), "z"), ("D".into(), "w")]
        );
    }

    #[test]
    fn deep_nesting_giant_attributes_and_broken_tags_cost_linear_time() {
        let deep = "<div>".repeat(100_000) + "deep" + &"<table><tr><td>".repeat(50_000) + "x";
        assert!(mail(&deep)[0].1.contains("deep"));
        let giant = format!("<p title=\"{}\">text</p>", "a".repeat(3 << 20));
        assert!(mail(&giant).iter().any(|(_, t)| t.contains("text")));
        assert_eq!(mail("a < b and c > d <3")[0].1, "a < b and c > d <3");
        assert_eq!(mail("<p class=\"x>unclosed</p>words")[0].1, "unclosed\n\nwords");
    }
}
