//! The only file that knows `mail-parser`: bytes of one message to headers, bodies and parts of our own shape.
//!
//! Around the library stand the things it leaves to its caller: a bound on structure before parsing (nested
//! parts are freed recursively, and each missing boundary costs a scan of the rest), raw 8-bit headers, charset
//! labels that are unknown or wrong, and encoded words the library does not decode.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{
    Address, DateTime, Encoding, Header, HeaderName, HeaderValue, Message, MessageParser,
    MessagePart, MimeHeaders, PartType,
};

use super::text;

/// Headers of one message, decoded.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) subject: String,
    /// (display name, address), as written but decoded.
    pub(crate) from: Vec<(String, String)>,
    /// Who sent it for the one in `from`; stands in when there is no `from`.
    pub(crate) sender: Vec<(String, String)>,
    pub(crate) to: Vec<(String, String)>,
    pub(crate) cc: Vec<(String, String)>,
    pub(crate) bcc: Vec<(String, String)>,
    pub(crate) date: Option<Stamp>,
    pub(crate) message_id: Option<String>,
    pub(crate) in_reply_to: Vec<String>,
    pub(crate) references: Vec<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) bulk: bool,
}

/// An instant with the offset the sender's clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) utc_s: i64,
    pub(crate) offset_s: i32,
}

/// One body to show, in order.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) html: bool,
    pub(crate) text: String,
    /// RFC 3676 `format=flowed`, and whether `delsp=yes`.
    pub(crate) flowed: bool,
    pub(crate) delsp: bool,
}

/// A part that is no body.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) media_type: String,
    /// Transfer encoding undone; for a nested message, its raw bytes.
    pub(crate) bytes: Cow<'a, [u8]>,
    /// A picture the HTML body shows in place, not something the sender attached.
    pub(crate) inline_picture: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Parsed<'a> {
    pub(crate) envelope: Envelope,
    pub(crate) bodies: Vec<Body>,
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) remarks: Vec<String>,
}

/// More `Content-Type` lines than this, or this many bytes times lines, are an attack, not a letter.
const MAX_TYPED_PARTS: usize = 1000;
const MAX_SCAN_BYTES: usize = 8 << 30;

static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .with_mime_headers()
        .with_address_headers()
        .with_message_ids()
        .header_text(HeaderName::Subject)
        .header_text(HeaderName::ContentTransferEncoding)
        .header_comma_separated(HeaderName::Keywords)
        .default_header_raw()
});

/// Reads one message and hands it to `use_it` (the parts borrow from a buffer that lives only here).
/// The error says why these bytes are no message.
pub(crate) fn with_parsed<R>(
    raw: &[u8],
    use_it: impl FnOnce(Parsed<'_>) -> R,
) -> Result<R, String> {
    let mut remarks = Vec::new();
    let raw = repair_headers(raw, &mut remarks);
    let typed = count_typed_parts(&raw);
    if typed > MAX_TYPED_PARTS || typed.saturating_mul(raw.len()) > MAX_SCAN_BYTES {
        remarks.push(format!(
            "{typed} MIME parts: more than are read, so the text stands as it was sent"
        ));
        let head = header_end(&raw).unwrap_or(raw.len());
        let mut parsed = parse(&raw[..head], Vec::new())?;
        let body = text::decode(&raw[head..], None).text.into_owned();
        parsed.bodies = vec![Body { html: false, text: body, flowed: false, delsp: false }];
        parsed.parts.clear();
        parsed.remarks.append(&mut remarks);
        return Ok(use_it(parsed));
    }
    Ok(use_it(parse(&raw, remarks)?))
}

fn parse(raw: &[u8], remarks: Vec<String>) -> Result<Parsed<'_>, String> {
    let message = catch_unwind(AssertUnwindSafe(|| PARSER.parse(raw)))
        .map_err(|_| "the MIME parser gave up on this message".to_owned())?
        .ok_or_else(|| "no mail headers found".to_owned())?;
    let mut parsed = Parsed { remarks, ..Parsed::default() };
    parsed.envelope = envelope(&message, &mut parsed.remarks);
    let used = bodies(raw, &message, &mut parsed);
    for id in message.attachments.iter().filter(|id| !used.contains(id)) {
        if let Some(part) = message.parts.get(*id as usize) {
            let part = attachment(raw, part, &mut parsed.remarks);
            parsed.parts.push(part);
        }
    }
    Ok(parsed)
}

