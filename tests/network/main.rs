//! The built-in transport on real connections, against servers on loopback.

#[macro_use]
extern crate support;

mod chains;
mod cipher_suites;
mod fault_matrix;
mod tls_records;
mod ureq_transport;
