//! Files of invented people: mailboxes, notes, pages and a calendar.
//!
//! Words follow Zipf's law as Mandelbrot has it, with the words of English that everybody uses at the top, so that
//! queries have the long lists and the short ones they have in life. Each item has a topic whose words it repeats;
//! half of the mails answer another, whose opening they quote; lengths are log-normal; most mail comes from few people.

use std::fmt::Write as _;
use std::path::Path;

use crate::Outcome;

const VOCABULARY: usize = 200_000;
/// Mandelbrot's shift: flattens the top of the list.
const SHIFT: f64 = 2.7;
const COMMON: &[&str] = &[
    "the", "to", "and", "of", "a", "in", "is", "you", "that", "it", "for", "on", "I", "with", "be",
    "this", "have", "are", "we", "as", "not", "at", "your", "or", "if", "was", "by", "can", "but",
    "from", "will", "an", "my", "do", "so", "they", "me", "about", "there", "what", "our", "has",
    "would", "which", "when", "their", "been", "were", "could", "who", "should", "he", "she",
    "her", "had", "his", "how", "them", "no", "any",
];
const TOPICS: usize = 4_000;
const TOPIC_WORDS: usize = 40;
const PEOPLE: usize = 3_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Chunks of a text of that many bytes, on average: the vault cuts near 700.
const CHUNK_BYTES: usize = 640;
const MAILBOX_BYTES: usize = 16 << 20;

