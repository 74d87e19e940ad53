//! What a file is, by its first bytes before its name: people rename, programs forget extensions.

/// The formats the readers know; everything else is kept by name only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Mail,
    Mbox,
    Calendar,
    Contacts,
    Markdown,
    Text,
    Html,
    Pdf,
    Docx,
    /// No reader: the media type, by name or first bytes.
    Other(&'static str),
}

impl Format {
    /// Whether a reader looks inside.
    #[must_use]
    pub fn is_read(self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

/// Decides by the first kilobytes of the content and the path.
pub(crate) fn format(path: &str, head: &[u8]) -> Format {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = extension(name);
    if let Some(format) = by_magic(head, &extension) {
        return format;
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |tag: &[u8]| text.get(..tag.len()).is_some_and(|t| t.eq_ignore_ascii_case(tag));
    if starts(b"BEGIN:VCALENDAR") || starts(b"BEGIN:VEVENT") {
        return Format::Calendar;
    }
    if starts(b"BEGIN:VCARD") {
        return Format::Contacts;
    }
    if in_maildir(path) {
        return Format::Mail;
    }
    let separated = text.starts_with(b"From ") && super::mbox::is_envelope(first_line(text));
    match extension.as_str() {
        "eml" | "mht" | "mhtml" | "emlx" | "msg822" => return Format::Mail,
        "mbox" | "mbx" | "mboxrd" if text.starts_with(b"From ") => return Format::Mbox,
        "ics" | "ical" | "ifb" | "icalendar" => return Format::Calendar,
        "vcf" | "vcard" => return Format::Contacts,
        "docx" | "docm" => return Format::Docx,
        "md" | "markdown" | "mdown" | "mkd" => return Format::Markdown,
        "html" | "htm" | "xhtml" => return Format::Html,
        // Exported mails are often named so; only headers that programs write make a text one.
        "txt" | "text" if separated => return Format::Mbox,
        "txt" | "text" if looks_like_mail(text, true) => return Format::Mail,
        "txt" | "text" | "org" | "rst" | "csv" | "tsv" | "log" | "adoc" | "tex" => {
            return Format::Text;
        }
        _ => {}
    }
    if separated {
        return Format::Mbox;
    }
    if looks_like_mail(text, false) {
        return Format::Mail;
    }
    if starts(b"<!doctype html") || starts(b"<html") {
        return Format::Html;
    }
    if let Some(media_type) = media_type_of(&extension) {
        return Format::Other(media_type);
    }
    if looks_like_text(head) { Format::Text } else { Format::Other("application/octet-stream") }
}

/// By media type and name, for attachments: the sender's word counts when the bytes say nothing.
pub(crate) fn of_attachment(media_type: &str, name: &str, bytes: &[u8]) -> Format {
    let head = &bytes[..bytes.len().min(8 << 10)];
    if let Some(format) = by_magic(head, &extension(name)) {
        return format;
    }
    match media_type {
        "message/rfc822" | "message/global" => Format::Mail,
        "text/calendar" | "application/ics" => Format::Calendar,
        "text/vcard" | "text/x-vcard" | "text/directory" => Format::Contacts,
        "text/html" | "application/xhtml+xml" => Format::Html,
        "text/markdown" => Format::Markdown,
        "message/delivery-status" | "text/rfc822-headers" | "message/disposition-notification" => {
            Format::Text
        }
        _ => match format(name, head) {
            // Letters inside letters only where the sender says so: a text that quotes headers is a text.
            Format::Mail | Format::Mbox if media_type.starts_with("text/") => Format::Text,
            Format::Text
                if !media_type.starts_with("text/") && media_type != "application/octet-stream" =>
            {
                Format::Other(known(media_type))
            }
            Format::Other("application/octet-stream") => Format::Other(known(media_type)),
            format => format,
        },
    }
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
}

fn by_magic(head: &[u8], extension: &str) -> Option<Format> {
    let early = &head[..head.len().min(1024)];
    if early.windows(5).any(|w| w == b"%PDF-") && (head.starts_with(b"%PDF-") || extension == "pdf")
    {
        return Some(Format::Pdf);
    }
    if head.starts_with(b"PK\x03\x04") {
        let docx =
            extension == "docx" || extension == "docm" || head.windows(5).any(|w| w == b"word/");
        let media_type = media_type_of(extension).unwrap_or("application/zip");
        return Some(if docx { Format::Docx } else { Format::Other(media_type) });
    }
    // A Word file with a password is an OLE container; its reader says so.
    if head.starts_with(b"\xd0\xcf\x11\xe0") && extension == "docx" {
        return Some(Format::Docx);
    }
    const MAGIC: [(&[u8], &str); 12] = [
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"OggS", "audio/ogg"),
        (b"ID3", "audio/mpeg"),
        (b"fLaC", "audio/flac"),
        (b"\x1f\x8b", "application/gzip"),
        (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
        (b"SQLite format 3\0", "application/vnd.sqlite3"),
    ];
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, t)| Format::Other(t))
}

/// `…/cur/NAME` or `…/new/NAME`: the Maildir layout.
fn in_maildir(path: &str) -> bool {
    let mut parents = path.rsplit('/').skip(1);
    matches!(parents.next(), Some("cur" | "new"))
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|b| *b == b'\n').next().unwrap_or_default()
}

