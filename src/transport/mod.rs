//! How a request gets to the tenant and its response back.

#[cfg(feature = "ureq")]
mod ureq;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(feature = "ureq")]
pub use self::ureq::{UreqTransport, UreqTransportBuilder};

/// A request: method, absolute URI, headers, body.
///
/// The headers that hold a token are marked sensitive, and print as `Sensitive`. The body holds secrets too, and prints as the
/// list of its bytes, as numbers: print method, URI and headers, never the whole request.
pub type Request = http::Request<Vec<u8>>;

/// A response: HTTP status, headers, body. None of it is marked: headers and body print as the server wrote them.
pub type Response = http::Response<Vec<u8>>;

/// Sends a request and waits for the response.
///
/// A closure is a transport:
///
/// ```
/// use idaas_login::{Client, Request, Response, TransportError};
///
/// let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4")
///     .build_with(|request: Request| -> Result<Response, TransportError> {
///         Err(TransportError::not_sent(format!("no network here for {}", request.uri().path())))
///     })?;
/// # Ok::<(), idaas_login::Error>(())
/// ```
///
/// # What an implementation must hold
/// - Send the request once. Never send it again, not on another connection either: a one-time code counts attempts.
/// - Follow no redirect: the request carries tokens.
/// - An HTTP status is a response: 4xx and 5xx come back as `Ok`.
/// - Say [`Sent::No`] only with proof. Without, it is [`Sent::Maybe`].
/// - Bound the time and the size of the response. A time limit that was reached has an [`io::Error`](std::io::Error) of the kind
///   [`TimedOut`](std::io::ErrorKind::TimedOut) as its cause: [`TransportError::is_timeout`] knows it by nothing else.
/// - Do not log headers or bodies; zeroize the request's body when it is sent.
/// - Do not print a whole request or response, in a panic message neither: `{request:?}` writes the body's bytes as numbers,
///   which are the password or code that is sent. Method, URI and headers of a request can be printed.
/// - Put nothing into a [`TransportError`] that must not be printed: every error that comes of it prints it.
///
/// A panic is caught, and counts as [`Sent::Maybe`]: the stage is not lost with it. What the panic says is the
/// implementation's own; the library does not repeat it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transport",
    label = "a transport is expected here",
    note = "a closure from `Request` to `Result<Response, TransportError>` is a transport: call your HTTP client in one",
    note = "a `ureq::Agent` becomes one by `UreqTransport::from_agent`"
)]
pub trait Transport: Send + Sync {
    /// Sends `request` and waits for the response.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response.
    fn send(&self, request: Request) -> Result<Response, TransportError>;
}

impl<F> Transport for F
where
    F: Fn(Request) -> Result<Response, TransportError> + Send + Sync,
{
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self(request)
    }
}

impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        (**self).send(request)
    }
}

/// Whether a request without a response was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// No, and that is proved: not one byte of it was handed to the network.
    No,
    /// Maybe: it may have reached the server and may have been carried out.
    Maybe,
}

/// How far a request without a response came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Before the network was touched.
    Prepare,
    /// While the name of the host was resolved.
    Resolve,
    /// While the connection was opened.
    Connect,
    /// While TLS was set up.
    TlsHandshake,
    /// After the request began to be sent: while it was sent, or while its response was awaited.
    Exchange,
    /// While the body of the response was read.
    Response,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "before connecting",
            Self::Resolve => "name resolution failed",
            Self::Connect => "cannot connect",
            Self::TlsHandshake => "the TLS handshake failed",
            Self::Exchange => "no response",
            Self::Response => "no complete response",
        })
    }
}

/// No response.
///
/// Its text says how far the request came; the cause is its [`source`](StdError::source). `{:#}` prints the cause along.
#[derive(Debug)]
pub struct TransportError {
    sent: Sent,
    phase: Phase,
    cause: Box<dyn StdError + Send + Sync>,
}

impl TransportError {
    /// No response, because the request was not sent. Say so only with proof.
    ///
    /// The phase is [`Phase::Prepare`] unless [`during`](Self::during) says another.
    pub fn not_sent(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { sent: Sent::No, phase: Phase::Prepare, cause: cause.into() }
    }

    /// No response to a request that may have been sent.
    ///
    /// The phase is [`Phase::Exchange`] unless [`during`](Self::during) says another. If a time limit was reached, give a cause
    /// that says so to [`is_timeout`](Self::is_timeout):
    ///
    /// ```
    /// use idaas_login::TransportError;
    /// use std::io;
    ///
    /// assert!(TransportError::maybe_sent(io::Error::from(io::ErrorKind::TimedOut)).is_timeout());
    /// assert!(!TransportError::maybe_sent("the time limit was reached").is_timeout());
    /// ```
    pub fn maybe_sent(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { sent: Sent::Maybe, phase: Phase::Exchange, cause: cause.into() }
    }

    /// The same, with how far the request came.
    #[must_use]
    pub fn during(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Whether a time limit was reached.
    ///
    /// It says yes if the cause itself is an [`io::Error`](std::io::Error) of the kind
    /// [`TimedOut`](std::io::ErrorKind::TimedOut), as `UreqTransport`'s is. An HTTP client's own error is not asked, nor what
    /// stands behind the cause: a transport of your own has to give the cause in that form.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        let cause = self.cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::TimedOut)
    }

    /// Whether the request was sent.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// How far it came.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = match self.sent {
            Sent::No => "not sent",
            Sent::Maybe => "may have been sent",
        };
        write!(f, "{} (request {sent})", self.phase)?;
        if f.alternate() {
            let mut cause = self.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.cause)
    }
}

/// Drops what a panic left, whose `Drop` may panic in turn.
pub(crate) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

/// Whether `host`, as it stands in a URI, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether `host`, as it stands in a URI, can be one: an address, or a name of labels that DNS can carry.
pub(crate) fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // What ends in a number is an address, which resolvers read in more ways than this: `127.1`, `0x7f.1`, `2130706433`.
    let is_number = |label: &str| {
        let digits = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
        digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            || label.bytes().all(|byte| byte.is_ascii_digit())
    };
    let ends_in_a_number = name.rsplit('.').next().is_some_and(is_number);
    name.len() <= 253
        && name.split('.').all(is_label)
        && (!ends_in_a_number || host.parse::<Ipv4Addr>().is_ok())
}
