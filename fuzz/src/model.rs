//! The answers of the API, read a second time: slowly, from `docs/flow.md` and `docs/decisions.md`, with nothing of the crate.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A response: the HTTP status and the body.
pub struct Answer<'a> {
    pub http_status: u16,
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Two bytes for the HTTP status, any from 100 to 999; the rest is the body.
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let (&[high, low], body) = data.split_first_chunk::<2>()?;
        Some(Self { http_status: 100 + u16::from_be_bytes([high, low]) % 900, body })
    }

    /// The two bytes that stand for an HTTP status.
    pub fn write_status(http_status: u16) -> [u8; 2] {
        (http_status - 100).to_be_bytes()
    }

    pub fn response(&self) -> idaas_login::Response {
        let mut response = idaas_login::Response::new(self.body.to_vec());
        *response.status_mut() = self.http_status.try_into().expect("it is between 100 and 999");
        response
    }

    fn is(&self, hundred: u16) -> bool {
        self.http_status / 100 == hundred
    }
}

/// The members of a JSON object in order, those that are there twice too.
pub struct Members(pub Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// What the model does not know.
pub struct Unsure;

/// A field of text.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Absent,
    Text(String),
    Number(String),
    Unreadable,
}

impl Field {
    /// A token or status: trimmed, `None` if nothing is there.
    pub fn token(&self) -> Result<Option<&str>, ()> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) if !text.contains('\u{fffd}') => {
                let trimmed = text.trim_matches([' ', '\t', '\n', '\r', '\x0c']);
                Ok((!trimmed.is_empty()).then_some(trimmed))
            }
            _ => Err(()),
        }
    }

    /// A token that goes into a header: one that no header can carry, or over 16 KiB, cannot be read.
    pub fn header_token(&self) -> Result<Option<&str>, ()> {
        let carried = |byte: u8| byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
        match self.token()? {
            Some(token) if token.len() > 16 * 1024 || !token.bytes().all(carried) => Err(()),
            token => Ok(token),
        }
    }

    /// A token that is there and can be read.
    pub fn good(&self) -> Option<&str> {
        self.token().ok().flatten()
    }
}

impl Members {
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_str(&String::from_utf8_lossy(body)).ok()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, raw)| raw.get()).collect()
    }

    /// Null is as good as absent; what is there twice cannot be read.
    pub fn field(&self, name: &str) -> Field {
        let mut there = self.all(name);
        there.retain(|raw| *raw != "null");
        match there.as_slice() {
            [] => Field::Absent,
            [one] if one.starts_with('"') => serde_json::from_str(one).map_or(Field::Unreadable, Field::Text),
            [one] if is_integer(one) => Field::Number((*one).to_owned()),
            _ => Field::Unreadable,
        }
    }

    /// The text of `data`, as it is kept.
    pub fn data(&self) -> Option<String> {
        match self.all("data").as_slice() {
            [one] if *one != "null" => Some(serde_json::from_str(one).unwrap_or_else(|_| (*one).to_owned())),
            _ => None,
        }
    }

    /// `expire`, where there is no doubt about it: digits, perhaps in quotes, or no digit at all.
    pub fn expire(&self) -> Result<Option<Duration>, Unsure> {
        let all = self.all("expire");
        let [one] = all.as_slice() else { return Ok(None) };
        let bare = one.strip_prefix('"').and_then(|one| one.strip_suffix('"')).unwrap_or(one);
        if bare.is_empty() || !bare.bytes().any(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let digits = bare.len() <= 19 && bare.bytes().all(|byte| byte.is_ascii_digit());
        if digits { Ok(bare.parse().ok().map(Duration::from_secs)) } else { Err(Unsure) }
    }
}

fn is_integer(raw: &str) -> bool {
    raw.parse::<u64>().is_ok() || raw.parse::<i64>().is_ok_and(|number| number < 0)
}

/// Why a response does not lead on.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    Refused { code: String, message: String },
    AccessDenied,
    Redirect,
    NotFromTheApi,
    ServerFailure,
    Unreadable,
    NoStatus,
    UnknownStatus(String),
    NoSessionToken,
    NoStateToken,
    Contradiction,
}

/// What the caller holds then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Holds {
    Retry,
    Unresolved,
    StartOver,
}

