//! A run of everything that this crate does, with a marker in every input, over every transport, with success, failure and
//! malice. What is printed of it on the way is searched for the markers; [`run`] gives the result.
//!
//! Whoever records something else of a run, such as a log, calls [`run`] and looks through the record by [`Search`].

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::emulator::{Emulator, TokenKind, Unbound, User};
use idaas_login::endpoints::{self, Platform, SendType};
use idaas_login::{
    Algorithm, AnyLogin, AnyStage, Authenticated, AwaitingCode, CaptchaPass, Claims, Client, Device, Edition,
    Error, Gender, IdToken, IdTokenError, IdTokenVerifier, KeyCache, KeySet, NotAllowed, Outcome,
    PendingBind, Phase, Recovery, RegistrationAttributes, Request, Response, Resumable, SealKey, Sealer,
    Stage, StepError, Suspended, Transport, TransportError, UreqTransport, VerifyPhone, WechatCodeField,
};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::markers::{self as marks, Found, Search};
use crate::server::Authority;
use crate::{self as support, Inputs, Observer, response};

fn device() -> Device {
    let device = Device::new("windows10.1.1", marks::FINGERPRINT, "Mozilla/5.0").unwrap();
    device.with_ip(marks::IP).with_language("zh").unwrap()
}

/// The inputs of the walk, each with its marker.
const MARKED: Inputs = Inputs {
    device,
    wx_code: marks::WX_CODE,
    wx_mobile_code: marks::WX_MOBILE_CODE,
    alipay_code: marks::ALIPAY_CODE,
    phone_code: marks::PHONE_CODE,
    alipay_encrypt: marks::ALIPAY_ENCRYPT,
    app_code: marks::APP_CODE,
    access_token: marks::ACCESS_TOKEN,
    open_id: marks::OPEN_ID,
    user_name: marks::USER_NAME,
    password: marks::PASSWORD,
    new_password: marks::NEW_PASSWORD,
    nick_name: marks::NICK_NAME,
    mobile: marks::MOBILE,
    registered_mobile: marks::REGISTERED_MOBILE,
    email: marks::EMAIL,
    sms_code: marks::SMS_CODE,
    email_code: marks::EMAIL_CODE,
    second_factor_code: marks::SECOND_FACTOR_CODE,
    captcha_pass: marks::CAPTCHA_PASS,
    social_bind: r#"{"status":"SOCIAL_BIND","state_token":"mkStateToken-0","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\",\"mkMessage12\"]}"}"#,
    user_register: r#"{"status":"USER_REGISTER","state_token":"mkStateToken-0","data":"mkMessage12"}"#,
    mfa_auth: r#"{"status":"MFA_AUTH","state_token":"mkStateToken-0","data":"mkMessage12"}"#,
    password_warn: r#"{"status":"PASSWORD_WARN","state_token":"mkStateToken-0","data":"{\"minLength\":8,\"regEx\":\"mkMessage12\"}"}"#,
    password_expired: r#"{"status":"PASSWORD_EXPIRED","state_token":"mkStateToken-0","data":"mkMessage12"}"#,
    success: r#"{"status":"SUCCESS","session_token":"mkSessionToken-0","expire":432000,"id_token":"mkIdToken-0"}"#,
    captcha: r#"{"token":"mkCaptchaToken5","secretKey":"mkSecretKey40","wordList":["mkMessage12"],"originalImageBase64":"bWtNZXNzYWdlMTI="}"#,
};

// ---- What was printed

/// What was printed of the run: searched at once, so that it need not be kept.
pub struct Printed {
    search: Search,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: HashSet<String>,
    debugged: BTreeSet<String>,
    displayed: BTreeSet<String>,
    leaks: BTreeMap<Found, String>,
}

impl Printed {
    fn new() -> Self {
        Self { search: Search::new(), state: Mutex::default() }
    }

    fn text(&self, text: String) {
        assert!(!text.is_empty(), "something is printed of everything");
        let mut state = self.state.lock().unwrap();
        if state.seen.contains(&text) {
            return;
        }
        for found in self.search.found_in(&text) {
            state.leaks.entry(found).or_insert_with(|| text.clone());
        }
        state.seen.insert(text);
    }

    fn debug_as(&self, type_name: &str, value: &dyn Debug) {
        self.state.lock().unwrap().debugged.insert(short(type_name));
        self.text(format!("{value:?}"));
        self.text(format!("{value:#?}"));
    }

    /// Prints a value.
    fn debug<T: Debug>(&self, value: &T) {
        self.debug_as(type_name::<T>(), value);
    }

    /// Prints a value that has a text.
    fn both<T: Debug + Display>(&self, value: &T) {
        self.debug(value);
        self.state.lock().unwrap().displayed.insert(short(type_name::<T>()));
        self.text(value.to_string());
        self.text(format!("{value:#}"));
    }

    /// Prints an error, its causes, and the parts that callers take out of it.
    fn error_as(&self, type_name: &str, error: &(dyn StdError + 'static)) {
        self.debug_as(type_name, &error);
        self.state.lock().unwrap().displayed.insert(short(type_name));
        self.text(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            self.text(format!("{cause} {cause:?} {cause:#?}"));
            if let Some(error) = cause.downcast_ref::<Error>() {
                self.parts(error);
            }
            source = cause.source();
        }
        if let Some(error) = error.downcast_ref::<Error>() {
            self.parts(error);
        }
    }

    fn error<E: StdError + 'static>(&self, error: &E) {
        self.error_as(type_name::<E>(), error);
    }

    fn parts(&self, error: &Error) {
        match error {
            Error::InvalidInput(invalid) => self.error(invalid),
            Error::Transport(error) => {
                self.error(error);
                self.both(&error.phase());
                self.debug(&error.sent());
            }
            Error::Refused(refusal) => {
                self.error(refusal);
                self.both(refusal.code());
                self.both(&refusal.code().class());
            }
            Error::Unexpected(answer) => {
                self.error(answer);
                self.both(answer.reason());
            }
            Error::NotAllowed(method) => self.both(method),
            Error::Unsupported(unsupported) => self.error(unsupported),
            _ => {}
        }
    }

