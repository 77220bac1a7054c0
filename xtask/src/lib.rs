//! The repository's own tool, as functions: what `cargo xtask` runs, and what the tests call.
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "nobody but this repository uses it"
)]

pub mod comments;
pub mod conformance;
pub mod dependencies;
pub mod documents;
pub mod files;
pub mod mini_program;
pub mod reference;
pub mod rustdoc;
#[cfg(feature = "verify")]
pub mod transcripts;
pub mod translations;
#[path = "../../examples/walkthrough/wire.rs"]
pub mod wire;
pub mod words;
