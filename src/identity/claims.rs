//! What an identity token claims.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::error::{IdTokenError, MalformedToken};
use super::json::{self, Members, Skipped, Text};
use crate::secret::Redacted;

/// What an identity token claims: who issued it for whom and when, and who the user is.
///
/// Two layouts are in use: the user's data flat among the other claims, or in a claim `api` that holds JSON text. Both are
/// read; where both are there the flat one counts ([decision](crate::manual::decisions) D20).
///
/// They are the caller's to keep, and are not zeroized; the token that they were read from is.
///
/// `Debug` is redacted: these are personal data, and in a token that nothing has verified any of them can be anything.
///
/// ```
/// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
/// # let token = user.id_token().ok_or("there is one")?;
/// let claims = token.unverified_claims()?;
/// assert_eq!(claims.name(), Some("Zhang Shan"));
/// assert_eq!(claims.email(), Some("zhangshan@example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// The payload as it stands in the token.
    json: String,
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

impl<'de> Members<'de> for UserData {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = object.next_value()?,
            "userName" => self.user_name = object.next_value()?,
            "name" => self.name = object.next_value()?,
            "mobile" => self.mobile = object.next_value()?,
            "email" => self.email = object.next_value()?,
            _ => {
                object.next_value::<Skipped>()?;
            }
        }
        Ok(())
    }
}

/// `aud`: a text, or a list of them.
#[derive(Default)]
struct Audience(Vec<String>);

/// The largest audience; real tokens are for a few applications at the most.
const MAX_AUDIENCE: usize = 64;

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;

        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_unit<E>(self) -> Result<Audience, E> {
                Ok(Audience::default())
            }

            fn visit_str<E>(self, one: &str) -> Result<Audience, E> {
                Ok(Audience(vec![one.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Audience, A::Error> {
                let mut audience = Vec::new();
                while let Some(one) = list.next_element()? {
                    if audience.len() == MAX_AUDIENCE {
                        return Err(A::Error::custom("too large an audience"));
                    }
                    audience.push(one);
                }
                Ok(Audience(audience))
            }
        }

        deserializer.deserialize_any(AudienceVisitor)
    }
}

/// The claims as they stand in the token, read in one pass.
#[derive(Default)]
struct Payload<'a> {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Audience,
    authorized_party: Option<String>,
    expires_at: Option<f64>,
    issued_at: Option<f64>,
    not_before: Option<f64>,
    token_id: Option<String>,
    user: UserData,
    /// If it is text.
    api: Option<Text<'a>>,
}

/// The largest claim `api` that is read, as it stands in the payload; real ones have a few hundred bytes.
const MAX_API: usize = 8 << 10;

/// The claims that have a method of their own.
const NAMES: [&str; 13] =
    ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "id", "userName", "name", "mobile", "email"];

/// A number, if the member is not null. A text is refused before it is quoted in an error.
fn number<'de, A: MapAccess<'de>>(object: &mut A) -> Result<Option<f64>, A::Error> {
    let value: &RawValue = object.next_value()?;
    if value.get().starts_with('"') {
        return Err(A::Error::custom("a text in the place of a number"));
    }
    serde_json::from_str(value.get()).map_err(A::Error::custom)
}

impl<'de> Members<'de> for Payload<'de> {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "iss" => self.issuer = object.next_value()?,
            "sub" => self.subject = object.next_value()?,
            "aud" => self.audience = object.next_value()?,
            "azp" => self.authorized_party = object.next_value()?,
            "exp" => self.expires_at = number(object)?,
            "iat" => self.issued_at = number(object)?,
            "nbf" => self.not_before = number(object)?,
            "jti" => self.token_id = object.next_value()?,
            "api" => {
                let value: &RawValue = object.next_value()?;
                if value.get().starts_with('"') && value.get().len() <= MAX_API {
                    self.api = Some(serde_json::from_str(value.get()).map_err(A::Error::custom)?);
                } else {
                    serde_json::from_str::<Skipped>(value.get()).map_err(A::Error::custom)?;
                }
            }
            _ => self.user.take(name, object)?,
        }
        Ok(())
    }
}

impl Claims {
    pub(super) fn read(mut json: Zeroizing<Vec<u8>>) -> Result<Self, IdTokenError> {
        // A claim that is there twice, or of another type than it has to be, makes the token unreadable.
        let payload: Payload<'_> = json::read(&json).ok_or(MalformedToken::Payload)?;
        // `api` holds JSON text; if it cannot be read, it is an extra claim like others.
        let nested = payload.api.and_then(|text| json::read::<UserData>(text.0.as_bytes()));
        Ok(Self {
            issuer: payload.issuer,
            subject: payload.subject,
            audience: payload.audience.0,
            authorized_party: payload.authorized_party,
            expires_at: payload.expires_at,
            issued_at: payload.issued_at,
            not_before: payload.not_before,
            token_id: payload.token_id,
            user: payload.user.without_empty().or(nested.unwrap_or_default().without_empty()),
            json: String::from_utf8(std::mem::take(&mut *json)).map_err(|_| MalformedToken::Payload)?,
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

    /// The claims that have no method here, `api` included. They are parsed at each call.
    #[must_use]
    pub fn extra(&self) -> Map<String, Value> {
        let mut claims: Map<String, Value> = serde_json::from_str(&self.json).unwrap_or_default();
        claims.retain(|name, _| !NAMES.contains(&name.as_str()));
        claims
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
