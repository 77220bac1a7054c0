//! `docs/reference.md`: the flow stage by stage, the responses reading by reading, and each step with its request and a response.

use std::fmt::Write as _;

use idaas_login::endpoints::{EditionKind, ISSUER_PATH, KEYS_PATH, SendType, Source};

use super::fields;
use super::flow::{Does, EDITIONS, FIELD_KINDS, Flow, Sends, Stage, Step};
use super::limits::TIME_LIMITS;
use super::markdown::{Place, body, bound_to, leads_to, shapes_of, token};
use super::responses::{Given, RESPONSES, Then};
use crate::files::GENERATED;
use crate::wire;
use support::{edition, request_of, response};

/// A text is broken so that no line is wider.
const WIDTH: usize = 128;

/// The whole reference.
pub fn reference(flow: &Flow) -> String {
    let mut text = format!("# Reference\n\n{GENERATED}{INTRODUCTION}| stage | |\n|---|---|\n");
    for stage in &flow.stages {
        let here = stage.written();
        writeln!(text, "| [`{here}`](#{}) | {} |", stage.name.to_lowercase(), stage.about.summary).unwrap();
    }
    text.push_str(&legal_steps(flow));
    text.push_str(&outcome());
    for stage in &flow.stages {
        text.push_str(&section(flow, stage));
    }
    text.push_str(&readings(flow));
    text.push_str(&fields_of_responses(flow));
    text.push_str(&requests(flow));
    text.push_str(&time_limits());
    text.push_str(&codes(flow));
    text.push_str(&all_steps(flow));
    text.push_str(&decisions(flow));
    text
}

const INTRODUCTION: &str = "
The flow of the login API, stage by stage: what each stage holds, which steps it has, what each sends, and what each response
means. It is generated from the endpoint table (`src/wire/endpoints.rs`) and from the library itself: every step was run
against every shape of response, and the result is written here. `cargo xtask docs` writes it anew, and
`cargo xtask docs --check` fails if anything here is stale. The same for programs is [flow.json](flow.json), with the
schema [flow.schema.json](flow.schema.json), the same as a drawing [flow.svg](flow.svg), for Mermaid [flow.mmd](flow.mmd).
[flow.md](flow.md) describes the flow in words.

A step takes its stage. What comes back is the next stage, or a recovery that says what the caller holds now:

- `Retry`: nothing was carried out, the state token is still valid, and the stage comes back. So it does if a value cannot be
  right: then nothing was sent.
- `Unresolved`: no usable response; the step may have been carried out. `start_over` is always safe; call
  `retry_anyway` if you know that a retry is safe.
- `StartOver`: the state token is dead, or access was denied; back to [`Unauthenticated`](#unauthenticated).

A side call does not take its stage and leaves it as it is, whatever the response; only a refusal of the class dead token says
that the stage is over all the same. Every stage has `start_over`, which gives up what was reached and sends nothing.

![The flow of a login](flow.svg)

";

/// The text in lines; it is broken at spaces, and never in a link or in code.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in unbroken(text) {
        let letters = word.trim_end().chars().count();
        if width > 0 && width + letters > WIDTH {
            lines.truncate(lines.trim_end().len());
            lines.push('\n');
            width = 0;
        }
        lines.push_str(word);
        width += word.chars().count();
    }
    lines
}

/// The words of a text; what stands between backquotes or brackets is one.
fn unbroken(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut from, mut is_code, mut depth) = (0, false, 0_usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '`' => is_code = !is_code,
            '[' | '(' if !is_code => depth += 1,
            ']' | ')' if !is_code => depth = depth.saturating_sub(1),
            ' ' if !is_code && depth == 0 => {
                words.push(&text[from..=at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[from..]);
    words
}

/// Where a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
}

fn name(step: &Step) -> String {
    format!("{}.{}", step.from, step.name)
}

fn link(step: &Step) -> String {
    format!("[`{}`](#{})", name(step), anchor(&name(step)))
}

/// Stages by steps, a row for each step.
fn legal_steps(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Which step is legal in which stage\n\n\
         ● moves the flow, ○ is a side call, ◇ sends nothing; with an origin: only in a login that began so. What is not here does\n\
         not compile: `cargo test --test compile_fail` tries every pair.\n\n| step | | stages |\n|---|:-:|---|\n",
    );
    let mut names: Vec<&str> = Vec::new();
    for step in flow.steps().filter(|step| !names.contains(&step.name)).collect::<Vec<_>>() {
        if names.contains(&step.name) {
            continue;
        }
        names.push(step.name);
        let mark = match &step.does {
            Does::Narrows(_) => "◇",
            Does::Sends(sends) if sends.row.moves_the_flow() => "●",
            Does::Sends(_) => "○",
        };
        let stages: Vec<_> = flow.stages.iter().flat_map(|stage| stages_with(stage, step.name)).collect();
        writeln!(text, "| `{}` | {mark} | {} |", step.name, stages.join(", ")).unwrap();
    }
    text
}

