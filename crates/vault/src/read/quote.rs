//! Which lines of a mail are the writer's own, which repeat an earlier message, and which are a signature.
//!
//! Quotes are found by what people's programs write: `>` prefixes, an attribution line before them ("On …
//! wrote:" in the languages below), Outlook's header block ("From: … Sent: … Subject:"), and the separators
//! "-----Original Message-----". A forwarded message is content: its separators do not start a quote.

use crate::item::{Section, Weight};

/// Splits a plain-text body into runs of one weight, in order; blank lines stay with the run they end.
pub(crate) fn split(text: &str, forward: bool) -> Vec<Section> {
    let lines: Vec<&str> = text.split('\n').collect();
    let weights = weigh(&lines, forward);
    let mut sections: Vec<Section> = Vec::new();
    let mut run = 0;
    for i in 1..=lines.len() {
        if i < lines.len() && weights[i] == weights[run] {
            continue;
        }
        let text = lines[run..i].join("\n");
        let text = text.trim_matches('\n').trim_end();
        if !text.is_empty() {
            match sections.last_mut() {
                Some(last) if last.weight == weights[run] => {
                    last.text.push_str("\n\n");
                    last.text.push_str(text);
                }
                _ => sections.push(Section {
                    heading: Vec::new(),
                    text: text.to_owned(),
                    weight: weights[run],
                }),
            }
        }
        run = i;
    }
    sections
}

fn weigh(lines: &[&str], forward: bool) -> Vec<Weight> {
    let mut weights = vec![Weight::Body; lines.len()];
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i].trim_end();
        if is_quoted(line) {
            weights[i] = Weight::Quoted;
            mark_attribution(lines, &mut weights, i);
        } else if line.is_empty() {
            if i > 0 {
                weights[i] = weights[i - 1];
            }
        } else if is_forward(line) {
            // The forwarded message's own header lines and text are content; its quotes are still quotes.
            i = skip_headers(lines, i + 1);
            continue;
        } else if !forward && (is_original(line) || is_header_block(&lines[i..])) {
            weights[i..].fill(Weight::Quoted);
            break;
        } else if is_signature_mark(lines[i]) || is_list_footer(&lines[i..]) {
            let end = signature_end(lines, i);
            weights[i..end].fill(Weight::Signature);
            i = end;
            continue;
        }
        i += 1;
    }
    if !forward {
        top_posted(lines, &mut weights);
    }
    weights
}

/// `> text`, `| text` is left alone (tables), `JD> text` as some old programs quote.
fn is_quoted(line: &str) -> bool {
    let line = line.trim_start_matches(' ');
    if line.starts_with('>') {
        // mbox escaping leaves ">From " in bodies; as one word it is a sentence, not a quote.
        return !line.starts_with(">From ");
    }
    let initials = line.bytes().take_while(u8::is_ascii_uppercase).count();
    (1..=3).contains(&initials) && line[initials..].starts_with("> ")
}

/// Marks the line or two before a quote that say who wrote it.
fn mark_attribution(lines: &[&str], weights: &mut [Weight], quote: usize) {
    let mut end = quote;
    while end > 0 && quote - end < 2 && lines[end - 1].trim().is_empty() {
        end -= 1;
    }
    if end == 0 || weights[end - 1] != Weight::Body {
        return;
    }
    if let Some(start) = attribution_start(lines, end) {
        weights[start..quote].fill(Weight::Quoted);
    }
}

/// The first of at most three lines ending before `end` that together read "… wrote:".
fn attribution_start(lines: &[&str], end: usize) -> Option<usize> {
    let last = lines[end - 1].trim();
    if !last.ends_with(':') && !last.ends_with(">:") {
        return None;
    }
    let mut found = None;
    for n in 1..=3.min(end) {
        let start = end - n;
        if lines[start].trim().is_empty() {
            break;
        }
        let joined = lines[start..end].join(" ");
        let joined = joined.trim();
        if is_attribution(joined) {
            // Wrapped over lines, it starts at its opening word.
            if opens(&joined.to_lowercase()) {
                return Some(start);
            }
            found = found.or(Some(start));
        }
    }
    found
}

