//! Answers: from bytes to what the API said, by the decisions in `docs/decisions.md`.
//!
//! A body is parsed once, borrowing from the bytes, and zeroized afterwards. Tokens and status are read strictly, so that
//! nothing is guessed; `expire`, `id_token` and `data` are read leniently, because a login must not be lost over them.

use std::fmt;
use std::time::Duration;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::flows::AllowedFlows;
use super::text::Text;
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

    /// The tenant's policy ended the login.
    fn denied() -> Self {
        Self::new(Error::AccessDenied, Fate::Over)
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
            other => Err(unexpected(UnexpectedReason::UnknownStatus(other.into()))),
        }
    })
}

/// Reads the answer to a request for a code: a success says nothing. Its body is documented as empty; null and an object
/// that is not the answer to another request say nothing, either.
pub(crate) fn nothing(response: Response) -> Result<(), Failure> {
    let says_nothing = matches!(response.body().trim_ascii(), b"" | b"null");
    settle(response, |http_status, fields| match fields {
        Some(fields) if fields.says_nothing() => Ok(()),
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

/// A new identity token, a new session token, or both.
pub struct Renewed {
    pub(crate) session_token: Option<SessionToken>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) id_token: Option<IdToken>,
}

/// Reads the answer to the renewal of an identity token: it has no `status`.
pub(crate) fn renewed(response: Response) -> Result<Renewed, Failure> {
    settle(response, |http_status, fields| {
        let unreadable = || Failure::unreadable(http_status);
        let fields = fields.ok_or_else(unreadable)?;
        let session_token = fields.session_token.token().map_err(|Unreadable| unreadable())?;
        let id_token = fields.id_token.token().ok().flatten();
        // A session that was replaced must not be lost over an identity token that is not there. With a status it is not
        // the answer to a renewal, but to a login: perhaps somebody else's.
        if id_token.is_none() && (session_token.is_none() || !fields.status.is_blank()) {
            return Err(unreadable());
        }
        Ok(Renewed {
            session_token: session_token.map(SessionToken::new),
            expires_in: fields.expire.value().and_then(seconds),
            id_token: id_token.map(IdToken::new),
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
    let text = Text::of_bytes(&body);
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
            // By these, a gateway says that it does not know, whatever code it gives that.
            ErrorClass::Unknown if matches!(http_status.as_u16(), 502..=504) => Fate::Unknown,
            _ => Fate::NotCarriedOut,
        };
        return Err(Failure::new(refusal, fate));
    }
    if http_status.is_success() {
        // An error code that cannot be read is no success.
        if fields.as_ref().is_some_and(|fields| matches!(fields.error_code, Slot::Unreadable)) {
            return unexpected(UnexpectedReason::Unreadable, Fate::Unknown);
        }
        if fields.as_ref().is_some_and(Fields::denies_access) {
            return Err(Failure::denied());
        }
        return read(http_status, fields);
    }
    if http_status.is_redirection() || http_status.is_client_error() {
        // An error by its HTTP status: what it says in the body can only make it less certain.
        return match fields {
            Some(fields) if fields.denies_access() => Err(Failure::denied()),
            Some(fields) if fields.tells_of_progress() => {
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
    Number(&'a str),
    Unreadable,
}

impl<'a> Slot<'a> {
    /// A value as it stands in the body: `serde_json` would unescape it in a buffer of its own, and leave it there. One that
    /// cannot be read, such as half a surrogate pair, must not hide the other fields.
    fn read(value: &'a RawValue) -> Self {
        let json = value.get();
        match json.as_bytes() {
            b"null" => Self::Absent,
            [b'"', ..] => Text::of_json(json).map_or(Self::Unreadable, Self::Text),
            _ if is_whole_number(json) => Self::Number(json),
            _ => Self::Unreadable,
        }
    }

    /// A field that is there twice says two things: it cannot be read. Null is as good as absent, before or after.
    fn fill(&mut self, value: &'a RawValue) {
        match Self::read(value) {
            Self::Absent => {}
            _ if self.is_present() => *self = Self::Unreadable,
            value => *self = value,
        }
    }

    fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Whether nothing is there, or nothing in it; what cannot be read is something.
    fn is_blank(&self) -> bool {
        self.token() == Ok(None)
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

/// Whether a JSON value is a number without fraction and exponent, and no larger than one has to be.
fn is_whole_number(json: &str) -> bool {
    json.parse::<u64>().is_ok() || json.parse::<i64>().is_ok_and(|number| number != 0)
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
    /// Whether this is the status that ends a login, whichever request it answers.
    fn denies_access(&self) -> bool {
        self.status.token() == Ok(Some("ACCESS_DENIED"))
    }

    /// Whether there is nothing here that answers some request.
    fn says_nothing(&self) -> bool {
        let answers = [
            &self.status,
            &self.session_token,
            &self.state_token,
            &self.id_token,
            &self.mobile,
            &self.captcha_token,
            &self.token,
        ];
        answers.iter().all(|slot| slot.is_blank())
    }

    /// Whether this says that the step was carried out, whatever else it says.
    fn tells_of_progress(&self) -> bool {
        let status = self.status.token();
        !self.session_token.is_blank()
            || !self.state_token.is_blank()
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
