//! What a benchmark found: printed, checked against its targets, and written down for `docs/performance.md`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// One figure of the library, beside that of a peer or of a limit, from the same run. Both are costs: less is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// In which unit, such as `µs`, `instructions`, `handshakes`, `crates`.
    pub unit: String,
    /// What the library is measured beside.
    pub peer: String,
    /// The library's figure.
    pub own: f64,
    /// The peer's.
    pub beside: f64,
    /// `own` by `beside`; of times it may be the median of the quotients of the rounds.
    pub ratio: Option<f64>,
    /// What it shall be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The command that measures it.
    pub command: String,
}

/// What a figure shall be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// At most so many times the peer's figure.
    Ratio(f64),
    /// At most so much more than the peer's figure.
    More(f64),
    /// At most so much, whatever the peer's figure is.
    AtMost(f64),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(times) => write!(f, "at most {times:.2}"),
            Self::More(more) => write!(f, "at most {more} more"),
            Self::AtMost(0.0) => write!(f, "none"),
            Self::AtMost(figure) => write!(f, "at most {figure}"),
        }
    }
}

impl Row {
    /// A row without a target. Its ratio is that of the two figures.
    pub fn new(what: &str, unit: &str, peer: &str, own: f64, beside: f64) -> Self {
        Self {
            what: what.to_owned(),
            unit: unit.to_owned(),
            peer: peer.to_owned(),
            own: rounded(own),
            beside: rounded(beside),
            ratio: (beside != 0.0).then(|| rounded(own / beside)),
            target: None,
            command: String::new(),
        }
    }

    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(rounded(ratio));
        self
    }

    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// For planning: the figures count, not their ratio.
    #[must_use]
    pub fn absolute(mut self) -> Self {
        self.ratio = None;
        self
    }

    /// Whether the target is met, if there is one.
    pub fn is_met(&self) -> Option<bool> {
        Some(match self.target? {
            Target::Ratio(times) => self.ratio? <= times,
            Target::More(more) => self.own <= self.beside + more,
            Target::AtMost(figure) => self.own <= figure,
        })
    }

    /// Whether each run finds the same: such targets are always checked.
    pub fn is_exact(&self) -> bool {
        const EXACT: [&str; 8] = [
            "instructions",
            "allocations",
            "handshakes",
            "characters",
            "crates",
            "system calls",
            "threads started",
            "names resolved",
        ];
        EXACT.contains(&self.unit.as_str())
    }

    /// What the figure is of, without the unit of a time.
    pub fn kind(&self) -> &str {
        match self.unit.as_str() {
            "µs" | "s" | "times" => "time",
            counted => counted,
        }
    }

    /// The ratio as it is printed everywhere; of small numbers their difference, or the numbers themselves.
    pub fn ratio_text(&self) -> String {
        let Self { own, beside, .. } = self;
        match (self.ratio, self.target) {
            (_, Some(Target::AtMost(_))) | (None, _) => format!("{own} beside {beside}"),
            (Some(ratio), Some(Target::More(_))) => format!("{ratio:.2} ({:+})", own - beside),
            (Some(ratio), _) => format!("{ratio:.2}"),
        }
    }
}

/// To four digits: more would pretend to be exact, and change with each run.
fn rounded(figure: f64) -> f64 {
    format!("{figure:.3e}").parse().unwrap_or(figure)
}

/// The name of what `peers/build` finds; it is no benchmark of cargo's.
pub const BUILDS: &str = "builds";

/// The rows of one benchmark.
pub struct Record {
    bench: String,
    rows: Vec<Row>,
}

impl Record {
    /// Of a benchmark by this name.
    pub fn of(bench: &str) -> Self {
        println!("\n{:58} {:26} {:>11} {:>11} {:>12}", bench, "beside", "own", "beside", "ratio");
        Self { bench: bench.to_owned(), rows: Vec::new() }
    }

    /// Prints the row and keeps it.
    pub fn add(&mut self, row: Row) {
        let Row { what, peer, own, beside, unit, .. } = &row;
        let what = format!("{what}, {unit}");
        print!("{what:58} {peer:26} {own:>11} {beside:>11} {:>12}", row.ratio_text());
        match (row.target, row.is_met()) {
            (Some(target), Some(true)) => println!("  PASS: {target}"),
            (Some(target), _) => println!("  MISS: {target}"),
            _ => println!(),
        }
        let command = match self.bench.as_str() {
            BUILDS => "bash peers/build 1".to_owned(),
            bench => format!("cargo bench --manifest-path peers/Cargo.toml --bench {bench}"),
        };
        self.rows.push(Row { command, ..row });
    }

    /// Writes the rows down. A missed target fails the run if it is exact, or with `--strict`: a time on a busy machine
    /// varies.
    pub fn finish(self) -> ExitCode {
        let strict = std::env::args().any(|argument| argument == "--strict");
        let path = fragment(&self.bench);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, serde_json::to_string_pretty(&self.rows).unwrap()).unwrap();
        let failed = |row: &&Row| row.is_met() == Some(false) && (strict || row.is_exact());
        if self.rows.iter().any(|row| failed(&row)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Where a benchmark writes its rows.
pub fn fragment(bench: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/measured/{bench}.json"))
}
