//! The only file that knows zip containers and their XML: Word documents (DOCX) to headed sections.
//!
//! An own reader rather than a document model: one streaming pass over `word/document.xml` keeps paragraphs,
//! headings (by the style's built-in name, whatever the language of the program), lists, tables and links, and
//! holds no tree, so deep nesting and big files cost nothing extra. Containers are bounded by entry count,
//! inflated bytes and ratio before and while they are inflated.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::Reader as Xml;
use quick_xml::events::{BytesStart, Event as Mark};
use zip::ZipArchive;

use super::Limits;
use super::document::Document;
use super::text::{clip, one_line};
use crate::item::{Section, Weight};

type Reason = (String, &'static str);
const BROKEN: &str = "open it in a word processor and save it again";
/// Parts beside the body, and the heading that their text gets.
const NOTES: [(&str, &str); 3] = [
    ("word/footnotes.xml", "Footnotes"),
    ("word/endnotes.xml", "Endnotes"),
    ("word/comments.xml", "Comments"),
];
const BOMB: &str = "it inflates like an attack; open it only if you know where it is from";

/// Reads a DOCX; the error is (reason, hint).
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, Reason> {
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(("protected by a password".to_owned(), "save a copy without a password"));
    }
    let archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| (format!("not a readable zip container: {e}"), BROKEN))?;
    if archive.len() > limits.zip_entries {
        return Err((format!("{} entries in one container", archive.len()), BOMB));
    }
    let mut container = Container {
        archive,
        room: limits.zip_bytes,
        ratio: limits.zip_ratio,
        text: limits.text_bytes,
    };
    let mut document = Document::default();
    let styles = container.headings()?;
    let targets = container.targets("word/_rels/document.xml.rels")?;
    let mut body = Body { styles: &styles, targets: &targets, ..Body::default() };
    let main = container.main_part()?;
    if !container.each_mark(&main, &mut |mark| body.mark(mark))? {
        return Err((format!("no {main} inside"), BROKEN));
    }
    body.end_section();
    let cut = body.cut;
    document.sections = body.sections;
    document.links = body.links;
    for (part, heading) in NOTES {
        let mut body = Body { styles: &styles, targets: &targets, ..Body::default() };
        container.each_mark(part, &mut |mark| body.mark(mark))?;
        body.end_section();
        document.sections.extend(
            body.sections.into_iter().map(|s| Section { heading: vec![heading.into()], ..s }),
        );
    }
    let mut headers = Vec::new();
    for n in 1..=6 {
        for part in [format!("word/header{n}.xml"), format!("word/footer{n}.xml")] {
            let mut body = Body { styles: &styles, targets: &targets, ..Body::default() };
            container.each_mark(&part, &mut |mark| body.mark(mark))?;
            body.end_section();
            headers.extend(body.sections.into_iter().map(|s| s.text));
        }
    }
    headers.dedup();
    if !headers.is_empty() {
        let heading = vec!["Header and footer".to_owned()];
        let text = headers.join("\n");
        document.sections.push(Section { heading, text, weight: Weight::Signature });
    }
    if cut {
        document.remarks.push(format!("text cut at {} bytes", limits.text_bytes));
    }
    container.properties(&mut document)?;
    Ok(document)
}

struct Container<'b> {
    archive: ZipArchive<Cursor<&'b [u8]>>,
    /// Inflated bytes still allowed over all entries.
    room: u64,
    ratio: u64,
    text: usize,
}

