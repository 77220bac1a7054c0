//! The one table of error codes: what each code of the API means.
//!
//! [`ErrorCode::class`](crate::ErrorCode::class) comes from it, the emulator refuses with its entries, and the list of
//! error codes ([manual](crate::manual::errors)) is generated from it. Nothing else in this crate spells an error code.
//!
//! There are three families, and the same number means different things in them, so codes are compared whole:
//!
//! | family | edition |
//! |---|---|
//! | `SDK.*` | EIAM |
//! | `IDAAS.SDK.*` | CIAM, and the mini program pages of EIAM |
//! | `LOGIN.*`, `PARAM.*`, `CAPTCHA.*`, `USER.*`, `APP.*`, `COMMON.*` | OneAccess |
//!
//! CIAM and OneAccess are taken for one list, with the prefix `IDAAS.SDK.` and without it
//! ([decision](crate::manual::decisions) D25). Each code of that list is here twice; the one that no page prints is marked
//! [`Inferred`](Evidence::Inferred).

pub use super::kinds::EditionKind;
use super::listed::listed;
use crate::error::ErrorClass;

listed! {
    /// How a code is known.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    Evidence {
        /// A public page prints the code.
        Documented,
        /// A client in production use relies on the code.
        SeenInProduction,
        /// The code, its number or its prefix is concluded from what other pages print.
        Inferred,
    }
}

listed! {
    /// What the message of a code may tell beside its text.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    MessageHint {
        /// How many attempts are left: [`Refusal::attempts_left`](crate::Refusal::attempts_left).
        AttemptsLeft,
        /// When the lock ends: [`Refusal::unlocks_in`](crate::Refusal::unlocks_in).
        UnlocksIn,
    }
}

/// An error code of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownCode {
    /// The whole code.
    pub code: &'static str,
    /// What it means for the caller.
    pub class: ErrorClass,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// What to set or fix, if it is a matter of configuration.
    pub fix: Option<&'static str>,
    /// The HTTP status that the pages give it. A refusal counts as one with any status.
    pub http_status: u16,
    /// The editions that use it.
    pub editions: &'static [EditionKind],
    /// How it is known.
    pub evidence: Evidence,
    /// The page that prints it, or the list that it belongs to.
    pub page: &'static str,
    /// Whether the class is [`DeadToken`](ErrorClass::DeadToken) instead if the message names the state token (decisions D13,
    /// D26). The code is then a template about any parameter.
    pub dead_if_state_token_named: bool,
    /// What the message may tell beside its text ([decision](crate::manual::decisions) D27).
    pub hint: Option<MessageHint>,
}

impl KnownCode {
    /// The class of a refusal with this code and this message.
    #[must_use]
    pub fn class_with(&self, message: &str) -> ErrorClass {
        if self.dead_if_state_token_named && names_state_token(message) {
            ErrorClass::DeadToken
        } else {
            self.class
        }
    }
}

/// The entry of a code; `None` if the table does not have it. Codes are compared whole.
#[must_use]
pub fn find(code: &str) -> Option<&'static KnownCode> {
    ALL.iter().copied().find(|known| known.code == code)
}

/// The class of a refusal with this code and this message.
pub(crate) fn class(code: &str, message: &str) -> ErrorClass {
    find(code).map_or(ErrorClass::Unknown, |known| known.class_with(message))
}

/// Whether a message names the state token: as the field, or as the header, in whatever case.
fn names_state_token(message: &str) -> bool {
    const NAME: &[u8] = b"state_token";
    message.as_bytes().windows(NAME.len()).any(|name| {
        let is_letter = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (*a, *b) == (b'-', b'_');
        name.iter().zip(NAME).all(is_letter)
    })
}

/// A page of CIAM's documentation.
macro_rules! ciam {
    ($path:literal) => {
        concat!("https://open.bccastle.com/en/development/ciam/api/v2/sdk/", $path)
    };
}

/// A page of EIAM's documentation.
macro_rules! eiam {
    ($path:literal) => {
        concat!("https://open.bccastle.com/en/development/eiam/", $path)
    };
}

/// EIAM's list.
const EIAM_LIST: &str = eiam!("userapi/returncode.html");
/// OneAccess's list.
const ONE_ACCESS_LIST: &str = "https://support.huaweicloud.com/api-oneaccess/oneaccess_04_0068.html";

