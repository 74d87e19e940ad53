//! `POST /v1/completions`: text that goes on, without a chat template.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::{StreamOptions, usage};
use super::fan::{Collected, Hear, generate_all};
use super::fault::parse;
use super::sampling::{Asked, Stop, choices};
use super::{
    Api, Fault, Generate, Generated, Models, Piece, Prompt, answer_id, form, logprobs, sse,
    unix_now, whole_numbers,
};
use crate::stream::Cancel;

/// What OpenAI's interface gives when nothing is asked.
const DEFAULT_MAX_TOKENS: usize = 16;
const MAX_PROMPTS: usize = 32;
/// Of the older interface; OpenAI's limit is 5.
const MOST_LOGPROBS: usize = 20;

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    prompt: Prompts,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    max_tokens: Option<usize>,
    #[serde(default)]
    stop: Option<Stop>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    n: Option<u32>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    best_of: Option<u32>,
    echo: Option<bool>,
    suffix: Option<String>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    logprobs: Option<usize>,
    #[serde(flatten)]
    form: form::Asked,
    #[serde(flatten)]
    sampling: Asked,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prompts {
    One(String),
    Tokens(Vec<u32>),
    Several(Vec<String>),
}

impl Request {
    /// How many choices of each prompt, and all texts to generate.
    fn check(self) -> Result<(usize, Vec<Generate>), Fault> {
        let n = choices(self.n)?;
        if self.best_of.is_some_and(|best_of| best_of as usize != n) {
            return Err(Fault::unsupported("best_of", "as many choices are made as are returned"));
        }
        if self.echo == Some(true) {
            return Err(Fault::unsupported("echo", "the prompt is not repeated"));
        }
        if self.suffix.is_some_and(|suffix| !suffix.is_empty()) {
            return Err(Fault::unsupported("suffix", "text is continued at its end only"));
        }
        if self.logprobs.is_some_and(|n| n > MOST_LOGPROBS) {
            return Err(Fault::bad(format!("logprobs: up to {MOST_LOGPROBS}")).param("logprobs"));
        }
        let prompts = match self.prompt {
            Prompts::One(text) => vec![Prompt::Text(text)],
            Prompts::Tokens(tokens) => vec![Prompt::Tokens(tokens)],
            Prompts::Several(texts) => texts.into_iter().map(Prompt::Text).collect(),
        };
        if prompts.is_empty() || prompts.len() > MAX_PROMPTS {
            return Err(Fault::bad(format!("prompt: from one to {MAX_PROMPTS}")).param("prompt"));
        }
        let (sampling, stop) = (self.sampling.check()?, self.stop.unwrap_or_default().check()?);
        let form = self.form.check()?;
        let generate = |prompt: &Prompt, index| Generate {
            model: self.model.clone(),
            prompt: prompt.clone(),
            max_tokens: Some(self.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)),
            sampling: sampling.choice(index),
            stop: stop.clone(),
            form: form.clone(),
            top_logprobs: self.logprobs,
        };
        let all = |prompt| (0..n).map(move |index| generate(prompt, index));
        Ok((n, prompts.iter().flat_map(all).collect()))
    }
}

pub(super) async fn completions(State(api): State<Api>, body: Bytes) -> Result<Response, Fault> {
    let request: Request = parse(&body)?;
    let stream = request.stream == Some(true);
    let include_usage =
        request.stream_options.as_ref().is_some_and(|options| options.include_usage);
    let (n, generates) = request.check()?;
    let models = api.models.clone();
    if stream {
        return sse::respond(move |events| {
            let cancel = events.cancel();
            let mut writer = Writer::new(&generates, events);
            let done = generate_all(models.as_ref(), &generates, &cancel, &mut writer)?;
            writer.finish(&done, include_usage.then_some(n));
            Ok(())
        })
        .await;
    }
    sse::whole(move |cancel| whole(models.as_ref(), n, &generates, cancel)).await
}

fn choice(index: usize, text: &str, logprobs: Option<Value>, finish: Option<&str>) -> Value {
    json!({ "index": index, "text": text, "logprobs": logprobs, "finish_reason": finish })
}

fn whole(
    models: &dyn Models,
    n: usize,
    generates: &[Generate],
    cancel: &Cancel,
) -> Result<Response, Fault> {
    let mut said = Collected::new(generates.len());
    let done = generate_all(models, generates, cancel, &mut said)?;
    let all = said.0.iter().zip(&done).zip(generates).enumerate();
    let choices = all.map(|(index, ((pieces, done), generate))| {
        let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        let logprobs = generate
            .top_logprobs
            .map(|_| logprobs::completion(pieces.iter().flat_map(|piece| &piece.tokens), 0));
        choice(index, &text, logprobs, Some(done.finish.name()))
    });
    Ok(Json(json!({
        "id": answer_id("cmpl"),
        "object": "text_completion",
        "created": unix_now(),
        "model": generates[0].model,
        "choices": choices.collect::<Vec<_>>(),
        "usage": usage(&done, n),
    }))
    .into_response())
}

/// Sends texts as they form.
struct Writer<'e, 'l> {
    generates: &'e [Generate],
    events: &'e mut sse::Events<'l>,
    id: String,
    created: u64,
    /// Characters sent of each text.
    offsets: Vec<usize>,
}

impl<'e, 'l> Writer<'e, 'l> {
    fn new(generates: &'e [Generate], events: &'e mut sse::Events<'l>) -> Self {
        let offsets = vec![0; generates.len()];
        Self { generates, events, id: answer_id("cmpl"), created: unix_now(), offsets }
    }

    fn send(&mut self, choices: Value, usage: Value) {
        self.events.send(&json!({ "id": self.id, "object": "text_completion",
            "created": self.created, "model": self.generates[0].model, "choices": choices,
            "usage": usage }));
    }

    /// With the counts, where asked for, for so many choices of each prompt.
    fn finish(mut self, done: &[Generated], usage_of: Option<usize>) {
        for (index, one) in done.iter().enumerate() {
            let end = choice(index, "", None, Some(one.finish.name()));
            self.send(json!([end]), Value::Null);
        }
        if let Some(n) = usage_of {
            self.send(json!([]), usage(done, n));
        }
    }
}

impl Hear for Writer<'_, '_> {
    fn start(&mut self) {
        self.events.start();
    }

    fn piece(&mut self, index: usize, piece: &Piece) {
        let offset = self.offsets[index];
        self.offsets[index] += piece.text.chars().count();
        let asked = self.generates[index].top_logprobs;
        let logprobs = asked.map(|_| logprobs::completion(piece.tokens.iter(), offset));
        self.send(json!([choice(index, &piece.text, logprobs, None)]), Value::Null);
    }
}