/// The first line is a header and three of the headers mail has stand among the first lines; `carried` asks
/// for one of those that only a transport writes.
fn looks_like_mail(text: &[u8], carried: bool) -> bool {
    const NAMES: [&str; 12] = [
        "received",
        "return-path",
        "message-id",
        "delivered-to",
        "from",
        "to",
        "subject",
        "date",
        "mime-version",
        "x-mailer",
        "reply-to",
        "content-type",
    ];
    let mut seen = [false; NAMES.len()];
    for (i, line) in text.split(|b| *b == b'\n').take(60).enumerate() {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            if i == 0 {
                return false;
            }
            break;
        };
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        if !name.bytes().all(|b| b.is_ascii_graphic()) {
            break;
        }
        if let Some(at) = NAMES.iter().position(|n| *n == name) {
            seen[at] = true;
        }
    }
    seen.iter().filter(|s| **s).count() >= 3 && (!carried || seen[..4].contains(&true))
}

/// No zero bytes and nearly no control characters, or UTF-16.
fn looks_like_text(head: &[u8]) -> bool {
    if head.is_empty() || head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let odd = head.iter().filter(|b| **b < 0x20 && !b"\t\n\r\x0c\x1b".contains(b)).count();
    !head.contains(&0) && odd * 100 <= head.len()
}

fn media_type_of(extension: &str) -> Option<&'static str> {
    TYPES.iter().find(|(e, _)| *e == extension).map(|(_, t)| *t)
}

/// The media type as one of our own strings, so that formats stay `Copy`.
fn known(media_type: &str) -> &'static str {
    TYPES.iter().find(|(_, t)| *t == media_type).map_or("application/octet-stream", |(_, t)| *t)
}

const TYPES: [(&str, &str); 38] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("heic", "image/heic"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("bmp", "image/bmp"),
    ("svg", "image/svg+xml"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("avi", "video/x-msvideo"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("tgz", "application/gzip"),
    ("7z", "application/x-7z-compressed"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("epub", "application/epub+zip"),
    ("rtf", "application/rtf"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("p7s", "application/pkcs7-signature"),
    ("asc", "application/pgp-signature"),
    ("dat", "application/ms-tnef"),
    ("db", "application/vnd.sqlite3"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_before_the_name() {
        assert_eq!(format("a.txt", b"%PDF-1.7\n"), Format::Pdf);
        assert_eq!(format("a", b"\xef\xbb\xbfBEGIN:VCALENDAR\r\n"), Format::Calendar);
        assert_eq!(format("x/00001.abc", b"Received: x\nFrom: a\nTo: b\n\nhi"), Format::Mail);
        assert_eq!(format("x", b"From a@b.c Thu Aug 22 12:36:23 2002\nFrom: a\n"), Format::Mbox);
        assert_eq!(format("Mail/cur/1:2,S", b"anything"), Format::Mail);
        assert_eq!(format("notes.txt", b"From: me\nTo: you\nDate: now\n"), Format::Text);
        assert_eq!(format("photo", b"\xff\xd8\xff\xe0"), Format::Other("image/jpeg"));
        assert_eq!(format("report.docx", b"PK\x03\x04...."), Format::Docx);
        assert!(!format("table.xlsx", b"PK\x03\x04....").is_read());
    }
}
