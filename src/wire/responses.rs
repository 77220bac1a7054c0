//! Answers: from bytes to what the API said, by the decisions in `docs/decisions.md`.
//!
//! A body is parsed once, borrowing from the bytes, and zeroized afterwards. Tokens and status are read strictly, so that
//! nothing is guessed; `expire`, `id_token` and `data` are read leniently, because a login must not be lost over them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::flows::AllowedFlows;
use crate::error::{Error, ErrorClass, Refusal, UnexpectedAnswer, UnexpectedReason};
use crate::secret::{CaptchaToken, IdToken, SessionToken, StateToken};
use crate::transport::Response;

/// What an answer that is no success means for the step.
#[derive(Debug)]
pub struct Failure {
    pub(crate) error: Error,
    pub(crate) fate: Fate,
}

/// What became of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not carried out; the state token lives.
    NotCarriedOut,
    /// Nobody knows.
    Unknown,
    /// The login is over.
    Over,
}

impl Failure {
    fn new(error: impl Into<Error>, fate: Fate) -> Self {
        Self { error: error.into(), fate }
    }

    /// A success that cannot be read: nobody knows what it said.
    fn unreadable(http_status: StatusCode) -> Self {
        Self::unexpected(http_status, UnexpectedReason::Unreadable, Fate::Unknown)
    }

    fn unexpected(http_status: StatusCode, reason: UnexpectedReason, fate: Fate) -> Self {
        Self::new(UnexpectedAnswer::new(http_status, reason), fate)
    }
}

/// A step's answer that leads on.
pub enum Progress {
    /// `SUCCESS`
    Success { session_token: SessionToken, expires_in: Option<Duration>, id_token: Option<IdToken> },
    /// `SOCIAL_BIND`, `USER_REGISTER` or `MFA_AUTH`
    Pending { status: Pending, state_token: Option<StateToken>, flows: AllowedFlows },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    SocialBind,
    UserRegister,
    MfaAuth,
}

/// Reads the answer to a step that moves the flow.
pub(crate) fn progress(response: Response) -> Result<Progress, Failure> {
    settle(response, |http_status, fields| {
        let unexpected = |reason| Failure::unexpected(http_status, reason, Fate::Unknown);
        let unreadable = |Unreadable| unexpected(UnexpectedReason::Unreadable);
        let fields = fields.ok_or(Unreadable).map_err(unreadable)?;
        let status = fields.status.token().map_err(unreadable)?;
        let pending = |status| {
            Ok(Progress::Pending {
                status,
                state_token: fields.state_token.token().map_err(unreadable)?.map(StateToken::new),
                flows: AllowedFlows::read(fields.data.value()),
            })
        };
        match status.ok_or_else(|| unexpected(UnexpectedReason::NoStatus))? {
            // One status table prints it without the last S.
            "SUCCESS" | "SUCCES" => {
                let session_token = fields.session_token.token().map_err(unreadable)?;
                Ok(Progress::Success {
                    session_token: session_token
                        .map(SessionToken::new)
                        .ok_or_else(|| unexpected(UnexpectedReason::NoSessionToken))?,
                    expires_in: fields.expire.value().and_then(seconds),
                    id_token: fields.id_token.token().ok().flatten().map(IdToken::new),
                })
            }
            "SOCIAL_BIND" => pending(Pending::SocialBind),
            "USER_REGISTER" => pending(Pending::UserRegister),
            "MFA_AUTH" => pending(Pending::MfaAuth),
            ACCESS_DENIED => Err(Failure::new(Error::AccessDenied, Fate::Over)),
            other => Err(unexpected(UnexpectedReason::UnknownStatus(other.into()))),
        }
    })
}

const ACCESS_DENIED: &str = "ACCESS_DENIED";

/// Reads the answer to a request for a code: a success says nothing. Its body is documented as empty; null and an object
/// that names no status say nothing, either.
pub(crate) fn nothing(response: Response) -> Result<(), Failure> {
    let says_nothing = matches!(response.body().trim_ascii(), b"" | b"null");
    settle(response, |http_status, fields| match fields.map(|fields| fields.status) {
        Some(status) if status.token() == Ok(Some(ACCESS_DENIED)) => {
            Err(Failure::new(Error::AccessDenied, Fate::Over))
        }
        Some(Slot::Absent) => Ok(()),
        None if says_nothing => Ok(()),
        _ => Err(Failure::unreadable(http_status)),
    })
}