/// Where the header block ends: after its blank line.
fn header_end(raw: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    while let Some(found) = raw[line_start..].iter().position(|b| *b == b'\n') {
        let end = line_start + found;
        if raw[line_start..end].iter().all(|b| *b == b'\r') {
            return Some(end + 1);
        }
        line_start = end + 1;
    }
    None
}

/// Headers must be UTF-8 and end in a blank line for the parser to see them all.
fn repair_headers<'a>(raw: &'a [u8], remarks: &mut Vec<String>) -> Cow<'a, [u8]> {
    let end = header_end(raw);
    let head = &raw[..end.unwrap_or(raw.len())];
    let mut fixed = Vec::new();
    let text = match std::str::from_utf8(head) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let decoded = text::decode(head, charset_in(head).as_deref());
            let name = decoded.guessed.unwrap_or("the body's charset");
            remarks.push(format!("headers hold raw 8-bit characters: read as {name}"));
            decoded.text
        }
    };
    let known = known_charsets(&text, remarks);
    if end.is_some() && matches!((&text, &known), (Cow::Borrowed(_), None)) {
        return Cow::Borrowed(raw);
    }
    fixed.reserve(raw.len() + 64);
    fixed.extend_from_slice(known.as_deref().unwrap_or(&text).as_bytes());
    match end {
        Some(end) => fixed.extend_from_slice(&raw[end..]),
        None => fixed.extend_from_slice(b"\n\n"),
    }
    Cow::Owned(fixed)
}

/// The headers with invented charsets of encoded words replaced by the guess their bytes suggest.
fn known_charsets(head: &str, remarks: &mut Vec<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = head;
    let mut changed = false;
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at + 2);
        out.push_str(before);
        rest = word;
        let Some((label, _)) = word.split_once('?') else { break };
        let bare = label.split('*').next().unwrap_or_default();
        let plausible =
            !bare.is_empty() && bare.len() < 40 && bare.bytes().all(|b| b.is_ascii_graphic());
        // UTF-8 has no decoder of its own in the library: it is what text is taken for.
        let utf8 = bare.eq_ignore_ascii_case("utf-8") || bare.eq_ignore_ascii_case("utf8");
        if !plausible || utf8 || charset_decoder(bare.as_bytes()).is_some() {
            continue;
        }
        if let Some((bytes, _)) = encoded_word(&rest[label.len() + 1..]) {
            let guess = if std::str::from_utf8(&bytes).is_ok() {
                "UTF-8"
            } else {
                text::guess(&bytes).name()
            };
            remarks.push(format!("charset {bare} in a header read as {guess}"));
            out.push_str(guess);
            rest = &rest[label.len()..];
            changed = true;
        }
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// The `charset=` a header block names, if any.
fn charset_in(head: &[u8]) -> Option<String> {
    let lower = head.to_ascii_lowercase();
    let at = lower.windows(8).position(|w| w == b"charset=")? + 8;
    let label: Vec<u8> = lower[at..]
        .iter()
        .copied()
        .skip_while(|b| *b == b'"')
        .take_while(|b| b.is_ascii_alphanumeric() || b"-_:.".contains(b))
        .collect();
    String::from_utf8(label).ok()
}

fn count_typed_parts(raw: &[u8]) -> usize {
    raw.split(|b| *b == b'\n')
        .filter(|line| {
            let line = line.trim_ascii_start();
            line.get(..12).is_some_and(|n| n.eq_ignore_ascii_case(b"content-type"))
        })
        .count()
}