fn opens(lower: &str) -> bool {
    OPENERS.iter().any(|o| lower.starts_with(o))
}

/// Verbs of "X wrote:" by language, and what such a line opens with.
const WROTE: [&str; 22] = [
    "wrote",
    "writes",
    "said",
    "schrieb",
    "schreibt",
    "geschrieben",
    "a écrit",
    "écrivait",
    "écrit",
    "a ecrit",
    "escribió",
    "escribio",
    "ha scritto",
    "scrive",
    "schreef",
    "het volgende geschreven",
    "escreveu",
    "skrev",
    "napisał",
    "kirjoitti",
    "написал",
    "пишет",
];
const OPENERS: [&str; 14] = [
    "on ",
    "am ",
    "le ",
    "el ",
    "il ",
    "op ",
    "em ",
    "den ",
    "at ",
    "dnia ",
    "quoting ",
    "zitat von ",
    "in ",
    "su ",
];

fn is_attribution(line: &str) -> bool {
    if line.len() > 400 {
        return false;
    }
    let lower = line.to_lowercase();
    let body = lower.trim_end_matches([':', ' ', '\u{a0}']);
    let verb = WROTE.iter().any(|v| contains_word(body, v));
    let opener = opens(&lower);
    let dated = lower.bytes().any(|b| b.is_ascii_digit());
    let address = lower.contains('@');
    lower.ends_with(':')
        && ((verb && (opener || address || body.len() < 80)) || (opener && dated && address))
}

fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let after = text[at + word.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric());
        before && after
    })
}

/// A dated attribution with no `>` under it, and only one: everything after it to the end is the quote.
fn top_posted(lines: &[&str], weights: &mut [Weight]) {
    for end in 1..lines.len() {
        let line = lines[end - 1].trim();
        if weights[end - 1] != Weight::Body || !line.ends_with(':') {
            continue;
        }
        let Some(start) = attribution_start(lines, end) else { continue };
        let lower = lines[start..end].join(" ").to_lowercase();
        let certain = opens(lower.trim_start())
            && lower.bytes().filter(u8::is_ascii_digit).count() >= 3
            && WROTE.iter().any(|v| contains_word(&lower, v));
        let own_text_before = weights[..start].contains(&Weight::Body);
        let later_quote = weights[end..].contains(&Weight::Quoted);
        if certain && own_text_before && !later_quote {
            for weight in &mut weights[start..] {
                if *weight == Weight::Body {
                    *weight = Weight::Quoted;
                }
            }
            return;
        }
    }
}

/// "-----Original Message-----" and its translations.
fn is_original(line: &str) -> bool {
    let Some(inner) = dashed(line) else { return false };
    const WORDS: [&str; 14] = [
        "original message",
        "ursprüngliche nachricht",
        "originalnachricht",
        "original-nachricht",
        "message d'origine",
        "message original",
        "message d’origine",
        "mensaje original",
        "messaggio originale",
        "oorspronkelijk bericht",
        "mensagem original",
        "ursprungligt meddelande",
        "opprinnelig melding",
        "oprindelig meddelelse",
    ];
    WORDS.iter().any(|w| inner.contains(w))
}

/// "---------- Forwarded message ----------" and its translations, dashed or Apple's "Begin forwarded message:".
pub(crate) fn is_forward(line: &str) -> bool {
    const WORDS: [&str; 15] = [
        "forwarded message",
        "forwarded by",
        "weitergeleitete nachricht",
        "anfang der weitergeleiteten",
        "message transféré",
        "message transmis",
        "début du message",
        "mensaje reenviado",
        "messaggio inoltrato",
        "doorgestuurd bericht",
        "mensagem encaminhada",
        "vidarebefordrat",
        "videresendt",
        "videresendte",
        "fwd:",
    ];
    if let Some(inner) = dashed(line) {
        return WORDS.iter().any(|w| inner.contains(w));
    }
    let lower = line.trim().to_lowercase();
    lower.ends_with(':')
        && [
            "begin forwarded message",
            "anfang der weitergeleiteten",
            "début du message",
            "inizio messaggio",
            "inicio del mensaje",
            "begin doorgestuurd",
            "início da mensagem",
            "vidarebefordrat brev",
        ]
        .iter()
        .any(|w| lower.starts_with(w))
}

