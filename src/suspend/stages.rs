//! How each stage is taken apart and put together.

use std::borrow::Cow;

use super::format::{SuspendedFields, Unreadable};
use super::kind::SuspendedKind;
use super::resume::{Resumable, Resumed};
use super::suspended::Suspended;
use crate::context::Context;
use crate::sealed::{INSIDE, Inside, Sealed};
use crate::stage::{
    AnyStage, Authenticated, AwaitingCode, Channel, Expiry, MfaRequired, Origin, PasswordExpired,
    PasswordExpiring, PasswordReset, PendingBind, PendingRegister, PendingState, Registration, SendsCode,
    Stage, Unauthenticated, Unresolved, Verify, VerifyEmail, VerifyPhone, each_stage,
};
use crate::wire::endpoints::{Scenario, StageKind};

/// `suspend` as a method of each type that has it, so that it is found without a trait.
macro_rules! suspend {
    (impl[$($generics:tt)*] $stage:ty $(where $($bounds:tt)+)?) => {
        impl<$($generics)*> $stage $(where $($bounds)+)? {
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

suspend!(impl[O: Origin] PendingBind<O>);
suspend!(impl[O: Origin] PendingRegister<O>);
suspend!(impl[O: Origin] MfaRequired<O>);
suspend!(impl[O: Origin] PasswordExpiring<O>);
suspend!(impl[O: Origin] PasswordExpired<O>);
suspend!(impl[] Registration);
suspend!(impl[] PasswordReset);
suspend!(impl[C: Channel, S: SendsCode] Verify<C, S> where Self: Resumable);
suspend!(impl[O: Origin] AwaitingCode<O>);
suspend!(impl[] Authenticated);
suspend!(impl[O: Origin] AnyStage<O>);
suspend!(impl[S: Resumable] Unresolved<S>);

macro_rules! resumable_pending {
    ($stage:ident) => {
        impl<O: Origin> Resumable for $stage<O> {
            fn holds(kind: SuspendedKind, _: Inside) -> bool {
                kind == SuspendedKind::of(StageKind::$stage, Some(O::KIND))
            }

            fn fields(&self, _: Inside) -> SuspendedFields<'_> {
                let pending = self.pending();
                let kind = SuspendedKind::of(StageKind::$stage, Some(O::KIND));
                SuspendedFields {
                    token: pending.state_token.expose().as_bytes(),
                    data: pending.data.raw().map(str::as_bytes),
                    ..SuspendedFields::of(kind, &pending.context)
                }
            }

            fn restore(
                context: Context,
                fields: &SuspendedFields<'_>,
                _: Inside,
            ) -> Result<Self, Unreadable> {
                Ok(Self::new(PendingState::new(context, fields.state_token()?, fields.data_text()?)))
            }
        }
    };
}

resumable_pending!(PendingBind);
resumable_pending!(PendingRegister);
resumable_pending!(MfaRequired);
resumable_pending!(PasswordExpiring);
resumable_pending!(PasswordExpired);

impl Resumable for Registration {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        kind == SuspendedKind::of(StageKind::Registration, None)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        SuspendedFields {
            attributes: Some(Cow::Borrowed(self.attributes())),
            ..SuspendedFields::of(SuspendedKind::of(StageKind::Registration, None), self.context(INSIDE))
        }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        Ok(Self::new(context, fields.attributes()?))
    }
}

impl Resumable for PasswordReset {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        kind == SuspendedKind::of(StageKind::PasswordReset, None)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        SuspendedFields::of(SuspendedKind::of(StageKind::PasswordReset, None), self.context(INSIDE))
    }

    fn restore(context: Context, _: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        Ok(Self::new(context))
    }
}

