//! The files by which other programs know the tokenizer.
//!
//! `tokenizer.json` describes Qwen 2's pipeline (NFC, its splitting rule, byte-level BPE) with our vocabulary, so
//! `transformers` loads it as any Qwen tokenizer; `tokenizer_config.json` adds the special tokens' roles and the
//! chat template.

use super::train::Trained;
use crate::Error;
use crate::tokenizer::{Roles, TokenType, Tokenizer, Vocabulary, VocabularyKind};
use serde_json::{Map, Value, json};

/// Ends every document; also pads.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Begins a turn of a conversation; the role follows.
pub const TURN_START: &str = "<|im_start|>";
/// Ends a turn.
pub const TURN_END: &str = "<|im_end|>";

/// A token that is not learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialToken {
    /// How it is written.
    pub text: &'static str,
    /// Whether it steers the model and is left out of decoded text. The others are marks inside the text.
    pub control: bool,
}

const fn special(text: &'static str, control: bool) -> SpecialToken {
    SpecialToken { text, control }
}

/// They take the last ids, in this order.
pub const SPECIAL_TOKENS: [SpecialToken; 9] = [
    special(END_OF_TEXT, true),
    special(TURN_START, true),
    special(TURN_END, true),
    special("<tool_call>", false),
    special("</tool_call>", false),
    special("<tool_response>", false),
    special("</tool_response>", false),
    special("<think>", false),
    special("</think>", false),
];

/// Splitting rule of Qwen 2 and 3, as their files spell it.
const QWEN2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// ChatML: turns between marks, tools as JSON in the first system turn, calls and answers between their marks.
pub const CHAT_TEMPLATE: &str = r#"{%- if tools %}
{{- '<|im_start|>system\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
{{- 'You can call these functions:' }}
{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}
{{- '\nTo call one, write its name and arguments as JSON:\n<tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call><|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'system' and loop.first %}
{%- elif message.role == 'tool' %}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- '<|im_start|>user' }}{%- endif %}
{{- '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- '<|im_end|>\n' }}{%- endif %}
{%- else %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{%- set function = call.function or call %}
{%- if message.content or not loop.first %}{{- '\n' }}{%- endif %}
{{- '<tool_call>\n{"name": "' + function.name + '", "arguments": ' }}
{%- if function.arguments is string %}{{- function.arguments }}{%- else %}{{- function.arguments | tojson }}{%- endif %}
{{- '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"#;

impl Trained {
    /// Number of ids, special tokens included.
    pub fn vocab_size(&self) -> usize {
        self.pieces.len() + SPECIAL_TOKENS.len()
    }

    /// The tokenizer itself, ready to encode.
    pub fn tokenizer(&self) -> Result<Tokenizer, Error> {
        let mut tokens = self.pieces.clone();
        let mut types = vec![TokenType::Normal; tokens.len()];
        for token in SPECIAL_TOKENS {
            tokens.push(token.text.to_string());
            types.push(if token.control { TokenType::Control } else { TokenType::UserDefined });
        }
        let id = |place: usize| Some((self.pieces.len() + place) as u32);
        let merges = self.merges.iter().map(|&(left, right)| {
            format!("{} {}", self.pieces[left as usize], self.pieces[right as usize])
        });
        Tokenizer::from_vocabulary(Vocabulary {
            kind: VocabularyKind::ByteBpe { pre: "qwen2".to_string() },
            merges: merges.collect(),
            tokens,
            types,
            roles: Roles { eos: id(2), pad: id(0), ..Roles::default() },
            ..Vocabulary::default()
        })
    }

    /// `tokenizer.json`.
    pub fn tokenizer_json(&self) -> Value {
        let vocabulary: Map<String, Value> =
            self.pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), id.into())).collect();
        let merges: Vec<[&str; 2]> = self
            .merges
            .iter()
            .map(|&(left, right)| [&*self.pieces[left as usize], &*self.pieces[right as usize]])
            .collect();
        let byte_level = json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false,
        });
        let added: Vec<Value> = self
            .special()
            .map(|(id, token)| {
                json!({
                    "id": id, "content": token.text, "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": token.control,
                })
            })
            .collect();
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": { "type": "NFC" },
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
                {
                    "type": "Split", "pattern": { "Regex": QWEN2_SPLIT },
                    "behavior": "Isolated", "invert": false,
                },
                byte_level,
            ] },
            "post_processor": byte_level,
            "decoder": byte_level,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false,
                "ignore_merges": false, "vocab": vocabulary, "merges": merges,
            },
        })
    }

    /// `tokenizer_config.json`; `max_length` is the longest text the model is made for, in tokens.
    pub fn tokenizer_config(&self, max_length: usize) -> Value {
        let added: Map<String, Value> = self
            .special()
            .map(|(id, token)| {
                let described = json!({
                    "content": token.text, "lstrip": false, "normalized": false, "rstrip": false,
                    "single_word": false, "special": token.control,
                });
                (id.to_string(), described)
            })
            .collect();
        json!({
            "add_bos_token": false,
            "add_prefix_space": false,
            "added_tokens_decoder": added,
            "additional_special_tokens": [TURN_START, TURN_END],
            "bos_token": null,
            "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": false,
            "eos_token": TURN_END,
            "errors": "replace",
            "model_max_length": max_length,
            "pad_token": END_OF_TEXT,
            "split_special_tokens": false,
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": null,
        })
    }

    fn special(&self) -> impl Iterator<Item = (usize, SpecialToken)> {
        let first = self.pieces.len();
        SPECIAL_TOKENS.into_iter().enumerate().map(move |(place, token)| (first + place, token))
    }
}
