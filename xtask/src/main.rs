//! What the repository needs beside cargo: the documents that are generated, and checks of what no test can see.

use std::io;
use std::process::ExitCode;

use support::root;
use xtask::{comments, conformance, dependencies, documents, mini_program, rustdoc, translations};

const USAGE: &str = "\
cargo xtask docs            write the generated documents anew
cargo xtask docs --check    fail if one of them is stale
cargo xtask conformance            write the conformance vectors anew
cargo xtask conformance --check    fail if one of them is stale
cargo xtask rustdoc         render the documentation, and fail if something public is missing from it or from the tests
cargo xtask comments        fail if a comment is too wide
cargo xtask translations                copy the code blocks into the Chinese documents
cargo xtask translations --check        fail if a code block differs, and list the pages that are behind
cargo xtask translations --done <page>  note that a page follows its English one as it is now
cargo xtask dependencies    fail if a dependency has a licence or a source that is not allowed
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["docs"] => told(documents::write()),
        ["docs", "--check"] => {
            let names = report(&documents::names_without_file(), "named by a document, and not there");
            let code = report(&mini_program::strangers(), "shown by a document, and not in the example");
            let stale = report(&documents::stale(), "stale; `cargo xtask docs` writes it anew");
            [names, code].into_iter().find(|code| *code != ExitCode::SUCCESS).unwrap_or(stale)
        }
        ["conformance"] => told(conformance::write()),
        ["conformance", "--check"] => {
            report(&conformance::stale(), "stale; `cargo xtask conformance` writes it anew")
        }
        ["rustdoc"] => {
            let mut cargo = support::cargo();
            cargo.args(["doc", "--quiet", "--no-deps", "--all-features", "--package", "idaas-login"]);
            match cargo.current_dir(root()).status() {
                Ok(status) if status.success() => {}
                _ => return ExitCode::FAILURE,
            }
            let target =
                std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
            let rendered = rustdoc::Rendered::new(target.join("doc/idaas_login"));
            report(&rendered.wrong(), "found in the rendered documentation")
        }
        ["comments"] => report(&comments::wide(), "wider than a comment may be"),
        ["translations"] => done(translations::copy_blocks()),
        ["translations", "--done", page] => done(translations::mark_current(page)),
        ["translations", "--check"] => {
            for line in translations::behind() {
                println!("{line}");
            }
            report(
                &translations::wrong(),
                "not as in English; `cargo xtask translations` copies the code blocks",
            )
        }
        ["dependencies"] => report(&dependencies::wrong(), "not allowed by deny.toml"),
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Prints what was written.
fn told(written: io::Result<Vec<String>>) -> ExitCode {
    done(written.map(|written| {
        for name in written {
            println!("written: {name}");
        }
    }))
}

fn done(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what was found wrong; it is all right if nothing was.
fn report(wrong: &[String], what: &str) -> ExitCode {
    for line in wrong {
        eprintln!("{line}");
    }
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{what}");
    ExitCode::FAILURE
}
