//! `polymath ask`: one question, one answer, its sources.

use anyhow::Context;
use assistant::answer::{Answer, Event, Source, Step};
use assistant::embedding::VaultEmbedder;
use assistant::{Assistant, Options};
use infer::Cancel;
use jiff::ZonedDateTime;

use crate::args::{Ask, ChatModel, Threads};
use crate::commands::vault::open_at;
use crate::commands::{models, on_interrupt};
use crate::output;

pub fn run(arguments: &Ask) -> anyhow::Result<()> {
    let assistant =
        assistant(arguments.vault.vault.as_deref(), &arguments.model, arguments.threads)?;
    let cancel = Cancel::new();
    on_interrupt(&cancel);
    let options = Options { now: now(arguments.now.as_deref())?, cancel, ..Options::default() };
    let question = arguments.question.join(" ");
    if arguments.json.json {
        let answer = assistant.ask(&question, &[], &options, &mut |_| {})?;
        return output::json(&answer);
    }
    print(&assistant, &question, &[], &options).map(|_| ())
}

/// An assistant over a vault, with the models that are on this machine.
pub fn assistant(
    vault: Option<&std::path::Path>,
    model: &ChatModel,
    threads: Threads,
) -> anyhow::Result<Assistant> {
    let mut assistant = Assistant::new(open_at(vault)?);
    if let Some(embedder) = models::embedder(model.embedder.as_deref(), threads)? {
        assistant = assistant.with_embedder(std::sync::Arc::new(VaultEmbedder::new(embedder)));
    }
    if let Some(engine) = models::engine(model.model.as_deref(), &model.draft, threads)? {
        assistant = assistant.with_engine(engine).with_choosing(model.choose.into());
    }
    Ok(assistant)
}

/// The moment a question is asked at.
pub fn now(given: Option<&str>) -> anyhow::Result<ZonedDateTime> {
    let Some(text) = given else { return Ok(ZonedDateTime::now()) };
    let here = || {
        let moment: jiff::civil::DateTime = text.parse().ok()?;
        jiff::tz::TimeZone::system().to_zoned_datetime(moment).ok()
    };
    text.parse().ok().or_else(here).with_context(|| {
        format!("`{text}` is no moment; write 2026-11-24T09:00 or 2026-11-24T09:00[Europe/Berlin]")
    })
}

/// Asks, and prints for people: sources first, then the sentence, then how it was made.
pub fn print(
    assistant: &Assistant,
    question: &str,
    history: &[assistant::history::Turn],
    options: &Options,
) -> anyhow::Result<Answer> {
    let mut failed = None;
    let mut keep = |result: anyhow::Result<()>| {
        if let Err(error) = result {
            failed.get_or_insert(error);
        }
    };
    let answer = assistant.ask(question, history, options, &mut |event| match event {
        Event::Reading(reading) if !reading.times.is_empty() => {
            keep(output::line(format!("({})", reading.times.join("; "))));
        }
        Event::Sources(sources) => {
            for source in &sources {
                keep(output::line(cite(source)));
            }
        }
        Event::Text(text) => keep(output::piece(&text)),
        Event::Reading(_) | Event::Done(_) => {}
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    output::line("")?;
    if answer.step == Step::Abstain {
        for near in &answer.nearest {
            output::line(format!("  close: {} ({}, {})", near.title, near.path, near.date))?;
        }
    }
    let step = format!("{:?}", answer.step).to_lowercase();
    output::line(format!("— {step}, {:.0} ms", answer.timings_ms.total))?;
    Ok(answer)
}

fn cite(source: &Source) -> String {
    let date = if source.date.is_empty() { String::new() } else { format!(", {}", source.date) };
    format!("[{}] {}{date} — {}", source.number, source.title, source.path)
}