impl Container<'_> {
    /// Calls `use_it` for every XML event of an entry; `false` when there is no such entry.
    fn each_mark(
        &mut self,
        name: &str,
        use_it: &mut dyn FnMut(Mark<'_>) -> bool,
    ) -> Result<bool, Reason> {
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => return Ok(false),
            Err(error) => return Err((format!("cannot unpack {name}: {error}"), BROKEN)),
        };
        let allowed = self
            .room
            .min((entry.compressed_size().saturating_mul(self.ratio)).saturating_add(1 << 20));
        if entry.size() > allowed {
            return Err((format!("{name} would inflate to {} bytes", entry.size()), BOMB));
        }
        let mut counted = Counted { inner: BufReader::new(entry), left: allowed };
        let result = marks(&mut counted, use_it);
        self.room = self.room.saturating_sub(allowed - counted.left);
        match result {
            _ if counted.left == 0 => {
                Err((format!("{name} inflates beyond {allowed} bytes"), BOMB))
            }
            Ok(()) => Ok(true),
            Err(error) => Err((format!("{name} is damaged: {error}"), BROKEN)),
        }
    }

    /// Where the body stands: what the package's relationships say, nearly always `word/document.xml`.
    fn main_part(&mut self) -> Result<String, Reason> {
        let mut main = None;
        self.each_mark("_rels/.rels", &mut |mark| {
            if let Mark::Start(e) | Mark::Empty(e) = &mark
                && attribute(e, "Type").is_some_and(|kind| kind.ends_with("/officeDocument"))
            {
                main = attribute(e, "Target");
            }
            main.is_none()
        })?;
        let main = main.unwrap_or_else(|| "word/document.xml".to_owned());
        Ok(main.trim_start_matches('/').to_owned())
    }

    /// Style id → heading level, by the built-in names, which are English in every language of Word.
    fn headings(&mut self) -> Result<HashMap<String, u8>, Reason> {
        let mut levels = HashMap::new();
        let mut style = String::new();
        self.each_mark("word/styles.xml", &mut |mark| {
            if let Mark::Start(e) | Mark::Empty(e) = &mark {
                match e.local_name().as_ref() {
                    "style" => style = attribute(e, "styleId").unwrap_or_default(),
                    "name" => {
                        let name = attribute(e, "val").unwrap_or_default().to_lowercase();
                        let level = name.strip_prefix("heading ").and_then(|n| n.parse().ok());
                        let level = level.or((name == "title").then_some(0));
                        levels.extend(level.map(|l: u8| (style.clone(), l)));
                    }
                    _ => {}
                }
            }
            true
        })?;
        Ok(levels)
    }

    /// Relationship id → address outside the document.
    fn targets(&mut self, name: &str) -> Result<HashMap<String, String>, Reason> {
        let mut targets = HashMap::new();
        self.each_mark(name, &mut |mark| {
            if let Mark::Start(e) | Mark::Empty(e) = &mark
                && attribute(e, "TargetMode").is_some_and(|m| m == "External")
                && let (Some(id), Some(target)) = (attribute(e, "Id"), attribute(e, "Target"))
            {
                targets.insert(id, target);
            }
            true
        })?;
        Ok(targets)
    }

    fn properties(&mut self, document: &mut Document) -> Result<(), Reason> {
        let mut open = String::new();
        let mut values: HashMap<String, String> = HashMap::new();
        self.each_mark("docProps/core.xml", &mut |mark| {
            match &mark {
                Mark::Start(e) => open = e.local_name().as_ref().to_owned(),
                Mark::Text(text) => {
                    values.entry(open.clone()).or_default().push_str(&text.xml10_content());
                }
                Mark::GeneralRef(e) => {
                    values.entry(open.clone()).or_default().extend(reference(e));
                }
                Mark::End(_) => open.clear(),
                _ => {}
            }
            true
        })?;
        document.title = values.remove("title");
        document.author = values.remove("creator");
        document.date = values.remove("created");
        document.title = document.title.take().filter(|t| t.len() < self.text);
        Ok(())
    }
}

/// A reader that stops after a number of bytes and remembers how many are left.
struct Counted<R> {
    inner: R,
    left: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buffer.len());
        buffer[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        let left = self.left;
        let available = self.inner.fill_buf()?;
        let n = available.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        Ok(&available[..n])
    }

    fn consume(&mut self, n: usize) {
        self.left = self.left.saturating_sub(n as u64);
        self.inner.consume(n);
    }
}

fn marks(
    reader: &mut dyn BufRead,
    use_it: &mut dyn FnMut(Mark<'_>) -> bool,
) -> Result<(), quick_xml::Error> {
    let mut xml = Xml::from_reader(reader);
    xml.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer)? {
            Mark::Eof => return Ok(()),
            mark => {
                if !use_it(mark) {
                    return Ok(());
                }
            }
        }
    }
}

fn attribute(e: &BytesStart<'_>, local: &str) -> Option<String> {
    let found = e.attributes().flatten().find(|a| a.key.local_name().as_ref() == local)?;
    found.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok().map(|v| v.into_owned())
}

fn reference(e: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(c)) = e.resolve_char_ref() {
        return Some(c);
    }
    match e.xml10_content().as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

static NO_STYLES: std::sync::LazyLock<HashMap<String, u8>> = std::sync::LazyLock::new(HashMap::new);
static NO_TARGETS: std::sync::LazyLock<HashMap<String, String>> =
    std::sync::LazyLock::new(HashMap::new);

/// What one part of the document says.
struct Body<'s> {
    styles: &'s HashMap<String, u8>,
    targets: &'s HashMap<String, String>,
    sections: Vec<Section>,
    links: Vec<String>,
    cut: bool,
    heading: Vec<(u8, String)>,
    /// Text of the section, and of the paragraph being read.
    out: String,
    paragraph: String,
    total_bytes: usize,
    level: Option<u8>,
    listed: bool,
    in_text: bool,
    /// Depth inside elements whose text repeats what stands elsewhere.
    skipping: usize,
    cells: usize,
    in_row: usize,
}

