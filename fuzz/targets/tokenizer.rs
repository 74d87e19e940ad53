//! Any bytes as a `tokenizer.json`; what it reads encodes and decodes some text.
#![no_main]

use corpus::tokenizer::{Special, Tokenizer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(bytes) else { return };
    let ids = tokenizer.encode("Grüße, 12\u{a0}€ <s>\n\tto you", Special::Parse, true);
    drop(tokenizer.decode(&ids));
});
