//! What the tests share: a client over canned answers, every step of the endpoint table, requests as text.
#![allow(dead_code, clippy::missing_panics_doc)]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use idaas_login::endpoints::{self, Endpoint, Scenario, StageKind};
use idaas_login::{
    Client, Device, Edition, Error, Outcome, PendingBind, PendingRegister, Recovery, Request, Response,
    Stage, StepError, Transport, TransportError, Unauthenticated,
};

pub const CLIENT_ID: &str = "nTo1eRIub60vPb54WeE6aojPwYwImtl4";
pub const STATE_TOKEN: &str = "eyJhbcOiJ-state-token-nEPRiIC4we0";
pub const SESSION_TOKEN: &str = "btsiBjx85prcZu6I6Ki057Tmw3nSF2VO";

pub const SOCIAL_BIND: &str = r#"{"status":"SOCIAL_BIND","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\"]}"}"#;
pub const USER_REGISTER: &str =
    r#"{"status":"USER_REGISTER","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0","data":null}"#;
pub const MFA_AUTH: &str = r#"{"status":"MFA_AUTH","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0"}"#;
pub const SUCCESS: &str =
    r#"{"status":"SUCCESS","session_token":"btsiBjx85prcZu6I6Ki057Tmw3nSF2VO","expire":432000}"#;

/// The device of the pages' examples.
pub fn device() -> Device {
    Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)")
        .unwrap()
        .with_ip([192, 168, 1, 2])
        .with_language("zh")
        .unwrap()
}

pub fn client(transport: impl Transport + 'static) -> Client {
    Client::builder("https://acme.example.com", CLIENT_ID).build_with(transport).unwrap()
}

pub fn response(http_status: u16, body: impl Into<Vec<u8>>) -> Response {
    http::Response::builder().status(http_status).body(body.into()).unwrap()
}

/// What is answered to each request.
pub type Answers = Arc<dyn Fn(Request) -> Result<Response, TransportError> + Send + Sync>;

/// A transport that answers everything with one answer.
pub fn always(
    http_status: u16,
    body: &str,
) -> impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static {
    let body = body.to_owned();
    move |_: Request| Ok(response(http_status, body.clone()))
}

/// A transport that answers with one answer after the other.
pub fn script(
    answers: Vec<Result<Response, TransportError>>,
) -> impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static {
    let answers = Mutex::new(answers.into_iter());
    move |_: Request| answers.lock().unwrap().next().expect("the script has an answer for each request")
}

/// The stage that a login leads to when it is answered with `body`.
pub fn log_in(client: &Client) -> Outcome {
    client.login(device()).wechat_mini_program("091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8").send().unwrap()
}

pub fn pending_bind(client: &Client) -> PendingBind {
    match log_in(client) {
        Outcome::PendingBind(stage) => stage,
        other => panic!("expected PendingBind, got {other:?}"),
    }
}

pub fn pending_register(client: &Client) -> PendingRegister {
    match log_in(client) {
        Outcome::PendingRegister(stage) => stage,
        other => panic!("expected PendingRegister, got {other:?}"),
    }
}

/// A row's name in snapshots and messages.
pub fn name(row: &Endpoint) -> String {
    let from = match row.from {
        StageKind::VerifyPhone(scenario) => format!("verify_phone_{}", scenario_name(scenario)),
        StageKind::VerifyEmail(scenario) => format!("verify_email_{}", scenario_name(scenario)),
        StageKind::Unauthenticated => "unauthenticated".to_owned(),
        StageKind::PendingBind => "pending_bind".to_owned(),
        StageKind::PendingRegister => "pending_register".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    format!("{from}__{}", row.step)
}

fn scenario_name(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Bind => "bind",
        Scenario::Register => "register",
        Scenario::SecondFactor => "second_factor",
    }
}

/// What came of one step, whichever its stage.
#[derive(Debug)]
pub enum Came {
    To(StageKind),
    Retry(Error, StageKind),
    Unresolved(Error, StageKind),
    StartOver(Error),
}

impl Came {
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::To(_) => None,
            Self::Retry(error, _) | Self::Unresolved(error, _) | Self::StartOver(error) => Some(error),
        }
    }

    /// Its name, for tables.
    pub fn recovery(&self) -> &'static str {
        match self {
            Self::To(_) => "-",
            Self::Retry(..) => "Retry",
            Self::Unresolved(..) => "Unresolved",
            Self::StartOver(_) => "StartOver",
        }
    }
}

