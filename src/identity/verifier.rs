//! The verification of an identity token, as the numbered steps of OpenID Connect Core 1.0, section 3.1.3.7.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::Clock;
use super::algorithm::Algorithm;
use super::claims::Claims;
use super::error::IdTokenError;
use super::jws::Jws;
use super::key_cache::KeyCache;
use super::key_set::KeySet;
use crate::client::Client;
use crate::secret::IdToken;

/// Verifies identity tokens: the signature by the tenant's keys, then issuer, audience and times.
///
/// ```
/// use idaas_login::IdTokenVerifier;
///
/// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
/// # let client = user.client();
/// let verifier = IdTokenVerifier::new(client)?;
/// let claims = user.identify(&verifier)?;
/// println!("welcome, {}", claims.name().unwrap_or("stranger"));
/// # assert_eq!(claims.name(), Some("Zhang Shan"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # One per client, not one per request
/// A verifier keeps the tenant's keys. Make it once, where you make the client, and share it: cloning gives another handle to
/// the same keys. A verifier that is made for each request fetches the keys for each request, so that every user waits for the
/// key endpoint and a failing endpoint refuses everybody at once. That is noticed: the third [`KeyCache`] of a process that
/// is dropped after it fetched keys for a single token logs a warning, once (crate `log`, target `idaas_login`).
#[derive(Clone)]
pub struct IdTokenVerifier {
    keys: Keys,
    issuer: Option<String>,
    client_id: String,
    other_audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    clock: Clock,
}

#[derive(Clone)]
enum Keys {
    Cache(KeyCache),
    Set(Arc<KeySet>),
}

const LEEWAY: Duration = Duration::from_secs(60);

impl IdTokenVerifier {
    /// Makes a verifier for the tenant and the application of `client`: issuer `https://{domain}/api/v1/oauth2`, audience the
    /// client id, keys from the tenant through the client's transport, kept in a [`KeyCache`] with its defaults.
    ///
    /// With [`Edition::OneAccessIsv`](crate::Edition::OneAccessIsv) tenants share domain and client id: only the keys, which are
    /// asked for by tenant id, tell their tokens apart. Find out whether each tenant has keys of its own, and set the
    /// [`issuer`](Self::issuer) if its tokens name one of their own.
    ///
    /// # Errors
    /// [`Error::InvalidInput`](crate::Error::InvalidInput) if the client id is not text.
    pub fn new(client: &Client) -> Result<Self, crate::Error> {
        Self::with_cache(KeyCache::new(client))
    }

