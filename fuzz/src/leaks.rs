//! What is printed must not contain what was answered.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt::Write as _;

use idaas_login::Error;
use serde_json::Value;

use super::model::{Answer, Members};

/// Shorter texts may be in a message by chance.
const SHORTEST: usize = 8;

/// Everything that a failure prints.
pub fn printed(error: &impl StdError) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n");
    let mut source = error.source();
    while let Some(error) = source {
        writeln!(text, "{error}\n{error:?}").expect("a String takes everything");
        source = error.source();
    }
    text
}

/// What is printed for answers without secrets, as it is and without numbers.
pub struct Vocabulary {
    text: String,
    neutral: String,
}

impl Vocabulary {
    /// Of what `print` prints for the [`NEUTRAL`] answers.
    pub fn of(print: impl Fn(&Answer<'_>) -> String) -> Self {
        let answers = NEUTRAL
            .iter()
            .map(|(http_status, body)| Answer { http_status: *http_status, body: body.as_bytes() });
        let printed: Vec<_> = answers.map(|answer| print(&answer)).collect();
        let lines: BTreeSet<_> = printed.iter().flat_map(|text| text.lines()).collect();
        let text = lines.into_iter().collect::<Vec<_>>().join("\n");
        Self { neutral: without_numbers(&text), text }
    }

    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
            || text.bytes().any(|byte| byte.is_ascii_alphabetic())
                && self.neutral.contains(&without_numbers(text))
    }
}

/// Asserts that nothing of the response is in `printed`, but for names that look like the API's, and lifetimes.
pub fn none(printed: &str, answer: &Answer<'_>, vocabulary: &Vocabulary) {
    let mut printed = without_numbers_of(printed, "expires_in: Some(", |duration| {
        let number = duration.strip_suffix('s').map(|number| number.trim_end_matches(['m', 'µ', 'n']));
        number.is_some_and(|number| number.parse::<f64>().is_ok())
    });
    for length in ["min_length: Some(", "max_length: Some("] {
        printed = without_numbers_of(&printed, length, |number| number.parse::<u32>().is_ok());
    }
    let members = Members::read(answer.body);
    for name in ["error_code", "status"] {
        let Some(members) = &members else { continue };
        for raw in members.all(name) {
            let text = serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned());
            for text in [text.as_str(), text.trim_ascii()] {
                if may_be_printed(text) {
                    printed = printed.replace(text, "\0");
                }
            }
        }
    }
    for text in texts(answer.body, members.as_ref()) {
        assert!(!printed.contains(&text) || vocabulary.has(&text), "{text:?} is printed: {printed}");
    }
}

/// Without the numbers of a field, such as durations: that one has the digits of a secret is by chance.
fn without_numbers_of(printed: &str, field: &str, is_number: impl Fn(&str) -> bool) -> String {
    let mut parts = printed.split(field);
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, after) = part.split_once(')').expect("a number in brackets");
        let number = number.trim_matches([' ', '\n', ',']);
        assert!(is_number(number), "{number:?} is not what {field} has");
        rest.push('\0');
        rest.push_str(after);
    }
    rest
}

/// `docs/decisions.md`, "What is printed".
fn may_be_printed(name: &str) -> bool {
    let capitals = name.bytes().all(|byte| byte.is_ascii_uppercase());
    let of_the_alphabet =
        name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    let name_like = name.len() <= 64
        && of_the_alphabet
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase())
        && (capitals || name.contains('.') || name.contains('_'));
    let five_digits = name.len() == 5 && name.bytes().all(|byte| byte.is_ascii_digit());
    !name.is_empty() && (name_like || five_digits)
}

