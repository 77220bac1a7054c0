//! The emulator: a handle to the tenant, and a transport.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::ledger::{Entry, Fault, Handled};
use super::settings::Settings;
use super::tenant::{Reply, Tenant};
use super::token::TokenKind;
use super::user::User;
use crate::client::Client;
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

impl Emulator {
    /// A tenant without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Tenant::new())))
    }

    /// The same, with the time that `clock` tells instead of the system's.
    ///
    /// What a service checks times with has clocks of its own ([`IdTokenVerifier`], [`KeyCache`], [`Sealer`]): give them the same
    /// one. `clock` must not call this emulator.
    ///
    #[cfg_attr(feature = "verify", doc = "[`IdTokenVerifier`]: crate::IdTokenVerifier")]
    #[cfg_attr(not(feature = "verify"), doc = "[`IdTokenVerifier`]: crate#features")]
    #[cfg_attr(feature = "verify", doc = "[`KeyCache`]: crate::KeyCache")]
    #[cfg_attr(not(feature = "verify"), doc = "[`KeyCache`]: crate#features")]
    #[cfg_attr(feature = "seal", doc = "[`Sealer`]: crate::Sealer")]
    #[cfg_attr(not(feature = "seal"), doc = "[`Sealer`]: crate#features")]
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> SystemTime + Send + 'static) -> Self {
        self.tenant().clock = Box::new(clock);
        self
    }

    /// The same, with codes, tokens and captchas that follow from `seed`: two tenants with one seed that get the same requests give
    /// the same responses, if their clocks do. Without it each tenant of a process has its own.
    #[must_use]
    pub fn with_seed(self, seed: u32) -> Self {
        self.tenant().random = u64::from(seed) << 32;
        self
    }

    /// The same, with tokens that `tokens` makes: for responses that have to equal a given one. It must not call this emulator.
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
    /// To an [`IdTokenVerifier`], which by default goes by the system's time, the identity token of a later login is then from the
    /// future, if it is by more than the leeway. [`with_clock`](Self::with_clock) makes one clock of both.
    ///
    #[cfg_attr(feature = "verify", doc = "[`IdTokenVerifier`]: crate::IdTokenVerifier")]
    #[cfg_attr(not(feature = "verify"), doc = "[`IdTokenVerifier`]: crate#features")]
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
    /// The identity is what the platform knows the user by: the `openid` of WeChat and QQ, the user id of Alipay, the `uid` of
    /// Weibo. A mini program and an app are two platforms.
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
        self.login_code(Platform::WeChatMiniProgram, openid)
    }

    /// A fresh code or access token, as the platform gives it to the app: `wx.login`, `my.getAuthCode`, or the platform's SDK.
    ///
    /// The carrier gives no identity but a number: [`phone_code`](Self::phone_code).
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
        self.phone_code(Platform::WeChatMiniProgram, mobile)
    }

    /// A fresh code, encrypted number or access token, as the platform gives it to the app when the user authorises a phone
    /// number: WeChat and Alipay to a mini program, the carrier to an app.
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

    /// The stage that a state token stands for, such as [`PendingBind`](StageKind::PendingBind); `None` if it is good for
    /// nothing.
    #[must_use]
    pub fn pending(&self, state_token: &str) -> Option<StageKind> {
        self.tenant().waiting_stage(state_token)
    }

    /// The password of an account.
    #[must_use]
    pub fn password(&self, user_name: &str) -> Option<String> {
        self.tenant().password(user_name)
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

    /// What becomes of a request, for whoever serves the tenant himself: the response, and what the ledger says of it.
    #[must_use]
    pub fn handle(&self, request: &Request) -> Handled {
        let mut tenant = self.tenant();
        let (response, delay) = match tenant.reply(request) {
            Reply::Answer(response) => (Some(response), Duration::ZERO),
            Reply::Late(delay, response) => (Some(response), delay),
            Reply::Lost => (None, Duration::ZERO),
        };
        Handled { entry: tenant.last_entry(), response, delay }
    }

    /// The tenant's time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.tenant().now()
    }

    /// The user names of all accounts, in order.
    #[must_use]
    pub fn user_names(&self) -> Vec<String> {
        self.tenant().user_names()
    }

    /// A client that talks to this tenant in process.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the settings hold a client id or tenant id that a header cannot carry.
    pub fn client(&self) -> Result<Client, Error> {
        self.client_builder("https://emulator.invalid").build_with(self.clone())
    }

    /// A client builder with this tenant's client id, edition, clock, and whatever else its settings say that differs from the
    /// edition's documents.
    pub fn client_builder(&self, base_address: impl Into<String>) -> crate::ClientBuilder {
        let tenant = self.tenant();
        let settings = &tenant.settings;
        let mut builder = Client::builder(base_address, &settings.client_id)
            .edition(settings.edition.clone())
            .wechat_code_field(settings.wechat_code_field)
            .path_prefix(&settings.path_prefix);
        let emulator = self.clone();
        builder = builder.clock(move || (emulator.tenant().clock)());
        #[cfg(feature = "signature")]
        {
            let emulator = self.clone();
            builder = builder.monotonic_clock(move || {
                (emulator.tenant().clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
            });
        }
        for (row, path) in &settings.paths {
            builder = builder.path(row, path);
        }
        for (row, name) in &settings.send_types {
            builder = builder.send_type(row, name);
        }
        for (row, field, name) in &settings.field_names {
            builder = builder.field_name(row, field, name);
        }
        builder
    }

    pub(super) fn reply(&self, request: &Request) -> Reply {
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