impl Why {
    /// The table in `docs/flow.md`.
    pub fn holds(&self, answer: &Answer<'_>) -> Holds {
        match self {
            Self::Refused { code, message } => match code.as_str() {
                "IDAAS.SDK.COMMON.1007"
                | "IDAAS.SDK.PARAM.0014"
                | "IDAAS.SDK.PARAM.0023"
                | "COMMON.1007"
                | "PARAM.0014"
                | "PARAM.0023" => Holds::StartOver,
                "SDK.COMMON.1005" | "SDK.COMMON.1006" | "SDK.COMMON.1007" if names_state_token(message) => {
                    Holds::StartOver
                }
                "SDK.COMMON.1008"
                | "SDK.LOGIN.1001"
                | "SDK.LOGIN.1004"
                | "IDAAS.SDK.CAPTCHA.0006"
                | "CAPTCHA.0006"
                    if answer.is(5) =>
                {
                    Holds::Unresolved
                }
                code if answer.is(5) && !is_documented(code) => Holds::Unresolved,
                _ => Holds::Retry,
            },
            Self::AccessDenied => Holds::StartOver,
            // 303 answers a POST that was processed.
            Self::Redirect if answer.http_status == 303 => Holds::Unresolved,
            Self::Redirect | Self::NotFromTheApi => Holds::Retry,
            _ => Holds::Unresolved,
        }
    }
}

fn names_state_token(message: &str) -> bool {
    message.to_ascii_lowercase().replace('-', "_").contains("state_token")
}

/// The codes of EIAM, without `SDK.`.
const OF_EIAM: [&str; 20] = [
    "COMMON.1001",
    "COMMON.1002",
    "COMMON.1003",
    "COMMON.1004",
    "COMMON.1005",
    "COMMON.1006",
    "COMMON.1007",
    "COMMON.1008",
    "COMMON.1009",
    "COMMON.1010",
    "COMMON.1011",
    "COMMON.1012",
    "COMMON.1013",
    "COMMON.1014",
    "LOGIN.1001",
    "LOGIN.1002",
    "LOGIN.1003",
    "LOGIN.1004",
    "LOGIN.1005",
    "SMS.1005",
];

/// The codes of OneAccess, which CIAM has with `IDAAS.SDK.`.
const SHARED: [&str; 24] = [
    "COMMON.1007",
    "PARAM.0001",
    "PARAM.0002",
    "PARAM.0003",
    "PARAM.0004",
    "PARAM.0005",
    "PARAM.0009",
    "PARAM.0014",
    "PARAM.0016",
    "PARAM.0023",
    "PARAM.0030",
    "PARAM.0031",
    "CAPTCHA.0002",
    "CAPTCHA.0003",
    "CAPTCHA.0004",
    "CAPTCHA.0006",
    "CAPTCHA.0007",
    "LOGIN.0001",
    "LOGIN.0002",
    "USER.0030",
    "USER.0031",
    "APP.0001",
    "APP.0002",
    "APP.0003",
];

fn is_documented(code: &str) -> bool {
    match (code.strip_prefix("IDAAS.SDK."), code.strip_prefix("SDK.")) {
        (Some(bare), _) => SHARED.contains(&bare),
        (_, Some(bare)) => OF_EIAM.contains(&bare),
        _ => SHARED.contains(&code),
    }
}

const LEADS_ON: [&str; 7] =
    ["SUCCESS", "SUCCES", "SOCIAL_BIND", "USER_REGISTER", "MFA_AUTH", "PASSWORD_WARN", "PASSWORD_EXPIRED"];

