//! The same stages from asynchronous code: a service on axum that a mini program talks to.
//!
//! `cargo run --example async_backend` starts an emulated tenant and the service, and plays the mini program.
//!
//! The two functions that drive the library are [`step`] and [`call`]; [`Http`] is the asynchronous client under them; the
//! handlers after them are the service. Between two requests the state is with the mini program, in a sealed handle.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Json, State};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use idaas_login::emulator::{Emulator, User};
use idaas_login::endpoints::Platform;
use idaas_login::{
    Advice, AnyStage, Authenticated, AwaitingCode, Call, CaptchaImage, Client, ClientBuilder, Device, Error,
    IdTokenError, IdTokenVerifier, Next, Outcome, PendingBind, Phase, Reply, Request, Response, Resumable,
    SealKey, Sealer, Stage, Step, StepError, Suspended, TransportError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{self, Handle};
use zeroize::Zeroizing;

type Result<T, E = Box<dyn StdError + Send + Sync>> = std::result::Result<T, E>;

// ---------------------------------------------------------------------------------------------------------------------
// Driving the library: any step, any call.

/// Sends a step. What it means that there is no answer is the library's to say, in `receive`.
///
/// The future owns the stage. If it is dropped, the stage is gone, and what the tenant did meanwhile nobody here knows.
/// Whoever holds the sealed handle of the stage has lost nothing by it: see [`password`].
pub(crate) async fn step<S: Stage, N: Next<S>>(http: &Http, step: Step<S, N>) -> Result<N, StepError<S>> {
    step.send_with(|request| http.send(request)).await
}

/// Sends a side call, which leaves the stage where it is.
pub(crate) async fn call<T: Reply>(http: &Http, call: Call<T>) -> Result<T, Error> {
    call.send_with(|request| http.send(request)).await
}

/// An asynchronous HTTP client that holds what the library asks of a transport.
///
/// One for the whole process: the clones share the connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    call_timeout: Duration,
    max_answer_size: usize,
}

