//! What happens to one document, from raw piece to kept text, on one thread.
//!
//! ```text
//! decode ─▶ clean ─▶ language ─▶ quality ─▶ hazard ─▶ evaluation overlap ─▶ mask ─▶ hashes for the search of copies
//! ```
//!
//! Stages that are switched off, or do not apply to a kind of source, let everything pass.

use super::spool;
use crate::chat::{Content, Message};
use crate::clean;
use crate::config::Config;
use crate::decontaminate::Evaluations;
use crate::duplicates::{MinHash, Sketcher, text_hash};
use crate::hazard::{Classifier, Terms};
use crate::private::{Masked, Masker};
use crate::quality::Rules;
use crate::read::{Body, Fault, Found, Raw};
use crate::{Error, language};
use hashbrown::HashSet;

/// Bytes of a dropped document that the report shows.
const SAMPLE_BYTES: usize = 240;

/// Tables that all threads share.
pub(super) struct Shared<'c> {
    pub(super) config: &'c Config,
    pub(super) masker: Option<Masker>,
    pub(super) evaluations: Option<Evaluations>,
    pub(super) terms: Option<Terms>,
    pub(super) classifier: Option<Classifier>,
    pub(super) minhash: Option<MinHash>,
    /// Lines that stand in many documents.
    pub(super) shared_lines: Option<HashSet<u64>>,
}

impl<'c> Shared<'c> {
    pub(super) fn new(config: &'c Config) -> Result<Self, Error> {
        let hazard = config.hazard.as_ref();
        let evaluations = config.decontaminate.as_ref();
        let d = &config.duplicates;
        Ok(Self {
            config,
            masker: config.private.as_ref().map(Masker::new),
            evaluations: evaluations.map(|d| Evaluations::read(&d.against, d.words)).transpose()?,
            terms: hazard.map(|h| Terms::read(h.built_in_terms, &h.terms)).transpose()?,
            classifier: hazard
                .and_then(|h| h.classifier.as_ref())
                .map(|path| Classifier::read(path))
                .transpose()?,
            minhash: d.near.then(|| MinHash::new(d.buckets, d.hashes_per_bucket, d.words)),
            shared_lines: None,
        })
    }
}

/// What a thread keeps between documents.
pub(super) struct Worker {
    rules: Option<Rules>,
    sketcher: Sketcher,
}

impl Worker {
    pub(super) fn new(config: &Config) -> Self {
        Self { rules: config.quality.as_ref().map(Rules::new), sketcher: Sketcher::new() }
    }
}

/// What became of a piece.
pub(super) enum Outcome {
    Kept(Kept),
    Dropped(Dropped),
    Fault(Fault),
}

pub(super) struct Kept {
    pub(super) source: usize,
    pub(super) place: String,
    /// Bytes of text before and after the stages.
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    /// For the spool.
    pub(super) encoded: Vec<u8>,
    pub(super) hash: u128,
    pub(super) buckets: Option<Vec<u64>>,
    pub(super) masked: Masked,
    pub(super) lines_removed: u64,
    /// The beginning of the text, should a copy be dropped and shown.
    pub(super) sample: String,
}

pub(super) struct Dropped {
    pub(super) source: usize,
    pub(super) place: String,
    pub(super) bytes_in: u64,
    pub(super) stage: &'static str,
    pub(super) rule: String,
    pub(super) sample: String,
}

