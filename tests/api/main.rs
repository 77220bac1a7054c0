//! The crate through its public interface, over transports that are closures: what needs no process of its own.

#[macro_use]
extern crate support;

mod advice;
mod asynchronous;
mod codes;
mod conformance;
mod country_codes;
mod device;
mod documents;
mod editions;
mod emulator;
mod error_codes;
mod errors;
mod failure;
#[cfg(all(feature = "seal", feature = "verify"))]
mod fuzz_targets;
#[cfg(feature = "verify")]
mod identity;
#[cfg(feature = "verify")]
mod key_cache;
#[cfg(feature = "verify")]
mod key_set;
mod manual;
mod printed_forms;
mod recovery;
mod refusals;
mod requests;
mod responses;
mod sessions;
mod signature;
mod suspend;
mod trace;
mod types;
mod weight;
