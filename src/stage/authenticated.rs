use std::fmt;
use std::time::{Duration, SystemTime};

use super::{Next, Stage, Step, accessors};
use crate::client::Client;
use crate::context::{Context, Tokens};
use crate::device::Device;
use crate::error::{Error, UnexpectedReason};
use crate::sealed::{Inside, Sealed};
use crate::secret::{IdToken, SessionToken, StateToken};
use crate::wire::endpoints::{RENEW_ID_TOKEN, StageKind};
use crate::wire::headers::checked_token;
use crate::wire::responses::{Failure, Received, Renewed, renewed};

/// The login is finished: the user has a session.
///
/// The status `SUCCESS` leads here, and so does a session token that was stored: [`Client::session`].
///
/// With the feature `verify`, [`identify`] tells who the user is; it sends nothing, or `GET /api/v1/oauth2/keys`.
///
/// ```
/// use idaas_login::Outcome;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let outcome = client.login(device).username_password("zhangshan", "correct horse").send()?;
/// let Outcome::Authenticated(user) = outcome else { panic!("nothing else is due") };
/// # let store = |_: &str, _| ();
/// store(user.session_token().expose(), user.expires_at());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[cfg_attr(feature = "verify", doc = "[`identify`]: Authenticated::identify")]
#[cfg_attr(not(feature = "verify"), doc = "[`identify`]: crate#features")]
///
#[doc = include_str!("../../docs/stages/authenticated.md")]
pub struct Authenticated {
    context: Context,
    session_token: SessionToken,
    expires_in: Option<Duration>,
    expires_at: Option<SystemTime>,
    id_token: Option<IdToken>,
}

/// When a session token expires.
pub(crate) struct Expiry {
    pub(crate) expires_in: Option<Duration>,
    pub(crate) expires_at: Option<SystemTime>,
}

impl Client {
    /// Takes up a session whose token was stored in a form of your own. Nothing is sent: whether the session still lives
    /// is seen when the identity token is renewed.
    ///
    /// `session_token` is the token as a response had it. [`with_id_token`](Authenticated::with_id_token) and
    /// [`with_expires_at`](Authenticated::with_expires_at) add what else was stored. A session that was
    /// [suspended](Authenticated::suspend) is taken up by [`resume`](Self::resume).
    ///
    /// ```
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let (client, device) = (user.client().clone(), user.device().clone());
    /// # let stored = user.session_token().expose();
    /// // `stored` is a session token that was kept in a database.
    /// let user = client.session(device, stored)?;
    /// let user = user.renew_id_token().send()?;
    /// assert!(user.id_token().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the token is empty, longer than 16 KiB, or contains a character that a header cannot carry.
    pub fn session(&self, device: Device, session_token: impl AsRef<str>) -> Result<Authenticated, Error> {
        let session_token = SessionToken::new(checked_token("session_token", session_token.as_ref())?);
        let context = Context { client: self.clone(), device };
        let expiry = Expiry { expires_in: None, expires_at: None };
        Ok(Authenticated::stored(context, session_token, expiry, None))
    }
}

impl Authenticated {
    accessors!();

    pub(crate) fn new(
        context: Context,
        session_token: SessionToken,
        expires_in: Option<Duration>,
        id_token: Option<IdToken>,
    ) -> Self {
        let expires_at = expires_in.and_then(|lifetime| context.client.time_in(lifetime));
        Self::stored(context, session_token, Expiry { expires_in, expires_at }, id_token)
    }

    /// One whose expiry was fixed before.
    pub(crate) fn stored(
        context: Context,
        session_token: SessionToken,
        Expiry { expires_in, expires_at }: Expiry,
        id_token: Option<IdToken>,
    ) -> Self {
        Self { context, session_token, expires_in, expires_at, id_token }
    }