impl Http {
    pub(crate) fn new(call_timeout: Duration, max_answer_size: usize) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(5)));
        // Plain HTTP is for the emulator: the library makes no client for http:// to another machine.
        let tls = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1();
        let client = legacy::Client::builder(TokioExecutor::new())
            // Never again, not even what was not begun on a connection from the pool: that is for the user to decide.
            .retry_canceled_requests(false)
            // Which is why connections that the other side may be about to close are not kept: a request that meets one
            // counts as maybe sent.
            .pool_idle_timeout(Duration::from_secs(10))
            .pool_timer(TokioTimer::new())
            .build(tls.wrap_connector(tcp));
        Self { client, call_timeout, max_answer_size }
    }

    /// Sends a request once. A redirect is an answer like any other: this client follows none.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, TransportError> {
        // The body holds secrets: it is wiped when the last owner has sent it.
        let request = request.map(|body| Full::new(Bytes::from_owner(Zeroizing::new(body))));
        match tokio::time::timeout(self.call_timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            // It may have been reached while connecting; only what is proved is not sent.
            Err(_) => Err(TransportError::maybe_sent(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    async fn exchange(&self, request: http::Request<Full<Bytes>>) -> Result<Response, TransportError> {
        let answer = self.client.request(request).await.map_err(|error| {
            // Errors of the connector are from before there was a connection, TLS included: nothing was written. All
            // others are from after that, or do not say.
            if error.is_connect() {
                TransportError::not_sent(error).during(Phase::Connect)
            } else {
                TransportError::maybe_sent(error)
            }
        })?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, self.max_answer_size).collect().await;
        // Cut off or too large: the tenant has carried out whatever it was.
        let body = body.map_err(|error| TransportError::maybe_sent(error).during(Phase::Answer))?;
        Ok(Response::from_parts(parts, body.to_bytes().into()))
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The service.

/// What all handlers share. It holds nothing about any user.
pub(crate) struct Backend {
    client: Client,
    http: Http,
    sealer: Sealer,
    verifier: IdTokenVerifier,
}

impl Backend {
    /// A service for the tenant that `client` is a builder for. `runtime` is where `http` lives.
    pub(crate) fn new(
        client: ClientBuilder,
        sealer: Sealer,
        http: Http,
        runtime: Handle,
    ) -> Result<Self, Error> {
        // The client's own transport is for what blocks: the key cache, on a thread for blocking work. It goes over the same
        // asynchronous client. A step that is sent by `send()` on the runtime panics here, instead of stopping all others.
        let blocking = http.clone();
        let client = client.build_with(move |request: Request| runtime.block_on(blocking.send(request)))?;
        let verifier = IdTokenVerifier::new(&client)?;
        Ok(Self { client, http, sealer, verifier })
    }

    pub(crate) fn router(self) -> axum::Router {
        axum::Router::new()
            .route("/login", post(login))
            .route("/password", post(password))
            .route("/mobile", post(mobile))
            .route("/phone", post(phone))
            .route("/captcha", post(captcha))
            .route("/send-code", post(send_code))
            .route("/submit", post(submit))
            .route("/me", post(me))
            .with_state(Arc::new(self))
    }

    fn open(&self, handle: &str, session: &Session) -> Result<Suspended, Problem> {
        // Why it does not open is for the log; whoever sent it learns only that it does not.
        self.sealer.open(handle, &session.0).map_err(|error| Problem::bad_request(&error))
    }

    fn resume<S: Resumable>(&self, handle: &str, session: &Session) -> Result<S, Problem> {
        self.client.resume(self.open(handle, session)?).map_err(|error| Problem::bad_request(&error))
    }

    fn reached(&self, outcome: Outcome, session: &Session) -> Answer {
        let stage = match &outcome {
            Outcome::Authenticated(_) => "authenticated",
            Outcome::PendingBind(_) => "pending_bind",
            Outcome::PendingRegister(_) => "pending_register",
            Outcome::MfaRequired(_) => "mfa_required",
        };
        self.put_down(stage, &outcome.suspend(), session)
    }

    /// The answer of every handler that moves the flow: the stage's name, and the stage itself, sealed.
    fn put_down(&self, stage: &str, suspended: &Suspended, session: &Session) -> Answer {
        let handle = self.sealer.seal(suspended, &session.0).map_err(|error| Problem {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            then: Advice::TellOperator.name(),
            error: error.to_string(),
        })?;
        Ok(Json(json!({ "stage": stage, "handle": handle })))
    }
}

type Shared = State<Arc<Backend>>;
type Answer = Result<Json<Value>, Problem>;

/// The mini program's session with this service, which every handle is bound to: stolen without it, a handle does not open.
pub(crate) struct Session(Vec<u8>);

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // A real service would look it up here.
        match parts.headers.get("x-session").map(http::HeaderValue::as_bytes) {
            Some(session) if session.len() >= 16 => Ok(Self(session.to_vec())),
            _ => Err(Problem::bad_request("there is no x-session")),
        }
    }
}

#[derive(Deserialize)]
struct Login {
    code: String,
    system: String,
    fingerprint: String,
}

async fn login(backend: Shared, session: Session, headers: HeaderMap, Json(body): Json<Login>) -> Answer {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let device = Device::new(&body.system, &body.fingerprint, agent).map_err(Problem::from)?;
    let outcome = step(&backend.http, backend.client.login(device).wechat_mini_program(body.code)).await?;
    backend.reached(outcome, &session)
}

#[derive(Deserialize)]
struct Bind {
    handle: String,
    user_name: String,
    password: String,
}

/// If the connection to the mini program breaks, axum drops this future, and with it the stage, wherever the request to the
/// tenant was. The mini program still has the handle and sends it again: if the tenant had not carried the step out, this
/// is the first time; if it had, the state token is used up, the answer says so, and a new login finds the account bound.
async fn password(backend: Shared, session: Session, Json(body): Json<Bind>) -> Answer {
    let stage: PendingBind = backend.resume(&body.handle, &session)?;
    let outcome = step(&backend.http, stage.username_password(body.user_name, body.password)).await?;
    backend.reached(outcome, &session)
}

#[derive(Deserialize)]
struct Mobile {
    handle: String,
    wechat_code: String,
}

async fn mobile(backend: Shared, session: Session, Json(body): Json<Mobile>) -> Answer {
    let stage: AnyStage = backend.resume(&body.handle, &session)?;
    let outcome = match stage {
        AnyStage::PendingBind(stage) => step(&backend.http, stage.wechat_mobile(body.wechat_code)).await?,
        AnyStage::PendingRegister(stage) => {
            step(&backend.http, stage.wechat_mobile(body.wechat_code)).await?
        }
        _ => return Err(Problem::bad_request("no account is to be bound here")),
    };
    backend.reached(outcome, &session)
}

#[derive(Deserialize)]
struct Phone {
    handle: String,
    mobile: Option<String>,
}

/// Chooses the way by SMS. A second factor goes to the number that the account has, unless the user gives one.
async fn phone(backend: Shared, session: Session, Json(body): Json<Phone>) -> Answer {
    let given = || body.mobile.clone().ok_or_else(|| Problem::bad_request("there is no mobile"));
    let stage: AnyStage = backend.resume(&body.handle, &session)?;
    let suspended = match stage {
        AnyStage::PendingBind(stage) => stage.phone(given()?).map_err(Error::from)?.suspend(),
        AnyStage::PendingRegister(stage) => stage.phone(given()?).map_err(Error::from)?.suspend(),
        AnyStage::MfaRequired(stage) if body.mobile.is_some() => stage.phone(given()?).suspend(),
        AnyStage::MfaRequired(stage) => {
            let registered = call(&backend.http, stage.registered_mobile()).await?;
            stage.phone(registered).suspend()
        }
        _ => return Err(Problem::bad_request("no code is due here")),
    };
    backend.put_down("verify_phone", &suspended, &session)
}

#[derive(Deserialize)]
struct OnlyHandle {
    handle: String,
}

async fn captcha(backend: Shared, session: Session, Json(body): Json<OnlyHandle>) -> Answer {
    let stage: AwaitingCode = backend.resume(&body.handle, &session)?;
    let captcha = call(&backend.http, backend.client.captcha(stage.device())).await?;
    let image = |image: &CaptchaImage| {
        format!("data:{};base64,{}", image.media_type(), BASE64_STANDARD.encode(image.bytes()))
    };
    Ok(Json(json!({
        "captcha": captcha.token().expose(),
        "picture": captcha.picture().map(image),
        "piece": captcha.piece().map(image),
    })))
}

#[derive(Deserialize)]
struct SendCode {
    handle: String,
    captcha: String,
    x: f64,
}

async fn send_code(backend: Shared, session: Session, Json(body): Json<SendCode>) -> Answer {
    let stage: AwaitingCode = backend.resume(&body.handle, &session)?;
    let captcha = backend.client.captcha_from_token(stage.device(), &body.captcha);
    let pass = call(&backend.http, captcha.solve(body.x, stage.destination())).await?;
    call(&backend.http, stage.send_code(&pass)).await?;
    // The stage is where it was, so the handle stays good.
    Ok(Json(json!({ "stage": "verify_phone" })))
}

#[derive(Deserialize)]
struct Submit {
    handle: String,
    code: String,
}

async fn submit(backend: Shared, session: Session, Json(body): Json<Submit>) -> Answer {
    let stage: AwaitingCode = backend.resume(&body.handle, &session)?;
    let outcome = step(&backend.http, stage.submit(body.code)).await?;
    backend.reached(outcome, &session)
}

/// A handle of a finished login opens for as long as any other. A service that keeps its users logged in makes a session of
/// its own here.
async fn me(backend: Shared, session: Session, Json(body): Json<OnlyHandle>) -> Answer {
    let user: Authenticated = backend.resume(&body.handle, &session)?;
    let verifier = backend.verifier.clone();
    // The key cache waits for the tenant, if the keys are old or one is unknown: not on the runtime.
    let claims = tokio::task::spawn_blocking(move || user.identify(&verifier)).await;
    let claims = claims.map_err(|_| Problem::unavailable("the verification did not end"))??;
    Ok(Json(json!({ "user_name": claims.user_name(), "name": claims.name(), "id": claims.id() })))
}

/// What went wrong, for a front end to act on: `then` is the name of an [`Advice`]. With `settle` and `start_over` it begins
/// again with a new code of wx.login; with any other the handle that it has is still good.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    then: &'static str,
    error: String,
}

