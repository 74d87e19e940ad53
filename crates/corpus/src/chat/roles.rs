//! Bringing a conversation into a form that a template accepts. The rules stand at the head of
//! [`chat`](super).

use super::message::Message;
use crate::Error;
use serde_json::{Value, json};

/// What a template knows, as far as its source mentions it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Abilities {
    developer: bool,
    tool_role: bool,
    tool_calls: bool,
    tools: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    AsGiven,
    Plainest,
}

impl Abilities {
    pub(super) fn read(source: &str) -> Self {
        let quoted = |word: &str| {
            source.contains(&format!("'{word}'")) || source.contains(&format!("\"{word}\""))
        };
        Self {
            developer: quoted("developer"),
            tool_role: quoted("tool"),
            tool_calls: source.contains("tool_calls"),
            tools: source.contains("tools"),
        }
    }
}

/// A message on its way: a role, a text, and what only tool-aware templates look at.
struct Turn {
    role: String,
    text: String,
    tool_calls: Vec<Value>,
    rest: serde_json::Map<String, Value>,
}

/// The messages as the template will see them.
pub(super) fn adapt(
    messages: &[Message],
    tools: &[Value],
    abilities: &Abilities,
    form: Form,
) -> Result<Vec<Value>, Error> {
    let plain = form == Form::Plainest;
    let mut turns = messages
        .iter()
        .map(|m| turn(m, messages, abilities, plain))
        .collect::<Result<Vec<_>, _>>()?;
    if !tools.is_empty() && (plain || !abilities.tools) {
        let offer = Turn {
            role: "system".to_string(),
            text: offer(tools),
            tool_calls: vec![],
            rest: json_map(),
        };
        let at = turns.iter().take_while(|turn| turn.role == "system").count();
        turns.insert(at, offer);
    }
    let turns = if plain { join_in_a_row(fold_system(turns)) } else { join_leading_system(turns) };
    Ok(turns.into_iter().map(Turn::into_value).collect())
}

fn turn(
    message: &Message,
    all: &[Message],
    abilities: &Abilities,
    plain: bool,
) -> Result<Turn, Error> {
    let mut text = message.content.text()?;
    let mut role = message.role.clone();
    let mut rest = json_map();
    let mut tool_calls = Vec::new();
    match message.role.as_str() {
        "developer" if plain || !abilities.developer => role = "system".to_string(),
        "tool" | "function" if plain || !abilities.tool_role => {
            let name = message.name.clone().or_else(|| called_name(message, all));
            text = match name {
                Some(name) => format!("Result of {name}:\n{text}"),
                None => format!("Result of the tool:\n{text}"),
            };
            role = "user".to_string();
        }
        "assistant" if plain || !abilities.tool_calls => {
            for call in &message.tool_calls {
                if !text.is_empty() {
                    text.push('\n');
                }
                let arguments = call.function.parsed_arguments();
                text.push_str(
                    &json!({ "name": call.function.name, "arguments": arguments }).to_string(),
                );
            }
        }
        "assistant" => {
            let call = |call: &super::ToolCall| {
                let function = json!({ "name": call.function.name, "arguments": call.function.parsed_arguments() });
                json!({ "id": call.id, "type": call.kind, "function": function })
            };
            tool_calls = message.tool_calls.iter().map(call).collect();
        }
        _ => {}
    }
    let optional = [("name", &message.name), ("tool_call_id", &message.tool_call_id)];
    for (key, value) in optional {
        if let Some(value) = value {
            rest.insert(key.to_string(), value.as_str().into());
        }
    }
    Ok(Turn { role, text, tool_calls, rest })
}

/// The name of the tool whose call a `tool` message answers.
fn called_name(answer: &Message, all: &[Message]) -> Option<String> {
    let id = answer.tool_call_id.as_ref()?;
    let mut calls = all.iter().flat_map(|message| &message.tool_calls);
    calls.find(|call| call.id == *id).map(|call| call.function.name.clone())
}

/// Tool schemas in words, for templates that have no place for them.
fn offer(tools: &[Value]) -> String {
    let mut text = String::from(
        "You can call the tools below. To call one, answer with a JSON object \
         {\"name\": tool, \"arguments\": object} and nothing else.",
    );
    for tool in tools {
        let schema = tool.get("function").unwrap_or(tool);
        text.push('\n');
        text.push_str(&schema.to_string());
    }
    text
}

fn join_leading_system(turns: Vec<Turn>) -> Vec<Turn> {
    let mut out: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns {
        match out.as_mut_slice() {
            [only] if only.role == "system" && turn.role == "system" => only.append(&turn.text),
            _ => out.push(turn),
        }
    }
    out
}

/// System text goes to the head of the user message that follows it; what has none becomes one at the end.
fn fold_system(turns: Vec<Turn>) -> Vec<Turn> {
    let mut out: Vec<Turn> = Vec::with_capacity(turns.len());
    let mut waiting: Option<Turn> = None;
    for mut turn in turns {
        match (turn.role.as_str(), &mut waiting) {
            ("system", Some(system)) => system.append(&turn.text),
            ("system", none) => *none = Some(turn),
            ("user", some) => {
                if let Some(mut system) = some.take() {
                    system.append(&turn.text);
                    turn.text = system.text;
                }
                out.push(turn);
            }
            _ => out.push(turn),
        }
    }
    out.extend(waiting.map(|system| Turn { role: "user".to_string(), ..system }));
    out
}

fn join_in_a_row(turns: Vec<Turn>) -> Vec<Turn> {
    let mut out: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns {
        match out.last_mut() {
            Some(last) if last.role == turn.role => last.append(&turn.text),
            _ => out.push(turn),
        }
    }
    out
}

impl Turn {
    fn append(&mut self, text: &str) {
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }

    fn into_value(self) -> Value {
        let mut map = json_map();
        map.insert("role".to_string(), self.role.into());
        map.insert("content".to_string(), self.text.into());
        if !self.tool_calls.is_empty() {
            map.insert("tool_calls".to_string(), self.tool_calls.into());
        }
        map.extend(self.rest);
        Value::Object(map)
    }
}

fn json_map() -> serde_json::Map<String, Value> {
    serde_json::Map::new()
}
