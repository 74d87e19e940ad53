//! `polymath eval`: a model on known tasks (`tasks`), or the assistant on the sample life (`life`).

mod life;
mod tasks;

use crate::args::{Eval, EvalCommand};

pub fn run(arguments: &Eval) -> anyhow::Result<()> {
    match &arguments.command {
        Some(EvalCommand::Life(life)) => life::run(life),
        None => tasks::run(&arguments.tasks),
    }
}
