//! What the front end is told: the stage, or what went wrong and what to do about it.

use std::time::Duration;

use idaas_login::http::StatusCode;
use idaas_login::{
    AllowedFlows, Error, ErrorClass, IdTokenError, Outcome, Recovery, Resumed, Sent, StepError, Suspended,
    Unresolved, VerifyMethod,
};
use serde_json::{Value, json};

/// A state token lives minutes, and so does the handle that holds it.
pub const STEP_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A session whose length the tenant does not tell.
const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the login is now.
pub struct Now {
    pub stage: &'static str,
    /// What a code is for: `bind`, `register` or `second_factor`. Of an unresolved step, its stage.
    pub purpose: Option<&'static str>,
    /// What can be done from here.
    pub ways: Vec<&'static str>,
    /// Where a code goes, as much of it as the user needs to know it by.
    pub destination: Option<String>,
    pub lifetime: Duration,
    pub suspended: Suspended,
}

impl Now {
    fn new(stage: &'static str, suspended: Suspended) -> Self {
        Self { stage, purpose: None, ways: Vec::new(), destination: None, lifetime: STEP_LIFETIME, suspended }
    }

    /// The stage, put down.
    pub fn at(held: Resumed) -> Self {
        let purpose = match &held {
            Resumed::BindByPhone(_) | Resumed::BindByEmail(_) => Some("bind"),
            Resumed::RegisterByPhone(_) | Resumed::RegisterByEmail(_) => Some("register"),
            Resumed::SecondFactorByPhone(_) | Resumed::SecondFactorByEmail(_) => Some("second_factor"),
            _ => None,
        };
        // One arm a stage, because each is a type of its own.
        macro_rules! code_due {
            ($stage:literal, $held:ident) => {{
                let destination = Some(masked($held.destination()));
                let ways = vec!["captcha", "send_code", "submit", "back"];
                Self { purpose, destination, ways, ..Self::new($stage, $held.suspend()) }
            }};
        }
        match held {
            Resumed::PendingBind(stage) => {
                let ways = ways(&["authorised_number", "password"], stage.allowed_flows());
                Self { ways, ..Self::new("pending_bind", stage.suspend()) }
            }
            Resumed::PendingRegister(stage) => {
                let ways = ways(&["authorised_number"], stage.allowed_flows());
                Self { ways, ..Self::new("pending_register", stage.suspend()) }
            }
            Resumed::MfaRequired(stage) => {
                Self { ways: vec!["phone", "email"], ..Self::new("mfa_required", stage.suspend()) }
            }
            Resumed::BindByPhone(stage) => code_due!("verify_phone", stage),
            Resumed::RegisterByPhone(stage) => code_due!("verify_phone", stage),
            Resumed::SecondFactorByPhone(stage) => code_due!("verify_phone", stage),
            Resumed::BindByEmail(stage) => code_due!("verify_email", stage),
            Resumed::RegisterByEmail(stage) => code_due!("verify_email", stage),
            Resumed::SecondFactorByEmail(stage) => code_due!("verify_email", stage),
            Resumed::Authenticated(user) => Self {
                lifetime: user.expires_in().unwrap_or(SESSION_LIFETIME),
                ways: vec!["me", "renew"],
                ..Self::new("authenticated", user.suspend())
            },
            Resumed::Unresolved(unresolved) => Self::unresolved(unresolved.suspend()),
        }
    }

    /// A step of which nobody knows whether it was carried out.
    pub fn unresolved(suspended: Suspended) -> Self {
        Self { ways: vec!["start_over", "retry_anyway"], ..Self::new("unresolved", suspended) }
    }

    pub fn of(outcome: Outcome) -> Self {
        Self::at(outcome.into())
    }
}