/// Reads the one text of an answer.
fn one(response: Response, name: impl Fn(Fields<'_>) -> Slot<'_>) -> Result<Zeroizing<String>, Failure> {
    settle(response, |http_status, fields| {
        let slot = fields.map(name).unwrap_or_default();
        let text = slot.token().ok().flatten();
        text.map(|text| Zeroizing::new(text.to_owned())).ok_or_else(|| Failure::unreadable(http_status))
    })
}

/// Reads the answer to `mobile-by-token`.
pub(crate) fn mobile(response: Response) -> Result<Zeroizing<String>, Failure> {
    one(response, |fields| fields.mobile)
}

/// Reads the answer to a captcha's solution.
pub(crate) fn captcha_token(response: Response) -> Result<Zeroizing<String>, Failure> {
    one(response, |fields| fields.captcha_token)
}

/// What a captcha carries.
#[derive(Debug)]
pub(crate) struct CaptchaParts {
    pub(crate) token: CaptchaToken,
    pub(crate) picture: Option<Vec<u8>>,
    pub(crate) piece: Option<Vec<u8>>,
    pub(crate) secret_key: Option<Zeroizing<String>>,
    pub(crate) words: Vec<String>,
}

/// Reads a captcha: all but its token may be missing, for there are several kinds.
pub(crate) fn captcha(response: Response) -> Result<CaptchaParts, Failure> {
    settle(response, |http_status, fields| {
        let unreadable = || Failure::unreadable(http_status);
        let fields = fields.ok_or_else(unreadable)?;
        let token = fields.token.token().ok().flatten().ok_or_else(unreadable)?;
        Ok(CaptchaParts {
            token: CaptchaToken::new(token),
            picture: image(&fields.original_image).map_err(|Unreadable| unreadable())?,
            piece: image(&fields.jigsaw_image).map_err(|Unreadable| unreadable())?,
            secret_key: fields.secret_key.token().ok().flatten().map(|key| Zeroizing::new(key.to_owned())),
            words: fields.word_list.value().map(words).unwrap_or_default(),
        })
    })
}

/// The bytes of an image in Base64, with or without padding, line breaks or the head of a `data:` URL.
fn image(slot: &Slot) -> Result<Option<Vec<u8>>, Unreadable> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let Some(text) = slot.token()? else { return Ok(None) };
    let text = match text.split_once(";base64,") {
        Some((head, rest)) if head.starts_with("data:") => rest,
        _ => text,
    };
    let bytes = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        LENIENT.decode(text.split_ascii_whitespace().collect::<String>())
    } else {
        LENIENT.decode(text)
    };
    bytes.map(Some).map_err(|_| Unreadable)
}

/// A list of words; another form of it is a captcha of another kind, not an error.
fn words(raw: &RawValue) -> Vec<String> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// A new identity token, and perhaps a new session token.
pub struct Renewed {
    pub(crate) session_token: Option<SessionToken>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) id_token: IdToken,
}

/// Reads the answer to the renewal of an identity token: it has no `status`.
pub(crate) fn renewed(response: Response) -> Result<Renewed, Failure> {
    settle(response, |http_status, fields| {
        let unreadable = || Failure::unreadable(http_status);
        let fields = fields.ok_or_else(unreadable)?;
        if fields.status.token() == Ok(Some(ACCESS_DENIED)) {
            return Err(Failure::new(Error::AccessDenied, Fate::Over));
        }
        let session_token = fields.session_token.token().map_err(|Unreadable| unreadable())?;
        let id_token = fields.id_token.token().map_err(|Unreadable| unreadable())?;
        Ok(Renewed {
            session_token: session_token.map(SessionToken::new),
            expires_in: fields.expire.value().and_then(seconds),
            id_token: id_token.map(IdToken::new).ok_or_else(unreadable)?,
        })
    })
}