/// Writes the entries and the list of them. One of the shared list is written twice: with `IDAAS.SDK.` and without it.
macro_rules! codes {
    (
        eiam {$(
            $eiam:ident = $eiam_code:literal, $eiam_class:ident, $eiam_evidence:ident, $eiam_page:expr, $eiam_meaning:literal
            $({ $($eiam_field:ident: $eiam_value:expr),+ })?;
        )+}
        shared {$(
            $ciam:ident ($ciam_evidence:ident: $($ciam_edition:ident),+), $one_access:ident ($one_access_evidence:ident)
            = $code:literal, $class:ident, $page:expr, $meaning:literal
            $({ $($field:ident: $value:expr),+ })?;
        )+}
    ) => {
        $(
            #[doc = concat!("`", $eiam_code, "`: ", $eiam_meaning)]
            pub static $eiam: KnownCode = KnownCode {
                $($($eiam_field: $eiam_value,)+)?
                ..entry($eiam_code, ErrorClass::$eiam_class, &[EditionKind::Eiam], Evidence::$eiam_evidence, $eiam_page, $eiam_meaning)
            };
        )+
        $(
            #[doc = concat!("`IDAAS.SDK.", $code, "`: ", $meaning)]
            pub static $ciam: KnownCode = KnownCode {
                $($($field: $value,)+)?
                ..entry(
                    concat!("IDAAS.SDK.", $code),
                    ErrorClass::$class,
                    &[$(EditionKind::$ciam_edition),+],
                    Evidence::$ciam_evidence,
                    $page,
                    $meaning,
                )
            };
            #[doc = concat!("`", $code, "`: ", $meaning)]
            pub static $one_access: KnownCode = KnownCode {
                $($($field: $value,)+)?
                ..entry($code, ErrorClass::$class, &[EditionKind::OneAccess], Evidence::$one_access_evidence, $page, $meaning)
            };
        )+

        /// Every code.
        pub static ALL: &[&KnownCode] = &[$(&$eiam,)+ $(&$ciam, &$one_access,)+];
    };
}

/// An entry as most are: HTTP 400, and its message tells nothing more.
const fn entry(
    code: &'static str,
    class: ErrorClass,
    editions: &'static [EditionKind],
    evidence: Evidence,
    page: &'static str,
    meaning: &'static str,
) -> KnownCode {
    KnownCode {
        code,
        class,
        meaning,
        fix: None,
        http_status: 400,
        editions,
        evidence,
        page,
        dead_if_state_token_named: false,
        hint: None,
    }
}

