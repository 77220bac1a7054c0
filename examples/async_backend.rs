//! The same stages from asynchronous code: a service on axum that a mini program talks to.
//!
//! `cargo run --example async_backend` starts an emulated tenant and the service, and plays the mini program.
//!
//! The two functions that drive the library are [`step`] and [`call`]; [`Http`] is the asynchronous client under them; what comes
//! after them is the service. Between two requests the state is with the mini program, in a sealed handle.
//!
//! Users log in by many ways, and what comes next is the same for all of them. So each request is a type with one method,
//! [`Action::run`], which is generic over how the login began; [`go_on`] is the one place that asks which it was.

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
    Account, Advice, AnyLogin, AnyStage, Call, CaptchaImage, Client, ClientBuilder, Device, Error,
    IdTokenError, IdTokenVerifier, Next, Origin, Outcome, PasswordPolicy, Phase, RegisteredMobile,
    RegistrationAttributes, Reply, Request, Response, Resumed, SealKey, Sealer, Stage, Step, StepError,
    TransportError,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{self, Handle};
use zeroize::Zeroizing;

type Result<T, E = Box<dyn StdError + Send + Sync>> = std::result::Result<T, E>;

// ---------------------------------------------------------------------------------------------------------------------
// Driving the library: any step, any call.

/// Sends a step. What it means that there is no response is the library's to say, in `receive`.
///
/// The future owns the stage. If it is dropped, the stage is gone, and what the tenant did meanwhile nobody here knows.
/// Whoever holds the sealed handle of the stage has lost nothing by it: see [`go_on`].
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
    max_response_size: usize,
}

impl Http {
    pub(crate) fn new(call_timeout: Duration, max_response_size: usize) -> Self {
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
        Self { client, call_timeout, max_response_size }
    }

    /// Sends a request once. A redirect is a response like any other: this client follows none.
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
        let body = Limited::new(body, self.max_response_size).collect().await;
        // Cut off or too large: the tenant has carried out whatever it was.
        let body = body.map_err(|error| TransportError::maybe_sent(error).during(Phase::Response))?;
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
            .route("/mobile", post(authorised_number))
            .route("/password", post(go_on::<Password>))
            .route("/phone", post(go_on::<Phone>))
            .route("/email", post(go_on::<Email>))
            .route("/change-password", post(go_on::<ChangePassword>))
            .route("/keep-password", post(go_on::<KeepPassword>))
            .route("/attributes", post(go_on::<Attributes>))
            .route("/captcha", post(go_on::<DrawCaptcha>))
            .route("/send-code", post(go_on::<SendCode>))
            .route("/submit", post(go_on::<Submit>))
            .route("/me", post(go_on::<Me>))
            .route("/renew", post(go_on::<Renew>))
            .with_state(Arc::new(self))
    }

    fn resume(&self, handle: &str, session: &Session) -> Result<AnyLogin, Problem> {
        // Why it does not open is for the log; whoever sent it learns only that it does not.
        let suspended = self.sealer.open(handle, &session.0).map_err(|error| Problem::bad_request(&error))?;
        self.client.resume(suspended).map_err(|error| Problem::bad_request(&error))
    }

    /// The response of whatever moves the flow: the stage's name, and the stage itself, sealed.
    fn put_down<O: Origin>(&self, reached: AnyStage<O>, session: &Session) -> Answer {
        let mut answer = json!({ "stage": name(&reached) });
        if let Some(policy) = policy(&reached) {
            answer["policy"] =
                json!({ "min_length": policy.min_length(), "max_length": policy.max_length() });
        }
        let handle = self.sealer.seal(&reached.suspend(), &session.0).map_err(|error| Problem {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            then: Advice::TellOperator.name(),
            error: error.to_string(),
        })?;
        answer["handle"] = handle.into();
        Ok(Json(answer))
    }
}

