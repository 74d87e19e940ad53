//! `polymath generate`: continue a text, or answer one message.

use std::time::Duration;

use corpus::chat::{Message, RenderOptions};
use infer::{Cancel, GenerateOptions, Guesses, Sampling, Session};
use serde_json::json;

use crate::args::Generate;
use crate::commands::{DEFAULT_MODEL, models, on_interrupt};
use crate::home::Home;
use crate::output;

pub fn run(arguments: &Generate) -> anyhow::Result<()> {
    let model = arguments.model.as_deref().unwrap_or(DEFAULT_MODEL);
    let path = Home::find()?.hub().resolve(model)?;
    let engine = models::load(&path, &arguments.draft, arguments.threads)?;
    let prompt = if arguments.chat {
        let render = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
        engine.encode_chat(&[Message::user(&arguments.prompt)], &render)?
    } else {
        engine.encode_text(&arguments.prompt)?
    };
    let defaults = Sampling::default();
    let options = GenerateOptions {
        max_tokens: arguments.max_tokens,
        sampling: Sampling {
            temperature: arguments.temperature,
            top_k: arguments.top_k.unwrap_or(defaults.top_k),
            top_p: arguments.top_p.unwrap_or(defaults.top_p),
            min_p: arguments.min_p.unwrap_or(defaults.min_p),
            repetition_penalty: arguments.repetition_penalty.unwrap_or(defaults.repetition_penalty),
            seed: arguments.seed,
            ..defaults
        },
        stop: arguments.stop.clone(),
        ..GenerateOptions::default()
    };
    let cancel = Cancel::new();
    on_interrupt(&cancel);
    let as_json = arguments.json.json;
    let mut broken = None;
    let generation = Session::new(&engine).generate(&prompt, &options, &cancel, &mut |piece| {
        if !as_json && let Err(error) = output::piece(&piece.text) {
            broken = Some(error);
            cancel.cancel();
        }
    })?;
    if let Some(error) = broken {
        return Err(error);
    }
    if !as_json {
        return output::line("");
    }
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let guesses = |of: Guesses| json!({ "made": of.made, "right": of.right });
    output::json(&json!({
        "text": generation.text,
        "tokens": generation.tokens,
        "finish_reason": generation.finish.reason(),
        "prompt_tokens": generation.prompt_tokens,
        "steps": generation.steps,
        "guesses": { "lookup": guesses(generation.lookup), "draft": guesses(generation.draft) },
        "timings_ms": {
            "load": ms(engine.load_time()),
            "prefill": ms(generation.timings.prefill),
            "first_token": ms(generation.timings.first_token),
            "decode": ms(generation.timings.decode),
            "total": ms(generation.timings.total),
        },
    }))
}
