//! What went wrong, and what the caller holds now.

use std::fmt;

use http::StatusCode;
use zeroize::Zeroizing;

use crate::stage::{NotAllowed, Stage, Unauthenticated};
#[cfg(feature = "tracing")]
use crate::transport::Sent;
use crate::transport::TransportError;
use crate::wire::endpoints::Endpoint;
use crate::wire::flows::VerifyMethod;

/// What went wrong.
///
/// No text of it contains a token, a password or a code. What the server wrote is reachable
/// ([`Refusal::message`]), but not printed: it may quote what was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that cannot be right. Nothing was sent.
    #[error(transparent)]
    InvalidInput(#[from] InvalidInput),
    /// No answer. [`TransportError::sent`] says whether the request may have been sent.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The API refused, with an error code.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The status `ACCESS_DENIED`: the tenant's policy ended the login.
    #[error("access denied by the tenant's policy (status ACCESS_DENIED)")]
    AccessDenied,
    /// An answer that is not one of the API's.
    #[error(transparent)]
    Unexpected(#[from] UnexpectedAnswer),
    /// A way that the tenant does not allow; from [`NotAllowed`], which also gives the stage back.
    #[error("the tenant does not allow {0} here; nothing was sent")]
    NotAllowed(VerifyMethod),
}

impl Error {
    /// What the API's refusal means for the caller; `None` if it is none: then no error code came.
    ///
    /// The same as the class of [`Refusal::code`], for whoever asks it of any error.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Refused(refusal) => Some(refusal.code().class()),
            _ => None,
        }
    }

    /// Whether other input may mend it: a value was refused before anything was sent, or by the API, with a code of the class
    /// [`WrongInput`](ErrorClass::WrongInput) or with one that no page documents. No page has a code for a wrong password, so
    /// it may be such a one.
    ///
    /// If not, the same input may be right: nobody was there, too many tried, a gateway said no, or something is set up wrongly.
    #[must_use]
    pub fn is_about_input(&self) -> bool {
        matches!(self, Self::InvalidInput(_))
            || matches!(self.class(), Some(ErrorClass::WrongInput | ErrorClass::Unknown))
    }

    /// What kind it is, in words that hold nothing of the login.
    #[cfg(feature = "tracing")]
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "invalid input",
            Self::Transport(error) => match error.sent() {
                Sent::No => "not sent",
                Sent::Maybe => "no answer",
            },
            Self::Refused(refusal) => refusal.code().class().name(),
            Self::AccessDenied => "access denied",
            Self::Unexpected(_) => "unexpected answer",
            Self::NotAllowed(_) => "not allowed",
        }
    }
}

impl<S> From<NotAllowed<S>> for Error {
    fn from(refused: NotAllowed<S>) -> Self {
        Self::NotAllowed(refused.method().clone())
    }
}

/// A value that cannot be right: it was refused before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid input: {field} {reason}; nothing was sent")]
pub struct InvalidInput {
    field: &'static str,
    reason: &'static str,
}

impl InvalidInput {
    pub(crate) const fn new(field: &'static str, reason: &'static str) -> Self {
        Self { field, reason }
    }

    /// The value: the name of a field on the wire, such as `verify_code`, or of a parameter, such as `base_address`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it, to be read after its name: `is empty`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

/// The API refused: an answer with an `error_code`, whatever its HTTP status (decision D13).
#[derive(Clone, thiserror::Error)]
#[error("refused by the API: {code} ({}), HTTP {}", code.class(), http_status.as_u16())]
pub struct Refusal {
    http_status: StatusCode,
    code: ErrorCode,
    message: Zeroizing<String>,
}

impl Refusal {
    pub(crate) fn new(http_status: StatusCode, code: &str, message: &str) -> Self {
        Self { http_status, code: ErrorCode::new(code, message), message: Zeroizing::new(message.to_owned()) }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        self.http_status
    }

    /// The code, and what it means.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.code
    }

    /// The server's message (`error_msg`), verbatim, empty if there was none.
    ///
    /// It is a template in the language of `X-L`: show it to a person, match on [`code`](Self::code). It may quote what
    /// was sent, so it is in no `Debug` and no `Display` of this crate.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("http_status", &self.http_status)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// An error code of the API: the string that the server sent, verbatim, and the class that this crate puts it in.
///
/// Two families are in use, `IDAAS.SDK.*` and `SDK.*`, and the same number means different things in each: compare
/// whole codes only.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorCode {
    code: Box<str>,
    class: ErrorClass,
}

/// What an error code means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// What the user gave was wrong: a code, a password, a name. Ask again.
    WrongInput,
    /// The state token (or session token) is dead: start over.
    DeadToken,
    /// Too many attempts: wait.
    Locked,
    /// The request is not what the tenant expects: a matter for who set up this client or the tenant.
    Configuration,
    /// The server failed: try later.
    Server,
    /// A code that the pages do not document.
    Unknown,
}

