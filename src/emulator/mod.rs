//! An IDaaS tenant for development and tests.
//!
//! [`Emulator`] keeps users, codes, state tokens and sessions, answers like a tenant, and refuses what the pages say a
//! tenant refuses. In process it is a [`Transport`]; [`start`](Emulator::start) puts it behind real HTTP on this machine.
//!
//! ```
//! use idaas_login::emulator::{Emulator, User};
//! use idaas_login::{Device, Outcome};
//!
//! let tenant = Emulator::new();
//! tenant.add_user(User::new("zhangshan").password("correct horse"));
//!
//! let device = Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0")?;
//! let login = tenant.client()?.login(device);
//! let Outcome::PendingBind(stage) = login.wechat_mini_program(tenant.wechat_login_code("an-openid")).send()? else {
//!     panic!("nobody has bound this identity yet");
//! };
//! let Outcome::Authenticated(user) = stage.username_password("zhangshan", "correct horse").send()? else {
//!     panic!("the password is right");
//! };
//! assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangshan"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Its tokens and codes are not secret: they come from a counter. Never put it where somebody else can reach it.
//!
//! Where the pages are silent it had to choose; the choices are in `docs/emulator.md`.

mod puzzle;
mod server;
mod signing;
mod tenant;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::StatusCode;

pub use self::server::EmulatorServer;
use self::tenant::Tenant;
use crate::client::{Client, Edition, WechatCodeField};
use crate::endpoints::{Platform, SendType, StageKind};
use crate::error::Error;
use crate::transport::{Request, Response, Transport, TransportError};

/// An IDaaS tenant for development and tests.
///
/// Cloning gives another handle to the same tenant.
#[derive(Clone)]
pub struct Emulator(Arc<Mutex<Tenant>>);

impl Default for Emulator {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").finish_non_exhaustive()
    }
}

/// How the tenant is set up; see [`Emulator::configure`].
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools)] // They are independent switches.
pub struct Settings {
    /// The application's id, which every request must carry; the pages' example unless said.
    pub client_id: String,
    /// The edition; [`Edition::Ciam`] unless said.
    pub edition: Edition,
    /// The name of the field for the phone-number code of WeChat; `wechat_code` unless said.
    pub wechat_code_field: WechatCodeField,
    /// What an identity gets that no account has bound; [`Unbound::Bind`] unless said.
    pub unbound: Unbound,
    /// What `data` says of the allowed ways; both documented ways unless said.
    pub data: DataForm,
    /// Whether a second factor, or another stage after a bind, comes with a state token of its own (`true`), or goes on
    /// with the one in hand; the pages are silent, `true` unless said.
    pub new_state_token: bool,
    /// Whether successes carry an `id_token`; `true` unless said.
    pub id_token: bool,
    /// How long an `id_token` lives; 5 minutes unless said, as the pages do.
    pub id_token_lifetime: Duration,
    /// Where in an `id_token` the user's data are; [`ClaimsLayout::Flat`] unless said.
    pub claims_layout: ClaimsLayout,
    /// Whether `id_token`s are signed by the key before the one in use, as soon as there is one; `false` unless said.
    pub sign_with_previous_key: bool,
    /// How many of the keys before the one in use are published with it; none unless said.
    pub published_previous_keys: usize,
    /// What is answered instead of the key set; `None` unless said.
    pub broken_key_set: Option<String>,
    /// Whether the session token is replaced when an `id_token` is renewed; `false` unless said.
    pub refresh_sessions: bool,
    /// Whether answers have the leading spaces that the pages print; `false` unless said.
    pub printed_spaces: bool,
    /// How long a state token lives; 10 minutes unless said.
    pub state_token_lifetime: Duration,
    /// How long a code lives, of a mini program or by SMS or e-mail; 5 minutes unless said.
    pub code_lifetime: Duration,
    /// How many pixels a captcha's solution may be off; 5 unless said.
    pub captcha_tolerance: u32,
    /// Whether the pass of a captcha is good for one code only; `false` unless said: the pages are silent.
    pub single_use_pass: bool,
    /// How many wrong passwords or codes in a row lock an account or a destination; 5 unless said.
    pub max_attempts: u32,
    /// How long a lock holds; 10 minutes unless said.
    pub lock_time: Duration,
    /// How long a session lives; 432000 seconds unless said.
    pub session_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_id: "nTo1eRIub60vPb54WeE6aojPwYwImtl4".to_owned(),
            edition: Edition::default(),
            wechat_code_field: WechatCodeField::default(),
            unbound: Unbound::Bind,
            data: DataForm::Listed(vec!["VERIFY_PHONE".to_owned(), "VERIFY_EMAIL".to_owned()]),
            new_state_token: true,
            id_token: true,
            id_token_lifetime: Duration::from_secs(5 * 60),
            claims_layout: ClaimsLayout::Flat,
            sign_with_previous_key: false,
            published_previous_keys: 0,
            broken_key_set: None,
            refresh_sessions: false,
            printed_spaces: false,
            state_token_lifetime: Duration::from_secs(10 * 60),
            code_lifetime: Duration::from_secs(5 * 60),
            captcha_tolerance: 5,
            single_use_pass: false,
            max_attempts: 5,
            lock_time: Duration::from_secs(10 * 60),
            session_lifetime: Duration::from_secs(432_000),
        }
    }
}

