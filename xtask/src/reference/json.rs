//! The reference for programs.

use std::collections::BTreeMap;

use idaas_login::Edition;
use idaas_login::endpoints::{
    self, Credential, EditionKind, ISSUER_PATH, KEYS_PATH, SendType, Shape, Source, StageKind, Status,
};
use serde::Serialize;

use super::fields::{self, ResponseField};
use super::flow::{self, Does, EDITIONS, Flow, Sends, Step};
use super::limits::TIME_LIMITS;
use super::responses::{Meaning, RESPONSES, Then};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    issuer_path: &'static str,
    keys_path: &'static str,
    editions: Vec<EditionRow>,
    headers: Vec<Header<'a>>,
    field_kinds: BTreeMap<&'static str, &'static str>,
    stages: Vec<Stage<'a>>,
    steps: Vec<StepRow<'a>>,
    recoveries: Vec<RecoveryRow>,
    responses: Vec<ResponseRow>,
    statuses: Vec<StatusRow>,
    response_field_kinds: BTreeMap<&'static str, KindRow>,
    response_fields: Vec<FieldRow>,
    time_limits: Vec<LimitRow>,
    readings: BTreeMap<String, BTreeMap<&'static str, Reading<'a>>>,
    error_codes: Vec<Code<'a>>,
    decisions: Vec<Decision<'a>>,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'a str,
    what: &'static str,
    /// By edition; an empty text is a value that is the caller's.
    values: BTreeMap<&'static str, &'a str>,
    decisions: &'static [&'static str],
}

#[derive(Serialize)]
struct Stage<'a> {
    name: String,
    #[serde(rename = "type")]
    base: &'a str,
    summary: &'static str,
    holds: &'static [&'static str],
}

#[derive(Serialize)]
struct StepRow<'a> {
    from: String,
    method: &'static str,
    /// Whether the flow moves by a response, stays, or moves without one.
    kind: &'static str,
    request: Option<Request<'a>>,
    leads_to: Vec<String>,
    gives: Option<&'static str>,
    if_allowed: bool,
    decisions: &'static [&'static str],
    reading: Option<String>,
}

#[derive(Serialize)]
struct Request<'a> {
    platform: Option<String>,
    /// The origin of the logins that have this step; null if each has it.
    origin: Option<String>,
    method: String,
    path: &'static str,
    token: Option<Token<'a>>,
    body: Vec<Field>,
    /// What may be left out of the body, behind the fields that may not.
    optional: Vec<Field>,
    page: &'static str,
    editions: BTreeMap<String, InEdition>,
}

#[derive(Serialize)]
struct InEdition {
    source: &'static str,
    path: &'static str,
    send_type: Option<&'static str>,
    signed: bool,
}

#[derive(Serialize)]
struct Token<'a> {
    kind: &'static str,
    header: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
struct Field {
    name: &'static str,
    kind: &'static str,
    /// The type of the verification code that is asked for or given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    send_type: Option<&'static str>,
}

/// How a client gets on from a recovery.
#[derive(Serialize)]
struct RecoveryRow {
    name: &'static str,
    /// What the caller holds.
    holds: &'static str,
    steps: Vec<RecoveryStep>,
}

#[derive(Serialize)]
struct RecoveryStep {
    method: &'static str,
    /// The stage; null is the one before the step.
    leads_to: Option<&'static str>,
}

/// A column of what the editions send.
#[derive(Serialize)]
struct EditionRow {
    name: &'static str,
    edition: String,
    tenant_id: bool,
}

#[derive(Serialize)]
struct StatusRow {
    status: String,
    stage: Option<String>,
    required: Vec<&'static str>,
    optional: Vec<&'static str>,
}

#[derive(Serialize)]
struct KindRow {
    json: &'static str,
    trimmed: bool,
    max_bytes: Option<usize>,
    treated: String,
}

#[derive(Serialize)]
struct FieldRow {
    /// The reading; null if it is of each.
    reading: Option<String>,
    name: &'static str,
    kind: &'static str,
    required: bool,
    #[serde(rename = "if")]
    given: BTreeMap<&'static str, Option<&'static str>>,
}

#[derive(Serialize)]
struct LimitRow {
    name: &'static str,
    whose: &'static str,
    seconds: Option<u64>,
    setting: Option<&'static str>,
    about: String,
}

#[derive(Serialize)]
struct ResponseRow {
    id: &'static str,
    words: String,
    http_status: Option<u16>,
    body: Option<&'static str>,
    decisions: &'static [&'static str],
}

#[derive(Serialize)]
struct Reading<'a> {
    then: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Code<'a> {
    #[serde(rename = "code")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_names: Option<&'static str>,
    class: String,
    http_400: &'static str,
    http_500: &'static str,
}

#[derive(Serialize)]
struct Decision<'a> {
    id: &'a str,
    title: String,
    applies_to: Vec<String>,
}

