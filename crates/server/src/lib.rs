//! OpenAI-compatible HTTP, the web application and who may use them. No logic of its own.
//!
//! [`serve::serve`] binds loopback and hands back the address to open. A request passes [`auth`] (Host, Origin,
//! session or key), then goes to the page's own interface ([`api`], under `/api`), to the interface other
//! programs speak ([`openai`], under `/v1`), or to a file of the page ([`assets`]). What a request needs from the
//! vault, the assistant and the models it asks through [`backend::Backend`]; that work runs on blocking threads
//! and reports through [`stream`].

pub mod api;
pub mod assets;
pub mod auth;
pub mod backend;
mod base64;
pub mod error;
pub mod house;
pub mod html;
pub mod openai;
pub mod runs;
pub mod serve;
pub mod stream;

pub use error::Error;
pub use serve::{ServeOptions, Server, serve};
