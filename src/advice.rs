//! What to do after a failure, in words that a front end can act on.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorClass, UnexpectedReason};
use crate::identity::IdTokenError;
use crate::wire::endpoints::{Endpoint, StageKind};

/// What to do after a failure: what the front end does next, or who has to be told.
///
/// [`StepError::advice`](crate::StepError::advice) gives it for a step, [`Error::advice`] for a side call. It follows from
/// the error and the step; the library acts on none of it.
///
/// ```
/// use idaas_login::Advice;
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// let failed = stage.username_password("zhangshan", "a wrong one").send().unwrap_err();
/// let message = match failed.advice() {
///     Advice::AskAgain { attempts_left: Some(left) } => format!("wrong, {left} tries left"),
///     Advice::AskAgain { attempts_left: None } => "wrong, please try again".to_owned(),
///     Advice::Wait { .. } => "too many attempts, please wait".to_owned(),
///     other => other.to_string(),
/// };
/// assert_eq!(message, "wrong, 4 tries left");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Ask the user again: a password, a verification code or a name was wrong, or cannot be right.
    AskAgain {
        /// How many tries the account has left, if the tenant's message says so. A hint.
        attempts_left: Option<u32>,
    },
    /// Ask the platform for a fresh code or access token (`wx.login`, the phone button, `my.getAuthCode`, another app's login):
    /// it is spent once the API has answered, whatever the response.
    FreshPlatformCode,
    /// Ask the user to solve a new captcha.
    NewCaptcha,
    /// Let the user choose another method: the tenant does not allow this one.
    ChooseAnotherMethod,
    /// Let the user wait: there were too many attempts.
    Wait {
        /// How long the lock holds, if the tenant says so. A hint.
        unlocks_in: Option<Duration>,
    },
    /// Try the same later: nothing is wrong with it, and what the user gave may be right.
    TryLater {
        /// How long the server asked to wait. A hint.
        retry_after: Option<Duration>,
    },
    /// Renew the identity token, then do the same again: the session lives.
    RenewIdToken,
    /// Decide what to do about a step whose outcome is unknown: start over, or retry at your own risk.
    Settle,
    /// Begin the login again: it is over.
    StartOver,
    /// Tell the operator: something is set up wrongly, here or at the tenant. The user cannot help it.
    TellOperator,
}

impl Advice {
    /// Its name, for a front end: `ask_again`, `fresh_platform_code`, `new_captcha`, `choose_another_method`, `wait`,
    /// `try_later`, `renew_id_token`, `settle`, `start_over` or `tell_operator`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AskAgain { .. } => "ask_again",
            Self::FreshPlatformCode => "fresh_platform_code",
            Self::NewCaptcha => "new_captcha",
            Self::ChooseAnotherMethod => "choose_another_method",
            Self::Wait { .. } => "wait",
            Self::TryLater { .. } => "try_later",
            Self::RenewIdToken => "renew_id_token",
            Self::Settle => "settle",
            Self::StartOver => "start_over",
            Self::TellOperator => "tell_operator",
        }
    }

    /// For a step of `row` whose outcome is unknown.
    pub(crate) fn of_unresolved(row: &Endpoint) -> Self {
        // Before the first stage there is nothing to settle.
        match row.from {
            StageKind::Unauthenticated if row.spends_platform_code() => Self::FreshPlatformCode,
            StageKind::Unauthenticated => Self::StartOver,
            _ => Self::Settle,
        }
    }

    /// For a step of `row` that was not carried out, with the stage in hand.
    pub(crate) fn of_retry(row: &Endpoint, error: &Error) -> Self {
        let advice = error.advice();
        if !row.spends_platform_code() {
            return advice;
        }
        match (error, advice) {
            // What the front end sent along is no code, so it has to ask for one.
            (Error::InvalidInput(_), Self::AskAgain { .. })
            // The API has responded, so the code is spent: trying it again cannot help.
            | (Error::Refused(_), Self::AskAgain { .. } | Self::TryLater { .. }) => Self::FreshPlatformCode,
            (_, advice) => advice,
        }
    }
}