/// What the mini program calls a stage. The match is exhaustive: a stage that is new does not compile until it is here.
fn name<O: Origin>(stage: &AnyStage<O>) -> &'static str {
    match stage {
        AnyStage::Authenticated(_) => "authenticated",
        AnyStage::PendingBind(_) => "pending_bind",
        AnyStage::PendingRegister(_) => "pending_register",
        AnyStage::MfaRequired(_) => "mfa_required",
        AnyStage::PasswordExpiring(_) => "password_expiring",
        AnyStage::PasswordExpired(_) => "password_expired",
        AnyStage::Registration(_) => "registration",
        AnyStage::PasswordReset(_) => "password_reset",
        AnyStage::AwaitingCode(_)
        | AnyStage::LoginByPhone(_)
        | AnyStage::LoginByEmail(_)
        | AnyStage::RegistrationByPhone(_)
        | AnyStage::RegistrationByEmail(_) => "verify_code",
        AnyStage::ChangingByPhone(_)
        | AnyStage::ChangingByEmail(_)
        | AnyStage::ResetByPhone(_)
        | AnyStage::ResetByEmail(_) => "verify_code_and_password",
    }
}

/// What the tenant demands of a new password, if it says so.
fn policy<O: Origin>(stage: &AnyStage<O>) -> Option<&PasswordPolicy> {
    match stage {
        AnyStage::PasswordExpiring(stage) => stage.policy(),
        AnyStage::PasswordExpired(stage) => stage.policy(),
        AnyStage::ChangingByPhone(stage) => stage.stage().policy(),
        AnyStage::ChangingByEmail(stage) => stage.stage().policy(),
        _ => None,
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

/// The beginning: a way to log in, and what belongs to it.
#[derive(Deserialize)]
struct Login {
    system: String,
    fingerprint: String,
    #[serde(flatten)]
    way: Way,
}

#[derive(Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
enum Way {
    WechatMiniProgram { code: String },
    WechatMiniProgramMobile { code: String },
    AlipayMiniProgram { code: String },
    WechatApp { code: String },
    AlipayApp { code: String },
    Qq { access_token: String, open_id: String },
    Weibo { access_token: String, uid: String },
    Apple { code: String },
    Carrier { access_token: String },
    Password { user_name: String, password: String },
    Identifier { identifier: String, password: String },
    Phone { mobile: String },
    Email { address: String },
    Register(Attributes),
    ResetPassword,
}

async fn login(backend: Shared, session: Session, headers: HeaderMap, Json(body): Json<Login>) -> Answer {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let device = Device::new(&body.system, &body.fingerprint, agent).map_err(Problem::from)?;
    let login = backend.client.login(device);
    let apart = |stage| backend.put_down::<Account>(stage, &session);
    match body.way {
        Way::WechatMiniProgram { code } => reached(&backend, &session, login.wechat_mini_program(code)).await,
        Way::WechatMiniProgramMobile { code } => {
            reached(&backend, &session, login.wechat_mini_program_mobile(code)).await
        }
        Way::AlipayMiniProgram { code } => reached(&backend, &session, login.alipay_mini_program(code)).await,
        Way::WechatApp { code } => reached(&backend, &session, login.wechat_app(code)).await,
        Way::AlipayApp { code } => reached(&backend, &session, login.alipay_app(code)).await,
        Way::Qq { access_token, open_id } => {
            reached(&backend, &session, login.qq(access_token, open_id)).await
        }
        Way::Weibo { access_token, uid } => reached(&backend, &session, login.weibo(access_token, uid)).await,
        Way::Apple { code } => reached(&backend, &session, login.apple(code)).await,
        Way::Carrier { access_token } => {
            reached(&backend, &session, login.carrier_one_tap(access_token)).await
        }
        Way::Password { user_name, password } => {
            reached(&backend, &session, login.username_password(user_name, password)).await
        }
        Way::Identifier { identifier, password } => {
            reached(&backend, &session, login.identifier_password(identifier, password)).await
        }
        // Nothing is sent yet.
        Way::Phone { mobile } => apart(login.phone(mobile).into()),
        Way::Email { address } => apart(login.email(address).into()),
        Way::Register(attributes) => apart(login.register(attributes.read()).into()),
        Way::ResetPassword => apart(login.reset_password().into()),
    }
}

/// Takes a step, and puts down whatever stage it leads to.
async fn reached<S: Stage, O: Origin>(
    backend: &Backend,
    session: &Session,
    taken: Step<S, Outcome<O>>,
) -> Answer {
    backend.put_down(reach(backend, taken).await?, session)
}

/// The number that a platform authorises is the one thing that not all logins have, so it is matched where the platform is still
/// known.
async fn authorised_number(backend: Shared, session: Session, Json(body): Json<Held<Code>>) -> Answer {
    let code = body.action.code;
    match backend.resume(&body.handle, &session)? {
        AnyLogin::WeChatMiniProgram(Resumed::Stage(AnyStage::PendingBind(stage))) => {
            reached(&backend, &session, stage.wechat_mobile(code)).await
        }
        AnyLogin::WeChatMiniProgram(Resumed::Stage(AnyStage::PendingRegister(stage))) => {
            reached(&backend, &session, stage.wechat_mobile(code)).await
        }
        AnyLogin::AlipayMiniProgram(Resumed::Stage(AnyStage::PendingBind(stage))) => {
            reached(&backend, &session, stage.alipay_mobile(code)).await
        }
        AnyLogin::AlipayMiniProgram(Resumed::Stage(AnyStage::PendingRegister(stage))) => {
            reached(&backend, &session, stage.alipay_mobile(code)).await
        }
        _ => Err(Problem::wrong_stage()),
    }
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// A request from a stage: the handle of it, and what to do.
#[derive(Deserialize)]
struct Held<A> {
    handle: String,
    #[serde(flatten)]
    action: A,
}

/// What a request does with the stage that it finds, however the login began.
trait Action: DeserializeOwned + Send + 'static {
    fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> impl Future<Output = Done<O>> + Send;
}

/// What comes of it: another stage, or a response that leaves the handle as good as it was.
enum Then<O: Origin> {
    Stage(AnyStage<O>),
    /// A stage that is the same however the login began: its origin is not told any more.
    Apart(AnyStage<Account>),
    /// A reset is done: the user logs in with the new password.
    Unauthenticated,
    Given(Value),
}

type Done<O> = Result<Then<O>, Problem>;

impl<O: Origin> Then<O> {
    fn at(stage: impl Into<AnyStage<O>>) -> Self {
        Self::Stage(stage.into())
    }

    fn apart(stage: impl Into<AnyStage<Account>>) -> Self {
        Self::Apart(stage.into())
    }
}

/// Every request from a stage comes here, and goes on from it without asking again how the login began.
///
/// If the connection to the mini program breaks, axum drops this future, and with it the stage, wherever the request to the
/// tenant was. The mini program still has the handle and sends it again: if the tenant had not carried the step out, this
/// is the first time; if it had, the state token is used up, the response says so, and a new login finds the account bound.
async fn go_on<A: Action>(backend: Shared, session: Session, Json(body): Json<Held<A>>) -> Answer {
    let Held { handle, action } = body;
    match backend.resume(&handle, &session)? {
        AnyLogin::WeChatMiniProgram(login) => go_on_from(&backend, &session, login, action).await,
        AnyLogin::AlipayMiniProgram(login) => go_on_from(&backend, &session, login, action).await,
        AnyLogin::SocialApp(login) => go_on_from(&backend, &session, login, action).await,
        AnyLogin::Account(login) => go_on_from(&backend, &session, login, action).await,
    }
}

async fn go_on_from<O: Origin>(
    backend: &Backend,
    session: &Session,
    login: Resumed<O>,
    action: impl Action,
) -> Answer {
    // An unresolved step is never put down here: with `settle` the mini program begins again, or sends what it has once more.
    let Resumed::Stage(stage) = login else { return Err(Problem::wrong_stage()) };
    match action.run(backend, stage).await? {
        Then::Stage(reached) => backend.put_down(reached, session),
        Then::Apart(reached) => backend.put_down(reached, session),
        Then::Unauthenticated => Ok(Json(json!({ "stage": "unauthenticated" }))),
        Then::Given(value) => Ok(Json(value)),
    }
}

/// The end of a step that leads to any stage.
async fn reach<S: Stage, O: Origin>(
    backend: &Backend,
    taken: Step<S, Outcome<O>>,
) -> Result<AnyStage<O>, Problem> {
    Ok(step(&backend.http, taken).await?.into())
}

/// Binds an account by its password.
#[derive(Deserialize)]
struct Password {
    user_name: String,
    password: String,
}

impl Action for Password {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        let AnyStage::PendingBind(stage) = stage else { return Err(Problem::wrong_stage()) };
        Ok(Then::Stage(reach(backend, stage.username_password(self.user_name, self.password)).await?))
    }
}

/// Chooses the way by SMS. A second factor and a new password go by the number that the account has, unless the user gives one.
#[derive(Deserialize)]
struct Phone {
    mobile: Option<String>,
}

impl Action for Phone {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        let given = self.mobile.clone().ok_or_else(|| Problem::bad_request("there is no mobile"));
        Ok(match stage {
            AnyStage::PendingBind(stage) => Then::at(stage.phone(given?).map_err(Error::from)?),
            AnyStage::PendingRegister(stage) => Then::at(stage.phone(given?).map_err(Error::from)?),
            AnyStage::MfaRequired(stage) => {
                let number = self.number(backend, stage.registered_mobile()).await?;
                Then::at(stage.phone(number))
            }
            AnyStage::PasswordExpiring(stage) => {
                let number = self.number(backend, stage.registered_mobile()).await?;
                Then::at(stage.phone(number))
            }
            AnyStage::PasswordExpired(stage) => {
                let number = self.number(backend, stage.registered_mobile()).await?;
                Then::at(stage.phone(number))
            }
            AnyStage::Registration(stage) => Then::apart(stage.phone(given?)),
            AnyStage::PasswordReset(stage) => Then::apart(stage.phone(given?)),
            _ => return Err(Problem::wrong_stage()),
        })
    }
}

