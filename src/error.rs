//! What went wrong.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use zeroize::Zeroizing;

use crate::secret::printable;
use crate::transport::{Sent, TransportError};
use crate::wire::flows::VerifyMethod;
use crate::wire::kinds::EditionKind;
use crate::wire::listed::listed;

/// What went wrong.
///
/// No text of it contains a token, a password or a code. What the server wrote is reachable
/// ([`Refusal::message`]), but not printed: it may quote what was sent.
///
/// ```
/// use idaas_login::{Error, ErrorClass};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// let failed = stage.username_password("zhangshan", "a wrong one").send().unwrap_err();
/// match failed.error() {
///     Error::Refused(refusal) => assert_eq!(refusal.code().class(), ErrorClass::WrongInput),
///     Error::Transport(error) => println!("no response: {error}"),
///     other => println!("{other}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that cannot be right. Nothing was sent.
    #[error(transparent)]
    InvalidInput(#[from] InvalidInput),
    /// No response. [`TransportError::sent`] says whether the request may have been sent.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The API refused, with an error code.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The status `ACCESS_DENIED`: the tenant's policy ended the login.
    #[error("access denied by the tenant's policy (status ACCESS_DENIED)")]
    AccessDenied,
    /// A response that is not one of the API's.
    #[error(transparent)]
    Unexpected(#[from] UnexpectedResponse),
    /// A method that the tenant does not allow; from [`NotAllowed`](crate::NotAllowed), which also gives the stage back.
    #[error("the tenant does not allow {0} here; nothing was sent")]
    NotAllowed(VerifyMethod),
    /// A step that the client's edition does not have. Nothing was sent.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

impl Error {
    /// What the API's refusal means for the caller; `None` if it is none: then no error code came.
    ///
    /// The same as the class of [`Refusal::code`], for whoever asks it of any error.
    ///
    /// ```
    /// use idaas_login::ErrorClass;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
    /// # tenant.advance(std::time::Duration::from_secs(24 * 60 * 60));
    /// // The user waited too long.
    /// let error = stage.registered_mobile().send().unwrap_err();
    /// assert_eq!(error.class(), Some(ErrorClass::DeadToken));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Refused(refusal) => Some(refusal.code().class()),
            _ => None,
        }
    }

    /// Whether different input may fix this: a value was refused before anything was sent, or by the API with a code of the
    /// class [`WrongInput`](ErrorClass::WrongInput).
    ///
    /// [`advice`](Self::advice) says more.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        matches!(self, Self::InvalidInput(_)) || self.class() == Some(ErrorClass::WrongInput)
    }

    /// Keeps the `Retry-After` of the response that this error is about.
    pub(crate) fn set_retry_after(&mut self, retry_after: Option<Duration>) {
        match self {
            Self::Refused(refusal) => refusal.hints.retry_after = retry_after,
            Self::Unexpected(response) => response.retry_after = retry_after,
            _ => {}
        }
    }

    /// Its kind, free of secrets.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "invalid input",
            Self::Transport(error) => match error.sent() {
                Sent::No => "not sent",
                Sent::Maybe => "no response",
            },
            Self::Refused(refusal) => refusal.code().class().name(),
            Self::AccessDenied => "access denied",
            Self::Unexpected(_) => "unexpected response",
            Self::NotAllowed(_) => "not allowed",
            Self::Unsupported(_) => "unsupported",
        }
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

/// A step that the client's edition does not have: it was refused before anything was sent.
///
/// If your tenant has it all the same, name its path to the client's builder:
/// [`ClientBuilder::path`](crate::ClientBuilder::path).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step} is not supported: {reason} ({edition}); nothing was sent")]
pub struct Unsupported {
    step: &'static str,
    edition: EditionKind,
    reason: &'static str,
}

impl Unsupported {
    pub(crate) const fn new(step: &'static str, edition: EditionKind, reason: &'static str) -> Self {
        Self { step, edition, reason }
    }

    /// The name of the step's method.
    #[must_use]
    pub fn step(&self) -> &'static str {
        self.step
    }

    /// The client's edition.
    #[must_use]
    pub fn edition(&self) -> EditionKind {
        self.edition
    }
}

/// Why a request cannot be made: nothing was sent.
#[derive(Debug)]
pub(crate) enum Unsendable {
    Invalid(InvalidInput),
    Unsupported(Unsupported),
    /// Something is not there yet, and may be later.
    #[cfg(feature = "signature")]
    NotReady(TransportError),
}

#[cfg(feature = "signature")]
impl From<TransportError> for Unsendable {
    fn from(not_sent: TransportError) -> Self {
        Self::NotReady(not_sent)
    }
}

