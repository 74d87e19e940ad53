//! Any bytes as a GGUF file: read, described, and its tensors looked at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::gguf::Gguf;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("polymath-fuzz-{}.gguf", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file");
    if let Ok(gguf) = Gguf::open(&path) {
        drop(model::decoder::read(gguf.path()));
    }
});
