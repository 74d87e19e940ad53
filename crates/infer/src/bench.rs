//! How fast a model reads and writes here, for `polymath bench infer`.

use crate::{Cancel, Engine, Error, GenerateOptions, Session};
use serde::Serialize;
use std::time::Duration;

/// Medians over the runs of a measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Tokens of the prompt read per second.
    pub prefill_tokens_per_s: f64,
    /// Tokens written per second, after the first.
    pub decode_tokens_per_s: f64,
    /// From handing in the prompt to the first token, milliseconds.
    pub first_token_ms: f64,
    /// Loading the model, milliseconds; once.
    pub load_ms: f64,
    /// Resident memory of the process after the runs, megabytes; zero where the system does not say.
    pub rss_mb: f64,
    /// The draft model, where the engine has one.
    pub draft: Option<String>,
    /// Tokens written per step, after the first: 1 without a draft model.
    pub tokens_per_step: f64,
    /// Threads it ran on.
    pub threads: usize,
    /// How many runs the medians are over.
    pub runs: usize,
}

/// Reads a prompt of `prompt_len` tokens and writes `generate_len`, `runs` times, each from nothing.
///
/// A run before the first is not counted: it maps the weights into memory. With a draft model, guesses are made as for a
/// real answer, from what the text repeats too.
pub fn infer(
    engine: &Engine,
    prompt_len: usize,
    generate_len: usize,
    runs: usize,
) -> Result<Measured, Error> {
    let prompt = prompt(engine.vocab(), prompt_len.max(1));
    let options = GenerateOptions {
        max_tokens: generate_len.max(2),
        ignore_end: true,
        // Without a draft model a step per token is measured.
        guess_tokens: if engine.draft().is_some() { None } else { Some(0) },
        ..GenerateOptions::default()
    };
    let mut session = Session::new(engine);
    let (mut prefill, mut decode, mut first) = (Vec::new(), Vec::new(), Vec::new());
    let mut per_step = Vec::new();
    for run in 0..=runs.max(1) {
        session.truncate(0);
        let generation = session.generate(&prompt, &options, &Cancel::new(), &mut |_| {})?;
        if run == 0 {
            continue;
        }
        let timings = generation.timings;
        prefill.push(prompt.len() as f64 / seconds(timings.prefill));
        let n_written = (generation.tokens.len() - 1) as f64;
        decode.push(n_written / seconds(timings.decode));
        per_step.push(n_written / generation.steps.max(1) as f64);
        first.push(timings.first_token.as_secs_f64() * 1e3);
    }
    Ok(Measured {
        prefill_tokens_per_s: median(&mut prefill),
        decode_tokens_per_s: median(&mut decode),
        first_token_ms: median(&mut first),
        load_ms: engine.load_time().as_secs_f64() * 1e3,
        rss_mb: resident_mb(),
        draft: engine.draft().map(|draft| draft.name().to_owned()),
        tokens_per_step: median(&mut per_step),
        threads: engine.n_threads(),
        runs: runs.max(1),
    })
}

/// Tokens spread over the vocabulary, so that the embedding is read as by real text.
fn prompt(vocab: usize, len: usize) -> Vec<u32> {
    (0..len as u64).map(|i| (i * 7919 % vocab.max(1) as u64) as u32).collect()
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64().max(1e-9)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

/// Linux's `VmRSS`.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