/// The types of a stage that have a step: all of them as one.
fn stages_with(stage: &Stage, step: &str) -> Vec<String> {
    let with: Vec<_> = stage.steps.iter().filter(|known| known.name == step).collect();
    let origin = |step: &Step| bound_to(step).map(|origin| format!(" ({origin:?})")).unwrap_or_default();
    if with.len() == stage.kinds.len() {
        return vec![format!("`{}`{}", stage.written(), origin(with[0]))];
    }
    with.into_iter().map(|step| format!("`{}`{}", step.from, origin(step))).collect()
}

fn outcome() -> String {
    let mut text = String::from(
        "\n## Outcome\n\n\
         What a step of a login leads to, by the field `status` of the response. Every step whose response has a `status` can lead to\n\
         each. `Outcome` has the origin of the login as its parameter, which defaults to `WeChatMiniProgram`: the tables name it where a\n\
         step begins a login with another one, and every other step keeps that of its stage. A step that has a state token needs none in\n\
         the response.\n\n\
         | `status` | stage | needs | may have |\n|---|---|---|---|\n",
    );
    let listed = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for status in fields::statuses() {
        let stage = status.read.and_then(idaas_login::endpoints::Status::stage);
        let to = stage.map_or("`StartOver`".to_owned(), |stage| Place::Document.of_type(&stage.to_string()));
        let (required, optional) = (listed(&status.required), listed(&status.optional));
        writeln!(text, "| `{}` | {to} | {required} | {optional} |", status.status).unwrap();
    }
    text
}

/// A stage: what leads to it, what it holds, and its steps.
fn section(flow: &Flow, stage: &Stage) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n", stage.name, stage.about.summary);
    if !stage.reached_by.is_empty() {
        write!(text, "{}\n\n", wrapped(&format!("Reached by: {}.", stage.reached_by.join(", ")))).unwrap();
    }
    let holds: Vec<_> = stage.about.holds.iter().map(|held| format!("`{held}`")).collect();
    write!(text, "Holds: {}.\n\n", holds.join(", ")).unwrap();
    text.push_str("| step | sends | leads to | responses |\n|---|---|---|---|\n");
    for step in &stage.steps {
        let from = if stage.kinds.len() > 1 {
            format!(", from `{}`", support::scenario(step.from).unwrap().stage())
        } else {
            String::new()
        };
        match &step.does {
            Does::Sends(sends) => {
                let shown = format!("[`{}`](#{}){from}", step.name, anchor(&name(step)));
                let (to, reading) = (leads_to(sends, Place::Document), reading(flow, sends));
                writeln!(text, "| {shown} | `{} {}` | {to} | {reading} |", sends.row.verb, sends.row.path)
            }
            Does::Narrows(row) => {
                let gated = if row.gated { ", if the tenant allows it, else `NotAllowed`" } else { "" };
                let to = Place::Document.of_type(&row.to.to_string());
                writeln!(text, "| `{}`{from} | nothing | {to}{gated} | |", step.name)
            }
        }
        .unwrap();
    }
    text
}

/// The number of a reading, as a link.
fn reading(flow: &Flow, sends: &Sends) -> String {
    let readings = flow.readings();
    let at = readings.iter().position(|group| group[0].1.meanings == sends.meanings);
    at.map(|at| format!("[R{0}](#r{0})", at + 1)).unwrap_or_default()
}

