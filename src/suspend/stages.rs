//! How each stage is taken apart and put together.

use super::format::{SuspendedFields, Unreadable};
use super::kind::SuspendedKind;
use super::resume::{Resumable, Resumed};
use super::suspended::Suspended;
use crate::context::Context;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::stage::{
    AcceptsCode, AnyStage, Authenticated, AwaitingCode, Channel, Expiry, MfaRequired, MiniProgram,
    PendingBind, PendingRegister, PendingState, Stage, Unresolved, Verify, VerifyEmail, VerifyPhone,
};
use crate::wire::endpoints::{Scenario, StageKind};

/// `suspend` as a method of each type that has it, so that it is found without a trait.
macro_rules! suspend {
    (impl[$($generics:tt)*] $stage:ty) => {
        impl<$($generics)*> $stage {
            /// Puts the stage down, to be picked up by [`Client::resume`](crate::Client::resume) in another request or
            /// another process.
            ///
            /// The value holds a live token, in the clear: seal it before it leaves the service.
            #[must_use]
            pub fn suspend(self) -> Suspended {
                Resumable::suspend(self)
            }
        }
    };
}

suspend!(impl[P: MiniProgram] PendingBind<P>);
suspend!(impl[P: MiniProgram] PendingRegister<P>);
suspend!(impl[P: MiniProgram] MfaRequired<P>);
suspend!(impl[C: Channel, S: AcceptsCode + Resumable] Verify<C, S>);
suspend!(impl[P: MiniProgram] AwaitingCode<P>);
suspend!(impl[] Authenticated);
suspend!(impl[P: MiniProgram] AnyStage<P>);
suspend!(impl[S: Resumable] Unresolved<S>);

macro_rules! resumable_pending {
    ($stage:ident) => {
        impl<P: MiniProgram> Resumable for $stage<P> {
            fn holds(kind: SuspendedKind, _: Inside) -> bool {
                kind == SuspendedKind::of(StageKind::$stage, Some(P::PLATFORM))
            }

            fn fields(&self, _: Inside) -> SuspendedFields<'_> {
                let pending = self.pending();
                let kind = SuspendedKind::of(StageKind::$stage, Some(P::PLATFORM));
                SuspendedFields {
                    token: pending.state_token.expose().as_bytes(),
                    data: pending.flows.raw().map(str::as_bytes),
                    ..SuspendedFields::of(kind, &pending.context)
                }
            }

            fn restore(
                context: Context,
                fields: &SuspendedFields<'_>,
                _: Inside,
            ) -> Result<Self, Unreadable> {
                let (state_token, flows) = (fields.state_token()?, fields.flows()?);
                Ok(Self::new(PendingState { context, state_token, flows }))
            }
        }
    };
}

resumable_pending!(PendingBind);
resumable_pending!(PendingRegister);
resumable_pending!(MfaRequired);

/// A narrowed stage is its stage, and a destination.
impl<C: Channel, S: AcceptsCode + Resumable> Resumable for Verify<C, S> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        let narrowed = SuspendedKind { stage: S::SCENARIO.stage(), ..kind };
        kind.stage == C::kind(S::SCENARIO, INSIDE) && S::holds(narrowed, INSIDE)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        let fields = self.stage().fields(INSIDE);
        let kind = SuspendedKind { stage: self.kind(), ..fields.kind };
        SuspendedFields { kind, destination: Some(self.destination().as_bytes()), ..fields }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        let destination = fields.destination()?;
        Ok(Self::new(S::restore(context, fields, INSIDE)?, destination))
    }
}

impl<P: MiniProgram> Resumable for AwaitingCode<P> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        let awaits_code = matches!(kind.stage, StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_));
        awaits_code && kind == SuspendedKind::of(kind.stage, Some(P::PLATFORM))
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        match self {
            Self::BindByPhone(stage) => stage.fields(INSIDE),
            Self::BindByEmail(stage) => stage.fields(INSIDE),
            Self::RegisterByPhone(stage) => stage.fields(INSIDE),
            Self::RegisterByEmail(stage) => stage.fields(INSIDE),
            Self::SecondFactorByPhone(stage) => stage.fields(INSIDE),
            Self::SecondFactorByEmail(stage) => stage.fields(INSIDE),
        }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        match AnyStage::restore(context, fields, INSIDE)? {
            AnyStage::AwaitingCode(stage) => Ok(stage),
            _ => Err(Unreadable::Malformed),
        }
    }
}

