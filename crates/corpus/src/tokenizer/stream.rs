//! Text from tokens one at a time, never cutting a character in two.

use super::Tokenizer;

/// Collects the bytes of tokens and hands out text as soon as whole characters are there.
///
/// All that [`push`](DecodeStream::push) and [`finish`](DecodeStream::finish) hand out, joined, is what
/// [`Tokenizer::decode`] makes of the same tokens.
#[derive(Debug, Clone)]
pub struct DecodeStream<'t> {
    tokenizer: &'t Tokenizer,
    pending: Vec<u8>,
    started: bool,
}

impl<'t> DecodeStream<'t> {
    pub(super) fn new(tokenizer: &'t Tokenizer) -> Self {
        Self { tokenizer, pending: Vec::new(), started: false }
    }

    /// Text that is complete with this token; `None` while a character is still in parts, or for a special
    /// token, which has no text. Bytes that cannot begin or continue a character become U+FFFD.
    pub fn push(&mut self, id: u32) -> Option<String> {
        if self.tokenizer.is_special(id) {
            return None;
        }
        self.tokenizer.append_bytes(&mut self.pending, id);
        if !self.started && !self.pending.is_empty() {
            self.started = true;
            if self.tokenizer.drops_first_space() && self.pending[0] == b' ' {
                self.pending.remove(0);
            }
        }
        let mut text = String::new();
        let mut bytes = self.pending.as_slice();
        loop {
            match std::str::from_utf8(bytes) {
                Ok(valid) => {
                    text.push_str(valid);
                    bytes = &[];
                    break;
                }
                Err(error) => {
                    let (valid, rest) = bytes.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    bytes = rest;
                    // No length: the bytes may still become a character.
                    let Some(broken) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    bytes = &bytes[broken..];
                }
            }
        }
        self.pending = bytes.to_vec();
        (!text.is_empty()).then_some(text)
    }

    /// The end: a character that was never completed becomes U+FFFD.
    pub fn finish(&mut self) -> Option<String> {
        let left = std::mem::take(&mut self.pending);
        (!left.is_empty()).then(|| String::from_utf8_lossy(&left).into_owned())
    }
}