pub fn document(flow: &Flow) -> String {
    let readings = flow.readings();
    let document = Document {
        schema: "./flow.schema.json",
        issuer_path: ISSUER_PATH,
        keys_path: KEYS_PATH,
        editions: editions(),
        headers: flow.headers.iter().map(header).collect(),
        field_kinds: flow::FIELD_KINDS.iter().map(|(_, kind, treated, _)| (*kind, *treated)).collect(),
        stages: flow
            .stages
            .iter()
            .flat_map(|stage| {
                stage.kinds.iter().map(|kind| Stage {
                    name: kind.to_string(),
                    base: &stage.name,
                    summary: stage.about.summary,
                    holds: stage.about.holds,
                })
            })
            .collect(),
        steps: flow
            .steps()
            .map(|step| row(step, &readings))
            .chain(flow.stages.iter().flat_map(starts_over))
            .chain(steps_of_the_client())
            .collect(),
        recoveries: recoveries(),
        responses: responses(),
        statuses: statuses(),
        response_field_kinds: response_field_kinds(),
        response_fields: fields::response_fields().iter().map(|field| field_row(field, &readings)).collect(),
        time_limits: time_limits(),
        readings: readings
            .iter()
            .map(|group| {
                let meanings = group[0].1.meanings.iter();
                (
                    name(group[0].0),
                    RESPONSES.iter().map(|shape| shape.id).zip(meanings.map(reading)).collect(),
                )
            })
            .collect(),
        error_codes: flow
            .codes
            .iter()
            .map(|code| Code {
                name: &code.name,
                message_names: code.message,
                class: code.class.to_string(),
                http_400: code.http_400,
                http_500: code.http_500,
            })
            .collect(),
        decisions: flow
            .decisions
            .iter()
            .map(|decision| Decision {
                id: &decision.id,
                title: plain(&decision.title),
                applies_to: decision.applies_to.iter().map(|name| plain(name)).collect(),
            })
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&document).unwrap();
    text.push('\n');
    text
}

fn responses() -> Vec<ResponseRow> {
    RESPONSES
        .iter()
        .map(|shape| ResponseRow {
            id: shape.id,
            words: plain(shape.words),
            http_status: shape.given.http_status(),
            body: shape.given.body(),
            decisions: shape.decisions,
        })
        .collect()
}

fn statuses() -> Vec<StatusRow> {
    fields::statuses()
        .into_iter()
        .map(|status| StatusRow {
            stage: status.read.and_then(Status::stage).map(|stage| stage.to_string()),
            status: status.status,
            required: status.required,
            optional: status.optional,
        })
        .collect()
}

fn response_field_kinds() -> BTreeMap<&'static str, KindRow> {
    fields::FIELD_KINDS
        .iter()
        .map(|kind| {
            let row = KindRow {
                json: kind.json,
                trimmed: kind.trimmed,
                max_bytes: kind.max_bytes,
                treated: plain(kind.treated),
            };
            (kind.name, row)
        })
        .collect()
}

fn time_limits() -> Vec<LimitRow> {
    TIME_LIMITS
        .iter()
        .map(|limit| LimitRow {
            name: limit.name,
            whose: limit.whose,
            seconds: limit.seconds,
            setting: limit.setting,
            about: plain(limit.about),
        })
        .collect()
}

fn editions() -> Vec<EditionRow> {
    EDITIONS
        .into_iter()
        .zip(flow::editions())
        .map(|(name, edition)| EditionRow {
            name,
            edition: edition.kind().to_string(),
            tenant_id: matches!(edition, Edition::OneAccessIsv { .. }),
        })
        .collect()
}

/// The steps of the client that lead to a stage and send nothing.
fn steps_of_the_client<'a>() -> impl Iterator<Item = StepRow<'a>> {
    let all = [
        ("login", StageKind::Unauthenticated),
        ("session", StageKind::Authenticated),
        ("captcha_from_token", StageKind::Captcha),
    ];
    all.into_iter().map(|(method, to)| narrow(StageKind::Client, method, to))
}

/// The step that every stage has.
fn starts_over<'a>(stage: &super::flow::Stage) -> Vec<StepRow<'a>> {
    let is_stage = |kind: &&StageKind| !matches!(kind, StageKind::Client | StageKind::Captcha);
    let kinds = stage.kinds.iter().filter(is_stage);
    kinds.map(|kind| narrow(*kind, "start_over", StageKind::Unauthenticated)).collect()
}

/// A step that sends nothing.
fn narrow<'a>(from: StageKind, method: &'static str, to: StageKind) -> StepRow<'a> {
    StepRow {
        from: from.to_string(),
        method,
        kind: "narrow",
        request: None,
        leads_to: vec![to.to_string()],
        gives: None,
        if_allowed: false,
        decisions: &[],
        reading: None,
    }
}