impl Phone {
    async fn number(self, backend: &Backend, registered: Call<RegisteredMobile>) -> Result<String, Problem> {
        match self.mobile {
            Some(mobile) => Ok(mobile),
            None => Ok(call(&backend.http, registered).await?.into()),
        }
    }
}

/// Chooses the way by e-mail.
#[derive(Deserialize)]
struct Email {
    address: String,
}

impl Action for Email {
    async fn run<O: Origin>(self, _: &Backend, stage: AnyStage<O>) -> Done<O> {
        let Self { address } = self;
        Ok(match stage {
            AnyStage::PendingBind(stage) => Then::at(stage.email(address).map_err(Error::from)?),
            AnyStage::PendingRegister(stage) => Then::at(stage.email(address).map_err(Error::from)?),
            AnyStage::MfaRequired(stage) => Then::at(stage.email(address)),
            AnyStage::PasswordExpiring(stage) => Then::at(stage.email(address)),
            AnyStage::PasswordExpired(stage) => Then::at(stage.email(address)),
            AnyStage::Registration(stage) => Then::apart(stage.email(address)),
            AnyStage::PasswordReset(stage) => Then::apart(stage.email(address)),
            _ => return Err(Problem::wrong_stage()),
        })
    }
}

#[derive(Deserialize)]
struct ChangePassword {
    old_password: String,
    new_password: String,
}

