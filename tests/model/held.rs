//! What a login holds: a stage, or a step whose outcome is unknown.

use std::any::Any;

use idaas_login::endpoints::{OriginKind, StageKind};
use idaas_login::{
    Account, AnyLogin, AnyStage, Authenticated, AwaitingCode, MfaRequired, Origin, PasswordExpired,
    PasswordExpiring, PasswordReset, PendingBind, PendingRegister, Registration, Resumed, Stage, Suspended,
    Unauthenticated, Unresolved, VerifyEmail, VerifyPhone,
};

/// What a login holds.
pub enum Held<O: Origin> {
    Start(Unauthenticated),
    At(AnyStage<O>),
    Unknown(Unknown<O>),
}

/// An unresolved step, of whichever stage.
pub struct Unknown<O: Origin> {
    kind: StageKind,
    decide: Box<dyn FnOnce(Decision) -> Decided<O>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    StartOver,
    RetryAnyway,
    Suspend,
}

pub enum Decided<O: Origin> {
    Held(Held<O>),
    Suspended(Suspended),
}

impl<O: Origin> Unknown<O> {
    pub fn decide(self, decision: Decision) -> Decided<O> {
        (self.decide)(decision)
    }
}

/// A stage that can be held.
pub trait Stand<O: Origin>: Stage {
    fn held(self) -> Held<O>;
    /// `Unresolved::suspend`, of the stages that have it.
    fn put_down(unresolved: Unresolved<Self>) -> Suspended;

    fn unknown(unresolved: Unresolved<Self>) -> Held<O> {
        let kind = unresolved.kind();
        let decide = move |decision| match decision {
            Decision::StartOver => Decided::Held(Held::Start(unresolved.start_over())),
            Decision::RetryAnyway => Decided::Held(unresolved.retry_anyway().held()),
            Decision::Suspend => Decided::Suspended(Self::put_down(unresolved)),
        };
        Held::Unknown(Unknown { kind, decide: Box::new(decide) })
    }
}

macro_rules! stands {
    ($($stage:ty),+ $(,)?) => {
        $(impl<O: Origin> Stand<O> for $stage {
            fn held(self) -> Held<O> {
                Held::At(self.into())
            }
            fn put_down(unresolved: Unresolved<Self>) -> Suspended {
                unresolved.suspend()
            }
        })+
    };
}

stands!(
    PendingBind<O>,
    PendingRegister<O>,
    MfaRequired<O>,
    PasswordExpiring<O>,
    PasswordExpired<O>,
    AwaitingCode<O>,
    VerifyPhone<PendingBind<O>>,
    VerifyEmail<PendingBind<O>>,
    VerifyPhone<PendingRegister<O>>,
    VerifyEmail<PendingRegister<O>>,
    VerifyPhone<MfaRequired<O>>,
    VerifyEmail<MfaRequired<O>>,
    VerifyPhone<PasswordExpired<O>>,
    VerifyEmail<PasswordExpired<O>>,
    VerifyPhone<Unauthenticated>,
    VerifyEmail<Unauthenticated>,
    Registration,
    VerifyPhone<Registration>,
    VerifyEmail<Registration>,
    PasswordReset,
    VerifyPhone<PasswordReset>,
    VerifyEmail<PasswordReset>,
    Authenticated,
);

impl<O: Origin> Stand<O> for Unauthenticated {
    fn held(self) -> Held<O> {
        Held::Start(self)
    }
    fn put_down(_: Unresolved<Self>) -> Suspended {
        panic!("a login that has not begun cannot be put down")
    }
}

impl<O: Origin> Held<O> {
    pub fn kind(&self) -> StageKind {
        match self {
            Self::Start(_) => StageKind::Unauthenticated,
            Self::At(stage) => stage.kind(),
            Self::Unknown(unknown) => unknown.kind,
        }
    }

    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    pub fn state_token(&self) -> Option<&str> {
        match self {
            Self::At(stage) => stage.state_token().map(idaas_login::StateToken::expose),
            Self::Start(_) | Self::Unknown(_) => None,
        }
    }