/// The beginning of a login is nothing to put down, but one that waits for a code is.
impl<C: Channel> Resumable for Verify<C, Unauthenticated> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        kind == SuspendedKind::of(C::kind(Scenario::Login, INSIDE), None)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        SuspendedFields {
            destination: Some(self.destination().as_bytes()),
            ..SuspendedFields::of(SuspendedKind::of(self.kind(), None), self.context(INSIDE))
        }
    }

    fn restore(context: Context, fields: &SuspendedFields<'_>, _: Inside) -> Result<Self, Unreadable> {
        Ok(Self::new(Unauthenticated::new(context), fields.destination()?))
    }
}

/// A narrowed stage is its stage, and a destination.
impl<C: Channel, S: SendsCode + Resumable> Resumable for Verify<C, S> {
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

impl<O: Origin> Resumable for AwaitingCode<O> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        let (StageKind::VerifyPhone(scenario) | StageKind::VerifyEmail(scenario)) = kind.stage else {
            return false;
        };
        let moves_on = match scenario {
            Scenario::Bind | Scenario::BindOrRegister | Scenario::SecondFactor => true,
            Scenario::Login | Scenario::Register | Scenario::ResetPassword | Scenario::ChangePassword => {
                false
            }
        };
        moves_on && kind == SuspendedKind::of(kind.stage, Some(O::KIND))
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

impl<O: Origin> Resumable for AnyStage<O> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        !kind.unresolved && kind.origin == kind.stage.holds_state_token().then_some(O::KIND)
    }

    fn fields(&self, _: Inside) -> SuspendedFields<'_> {
        each_stage!(self, stage => stage.fields(INSIDE))
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
            StageKind::Registration => restored::<Registration, _>(context, fields),
            StageKind::PasswordReset => restored::<PasswordReset, _>(context, fields),
            StageKind::PendingBind => restored::<PendingBind<O>, _>(context, fields),
            StageKind::PendingRegister => restored::<PendingRegister<O>, _>(context, fields),
            StageKind::MfaRequired => restored::<MfaRequired<O>, _>(context, fields),
            StageKind::PasswordExpiring => restored::<PasswordExpiring<O>, _>(context, fields),
            StageKind::PasswordExpired => restored::<PasswordExpired<O>, _>(context, fields),
            StageKind::VerifyPhone(scenario) => match scenario {
                Scenario::Bind => restored::<VerifyPhone<PendingBind<O>>, _>(context, fields),
                Scenario::BindOrRegister => restored::<VerifyPhone<PendingRegister<O>>, _>(context, fields),
                Scenario::SecondFactor => restored::<VerifyPhone<MfaRequired<O>>, _>(context, fields),
                Scenario::Login => restored::<VerifyPhone<Unauthenticated>, _>(context, fields),
                Scenario::Register => restored::<VerifyPhone<Registration>, _>(context, fields),
                Scenario::ResetPassword => restored::<VerifyPhone<PasswordReset>, _>(context, fields),
                Scenario::ChangePassword => restored::<VerifyPhone<PasswordExpired<O>>, _>(context, fields),
            },
            StageKind::VerifyEmail(scenario) => match scenario {
                Scenario::Bind => restored::<VerifyEmail<PendingBind<O>>, _>(context, fields),
                Scenario::BindOrRegister => restored::<VerifyEmail<PendingRegister<O>>, _>(context, fields),
                Scenario::SecondFactor => restored::<VerifyEmail<MfaRequired<O>>, _>(context, fields),
                Scenario::Login => restored::<VerifyEmail<Unauthenticated>, _>(context, fields),
                Scenario::Register => restored::<VerifyEmail<Registration>, _>(context, fields),
                Scenario::ResetPassword => restored::<VerifyEmail<PasswordReset>, _>(context, fields),
                Scenario::ChangePassword => restored::<VerifyEmail<PasswordExpired<O>>, _>(context, fields),
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

impl<O: Origin> Sealed for Resumed<O> {}

impl<O: Origin> Resumable for Resumed<O> {
    fn holds(kind: SuspendedKind, _: Inside) -> bool {
        AnyStage::<O>::holds(SuspendedKind { unresolved: false, ..kind }, INSIDE)
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
