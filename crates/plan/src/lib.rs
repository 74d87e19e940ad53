//! Planning a training run: how long, how much memory, how many failures, how much money and energy.

pub mod accuracy;
pub mod chips;
pub mod comm;
pub mod constants;
mod error;
mod fields;
pub mod flags;
pub mod layout;
pub mod local;
pub mod memory;
pub mod overview;
pub mod plan_file;
pub mod predict;
pub mod ranks;
pub mod report;
pub mod runs;
pub mod search;
pub mod shape;
pub mod sizes;
pub mod step;
pub mod timeline;
pub mod whole_run;

pub use error::Error;
