//! What the front end is told: the stage, or what went wrong and what to do about it.

use std::time::Duration;

use idaas_login::endpoints::{Scenario, StageKind};
use idaas_login::http::StatusCode;
use idaas_login::{
    Advice, AllowedFlows, AnyStage, Error, IdTokenError, Recovery, Resumable, StepError, Suspended,
    Unauthenticated, VerifyMethod,
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
    pub fn at(held: AnyStage) -> Self {
        match held {
            AnyStage::PendingBind(stage) => {
                let ways = ways(&["authorised_number", "password"], stage.allowed_flows());
                Self { ways, ..Self::new("pending_bind", stage.suspend()) }
            }
            AnyStage::PendingRegister(stage) => {
                let ways = ways(&["authorised_number"], stage.allowed_flows());
                Self { ways, ..Self::new("pending_register", stage.suspend()) }
            }
            AnyStage::MfaRequired(stage) => {
                Self { ways: vec!["phone", "email"], ..Self::new("mfa_required", stage.suspend()) }
            }
            AnyStage::AwaitingCode(stage) => {
                let (name, scenario) = match stage.kind() {
                    StageKind::VerifyEmail(scenario) => ("verify_email", Some(scenario)),
                    StageKind::VerifyPhone(scenario) => ("verify_phone", Some(scenario)),
                    _ => ("verify_phone", None),
                };
                let purpose = scenario.map(|scenario| match scenario {
                    Scenario::Bind => "bind",
                    Scenario::Register => "register",
                    Scenario::SecondFactor => "second_factor",
                });
                let destination = Some(masked(stage.destination()));
                let ways = vec!["captcha", "send_code", "submit", "back"];
                Self { purpose, ways, destination, ..Self::new(name, stage.suspend()) }
            }
            AnyStage::Authenticated(user) => Self {
                lifetime: user.expires_in().unwrap_or(SESSION_LIFETIME),
                ways: vec!["me", "renew"],
                ..Self::new("authenticated", user.suspend())
            },
        }
    }

    /// A step whose outcome is unknown.
    pub fn unresolved(suspended: Suspended) -> Self {
        Self { ways: vec!["start_over", "retry_anyway"], ..Self::new("unresolved", suspended) }
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
    /// What the front end does next: the name of an [`Advice`], or of a request that it should not have made.
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

    pub fn wrong_stage(held: AnyStage) -> Self {
        let message = "This call does not fit the stage.";
        Self::new(StatusCode::CONFLICT, "wrong_stage", message).at(Now::at(held))
    }

    pub fn at(mut self, now: Now) -> Self {
        self.now = Some(Box::new(now));
        self
    }

    fn of(error: &Error, advice: Advice) -> Self {
        let code = match error {
            Error::Refused(refusal) => Some(refusal.code().to_string()),
            _ => None,
        };
        Self { code, ..Self::new(status(advice), advice.name(), &message(error, advice)) }
    }

    /// A login that failed. There is no stage to go on with: the mini program begins again, with a fresh code.
    pub fn login(failed: &StepError<Unauthenticated>) -> Self {
        Self::of(failed.error(), failed.advice())
    }

    /// A side call that failed. Unless the login is over, the stage is where it was.
    pub fn side_call(error: &Error, now: Now) -> Self {
        let refused = Self::of(error, error.advice());
        if error.advice() == Advice::StartOver { refused } else { refused.at(now) }
    }

    /// A step that failed: the recovery says what there is to go on with.
    pub fn step<S: Resumable + Into<AnyStage>>(failed: StepError<S>) -> Self {
        let refused = Self::of(failed.error(), failed.advice());
        match failed.into_recovery() {
            Recovery::Retry(stage) => refused.at(Now::at(stage.into())),
            Recovery::StartOver(_) => refused,
            Recovery::Unresolved(unresolved) => refused.at(Now::unresolved(unresolved.suspend())),
        }
    }

    pub fn identity(error: &IdTokenError, now: Now) -> Self {
        let (status, what, message) = match error {
            IdTokenError::Missing | IdTokenError::Expired => {
                (StatusCode::UNAUTHORIZED, "renew_id_token", "The identity has to be renewed.")
            }
            IdTokenError::Keys(_)
            | IdTokenError::KeySet
            | IdTokenError::NoUsableKey
            | IdTokenError::StaleKeys(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "try_later", "The identity cannot be verified just now.")
            }
            _ => (StatusCode::BAD_GATEWAY, "tell_operator", "The identity is not accepted."),
        };
        Self::new(status, what, message).at(now)
    }

    pub fn error(&self) -> Value {
        json!({ "what": self.what, "message": self.message, "code": self.code })
    }
}

/// The HTTP status of an answer, by what the front end does next.
fn status(advice: Advice) -> StatusCode {
    match advice {
        Advice::AskAgain { .. } | Advice::FreshPlatformCode | Advice::NewCaptcha => StatusCode::BAD_REQUEST,
        Advice::ChooseAnotherMethod => StatusCode::FORBIDDEN,
        Advice::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
        Advice::TryLater { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Advice::RenewIdToken | Advice::StartOver => StatusCode::UNAUTHORIZED,
        // Settle, tell the operator, and what a later version may add.
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// For the user. The tenant's own words only where they speak of what the user gave; others may quote what was sent.
fn message(error: &Error, advice: Advice) -> String {
    match (error, advice) {
        (Error::Refused(refusal), Advice::AskAgain { .. } | Advice::Wait { .. })
            if !refusal.message().is_empty() =>
        {
            refusal.message().to_owned()
        }
        (other, _) => other.to_string(),
    }
}