impl Action for ChangePassword {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        let Self { old_password, new_password } = self;
        let reached = match stage {
            AnyStage::PasswordExpiring(stage) => {
                reach(backend, stage.change_password(old_password, new_password)).await
            }
            AnyStage::PasswordExpired(stage) => {
                reach(backend, stage.change_password(old_password, new_password)).await
            }
            _ => Err(Problem::wrong_stage()),
        };
        Ok(Then::Stage(reached?))
    }
}

#[derive(Deserialize)]
struct KeepPassword {}

impl Action for KeepPassword {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        // An expired password has no such method.
        let AnyStage::PasswordExpiring(stage) = stage else { return Err(Problem::wrong_stage()) };
        Ok(Then::Stage(reach(backend, stage.keep_password()).await?))
    }
}

/// What an account is registered with. With a handle: instead of what was refused.
#[derive(Deserialize)]
struct Attributes {
    user_name: Option<String>,
    password: Option<String>,
    name: Option<String>,
}

impl Attributes {
    fn read(self) -> RegistrationAttributes {
        let none = RegistrationAttributes::new();
        let read = self.user_name.into_iter().fold(none, RegistrationAttributes::user_name);
        let read = self.password.into_iter().fold(read, RegistrationAttributes::password);
        self.name.into_iter().fold(read, RegistrationAttributes::name)
    }
}

impl Action for Attributes {
    async fn run<O: Origin>(self, _: &Backend, stage: AnyStage<O>) -> Done<O> {
        let attributes = self.read();
        Ok(Then::Apart(match stage {
            AnyStage::Registration(stage) => stage.with_attributes(attributes).into(),
            AnyStage::RegistrationByPhone(stage) => stage.with_attributes(attributes).into(),
            AnyStage::RegistrationByEmail(stage) => stage.with_attributes(attributes).into(),
            _ => return Err(Problem::wrong_stage()),
        }))
    }
}

