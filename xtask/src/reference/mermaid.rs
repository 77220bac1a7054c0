//! The flow for Mermaid: the whole of it, and a small one for the README.

use std::fmt::Write as _;

use idaas_login::endpoints::{StageKind, Status};

use super::flow::{Does, Flow, Step, base};
use super::responses::{RESPONSES, Then};
use support::scenario;

/// The arrows, by where they go from and to; those that go alike share one.
#[derive(Default)]
struct Arrows(Vec<(String, String, Vec<String>)>);

impl Arrows {
    fn add(&mut self, from: String, to: String, name: impl Into<String>) {
        let name = name.into();
        match self.0.iter_mut().find(|known| known.0 == from && known.1 == to) {
            Some((.., names)) if names.contains(&name) => {}
            Some((.., names)) => names.push(name),
            None => self.0.push((from, to, vec![name])),
        }
    }

    /// With at most so many names on an arrow.
    fn write(self, text: &mut String, most: usize) {
        for (from, to, mut names) in self.0 {
            let more = names.len().saturating_sub(most);
            if more > 0 {
                names.truncate(most);
                writeln!(text, "    {from} --> {to}: {} and {more} more", names.join(", ")).unwrap();
                continue;
            }
            writeln!(text, "    {from} --> {to}: {}", names.join(", ")).unwrap();
        }
        text.push_str("    Authenticated --> [*]\n");
    }
}

const BEGIN: &str = "stateDiagram-v2\n    direction LR\n    state Outcome <<choice>>\n";

/// The whole flow: every stage and every step.
pub fn whole(flow: &Flow) -> String {
    let mut text = format!("%% Generated: cargo xtask docs\n{BEGIN}");
    for kind in flow.stages.iter().flat_map(|stage| &stage.kinds) {
        // Angle brackets would be taken for HTML.
        if let Some(scenario) = scenario(*kind) {
            writeln!(text, "    state \"{} of {}\" as {}", base(*kind), scenario.stage(), id(*kind)).unwrap();
        }
    }
    text.push_str("    [*] --> Unauthenticated: Client.login\n");
    let mut arrows = Arrows::default();
    for (words, kind) in statuses(flow) {
        arrows.add("Outcome".to_owned(), id(kind), words);
    }
    for step in flow.steps().filter(|step| is_stage(step.from)) {
        let (to, how) = match &step.does {
            Does::Sends(sends) => match sends.row.leads_to {
                [] => (id(step.from), " (side call)"),
                [one] => (id(*one), ""),
                _ => ("Outcome".to_owned(), ""),
            },
            Does::Narrows(row) => (id(row.to), if row.gated { " (if allowed)" } else { "" }),
        };
        arrows.add(id(step.from), to, format!("{}{how}", step.name));
    }
    arrows.write(&mut text, usize::MAX);
    text
}

/// The README's block: the same, small.
pub fn block(flow: &Flow) -> String {
    let mut text = format!("```mermaid\n{BEGIN}    state \"VerifyPhone, VerifyEmail\" as Verify\n");
    text.push_str("    [*] --> Unauthenticated: Client.login\n");
    let mut arrows = Arrows::default();
    for (words, kind) in statuses(flow) {
        arrows.add("Outcome".to_owned(), small(kind), words);
    }
    for step in flow.steps().filter(|step| is_stage(step.from)) {
        if let Some(to) = small_target(step) {
            arrows.add(small(step.from), to, step.name);
        }
    }
    arrows.write(&mut text, 4);
    text.push_str("```\n");
    text
}

/// Where the small diagram draws a step to; not at all if the stage stays, or if it leads back.
fn small_target(step: &Step) -> Option<String> {
    match &step.does {
        Does::Sends(sends) => match sends.row.leads_to {
            [] => None,
            [one] => Some(small(*one)),
            _ => Some("Outcome".to_owned()),
        },
        Does::Narrows(row) => (step.name != "back").then(|| small(row.to)),
    }
}

fn is_stage(kind: StageKind) -> bool {
    !matches!(kind, StageKind::Client | StageKind::Captcha)
}

fn id(kind: StageKind) -> String {
    kind.to_string().replace('<', "_").replace('>', "")
}

fn small(kind: StageKind) -> String {
    match kind {
        StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_) => "Verify".to_owned(),
        plain => plain.to_string(),
    }
}

/// The status that leads to each stage, as a login observes it: the first shape of answer is the plain one.
pub fn statuses(flow: &Flow) -> Vec<(&'static str, StageKind)> {
    let readings = flow.readings();
    let mut found: Vec<(&str, StageKind)> = Vec::new();
    for (shape, meaning) in RESPONSES.iter().zip(&readings[0][0].1.meanings) {
        if let Then::Stage(kind) = meaning.then
            && let Some(status) = shape.status().and_then(|status| Status::read(&status))
            && !found.iter().any(|(_, known)| *known == kind)
        {
            found.push((status.as_str(), kind));
        }
    }
    found
}