/// A table for each group of steps that read every response alike.
fn readings(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Responses\n\n\
         What each response means, a table for each group of steps that read every response alike. An example of each response is below.\n",
    );
    for (index, group) in flow.readings().iter().enumerate() {
        let steps: Vec<_> = group.iter().map(|(step, _)| link(step)).collect();
        write!(text, "\n### R{}\n\nOf {}.\n\n", index + 1, wrapped(&steps.join(", "))).unwrap();
        text.push_str("| response | then | error |\n|---|---|---|\n");
        let (_, sends) = group[0];
        for (shape, meaning) in shapes_of(sends) {
            let then = match meaning.then {
                Then::Stage(kind) => Place::Document.of_type(&kind.to_string()),
                Then::Gives("()") => "done".to_owned(),
                Then::Gives(name) | Then::Recovery(name) => format!("`{name}`"),
                Then::Error => "error".to_owned(),
            };
            writeln!(text, "| {} | {then} | {} |", shape.words, meaning.error.as_deref().unwrap_or_default())
                .unwrap();
        }
    }
    text.push_str("\n### Examples\n\nThe body of each shape of response.\n\n| response | HTTP | decisions | body |\n|---|---|---|---|\n");
    let mut long = String::new();
    for shape in RESPONSES {
        let decisions = Place::Document.decisions(shape.decisions);
        let (http_status, body) = match shape.given {
            Given::Http(_, "") => (shape.given.http_status(), String::new()),
            Given::Http(_, body) if body.len() > 120 => {
                let answer = response(shape.given.http_status().unwrap_or_default(), body);
                write!(long, "\n{}:\n\n```http\n{}```\n", shape.words, wire::response(&answer)).unwrap();
                (shape.given.http_status(), "below".to_owned())
            }
            Given::Http(_, body) => (shape.given.http_status(), format!("`{body}`")),
            Given::NotSent | Given::MaybeSent => (None, "no response".to_owned()),
        };
        let http_status = http_status.map(|http_status| http_status.to_string()).unwrap_or_default();
        writeln!(text, "| {} | {http_status} | {decisions} | {body} |", shape.words).unwrap();
    }
    text.push_str(&long);
    text
}

fn fields_of_responses(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Fields of responses\n\n\
         What each reading looks at, and the error if a field is not there, blank, a number, an object, or there twice. Where there is\n\
         none, a value that the kind does not allow counts as absent. Other fields are ignored. The whole rules are in [reading responses].\n\n\
         | reading | field | kind | absent | blank | number | object | twice |\n|---|---|---|---|---|---|---|---|\n",
    );
    let readings = flow.readings();
    for field in fields::response_fields() {
        let of = field.row.and_then(|row| {
            let sends = readings.iter().flatten().find(|(_, sends)| *sends.row == *row)?.1;
            Some(reading(flow, sends))
        });
        let cell = |error: Option<&'static str>| {
            error.map_or_else(|| " |".to_owned(), |error| format!(" {error} |"))
        };
        let errors: String =
            [field.absent, field.blank, field.number, field.object, field.twice].map(cell).concat();
        let of = of.unwrap_or_else(|| "each".to_owned());
        writeln!(text, "| {of} | `{}` | {} |{errors}", field.name, field.kind).unwrap();
    }
    text.push_str("\n[reading responses]: reading-responses.md\n\n| kind | in JSON | trimmed | bytes at the most | |\n|---|---|---|---|---|\n");
    for kind in fields::FIELD_KINDS {
        let trimmed = if kind.trimmed { "yes" } else { "no" };
        let bytes = kind.max_bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
        writeln!(text, "| {} | {} | {trimmed} | {bytes} | {} |", kind.name, kind.json, kind.treated).unwrap();
    }
    text
}

