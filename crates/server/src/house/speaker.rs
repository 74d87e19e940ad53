//! Loaded models: one that generates, one that embeds; each loaded when first needed and kept until another is asked for.
//!
//! All requests to the one that generates go through its [`Batcher`]: they run together.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use corpus::chat::RenderOptions;
use infer::{
    Batcher, Counters, Embedder, Engine, GenerateOptions, Limits, Precision, Purpose, TokenLogprobs,
};

use super::Gate;
use crate::openai::{
    Chosen, Embedded, Fault, Finish, Generate, Generated, Likely, Piece, Prompt, Sampling,
};
use crate::stream::Cancel;

pub(super) struct Speaker {
    n_threads: usize,
    /// The last model asked. Those it still answers keep it alive when another takes its place.
    batcher: Mutex<Option<(PathBuf, Arc<Batcher>)>>,
    /// Of the last path asked for: the fast one for the vaults, the exact one for `/v1`.
    embedders: Mutex<Vec<(PathBuf, Precision, Arc<Embedder>)>>,
    gate: Option<Gate>,
}

/// Why a model that is here is not loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unloaded {
    #[error("{0}")]
    Barred(String),
    #[error(transparent)]
    Failed(#[from] infer::Error),
}

impl From<Unloaded> for Fault {
    fn from(unloaded: Unloaded) -> Self {
        match unloaded {
            Unloaded::Barred(why) => Fault::new(StatusCode::FORBIDDEN, why).param("model"),
            Unloaded::Failed(error) => fault(error),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Speaker {
    pub(super) fn new(n_threads: usize, gate: Option<Gate>) -> Self {
        Speaker { n_threads, batcher: Mutex::default(), embedders: Mutex::default(), gate }
    }

    /// Everything that is loaded passes here, each time it is loaded.
    fn pass(&self, path: &Path) -> Result<(), Unloaded> {
        self.gate.as_ref().map_or(Ok(()), |gate| gate(path)).map_err(Unloaded::Barred)
    }

    /// The embedder at `path`.
    pub(super) fn embedder(
        &self,
        path: &Path,
        precision: Precision,
    ) -> Result<Arc<Embedder>, Unloaded> {
        let mut kept = lock(&self.embedders);
        kept.retain(|(known, ..)| known == path);
        if let Some((.., embedder)) = kept.iter().find(|(_, of, _)| *of == precision) {
            return Ok(embedder.clone());
        }
        self.pass(path)?;
        let embedder = Arc::new(Embedder::load_with(path, self.n_threads, precision)?);
        kept.push((path.into(), precision, embedder.clone()));
        Ok(embedder)
    }

    pub(super) fn embed(&self, path: &Path, texts: &[String]) -> Result<Embedded, Fault> {
        // A model that embeds nothing is the request's mistake.
        let embedder =
            self.embedder(path, Precision::Exact).map_err(|unloaded| match unloaded {
                Unloaded::Failed(error) => Fault::bad(error.to_string()),
                barred @ Unloaded::Barred(_) => barred.into(),
            })?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tokens = texts.iter().map(|text| embedder.tokens(text, Purpose::Document).len()).sum();
        let vectors = embedder
            .embed(&texts, Purpose::Document)
            .map_err(|error| Fault::failed(error.to_string()))?;
        Ok(Embedded { vectors, tokens })
    }

    /// The engine of the model at `path` with its draft model, shared with `/v1`.
    pub(super) fn engine(&self, path: &Path, draft: Option<&Path>) -> Result<Engine, Unloaded> {
        Ok(self.batcher(path, draft)?.engine().clone())
    }

    fn batcher(&self, path: &Path, draft: Option<&Path>) -> Result<Arc<Batcher>, Unloaded> {
        let mut kept = lock(&self.batcher);
        if let Some((known, batcher)) = kept.as_ref()
            && known == path
        {
            return Ok(Arc::clone(batcher));
        }
        self.pass(path)?;
        let mut engine = Engine::load(path, self.n_threads)?;
        if let Some(draft) = draft {
            self.pass(draft)?;
            engine = engine.with_draft(Engine::load(draft, 1)?)?;
        }
        let batcher = Arc::new(Batcher::new(&engine, Limits::default()));
        *kept = Some((path.into(), Arc::clone(&batcher)));
        Ok(batcher)
    }

    /// What the model that generates has done; empty before the first request.
    pub(super) fn counters(&self) -> Vec<(String, Counters)> {
        let batcher = lock(&self.batcher).as_ref().map(|(_, batcher)| Arc::clone(batcher));
        batcher.iter().map(|b| (b.engine().name().to_owned(), b.counters())).collect()
    }

    /// Generates with a model and its draft model, together with whatever else it answers.
    pub(super) fn generate(
        &self,
        (path, draft): (&Path, Option<&Path>),
        request: &Generate,
        cancel: &Cancel,
        on_start: &mut dyn FnMut(),
        on_piece: &mut dyn FnMut(&Piece),
    ) -> Result<Generated, Fault> {
        let batcher = self.batcher(path, draft)?;
        let engine = batcher.engine();
        let prompt = encode(engine, &request.prompt)?;
        let limit = engine.context_len();
        if prompt.len().saturating_add(request.max_tokens.unwrap_or(1).max(1)) > limit {
            return Err(Fault::context_length(limit, prompt.len(), request.max_tokens));
        }
        let options = GenerateOptions {
            max_tokens: request.max_tokens.unwrap_or(limit - prompt.len()),
            sampling: sampling(&request.sampling)?,
            stop: request.stop.clone(),
            form: request.form.clone(),
            top_logprobs: request.top_logprobs,
            ..GenerateOptions::default()
        };
        let mut pass_on = |piece: &infer::Piece| {
            let tokens = piece.logprobs.iter().map(|one| chosen(engine, one)).collect();
            on_piece(&Piece { text: piece.text.clone(), tokens });
        };
        let started = batcher
            .generate(&prompt, &options, cancel.generation(), on_start, &mut pass_on)
            .map_err(fault)?;
        let finish = match started.finish {
            infer::Finish::Length | infer::Finish::ContextFull => Finish::Length,
            _ => Finish::Stop,
        };
        Ok(Generated {
            finish,
            prompt_tokens: started.prompt_tokens,
            completion_tokens: started.tokens.len(),
            cached_tokens: started.cached_tokens,
        })
    }
}

fn chosen(engine: &Engine, one: &TokenLogprobs) -> Chosen {
    let likely = |token: u32, logprob: f32| {
        let bytes = engine.tokenizer().map(|known| known.piece_bytes(token)).unwrap_or_default();
        Likely { text: String::from_utf8_lossy(&bytes).into_owned(), bytes, logprob }
    };
    Chosen {
        token: likely(one.token, one.logprob),
        top: one.top.iter().map(|&(token, logprob)| likely(token, logprob)).collect(),
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
        | E::Form(_)
        | E::Option { .. } => Fault::bad(error.to_string()),
        E::Busy { .. } => Fault::busy(error.to_string()),
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
        logit_bias: asked.logit_bias.clone(),
    })
}

fn random_seed() -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Fault::failed(format!("no random numbers: {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}