    pub fn session_token(&self) -> Option<&str> {
        match self {
            Self::At(AnyStage::Authenticated(user)) => Some(user.session_token().expose()),
            _ => None,
        }
    }

    /// Puts it down; a login that has not begun has nothing to put down.
    pub fn suspend(self) -> Result<Suspended, Self> {
        match self {
            Self::At(stage) => Ok(stage.suspend()),
            Self::Unknown(unknown) if unknown.kind != StageKind::Unauthenticated => {
                match unknown.decide(Decision::Suspend) {
                    Decided::Suspended(suspended) => Ok(suspended),
                    Decided::Held(_) => panic!("it was put down"),
                }
            }
            other => Err(other),
        }
    }

    pub fn start_over(self) -> Unauthenticated {
        match self {
            Self::Start(login) => login,
            Self::At(stage) => stage.start_over(),
            Self::Unknown(unknown) => match unknown.decide(Decision::StartOver) {
                Decided::Held(Self::Start(login)) => login,
                _ => panic!("starting over leads to the start"),
            },
        }
    }

    /// `Verify::back`, of the stages that have it.
    pub fn back(self) -> Self {
        let Self::At(stage) = self else { return self };
        match stage {
            AnyStage::AwaitingCode(stage) => Self::At(stage.back()),
            AnyStage::ChangingByPhone(stage) => stage.back().held(),
            AnyStage::ChangingByEmail(stage) => stage.back().held(),
            AnyStage::LoginByPhone(stage) => stage.back().held(),
            AnyStage::LoginByEmail(stage) => stage.back().held(),
            AnyStage::RegistrationByPhone(stage) => stage.back().held(),
            AnyStage::RegistrationByEmail(stage) => stage.back().held(),
            AnyStage::ResetByPhone(stage) => stage.back().held(),
            AnyStage::ResetByEmail(stage) => stage.back().held(),
            other => Self::At(other),
        }
    }

    /// What was picked up, of a login with this origin.
    pub fn resumed(resumed: Resumed<O>) -> Self {
        Self::adopted(resumed, |stage| stage)
    }

    /// What was picked up, of a login with any origin.
    pub fn of_any_login(login: AnyLogin) -> Self {
        match login {
            AnyLogin::WeChatMiniProgram(resumed) => Self::resumed(cast(resumed)),
            AnyLogin::AlipayMiniProgram(resumed) => Self::resumed(cast(resumed)),
            AnyLogin::SocialApp(resumed) => Self::resumed(cast(resumed)),
            AnyLogin::Account(resumed) if O::KIND == OriginKind::Account => Self::resumed(cast(resumed)),
            AnyLogin::Account(resumed) => Self::adopted::<Account>(resumed, |stage| match stage {
                AnyStage::Authenticated(user) => AnyStage::Authenticated(user),
                other => panic!("it belongs to a login with an account: {other:?}"),
            }),
        }
    }

    fn adopted<P: Origin>(resumed: Resumed<P>, adopt: fn(AnyStage<P>) -> AnyStage<O>) -> Self {
        match resumed {
            Resumed::Stage(stage) => Self::At(adopt(stage)),
            Resumed::Unresolved(unresolved) => {
                let kind = unresolved.kind();
                let decide = move |decision| match decision {
                    Decision::StartOver => Decided::Held(Self::Start(unresolved.start_over())),
                    Decision::RetryAnyway => Decided::Held(Self::At(adopt(unresolved.retry_anyway()))),
                    Decision::Suspend => Decided::Suspended(unresolved.suspend()),
                };
                Self::Unknown(Unknown { kind, decide: Box::new(decide) })
            }
        }
    }
}

/// The same value by another name of its type: code for any origin calls what one origin has.
pub fn cast<A: 'static, B: 'static>(value: A) -> B {
    let value: Box<dyn Any> = Box::new(value);
    *value.downcast().unwrap_or_else(|_| panic!("it is of another login"))
}