/// A captcha belongs to no stage, but only a stage in which a code is due needs one.
#[derive(Deserialize)]
struct DrawCaptcha {}

impl Action for DrawCaptcha {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        if stage.destination().is_none() {
            return Err(Problem::wrong_stage());
        }
        let captcha = call(&backend.http, backend.client.captcha(stage.device())).await?;
        let image = |image: &CaptchaImage| {
            format!("data:{};base64,{}", image.media_type(), BASE64_STANDARD.encode(image.bytes()))
        };
        Ok(Then::Given(json!({
            "captcha": captcha.token().expose(),
            "picture": captcha.picture().map(image),
            "piece": captcha.piece().map(image),
        })))
    }
}

#[derive(Deserialize)]
struct SendCode {
    captcha: String,
    x: f64,
}

impl Action for SendCode {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        let Some(destination) = stage.destination() else { return Err(Problem::wrong_stage()) };
        let captcha = backend.client.captcha_from_token(stage.device(), &self.captcha);
        let pass = call(&backend.http, captcha.solve(self.x, destination)).await?;
        let Some(sending) = stage.send_code(&pass) else { return Err(Problem::wrong_stage()) };
        call(&backend.http, sending).await?;
        // The stage is where it was, so the handle stays good.
        Ok(Then::Given(json!({ "stage": name(&stage) })))
    }
}

/// Submits a code. What it is for, the stage knows; where a new password comes with it, the type of the stage says so.
#[derive(Deserialize)]
struct Submit {
    code: String,
    #[serde(default)]
    new_password: String,
}

impl Action for Submit {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        let Self { code, new_password } = self;
        let http = &backend.http;
        Ok(match stage {
            AnyStage::AwaitingCode(stage) => Then::Stage(reach(backend, stage.submit(code)).await?),
            AnyStage::ChangingByPhone(stage) => {
                Then::Stage(reach(backend, stage.submit(code, new_password)).await?)
            }
            AnyStage::ChangingByEmail(stage) => {
                Then::Stage(reach(backend, stage.submit(code, new_password)).await?)
            }
            AnyStage::LoginByPhone(stage) => Then::Apart(reach(backend, stage.submit(code)).await?),
            AnyStage::LoginByEmail(stage) => Then::Apart(reach(backend, stage.submit(code)).await?),
            AnyStage::RegistrationByPhone(stage) => Then::Apart(reach(backend, stage.submit(code)).await?),
            AnyStage::RegistrationByEmail(stage) => Then::Apart(reach(backend, stage.submit(code)).await?),
            AnyStage::ResetByPhone(stage) => {
                step(http, stage.submit(code, new_password)).await.map(|_| Then::Unauthenticated)?
            }
            AnyStage::ResetByEmail(stage) => {
                step(http, stage.submit(code, new_password)).await.map(|_| Then::Unauthenticated)?
            }
            _ => return Err(Problem::wrong_stage()),
        })
    }
}

/// A handle of a finished login opens for as long as any other. A service that keeps its users logged in makes a session of
/// its own here.
#[derive(Deserialize)]
struct Me {}

impl Action for Me {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        let AnyStage::Authenticated(user) = stage else { return Err(Problem::wrong_stage()) };
        let verifier = backend.verifier.clone();
        // The key cache waits for the tenant, if the keys are old or one is unknown: not on the runtime.
        let claims = tokio::task::spawn_blocking(move || user.identify(&verifier)).await;
        let claims = claims.map_err(|_| Problem::unavailable("the verification did not end"))??;
        Ok(Then::Given(json!({ "user_name": claims.user_name(), "name": claims.name(), "id": claims.id() })))
    }
}

/// A registration gives no identity token: whoever wants to know the user asks for one.
#[derive(Deserialize)]
struct Renew {}

impl Action for Renew {
    async fn run<O: Origin>(self, backend: &Backend, stage: AnyStage<O>) -> Done<O> {
        let AnyStage::Authenticated(user) = stage else { return Err(Problem::wrong_stage()) };
        Ok(Then::apart(step(&backend.http, user.renew_id_token()).await?))
    }
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

