//! Character references of HTML.

/// Named references that occur in documentation and articles; others stay as they are written.
const NAMED: [(&str, &str); 44] = [
    ("AMP", "&"),
    ("GT", ">"),
    ("LT", "<"),
    ("Uuml", "Ü"),
    ("aacute", "á"),
    ("agrave", "à"),
    ("amp", "&"),
    ("apos", "'"),
    ("auml", "ä"),
    ("bull", "•"),
    ("ccedil", "ç"),
    ("copy", "©"),
    ("deg", "°"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("euro", "€"),
    ("frac12", "½"),
    ("ge", "≥"),
    ("gt", ">"),
    ("hellip", "…"),
    ("iacute", "í"),
    ("laquo", "«"),
    ("larr", "←"),
    ("ldquo", "“"),
    ("le", "≤"),
    ("lsquo", "‘"),
    ("lt", "<"),
    ("mdash", "—"),
    ("middot", "·"),
    ("nbsp", "\u{a0}"),
    ("ndash", "–"),
    ("ntilde", "ñ"),
    ("oacute", "ó"),
    ("ouml", "ö"),
    ("para", "¶"),
    ("quot", "\""),
    ("raquo", "»"),
    ("rarr", "→"),
    ("rdquo", "”"),
    ("reg", "®"),
    ("rsquo", "’"),
    ("szlig", "ß"),
    ("times", "×"),
    ("uuml", "ü"),
];

/// Appends `text` with its references resolved.
pub(super) fn push_resolved(out: &mut String, mut text: &str) {
    while let Some(at) = text.find('&') {
        out.push_str(&text[..at]);
        text = &text[at..];
        // No name is longer than this.
        let end = text.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((resolve(&text[1..end])?, end))) {
            Some((resolved, end)) => {
                out.push_str(&resolved);
                text = &text[end + 1..];
            }
            None => {
                out.push('&');
                text = &text[1..];
            }
        }
    }
    out.push_str(text);
}

fn resolve(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).map(String::from);
    }
    let at = NAMED.binary_search_by_key(&name, |(name, _)| name).ok()?;
    Some(NAMED[at].1.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_lone_ampersands_stay() {
        let mut text = String::new();
        push_resolved(&mut text, "a &lt; b &amp;&#233;&#x2014;&nosuch; R&D; &");
        assert_eq!(text, "a < b &é—&nosuch; R&D; &");
        assert!(NAMED.is_sorted_by_key(|(name, _)| name));
    }
}
