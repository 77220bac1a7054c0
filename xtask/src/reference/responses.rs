//! The responses that a request can have, and what the library makes of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use idaas_login::codes;
use idaas_login::endpoints::{self, Endpoint, StageKind};
use idaas_login::{Edition, Error, ErrorClass, Response, TransportError};

use serde_json::Value;
use support::{self, StepResult, response};

/// A shape of response.
pub struct ResponseShape {
    pub id: &'static str,
    /// In Markdown.
    pub words: &'static str,
    pub kind: Kind,
    pub given: Given,
    pub decisions: &'static [&'static str],
}

/// What a shape belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A response to a step of a login.
    Progress,
    /// A response to this side call or renewal.
    Reply(&'static str),
    /// A response that says nothing.
    Empty,
    /// A response that any request can have.
    Any,
}

/// What the transport gives to the library.
#[derive(Clone, Copy)]
pub enum Given {
    Http(u16, &'static str),
    NotSent,
    MaybeSent,
}

impl ResponseShape {
    /// The field `status` of its body, if that is JSON.
    pub fn status(&self) -> Option<String> {
        let body: Value = serde_json::from_str(self.given.body()?).ok()?;
        body.get("status")?.as_str().map(str::to_owned)
    }
}

impl Given {
    pub fn http_status(self) -> Option<u16> {
        match self {
            Self::Http(http_status, _) => Some(http_status),
            Self::NotSent | Self::MaybeSent => None,
        }
    }

    pub fn body(self) -> Option<&'static str> {
        match self {
            Self::Http(_, body) => Some(body),
            Self::NotSent | Self::MaybeSent => None,
        }
    }

    fn make(self) -> Result<Response, TransportError> {
        match self {
            Self::Http(http_status, body) => Ok(response(http_status, body)),
            Self::NotSent => Err(TransportError::not_sent("refused connection")),
            Self::MaybeSent => Err(TransportError::maybe_sent("connection lost")),
        }
    }
}

const fn ok(
    id: &'static str,
    words: &'static str,
    kind: Kind,
    body: &'static str,
    decisions: &'static [&'static str],
) -> ResponseShape {
    ResponseShape { id, words, kind, given: Given::Http(200, body), decisions }
}

const fn failed(
    id: &'static str,
    words: &'static str,
    given: Given,
    decisions: &'static [&'static str],
) -> ResponseShape {
    ResponseShape { id, words, kind: Kind::Any, given, decisions }
}