fn recoveries() -> Vec<RecoveryRow> {
    let step = |method, leads_to| RecoveryStep { method, leads_to };
    vec![
        RecoveryRow { name: "Retry", holds: "the stage before the step", steps: Vec::new() },
        RecoveryRow {
            name: "Unresolved",
            holds: "the stage before the step, behind a choice",
            steps: vec![step("start_over", Some("Unauthenticated")), step("retry_anyway", None)],
        },
        RecoveryRow { name: "StartOver", holds: "Unauthenticated", steps: Vec::new() },
    ]
}

fn field_row(field: &ResponseField, readings: &[Vec<(&Step, &Sends)>]) -> FieldRow {
    let reads = |group: &&Vec<(&Step, &Sends)>| {
        group.iter().any(|(_, sends)| field.row.is_some_and(|row| *sends.row == *row))
    };
    FieldRow {
        reading: readings.iter().find(reads).map(|group| name(group[0].0)),
        name: field.name,
        kind: field.kind,
        required: field.absent.is_some(),
        given: BTreeMap::from([
            ("absent", field.absent),
            ("blank", field.blank),
            ("number", field.number),
            ("object", field.object),
            ("twice", field.twice),
        ]),
    }
}

/// Without the marks of Markdown.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn name(step: &Step) -> String {
    format!("{}.{}", step.from, step.name)
}

fn header(header: &flow::Header) -> Header<'_> {
    let values = EDITIONS.into_iter().zip(&header.by_edition);
    Header {
        name: &header.name,
        what: header.what,
        values: values.filter_map(|(edition, value)| Some((edition, value.as_deref()?))).collect(),
        decisions: header.decisions,
    }
}

fn row<'a>(step: &'a Step, readings: &[Vec<(&Step, &Sends)>]) -> StepRow<'a> {
    match &step.does {
        Does::Narrows(row) => StepRow {
            if_allowed: row.gated,
            decisions: step.decisions,
            ..narrow(step.from, step.name, row.to)
        },
        Does::Sends(sends) => StepRow {
            from: step.from.to_string(),
            method: step.name,
            kind: if sends.row.moves_the_flow() { "step" } else { "side call" },
            request: Some(request(sends)),
            leads_to: sends.row.leads_to.iter().map(ToString::to_string).collect(),
            gives: sends.gives,
            reading: readings
                .iter()
                .find(|group| group[0].1.meanings == sends.meanings)
                .map(|group| name(group[0].0)),
            if_allowed: false,
            decisions: step.decisions,
        },
    }
}

fn in_edition(shape: Shape) -> InEdition {
    InEdition {
        source: match shape.source {
            Source::Page(page) => page,
            Source::Decision(decision) => decision,
            other => panic!("the reference: no words for {other:?}"),
        },
        path: shape.path,
        send_type: shape.send_type.map(SendType::as_str),
        signed: shape.credential == Credential::Signature,
    }
}

fn request(sends: &Sends) -> Request<'_> {
    let kind = match sends.row.credential {
        Credential::None => None,
        Credential::StateToken => Some("state token"),
        Credential::SessionToken => Some("session token"),
        Credential::Signature => Some("signature"),
        other => panic!("the reference: no name for {other:?}: add it to request()"),
    };
    let headers = EDITIONS.into_iter().zip(&sends.token_header);
    Request {
        platform: sends.row.platform.map(|platform| format!("{platform:?}")),
        origin: sends.row.origin().map(|origin| format!("{origin:?}")),
        method: sends.row.verb.to_string(),
        path: sends.row.path,
        token: kind.map(|kind| Token {
            kind,
            header: headers.filter_map(|(edition, header)| Some((edition, header.as_deref()?))).collect(),
        }),
        body: body_fields(sends, sends.row.fields),
        optional: body_fields(sends, sends.row.optional),
        page: sends.row.page,
        editions: EditionKind::ALL
            .iter()
            .filter_map(|edition| Some((edition.to_string(), in_edition(sends.row.in_edition(*edition)?))))
            .collect(),
    }
}

fn body_fields(sends: &Sends, fields: &[endpoints::Field]) -> Vec<Field> {
    let field = |field: &endpoints::Field| {
        let kind = flow::field_kind(field.kind);
        let of_a_code = kind == "send type" || field.name == "verify_code";
        let send_type = sends.row.send_type.filter(|_| of_a_code);
        Field { name: field.name, kind, send_type: send_type.map(SendType::as_str) }
    };
    fields.iter().map(field).collect()
}

fn reading(meaning: &Meaning) -> Reading<'_> {
    let (then, name) = match meaning.then {
        Then::Stage(kind) => ("stage", Some(kind.to_string())),
        Then::Gives(gives) => ("reply", Some(gives.to_owned())),
        Then::Recovery(recovery) => ("recovery", Some(recovery.to_owned())),
        Then::Error => ("error", None),
    };
    Reading { then, name, error: meaning.error.as_deref() }
}