impl Problem {
    fn new(advice: Advice, error: String) -> Self {
        let status = match advice {
            Advice::AskAgain { .. } | Advice::FreshPlatformCode | Advice::NewCaptcha => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Advice::ChooseAnotherMethod => StatusCode::CONFLICT,
            Advice::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
            Advice::TryLater { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Advice::RenewIdToken => StatusCode::UNAUTHORIZED,
            Advice::StartOver => StatusCode::GONE,
            // Settle, tell the operator, and what a later version may add.
            _ => StatusCode::BAD_GATEWAY,
        };
        Self { status, then: advice.name(), error }
    }

    /// A request that the mini program should not have made.
    fn bad_request(error: &(impl ToString + ?Sized)) -> Self {
        Self { status: StatusCode::BAD_REQUEST, then: Advice::StartOver.name(), error: error.to_string() }
    }

    fn unavailable(error: &(impl ToString + ?Sized)) -> Self {
        Self::new(Advice::TryLater { retry_after: None }, error.to_string())
    }
}

/// The stage that came back is the one in the handle that the mini program has, so it is not sealed again: that would let a
/// handle live for ever by failing.
impl<S> From<StepError<S>> for Problem {
    fn from(failed: StepError<S>) -> Self {
        Self::new(failed.advice(), format!("{failed:#}"))
    }
}

/// A side call moves no stage: whatever happened to it, the handle is as good as it was, unless its token is dead.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(error.advice(), error.to_string())
    }
}