    /// Adds the identity token that was stored beside the session token, for [`identify`].
    ///
    /// ```
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let (client, device) = (user.client().clone(), user.device().clone());
    /// # let (session_token, id_token) = (user.session_token().expose(), user.id_token().ok_or("there is one")?.expose());
    /// // Both were stored.
    /// let user = client.session(device, session_token)?.with_id_token(id_token);
    /// assert!(user.id_token().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    #[cfg_attr(feature = "verify", doc = "[`identify`]: Authenticated::identify")]
    #[cfg_attr(not(feature = "verify"), doc = "[`identify`]: crate#features")]
    #[must_use]
    pub fn with_id_token(mut self, id_token: impl AsRef<str>) -> Self {
        self.id_token = Some(IdToken::new(id_token.as_ref()));
        self
    }

    /// Adds the time at which the session token expires, if it was stored, too.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// # let (client, device) = (user.client().clone(), user.device().clone());
    /// # let session_token = user.session_token().expose();
    /// let time = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// let user = client.session(device, session_token)?.with_expires_at(time);
    /// assert_eq!(user.expires_at(), Some(time));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_expires_at(mut self, time: SystemTime) -> Self {
        self.expires_at = Some(time);
        self
    }

    /// The session token. Whoever holds it acts as the user.
    #[must_use]
    pub fn session_token(&self) -> &SessionToken {
        &self.session_token
    }

    /// How long the session token lives, from the response on; `None` if the response did not say.
    ///
    /// It is the server's word, however large: add it to a time with `checked_add`. [`expires_at`](Self::expires_at) has done
    /// that.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// When the session token expires, by the clock of the client, which was asked when the response came.
    ///
    /// [`suspend`](Self::suspend) keeps it, to the second, and so does a renewal whose response has neither a new session token
    /// nor a lifetime. `None` if the response did not say, if a session was stored without it, or if the time is too far away to
    /// be told. The tenant may end a session before.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// let left = user.expires_at().and_then(|time| time.duration_since(SystemTime::now()).ok());
    /// assert!(left.is_some_and(|left| left > Duration::from_secs(60 * 60)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// The identity token, if the response had one. Nothing has verified it.
    #[must_use]
    pub fn id_token(&self) -> Option<&IdToken> {
        self.id_token.as_ref()
    }

    /// Tells who the user is: the claims of the identity token, once `verifier` has verified it.
    ///
    /// ```
    /// use idaas_login::IdTokenVerifier;
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// // Made once, beside the client.
    /// let verifier = IdTokenVerifier::new(user.client())?;
    /// let claims = user.identify(&verifier)?;
    /// assert_eq!(claims.user_name(), Some("zhangshan"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`IdTokenError`](crate::IdTokenError): why it is not accepted;
    /// [`Missing`](crate::IdTokenError::Missing) if the response had none, which
    /// [`renew_id_token`](Self::renew_id_token) can mend.
    #[cfg(feature = "verify")]
    #[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
    pub fn identify(&self, verifier: &crate::IdTokenVerifier) -> Result<crate::Claims, crate::IdTokenError> {
        verifier.verify(self.id_token.as_ref().ok_or(crate::IdTokenError::Missing)?)
    }

    /// Asks for a new identity token.
    ///
    /// If the tenant refreshes sessions, the session token is a new one afterwards: store the one of the [`Authenticated`] that
    /// comes back. It has no identity token if the response has a new session token and no identity token that can be read. The
    /// header that carries the session token follows from the client's edition.
    ///
    /// ```
    /// use idaas_login::Recovery;
    ///
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated()?;
    /// let user = user.renew_id_token().send()?;
    /// # tenant.end_session(user.session_token().expose());
    /// // Later, when the session is over:
    /// let failed = user.renew_id_token().send().unwrap_err();
    /// let Recovery::StartOver(login) = failed.into_recovery() else { panic!("it is over") };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Refresh the `id_token` by `session_token`](https://open.bccastle.com/en/development/ciam/api/v2/sdk/user-self-service/refresh-id-token-by-session-token.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. A session that is over
    /// (`IDAAS.SDK.PARAM.0023`) leads to [`Recovery::StartOver`](crate::Recovery::StartOver). After
    /// [`Recovery::Unresolved`](crate::Recovery::Unresolved) the session token may have been replaced by one that was
    /// lost with the response.
    ///
    /// In OneAccess the step needs a signature, and so the feature `signature` and [`Client::prepare_signature`] before it;
    /// without the feature it is [`Error::Unsupported`]. Its response there is the identity token alone: the session token and
    /// [`expires_at`](Self::expires_at) stay as they are.
    ///
    #[cfg_attr(feature = "signature", doc = "[`Client::prepare_signature`]: Client::prepare_signature")]
    #[cfg_attr(not(feature = "signature"), doc = "[`Client::prepare_signature`]: crate#features")]
    pub fn renew_id_token(self) -> Step<Self, Self> {
        Step::new(self, &RENEW_ID_TOKEN, &[])
    }

    /// Ends the session at the tenant. OneAccess only.
    ///
    /// It leads back to the beginning, with the same client and device. The step needs a signature: call
    /// [`Client::prepare_signature`] before it.
    ///
    /// No page of CIAM or EIAM has such a call, so there it is refused before anything is sent
    /// ([decision](crate::manual::decisions) D37). To log out, drop the session token; in a browser, visit `/api/v1/logout` of
    /// the tenant too, which ends the browser's own session.
    ///
    /// ```
    /// use idaas_login::Unauthenticated;
    ///
    /// # use idaas_login::Edition;
    /// # let (tenant, user) = idaas_login::emulator::examples::authenticated_in(Edition::OneAccess)?;
    /// # let session_token = user.session_token().expose().to_owned();
    /// user.client().prepare_signature(user.device())?;
    /// let login: Unauthenticated = user.logout().send()?;
    /// # assert_eq!(tenant.session_user(&session_token), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Log out](https://support.huaweicloud.com/api-oneaccess/Logout.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. A session that is over already leads to
    /// [`Recovery::StartOver`](crate::Recovery::StartOver), which is as good. After a refusal of the class
    /// [`StaleSignature`](crate::ErrorClass::StaleSignature) the session is handed back: prepare a signature again, and repeat
    /// the step once.
    #[cfg(feature = "signature")]
    #[cfg_attr(docsrs, doc(cfg(feature = "signature")))]
    pub fn logout(self) -> Step<Self, super::Unauthenticated> {
        Step::new(self, &crate::wire::endpoints::LOGOUT, &[])
    }
}

