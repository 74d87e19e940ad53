//! A conversation as the one text that a chat model was trained on.
//!
//! The model's file carries a Jinja template written for Python. [`ChatTemplate`] runs it with `minijinja`
//! and the Python methods and filters that templates use; [`ChatTemplate::render`] gives the text and
//! [`ChatTemplate::encode`] the tokens. The two differ where it matters: in `encode`, a control token that
//! occurs inside a message (`<|im_end|>` in somebody's mail) stays ordinary text and cannot end the turn.
//!
//! Templates know different roles. What a template lacks is mapped, first as little as possible:
//!
//! - `developer` becomes `system`, unless the template knows it;
//! - system messages at the head become one;
//! - `tool` becomes a user message that names the tool, a tool call becomes JSON in the assistant's text, and
//!   the schemas of tools are written into the system message, each unless the template knows better;
//! - if the template then refuses (`raise_exception`) or fails, once more with the plainest conversation:
//!   the system text at the head of the first user message, and messages of one role in a row joined.
//!
//! A template is a program from outside. It runs on a ration of steps, which also pays for the bytes it
//! makes, and its output has a limit of its own.

mod message;
mod roles;
mod run;

pub use message::{Content, FunctionCall, Message, Part, ToolCall};

use crate::Error;
use crate::tokenizer::{Special, Tokenizer};
use roles::{Abilities, Form};
use serde_json::Value;
use std::borrow::Cow;

/// The chat template of a model, parsed.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: minijinja::Environment<'static>,
    source: String,
    bos: String,
    eos: String,
    abilities: Abilities,
}

/// What goes into a rendering besides the messages.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions<'a> {
    /// JSON schemas of the tools on offer, as in OpenAI's API.
    pub tools: &'a [Value],
    /// End with the header of an assistant's turn, so that the model writes that turn.
    pub add_generation_prompt: bool,
    /// The owner's clock, for templates that put the date into the prompt. Without it they use their default.
    pub now: Option<jiff::civil::DateTime>,
    /// Further variables that some templates look at: `enable_thinking`.
    pub extra: serde_json::Map<String, Value>,
}

impl ChatTemplate {
    /// Parses a template. `bos` and `eos` are the texts of these tokens, empty if the model has none.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self, Error> {
        Ok(Self {
            environment: run::environment(source)?,
            source: source.to_string(),
            bos: bos.to_string(),
            eos: eos.to_string(),
            abilities: Abilities::read(source),
        })
    }

    /// The template as in the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text of a conversation.
    pub fn render(
        &self,
        messages: &[Message],
        options: &RenderOptions<'_>,
    ) -> Result<String, Error> {
        self.render_guarded(messages, options, &mut |_| None)
    }

    /// The tokens of a conversation, with control tokens inside messages taken as ordinary text.
    ///
    /// Before rendering, each control token inside a message is replaced by a placeholder; afterwards the text
    /// is cut at the control tokens, which now all come from the template, and the placeholders are put back.
    /// The template can therefore still trim, split and join the messages as it likes.
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        messages: &[Message],
        options: &RenderOptions<'_>,
    ) -> Result<Vec<u32>, Error> {
        let mut hidden: Vec<String> = Vec::new();
        let text =
            self.render_guarded(messages, options, &mut |text| hide(text, tokenizer, &mut hidden))?;
        let mut ids = Vec::with_capacity(text.len() / 3 + 2);
        tokenizer.encode_stretches(&mut ids, &text, Special::Parse, &|text| reveal(text, &hidden));
        // Templates write the begin token themselves, or leave it to the tokenizer; never twice.
        if tokenizer.adds_bos()
            && let Some(bos) = tokenizer.bos()
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }

    fn render_guarded(
        &self,
        messages: &[Message],
        options: &RenderOptions<'_>,
        guard: &mut dyn FnMut(&str) -> Option<String>,
    ) -> Result<String, Error> {
        let mut run = |form| {
            let mut messages = roles::adapt(messages, options.tools, &self.abilities, form)?;
            messages.iter_mut().for_each(|message| guard_strings(message, guard));
            // The plainest conversation has the tools in its text already.
            let tools = if form == Form::AsGiven { options.tools } else { &[] };
            let mut tools = Value::Array(tools.to_vec());
            guard_strings(&mut tools, guard);
            self.run(messages, tools, options)
        };
        match run(Form::AsGiven) {
            Err(first @ (Error::TemplateRefuses(_) | Error::TemplateFails(_))) => {
                run(Form::Plainest).map_err(|second| match second {
                    Error::TemplateLimit(_) => second,
                    _ => first,
                })
            }
            done => done,
        }
    }
}

/// Marks a placeholder on both sides: a code point that no text uses. One that does is hidden like a token.
const MARK: char = '\u{10fffd}';

/// Replaces control tokens in `text` by placeholders `MARK number MARK`; `None` if there are none.
fn hide(text: &str, tokenizer: &Tokenizer, hidden: &mut Vec<String>) -> Option<String> {
    let mut places = tokenizer.control_tokens(text);
    places.extend(text.match_indices(MARK).map(|(at, mark)| at..at + mark.len()));
    places.sort_by_key(|place| place.start);
    if places.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for place in places.into_iter().filter(|place| !place.is_empty()) {
        if place.start < done {
            continue;
        }
        out.push_str(&text[done..place.start]);
        out.push_str(&format!("{MARK}{}{MARK}", hidden.len()));
        hidden.push(text[place.clone()].to_string());
        done = place.end;
    }
    out.push_str(&text[done..]);
    Some(out)
}

fn reveal<'t>(text: &'t str, hidden: &[String]) -> Cow<'t, str> {
    if hidden.is_empty() || !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    // Between marks stand, in turn, text and numbers. What is no number of ours was changed by the template
    // and stays as it is.
    let part = |(i, part): (usize, &'t str)| match i % 2 {
        0 => part,
        _ => part.parse::<usize>().ok().and_then(|n| hidden.get(n)).map_or(part, String::as_str),
    };
    let parts: Vec<&str> = text.split(MARK).enumerate().map(part).collect();
    Cow::Owned(parts.concat())
}

/// Applies `guard` to every string inside a value, except roles and kinds, which templates compare.
fn guard_strings(value: &mut Value, guard: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(guarded) = guard(text) {
                *text = guarded;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| guard_strings(value, guard)),
        Value::Object(map) => {
            let compared = |key: &str| matches!(key, "role" | "type");
            map.iter_mut()
                .filter(|(key, _)| !compared(key))
                .for_each(|(_, v)| guard_strings(v, guard));
        }
        _ => {}
    }
}
