//! Asks a tenant what it really does, decision by decision: docs/probe.md.
//!
//! `cargo run --example probe` asks an emulated tenant, over HTTP on this machine.

mod tool;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    // Locked by the line, never for long: nothing else writes.
    let (out, err) = (&mut io::stdout(), &mut io::stderr());
    ExitCode::from(tool::command(&words, &variable, io::stdin().is_terminal(), out, err))
}
