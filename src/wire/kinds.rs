//! The words that the table of endpoints speaks in: stages, scenarios, platforms, send types.

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
        /// [`PendingBind`](crate::PendingBind): an existing account must be bound.
        PendingBind,
        /// [`PendingRegister`](crate::PendingRegister): an account must be bound or registered.
        PendingRegister,
        /// [`MfaRequired`](crate::MfaRequired): a second factor is asked for.
        MfaRequired,
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
        /// Bind an account, or register one.
        Register,
        /// Give a second factor.
        SecondFactor,
    }
}

impl Scenario {
    /// The stage that such a code moves on.
    #[must_use]
    pub const fn stage(self) -> StageKind {
        match self {
            Self::Bind => StageKind::PendingBind,
            Self::Register => StageKind::PendingRegister,
            Self::SecondFactor => StageKind::MfaRequired,
        }
    }
}

listed! {
    /// The mini program that a step belongs to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    Platform {
        /// A WeChat mini program.
        WeChat,
        /// An Alipay mini program.
        Alipay,
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
