use std::fmt;

use zeroize::Zeroizing;

use super::{
    AcceptsCode, Account, AlipayMiniProgram, Next, Outcome, SendsCode, SocialApp, Stage, Step, VerifyEmail,
    VerifyPhone, WeChatMiniProgram, accessors, tokenless_stage,
};
use crate::client::Client;
use crate::context::Context;
use crate::device::Device;
use crate::error::UnexpectedReason;
use crate::sealed::{INSIDE, Inside};
use crate::wire::endpoints::{
    LOGIN_ALIPAY_APP, LOGIN_ALIPAY_MINI_PROGRAM, LOGIN_APPLE, LOGIN_CARRIER, LOGIN_IDENTIFIER_PASSWORD,
    LOGIN_QQ, LOGIN_USERNAME_PASSWORD, LOGIN_WECHAT_APP, LOGIN_WECHAT_MINI_PROGRAM,
    LOGIN_WECHAT_MINI_PROGRAM_MOBILE, LOGIN_WEIBO, Scenario, StageKind,
};
use crate::wire::responses::{Failure, Received, read_empty};

/// Nothing has happened yet. [`Client::login`](crate::Client::login) makes it.
///
/// A login begins here, and so do a [registration](Unauthenticated::register) and the
/// [reset of a password](Unauthenticated::reset_password).
///
/// If the response to a login is lost, [`Unresolved::start_over`](crate::Unresolved::start_over) leads back here. A code of a
/// platform, such as that of `wx.login`, works once, so the next try needs a fresh one.
///
/// ```
/// use idaas_login::Outcome;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let login = client.login(device);
/// let outcome = login.username_password("zhangshan", "correct horse").send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/unauthenticated.md")]
pub struct Unauthenticated {
    context: Context,
}

impl Client {
    /// Begins a login from `device`.
    ///
    /// ```
    /// use idaas_login::endpoints::StageKind;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// // Nothing is sent before the first step.
    /// let login = client.login(device);
    /// assert_eq!(login.kind(), StageKind::Unauthenticated);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn login(&self, device: Device) -> Unauthenticated {
        Unauthenticated::new(Context { client: self.clone(), device })
    }
}