impl ErrorClass {
    fn name(self) -> &'static str {
        match self {
            Self::WrongInput => "wrong input",
            Self::DeadToken => "dead token",
            Self::Locked => "locked or limited",
            Self::Configuration => "configuration",
            Self::Server => "server failure",
            Self::Unknown => "undocumented code",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ErrorCode {
    fn new(code: &str, message: &str) -> Self {
        Self { code: code.into(), class: class(code, message) }
    }

    /// The code, verbatim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.code
    }

    /// What it means for the caller.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.class
    }
}

impl PartialEq<str> for ErrorCode {
    fn eq(&self, code: &str) -> bool {
        *self.code == *code
    }
}

impl PartialEq<&str> for ErrorCode {
    fn eq(&self, code: &&str) -> bool {
        *self == **code
    }
}

/// Prints the code if it looks like one. A broken server could put anything there, a token too.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(printable(&self.code))
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorCode")
            .field("code", &format_args!("{self}"))
            .field("class", &self.class)
            .finish()
    }
}

/// A name from the server, if it looks like the name of a status (`PASSWORD_WARN`) or like a code (`SDK.COMMON.1001`, or the
/// five digits of WeChat's), and not like a mobile number, a verification code or a token.
pub(crate) fn printable(name: &str) -> &str {
    let plain =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    let starts_as_name = name.starts_with(|first: char| first.is_ascii_uppercase());
    let composed = name.contains(['.', '_']) || name.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_name = name.len() <= 64 && name.bytes().all(plain) && starts_as_name && composed;
    let is_number = name.len() == 5 && name.bytes().all(|byte| byte.is_ascii_digit());
    if is_name || is_number { name } else { "(a name that is not printed)" }
}

/// Whether a message names the state token: as the field, or as the header, in whatever case.
fn names_state_token(message: &str) -> bool {
    const NAME: &[u8] = b"state_token";
    message.as_bytes().windows(NAME.len()).any(|name| {
        let is_letter = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (*a, *b) == (b'-', b'_');
        name.iter().zip(NAME).all(is_letter)
    })
}

/// The codes that the pages document, each with its class; `docs/decisions.md` has the sources.
fn class(code: &str, message: &str) -> ErrorClass {
    match code {
        "IDAAS.SDK.COMMON.1007" | "IDAAS.SDK.PARAM.0014" | "IDAAS.SDK.PARAM.0023" => ErrorClass::DeadToken,
        // Templates about some parameter: only a message that names the state token speaks of it.
        "SDK.COMMON.1005" | "SDK.COMMON.1006" if names_state_token(message) => ErrorClass::DeadToken,
        "IDAAS.SDK.CAPTCHA.0002"
        | "IDAAS.SDK.CAPTCHA.0006"
        | "IDAAS.SDK.CAPTCHA.0007"
        | "SDK.COMMON.1002"
        | "SDK.COMMON.1005"
        | "SDK.COMMON.1013"
        | "SDK.LOGIN.1002"
        | "SDK.SMS.1005" => ErrorClass::WrongInput,
        "SDK.LOGIN.1003" => ErrorClass::Locked,
        "IDAAS.SDK.PARAM.0001"
        | "SDK.COMMON.1001"
        | "SDK.COMMON.1003"
        | "SDK.COMMON.1004"
        | "SDK.COMMON.1006"
        | "SDK.COMMON.1007"
        | "SDK.COMMON.1009"
        | "SDK.COMMON.1010"
        | "SDK.COMMON.1011"
        | "SDK.COMMON.1012"
        | "SDK.COMMON.1014"
        | "SDK.LOGIN.1004" => ErrorClass::Configuration,
        "SDK.COMMON.1008" | "SDK.LOGIN.1001" => ErrorClass::Server,
        _ => ErrorClass::Unknown,
    }
}

/// An answer that is not one of the API's.
#[derive(Clone, thiserror::Error)]
#[error("unexpected answer: {reason}, HTTP {}", http_status.as_u16())]
pub struct UnexpectedAnswer {
    http_status: StatusCode,
    reason: UnexpectedReason,
}

impl UnexpectedAnswer {
    pub(crate) fn new(http_status: StatusCode, reason: UnexpectedReason) -> Self {
        Self { http_status, reason }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        self.http_status
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &UnexpectedReason {
        &self.reason
    }
}

impl fmt::Debug for UnexpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnexpectedAnswer")
            .field("http_status", &self.http_status)
            .field("reason", &format_args!("{}", self.reason))
            .finish()
    }
}

/// Why an answer is not one of the API's. The answer itself is not kept: there may be a token in it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnexpectedReason {
    /// A redirect. It is never followed: the request carries tokens.
    Redirect,
    /// A client error (4xx) without the API's `error_code`: it did not come from the API.
    NotFromTheApi,
    /// A server error (5xx) without the API's `error_code`.
    ServerFailure,
    /// A body that is not the JSON object that the pages document, or a field of it that cannot be read.
    Unreadable,
    /// A success without `status`.
    NoStatus,
    /// A `status` that no page documents, verbatim.
    UnknownStatus(Box<str>),
    /// The status `SUCCESS` without `session_token`.
    NoSessionToken,
    /// A status that needs a state token, without one, and there was none before.
    NoStateToken,
    /// An answer that says two things: an error, and a success.
    Contradiction,
}

