//! `POST /v1/chat/completions`.
//!
//! Roles `system`, `developer`, `user`, `assistant` and `tool`; content as a string or as text parts. Schemas of
//! tools go into the model's own template when it knows tools, else into a system text (see [`corpus::chat`]).
//! A `tool_choice` that insists on a call, and `response_format`, are kept by forbidding all other tokens.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fan::{Collected, Hear, generate_all};
use super::fault::parse;
use super::sampling::{Asked, Stop, choices};
use super::{
    Api, Fault, Generate, Generated, Models, Piece, Prompt, answer_id, form, logprobs, sse, tools,
    unix_now, whole_numbers,
};
use corpus::chat::Message;

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    max_tokens: Option<usize>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    max_completion_tokens: Option<usize>,
    #[serde(default)]
    stop: Option<Stop>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    n: Option<u32>,
    logprobs: Option<bool>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    top_logprobs: Option<usize>,
    modalities: Option<Value>,
    #[serde(flatten)]
    form: form::Asked,
    #[serde(flatten)]
    sampling: Asked,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
}

/// OpenAI's own limit.
const MOST_LOGPROBS: usize = 20;

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

impl Request {
    /// What to generate, one for each choice, or what of it cannot be honoured.
    fn check(self) -> Result<Vec<Generate>, Fault> {
        if self.messages.is_empty() {
            return Err(Fault::bad("messages: at least one is needed").param("messages"));
        }
        if let Some(message) = self.messages.iter().find(|m| !ROLES.contains(&m.role.as_str())) {
            let known = ROLES.join(", ");
            let fault =
                Fault::bad(format!("the role {:?} is unknown; known are {known}", message.role));
            return Err(fault.param("messages").code("invalid_value"));
        }
        if self.modalities.is_some_and(|modalities| modalities != json!(["text"])) {
            return Err(Fault::unsupported("modalities", "only text is written"));
        }
        let (tools, call) = form::tools(self.tools, self.tool_choice)?;
        let form = self.form.check()?;
        if call.is_some() && form.is_some() {
            let why = "a required call and a form of the answer exclude each other";
            return Err(Fault::bad(why).param("tool_choice"));
        }
        let top_logprobs = match (self.logprobs, self.top_logprobs) {
            (Some(true), n) if n.unwrap_or(0) <= MOST_LOGPROBS => Some(n.unwrap_or(0)),
            (_, None | Some(0)) => None,
            _ => {
                let why = format!("top_logprobs: up to {MOST_LOGPROBS}, with logprobs");
                return Err(Fault::bad(why).param("top_logprobs"));
            }
        };
        let sampling = self.sampling.check()?;
        let stop = self.stop.unwrap_or_default().check()?;
        let generate = |index| Generate {
            model: self.model.clone(),
            prompt: Prompt::Chat { messages: self.messages.clone(), tools: tools.clone() },
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            sampling: sampling.choice(index),
            stop: stop.clone(),
            form: call.clone().or(form.clone()),
            top_logprobs,
        };
        Ok((0..choices(self.n)?).map(generate).collect())
    }
}

pub(super) async fn chat(State(api): State<Api>, body: Bytes) -> Result<Response, Fault> {
    let request: Request = parse(&body)?;
    let stream = request.stream == Some(true);
    let include_usage =
        request.stream_options.as_ref().is_some_and(|options| options.include_usage);
    let generates = request.check()?;
    let models = api.models.clone();
    if stream {
        return sse::respond(move |events| {
            let cancel = events.cancel();
            let mut writer = Writer::new(&generates, events);
            let done = generate_all(models.as_ref(), &generates, &cancel, &mut writer)?;
            writer.finish(&done, include_usage);
            Ok(())
        })
        .await;
    }
    sse::whole(move |cancel| whole(models.as_ref(), &generates, cancel)).await
}

fn tools_of(generate: &Generate) -> &[Value] {
    match &generate.prompt {
        Prompt::Chat { tools, .. } => tools,
        _ => &[],
    }
}