codes! {
    eiam {
        SDK_COMMON_1001 = "SDK.COMMON.1001", Configuration, Documented, EIAM_LIST,
            "A required parameter is missing; the message names it."
            { fix: Some("Compare the request with the reference: a field name or a header of this tenant may differ.") };
        SDK_COMMON_1002 = "SDK.COMMON.1002", WrongInput, Documented, EIAM_LIST,
            "A parameter has the wrong format; the message names it.";
        SDK_COMMON_1003 = "SDK.COMMON.1003", Configuration, SeenInProduction, EIAM_LIST,
            "The device information is incomplete."
            { fix: Some("Give `Device::new` the system version, the fingerprint and the agent; a gateway must not drop the headers.") };
        SDK_COMMON_1004 = "SDK.COMMON.1004", Configuration, Documented, EIAM_LIST,
            "The signature cannot be decrypted."
            { fix: Some("The application's keys at the tenant.") };
        SDK_COMMON_1005 = "SDK.COMMON.1005", WrongInput, Documented, EIAM_LIST,
            "A value has failed or has expired; the message names it."
            { dead_if_state_token_named: true };
        SDK_COMMON_1006 = "SDK.COMMON.1006", Configuration, Documented, EIAM_LIST,
            "A parameter is wrong; the message names it."
            {
                dead_if_state_token_named: true,
                fix: Some("Compare the request with the reference: a field of this tenant may differ.")
            };
        SDK_COMMON_1007 = "SDK.COMMON.1007", Configuration, Documented, EIAM_LIST,
            "A parameter has the wrong type; the message names it."
            {
                dead_if_state_token_named: true,
                fix: Some("Compare the request with the reference: a field of this tenant may differ.")
            };
        SDK_COMMON_1008 = "SDK.COMMON.1008", Server, Documented, EIAM_LIST,
            "The system is busy."
            { http_status: 500 };
        SDK_COMMON_1009 = "SDK.COMMON.1009", Configuration, Documented, EIAM_LIST,
            "The authentication configuration is unknown."
            { fix: Some("Enable this login method for the application in the tenant's console.") };
        SDK_COMMON_1010 = "SDK.COMMON.1010", Configuration, Documented, EIAM_LIST,
            "The tenant's global configuration cannot be read."
            { fix: Some("The tenant's configuration: ask whoever runs it.") };
        SDK_COMMON_1011 = "SDK.COMMON.1011", Configuration, Documented, EIAM_LIST,
            "The tenant's configuration of area codes cannot be read."
            { fix: Some("The area codes in the tenant's console.") };
        SDK_COMMON_1012 = "SDK.COMMON.1012", Configuration, Documented, EIAM_LIST,
            "There is no application with this client id."
            { fix: Some("The client id given to `Client::builder`, and the base address.") };
        SDK_COMMON_1013 = "SDK.COMMON.1013", WrongInput, Documented, EIAM_LIST,
            "There is no such user.";
        SDK_COMMON_1014 = "SDK.COMMON.1014", Configuration, Documented, EIAM_LIST,
            "The application's private key is not there."
            { fix: Some("The application's keys at the tenant.") };
        SDK_LOGIN_1001 = "SDK.LOGIN.1001", Server, Documented, EIAM_LIST,
            "A call to another service, such as WeChat's, failed.";
        SDK_LOGIN_1002 = "SDK.LOGIN.1002", Configuration, Documented, EIAM_LIST,
            "The user is not bound to this application."
            { fix: Some("Assign the user to the application in the tenant's console.") };
        SDK_LOGIN_1003 = "SDK.LOGIN.1003", Locked, Documented, EIAM_LIST,
            "The user is locked after too many attempts; the message has the time left."
            { hint: Some(MessageHint::UnlocksIn) };
        SDK_LOGIN_1004 = "SDK.LOGIN.1004", Server, Documented, EIAM_LIST,
            "The tenant's password policy cannot be read.";
        SDK_LOGIN_1005 = "SDK.LOGIN.1005", WrongInput, SeenInProduction, EIAM_LIST,
            "The user name or password is wrong; the message has the number of attempts left."
            { hint: Some(MessageHint::AttemptsLeft) };
        SDK_SMS_1005 = "SDK.SMS.1005", WrongInput, Documented, eiam!("userapi/pwd/change-by-mobile.html"),
            "The verification code by SMS is wrong.";
    }
    shared {
        IDAAS_SDK_COMMON_1007 (Documented: Ciam, Eiam), COMMON_1007 (Inferred) = "COMMON.1007", DeadToken,
            ciam!("mini-program/wechat/bind-mobile.html"),
            "The state token is invalid, expired or used.";
        IDAAS_SDK_PARAM_0001 (Documented: Ciam), PARAM_0001 (Inferred) = "PARAM.0001", Configuration,
            ciam!("captcha/get-captcha.html"),
            "The device information is incomplete."
            { fix: Some("Give `Device::new` the system version, the fingerprint and the agent; a gateway must not drop the headers.") };
        IDAAS_SDK_PARAM_0002 (Documented: Ciam), PARAM_0002 (Inferred) = "PARAM.0002", Configuration,
            ciam!("user-self-service/check-whether-user-set-password.html"),
            "The client id is missing."
            { fix: Some("The client id given to `Client::builder`; a gateway must not drop the header `X-client-id`.") };
        IDAAS_SDK_PARAM_0003 (Documented: Ciam), PARAM_0003 (Inferred) = "PARAM.0003", Configuration,
            ciam!("user-self-service/check-whether-user-set-password.html"),
            "The application is not registered."
            { fix: Some("The client id given to `Client::builder`, and the base address.") };
        IDAAS_SDK_PARAM_0004 (Inferred: Ciam), PARAM_0004 (Documented) = "PARAM.0004", Configuration,
            ONE_ACCESS_LIST,
            "The coordinates of the captcha's solution are missing."
            { fix: Some("Compare the request with the reference: a field name of this tenant may differ.") };
        IDAAS_SDK_PARAM_0005 (Inferred: Ciam), PARAM_0005 (Documented) = "PARAM.0005", Configuration,
            ONE_ACCESS_LIST,
            "The captcha's token is missing."
            { fix: Some("Compare the request with the reference: a field name of this tenant may differ.") };
        IDAAS_SDK_PARAM_0009 (Documented: Ciam), PARAM_0009 (Inferred) = "PARAM.0009", Configuration,
            ciam!("user-self-service/reset-password-by-email.html"),
            "The verification code is missing."
            { fix: Some("Compare the request with the reference: a field name of this tenant may differ.") };
        IDAAS_SDK_PARAM_0014 (Documented: Ciam), PARAM_0014 (Inferred) = "PARAM.0014", DeadToken,
            ciam!("web-application/force-change-password.html"),
            "The state token is invalid.";
        IDAAS_SDK_PARAM_0016 (Documented: Ciam), PARAM_0016 (Inferred) = "PARAM.0016", RenewIdToken,
            ciam!("user-self-service/change-password.html"),
            "The identity token is invalid or expired.";
        IDAAS_SDK_PARAM_0023 (Documented: Ciam), PARAM_0023 (Inferred) = "PARAM.0023", DeadToken,
            ciam!("user-self-service/refresh-id-token-by-session-token.html"),
            "The session token is invalid or expired.";
        IDAAS_SDK_PARAM_0030 (Inferred: Ciam), PARAM_0030 (Inferred) = "PARAM.0030", StaleSignature,
            ONE_ACCESS_LIST,
            "The signature is invalid or expired.";
        IDAAS_SDK_PARAM_0031 (Inferred: Ciam), PARAM_0031 (Documented) = "PARAM.0031", Configuration,
            ONE_ACCESS_LIST,
            "The SSO ticket is missing."
            { fix: Some("This library asks for no SSO ticket: look who sent the request.") };
        IDAAS_SDK_CAPTCHA_0002 (Documented: Ciam), CAPTCHA_0002 (Inferred) = "CAPTCHA.0002", NewCaptcha,
            ciam!("captcha/verify-captcha.html"),
            "The captcha was solved wrongly.";
        IDAAS_SDK_CAPTCHA_0003 (Inferred: Ciam), CAPTCHA_0003 (Documented) = "CAPTCHA.0003", NewCaptcha,
            ONE_ACCESS_LIST,
            "The pass of the solved captcha has expired.";
        IDAAS_SDK_CAPTCHA_0004 (Inferred: Ciam), CAPTCHA_0004 (Documented) = "CAPTCHA.0004", NewCaptcha,
            ONE_ACCESS_LIST,
            "The pass of the solved captcha is invalid.";
        IDAAS_SDK_CAPTCHA_0006 (Documented: Ciam), CAPTCHA_0006 (Inferred) = "CAPTCHA.0006", Server,
            ciam!("captcha/send-sms.html"),
            "The verification code could not be sent.";
        IDAAS_SDK_CAPTCHA_0007 (Documented: Ciam), CAPTCHA_0007 (Inferred) = "CAPTCHA.0007", WrongInput,
            ciam!("web-application/login-by-mobile-code.html"),
            "The verification code is wrong.";
        IDAAS_SDK_LOGIN_0001 (Inferred: Ciam), LOGIN_0001 (Inferred) = "LOGIN.0001", Locked,
            ONE_ACCESS_LIST,
            "The user is locked after too many attempts; the message has the time left."
            { hint: Some(MessageHint::UnlocksIn) };
        IDAAS_SDK_LOGIN_0002 (Inferred: Ciam), LOGIN_0002 (Documented) = "LOGIN.0002", WrongInput,
            ONE_ACCESS_LIST,
            "The user name or password is wrong; the message has the number of attempts left."
            { hint: Some(MessageHint::AttemptsLeft) };
        IDAAS_SDK_USER_0030 (Inferred: Ciam), USER_0030 (Documented) = "USER.0030", WrongInput,
            ONE_ACCESS_LIST,
            "An account with this mobile number exists already.";
        IDAAS_SDK_USER_0031 (Inferred: Ciam), USER_0031 (Documented) = "USER.0031", WrongInput,
            ONE_ACCESS_LIST,
            "An account with this e-mail address exists already.";
        IDAAS_SDK_APP_0001 (Inferred: Ciam), APP_0001 (Documented) = "APP.0001", Configuration,
            ONE_ACCESS_LIST,
            "The application does not exist."
            { fix: Some("The client id given to `Client::builder`, and the base address.") };
        IDAAS_SDK_APP_0002 (Inferred: Ciam), APP_0002 (Documented) = "APP.0002", Configuration,
            ONE_ACCESS_LIST,
            "The application's id is missing."
            { fix: Some("The client id given to `Client::builder`; a gateway must not drop the header `X-client-id`.") };
        IDAAS_SDK_APP_0003 (Inferred: Ciam), APP_0003 (Documented) = "APP.0003", Configuration,
            ONE_ACCESS_LIST,
            "The application cannot be used; its exact cause could not be read in the list."
            { fix: Some("The application in the tenant's console.") };
    }
}
