//! `polymath chat`: a conversation in the terminal.

use std::io::{self, BufRead, IsTerminal};

use assistant::Options;
use assistant::history::Turn;
use infer::Cancel;

use crate::args::Chat;
use crate::commands::ask;
use crate::output;

pub fn run(arguments: &Chat) -> anyhow::Result<()> {
    let assistant =
        ask::assistant(arguments.vault.vault.as_deref(), &arguments.model, arguments.threads)?;
    let interactive = io::stdin().is_terminal();
    if interactive {
        eprintln!("Ask about your data; an empty line or Ctrl+D ends the conversation.");
    }
    let mut history: Vec<Turn> = Vec::new();
    for line in prompt(interactive) {
        let question = line?;
        if question.trim().is_empty() {
            break;
        }
        let options = Options { cancel: Cancel::new(), ..Options::default() };
        let answer = ask::print(&assistant, question.trim(), &history, &options)?;
        history.push(Turn { question, answer: answer.answer });
    }
    if interactive {
        output::line("")?;
    }
    Ok(())
}

/// Lines of stdin, with a mark before each when a person types them.
fn prompt(interactive: bool) -> impl Iterator<Item = io::Result<String>> {
    let mut lines = io::stdin().lock().lines();
    std::iter::from_fn(move || {
        if interactive {
            eprint!("\n> ");
        }
        lines.next()
    })
}
