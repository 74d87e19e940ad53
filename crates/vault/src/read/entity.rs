//! HTML character references: numeric ones, and the names of HTML 4 that mail and pages use.

use std::borrow::Cow;

/// Replaces character references by their characters; what is no reference stays as it stands.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('&') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match reference(rest) {
            Some((c, length)) => {
                out.push(c);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character named at the start of `text` (which begins with `&`), and the length of its name.
fn reference(text: &str) -> Option<(char, usize)> {
    let body = &text[1..];
    if let Some(number) = body.strip_prefix('#') {
        let (digits, radix, skip) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (hex, 16, 3),
            None => (number, 10, 2),
        };
        let n = digits.bytes().take_while(|b| (*b as char).is_digit(radix)).take(8).count();
        let code = u32::from_str_radix(&digits[..n], radix).ok()?;
        let semicolon = usize::from(digits[n..].starts_with(';'));
        return Some((from_code(code), skip + n + semicolon));
    }
    let n = body.bytes().take_while(u8::is_ascii_alphanumeric).take(10).count();
    let name = &body[..n];
    let semicolon = body[n..].starts_with(';');
    if semicolon {
        return lookup(name).map(|c| (c, n + 2));
    }
    // Without the semicolon only the old names count, as browsers have it: `AT&T` stays, `&nbsp ` does not.
    const BARE: [&str; 6] = ["nbsp", "amp", "lt", "gt", "quot", "copy"];
    BARE.contains(&name).then(|| lookup(name)).flatten().map(|c| (c, n + 1))
}

/// Numbers 128–159 mean windows-1252 on the web.
fn from_code(code: u32) -> char {
    match code {
        0 => '\u{fffd}',
        128..=159 => {
            let byte = [code as u8];
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte);
            text.chars().next().unwrap_or('\u{fffd}')
        }
        _ => char::from_u32(code).unwrap_or('\u{fffd}'),
    }
}

fn lookup(name: &str) -> Option<char> {
    if let Some(at) = LATIN_1.iter().position(|n| *n == name) {
        return char::from_u32(0xa0 + at as u32);
    }
    OTHERS.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
}

/// Names of U+00A0 … U+00FF in order.
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf",
    "laquo", "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
    "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];

#[rustfmt::skip]
const OTHERS: [(&str, char); 84] = [
    ("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("AMP", '&'), ("LT", '<'),
    ("GT", '>'), ("QUOT", '"'), ("OElig", 'Œ'), ("oelig", 'œ'), ("Scaron", 'Š'), ("scaron", 'š'),
    ("Yuml", 'Ÿ'), ("fnof", 'ƒ'), ("circ", 'ˆ'), ("tilde", '˜'), ("ensp", '\u{2002}'), ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'), ("zwnj", '\u{200c}'), ("zwj", '\u{200d}'), ("lrm", '\u{200e}'),
    ("rlm", '\u{200f}'), ("ndash", '–'), ("mdash", '—'), ("lsquo", '‘'), ("rsquo", '’'), ("sbquo", '‚'),
    ("ldquo", '“'), ("rdquo", '”'), ("bdquo", '„'), ("dagger", '†'), ("Dagger", '‡'), ("bull", '•'),
    ("hellip", '…'), ("permil", '‰'), ("prime", '′'), ("Prime", '″'), ("lsaquo", '‹'), ("rsaquo", '›'),
    ("euro", '€'), ("trade", '™'), ("larr", '←'), ("uarr", '↑'), ("rarr", '→'), ("darr", '↓'),
    ("harr", '↔'), ("rArr", '⇒'), ("lArr", '⇐'), ("minus", '−'), ("infin", '∞'), ("ne", '≠'), ("le", '≤'),
    ("ge", '≥'), ("asymp", '≈'), ("radic", '√'), ("sum", '∑'), ("prod", '∏'), ("part", '∂'), ("int", '∫'),
    ("loz", '◊'), ("spades", '♠'), ("clubs", '♣'), ("hearts", '♥'), ("diams", '♦'), ("alpha", 'α'),
    ("beta", 'β'), ("gamma", 'γ'), ("delta", 'δ'), ("epsilon", 'ε'), ("lambda", 'λ'), ("mu", 'μ'),
    ("pi", 'π'), ("sigma", 'σ'), ("omega", 'ω'), ("Delta", 'Δ'), ("Omega", 'Ω'), ("check", '✓'),
    ("star", '☆'), ("starf", '★'), ("nbsp", '\u{a0}'), ("NewLine", '\n'), ("Tab", '\t'),
];

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn references_by_name_and_number_become_characters_and_the_rest_stays() {
        assert_eq!(decode("&euro;5 &amp; caf&eacute; &#8364; &#x20AC; &#150;"), "€5 & café € € –");
        assert_eq!(decode("AT&T &unknown; &#; & &nbsp x"), "AT&T &unknown; &#; & \u{a0} x");
        assert_eq!(decode("&#1114112;&#0;"), "\u{fffd}\u{fffd}");
    }
}
