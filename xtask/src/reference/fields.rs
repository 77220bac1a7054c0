//! The fields of the responses: of which kind each is, and what the library makes of a response in which it is missing or
//! odd. The kinds are those of `docs/reading-responses.md`; what they come to is found by running the step.

use std::sync::Arc;

use idaas_login::Error;
use idaas_login::endpoints::{self, Endpoint, Status};
use serde_json::{Map, Value, json};

use super::responses::{Given, RESPONSES};
use support::conformance::reason_of;
use support::{self, response};

/// What the fields of a kind have in common.
pub struct FieldKind {
    pub name: &'static str,
    /// What it is in JSON.
    pub json: &'static str,
    pub trimmed: bool,
    pub max_bytes: Option<usize>,
    pub treated: &'static str,
}

const fn kind(
    name: &'static str,
    json: &'static str,
    trimmed: bool,
    max_bytes: Option<usize>,
    treated: &'static str,
) -> FieldKind {
    FieldKind { name, json, trimmed, max_bytes, treated }
}

pub const FIELD_KINDS: &[FieldKind] = &[
    kind(
        "plain text",
        "string",
        true,
        None,
        "blank counts as absent; with U+FFFD or half of a surrogate pair it is unreadable",
    ),
    kind(
        "header token",
        "string",
        true,
        Some(16384),
        "as plain text; longer, or with a control character, it is unreadable",
    ),
    kind("short text", "string", true, Some(256), "as plain text; a longer one counts as absent"),
    kind("code", "string or whole number", true, None, "blank counts as absent; of a number the digits"),
    kind("message", "string", false, None, "anything else is an empty message"),
    kind("time", "number, or string with a number", true, None, "anything else counts as absent"),
    kind(
        "picture",
        "string",
        true,
        None,
        "Base64, behind `data:…;base64,` or not; what is no Base64 is unreadable",
    ),
    kind("words", "list of strings", false, None, "anything else is an empty list"),
    kind(
        "data",
        "any",
        false,
        Some(16384),
        "a string is its text, anything else is the JSON as it stands; longer, only what was read of it is kept",
    ),
    kind("country codes", "list", false, None, "of objects, of which the first 512 count"),
    kind(
        "public key",
        "string",
        true,
        Some(4096),
        "a `SubjectPublicKeyInfo` in PEM, of RSA, 2048 to 8192 bits",
    ),
    kind("blank", "string", true, None, "anything but blank text is unreadable"),
    kind("not there", "none", false, None, "whatever it is, the response is unreadable"),
    kind(
        "server time",
        "number, or string with a number",
        true,
        None,
        "milliseconds since 1970, from 1 to 99999999999999",
    ),
];

/// A field of a response.
pub struct ResponseField {
    /// A step that reads it; `None` if a response to any step can have it.
    pub row: Option<&'static Endpoint>,
    pub name: &'static str,
    pub kind: &'static str,
    /// Why the response is an error if the field is not there; `None` if it is none.
    pub absent: Option<&'static str>,
    pub blank: Option<&'static str>,
    pub number: Option<&'static str>,
    pub object: Option<&'static str>,
    pub twice: Option<&'static str>,
}

