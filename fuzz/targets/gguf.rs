//! Any bytes as a GGUF file: read, described, and run where it describes a model.
#![no_main]

mod pass;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("polymath-fuzz-{}.gguf", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file");
    pass::load_and_run(&path);
});
