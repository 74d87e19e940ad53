//! One turn: read the question, try the steps from the cheapest, say which one answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use infer::{Cancel, Engine};
use jiff::ZonedDateTime;
use vault::embed::Embed;
use vault::item::Kind;
use vault::lookup::items::Filter;
use vault::lookup::people::Person;
use vault::store::Vault;

use crate::answer::{Answer, Event, Source, Step, Timings, TokenCounts};
use crate::chooser::{self, Choice, Choosing};
use crate::draft::{Draft, source};
use crate::error::Error;
use crate::evidence::{self, Context, Evidence};
use crate::history::{self, Turn};
use crate::question::names::{Directory, Known};
use crate::question::{Intent, Question};
use crate::{compose, lookup, quote, score, words};

/// How to answer.
#[derive(Debug, Clone)]
pub struct Options {
    /// The owner's clock, with their zone.
    pub now: ZonedDateTime,
    /// What the owner took away of how the question was read: a time, a person or a kind as
    /// [`crate::answer::Reading`] gave it. Its words are then words like others.
    pub without: Vec<String>,
    /// Nearest misses shown with an abstention.
    pub nearest: usize,
    /// Ends a model's writing early.
    pub cancel: Cancel,
}

impl Default for Options {
    fn default() -> Self {
        Self { now: ZonedDateTime::now(), without: Vec::new(), nearest: 3, cancel: Cancel::new() }
    }
}

/// Answers questions about one vault. Cheap to share between threads.
pub struct Assistant {
    vault: Vault,
    embedder: Option<Arc<dyn Embed>>,
    engine: Option<Engine>,
    choosing: Choosing,
    /// The people met most often, and for how many items that was asked.
    people: Mutex<Option<(u64, Arc<Vec<Known>>)>>,
}

/// People kept at hand for recognising names in sentences.
const PEOPLE: usize = 400;

impl Assistant {
    /// With neither model nor vectors: lookups, quotes and templates.
    pub fn new(vault: Vault) -> Self {
        Self {
            vault,
            embedder: None,
            engine: None,
            choosing: Choosing::default(),
            people: Mutex::default(),
        }
    }

    /// Adds similarity by meaning, where the vault has vectors of this embedder.
    pub fn with_embedder(mut self, embedder: Arc<dyn Embed>) -> Self {
        self.embedder = Some(embedder);
        self
    }

