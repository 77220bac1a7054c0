use std::fmt;
use std::time::Duration;

use super::{Next, Stage, Step, accessors};
use crate::context::{Context, Tokens};
use crate::error::UnexpectedReason;
use crate::sealed::{Inside, Sealed};
use crate::secret::{IdToken, SessionToken, StateToken};
use crate::wire::endpoints::{RENEW_ID_TOKEN, StageKind};
use crate::wire::responses::{Failure, Received, Renewed, renewed};

/// The login is finished: the user has a session.
///
/// The status `SUCCESS` leads here.
///
/// With the feature `verify`, `identify` tells who the user is; it sends nothing, or `GET /api/v1/oauth2/keys`.
///
#[doc = include_str!("../../docs/stages/authenticated.md")]
pub struct Authenticated {
    context: Context,
    session_token: SessionToken,
    expires_in: Option<Duration>,
    id_token: Option<IdToken>,
}

impl Authenticated {
    accessors!();

    pub(crate) fn new(
        context: Context,
        session_token: SessionToken,
        expires_in: Option<Duration>,
        id_token: Option<IdToken>,
    ) -> Self {
        Self { context, session_token, expires_in, id_token }
    }

    /// The session token. Who holds it is the user.
    #[must_use]
    pub fn session_token(&self) -> &SessionToken {
        &self.session_token
    }

    /// How long the session token lives, from the answer on; `None` if the answer did not say.
    ///
    /// It is the server's word, however large: add it to a time with `checked_add`.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// The identity token, if the answer had one. Nothing has verified it.
    #[must_use]
    pub fn id_token(&self) -> Option<&IdToken> {
        self.id_token.as_ref()
    }

    /// Who the user is: the claims of the identity token, once `verifier` has verified it.
    ///
    /// # Errors
    /// [`IdTokenError`](crate::IdTokenError): why it is not accepted;
    /// [`Missing`](crate::IdTokenError::Missing) if the answer had none, which
    /// [`renew_id_token`](Self::renew_id_token) can mend.
    #[cfg(feature = "verify")]
    #[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
    pub fn identify(&self, verifier: &crate::IdTokenVerifier) -> Result<crate::Claims, crate::IdTokenError> {
        verifier.verify(self.id_token.as_ref().ok_or(crate::IdTokenError::Missing)?)
    }

    /// Asks for a new identity token.
    ///
    /// If the tenant refreshes sessions, the session token is a new one afterwards: store the one of the
    /// [`Authenticated`] that comes back. It has no identity token if the tenant answered a new session token, and no identity
    /// token that can be read. The header that carries the session token follows from the client's edition.
    ///
    /// Page: [Refresh the `id_token` by `session_token`](https://open.bccastle.com/en/development/ciam/api/v2/sdk/user-self-service/refresh-id-token-by-session-token.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. A session that is over
    /// (`IDAAS.SDK.PARAM.0023`) leads to [`Recovery::StartOver`](crate::Recovery::StartOver). After
    /// [`Recovery::Unresolved`](crate::Recovery::Unresolved) the session token may have been replaced by one that was
    /// lost with the answer.
    pub fn renew_id_token(self) -> Step<Self, Self> {
        Step::new(self, &RENEW_ID_TOKEN, &[])
    }
}

impl Sealed for Authenticated {}

impl Next<Self> for Authenticated {
    type Answer = Renewed;

    fn read(received: Received<'_>, _: Inside) -> Result<Renewed, Failure> {
        renewed(received)
    }

    fn reached(stage: Self, answer: Renewed, _: Inside) -> Result<Self, (Self, UnexpectedReason)> {
        Ok(Self {
            session_token: answer.session_token.unwrap_or(stage.session_token),
            expires_in: answer.expires_in,
            id_token: answer.id_token,
            context: stage.context,
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
