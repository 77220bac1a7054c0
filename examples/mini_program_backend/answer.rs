//! What the front end is told: the stage, or what went wrong and what to do about it.

use std::time::Duration;

use idaas_login::endpoints::{self, Endpoint, OriginKind, Scenario, StageKind};
use idaas_login::http::StatusCode;
use idaas_login::{
    Advice, AllowedFlows, AnyStage, Client, Error, IdTokenError, Origin, PasswordPolicy, Recovery, Resumable,
    StepError, Suspended, Unauthenticated, VerifyMethod,
};
use serde_json::{Value, json};

/// A state token lives minutes, and so does the handle that holds it.
pub const STEP_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A session whose length the tenant does not tell.
const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the login is now.
pub struct Now {
    pub stage: &'static str,
    /// What a code is for, such as `bind`.
    pub purpose: Option<&'static str>,
    /// What can be done from here.
    pub ways: Vec<&'static str>,
    /// Where a code goes, as much of it as the user needs to know it by.
    pub destination: Option<String>,
    /// What the tenant demands of a new password, if it says so.
    pub policy: Option<Value>,
    pub lifetime: Duration,
    pub suspended: Suspended,
}

impl Now {
    /// The stage, put down. However the login began, the front end is told the same.
    pub fn at<O: Origin>(held: AnyStage<O>) -> Self {
        let (stage, purpose) = names(held.kind());
        Self {
            stage,
            purpose,
            ways: ways(&held),
            destination: held.destination().map(masked),
            policy: policy(&held).map(
                |policy| json!({ "min_length": policy.min_length(), "max_length": policy.max_length() }),
            ),
            lifetime: match &held {
                AnyStage::Authenticated(user) => user.expires_in().unwrap_or(SESSION_LIFETIME),
                _ => STEP_LIFETIME,
            },
            suspended: held.suspend(),
        }
    }

    /// A step whose outcome is unknown.
    pub fn unresolved(suspended: Suspended) -> Self {
        Self {
            stage: "unresolved",
            purpose: None,
            ways: vec!["start_over", "retry_anyway"],
            destination: None,
            policy: None,
            lifetime: STEP_LIFETIME,
            suspended,
        }
    }
}

/// What the front end calls a stage, and what its code is for.
fn names(kind: StageKind) -> (&'static str, Option<&'static str>) {
    let purpose = |scenario| match scenario {
        Scenario::Bind => "bind",
        Scenario::BindOrRegister => "bind_or_register",
        Scenario::SecondFactor => "second_factor",
        Scenario::Login => "login",
        Scenario::Register => "register",
        Scenario::ResetPassword => "reset_password",
        Scenario::ChangePassword => "change_password",
    };
    match kind {
        StageKind::VerifyPhone(scenario) => ("verify_phone", Some(purpose(scenario))),
        StageKind::VerifyEmail(scenario) => ("verify_email", Some(purpose(scenario))),
        StageKind::PendingBind => ("pending_bind", None),
        StageKind::PendingRegister => ("pending_register", None),
        StageKind::MfaRequired => ("mfa_required", None),
        StageKind::PasswordExpiring => ("password_expiring", None),
        StageKind::PasswordExpired => ("password_expired", None),
        StageKind::Registration => ("registration", None),
        StageKind::PasswordReset => ("password_reset", None),
        StageKind::Authenticated => ("authenticated", None),
        // What no handle can hold.
        _ => ("unauthenticated", None),
    }
}

