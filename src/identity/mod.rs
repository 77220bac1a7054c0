//! Who the user is: the identity token, verified against the tenant's keys.

#[cfg(feature = "verify")]
mod algorithm;
mod claims;
mod error;
mod json;
#[cfg(feature = "verify")]
mod jws;
#[cfg(feature = "verify")]
mod key_cache;
#[cfg(feature = "verify")]
mod key_set;
#[cfg(feature = "verify")]
mod verifier;

use zeroize::Zeroizing;

#[cfg(feature = "verify")]
pub use self::algorithm::Algorithm;
pub use self::claims::Claims;
pub use self::error::{IdTokenError, MalformedToken};
#[cfg(feature = "verify")]
pub use self::key_cache::{KeyCache, KeyCacheBuilder, KeyCacheStatus};
#[cfg(feature = "verify")]
pub use self::key_set::{KeySet, KeySetError};
#[cfg(feature = "verify")]
pub use self::verifier::IdTokenVerifier;
use crate::secret::{IdToken, base64_url};

/// Tells the time.
#[cfg(feature = "verify")]
type Clock = std::sync::Arc<dyn Fn() -> std::time::SystemTime + Send + Sync>;

/// Part of a compact token: Base64 for URLs in its one canonical form, without padding and without white space.
fn decode(part: &str, malformed: MalformedToken) -> Result<Zeroizing<Vec<u8>>, IdTokenError> {
    base64_url(part).ok_or(malformed.into())
}

/// The largest token. A header of that size is more than any server accepts.
const MAX_TOKEN: usize = 64 << 10;

/// The three parts of a compact token, unless it is too large to be looked at.
fn split(token: &str) -> Result<[&str; 3], IdTokenError> {
    if token.len() > MAX_TOKEN {
        return Err(IdTokenError::TooLarge);
    }
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok([header, payload, signature]),
        _ => Err(MalformedToken::NotThreeParts.into()),
    }
}

impl IdToken {
    /// Takes up an identity token from elsewhere, such as one that a front end sends as a bearer token. Nothing has verified it.
    ///
    /// Of a text of more than 64 KiB only the beginning is kept: it is refused in any case.
    ///
    /// ```
    /// use idaas_login::IdToken;
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let bearer = user.id_token().ok_or("there is one")?.expose();
    /// // `bearer` came with a request, in the header `Authorization`.
    /// let token = IdToken::from_text(bearer);
    /// // Who the user is, `IdTokenVerifier::verify` tells. This is what the token claims:
    /// assert_eq!(token.unverified_claims()?.user_name(), Some("zhangshan"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        // More than a token has, and no half character.
        let beginning = (MAX_TOKEN + 1..text.len()).find_map(|end| text.get(..end));
        Self::new(beginning.unwrap_or(text))
    }

    /// Reads what the token claims, without any proof: anybody can write such a token.
    ///
    /// For logs and for display. To know who the user is, ask an [`IdTokenVerifier`].
    ///
    /// ```
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// let token = user.id_token().ok_or("there is one")?;
    /// let claimed = token.unverified_claims()?;
    /// println!("a token that claims to be of {:?}", claimed.issuer());
    /// # assert_eq!(claimed.issuer(), Some("https://emulator.invalid/api/v1/oauth2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`IdTokenError::Malformed`] if it cannot be read, which the pages' own examples cannot;
    /// [`IdTokenError::TooLarge`] if it has more than 64 KiB.
    ///
    #[cfg_attr(feature = "verify", doc = "[`IdTokenVerifier`]: crate::IdTokenVerifier")]
    #[cfg_attr(not(feature = "verify"), doc = "[`IdTokenVerifier`]: crate#features")]
    pub fn unverified_claims(&self) -> Result<Claims, IdTokenError> {
        let [_, payload, _] = split(self.expose())?;
        Claims::read(decode(payload, MalformedToken::PayloadBase64)?)
    }
}
