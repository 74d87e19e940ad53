//! What `infer` promises, in one program so that it links once.

mod batch;
mod draft;
mod form;
mod real_models;
mod scoring;
mod session;
mod tiny;