/// Sorts the answer by HTTP status and error code; what is left, a success, is for `read`.
///
/// `read` gets `None` for a body that is not a JSON object.
fn settle<T>(
    response: Response,
    read: impl FnOnce(StatusCode, Option<Fields<'_>>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let http_status = response.status();
    let body = Zeroizing::new(response.into_body());
    // Messages come in many languages, and a message in another encoding must not hide the rest.
    let text = match String::from_utf8_lossy(&body) {
        Cow::Borrowed(text) => Text::Borrowed(text),
        Cow::Owned(text) => Text::Owned(Zeroizing::new(text)),
    };
    let fields = serde_json::from_str::<Fields>(text.as_str()).ok();
    let unexpected = |reason, fate| Err(Failure::unexpected(http_status, reason, fate));

    if let Some(fields) = &fields
        && let Some(code) = fields.error_code.code()
    {
        if fields.tells_of_progress() {
            return unexpected(UnexpectedReason::Contradiction, Fate::Unknown);
        }
        let refusal = Refusal::new(http_status, code, fields.error_msg.verbatim());
        let fate = match refusal.code().class() {
            ErrorClass::DeadToken => Fate::Over,
            ErrorClass::Server if http_status.is_server_error() => Fate::Unknown,
            _ => Fate::NotCarriedOut,
        };
        return Err(Failure::new(refusal, fate));
    }
    if http_status.is_success() {
        // An error code that cannot be read is no success.
        if fields.as_ref().is_some_and(|fields| matches!(fields.error_code, Slot::Unreadable)) {
            return unexpected(UnexpectedReason::Unreadable, Fate::Unknown);
        }
        return read(http_status, fields);
    }
    if http_status.is_redirection() || http_status.is_client_error() {
        // An error by its HTTP status: what it says in the body can only make it less certain.
        return match fields.map(|fields| (fields.status.token() == Ok(Some(ACCESS_DENIED)), fields)) {
            Some((true, _)) => Err(Failure::new(Error::AccessDenied, Fate::Over)),
            Some((_, fields)) if fields.tells_of_progress() => {
                unexpected(UnexpectedReason::Contradiction, Fate::Unknown)
            }
            _ if http_status.is_redirection() => unexpected(UnexpectedReason::Redirect, Fate::NotCarriedOut),
            _ => unexpected(UnexpectedReason::NotFromTheApi, Fate::NotCarriedOut),
        };
    }
    let reason = if http_status.is_server_error() {
        UnexpectedReason::ServerFailure
    } else {
        UnexpectedReason::Unreadable
    };
    unexpected(reason, Fate::Unknown)
}

/// `expire`: seconds, as an integer, a decimal or a string that holds either.
fn seconds(raw: &RawValue) -> Option<Duration> {
    let text = raw.get().trim_matches('"').trim_ascii();
    match text.parse() {
        Ok(whole) => Some(Duration::from_secs(whole)),
        Err(_) => Duration::try_from_secs_f64(text.parse().ok()?).ok(),
    }
}

/// Text of the answer. What is not borrowed from the body is zeroized, for it may be a token.
enum Text<'a> {
    Borrowed(&'a str),
    Owned(Zeroizing<String>),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

/// A field that cannot be read: of another type, there twice, or in a broken encoding.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

/// A field of text.
#[derive(Default)]
enum Slot<'a> {
    /// Absent or null.
    #[default]
    Absent,
    Text(Text<'a>),
    /// A number: no text, but a code all the same.
    Number(String),
    Unreadable,
}

impl Slot<'_> {
    /// A field that is there twice says two things: it cannot be read.
    fn fill(&mut self, value: Self) {
        *self = if self.is_present() { Self::Unreadable } else { value };
    }

    fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The text of a token or status: without white space around it, `None` if nothing is left.
    fn token(&self) -> Result<Option<&str>, Unreadable> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) if !text.as_str().contains(char::REPLACEMENT_CHARACTER) => {
                Ok(Some(text.as_str().trim_ascii()).filter(|text| !text.is_empty()))
            }
            _ => Err(Unreadable),
        }
    }

    /// The text of an error code, verbatim.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()).filter(|text| !text.trim_ascii().is_empty()),
            Self::Number(number) => Some(number),
            Self::Absent | Self::Unreadable => None,
        }
    }

    /// The text of a message, verbatim.
    fn verbatim(&self) -> &str {
        match self {
            Self::Text(text) => text.as_str(),
            _ => "",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Slot<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SlotVisitor;

        impl<'de> Visitor<'de> for SlotVisitor {
            type Value = Slot<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Slot::Text(Text::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Slot::Text(Text::Owned(Zeroizing::new(text.to_owned()))))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Slot::Absent)
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Slot::Number(number.to_string()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Slot::Number(number.to_string()))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Slot::Unreadable)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Slot::Unreadable)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Slot::Unreadable)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Slot::Unreadable)
            }
        }

        deserializer.deserialize_any(SlotVisitor)
    }
}

