//! The command line: arguments, progress, printing. What is computed is computed in the other crates.
//!
//! Data goes to stdout, talk and progress to stderr. Exit 0: done; 1: failed, with the reason and a way out;
//! 2: wrong usage.

// A binary exports nothing; `pub` here means "for the other modules".
#![allow(unreachable_pub)]

mod args;
mod commands;
mod home;
mod output;
mod progress;
mod sample;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("polymath: {error:#}");
            match error.downcast_ref() {
                Some(train::Error::UnknownTask { .. }) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        None => commands::open::run(&arguments.open),
        Some(Command::Ask(ask)) => commands::ask::run(&ask),
        Some(Command::Chat(chat)) => commands::chat::run(&chat),
        Some(Command::Vault(command)) => commands::vault::run(&command),
        Some(Command::Model(command)) => commands::model::run(&command),
        Some(Command::Tokenize(tokenize)) => commands::tokens::tokenize(&tokenize),
        Some(Command::Logits(logits)) => commands::tokens::logits(&logits),
        Some(Command::Generate(generate)) => commands::generate::run(&generate),
        Some(Command::Serve(serve)) => commands::serve::run(&serve),
        Some(Command::Eval(command)) => commands::eval::run(&command),
        Some(Command::Plan(command)) => commands::plan::run(&command),
        Some(Command::Disclose(disclose)) => commands::disclose::run(&disclose),
        Some(Command::Release(command)) => commands::release::run(&command),
        Some(Command::Corpus(command)) => commands::corpus::run(&command),
        Some(Command::Train(train)) => commands::train::run(&train),
        Some(Command::Sweep(sweep)) => commands::sweep::run(&sweep),
        Some(Command::Bench(command)) => commands::bench::run(&command),
    }
}