fn envelope(message: &Message<'_>, remarks: &mut Vec<String>) -> Envelope {
    let mut envelope = Envelope::default();
    let mut received = None;
    for header in message.headers() {
        read_header(&mut envelope, &mut received, header, remarks);
    }
    if envelope.date.is_some_and(|date| !believable(date, received)) {
        remarks.push("its Date cannot be true".to_owned());
        envelope.date = None;
    }
    if envelope.from.is_empty() {
        envelope.from = std::mem::take(&mut envelope.sender);
    }
    envelope.subject = text::one_line(&rescue(&envelope.subject, remarks));
    if envelope.date.is_none()
        && let Some(stamp) = received
    {
        remarks.push("no readable Date: the time it was received stands in".to_owned());
        envelope.date = Some(stamp);
    }
    envelope
}

fn read_header(
    envelope: &mut Envelope,
    received: &mut Option<Stamp>,
    header: &Header<'_>,
    remarks: &mut Vec<String>,
) {
    match &header.name {
        HeaderName::Subject if envelope.subject.is_empty() => {
            envelope.subject = header.value.as_text().unwrap_or_default().to_owned();
        }
        HeaderName::From => people(&mut envelope.from, &header.value, remarks),
        HeaderName::Sender => people(&mut envelope.sender, &header.value, remarks),
        HeaderName::To => people(&mut envelope.to, &header.value, remarks),
        HeaderName::Cc => people(&mut envelope.cc, &header.value, remarks),
        HeaderName::Bcc => people(&mut envelope.bcc, &header.value, remarks),
        HeaderName::Date if envelope.date.is_none() => {
            let value = header.value.as_text().unwrap_or_default();
            envelope.date = date(value);
            if envelope.date.is_none() {
                envelope.date = date(&format!("{value} +0000"));
                if envelope.date.is_some() {
                    remarks.push("Date names no time zone: read as UTC".to_owned());
                }
            }
        }
        HeaderName::Received if received.is_none() => {
            let raw = header.value.as_text().unwrap_or_default();
            let date = raw.rsplit(';').next().unwrap_or_default();
            *received = self::date(date);
        }
        HeaderName::MessageId if envelope.message_id.is_none() => {
            envelope.message_id = ids(&header.value).into_iter().next();
        }
        HeaderName::InReplyTo => envelope.in_reply_to.append(&mut ids(&header.value)),
        HeaderName::References => envelope.references.append(&mut ids(&header.value)),
        HeaderName::Keywords => {
            let list = header.value.as_text_list().unwrap_or_default();
            envelope
                .keywords
                .extend(list.iter().map(|k| text::one_line(k)).filter(|k| !k.is_empty()));
        }
        HeaderName::ListId
        | HeaderName::ListPost
        | HeaderName::ListUnsubscribe
        | HeaderName::ListHelp
        | HeaderName::ListSubscribe => envelope.bulk = true,
        HeaderName::Other(name) => {
            other_header(envelope, name, header.value.as_text().unwrap_or_default());
        }
        _ => {}
    }
}

fn other_header(envelope: &mut Envelope, name: &str, value: &str) {
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    if is("Precedence") {
        let value = value.trim().to_ascii_lowercase();
        envelope.bulk |= ["bulk", "list", "junk"].contains(&value.as_str());
    } else if is("Auto-Submitted") {
        envelope.bulk |= !value.trim().eq_ignore_ascii_case("no");
    } else if is("X-Spam-Flag") || is("X-Spam-Status") {
        envelope.bulk |= value.trim().to_ascii_lowercase().starts_with("yes");
    } else if is("X-Mailing-List") || is("Mailing-List") || is("Feedback-ID") || is("X-Autoreply") {
        envelope.bulk = true;
    } else if is("X-Keywords") || is("X-Gmail-Labels") {
        let value = rescue(value, &mut Vec::new());
        envelope.keywords.extend(value.split(',').map(text::one_line).filter(|k| !k.is_empty()));
    }
}