/// What every reader has in common: the members of a success, or why it is none. A state token that equals the one in hand
/// is an echo.
pub fn settle(answer: &Answer<'_>, in_hand: Option<&str>) -> Result<Option<Members>, Why> {
    let members = Members::read(answer.body);
    let field = |name| members.as_ref().map_or(Field::Absent, |members| members.field(name));
    let status = field("status");
    let progress = field("session_token").token() != Ok(None)
        || field("state_token").token() != Ok(None)
            && field("state_token").good().is_none_or(|token| in_hand != Some(token))
        || status.good().is_some_and(|status| LEADS_ON.contains(&status));
    if status.good() == Some("ACCESS_DENIED") {
        return Err(Why::AccessDenied);
    }
    let code = match field("error_code") {
        Field::Text(text) => {
            let code = text.trim_matches([' ', '\t', '\n', '\r', '\x0c']);
            (!code.is_empty()).then(|| code.to_owned())
        }
        Field::Number(text) => Some(text),
        Field::Absent | Field::Unreadable => None,
    };
    if let Some(code) = code {
        let message = if let Field::Text(message) = field("error_msg") { message } else { String::new() };
        return Err(if progress { Why::Contradiction } else { Why::Refused { code, message } });
    }
    match answer.http_status / 100 {
        2 if field("error_code") == Field::Unreadable => Err(Why::Unreadable),
        2 => Ok(members),
        3 | 4 if progress => Err(Why::Contradiction),
        3 => Err(Why::Redirect),
        4 => Err(Why::NotFromTheApi),
        5 => Err(Why::ServerFailure),
        _ => Err(Why::Unreadable),
    }
}

/// What a step leads to.
#[derive(Debug, PartialEq)]
pub enum To {
    Authenticated { session_token: String, id_token: Option<String> },
    Pending { status: String, state_token: String },
}

/// The response to a step, with the state token in hand, if there is one.
pub fn outcome(answer: &Answer<'_>, in_hand: Option<&str>) -> Result<(To, Members), Why> {
    let members = settle(answer, in_hand)?.ok_or(Why::Unreadable)?;
    let status = members.field("status");
    let to = match status.token().map_err(|()| Why::Unreadable)?.ok_or(Why::NoStatus)? {
        "SUCCESS" | "SUCCES" => {
            let session_token = members.field("session_token");
            let session_token = session_token.header_token().map_err(|()| Why::Unreadable)?;
            To::Authenticated {
                session_token: session_token.ok_or(Why::NoSessionToken)?.to_owned(),
                id_token: members.field("id_token").good().map(str::to_owned),
            }
        }
        status @ ("SOCIAL_BIND" | "USER_REGISTER" | "MFA_AUTH" | "PASSWORD_WARN" | "PASSWORD_EXPIRED") => {
            let state_token = members.field("state_token");
            let state_token = state_token.header_token().map_err(|()| Why::Unreadable)?.or(in_hand);
            let state_token = state_token.ok_or(Why::NoStateToken)?.to_owned();
            To::Pending { status: status.to_owned(), state_token }
        }
        other => return Err(Why::UnknownStatus(other.to_owned())),
    };
    Ok((to, members))
}

/// The response to what leads to nothing new, a request for a code or a reset: whatever else is in it must not be the response to
/// another request.
pub fn nothing(answer: &Answer<'_>) -> Result<(), Why> {
    let answers = ["status", "session_token", "state_token", "id_token", "mobile", "captcha_token", "token"];
    let is_silent = |members: &Members| answers.iter().all(|name| members.field(name).token() == Ok(None));
    match settle(answer, None)? {
        Some(members) if is_silent(&members) => Ok(()),
        None if matches!(answer.body.trim_ascii(), b"" | b"null") => Ok(()),
        _ => Err(Why::Unreadable),
    }
}

/// What the text of `data` says of passwords, where there is no doubt about it.
pub struct Policy {
    pub min_length: Result<Option<u32>, Unsure>,
    pub max_length: Result<Option<u32>, Unsure>,
    pub pattern: Result<Option<String>, Unsure>,
}

impl Policy {
    /// `None` if the text is no JSON object.
    pub fn read(data: &str) -> Option<Self> {
        let members: Members = serde_json::from_str(data).ok()?;
        // Of what is there twice, the last counts.
        let last = |name| members.all(name).last().copied();
        let length = |name| match last(name) {
            None | Some("null") => Ok(None),
            Some(raw) => {
                let bare = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
                let digits = (1..=9).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_digit());
                if digits { Ok(bare.parse().ok()) } else { Err(Unsure) }
            }
        };
        let pattern = match last("regEx") {
            None => Ok(None),
            Some(raw) => match serde_json::from_str::<String>(raw) {
                Ok(text) if !text.contains('\u{fffd}') => Ok((text.len() <= 4096).then_some(text)),
                _ => Err(Unsure),
            },
        };
        Some(Self { min_length: length("minLength"), max_length: length("maxLength"), pattern })
    }
}