    /// Adds a model for summaries and drafts.
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Whether that model also chooses among sentences where the best is doubtful.
    pub fn with_choosing(mut self, choosing: Choosing) -> Self {
        self.choosing = choosing;
        self
    }

    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Answers, streaming events in the order that [`Event`] states.
    pub fn ask(
        &self,
        text: &str,
        history: &[Turn],
        options: &Options,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Answer, Error> {
        let begun = Instant::now();
        let common = self.common_people()?;
        let known = |text: &str| self.directory(text, &common);
        let (question, directory) =
            history::read(text, history, &known, &options.now, &options.without);
        let own = self.vault.owner()?.addresses;
        let context = self.context(&directory, &own, options);
        let question = lookup::occasion::resolved(&context, question, &options.without)?;
        let reading = question.reading();
        on_event(Event::Reading(reading.clone()));
        let understand = ms(begun);
        let searching = Instant::now();
        let mut outcome = self.answer(&context, &question, options)?;
        let search = outcome.search_ms.min(ms(searching));
        let answering = ms(searching) - search;
        on_event(Event::Sources(outcome.draft.sources.clone()));
        on_event(Event::Text(outcome.draft.text.clone()));
        let answer = Answer {
            answer: std::mem::take(&mut outcome.draft.text),
            sources: std::mem::take(&mut outcome.draft.sources),
            step: outcome.draft.step,
            reading,
            searched: outcome.searched,
            nearest: outcome.nearest,
            timings_ms: Timings { understand, search, answer: answering, total: ms(begun) },
            tokens: outcome.tokens,
        };
        on_event(Event::Done(Box::new(answer.clone())));
        Ok(answer)
    }

    /// The evidence for a question without an answer made of it: for evaluation.
    pub fn evidence(&self, text: &str, options: &Options) -> Result<(Question, Evidence), Error> {
        self.read(text, options, |context, question| {
            Ok((question.clone(), evidence::gather(context, question)?))
        })
    }

    /// What the quoting steps would say with each of the `most` best sentences: for fitting.
    pub fn unchecked(
        &self,
        text: &str,
        options: &Options,
        most: usize,
    ) -> Result<Unchecked, Error> {
        self.read(text, options, |context, question| {
            let looked_up = lookup::answer(context, question)?.is_some();
            let evidence = evidence::gather(context, question)?;
            let quoted = evidence.candidates.iter().take(most).map(|candidate| {
                let passage = &evidence.passages[candidate.passage];
                Quoted {
                    item: passage.item.entry.id,
                    features: candidate.features,
                    score: candidate.score,
                    sentence: passage.text[candidate.bytes.clone()].to_owned(),
                    answer: quote::draft(&evidence, question, candidate, None).text,
                }
            });
            let quoted = quoted.collect();
            Ok(Unchecked { question: question.clone(), looked_up, quoted })
        })
    }

    /// Reads a question that stands alone and does something with it.
    fn read<T>(
        &self,
        text: &str,
        options: &Options,
        use_it: impl FnOnce(&Context<'_>, &Question) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let directory = self.directory(text, &self.common_people()?);
        let question = Question::read(text, &directory, &options.now);
        let own = self.vault.owner()?.addresses;
        let context = self.context(&directory, &own, options);
        use_it(&context, &lookup::occasion::resolved(&context, question, &options.without)?)
    }

    fn context<'a>(
        &'a self,
        directory: &'a Directory,
        own: &'a [String],
        options: &'a Options,
    ) -> Context<'a> {
        Context {
            vault: &self.vault,
            embedder: self.embedder.as_deref(),
            now: &options.now,
            directory,
            own,
        }
    }

    fn answer(
        &self,
        context: &Context<'_>,
        question: &Question,
        options: &Options,
    ) -> Result<Outcome, Error> {
        let mut looked_up = lookup::answer(context, question)?;
        if let Some(draft) = looked_up.take_if(|draft| draft.covers >= SURELY_COVERED) {
            return self.looked_up(draft);
        }
        let searching = Instant::now();
        let evidence = evidence::gather(context, question)?;
        let search_ms = ms(searching);
        if let Some(draft) = looked_up
            && !says_more(&evidence, question, draft.covers)
        {
            return self.looked_up(draft);
        }
        if question.intent == Intent::Compose {
            return self.compose(&evidence, question, options, search_ms);
        }
        let quoted = quote::choose(&evidence, question);
        let sure =
            quoted.map_or(0.0, |(best, other)| score::confidence(&evidence, best, other, question));
        if sure < score::SURE_FROM
            && let Some(outcome) = self.chosen(&evidence, question, options, search_ms)?
        {
            return Ok(outcome);
        }
        match quoted {
            Some((best, other)) if sure >= score::ANSWERS_FROM => {
                Ok(Outcome::answered(quote::draft(&evidence, question, best, other), search_ms))
            }
            Some((best, _)) if score::comes_near(best, sure) => {
                Ok(Outcome::answered(quote::nearest(&evidence, question), search_ms))
            }
            _ => self.abstain(&evidence, question, options, search_ms),
        }
    }

