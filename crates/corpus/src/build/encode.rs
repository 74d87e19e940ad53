//! Documents to tokens, with the mark on what counts.
//!
//! A text counts whole and ends with the end-of-text token. Of a conversation only what the assistant writes counts:
//! the tokens between its turn's header and the end of that turn, found by rendering the conversation up to before
//! and after each of its messages.

use super::choose::Chosen;
use crate::bpe::{CHAT_TEMPLATE, END_OF_TEXT};
use crate::chat::{ChatTemplate, Message, RenderOptions};
use crate::read::Body;
use crate::shards::Document;
use crate::tokenizer::{Tokenizer, WordMemory};
use crate::{Error, bpe};
use std::path::Path;

/// A tokenizer with what goes beside it.
pub(super) struct Encoder {
    pub(super) tokenizer: Tokenizer,
    template: ChatTemplate,
    end_of_text: Option<u32>,
    /// `tokenizer.json`.
    pub(super) json: Vec<u8>,
    /// `tokenizer_config.json`, if there is one.
    pub(super) config: Option<Vec<u8>>,
}

impl Encoder {
    /// A tokenizer that was just learnt.
    pub(super) fn learnt(trained: &bpe::Trained, max_length: usize) -> Result<Self, Error> {
        let json = |value: serde_json::Value| {
            serde_json::to_vec(&value).map_err(|error| Error::Json(error.to_string()))
        };
        let tokenizer = trained.tokenizer()?;
        Ok(Self {
            template: ChatTemplate::new(CHAT_TEMPLATE, "", bpe::TURN_END)?,
            end_of_text: tokenizer.token_id(END_OF_TEXT),
            json: json(trained.tokenizer_json())?,
            config: Some(json(trained.tokenizer_config(max_length))?),
            tokenizer,
        })
    }

    /// A tokenizer from a `tokenizer.json` or the folder that holds it.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let path = if path.is_dir() { path.join("tokenizer.json") } else { path.to_path_buf() };
        let json = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        let tokenizer = Tokenizer::from_json(&json)?;
        let config = std::fs::read(path.with_file_name("tokenizer_config.json")).ok();
        let described: serde_json::Value = config
            .as_ref()
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .unwrap_or_default();
        let text = |name: &str| {
            let value = &described[name];
            value.as_str().or(value["content"].as_str()).unwrap_or("").to_string()
        };
        let template = described["chat_template"].as_str().unwrap_or(CHAT_TEMPLATE);
        Ok(Self {
            template: ChatTemplate::new(template, &text("bos_token"), &text("eos_token"))?,
            end_of_text: tokenizer.token_id(END_OF_TEXT).or(tokenizer.eos()),
            json,
            config,
            tokenizer,
        })
    }

    /// The tokens of a document; `None` if it is a conversation of which nothing would count.
    pub(super) fn encode(&self, body: &Body, memory: &mut WordMemory) -> Option<Document> {
        match body {
            Body::Text(text) => {
                let mut tokens = self.tokenizer.encode_remembering(text, memory);
                if tokens.last() != self.end_of_text.as_ref() {
                    tokens.extend(self.end_of_text);
                }
                Some(Document { tokens, counted: None })
            }
            Body::Chat(messages) => self.encode_chat(messages),
        }
    }

    fn encode_chat(&self, messages: &[Message]) -> Option<Document> {
        let encode = |messages: &[Message], add_generation_prompt: bool| {
            let options = RenderOptions { add_generation_prompt, ..RenderOptions::default() };
            self.template.encode(&self.tokenizer, messages, &options).ok()
        };
        let mut tokens = encode(messages, false)?;
        let mut counted = vec![false; tokens.len()];
        for (at, _) in messages.iter().enumerate().filter(|(_, m)| m.role == "assistant") {
            let before = encode(&messages[..at], true)?;
            let after = encode(&messages[..=at], false)?;
            // A template that rewrites earlier turns gives no safe place for the mark.
            if !after.starts_with(&before) || !tokens.starts_with(&after) {
                return None;
            }
            let said = &tokens[before.len()..after.len()];
            let end = said.iter().rposition(|&token| self.tokenizer.is_special(token));
            let n = end.map_or(said.len(), |end| end + 1);
            counted[before.len()..before.len() + n].fill(true);
        }
        if tokens.last() != self.end_of_text.as_ref() && self.end_of_text.is_some() {
            tokens.extend(self.end_of_text);
            counted.push(false);
        }
        counted.contains(&true).then_some(Document { tokens, counted: Some(counted) })
    }
}

/// One encoded document with where it goes.
pub(super) struct Encoded {
    pub(super) document: Option<Document>,
    pub(super) chosen: Chosen,
    pub(super) bytes: u64,
    pub(super) source: usize,
}