/// No mail was sent before 1980, and none is received before it is sent: a clock may be wrong by some days, and one
/// that is off by more says nothing. Without a time of receipt, what lies beyond this century is not believed.
fn believable(date: Stamp, received: Option<Stamp>) -> bool {
    const YEAR_1980: i64 = 315_532_800;
    const YEAR_2100: i64 = 4_102_444_800;
    const WEEK_S: i64 = 7 * 86_400;
    let latest = received
        .filter(|received| (YEAR_1980..YEAR_2100).contains(&received.utc_s))
        .map_or(YEAR_2100, |received| received.utc_s + WEEK_S);
    (YEAR_1980..latest).contains(&date.utc_s)
}

/// Parsed from a string of its own: on zones like `UT` the library's header parser runs on past the blank line
/// and takes the first paragraph of the text for a part of the date.
fn date(value: &str) -> Option<Stamp> {
    let parse = |text: &str| DateTime::parse_rfc822(text).as_ref().and_then(stamp);
    let value = value.trim().replace("+-", "-");
    parse(&format!("{value}\n"))
}

fn stamp(date: &DateTime) -> Option<Stamp> {
    // A leap second is a valid minute's end; a two-digit year is the parser's business.
    let plausible = (1970..=2200).contains(&date.year)
        && (1..=12).contains(&date.month)
        && (1..=31).contains(&date.day)
        && date.hour < 24
        && date.minute < 60
        && date.second <= 60
        && date.tz_hour < 24
        && date.tz_minute < 60;
    if !plausible {
        return None;
    }
    let offset = i32::from(date.tz_hour) * 3600 + i32::from(date.tz_minute) * 60;
    Some(Stamp {
        utc_s: date.to_timestamp(),
        offset_s: if date.tz_before_gmt { -offset } else { offset },
    })
}

fn people(into: &mut Vec<(String, String)>, value: &HeaderValue<'_>, remarks: &mut Vec<String>) {
    const MAX_PEOPLE: usize = 2000;
    let Some(address) = value.as_address() else { return };
    let mut add = |name: Option<&str>, address: Option<&str>| {
        if into.len() >= MAX_PEOPLE {
            return;
        }
        let name = text::one_line(&rescue(name.unwrap_or_default(), remarks));
        let name = name.trim_matches(['"', '\'']).trim().to_owned();
        let address = address.unwrap_or_default().trim().trim_matches(['<', '>']).to_owned();
        if !name.is_empty() || !address.is_empty() {
            into.push((name, address));
        }
    };
    match address {
        Address::List(list) => list.iter().for_each(|a| add(a.name(), a.address())),
        Address::Group(groups) => {
            groups.iter().flat_map(|g| &g.addresses).for_each(|a| add(a.name(), a.address()));
        }
    }
}

/// Message ids that can name a message: one word with an `@`, or whatever stood in angle brackets.
fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    let all: Vec<&str> = match value {
        HeaderValue::Text(id) => vec![id],
        HeaderValue::TextList(ids) => ids.iter().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    };
    let clean = all.into_iter().map(|id| id.trim_matches(['<', '>', ' ', '\t', '\r', '\n']));
    clean
        .filter(|id| !id.is_empty() && !id.contains(char::is_whitespace))
        .map(str::to_owned)
        .collect()
}

/// Decodes encoded words that are still there: unknown charsets, or words inside quoted strings.
fn rescue(value: &str, remarks: &mut Vec<String>) -> String {
    if !value.contains("=?") {
        return value.to_owned();
    }
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find("=?") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let word = rest[2..].split_once('?').and_then(|(charset, tail)| {
            let (bytes, after) = encoded_word(tail)?;
            Some((charset.split('*').next().unwrap_or_default(), bytes, after))
        });
        let Some((charset, bytes, after)) = word else {
            out.push_str("=?");
            rest = &rest[2..];
            continue;
        };
        let decoded = text::decode(&bytes, Some(charset));
        if let Some(guess) = decoded.guessed {
            remarks.push(format!("charset {charset} in a header read as {guess}"));
        }
        out.push_str(&decoded.text);
        // White space between two encoded words is not text.
        rest = if after.trim_start().starts_with("=?") { after.trim_start() } else { after };
    }
    out.push_str(rest);
    out
}

