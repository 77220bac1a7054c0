//! What the tests share: a client over canned answers, every step of the endpoint table, requests as text.
#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    reason = "it is for tests"
)]

#[cfg(feature = "ureq")]
pub mod cipher_suites;
pub mod conformance;
#[cfg(all(feature = "ureq", feature = "verify", feature = "seal"))]
pub mod full_run;
pub mod keys;
pub mod markers;
pub mod printed_types;
pub mod recovery_table;
#[cfg(feature = "ureq")]
pub mod server;
pub mod spans;

use std::any::type_name;
use std::env;
use std::error::Error as StdError;
use std::fmt::{Debug, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use idaas_login::endpoints::{self, Credential, Endpoint, OriginKind, Scenario, SendType, StageKind};
use idaas_login::{
    AcceptsCode, Advice, AlipayMiniProgram, Authenticated, Call, Captcha, CaptchaPass, Channel, Client,
    Device, Edition, Error, MfaRequired, Next, Origin, Outcome, PasswordExpired, PasswordExpiring,
    PasswordReset, PendingBind, PendingRegister, Recovery, Registration, RegistrationAttributes, Reply,
    Request, Response, SendsCode, Stage, Step, StepError, Transport, TransportError, Unauthenticated, Verify,
    VerifyEmail, VerifyPhone,
};

/// cargo, as if called by hand. What cargo tells a test about its package would make it compile ring anew, whose build
/// script looks at it.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let is_of_a_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_a_package)) {
        cargo.env_remove(name);
    }
    cargo
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

pub const CLIENT_ID: &str = "nTo1eRIub60vPb54WeE6aojPwYwImtl4";
pub const STATE_TOKEN: &str = "eyJhbcOiJ-state-token-nEPRiIC4we0";
pub const SESSION_TOKEN: &str = "btsiBjx85prcZu6I6Ki057Tmw3nSF2VO";

pub const SOCIAL_BIND: &str = r#"{"status":"SOCIAL_BIND","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\"]}"}"#;
pub const USER_REGISTER: &str =
    r#"{"status":"USER_REGISTER","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0","data":null}"#;
pub const MFA_AUTH: &str = r#"{"status":"MFA_AUTH","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0"}"#;
pub const PASSWORD_WARN: &str = r#"{"status":"PASSWORD_WARN","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0","data":"{\"maxLength\":18,\"minLength\":8,\"regEx\":\"^(?![a-zA-Z]+$)\"}"}"#;
pub const PASSWORD_EXPIRED: &str =
    r#"{"status":"PASSWORD_EXPIRED","state_token":"eyJhbcOiJ-state-token-nEPRiIC4we0"}"#;
pub const SUCCESS: &str =
    r#"{"status":"SUCCESS","session_token":"btsiBjx85prcZu6I6Ki057Tmw3nSF2VO","expire":432000}"#;

pub const SUCCESS_WITH_ID_TOKEN: &str = r#"{"status":"SUCCESS","session_token":"btsiBjx85prcZu6I6Ki057Tmw3nSF2VO","expire":432000,"id_token":"eyJhbGciOi-id-token-Qs2w"}"#;

/// The device of the pages' examples.
pub fn device() -> Device {
    Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)")
        .unwrap()
        .with_ip([192, 168, 1, 2])
        .with_language("zh")
        .unwrap()
}

/// At a time that never passes.
pub fn client(transport: impl Transport + 'static) -> Client {
    let then = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    Client::builder("https://acme.example.com", CLIENT_ID).clock(move || then).build_with(transport).unwrap()
}

pub fn response(http_status: u16, body: impl Into<Vec<u8>>) -> Response {
    http::Response::builder().status(http_status).body(body.into()).unwrap()
}

/// What is answered to each request.
pub type Answers = Arc<dyn Fn(Request) -> Result<Response, TransportError> + Send + Sync>;

