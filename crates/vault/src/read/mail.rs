//! One message to items: the mail itself, and one item per attachment.
//!
//! The text shown is the plain part, or the HTML part when there is no plain one; quotes and signatures are
//! kept in sections of their own weight. Attachments are read by the reader of their format and point to the
//! message as their parent; a forwarded message is such an attachment, read as mail.

use super::mime::{self, Body, Envelope, Part};
use super::{Limits, Parent, Raw, Sink, html, mbox, quote, read_as, sniff, text};
use crate::item::{Item, Kind, PersonRef, Role, Section, Thread, Weight, When};
use crate::text::words;

/// Reads a message and its attachments.
pub(crate) fn read(raw: &Raw<'_>, limits: &Limits, sink: &mut Sink<'_>) {
    let message = message_bytes(raw);
    let read = mime::with_parsed(&message, |parsed| {
        let mut item = mail_item(raw, parsed.envelope, parsed.bodies, parsed.remarks, limits);
        let (shown, attached): (Vec<Part<'_>>, Vec<Part<'_>>) =
            parsed.parts.into_iter().partition(|p| p.inline_picture);
        if !shown.is_empty() {
            item.remarks.push(format!("{} pictures inside the text were not read", shown.len()));
        }
        let parent = Parent {
            place: item.place.clone(),
            when: item.when.clone(),
            name: String::new(),
            media_type: String::new(),
        };
        if attached.len() > limits.parts {
            item.remarks.push(format!(
                "only {} of {} attachments were read",
                limits.parts,
                attached.len()
            ));
        }
        sink(Ok(item));
        for (i, part) in attached.into_iter().take(limits.parts).enumerate() {
            attachment(raw, i + 1, part, &parent, limits, sink);
        }
    });
    if let Err(reason) = read {
        sink(Err(raw.fail(reason, "open the file in a text editor: it may not be a mail at all")));
    }
}

/// The `number`th attachment (from 1) of a message, transfer encoding undone, as its item was read.
pub(crate) fn attachment_bytes(message: &[u8], number: usize) -> Option<Vec<u8>> {
    let message = mbox::unwrap_message(message);
    mime::with_parsed(&message, |parsed| {
        let mut attached = parsed.parts.into_iter().filter(|p| !p.inline_picture);
        attached.nth(number.checked_sub(1)?).map(|part| part.bytes.into_owned())
    })
    .ok()
    .flatten()
}

/// Without an mbox separator line or Apple's leading byte count.
fn message_bytes<'a>(raw: &'a Raw<'_>) -> std::borrow::Cow<'a, [u8]> {
    if raw.name().ends_with(".emlx")
        && let Some(end) = raw.bytes.iter().position(|b| *b == b'\n')
        && let Ok(count) = String::from_utf8_lossy(&raw.bytes[..end]).trim().parse::<usize>()
    {
        let rest = &raw.bytes[end + 1..];
        return rest[..count.min(rest.len())].into();
    }
    mbox::unwrap_message(raw.bytes)
}

fn mail_item(
    raw: &Raw<'_>,
    envelope: Envelope,
    bodies: Vec<Body>,
    mut remarks: Vec<String>,
    limits: &Limits,
) -> Item {
    let mut item = raw.item(Kind::Mail, "message/rfc822");
    let forward = is_forward(&envelope.subject);
    for body in bodies {
        add_body(&mut item, body, forward, limits);
    }
    item.title = match envelope.subject.is_empty() {
        false => text::clip(&envelope.subject, 500),
        true => item.sections.first().map(|s| text::first_words(&s.text, 80)).unwrap_or_default(),
    };
    if item.title.is_empty() {
        item.title = "(no subject)".to_owned();
    }
    let own_date = envelope.date.map(|stamp| When {
        start: stamp.utc_s,
        end: None,
        zone: Some("UTC".to_owned()),
        offset_s: stamp.offset_s,
        all_day: false,
    });
    item.when = own_date.or(item.when);
    if let Some(id) = &envelope.message_id {
        item.identity = format!("mid:{id}#{}", &raw.sha256[..16]);
    }
    add_people(&mut item, Role::From, envelope.from);
    add_people(&mut item, Role::To, envelope.to);
    add_people(&mut item, Role::Cc, envelope.cc);
    add_people(&mut item, Role::Bcc, envelope.bcc);
    item.tags = folder_tag(&raw.place.path).into_iter().chain(envelope.keywords).collect();
    item.thread = Some(Thread {
        message_id: envelope.message_id,
        in_reply_to: envelope.in_reply_to,
        references: envelope.references,
        bulk: envelope.bulk || item.tags.iter().any(|tag| is_junk(tag)),
    });
    item.remarks.append(&mut remarks);
    item.remarks.dedup();
    item
}

