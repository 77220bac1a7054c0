//! What the documents in Markdown share, and the part of the reference that the rustdoc of each stage has.

use std::fmt::Write as _;

use idaas_login::endpoints::{OriginKind, Platform, Scenario, StageKind};

use super::errors::Language;
use super::flow::{self, Does, EDITIONS, Flow, Sends, Stage, Step};
use super::responses::{Kind, Meaning, RESPONSES, ResponseShape, Then};
use crate::files::GENERATED;

/// Where a text is read, and so how it links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Document,
    Rustdoc,
}

impl Place {
    pub fn of_type(self, name: &str) -> String {
        let base = name.split_once('<').map_or(name, |(base, _)| base);
        match self {
            Self::Document => format!("[`{name}`](#{})", base.to_lowercase()),
            Self::Rustdoc => format!("[`{name}`](crate::{base})"),
        }
    }

    fn method(self, of: &str, name: &str) -> String {
        match self {
            Self::Document => format!("`{name}`"),
            Self::Rustdoc => format!("[`{name}`](crate::{of}::{name})"),
        }
    }

    pub fn decisions(self, ids: &[&str]) -> String {
        let one = |id: &&str| match self {
            Self::Document => format!("[{id}](#{})", id.to_lowercase()),
            Self::Rustdoc => (*id).to_owned(),
        };
        ids.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The origin without which there is no such method. Before a login any is possible.
pub fn bound_to(step: &Step) -> Option<OriginKind> {
    let Does::Sends(sends) = &step.does else { return None };
    sends.row.platform.filter(|_| step.from != StageKind::Unauthenticated).map(Platform::origin)
}

/// The table of a stage's steps.
fn steps(stage: &Stage) -> String {
    let place = Place::Rustdoc;
    let mut text = String::from("| step | sends | body | leads to | source |\n|---|---|---|---|---|\n");
    for step in &stage.steps {
        let name = step_cell(stage, step);
        let decisions = place.decisions(step.decisions);
        match &step.does {
            Does::Sends(sends) => {
                let row = sends.row;
                let (token, body, to) = (token(sends), body(sends), leads_to(sends, place));
                let page = format!("[page]({})", row.page);
                let source = [page, decisions]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join(", ");
                writeln!(text, "| {name} | `{} {}`{token} | {body} | {to} | {source} |", row.verb, row.path)
            }
            Does::Narrows(row) => {
                let gated = if row.gated { ", if the tenant allows it, else `NotAllowed`" } else { "" };
                let to = place.of_type(&row.to.to_string());
                writeln!(text, "| {name} | nothing | | {to}{gated} | {decisions} |")
            }
        }
        .unwrap();
    }
    text.push('\n');
    text
}

fn step_cell(stage: &Stage, step: &Step) -> String {
    let feature = match &step.does {
        Does::Sends(sends) => sends.row.feature,
        Does::Narrows(_) => None,
    };
    // Without the feature there is nothing to link to.
    let place_of_name = if feature.is_some() { Place::Document } else { Place::Rustdoc };
    let mut cell = place_of_name.method(&stage.name, step.name);
    if let Some(feature) = feature {
        write!(cell, ", feature `{feature}`").unwrap();
    }
    if let Some(origin) = bound_to(step) {
        write!(cell, ", of `{origin:?}`").unwrap();
    }
    if stage.kinds.len() > 1 {
        let narrowed = support::scenario(step.from).unwrap().stage();
        write!(cell, ", from `{narrowed}`").unwrap();
    }
    cell
}

/// The header of the token, to be read after the path, and how the editions differ in it.
pub fn token(sends: &Sends) -> String {
    let mut headers: Vec<(&str, Vec<&str>)> = Vec::new();
    for (header, edition) in sends.token_header.iter().zip(EDITIONS) {
        let Some(header) = header else { continue };
        match headers.iter_mut().find(|(known, _)| known == header) {
            Some((_, editions)) => editions.push(edition),
            None => headers.push((header, vec![edition])),
        }
    }
    match headers.as_slice() {
        [] => String::new(),
        [(header, _)] => format!(", `{header}`"),
        several => {
            let one =
                |(header, editions): &(&str, Vec<&str>)| format!("`{header}` (`{}`)", editions.join("`, `"));
            format!(", {}", several.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

pub fn body(sends: &Sends) -> String {
    let field = |field: &idaas_login::endpoints::Field| {
        let kind = flow::field_kind(field.kind);
        match sends.row.send_type.map(idaas_login::endpoints::SendType::as_str) {
            Some(send_type) if kind == "send type" => format!("`{}` = `{send_type}`", field.name),
            Some(send_type) if field.name == "verify_code" => {
                format!("`{}` ({kind}, asked for as `{send_type}`)", field.name)
            }
            _ => format!("`{}` ({kind})", field.name),
        }
    };
    let mut cell = sends.row.fields.iter().map(field).collect::<Vec<_>>().join(", ");
    if !sends.row.optional.is_empty() {
        let names: Vec<_> = sends.row.optional.iter().map(|field| format!("`{}`", field.name)).collect();
        write!(cell, "; optional: {}", names.join(", ")).unwrap();
    }
    cell
}

pub fn leads_to(sends: &Sends, place: Place) -> String {
    match (sends.row.leads_to, sends.gives) {
        ([], Some("()")) => "nothing: a side call".to_owned(),
        ([], Some("Captcha")) => format!("{}: a side call", place.of_type("Captcha")),
        ([], gives) => match place {
            // Without the feature there is nothing to link to.
            _ if sends.row.feature.is_some() => format!("`{}`: a side call", gives.unwrap()),
            Place::Document => format!("`{}`: a side call", gives.unwrap()),
            Place::Rustdoc => format!("{}: a side call", place.of_type(gives.unwrap())),
        },
        ([one], _) => place.of_type(&one.to_string()),
        _ if !sends.row.origin().is_none_or(|origin| origin == OriginKind::WeChatMiniProgram) => {
            place.of_type(&format!("Outcome<{:?}>", sends.row.origin().unwrap()))
        }
        _ => place.of_type("Outcome"),
    }
}

/// What each response means to the steps of a stage: responses that mean the same share a line.
fn meanings(flow: &Flow, stage: &Stage) -> String {
    let mut text = String::new();
    for group in flow.readings() {
        let here: Vec<_> = group.iter().filter(|(step, _)| flow::base(step.from) == stage.name).collect();
        let Some((_, sends)) = here.first() else { continue };
        let names = names(flow, here.iter().map(|(step, _)| *step), true).join("; ");
        write!(text, "What a response to {names} means:\n\n| then | response |\n|---|---|\n").unwrap();
        for (then, shapes) in by_meaning(sends) {
            writeln!(text, "| {} | {} |", words(then), listed(&shapes)).unwrap();
        }
        text.push('\n');
    }
    if text.ends_with("\n\n") {
        text.pop();
    }
    text
}

/// The names of steps that read every answer alike; with their stages where other steps of the same name do not. On the page
/// of a stage that stage goes without saying.
fn names<'a>(flow: &Flow, steps: impl Iterator<Item = &'a Step>, own_page: bool) -> Vec<String> {
    let readings = flow.readings();
    let is_read_twice = |name| {
        let with_name = |group: &&Vec<(&Step, &Sends)>| group.iter().any(|(step, _)| step.name == name);
        readings.iter().filter(with_name).count() > 1
    };
    let mut names: Vec<(&str, Vec<String>)> = Vec::new();
    for step in steps {
        let stage = support::scenario(step.from).map(Scenario::stage);
        let stage = stage.or((!own_page).then_some(step.from)).filter(|_| is_read_twice(step.name));
        let index = names.iter().position(|(name, _)| *name == step.name).unwrap_or_else(|| {
            names.push((step.name, Vec::new()));
            names.len() - 1
        });
        let stage = stage.map(|stage| format!("`{stage}`"));
        let stages = &mut names[index].1;
        if let Some(stage) = stage.filter(|stage| !stages.contains(stage)) {
            stages.push(stage);
        }
    }
    let written = |(name, stages): (&str, Vec<String>)| match &stages[..] {
        [] => format!("`{name}`"),
        [one] => format!("`{name}` from {one}"),
        [first @ .., last] => format!("`{name}` from {} or {last}", first.join(", ")),
    };
    names.into_iter().map(written).collect()
}

/// The shapes of response that a step can have, and what they mean. Those that belong to other calls are left out.
pub fn shapes_of(sends: &Sends) -> impl Iterator<Item = (&'static ResponseShape, &Meaning)> {
    let is_login = sends.row.leads_to.len() > 1;
    RESPONSES.iter().zip(&sends.meanings).filter(move |(shape, meaning)| match shape.kind {
        Kind::Reply(step) => step == sends.row.step,
        // The response to a reset is that to a request for a code.
        Kind::Empty => {
            matches!(sends.row.step, "send_code" | "logout")
                || sends.row.leads_to == [StageKind::Unauthenticated]
        }
        // A reply that names no status is a shape of its own.
        Kind::Progress => is_login || meaning.error.is_none(),
        Kind::Any => true,
    })
}

/// The responses by what they mean.
fn by_meaning(sends: &Sends) -> Vec<(Then, Vec<&'static str>)> {
    let mut groups: Vec<(Then, Vec<_>)> = Vec::new();
    for (shape, meaning) in shapes_of(sends) {
        match groups.iter_mut().find(|(then, _)| *then == meaning.then) {
            Some((_, shapes)) => shapes.push(shape.words),
            None => groups.push((meaning.then, vec![shape.words])),
        }
    }
    groups.sort_by_key(|(then, _)| match then {
        Then::Stage(_) | Then::Gives(_) => 0,
        Then::Recovery("Retry") => 1,
        Then::Recovery("StartOver") => 2,
        Then::Recovery(_) | Then::Error => 3,
    });
    groups
}

/// The shapes in one cell; the refusals among them together.
fn listed(shapes: &[&str]) -> String {
    let refused: Vec<_> = shapes.iter().filter_map(|words| words.strip_prefix("refused: ")).collect();
    let mut others: Vec<_> =
        shapes.iter().filter(|words| !words.starts_with("refused: ")).map(ToString::to_string).collect();
    if !refused.is_empty() {
        others.insert(0, format!("refused: {}", refused.join(", ")));
    }
    others.join("; ")
}

fn words(then: Then) -> String {
    let place = Place::Rustdoc;
    match then {
        Then::Stage(kind) => place.of_type(&kind.to_string()),
        Then::Gives("()") => "done".to_owned(),
        Then::Gives(gives) => format!("`{gives}`"),
        Then::Recovery("Retry") => "`Retry`: the stage again".to_owned(),
        Then::Recovery("Unresolved") => "`Unresolved`: it may have been carried out".to_owned(),
        Then::Recovery(_) => format!("`StartOver`: {}", place.of_type("Unauthenticated")),
        Then::Error => "an error".to_owned(),
    }
}

/// The part that the rustdoc of a stage includes.
pub fn rustdoc(flow: &Flow, stage: &Stage) -> String {
    let mut text = String::from(GENERATED);
    let holds: Vec<_> =
        stage.about.holds.iter().map(|held| Place::Rustdoc.method(&stage.name, held)).collect();
    write!(text, "\nHolds: {}.\n\n# Steps\n\n", holds.join(",\n")).unwrap();
    text.push_str(&steps(stage));
    let meanings = meanings(flow, stage);
    if !meanings.is_empty() {
        write!(text, "# Responses\n\n{meanings}\n").unwrap();
    }
    text.push_str("The decisions (D1 and so on) are in `docs/decisions.md`, all of it in one place is in `docs/reference.md`.\n");
    text
}

/// The table of stages and their steps.
pub fn overview(flow: &Flow, language: &Language) -> String {
    let mut text = language.steps_heads();
    for stage in &flow.stages {
        let mut names: Vec<String> = Vec::new();
        for step in &stage.steps {
            let mut name = format!("`{}`", step.name);
            if let Some(origin) = bound_to(step) {
                write!(name, " (`{origin:?}`)").unwrap();
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let reached = match stage.name.as_str() {
            "VerifyPhone" => "`phone`".to_owned(),
            "VerifyEmail" => "`email`".to_owned(),
            "Unauthenticated" => "`Client.login`".to_owned(),
            "Registration" => "`register`".to_owned(),
            "PasswordReset" => "`reset_password`".to_owned(),
            "Client" | "Captcha" => continue,
            _ => {
                let statuses = stage.reached_by.iter().filter_map(|way| way.strip_prefix("the status "));
                statuses.take(1).collect::<Vec<_>>().join(", ")
            }
        };
        writeln!(text, "| `{}` | {reached} | {} |", stage.written(), names.join(", ")).unwrap();
    }
    text
}
