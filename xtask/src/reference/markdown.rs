//! The reference in Markdown: one document, and the part of each stage for its rustdoc.

use std::fmt::Write as _;

use idaas_login::endpoints::{
    self, Credential, EditionKind, Endpoint, ISSUER_PATH, KEYS_PATH, OriginKind, Platform, Scenario, Source,
    StageKind,
};

use super::errors::Language;
use super::flow::{self, Does, EDITIONS, FIELD_KINDS, Flow, Sends, Stage, Step};
use super::responses::{Kind, RESPONSES, Then};

pub const GENERATED: &str = "<!-- Generated: cargo xtask docs -->\n";

/// Where a text is read, and so how it links.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Document,
    Rustdoc,
}

impl Place {
    fn of_type(self, name: &str) -> String {
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

    fn decisions(self, ids: &[&str]) -> String {
        let one = |id: &&str| match self {
            Self::Document => format!("[{id}](#{})", id.to_lowercase()),
            Self::Rustdoc => (*id).to_owned(),
        };
        ids.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The whole reference.
pub fn reference(flow: &Flow) -> String {
    let mut text = String::from("# Reference\n\n");
    text.push_str(GENERATED);
    text.push_str(INTRODUCTION);
    text.push_str("| stage | |\n|---|---|\n");
    for stage in &flow.stages {
        let here = stage.written();
        writeln!(text, "| [`{here}`](#{}) | {} |", stage.name.to_lowercase(), stage.about.summary).unwrap();
    }
    text.push_str("\n## Which step is legal in which stage\n\n");
    text.push_str(&matrix(flow));
    text.push_str("\n## Outcome\n\n");
    text.push_str(&outcome(flow));
    for stage in &flow.stages {
        write!(text, "\n## {}\n\n{}\n\n", stage.name, stage.about.summary).unwrap();
        if !stage.reached_by.is_empty() {
            write!(text, "Reached by: {}.\n\n", stage.reached_by.join(", ")).unwrap();
        }
        let holds: Vec<_> =
            stage.about.holds.iter().map(|held| Place::Document.method(&stage.name, held)).collect();
        write!(text, "Holds: {}.\n\n", holds.join(", ")).unwrap();
        text.push_str(&steps(stage, Place::Document));
        text.push_str(&meanings(flow, stage, Place::Document));
    }
    text.push_str(&editions());
    text.push_str(&requests(flow));
    text.push_str(&answers(flow));
    text.push_str(&codes(flow));
    text.push_str(&decisions(flow));
    text
}

const INTRODUCTION: &str = "
The flow of the login API, stage by stage: what each stage holds, which steps it has, what each sends, and what each answer
means. It is generated from the endpoint table (`src/wire/endpoints.rs`) and from the library itself: every step was run
against every shape of answer, and what came of it is written here. `cargo xtask docs` writes it anew, and
`cargo xtask docs --check` fails if anything here is stale. The same for programs is [flow.json](flow.json), with the
schema [flow.schema.json](flow.schema.json), the same as a drawing [flow.svg](flow.svg), for Mermaid [flow.mmd](flow.mmd).
A walk through the flow in words is [flow.md](flow.md).

A step takes its stage. What comes back is the next stage, or a recovery that says what the caller holds now:

- `Retry`: nothing was carried out and the state token lives; here is the stage again. A value that cannot be right comes
  back so, too, from each step that sends: nothing was sent.
- `Unresolved`: no usable answer; the step may have been carried out. `start_over` is always safe, `retry_anyway` is for who
  knows better.
- `StartOver`: the state token is dead, or access was denied; back to [`Unauthenticated`](#unauthenticated).

A side call does not take its stage and leaves it as it is, whatever is answered; only a refusal of the class dead token says
that the stage is over all the same. Every stage has `start_over`, which gives up what was reached and sends nothing.

![The flow of a login](flow.svg)

";

/// Stages by steps.
fn matrix(flow: &Flow) -> String {
    let mut names: Vec<&str> = Vec::new();
    for step in flow.steps() {
        if !names.contains(&step.name) {
            names.push(step.name);
        }
    }
    let mut text = String::from(
        "● moves the flow, ○ is a side call, ◇ sends nothing; with an origin: only in a login that began so. What is empty\n\
         does not compile: `cargo test --test compile_fail` tries every cell.\n\n",
    );
    let heads: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    writeln!(text, "| | {} |\n|---|{}", heads.join(" | "), ":-:|".repeat(names.len())).unwrap();
    for stage in &flow.stages {
        for kind in &stage.kinds {
            let cell = |name: &&str| {
                let step = stage.steps.iter().find(|step| step.from == *kind && step.name == *name);
                step.map(mark).unwrap_or_default()
            };
            let cells: Vec<_> = names.iter().map(cell).collect();
            writeln!(text, "| `{kind}` | {} |", cells.join(" | ")).unwrap();
        }
    }
    text
}

fn mark(step: &Step) -> String {
    match &step.does {
        Does::Narrows(_) => "◇".to_owned(),
        Does::Sends(sends) => {
            let mark = if sends.row.moves_the_flow() { "●" } else { "○" };
            bound_to(step).map_or_else(|| mark.to_owned(), |origin| format!("{mark} {origin:?}"))
        }
    }
}

/// The origin without which there is no such method. Before a login any is possible.
fn bound_to(step: &Step) -> Option<OriginKind> {
    let Does::Sends(sends) = &step.does else { return None };
    sends.row.platform.filter(|_| step.from != StageKind::Unauthenticated).map(Platform::origin)
}

fn outcome(flow: &Flow) -> String {
    let mut text = String::from(
        "What a step of a login leads to, by the field `status` of the answer. Every step that is answered with a `status` can\n\
         lead to each. `Outcome` has the origin of the login as its parameter, which defaults to `WeChatMiniProgram`: the tables name it\n\
         where a step begins a login with another one, and every other step keeps that of its stage.\n\n\
         | `status` | stage |\n|---|---|\n",
    );
    let steps = flow.readings();
    let (_, login) = steps[0][0];
    for (answer, meaning) in RESPONSES.iter().zip(&login.meanings) {
        if let Then::Stage(kind) = meaning.then {
            writeln!(text, "| {} | {} |", answer.words, Place::Document.of_type(&kind.to_string())).unwrap();
        }
    }
    text.push_str("| `ACCESS_DENIED` | `StartOver` |\n");
    text
}

/// The table of a stage's steps.
fn steps(stage: &Stage, place: Place) -> String {
    let mut text = String::from("| step | sends | body | leads to | source |\n|---|---|---|---|---|\n");
    for step in &stage.steps {
        let name = step_cell(stage, step, place);
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

fn step_cell(stage: &Stage, step: &Step, place: Place) -> String {
    let feature = match &step.does {
        Does::Sends(sends) => sends.row.feature,
        Does::Narrows(_) => None,
    };
    // Without the feature there is nothing to link to.
    let place_of_name = if feature.is_some() { Place::Document } else { place };
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

/// How each edition has each step that sends something.
fn editions() -> String {
    let mut text = String::from(
        "\n## Editions\n\nHow each edition has each step: by a page of its own documentation, or by a decision that takes it for \
         another edition's. A step that an edition does not have fails before anything is sent, unless the client was built with a \
         path for it (D37). What differs from the step's row above is named.\n\n",
    );
    let names: Vec<_> = EditionKind::ALL.iter().map(ToString::to_string).collect();
    writeln!(text, "| step | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len())).unwrap();
    for row in endpoints::ALL {
        let cells: Vec<_> = EditionKind::ALL.iter().map(|edition| in_edition(row, *edition)).collect();
        writeln!(text, "| `{}.{}` | {} |", row.from, row.step, cells.join(" | ")).unwrap();
    }
    text
}

fn in_edition(row: &Endpoint, edition: EditionKind) -> String {
    let Some(shape) = row.in_edition(edition) else { return "no".to_owned() };
    let mut cell = match shape.source {
        Source::Page(page) => format!("[page]({page})"),
        Source::Decision(decision) => decision.to_owned(),
        other => panic!("the reference: no words for {other:?}"),
    };
    if shape.path != row.path {
        write!(cell, ", `{}`", shape.path).unwrap();
    }
    if shape.send_type != row.send_type
        && let Some(send_type) = shape.send_type
    {
        write!(cell, ", `{}`", send_type.as_str()).unwrap();
    }
    if shape.credential == Credential::Signature {
        cell.push_str(", `X-signature`");
    }
    cell
}

/// The header of the token, to be read after the path, and how the editions differ in it.
fn token(sends: &Sends) -> String {
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

fn body(sends: &Sends) -> String {
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

fn leads_to(sends: &Sends, place: Place) -> String {
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

/// What each answer means to the steps of a stage: answers that mean the same share a line.
fn meanings(flow: &Flow, stage: &Stage, place: Place) -> String {
    let mut text = String::new();
    for group in flow.readings() {
        let here: Vec<_> = group.iter().filter(|(step, _)| flow::base(step.from) == stage.name).collect();
        let Some((_, sends)) = here.first() else { continue };
        let names = names(flow, here.iter().map(|(step, _)| *step), true).join("; ");
        write!(text, "What an answer to {names} means:\n\n| then | answer |\n|---|---|\n").unwrap();
        for (then, answers) in by_meaning(sends) {
            writeln!(text, "| {} | {} |", words(then, place), listed(&answers)).unwrap();
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

/// The answers by what they mean. Shapes that belong to other calls are left out.
fn by_meaning(sends: &Sends) -> Vec<(Then, Vec<&'static str>)> {
    let is_login = sends.row.leads_to.len() > 1;
    let mut groups: Vec<(Then, Vec<_>)> = Vec::new();
    for (answer, meaning) in RESPONSES.iter().zip(&sends.meanings) {
        let foreign = match answer.kind {
            // A reset is answered as a request for a code is.
            Kind::Reply("send_code") if sends.row.leads_to == [StageKind::Unauthenticated] => false,
            Kind::Reply(step) => step != sends.row.step,
            Kind::Empty => !matches!(sends.row.step, "send_code" | "logout"),
            // A reply that names no status is a shape of its own.
            Kind::Progress => !is_login && meaning.error.is_some(),
            Kind::Any => false,
        };
        if foreign {
            continue;
        }
        match groups.iter_mut().find(|(then, _)| *then == meaning.then) {
            Some((_, answers)) => answers.push(answer.words),
            None => groups.push((meaning.then, vec![answer.words])),
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
fn listed(answers: &[&str]) -> String {
    let refused: Vec<_> = answers.iter().filter_map(|words| words.strip_prefix("refused: ")).collect();
    let mut others: Vec<_> =
        answers.iter().filter(|words| !words.starts_with("refused: ")).map(ToString::to_string).collect();
    if !refused.is_empty() {
        others.insert(0, format!("refused: {}", refused.join(", ")));
    }
    others.join("; ")
}

fn words(then: Then, place: Place) -> String {
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

fn requests(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Requests\n\nThese headers go with every request. What else differs between the editions is in [Editions](#editions).\n\n| header | what |",
    );
    let editions = EDITIONS.join("` | `");
    writeln!(text, " `{editions}` | decisions |\n|---|---|{}", "---|".repeat(EDITIONS.len() + 1)).unwrap();
    for header in &flow.headers {
        let cell = |sent: &Option<String>| match sent.as_deref() {
            None => "–".to_owned(),
            Some("") => "yes".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        let cells: Vec<_> = header.by_edition.iter().map(cell).collect();
        let decisions = Place::Document.decisions(header.decisions);
        writeln!(text, "| `{}` | {} | {} | {decisions} |", header.name, header.what, cells.join(" | "))
            .unwrap();
    }
    text.push_str("\nA body is a JSON object. Its fields are texts, but for JSON objects, and of these kinds:\n\n| kind | treated so | decisions |\n|---|---|---|\n");
    for (_, kind, treated, ids) in FIELD_KINDS {
        writeln!(text, "| {kind} | {treated} | {} |", Place::Document.decisions(ids)).unwrap();
    }
    write!(
        text,
        "\nA captcha's `point_json` is the text `{{\"x\":237.0,\"y\":5.0}}`: `x` in pixels of the picture's own width, `y` fixed. The keys\n\
         that sign identity tokens are at `GET {KEYS_PATH}`, without any header but, with `OneAccessIsv`, `X-tenant-id`; the\n\
         tokens name `https://{{domain}}{ISSUER_PATH}` as their issuer.\n"
    )
    .unwrap();
    text
}

/// Every answer, for every group of steps that read it alike.
fn answers(flow: &Flow) -> String {
    let groups = flow.readings();
    let mut text = String::from(
        "\n## Answers\n\nAn answer is a JSON object. That of a login, a registration, a bind, a second factor or a password stage has\n\
         `status`; with `SUCCESS` also `session_token`, `expire` (seconds) and perhaps `id_token`; with the others `state_token` and\n\
         perhaps `data`, JSON text in a string. That of a reset of the password is empty. A captcha has `token`, `originalImageBase64`, `jigsawImageBase64`, `secretKey` and `wordList`, its solution\n\
         `captcha_token`, the registered number `mobile`; a refusal has `error_code` and `error_msg`.\n\n\
         Every shape of answer, for every step. Steps that share a column read every answer alike.\n\n| answer |",
    );
    for group in &groups {
        let mut names = names(flow, group.iter().map(|(step, _)| *step), false);
        names.sort();
        write!(text, " {} |", names.join("<br>")).unwrap();
    }
    writeln!(text, " says | decisions |\n|---|{}", "---|".repeat(groups.len() + 2)).unwrap();
    for (index, answer) in RESPONSES.iter().enumerate() {
        let mut says: Vec<&str> = Vec::new();
        write!(text, "| {} |", answer.words).unwrap();
        for group in &groups {
            let meaning = &group[0].1.meanings[index];
            let cell = match meaning.then {
                Then::Stage(kind) => Place::Document.of_type(&kind.to_string()),
                Then::Gives("()") => "done".to_owned(),
                Then::Gives(name) | Then::Recovery(name) => format!("`{name}`"),
                Then::Error => "error".to_owned(),
            };
            write!(text, " {cell} |").unwrap();
            if let Some(error) = meaning.error.as_deref().filter(|error| !says.contains(error)) {
                says.push(error);
            }
        }
        writeln!(text, " {} | {} |", says.join("<br>"), Place::Document.decisions(answer.decisions)).unwrap();
    }
    text
}

fn codes(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Error codes\n\nEvery documented code, and what the caller of a step holds when it is refused with it. A code that is not here is of\n\
         the class undocumented code. What each means, with its source, is in [errors.md](errors.md).\n\n\
         | code | class | with HTTP 400 | with HTTP 500 |\n|---|---|---|---|\n",
    );
    for code in &flow.codes {
        let message = code.message.map(|part| format!(", the message names `{part}`")).unwrap_or_default();
        writeln!(
            text,
            "| `{}`{message} | {} | `{}` | `{}` |",
            code.name, code.class, code.http_400, code.http_500
        )
        .unwrap();
    }
    text
}

fn decisions(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Decisions\n\nWhere the public documents contradict each other or are silent. The pages and the reasons are in\n\
         [decisions.md](decisions.md).\n\n| | decision | what rests on it |\n|---|---|---|\n",
    );
    for decision in &flow.decisions {
        let id = &decision.id;
        writeln!(
            text,
            "| <a id=\"{}\"></a>{id} | {} | {} |",
            id.to_lowercase(),
            decision.title,
            decision.applies_to.join(", ")
        )
        .unwrap();
    }
    text
}

/// The part that the rustdoc of a stage includes.
pub fn rustdoc(flow: &Flow, stage: &Stage) -> String {
    let mut text = String::from(GENERATED);
    let holds: Vec<_> =
        stage.about.holds.iter().map(|held| Place::Rustdoc.method(&stage.name, held)).collect();
    write!(text, "\nHolds: {}.\n\n# Steps\n\n", holds.join(",\n")).unwrap();
    text.push_str(&steps(stage, Place::Rustdoc));
    let meanings = meanings(flow, stage, Place::Rustdoc);
    if !meanings.is_empty() {
        write!(text, "# Answers\n\n{meanings}\n").unwrap();
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
