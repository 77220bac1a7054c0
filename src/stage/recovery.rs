//! What the caller holds after a step that did not lead on.

use std::error::Error as StdError;
use std::fmt;

use super::{Stage, Unauthenticated};
use crate::advice::Advice;
use crate::error::Error;
use crate::sealed::Sealed;
use crate::wire::endpoints::{Endpoint, StageKind};

/// A step that did not lead on: what happened, what the caller holds now, and what to do.
///
/// It is one pointer wide. `?` turns it into an [`Error`] for callers that do not care about the stage.
///
/// ```
/// use idaas_login::{Advice, Recovery};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// let failed = stage.username_password("zhangshan", "a wrong one").send().unwrap_err();
/// eprintln!("{failed:#}");
/// match failed.advice() {
///     Advice::AskAgain { attempts_left } => println!("wrong password, {attempts_left:?} tries left"),
///     Advice::Wait { unlocks_in } => println!("the account is locked, for {unlocks_in:?}"),
///     other => println!("{other}"),
/// }
/// # assert_eq!(failed.advice(), Advice::AskAgain { attempts_left: Some(4) });
/// match failed.into_recovery() {
///     Recovery::Retry(stage) => println!("keep the stage: {stage:?}"),
///     Recovery::Unresolved(unknown) => println!("the outcome is unknown: {unknown:?}"),
///     Recovery::StartOver(login) => println!("ask wx.login for a new code, and go on with {login:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it prints
/// `{}` prints the step, the kind of error and what the caller holds; the cause is its [`source`](std::error::Error::source),
/// an [`Error`], so that a chain prints nothing twice. `{:#}` prints the cause along, on one line.
pub struct StepError<S>(Box<Inner<S>>);

struct Inner<S> {
    endpoint: &'static Endpoint,
    error: Error,
    recovery: Recovery<S>,
}

/// What the caller holds after a step that did not lead on.
///
/// ```
/// use idaas_login::{PendingBind, Recovery, Suspended};
///
/// /// What to keep for the next request.
/// fn keep(recovery: Recovery<PendingBind>) -> Option<Suspended> {
///     match recovery {
///         Recovery::Retry(stage) => Some(stage.suspend()),
///         Recovery::Unresolved(unknown) => Some(unknown.suspend()),
///         Recovery::StartOver(_) => None,
///     }
/// }
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # let failed = stage.username_password("zhangshan", "a wrong one").send().unwrap_err();
/// # assert!(keep(failed.into_recovery()).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum Recovery<S> {
    /// Nothing was carried out and the state token lives: here is the stage again.
    ///
    /// It does not say that the user was wrong: a request that was not sent, a lock and a gateway that says no come to it, too.
    /// The error beside it tells them apart ([`StepError::into_parts`]).
    Retry(S),
    /// No usable response: the step may have been carried out, or not.
    Unresolved(Unresolved<S>),
    /// The state token is dead, or access was denied: same client, same device, from the beginning.
    ///
    /// The beginning needs what the user logs in with again. A code of a platform, such as that of `wx.login`, works once, so it
    /// has to be a fresh one.
    StartOver(Unauthenticated),
}

/// A step whose outcome is unknown.
///
/// The request may have reached the server: an account may be bound or registered, a password may be changed, a one-time code may
/// be used up.
///
/// ```
/// use idaas_login::{Outcome, Recovery};
///
/// # use idaas_login::{emulator::Fault, endpoints::BIND_USERNAME_PASSWORD};
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// # tenant.fail_next(BIND_USERNAME_PASSWORD.path, Fault::LoseResponse);
/// // The connection breaks before the response is there.
/// let failed = stage.username_password("zhangshan", "correct horse").send().unwrap_err();
/// let Recovery::Unresolved(unknown) = failed.into_recovery() else { panic!("it may have been sent") };
///
/// # let code = tenant.wechat_login_code("an-openid");
/// // A new login finds out: the account was bound.
/// let outcome = unknown.start_over().wechat_mini_program(code).send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the login goes on only with what is in here"]
pub struct Unresolved<S>(S);

impl<S: Stage> Unresolved<S> {
    /// Begins the login again, which is always safe.
    ///
    /// It needs what the user logs in with again. A code of a platform, such as that of `wx.login`, works once, so it has to be a
    /// fresh one. If the step was carried out after all, the new login finds the account bound or registered, and the new password
    /// in force. After a renewal it gives the session up: there [`retry_anyway`](Self::retry_anyway) comes first.
    ///
    /// ```
    /// use idaas_login::{Outcome, Recovery};
    ///
    /// # use idaas_login::{emulator::Fault, endpoints::CHANGE_EXPIRED_PASSWORD};
    /// # let (tenant, stage) = idaas_login::emulator::examples::password_expired()?;
    /// # tenant.fail_next(CHANGE_EXPIRED_PASSWORD.path, Fault::LoseResponse);
    /// // The connection breaks before the response is there.
    /// let failed = stage.change_password("correct horse", "battery staple").send().unwrap_err();
    /// let Recovery::Unresolved(unknown) = failed.into_recovery() else { panic!("it may have been sent") };
    ///
    /// // The user logs in again, and tries the new password first.
    /// let outcome = unknown.start_over().username_password("zhangshan", "battery staple").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        self.0.start_over()
    }

    /// Which stage the step was taken from.
    #[must_use]
    pub fn kind(&self) -> StageKind {
        self.0.kind()
    }

    /// Takes the stage back, to try again at your own risk.
    ///
    /// If the step was carried out, its state token is used up and the next step says so; a verification code that was
    /// used up is refused, and the refusal may count as a failed attempt. A wrong password that is sent again counts twice
    /// against the account.
    ///
    /// ```
    /// use idaas_login::{Outcome, Recovery};
    ///
    /// # use idaas_login::{emulator::Fault, endpoints::BIND_USERNAME_PASSWORD};
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// # tenant.fail_next(BIND_USERNAME_PASSWORD.path, Fault::LoseRequest);
    /// let failed = stage.username_password("zhangshan", "correct horse").send().unwrap_err();
    /// let Recovery::Unresolved(unknown) = failed.into_recovery() else { panic!("it may have been sent") };
    ///
    /// // The request was lost on its way, so the same step works now.
    /// let outcome = unknown.retry_anyway().username_password("zhangshan", "correct horse").send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn retry_anyway(self) -> S {
        self.0
    }
}

