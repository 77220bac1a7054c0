//! What the tests share: a client over canned answers, every step of the endpoint table, requests as text.
#![allow(dead_code, clippy::missing_panics_doc)]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use idaas_login::endpoints::{self, Endpoint, Platform, Scenario, StageKind};
use idaas_login::{
    CaptchaPass, Client, Device, Edition, Error, MfaRequired, MiniProgram, Outcome, PendingBind,
    PendingRegister, Recovery, Request, Response, Stage, StepError, Transport, TransportError,
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

pub fn mfa_required(client: &Client) -> MfaRequired {
    match log_in(client) {
        Outcome::MfaRequired(stage) => stage,
        other => panic!("expected MfaRequired, got {other:?}"),
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
        StageKind::MfaRequired => "mfa_required".to_owned(),
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

/// What came of one step or side call, whichever its stage.
#[derive(Debug)]
pub enum Came {
    To(StageKind),
    Retry(Error, StageKind),
    Unresolved(Error, StageKind),
    StartOver(Error),
    /// A side call gave what it gives.
    Done,
    /// A side call failed.
    Failed(Error),
}

impl Came {
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::To(_) | Self::Done => None,
            Self::Retry(error, _)
            | Self::Unresolved(error, _)
            | Self::StartOver(error)
            | Self::Failed(error) => Some(error),
        }
    }

    /// Its name, for tables.
    pub fn recovery(&self) -> &'static str {
        match self {
            Self::To(_) | Self::Done => "-",
            Self::Retry(..) => "Retry",
            Self::Unresolved(..) => "Unresolved",
            Self::StartOver(_) => "StartOver",
            Self::Failed(_) => "error",
        }
    }
}

pub fn came<S: Stage, P: MiniProgram>(result: Result<Outcome<P>, StepError<S>>) -> Came {
    match result {
        Ok(Outcome::Authenticated(_)) => Came::To(StageKind::Authenticated),
        Ok(Outcome::PendingBind(_)) => Came::To(StageKind::PendingBind),
        Ok(Outcome::PendingRegister(_)) => Came::To(StageKind::PendingRegister),
        Ok(Outcome::MfaRequired(_)) => Came::To(StageKind::MfaRequired),
        Err(failed) => failure(failed),
    }
}

fn failure<S: Stage>(failed: StepError<S>) -> Came {
    match failed.into_parts() {
        (error, Recovery::Retry(_)) => Came::Retry(error, S::KIND),
        (error, Recovery::Unresolved(_)) => Came::Unresolved(error, S::KIND),
        (error, Recovery::StartOver(_)) => Came::StartOver(error),
    }
}

fn called<T>(result: Result<T, Error>) -> Came {
    match result {
        Ok(_) => Came::Done,
        Err(error) => Came::Failed(error),
    }
}

/// A captcha as the page prints it, with a picture of one pixel.
pub const CAPTCHA: &str = r#"{"captchaId":null,"projectCode":null,"captchaOriginalPath":null,"captchaFontType":null,"captchaFontSize":null,"secretKey":"yMXC583dP4R7uhmq","originalImageBase64":null,"point":null,"jigsawImageBase64":null,"wordList":null,"pointList":null,"pointJson":null,"token":"389c21b32a8e4eba9a6d75b71150bfd1","result":false,"captchaVerification":null}"#;

/// The codes and numbers of the pages' examples.
pub const WX_CODE: &str = " 091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8";
pub const PHONE_CODE: &str = "6213b8e364d3f0eaf7cf196bfe49675553b4919d6e664b70d5eaa6cbf8531afe";
pub const MOBILE: &str = "11012345678";
pub const EMAIL: &str = "zhangsan@qq.com";

/// The scenario of a stage that a code moves on.
pub fn scenario(kind: StageKind) -> Option<Scenario> {
    match kind {
        StageKind::VerifyPhone(scenario) | StageKind::VerifyEmail(scenario) => Some(scenario),
        _ => None,
    }
}

/// Takes the step of `row`, with the documented example inputs, over a transport that gives `answers` to it.
///
/// A row that this does not know fails the tests that walk the table: a new step has to be added here.
pub fn take(row: &'static Endpoint, edition: Edition, answers: Answers) -> Came {
    // The login that leads to the row's stage is answered here; the step itself by `answers`.
    let first = match (row.from, scenario(row.from)) {
        (StageKind::PendingBind, _) | (_, Some(Scenario::Bind)) => Some(SOCIAL_BIND),
        (StageKind::PendingRegister, _) | (_, Some(Scenario::Register)) => Some(USER_REGISTER),
        (StageKind::MfaRequired, _) | (_, Some(Scenario::SecondFactor)) => Some(MFA_AUTH),
        (StageKind::Captcha, _) => Some(CAPTCHA),
        (StageKind::Authenticated, _) => Some(SUCCESS),
        _ => None,
    };
    let first = Mutex::new(first);
    let client = Client::builder("https://acme.example.com", CLIENT_ID)
        .edition(edition)
        .build_with(move |request: Request| match first.lock().unwrap().take() {
            Some(body) => Ok(response(200, body)),
            None => answers(request),
        })
        .unwrap();
    match row.platform {
        Some(Platform::Alipay) => take_alipay(row, &client),
        _ => take_wechat(row, &client),
    }
}

