//! `GET /metrics`: what the models do, in Prometheus' text format (exposition format 0.0.4).

use std::fmt::Write;

use infer::Counters;

type Metric = (&'static str, &'static str, &'static str, fn(&Counters) -> u64);

const METRICS: [Metric; 10] = [
    ("requests_total", "counter", "Requests taken in.", |c| c.requests),
    ("requests_refused_total", "counter", "Requests told to come back.", |c| c.refused),
    ("prompt_tokens_total", "counter", "Tokens of prompts.", |c| c.prompt_tokens),
    ("prompt_tokens_cached_total", "counter", "Tokens of prompts known from before.", |c| {
        c.cached_tokens
    }),
    ("generated_tokens_total", "counter", "Tokens generated.", |c| c.generated_tokens),
    ("steps_total", "counter", "Passes through the network.", |c| c.steps),
    ("drafted_tokens_total", "counter", "Tokens that the draft model guessed.", |c| {
        c.drafted_tokens
    }),
    ("drafted_tokens_right_total", "counter", "Guesses that answers have.", |c| c.drafted_right),
    ("requests_running", "gauge", "Answers under way.", |c| c.running),
    ("requests_waiting", "gauge", "Requests that wait.", |c| c.waiting),
];

/// The page for (model, counters).
pub(super) fn page(models: &[(String, Counters)]) -> String {
    let mut page = String::new();
    for (name, sort, help, read) in METRICS {
        let _ = writeln!(page, "# HELP polymath_{name} {help}\n# TYPE polymath_{name} {sort}");
        for (model, counters) in models {
            let label = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(page, "polymath_{name}{{model=\"{label}\"}} {}", read(counters));
        }
    }
    page
}
