//! Progress on stderr: bars on a terminal, nothing where stderr is a file.

use std::ops::ControlFlow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use infer::hub::{self, Stage};

/// Follows a pull: one bar, its message the source and file.
pub struct PullBar {
    bar: ProgressBar,
    last: Option<(Stage, String)>,
}

impl PullBar {
    pub fn new() -> PullBar {
        let bar = ProgressBar::new(0);
        bar.enable_steady_tick(Duration::from_millis(120));
        PullBar { bar, last: None }
    }

    pub fn update(&mut self, progress: &hub::Progress) -> ControlFlow<()> {
        let now = (progress.stage, progress.file.clone());
        if self.last.as_ref() != Some(&now) {
            let template = match progress.total {
                Some(_) => "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
                None => "{spinner} {msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style.progress_chars("=> "));
            }
            self.bar.set_message(format!(
                "{} {} ({})",
                match progress.stage {
                    Stage::Connecting => "asking for",
                    Stage::Downloading => "fetching",
                    Stage::Unpacking => "unpacking",
                    Stage::Verifying => "checking",
                },
                progress.file,
                progress.source
            ));
            self.bar.reset_eta();
            self.last = Some(now);
        }
        self.bar.set_length(progress.total.unwrap_or(0));
        self.bar.set_position(progress.done);
        ControlFlow::Continue(())
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Work counted in items: `indexing [=====>   ] 1,204/6,046 2,310/s 2s`.
pub fn items_bar(message: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{spinner} {msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(message.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Work counted in bytes: `writing [=====>   ] 1.2 GB/4.9 GB blk.7.ffn_up.weight 2s`.
pub fn bytes_bar(message: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template =
        format!("{{spinner}} {message} [{{bar:30}}] {{bytes}}/{{total_bytes}} {{msg}} {{eta}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