/// What can be done from a stage. The match is exhaustive: a stage that is new does not compile until it is here.
fn ways<O: Origin>(held: &AnyStage<O>) -> Vec<&'static str> {
    let code = ["captcha", "send_code", "submit", "back"];
    let with_password = ["captcha", "send_code", "submit", "new_password", "back"];
    // A mini program can be told the number that its platform knows.
    let authorised: &[&str] = match O::KIND {
        OriginKind::WeChatMiniProgram | OriginKind::AlipayMiniProgram => &["authorised_number"],
        OriginKind::SocialApp | OriginKind::Account => &[],
    };
    match held {
        AnyStage::PendingBind(stage) => [authorised, &["password"], &allowed(stage.allowed_flows())].concat(),
        AnyStage::PendingRegister(stage) => [authorised, &allowed(stage.allowed_flows())].concat(),
        AnyStage::MfaRequired(stage) => {
            documented(stage.client(), &endpoints::MFA_PHONE, &endpoints::MFA_EMAIL)
        }
        AnyStage::PasswordExpiring(stage) => {
            [&["change_password", "keep_password"], &*by_code(stage.client())].concat()
        }
        AnyStage::PasswordExpired(stage) => [&["change_password"], &*by_code(stage.client())].concat(),
        AnyStage::Registration(stage) => {
            let by =
                documented(stage.client(), &endpoints::REGISTRATION_PHONE, &endpoints::REGISTRATION_EMAIL);
            [&["attributes", "back"], &*by].concat()
        }
        AnyStage::PasswordReset(stage) => {
            let by = documented(stage.client(), &endpoints::RESET_PHONE, &endpoints::RESET_EMAIL);
            [&["back"], &*by].concat()
        }
        AnyStage::RegistrationByPhone(_) | AnyStage::RegistrationByEmail(_) => {
            [&["attributes"], &code[..]].concat()
        }
        AnyStage::AwaitingCode(_) | AnyStage::LoginByPhone(_) | AnyStage::LoginByEmail(_) => code.to_vec(),
        AnyStage::ChangingByPhone(_)
        | AnyStage::ChangingByEmail(_)
        | AnyStage::ResetByPhone(_)
        | AnyStage::ResetByEmail(_) => with_password.to_vec(),
        AnyStage::Authenticated(_) => vec!["me", "renew"],
    }
}

/// The methods that the tenant lets an account be bound by.
fn allowed(flows: &AllowedFlows) -> Vec<&'static str> {
    let methods = [("phone", VerifyMethod::Phone), ("email", VerifyMethod::Email)];
    methods.into_iter().filter(|(_, method)| flows.allows(method)).map(|(way, _)| way).collect()
}

/// Whether a password can be changed by a code.
fn by_code(client: &Client) -> Vec<&'static str> {
    documented(client, &endpoints::CHANGE_PASSWORD_PHONE, &endpoints::CHANGE_PASSWORD_EMAIL)
}

/// The channels whose row the tenant's edition has.
fn documented(client: &Client, phone: &Endpoint, email: &Endpoint) -> Vec<&'static str> {
    let edition = client.edition().kind();
    let rows = [("phone", phone), ("email", email)];
    rows.into_iter().filter(|(_, row)| row.in_edition(edition).is_some()).map(|(way, _)| way).collect()
}

