//! The words that the table of endpoints speaks in: stages, scenarios, origins, platforms, send types.

use std::fmt;

use super::listed::listed;

/// Writes the stages and the list of them.
macro_rules! stages {
    (
        $(#[$meta:meta])* $name:ident {
            $($(#[$plain_doc:meta])* $plain:ident,)+;
            $($(#[$narrowed_doc:meta])* $narrowed:ident(Scenario),)+
        }
    ) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$plain_doc])* $plain,)+
            $($(#[$narrowed_doc])* $narrowed(Scenario),)+
        }

        impl $name {
            /// Every one: those without a scenario, then those with one, in each scenario.
            pub fn all() -> impl Iterator<Item = Self> {
                let narrowed = |scenario: &Scenario| [$(Self::$narrowed(*scenario)),+];
                [$(Self::$plain),+].into_iter().chain(Scenario::ALL.iter().flat_map(narrowed))
            }
        }
    };
}

stages! {
    /// A stage of the login, as data.
    ///
    /// The types of the same names in the crate root are the stages themselves; this enum is how the table speaks of them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    StageKind {
        /// [`Client`](crate::Client): no stage, but some calls are its methods.
        Client,
        /// [`Captcha`](crate::Captcha): no stage, but solving it is a call.
        Captcha,
        /// [`Unauthenticated`](crate::Unauthenticated): nothing has happened yet.
        Unauthenticated,
        /// [`Registration`](crate::Registration): an account is about to be registered.
        Registration,
        /// [`PasswordReset`](crate::PasswordReset): a forgotten password is about to be replaced.
        PasswordReset,
        /// [`PendingBind`](crate::PendingBind): an existing account must be bound.
        PendingBind,
        /// [`PendingRegister`](crate::PendingRegister): an account must be bound or registered.
        PendingRegister,
        /// [`MfaRequired`](crate::MfaRequired): a second factor is asked for.
        MfaRequired,
        /// [`PasswordExpiring`](crate::PasswordExpiring): the password expires soon.
        PasswordExpiring,
        /// [`PasswordExpired`](crate::PasswordExpired): the password must be changed.
        PasswordExpired,
        /// [`Authenticated`](crate::Authenticated): the end.
        Authenticated,
        ;
        /// [`VerifyPhone`](crate::VerifyPhone) of the stage that the scenario names.
        VerifyPhone(Scenario),
        /// [`VerifyEmail`](crate::VerifyEmail) of the stage that the scenario names.
        VerifyEmail(Scenario),
    }
}

impl StageKind {
    /// The stage that was narrowed to a destination; any other stage is itself.
    #[must_use]
    pub const fn before_narrowing(self) -> Self {
        match self {
            Self::VerifyPhone(scenario) | Self::VerifyEmail(scenario) => scenario.stage(),
            other => other,
        }
    }
}

impl StageKind {
    /// Whether it holds a state token, and so belongs to a login of one origin.
    pub(crate) const fn holds_state_token(self) -> bool {
        match self {
            Self::Client
            | Self::Captcha
            | Self::Unauthenticated
            | Self::Registration
            | Self::PasswordReset
            | Self::Authenticated => false,
            Self::PendingBind
            | Self::PendingRegister
            | Self::MfaRequired
            | Self::PasswordExpiring
            | Self::PasswordExpired => true,
            Self::VerifyPhone(scenario) | Self::VerifyEmail(scenario) => scenario.stage().holds_state_token(),
        }
    }
}

/// The name of the type, as it is written in code: `VerifyPhone<PendingBind>`.
impl fmt::Display for StageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VerifyPhone(scenario) => write!(f, "VerifyPhone<{}>", scenario.stage()),
            Self::VerifyEmail(scenario) => write!(f, "VerifyEmail<{}>", scenario.stage()),
            plain => write!(f, "{plain:?}"),
        }
    }
}

listed! {
    /// What a verification code is for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    Scenario {
        /// Bind an existing account.
        Bind,
        /// Bind an account, or register one and bind it.
        BindOrRegister,
        /// Give a second factor.
        SecondFactor,
        /// Log in.
        Login,
        /// Register an account.
        Register,
        /// Replace a forgotten password.
        ResetPassword,
        /// Change a password that has expired or expires soon.
        ChangePassword,
    }
}