/// Bytes of an encoded word from its encoding letter on (`B?…?=`): decoded, and what follows.
fn encoded_word(word: &str) -> Option<(Vec<u8>, &str)> {
    let (encoding, tail) = word.split_once('?')?;
    let (data, after) = tail.split_once("?=")?;
    let bytes = match encoding {
        "b" | "B" => base64_decode(data.as_bytes())?,
        "q" | "Q" => quoted_printable_decode(data.replace('_', " ").as_bytes())?,
        _ => return None,
    };
    Some((bytes, after))
}

/// Fills in the bodies; returns the attachments that turned out to be bodies.
fn bodies(raw: &[u8], message: &Message<'_>, parsed: &mut Parsed<'_>) -> Vec<u32> {
    let read = |ids: &[u32], remarks: &mut Vec<String>| -> Vec<Body> {
        let parts = ids.iter().filter_map(|id| message.parts.get(*id as usize));
        parts.filter_map(|part| body(raw, part, remarks)).collect()
    };
    let mut remarks = Vec::new();
    let mut bodies = read(&message.text_body, &mut remarks);
    if bodies.iter().all(|b| b.text.trim().is_empty()) {
        // "Alternative" mails whose plain part is blank say everything in the HTML.
        let mut html_remarks = Vec::new();
        let html = read(&message.html_body, &mut html_remarks);
        if html.iter().any(|b| !b.text.trim().is_empty()) {
            (bodies, remarks) = (html, html_remarks);
        }
    }
    let mut used = Vec::new();
    if bodies.iter().all(|b| b.text.trim().is_empty()) {
        for id in &message.attachments {
            let Some(part) = message.parts.get(*id as usize) else { continue };
            if let Some(body) = salvage(raw, part) {
                if part.is_encoding_problem {
                    remarks.push("the message ends before its last boundary".to_owned());
                }
                bodies.push(body);
                used.push(*id);
            }
        }
    }
    parsed.bodies = bodies;
    parsed.remarks.append(&mut remarks);
    used
}

/// A nameless text part that the parser set aside: it found no end to it, or could not read its type.
fn salvage(raw: &[u8], part: &MessagePart<'_>) -> Option<Body> {
    let textual = part.content_type().is_none_or(|c| c.ctype().eq_ignore_ascii_case("text"));
    let attached = part.content_disposition().is_some_and(|d| d.is_attachment());
    if !textual || attached || part.attachment_name().is_some() {
        return None;
    }
    let slice = raw.get(part.offset_body as usize..part.offset_end as usize)?;
    let encoding = part.content_transfer_encoding().unwrap_or_default().to_ascii_lowercase();
    let bytes = match encoding.trim() {
        "base64" => {
            let mut digits: Vec<u8> = slice
                .iter()
                .copied()
                .filter(|b| b.is_ascii_alphanumeric() || b"+/".contains(b))
                .collect();
            digits.truncate(digits.len() / 4 * 4);
            base64_decode(&digits)?
        }
        "quoted-printable" => quoted_printable_decode(slice).unwrap_or_else(|| slice.to_vec()),
        _ => slice.to_vec(),
    };
    let content_type = part.content_type();
    let label = content_type.and_then(|c| c.attribute("charset"));
    let text = text::decode(&bytes, label).text.into_owned();
    let html =
        content_type.and_then(|c| c.subtype()).is_some_and(|s| s.eq_ignore_ascii_case("html"));
    (!text.trim().is_empty()).then_some(Body { html, text, flowed: false, delsp: false })
}