impl Sealed for Authenticated {}

impl Next<Self> for Authenticated {
    type Content = Renewed;

    fn read(received: Received<'_>, _: Inside) -> Result<Renewed, Failure> {
        renewed(received)
    }

    fn reached(stage: Self, renewed: Renewed, _: Inside) -> Result<Self, (Self, UnexpectedReason)> {
        let Self { context, session_token: in_hand, expires_at, .. } = stage;
        let is_new = renewed.session_token.as_ref().is_some_and(|token| token.expose() != in_hand.expose());
        let session_token = renewed.session_token.unwrap_or(in_hand);
        Ok(if is_new || renewed.expires_in.is_some() {
            Self::new(context, session_token, renewed.expires_in, renewed.id_token)
        } else {
            // The same session, and nothing was said about its end.
            Self::stored(context, session_token, Expiry { expires_in: None, expires_at }, renewed.id_token)
        })
    }

    fn reached_kind(&self, _: Inside) -> StageKind {
        StageKind::Authenticated
    }
}

impl Stage for Authenticated {
    fn kind(&self) -> StageKind {
        StageKind::Authenticated
    }

    fn state_token(&self) -> Option<&StateToken> {
        None
    }

    fn context(&self, _: Inside) -> &Context {
        &self.context
    }

    fn into_context(self, _: Inside) -> Context {
        self.context
    }

    fn tokens(&self, _: Inside) -> Tokens<'_> {
        Tokens { state: None, session: Some(&self.session_token) }
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("session_token", &self.session_token)
            .field("expires_in", &self.expires_in)
            .field("id_token", &self.id_token)
            .finish_non_exhaustive()
    }
}
