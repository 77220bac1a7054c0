//! The emulator as a program: an IDaaS tenant for development and tests behind HTTP, with a control API at an address of its
//! own. `docs/emulator-program.md` tells how it is used.
#![forbid(unsafe_code)]

mod arguments;
mod config;
mod control;
mod forms;
mod log;
mod serve;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Command, USAGE};

fn main() -> ExitCode {
    match arguments::read(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(USAGE),
        Ok(Command::Version) => print(&format!("idaas-emulator {}\n", env!("CARGO_PKG_VERSION"))),
        Ok(Command::Check(file)) => match config::read(&file) {
            Ok(_) => print(&format!("{}: nothing is wrong with it\n", file.display())),
            Err(wrong) => fail(&wrong),
        },
        Ok(Command::Serve(options)) => match serve::serve(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(wrong) => fail(&wrong),
        },
        Err(wrong) => {
            let code = fail(&wrong);
            eprintln!("`idaas-emulator --help` lists the options.");
            code
        }
    }
}

fn fail(wrong: &str) -> ExitCode {
    for line in wrong.lines() {
        eprintln!("idaas-emulator: {line}");
    }
    ExitCode::from(2)
}

/// Whoever closed the output does not want to read it.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
