//! Reading files into the owner's vault, with counters for somebody who watches.

use std::time::{Duration, Instant};

use vault::store::source::SourceId;

use super::life::OneLife;
use super::show;
use crate::Error;
use crate::backend::{OnProgress, Progress};
use crate::stream::Cancel;

/// Between two looks at how many people and years there are by now; each costs a few milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// Brings one source, or all, up to date.
pub(super) fn read(
    life: &OneLife,
    source: Option<SourceId>,
    cancel: &Cancel,
    progress: OnProgress<'_>,
) -> Result<(), Error> {
    let mut seen = Progress { stage: "reading".into(), ..Progress::default() };
    let mut looked = Instant::now();
    let report = life.vault().sync(source, cancel.flag(), &mut |step| {
        seen.items = step.items;
        seen.files = step.done;
        seen.of_files = step.total;
        seen.per_second = step.items_per_s;
        seen.seconds_left = step.eta_s;
        if looked.elapsed() > LOOK_EVERY {
            look(life, &mut seen);
            looked = Instant::now();
        }
        progress(seen.clone());
    });
    let report = report.map_err(Error::vault)?;
    seen.items =
        report.items_new + report.items_changed + report.items_unchanged + report.items_moved;
    seen.failures = report.failures.len() as u64;
    seen.seconds_left = None;
    look(life, &mut seen);
    seen.now = match report.unreachable.first() {
        Some((path, why)) => format!("{} cannot be reached: {why}", path.display()),
        None => String::new(),
    };
    progress(seen);
    Ok(())
}

fn look(life: &OneLife, seen: &mut Progress) {
    life.recount();
    // Counters are a courtesy: when they cannot be had, the reading goes on without them.
    if let Ok(card) = life.vault().found_card(life.now().timestamp().as_second()) {
        seen.years = show::years(&card.years);
    }
    if let Ok(people) = life.vault().top_people(100_000) {
        seen.people = people.len() as u64;
    }
}
