use std::marker::PhantomData;

use super::pending::{PendingState, pending_stage, verify_methods};
use super::{AcceptsCode, AlipayMiniProgram, Origin, Outcome, SendsCode, Step, WeChatMiniProgram};
use crate::wire::endpoints::{BIND_ALIPAY_MOBILE, BIND_USERNAME_PASSWORD, BIND_WECHAT_MOBILE, Scenario};

/// The identity is known to the platform, but to no account of the tenant: an **existing** account must be bound.
///
/// The status `SOCIAL_BIND` leads here.
///
/// A wrong password hands the stage back in [`Recovery::Retry`](crate::Recovery::Retry), state token and all.
///
#[doc = include_str!("../../docs/stages/pending_bind.md")]
pub struct PendingBind<O: Origin = WeChatMiniProgram> {
    pending: PendingState,
    origin: PhantomData<fn() -> O>,
}

pending_stage!(PendingBind);
verify_methods!(PendingBind);

impl<O: Origin> SendsCode for PendingBind<O> {
    const SCENARIO: Scenario = Scenario::Bind;
}

impl<O: Origin> AcceptsCode for PendingBind<O> {
    type Outcome = Outcome<O>;
}

impl<O: Origin> PendingBind<O> {
    /// Binds the account with this user name and password. Each wrong password counts against the account, everywhere.
    ///
    /// When no attempt is left the account is locked for every application of the tenant:
    /// [`Refusal::attempts_left`](crate::Refusal::attempts_left) says how many are left, if the tenant does.
    ///
    /// The password is sent exactly as given, in plain text inside TLS: the page knows no other form.
    ///
    /// Page: [Bind by user name and password](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/wechat/bind-username-password.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty user name or password is refused before
    /// anything is sent.
    pub fn username_password(
        self,
        user_name: impl AsRef<str>,
        password: impl AsRef<str>,
    ) -> Step<Self, Outcome<O>> {
        let values = [user_name.as_ref(), password.as_ref()];
        Step::new(self, &BIND_USERNAME_PASSWORD, &values)
    }
}

impl PendingBind<WeChatMiniProgram> {
    /// Binds the account that has the phone number which the user authorised in WeChat.
    ///
    /// `wechat_code` is the code of the button `getPhoneNumber`, not that of `wx.login`.
    ///
    /// Page: [Bind by the phone number that WeChat authorised](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/wechat/bind-wechat-mobile.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn wechat_mobile(self, wechat_code: impl AsRef<str>) -> Step<Self, Outcome<WeChatMiniProgram>> {
        Step::new(self, &BIND_WECHAT_MOBILE, &[wechat_code.as_ref()])
    }
}

impl PendingBind<AlipayMiniProgram> {
    /// Binds the account that has the phone number which the user authorised in Alipay.
    ///
    /// `alipay_encrypt` is what `my.getPhoneNumber` gave the mini program, encrypted; it is sent exactly as given.
    ///
    /// Page: [Bind by the phone number that Alipay authorised](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/alipay/bind-alipay-mobile.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty value is refused before anything is sent.
    pub fn alipay_mobile(self, alipay_encrypt: impl AsRef<str>) -> Step<Self, Outcome<AlipayMiniProgram>> {
        Step::new(self, &BIND_ALIPAY_MOBILE, &[alipay_encrypt.as_ref()])
    }
}