fn add_body(item: &mut Item, body: Body, forward: bool, limits: &Limits) {
    let used: usize = item.sections.iter().map(|s| s.text.len()).sum();
    let room = limits.text_bytes.saturating_sub(used);
    let mut sections = if body.html {
        let options = html::Options { mail: true, forward, text_bytes: room };
        let page = html::read(&body.text, &options);
        if page.cut {
            item.remarks.push(format!("text cut at {} bytes", limits.text_bytes));
        }
        const MAX_LINKS: usize = 100;
        item.links.extend(page.links.into_iter().take(MAX_LINKS));
        page.sections.into_iter().flat_map(|s| resplit(s, forward)).collect()
    } else {
        let (plain, cut) = text::tidy(&body.text, room);
        if cut {
            item.remarks.push(format!("text cut at {} bytes", limits.text_bytes));
        }
        let plain = if body.flowed { unflow(&plain, body.delsp) } else { plain };
        let plain = without_uuencode(plain, &mut item.remarks);
        quote::split(&plain, forward)
    };
    item.sections.append(&mut sections);
}

/// HTML that is not marked as a quote may still hold quotes and signatures as plain lines.
fn resplit(section: Section, forward: bool) -> Vec<Section> {
    match section.weight {
        Weight::Body => quote::split(&section.text, forward),
        _ => vec![section],
    }
}

/// `Fwd:`, `FW:`, `WG:` … at the start of a subject, in the languages mail programs speak.
fn is_forward(subject: &str) -> bool {
    const PREFIXES: [&str; 12] =
        ["fwd:", "fw:", "wg:", "tr:", "rv:", "enc:", "doorst:", "vb:", "vs:", "i:", "pd:", "[fwd:"];
    let lower = subject.trim_start().to_lowercase();
    PREFIXES.iter().any(|p| lower.starts_with(p))
}

fn add_people(item: &mut Item, role: Role, people: Vec<(String, String)>) {
    for (name, address) in people {
        // "undisclosed-recipients" and local names are no addresses.
        let address = (address.contains('@') && !address.contains(char::is_whitespace))
            .then(|| address.to_lowercase());
        let name = match (&address, name.is_empty()) {
            (Some(a), false) if name.eq_ignore_ascii_case(a) => String::new(),
            _ => name,
        };
        if address.is_some() || !name.is_empty() {
            item.people.push(PersonRef { role, name, address });
        }
    }
}

/// The mail folder a path stands in: `Archive.mbox` → Archive, `.Sent/cur/x` → Sent, `Trips/a.eml` → Trips.
fn folder_tag(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop()?;
    if let Some((stem, "mbox" | "mbx")) = file.rsplit_once('.') {
        return Some(stem.to_owned());
    }
    while matches!(parts.last(), Some(&("cur" | "new"))) {
        parts.pop();
    }
    let folder = parts.last()?.trim_start_matches('.');
    // Apple Mail and Thunderbird keep a folder as a directory that ends so.
    let folder = folder.trim_end_matches(".mbox").trim_end_matches(".sbd");
    (!folder.is_empty()).then(|| folder.to_owned())
}

/// Whether a folder or label is where mail programs put what nobody asked for.
fn is_junk(tag: &str) -> bool {
    const WORDS: [&str; 9] = [
        "spam",
        "junk",
        "trash",
        "unerwunscht",
        "spamverdacht",
        "papierkorb",
        "indesirable",
        "indesirables",
        "corbeille",
    ];
    // `[Gmail]/Spam`, `INBOX.Junk`, `Junk E-mail`, `$Junk`, but not `NonJunk`, nor a folder about spam filters.
    let words = words::tokens(tag);
    let named = |token: &words::Token| WORDS.contains(&token.term.as_str());
    words.last().is_some_and(named) || (words.len() <= 3 && words.first().is_some_and(named))
}