impl Scenario {
    /// The stage that such a code moves on.
    #[must_use]
    pub const fn stage(self) -> StageKind {
        match self {
            Self::Bind => StageKind::PendingBind,
            Self::BindOrRegister => StageKind::PendingRegister,
            Self::SecondFactor => StageKind::MfaRequired,
            Self::Login => StageKind::Unauthenticated,
            Self::Register => StageKind::Registration,
            Self::ResetPassword => StageKind::PasswordReset,
            Self::ChangePassword => StageKind::PasswordExpired,
        }
    }
}

listed! {
    /// How a login began: the [`Origin`](crate::Origin) of the stages, as data.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    OriginKind {
        /// [`WeChatMiniProgram`](crate::WeChatMiniProgram): through a WeChat mini program.
        WeChatMiniProgram,
        /// [`AlipayMiniProgram`](crate::AlipayMiniProgram): through an Alipay mini program.
        AlipayMiniProgram,
        /// [`SocialApp`](crate::SocialApp): through another app that the user is known to, such as QQ.
        SocialApp,
        /// [`Account`](crate::Account): with an account of the tenant.
        Account,
    }
}

listed! {
    /// The platform whose code or token a step sends.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    Platform {
        /// A WeChat mini program.
        WeChatMiniProgram,
        /// An Alipay mini program.
        AlipayMiniProgram,
        /// An app or site that uses WeChat's login.
        WeChatApp,
        /// An app or site that uses Alipay's login.
        AlipayApp,
        /// QQ.
        Qq,
        /// Weibo.
        Weibo,
        /// Sign in with Apple.
        Apple,
        /// A mobile carrier, asked by Alibaba Cloud: it knows the number of the phone.
        Carrier,
    }
}

impl Platform {
    /// The origin of a login that begins with a code or token of this platform.
    #[must_use]
    pub const fn origin(self) -> OriginKind {
        match self {
            Self::WeChatMiniProgram => OriginKind::WeChatMiniProgram,
            Self::AlipayMiniProgram => OriginKind::AlipayMiniProgram,
            Self::WeChatApp | Self::AlipayApp | Self::Qq | Self::Weibo | Self::Apple => OriginKind::SocialApp,
            Self::Carrier => OriginKind::Account,
        }
    }
}

listed! {
    /// The `type` that a verification code is requested with.
    ///
    /// A code works only in the scenario that it was requested for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    SendType {
        /// `BIND_MOBILE_SMS`
        BindMobileSms = "BIND_MOBILE_SMS",
        /// `BIND_EMAIL_EMS` (EMS, not EMAIL: that is how the API spells it)
        BindEmailEms = "BIND_EMAIL_EMS",
        /// `REGISTER_SMS`
        RegisterSms = "REGISTER_SMS",
        /// `REGISTER_EMS`
        RegisterEms = "REGISTER_EMS",
        /// `MFA_AUTH_SMS`
        MfaAuthSms = "MFA_AUTH_SMS",
        /// `OTP_REST_SMS`: the second factor of OneAccess
        OtpRestSms = "OTP_REST_SMS",
        /// `MFA_AUTH_EMS`
        MfaAuthEms = "MFA_AUTH_EMS",
        /// `LOGIN_SMS`
        LoginSms = "LOGIN_SMS",
        /// `LOGIN_EMS`
        LoginEms = "LOGIN_EMS",
        /// `FORGET_PWD_SMS`
        ForgetPwdSms = "FORGET_PWD_SMS",
        /// `FORGET_PWD_EMS`
        ForgetPwdEms = "FORGET_PWD_EMS",
        /// `CHANGE_PWD_SMS`
        ChangePwdSms = "CHANGE_PWD_SMS",
        /// `CHANGE_PWD_EMS`
        ChangePwdEms = "CHANGE_PWD_EMS",
    }
}

listed! {
    /// An edition of the server, as the tables name it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    EditionKind {
        /// BambooCloud IDaaS for customers.
        Ciam,
        /// BambooCloud IDaaS for employees.
        Eiam,
        /// Huawei Cloud OneAccess.
        OneAccess,
    }
}

/// Which token a request carries, beside the application's client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// None.
    None,
    /// The state token, in `X-state-token`.
    StateToken,
    /// The session token, in `session-token` or `X-session-token`, by the edition.
    SessionToken,
    /// A signature made with the session token, in `X-signature`: with the feature `signature`.
    Signature,
}