impl From<InvalidInput> for Unsendable {
    fn from(invalid: InvalidInput) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Unsupported> for Unsendable {
    fn from(unsupported: Unsupported) -> Self {
        Self::Unsupported(unsupported)
    }
}

impl From<Unsendable> for Error {
    fn from(unsendable: Unsendable) -> Self {
        match unsendable {
            Unsendable::Invalid(invalid) => invalid.into(),
            Unsendable::Unsupported(unsupported) => unsupported.into(),
            #[cfg(feature = "signature")]
            Unsendable::NotReady(not_sent) => not_sent.into(),
        }
    }
}

/// The API refused: a response with an `error_code`, whatever its HTTP status ([decision](crate::manual::decisions) D13).
///
/// ```
/// use idaas_login::{Error, ErrorClass};
///
/// # let (tenant, stage) = idaas_login::emulator::examples::pending_bind()?;
/// let failed = stage.username_password("zhangshan", "a wrong one").send().unwrap_err();
/// let Error::Refused(refusal) = failed.into_error() else { panic!("the API refused") };
/// assert_eq!(refusal.code().class(), ErrorClass::WrongInput);
/// assert_eq!(refusal.attempts_left(), Some(4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, thiserror::Error)]
#[error("refused by the API: {code} ({}), HTTP {}", code.class(), http_status.as_u16())]
pub struct Refusal {
    http_status: StatusCode,
    code: ErrorCode,
    message: Zeroizing<String>,
    hints: Hints,
}

/// What a refusal tells beside its code; see the methods of [`Refusal`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Hints {
    pub(crate) attempts_left: Option<u32>,
    pub(crate) unlocks_in: Option<Duration>,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(http_status: StatusCode, code: &str, class: ErrorClass, message: &str) -> Self {
        Self {
            http_status,
            code: ErrorCode { code: code.into(), class },
            message: Zeroizing::new(message.to_owned()),
            hints: Hints::default(),
        }
    }

    pub(crate) fn with_hints(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }

    /// The HTTP status of the response.
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

    /// How many attempts are left before the account is locked, if the message says so.
    ///
    /// A hint, to show to the user: no other field has the number, so it is read from the text, and only for the codes of a
    /// wrong password ([`MessageHint::AttemptsLeft`](crate::codes::MessageHint::AttemptsLeft)). It is the last number after
    /// the last colon; `None` for a message without one. This crate decides nothing by it.
    ///
    /// The attempts count against the account, not against this login.
    #[must_use]
    pub fn attempts_left(&self) -> Option<u32> {
        self.hints.attempts_left
    }

    /// How long the account stays locked, if the message says so.
    ///
    /// A hint, to show to the user: it is read from the text, and only for the codes of a locked account
    /// ([`MessageHint::UnlocksIn`](crate::codes::MessageHint::UnlocksIn)). The first two numbers are taken for minutes and
    /// seconds; `None` for a message without two. This crate decides nothing by it.
    #[must_use]
    pub fn unlocks_in(&self) -> Option<Duration> {
        self.hints.unlocks_in
    }

    /// How long to wait before another request, by the response's header `Retry-After`.
    ///
    /// A hint: the API documents no such header, but a gateway may send it. Only its form in seconds is read, a date is not.
    /// This crate decides nothing by it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.hints.retry_after
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

/// An error code of the API: the string that the server sent, and the class that this crate puts it in.
///
/// Three families are in use, and the same number means different things in them: compare whole codes only. The table of
/// all known codes is [`codes`](crate::codes).
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorCode {
    code: Box<str>,
    class: ErrorClass,
}

listed! {
    /// What an error code means for the caller.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    ErrorClass {
        /// What the user gave was wrong: a code, a password, a name. Ask again.
        WrongInput,
        /// The captcha was solved wrongly, or its pass is invalid or expired: fetch a new captcha.
        NewCaptcha,
        /// The state token (or session token) is dead: start over.
        DeadToken,
        /// The identity token is dead, the session is not: renew the identity token and try again.
        RenewIdToken,
        /// The signature of the request is too old or invalid: sign again, with a fresh time.
        StaleSignature,
        /// Too many attempts: wait.
        Locked,
        /// The request is not what the tenant expects: a matter for who set up this client or the tenant.
        Configuration,
        /// The server failed: try later.
        Server,
        /// A code that is not in the table, [`codes`](crate::codes).
        Unknown,
    }
}

impl ErrorClass {
    fn name(self) -> &'static str {
        match self {
            Self::WrongInput => "wrong input",
            Self::NewCaptcha => "captcha refused",
            Self::DeadToken => "dead token",
            Self::RenewIdToken => "dead identity token",
            Self::StaleSignature => "stale signature",
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
    /// The code, as the server sent it, without white space around it.
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

/// A response that is not one of the API's.
#[derive(Clone, thiserror::Error)]
#[error("unexpected response: {reason}, HTTP {}", http_status.as_u16())]
pub struct UnexpectedResponse {
    http_status: StatusCode,
    reason: UnexpectedReason,
    retry_after: Option<Duration>,
}

impl UnexpectedResponse {
    pub(crate) fn new(http_status: StatusCode, reason: UnexpectedReason) -> Self {
        Self { http_status, reason, retry_after: None }
    }

    /// The HTTP status of the response.
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        self.http_status
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &UnexpectedReason {
        &self.reason
    }

    /// How long to wait before another request, by the response's header `Retry-After`.
    ///
    /// A hint: gateways send it with HTTP 429 and 503. Only its form in seconds is read, a date is not. This crate decides
    /// nothing by it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Debug for UnexpectedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UnexpectedResponse");
        debug.field("http_status", &self.http_status).field("reason", &format_args!("{}", self.reason));
        if let Some(time) = self.retry_after {
            debug.field("retry_after", &time);
        }
        debug.finish()
    }
}

/// Why a response is not one of the API's. The response itself is not kept: there may be a token in it.
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
    /// A response that says two things: an error, and a success.
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