/// Whether the first line that says something is a forwarding separator.
pub(crate) fn opens_forward(text: &str) -> bool {
    text.lines().map(str::trim).find(|l| !l.is_empty()).is_some_and(is_forward)
}

/// The words between runs of dashes or underscores, in lower case.
fn dashed(line: &str) -> Option<String> {
    let line = line.trim();
    if line.len() > 200 || !(line.starts_with("--") || line.starts_with("__")) {
        return None;
    }
    let inner = line.trim_matches(['-', '_', ' ', '=']);
    (!inner.is_empty()).then(|| inner.to_lowercase())
}

/// Header names of Outlook's block, by language: from, sent or date, to, subject.
const FROM: [&str; 9] = ["from", "von", "de", "da", "van", "från", "fra", "od", "от"];
const SENT: [&str; 19] = [
    "sent",
    "date",
    "gesendet",
    "datum",
    "envoyé",
    "envoyée",
    "envoyé le",
    "enviado",
    "enviado el",
    "fecha",
    "inviato",
    "data",
    "verzonden",
    "enviada",
    "skickat",
    "sendt",
    "dato",
    "wysłano",
    "дата",
];
const SUBJECT: [&str; 9] =
    ["subject", "betreff", "objet", "asunto", "oggetto", "onderwerp", "assunto", "ämne", "emne"];

/// A "From:" line followed within six lines by a "Sent:"/"Date:" line and a "Subject:" line.
fn is_header_block(lines: &[&str]) -> bool {
    if header_name(lines[0]).is_none_or(|n| !FROM.contains(&n.as_str())) {
        return false;
    }
    let names: Vec<String> = lines[1..].iter().take(7).filter_map(|l| header_name(l)).collect();
    names.iter().any(|n| SENT.contains(&n.as_str()))
        && names.iter().any(|n| SUBJECT.contains(&n.as_str()))
}

/// The word before the colon: `*From:* Ann`, `De : Ann`, `Von: Ann`.
fn header_name(line: &str) -> Option<String> {
    let (name, _) = line.trim_start().split_once(':')?;
    let name = name.trim_matches(['*', ' ', '\u{a0}', '>']);
    (!name.is_empty() && name.len() <= 14).then(|| name.to_lowercase())
}

/// Past the header lines of a forwarded message.
fn skip_headers(lines: &[&str], from: usize) -> usize {
    let mut i = from;
    while i < lines.len()
        && i - from < 20
        && (lines[i].trim().is_empty() || header_name(lines[i]).is_some())
    {
        i += 1;
    }
    i
}

/// Exactly `-- ` (the standard) or `--` alone, as transports trim it.
fn is_signature_mark(line: &str) -> bool {
    let line = line.strip_suffix('\r').unwrap_or(line);
    line == "-- " || line == "--" || line == "-- \u{a0}"
}

/// A long underscore rule followed by an address or a link within four lines: what list programs append.
fn is_list_footer(lines: &[&str]) -> bool {
    let rule = lines[0].trim();
    let is_rule = rule.len() >= 20 && rule.bytes().all(|b| b == b'_' || b == b'-');
    is_rule
        && lines.len() <= 15
        && lines[1..].iter().take(5).any(|l| {
            let lower = l.to_lowercase();
            lower.contains("mailing list")
                || lower.contains("http")
                || lower.contains("unsubscribe")
        })
}

