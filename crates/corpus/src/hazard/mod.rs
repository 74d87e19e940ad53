//! Removal of texts that would teach harm.
//!
//! Two signs: terms (phrases that stand in instructions for harm, hardly elsewhere) and a linear classifier trained
//! on labelled texts. Neither understands a text; both are counted, and the counts go into the build report, so that
//! a disclosure can state what was removed and by which sign. [`train`] makes a classifier from labelled examples, some
//! of which it does not look at: [`measure`] tells how it does on them.

mod classifier;
mod examples;
mod terms;

pub use classifier::{Classifier, train};
pub use examples::{Example, Measured, measure, read_examples};
pub use terms::Terms;
