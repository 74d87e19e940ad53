//! Any bytes as `config.json` (up to a zero byte) and `model.safetensors` of a Hugging Face folder, run where they
//! describe a model.
#![no_main]

mod pass;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let folder = std::env::temp_dir().join(format!("polymath-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    std::fs::write(folder.join("config.json"), &bytes[..cut]).expect("a temporary file");
    let weights = bytes.get(cut + 1..).unwrap_or_default();
    std::fs::write(folder.join("model.safetensors"), weights).expect("a temporary file");
    pass::load_and_run(&folder);
});
