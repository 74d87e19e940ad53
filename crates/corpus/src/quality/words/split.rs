//! A chunk between white space, cut into words as spaCy's English tokenizer cuts it.
//!
//! ```text
//! while something can be cut off:
//!     stop if what is left is an exception
//!     cut a sign off the front; cut a sign, 's or unit off the end
//! what is left is an exception, an address, or is cut at signs inside
//! finally, neighbours that together are an exception become what the exception says
//! ```
//!
//! Language models are judged by filters that were tuned on these words, so the cuts are the same ones; what spaCy
//! states as regular expressions with look-behind is written out here.

use super::chars::{ALPHA, BEFORE_STOP, CLINGING, CURRENCY, DIGIT, ICON, LOWER, QUOTE, UPPER, is};
use super::exceptions;
use hashbrown::HashMap;
use regex::Regex;
use std::sync::LazyLock;

/// Units of measurement: cut off after a digit.
const UNITS: &str = "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s \
    km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм \
    кг г мг м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ";

/// What marks a compound, in the order in which it is tried.
const HYPHENS: [&str; 7] = ["-", "–", "—", "--", "---", "——", "~"];

const LETTER: &str = r"A-Za-z0-9\u{a1}-\u{ffff}";

/// The splitter: its tables, made once.
#[derive(Debug)]
pub(super) struct Splitter {
    /// Exceptions with the byte lengths of their parts.
    exceptions: HashMap<String, Vec<usize>>,
    /// Exceptions that the rules alone would cut, with the byte lengths of those cuts.
    cut_exceptions: HashMap<String, Vec<usize>>,
    longest_cut: usize,
    domain: Option<Regex>,
    address: Option<Regex>,
}

