//! Loaded models: one that generates, one that embeds; each loaded when first needed and kept until another is asked for.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corpus::chat::RenderOptions;
use infer::{Embedder, Engine, GenerateOptions, Precision, Purpose, Session};

use crate::openai::{Embedded, Fault, Finish, Generate, Generated, Prompt, Sampling};
use crate::stream::Cancel;

pub(super) struct Speaker {
    n_threads: usize,
    /// The session of the last model asked, with the prompt it remembers.
    session: Mutex<Option<(PathBuf, Session)>>,
    /// Of the last path asked for: the fast one for the vaults, the exact one for `/v1`.
    embedders: Mutex<Vec<(PathBuf, Precision, Arc<Embedder>)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Speaker {
    pub(super) fn new(n_threads: usize) -> Self {
        Speaker { n_threads, session: Mutex::default(), embedders: Mutex::default() }
    }

    /// The embedder at `path`. The error is a sentence.
    pub(super) fn embedder(
        &self,
        path: &Path,
        precision: Precision,
    ) -> Result<Arc<Embedder>, String> {
        let mut kept = lock(&self.embedders);
        kept.retain(|(known, ..)| known == path);
        if let Some((.., embedder)) = kept.iter().find(|(_, of, _)| *of == precision) {
            return Ok(embedder.clone());
        }
        let loaded = Embedder::load_with(path, self.n_threads, precision)
            .map_err(|error| error.to_string())?;
        let embedder = Arc::new(loaded);
        kept.push((path.into(), precision, embedder.clone()));
        Ok(embedder)
    }

    pub(super) fn embed(&self, path: &Path, texts: &[String]) -> Result<Embedded, Fault> {
        let embedder = self.embedder(path, Precision::Exact).map_err(Fault::bad)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tokens = texts.iter().map(|text| embedder.tokens(text, Purpose::Document).len()).sum();
        let vectors = embedder
            .embed(&texts, Purpose::Document)
            .map_err(|error| Fault::failed(error.to_string()))?;
        Ok(Embedded { vectors, tokens })
    }

    /// The engine of the model at `path`, shared with the session that `/v1` talks to.
    pub(super) fn engine(&self, path: &Path) -> Result<Engine, infer::Error> {
        let mut kept = lock(&self.session);
        if let Some((known, session)) = kept.as_ref()
            && known == path
        {
            return Ok(session.engine().clone());
        }
        let engine = Engine::load(path, self.n_threads)?;
        *kept = Some((path.into(), Session::new(&engine)));
        Ok(engine)
    }

    /// Generates with the model at `path`. One at a time: the session is held while it runs.
    pub(super) fn generate(
        &self,
        path: &Path,
        request: &Generate,
        cancel: &Cancel,
        on_start: &mut dyn FnMut(),
        on_piece: &mut dyn FnMut(&str),
    ) -> Result<Generated, Fault> {
        let mut kept = lock(&self.session);
        // Taken out while it runs: were the work to panic, a session in an unknown state would not stay.
        let (_, mut session) = match kept.take() {
            Some((known, session)) if known == path => (known, session),
            _ => {
                let engine = Engine::load(path, self.n_threads).map_err(fault)?;
                (path.to_owned(), Session::new(&engine))
            }
        };
        let prompt = encode(session.engine(), &request.prompt)?;
        let limit = session.engine().context_len();
        let outcome = if prompt.len() + request.max_tokens.unwrap_or(1).max(1) > limit {
            Err(Fault::context_length(limit, prompt.len(), request.max_tokens))
        } else {
            on_start();
            let options = GenerateOptions {
                max_tokens: request.max_tokens.unwrap_or(limit - prompt.len()),
                sampling: sampling(&request.sampling)?,
                stop: request.stop.clone(),
                ..GenerateOptions::default()
            };
            let mut pass_on = |piece: &infer::Piece| on_piece(&piece.text);
            session.generate(&prompt, &options, cancel.generation(), &mut pass_on).map_err(fault)
        };
        *kept = Some((path.into(), session));
        let done = outcome?;
        let finish = match done.finish {
            infer::Finish::Length | infer::Finish::ContextFull => Finish::Length,
            _ => Finish::Stop,
        };
        let completion_tokens = done.tokens.len();
        Ok(Generated { finish, prompt_tokens: done.prompt_tokens, completion_tokens })
    }
}

fn encode(engine: &Engine, prompt: &Prompt) -> Result<Vec<u32>, Fault> {
    let tokens = match prompt {
        Prompt::Tokens(tokens) => {
            if tokens.iter().any(|&token| token as usize >= engine.vocab()) {
                return Err(
                    Fault::bad(format!("tokens go up to {}", engine.vocab() - 1)).param("prompt")
                );
            }
            tokens.clone()
        }
        Prompt::Text(text) => engine.encode_text(text).map_err(fault)?,
        Prompt::Chat { messages, tools } => {
            let options =
                RenderOptions { tools, add_generation_prompt: true, ..RenderOptions::default() };
            engine.encode_chat(messages, &options).map_err(fault)?
        }
    };
    if tokens.is_empty() {
        return Err(Fault::bad("the prompt is empty").param("prompt"));
    }
    Ok(tokens)
}

/// What is wrong with the request is the client's to change; the rest is ours.
fn fault(error: infer::Error) -> Fault {
    use infer::Error as E;
    match &error {
        E::Corpus { .. }
        | E::NoChatTemplate { .. }
        | E::NoTokenizer { .. }
        | E::EmptyPrompt
        | E::Option { .. } => Fault::bad(error.to_string()),
        E::ContextFull { needed, limit } => Fault::context_length(*limit, *needed, None),
        _ => Fault::failed(error.to_string()),
    }
}

fn sampling(asked: &Sampling) -> Result<infer::Sampling, Fault> {
    let seed = match asked.seed {
        Some(seed) => seed,
        None => random_seed()?,
    };
    Ok(infer::Sampling {
        temperature: asked.temperature,
        top_k: asked.top_k,
        // OpenAI allows 0, which leaves the likeliest token alone.
        top_p: asked.top_p.max(f32::MIN_POSITIVE),
        min_p: asked.min_p,
        repetition_penalty: asked.repetition_penalty,
        presence: asked.presence_penalty,
        frequency: asked.frequency_penalty,
        seed,
        logit_bias: Vec::new(),
    })
}

fn random_seed() -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Fault::failed(format!("no random numbers: {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}