/// The name, as words.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AskAgain { .. } => "ask the user again",
            Self::FreshPlatformCode => "ask the platform for a fresh code",
            Self::NewCaptcha => "ask for a new captcha",
            Self::ChooseAnotherMethod => "let the user choose another method",
            Self::Wait { .. } => "let the user wait",
            Self::TryLater { .. } => "try again later",
            Self::RenewIdToken => "renew the identity token",
            Self::Settle => "settle the unknown outcome",
            Self::StartOver => "start over",
            Self::TellOperator => "tell the operator",
        })
    }
}

impl Error {
    /// What to do after a side call that failed with this.
    ///
    /// For a step, ask [`StepError::advice`](crate::StepError::advice): it knows what the step sent and what the caller
    /// holds.
    ///
    /// ```
    /// use idaas_login::Advice;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let stage = client.login(device).phone("13800138000");
    /// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
    /// # let stage = stage.back().phone("15201657312");
    /// // The captcha was solved for another number.
    /// let error = stage.send_code(&pass).send().unwrap_err();
    /// assert_eq!(error.advice(), Advice::NewCaptcha);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            // A pass belongs to one destination.
            Self::InvalidInput(invalid) if invalid.field() == "captcha_token" => Advice::NewCaptcha,
            Self::InvalidInput(_) => Advice::AskAgain { attempts_left: None },
            // A side call can be made again, sent or not.
            Self::Transport(_) => Advice::TryLater { retry_after: None },
            Self::Refused(refusal) => match refusal.code().class() {
                ErrorClass::WrongInput | ErrorClass::Unknown => {
                    Advice::AskAgain { attempts_left: refusal.attempts_left() }
                }
                ErrorClass::NewCaptcha => Advice::NewCaptcha,
                ErrorClass::DeadToken => Advice::StartOver,
                ErrorClass::RenewIdToken => Advice::RenewIdToken,
                ErrorClass::Locked => {
                    Advice::Wait { unlocks_in: refusal.unlocks_in().or(refusal.retry_after()) }
                }
                ErrorClass::Configuration => Advice::TellOperator,
                ErrorClass::Server | ErrorClass::StaleSignature => {
                    Advice::TryLater { retry_after: refusal.retry_after() }
                }
            },
            Self::AccessDenied => Advice::StartOver,
            Self::Unexpected(unexpected) => match unexpected.reason() {
                _ if unexpected.http_status() == http::StatusCode::TOO_MANY_REQUESTS => {
                    Advice::Wait { unlocks_in: unexpected.retry_after() }
                }
                UnexpectedReason::Redirect | UnexpectedReason::NotFromTheApi => Advice::TellOperator,
                UnexpectedReason::ServerFailure
                | UnexpectedReason::Unreadable
                | UnexpectedReason::NoStatus
                | UnexpectedReason::UnknownStatus(_)
                | UnexpectedReason::NoSessionToken
                | UnexpectedReason::NoStateToken
                | UnexpectedReason::Contradiction => {
                    Advice::TryLater { retry_after: unexpected.retry_after() }
                }
            },
            Self::NotAllowed(_) => Advice::ChooseAnotherMethod,
            Self::Unsupported(_) => Advice::TellOperator,
        }
    }
}

impl IdTokenError {
    /// What to do about an identity token that is not accepted. The login is done: the caller holds the session.
    ///
    /// Whose session it is stays unknown until a token is accepted. [`Advice::TellOperator`] stands for a token that is forged
    /// or of another tenant, too: refuse the user.
    ///
    /// ```
    /// use idaas_login::{Advice, IdTokenError};
    ///
    /// // An identity token lives minutes, a session lives days.
    /// assert_eq!(IdTokenError::Expired.advice(), Advice::RenewIdToken);
    /// assert_eq!(IdTokenError::BadSignature.advice(), Advice::TellOperator);
    /// ```
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Missing | Self::Expired => Advice::RenewIdToken,
            Self::Keys(_) | Self::KeySet | Self::NoUsableKey | Self::StaleKeys(_) => {
                Advice::TryLater { retry_after: None }
            }
            Self::TooLarge
            | Self::Malformed(_)
            | Self::AlgorithmNotAllowed
            | Self::CriticalExtension
            | Self::UnencodedPayload
            | Self::Nested
            | Self::WrongType
            | Self::UnknownKey
            | Self::UnsuitableKey
            | Self::BadSignature
            | Self::TooManyKeys
            | Self::MissingClaim(_)
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::WrongAuthorizedParty
            | Self::NotYetValid
            | Self::IssuedInTheFuture => Advice::TellOperator,
        }
    }
}
