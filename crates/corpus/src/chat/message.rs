//! Messages of a conversation, in the shape of OpenAI's API, so that requests deserialize into them.

use crate::Error;
use serde::{Deserialize, Serialize};

/// One message. Roles in use: `system`, `developer`, `user`, `assistant`, `tool`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: String,
    /// What is said; an assistant that only calls tools says nothing.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub content: Content,
    /// Calls that the assistant makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_none")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call a `tool` message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The tool's or the speaker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Content as one string or in parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// One string.
    Text(String),
    /// Parts in order; only parts of kind `text` can be read.
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// `text`, `image_url`…
    #[serde(rename = "type")]
    pub kind: String,
    /// The text of a text part.
    #[serde(default)]
    pub text: String,
}

/// A call of a tool by the assistant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Name of this call, for the answer to refer to.
    #[serde(default)]
    pub id: String,
    /// Always `function`.
    #[serde(rename = "type", default = "function")]
    pub kind: String,
    /// What is called.
    pub function: FunctionCall,
}

/// A function and its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// The tool's name.
    pub name: String,
    /// An object, or (as OpenAI's API sends it) the JSON text of one.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

impl Message {
    /// A message with a role and a text.
    pub fn new(role: &str, text: impl Into<String>) -> Self {
        Self { role: role.to_string(), content: Content::Text(text.into()), ..Self::default() }
    }

    /// What the model is told before the conversation.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new("system", text)
    }

    /// What the person says.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new("user", text)
    }

    /// What the model said.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new("assistant", text)
    }
}

impl Content {
    /// The text, parts joined; [`Error::UnsupportedPart`] if a part is not text.
    pub fn text(&self) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Parts(parts) => match parts.iter().find(|part| part.kind != "text") {
                Some(part) => Err(Error::UnsupportedPart(part.kind.clone())),
                None => Ok(parts.iter().map(|part| part.text.as_str()).collect()),
            },
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl FunctionCall {
    /// The arguments as a value, parsed if they came as JSON text.
    pub(super) fn parsed_arguments(&self) -> serde_json::Value {
        match &self.arguments {
            serde_json::Value::String(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| self.arguments.clone())
            }
            arguments => arguments.clone(),
        }
    }
}

fn function() -> String {
    "function".to_string()
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Content, D::Error> {
    Ok(Option::<Content>::deserialize(from)?.unwrap_or_default())
}

fn null_is_none<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<ToolCall>, D::Error> {
    Ok(Option::<Vec<ToolCall>>::deserialize(from)?.unwrap_or_default())
}