/// A transport that answers everything with one response.
pub fn always(
    http_status: u16,
    body: &str,
) -> impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static {
    let body = body.to_owned();
    move |_: Request| Ok(response(http_status, body.clone()))
}

/// A transport that answers with one response after the other.
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
        StageKind::PasswordExpiring => "password_expiring".to_owned(),
        StageKind::PasswordExpired => "password_expired".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    format!("{from}__{}", row.step)
}

fn scenario_name(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Bind => "bind",
        Scenario::BindOrRegister => "bind_or_register",
        Scenario::SecondFactor => "second_factor",
        Scenario::Login => "login",
        Scenario::Register => "register",
        Scenario::ResetPassword => "reset_password",
        Scenario::ChangePassword => "change_password",
    }
}

/// What came of one step or side call, whichever its stage.
#[derive(Debug)]
pub enum StepResult {
    To(StageKind),
    Retry(Error, StageKind),
    Unresolved(Error, StageKind),
    StartOver(Error),
    /// A side call gave what it gives.
    Done,
    /// A side call failed.
    Failed(Error),
}

impl StepResult {
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

pub fn step_result<S: Stage, N: Reached>(result: Result<N, StepError<S>>) -> StepResult {
    match result.map_err(StepError::into_parts) {
        Ok(next) => StepResult::To(next.to()),
        Err((error, Recovery::Retry(stage))) => StepResult::Retry(error, stage.kind()),
        Err((error, Recovery::Unresolved(step))) => StepResult::Unresolved(error, step.kind()),
        Err((error, Recovery::StartOver(_))) => StepResult::StartOver(error),
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

/// What a walk of the table goes in with.
pub struct Inputs {
    /// The device, made anew for each login.
    pub device: fn() -> Device,
    pub wx_code: &'static str,
    pub wx_mobile_code: &'static str,
    pub alipay_code: &'static str,
    pub phone_code: &'static str,
    pub alipay_encrypt: &'static str,
    /// The code of another app: WeChat's, Alipay's, Apple's.
    pub app_code: &'static str,
    /// The access token of QQ, Weibo or the carrier, and the user's name there.
    pub access_token: &'static str,
    pub open_id: &'static str,
    pub user_name: &'static str,
    pub password: &'static str,
    pub new_password: &'static str,
    pub nick_name: &'static str,
    pub mobile: &'static str,
    pub registered_mobile: &'static str,
    pub email: &'static str,
    pub sms_code: &'static str,
    pub second_factor_code: &'static str,
    pub email_code: &'static str,
    pub captcha_pass: &'static str,
    /// The answers that lead to a stage.
    pub social_bind: &'static str,
    pub user_register: &'static str,
    pub mfa_auth: &'static str,
    pub password_warn: &'static str,
    pub password_expired: &'static str,
    pub success: &'static str,
    pub captcha: &'static str,
}

/// The inputs of the pages' examples.
pub const DOCUMENTED: Inputs = Inputs {
    device,
    wx_code: WX_CODE,
    wx_mobile_code: " 6082b2e9bb01b3b734b1a1a1ff8d3f0f35340ef23bff7d71cdb4d2d45b637c4e",
    alipay_code: WX_CODE,
    phone_code: PHONE_CODE,
    alipay_encrypt: "encrypted+by/alipay==",
    app_code: "ad12sasdsfe3dfdg3sc",
    access_token: "8B11AC3A-access-token",
    open_id: "D892-open-id",
    user_name: "zhangshan",
    password: "password",
    new_password: "newPassword1",
    nick_name: "Shan",
    mobile: MOBILE,
    registered_mobile: "+86-15201657124",
    email: EMAIL,
    sms_code: "232326",
    second_factor_code: "123456",
    email_code: "123456",
    captcha_pass: "71dd26999e314f9abb0c635336976635---{\"x\":237.0,\"y\":5.0}",
    social_bind: SOCIAL_BIND,
    user_register: USER_REGISTER,
    mfa_auth: MFA_AUTH,
    password_warn: PASSWORD_WARN,
    password_expired: PASSWORD_EXPIRED,
    success: SUCCESS,
    captcha: CAPTCHA,
};

/// Sees every value on the way: what is printed of it is somebody's business.
pub trait Observer {
    fn value(&self, _type_name: &'static str, _value: &dyn Debug) {}
    fn failure(&self, _type_name: &'static str, _error: &(dyn StdError + 'static)) {}
    fn advice(&self, _advice: Advice) {}
}

/// Nobody watches.
impl Observer for () {}

/// What the step of `row` advises if it fails.
pub fn advice_of(row: &'static Endpoint, answers: Answers) -> Option<Advice> {
    struct Keep(Mutex<Option<Advice>>);

    impl Observer for Keep {
        fn advice(&self, advice: Advice) {
            *self.0.lock().unwrap() = Some(advice);
        }
    }

    let kept = Keep(Mutex::new(None));
    walk(row, &client_to(row, edition(row), answers), &DOCUMENTED, &kept);
    kept.0.into_inner().unwrap()
}

/// An error and its causes, on one line.
pub fn with_causes(error: &dyn StdError) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// Whether an edition has a step.
pub fn is_supported(row: &Endpoint, edition: &Edition) -> bool {
    row.in_edition(edition.kind()).is_some()
}

/// The edition in which a step is tried: the first that has it.
pub fn edition(row: &Endpoint) -> Edition {
    let editions = [Edition::Ciam, Edition::Eiam, Edition::OneAccess];
    editions.into_iter().find(|edition| is_supported(row, edition)).expect("a row is of some edition")
}

/// Whether the step of `row` needs a signature in an edition.
fn is_signed(row: &Endpoint, edition: &Edition) -> bool {
    row.in_edition(edition.kind()).is_some_and(|shape| shape.credential == Credential::Signature)
}

/// The response to what has to be fetched before the step of `row` can be signed; `None` if that is not asked for.
pub fn prepared(row: &Endpoint, request: &Request) -> Option<Response> {
    let prepares: [&Endpoint; 2] = [&endpoints::PUBLIC_KEY, &endpoints::SERVER_DATE];
    let asked = prepares
        .into_iter()
        .filter(|other| *other != row)
        .find(|other| other.path == request.uri().path())?;
    Some(response(200, good_answer(asked)))
}

/// The request that the step of `row` sends.
pub fn request_of(row: &'static Endpoint, edition: Edition) -> Request {
    let seen = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&seen);
    run_row(
        row,
        edition,
        Arc::new(move |request| {
            *slot.lock().unwrap() = Some(request);
            Ok(response(200, SUCCESS))
        }),
    );
    let request = seen.lock().unwrap().take();
    request.unwrap_or_else(|| panic!("{} sent nothing", name(row)))
}

/// Takes the step of `row`, with the documented example inputs, over a transport that gives `answers` to it.
///
/// A row that this does not know fails the tests that walk the table: a new step has to be added here.
pub fn run_row(row: &'static Endpoint, edition: Edition, answers: Answers) -> StepResult {
    walk(row, &client_to(row, edition, answers), &DOCUMENTED, &())
}

/// A client whose first response leads to the stage of `row`; the step itself is answered by `answers`.
fn client_to(row: &'static Endpoint, edition: Edition, answers: Answers) -> Client {
    let first = Mutex::new(first_answer(row, &DOCUMENTED));
    let mut builder = Client::builder("https://acme.example.com", CLIENT_ID).edition(edition);
    // The row's stage is reached in every edition; the row itself is as the edition has it.
    let login = &endpoints::LOGIN_ALIPAY_MINI_PROGRAM;
    if row != login {
        builder = builder.path(login, login.path);
    }
    let transport = move |request: Request| {
        if let Some(prepared) = prepared(row, &request) {
            return Ok(prepared);
        }
        match first.lock().unwrap().take() {
            Some(body) => Ok(response(200, body)),
            None => answers(request),
        }
    };
    builder.build_with(transport).unwrap()
}

/// The response that leads to the stage of `row`; `None` if the row is the first that is sent.
pub fn first_answer(row: &Endpoint, inputs: &Inputs) -> Option<&'static str> {
    match (row.from, scenario(row.from)) {
        (StageKind::PendingBind, _) | (_, Some(Scenario::Bind)) => Some(inputs.social_bind),
        (StageKind::PendingRegister, _) | (_, Some(Scenario::BindOrRegister)) => Some(inputs.user_register),
        (StageKind::MfaRequired, _) | (_, Some(Scenario::SecondFactor)) => Some(inputs.mfa_auth),
        (StageKind::PasswordExpiring, _) => Some(inputs.password_warn),
        (StageKind::PasswordExpired, _) | (_, Some(Scenario::ChangePassword)) => {
            Some(inputs.password_expired)
        }
        (StageKind::Captcha, _) => Some(inputs.captcha),
        (StageKind::Authenticated, _) => Some(inputs.success),
        _ => None,
    }
}

/// Takes the step of `row` over a client whose transport gives [`first_answer`] to the first request, if there is one.
pub fn walk(row: &'static Endpoint, client: &Client, inputs: &Inputs, watch: &dyn Observer) -> StepResult {
    let walk = Walk { client, inputs, watch };
    if is_signed(row, client.edition()) {
        client.prepare_signature(&(inputs.device)()).unwrap();
    }
    match (row.from, row.origin()) {
        (_, Some(OriginKind::AlipayMiniProgram)) => walk.run_alipay(row),
        (StageKind::Unauthenticated, Some(OriginKind::SocialApp | OriginKind::Account)) => {
            walk.run_first(row)
        }
        _ => walk.run_wechat(row),
    }
}

struct Walk<'a> {
    client: &'a Client,
    inputs: &'a Inputs,
    watch: &'a dyn Observer,
}

