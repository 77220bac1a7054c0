//! Any stage that can be suspended, as one type.

use super::{
    Authenticated, AwaitingCode, MfaRequired, MiniProgram, Outcome, PendingBind, PendingRegister, WeChat,
    accessors, stage_inside,
};

/// Any stage of a login through the mini program `P` that can be suspended.
///
/// [`Client::resume`](crate::Client::resume) gives it for a handler that takes whatever stage the login is at. The enum is
/// exhaustive: a `match` that forgets a stage does not compile.
#[derive(Debug)]
#[must_use = "the login goes on only with what is in here"]
pub enum AnyStage<P: MiniProgram = WeChat> {
    /// An existing account must be bound.
    PendingBind(PendingBind<P>),
    /// An account must be bound or registered.
    PendingRegister(PendingRegister<P>),
    /// A second factor is due.
    MfaRequired(MfaRequired<P>),
    /// A verification code is due.
    AwaitingCode(AwaitingCode<P>),
    /// The login is finished.
    Authenticated(Authenticated),
}

/// The same expression for the stage inside, whichever it is.
macro_rules! each {
    ($any:expr, $stage:ident => $then:expr) => {
        match $any {
            AnyStage::PendingBind($stage) => $then,
            AnyStage::PendingRegister($stage) => $then,
            AnyStage::MfaRequired($stage) => $then,
            AnyStage::AwaitingCode($stage) => $then,
            AnyStage::Authenticated($stage) => $then,
        }
    };
}

impl<P: MiniProgram> AnyStage<P> {
    accessors!();
}

stage_inside!(AnyStage);

impl<P: MiniProgram> From<Outcome<P>> for AnyStage<P> {
    fn from(outcome: Outcome<P>) -> Self {
        match outcome {
            Outcome::Authenticated(user) => Self::Authenticated(user),
            Outcome::PendingBind(stage) => Self::PendingBind(stage),
            Outcome::PendingRegister(stage) => Self::PendingRegister(stage),
            Outcome::MfaRequired(stage) => Self::MfaRequired(stage),
        }
    }
}

macro_rules! from {
    ($($variant:ident: $stage:ty),+ $(,)?) => {$(
        impl<P: MiniProgram> From<$stage> for AnyStage<P> {
            fn from(stage: $stage) -> Self {
                Self::$variant(stage)
            }
        }
    )+};
}

from! {
    PendingBind: PendingBind<P>,
    PendingRegister: PendingRegister<P>,
    MfaRequired: MfaRequired<P>,
    AwaitingCode: AwaitingCode<P>,
    Authenticated: Authenticated,
}