fn ways(always: &[&'static str], flows: &AllowedFlows) -> Vec<&'static str> {
    let mut ways = always.to_vec();
    ways.extend(flows.allows(&VerifyMethod::Phone).then_some("phone"));
    ways.extend(flows.allows(&VerifyMethod::Email).then_some("email"));
    ways
}

/// Enough for its owner to know it by: the number that an account has is not told to whoever has its password.
fn masked(destination: &str) -> String {
    let (shown, domain) = if let Some((name, domain)) = destination.split_once('@') {
        (name.chars().take(1).collect::<String>(), format!("@{domain}"))
    } else {
        let digits: Vec<char> = destination.chars().collect();
        (String::new(), digits.iter().skip(digits.len().saturating_sub(4)).collect())
    };
    format!("{shown}****{domain}")
}

/// A call that did what it should: where the login is, and what was asked for.
pub struct Done {
    pub now: Now,
    pub given: Option<(&'static str, Value)>,
}

/// A call that did not.
pub struct Refused {
    pub status: StatusCode,
    /// What the front end does next.
    what: &'static str,
    message: String,
    code: Option<String>,
    pub now: Option<Box<Now>>,
}

pub type Reply = Result<Done, Refused>;

impl Refused {
    pub fn new(status: StatusCode, what: &'static str, message: &str) -> Self {
        Self { status, what, message: message.to_owned(), code: None, now: None }
    }

    pub fn bad_request(status: StatusCode, message: &str) -> Self {
        Self::new(status, "bad_request", message)
    }

    /// The handle does not open here. Why is for the log.
    pub fn dead_handle() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "start_over", "This login is over. Please begin again.")
    }

    pub fn wrong_stage(held: Resumed) -> Self {
        let message = "This call does not fit the stage.";
        Self::new(StatusCode::CONFLICT, "wrong_stage", message).at(Now::at(held))
    }

    pub fn at(mut self, now: Now) -> Self {
        self.now = Some(Box::new(now));
        self
    }

    fn of(error: &Error, what: &'static str) -> Self {
        let code = match error {
            Error::Refused(refusal) => Some(refusal.code().to_string()),
            _ => None,
        };
        Self { code, ..Self::new(status(error), what, &message(error)) }
    }

    /// A login that failed. Its code works once: only if nothing was sent is it sure to be good still.
    pub fn login(error: &Error) -> Self {
        let what = match error {
            Error::InvalidInput(_) => "ask_again",
            Error::Transport(transport) if transport.sent() == Sent::No => "retry",
            _ if error.class() == Some(ErrorClass::Locked) => "wait",
            _ => "start_over",
        };
        Self::of(error, what)
    }

    /// A side call that failed, which can be made again.
    pub fn side_call(error: &Error, now: Now) -> Self {
        if error.class() == Some(ErrorClass::DeadToken) {
            Self::of(error, "start_over")
        } else {
            Self::of(error, same_stage(error)).at(now)
        }
    }

    /// A step that failed: the recovery says what there is to go on with.
    pub fn step<S>(
        failed: StepError<S>,
        held: impl FnOnce(S) -> Resumed,
        suspend: impl FnOnce(Unresolved<S>) -> Suspended,
    ) -> Self {
        let (error, recovery) = failed.into_parts();
        match recovery {
            Recovery::Retry(stage) => Self::of(&error, same_stage(&error)).at(Now::at(held(stage))),
            Recovery::StartOver(_) => Self::of(&error, "start_over"),
            Recovery::Unresolved(unresolved) => {
                let mut refused = Self::of(&error, "unknown_outcome");
                refused.status = StatusCode::BAD_GATEWAY;
                refused.at(Now::unresolved(suspend(unresolved)))
            }
        }
    }

    pub fn identity(error: &IdTokenError, now: Now) -> Self {
        let (status, what, message) = match error {
            IdTokenError::Missing | IdTokenError::Expired => {
                (StatusCode::UNAUTHORIZED, "renew", "The identity has to be renewed.")
            }
            IdTokenError::Keys(_)
            | IdTokenError::KeySet
            | IdTokenError::NoUsableKey
            | IdTokenError::StaleKeys(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "retry", "The identity cannot be verified just now.")
            }
            _ => (StatusCode::BAD_GATEWAY, "failed", "The identity is not accepted."),
        };
        Self::new(status, what, message).at(now)
    }

    pub fn error(&self) -> Value {
        json!({ "what": self.what, "message": self.message, "code": self.code })
    }
}

/// What helps if the stage is still there.
fn same_stage(error: &Error) -> &'static str {
    if status(error) == StatusCode::TOO_MANY_REQUESTS {
        return "wait";
    }
    match error {
        Error::InvalidInput(_) | Error::NotAllowed(_) => "ask_again",
        Error::Refused(refusal) => match refusal.code().class() {
            ErrorClass::WrongInput => "ask_again",
            ErrorClass::Locked => "wait",
            ErrorClass::Configuration => "failed",
            _ => "retry",
        },
        _ => "retry",
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::InvalidInput(_) => StatusCode::BAD_REQUEST,
        Error::NotAllowed(_) | Error::AccessDenied => StatusCode::FORBIDDEN,
        Error::Transport(transport) if transport.sent() == Sent::No => StatusCode::SERVICE_UNAVAILABLE,
        Error::Unexpected(answer) if answer.http_status() == StatusCode::TOO_MANY_REQUESTS => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Error::Refused(refusal) if refusal.http_status() == StatusCode::TOO_MANY_REQUESTS => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Error::Refused(refusal) => match refusal.code().class() {
            ErrorClass::WrongInput => StatusCode::BAD_REQUEST,
            ErrorClass::DeadToken => StatusCode::UNAUTHORIZED,
            ErrorClass::Locked => StatusCode::LOCKED,
            ErrorClass::Server => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        },
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// For the user. The tenant's own words only where they speak of what the user gave; others may quote what was sent.
fn message(error: &Error) -> String {
    match error {
        Error::Refused(refusal)
            if matches!(refusal.code().class(), ErrorClass::WrongInput | ErrorClass::Locked)
                && !refusal.message().is_empty() =>
        {
            refusal.message().to_owned()
        }
        other => other.to_string(),
    }
}