/// What an identity gets that no account has bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbound {
    /// `SOCIAL_BIND`: an existing account must be bound.
    Bind,
    /// `USER_REGISTER`: an account is bound, or registered if there is none.
    Register,
}

/// The forms of `data` that the pages print.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataForm {
    /// JSON text in a string, with these values in `socialBindOrRegisterFlow`.
    Listed(Vec<String>),
    /// `null`
    Null,
    /// No such field.
    Absent,
}

/// The two layouts of an `id_token` that the pages show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsLayout {
    /// The user's data are claims of their own.
    Flat,
    /// They are JSON text in the claim `api`.
    Api,
}

/// An account of the tenant.
#[derive(Clone)]
#[allow(clippy::struct_field_names)] // The field's term is user_name.
pub struct User {
    user_name: String,
    id: String,
    name: Option<String>,
    password: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
    second_factors: u32,
    denied: bool,
}

impl User {
    /// An account with this user name, and nothing else yet.
    pub fn new(user_name: impl Into<String>) -> Self {
        let user_name = user_name.into();
        Self {
            id: format!("20220425140138519-{user_name}"),
            user_name,
            name: None,
            password: None,
            mobile: None,
            email: None,
            second_factors: 0,
            denied: false,
        }
    }

    /// With the name of the person.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With a password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// With a mobile number. `+86-15201657312` and `15201657312` are the same number.
    #[must_use]
    pub fn mobile(mut self, mobile: impl Into<String>) -> Self {
        self.mobile = Some(mobile.into());
        self
    }

    /// With an e-mail address.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Asked for a second factor at each login.
    #[must_use]
    pub fn second_factor(self) -> Self {
        self.second_factors(1)
    }

    /// Asked for so many factors more, one after the other, at each login.
    #[must_use]
    pub fn second_factors(mut self, count: u32) -> Self {
        self.second_factors = count;
        self
    }

    /// Denied whatever is proved: `ACCESS_DENIED` to each step that would log in, bind, or accept a second factor. Sessions that
    /// exist stay good.
    #[must_use]
    pub fn denied(mut self) -> Self {
        self.denied = true;
        self
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("user_name", &self.user_name).finish_non_exhaustive()
    }
}

/// Something that goes wrong with one request; see [`Emulator::fail_next`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is lost before the tenant carries anything out.
    LoseRequest,
    /// The tenant carries it out, and the connection is lost before the answer.
    LoseAnswer,
    /// The tenant carries it out, and answers late.
    Late(Duration),
    /// This answer, and nothing is carried out.
    Answer {
        /// The HTTP status.
        http_status: StatusCode,
        /// The body.
        body: String,
    },
    /// The tenant carries it out, and answers with this.
    AnswerAfter {
        /// The HTTP status.
        http_status: StatusCode,
        /// The body.
        body: String,
    },
}

/// What the tenant really did with a request; see [`Emulator::ledger`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The path of the request.
    pub path: String,
    /// The HTTP status that the tenant answered; `None` if a fault took the answer or the request.
    pub http_status: Option<StatusCode>,
    /// The error code, if the tenant refused.
    pub error_code: Option<String>,
    /// What changed.
    pub effects: Vec<Effect>,
}

