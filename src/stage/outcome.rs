//! Where a step of a login leads.

use super::{
    AnyStage, Authenticated, MfaRequired, MiniProgram, Next, PendingBind, PendingRegister, PendingState,
    Stage, Unauthenticated, WeChat,
};
use crate::error::UnexpectedReason;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::wire::endpoints::StageKind;
use crate::wire::responses::{Failure, Pending, Progress, Received, progress};

/// What a step of a login leads to.
///
/// The enum is exhaustive: a `match` that forgets a stage does not compile.
///
/// `P` is the mini program that the login came through. It defaults to [`WeChat`].
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum Outcome<P: MiniProgram = WeChat> {
    /// `SUCCESS`: the login is finished.
    Authenticated(Authenticated),
    /// `SOCIAL_BIND`: an existing account must be bound.
    PendingBind(PendingBind<P>),
    /// `USER_REGISTER`: an account must be bound or registered.
    PendingRegister(PendingRegister<P>),
    /// `MFA_AUTH`: a second factor is asked for.
    MfaRequired(MfaRequired<P>),
}

impl<P: MiniProgram> Outcome<P> {
    /// Which stage it is.
    #[must_use]
    pub fn kind(&self) -> StageKind {
        match self {
            Self::Authenticated(stage) => stage.kind(),
            Self::PendingBind(stage) => stage.kind(),
            Self::PendingRegister(stage) => stage.kind(),
            Self::MfaRequired(stage) => stage.kind(),
        }
    }

    /// Begins again with the same client and device. What was reached is given up.
    #[must_use]
    pub fn start_over(self) -> Unauthenticated {
        AnyStage::from(self).start_over()
    }
}

impl<P: MiniProgram> Sealed for Outcome<P> {}

impl<S: Stage, P: MiniProgram> Next<S> for Outcome<P> {
    type Answer = Progress;

    fn read(received: Received<'_>, _: Inside) -> Result<Progress, Failure> {
        progress(received)
    }

    fn reached(stage: S, answer: Progress, _: Inside) -> Result<Self, (S, UnexpectedReason)> {
        match answer {
            Progress::Success { session_token, expires_in, id_token } => {
                let user =
                    Authenticated::new(stage.into_context(INSIDE), session_token, expires_in, id_token);
                Ok(Self::Authenticated(user))
            }
            Progress::Pending { status, state_token, flows } => {
                // The newest state token: the response's if it has one, else the one in hand.
                let Some(state_token) = state_token.or_else(|| stage.state_token().cloned()) else {
                    return Err((stage, UnexpectedReason::NoStateToken));
                };
                let context = stage.into_context(INSIDE);
                let pending = PendingState { context, state_token, flows };
                Ok(match status {
                    Pending::SocialBind => Self::PendingBind(PendingBind::new(pending)),
                    Pending::UserRegister => Self::PendingRegister(PendingRegister::new(pending)),
                    Pending::MfaAuth => Self::MfaRequired(MfaRequired::new(pending)),
                })
            }
        }
    }

    fn reached_kind(&self, _: Inside) -> StageKind {
        self.kind()
    }
}
