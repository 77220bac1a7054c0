//! What came of it: a verdict for each check, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::calls::Calls;
use super::checks::{self, Act, CHECKS, Need};
use super::record::{Exchange, Recorder, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    NotObserved,
    AsDecided,
    Differs,
}

impl Verdict {
    const fn text(self) -> &'static str {
        match self {
            Self::AsDecided => "as decided",
            Self::Differs => "DIFFERS",
            Self::NotObserved => "not observed",
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::AsDecided => "as_decided",
            Self::Differs => "differs",
            Self::NotObserved => "not_observed",
        }
    }
}

/// What was found so far.
#[derive(Default)]
pub struct Findings {
    checks: BTreeMap<&'static str, (Verdict, Vec<String>)>,
    steps: Vec<StepLine>,
    /// The builder calls that the tenant needs, and those that make more steps available.
    pub calls: Calls,
    pub optional: Calls,
}

/// What was found at a row of the endpoint table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    /// The name of its static.
    pub row: String,
    /// Its path by the edition's documents.
    pub path: String,
    pub seen: String,
}

impl Findings {
    pub fn as_decided(&mut self, id: &'static str, seen: impl Into<String>) {
        self.note(id, Verdict::AsDecided, seen.into());
    }

    pub fn differs(&mut self, id: &'static str, seen: impl Into<String>) {
        self.note(id, Verdict::Differs, seen.into());
    }

    /// Tried, without a response to the question.
    pub fn open(&mut self, id: &'static str, why: impl Into<String>) {
        self.note(id, Verdict::NotObserved, why.into());
    }

    /// A difference outweighs the rest; of one verdict all that was seen is kept.
    fn note(&mut self, id: &'static str, verdict: Verdict, seen: String) {
        debug_assert!(checks::find(id).is_some(), "no check {id}");
        let found = self.checks.entry(id).or_insert_with(|| (verdict, Vec::new()));
        if verdict > found.0 {
            *found = (verdict, Vec::new());
        }
        if verdict == found.0 && !found.1.contains(&seen) {
            found.1.push(seen);
        }
    }

    pub fn knows(&self, id: &str) -> bool {
        self.checks.get(id).is_some_and(|(verdict, _)| *verdict != Verdict::NotObserved)
    }

    /// Whether anything was noted of it, be it that it is open.
    pub fn has(&self, id: &str) -> bool {
        self.checks.contains_key(id)
    }

    pub fn differ(&self, id: &str) -> bool {
        self.checks.get(id).is_some_and(|(verdict, _)| *verdict == Verdict::Differs)
    }

    pub fn step(&mut self, line: StepLine) {
        self.steps.push(line);
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub id: &'static str,
    pub asks: &'static str,
    pub verdict: Verdict,
    /// What was seen, or why nothing was.
    pub seen: String,
}

pub struct Report {
    pub lines: Vec<Line>,
    pub steps: Vec<StepLine>,
    /// The builder calls that this tenant needs, as lines of Rust.
    pub calls: Vec<String>,
    /// Those that make steps available that the edition does not document.
    pub optional: Vec<String>,
    pub answers: Vec<Exchange>,
    pub edition: &'static str,
    pub emulated: bool,
    /// Why the probe ended early.
    pub stopped: Option<String>,
}

impl Report {
    pub fn new(
        findings: &Findings,
        http: &Recorder,
        missing: impl Fn(&Act) -> Vec<Need>,
        stopped: Option<&str>,
    ) -> Self {
        let line = |check: &'static checks::Check| {
            let (verdict, seen) = match findings.checks.get(check.id) {
                Some((verdict, seen)) => (*verdict, seen.join("; ")),
                None => (Verdict::NotObserved, why_not(check, &missing(check.act), stopped.is_some())),
            };
            Line { id: check.id, asks: check.asks, verdict, seen: http.scrub(&seen) }
        };
        Self {
            lines: CHECKS.iter().map(line).collect(),
            // Nothing in them comes from the tenant.
            steps: findings.steps.clone(),
            calls: findings.calls.lines(),
            optional: findings.optional.lines(),
            answers: http.exchanges().into_iter().map(|answer| scrubbed(answer, http)).collect(),
            edition: "",
            emulated: false,
            stopped: stopped.map(|text| http.scrub(text)),
        }
    }

    pub fn count(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }

    /// 0: nothing differs; 1: something does; 2: it could not run to its end.
    pub fn exit_code(&self) -> u8 {
        match (&self.stopped, self.count(Verdict::Differs)) {
            (Some(_), _) => 2,
            (None, 0) => 0,
            (None, _) => 1,
        }
    }

    pub fn text(&self) -> String {
        let width = CHECKS.iter().map(|check| check.id.len()).max().unwrap_or_default();
        let mut text = String::new();
        for line in &self.lines {
            let verdict = line.verdict.text();
            let _ = writeln!(text, "{:width$}  {verdict:12}  {}", line.id, line.asks);
            let _ = writeln!(text, "{:width$}  {:12}    {}", "", "", line.seen);
        }
        if !self.steps.is_empty() {
            let _ = writeln!(text, "\nThe steps of the endpoint table:");
            let width = self.steps.iter().map(|step| step.row.len()).max().unwrap_or_default();
            for step in &self.steps {
                let _ = writeln!(text, "{:width$}  {}: {}", step.row, step.path, step.seen);
            }
        }
        let _ = writeln!(
            text,
            "\n{} answers: {} as decided, {} differ, {} not observed",
            self.answers.len(),
            self.count(Verdict::AsDecided),
            self.count(Verdict::Differs),
            self.count(Verdict::NotObserved),
        );
        if let Some(stopped) = &self.stopped {
            let _ = writeln!(text, "It could not go on: {stopped}");
        }
        let list = |calls: &[String]| format!("    {}\n", calls.join("\n    "));
        if !self.optional.is_empty() {
            let steps =
                "Steps that this edition does not document, and that answer here, become available by:";
            let _ = write!(text, "\n{steps}\n{}", list(&self.optional));
        }
        let begin = "Client::builder(base_address, client_id)";
        let so_far = if self.stopped.is_some() { ", as far as the probe came" } else { "" };
        if self.calls.is_empty() {
            let _ = writeln!(text, "\nThis tenant needs no builder calls after {begin}{so_far}.");
        } else {
            let calls = list(&self.calls);
            let _ = write!(text, "\nThis tenant needs these calls after {begin}{so_far}:\n{calls}");
        }
        text
    }

    pub fn json(&self) -> Value {
        let checks = self.lines.iter().map(|line| {
            json!({ "id": line.id, "asks": line.asks, "verdict": line.verdict.id(), "seen": line.seen })
        });
        let steps = self.steps.iter();
        let steps = steps.map(|step| json!({ "row": step.row, "path": step.path, "seen": step.seen }));
        json!({
            "format": 1,
            "crate": concat!("idaas-login ", env!("CARGO_PKG_VERSION")),
            "tenant": if self.emulated { "emulated" } else { "real" },
            "edition": self.edition,
            "stopped": self.stopped,
            "checks": checks.collect::<Vec<_>>(),
            "steps": steps.collect::<Vec<_>>(),
            "builder_calls": self.calls,
            "optional_builder_calls": self.optional,
            "answers": self.answers.iter().map(answer).collect::<Vec<_>>(),
        })
    }
}

fn why_not(check: &checks::Check, missing: &[Need], stopped: bool) -> String {
    match missing {
        [] if stopped => "the probe ended before".to_owned(),
        [] => check.otherwise.to_owned(),
        missing => format!("needs {}", names(missing)),
    }
}

pub fn names(needs: &[Need]) -> String {
    needs.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ")
}

/// Names of fields come from the tenant, too.
fn scrubbed(mut answer: Exchange, http: &Recorder) -> Exchange {
    answer.status = answer.status.map(|status| http.scrub(&status));
    answer.refusal = answer.refusal.map(|(code, class)| (http.scrub(&code), class));
    if let Shape::Fields { fields, twice, .. } = &mut answer.body {
        for name in twice {
            *name = http.scrub(name);
        }
        for field in fields {
            field.name = http.scrub(&field.name);
            if let super::record::Form::Text { known: Some(known), .. } = &mut field.form {
                *known = http.scrub(known);
            }
        }
    }
    answer
}

fn answer(answer: &Exchange) -> Value {
    let body = match &answer.body {
        Shape::Empty => json!("nothing"),
        Shape::Other(length) => json!(format!("{length} bytes that are no JSON object")),
        Shape::Fields { fields, .. } => {
            // A list: a field may be there twice.
            fields.iter().map(|field| format!("{}: {}", field.name, field.form)).collect()
        }
    };
    json!({ "request": answer.request, "http_status": answer.http_status, "body": body })
}
