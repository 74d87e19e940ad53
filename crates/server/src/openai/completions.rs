//! `POST /v1/completions`: text that goes on, without a chat template.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::{StreamOptions, usage};
use super::fault::parse;
use super::sampling::{Asked, Stop};
use super::{Api, Fault, Generate, Generated, Models, Prompt, answer_id, sse, unix_now};
use crate::stream::Cancel;

/// What OpenAI's interface gives when nothing is asked.
const DEFAULT_MAX_TOKENS: usize = 16;
const MAX_PROMPTS: usize = 32;

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    prompt: Prompts,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<usize>,
    #[serde(default)]
    stop: Option<Stop>,
    n: Option<u32>,
    best_of: Option<u32>,
    echo: Option<bool>,
    suffix: Option<String>,
    logprobs: Option<u32>,
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
    fn check(self) -> Result<Vec<Generate>, Fault> {
        if self.n.is_some_and(|n| n != 1) || self.best_of.is_some_and(|n| n != 1) {
            return Err(Fault::unsupported("n", "only one choice per prompt is made"));
        }
        if self.echo == Some(true) {
            return Err(Fault::unsupported("echo", "the prompt is not repeated"));
        }
        if self.suffix.is_some_and(|suffix| !suffix.is_empty()) {
            return Err(Fault::unsupported("suffix", "text is continued at its end only"));
        }
        if self.logprobs.is_some_and(|n| n > 0) {
            return Err(Fault::unsupported(
                "logprobs",
                "this server does not return probabilities",
            ));
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
        let generate = |prompt| Generate {
            model: self.model.clone(),
            prompt,
            max_tokens: Some(self.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)),
            sampling: sampling.clone(),
            stop: stop.clone(),
        };
        Ok(prompts.into_iter().map(generate).collect())
    }
}

pub(super) async fn completions(State(api): State<Api>, body: Bytes) -> Result<Response, Fault> {
    let request: Request = parse(&body)?;
    let stream = request.stream == Some(true);
    let include_usage =
        request.stream_options.as_ref().is_some_and(|options| options.include_usage);
    let generates = request.check()?;
    let turn = api.queue.turn().await?;
    let models = api.models.clone();
    if stream {
        return sse::respond(move |events| {
            let _turn = turn;
            write_stream(models.as_ref(), &generates, include_usage, events)
        })
        .await;
    }
    sse::whole(move |cancel| {
        let _turn = turn;
        whole(models.as_ref(), &generates, cancel)
    })
    .await
}

fn choice(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({ "index": index, "text": text, "logprobs": null, "finish_reason": finish })
}

fn add(total: &mut Generated, one: &Generated) {
    total.prompt_tokens += one.prompt_tokens;
    total.completion_tokens += one.completion_tokens;
}

const NOTHING: Generated =
    Generated { finish: super::Finish::Stop, prompt_tokens: 0, completion_tokens: 0 };

fn whole(models: &dyn Models, generates: &[Generate], cancel: &Cancel) -> Result<Response, Fault> {
    let (mut choices, mut total) = (Vec::new(), NOTHING);
    for (index, generate) in generates.iter().enumerate() {
        let mut text = String::new();
        let done =
            models.generate(generate, cancel, &mut || (), &mut |piece| text.push_str(piece))?;
        add(&mut total, &done);
        choices.push(choice(index, &text, Some(done.finish.name())));
    }
    Ok(Json(json!({
        "id": answer_id("cmpl"),
        "object": "text_completion",
        "created": unix_now(),
        "model": generates[0].model,
        "choices": choices,
        "usage": usage(&total),
    }))
    .into_response())
}

fn write_stream(
    models: &dyn Models,
    generates: &[Generate],
    include_usage: bool,
    events: &mut sse::Events<'_>,
) -> Result<(), Fault> {
    let (id, created, model) = (answer_id("cmpl"), unix_now(), &generates[0].model);
    let chunk = |choices: Value, usage: Value| {
        json!({ "id": id, "object": "text_completion", "created": created, "model": model,
                "choices": choices, "usage": usage })
    };
    let mut total = NOTHING;
    let cancel = events.cancel();
    let events = std::cell::RefCell::new(events);
    for (index, generate) in generates.iter().enumerate() {
        let done = models.generate(
            generate,
            &cancel,
            &mut || events.borrow_mut().start(),
            &mut |piece| {
                events.borrow_mut().send(&chunk(json!([choice(index, piece, None)]), Value::Null));
            },
        )?;
        add(&mut total, &done);
        let end = choice(index, "", Some(done.finish.name()));
        events.borrow_mut().send(&chunk(json!([end]), Value::Null));
    }
    if include_usage {
        events.borrow_mut().send(&chunk(json!([]), usage(&total)));
    }
    Ok(())
}
