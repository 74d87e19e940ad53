//! Where layouts that others chose stand among those the search finds, and what they gained by choosing others later.
//!
//! A division is tp, pp, cp and ep; the search keeps the best layout of each. Many divisions are within a few per cent
//! of each other, less than predictions are off by, so a rank is told strictly and with what cannot be told apart.

use serde::Serialize;

use crate::constants::Constants;
use crate::plan_file::{ClusterPart, Plan, SearchPart, Software};
use crate::predict::{Outcome, predict_one};
use crate::runs::Run;
use crate::search::search;
use crate::step::Job;

/// The division of one row among ours.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    pub id: String,
    /// From 1; none where it is not among the first [`DEPTH`] or never fits.
    pub rank: Option<usize>,
    /// Predicted step time of the division at its best over that of our fifth.
    pub against_fifth: f64,
    /// Of the row's own layout over that of our first.
    pub against_first: f64,
    /// Whether the row's own layout fits by our count.
    pub fits: bool,
}

/// Divisions looked through.
pub const DEPTH: usize = 60;

/// Searches for each row of a group; rows without a prediction are left out.
pub fn standings(
    runs: &[Run],
    group: &str,
    constants: &Constants,
    threads: usize,
) -> Vec<Standing> {
    let of_group = runs.iter().filter(|run| run.group == group);
    of_group.filter_map(|run| standing(run, constants, threads)).collect()
}

fn standing(run: &Run, constants: &Constants, threads: usize) -> Option<Standing> {
    let Outcome::Predicted(own) = predict_one(run, constants).outcome else { return None };
    let shape = run.shape(&mut Vec::new()).ok()?;
    let chip = run.chip().ok()?;
    let stack = &constants.stack[&own.stack];
    let job = Job::new(shape, chip, run.precision(), run.seq?, run.global_batch?, stack, constants);
    let cluster = ClusterPart::of(&run.chip, f64::from(run.chips?)).resolve().ok()?.1;
    let search_part = SearchPart { top: DEPTH, ..SearchPart::default() };
    let plan = Plan {
        name: run.model.clone(),
        job,
        tokens: 1e12,
        days: None,
        software: Software { name: own.stack.clone(), usual: false },
        cluster,
        search: search_part,
    };
    let found = search(&plan, threads, true).ok()?;
    let division = |l: &crate::layout::Layout| (l.tp, l.pp, l.cp, l.ep);
    let at = found.best.iter().position(|c| division(&c.layout) == division(&own.layout));
    let fifth = found.best.get(4).or(found.best.last())?.step_s;
    Some(Standing {
        id: run.id.clone(),
        rank: at.map(|at| at + 1),
        against_fifth: at.map_or(own.step_s, |at| found.best[at].step_s) / fifth,
        against_first: own.step_s / found.best[0].step_s,
        fits: own.fits,
    })
}

/// How many of some standings are among the first `top`, and how many are there or no more than `margin` (a share)
/// behind our fifth.
pub fn among(standings: &[Standing], top: usize, margin: f64) -> (usize, usize) {
    let strict = |s: &&Standing| s.rank.is_some_and(|rank| rank <= top);
    let close = |s: &&Standing| strict(s) || s.against_fifth <= 1.0 + margin;
    (standings.iter().filter(strict).count(), standings.iter().filter(close).count())
}

/// A division that was exchanged for another in a later release, on the same chips with software of one generation.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub before: String,
    pub after: String,
    /// Step time after over before.
    pub measured: f64,
    pub predicted: f64,
}

/// All such changes in a group whose notes begin with the release.
pub fn changes(runs: &[Run], group: &str, constants: &Constants) -> Vec<Change> {
    let of_group = runs.iter().filter(|run| run.group == group);
    let rows: Vec<_> = of_group
        .filter_map(|run| match predict_one(run, constants).outcome {
            Outcome::Predicted(own) => Some((run, own)),
            Outcome::Refused { .. } => None,
        })
        .collect();
    let release = |run: &Run| run.notes.split(' ').next().unwrap_or("").to_string();
    let mut out = Vec::new();
    for (before, old) in &rows {
        for (after, new) in &rows {
            let division = |l: &crate::layout::Layout| (l.tp, l.pp, l.cp, l.ep);
            let same = (&before.model, &before.chip, &before.dtype, &old.stack)
                == (&after.model, &after.chip, &after.dtype, &new.stack)
                && (before.chips, before.seq, before.global_batch)
                    == (after.chips, after.seq, after.global_batch);
            let other = division(&old.layout) != division(&new.layout);
            if let (true, true, Some(was), Some(is)) = (
                same && release(before) < release(after),
                other,
                old.measured_step_s,
                new.measured_step_s,
            ) {
                out.push(Change {
                    before: before.id.clone(),
                    after: after.id.clone(),
                    measured: is / was,
                    predicted: new.step_s / old.step_s,
                });
            }
        }
    }
    out
}
