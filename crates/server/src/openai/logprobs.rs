//! How probable tokens were, in the two shapes of OpenAI's interface.

use serde_json::{Value, json};

/// A token as people and programs read it: its text, its exact bytes, its natural log-probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Likely {
    pub text: String,
    pub bytes: Vec<u8>,
    pub logprob: f32,
}

/// A chosen token and what else was likely in its place, most probable first.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub token: Likely,
    pub top: Vec<Likely>,
}

/// OpenAI gives this for what is less probable than it says.
const LEAST: f32 = -9999.0;

fn number(logprob: f32) -> f32 {
    logprob.max(LEAST)
}

/// `{"content": [{token, logprob, bytes, top_logprobs}]}`
pub(super) fn chat<'a>(chosen: impl Iterator<Item = &'a Chosen>) -> Value {
    let likely = |one: &Likely| json!({ "token": one.text, "logprob": number(one.logprob), "bytes": one.bytes });
    let content: Vec<Value> = chosen
        .map(|chosen| {
            let mut value = likely(&chosen.token);
            value["top_logprobs"] = chosen.top.iter().map(likely).collect();
            value
        })
        .collect();
    json!({ "content": content, "refusal": null })
}

/// `{tokens, token_logprobs, top_logprobs, text_offset}`; offsets count characters of the completion from `offset`.
pub(super) fn completion<'a>(chosen: impl Iterator<Item = &'a Chosen>, mut offset: usize) -> Value {
    let (mut tokens, mut logprobs, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    for chosen in chosen {
        let top = chosen.top.iter().map(|one| (one.text.clone(), number(one.logprob).into()));
        tops.push(Value::Object(top.collect()));
        offsets.push(offset);
        offset += chosen.token.text.chars().count();
        logprobs.push(number(chosen.token.logprob));
        tokens.push(chosen.token.text.clone());
    }
    json!({ "tokens": tokens, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets })
}
