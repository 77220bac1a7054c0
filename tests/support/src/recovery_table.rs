//! The recovery table: what becomes of a request, and what the caller of the step holds then. Told here, and nowhere else in
//! the tests.
//!
//! A row is a fault in general; the suites bring it about over a closure, over HTTP, or inside the emulator.

use idaas_login::{Error, Phase, Response, Sent, TransportError};

use crate::response;

/// What the caller of a step holds after a failure. A side call gives the error alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Retry,
    Unresolved,
    StartOver,
}

impl Holds {
    /// The name of the variant of `Recovery`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retry => "Retry",
            Self::Unresolved => "Unresolved",
            Self::StartOver => "StartOver",
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// An HTTP status and a body.
    Answer(u16, &'static str),
    /// Proof that nothing was sent.
    NotSent,
    /// Something may have been sent, and no response came.
    Lost,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub event: Event,
    pub holds: Holds,
    /// What the error says: of a refusal `refused: ` and the class, of a response that was not expected the reason.
    pub says: &'static str,
    /// The same of a call that does not read the status: a renewal and the side calls. `None` if it is no other.
    pub says_without_status: Option<&'static str>,
}

impl Row {
    const fn new(name: &'static str, event: Event, holds: Holds, says: &'static str) -> Self {
        Self { name, event, holds, says, says_without_status: None }
    }

    /// What a transport gives for it.
    ///
    /// # Errors
    /// If the row is that no response comes.
    pub fn result(&self) -> Result<Response, TransportError> {
        match self.event {
            Event::Answer(http_status, body) => Ok(response(http_status, body)),
            Event::NotSent => Err(TransportError::not_sent("refused").during(Phase::Connect)),
            Event::Lost => Err(TransportError::maybe_sent("reset")),
        }
    }
}

/// What an error says, as the column of the table has it.
pub fn says(error: &Error) -> String {
    match error {
        Error::Transport(error) if error.sent() == Sent::No => "not sent".to_owned(),
        Error::Transport(_) => "no response".to_owned(),
        Error::Refused(refusal) => format!("refused: {}", refusal.code().class()),
        Error::AccessDenied => "access denied".to_owned(),
        Error::Unexpected(answer) => answer.reason().to_string(),
        other => panic!("an error that no server can bring about: {other:?}"),
    }
}

/// What no error may quote: the server writes it wherever it can.
pub const HOSTILE: &str = "h0st1le";

const PAGE: &str = "<html>h0st1le</html>";
const REDIRECT: &str = "a redirect, which is never followed";
const NOT_THE_API: &str = "an error without the API's error_code";
const SERVER_FAILURE: &str = "a server failure without the API's error_code";
pub const UNREADABLE: &str = "a body that cannot be read";

use Event::{Answer, Lost, NotSent};
use Holds::{Retry, StartOver, Unresolved};

const WRONG: &str = r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007","error_msg":"h0st1le"}"#;
const BUSY: &str = r#"{"error_code":"SDK.COMMON.1008","error_msg":"h0st1le"}"#;
const DEAD: &str = r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"h0st1le"}"#;
const EXPIRED: &str =
    r#"{"error_code":"SDK.COMMON.1005","error_msg":"h0st1le: The state_token has expired"}"#;
const ODD: &str = r#"{"error_code":"h0st1le","error_msg":"h0st1le"}"#;
const CUT: &str = r#"{"status":"SUC"#;
const DENIED: &str = r#"{"status":"ACCESS_DENIED"}"#;
const UNKNOWN: &str = r#"{"status":"h0st1le"}"#;
const NO_SESSION: &str = r#"{"status":"SUCCESS"}"#;
const CONTRADICTION: &str =
    r#"{"error_code":"SDK.COMMON.1013","status":"SUCCESS","session_token":"h0st1le"}"#;

/// Every row.
pub const ROWS: &[Row] = &[
    Row::new("not sent, proved", NotSent, Retry, "not sent"),
    Row::new("connection lost, may have been sent", Lost, Unresolved, "no response"),
    Row::new("wrong input, HTTP 400", Answer(400, WRONG), Retry, "refused: wrong input"),
    Row::new("wrong input, HTTP 200", Answer(200, WRONG), Retry, "refused: wrong input"),
    Row::new("wrong input, HTTP 500", Answer(500, WRONG), Retry, "refused: wrong input"),
    Row::new("an undocumented code", Answer(400, ODD), Retry, "refused: undocumented code"),
    Row::new("dead token, HTTP 400", Answer(400, DEAD), StartOver, "refused: dead token"),
    Row::new("dead token, HTTP 200", Answer(200, DEAD), StartOver, "refused: dead token"),
    Row::new("dead token, HTTP 500", Answer(500, DEAD), StartOver, "refused: dead token"),
    Row::new("dead token by its message", Answer(400, EXPIRED), StartOver, "refused: dead token"),
    Row::new("ACCESS_DENIED, HTTP 200", Answer(200, DENIED), StartOver, "access denied"),
    Row::new("ACCESS_DENIED, HTTP 403", Answer(403, DENIED), StartOver, "access denied"),
    Row::new("300", Answer(300, PAGE), Retry, REDIRECT),
    Row::new("301", Answer(301, ""), Retry, REDIRECT),
    Row::new("302", Answer(302, PAGE), Retry, REDIRECT),
    Row::new("303", Answer(303, ""), Unresolved, REDIRECT),
    Row::new("307", Answer(307, ""), Retry, REDIRECT),
    Row::new("308", Answer(308, ""), Retry, REDIRECT),
    Row::new("400 without code", Answer(400, PAGE), Retry, NOT_THE_API),
    Row::new("401 without code", Answer(401, ""), Retry, NOT_THE_API),
    Row::new("404 without code", Answer(404, PAGE), Retry, NOT_THE_API),
    Row::new("408 without code", Answer(408, ""), Retry, NOT_THE_API),
    Row::new("429 without code", Answer(429, ""), Retry, NOT_THE_API),
    Row::new("500 without code", Answer(500, PAGE), Unresolved, SERVER_FAILURE),
    Row::new("502 without code", Answer(502, PAGE), Unresolved, SERVER_FAILURE),
    Row::new("503 without code", Answer(503, ""), Unresolved, SERVER_FAILURE),
    Row::new("busy, HTTP 500", Answer(500, BUSY), Unresolved, "refused: server failure"),
    Row::new("busy, HTTP 400", Answer(400, BUSY), Retry, "refused: server failure"),
    Row::new("a page with HTTP 200", Answer(200, PAGE), Unresolved, UNREADABLE),
    Row::new("JSON that is cut", Answer(200, CUT), Unresolved, UNREADABLE),
    Row::new("HTTP 600", Answer(600, PAGE), Unresolved, UNREADABLE),
    Row::new("a code and a success", Answer(400, CONTRADICTION), Unresolved, "an error and a success in one"),
    Row {
        says_without_status: Some(UNREADABLE),
        ..Row::new(
            "an unknown status",
            Answer(200, UNKNOWN),
            Unresolved,
            "the undocumented status (a name that is not printed)",
        )
    },
    Row {
        says_without_status: Some(UNREADABLE),
        ..Row::new(
            "SUCCESS without session token",
            Answer(200, NO_SESSION),
            Unresolved,
            "SUCCESS without session_token",
        )
    },
];