    /// Makes a verifier with a key cache of your own settings. Tenant and application are those of the cache's client.
    ///
    /// ```
    /// use std::time::Duration;
    /// use idaas_login::{IdTokenVerifier, KeyCache};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let client = user.client();
    /// let keys = KeyCache::builder(client).max_age(Duration::from_secs(15 * 60)).build();
    /// let verifier = IdTokenVerifier::with_cache(keys.clone())?;
    /// user.identify(&verifier)?;
    /// // The same keys, for a health check.
    /// assert_eq!(keys.status().failures, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_cache(keys: KeyCache) -> Result<Self, crate::Error> {
        let (issuer, client_id) = (keys.client().issuer(), keys.client().client_id()?.to_owned());
        Ok(Self::build(Keys::Cache(keys), issuer, client_id))
    }

    /// Makes a verifier with keys that never change.
    ///
    /// ```
    /// use idaas_login::{IdTokenError, IdTokenVerifier, KeySet};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let token = user.id_token().ok_or("there is one")?;
    /// let keys = KeySet::from_json(br#"{"keys":[]}"#)?;
    /// let issuer = "https://acme.example.com/api/v1/oauth2";
    /// let verifier = IdTokenVerifier::with_keys(issuer, "nTo1eRIub60vPb54WeE6aojPwYwImtl4", keys);
    /// assert!(matches!(verifier.verify(token), Err(IdTokenError::UnknownKey)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_keys(issuer: impl Into<String>, client_id: impl Into<String>, keys: KeySet) -> Self {
        Self::build(Keys::Set(Arc::new(keys)), issuer.into(), client_id.into())
    }

    fn build(keys: Keys, issuer: String, client_id: String) -> Self {
        Self {
            keys,
            issuer: Some(issuer),
            client_id,
            other_audiences: Vec::new(),
            algorithms: Algorithm::DEFAULT.to_vec(),
            leeway: LEEWAY,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Expects another issuer, for a tenant whose tokens name one.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Sets how far the clocks of tenant and service may differ. Defaults to 60 seconds.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets the clock. Defaults to the system's. A key cache has a clock of its own.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use idaas_login::{IdTokenError, IdTokenVerifier};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// let in_an_hour = SystemTime::now() + Duration::from_secs(60 * 60);
    /// let verifier = IdTokenVerifier::new(user.client())?.clock(move || in_an_hour);
    /// assert!(matches!(user.identify(&verifier), Err(IdTokenError::Expired)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Allows one algorithm more; by default RS256 alone is allowed.
    #[must_use]
    pub fn allow_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithms.push(algorithm);
        self
    }

    /// Trusts one audience more: a token that is for this application *and* that one is accepted.
    #[must_use]
    pub fn trust_audience(mut self, audience: impl Into<String>) -> Self {
        self.other_audiences.push(audience.into());
        self
    }

    /// Accepts tokens of any issuer, as long as the tenant's keys verify them.
    ///
    /// Dangerous where several tenants share keys: then any of them can issue tokens for this one.
    #[must_use]
    pub fn danger_accept_any_issuer(mut self) -> Self {
        self.issuer = None;
        self
    }

    /// Verifies a token, and tells who the user is.
    ///
    /// ```
    /// use idaas_login::{Advice, IdToken, IdTokenVerifier};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let token = user.id_token().ok_or("there is one")?;
    /// let verifier = IdTokenVerifier::new(user.client())?;
    /// assert_eq!(verifier.verify(token)?.user_name(), Some("zhangshan"));
    ///
    /// let refused = verifier.verify(&IdToken::from_text("a forgery")).unwrap_err();
    /// assert_eq!(refused.advice(), Advice::TellOperator);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`IdTokenError`]: why it is not accepted.
    pub fn verify(&self, token: &IdToken) -> Result<Claims, IdTokenError> {
        // 1. Decryption: tokens are not encrypted here, and an encrypted one has five parts and is malformed.
        // 6. The signature, by the issuer's keys. First of all, so that nothing unproved is looked at.
        // 7. The algorithm, among the allowed ones; 8. is about MACs, which never are.
        let jws = Jws::parse(token.expose(), &self.algorithms)?;
        if !jws.is_plain_jwt() {
            return Err(IdTokenError::WrongType);
        }
        let payload = Zeroizing::new(match &self.keys {
            Keys::Cache(cache) => cache.verify_parsed(&jws)?,
            Keys::Set(set) => set.verify_parsed(&jws)?,
        });
        let claims = Claims::read(payload)?;
        self.check_issuer(&claims)?;
        self.check_audience(&claims)?;
        self.check_times(&claims)?;
        // 11. to 13. are about nonce, acr and auth_time, which this API does not have.
        if claims.subject().is_none_or(str::is_empty) {
            return Err(IdTokenError::MissingClaim("sub"));
        }
        Ok(claims)
    }

    /// 2. The issuer is exactly the tenant's.
    fn check_issuer(&self, claims: &Claims) -> Result<(), IdTokenError> {
        let given = claims.issuer().ok_or(IdTokenError::MissingClaim("iss"))?;
        match &self.issuer {
            Some(expected) if expected != given => Err(IdTokenError::WrongIssuer),
            _ => Ok(()),
        }
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), IdTokenError> {
        let audience = claims.audience();
        if audience.is_empty() {
            return Err(IdTokenError::MissingClaim("aud"));
        }
        // 3. The application is in the audience, and nobody else who is not trusted.
        let trusted = |one: &String| *one == self.client_id || self.other_audiences.contains(one);
        if !audience.contains(&self.client_id) || !audience.iter().all(trusted) {
            return Err(IdTokenError::WrongAudience);
        }
        // 4. A token for several says to whom it was given; 5. which has to be this application.
        match claims.authorized_party() {
            None if audience.len() > 1 => Err(IdTokenError::MissingClaim("azp")),
            Some(party) if party != self.client_id => Err(IdTokenError::WrongAuthorizedParty),
            _ => Ok(()),
        }
    }

    fn check_times(&self, claims: &Claims) -> Result<(), IdTokenError> {
        let now = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = self.leeway.as_secs_f64();
        let [expires_at, issued_at, not_before] = claims.seconds();
        // 9. Now is before `exp`.
        if now >= expires_at.ok_or(IdTokenError::MissingClaim("exp"))? + leeway {
            return Err(IdTokenError::Expired);
        }
        // 10. `iat` is not in the future; how long ago it may be is what `exp` says.
        if issued_at.ok_or(IdTokenError::MissingClaim("iat"))? > now + leeway {
            return Err(IdTokenError::IssuedInTheFuture);
        }
        // Not among the steps: `nbf` of RFC 7519 section 4.1.5.
        if not_before.is_some_and(|not_before| not_before > now + leeway) {
            return Err(IdTokenError::NotYetValid);
        }
        Ok(())
    }
}

impl fmt::Debug for IdTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenVerifier")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("algorithms", &self.algorithms)
            .field("leeway", &self.leeway)
            .finish_non_exhaustive()
    }
}
