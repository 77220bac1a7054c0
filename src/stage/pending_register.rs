use std::marker::PhantomData;

use super::pending::{PendingState, pending_stage, verify_methods};
use super::{AcceptsCode, AlipayMiniProgram, Origin, Outcome, SendsCode, Step, WeChatMiniProgram};
use crate::wire::endpoints::{REGISTER_ALIPAY_MOBILE, REGISTER_WECHAT_MOBILE, Scenario};

/// The identity is known to the platform, but to no account of the tenant: an account must be bound, and is **registered** if
/// there is none.
///
/// The status `USER_REGISTER` leads here.
///
/// ```
/// use idaas_login::Outcome;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// # tenant.configure(|settings| settings.unbound = idaas_login::emulator::Unbound::Register);
/// # let code = tenant.wechat_login_code("an-openid");
/// # let phone_code = tenant.wechat_phone_code("13800138000");
/// let Outcome::PendingRegister(stage) = client.login(device).wechat_mini_program(code).send()? else {
///     panic!("this WeChat user has no account yet");
/// };
/// // Nobody has the number, so an account is registered with it.
/// let outcome = stage.wechat_mobile(phone_code).send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/pending_register.md")]
pub struct PendingRegister<O: Origin = WeChatMiniProgram> {
    pending: PendingState,
    origin: PhantomData<fn() -> O>,
}

pending_stage!(PendingRegister);
verify_methods!(PendingRegister, "idaas_login::emulator::examples::pending_register()");

impl<O: Origin> SendsCode for PendingRegister<O> {
    const SCENARIO: Scenario = Scenario::BindOrRegister;
}

impl<O: Origin> AcceptsCode for PendingRegister<O> {
    type Outcome = Outcome<O>;
}

impl PendingRegister<WeChatMiniProgram> {
    /// Binds the account that has the phone number which the user authorised in WeChat, or registers one with it.
    ///
    /// `wechat_code` is the code of the button `getPhoneNumber`, not that of `wx.login`.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_register()?;
    /// # let code = tenant.wechat_phone_code("13800138000");
    /// // `code` is what the button getPhoneNumber gave the mini program.
    /// let outcome = stage.wechat_mobile(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Bind or register by the phone number that WeChat authorised](https://open.bccastle.com/en/development/eiam/applets/bind-wechat-mobile-at-login-or-register.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn wechat_mobile(self, wechat_code: impl AsRef<str>) -> Step<Self, Outcome<WeChatMiniProgram>> {
        Step::new(self, &REGISTER_WECHAT_MOBILE, &[wechat_code.as_ref()])
    }
}

impl PendingRegister<AlipayMiniProgram> {
    /// Binds the account that has the phone number which the user authorised in Alipay, or registers one with it.
    ///
    /// `alipay_encrypt` is what `my.getPhoneNumber` gave the mini program, encrypted; it is sent exactly as given.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # tenant.configure(|settings| settings.unbound = idaas_login::emulator::Unbound::Register);
    /// # let code = tenant.login_code(Platform::AlipayMiniProgram, "2088102104794936");
    /// # let encrypted = tenant.phone_code(Platform::AlipayMiniProgram, "13800138000");
    /// let Outcome::PendingRegister(stage) = client.login(device).alipay_mini_program(code).send()? else {
    ///     panic!("this Alipay user has no account yet");
    /// };
    /// // `encrypted` is what my.getPhoneNumber gave the mini program.
    /// let outcome = stage.alipay_mobile(encrypted).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Bind or register by the phone number that Alipay authorised](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/alipay/bind-alipay-mobile-at-login-or-register.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty value is refused before anything is sent.
    pub fn alipay_mobile(self, alipay_encrypt: impl AsRef<str>) -> Step<Self, Outcome<AlipayMiniProgram>> {
        Step::new(self, &REGISTER_ALIPAY_MOBILE, &[alipay_encrypt.as_ref()])
    }
}