    /// What leaked, with one text in which it did.
    pub fn leaks(&self) -> BTreeMap<Found, String> {
        self.state.lock().unwrap().leaks.clone()
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "printed: {leaks:#?}");
        // A run that prints nothing proves nothing.
        let state = self.state.lock().unwrap();
        println!("{} texts of {} types", state.seen.len(), state.debugged.len());
        assert!(state.seen.len() > 200, "{} texts", state.seen.len());
    }

    /// The types that were printed by `Debug`.
    pub fn debugged(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().debugged.clone()
    }

    /// The types that were printed by `Display`.
    pub fn displayed(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().displayed.clone()
    }
}

impl Observer for Printed {
    fn value(&self, type_name: &'static str, value: &dyn Debug) {
        self.debug_as(type_name, value);
    }

    fn failure(&self, type_name: &'static str, error: &(dyn StdError + 'static)) {
        self.error_as(type_name, error);
    }
}

/// The name of a type without path and parameters.
fn short(type_name: &str) -> String {
    let outer = type_name.trim_start_matches('&').split('<').next().unwrap_or_default();
    outer.rsplit("::").next().unwrap_or_default().to_owned()
}

// ---- The run

/// Nothing was printed yet.
pub fn empty() -> Arc<Printed> {
    Arc::new(Printed::new())
}

/// A part of the run.
type Part = fn(&Arc<Printed>);

/// Runs everything.
pub fn run() -> Arc<Printed> {
    let printed = Arc::new(Printed::new());
    let parts: [(&str, Part); 14] = [
        ("builders", builders),
        ("every row by a closure", every_row_by_a_closure),
        ("every row by hand", every_row_by_hand),
        ("every row over http", every_row_over_http),
        ("faults over tls", faults_over_tls),
        ("proxies", proxies),
        ("stories in process", stories_in_process),
        ("stories over http", stories_over_http),
        ("refused inputs", refused_inputs),
        ("captchas", captchas),
        ("suspended", suspended),
        ("identity", identity),
        ("panics", panics),
        ("data", data),
    ];
    for (name, part) in parts {
        let begun = Instant::now();
        part(&printed);
        println!("{name}: {:?}", begun.elapsed());
    }
    printed
}

/// A client whose first response leads to the row's stage, and whose others are `answers`.
fn client_of(
    row: &'static endpoints::Endpoint,
    base_address: &str,
    printed: &Arc<Printed>,
    answers: impl Transport + 'static,
) -> Client {
    let first = Mutex::new(support::first_answer(row, &MARKED));
    let printed = Arc::clone(printed);
    let builder = Client::builder(base_address, support::CLIENT_ID).edition(support::edition(row));
    let builder = builder.allow_loopback_http();
    let transport = move |request: Request| {
        // The head of a request can be printed: what is secret in it is marked sensitive.
        printed.text(format!("{:?} {} {:?}", request.method(), request.uri(), request.headers()));
        if let Some(prepared) = support::prepared(row, &request) {
            return Ok(prepared);
        }
        match first.lock().unwrap().take() {
            Some(body) => Ok(response(200, body)),
            None => answers.send(request),
        }
    };
    builder.build_with(transport).unwrap()
}

fn walk(
    row: &'static endpoints::Endpoint,
    base_address: &str,
    printed: &Arc<Printed>,
    answers: impl Transport + 'static,
) {
    support::walk(row, &client_of(row, base_address, printed, answers), &MARKED, &**printed);
}

const ADDRESS: &str = "https://acme.example.com";

