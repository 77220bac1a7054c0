//! What an identity token claims.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::error::{IdTokenError, MalformedToken};
use super::{NotText, object, take_text};
use crate::secret::Redacted;

/// What an identity token claims: who issued it for whom and when, and who the user is.
///
/// Two layouts are in use: the user's data flat among the other claims, or in a claim `api` that holds JSON text. Both are
/// read; where both are there the flat one counts (decision D20 in `docs/decisions.md`).
///
/// They are the caller's to keep, and are not zeroized; the token that they were read from is.
///
/// `Debug` is redacted: these are personal data, and in a token that nothing has verified any of them can be anything.
#[derive(Clone, PartialEq)]
pub struct Claims {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Vec<String>,
    authorized_party: Option<String>,
    expires_at: Option<f64>,
    issued_at: Option<f64>,
    not_before: Option<f64>,
    token_id: Option<String>,
    user: UserData,
    extra: Map<String, Value>,
}

#[derive(Clone, Default, PartialEq)]
struct UserData {
    id: Option<String>,
    user_name: Option<String>,
    name: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
}

impl UserData {
    /// Takes the user's data out of the members.
    fn take(members: &mut Map<String, Value>) -> Result<Self, NotText> {
        let mut text = |name| take_text(members, name);
        let data = Self {
            id: text("id")?,
            user_name: text("userName")?,
            name: text("name")?,
            mobile: text("mobile")?,
            email: text("email")?,
        };
        Ok(data.without_empty())
    }

    /// What is empty is as good as absent.
    fn without_empty(self) -> Self {
        let there = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            id: there(self.id),
            user_name: there(self.user_name),
            name: there(self.name),
            mobile: there(self.mobile),
            email: there(self.email),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            id: self.id.or(other.id),
            user_name: self.user_name.or(other.user_name),
            name: self.name.or(other.name),
            mobile: self.mobile.or(other.mobile),
            email: self.email.or(other.email),
        }
    }
}

/// `aud`: a text, or a list of them.
fn audience(value: Option<Value>) -> Option<Vec<String>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(one)) => Some(vec![one]),
        Some(Value::Array(several)) => several
            .into_iter()
            .map(|one| if let Value::String(one) = one { Some(one) } else { None })
            .collect(),
        Some(_) => None,
    }
}

/// The claims as they stand in the token, read in one pass.
#[derive(Default)]
struct Payload {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<Value>,
    authorized_party: Option<String>,
    expires_at: Option<f64>,
    issued_at: Option<f64>,
    not_before: Option<f64>,
    token_id: Option<String>,
    user: UserData,
    extra: Map<String, Value>,
}

/// The claims that have a place of their own. The place of each in this list is its bit in a set.
const NAMES: [&str; 13] =
    ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "id", "userName", "name", "mobile", "email"];

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PayloadVisitor;

        impl<'de> Visitor<'de> for PayloadVisitor {
            type Value = Payload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of claims, each there once")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Payload, A::Error> {
                let twice = || A::Error::custom("a claim is there twice");
                let mut payload = Payload::default();
                let mut seen = 0_u16;
                while let Some(name) = members.next_key::<Name<'de>>()? {
                    let Some(place) = NAMES.iter().position(|known| *known == name.0) else {
                        if payload.extra.insert(name.0.into_owned(), members.next_value()?).is_some() {
                            return Err(twice());
                        }
                        continue;
                    };
                    if seen & 1 << place != 0 {
                        return Err(twice());
                    }
                    seen |= 1 << place;
                    match &*name.0 {
                        "iss" => payload.issuer = members.next_value()?,
                        "sub" => payload.subject = members.next_value()?,
                        "aud" => payload.audience = members.next_value()?,
                        "azp" => payload.authorized_party = members.next_value()?,
                        "exp" => payload.expires_at = members.next_value()?,
                        "iat" => payload.issued_at = members.next_value()?,
                        "nbf" => payload.not_before = members.next_value()?,
                        "jti" => payload.token_id = members.next_value()?,
                        "id" => payload.user.id = members.next_value()?,
                        "userName" => payload.user.user_name = members.next_value()?,
                        "name" => payload.user.name = members.next_value()?,
                        "mobile" => payload.user.mobile = members.next_value()?,
                        _ => payload.user.email = members.next_value()?,
                    }
                }
                Ok(payload)
            }
        }

        deserializer.deserialize_map(PayloadVisitor)
    }
}

/// The name of a claim, borrowed where it stands without escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Claims {
    pub(super) fn read(json: &[u8]) -> Result<Self, IdTokenError> {
        // A claim that is there twice, or of another type than it has to be, makes the token unreadable.
        let text = std::str::from_utf8(json).map_err(|_| MalformedToken::Payload)?;
        let payload: Payload = serde_json::from_str(text).map_err(|_| MalformedToken::Payload)?;
        let audience = audience(payload.audience).ok_or(MalformedToken::Payload)?;
        // `api` holds JSON text; if it cannot be read, it stays among the extra claims.
        let nested =
            payload.extra.get("api").and_then(Value::as_str).and_then(|text| object(text.as_bytes()));
        let nested = nested.and_then(|mut nested| UserData::take(&mut nested).ok()).unwrap_or_default();
        Ok(Self {
            issuer: payload.issuer,
            subject: payload.subject,
            audience,
            authorized_party: payload.authorized_party,
            expires_at: payload.expires_at,
            issued_at: payload.issued_at,
            not_before: payload.not_before,
            token_id: payload.token_id,
            user: payload.user.without_empty().or(nested),
            extra: payload.extra,
        })
    }

    /// `iss`: who issued the token, such as `https://acme.example.com/api/v1/oauth2`.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `sub`: the user, as the issuer calls them; in the tenants' tokens the user name.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `aud`: for which applications the token is.
    #[must_use]
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// `azp`: to which application the token was given.
    #[must_use]
    pub fn authorized_party(&self) -> Option<&str> {
        self.authorized_party.as_deref()
    }

    /// `exp`: until when the token is good.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        time(self.expires_at)
    }

    /// `iat`: when the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        time(self.issued_at)
    }

    /// `nbf`: from when on the token is good; in the tenants' tokens two minutes before it was issued.
    #[must_use]
    pub fn not_before(&self) -> Option<SystemTime> {
        time(self.not_before)
    }

    /// `jti`: the token's own id.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// `id`: the user's stable id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.user.id.as_deref()
    }

    /// `userName`: the user's login name.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.user.user_name.as_deref()
    }

    /// `name`: the user's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.user.name.as_deref()
    }

    /// `mobile`: the user's mobile number, in the form `+86-15201657312`.
    #[must_use]
    pub fn mobile(&self) -> Option<&str> {
        self.user.mobile.as_deref()
    }

    /// `email`: the user's e-mail address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.user.email.as_deref()
    }

    /// The claims that are not among the above, `api` included.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// Seconds since 1970 of the three times, for the verifier.
    #[cfg(feature = "verify")]
    pub(super) fn seconds(&self) -> [Option<f64>; 3] {
        [self.expires_at, self.issued_at, self.not_before]
    }
}

fn time(seconds: Option<f64>) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds?).ok()?)
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("user", &Redacted).finish_non_exhaustive()
    }
}