/// RFC 3676: a line that ends in a space goes on in the next line of the same quote depth.
fn unflow(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut flowing: Option<usize> = None;
    for line in text.split('\n') {
        let depth = line.bytes().take_while(|b| *b == b'>').count();
        let content = &line[depth..];
        let content = content.strip_prefix(' ').unwrap_or(content);
        let signature = content == "-- ";
        match flowing {
            Some(d) if d == depth && !signature => {}
            Some(_) => {
                out.push('\n');
                quote_mark(&mut out, depth);
            }
            None => quote_mark(&mut out, depth),
        }
        let flows = content.ends_with(' ') && !signature;
        out.push_str(if flows && delsp { &content[..content.len() - 1] } else { content });
        flowing = if flows {
            Some(depth)
        } else {
            out.push('\n');
            None
        };
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

fn quote_mark(out: &mut String, depth: usize) {
    if depth > 0 {
        out.extend(std::iter::repeat_n('>', depth));
        out.push(' ');
    }
}

/// Drops `begin 644 name … end` blocks, which would fill the index with noise.
fn without_uuencode(text: String, remarks: &mut Vec<String>) -> String {
    if !text.contains("begin ") {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        if inside {
            inside = line != "end";
            continue;
        }
        let mut words = line.splitn(3, ' ');
        let begins = words.next() == Some("begin")
            && words.next().is_some_and(|m| {
                (3..=4).contains(&m.len()) && m.bytes().all(|b| b.is_ascii_digit())
            })
            && lines.peek().is_some_and(|next| next.starts_with('M') && next.len() == 61);
        match (begins, words.next()) {
            (true, Some(name)) => {
                remarks.push(format!("uuencoded file {name} inside the text was not read"));
                inside = true;
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

fn attachment(
    raw: &Raw<'_>,
    number: usize,
    part: Part<'_>,
    parent: &Parent,
    limits: &Limits,
    sink: &mut Sink<'_>,
) {
    let mut place = raw.place.clone();
    place.part = format!("{}/att:{number}", place.part);
    let mut child = Raw::new(place, &part.bytes);
    let format = sniff::of_attachment(&part.media_type, &part.name, &part.bytes);
    child.parent = Some(Parent {
        name: part.name.clone(),
        media_type: part.media_type.clone(),
        ..parent.clone()
    });
    child.depth = raw.depth + 1;
    if child.depth > limits.depth {
        let reason = format!("attached {} messages deep", child.depth);
        return sink(Err(child.fail(reason, "open the outermost message in a mail program")));
    }
    read_as(format, &child, limits, sink);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowed_lines_are_joined_within_their_quote_depth() {
        let text = "One \ntwo\n> a \n> b\n>> c \n> d\n-- \nme";
        assert_eq!(unflow(text, false), "One two\n> a b\n>> c \n> d\n-- \nme");
        assert_eq!(unflow("foo \nbar", true), "foobar");
    }

    #[test]
    fn folders_become_tags() {
        assert_eq!(folder_tag("Mail/.Sent/cur/1:2,S").as_deref(), Some("Sent"));
        assert_eq!(folder_tag("Mail/Archive.mbox").as_deref(), Some("Archive"));
        assert_eq!(folder_tag("a.eml"), None);
    }

    #[test]
    fn uuencoded_files_are_cut_out_with_a_remark() {
        let mut remarks = Vec::new();
        let line = format!("M{}", "A".repeat(60));
        let text = format!("see\nbegin 644 a.gif\n{line}\n`\nend\nbye");
        assert_eq!(without_uuencode(text, &mut remarks), "see\nbye");
        assert_eq!(remarks, ["uuencoded file a.gif inside the text was not read"]);
        let prose = "begin 644 things\nand so on".to_owned();
        assert_eq!(without_uuencode(prose.clone(), &mut remarks), prose);
    }
}
