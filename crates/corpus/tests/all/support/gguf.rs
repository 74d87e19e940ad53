//! Just enough of GGUF to read the tokenizer out of a trusted test file: this crate knows no weight file.

use corpus::tokenizer::{Roles, TokenType, Vocabulary, VocabularyKind};
use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::Path;

pub(crate) enum Value {
    Number(f64),
    Text(String),
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

/// The metadata of a GGUF file.
pub(crate) fn metadata(path: &Path) -> HashMap<String, Value> {
    let mut file = Reader(BufReader::new(std::fs::File::open(path).unwrap()));
    assert_eq!(&file.bytes::<4>(), b"GGUF");
    let _version = file.u32();
    let _tensors = file.u64();
    let entries = file.u64();
    (0..entries)
        .map(|_| {
            let key = file.text();
            let kind = file.u32();
            (key, file.value(kind))
        })
        .collect()
}

/// The vocabulary that the metadata describes.
pub(crate) fn vocabulary(metadata: &HashMap<String, Value>) -> Vocabulary {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let number = |name: &str| match metadata.get(&key(name)) {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    };
    let text = |name: &str| match metadata.get(&key(name)) {
        Some(Value::Text(text)) => text.as_str(),
        _ => "",
    };
    let numbers = |name: &str| match metadata.get(&key(name)) {
        Some(Value::Numbers(numbers)) => numbers.as_slice(),
        _ => &[],
    };
    let texts = |name: &str| match metadata.get(&key(name)) {
        Some(Value::Texts(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let kind = |number: &f64| match *number as i64 {
        2 => TokenType::Unknown,
        3 => TokenType::Control,
        4 => TokenType::UserDefined,
        5 => TokenType::Unused,
        6 => TokenType::Byte,
        _ => TokenType::Normal,
    };
    let id = |name: &str| number(name).map(|id| id as u32);
    Vocabulary {
        kind: match text("model") {
            "gpt2" => VocabularyKind::ByteBpe { pre: text("pre").to_string() },
            _ => VocabularyKind::SentencePieceBpe,
        },
        tokens: texts("tokens"),
        scores: numbers("scores").iter().map(|&score| score as f32).collect(),
        types: numbers("token_type").iter().map(kind).collect(),
        merges: texts("merges"),
        roles: Roles {
            bos: id("bos_token_id"),
            eos: id("eos_token_id"),
            unk: id("unknown_token_id"),
            pad: id("padding_token_id"),
            ..Roles::default()
        },
        add_bos: number("add_bos_token") == Some(1.0),
        add_eos: number("add_eos_token") == Some(1.0),
        add_space_prefix: number("add_space_prefix") == Some(1.0),
        ..Vocabulary::default()
    }
}

struct Reader<R>(R);

impl<R: Read> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    fn text(&mut self) -> String {
        let mut bytes = vec![0; self.u64() as usize];
        self.0.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn number(&mut self, kind: u32) -> f64 {
        match kind {
            0 => f64::from(self.bytes::<1>()[0]),
            1 => f64::from(self.bytes::<1>()[0] as i8),
            2 => f64::from(u16::from_le_bytes(self.bytes())),
            3 => f64::from(i16::from_le_bytes(self.bytes())),
            4 => f64::from(self.u32()),
            5 => f64::from(self.u32() as i32),
            6 => f64::from(f32::from_bits(self.u32())),
            7 => f64::from(self.bytes::<1>()[0]),
            10 => self.u64() as f64,
            11 => self.u64() as i64 as f64,
            12 => f64::from_bits(self.u64()),
            other => panic!("value type {other}"),
        }
    }

    fn value(&mut self, kind: u32) -> Value {
        match kind {
            8 => Value::Text(self.text()),
            9 => {
                let (kind, n) = (self.u32(), self.u64());
                match kind {
                    8 => Value::Texts((0..n).map(|_| self.text()).collect()),
                    _ => Value::Numbers((0..n).map(|_| self.number(kind)).collect()),
                }
            }
            _ => Value::Number(self.number(kind)),
        }
    }
}