/// The fields of one response.
struct Example {
    row: &'static Endpoint,
    response: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const SESSION: &[(&str, &str)] = &[
    ("status", "plain text"),
    ("session_token", "header token"),
    ("expire", "time"),
    ("id_token", "plain text"),
];
const PENDING: &[(&str, &str)] = &[("state_token", "header token"), ("data", "data")];
/// What a response that says nothing does not say.
const NOTHING: &[(&str, &str)] = &[
    ("status", "blank"),
    ("session_token", "blank"),
    ("state_token", "blank"),
    ("id_token", "blank"),
    ("mobile", "blank"),
    ("captcha_token", "blank"),
    ("token", "blank"),
    ("public_key", "blank"),
    ("timestamp", "not there"),
    ("phoneAreaCodeDefinitions", "not there"),
];

fn examples() -> Vec<Example> {
    let example = |row, response, fields| Example { row, response, fields };
    vec![
        example(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, "success_with_id_token", SESSION),
        example(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, "social_bind", PENDING),
        example(&endpoints::BIND_WECHAT_MOBILE, "success_with_id_token", SESSION),
        example(&endpoints::BIND_WECHAT_MOBILE, "social_bind", PENDING),
        example(&endpoints::REGISTERED_MOBILE, "mobile", &[("mobile", "plain text")]),
        example(&endpoints::SEND_BIND_SMS, "empty", NOTHING),
        example(&endpoints::RESET_PHONE, "empty", NOTHING),
        example(&endpoints::RENEW_ID_TOKEN, "new_id_token", SESSION),
        example(
            &endpoints::CAPTCHA,
            "captcha",
            &[
                ("token", "plain text"),
                ("originalImageBase64", "picture"),
                ("jigsawImageBase64", "picture"),
                ("secretKey", "plain text"),
                ("wordList", "words"),
            ],
        ),
        example(&endpoints::PUBLIC_KEY, "public_key", &[("public_key", "public key")]),
        example(&endpoints::SERVER_DATE, "timestamp", &[("timestamp", "server time")]),
        example(
            &endpoints::COUNTRY_CODES,
            "country_codes",
            &[("phoneAreaCodeDefinitions", "country codes"), ("preferredAreaCode", "short text")],
        ),
        example(&endpoints::CAPTCHA_VERIFY, "captcha_token", &[("captcha_token", "plain text")]),
    ]
}

/// The members of the example of a response.
fn members(id: &str) -> (u16, Map<String, Value>) {
    let found = RESPONSES.iter().find(|response| response.id == id);
    let Some(Given::Http(http_status, body)) = found.map(|response| response.given) else {
        panic!("the reference: there is no response {id}")
    };
    (http_status, if body.is_empty() { Map::new() } else { serde_json::from_str(body).unwrap() })
}

/// Why the step of `row` fails when it is answered so; `None` if it leads on, or is refused by the code in the body.
fn reason(row: &'static Endpoint, http_status: u16, body: String) -> Option<&'static str> {
    let answer = move |_| Ok(response(http_status, body.clone()));
    let came = support::run_row(row, support::edition(row), Arc::new(answer));
    match came.error() {
        None | Some(Error::Refused(_)) => None,
        Some(Error::Unexpected(unexpected)) => Some(reason_of(unexpected.reason()).0),
        Some(other) => panic!("the reference: a field leads to {other}"),
    }
}

/// Every field that is read.
pub fn response_fields() -> Vec<ResponseField> {
    let mut all = Vec::new();
    for Example { row, response, fields } in examples() {
        let read = fields.iter().map(|(name, kind)| field(row, response, name, kind));
        all.extend(read.map(|field| ResponseField { row: Some(row), ..field }));
    }
    for (name, kind) in [("error_code", "code"), ("error_msg", "message")] {
        all.push(field(&endpoints::LOGIN_WECHAT_MINI_PROGRAM, "wrong_input", name, kind));
    }
    all
}

fn field(row: &'static Endpoint, response: &str, name: &'static str, kind: &'static str) -> ResponseField {
    let (http_status, members) = members(response);
    let with = |value: Option<Value>| {
        let mut members = members.clone();
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        reason(row, http_status, Value::Object(members).to_string())
    };
    assert!(FIELD_KINDS.iter().any(|known| known.name == kind), "the reference: no kind {kind}");
    assert_eq!(with(members.get(name).cloned()), None, "the example of {name} leads on");
    let others = Value::Object(members.clone()).to_string();
    let others = others
        .strip_prefix('{')
        .filter(|others| *others != "}")
        .map_or("}".to_owned(), |others| format!(",{others}"));
    let value =
        members.get(name).filter(|value| !value.is_null()).cloned().unwrap_or_else(|| json!("a text"));
    let twice = format!("{{\"{name}\":{value},\"{name}\":{value}{others}");
    ResponseField {
        row: None,
        name,
        kind,
        absent: with(None),
        blank: with(Some(json!(" "))),
        number: with(Some(json!(17))),
        object: with(Some(json!({}))),
        twice: reason(row, http_status, twice),
    }
}

/// A status, and the fields that a response with it has to have or may have.
pub struct StatusFields {
    pub status: String,
    pub read: Option<Status>,
    pub required: Vec<&'static str>,
    pub optional: Vec<&'static str>,
}

/// The statuses that the pages print, in the order of the responses.
pub fn statuses() -> Vec<StatusFields> {
    let row = &endpoints::LOGIN_WECHAT_MINI_PROGRAM;
    let mut all: Vec<StatusFields> = Vec::new();
    for shape in RESPONSES {
        let Some(status) = shape.status() else { continue };
        let read = Status::read(&status);
        if read.is_none() || all.iter().any(|known| known.status == status) {
            continue;
        }
        let fields = match read {
            Some(Status::Success) => SESSION,
            Some(Status::AccessDenied) | None => &[],
            Some(_) => PENDING,
        };
        let Given::Http(http_status, body) = shape.given else { continue };
        let is_required = |name: &str| {
            let mut members: Map<String, Value> = serde_json::from_str(body).unwrap();
            members.remove(name);
            reason(row, http_status, Value::Object(members).to_string()).is_some()
        };
        let names = fields.iter().map(|(name, _)| *name).filter(|name| *name != "status");
        let (required, optional) = names.partition(|name| is_required(name));
        all.push(StatusFields { status, read, required, optional });
    }
    all
}