fn take_wechat(row: &'static Endpoint, client: &Client) -> Came {
    let login = || client.login(device());
    let bind = || pending_bind(client);
    let register = || pending_register(client);
    let mfa = || mfa_required(client);
    let sms_pass =
        CaptchaPass::from_token(MOBILE, "71dd26999e314f9abb0c635336976635---{\"x\":237.0,\"y\":5.0}");
    let email_pass =
        CaptchaPass::from_token(EMAIL, "71dd26999e314f9abb0c635336976635---{\"x\":237.0,\"y\":5.0}");
    match (row.from, row.step) {
        (StageKind::Unauthenticated, "wechat_mini_program") => {
            came(login().wechat_mini_program(WX_CODE).send())
        }
        (StageKind::Unauthenticated, "wechat_mini_program_mobile") => came(
            login()
                .wechat_mini_program_mobile(
                    " 6082b2e9bb01b3b734b1a1a1ff8d3f0f35340ef23bff7d71cdb4d2d45b637c4e",
                )
                .send(),
        ),
        (StageKind::PendingBind, "wechat_mobile") => came(bind().wechat_mobile(PHONE_CODE).send()),
        (StageKind::PendingBind, "username_password") => {
            came(bind().username_password("zhangshan", "password").send())
        }
        (StageKind::PendingRegister, "wechat_mobile") => came(register().wechat_mobile(PHONE_CODE).send()),
        (StageKind::VerifyPhone(Scenario::Bind), "submit") => {
            came(bind().phone(MOBILE).unwrap().submit("232326").send())
        }
        (StageKind::VerifyEmail(Scenario::Bind), "submit") => {
            came(bind().email(EMAIL).unwrap().submit("123456").send())
        }
        (StageKind::VerifyPhone(Scenario::Register), "submit") => {
            came(register().phone(MOBILE).unwrap().submit("232326").send())
        }
        (StageKind::VerifyEmail(Scenario::Register), "submit") => {
            came(register().email(EMAIL).unwrap().submit("123456").send())
        }
        (StageKind::VerifyPhone(Scenario::SecondFactor), "submit") => {
            came(mfa().phone("+86-15201657124").submit("123456").send())
        }
        (StageKind::VerifyEmail(Scenario::SecondFactor), "submit") => {
            came(mfa().email(EMAIL).submit("123456").send())
        }
        (StageKind::VerifyPhone(Scenario::Bind), "send_code") => {
            called(bind().phone(MOBILE).unwrap().send_code(&sms_pass).send())
        }
        (StageKind::VerifyEmail(Scenario::Bind), "send_code") => {
            called(bind().email(EMAIL).unwrap().send_code(&email_pass).send())
        }
        (StageKind::VerifyPhone(Scenario::Register), "send_code") => {
            called(register().phone(MOBILE).unwrap().send_code(&sms_pass).send())
        }
        (StageKind::VerifyEmail(Scenario::Register), "send_code") => {
            called(register().email(EMAIL).unwrap().send_code(&email_pass).send())
        }
        (StageKind::VerifyPhone(Scenario::SecondFactor), "send_code") => {
            called(mfa().phone(MOBILE).send_code(&sms_pass).send())
        }
        (StageKind::VerifyEmail(Scenario::SecondFactor), "send_code") => {
            called(mfa().email(EMAIL).send_code(&email_pass).send())
        }
        (StageKind::Authenticated, "renew_id_token") => {
            let Outcome::Authenticated(user) = log_in(client) else { panic!("SUCCESS leads to a session") };
            match user.renew_id_token().send() {
                Ok(_) => Came::To(StageKind::Authenticated),
                Err(failed) => failure(failed),
            }
        }
        (StageKind::MfaRequired, "registered_mobile") => called(mfa().registered_mobile().send()),
        (StageKind::Client, "captcha") => called(client.captcha(&device()).send()),
        (StageKind::Captcha, "solve") => {
            called(client.captcha(&device()).send().unwrap().solve(237.0, MOBILE).send())
        }
        (from, step) => panic!("tests/support/mod.rs: take() does not know the step {from:?}.{step}: add it"),
    }
}

fn take_alipay(row: &'static Endpoint, client: &Client) -> Came {
    let login = || client.login(device()).alipay_mini_program(WX_CODE);
    match (row.from, row.step) {
        (StageKind::Unauthenticated, "alipay_mini_program") => came(login().send()),
        (StageKind::PendingBind, "alipay_mobile") => match login().send() {
            Ok(Outcome::PendingBind(stage)) => came(stage.alipay_mobile("encrypted+by/alipay==").send()),
            other => panic!("{other:?}"),
        },
        (StageKind::PendingRegister, "alipay_mobile") => match login().send() {
            Ok(Outcome::PendingRegister(stage)) => came(stage.alipay_mobile("encrypted+by/alipay==").send()),
            other => panic!("{other:?}"),
        },
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
