//! Any text as a grammar in llama.cpp's notation, as a request may bring one: rewritten or refused.
#![no_main]

// The rewriting needs nothing of its crate; the crate needs hundreds of others.
#[path = "../../crates/infer/src/form/gbnf.rs"]
mod gbnf;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|grammar: &str| {
    if let Ok(lark) = gbnf::to_lark(grammar) {
        assert!(lark.contains("start:"), "{lark}");
    }
});