impl Walk<'_> {
    fn see<T: Debug>(&self, value: &T) {
        self.watch.value(type_name::<T>(), value);
    }

    fn login(&self) -> Unauthenticated {
        let login = self.client.login((self.inputs.device)());
        self.see(&login);
        login
    }

    fn log_in(&self) -> Outcome {
        let outcome = self.login().wechat_mini_program(self.inputs.wx_code).send().unwrap();
        self.see(&outcome);
        outcome
    }

    fn bind(&self) -> PendingBind {
        let Outcome::PendingBind(stage) = self.log_in() else { panic!("the first answer leads here") };
        self.see(&stage);
        stage
    }

    fn register(&self) -> PendingRegister {
        let Outcome::PendingRegister(stage) = self.log_in() else { panic!("the first answer leads here") };
        self.see(&stage);
        stage
    }

    fn mfa(&self) -> MfaRequired {
        let Outcome::MfaRequired(stage) = self.log_in() else { panic!("the first answer leads here") };
        self.see(&stage);
        stage
    }

    fn expiring(&self) -> PasswordExpiring {
        let Outcome::PasswordExpiring(stage) = self.log_in() else { panic!("the first answer leads here") };
        self.see(&stage);
        stage
    }

    fn expired(&self) -> PasswordExpired {
        let Outcome::PasswordExpired(stage) = self.log_in() else { panic!("the first answer leads here") };
        self.see(&stage);
        stage
    }

    fn registration(&self) -> Registration {
        let attributes = RegistrationAttributes::new()
            .password(self.inputs.new_password)
            .nick_name(self.inputs.nick_name)
            .birthday("1990-12-31");
        let stage = self.login().register(attributes);
        self.see(&stage);
        stage
    }

    fn reset(&self) -> PasswordReset {
        let stage = self.login().reset_password();
        self.see(&stage);
        stage
    }

    fn alipay(&self) -> Outcome<AlipayMiniProgram> {
        let outcome = self.login().alipay_mini_program(self.inputs.alipay_code).send().unwrap();
        self.see(&outcome);
        outcome
    }

    fn captcha(&self) -> Captcha {
        let captcha = self.client.captcha(&(self.inputs.device)()).send().unwrap();
        self.see(&captcha);
        captcha
    }

    fn pass(&self, sender: &str) -> CaptchaPass {
        let pass = CaptchaPass::from_token(sender, self.inputs.captcha_pass);
        self.see(&pass);
        pass
    }

    /// A step, seen before and after.
    fn step<S: Stage, N: Next<S> + Debug + Reached>(&self, step: Step<S, N>) -> StepResult {
        self.see(&step);
        match step.send() {
            Ok(outcome) => {
                self.see(&outcome);
                StepResult::To(outcome.to())
            }
            Err(failed) => {
                self.watch.failure(type_name::<StepError<S>>(), &failed);
                self.watch.advice(failed.advice());
                let (error, recovery) = failed.into_parts();
                self.watch.failure(type_name::<Error>(), &error);
                self.see(&recovery);
                match recovery {
                    Recovery::Retry(stage) => StepResult::Retry(error, stage.kind()),
                    Recovery::Unresolved(unresolved) => {
                        self.see(&unresolved);
                        StepResult::Unresolved(error, unresolved.kind())
                    }
                    Recovery::StartOver(_) => StepResult::StartOver(error),
                }
            }
        }
    }

    /// A side call, seen before and after.
    fn call<T: Reply + Debug>(&self, call: Call<T>) -> StepResult {
        self.see(&call);
        match call.send() {
            Ok(reply) => {
                self.see(&reply);
                StepResult::Done
            }
            Err(error) => {
                self.watch.failure(type_name::<Error>(), &error);
                self.watch.advice(error.advice());
                StepResult::Failed(error)
            }
        }
    }

    fn run_wechat(&self, row: &'static Endpoint) -> StepResult {
        let inputs = self.inputs;
        match (row.from, row.step) {
            (StageKind::Unauthenticated, "wechat_mini_program") => {
                self.step(self.login().wechat_mini_program(inputs.wx_code))
            }
            (StageKind::Unauthenticated, "wechat_mini_program_mobile") => {
                self.step(self.login().wechat_mini_program_mobile(inputs.wx_mobile_code))
            }
            (StageKind::PendingBind, "wechat_mobile") => {
                self.step(self.bind().wechat_mobile(inputs.phone_code))
            }
            (StageKind::PendingBind, "username_password") => {
                self.step(self.bind().username_password(inputs.user_name, inputs.password))
            }
            (StageKind::PendingRegister, "wechat_mobile") => {
                self.step(self.register().wechat_mobile(inputs.phone_code))
            }
            (StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_), "submit" | "send_code") => {
                self.run_code(row)
            }
            (StageKind::Authenticated, "renew_id_token") => {
                let Outcome::Authenticated(user) = self.log_in() else {
                    panic!("SUCCESS leads to a session")
                };
                self.see(&user);
                self.step(user.renew_id_token())
            }
            (StageKind::Authenticated, "logout") => {
                let Outcome::Authenticated(user) = self.log_in() else {
                    panic!("SUCCESS leads to a session")
                };
                self.see(&user);
                self.step(user.logout())
            }
            (StageKind::Client, "public_key") => self.call(self.client.public_key(&(inputs.device)())),
            (StageKind::Client, "server_date") => self.call(self.client.server_date(&(inputs.device)())),
            (StageKind::Client, "country_codes") => self.call(self.client.country_codes(&(inputs.device)())),
            (StageKind::MfaRequired, "registered_mobile") => self.call(self.mfa().registered_mobile()),
            (StageKind::PasswordExpiring, "registered_mobile") => {
                self.call(self.expiring().registered_mobile())
            }
            (StageKind::PasswordExpired, "registered_mobile") => {
                self.call(self.expired().registered_mobile())
            }
            (StageKind::PasswordExpiring, "change_password") => {
                self.step(self.expiring().change_password(inputs.password, inputs.new_password))
            }
            (StageKind::PasswordExpired, "change_password") => {
                self.step(self.expired().change_password(inputs.password, inputs.new_password))
            }
            (StageKind::PasswordExpiring, "keep_password") => self.step(self.expiring().keep_password()),
            (StageKind::Client, "captcha") => self.call(self.client.captcha(&(inputs.device)())),
            (StageKind::Captcha, "solve") => self.call(self.captcha().solve(237.0, inputs.mobile)),
            (from, step) => panic!("tests/support: it does not know the step {from:?}.{step}: add it"),
        }
    }

    /// The steps that begin a login without a mini program.
    fn run_first(&self, row: &'static Endpoint) -> StepResult {
        let (login, inputs) = (self.login(), self.inputs);
        match row.step {
            "username_password" => self.step(login.username_password(inputs.user_name, inputs.password)),
            "identifier_password" => self.step(login.identifier_password(inputs.mobile, inputs.password)),
            "wechat_app" => self.step(login.wechat_app(inputs.app_code)),
            "alipay_app" => self.step(login.alipay_app(inputs.app_code)),
            "qq" => self.step(login.qq(inputs.access_token, inputs.open_id)),
            "weibo" => self.step(login.weibo(inputs.access_token, inputs.open_id)),
            "apple" => self.step(login.apple(inputs.app_code)),
            "carrier_one_tap" => self.step(login.carrier_one_tap(inputs.access_token)),
            step => panic!("tests/support: it does not know the step {step}: add it"),
        }
    }

    /// The steps of a stage that was narrowed to a destination.
    fn run_code(&self, row: &'static Endpoint) -> StepResult {
        let Inputs { mobile, email, registered_mobile, .. } = *self.inputs;
        match row.from {
            StageKind::VerifyPhone(Scenario::Bind) => self.phone(row, self.bind().phone(mobile).unwrap()),
            StageKind::VerifyEmail(Scenario::Bind) => self.email(row, self.bind().email(email).unwrap()),
            StageKind::VerifyPhone(Scenario::BindOrRegister) => {
                self.phone(row, self.register().phone(mobile).unwrap())
            }
            StageKind::VerifyEmail(Scenario::BindOrRegister) => {
                self.email(row, self.register().email(email).unwrap())
            }
            StageKind::VerifyPhone(Scenario::SecondFactor) if row.step == "submit" => {
                self.phone(row, self.mfa().phone(registered_mobile))
            }
            StageKind::VerifyPhone(Scenario::SecondFactor) => self.phone(row, self.mfa().phone(mobile)),
            StageKind::VerifyEmail(Scenario::SecondFactor) => self.email(row, self.mfa().email(email)),
            StageKind::VerifyPhone(Scenario::Login) => self.phone(row, self.login().phone(mobile)),
            StageKind::VerifyEmail(Scenario::Login) => self.email(row, self.login().email(email)),
            StageKind::VerifyPhone(Scenario::Register) => self.phone(row, self.registration().phone(mobile)),
            StageKind::VerifyEmail(Scenario::Register) => self.email(row, self.registration().email(email)),
            StageKind::VerifyPhone(Scenario::ResetPassword) => {
                let stage = self.reset().phone(mobile);
                self.code(row, &stage).unwrap_or_else(|| {
                    self.step(stage.submit(self.inputs.sms_code, self.inputs.new_password))
                })
            }
            StageKind::VerifyEmail(Scenario::ResetPassword) => {
                let stage = self.reset().email(email);
                self.code(row, &stage).unwrap_or_else(|| {
                    self.step(stage.submit(self.inputs.email_code, self.inputs.new_password))
                })
            }
            StageKind::VerifyPhone(Scenario::ChangePassword) => {
                let stage = self.expired().phone(mobile);
                self.code(row, &stage).unwrap_or_else(|| {
                    self.step(stage.submit(self.inputs.sms_code, self.inputs.new_password))
                })
            }
            StageKind::VerifyEmail(Scenario::ChangePassword) => {
                let stage = self.expired().email(email);
                self.code(row, &stage).unwrap_or_else(|| {
                    self.step(stage.submit(self.inputs.email_code, self.inputs.new_password))
                })
            }
            other => panic!("{other} is narrowed to no destination"),
        }
    }

    /// The request for a code, if that is the row.
    fn code<C: Channel, S: SendsCode>(&self, row: &Endpoint, stage: &Verify<C, S>) -> Option<StepResult> {
        self.see(stage);
        (row.step == "send_code").then(|| self.call(stage.send_code(&self.pass(stage.destination()))))
    }

    fn phone<S>(&self, row: &Endpoint, stage: VerifyPhone<S>) -> StepResult
    where
        S: AcceptsCode,
        S::Outcome: Debug + Reached,
    {
        self.see(&stage);
        match row.step {
            "submit" => {
                let second = matches!(row.from, StageKind::VerifyPhone(Scenario::SecondFactor));
                let inputs = self.inputs;
                self.step(stage.submit(if second { inputs.second_factor_code } else { inputs.sms_code }))
            }
            _ => self.call(stage.send_code(&self.pass(self.inputs.mobile))),
        }
    }

    fn email<S>(&self, row: &Endpoint, stage: VerifyEmail<S>) -> StepResult
    where
        S: AcceptsCode,
        S::Outcome: Debug + Reached,
    {
        self.see(&stage);
        match row.step {
            "submit" => self.step(stage.submit(self.inputs.email_code)),
            _ => self.call(stage.send_code(&self.pass(self.inputs.email))),
        }
    }

    fn run_alipay(&self, row: &'static Endpoint) -> StepResult {
        let inputs = self.inputs;
        match (row.from, row.step) {
            (StageKind::Unauthenticated, "alipay_mini_program") => {
                self.step(self.login().alipay_mini_program(inputs.alipay_code))
            }
            (StageKind::PendingBind, "alipay_mobile") => match self.alipay() {
                Outcome::PendingBind(stage) => self.step(stage.alipay_mobile(inputs.alipay_encrypt)),
                other => panic!("{other:?}"),
            },
            (StageKind::PendingRegister, "alipay_mobile") => match self.alipay() {
                Outcome::PendingRegister(stage) => self.step(stage.alipay_mobile(inputs.alipay_encrypt)),
                other => panic!("{other:?}"),
            },
            (from, step) => panic!("tests/support: it does not know the step {from:?}.{step}: add it"),
        }
    }
}