fn policy<O: Origin>(held: &AnyStage<O>) -> Option<&PasswordPolicy> {
    match held {
        AnyStage::PasswordExpiring(stage) => stage.policy(),
        AnyStage::PasswordExpired(stage) => stage.policy(),
        AnyStage::ChangingByPhone(stage) => stage.stage().policy(),
        AnyStage::ChangingByEmail(stage) => stage.stage().policy(),
        _ => None,
    }
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
    /// Where the login is; `None` before it begins.
    pub now: Option<Now>,
    pub given: Option<(&'static str, Value)>,
}

impl Done {
    /// Nothing has begun, or it has to begin again.
    pub const UNAUTHENTICATED: Self = Self { now: None, given: None };

    pub fn at<O: Origin>(held: AnyStage<O>) -> Self {
        Self { now: Some(Now::at(held)), given: None }
    }

    pub fn give(self, name: &'static str, value: Value) -> Self {
        Self { given: Some((name, value)), ..self }
    }
}

/// A call that did not.
pub struct Refused {
    pub status: StatusCode,
    /// What the front end does next: the name of an [`Advice`], or of a request that it should not have made.
    what: &'static str,
    message: String,
    /// The tenant's error code.
    code: Option<String>,
    attempts_left: Option<u32>,
    /// How long to wait.
    wait: Option<Duration>,
    pub now: Option<Box<Now>>,
}

pub type Reply = Result<Done, Refused>;

impl Refused {
    pub fn new(status: StatusCode, what: &'static str, message: &str) -> Self {
        let message = message.to_owned();
        Self { status, what, message, code: None, attempts_left: None, wait: None, now: None }
    }

    pub fn bad_request(status: StatusCode, message: &str) -> Self {
        Self::new(status, "bad_request", message)
    }

    /// The handle does not open here. Why is for the log.
    pub fn dead_handle() -> Self {
        Self::advised(Advice::StartOver, "This login is over. Please begin again.")
    }

    pub fn wrong_stage<O: Origin>(held: AnyStage<O>) -> Self {
        let message = "This call does not fit the stage.";
        Self::new(StatusCode::CONFLICT, "wrong_stage", message).at(Now::at(held))
    }

    /// Another call than to settle an unknown outcome.
    pub fn unsettled(suspended: Suspended) -> Self {
        let message = "What became of the last step is not known: begin again, or retry anyway.";
        Self::new(StatusCode::CONFLICT, Advice::Settle.name(), message).at(Now::unresolved(suspended))
    }

    pub fn at(self, now: Now) -> Self {
        Self { now: Some(Box::new(now)), ..self }
    }

    /// All that there is to say about a failure follows from the library's advice.
    pub fn advised(advice: Advice, message: &str) -> Self {
        let (attempts_left, wait) = match advice {
            Advice::AskAgain { attempts_left } => (attempts_left, None),
            Advice::Wait { unlocks_in } => (None, unlocks_in),
            Advice::TryLater { retry_after } => (None, retry_after),
            _ => (None, None),
        };
        Self { attempts_left, wait, ..Self::new(status(advice), advice.name(), message) }
    }

    fn of(error: &Error, advice: Advice) -> Self {
        let code = match error {
            Error::Refused(refusal) => Some(refusal.code().to_string()),
            _ => None,
        };
        Self { code, ..Self::advised(advice, &message(error, advice)) }
    }

    /// A login that failed. There is no stage to go on with: the front end begins again.
    pub fn login(failed: &StepError<Unauthenticated>) -> Self {
        Self::of(failed.error(), failed.advice())
    }

    /// A side call that failed. Unless the login is over, the stage is where it was.
    pub fn side_call<O: Origin>(error: &Error, held: AnyStage<O>) -> Self {
        let advice = error.advice();
        let refused = Self::of(error, advice);
        if advice == Advice::StartOver { refused } else { refused.at(Now::at(held)) }
    }

    /// A step that failed: the recovery says what there is to go on with.
    pub fn step<S: Resumable + Into<AnyStage<O>>, O: Origin>(failed: StepError<S>) -> Self {
        let refused = Self::of(failed.error(), failed.advice());
        match failed.into_recovery() {
            Recovery::Retry(stage) => refused.at(Now::at(stage.into())),
            Recovery::StartOver(_) => refused,
            Recovery::Unresolved(unresolved) => refused.at(Now::unresolved(Resumable::suspend(unresolved))),
        }
    }

    /// A user who cannot be told. The session is where it was.
    pub fn identity(error: &IdTokenError, now: Option<Now>) -> Self {
        Self { now: now.map(Box::new), ..Self::advised(error.advice(), &error.to_string()) }
    }

    pub fn error(&self) -> Value {
        json!({
            "what": self.what,
            "message": self.message,
            "code": self.code,
            "attempts_left": self.attempts_left,
            "wait": self.wait.map(|wait| wait.as_secs()),
        })
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