/// The whole answer in one piece.
fn whole(
    models: &dyn Models,
    generates: &[Generate],
    cancel: &crate::stream::Cancel,
) -> Result<Response, Fault> {
    let mut said = Collected::new(generates.len());
    let done = generate_all(models, generates, cancel, &mut said)?;
    let choices = said.0.iter().zip(&done).zip(generates).enumerate();
    let choices = choices.map(|(index, ((pieces, done), generate))| {
        let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        let calls = tools::calls(&text, tools_of(generate));
        let finish = if calls.is_some() { "tool_calls" } else { done.finish.name() };
        let mut message = json!({ "role": "assistant", "content": text, "refusal": null });
        if let Some(calls) = calls {
            message["content"] = Value::Null;
            message["tool_calls"] = calls.into();
        }
        let logprobs = generate
            .top_logprobs
            .map(|_| logprobs::chat(pieces.iter().flat_map(|piece| &piece.tokens)));
        json!({ "index": index, "message": message, "logprobs": logprobs, "finish_reason": finish })
    });
    Ok(Json(json!({
        "id": answer_id("chatcmpl"),
        "object": "chat.completion",
        "created": unix_now(),
        "model": generates[0].model,
        "choices": choices.collect::<Vec<_>>(),
        "usage": usage(&done, generates.len()),
    }))
    .into_response())
}

/// Counts of all texts together; the `n_choices` of one prompt share its tokens.
pub(super) fn usage(done: &[Generated], n_choices: usize) -> Value {
    let sum = |count: fn(&Generated) -> usize| done.iter().map(count).sum::<usize>();
    let prompt_tokens = sum(|one| one.prompt_tokens) / n_choices.max(1);
    let completion_tokens = sum(|one| one.completion_tokens);
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": { "cached_tokens": sum(|one| one.cached_tokens) / n_choices.max(1) },
    })
}

/// Sends answers as they form. Text that may be a tool call is held back until that is certain.
struct Writer<'e, 'l> {
    generates: &'e [Generate],
    events: &'e mut sse::Events<'l>,
    id: String,
    created: u64,
    started: bool,
    choices: Vec<Held>,
}

#[derive(Default)]
struct Held {
    text: String,
    pieces: Vec<Piece>,
    holding: bool,
}

impl<'e, 'l> Writer<'e, 'l> {
    fn new(generates: &'e [Generate], events: &'e mut sse::Events<'l>) -> Self {
        let held = |generate| Held { holding: !tools_of(generate).is_empty(), ..Held::default() };
        Self {
            generates,
            events,
            id: answer_id("chatcmpl"),
            created: unix_now(),
            started: false,
            choices: generates.iter().map(held).collect(),
        }
    }

    fn chunk(&self, choices: Value) -> Value {
        json!({ "id": self.id, "object": "chat.completion.chunk", "created": self.created,
                "model": self.generates[0].model, "choices": choices })
    }

    fn send(&mut self, index: usize, delta: Value, logprobs: Option<Value>, finish: Option<&str>) {
        let choice = json!({ "index": index, "delta": delta, "logprobs": logprobs,
                             "finish_reason": finish });
        let chunk = self.chunk(json!([choice]));
        self.events.send(&chunk);
    }

    fn finish(mut self, done: &[Generated], include_usage: bool) {
        for (index, one) in done.iter().enumerate() {
            let held = std::mem::take(&mut self.choices[index]);
            let calls = tools::calls(&held.text, tools_of(&self.generates[index]));
            let finish = if calls.is_some() { "tool_calls" } else { one.finish.name() };
            match calls {
                Some(calls) => self.send(index, json!({ "tool_calls": calls }), None, None),
                None => held.pieces.iter().for_each(|piece| self.say(index, piece)),
            }
            self.send(index, json!({}), None, Some(finish));
        }
        if include_usage {
            let mut chunk = self.chunk(json!([]));
            chunk["usage"] = usage(done, self.generates.len());
            self.events.send(&chunk);
        }
    }

    fn say(&mut self, index: usize, piece: &Piece) {
        let asked = self.generates[index].top_logprobs;
        let logprobs = asked.map(|_| logprobs::chat(piece.tokens.iter()));
        self.send(index, json!({ "content": piece.text }), logprobs, None);
    }
}

impl Hear for Writer<'_, '_> {
    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.events.start();
        for index in 0..self.generates.len() {
            self.send(index, json!({ "role": "assistant", "content": "" }), None, None);
        }
    }

    fn piece(&mut self, index: usize, piece: &Piece) {
        let held = &mut self.choices[index];
        if held.holding {
            held.text.push_str(&piece.text);
            held.pieces.push(piece.clone());
            held.holding = tools::may_be_call(&held.text);
            if held.holding {
                return;
            }
            held.text.clear();
            let pieces = std::mem::take(&mut held.pieces);
            pieces.iter().for_each(|piece| self.say(index, piece));
            return;
        }
        self.say(index, piece);
    }
}
