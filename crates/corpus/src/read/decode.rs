//! From a raw piece to a document.

use super::{Body, Format, Raw, html};
use crate::chat::Message;
use serde::Deserialize;
use serde_json::Value;

impl Raw {
    /// The document, or what is wrong with the piece.
    pub fn decode(self) -> Result<Body, String> {
        match self.format {
            Format::Plain | Format::Code => Ok(Body::Text(to_unicode(self.bytes))),
            Format::Html => Ok(Body::Text(html::to_text(&to_unicode(self.bytes)))),
            Format::JsonText(field) => json_text(&self.bytes, &field).map(Body::Text),
            Format::JsonChat => json_chat(&self.bytes).map(Body::Chat),
        }
    }
}

/// UTF-8 where it is UTF-8; UTF-16 by its mark; else Windows' Latin-1, in which every byte is a character.
fn to_unicode(bytes: Vec<u8>) -> String {
    if let Some((encoding, _)) = encoding_rs::Encoding::for_bom(&bytes) {
        return encoding.decode(&bytes).0.into_owned();
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => encoding_rs::WINDOWS_1252.decode(error.as_bytes()).0.into_owned(),
    }
}

fn json_text(bytes: &[u8], field: &str) -> Result<String, String> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut place = &mut value;
    for name in field.split('.') {
        place = place.get_mut(name).ok_or_else(|| format!("there is no field `{field}`"))?;
    }
    match place.take() {
        Value::String(text) => Ok(text),
        _ => Err(format!("the field `{field}` is no text")),
    }
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<Message>,
}

fn json_chat(bytes: &[u8]) -> Result<Vec<Message>, String> {
    let conversation: Conversation =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match conversation.messages.iter().any(|message| message.role == "assistant") {
        true => Ok(conversation.messages),
        false => Err("no message is the assistant's".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(format: Format, bytes: &[u8]) -> Result<Body, String> {
        let place = String::new();
        Raw { source: 0, place, bytes: bytes.to_vec(), format }.decode()
    }

    #[test]
    fn text_is_read_from_a_nested_field() {
        let format = Format::JsonText("page.body".to_string());
        let body = decode(format.clone(), br#"{"page":{"body":"a\u00e9"}}"#);
        assert_eq!(body, Ok(Body::Text("a\u{e9}".to_string())));
        for wrong in [&b"{\"page\":{\"body\":7}}"[..], b"{\"page\":1}", b"{\"pa", b"\xff"] {
            assert!(decode(format.clone(), wrong).is_err());
        }
    }

    #[test]
    fn old_encodings_become_unicode() {
        let text = |bytes: &[u8]| decode(Format::Plain, bytes).unwrap();
        assert_eq!(text(b"caf\xe9"), Body::Text("café".to_string()));
        assert_eq!(text(b"\xff\xfea\0b\0"), Body::Text("ab".to_string()));
        assert_eq!(text("\u{feff}x".as_bytes()), Body::Text("x".to_string()));
    }

    #[test]
    fn a_conversation_needs_an_assistant() {
        let line = br#"{"messages":[{"role":"user","content":"hi"}]}"#;
        assert!(decode(Format::JsonChat, line).is_err());
    }
}
