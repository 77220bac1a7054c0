use std::fmt;
use std::time::Duration;

use super::sealed::Held;
use super::{Context, Stage};
use crate::secret::{IdToken, SessionToken, StateToken};
use crate::wire::endpoints::StageKind;

/// The login is finished: the user has a session.
///
/// The status `SUCCESS` leads here.
pub struct Authenticated {
    pub(super) context: Context,
    pub(super) session_token: SessionToken,
    pub(super) expires_in: Option<Duration>,
    pub(super) id_token: Option<IdToken>,
}

impl Authenticated {
    /// The session token. Who holds it is the user.
    #[must_use]
    pub fn session_token(&self) -> &SessionToken {
        &self.session_token
    }

    /// How long the session token lives, from the answer on; `None` if the answer did not say.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// The identity token, if the answer had one. Nothing has verified it.
    #[must_use]
    pub fn id_token(&self) -> Option<&IdToken> {
        self.id_token.as_ref()
    }
}

impl Held for Authenticated {
    fn context(&self) -> &Context {
        &self.context
    }
    fn state_token(&self) -> Option<&StateToken> {
        None
    }
    fn into_context(self) -> Context {
        self.context
    }
}

impl Stage for Authenticated {
    const KIND: StageKind = StageKind::Authenticated;
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
