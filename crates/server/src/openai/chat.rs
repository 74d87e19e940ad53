//! `POST /v1/chat/completions`.
//!
//! Roles `system`, `developer`, `user`, `assistant` and `tool`; content as a string or as text parts. Schemas of
//! tools go into the model's own template when it knows tools, else into a system text (see [`corpus::chat`]).
//! `tool_choice` may be `auto` or `none`: nothing here can promise a call.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::parse;
use super::sampling::{Asked, Stop};
use super::{Api, Fault, Generate, Generated, Models, Prompt, answer_id, sse, tools, unix_now};
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
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    #[serde(default)]
    stop: Option<Stop>,
    n: Option<u32>,
    logprobs: Option<bool>,
    logit_bias: Option<Value>,
    response_format: Option<Value>,
    modalities: Option<Value>,
    #[serde(flatten)]
    sampling: Asked,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
}

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

impl Request {
    /// What to generate, or what of it cannot be honoured.
    fn check(self) -> Result<Generate, Fault> {
        if self.messages.is_empty() {
            return Err(Fault::bad("messages: at least one is needed").param("messages"));
        }
        if let Some(message) = self.messages.iter().find(|m| !ROLES.contains(&m.role.as_str())) {
            let known = ROLES.join(", ");
            let fault =
                Fault::bad(format!("the role {:?} is unknown; known are {known}", message.role));
            return Err(fault.param("messages").code("invalid_value"));
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(Fault::unsupported(
                "n",
                "only one choice is made; send the request again for another",
            ));
        }
        if self.logprobs == Some(true) {
            return Err(Fault::unsupported(
                "logprobs",
                "this server does not return probabilities",
            ));
        }
        if self.logit_bias.is_some_and(|bias| bias.as_object().is_none_or(|bias| !bias.is_empty()))
        {
            return Err(Fault::unsupported("logit_bias", "this server does not bias tokens"));
        }
        if self.response_format.is_some_and(|format| format["type"] != "text") {
            return Err(Fault::unsupported("response_format", "only plain text is written"));
        }
        if self.modalities.is_some_and(|modalities| modalities != json!(["text"])) {
            return Err(Fault::unsupported("modalities", "only text is written"));
        }
        let tools = match &self.tool_choice {
            None | Some(Value::Null) => self.tools.unwrap_or_default(),
            Some(Value::String(choice)) if choice == "auto" => self.tools.unwrap_or_default(),
            Some(Value::String(choice)) if choice == "none" => Vec::new(),
            Some(_) => {
                return Err(Fault::unsupported(
                    "tool_choice",
                    "auto and none are possible; a call cannot be forced",
                ));
            }
        };
        if tools.iter().any(|tool| !tool["function"]["name"].is_string()) {
            return Err(Fault::bad("tools: each needs a function with a name").param("tools"));
        }
        Ok(Generate {
            model: self.model,
            prompt: Prompt::Chat { messages: self.messages, tools },
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            sampling: self.sampling.check()?,
            stop: self.stop.unwrap_or_default().check()?,
        })
    }
}

pub(super) async fn chat(State(api): State<Api>, body: Bytes) -> Result<Response, Fault> {
    let request: Request = parse(&body)?;
    let stream = request.stream == Some(true);
    let include_usage =
        request.stream_options.as_ref().is_some_and(|options| options.include_usage);
    let generate = request.check()?;
    let turn = api.queue.turn().await?;
    let models = api.models.clone();
    if stream {
        return sse::respond(move |events| {
            let _turn = turn;
            write_stream(models.as_ref(), &generate, include_usage, events)
        })
        .await;
    }
    sse::whole(move |cancel| {
        let _turn = turn;
        whole(models.as_ref(), &generate, cancel)
    })
    .await
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
    generate: &Generate,
    cancel: &crate::stream::Cancel,
) -> Result<Response, Fault> {
    let mut text = String::new();
    let done = models.generate(generate, cancel, &mut || (), &mut |piece| text.push_str(piece))?;
    let calls = tools::calls(&text, tools_of(generate));
    let finish = if calls.is_some() { "tool_calls" } else { done.finish.name() };
    let mut message = json!({ "role": "assistant", "content": text, "refusal": null });
    if let Some(calls) = calls {
        message["content"] = Value::Null;
        message["tool_calls"] = calls.into();
    }
    Ok(Json(json!({
        "id": answer_id("chatcmpl"),
        "object": "chat.completion",
        "created": unix_now(),
        "model": generate.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish }],
        "usage": usage(&done),
    }))
    .into_response())
}

pub(super) fn usage(done: &Generated) -> Value {
    json!({
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
        "total_tokens": done.prompt_tokens + done.completion_tokens,
    })
}

/// The answer as it forms. Text that may be a tool call is held back until that is certain.
fn write_stream(
    models: &dyn Models,
    generate: &Generate,
    include_usage: bool,
    events: &mut sse::Events<'_>,
) -> Result<(), Fault> {
    let (id, created) = (answer_id("chatcmpl"), unix_now());
    let chunk = |delta: Value, finish: Value| {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        json!({ "id": id, "object": "chat.completion.chunk", "created": created, "model": generate.model,
                "choices": [choice] })
    };
    let tools = tools_of(generate);
    let (mut held, mut holding) = (String::new(), !tools.is_empty());
    let cancel = events.cancel();
    let events = std::cell::RefCell::new(events);
    let done = models.generate(
        generate,
        &cancel,
        &mut || {
            let mut events = events.borrow_mut();
            events.start();
            events.send(&chunk(json!({ "role": "assistant", "content": "" }), Value::Null));
        },
        &mut |piece| {
            held.push_str(piece);
            holding &= tools::may_be_call(&held);
            if !holding {
                let content = std::mem::take(&mut held);
                events.borrow_mut().send(&chunk(json!({ "content": content }), Value::Null));
            }
        },
    )?;
    let mut events = events.borrow_mut();
    let calls = tools::calls(&held, tools);
    let finish = if calls.is_some() { "tool_calls" } else { done.finish.name() };
    match calls {
        Some(calls) => events.send(&chunk(json!({ "tool_calls": calls }), Value::Null)),
        None if !held.is_empty() => events.send(&chunk(json!({ "content": held }), Value::Null)),
        None => {}
    }
    events.send(&chunk(json!({}), finish.into()));
    if include_usage {
        events.send(&json!({ "id": id, "object": "chat.completion.chunk", "created": created,
                             "model": generate.model, "choices": [], "usage": usage(&done) }));
    }
    Ok(())
}
