//! Where a step of a login leads.

use super::waiting::Waiting;
use super::{Authenticated, MfaRequired, MiniProgram, Next, PendingBind, PendingRegister, Stage, WeChat};
use crate::error::UnexpectedReason;
use crate::transport::Response;
use crate::wire::endpoints::StageKind;
use crate::wire::responses::{Failure, Pending, Progress, progress};

/// What a step of a login leads to.
///
/// The enum is exhaustive: a `match` that forgets a stage does not compile.
///
/// `P` is the mini program that the login came through, [`WeChat`] unless you write another.
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

impl<P: MiniProgram> crate::sealed::Sealed for Outcome<P> {}

impl<S: Stage, P: MiniProgram> Next<S> for Outcome<P> {
    type Answer = Progress;

    fn read(response: Response) -> Result<Progress, Failure> {
        progress(response)
    }

    fn reached(stage: S, answer: Progress) -> Result<Self, (S, UnexpectedReason)> {
        match answer {
            Progress::Success { session_token, expires_in, id_token } => {
                let user = Authenticated::new(stage.into_context(), session_token, expires_in, id_token);
                Ok(Self::Authenticated(user))
            }
            Progress::Pending { status, state_token, flows } => {
                // The newest state token: the answer's if it has one, else the one in hand.
                let Some(state_token) = state_token.or_else(|| stage.state_token().cloned()) else {
                    return Err((stage, UnexpectedReason::NoStateToken));
                };
                let context = stage.into_context();
                let waiting = Waiting { context, state_token, flows };
                Ok(match status {
                    Pending::SocialBind => Self::PendingBind(PendingBind::new(waiting)),
                    Pending::UserRegister => Self::PendingRegister(PendingRegister::new(waiting)),
                    Pending::MfaAuth => Self::MfaRequired(MfaRequired::new(waiting)),
                })
            }
        }
    }

    fn stage(&self) -> StageKind {
        match self {
            Self::Authenticated(_) => StageKind::Authenticated,
            Self::PendingBind(_) => StageKind::PendingBind,
            Self::PendingRegister(_) => StageKind::PendingRegister,
            Self::MfaRequired(_) => StageKind::MfaRequired,
        }
    }
}