    /// What the model chooses of the best sentences; `None` where none chooses.
    fn chosen(
        &self,
        evidence: &Evidence,
        question: &Question,
        options: &Options,
        search_ms: f64,
    ) -> Result<Option<Outcome>, Error> {
        let Some(engine) = self.engine.as_ref().filter(|engine| self.choosing.by(engine)) else {
            return Ok(None);
        };
        let Some((choice, tokens)) = chooser::choose(engine, evidence, question, &options.cancel)?
        else {
            return Ok(None);
        };
        let outcome = match choice {
            Choice::Sentence(candidate) => {
                let mut draft = quote::draft(evidence, question, candidate, None);
                draft.step = Step::Choose;
                Outcome::answered(draft, search_ms)
            }
            Choice::None => self.abstain(evidence, question, options, search_ms)?,
        };
        Ok(Some(Outcome { tokens, ..outcome }))
    }

    fn looked_up(&self, draft: Draft) -> Result<Outcome, Error> {
        let searched = if draft.step == Step::Abstain { self.searched()? } else { String::new() };
        Ok(Outcome { searched, ..Outcome::answered(draft, 0.0) })
    }

    /// Summaries and drafts: the model's words where they hold, else the passages'.
    fn compose(
        &self,
        evidence: &Evidence,
        question: &Question,
        options: &Options,
        search_ms: f64,
    ) -> Result<Outcome, Error> {
        if let Some(engine) = &self.engine
            && let Some(composed) = compose::write(engine, evidence, question, &options.cancel)?
        {
            return Ok(Outcome {
                tokens: composed.tokens,
                ..Outcome::answered(composed.draft, search_ms)
            });
        }
        match compose::quotes(evidence, question) {
            Some(draft) => Ok(Outcome::answered(draft, search_ms)),
            None => self.abstain(evidence, question, options, search_ms),
        }
    }

    /// "Not in your data", with what was looked through and what came near.
    fn abstain(
        &self,
        evidence: &Evidence,
        question: &Question,
        options: &Options,
        search_ms: f64,
    ) -> Result<Outcome, Error> {
        let searched = self.searched()?;
        let mut draft = Draft::new(Step::Abstain);
        draft.text = format!("I found nothing in your data that says this. Searched: {searched}.");
        let mut nearest: Vec<Source> = Vec::new();
        for candidate in &evidence.candidates {
            let passage = &evidence.passages[candidate.passage];
            if nearest.len() >= options.nearest
                || nearest.iter().any(|known| known.id == passage.item.entry.id)
            {
                continue;
            }
            let range = candidate.bytes.clone();
            nearest.push(source(
                nearest.len() + 1,
                &passage.item.entry,
                &passage.text[range.clone()],
                range,
                candidate.score,
            ));
        }
        if let Some(missing) = unsupported(evidence, question) {
            draft.text.push_str(&format!(" {missing}"));
        }
        if !nearest.is_empty() {
            draft.text.push_str(" The nearest passages are beside.");
        }
        Ok(Outcome { searched, nearest, ..Outcome::answered(draft, search_ms) })
    }

    /// "1,204 mails, 96 events".
    fn searched(&self) -> Result<String, Error> {
        let mut parts = Vec::new();
        for kind in [Kind::Mail, Kind::Event, Kind::Contact, Kind::Note, Kind::Document] {
            let n = self.vault.count(&Filter { kinds: vec![kind], ..Filter::default() })?;
            if n > 0 {
                parts.push(words::count_of(usize::try_from(n).unwrap_or(usize::MAX), kind.name()));
            }
        }
        Ok(if parts.is_empty() { "an empty vault".to_owned() } else { parts.join(", ") })
    }