impl Resumable for Authenticated {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        kind == SuspendedKind::of(StageKind::Authenticated, None)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        SuspendedFields {
            token: self.session_token().expose().as_bytes(),
            expires_in: self.expires_in(),
            expires_at: self.expires_at(),
            id_token: self.id_token().map(|token| token.expose().as_bytes()),
            ..SuspendedFields::of(SuspendedKind::of(StageKind::Authenticated, None), self.context(INSIDE))
        }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        let expiry = Expiry { expires_in: fields.expires_in, expires_at: fields.expires_at };
        Ok(Self::stored(context, fields.session_token()?, expiry, fields.id_token()?))
    }
}

impl<P: MiniProgram> Resumable for AnyStage<P> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        match kind.stage {
            StageKind::Client | StageKind::Captcha | StageKind::Unauthenticated => false,
            StageKind::PendingBind => PendingBind::<P>::holds(kind, INSIDE),
            StageKind::PendingRegister => PendingRegister::<P>::holds(kind, INSIDE),
            StageKind::MfaRequired => MfaRequired::<P>::holds(kind, INSIDE),
            StageKind::VerifyPhone(_) | StageKind::VerifyEmail(_) => AwaitingCode::<P>::holds(kind, INSIDE),
            StageKind::Authenticated => Authenticated::holds(kind, INSIDE),
        }
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        match self {
            Self::PendingBind(stage) => stage.fields(INSIDE),
            Self::PendingRegister(stage) => stage.fields(INSIDE),
            Self::MfaRequired(stage) => stage.fields(INSIDE),
            Self::AwaitingCode(stage) => stage.fields(INSIDE),
            Self::Authenticated(stage) => stage.fields(INSIDE),
        }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        fn restored<S: Resumable, A: From<S>>(
            context: Context,
            fields: &SuspendedFields<'_>,
        ) -> Result<A, Unreadable> {
            S::restore(context, fields, INSIDE).map(A::from)
        }
        match fields.kind.stage {
            StageKind::Client | StageKind::Captcha | StageKind::Unauthenticated => Err(Unreadable::Malformed),
            StageKind::PendingBind => restored::<PendingBind<P>, _>(context, fields),
            StageKind::PendingRegister => restored::<PendingRegister<P>, _>(context, fields),
            StageKind::MfaRequired => restored::<MfaRequired<P>, _>(context, fields),
            StageKind::VerifyPhone(scenario) => match scenario {
                Scenario::Bind => restored::<VerifyPhone<PendingBind<P>>, _>(context, fields),
                Scenario::Register => restored::<VerifyPhone<PendingRegister<P>>, _>(context, fields),
                Scenario::SecondFactor => restored::<VerifyPhone<MfaRequired<P>>, _>(context, fields),
            },
            StageKind::VerifyEmail(scenario) => match scenario {
                Scenario::Bind => restored::<VerifyEmail<PendingBind<P>>, _>(context, fields),
                Scenario::Register => restored::<VerifyEmail<PendingRegister<P>>, _>(context, fields),
                Scenario::SecondFactor => restored::<VerifyEmail<MfaRequired<P>>, _>(context, fields),
            },
            StageKind::Authenticated => restored::<Authenticated, _>(context, fields),
        }
    }
}

impl<S: Resumable> Resumable for Unresolved<S> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        kind.unresolved && S::holds(SuspendedKind { unresolved: false, ..kind }, INSIDE)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        let fields = self.stage().fields(INSIDE);
        SuspendedFields { kind: SuspendedKind { unresolved: true, ..fields.kind }, ..fields }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        S::restore(context, fields, INSIDE).map(Self::new)
    }
}

impl<P: MiniProgram> Sealed for Resumed<P> {}

impl<P: MiniProgram> Resumable for Resumed<P> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        AnyStage::<P>::holds(SuspendedKind { unresolved: false, ..kind }, INSIDE)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        match self {
            Self::Stage(stage) => stage.fields(INSIDE),
            Self::Unresolved(unresolved) => unresolved.fields(INSIDE),
        }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        if fields.kind.unresolved {
            Unresolved::restore(context, fields, INSIDE).map(Self::Unresolved)
        } else {
            AnyStage::restore(context, fields, INSIDE).map(Self::Stage)
        }
    }
}
