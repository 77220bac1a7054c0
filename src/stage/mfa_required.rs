use std::fmt;
use std::marker::PhantomData;

use zeroize::Zeroizing;

use super::pending::{PendingState, pending_stage};
use super::{AcceptsCode, MiniProgram, Outcome, VerifyEmail, VerifyPhone, WeChat};
use crate::call::{Call, Reply};
use crate::context::Context;
use crate::sealed::{Inside, Sealed};
use crate::secret::Redacted;
use crate::wire::endpoints::{REGISTERED_MOBILE, Scenario};
use crate::wire::responses::{Failure, Received, mobile};

/// The first factor was right, and the tenant asks for a second: a code by SMS or e-mail.
///
/// The status `MFA_AUTH` leads here, from a login or from a bind.
///
/// The pages of CIAM name the status and no way to complete it; this uses the endpoints of EIAM and OneAccess, which have
/// the same paths in the same server (decision D7 in `docs/decisions.md`).
///
#[doc = include_str!("../../docs/stages/mfa_required.md")]
pub struct MfaRequired<P: MiniProgram = WeChat> {
    pending: PendingState,
    platform: PhantomData<fn() -> P>,
}

pending_stage!(MfaRequired);

impl<P: MiniProgram> AcceptsCode for MfaRequired<P> {
    const SCENARIO: Scenario = Scenario::SecondFactor;
    type Outcome = Outcome<P>;
}

impl<P: MiniProgram> MfaRequired<P> {
    /// The text of `data`, verbatim; `None` if it was null or absent. No page says what it holds here.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.pending.flows.raw()
    }

    /// The mobile number that the account has, to be shown to the user and to be handed to [`phone`](Self::phone).
    ///
    /// There is no such call for the e-mail address: the user has to type it.
    ///
    /// Page: [Mobile number by state token](https://open.bccastle.com/en/development/eiam/userapi/captcha/mobile-by-token.html).
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`](crate::Error)'s.
    pub fn registered_mobile(&self) -> Call<RegisteredMobile> {
        let context = self.pending.context.clone();
        let draft = context.draft(&REGISTERED_MOBILE, &[]);
        Call::new(context, Some(self.pending.state_token.clone()), draft, ())
    }

    /// Goes by a mobile number and a code by SMS: narrows to [`VerifyPhone`], nothing is sent.
    ///
    /// What [`registered_mobile`](Self::registered_mobile) gave can be handed in as it is, with its `+86-`.
    #[must_use]
    pub fn phone(self, mobile: impl Into<String>) -> VerifyPhone<Self> {
        VerifyPhone::new(self, Zeroizing::new(mobile.into()))
    }

    /// Goes by an e-mail address and a code by e-mail: narrows to [`VerifyEmail`], nothing is sent.
    #[must_use]
    pub fn email(self, address: impl Into<String>) -> VerifyEmail<Self> {
        VerifyEmail::new(self, Zeroizing::new(address.into()))
    }
}

/// The mobile number that an account has, such as `+86-15201657124`.
///
/// It is the user's: its `Debug` is redacted, and it is zeroized when dropped.
pub struct RegisteredMobile(Zeroizing<String>);

impl RegisteredMobile {
    /// The number, verbatim.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<RegisteredMobile> for String {
    fn from(mut mobile: RegisteredMobile) -> Self {
        std::mem::take(&mut mobile.0)
    }
}

impl Sealed for RegisteredMobile {}

impl Reply for RegisteredMobile {
    type Kept = ();

    fn read((): (), _: Context, received: Received<'_>, _: Inside) -> Result<Self, Failure> {
        mobile(received).map(Self)
    }
}

impl fmt::Debug for RegisteredMobile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegisteredMobile").field(&Redacted).finish()
    }
}
