//! What went wrong.

use std::fmt;

use http::StatusCode;
use zeroize::Zeroizing;

use crate::secret::printable;
use crate::transport::{Sent, TransportError};
use crate::wire::flows::VerifyMethod;
use crate::wire::kinds::EditionKind;

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

    /// Its kind, free of secrets.
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
        }
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
    pub(crate) fn new(http_status: StatusCode, code: &str, class: ErrorClass, message: &str) -> Self {
        Self {
            http_status,
            code: ErrorCode { code: code.into(), class },
            message: Zeroizing::new(message.to_owned()),
        }
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

// MERGE: hints
impl Refusal {
    /// a
    #[must_use]
    pub fn attempts_left(&self) -> Option<u32> {
        None
    }
    /// a
    #[must_use]
    pub fn unlocks_in(&self) -> Option<std::time::Duration> {
        None
    }
    /// a
    #[must_use]
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        None
    }
}
impl UnexpectedAnswer {
    /// a
    #[must_use]
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        None
    }
}
// MERGE END

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
    /// The captcha was wrong, or its pass is used up: a new captcha is needed.
    NewCaptcha,
    /// The identity token is invalid or expired; the session may live: renew the token.
    RenewIdToken,
    /// A signature is out of date: sign again.
    StaleSignature,
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
            Self::NewCaptcha => "new captcha needed",
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
