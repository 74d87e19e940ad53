//! The HTML of a mail, with the pictures it carries put in place, for the sandboxed frame.
//!
//! The vault keeps a mail's text; how it looked is taken from the original when somebody wants to see it. What
//! comes out is not safe yet: [`crate::html::sanitise`] follows.

use mail_parser::{MessageParser, MimeHeaders, PartType};

/// Longer originals, or those with more parts, are shown as text only: hostile structure costs time.
const MAX_BYTES: usize = 24 << 20;
const MAX_PARTS: usize = 200;
/// All pictures of one mail together, before encoding.
const MAX_PICTURE_BYTES: usize = 6 << 20;

/// The HTML body of a raw message, when it has one of its own.
pub(super) fn html_of(raw: &[u8]) -> Option<String> {
    if raw.len() > MAX_BYTES || boundaries(raw) > MAX_PARTS {
        return None;
    }
    let message = MessageParser::default().parse(raw)?;
    let html = message.html_body.iter().find_map(|&id| match &message.part(id)?.body {
        PartType::Html(html) => Some(html.to_string()),
        _ => None,
    })?;
    let mut budget = MAX_PICTURE_BYTES;
    let pictures = message.parts.iter().filter_map(|part| {
        let id = part.content_id()?.trim_matches(['<', '>']).to_owned();
        let kind = part.content_type()?;
        let subtype = kind.subtype().unwrap_or("").to_ascii_lowercase();
        let shown = kind.ctype().eq_ignore_ascii_case("image")
            && matches!(subtype.as_str(), "png" | "jpeg" | "gif" | "webp");
        budget = budget.checked_sub(part.contents().len())?;
        shown.then(|| {
            (id, format!("data:image/{subtype};base64,{}", crate::base64::encode(part.contents())))
        })
    });
    Some(pictures.fold(html, |html, (id, picture)| html.replace(&format!("cid:{id}"), &picture)))
}

/// How many lines declare a part.
fn boundaries(raw: &[u8]) -> usize {
    raw.split(|&byte| byte == b'\n')
        .filter(|line| {
            line.get(..13).is_some_and(|start| start.eq_ignore_ascii_case(b"content-type:"))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::html_of;

    #[test]
    fn a_picture_named_by_its_id_is_put_in_place() {
        let raw = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\
            Content-Type: text/html\r\n\r\n<p>See <img src=\"cid:map@x\"></p>\r\n--b\r\n\
            Content-Type: image/png\r\nContent-ID: <map@x>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0=\r\n--b--\r\n";
        let html = html_of(raw).unwrap();
        assert!(html.contains("src=\"data:image/png;base64,iVBORw0=\""), "{html}");
    }

    #[test]
    fn a_plain_mail_and_a_thousand_parts_have_no_html_to_show() {
        assert!(html_of(b"Subject: x\r\n\r\nhello").is_none());
        let many = "Content-Type: multipart/mixed; boundary=b\n".repeat(1000);
        assert!(html_of(many.as_bytes()).is_none());
    }
}