impl<S> Sealed for Unresolved<S> {}

impl<S> Unresolved<S> {
    pub(crate) fn new(stage: S) -> Self {
        Self(stage)
    }

    pub(crate) fn stage(&self) -> &S {
        &self.0
    }
}

impl<S: fmt::Debug> fmt::Debug for Unresolved<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unresolved").field(&self.0).finish()
    }
}

impl<S> StepError<S> {
    pub(crate) fn retry(endpoint: &'static Endpoint, error: impl Into<Error>, stage: S) -> Self {
        Self(Box::new(Inner { endpoint, error: error.into(), recovery: Recovery::Retry(stage) }))
    }

    pub(crate) fn unresolved(endpoint: &'static Endpoint, error: impl Into<Error>, stage: S) -> Self {
        Self(Box::new(Inner {
            endpoint,
            error: error.into(),
            recovery: Recovery::Unresolved(Unresolved(stage)),
        }))
    }

    /// The step that failed, as a row of the endpoint table.
    #[must_use]
    pub fn endpoint(&self) -> &'static Endpoint {
        self.0.endpoint
    }

    /// What happened.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// Gives what the caller holds now.
    pub fn into_recovery(self) -> Recovery<S> {
        self.0.recovery
    }

    /// Splits it into what happened and what the caller holds now.
    ///
    /// ```
    /// use idaas_login::{ErrorClass, Recovery};
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let failed = stage.username_password("zhangshan", "a wrong one").send().unwrap_err();
    /// let (error, recovery) = failed.into_parts();
    /// assert_eq!(error.class(), Some(ErrorClass::WrongInput));
    /// assert!(matches!(recovery, Recovery::Retry(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_parts(self) -> (Error, Recovery<S>) {
        (self.0.error, self.0.recovery)
    }

    pub(crate) fn recovery_name(&self) -> &'static str {
        match self.0.recovery {
            Recovery::Retry(_) => "Retry",
            Recovery::Unresolved(_) => "Unresolved",
            Recovery::StartOver(_) => "StartOver",
        }
    }

    /// What to do now: what the front end does next, or who has to be told.
    ///
    /// ```
    /// use idaas_login::Advice;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let failed = stage.wechat_mobile("a code that is spent").send().unwrap_err();
    /// assert_eq!(failed.advice(), Advice::FreshPlatformCode);
    /// // What a front end is told:
    /// assert_eq!(failed.advice().name(), "fresh_platform_code");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn advice(&self) -> Advice {
        match &self.0.recovery {
            Recovery::Retry(_) => Advice::of_retry(self.0.endpoint, &self.0.error),
            // A login that holds nothing yet has nothing to settle: a fresh code begins it again.
            Recovery::Unresolved(_) => Advice::of_unresolved(self.0.endpoint),
            Recovery::StartOver(_) => Advice::StartOver,
        }
    }

    /// Gives what happened, for callers that do not care about the stage.
    ///
    /// ```
    /// use idaas_login::Error;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
    /// let failed = stage.username_password("zhangshan", "").send().unwrap_err();
    /// let Error::InvalidInput(invalid) = failed.into_error() else { panic!("nothing was sent") };
    /// assert_eq!((invalid.field(), invalid.reason()), ("password", "is empty"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_error(self) -> Error {
        self.0.error
    }

    fn held(&self) -> &'static str {
        match self.0.recovery {
            Recovery::Retry(_) => "the stage is handed back",
            Recovery::Unresolved(_) => "the outcome is unknown",
            Recovery::StartOver(_) => "the login has to start over",
        }
    }
}

impl<S: Stage> StepError<S> {
    pub(crate) fn start_over(endpoint: &'static Endpoint, error: impl Into<Error>, stage: S) -> Self {
        Self(Box::new(Inner {
            endpoint,
            error: error.into(),
            recovery: Recovery::StartOver(stage.start_over()),
        }))
    }
}

impl<S> fmt::Display for StepError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.0.endpoint.step;
        if !f.alternate() {
            return write!(f, "{step} failed ({}); {}", self.0.error.kind(), self.held());
        }
        write!(f, "{step} failed: {}", self.0.error)?;
        let mut cause = self.0.error.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        write!(f, "; {}", self.held())
    }
}

impl<S> fmt::Debug for StepError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepError")
            .field("step", &self.0.endpoint.step)
            .field("error", &self.0.error)
            .field("recovery", &self.held())
            .finish()
    }
}

impl<S> StdError for StepError<S> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0.error)
    }
}

impl<S> From<StepError<S>> for Error {
    fn from(failed: StepError<S>) -> Self {
        failed.0.error
    }
}