type Verdict = Result<Body, (&'static str, String)>;

/// Takes a piece through all stages.
pub(super) fn judge(worker: &mut Worker, found: Found, shared: &Shared<'_>) -> Outcome {
    let raw = match found {
        Found::Raw(raw) => raw,
        Found::Fault(fault) => return Outcome::Fault(fault),
    };
    let Raw { source, .. } = raw;
    let place = raw.place.clone();
    let body = match raw.decode() {
        Ok(body) => body,
        Err(problem) => return Outcome::Fault(Fault { place, problem }),
    };
    let bytes_in = text_bytes(&body);
    let sample = beginning(&body);
    let mut lines_removed = 0;
    let verdict = clean_body(body, shared, &mut lines_removed)
        .and_then(|body| stages(worker, body, source, shared));
    let body = match verdict {
        Ok(body) => body,
        Err((stage, rule)) => {
            return Outcome::Dropped(Dropped { source, place, bytes_in, stage, rule, sample });
        }
    };
    let (body, masked) = mask(body, shared.masker.as_ref());
    let encoded = spool::encode(&body);
    let text = text_of(&body);
    let near = shared.minhash.as_ref();
    let buckets = near.and_then(|minhash| worker.sketcher.sketch(&text, minhash));
    Outcome::Kept(Kept {
        source,
        place,
        bytes_in,
        bytes_out: text_bytes(&body),
        encoded,
        hash: text_hash(&text),
        buckets,
        masked,
        lines_removed,
        sample,
    })
}

fn clean_body(body: Body, shared: &Shared<'_>, lines_removed: &mut u64) -> Verdict {
    let settings = &shared.config.clean;
    let body = match body {
        Body::Text(text) => {
            let mut text = match settings.unicode {
                true => clean::clean(&text).into_owned(),
                false => text,
            };
            let lines = shared.shared_lines.as_ref();
            if lines.is_some() || settings.repeated_lines.is_some() {
                let removed = clean::without_repeated_lines(&text, lines, settings.repeated_lines);
                if let Some((kept, n)) = removed {
                    text = kept;
                    *lines_removed = n;
                }
            }
            Body::Text(text)
        }
        Body::Chat(mut messages) => {
            let clean = |text: &str| settings.unicode.then(|| clean::clean(text).into_owned());
            messages.iter_mut().for_each(|message| rewrite(message, &clean));
            Body::Chat(messages)
        }
    };
    match text_bytes(&body) {
        0 => Err(("clean", "empty".to_string())),
        _ => Ok(body),
    }
}

fn stages(worker: &mut Worker, body: Body, source: usize, shared: &Shared<'_>) -> Verdict {
    let config = shared.config;
    let prose = config.sources.get(source).is_some_and(crate::config::Source::is_prose);
    let mut body = body;
    if prose && let Body::Text(text) = &body {
        if let Some(settings) = &config.language
            && let Some(code) = language::foreign(text, &settings.keep, settings.min_confidence)
        {
            return Err(("language", code.to_string()));
        }
        let changed = match &mut worker.rules {
            Some(rules) => rules.judge(text).map_err(|(set, rule)| (set, rule.to_string()))?,
            None => None,
        };
        if let Some(text) = changed {
            body = Body::Text(text);
        }
    }
    let text = text_of(&body);
    if let Some(hazard) = &config.hazard {
        let terms = shared.terms.as_ref().map_or(Vec::new(), |terms| terms.found(&text));
        if !terms.is_empty() && terms.len() >= hazard.min_terms {
            return Err(("hazard", "terms".to_string()));
        }
        let classifier = shared.classifier.as_ref().filter(|_| prose);
        if classifier.is_some_and(|c| c.probability(&text) >= hazard.threshold) {
            return Err(("hazard", "classifier".to_string()));
        }
    }
    if let Some(file) = shared.evaluations.as_ref().and_then(|e| e.overlap(&text)) {
        return Err(("evaluation", file.to_string()));
    }
    drop(text);
    Ok(body)
}

fn mask(body: Body, masker: Option<&Masker>) -> (Body, Masked) {
    let Some(masker) = masker else { return (body, Masked::default()) };
    match body {
        Body::Text(text) => {
            let (new, masked) = masker.mask(&text);
            (Body::Text(new.unwrap_or(text)), masked)
        }
        Body::Chat(mut messages) => {
            let total = std::cell::Cell::new(Masked::default());
            let mask = |text: &str| {
                let (new, masked) = masker.mask(text);
                let mut sum = total.get();
                sum += masked;
                total.set(sum);
                new
            };
            messages.iter_mut().for_each(|message| rewrite(message, &mask));
            (Body::Chat(messages), total.get())
        }
    }
}

/// Applies a change to every text of a message.
fn rewrite(message: &mut Message, change: &dyn Fn(&str) -> Option<String>) {
    let apply = |text: &mut String| {
        if let Some(new) = change(text) {
            *text = new;
        }
    };
    match &mut message.content {
        Content::Text(text) => apply(text),
        Content::Parts(parts) => parts.iter_mut().for_each(|part| apply(&mut part.text)),
    }
}

/// The text of a document; of a conversation, what is said, message by message.
fn text_of(body: &Body) -> std::borrow::Cow<'_, str> {
    match body {
        Body::Text(text) => text.into(),
        Body::Chat(messages) => {
            let said = messages.iter().flat_map(|message| match &message.content {
                Content::Text(text) => vec![text.as_str()],
                Content::Parts(parts) => parts.iter().map(|part| part.text.as_str()).collect(),
            });
            said.collect::<Vec<_>>().join("\n").into()
        }
    }
}

fn text_bytes(body: &Body) -> u64 {
    match body {
        Body::Text(text) => text.len() as u64,
        Body::Chat(_) => text_of(body).len() as u64,
    }
}

fn beginning(body: &Body) -> String {
    let text = text_of(body);
    text[..text.floor_char_boundary(SAMPLE_BYTES)].to_string()
}
