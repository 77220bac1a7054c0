//! The error codes that the API documents, each with its class.

use crate::error::ErrorClass;

/// Whether a message names the state token: as the field, or as the header, in whatever case.
fn names_state_token(message: &str) -> bool {
    const NAME: &[u8] = b"state_token";
    message.as_bytes().windows(NAME.len()).any(|name| {
        let is_letter = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (*a, *b) == (b'-', b'_');
        name.iter().zip(NAME).all(is_letter)
    })
}

/// The codes that the pages document, each with its class; `docs/decisions.md` has the sources.
pub(crate) fn class(code: &str, message: &str) -> ErrorClass {
    match code {
        "IDAAS.SDK.COMMON.1007" | "IDAAS.SDK.PARAM.0014" | "IDAAS.SDK.PARAM.0023" => ErrorClass::DeadToken,
        // Templates about some parameter: only a message that names the state token speaks of it.
        "SDK.COMMON.1005" | "SDK.COMMON.1006" if names_state_token(message) => ErrorClass::DeadToken,
        "IDAAS.SDK.CAPTCHA.0002"
        | "IDAAS.SDK.CAPTCHA.0006"
        | "IDAAS.SDK.CAPTCHA.0007"
        | "SDK.COMMON.1002"
        | "SDK.COMMON.1005"
        | "SDK.COMMON.1013"
        | "SDK.LOGIN.1002"
        | "SDK.SMS.1005" => ErrorClass::WrongInput,
        "SDK.LOGIN.1003" => ErrorClass::Locked,
        "IDAAS.SDK.PARAM.0001"
        | "SDK.COMMON.1001"
        | "SDK.COMMON.1003"
        | "SDK.COMMON.1004"
        | "SDK.COMMON.1006"
        | "SDK.COMMON.1007"
        | "SDK.COMMON.1009"
        | "SDK.COMMON.1010"
        | "SDK.COMMON.1011"
        | "SDK.COMMON.1012"
        | "SDK.COMMON.1014"
        | "SDK.LOGIN.1004" => ErrorClass::Configuration,
        "SDK.COMMON.1008" | "SDK.LOGIN.1001" => ErrorClass::Server,
        _ => ErrorClass::Unknown,
    }
}