impl Splitter {
    /// The tables, shared by all.
    pub(super) fn shared() -> &'static Self {
        static SHARED: LazyLock<Splitter> = LazyLock::new(Splitter::new);
        &SHARED
    }

    fn new() -> Self {
        let front = r"^(?:[\w+\-.]{2,}://)?(?:\S+(?::\S*)?@)?";
        let back = r"(?::\d{2,5})?(?:[/?#]\S*)?$";
        // The top-level domain is of small letters or of a script without capitals; checked after the match.
        let domain = format!(
            r"{front}(?:(?:[{LETTER}][{LETTER}_-]{{0,62}})?[{LETTER}]\.)+([^\W\d_A-Z]{{2,63}}){back}"
        );
        let octet = r"(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5]))";
        let address = format!(
            r"{front}((?:[1-9]\d?|1\d\d|2[01]\d|22[0-3]){octet}{{2}}\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4])){back}"
        );
        let mut splitter = Self {
            exceptions: HashMap::new(),
            cut_exceptions: HashMap::new(),
            longest_cut: 0,
            domain: Regex::new(&domain).ok(),
            address: Regex::new(&address).ok(),
        };
        let exceptions = exceptions::all();
        for exception in exceptions.keys() {
            if prefix(exception) + suffix(exception) > 0 || infix(exception, 0).is_some() {
                let mut cuts = Vec::new();
                splitter.cut(exception, &mut cuts);
                splitter.longest_cut = splitter.longest_cut.max(cuts.len());
                splitter.cut_exceptions.insert(exception.clone(), cuts);
            }
        }
        splitter.exceptions = exceptions;
        splitter
    }

    /// The byte lengths of the words of a chunk that holds no white space.
    pub(super) fn split(&self, chunk: &str) -> Vec<usize> {
        let mut lens = Vec::with_capacity(4);
        match self.exceptions.get(chunk) {
            Some(parts) => lens.extend_from_slice(parts),
            None => {
                self.cut(chunk, &mut lens);
                self.join_exceptions(chunk, &mut lens);
            }
        }
        lens
    }

    fn cut(&self, chunk: &str, lens: &mut Vec<usize>) {
        let mut rest = chunk;
        let mut back_lens = Vec::new();
        let is_exception = |text: &str| !text.is_empty() && self.exceptions.contains_key(text);
        while !rest.is_empty() && !is_exception(rest) {
            let front = prefix(rest);
            if front > 0 && is_exception(&rest[front..]) {
                lens.push(front);
                rest = &rest[front..];
                break;
            }
            let back = suffix(&rest[front..]);
            if back > 0 && is_exception(&rest[..rest.len() - back]) {
                back_lens.push(back);
                rest = &rest[..rest.len() - back];
                break;
            }
            if front == 0 && back == 0 {
                break;
            }
            lens.extend((front > 0).then_some(front));
            back_lens.extend((back > 0).then_some(back));
            rest = &rest[front..rest.len() - back];
        }
        match self.exceptions.get(rest) {
            Some(parts) => lens.extend_from_slice(parts),
            None if rest.is_empty() => {}
            None if self.is_web_address(rest) => lens.push(rest.len()),
            None => cut_inside(rest, lens),
        }
        lens.extend(back_lens.into_iter().rev());
    }

    /// Where neighbours together are an exception that the rules cut apart, what the exception says holds: the
    /// longest first, then the leftmost.
    fn join_exceptions(&self, chunk: &str, lens: &mut Vec<usize>) {
        let n = lens.len();
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        for start in 0..n {
            let mut len = 0;
            for end in start..n.min(start + self.longest_cut) {
                len += lens[end];
                let cuts = self.cut_exceptions.get(&chunk[at..at + len]);
                if cuts.is_some_and(|cuts| cuts[..] == lens[start..=end]) {
                    found.push((start, end + 1));
                }
            }
            at += lens[start];
        }
        if found.is_empty() {
            return;
        }
        found.sort_by_key(|&(start, end)| (std::cmp::Reverse(end - start), start));
        let mut seen = vec![false; n];
        let mut ends = vec![0; n];
        for (start, end) in found {
            if !seen[start] && !seen[end - 1] {
                ends[start] = end;
            }
            seen[start..end].fill(true);
        }
        let old = std::mem::take(lens);
        let (mut place, mut at) = (0, 0);
        while place < n {
            let end = ends[place].max(place + 1);
            let len: usize = old[place..end].iter().sum();
            match self.exceptions.get(&chunk[at..at + len]) {
                Some(parts) if ends[place] > 0 => lens.extend_from_slice(parts),
                _ => lens.extend_from_slice(&old[place..end]),
            }
            (place, at) = (end, at + len);
        }
    }

    fn is_web_address(&self, text: &str) -> bool {
        // Both forms need a full stop inside.
        let inside = text.len() >= 4 && text.as_bytes()[..text.len() - 1].contains(&b'.');
        if !inside {
            return false;
        }
        let domain = self.domain.as_ref().and_then(|domain| domain.captures(text));
        let small = |top: regex::Match<'_>| top.as_str().chars().all(|c| is(c, LOWER));
        if domain.and_then(|found| found.get(1)).is_some_and(small) {
            return true;
        }
        let address = self.address.as_ref().and_then(|address| address.captures(text));
        address.and_then(|found| found.get(1)).is_some_and(|found| !is_local(found.as_str()))
    }
}

/// Networks without a place in the world.
fn is_local(address: &str) -> bool {
    let mut numbers = address.split('.').map(|number| number.parse::<u16>().unwrap_or(0));
    match (numbers.next(), numbers.next()) {
        (Some(10 | 127), _) | (Some(169), Some(254)) | (Some(192), Some(168)) => true,
        (Some(172), Some(second)) => (16..=31).contains(&second),
        _ => false,
    }
}

/// Bytes to cut off the front; 0 if nothing.
fn prefix(text: &str) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    let second = chars.next();
    if matches!(first, '§' | '%' | '=' | '—' | '–') || is(first, CLINGING) {
        return first.len_utf8();
    }
    match first {
        '+' => usize::from(!second.is_some_and(|c| is(c, DIGIT))),
        '.' => match text.bytes().take_while(|&byte| byte == b'.').count() {
            1 => 0,
            stops => stops,
        },
        'U' if text.starts_with("US$") => 3,
        'C' | 'A' if second == Some('$') => 2,
        _ if is(first, CURRENCY | ICON) => first.len_utf8(),
        _ => 0,
    }
}

