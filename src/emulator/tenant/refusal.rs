//! How the tenant refuses: what it refuses for, and the code of that in each edition.

use std::time::Duration;

use serde_json::{Map, Value};

use super::state::Tenant;
use crate::client::Edition;
use crate::codes::{self as c, EditionKind, KnownCode, MessageHint};
use crate::error::ErrorClass;

/// A refusal: a code of the table, which has the HTTP status, and a message.
pub(super) struct Refused {
    pub(super) code: &'static KnownCode,
    pub(super) message: String,
}

pub(super) type Answer = Result<Value, Refused>;

/// What the tenant refuses for: the code of each edition.
///
/// Where an edition has no code of its own that anybody knows, it has that of another one.
#[derive(Clone, Copy)]
pub(super) struct Reason {
    ciam: &'static KnownCode,
    eiam: &'static KnownCode,
    one_access: &'static KnownCode,
}

impl Reason {
    const fn new(ciam: &'static KnownCode, eiam: &'static KnownCode, one_access: &'static KnownCode) -> Self {
        Self { ciam, eiam, one_access }
    }

    /// A code that no edition has another one for.
    const fn everywhere(code: &'static KnownCode) -> Self {
        Self::new(code, code, code)
    }

    fn of(self, edition: &Edition) -> &'static KnownCode {
        match edition.kind() {
            EditionKind::Ciam => self.ciam,
            EditionKind::Eiam => self.eiam,
            EditionKind::OneAccess => self.one_access,
        }
    }
}

impl Tenant {
    pub(super) fn refuse<T>(&self, reason: Reason, message: impl Into<String>) -> Result<T, Refused> {
        Err(Refused { code: reason.of(&self.settings.edition), message: message.into() })
    }

    pub(super) fn refuse_password<T>(&self, attempts_left: u32) -> Result<T, Refused> {
        let code = WRONG_PASSWORD.of(&self.settings.edition);
        Err(Refused { code, message: wrong_password(code, attempts_left) })
    }

    pub(super) fn refuse_locked<T>(&self, left: Duration) -> Result<T, Refused> {
        self.refuse(LOCKED, locked(left))
    }
}

impl Refused {
    /// Whether what should prove the account was wrong, or is locked.
    pub(super) fn is_wrong_proof(&self) -> bool {
        matches!(self.code.class, ErrorClass::WrongInput | ErrorClass::Locked)
    }

    /// A refusal with `code` as an example.
    pub(super) fn example(code: &'static KnownCode, lock_time: Duration) -> Self {
        let message = match code.hint {
            Some(MessageHint::AttemptsLeft) => wrong_password(code, 3),
            Some(MessageHint::UnlocksIn) => locked(lock_time),
            None => code.meaning.to_owned(),
        };
        Self { code, message }
    }
}

/// The message as EIAM prints it, or else as OneAccess documents it.
fn wrong_password(code: &KnownCode, attempts_left: u32) -> String {
    if code.editions.contains(&EditionKind::Eiam) {
        format!("无效的用户名或密码。 剩余登录尝试次数:{attempts_left}")
    } else {
        format!("Invalid account name or password. Remaining attempts: {attempts_left}.")
    }
}

fn locked(left: Duration) -> String {
    let seconds = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!("user locked, too many attempts; unlocks in {minutes} minutes and {seconds} seconds")
}

pub(super) const NO_CLIENT_ID: Reason =
    Reason::new(&c::IDAAS_SDK_PARAM_0002, &c::SDK_COMMON_1001, &c::PARAM_0002);
pub(super) const OTHER_APPLICATION: Reason =
    Reason::new(&c::IDAAS_SDK_PARAM_0003, &c::SDK_COMMON_1012, &c::APP_0001);
pub(super) const NO_DEVICE: Reason =
    Reason::new(&c::IDAAS_SDK_PARAM_0001, &c::SDK_COMMON_1003, &c::PARAM_0001);
pub(super) const NO_TENANT_ID: Reason = Reason::everywhere(&c::SDK_COMMON_1001);
pub(super) const BAD_FORMAT: Reason = Reason::everywhere(&c::SDK_COMMON_1002);
#[cfg(not(feature = "signature"))]
pub(super) const BAD_SIGNATURE: Reason = Reason::everywhere(&c::SDK_COMMON_1004);
pub(super) const METHOD_NOT_OFFERED: Reason = Reason::everywhere(&c::SDK_COMMON_1009);
pub(super) const NO_ACCOUNT: Reason = Reason::everywhere(&c::SDK_COMMON_1013);
pub(super) const PLATFORM_CODE: Reason = Reason::everywhere(&c::SDK_LOGIN_1001);
pub(super) const BUSY: Reason = Reason::everywhere(&c::SDK_COMMON_1008);
/// The pages of EIAM's mini program logins and binds print the code of CIAM.
pub(super) const DEAD_STATE_TOKEN: Reason =
    Reason::new(&c::IDAAS_SDK_COMMON_1007, &c::IDAAS_SDK_COMMON_1007, &c::COMMON_1007);