/// Every shape, the good ones first.
pub const RESPONSES: &[ResponseShape] = &[
    ok("success", "`SUCCESS` without `id_token`", Kind::Progress, support::SUCCESS, &["D1", "D8", "D9"]),
    ok(
        "success_with_id_token",
        "`SUCCESS` with `id_token`",
        Kind::Progress,
        support::SUCCESS_WITH_ID_TOKEN,
        &["D1", "D8", "D9"],
    ),
    ok(
        "succes",
        "`SUCCES`",
        Kind::Progress,
        r#"{"status":"SUCCES","session_token":"btsiBjx85prcZu6I6Ki057Tmw3nSF2VO","expire":432000}"#,
        &["D2"],
    ),
    ok("social_bind", "`SOCIAL_BIND`", Kind::Progress, support::SOCIAL_BIND, &["D4", "D6"]),
    ok("user_register", "`USER_REGISTER`", Kind::Progress, support::USER_REGISTER, &["D4", "D6"]),
    ok("mfa_auth", "`MFA_AUTH`", Kind::Progress, support::MFA_AUTH, &["D7"]),
    ok("password_warn", "`PASSWORD_WARN`", Kind::Progress, support::PASSWORD_WARN, &["D21", "D22", "D24"]),
    ok(
        "password_expired",
        "`PASSWORD_EXPIRED`",
        Kind::Progress,
        support::PASSWORD_EXPIRED,
        &["D21", "D22", "D24"],
    ),
    ok(
        "no_state_token",
        "`SOCIAL_BIND` without `state_token`",
        Kind::Progress,
        r#"{"status":"SOCIAL_BIND"}"#,
        &["D5"],
    ),
    ok(
        "new_id_token",
        "a new `id_token`",
        Kind::Reply("renew_id_token"),
        r#"{"session_token":"a-new-session-token","expire":604800,"id_token":"a-new-id-token"}"#,
        &["D8", "D9"],
    ),
    ok("mobile", "`mobile`", Kind::Reply("registered_mobile"), r#"{"mobile":"+86-15201657124"}"#, &["D19"]),
    ok("captcha", "a captcha", Kind::Reply("captcha"), support::CAPTCHA, &[]),
    ok("captcha_token", "`captcha_token`", Kind::Reply("solve"), r#"{"captcha_token":"71dd2699"}"#, &[]),
    ok("empty", "an empty body", Kind::Empty, "", &[]),
    ok("public_key", "a public key", Kind::Reply("public_key"), support::PUBLIC_KEY, &["D36"]),
    ok("timestamp", "a time", Kind::Reply("server_date"), support::SERVER_DATE, &["D36", "D40"]),
    ok("country_codes", "country codes", Kind::Reply("country_codes"), support::COUNTRY_CODES, &["D39"]),
    failed(
        "wrong_input",
        "refused: wrong input",
        Given::Http(
            400,
            r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007","error_msg":"Incorrect verification code"}"#,
        ),
        &["D13", "D14"],
    ),
    failed(
        "wrong_input_http_200",
        "refused: wrong input with HTTP 200",
        Given::Http(200, r#"{"error_code":"SDK.COMMON.1013","error_msg":"not found"}"#),
        &["D13"],
    ),
    failed(
        "wrong_input_http_500",
        "refused: wrong input with HTTP 5xx",
        Given::Http(500, r#"{"error_code":"SDK.COMMON.1013","error_msg":"not found"}"#),
        &["D13"],
    ),
    failed(
        "locked",
        "refused: locked or limited",
        Given::Http(400, r#"{"error_code":"SDK.LOGIN.1003","error_msg":"locked"}"#),
        &["D13", "D14"],
    ),
    failed(
        "configuration",
        "refused: configuration",
        Given::Http(
            400,
            r#"{"error_code":"IDAAS.SDK.PARAM.0001","error_msg":"Device information is incomplete"}"#,
        ),
        &["D13", "D14"],
    ),
    failed(
        "server",
        "refused: server failure with HTTP 4xx",
        Given::Http(400, r#"{"error_code":"SDK.COMMON.1008","error_msg":"The system is busy"}"#),
        &["D13", "D14"],
    ),
    failed(
        "undocumented",
        "refused: undocumented code",
        Given::Http(400, r#"{"error_code":"IDAAS.SDK.NEW.4711","error_msg":"something new"}"#),
        &["D13", "D14"],
    ),
    failed("redirect", "HTTP 3xx other than 303", Given::Http(302, ""), &["D15"]),
    failed("see_other", "HTTP 303", Given::Http(303, ""), &["D45"]),
    failed("client_error", "HTTP 4xx without `error_code`", Given::Http(404, "<html>"), &["D15"]),
    failed("not_sent", "not sent, with proof", Given::NotSent, &[]),
    failed(
        "server_http_500",
        "refused: server failure with HTTP 5xx",
        Given::Http(500, r#"{"error_code":"SDK.COMMON.1008","error_msg":"The system is busy"}"#),
        &["D13", "D16"],
    ),
    failed(
        "undocumented_of_a_gateway",
        "refused: undocumented code with HTTP 502, 503 or 504",
        Given::Http(504, r#"{"error_code":"APIG.0201","error_msg":"Backend timeout"}"#),
        &["D13", "D16"],
    ),
    failed("server_error", "HTTP 5xx without `error_code`", Given::Http(502, "<html>"), &["D16"]),
    failed(
        "contradiction",
        "an error and a success in one",
        Given::Http(400, r#"{"error_code":"SDK.COMMON.1013","status":"SUCCESS"}"#),
        &["D13"],
    ),
    failed("unreadable", "a 2xx that cannot be read", Given::Http(200, r#"{"status":"SUC"#), &["D16"]),
    ok("no_status", "an object without `status`", Kind::Progress, r#"{"message":"hello"}"#, &["D12"]),
    ok("unknown_status", "an undocumented `status`", Kind::Progress, r#"{"status":"PUSH_AUTH"}"#, &["D12"]),
    ok(
        "no_session_token",
        "`SUCCESS` without `session_token`",
        Kind::Progress,
        r#"{"status":"SUCCESS"}"#,
        &["D10"],
    ),
    failed("lost", "no response, or half of one", Given::MaybeSent, &["D16"]),
    failed(
        "dead_token",
        "refused: dead token",
        Given::Http(
            400,
            r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"state_token parameter error"}"#,
        ),
        &["D13", "D14"],
    ),
    failed("access_denied", "`ACCESS_DENIED`", Given::Http(200, r#"{"status":"ACCESS_DENIED"}"#), &["D11"]),
];

/// What a response means for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub then: Then,
    /// What the error says, if it is one.
    pub error: Option<String>,
}

/// What the caller holds then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Stage(StageKind),
    /// What a side call gives.
    Gives(&'static str),
    /// The name of the recovery.
    Recovery(&'static str),
    /// A side call's error: the stage was not touched.
    Error,
}

/// What a side call gives.
pub fn gives(row: &Endpoint) -> Option<&'static str> {
    match row.step {
        _ if row.moves_the_flow() => None,
        "captcha" => Some("Captcha"),
        "solve" => Some("CaptchaPass"),
        "registered_mobile" => Some("RegisteredMobile"),
        "send_code" => Some("()"),
        "public_key" => Some("PublicKey"),
        "server_date" => Some("ServerDate"),
        "country_codes" => Some("CountryCodes"),
        other => {
            panic!("the reference: what does the side call `{other}` give? add it to gives()")
        }
    }
}

fn run(row: &'static Endpoint, given: Given) -> StepResult {
    support::run_row(row, support::edition(row), Arc::new(move |_| given.make()))
}

/// What `given` means for the step of `row`: the step is run.
fn meaning(row: &'static Endpoint, given: Given) -> Meaning {
    let came = run(row, given);
    let then = match &came {
        StepResult::To(stage) => Then::Stage(*stage),
        StepResult::Done => Then::Gives(gives(row).unwrap()),
        StepResult::Failed(_) => Then::Error,
        StepResult::Retry(_, stage) | StepResult::Unresolved(_, stage) => {
            assert_eq!(*stage, row.from, "{}: the stage that comes back", support::name(row));
            Then::Recovery(came.recovery())
        }
        StepResult::StartOver(_) => Then::Recovery("StartOver"),
    };
    Meaning { then, error: came.error().map(ToString::to_string) }
}

/// The class of error that a shape's words name is the class that the library finds.
fn assert_class(shape: &ResponseShape, meaning: &Meaning) {
    if let Some(words) = shape.words.strip_prefix("refused: ") {
        let class = words.split_once(" with HTTP").map_or(words, |(class, _)| class);
        let error = meaning.error.as_deref().unwrap_or_default();
        assert!(error.contains(&format!("({class})")), "the response “{}” is: {error}", shape.words);
    }
}

/// What each of [`RESPONSES`] means for the step of `row`.
pub fn meanings(row: &'static Endpoint) -> Vec<Meaning> {
    let one = |shape: &ResponseShape| {
        let meaning = meaning(row, shape.given);
        assert_class(shape, &meaning);
        meaning
    };
    RESPONSES.iter().map(one).collect()
}

/// The statuses that lead to a stage, as a login observes them.
pub fn statuses_to(stage: StageKind) -> Vec<String> {
    let login = &endpoints::LOGIN_WECHAT_MINI_PROGRAM;
    let mut statuses = Vec::new();
    for shape in RESPONSES.iter().filter(|shape| meaning(login, shape.given).then == Then::Stage(stage)) {
        statuses.extend(shape.status().filter(|status| !statuses.contains(status)));
    }
    statuses
}

/// A documented error code, and what becomes of a step that is refused with it.
pub struct Code {
    pub name: String,
    /// The message's part that it takes, if the class depends on it.
    pub message: Option<&'static str>,
    pub class: ErrorClass,
    pub http_400: &'static str,
    pub http_500: &'static str,
}

/// The documented codes, and what becomes of a step that is refused with each.
pub fn codes() -> Vec<Code> {
    const TOKEN: &str = "The state_token has expired";
    let mut codes = BTreeMap::new();
    for code in codes::ALL.iter().map(|known| known.code) {
        let (class, ..) = refused(code, "");
        let (by_token, ..) = refused(code, TOKEN);
        let mut add = |order, class, text, message| {
            let (http_400, http_500) = (refused(code, text).1, refused(code, text).2);
            codes.insert(
                (code.to_owned(), order),
                Code { name: code.to_owned(), message, class, http_400, http_500 },
            );
        };
        add(0, class, "", None);
        if by_token != class {
            add(1, by_token, TOKEN, Some("state_token"));
        }
    }
    codes.into_values().collect()
}

/// The class of a code, and what the caller holds with HTTP 400 and with HTTP 500.
pub fn refused(code: &str, message: &str) -> (ErrorClass, &'static str, &'static str) {
    let body = format!(r#"{{"error_code":"{code}","error_msg":"{message}"}}"#);
    let with = |http_status| {
        let body = body.clone();
        support::run_row(
            &endpoints::BIND_USERNAME_PASSWORD,
            Edition::Ciam,
            Arc::new(move |_| Ok(response(http_status, body.clone()))),
        )
    };
    let came = with(400);
    let Some(Error::Refused(refusal)) = came.error() else { panic!("{code}: {came:?}") };
    (refusal.code().class(), came.recovery(), with(500).recovery())
}