/// Writes files of about `n_chunks` chunks.
pub(crate) fn write(folder: &Path, n_chunks: usize) -> Outcome<()> {
    for name in ["mail", "notes", "pages"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    let mut draw = Draw::new(12_345);
    let mut mail = Mailbox::default();
    let mut calendar = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//bench//EN\r\n");
    let mut chunks = 0;
    let mut number = 0;
    while chunks < n_chunks {
        number += 1;
        let topic = Topic::new(draw.zipf(TOPICS));
        let bytes = match draw.below(100) {
            0..82 => mail.add(&mut draw, &topic, number),
            82..92 => {
                let text = topic.text(&mut draw, 120.0);
                let title = topic.line(&mut draw, 3);
                let folder = folder.join("notes").join((number / 2_000).to_string());
                std::fs::create_dir_all(&folder)?;
                std::fs::write(
                    folder.join(format!("{number}.md")),
                    format!("# {title}\n\n{text}"),
                )?;
                text.len()
            }
            92..95 => {
                let text = topic.text(&mut draw, 1_000.0).replace('\n', "</p>\n<p>");
                let title = topic.line(&mut draw, 4);
                let page = format!(
                    "<html><head><title>{title}</title></head><body><p>{text}</p></body></html>"
                );
                std::fs::write(folder.join("pages").join(format!("{number}.html")), page)?;
                text.len()
            }
            _ => event(&mut calendar, &mut draw, &topic, number)?,
        };
        chunks += bytes.div_ceil(CHUNK_BYTES);
        if mail.text.len() > MAILBOX_BYTES {
            std::fs::write(folder.join("mail").join(format!("{number}.mbox")), &mail.text)?;
            mail.text.clear();
        }
    }
    calendar.push_str("END:VCALENDAR\r\n");
    std::fs::write(folder.join("calendar.ics"), calendar)?;
    std::fs::write(folder.join("mail").join("last.mbox"), &mail.text)?;
    Ok(())
}

#[derive(Default)]
struct Mailbox {
    text: String,
    /// (number, topic, subject, opening) of mails that may be answered.
    recent: Vec<(usize, usize, String, String)>,
}

impl Mailbox {
    /// Adds one mail; gives back the bytes of its text.
    fn add(&mut self, draw: &mut Draw, topic: &Topic, number: usize) -> usize {
        let answered = (draw.below(2) == 0 && !self.recent.is_empty())
            .then(|| self.recent[draw.below(self.recent.len())].clone());
        let topic = answered.as_ref().map_or(*topic, |(_, topic, ..)| Topic::new(*topic));
        let body = topic.text(draw, 90.0);
        let opening: String = body.lines().next().unwrap_or_default().to_owned();
        let (subject, quote, references) = match &answered {
            Some((before, _, subject, opening)) => (
                format!("Re: {}", subject.trim_start_matches("Re: ")),
                format!("\n\nOn Monday somebody wrote:\n> {opening}\n"),
                format!(
                    "In-Reply-To: <{before}@example.org>\nReferences: <{before}@example.org>\n"
                ),
            ),
            None => (topic.line(draw, 4), String::new(), String::new()),
        };
        let (from, to) = if draw.below(4) == 0 {
            (0, 1 + draw.zipf(PEOPLE))
        } else {
            (1 + draw.zipf(PEOPLE), 0)
        };
        let (day, month) = (1 + draw.below(28), MONTHS[draw.below(12)]);
        let (year, hour) = (2016 + draw.below(10), draw.below(24));
        // Writing to a string cannot fail.
        let _ = write!(
            self.text,
            "From x Mon Jan  1 00:00:00 2026\nFrom: {}\nTo: {}\nSubject: {subject}\nDate: {day} {month} {year} {hour:02}:00:00 +0000\n\
             Message-ID: <{number}@example.org>\n{references}\n{body}{quote}\n\n",
            person(from),
            person(to),
        );
        let at = draw.below(500);
        let entry = (number, topic.number, subject, opening);
        match self.recent.get_mut(at) {
            Some(old) => *old = entry,
            None => self.recent.push(entry),
        }
        body.len() + quote.len()
    }
}

fn person(number: usize) -> String {
    let name = |n: usize| {
        let mut word = word(n * 7 + 900);
        word[..1].make_ascii_uppercase();
        word
    };
    format!("{} {} <p{number}@example.org>", name(number % 300), name(number))
}

fn event(calendar: &mut String, draw: &mut Draw, topic: &Topic, number: usize) -> Outcome<usize> {
    let text = topic.line(draw, 12);
    write!(
        calendar,
        "BEGIN:VEVENT\r\nUID:{number}@example.org\r\nDTSTART:{}{:02}{:02}T{:02}0000Z\r\nDURATION:PT1H\r\nSUMMARY:{}\r\n\
         DESCRIPTION:{text}\r\nATTENDEE;CN=\"{}\":mailto:p{}@example.org\r\nEND:VEVENT\r\n",
        2016 + draw.below(10),
        1 + draw.below(12),
        1 + draw.below(28),
        draw.below(24),
        topic.line(draw, 3),
        word(number % 900),
        draw.zipf(PEOPLE),
    )?;
    Ok(text.len())
}

/// What an item is about: some words that come back in it.
#[derive(Clone, Copy)]
struct Topic {
    number: usize,
}

impl Topic {
    fn new(number: usize) -> Self {
        Self { number }
    }

    fn word(&self, draw: &mut Draw) -> String {
        if draw.below(100) < 15 {
            let own = draw.below(TOPIC_WORDS) as u64 ^ (self.number as u64) << 20;
            // Words of a topic are neither the commonest nor the rarest.
            let rank = 300 + Draw::new(own).below(40_000);
            return word(rank);
        }
        let rank = draw.mandelbrot(VOCABULARY);
        let mut word = COMMON.get(rank).map_or_else(|| word(rank), |word| (*word).to_owned());
        if rank >= COMMON.len() {
            match draw.below(12) {
                0 => word.push('s'),
                1 => word.push_str("ing"),
                _ => {}
            }
        }
        word
    }

    fn line(&self, draw: &mut Draw, n_words: usize) -> String {
        let words: Vec<String> = (0..n_words).map(|_| self.word(draw)).collect();
        words.join(" ")
    }

    /// Sentences in lines and paragraphs, of a log-normal number of words around the median.
    fn text(&self, draw: &mut Draw, median_words: f64) -> String {
        let n_words = (median_words * (0.8 * draw.normal()).exp()) as usize;
        let n_words = n_words.clamp(8, 20_000);
        let mut text = String::new();
        let mut sentence = 0;
        for idx in 0..n_words {
            let mut word = self.word(draw);
            if sentence == 0 {
                word[..1].make_ascii_uppercase();
            }
            text.push_str(&word);
            sentence += 1;
            let ends = sentence > 6 && draw.below(10) == 0;
            text.push_str(match (ends, idx % 13) {
                (true, 0..3) => ".\n\n",
                (true, _) => ". ",
                (false, 12) => "\n",
                (false, _) => " ",
            });
            if ends {
                sentence = 0;
            }
        }
        text
    }
}

/// The word of a rank: syllables, the commoner the fewer.
fn word(rank: usize) -> String {
    let mut rank = rank + 7;
    let mut word = String::new();
    while rank > 0 {
        word.push(char::from(b"tnsrhldcmfpgwybvkxjqz"[rank % 21]));
        word.push(char::from(b"eaoiu"[rank / 21 % 5]));
        rank /= 105;
    }
    word
}

/// A small deterministic generator (a linear congruential one; the high bits are drawn).
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn share(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 30)
    }

    /// Rank r of n is drawn with a chance of about 1 / (r + 1).
    fn zipf(&mut self, n: usize) -> usize {
        ((n as f64 + 1.0).powf(self.share()) as usize).clamp(1, n) - 1
    }

    /// Rank r of n is drawn with a chance of about 1 / (r + [`SHIFT`]).
    fn mandelbrot(&mut self, n: usize) -> usize {
        let top = (n as f64 + SHIFT) / SHIFT;
        ((SHIFT * top.powf(self.share()) - SHIFT) as usize).min(n - 1)
    }

    /// A standard normal number, as a sum of twelve uniform ones.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}
