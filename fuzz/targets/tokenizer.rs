//! Any bytes as a `tokenizer.json`; what it reads encodes and decodes some text.
#![no_main]

use corpus::tokenizer::{Special, Tokenizer};
use libfuzzer_sys::fuzz_target;

// The library behind it panics on some files, and reading makes errors of that: a panic counts here only where nobody
// caught it. So the one that ends the program at the first panic goes.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(bytes) else { return };
    let ids = tokenizer.encode("Grüße, 12\u{a0}€ <s>\n\tto you", Special::Parse, true);
    drop(tokenizer.decode(&ids));
});