impl From<IdTokenError> for Problem {
    fn from(error: IdTokenError) -> Self {
        match error {
            IdTokenError::Keys(_)
            | IdTokenError::KeySet
            | IdTokenError::NoUsableKey
            | IdTokenError::StaleKeys(_) => Self::unavailable(&error),
            IdTokenError::Missing | IdTokenError::Expired => {
                Self::new(Advice::RenewIdToken, error.to_string())
            }
            _ => Self::bad_request(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> HttpResponse {
        (self.status, Json(self)).into_response()
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The mini program, played.

/// A mini program: it keeps its session and the newest handle, and nothing else.
pub(crate) struct Origin {
    http: Http,
    address: String,
    session: String,
    pub(crate) handle: String,
}

impl Origin {
    pub(crate) fn new(http: Http, address: &str, session: &str) -> Self {
        Self { http, address: address.to_owned(), session: session.to_owned(), handle: String::new() }
    }

    /// Posts `body`, with the handle in it, and keeps the handle that comes back.
    pub(crate) async fn post(&mut self, path: &str, mut body: Value) -> Result<(StatusCode, Value)> {
        body["handle"] = self.handle.clone().into();
        let request = http::Request::post(format!("{}{path}", self.address))
            .header("content-type", "application/json")
            .header("user-agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)")
            .header("x-session", &self.session)
            .body(serde_json::to_vec(&body)?)?;
        let answer = self.http.send(request).await?;
        let status = answer.status();
        let body: Value = serde_json::from_slice(answer.body())?;
        if let Some(handle) = body["handle"].as_str() {
            handle.clone_into(&mut self.handle);
        }
        Ok((status, body))
    }

    pub(crate) async fn log_in(&mut self, code: String) -> Result<(StatusCode, Value)> {
        self.post("/login", json!({ "code": code, "system": "ios13.3", "fingerprint": "156aysdna213sc50" }))
            .await
    }

    /// Posts, tells what came, and insists on `expected`: the stage reached, or what is to be done then.
    async fn told(&mut self, path: &str, body: Value, expected: &str) -> Result<Value> {
        let (status, answer) = self.post(path, body).await?;
        tell(path, status, &answer, expected)?;
        Ok(answer)
    }

    async fn logged_in(&mut self, code: String, expected: &str) -> Result<()> {
        let (status, answer) = self.log_in(code).await?;
        tell("/login", status, &answer, expected)
    }

    /// A captcha, whose solution the emulator tells, which a person sees; then the code that comes by SMS.
    async fn by_sms(&mut self, tenant: &Emulator, mobile: &str) -> Result<()> {
        let (status, captcha) = self.post("/captcha", json!({})).await?;
        let token = captcha["captcha"].as_str().ok_or("there is no captcha")?;
        let pictures = ["picture", "piece"].map(|name| captcha[name].as_str().map_or(0, str::len));
        println!("  {:12} {status}: a captcha, its pictures have {pictures:?} characters", "/captcha");
        let x = tenant.captcha_solution(token).ok_or("no such captcha")?;
        self.told("/send-code", json!({ "captcha": token, "x": x }), "verify_phone").await?;
        let code = tenant.last_code(mobile).ok_or("no code was sent")?;
        self.told("/submit", json!({ "code": code }), "authenticated").await?;
        self.who().await
    }

    async fn who(&mut self) -> Result<()> {
        let (status, user) = self.post("/me", json!({})).await?;
        let user_name = user["user_name"].as_str().ok_or("the user is not known")?;
        println!("  {:12} {status}: {user_name}, verified by the tenant's keys", "/me");
        Ok(())
    }
}

/// Tells an answer, the handle cut short.
fn tell(path: &str, status: StatusCode, answer: &Value, expected: &str) -> Result<()> {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let (stage, then) = (text("stage"), text("then"));
    if then.is_empty() {
        let handle = text("handle");
        let shown = match handle.get(..6) {
            Some(beginning) => format!(", handle {beginning}… of {} characters", handle.len()),
            None => String::new(),
        };
        println!("  {path:12} {status}: {stage}{shown}");
    } else {
        println!("  {path:12} {status}: then {then}: {}", text("error"));
    }
    if stage == expected || then == expected {
        Ok(())
    } else {
        Err(format!("{path} was expected to lead to {expected}").into())
    }
}

fn main() -> Result<()> {
    // The emulator has a thread and a runtime of its own, and is started before there is one here.
    let tenant = Emulator::new();
    let server = tenant.start()?;
    println!("An IDaaS tenant is listening at {}.", server.base_address());
    runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(play(&tenant, server.client_builder()))
}

async fn play(tenant: &Emulator, client: ClientBuilder) -> Result<()> {
    // In a service this comes from where secrets are kept, the same on all machines.
    let key = SealKey::new(1, b"an example's key, and no secret!")?;
    let sealer = Sealer::new(key, Duration::from_secs(600));
    let http = Http::new(Duration::from_secs(30), 2 << 20);
    let backend = Backend::new(client, sealer, http.clone(), Handle::current())?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    println!("The service is listening at {address}.");
    tokio::spawn(axum::serve(listener, backend.router()).into_future());

    println!("\n## Li Lei has bound his account before: the login ends at once");
    tenant.add_user(User::new("lilei").name("Li Lei"));
    tenant.bind(Platform::WeChatMiniProgram, "openid-lilei", "lilei");
    let mut app = Origin::new(http.clone(), &address, "session-of-lilei");
    app.logged_in(tenant.wechat_login_code("openid-lilei"), "authenticated").await?;
    app.who().await?;

    println!("\n## Han Meimei binds her account by password, and mistypes it once");
    tenant.add_user(User::new("hanmeimei").password("correct horse"));
    let mut app = Origin::new(http.clone(), &address, "session-of-hanmeimei");
    app.logged_in(tenant.wechat_login_code("openid-hanmeimei"), "pending_bind").await?;
    let attempt = |password| json!({ "user_name": "hanmeimei", "password": password });
    app.told("/password", attempt("battery staple"), "ask_again").await?;
    app.told("/password", attempt("correct horse"), "authenticated").await?;
    app.who().await?;

    println!("\n## Wang Wei binds his account by a code that he gets by SMS");
    tenant.add_user(User::new("wangwei").mobile("15201657312"));
    let mut app = Origin::new(http.clone(), &address, "session-of-wangwei");
    app.logged_in(tenant.wechat_login_code("openid-wangwei"), "pending_bind").await?;
    app.told("/phone", json!({ "mobile": "15201657312" }), "verify_phone").await?;
    app.by_sms(tenant, "15201657312").await?;

    println!("\n## Chen Jie binds hers by the number that WeChat knows, and is asked for a second factor");
    tenant.add_user(User::new("chenjie").mobile("13800138000").second_factor());
    let mut app = Origin::new(http.clone(), &address, "session-of-chenjie");
    app.logged_in(tenant.wechat_login_code("openid-chenjie"), "pending_bind").await?;
    let code = tenant.wechat_phone_code("13800138000");
    app.told("/mobile", json!({ "wechat_code": code }), "mfa_required").await?;
    app.told("/phone", json!({}), "verify_phone").await?;
    app.by_sms(tenant, "13800138000").await?;

    println!("\n## Somebody else presents her handle");
    let mut thief = Origin::new(http, &address, "session-of-a-thief");
    thief.handle.clone_from(&app.handle);
    thief.told("/me", json!({}), "start_over").await?;
    Ok(())
}