    fn wrong_stage() -> Self {
        Self::bad_request("this request does not fit the stage")
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

/// The login is done, and the handle is as good as it was; only who the user is cannot be told.
impl From<IdTokenError> for Problem {
    fn from(error: IdTokenError) -> Self {
        Self::new(error.advice(), error.to_string())
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
pub(crate) struct MiniProgram {
    http: Http,
    address: String,
    session: String,
    pub(crate) handle: String,
}

impl MiniProgram {
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

    /// Begins by any way.
    pub(crate) async fn begin(&mut self, mut way: Value) -> Result<(StatusCode, Value)> {
        way["system"] = "ios13.3".into();
        way["fingerprint"] = "156aysdna213sc50".into();
        self.post("/login", way).await
    }

    /// Posts, tells what came, and insists on `expected`: the stage reached, or what is to be done then.
    async fn told(&mut self, path: &str, body: Value, expected: &str) -> Result<Value> {
        let (status, answer) = self.post(path, body).await?;
        tell(path, status, &answer, expected)?;
        Ok(answer)
    }

    async fn logged_in(&mut self, way: Value, expected: &str) -> Result<()> {
        let (status, answer) = self.begin(way).await?;
        tell("/login", status, &answer, expected)
    }

    /// A captcha, whose solution the emulator tells, which a person sees; then the code that comes by SMS or e-mail.
    pub(crate) async fn code(&mut self, tenant: &Emulator, destination: &str) -> Result<String> {
        let (status, captcha) = self.post("/captcha", json!({})).await?;
        let token = captcha["captcha"].as_str().ok_or("there is no captcha")?;
        let x = tenant.captcha_solution(token).ok_or("no such captcha")?;
        let (sent, _) = self.post("/send-code", json!({ "captcha": token, "x": x })).await?;
        println!("  {:16} {status}, then {sent}: a captcha, solved, and a code is sent", "/captcha");
        tenant.last_code(destination).ok_or_else(|| "no code was sent".into())
    }

    async fn by_code(&mut self, tenant: &Emulator, destination: &str, expected: &str) -> Result<()> {
        let code = self.code(tenant, destination).await?;
        self.told("/submit", json!({ "code": code }), expected).await?;
        Ok(())
    }

    async fn who(&mut self) -> Result<()> {
        let (status, user) = self.post("/me", json!({})).await?;
        let user_name = user["user_name"].as_str().ok_or("the user is not known")?;
        println!("  {:16} {status}: {user_name}, verified by the tenant's keys", "/me");
        Ok(())
    }
}

/// Tells a response, the handle cut short.
fn tell(path: &str, status: StatusCode, answer: &Value, expected: &str) -> Result<()> {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let (stage, then) = (text("stage"), text("then"));
    if then.is_empty() {
        let handle = text("handle");
        let shown = match handle.get(..6) {
            Some(beginning) => format!(", handle {beginning}… of {} characters", handle.len()),
            None => String::new(),
        };
        println!("  {path:16} {status}: {stage}{shown}");
    } else {
        println!("  {path:16} {status}: then {then}: {}", text("error"));
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

    let app = |session: &str| MiniProgram::new(http.clone(), &address, session);
    let mini_program =
        |openid: &str| json!({ "way": "wechat_mini_program", "code": tenant.wechat_login_code(openid) });

    println!("\n## Li Lei has bound his account before: the login ends at once");
    tenant.add_user(User::new("lilei").name("Li Lei"));
    tenant.bind(Platform::WeChatMiniProgram, "openid-lilei", "lilei");
    let mut lilei = app("session-of-lilei");
    lilei.logged_in(mini_program("openid-lilei"), "authenticated").await?;
    lilei.who().await?;

    println!("\n## Han Meimei binds her account by password, and mistypes it once");
    tenant.add_user(User::new("hanmeimei").password("correct horse"));
    let mut han = app("session-of-hanmeimei");
    han.logged_in(mini_program("openid-hanmeimei"), "pending_bind").await?;
    let attempt = |password| json!({ "user_name": "hanmeimei", "password": password });
    han.told("/password", attempt("battery staple"), "ask_again").await?;
    han.told("/password", attempt("correct horse"), "authenticated").await?;
    han.who().await?;

    println!("\n## Wang Wei binds his account by a code that he gets by SMS");
    tenant.add_user(User::new("wangwei").mobile("15201657312"));
    let mut wang = app("session-of-wangwei");
    wang.logged_in(mini_program("openid-wangwei"), "pending_bind").await?;
    wang.told("/phone", json!({ "mobile": "15201657312" }), "verify_code").await?;
    wang.by_code(tenant, "15201657312", "authenticated").await?;
    wang.who().await?;

    println!("\n## Chen Jie binds hers by the number that WeChat knows, and is asked for a second factor");
    tenant.add_user(User::new("chenjie").mobile("13800138000").second_factor());
    let mut chen = app("session-of-chenjie");
    chen.logged_in(mini_program("openid-chenjie"), "pending_bind").await?;
    let code = tenant.wechat_phone_code("13800138000");
    chen.told("/mobile", json!({ "code": code }), "mfa_required").await?;
    chen.told("/phone", json!({}), "verify_code").await?;
    chen.by_code(tenant, "13800138000", "authenticated").await?;
    chen.who().await?;

    println!("\n## Zhao Min comes with QQ, gives a second factor, and has to change her password");
    let zhao = User::new("zhaomin").password("long expired").mobile("13500135000");
    tenant.add_user(zhao.second_factor().password_expired());
    let mut zhao = app("session-of-zhaomin");
    let token = tenant.login_code(Platform::Qq, "qq-zhaomin");
    let qq = json!({ "way": "qq", "access_token": token, "open_id": "qq-zhaomin" });
    zhao.logged_in(qq, "pending_bind").await?;
    let account = json!({ "user_name": "zhaomin", "password": "long expired" });
    zhao.told("/password", account, "mfa_required").await?;
    zhao.told("/phone", json!({}), "verify_code").await?;
    zhao.by_code(tenant, "13500135000", "password_expired").await?;
    let change = |old| json!({ "old_password": old, "new_password": "quite fresh" });
    zhao.told("/change-password", change("not this"), "ask_again").await?;
    zhao.told("/change-password", change("long expired"), "authenticated").await?;
    zhao.who().await?;

    println!("\n## Sun Li's password expires soon: she keeps it");
    tenant.add_user(User::new("sunli").password("nearly expired").password_expiring());
    let mut sun = app("session-of-sunli");
    let account = json!({ "way": "password", "user_name": "sunli", "password": "nearly expired" });
    sun.logged_in(account, "password_expiring").await?;
    sun.told("/keep-password", json!({}), "authenticated").await?;

    println!("\n## Somebody registers, with a user name that is taken at first");
    let mut newcomer = app("session-of-a-newcomer");
    let register = json!({ "way": "register", "user_name": "lilei", "password": "my first one" });
    newcomer.logged_in(register, "registration").await?;
    newcomer.told("/email", json!({ "address": "newcomer@example.com" }), "verify_code").await?;
    let code = newcomer.code(tenant, "newcomer@example.com").await?;
    newcomer.told("/submit", json!({ "code": code }), "ask_again").await?;
    let other = json!({ "user_name": "newcomer", "password": "my first one" });
    newcomer.told("/attributes", other, "verify_code").await?;
    newcomer.told("/submit", json!({ "code": code }), "authenticated").await?;
    newcomer.told("/renew", json!({}), "authenticated").await?;
    newcomer.who().await?;

    println!("\n## The newcomer forgets the password, and logs in with a new one");
    let mut newcomer = app("session-of-a-newcomer");
    newcomer.logged_in(json!({ "way": "reset_password" }), "password_reset").await?;
    newcomer.told("/email", json!({ "address": "newcomer@example.com" }), "verify_code_and_password").await?;
    let code = newcomer.code(tenant, "newcomer@example.com").await?;
    let reset = json!({ "code": code, "new_password": "my second one" });
    newcomer.told("/submit", reset, "unauthenticated").await?;
    let account = json!({ "way": "password", "user_name": "newcomer", "password": "my second one" });
    newcomer.logged_in(account, "authenticated").await?;
    newcomer.who().await?;

    println!("\n## Somebody else presents Chen Jie's handle");
    let mut thief = app("session-of-a-thief");
    thief.handle.clone_from(&chen.handle);
    thief.told("/me", json!({}), "start_over").await?;
    Ok(())
}