impl Unauthenticated {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }

    accessors!();

    /// Logs in with the code that `wx.login` gave the mini program.
    ///
    /// ```
    /// use idaas_login::{Advice, Outcome};
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.wechat_login_code("an-openid");
    /// // `code` is what wx.login gave the mini program.
    /// let outcome = client.login(device.clone()).wechat_mini_program(&code).send()?;
    /// // This WeChat user has no account yet.
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    ///
    /// // A code works once.
    /// let failed = client.login(device).wechat_mini_program(&code).send().unwrap_err();
    /// assert_eq!(failed.advice(), Advice::FreshPlatformCode);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [WeChat mini program login](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/wechat/login-by-wechat-mini.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn wechat_mini_program(self, code: impl AsRef<str>) -> Step<Self, Outcome<WeChatMiniProgram>> {
        Step::new(self, &LOGIN_WECHAT_MINI_PROGRAM, &[code.as_ref()])
    }

    /// Logs in with the phone number that the user authorised in WeChat.
    ///
    /// `code` is that of the button `getPhoneNumber`, not that of `wx.login`. The page lists no response but `SUCCESS`; the
    /// others are read all the same.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.wechat_phone_code("15201657312");
    /// // `code` is what the button getPhoneNumber gave the mini program.
    /// let outcome = client.login(device).wechat_mini_program_mobile(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [WeChat mini program login by mobile number](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/wechat/login-mobile-by-wechat-mini.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn wechat_mini_program_mobile(self, code: impl AsRef<str>) -> Step<Self, Outcome<WeChatMiniProgram>> {
        Step::new(self, &LOGIN_WECHAT_MINI_PROGRAM_MOBILE, &[code.as_ref()])
    }

    /// Logs in with the code that `my.getAuthCode` gave the Alipay mini program.
    ///
    /// ```
    /// use idaas_login::{AlipayMiniProgram, Outcome};
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.login_code(Platform::AlipayMiniProgram, "2088102104794936");
    /// // `code` is what my.getAuthCode gave the mini program.
    /// let outcome: Outcome<AlipayMiniProgram> = client.login(device).alipay_mini_program(code).send()?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Alipay mini program login](https://open.bccastle.com/en/development/ciam/api/v2/sdk/mini-program/alipay/login-by-alipay-mini.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn alipay_mini_program(self, code: impl AsRef<str>) -> Step<Self, Outcome<AlipayMiniProgram>> {
        Step::new(self, &LOGIN_ALIPAY_MINI_PROGRAM, &[code.as_ref()])
    }

    /// Logs in with user name and password. Each wrong password counts against the account, everywhere.
    ///
    /// When no attempt is left the account is locked for every application of the tenant:
    /// [`Refusal::attempts_left`](crate::Refusal::attempts_left) says how many are left, if the tenant does. Let the user type
    /// again, and never try a password twice by yourself.
    ///
    /// The password is sent exactly as given, in plain text inside TLS: the page knows no other form. A wrong one hands this
    /// stage back in [`Recovery::Retry`](crate::Recovery::Retry).
    ///
    /// ```
    /// use idaas_login::{Advice, Outcome, Recovery};
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let failed = client.login(device).username_password("zhangshan", "a wrong one").send().unwrap_err();
    /// assert_eq!(failed.advice(), Advice::AskAgain { attempts_left: Some(4) });
    ///
    /// // The stage is handed back: let the user type again.
    /// let Recovery::Retry(login) = failed.into_recovery() else { panic!("nothing was carried out") };
    /// let outcome = login.username_password("zhangshan", "correct horse").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by user name and password](https://open.bccastle.com/en/development/ciam/api/v2/sdk/web-application/login-by-username-password.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty user name or password is refused before
    /// anything is sent.
    pub fn username_password(
        self,
        user_name: impl AsRef<str>,
        password: impl AsRef<str>,
    ) -> Step<Self, Outcome<Account>> {
        Step::new(self, &LOGIN_USERNAME_PASSWORD, &[user_name.as_ref(), password.as_ref()])
    }

    /// Logs in with a password and whatever names the account. Each wrong password counts against the account, everywhere.
    ///
    /// `identifier` is the user name, the mobile number or the e-mail address. CIAM alone documents it; otherwise as
    /// [`username_password`](Self::username_password).
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let login = client.login(device);
    /// let outcome = login.identifier_password("zhangshan@example.com", "correct horse").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by identifier and password](https://open.bccastle.com/en/development/ciam/api/v2/sdk/web-application/login-by-identifier-password.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty identifier or password is refused before
    /// anything is sent.
    pub fn identifier_password(
        self,
        identifier: impl AsRef<str>,
        password: impl AsRef<str>,
    ) -> Step<Self, Outcome<Account>> {
        Step::new(self, &LOGIN_IDENTIFIER_PASSWORD, &[identifier.as_ref(), password.as_ref()])
    }

    /// Logs in with a mobile number and a code by SMS. Nothing is sent yet: [`VerifyPhone`] has the steps.
    ///
    /// The number is sent exactly as given. Depending on its configuration the tenant may register an unknown number.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).phone("15201657312");
    /// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
    /// // `pass` is that of a captcha: see `Captcha::solve`.
    /// stage.send_code(&pass).send()?;
    /// # let code = tenant.last_code(stage.destination()).ok_or("sent")?;
    /// // `code` is what the user received.
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by mobile number and code](https://open.bccastle.com/en/development/ciam/api/v2/sdk/web-application/login-by-mobile-code.html).
    #[must_use]
    pub fn phone(self, mobile: impl Into<String>) -> VerifyPhone<Self> {
        VerifyPhone::new(self, Zeroizing::new(mobile.into()))
    }

    /// Logs in with an e-mail address and a code by e-mail. Nothing is sent yet: [`VerifyEmail`] has the steps.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).email("zhangshan@example.com");
    /// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
    /// stage.send_code(&pass).send()?;
    /// # let code = tenant.last_code(stage.destination()).ok_or("sent")?;
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by e-mail and code](https://open.bccastle.com/en/development/ciam/api/v2/sdk/web-application/login-by-email-code.html).
    #[must_use]
    pub fn email(self, address: impl Into<String>) -> VerifyEmail<Self> {
        VerifyEmail::new(self, Zeroizing::new(address.into()))
    }

    /// Logs in with the code that WeChat gave an app or a site; that of a mini program belongs to
    /// [`wechat_mini_program`](Self::wechat_mini_program).
    ///
    /// ```
    /// use idaas_login::{Outcome, SocialApp};
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.login_code(Platform::WeChatApp, "an-openid");
    /// let outcome: Outcome<SocialApp> = client.login(device).wechat_app(code).send()?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by WeChat](https://open.bccastle.com/en/development/ciam/api/v2/sdk/other-api/login-by-wechat.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn wechat_app(self, code: impl AsRef<str>) -> Step<Self, Outcome<SocialApp>> {
        Step::new(self, &LOGIN_WECHAT_APP, &[code.as_ref()])
    }

    /// Logs in with the code that Alipay gave an app or a site; that of a mini program belongs to
    /// [`alipay_mini_program`](Self::alipay_mini_program).
    ///
    /// ```
    /// use idaas_login::{Outcome, SocialApp};
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.login_code(Platform::AlipayApp, "2088102104794936");
    /// let outcome: Outcome<SocialApp> = client.login(device).alipay_app(code).send()?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by Alipay](https://open.bccastle.com/en/development/ciam/api/v2/sdk/other-api/login-by-alipay.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn alipay_app(self, code: impl AsRef<str>) -> Step<Self, Outcome<SocialApp>> {
        Step::new(self, &LOGIN_ALIPAY_APP, &[code.as_ref()])
    }

    /// Logs in with the access token that QQ gave the app, and the user's `openid` there.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let open_id = "an-openid";
    /// # let access_token = tenant.login_code(Platform::Qq, open_id);
    /// // Both come from QQ's SDK in the app.
    /// let outcome = client.login(device).qq(access_token, open_id).send()?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by QQ](https://open.bccastle.com/en/development/ciam/api/v2/sdk/other-api/login-by-qq.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty value is refused before anything is sent.
    pub fn qq(
        self,
        access_token: impl AsRef<str>,
        open_id: impl AsRef<str>,
    ) -> Step<Self, Outcome<SocialApp>> {
        Step::new(self, &LOGIN_QQ, &[access_token.as_ref(), open_id.as_ref()])
    }

    /// Logs in with the access token that Weibo gave the app, and the user's `uid` there.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let uid = "1404376560";
    /// # let access_token = tenant.login_code(Platform::Weibo, uid);
    /// // Both come from Weibo's SDK in the app.
    /// let outcome = client.login(device).weibo(access_token, uid).send()?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by Weibo](https://open.bccastle.com/en/development/ciam/api/v2/sdk/other-api/login-by-weibo.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty value is refused before anything is sent.
    pub fn weibo(
        self,
        access_token: impl AsRef<str>,
        uid: impl AsRef<str>,
    ) -> Step<Self, Outcome<SocialApp>> {
        Step::new(self, &LOGIN_WEIBO, &[access_token.as_ref(), uid.as_ref()])
    }

    /// Logs in with the code that Sign in with Apple gave the app.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let code = tenant.login_code(Platform::Apple, "001234.a1b2.0123");
    /// let outcome = client.login(device).apple(code).send()?;
    /// assert!(matches!(outcome, Outcome::PendingBind(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Login by Apple](https://open.bccastle.com/en/development/ciam/api/v2/sdk/other-api/login-by-apple.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty code is refused before anything is sent.
    pub fn apple(self, code: impl AsRef<str>) -> Step<Self, Outcome<SocialApp>> {
        Step::new(self, &LOGIN_APPLE, &[code.as_ref()])
    }

    /// Logs in with the number of the phone itself, which its carrier vouches for: one tap, no code.
    ///
    /// `access_token` is what the carrier's SDK (Alibaba Cloud's phone number verification) gave the app. It works once. The
    /// page lists no response but `SUCCESS`; the others are read all the same.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # use idaas_login::endpoints::Platform;
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let access_token = tenant.phone_code(Platform::Carrier, "15201657312");
    /// let outcome = client.login(device).carrier_one_tap(access_token).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [One-tap login by the carrier](https://open.bccastle.com/en/development/ciam/api/v2/sdk/other-api/login-by-aliyun-mobile.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty token is refused before anything is sent.
    pub fn carrier_one_tap(self, access_token: impl AsRef<str>) -> Step<Self, Outcome<Account>> {
        Step::new(self, &LOGIN_CARRIER, &[access_token.as_ref()])
    }
}

tokenless_stage!(Unauthenticated);

impl SendsCode for Unauthenticated {
    const SCENARIO: Scenario = Scenario::Login;
}

impl AcceptsCode for Unauthenticated {
    type Outcome = Outcome<Account>;
}

/// What leads back to the beginning: a logout, and a reset of a password.
impl<S: Stage> Next<S> for Unauthenticated {
    type Content = ();

    fn read(received: Received<'_>, _: Inside) -> Result<(), Failure> {
        read_empty(received)
    }

    fn reached(stage: S, (): (), _: Inside) -> Result<Self, (S, UnexpectedReason)> {
        Ok(Self::new(stage.into_context(INSIDE)))
    }

    fn reached_kind(&self, _: Inside) -> StageKind {
        StageKind::Unauthenticated
    }
}

impl fmt::Debug for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unauthenticated").finish_non_exhaustive()
    }
}