    /// The people met most often, remembered until the vault grows or shrinks.
    fn common_people(&self) -> Result<Arc<Vec<Known>>, Error> {
        let n = self.vault.count(&Filter::default())?;
        let mut remembered = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, people)) = remembered.as_ref()
            && *at == n
        {
            return Ok(Arc::clone(people));
        }
        let people = self.vault.top_people(PEOPLE)?;
        let people: Vec<Known> = people.iter().map(|person| self.known(person)).collect();
        let people = Arc::new(people);
        *remembered = Some((n, Arc::clone(&people)));
        Ok(people)
    }

    /// Everybody whom a word of the text may name, and the people met most often.
    fn directory(&self, text: &str, common: &[Known]) -> Directory {
        let mut people = common.to_vec();
        for word in crate::question::words(text) {
            if word.term.len() < 3 || crate::question::lexicon::is_filler(&word.term) {
                continue;
            }
            // A vault that cannot be read says so in the search that follows.
            for person in self.vault.people(&word.term).unwrap_or_default() {
                if !people.iter().any(|known| known.id == person.id) {
                    people.push(self.known(&person));
                }
            }
        }
        Directory::new(people)
    }

    /// A person as questions name them: by the nickname on their card too.
    fn known(&self, person: &Person) -> Known {
        let mut names = person.names.clone();
        // A card that cannot be read says so in the search that follows.
        let card = person.card.and_then(|card| self.vault.item(card).ok().flatten()?.card);
        let nicknames = card.iter().flat_map(|card| &card.fields).filter(|(label, _)| {
            label.split(';').next().is_some_and(|label| label.eq_ignore_ascii_case("nickname"))
        });
        names.extend(nicknames.map(|(_, name)| name.clone()));
        Known {
            id: person.id,
            name: person.name.clone(),
            names,
            addresses: person.addresses.clone(),
            weight: usize::try_from(person.n_items).unwrap_or(usize::MAX),
            has_card: person.card.is_some(),
        }
    }
}

/// What quoting would say, whether or not it is sure enough.
pub struct Unchecked {
    pub question: Question,
    /// A lookup answers, and nothing is quoted.
    pub looked_up: bool,
    /// One for each sentence, best first.
    pub quoted: Vec<Quoted>,
}

/// A sentence and the answer made of it.
pub struct Quoted {
    pub item: i64,
    pub features: evidence::Features,
    pub score: f32,
    pub sentence: String,
    pub answer: String,
}

#[derive(Debug)]
struct Outcome {
    draft: Draft,
    search_ms: f64,
    tokens: TokenCounts,
    searched: String,
    nearest: Vec<Source>,
}

impl Outcome {
    fn answered(draft: Draft, search_ms: f64) -> Self {
        Self {
            draft,
            search_ms,
            tokens: TokenCounts::default(),
            searched: String::new(),
            nearest: Vec::new(),
        }
    }
}

/// A looked-up answer that covers this share of the question is not doubted.
const SURELY_COVERED: f32 = 0.8;
/// A sentence that covers this much more than what was looked up is listened to instead.
const SAYS_MORE: f32 = 0.15;

/// Whether the best sentence outside the calendar says more of the question than what was looked up does.
fn says_more(evidence: &Evidence, question: &Question, covers: f32) -> bool {
    evidence.candidates.first().is_some_and(|best| {
        let kind = evidence.passages[best.passage].item.entry.kind;
        let typed = question.wants == crate::question::Wants::Text || best.features.fits > 0.9;
        kind != Kind::Event && typed && best.features.coverage >= covers + SAYS_MORE
    })
}

/// Which premise has no support, in words.
fn unsupported(evidence: &Evidence, question: &Question) -> Option<String> {
    let best = evidence.candidates.first()?;
    let passage = &evidence.passages[best.passage];
    let title = &passage.item.entry.title;
    if best.features.people < 0.5 && !question.people.is_empty() {
        let names: Vec<String> =
            question.people.iter().map(|mention| mention.name.clone()).collect();
        return Some(format!(
            "The passage that comes closest, “{title}”, says it of somebody other than {}.",
            words::join(&names)
        ));
    }
    let folded = vault::text::words::key(&passage.text);
    let absent: Vec<String> = question
        .names
        .iter()
        .filter(|name| !folded.contains(&vault::text::words::key(name)))
        .map(|name| format!("“{name}”"))
        .collect();
    if !absent.is_empty() {
        return Some(format!("Nothing near says {}.", words::join(&absent)));
    }
    if matches!(question.intent, Intent::When) && best.features.fits < 0.5 {
        return Some(format!("“{title}” is about it and gives no date."));
    }
    None
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
