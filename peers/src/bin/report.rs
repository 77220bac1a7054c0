//! What was measured, as figures, a document and a plot.
//!
//! - `report builds N`: the rows of `peers/build`, from what it left.
//! - `report write FOLDER`: `performance.json`, `.md` and `.svg` in a folder of the repository, from the rows of all.
//! - `report check`: whether the document and the plot are those of the figures, and whether what was counted meets its targets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use idaas_login_peers::document::write;
use idaas_login_peers::figures::{Figures, PARTS, Part};
use idaas_login_peers::record::{BUILDS, Record, Row, fragment};
use idaas_login_peers::time::median;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn docs(name: &str) -> PathBuf {
    root().join("docs").join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn builds(timed: bool) -> ExitCode {
    const PEERS: [(&str, &str); 2] =
        [("oauth2", "oauth2 5 with ureq"), ("openidconnect", "openidconnect 4 with ureq")];
    let left = |user: &str, what: &str| {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/users/{user}.{what}")))
    };
    let crates = |user: &str| left(user, "crates").lines().count() as f64;
    let seconds = |user: &str| {
        let times: Vec<f64> =
            left(user, "seconds").lines().map(|line| line.parse::<f64>().unwrap() / 1000.0).collect();
        median(&times)
    };
    let mut record = Record::of(BUILDS);
    for (user, peer) in PEERS {
        record.add(Row::new("a minimal user", "crates", peer, crates("idaas"), crates(user)));
    }
    // Without builds there are the crates alone.
    for (user, peer) in PEERS.into_iter().filter(|_| timed) {
        record.add(Row::new("a clean build's time", "s", peer, seconds("idaas"), seconds(user)));
    }
    record.finish()
}

fn figures() -> Figures {
    let rustc = Command::new("rustc").arg("--version").output().expect("rustc is there");
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let part = |(bench, ..): &(&str, &str, &str)| {
        let rows = serde_json::from_str(&read(&fragment(bench))).unwrap();
        Part { bench: (*bench).to_owned(), rows }
    };
    Figures {
        cores: std::thread::available_parallelism().unwrap().get(),
        rustc: rustc.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        parts: PARTS.iter().map(part).collect(),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["builds", runs] => builds(runs != "0"),
        ["write", folder] => {
            let figures = figures();
            let (document, plot) = write(&figures);
            let folder = root().join(folder);
            fs::create_dir_all(&folder).unwrap();
            let json = serde_json::to_string_pretty(&figures).unwrap() + "\n";
            for (name, text) in
                [("performance.json", json), ("performance.md", document), ("performance.svg", plot)]
            {
                fs::write(folder.join(name), text).unwrap();
            }
            println!("{}: performance.md, .svg and .json are written", folder.display());
            ExitCode::SUCCESS
        }
        ["check"] => {
            let figures: Figures = serde_json::from_str(&read(&docs("performance.json"))).unwrap();
            let rows = || figures.parts.iter().flat_map(|part| &part.rows);
            let missed: Vec<_> = rows().filter(|row| row.is_exact() && row.is_met() == Some(false)).collect();
            if !missed.is_empty() {
                eprintln!("docs/performance.json: what was counted misses its target: {missed:#?}");
                return ExitCode::FAILURE;
            }
            for unit in ["system calls", "threads started", "names resolved", "handshakes"] {
                if !rows().any(|row| row.unit == unit && row.is_met() == Some(true)) {
                    eprintln!("docs/performance.json has no {unit}: bash peers/measure");
                    return ExitCode::FAILURE;
                }
            }
            let (document, plot) = write(&figures);
            let same = read(&docs("performance.md")) == document && read(&docs("performance.svg")) == plot;
            if !same {
                eprintln!(
                    "docs/performance.md or .svg is not made from docs/performance.json: bash peers/measure"
                );
                return ExitCode::FAILURE;
            }
            println!("docs/performance.md and .svg are those of docs/performance.json");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("report builds N | report write FOLDER | report check");
            ExitCode::FAILURE
        }
    }
}
