//! What goes wrong with a request, and what the tenant really did with it.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use crate::codes::KnownCode;
use crate::endpoints::SendType;
use crate::transport::Response;

/// Something that goes wrong with one request; see [`Emulator::fail_next`](super::Emulator::fail_next).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is lost before the tenant carries anything out.
    LoseRequest,
    /// The tenant carries it out, and the connection is lost before the response.
    LoseResponse,
    /// The tenant carries it out, and answers late.
    Late(Duration),
    /// This response, and nothing is carried out.
    Respond {
        /// The HTTP status.
        http_status: StatusCode,
        /// The body.
        body: String,
    },
    /// The tenant refuses with this code of the table ([`codes`](crate::codes)), and carries nothing out.
    ///
    /// A message that has a number of attempts or a time has one here, too.
    Refuse {
        /// The code.
        code: &'static KnownCode,
    },
    /// The tenant carries it out, and answers with this.
    RespondAfter {
        /// The HTTP status.
        http_status: StatusCode,
        /// The body.
        body: String,
    },
}

/// What the tenant really did with a request; see [`Emulator::ledger`](super::Emulator::ledger).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The path of the request.
    pub path: String,
    /// The HTTP status that the tenant answered; `None` if a fault took the response or the request.
    pub http_status: Option<StatusCode>,
    /// The error code, if the tenant refused.
    pub error_code: Option<String>,
    /// What changed.
    pub effects: Vec<Effect>,
    /// What a strict tenant objects to ([`Settings::strict`](super::Settings::strict)), each with its place: `header x-l: …`.
    pub objections: Vec<String>,
    /// The request; `None` without [`Settings::keep_requests`](super::Settings::keep_requests).
    pub request: Option<SeenRequest>,
}

/// A request as the tenant saw it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenRequest {
    /// Its method.
    pub method: Method,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// Without the values, which may be passwords.
impl fmt::Debug for SeenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What became of a request; see [`Emulator::handle`](super::Emulator::handle).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Handled {
    /// What the ledger says of it.
    pub entry: Entry,
    /// The response; `None` if the connection is to be closed without one.
    pub response: Option<Response>,
    /// How much later the response is to be given.
    pub delay: Duration,
}

/// A change that the tenant made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// An account was registered.
    Registered {
        /// The new account's user name.
        user_name: String,
    },
    /// An identity was bound to an account.
    Bound {
        /// The account's user name.
        user_name: String,
        /// The identity, as the platform names it.
        identity: String,
    },
    /// A session was given out.
    Session {
        /// The account's user name.
        user_name: String,
    },
    /// A password was changed or reset.
    PasswordChanged {
        /// The account's user name.
        user_name: String,
    },
    /// A session was ended by its user.
    LoggedOut {
        /// The account's user name.
        user_name: String,
    },
    /// A verification code was sent.
    CodeSent {
        /// Where to.
        destination: String,
        /// What for.
        send_type: SendType,
    },
}