/// A change that the tenant made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// An account was registered.
    Registered {
        /// The new account's user name.
        user_name: String,
    },
    /// An identity was bound to an account.
    Bound {
        /// The account's user name.
        user_name: String,
        /// The identity, as the mini program's platform names it.
        identity: String,
    },
    /// A session was given out.
    Session {
        /// The account's user name.
        user_name: String,
    },
    /// A verification code was sent.
    CodeSent {
        /// Where to.
        destination: String,
        /// What for.
        send_type: SendType,
    },
}

/// What kind of token the tenant makes; see [`Emulator::with_tokens`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A state token.
    State,
    /// A session token.
    Session,
    /// An identity token.
    Id,
}

type Tokens = Box<dyn Fn(TokenKind) -> String + Send>;
type Clock = Box<dyn Fn() -> SystemTime + Send>;

/// What becomes of a request.
pub(crate) enum Reply {
    Answer(Response),
    /// The answer, after a while.
    Late(Duration, Response),
    /// The connection is lost.
    Lost,
}

impl Emulator {
    /// A tenant without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Tenant::new())))
    }

    /// The same, with the time that `clock` tells instead of the system's.
    ///
    /// What a service checks times with has clocks of its own (`IdTokenVerifier`, `KeyCache`, `Sealer`): give them the same one.
    /// `clock` must not call this emulator.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> SystemTime + Send + 'static) -> Self {
        self.tenant().clock = Box::new(clock);
        self
    }

    /// The same, with tokens that `tokens` makes: for answers that have to equal a given one. It must not call this emulator.
    #[must_use]
    pub fn with_tokens(self, tokens: impl Fn(TokenKind) -> String + Send + 'static) -> Self {
        self.tenant().tokens = Some(Box::new(tokens));
        self
    }

    /// Changes the settings, for what comes from now on. `change` must not call this emulator: it is locked meanwhile.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.tenant().settings);
    }

    /// Lets time pass, for the tenant alone.
    ///
    /// To an `IdTokenVerifier`, which goes by the system's time unless said, the identity token of a later login is then from the
    /// future, if it is by more than the leeway. [`with_clock`](Self::with_clock) makes one clock of both.
    pub fn advance(&self, time: Duration) {
        let mut tenant = self.tenant();
        tenant.passed = tenant.passed.saturating_add(time);
    }

    /// Adds an account.
    pub fn add_user(&self, user: User) {
        self.tenant().add_user(user);
    }

    /// Binds an identity to an account, as if the user had done so before.
    ///
    /// The identity is what the platform knows the user by: the `openid` of WeChat, the user id of Alipay.
    pub fn bind(&self, platform: Platform, identity: impl Into<String>, user_name: impl Into<String>) {
        self.tenant().identities.insert((platform, identity.into()), user_name.into());
    }

    /// The user name of the account that an identity is bound to.
    #[must_use]
    pub fn bound_user(&self, platform: Platform, identity: &str) -> Option<String> {
        self.tenant().identities.get(&(platform, identity.to_owned())).cloned()
    }

    /// A fresh code, as `wx.login` gives it to the mini program.
    #[must_use]
    pub fn wechat_login_code(&self, openid: impl Into<String>) -> String {
        self.login_code(Platform::WeChat, openid)
    }

    /// A fresh code, as `wx.login` or `my.getAuthCode` gives it to the mini program.
    #[must_use]
    pub fn login_code(&self, platform: Platform, identity: impl Into<String>) -> String {
        let mut tenant = self.tenant();
        let code = tenant.random(32);
        tenant.add_login_code(platform, code.clone(), identity.into());
        code
    }

    /// Accepts `code` once, as one that [`login_code`](Self::login_code) would have made.
    pub fn accept_login_code(
        &self,
        platform: Platform,
        code: impl Into<String>,
        identity: impl Into<String>,
    ) {
        self.tenant().add_login_code(platform, code.into(), identity.into());
    }

    /// A fresh code, as the button `getPhoneNumber` gives it to a mini program in WeChat.
    #[must_use]
    pub fn wechat_phone_code(&self, mobile: impl Into<String>) -> String {
        self.phone_code(Platform::WeChat, mobile)
    }

    /// A fresh code, or encrypted number, as the platform gives it to the mini program when the user authorises a phone
    /// number.
    #[must_use]
    pub fn phone_code(&self, platform: Platform, mobile: impl Into<String>) -> String {
        let mut tenant = self.tenant();
        let code = tenant.random(64);
        tenant.add_phone_code(platform, code.clone(), mobile.into());
        code
    }

    /// Accepts `code` once, as one that [`phone_code`](Self::phone_code) would have made.
    pub fn accept_phone_code(&self, platform: Platform, code: impl Into<String>, mobile: impl Into<String>) {
        self.tenant().add_phone_code(platform, code.into(), mobile.into());
    }

    /// Where the piece of a captcha fits, in pixels from the left: what a person sees.
    #[must_use]
    pub fn captcha_solution(&self, token: &str) -> Option<f64> {
        self.tenant().captcha_solution(token)
    }

    /// Sends a verification code to `destination`, as if it had been requested, and tells it.
    #[must_use]
    pub fn issue_code(&self, destination: &str, send_type: SendType) -> String {
        let mut tenant = self.tenant();
        let code = tenant.random_digits();
        tenant.add_verify_code(destination, send_type, code.clone());
        code
    }

    /// Accepts `code` from `destination`, as a verification code that was requested with `send_type`.
    pub fn accept_code(&self, destination: &str, send_type: SendType, code: impl Into<String>) {
        self.tenant().add_verify_code(destination, send_type, code.into());
    }

    /// The last verification code that was sent to `destination`.
    #[must_use]
    pub fn last_code(&self, destination: &str) -> Option<String> {
        self.tenant().last_code(destination)
    }

    /// The stage that a state token stands for: [`PendingBind`](StageKind::PendingBind),
    /// [`PendingRegister`](StageKind::PendingRegister) or [`MfaRequired`](StageKind::MfaRequired); `None` if it is good for
    /// nothing.
    #[must_use]
    pub fn pending(&self, state_token: &str) -> Option<StageKind> {
        self.tenant().waiting_stage(state_token)
    }

    /// The user name of the account whose session this is.
    #[must_use]
    pub fn session_user(&self, session_token: &str) -> Option<String> {
        self.tenant().session_user(session_token)
    }

    /// Ends a session: its token is good for nothing any more.
    pub fn end_session(&self, session_token: &str) {
        self.tenant().end_session(session_token);
    }

    /// Changes the key that signs `id_token`s: from now on the key set has the new one.
    pub fn rotate_key(&self) {
        self.tenant().signing.rotate();
    }

    /// Lets the next request to `path` go wrong; several faults happen one after the other.
    pub fn fail_next(&self, path: impl Into<String>, fault: Fault) {
        self.tenant().faults.entry(path.into()).or_default().push_back(fault);
    }

    /// What the tenant really did, in order.
    #[must_use]
    pub fn ledger(&self) -> Vec<Entry> {
        self.tenant().ledger.clone()
    }

    /// The same, and forgets it.
    #[must_use]
    pub fn take_ledger(&self) -> Vec<Entry> {
        std::mem::take(&mut self.tenant().ledger)
    }

    /// A client that talks to this tenant in process.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the settings hold a client id or tenant id that a header cannot carry.
    pub fn client(&self) -> Result<Client, Error> {
        self.client_builder("https://emulator.invalid").build_with(self.clone())
    }

    /// A client builder with this tenant's client id and edition.
    pub fn client_builder(&self, base_address: impl Into<String>) -> crate::ClientBuilder {
        let tenant = self.tenant();
        Client::builder(base_address, &tenant.settings.client_id)
            .edition(tenant.settings.edition.clone())
            .wechat_code_field(tenant.settings.wechat_code_field)
    }

    /// Puts the tenant behind HTTP on this machine, at a free port.
    ///
    /// # Errors
    /// If no port can be opened or no thread be started.
    pub fn start(&self) -> std::io::Result<EmulatorServer> {
        EmulatorServer::start(self.clone())
    }

    pub(crate) fn reply(&self, request: &Request) -> Reply {
        self.tenant().reply(request)
    }

    fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Emulator {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        match self.reply(&request) {
            Reply::Answer(response) => Ok(response),
            Reply::Late(time, response) => {
                std::thread::sleep(time);
                Ok(response)
            }
            Reply::Lost => Err(TransportError::maybe_sent("the connection was lost")),
        }
    }
}

type Faults = HashMap<String, VecDeque<Fault>>;
