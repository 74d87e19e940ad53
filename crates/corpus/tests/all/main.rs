//! What the crate promises, checked against references and with real files. One test program, because the
//! parts share the readers in `support`.

mod support;

mod agreement;
mod bpe;
mod build;
mod chat;
mod hazard;
mod json;
mod shards;
mod vocabulary;
