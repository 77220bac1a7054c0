use std::fmt;
use std::marker::PhantomData;

use zeroize::Zeroizing;

use super::pending::{PendingState, pending_stage};
use super::{AcceptsCode, Origin, Outcome, SendsCode, VerifyEmail, VerifyPhone, WeChatMiniProgram};
use crate::call::{Call, Reply};
use crate::context::Context;
use crate::sealed::{Inside, Sealed};
use crate::secret::{Redacted, StateToken};
use crate::wire::endpoints::{Endpoint, REGISTERED_MOBILE, Scenario};
use crate::wire::responses::{Failure, Received, mobile};

/// The first factor was right, and the tenant asks for a second: a code by SMS or e-mail.
///
/// The status `MFA_AUTH` leads here, from a login or from a bind.
///
/// The pages of CIAM name the status and no way to complete it; this uses the endpoints of EIAM and OneAccess, which have
/// the same paths in the same server ([decision](crate::manual::decisions) D7).
///
/// ```
/// use idaas_login::Outcome;
///
/// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
/// let mobile = stage.registered_mobile().send()?;
/// let stage = stage.phone(mobile);
/// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
/// // `pass` is that of a captcha: see `Captcha::solve`.
/// stage.send_code(&pass).send()?;
/// # let code = tenant.last_code(stage.destination()).ok_or("sent")?;
/// // The user types the code.
/// let outcome = stage.submit(code).send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/mfa_required.md")]
pub struct MfaRequired<O: Origin = WeChatMiniProgram> {
    pending: PendingState,
    origin: PhantomData<fn() -> O>,
}

pending_stage!(MfaRequired);

impl<O: Origin> SendsCode for MfaRequired<O> {
    const SCENARIO: Scenario = Scenario::SecondFactor;
}

impl<O: Origin> AcceptsCode for MfaRequired<O> {
    type Outcome = Outcome<O>;
}

impl<O: Origin> MfaRequired<O> {
    /// The text of `data`, verbatim; `None` if it was null or absent. No page says what it holds here.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.pending.data.raw()
    }

    /// Asks for the mobile number that the account has, to be shown to the user and to be handed to [`phone`](Self::phone).
    ///
    /// There is no such call for the e-mail address: the user has to type it.
    ///
    /// ```
    /// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
    /// let mobile = stage.registered_mobile().send()?;
    /// assert_eq!(mobile.expose(), "+86-15201657312");
    /// let stage = stage.phone(mobile);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Mobile number by state token](https://open.bccastle.com/en/development/eiam/userapi/captcha/mobile-by-token.html).
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`](crate::Error)'s.
    pub fn registered_mobile(&self) -> Call<RegisteredMobile> {
        registered_mobile(&self.pending.context, &self.pending.state_token, &REGISTERED_MOBILE)
    }

    /// Goes on by a mobile number and a code by SMS. Nothing is sent yet: [`VerifyPhone`] has the steps.
    ///
    /// What [`registered_mobile`](Self::registered_mobile) gave can be handed in as it is, with its `+86-`.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
    /// let stage = stage.phone("15201657312");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code.
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn phone(self, mobile: impl Into<String>) -> VerifyPhone<Self> {
        VerifyPhone::new(self, Zeroizing::new(mobile.into()))
    }

    /// Goes on by an e-mail address and a code by e-mail. Nothing is sent yet: [`VerifyEmail`] has the steps.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::mfa_required()?;
    /// let stage = stage.email("zhangshan@example.com");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code.
    /// let outcome = stage.submit(code).send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn email(self, address: impl Into<String>) -> VerifyEmail<Self> {
        VerifyEmail::new(self, Zeroizing::new(address.into()))
    }
}

/// The call for the number of the account that a state token stands for.
pub(super) fn registered_mobile(
    context: &Context,
    state_token: &StateToken,
    row: &'static Endpoint,
) -> Call<RegisteredMobile> {
    let draft = context.draft(row, &[]);
    Call::new(context.clone(), Some(state_token.clone()), draft, ())
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