/// The password steps print a code of their own; EIAM's are of its user API.
pub(super) const DEAD_STATE_TOKEN_OF_PASSWORD: Reason =
    Reason::new(&c::IDAAS_SDK_PARAM_0014, &c::SDK_COMMON_1007, &c::PARAM_0014);
pub(super) const MOBILE_EXISTS: Reason =
    Reason::new(&c::IDAAS_SDK_USER_0030, &c::IDAAS_SDK_USER_0030, &c::USER_0030);
pub(super) const EMAIL_EXISTS: Reason =
    Reason::new(&c::IDAAS_SDK_USER_0031, &c::IDAAS_SDK_USER_0031, &c::USER_0031);
/// The tenant's own rules surely refuse, but no page prints their codes: these are the emulator's.
pub(super) const USER_NAME_EXISTS: Reason = Reason::everywhere(&INVENTED_USER_NAME_EXISTS);
pub(super) const PASSWORD_REFUSED: Reason = Reason::everywhere(&INVENTED_PASSWORD_REFUSED);
static INVENTED_USER_NAME_EXISTS: KnownCode = invented("EMULATOR.USER.0001", "The user name exists already.");
static INVENTED_PASSWORD_REFUSED: KnownCode =
    invented("EMULATOR.PWD.0001", "The new password does not follow the tenant's rules.");

const fn invented(code: &'static str, meaning: &'static str) -> KnownCode {
    KnownCode {
        code,
        class: ErrorClass::Unknown,
        meaning,
        fix: None,
        http_status: 400,
        editions: &[],
        evidence: c::Evidence::Inferred,
        page: "",
        dead_if_state_token_named: false,
        hint: None,
    }
}

/// EIAM's second factor is of its user API, which prints another code, with a message that names the state token (D26).
pub(super) const DEAD_STATE_TOKEN_OF_SECOND_FACTOR: Reason =
    Reason::new(&c::IDAAS_SDK_COMMON_1007, &c::SDK_COMMON_1007, &c::COMMON_1007);
pub(super) const DEAD_SESSION: Reason =
    Reason::new(&c::IDAAS_SDK_PARAM_0023, &c::IDAAS_SDK_PARAM_0023, &c::PARAM_0023);
#[cfg(feature = "signature")]
pub(super) const STALE_SIGNATURE: Reason =
    Reason::new(&c::IDAAS_SDK_PARAM_0030, &c::IDAAS_SDK_PARAM_0030, &c::PARAM_0030);
pub(super) const WRONG_PASSWORD: Reason =
    Reason::new(&c::IDAAS_SDK_LOGIN_0002, &c::SDK_LOGIN_1005, &c::LOGIN_0002);
pub(super) const LOCKED: Reason = Reason::new(&c::IDAAS_SDK_LOGIN_0001, &c::SDK_LOGIN_1003, &c::LOGIN_0001);
pub(super) const WRONG_SMS_CODE: Reason =
    Reason::new(&c::IDAAS_SDK_CAPTCHA_0007, &c::SDK_SMS_1005, &c::CAPTCHA_0007);
pub(super) const WRONG_EMAIL_CODE: Reason =
    Reason::new(&c::IDAAS_SDK_CAPTCHA_0007, &c::IDAAS_SDK_CAPTCHA_0007, &c::CAPTCHA_0007);
pub(super) const SENDING_FAILED: Reason =
    Reason::new(&c::IDAAS_SDK_CAPTCHA_0006, &c::IDAAS_SDK_CAPTCHA_0006, &c::CAPTCHA_0006);
pub(super) const WRONG_CAPTCHA: Reason =
    Reason::new(&c::IDAAS_SDK_CAPTCHA_0002, &c::IDAAS_SDK_CAPTCHA_0002, &c::CAPTCHA_0002);
pub(super) const PASS_EXPIRED: Reason =
    Reason::new(&c::IDAAS_SDK_CAPTCHA_0003, &c::IDAAS_SDK_CAPTCHA_0003, &c::CAPTCHA_0003);
pub(super) const PASS_INVALID: Reason =
    Reason::new(&c::IDAAS_SDK_CAPTCHA_0004, &c::IDAAS_SDK_CAPTCHA_0004, &c::CAPTCHA_0004);

/// A field that is missing or blank. The list of CIAM and OneAccess has codes for some fields.
pub(super) fn blank(field: &str) -> Reason {
    let shared: [&'static KnownCode; 2] = match field {
        "point_json" => [&c::IDAAS_SDK_PARAM_0004, &c::PARAM_0004],
        "token" | "captcha_token" => [&c::IDAAS_SDK_PARAM_0005, &c::PARAM_0005],
        "verify_code" => [&c::IDAAS_SDK_PARAM_0009, &c::PARAM_0009],
        _ => [&c::SDK_COMMON_1001; 2],
    };
    let [ciam, one_access] = shared;
    Reason::new(ciam, &c::SDK_COMMON_1001, one_access)
}

/// The fields of a request's body.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// This tenant knows a field by another name, and by that alone.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        self.0.remove(to);
        if let Some(value) = self.0.remove(from) {
            self.0.insert(to.to_owned(), value);
        }
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}
