//! The fields of a response, of all responses: taken out of the body in one pass, and not yet interpreted.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::headers::{LONGEST_TOKEN, can_be_carried};
use super::status::Status;
use super::text::Text;
use crate::secret::StateToken;

/// A field that cannot be read: of another type, there twice, or in a broken encoding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// A field of text.
#[derive(Default)]
pub(super) enum Field<'a> {
    /// Absent or null.
    #[default]
    Absent,
    Text(Text<'a>),
    /// A number: no text, but a code all the same.
    Number(&'a str),
    Unreadable,
}

impl<'a> Field<'a> {
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

    /// A duplicate field is unreadable; null counts as absent, before or after.
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
    pub(super) fn is_blank(&self) -> bool {
        self.token() == Ok(None)
    }

    /// The text of a token or status: without white space around it, `None` if nothing is left.
    pub(super) fn token(&self) -> Result<Option<&str>, Unreadable> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) if !has_replacement(text.as_str()) => {
                Ok(Some(text.as_str().trim_ascii()).filter(|text| !text.is_empty()))
            }
            _ => Err(Unreadable),
        }
    }

    /// The text of a token that goes into a header: as [`token`](Self::token), and unreadable if no header can carry it.
    pub(super) fn header_token(&self) -> Result<Option<&str>, Unreadable> {
        let fits = |token: &str| token.len() <= LONGEST_TOKEN && can_be_carried(token);
        match self.token()? {
            Some(token) if !fits(token) => Err(Unreadable),
            token => Ok(token),
        }
    }

    /// The text of an error code: without white space around it, `None` if nothing is left.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str().trim_ascii()).filter(|text| !text.is_empty()),
            Self::Number(number) => Some(number),
            Self::Absent | Self::Unreadable => None,
        }
    }

    /// The text of a message, verbatim.
    pub(super) fn verbatim(&self) -> &str {
        match self {
            Self::Text(text) => text.as_str(),
            _ => "",
        }
    }
}

/// Whether a text has the character that stands for broken bytes.
fn has_replacement(text: &str) -> bool {
    !text.is_ascii() && text.contains(char::REPLACEMENT_CHARACTER)
}

/// Whether a JSON value is a number without fraction and exponent, and no larger than one has to be.
fn is_whole_number(json: &str) -> bool {
    json.parse::<u64>().is_ok() || json.parse::<i64>().is_ok_and(|number| number != 0)
}

/// A field whose value is kept as it stands in the body.
#[derive(Default)]
pub(super) enum Raw<'a> {
    #[default]
    Absent,
    Value(&'a RawValue),
    Duplicate,
}

impl<'a> Raw<'a> {
    fn fill(&mut self, value: &'a RawValue) {
        *self = if matches!(self, Self::Absent) { Self::Value(value) } else { Self::Duplicate };
    }

    pub(super) fn value(&self) -> Option<&'a RawValue> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Duplicate => None,
        }
    }
}

/// The fields of the API's responses, of all of them: what a response lacks is absent, what nobody documents is ignored.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) status: Field<'a>,
    pub(super) session_token: Field<'a>,
    pub(super) state_token: Field<'a>,
    pub(super) id_token: Field<'a>,
    pub(super) error_code: Field<'a>,
    pub(super) error_msg: Field<'a>,
    pub(super) mobile: Field<'a>,
    pub(super) captcha_token: Field<'a>,
    pub(super) token: Field<'a>,
    pub(super) original_image: Field<'a>,
    pub(super) jigsaw_image: Field<'a>,
    pub(super) secret_key: Field<'a>,
    pub(super) expire: Raw<'a>,
    pub(super) data: Raw<'a>,
    pub(super) word_list: Raw<'a>,
    pub(super) public_key: Field<'a>,
    pub(super) timestamp: Raw<'a>,
    pub(super) countries: Raw<'a>,
    pub(super) preferred_country: Field<'a>,
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
    // The captcha's response alone is in camel case.
    Token,
    #[serde(rename = "originalImageBase64")]
    OriginalImage,
    #[serde(rename = "jigsawImageBase64")]
    JigsawImage,
    #[serde(rename = "secretKey")]
    SecretKey,
    #[serde(rename = "wordList")]
    WordList,
    PublicKey,
    Timestamp,
    // So is that of the country codes.
    #[serde(rename = "phoneAreaCodeDefinitions")]
    Countries,
    #[serde(rename = "preferredAreaCode")]
    PreferredCountry,
    #[serde(other)]
    Undocumented,
}

impl Fields<'_> {
    /// The status, if it is one that the pages document.
    fn known_status(&self) -> Option<Status> {
        self.status.token().ok().flatten().and_then(Status::read)
    }

    /// Whether this is the status that ends a login, whichever request it answers.
    pub(super) fn denies_access(&self) -> bool {
        self.known_status() == Some(Status::AccessDenied)
    }

    /// Whether there is nothing here that answers some request.
    pub(super) fn is_empty(&self) -> bool {
        let fields = [
            &self.status,
            &self.session_token,
            &self.state_token,
            &self.id_token,
            &self.mobile,
            &self.captcha_token,
            &self.token,
            &self.public_key,
        ];
        let is_absent = |raw: &Raw<'_>| matches!(raw, Raw::Absent);
        fields.iter().all(|field| field.is_blank())
            && is_absent(&self.timestamp)
            && is_absent(&self.countries)
    }

    /// Whether this says that the step was carried out, whatever else it says. A state token that is the one `in_hand` is an
    /// echo, and says nothing.
    pub(super) fn indicates_progress(&self, in_hand: Option<&StateToken>) -> bool {
        let is_echo =
            || in_hand.is_some_and(|in_hand| self.state_token.token() == Ok(Some(in_hand.expose())));
        !self.session_token.is_blank()
            || !self.state_token.is_blank() && !is_echo()
            || self.known_status().is_some_and(Status::is_progress)
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
                        Key::PublicKey => fields.public_key.fill(map.next_value()?),
                        Key::Timestamp => fields.timestamp.fill(map.next_value()?),
                        Key::Countries => fields.countries.fill(map.next_value()?),
                        Key::PreferredCountry => fields.preferred_country.fill(map.next_value()?),
                        Key::Undocumented => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