fn body(raw: &[u8], part: &MessagePart<'_>, remarks: &mut Vec<String>) -> Option<Body> {
    let (text, html) = match &part.body {
        PartType::Text(text) => (text, false),
        PartType::Html(text) => (text, true),
        _ => return None,
    };
    let content_type = part.content_type();
    let attribute = |name: &str| content_type.and_then(|c| c.attribute(name));
    let text = right_charset(raw, part, text, attribute("charset"), remarks);
    let head = text.trim_start().as_bytes();
    let starts = |tag: &[u8]| head.get(..tag.len()).is_some_and(|h| h.eq_ignore_ascii_case(tag));
    let disguised = !html && (starts(b"<html") || starts(b"<!doctype html"));
    if disguised {
        remarks.push("the plain text part is HTML".to_owned());
    }
    Some(Body {
        html: html || disguised,
        flowed: attribute("format").is_some_and(|f| f.eq_ignore_ascii_case("flowed")),
        delsp: attribute("delsp").is_some_and(|f| f.eq_ignore_ascii_case("yes")),
        text,
    })
}

/// The library's decoding, unless its label was unknown, absent or plainly wrong.
fn right_charset(
    raw: &[u8],
    part: &MessagePart<'_>,
    text: &str,
    label: Option<&str>,
    remarks: &mut Vec<String>,
) -> String {
    let damaged = text.contains('\u{fffd}');
    // UTF-8 read as latin-1 shows as pairs like Ã¼; cheap to suspect, certain once the bytes decode.
    let suspect = text.chars().any(|c| ('\u{c2}'..='\u{f4}').contains(&c));
    if !damaged && !suspect {
        return text.to_owned();
    }
    let bytes = transfer_decoded(raw, part);
    if suspect && !damaged {
        let utf8_mark = label.is_none_or(|l| !l.to_ascii_lowercase().contains("utf"));
        return match std::str::from_utf8(&bytes) {
            Ok(utf8) if utf8_mark && utf8 != text => {
                remarks.push(format!("charset {} read as UTF-8", label.unwrap_or("(none)")));
                utf8.to_owned()
            }
            _ => text.to_owned(),
        };
    }
    let decoded = text::decode(&bytes, label);
    if let Some(guess) = decoded.guessed {
        remarks.push(format!("charset {} read as {guess}", label.unwrap_or("(none)")));
    }
    decoded.text.into_owned()
}

/// The part's bytes with its transfer encoding undone.
fn transfer_decoded<'a>(raw: &'a [u8], part: &MessagePart<'_>) -> Cow<'a, [u8]> {
    let slice = raw.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
    let decoded = match part.encoding {
        Encoding::None => None,
        Encoding::QuotedPrintable => quoted_printable_decode(slice),
        Encoding::Base64 => base64_decode(slice),
    };
    decoded.map_or(Cow::Borrowed(slice), Cow::Owned)
}