impl fmt::Display for UnexpectedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect => f.write_str("a redirect, which is never followed"),
            Self::NotFromTheApi => f.write_str("an error without the API's error_code"),
            Self::ServerFailure => f.write_str("a server failure without the API's error_code"),
            Self::Unreadable => f.write_str("a body that cannot be read"),
            Self::NoStatus => f.write_str("a success without status"),
            Self::UnknownStatus(status) => write!(f, "the undocumented status {}", printable(status)),
            Self::NoSessionToken => f.write_str("SUCCESS without session_token"),
            Self::NoStateToken => f.write_str("no state_token, and none in hand"),
            Self::Contradiction => f.write_str("an error and a success in one"),
        }
    }
}

impl fmt::Debug for UnexpectedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A step that did not lead on: what happened, and what the caller holds now.
///
/// It is one pointer wide. `?` turns it into an [`Error`] for callers that do not care about the stage.
///
/// ```
/// use idaas_login::{Error, Outcome, PendingBind, Recovery};
///
/// fn bind(stage: PendingBind, user_name: &str, password: &str) -> Result<Outcome, Error> {
///     match stage.username_password(user_name, password).send() {
///         Ok(outcome) => Ok(outcome),
///         Err(failed) => {
///             eprintln!("{failed}");
///             let (error, recovery) = failed.into_parts();
///             match recovery {
///                 Recovery::Retry(stage) if error.is_about_input() => println!("ask for the password again, for {stage:?}"),
///                 // Nothing was sent, or too many tried, or a gateway said no: the password may be right.
///                 Recovery::Retry(stage) => println!("try again later, with {stage:?}"),
///                 Recovery::Unresolved(unknown) => println!("it may have been carried out: {unknown:?}"),
///                 Recovery::StartOver(login) => println!("ask wx.login for a new code, and go on with {login:?}"),
///             }
///             Err(error)
///         }
///     }
/// }
/// ```
pub struct StepError<S>(Box<Inner<S>>);

struct Inner<S> {
    endpoint: &'static Endpoint,
    error: Error,
    recovery: Recovery<S>,
}

/// What the caller holds after a step that did not lead on.
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum Recovery<S> {
    /// Nothing was carried out and the state token lives: here is the stage again.
    ///
    /// It does not say that the user was wrong: a request that was not sent, a lock and a gateway that says no come to it, too.
    /// The error beside it tells them apart ([`StepError::into_parts`]).
    Retry(S),
    /// No usable answer: the step may have been carried out, or not.
    Unresolved(Unresolved<S>),
    /// The state token is dead, or access was denied: same client, same device, from the beginning.
    ///
    /// For a mini program the beginning needs a fresh code from `wx.login`: a code works once.
    StartOver(Unauthenticated),
}

/// A step of which nobody knows whether it was carried out.
///
/// The request may have reached the server: an account may be bound, a one-time code may be used up.
#[must_use = "the login goes on only with what is in here"]
pub struct Unresolved<S>(S);

impl<S: Stage> Unresolved<S> {
    /// Begins again: the way that is always safe.
    ///
    /// For a mini program it needs a fresh code from `wx.login`: a code works once, and the old one may be used up. If the
    /// step was carried out after all, the new login finds the account bound, and ends or asks for the second factor. After a
    /// renewal it gives the session up: there [`retry_anyway`](Self::retry_anyway) comes first.
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        Unauthenticated::new(self.0.into_context())
    }

    /// Takes the stage back, to try again at one's own risk.
    ///
    /// If the step was carried out, its state token is used up and the next step says so; a verification code that was
    /// used up is refused, and the refusal may count as a failed attempt.
    #[must_use]
    pub fn retry_anyway(self) -> S {
        self.0
    }
}

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

    /// What the caller holds now.
    pub fn into_recovery(self) -> Recovery<S> {
        self.0.recovery
    }

    /// Both: what happened, and what the caller holds now.
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

    fn advice(&self) -> &'static str {
        match self.0.recovery {
            Recovery::Retry(_) => "the stage is handed back",
            Recovery::Unresolved(_) => "it may have been carried out, or not",
            Recovery::StartOver(_) => "the login has to start over",
        }
    }
}

impl<S: Stage> StepError<S> {
    pub(crate) fn start_over(endpoint: &'static Endpoint, error: impl Into<Error>, stage: S) -> Self {
        Self(Box::new(Inner {
            endpoint,
            error: error.into(),
            recovery: Recovery::StartOver(Unauthenticated::new(stage.into_context())),
        }))
    }
}

impl<S> fmt::Display for StepError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}; {}", self.0.endpoint.step, self.0.error, self.advice())
    }
}

impl<S> fmt::Debug for StepError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepError")
            .field("step", &self.0.endpoint.step)
            .field("error", &self.0.error)
            .field("recovery", &self.advice())
            .finish()
    }
}

impl<S> std::error::Error for StepError<S> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.error.source()
    }
}

impl<S> From<StepError<S>> for Error {
    fn from(failed: StepError<S>) -> Self {
        failed.0.error
    }
}