pub fn came<S: Stage>(result: Result<Outcome, StepError<S>>) -> Came {
    match result {
        Ok(Outcome::Authenticated(_)) => Came::To(StageKind::Authenticated),
        Ok(Outcome::PendingBind(_)) => Came::To(StageKind::PendingBind),
        Ok(Outcome::PendingRegister(_)) => Came::To(StageKind::PendingRegister),
        Ok(Outcome::MfaRequired(_)) => Came::To(StageKind::MfaRequired),
        Err(failed) => match failed.into_parts() {
            (error, Recovery::Retry(_)) => Came::Retry(error, S::KIND),
            (error, Recovery::Unresolved(_)) => Came::Unresolved(error, S::KIND),
            (error, Recovery::StartOver(_)) => Came::StartOver(error),
        },
    }
}

/// Takes the step of `row`, with the documented example inputs, over a transport that gives `answers` to it.
///
/// A row that this does not know fails the tests that walk the table: a new step has to be added here.
pub fn take(row: &'static Endpoint, edition: Edition, answers: Answers) -> Came {
    // The login that leads to the row's stage is answered here; the step itself by `answers`.
    let first = match row.from {
        StageKind::Unauthenticated => None,
        StageKind::PendingBind
        | StageKind::VerifyPhone(Scenario::Bind)
        | StageKind::VerifyEmail(Scenario::Bind) => Some(SOCIAL_BIND),
        StageKind::PendingRegister
        | StageKind::VerifyPhone(Scenario::Register)
        | StageKind::VerifyEmail(Scenario::Register) => Some(USER_REGISTER),
        _ => Some(MFA_AUTH),
    };
    let first = Mutex::new(first);
    let client = Client::builder("https://acme.example.com", CLIENT_ID)
        .edition(edition)
        .build_with(move |request: Request| match first.lock().unwrap().take() {
            Some(body) => Ok(response(200, body)),
            None => answers(request),
        })
        .unwrap();
    let login = || -> Unauthenticated { client.login(device()) };
    let bind = || pending_bind(&client);
    let register = || pending_register(&client);
    match (row.from, row.step) {
        (StageKind::Unauthenticated, "wechat_mini_program") => {
            came(login().wechat_mini_program(" 091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8").send())
        }
        (StageKind::PendingBind, "wechat_mobile") => came(
            bind().wechat_mobile("6213b8e364d3f0eaf7cf196bfe49675553b4919d6e664b70d5eaa6cbf8531afe").send(),
        ),
        (StageKind::PendingBind, "username_password") => {
            came(bind().username_password("zhangshan", "password").send())
        }
        (StageKind::VerifyPhone(Scenario::Bind), "submit") => {
            came(bind().phone("11012345678").unwrap().submit("232326").send())
        }
        (StageKind::VerifyEmail(Scenario::Bind), "submit") => {
            came(bind().email("zhangsan@qq.com").unwrap().submit("123456").send())
        }
        (StageKind::PendingRegister, "wechat_mobile") => came(
            register()
                .wechat_mobile("6213b8e364d3f0eaf7cf196bfe49675553b4919d6e664b70d5eaa6cbf8531afe")
                .send(),
        ),
        (StageKind::VerifyPhone(Scenario::Register), "submit") => {
            came(register().phone("11012345678").unwrap().submit("232326").send())
        }
        (StageKind::VerifyEmail(Scenario::Register), "submit") => {
            came(register().email("zhangsan@qq.com").unwrap().submit("123456").send())
        }
        (from, step) => panic!("tests/support/mod.rs: take() does not know the step {from:?}.{step}: add it"),
    }
}

/// Every row that moves the flow.
pub fn flow_rows() -> impl Iterator<Item = &'static Endpoint> {
    endpoints::ALL.iter().copied().filter(|row| row.moves_the_flow())
}

/// The request of a step, as text: method, address, headers, body.
pub fn text(request: &Request) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
    }
    write!(text, "\n{}", String::from_utf8_lossy(request.body())).unwrap();
    text
}

/// Asserts a snapshot in the top-level `snapshots/`.
#[macro_export]
macro_rules! snapshot {
    ($folder:literal, $name:expr, $text:expr) => {
        insta::with_settings!({
            snapshot_path => concat!("../snapshots/", $folder),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $text) });
    };
}