/// Where a step led.
pub trait Reached {
    fn to(&self) -> StageKind;
}

impl<O: Origin> Reached for Outcome<O> {
    fn to(&self) -> StageKind {
        match self {
            Self::Authenticated(_) => StageKind::Authenticated,
            Self::PendingBind(_) => StageKind::PendingBind,
            Self::PendingRegister(_) => StageKind::PendingRegister,
            Self::MfaRequired(_) => StageKind::MfaRequired,
            Self::PasswordExpiring(_) => StageKind::PasswordExpiring,
            Self::PasswordExpired(_) => StageKind::PasswordExpired,
        }
    }
}

impl Reached for Unauthenticated {
    fn to(&self) -> StageKind {
        StageKind::Unauthenticated
    }
}

impl Reached for Authenticated {
    fn to(&self) -> StageKind {
        StageKind::Authenticated
    }
}

/// The public key of a tenant, and a time.
pub const PUBLIC_KEY: &str = concat!(
    r#"{"public_key":"-----BEGIN PUBLIC KEY-----\n"#,
    r"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArsLH5Ecrd+80xr0sP5l7juCQP1j3oh0smY4h571GzxaM+IsbI0YHafclslaGELygj8JA\n",
    r"XkdUhS7OsrZe8E/jVVk9T8JLxA/zRsTjwN74qWWwrvhj4bf9uPmX0tuGwsUEWkXc4DUcqjfSfeQx2CdDH1Cy3KHBBLt4KpNY39m2WdBURtDn7BSn\n",
    r"qPtMYO/lTaLo3ykckwYwQad6r/3CwekaPoPgucgvXDtkDJs8aJreMExMZjAsvx9VFE/wwaOIMvXJzqPyrbrsEWUc3SF/HgW7QUlpE7ylbZlpJ29E\n",
    r#"+Zf0b5KrD5wn8ktyC8rS3DJEMYRLZS5VSydA749jUkv0W2+NWQIDAQAB\n-----END PUBLIC KEY-----"}"#,
);
pub const SERVER_DATE: &str = r#"{"timestamp":"1628496895102"}"#;

