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
/// ```
/// use idaas_login::Outcome;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// # let code = tenant.wechat_login_code("an-openid");
/// let Outcome::PendingBind(stage) = client.login(device).wechat_mini_program(code).send()? else {
///     panic!("this WeChat user has no account yet");
/// };
/// let outcome = stage.username_password("zhangshan", "correct horse").send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/pending_bind.md")]
pub struct PendingBind<O: Origin = WeChatMiniProgram> {
    pending: PendingState,
    origin: PhantomData<fn() -> O>,
}

pending_stage!(PendingBind);
verify_methods!(PendingBind, "idaas_login::emulator::examples::pending_bind()");

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
    /// ```
    /// use idaas_login::{Advice, Outcome, Recovery};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let failed = stage.username_password("zhangshan", "a wrong one").send().unwrap_err();
    /// assert_eq!(failed.advice(), Advice::AskAgain { attempts_left: Some(4) });
    ///
    /// // The stage is handed back: let the user type again.
    /// let Recovery::Retry(stage) = failed.into_recovery() else { panic!("nothing was carried out") };
    /// let outcome = stage.username_password("zhangshan", "correct horse").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # let code = tenant.wechat_phone_code("15201657312");
    /// // `code` is what the button getPhoneNumber gave the mini program.
    /// let outcome = stage.wechat_mobile(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.login_code(Platform::AlipayMiniProgram, "2088102104794936");
    /// # let encrypted = tenant.phone_code(Platform::AlipayMiniProgram, "15201657312");
    /// let Outcome::PendingBind(stage) = client.login(device).alipay_mini_program(code).send()? else {
    ///     panic!("this Alipay user has no account yet");
    /// };
    /// // `encrypted` is what my.getPhoneNumber gave the mini program.
    /// let outcome = stage.alipay_mobile(encrypted).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Bind by the phone number that Alipay authorised](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/alipay/bind-alipay-mobile.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty value is refused before anything is sent.
    pub fn alipay_mobile(self, alipay_encrypt: impl AsRef<str>) -> Step<Self, Outcome<AlipayMiniProgram>> {
        Step::new(self, &BIND_ALIPAY_MOBILE, &[alipay_encrypt.as_ref()])
    }
}