fn requests(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Requests\n\nThese headers go with every request. What else differs between the editions is at [each step](#steps).\n\n| header | what |",
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

fn time_limits() -> String {
    let mut text =
        String::from("\n## Time limits\n\n| limit | whose | seconds | set by | |\n|---|---|---|---|---|\n");
    for limit in TIME_LIMITS {
        let seconds = limit.seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        let setting = limit.setting.map(|setting| format!("`{setting}`")).unwrap_or_default();
        writeln!(text, "| `{}` | {} | {seconds} | {setting} | {} |", limit.name, limit.whose, limit.about)
            .unwrap();
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

/// Each step that sends something, with its editions, its request and a response.
fn all_steps(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Steps\n\n\
         Each step that sends something: its body, how each edition has it, a request, and a response that it succeeds with. An edition\n\
         has a step by a page of its own documentation, or by a decision that takes it for another edition's. A step that an edition does\n\
         not have fails before anything is sent, unless the client was built with a path for it (D37): then it is as in the first line.\n\
         The requests are those of the first edition that has the step. A body is one line on the wire; here a long one is broken. What\n\
         HTTP adds, such as `content-length`, is left out.\n",
    );
    for step in flow.steps() {
        if let Does::Sends(sends) = &step.does {
            text.push_str(&one_step(flow, step, sends));
        }
    }
    text
}

fn one_step(flow: &Flow, step: &Step, sends: &Sends) -> String {
    let row = sends.row;
    let mut text = format!("\n### `{}`\n\n`{} {}`{}", name(step), row.verb, row.path, token(sends));
    let fields = body(sends);
    if !fields.is_empty() {
        write!(text, "; {fields}").unwrap();
    }
    text = wrapped(&text);
    text.push_str("\n\n");
    if let Some(origin) = bound_to(step) {
        writeln!(text, "- Only in a login of the origin `{origin:?}`.").unwrap();
    }
    if let Some(feature) = row.feature {
        writeln!(text, "- With the feature `{feature}`.").unwrap();
    }
    writeln!(text, "- Leads to {}; responses: {}.", leads_to(sends, Place::Document), reading(flow, sends))
        .unwrap();
    if !step.decisions.is_empty() {
        writeln!(text, "- Decisions: {}.", Place::Document.decisions(step.decisions)).unwrap();
    }
    for edition in EditionKind::ALL {
        writeln!(text, "- {edition}: {}", in_edition(sends, *edition)).unwrap();
    }
    let request = request_of(row, edition(row));
    let answer = example(step, sends);
    write!(text, "\n```http\n{}```\n\n```http\n{}```\n", wire::request(&request), wire::response(&answer))
        .unwrap();
    text
}

fn in_edition(sends: &Sends, edition: EditionKind) -> String {
    let row = sends.row;
    let Some(shape) = row.in_edition(edition) else { return "no".to_owned() };
    let mut cell = match shape.source {
        Source::Page(page) => format!("[page]({page})"),
        Source::Decision(decision) => Place::Document.decisions(&[decision]),
        other => panic!("the reference: no words for {other:?}"),
    };
    if shape.path != row.path {
        write!(cell, ", `{}`", shape.path).unwrap();
    }
    if shape.send_type != row.send_type
        && let Some(send_type) = shape.send_type.map(SendType::as_str)
    {
        write!(cell, ", `{send_type}`").unwrap();
    }
    if shape.credential != row.credential {
        cell.push_str(", `X-signature`");
    }
    cell
}

/// A response with which the step succeeds: with an identity token, if the tenant gives one.
fn example(step: &Step, sends: &Sends) -> idaas_login::Response {
    let leads_on = |then: Then| matches!(then, Then::Stage(_) | Then::Gives(_));
    let is_registration = support::scenario(step.from) == Some(idaas_login::endpoints::Scenario::Register);
    let mut good = shapes_of(sends).filter(|(_, meaning)| leads_on(meaning.then)).map(|(shape, _)| shape);
    let first = good.next().unwrap_or_else(|| panic!("the reference: {} never succeeds", name(step)));
    let shape = good.find(|shape| shape.id == "success_with_id_token" && !is_registration).unwrap_or(first);
    let Given::Http(http_status, body) = shape.given else { panic!("a success has a response") };
    response(http_status, body)
}

fn decisions(flow: &Flow) -> String {
    let mut text = String::from(
        "\n## Decisions\n\nWhere the public documents contradict each other or are silent. The pages and the reasons are in\n\
         [decisions.md](decisions.md). Here is what rests on each.\n",
    );
    for decision in &flow.decisions {
        let (id, by) = (&decision.id, decision.applies_to.join(", "));
        let what = wrapped(&format!("**{id}. {}.** {by}", decision.title));
        write!(text, "\n<a id=\"{}\"></a>\n{what}\n", id.to_lowercase()).unwrap();
    }
    text
}