/// A list of country codes, abridged.
pub const COUNTRY_CODES: &str = r#"{"phoneAreaCodeDefinitions":[{"areaCode":"86","displayMapping":{"zh-TW":"中國大陸","en":"Chinese Mainland","zh-CN":"中国大陆"},"countryCode":"CN","mobileRegex":"^(\\+86){0,1}\\-?1\\d{10}$","areaCodeSuffixes":[]}],"preferredAreaCode":"CN"}"#;

/// What the tenant answers to the step of `row` when all is well.
pub fn good_answer(row: &Endpoint) -> &'static str {
    match (row.from, row.step) {
        // Documented as empty; an object gives the tests something to cut.
        (StageKind::Authenticated, "logout") => r#"{"data":null}"#,
        (StageKind::Client, "public_key") => PUBLIC_KEY,
        (StageKind::Client, "server_date") => SERVER_DATE,
        (StageKind::Client, "country_codes") => COUNTRY_CODES,
        (StageKind::Authenticated, _) => {
            r#"{"session_token":"btsiBjx85prcZu6I6Ki057Tmw3nSF2VO","expire":604800,"id_token":"eyJhbGciOi-id-token-Qs2w"}"#
        }
        (StageKind::Client, _) => CAPTCHA,
        (StageKind::Captcha, _) => r#"{"captcha_token":"71dd26999e314f9abb0c635336976635---"}"#,
        (_, "registered_mobile") => r#"{"mobile":"+86-15201657124"}"#,
        // Documented as empty; an object gives the tests something to cut.
        (_, "send_code")
        | (
            StageKind::VerifyPhone(Scenario::ResetPassword) | StageKind::VerifyEmail(Scenario::ResetPassword),
            _,
        ) => r#"{"data":null}"#,
        _ => SUCCESS,
    }
}

/// The type of the code that a stage submits, as its row has it.
pub fn send_type(stage: StageKind) -> SendType {
    let row = endpoints::ALL.iter().find(|row| row.from == stage && row.step == "submit");
    row.and_then(|row| row.send_type).unwrap_or_else(|| panic!("no step submits a code at {stage}"))
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
        // No two signatures are the same.
        let signature = format!("({} characters)", value.len());
        let value =
            if name == "x-signature" { signature.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        writeln!(text, "{name}: {value}").unwrap();
    }
    write!(text, "\n{}", String::from_utf8_lossy(request.body())).unwrap();
    text
}

/// Asserts a snapshot in the top-level `snapshots/`.
#[macro_export]
macro_rules! snapshot {
    ($folder:literal, $name:expr, $text:expr) => {
        insta::with_settings!({
            snapshot_path => support::root().join(concat!("snapshots/", $folder)),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $text) });
    };
}
