use std::fmt;

use super::{Alipay, Next, Outcome, Stage, Step, WeChat, accessors};
use crate::client::Client;
use crate::context::Context;
use crate::device::Device;
use crate::error::UnexpectedReason;
use crate::sealed::{Inside, Sealed};
use crate::secret::StateToken;
use crate::wire::endpoints::{
    LOGIN_ALIPAY_MINI_PROGRAM, LOGIN_WECHAT_MINI_PROGRAM, LOGIN_WECHAT_MINI_PROGRAM_MOBILE, StageKind,
};
use crate::wire::responses::{Failure, Received, read_empty};

/// Nothing has happened yet. [`Client::login`](crate::Client::login) makes it.
///
/// If the answer to a login is lost, [`Unresolved::start_over`](crate::Unresolved::start_over) leads back here, and the
/// next try needs a fresh code of `wx.login`: a code works once and lives five minutes.
///
#[doc = include_str!("../../docs/stages/unauthenticated.md")]
pub struct Unauthenticated {
    context: Context,
}

impl Client {
    /// Begins a login from `device`.
    #[must_use]
    pub fn login(&self, device: Device) -> Unauthenticated {
        Unauthenticated::new(Context { client: self.clone(), device })
    }
}

impl Unauthenticated {
    pub(super) fn new(context: Context) -> Self {
        Self { context }
    }

    accessors!();

    /// Logs in with the code that `wx.login` gave the mini program.
    ///
    /// Page: [WeChat mini program login](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/wechat/login-by-wechat-mini.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn wechat_mini_program(self, code: impl AsRef<str>) -> Step<Self, Outcome<WeChat>> {
        Step::new(self, &LOGIN_WECHAT_MINI_PROGRAM, &[code.as_ref()])
    }

    /// Logs in with the phone number that the user authorised in WeChat.
    ///
    /// `code` is that of the button `getPhoneNumber`, not that of `wx.login`. The page lists no answer but `SUCCESS`; the
    /// others are read all the same.
    ///
    /// Page: [WeChat mini program login by mobile number](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/wechat/login-mobile-by-wechat-mini.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn wechat_mini_program_mobile(self, code: impl AsRef<str>) -> Step<Self, Outcome<WeChat>> {
        Step::new(self, &LOGIN_WECHAT_MINI_PROGRAM_MOBILE, &[code.as_ref()])
    }

    /// Logs in with the code that `my.getAuthCode` gave the Alipay mini program.
    ///
    /// Page: [Alipay mini program login](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/alipay/login-by-alipay-mini.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn alipay_mini_program(self, code: impl AsRef<str>) -> Step<Self, Outcome<Alipay>> {
        Step::new(self, &LOGIN_ALIPAY_MINI_PROGRAM, &[code.as_ref()])
    }
}

impl Sealed for Unauthenticated {}

/// What ends a session or a password leads here: its answer says nothing.
impl<S: Stage> Next<S> for Unauthenticated {
    type Answer = ();

    fn read(received: Received<'_>, _: Inside) -> Result<(), Failure> {
        read_empty(received)
    }

    fn reached(stage: S, (): (), _: Inside) -> Result<Self, (S, UnexpectedReason)> {
        Ok(stage.start_over())
    }

    fn reached_kind(&self, _: Inside) -> StageKind {
        StageKind::Unauthenticated
    }
}

impl Stage for Unauthenticated {
    fn kind(&self) -> StageKind {
        StageKind::Unauthenticated
    }

    fn state_token(&self) -> Option<&StateToken> {
        None
    }

    fn context(&self, _: Inside) -> &Context {
        &self.context
    }

    fn into_context(self, _: Inside) -> Context {
        self.context
    }
}

impl fmt::Debug for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unauthenticated").finish_non_exhaustive()
    }
}
