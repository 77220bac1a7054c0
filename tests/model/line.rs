//! The way to the tenant, and what goes wrong on it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use idaas_login::emulator::{self, Emulator};
use idaas_login::{Request, Response, Transport, TransportError};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It is not sent, and that is proved.
    NotSent,
    LoseRequest,
    LoseResponse,
    /// The transport panics before it sends.
    Panic,
    /// The tenant carries it out, and the transport panics.
    PanicAfter,
    /// The tenant carries it out, and of a success this much is there, in percent.
    CutOff(usize),
    /// Somebody else answers.
    Respond(Canned),
    /// The tenant carries it out, and somebody else answers.
    RespondAfter(Canned),
}

/// A response that is not the tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canned {
    Redirect,
    NotFound,
    HalfARefusal,
    BusyRefusal,
    StaleSignature,
    BadGateway,
    Busy,
    WebPage,
    HalfASuccess,
    UnknownStatus,
    NoTokens,
    /// An error code beside a status that leads on.
    Contradiction,
}

impl Canned {
    /// Those that say that nothing was carried out.
    pub const CLEAR: [Self; 5] =
        [Self::Redirect, Self::NotFound, Self::HalfARefusal, Self::BusyRefusal, Self::StaleSignature];
    pub const UNCLEAR: [Self; 7] = [
        Self::BadGateway,
        Self::Busy,
        Self::WebPage,
        Self::HalfASuccess,
        Self::UnknownStatus,
        Self::NoTokens,
        Self::Contradiction,
    ];

    fn answer(self) -> (u16, &'static str) {
        match self {
            Self::Redirect => (302, ""),
            Self::NotFound => (404, "<html>"),
            Self::HalfARefusal => (400, r#"{"error_code":"IDAAS.SDK."#),
            Self::BusyRefusal => (400, r#"{"error_code":"SDK.COMMON.1008","error_msg":"busy"}"#),
            Self::StaleSignature => (400, r#"{"error_code":"PARAM.0030","error_msg":"stale"}"#),
            Self::BadGateway => (502, "<html>"),
            Self::Busy => (500, r#"{"error_code":"SDK.COMMON.1008","error_msg":"busy"}"#),
            Self::WebPage => (200, "<html>"),
            Self::HalfASuccess => (200, r#"{"status":"SUCCESS","session_token":"btsiBj"#),
            Self::UnknownStatus => (200, r#"{"status":"PASSWORD_LOCKED","state_token":"eyJhbGci"}"#),
            Self::Contradiction => (400, r#"{"error_code":"SDK.COMMON.1002","status":"PASSWORD_EXPIRED"}"#),
            Self::NoTokens => (200, r#"{"status":"SUCCESS"}"#),
        }
    }

    fn is_clear(self) -> bool {
        Self::CLEAR.contains(&self)
    }
}

impl Fault {
    /// The recovery that the table of the documentation promises.
    pub fn recovery(self) -> &'static str {
        match self {
            Self::NotSent => "Retry",
            Self::Respond(canned) | Self::RespondAfter(canned) if canned.is_clear() => "Retry",
            _ => "Unresolved",
        }
    }

    pub fn reaches_the_tenant(self) -> bool {
        !matches!(self, Self::NotSent | Self::Panic)
    }

    pub fn is_carried_out(self) -> bool {
        matches!(self, Self::LoseResponse | Self::PanicAfter | Self::CutOff(_) | Self::RespondAfter(_))
    }

    pub fn name(self) -> String {
        match self {
            Self::CutOff(_) => "CutOff".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// The way to the tenant. It counts what is sent, and lets one of the next requests go wrong.
pub struct Line {
    tenant: Emulator,
    /// How many requests go well before, and what goes wrong then.
    fault: Mutex<Option<(usize, Fault)>>,
    sent: AtomicUsize,
}

impl Line {
    pub fn new(tenant: Emulator) -> Self {
        Self { tenant, fault: Mutex::new(None), sent: AtomicUsize::new(0) }
    }

    /// How many requests were sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// What `send` gives when this goes wrong, how often it sent, and whether anything went wrong.
    pub fn with<T>(&self, fault: Option<Fault>, send: impl FnOnce() -> T) -> (T, usize, Option<Fault>) {
        self.with_nth(0, fault, send)
    }

    /// The same; the fault happens to the request after so many others.
    pub fn with_nth<T>(
        &self,
        others: usize,
        fault: Option<Fault>,
        send: impl FnOnce() -> T,
    ) -> (T, usize, Option<Fault>) {
        *self.fault.lock().unwrap() = fault.map(|fault| (others, fault));
        let before = self.sent();
        let came = send();
        let left = self.fault.lock().unwrap().take();
        let happened = if left.is_some() { None } else { fault };
        (came, self.sent() - before, happened)
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap();
        if let Some((others @ 1.., _)) = &mut *fault {
            *others -= 1;
            return None;
        }
        fault.take().map(|(_, fault)| fault)
    }
}

impl Transport for Line {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let fault = self.next_fault();
        let path = request.uri().path().to_owned();
        let answer = |canned: Canned| {
            let (http_status, body) = canned.answer();
            (http_status.try_into().unwrap(), body.to_owned())
        };
        match fault {
            None => {}
            Some(Fault::NotSent) => return Err(TransportError::not_sent("refused")),
            // Without a message, so that the output stays readable.
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("the transport panics")),
            Some(Fault::PanicAfter) => {
                let _ = self.tenant.send(request);
                std::panic::resume_unwind(Box::new("the transport panics"));
            }
            Some(Fault::LoseRequest) => self.tenant.fail_next(path, emulator::Fault::LoseRequest),
            Some(Fault::LoseResponse) => self.tenant.fail_next(path, emulator::Fault::LoseResponse),
            Some(Fault::Respond(canned)) => {
                let (http_status, body) = answer(canned);
                self.tenant.fail_next(path, emulator::Fault::Respond { http_status, body });
            }
            Some(Fault::RespondAfter(canned)) => {
                let (http_status, body) = answer(canned);
                self.tenant.fail_next(path, emulator::Fault::RespondAfter { http_status, body });
            }
            Some(Fault::CutOff(percent)) => {
                let (head, mut body) = self.tenant.send(request)?.into_parts();
                // A refusal that is cut off is another fault: half a refusal.
                if head.status.is_success() && !body.is_empty() {
                    body.truncate(body.len() * percent / 100);
                } else {
                    *self.fault.lock().unwrap() = fault.map(|fault| (0, fault));
                }
                return Ok(Response::from_parts(head, body));
            }
        }
        self.tenant.send(request)
    }
}