/// A field whose value is kept as it stands in the body.
#[derive(Default)]
enum Raw<'a> {
    #[default]
    Absent,
    Value(&'a RawValue),
    Twice,
}

impl<'a> Raw<'a> {
    fn fill(&mut self, value: &'a RawValue) {
        *self = if matches!(self, Self::Absent) { Self::Value(value) } else { Self::Twice };
    }

    fn value(&self) -> Option<&'a RawValue> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Twice => None,
        }
    }
}

/// The fields of the API's answers, of all of them: what an answer lacks is absent, what nobody documents is ignored.
#[derive(Default)]
struct Fields<'a> {
    status: Slot<'a>,
    session_token: Slot<'a>,
    state_token: Slot<'a>,
    id_token: Slot<'a>,
    error_code: Slot<'a>,
    error_msg: Slot<'a>,
    mobile: Slot<'a>,
    captcha_token: Slot<'a>,
    token: Slot<'a>,
    original_image: Slot<'a>,
    jigsaw_image: Slot<'a>,
    secret_key: Slot<'a>,
    expire: Raw<'a>,
    data: Raw<'a>,
    word_list: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names)] // They are named as on the wire.
enum Key {
    Status,
    SessionToken,
    StateToken,
    IdToken,
    ErrorCode,
    ErrorMsg,
    Mobile,
    CaptchaToken,
    Expire,
    Data,
    // The captcha's answer alone is in camel case.
    Token,
    #[serde(rename = "originalImageBase64")]
    OriginalImage,
    #[serde(rename = "jigsawImageBase64")]
    JigsawImage,
    #[serde(rename = "secretKey")]
    SecretKey,
    #[serde(rename = "wordList")]
    WordList,
    #[serde(other)]
    Undocumented,
}

impl Fields<'_> {
    /// Whether this says that the step was carried out, whatever else it says.
    fn tells_of_progress(&self) -> bool {
        let status = self.status.token();
        self.session_token.is_present()
            || self.state_token.is_present()
            || matches!(status, Ok(Some("SUCCESS" | "SUCCES" | "SOCIAL_BIND" | "USER_REGISTER" | "MFA_AUTH")))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Status => fields.status.fill(map.next_value()?),
                        Key::SessionToken => fields.session_token.fill(map.next_value()?),
                        Key::StateToken => fields.state_token.fill(map.next_value()?),
                        Key::IdToken => fields.id_token.fill(map.next_value()?),
                        Key::ErrorCode => fields.error_code.fill(map.next_value()?),
                        Key::ErrorMsg => fields.error_msg.fill(map.next_value()?),
                        Key::Mobile => fields.mobile.fill(map.next_value()?),
                        Key::CaptchaToken => fields.captcha_token.fill(map.next_value()?),
                        Key::Token => fields.token.fill(map.next_value()?),
                        Key::OriginalImage => fields.original_image.fill(map.next_value()?),
                        Key::JigsawImage => fields.jigsaw_image.fill(map.next_value()?),
                        Key::SecretKey => fields.secret_key.fill(map.next_value()?),
                        Key::WordList => fields.word_list.fill(map.next_value()?),
                        Key::Expire => fields.expire.fill(map.next_value()?),
                        Key::Data => fields.data.fill(map.next_value()?),
                        Key::Undocumented => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
