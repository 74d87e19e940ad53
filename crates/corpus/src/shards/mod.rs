//! Token shards: what a corpus is to the trainer.
//!
//! A directory of packed sequences. Each holds at most [`Shards::sequence_length`] tokens of one or more
//! documents in a row, with the places where documents begin, and, for conversations, which tokens count in the
//! loss. Any sequence can be read by its number at the same cost; [`Order`] says which number comes when, as a
//! pure function of seed and position. So any number of workers can share the data, and a resumed run reads
//! what an uninterrupted one would have read, without any state but the step.
//!
//! - [`format`]: the files. - [`pack`]: documents into sequences. - [`write`]: shards from documents.
//! - [`staging`]: directories that appear whole or not at all. - [`read`]: [`Shards`]. - [`order`]: [`Order`].

mod format;
mod order;
mod pack;
mod read;
mod staging;
mod write;

pub use format::{FileEntry, Manifest};
pub use order::Order;
pub(crate) use order::mix;
pub use pack::Sequence;
pub use read::Shards;
pub use staging::Staging;
pub use write::{Document, WriteOptions, Writer, write};