fn attachment<'a>(raw: &'a [u8], part: &MessagePart<'_>, remarks: &mut Vec<String>) -> Part<'a> {
    let media_type = match (part.content_type(), &part.body) {
        (Some(c), _) => {
            format!("{}/{}", c.ctype(), c.subtype().unwrap_or("octet-stream")).to_ascii_lowercase()
        }
        (None, PartType::Message(_)) => "message/rfc822".to_owned(),
        (None, PartType::Text(_)) => "text/plain".to_owned(),
        (None, _) => "application/octet-stream".to_owned(),
    };
    let bytes = match &part.body {
        PartType::Message(nested) if part.encoding != Encoding::None => {
            Cow::Owned(nested.raw_message.to_vec())
        }
        PartType::Binary(bytes) | PartType::InlineBinary(bytes)
            if part.encoding != Encoding::None =>
        {
            Cow::Owned(bytes.to_vec())
        }
        _ => transfer_decoded(raw, part),
    };
    let name = text::one_line(&rescue(part.attachment_name().unwrap_or_default(), remarks));
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let disposed = part.content_disposition().is_some_and(|d| d.is_attachment());
    let inline_picture =
        media_type.starts_with("image/") && part.content_id().is_some() && !disposed;
    Part { name, media_type, bytes, inline_picture }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(raw: &[u8]) -> (String, Vec<String>) {
        with_parsed(raw, |p| (p.envelope.subject, p.remarks)).expect("a message")
    }

    #[test]
    fn raw_8_bit_headers_are_guessed_and_remarked() {
        let (got, remarks) = subject(b"Subject: Gr\xfc\xdfe aus K\xf6ln\nFrom: a@b.c\n\nx");
        assert_eq!(got, "Grüße aus Köln");
        assert!(remarks[0].contains("windows-1252"), "{remarks:?}");
    }

    #[test]
    fn encoded_words_with_invented_charsets_are_decoded_with_a_guess() {
        let (got, remarks) = subject(b"Subject: =?default_charset?Q?Caf=E9?= =?x?B?w6k=?=\n\nx");
        assert_eq!(got, "Caféé");
        assert!(remarks[0].contains("default_charset"), "{remarks:?}");
    }

    #[test]
    fn a_date_that_cannot_be_true_gives_way_to_the_time_of_receipt() {
        let received = "Received: from a by b; Tue, 3 Sep 2002 10:00:00 +0000\n";
        let read = |date: &str, received: &str| {
            let raw = format!("{received}Date: {date}\nSubject: s\n\nx");
            with_parsed(raw.as_bytes(), |p| (p.envelope.date.map(|d| d.utc_s), p.remarks.len()))
                .unwrap()
        };
        let receipt = Some(1_031_047_200);
        assert_eq!(read("Thu, 1 Jan 1970 00:00:00 +0000", received), (receipt, 2));
        assert_eq!(read("Sat, 3 Sep 2022 10:00:00 +0000", received), (receipt, 2));
        assert_eq!(read("Sat, 3 Sep 2162 10:00:00 +0000", ""), (None, 1));
        // Sent long before it was received, or by a clock that is a day fast.
        assert_eq!(read("Mon, 3 Sep 2001 10:00:00 +0000", received), (Some(999_511_200), 0));
        assert_eq!(read("Wed, 4 Sep 2002 10:00:00 +0000", received), (Some(1_031_133_600), 0));
    }

    #[test]
    fn encoded_words_in_utf8_are_no_guess_and_no_remark() {
        for subject_line in [
            "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
            "\"=?UTF-8?B?R3LDvMOfZQ==?=\"",
            "=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=",
        ] {
            let (got, remarks) = subject(format!("Subject: {subject_line}\n\nx").as_bytes());
            assert_eq!(got.trim_matches(['"', ' ']), "Grüße");
            assert!(remarks.is_empty(), "{remarks:?}");
        }
    }

    #[test]
    fn headers_that_end_with_the_file_are_still_read() {
        assert_eq!(subject(b"From: a@b.c\nSubject: cut").0, "cut");
    }

    #[test]
    fn utf8_that_says_it_is_latin_1_is_read_as_utf8() {
        let raw = "Content-Type: text/plain; charset=iso-8859-1\n\nfür Zoë".as_bytes();
        let text = with_parsed(raw, |p| p.bodies[0].text.clone()).expect("a message");
        assert_eq!(text, "für Zoë");
    }

    #[test]
    fn ten_thousand_nested_messages_are_refused_as_structure_but_kept_as_text() {
        let raw = "Subject: deep\nContent-Type: message/rfc822\n\n".repeat(10_000) + "bottom";
        let (text, remarks) =
            with_parsed(raw.as_bytes(), |p| (p.bodies[0].text.clone(), p.remarks))
                .expect("headers");
        assert!(text.ends_with("bottom"));
        assert!(remarks[0].contains("10000 MIME parts"), "{remarks:?}");
    }
}