/// Responses that are no echo: each success, each class of failure.
const ANSWERS: &[(u16, &str)] = &[
    (200, MARKED.success),
    (200, r#"{"status":"SUCCESS","session_token":"mkSessionToken-1"}"#),
    (200, r#"{"session_token":"mkSessionToken-2","expire":604800,"id_token":"mkIdToken-2"}"#),
    (200, MARKED.social_bind),
    (200, MARKED.user_register),
    (200, MARKED.mfa_auth),
    (200, r#"{"status":"MFA_AUTH"}"#),
    (200, r#"{"mobile":"+86-15287651243"}"#),
    (200, r#"{"captcha_token":"mkCaptchaPass9"}"#),
    (200, MARKED.captcha),
    (200, support::PUBLIC_KEY),
    (200, support::SERVER_DATE),
    (200, support::COUNTRY_CODES),
    (200, ""),
    (200, "{}"),
    (200, r#"{"status":"ACCESS_DENIED","state_token":"mkStateToken-1"}"#),
    (200, MARKED.password_warn),
    (200, MARKED.password_expired),
    (200, r#"{"status":"PUSH_AUTH","state_token":"mkStateToken-1"}"#),
    (200, r#"{"status":"SUCCESS","session_token":17}"#),
    (200, r#"{"status":"SUCCESS","session_token":"mkSessionToken-1"#),
    (200, r#"{"status":"SUCCESS"}"#),
    (200, "<html>mkMessage12</html>"),
    (302, "<html>mkMessage12</html>"),
    (400, r#"{"error_code":"SDK.COMMON.1013","error_msg":"mkMessage12"}"#),
    (400, r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"mkMessage12"}"#),
    (400, r#"{"error_code":"SDK.LOGIN.1003","error_msg":"mkMessage12"}"#),
    (400, r#"{"error_code":"SDK.COMMON.1001","error_msg":"mkMessage12"}"#),
    (400, r#"{"error_code":"NEW.CODE.1","error_msg":"mkMessage12","session_token":"mkSessionToken-1"}"#),
    (400, r#"{"error_code":"mkMessage12","error_msg":"mkMessage12"}"#),
    (403, MARKED.success),
    (404, "<html>mkMessage12</html>"),
    (500, r#"{"error_code":"SDK.COMMON.1008","error_msg":"mkMessage12"}"#),
    (502, "mkMessage12"),
];

fn every_row_by_a_closure(printed: &Arc<Printed>) {
    for row in endpoints::ALL {
        for &(http_status, body) in ANSWERS {
            walk(row, ADDRESS, printed, move |_: Request| Ok(response(http_status, body)));
        }
        for shape in 0..SHAPES {
            walk(row, ADDRESS, printed, move |request: Request| Ok(echo(&request, shape)));
        }
        for phase in [Phase::Prepare, Phase::Resolve, Phase::Connect, Phase::TlsHandshake, Phase::Exchange] {
            walk(row, ADDRESS, printed, move |_: Request| {
                Err(TransportError::not_sent("refused").during(phase))
            });
        }
        walk(row, ADDRESS, printed, |_: Request| {
            Err(TransportError::maybe_sent("reset").during(Phase::Response))
        });
    }
}

/// The names of all fields of all answers.
const FIELDS: [&str; 18] = [
    "status",
    "error_code",
    "error_msg",
    "data",
    "session_token",
    "state_token",
    "id_token",
    "expire",
    "mobile",
    "captcha_token",
    "token",
    "secretKey",
    "wordList",
    "originalImageBase64",
    "public_key",
    "timestamp",
    "phoneAreaCodeDefinitions",
    "preferredAreaCode",
];

/// How many answers [`echo`] knows.
const SHAPES: usize = 4 * FIELDS.len() + 4 * VALUES;
/// How many values of a request [`echo`] gives back one by one.
const VALUES: usize = 12;

/// Every value that a request carries.
fn values(request: &Request) -> Vec<String> {
    let headers = request.headers().values();
    let mut values: Vec<_> =
        headers.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    if let Ok(Value::Object(fields)) = serde_json::from_slice(request.body()) {
        values.extend(fields.values().map(|value| value.as_str().unwrap_or_default().to_owned()));
    }
    values
}

/// The response of a server that says what it was told.
fn echo(request: &Request, shape: usize) -> Response {
    let values = values(request);
    let all = format!("{} {}", String::from_utf8_lossy(request.body()), values.join(" "));
    // Everything in one field, whatever the HTTP status says.
    if let Some(field) = FIELDS.get(shape / 4) {
        let http_status = [200, 302, 400, 500][shape % 4];
        return response(http_status, json!({ *field: all }).to_string());
    }
    let shape = shape - 4 * FIELDS.len();
    let value = values.get(shape / 4).unwrap_or(&all);
    match shape % 4 {
        0 => response(200, json!({ "status": value }).to_string()),
        1 => response(400, json!({ "error_code": value, "error_msg": value }).to_string()),
        2 => {
            let data = json!({ "socialBindOrRegisterFlow": [value, all] }).to_string();
            let status = ["SOCIAL_BIND", "USER_REGISTER", "MFA_AUTH"][shape / 4 % 3];
            let answer = json!({ "status": status, "state_token": value, "data": data, value: all });
            response(200, answer.to_string())
        }
        _ => {
            let safe: String = value.chars().filter(char::is_ascii_graphic).collect();
            let letters: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            http::Response::builder()
                .status(302)
                .header("location", format!("/{safe}"))
                .header("set-cookie", &safe)
                .header(format!("x-{letters}"), &safe)
                .body(all.into())
                .unwrap()
        }
    }
}

/// The requests, made by hand, and what waits for their answers.
fn every_row_by_hand(printed: &Arc<Printed>) {
    let client = support::client(|_: Request| Ok(response(200, MARKED.social_bind)));
    printed.debug(&client);
    let step = client.login(device()).wechat_mini_program(marks::WX_CODE);
    printed.debug(&step);
    let (request, in_flight) = step.into_request().unwrap();
    printed.debug(request.headers());
    printed.debug(&in_flight);
    printed.error(&in_flight.receive(Err(TransportError::maybe_sent("given up"))).unwrap_err());
    let one_access =
        Client::builder(ADDRESS, support::CLIENT_ID).edition(Edition::OneAccess).build_with(|_: Request| {
            Ok(response(
                200,
                support::COUNTRY_CODES.replace("CN", "mkMessage12").replace("86", "mkMessage12"),
            ))
        });
    let codes = one_access.unwrap().country_codes(&device()).send().unwrap();
    printed.debug(&codes);
    codes.entries().iter().for_each(|code| printed.debug(code));
    let captcha = client.captcha_from_token(&device(), marks::CAPTCHA_TOKEN);
    let call = captcha.solve(1.0, marks::MOBILE);
    printed.debug(&call);
    let (request, in_flight) = call.into_request().unwrap();
    printed.debug(request.headers());
    printed.debug(&in_flight);
    printed.error(&in_flight.receive(Err(TransportError::not_sent("given up"))).unwrap_err());
}

fn builders(printed: &Arc<Printed>) {
    let nowhere = || |_: Request| Err(TransportError::not_sent("nowhere"));
    for address in [
        "https://mkUserInfo83:mkProxyPassword6@acme.example.com",
        "https://acme.example.com/mkUserInfo83",
        "https://acme.example.com?mkUserInfo83",
        "https://acme.example.com#mkUserInfo83",
        "http://mkUserInfo83.example.com",
        "mkUserInfo83://acme.example.com",
        "https://mkUserInfo83 .example.com",
        "https://acme.example.com:mkUserInfo83",
    ] {
        let builder = Client::builder(address, "an-id");
        printed.debug(&builder);
        printed.error(&builder.build_with(nowhere()).unwrap_err());
    }
    printed.error(&Client::builder(ADDRESS, "mkUserInfo83\n").build_with(nowhere()).unwrap_err());
    printed.debug(&Edition::OneAccessIsv { tenant_id: "a-tenant".to_owned() });
    printed.debug(&WechatCodeField::WchatCode);
    printed.debug(&device());
    printed.error(&Device::new("windows", &format!("{}\n", marks::FINGERPRINT), "x").unwrap_err());
    printed.error(&device().with_language("mkMessage12\n").unwrap_err());

    for proxy in [
        "http://mkUserInfo83:mkProxyPassword6@127.0.0.1:9",
        "ftp://a:mkProxyPassword6@b",
        "mkProxyPassword6 :",
    ] {
        let builder = UreqTransport::builder().proxy(proxy);
        printed.debug(&builder);
        match builder.build() {
            Ok(transport) => printed.debug(&transport),
            Err(error) => printed.error(&error),
        }
    }
    printed.error(&UreqTransport::builder().root_certificates_pem("mkMessage12").build().unwrap_err());

    for row in endpoints::ALL {
        printed.debug(*row);
        printed.both(&row.from);
        printed.both(&row.verb);
        printed.debug(&row.credential);
        row.platform.iter().for_each(|platform| printed.debug(platform));
        row.origin().iter().for_each(|origin| printed.debug(origin));
        row.send_type.iter().for_each(|send_type| printed.debug(send_type));
        for field in row.all_fields() {
            printed.debug(field);
            printed.debug(&field.kind);
        }
        if let Some(scenario) = support::scenario(row.from) {
            printed.debug(&scenario);
        }
    }
    for narrowing in endpoints::NARROWINGS {
        printed.debug(narrowing);
    }
}

/// What is refused before it is sent.
fn refused_inputs(printed: &Arc<Printed>) {
    let client = support::client(|_: Request| Ok(response(200, MARKED.social_bind)));
    let stage = || support::pending_bind(&client);
    let fail = |failed: &StepError<PendingBind>| printed.error(failed);
    fail(&stage().username_password(format!("{}\n", marks::USER_NAME), marks::PASSWORD).send().unwrap_err());
    fail(&stage().username_password("", marks::PASSWORD).send().unwrap_err());
    fail(&stage().wechat_mobile(format!("{}\n.", marks::PHONE_CODE)).send().unwrap_err());
    let login = client.login(device());
    printed.error(&login.wechat_mini_program(format!("{}\n.", marks::WX_CODE)).send().unwrap_err());
    let phone = stage().phone(format!("{}\n", marks::MOBILE)).unwrap();
    printed.error(&phone.submit(marks::SMS_CODE).send().unwrap_err());
    let phone = stage().phone(marks::MOBILE).unwrap();
    let pass = CaptchaPass::from_token(marks::EMAIL, marks::CAPTCHA_PASS);
    printed.debug(&pass);
    printed.error(&phone.send_code(&pass).send().unwrap_err());
    // A state token that no header can carry.
    let broken = r#"{"status":"SOCIAL_BIND","state_token":"mkStateToken-\n0"}"#;
    let broken = support::client(support::always(200, broken));
    printed.error(&broken.login(device()).wechat_mini_program(marks::WX_CODE).send().unwrap_err());
    // A step that the edition does not have.
    let eiam = Client::builder(ADDRESS, "an-id")
        .edition(Edition::Eiam)
        .build_with(support::always(200, ""))
        .unwrap();
    let unsupported = eiam.login(device()).alipay_mini_program(marks::ALIPAY_CODE).send().unwrap_err();
    printed.error(&unsupported);
    printed.both(&unsupported.advice());
    // A way that is not allowed.
    let none = r#"{"status":"SOCIAL_BIND","state_token":"mkStateToken-0","data":"{\"socialBindOrRegisterFlow\":[\"mkMessage12\"]}"}"#;
    let none = support::client(support::always(200, none));
    let refused: NotAllowed<_> = support::pending_bind(&none).phone(marks::MOBILE).unwrap_err();
    printed.error(&refused);
    printed.error(&Error::from(refused));
}

/// What an echo puts into `data`.
fn data(printed: &Arc<Printed>) {
    for value in ["VERIFY_PHONE", "VERIFY_FACE", marks::SMS_CODE, marks::EMAIL_CODE, "mkStateToken-1"] {
        let data = json!({ "socialBindOrRegisterFlow": [value] }).to_string();
        let answer = json!({ "status": "SOCIAL_BIND", "state_token": "mkStateToken-0", "data": data });
        let stage = support::pending_bind(&support::client(support::always(200, &answer.to_string())));
        printed.debug(stage.state_token());
        printed.debug(stage.allowed_flows());
        for method in stage.allowed_flows().listed().unwrap() {
            printed.both(method);
        }
        printed.debug(stage.client());
        printed.debug(stage.device());
    }
}

// ---- Over HTTP

/// What a server does with a request.
type Act = fn(&str) -> String;

/// Responses over a real connection. What follows the response is always the end of the connection.
const ACTS: &[Act] = &[
    |heard| answer("400 Bad Request", "", &json!({ "error_code": heard, "error_msg": heard }).to_string()),
    |heard| answer("200 OK", "", &json!({ "status": heard }).to_string()),
    |heard| answer("200 OK", "", &json!({ "status": "SUCCESS", "session_token": heard }).to_string()),
    |heard| answer("500 Oops", "", heard),
    |heard| answer(&format!("404 {heard}"), "", ""),
    |heard| answer("302 Found", &format!("location: /{}\r\n", heard.replace(' ', "")), ""),
    |heard| {
        answer(
            "302 Found",
            &format!("set-cookie: a={heard}\r\nserver: {heard}\r\nx-echo: {heard}\r\n"),
            heard,
        )
    },
    |heard| answer("200 OK", &format!("{heard}: x\r\n"), ""),
    |heard| {
        answer(
            "200 OK",
            &format!("content-type: text/plain; charset={heard}\r\ncontent-encoding: {heard}\r\n"),
            heard,
        )
    },
    |heard| format!("HTTP/1.1 {heard}\r\n\r\n"),
    |heard| format!("{heard}\r\n\r\n"),
    |heard| format!("HTTP/1.1 200 OK\r\ncontent-length: {heard}\r\n\r\n{heard}"),
    |heard| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{heard}\r\n{heard}"),
    |heard| format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{heard}"),
    |heard| format!("HTTP/1.1 200 OK\r\n{}", heard.replace(' ', "\r\n")),
    |heard| format!("HTTP/1.1 100 Continue\r\nx: {heard}\r\n\r\n"),
    |_| String::new(),
];

fn answer(http_status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {http_status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A server that gives each connection one act, and stops when it is dropped.
struct Server {
    port: u16,
    act: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The longest that a server or a client waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

impl Server {
    fn new(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (act, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (acts, stopped) = (Arc::clone(&act), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let act = ACTS.get(acts.load(Ordering::SeqCst));
                // A client that does not like it hangs up: that is its response, not an error of the server's.
                let _ = match &tls {
                    None => serve(&stream, act),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        serve(StreamOwned::new(connection, &stream), act)
                    }
                };
                let _ = stream.shutdown(Shutdown::Write);
            }
        });
        Self { port, act, stop, thread: Some(thread) }
    }

    fn address(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes it up, so that it sees that it has to stop.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Hears a request and acts. Without an act it hears the head alone and hangs up, which resets the connection.
fn serve(mut stream: impl Read + Write, act: Option<&Act>) -> std::io::Result<()> {
    let mut heard = Vec::new();
    let mut byte = [0];
    while !heard.ends_with(b"\r\n\r\n") && heard.len() < 10_000 {
        stream.read_exact(&mut byte)?;
        heard.push(byte[0]);
        // A TLS handshake is no request: there is nothing to wait for.
        if heard == [0x16] {
            return Ok(());
        }
    }
    let Some(act) = act else { return Ok(()) };
    let lower = String::from_utf8_lossy(&heard).to_ascii_lowercase();
    let length =
        lower.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    heard.extend(body);
    // In one line, so that it fits into a status line or a header.
    let heard: Vec<_> = String::from_utf8_lossy(&heard).split_whitespace().map(str::to_owned).collect();
    stream.write_all(act(&heard.join(" ")).as_bytes())?;
    stream.flush()
}

fn every_row_over_http(printed: &Arc<Printed>) {
    let server = Server::new(None);
    let transport = UreqTransport::builder().call_timeout(PATIENCE).build().unwrap();
    let agents = UreqTransport::from_config(ureq::Agent::new_with_defaults().config()).unwrap();
    for row in endpoints::ALL {
        for act in 0..=ACTS.len() {
            server.act.store(act, Ordering::SeqCst);
            walk(row, &server.address("http"), printed, transport.clone());
        }
        walk(row, &server.address("http"), printed, agents.clone());
    }
    let address = server.address("http");
    drop(server);
    // Nobody is there any more.
    for row in endpoints::ALL {
        walk(row, &address, printed, transport.clone());
    }
}

fn faults_over_tls(printed: &Arc<Printed>) {
    let row = endpoints::ALL.iter().find(|row| row.step == "username_password").unwrap();
    let builder = || UreqTransport::builder().call_timeout(PATIENCE);
    let authority = Authority::new();
    let server = Server::new(Some(authority.good_server()));
    let trusting = builder().root_certificates_pem(authority.0.pem()).build().unwrap();
    for act in 0..=ACTS.len() {
        server.act.store(act, Ordering::SeqCst);
        walk(row, &server.address("https"), printed, trusting.clone());
    }
    // A certificate that nobody vouches for, one for another host, and no TLS at all.
    walk(row, &server.address("https"), printed, builder().build().unwrap());
    let server = Server::new(Some(authority.server("other.example.com", 4000, rustls::ALL_VERSIONS)));
    walk(row, &server.address("https"), printed, trusting);
    let server = Server::new(None);
    walk(row, &server.address("https"), printed, builder().build().unwrap());
}

/// Proxies that want a password, and say which they were given.
fn proxies(printed: &Arc<Printed>) {
    let row = endpoints::ALL.iter().find(|row| row.step == "username_password").unwrap();
    let server = Server::new(None);
    let proxy = format!("http://mkUserInfo83:{}@127.0.0.1:{}", marks::PROXY_PASSWORD, server.port);
    let transport = UreqTransport::builder().call_timeout(PATIENCE).proxy(proxy).build().unwrap();
    printed.debug(&transport);
    for act in 0..=ACTS.len() {
        server.act.store(act, Ordering::SeqCst);
        walk(row, "https://127.0.0.1:9", printed, transport.clone());
    }
}

// ---- Stories: whole logins at a tenant

/// A tenant whose every token has a marker, each generation its own.
fn tenant() -> Emulator {
    let generation = Cell::new(0);
    let tenant = Emulator::new().with_tokens(move |kind| {
        generation.set(generation.get() + 1);
        let mark = match kind {
            TokenKind::State => marks::STATE_TOKEN,
            TokenKind::Session => marks::SESSION_TOKEN,
            _ => marks::ID_TOKEN,
        };
        format!("{mark}{}", generation.get())
    });
    tenant.configure(|settings| settings.refresh_sessions = true);
    let user = User::new(marks::USER_NAME).password(marks::PASSWORD).name(marks::CLAIM);
    tenant.add_user(user.mobile(marks::MOBILE).email(marks::EMAIL).second_factor());
    tenant
}

fn stories_in_process(printed: &Arc<Printed>) {
    let tenant = tenant();
    printed.debug(&tenant);
    stories(printed, &tenant, &tenant.client().unwrap());
}

fn stories_over_http(printed: &Arc<Printed>) {
    let tenant = tenant();
    let server = tenant.start().unwrap();
    printed.debug(&server);
    stories(printed, &tenant, &server.client_builder().build().unwrap());
}

/// Prints what a step led to, or its failure, and gives the stage that came back.
fn failed<S: Stage, N: Debug>(printed: &Printed, result: Result<N, StepError<S>>) -> S {
    let error = result.unwrap_err();
    printed.error(&error);
    let recovery = error.into_recovery();
    printed.debug(&recovery);
    match recovery {
        Recovery::Retry(stage) => stage,
        other => panic!("{other:?}"),
    }
}

fn log_in(printed: &Printed, tenant: &Emulator, client: &Client) -> Outcome {
    tenant.accept_login_code(Platform::WeChatMiniProgram, marks::WX_CODE, "an-openid");
    let outcome = client.login(device()).wechat_mini_program(marks::WX_CODE).send().unwrap();
    printed.debug(&outcome);
    outcome
}

fn stories(printed: &Arc<Printed>, tenant: &Emulator, client: &Client) {
    // Wrong password, right password, second factor by a wrong code and the right one, session, renewals.
    let Outcome::PendingBind(stage) = log_in(printed, tenant, client) else { panic!("it is not bound") };
    let stage = failed(printed, stage.username_password(marks::USER_NAME, "mkPass-wrong").send());
    let outcome = stage.username_password(marks::USER_NAME, marks::PASSWORD).send().unwrap();
    printed.debug(&outcome);
    let Outcome::MfaRequired(stage) = outcome else { panic!("a second factor is due") };
    let mobile = stage.registered_mobile().send().unwrap();
    printed.debug(&mobile);
    let stage = stage.phone(mobile);
    printed.debug(&stage);
    let pass = solved(printed, tenant, client, stage.destination());
    stage.send_code(&pass).send().unwrap();
    tenant.accept_code(stage.destination(), SendType::MfaAuthSms, marks::SMS_CODE);
    let stage = failed(printed, stage.submit(marks::SECOND_FACTOR_CODE).send());
    let outcome = stage.submit(marks::SMS_CODE).send().unwrap();
    printed.debug(&outcome);
    let Outcome::Authenticated(user) = outcome else { panic!("both factors were right") };
    let mut user = session(printed, user);
    for _ in 0..3 {
        user = session(printed, user.renew_id_token().send().unwrap());
    }
    tenant.end_session(user.session_token().expose());
    printed.error(&user.renew_id_token().send().unwrap_err());

    // Registration, by e-mail.
    tenant.configure(|settings| settings.unbound = Unbound::Register);
    tenant.accept_login_code(Platform::WeChatMiniProgram, marks::WX_CODE, "another-openid");
    let outcome = client.login(device()).wechat_mini_program(marks::WX_CODE).send().unwrap();
    let Outcome::PendingRegister(stage) = outcome else { panic!("{outcome:?}") };
    let stage = stage.email(marks::EMAIL).unwrap();
    printed.debug(&stage);
    tenant.accept_code(marks::EMAIL, SendType::RegisterEms, marks::EMAIL_CODE);
    printed.debug(&stage.submit(marks::EMAIL_CODE).send().unwrap());

    // A state token that is too old.
    tenant.accept_login_code(Platform::WeChatMiniProgram, marks::WX_CODE, "a-third-openid");
    let outcome = client.login(device()).wechat_mini_program(marks::WX_CODE).send().unwrap();
    let Outcome::PendingRegister(stage) = outcome else { panic!("{outcome:?}") };
    tenant.advance(Duration::from_secs(3600));
    let error = stage.wechat_mobile(marks::PHONE_CODE).send().unwrap_err();
    printed.error(&error);
    printed.debug(&error.into_recovery());
}

fn session(printed: &Printed, user: Authenticated) -> Authenticated {
    printed.debug(&user);
    printed.debug(user.session_token());
    printed.debug(user.id_token().unwrap());
    // It is no token that can be read.
    printed.error(&user.id_token().unwrap().unverified_claims().unwrap_err());
    user
}

fn solved(printed: &Printed, tenant: &Emulator, client: &Client, sender: &str) -> CaptchaPass {
    let captcha = client.captcha(&device()).send().unwrap();
    printed.debug(&captcha);
    printed.debug(captcha.token());
    printed.debug(captcha.picture().unwrap());
    let x = tenant.captcha_solution(captcha.token().expose()).unwrap();
    let pass = captcha.solve(x, sender).send().unwrap();
    printed.debug(&pass);
    pass
}

fn captchas(printed: &Arc<Printed>) {
    let client = support::client(support::always(200, MARKED.captcha));
    let captcha = client.captcha(&device()).send().unwrap();
    printed.debug(&captcha);
    printed.debug(captcha.picture().unwrap());
    printed.error(&captcha.solve(-1.0, marks::MOBILE).send().unwrap_err());
    printed.error(&captcha.solve(f64::NAN, "").send().unwrap_err());
    printed.error(&captcha.solve(1.0, format!("{}\n", marks::MOBILE)).send().unwrap_err());
    let broken = r#"{"token":"mkCaptchaToken5","originalImageBase64":"mkSecretKey40!"}"#;
    printed.error(&support::client(support::always(200, broken)).captcha(&device()).send().unwrap_err());
}

// ---- Between requests

fn suspended(printed: &Arc<Printed>) {
    let tenant = tenant();
    let client = tenant.client().unwrap();
    let key = |id: u32, text: &str| SealKey::new(id, text.as_bytes()).unwrap();
    printed.error(&SealKey::new(1, &marks::SEAL_KEY.as_bytes()[..20]).unwrap_err());
    printed.error(&SealKey::new(1, &[7; 32]).unwrap_err());
    printed.debug(&key(1, marks::SEAL_KEY));
    let sealer = Sealer::new(key(1, marks::SEAL_KEY), Duration::from_secs(60));
    printed.debug(&sealer);

    let Outcome::PendingBind(stage) = log_in(printed, &tenant, &client) else { panic!("it is not bound") };
    let suspended = stage.phone(marks::MOBILE).unwrap().suspend();
    printed.debug(&suspended);
    printed.debug(&client.resume::<AnyStage>(suspended.clone()).unwrap());
    printed.debug(&client.resume::<AwaitingCode>(suspended.clone()).unwrap());
    let handle = sealer.seal(&suspended, marks::CONTEXT.as_bytes()).unwrap();
    printed.error(&sealer.seal(&suspended, b"").unwrap_err());
    let tampered = format!("{}AA{}", &handle[..60], &handle[62..]);
    let expired = sealer.clone().clock(|| UNIX_EPOCH);
    let expired = expired.seal(&suspended, marks::CONTEXT.as_bytes()).unwrap();
    let other_key = Sealer::new(key(2, marks::SEAL_KEY), Duration::from_secs(60));
    for (sealer, handle, context) in [
        (&sealer, handle.as_str(), "another context"),
        (&sealer, tampered.as_str(), marks::CONTEXT),
        (&sealer, expired.as_str(), marks::CONTEXT),
        (&other_key, handle.as_str(), marks::CONTEXT),
        (&sealer, "AAAA", marks::CONTEXT),
        (&sealer, &format!("_w{}", &handle[2..]), marks::CONTEXT),
        (&sealer, "mkStateToken-mkStateToken-mkStateToken", marks::CONTEXT),
    ] {
        let error = sealer.open(handle, context.as_bytes()).unwrap_err();
        printed.error(&error);
        printed.error(error.reason());
    }

    let opened = sealer.open(&handle, marks::CONTEXT.as_bytes()).unwrap();
    printed.debug(&client.resume::<VerifyPhone<PendingBind>>(opened.clone()).unwrap());
    let resumed = client.resume_any::<idaas_login::WeChatMiniProgram>(opened.clone()).unwrap();
    printed.debug(&resumed);
    let other_tenant = support::client(support::always(200, ""));
    resume_error::<PendingBind>(printed, &client, opened.clone());
    resume_error::<VerifyPhone<PendingBind>>(printed, &other_tenant, opened.clone());
    let mut newer = opened.to_bytes().to_vec();
    newer[1] = 200;
    resume_error::<PendingBind>(printed, &client, Suspended::from_bytes(&newer));
    for cut in 0..opened.to_bytes().len() {
        let cut = Suspended::from_bytes(&opened.to_bytes()[..cut]);
        printed.debug(&cut);
        resume_error::<VerifyPhone<PendingBind>>(printed, &client, cut);
    }
    // By serde: what cannot be read is not quoted.
    for text in ["\"mkStateToken-0!\"", "\"mkStateToken\"", "{\"mkStateToken-\":1}", "17"] {
        if let Err(error) = serde_json::from_str::<Suspended>(text) {
            printed.text(format!("{error} {error:?}"));
        }
    }

    // What has no account yet, with all that it was given.
    let attributes = RegistrationAttributes::new()
        .user_name(marks::USER_NAME)
        .password(marks::NEW_PASSWORD)
        .nick_name(marks::NICK_NAME)
        .gender(Gender::Unknown)
        .extension(json!({ "note": marks::MESSAGE }));
    printed.debug(&Gender::Unknown);
    printed.debug(&attributes);
    let stage = client.login(device()).register(attributes).phone(marks::MOBILE);
    printed.debug(&client.resume::<AnyLogin>(stage.suspend()).unwrap());
    let stage = client.login(device()).reset_password().email(marks::EMAIL);
    printed.debug(&client.resume::<AnyLogin>(stage.suspend()).unwrap());

    // What the tenant says of passwords.
    let warned = support::client(support::always(200, MARKED.password_warn));
    let Outcome::PasswordExpiring(stage) = support::log_in(&warned) else { panic!("PASSWORD_WARN") };
    printed.debug(stage.policy().unwrap());
    printed.debug(&warned.resume::<AnyLogin>(stage.suspend()).unwrap());

    // A step that is unresolved, put down.
    let lost = support::client(support::script(vec![
        Ok(response(200, MARKED.social_bind)),
        Err(TransportError::maybe_sent("reset")),
    ]));
    let error = support::pending_bind(&lost).wechat_mobile(marks::PHONE_CODE).send().unwrap_err();
    let Recovery::Unresolved(unresolved) = error.into_recovery() else { panic!("it may have been sent") };
    printed.debug(&unresolved);
    let resumed = lost.resume_any::<idaas_login::WeChatMiniProgram>(unresolved.suspend()).unwrap();
    printed.debug(&resumed);
    let idaas_login::Resumed::Unresolved(any) = resumed else { panic!("{resumed:?}") };
    printed.debug(&any);
    printed.debug(&any.start_over());
}

fn resume_error<S: Resumable + Debug>(printed: &Printed, client: &Client, suspended: Suspended) {
    let error = client.resume::<S>(suspended).unwrap_err();
    printed.error(&error);
    printed.error(error.reason());
    if let idaas_login::ResumeReason::OtherStage(found) = error.reason() {
        printed.both(found);
    }
}

// ---- Identity

const ISSUER: &str = "https://acme.example.com/api/v1/oauth2";
const NOW: u64 = 1_646_876_579;

fn signing_key() -> ring::rsa::KeyPair {
    ring::rsa::KeyPair::from_pkcs8(crate::keys::ONE).unwrap()
}

/// A token whose header and payload are these.
pub fn signed(header: &str, payload: &str) -> String {
    let encode = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
    let text = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
    let key = signing_key();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", encode(&signature))
}

/// The key set that [`signed`] tokens are verified by.
pub fn key_set() -> String {
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = signing_key().public().into();
    let encode = |bytes: Vec<u8>| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    json!({ "keys": [{ "kty": "RSA", "kid": "k1", "n": encode(public.n), "e": encode(public.e) }] })
        .to_string()
}

pub const HEADER: &str = r#"{"alg":"RS256","kid":"k1"}"#;

/// Good claims, each with a marker where one can be.
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": support::CLIENT_ID, "azp": support::CLIENT_ID, "sub": "mkClaim-sub",
        "iat": NOW, "exp": NOW + 7200, "nbf": NOW - 120, "jti": "mkClaim-jti",
        "id": "mkClaim-id", "userName": "mkClaim-user", "name": "mkClaim-李雷", "mobile": marks::MOBILE,
        "email": marks::EMAIL, "mkClaim-name": { "mkClaim-inner": ["mkClaim-list"] },
        "api": "{\"id\":\"mkClaim-api\",\"mobile\":\"mkClaim-mobile\"}",
    })
}

/// A verifier of [`signed`] tokens, at their time.
pub fn verifier() -> IdTokenVerifier {
    let keys = KeySet::from_json(key_set().as_bytes()).unwrap();
    IdTokenVerifier::with_keys(ISSUER, support::CLIENT_ID, keys)
        .clock(|| UNIX_EPOCH + Duration::from_secs(NOW))
}

fn identity(printed: &Arc<Printed>) {
    let verifier = verifier();
    printed.debug(&verifier);
    printed.debug(&Algorithm::Rs256);
    let good = IdToken::from_text(&signed(HEADER, &claims().to_string()));
    printed.debug(&good);
    let claims_of_good: Claims = verifier.verify(&good).unwrap();
    printed.debug(&claims_of_good);

    let mut tokens =
        vec![String::new(), "mkIdToken-0".to_owned(), "mkIdToken-0.mkIdToken-0.mkIdToken-0".to_owned()];
    for (name, value) in [
        ("iss", json!("mkClaim-iss")),
        ("iss", Value::Null),
        ("aud", json!(["mkClaim-aud"])),
        ("aud", json!({ "mkClaim-aud": "mkClaim-aud" })),
        ("azp", json!("mkClaim-azp")),
        ("exp", json!(1)),
        ("exp", json!("mkClaim-exp")),
        ("iat", json!(NOW + 100_000)),
        ("nbf", json!(NOW + 100_000)),
        ("sub", json!("")),
        ("sub", json!({ "mkClaim-sub": 1 })),
        ("mobile", json!(["mkClaim-mobile"])),
        ("api", json!("mkClaim-api")),
    ] {
        let mut claims = claims();
        claims[name] = value;
        tokens.push(signed(HEADER, &claims.to_string()));
    }
    let payload = claims().to_string();
    for header in [
        r#"{"alg":"mkClaim-alg","kid":"mkClaim-kid"}"#,
        r#"{"alg":"RS256","kid":"mkClaim-kid"}"#,
        r#"{"alg":"RS256","kid":"k1","crit":["mkClaim-crit"],"mkClaim-crit":1}"#,
        r#"{"alg":"RS256","kid":"k1","typ":"mkClaim-typ"}"#,
        r#"{"alg":"RS256","kid":"k1","cty":"JWT"}"#,
        r#"{"alg":"RS256","kid":"k1","b64":false}"#,
        r#"{"alg":"none","mkClaim-x":"mkClaim-y"}"#,
        r#"["mkClaim-header"]"#,
    ] {
        tokens.push(signed(header, &payload));
    }
    tokens.push(signed(HEADER, r#"{"sub":"mkClaim-sub","sub":"mkClaim-sub"}"#));
    tokens.push(signed(HEADER, "mkClaim-payload"));
    let text = good.expose();
    tokens.push(format!("{}AAAA", &text[..text.len() - 4]));
    tokens.push(format!("{text}!"));
    tokens.push(format!("!{text}"));

    let keys = KeySet::from_json(key_set().as_bytes()).unwrap();
    printed.debug(&keys);
    for token in &tokens {
        print_identity(printed, verifier.verify(&IdToken::from_text(token)));
        print_identity(printed, IdToken::from_text(token).unverified_claims());
        keys.verify_with(token, &[Algorithm::Rs256, Algorithm::Es256])
            .map_or_else(|error| printed.error(&error), drop);
    }
    for set in [
        "mkClaim-set",
        r#"{"keys":"mkClaim-set"}"#,
        r#"["mkClaim-set"]"#,
        r#"{"keys":["mkClaim-set",{"kty":"mkClaim-kty"},{"kty":"RSA","kid":"mkClaim-kid","n":"mkClaim-n","e":"AQAB"}]}"#,
    ] {
        match KeySet::from_json(set.as_bytes()) {
            Ok(set) => printed.debug(&set),
            Err(error) => printed.error(&error),
        }
    }
    caches(printed, &good);
}

/// Keys that cannot be fetched, for one reason or another.
fn caches(printed: &Arc<Printed>, token: &IdToken) {
    let answers: [fn(Request) -> Result<Response, TransportError>; 6] = [
        |_| Ok(response(200, key_set())),
        |_| Ok(response(500, "mkMessage12")),
        |_| Ok(response(200, "mkMessage12")),
        |_| Ok(response(200, r#"{"keys":[{"kty":"mkMessage12"}]}"#)),
        |_| Err(TransportError::not_sent("refused")),
        |_| Err(TransportError::maybe_sent("reset")),
    ];
    for answer in answers {
        let client = support::client(answer);
        let builder = KeyCache::builder(&client);
        printed.debug(&builder);
        let cache = builder.build();
        printed.debug(&cache);
        let verifier = IdTokenVerifier::with_cache(cache.clone()).unwrap();
        printed.debug(&verifier);
        for _ in 0..2 {
            print_identity(printed, verifier.verify(token));
        }
        printed.debug(&cache);
        printed.debug(&cache.status());
    }
}

fn print_identity(printed: &Printed, result: Result<Claims, IdTokenError>) {
    match result {
        Ok(claims) => printed.debug(&claims),
        Err(error) => {
            printed.error(&error);
            if let IdTokenError::Malformed(how) = &error {
                printed.error(how);
            }
        }
    }
}

// ---- Panics

thread_local! {
    /// What the panics of this thread say, if they are recorded.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Records the panics of this thread during `run`.
pub fn panics_of(run: impl FnOnce()) -> Vec<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_recorded = PANICS.with_borrow_mut(|panics| match panics {
                Some(panics) => {
                    panics.push(info.to_string());
                    true
                }
                None => false,
            });
            if !is_recorded {
                others(info);
            }
        }));
    });
    PANICS.set(Some(Vec::new()));
    run();
    PANICS.take().unwrap_or_default()
}

/// A user's transport that panics, at every row.
pub fn panicking(
    printed: &Arc<Printed>,
    transport: fn(Request) -> Result<Response, TransportError>,
) -> Vec<String> {
    panics_of(|| {
        for row in endpoints::ALL {
            // Whether the panic goes on or becomes an error, neither says more than the transport said.
            let _ = catch_unwind(AssertUnwindSafe(|| walk(row, ADDRESS, printed, transport)));
        }
    })
}

fn panics(printed: &Arc<Printed>) {
    // The head of a request may be in a message.
    let messages = panicking(printed, |request| {
        panic!("cannot send {:?} {} with {:?}", request.method(), request.uri(), request.headers())
    });
    assert!(messages.len() >= endpoints::ALL.len(), "{messages:?}");
    for message in messages {
        printed.text(message);
    }
    // Nor does what the library makes of it repeat a message that should not have been written.
    drop(panicking(printed, |request| panic!("cannot send {request:?}")));
}