/// A signature runs to the end, or to where a quote or a separator begins (people answer above quotes).
fn signature_end(lines: &[&str], from: usize) -> usize {
    let mut i = from + 1;
    while i < lines.len() {
        let line = lines[i].trim_end();
        let starts_other = is_quoted(line)
            || is_original(line)
            || is_forward(line)
            || is_header_block(&lines[i..])
            || (line.ends_with(':') && attribution_start(lines, i + 1).is_some());
        if starts_other {
            return i;
        }
        i += 1;
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str) -> Vec<(Weight, String)> {
        split(text, false).into_iter().map(|s| (s.weight, s.text)).collect()
    }

    #[test]
    fn attributions_in_many_languages_belong_to_the_quote() {
        let attributions = [
            "On Tue, 3 May 2022 at 10:00, Ann Lee <ann@example.org> wrote:",
            "Am 03.05.22 um 10:00 schrieb Anna Lee:",
            "Le mar. 3 mai 2022 à 10:00, Anne Lee <a@example.org> a écrit :",
            "El mar, 3 may 2022 a las 10:00, Ana (<a@example.org>) escribió:",
            "Il giorno mar 3 mag 2022 alle ore 10:00 Anna <a@example.org> ha scritto:",
            "Op di 3 mei 2022 om 10:00 schreef Anna <a@example.org>:",
            "Em ter., 3 de mai. de 2022 às 10:00, Ana <a@example.org> escreveu:",
            "Den tis 3 maj 2022 kl 10:00 skrev Anna <a@example.org>:",
            "Ann Lee writes:",
        ];
        for line in attributions {
            let got = runs(&format!("Fine by me.\n\n{line}\n> Shall we?\n> Ann\n\nSee you"));
            assert_eq!(got[0], (Weight::Body, "Fine by me.".into()), "{line}");
            assert_eq!(got[1], (Weight::Quoted, format!("{line}\n> Shall we?\n> Ann")), "{line}");
            assert_eq!(got[2], (Weight::Body, "See you".into()), "{line}");
        }
    }

    #[test]
    fn an_attribution_may_be_wrapped_over_lines() {
        let got = runs("Yes\n\nOn Tuesday, 3 May 2022, Ann Lee\n<ann@example.org> wrote:\n\n> No?");
        assert_eq!(got[0], (Weight::Body, "Yes".into()));
        assert_eq!(got[1].0, Weight::Quoted);
        assert!(got[1].1.starts_with("On Tuesday"), "{got:?}");
    }

    #[test]
    fn outlook_blocks_and_separators_quote_the_rest() {
        for block in [
            "-----Original Message-----\nFrom: A\n\nold",
            "Von: Anna\nGesendet: Dienstag\nAn: Bo\nBetreff: Reise\n\nold",
            "De : Anne\nEnvoyé : mardi\nÀ : Bo\nObjet : Voyage\n\nold",
        ] {
            let got = runs(&format!("New text\n\n{block}"));
            assert_eq!(got, [(Weight::Body, "New text".into()), (Weight::Quoted, block.into())]);
        }
    }

    #[test]
    fn a_forwarded_message_is_content() {
        let text =
            "FYI\n\n---------- Forwarded message ---------\nFrom: A\nDate: B\nSubject: C\n\nnews";
        assert_eq!(runs(text), [(Weight::Body, text.into())]);
        let outlook = "FYI\n\nFrom: A\nSent: B\nSubject: C\n\nnews";
        assert_eq!(split(outlook, true)[0].weight, Weight::Body);
        assert_eq!(split(outlook, true).len(), 1);
    }

    #[test]
    fn signatures_end_where_a_quote_begins() {
        let got = runs("Hello\n-- \nBo\n+41 1\n\nOn 1 May 2022 Ann wrote:\n> old");
        let weights: Vec<Weight> = got.iter().map(|(w, _)| *w).collect();
        assert_eq!(weights, [Weight::Body, Weight::Signature, Weight::Quoted]);
        assert_eq!(got[1].1, "-- \nBo\n+41 1");
    }

    #[test]
    fn a_top_posted_reply_without_marks_is_told_by_its_dated_attribution() {
        let got = runs("Great.\n\nOn 3 May 2022 at 10:00 Ann Lee wrote:\nShall we meet?\nAnn");
        assert_eq!(got[0], (Weight::Body, "Great.".into()));
        assert_eq!(got[1].0, Weight::Quoted);
        // A sentence that merely ends in "wrote:" does not swallow the letter.
        assert_eq!(runs("In his book he wrote:\nCall me Ishmael.").len(), 1);
    }
}