/// Bytes to cut off the end; 0 if nothing. Where several endings fit, the longest.
fn suffix(text: &str) -> usize {
    let mut chars = text.chars().rev();
    let Some(last) = chars.next() else { return 0 };
    let (second, third) = (chars.next(), chars.next());
    let was = |c: Option<char>, kinds| c.is_some_and(|c| is(c, kinds));
    let mut longest = 0;
    if is(last, CLINGING | ICON) || matches!(last, '—' | '–') {
        longest = last.len_utf8();
        if last == '…' && second == Some('…') {
            longest *= 2;
        }
    }
    match last {
        's' | 'S' if matches!(second, Some('\'' | '’')) => {
            longest = longest.max(1 + second.map_or(0, char::len_utf8));
        }
        '+' if was(second, DIGIT) => longest = longest.max(1),
        '.' => {
            let stops = text.bytes().rev().take_while(|&byte| byte == b'.').count();
            let temperature =
                matches!(second, Some('F' | 'f' | 'C' | 'c' | 'K' | 'k')) && third == Some('°');
            let cut = temperature
                || was(second, DIGIT | LOWER | BEFORE_STOP)
                || (was(second, UPPER) && was(third, UPPER));
            longest = if stops > 1 { stops } else { longest.max(usize::from(cut)) };
        }
        _ => {}
    }
    if is(last, CURRENCY) {
        for sign in ["US$", "C$", "A$"] {
            if after_digit(text, sign) {
                longest = longest.max(sign.len());
            }
        }
        if was(second, DIGIT) {
            longest = longest.max(last.len_utf8());
        }
    }
    // Words hold a digit far less often than a letter: look for the digit first.
    if text.bytes().rev().take(9).any(|byte| byte.is_ascii_digit()) {
        for unit in UNITS.split(' ') {
            if unit.len() > longest && after_digit(text, unit) {
                longest = unit.len();
            }
        }
    }
    longest
}

fn after_digit(text: &str, ending: &str) -> bool {
    text.strip_suffix(ending).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()))
}

/// The first sign inside `text` at or after `from` at which it is cut, as its place and length in bytes.
fn infix(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut before = text[..from].chars().next_back();
    for (at, c) in text[from..].char_indices() {
        let at = from + at;
        let len = infix_at(text, at, c, before);
        if len > 0 {
            return Some((at, len));
        }
        before = Some(c);
    }
    None
}

fn infix_at(text: &str, at: usize, c: char, before: Option<char>) -> usize {
    let rest = &text[at + c.len_utf8()..];
    let after = rest.chars().next();
    let was = |kinds| before.is_some_and(|c| is(c, kinds));
    let comes = |kinds| after.is_some_and(|c| is(c, kinds));
    if c == '.' {
        let stops = 1 + rest.bytes().take_while(|&byte| byte == b'.').count();
        if stops > 1 {
            return stops;
        }
        return usize::from(was(LOWER | QUOTE) && comes(UPPER | QUOTE));
    }
    if c == '…' || is(c, ICON) {
        return c.len_utf8();
    }
    if matches!(c, '+' | '-' | '*' | '^')
        && was(DIGIT)
        && after.is_some_and(|c| is(c, DIGIT) || c == '-')
    {
        return 1;
    }
    if c == ',' && was(ALPHA) && comes(ALPHA) {
        return 1;
    }
    if was(ALPHA | DIGIT) {
        if matches!(c, ':' | '<' | '>' | '=' | '/') && comes(ALPHA) {
            return 1;
        }
        for hyphen in HYPHENS {
            let found = text[at..].strip_prefix(hyphen);
            if found.is_some_and(|after| after.starts_with(|c| is(c, ALPHA))) {
                return hyphen.len();
            }
        }
    }
    0
}

/// Cuts at every sign inside; one at the very beginning does not count.
fn cut_inside(text: &str, lens: &mut Vec<usize>) {
    let (mut start, mut from) = (0, 0);
    while let Some((at, len)) = infix(text, from) {
        from = at + len;
        if at == 0 {
            continue;
        }
        lens.extend((at > start).then_some(at - start));
        lens.push(len);
        start = from;
    }
    lens.extend((start < text.len()).then_some(text.len() - start));
}