impl Default for Body<'_> {
    fn default() -> Self {
        Self {
            styles: &NO_STYLES,
            targets: &NO_TARGETS,
            sections: Vec::new(),
            links: Vec::new(),
            cut: false,
            heading: Vec::new(),
            out: String::new(),
            paragraph: String::new(),
            total_bytes: 0,
            level: None,
            listed: false,
            in_text: false,
            skipping: 0,
            cells: 0,
            in_row: 0,
        }
    }
}

const MAX_TEXT_BYTES: usize = 4 << 20;

impl Body<'_> {
    /// Takes one XML event; `false` when enough has been read.
    fn mark(&mut self, mark: Mark<'_>) -> bool {
        match &mark {
            Mark::Start(e) => self.start(e, false),
            Mark::Empty(e) => self.start(e, true),
            Mark::End(e) => self.end(e.local_name().as_ref()),
            Mark::Text(text) if self.in_text && self.skipping == 0 => {
                self.paragraph.push_str(&text.xml10_content());
            }
            Mark::CData(data) if self.in_text && self.skipping == 0 => {
                self.paragraph.push_str(&data.xml10_content());
            }
            Mark::GeneralRef(e) if self.in_text && self.skipping == 0 => {
                self.paragraph.extend(reference(e));
            }
            _ => {}
        }
        if self.total_bytes + self.out.len() + self.paragraph.len() > MAX_TEXT_BYTES {
            self.cut = true;
            self.end_paragraph();
        }
        !self.cut
    }

    fn start(&mut self, e: &BytesStart<'_>, empty: bool) {
        match e.local_name().as_ref() {
            "Fallback" | "del" | "moveFrom" if !empty => self.skipping += 1,
            "t" => self.in_text = !empty,
            "tab" if self.skipping == 0 && self.in_text_run() => self.paragraph.push('\t'),
            "br" | "cr" if self.skipping == 0 => self.paragraph.push('\n'),
            "noBreakHyphen" => self.paragraph.push('-'),
            "pStyle" => {
                let style = attribute(e, "val").unwrap_or_default();
                self.level = self.styles.get(&style).copied().or(self.level);
            }
            "outlineLvl" => {
                let level = attribute(e, "val").and_then(|v| v.parse::<u8>().ok());
                self.level = self.level.or(level.filter(|l| *l < 9).map(|l| l + 1));
            }
            "numPr" => self.listed = true,
            "tr" if !empty => {
                self.in_row += 1;
                self.cells = 0;
            }
            "tc" if !empty => {
                if self.cells > 0 && self.in_row > 0 {
                    let end = self.out.trim_end().len();
                    self.out.truncate(end);
                    self.out.push_str(" | ");
                }
                self.cells += 1;
            }
            "hyperlink" => {
                let target = attribute(e, "id").and_then(|id| self.targets.get(&id));
                self.links.extend(target.filter(|_| self.links.len() < 1000).cloned());
            }
            _ => {}
        }
    }

    /// Tabs of the tab-stop list in paragraph properties are no text.
    fn in_text_run(&self) -> bool {
        !self.paragraph.is_empty()
    }

    fn end(&mut self, name: &str) {
        match name {
            "Fallback" | "del" | "moveFrom" => self.skipping = self.skipping.saturating_sub(1),
            "t" => self.in_text = false,
            "p" => self.end_paragraph(),
            "tr" => {
                self.in_row = self.in_row.saturating_sub(1);
                let end = self.out.trim_end_matches(' ').len();
                self.out.truncate(end);
                if !self.out.is_empty() && !self.out.ends_with('\n') {
                    self.out.push('\n');
                }
            }
            "tbl" if self.in_row == 0 => self.out.push('\n'),
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        let paragraph = paragraph.trim();
        let (level, listed) = (self.level.take(), std::mem::take(&mut self.listed));
        if paragraph.is_empty() {
            return;
        }
        if let Some(level) = level.filter(|_| self.in_row == 0) {
            self.end_section();
            self.heading.retain(|(l, _)| *l < level);
            self.heading.push((level, clip(&one_line(paragraph), 300)));
            return;
        }
        if listed {
            self.out.push_str("- ");
        }
        self.out.push_str(paragraph);
        self.out.push_str(if self.in_row > 0 { " " } else { "\n" });
        if !listed && self.in_row == 0 {
            self.out.push('\n');
        }
    }

    fn end_section(&mut self) {
        let text = std::mem::take(&mut self.out);
        let text = text.trim();
        self.total_bytes += text.len();
        if !text.is_empty() {
            let heading = self.heading.iter().map(|(_, t)| t.clone()).collect();
            self.sections.push(Section { heading, text: text.to_owned(), weight: Weight::Body });
        }
    }
}