/// The texts of a response that may be secret: its JSON strings, and the words of anything else.
fn texts(body: &[u8], members: Option<&Members>) -> Vec<String> {
    let mut texts = Vec::new();
    for (name, raw) in members.map_or(&[][..], |members| &members.0) {
        texts.push(name.clone());
        collect(&serde_json::from_str(raw.get()).unwrap_or_default(), &mut texts);
    }
    let all = String::from_utf8_lossy(body);
    let in_a_word = |letter: char| letter.is_ascii_alphanumeric() || "+/=_-.".contains(letter);
    texts.extend(all.split(|letter| !in_a_word(letter)).map(str::to_owned));
    texts.retain(|text| text.trim_ascii().len() >= SHORTEST);
    texts
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.extend([text.clone(), text.trim_ascii().to_owned()]),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(members) => members.values().for_each(|value| collect(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// With each number as one zero: statuses, seconds and counts are not secrets.
fn without_numbers(text: &str) -> String {
    let mut neutral = String::with_capacity(text.len());
    for letter in text.chars() {
        if !letter.is_ascii_digit() {
            neutral.push(letter);
        } else if !neutral.ends_with('0') {
            neutral.push('0');
        }
    }
    neutral
}

/// A response of each kind, for the vocabulary: none of it is secret.
const NEUTRAL: &[(u16, &str)] = &[
    (200, r#"{"status":"SUCCESS","session_token":"s","id_token":"i","expire":1.5}"#),
    (200, r#"{"status":"SUCCESS","session_token":"s"}"#),
    (200, r#"{"status":"SUCCESS"}"#),
    (200, r#"{"status":"SOCIAL_BIND","state_token":"t"}"#),
    (
        200,
        r#"{"status":"SOCIAL_BIND","state_token":"t","data":{"socialBindOrRegisterFlow":["VERIFY_PHONE","VERIFY_EMAIL","x"]}}"#,
    ),
    (
        200,
        r#"{"status":"SOCIAL_BIND","state_token":"t","data":{"socialBindOrRegisterFlow":["x","VERIFY_EMAIL","VERIFY_PHONE","x"]}}"#,
    ),
    (200, r#"{"status":"USER_REGISTER","state_token":"t"}"#),
    (200, r#"{"status":"MFA_AUTH","state_token":"t"}"#),
    (200, r#"{"status":"MFA_AUTH"}"#),
    (200, r#"{"status":"PASSWORD_WARN","state_token":"t"}"#),
    (
        200,
        r#"{"status":"PASSWORD_EXPIRED","state_token":"t","data":{"minLength":8,"maxLength":18,"regEx":"x"}}"#,
    ),
    (200, r#"{"status":"PASSWORD_WARN","state_token":"t","data":{"minLength":8}}"#),
    (200, r#"{"status":"ACCESS_DENIED"}"#),
    (200, r#"{"status":"x"}"#),
    (
        200,
        r#"{"id_token":"i","mobile":"m","token":"t","captcha_token":"c","originalImageBase64":"iVBORw0=","jigsawImageBase64":"/9j/"}"#,
    ),
    (200, r#"{"token":"t","originalImageBase64":"AA==","jigsawImageBase64":"AA=="}"#),
    (200, "{}"),
    (200, "<"),
    (200, ""),
    (302, ""),
    (400, ""),
    (500, ""),
    (600, ""),
    (200, r#"{"error_code":"X","state_token":"t"}"#),
    (400, r#"{"error_code":"x"}"#),
    (400, r#"{"error_code":"IDAAS.SDK.COMMON.1007"}"#),
    (400, r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007"}"#),
    (400, r#"{"error_code":"SDK.LOGIN.1003"}"#),
    (400, r#"{"error_code":"SDK.COMMON.1001"}"#),
    (500, r#"{"error_code":"SDK.COMMON.1008"}"#),
];

/// What a side call's failure says, against what the model says.
pub fn assert_same(error: &Error, why: &super::model::Why, http_status: u16) {
    use idaas_login::UnexpectedReason as Reason;

    use super::model::Why;

    match (error, why) {
        (Error::Refused(refusal), Why::Refused { code, message }) => {
            assert_eq!((refusal.code().as_str(), refusal.message()), (code.as_str(), message.as_str()));
            assert_eq!(refusal.http_status().as_u16(), http_status);
        }
        (Error::AccessDenied, Why::AccessDenied) => {}
        (Error::Unexpected(answer), why) => {
            assert_eq!(answer.http_status().as_u16(), http_status);
            let expected = match why {
                Why::Redirect => Reason::Redirect,
                Why::NotFromTheApi => Reason::NotFromTheApi,
                Why::ServerFailure => Reason::ServerFailure,
                Why::Unreadable => Reason::Unreadable,
                Why::NoStatus => Reason::NoStatus,
                Why::UnknownStatus(status) => Reason::UnknownStatus(status.as_str().into()),
                Why::NoSessionToken => Reason::NoSessionToken,
                Why::NoStateToken => Reason::NoStateToken,
                Why::Contradiction => Reason::Contradiction,
                Why::Refused { .. } | Why::AccessDenied => panic!("{error}, expected {why:?}"),
            };
            assert!(*answer.reason() == expected, "{error}, expected {why:?}");
        }
        (error, why) => panic!("{error}, expected {why:?}"),
    }
}
