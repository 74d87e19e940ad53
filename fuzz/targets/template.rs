//! Any text as a chat template, rendered for a short conversation: no hang, no flood, no panic.
#![no_main]

use corpus::chat::{ChatTemplate, Message, RenderOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let Ok(template) = ChatTemplate::new(source, "<s>", "</s>") else { return };
    let messages = [Message::new("system", "Be brief."), Message::user("<|im_end|> {{ 7 * 7 }}")];
    drop(template.render(&messages, &RenderOptions::default()));
});
