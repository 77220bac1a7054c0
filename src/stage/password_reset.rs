use std::fmt;

use zeroize::Zeroizing;

use super::{
    SendsCode, Stage, Unauthenticated, Verify, VerifyEmail, VerifyPhone, accessors, tokenless_stage,
};
use crate::context::Context;
use crate::sealed::INSIDE;
use crate::wire::endpoints::Scenario;

/// The user forgot the password: a code proves whose account it is, and comes back with a new one.
///
/// [`Unauthenticated::reset_password`](crate::Unauthenticated::reset_password) leads here. A reset has no session, and gives
/// none: it leads back to [`Unauthenticated`], to log in with the new password.
///
/// ```
/// use idaas_login::{CaptchaPass, Error, Unauthenticated};
///
/// fn forgotten(login: Unauthenticated, mobile: &str, pass: &CaptchaPass) -> Result<Unauthenticated, Error> {
///     let stage = login.reset_password().phone(mobile);
///     stage.send_code(pass).send()?;
///     # let (code, new_password) = ("123456", "correct horse");
///     // The user types the code, and a new password.
///     let login = stage.submit(code, new_password).send()?;
///     Ok(login)
/// }
/// ```
///
#[doc = include_str!("../../docs/stages/password_reset.md")]
pub struct PasswordReset {
    context: Context,
}

tokenless_stage!(PasswordReset);

impl SendsCode for PasswordReset {
    const SCENARIO: Scenario = Scenario::ResetPassword;
}

impl PasswordReset {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }

    accessors!();

    /// By a mobile number and a code by SMS: narrows to [`VerifyPhone`], nothing is sent.
    ///
    /// The number is sent exactly as given.
    #[must_use]
    pub fn phone(self, mobile: impl Into<String>) -> VerifyPhone<Self> {
        Verify::new(self, Zeroizing::new(mobile.into()))
    }

    /// By an e-mail address and a code by e-mail: narrows to [`VerifyEmail`], nothing is sent.
    #[must_use]
    pub fn email(self, address: impl Into<String>) -> VerifyEmail<Self> {
        Verify::new(self, Zeroizing::new(address.into()))
    }
}

impl fmt::Debug for PasswordReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordReset").finish_non_exhaustive()
    }
}

impl Unauthenticated {
    /// Begins to replace a forgotten password: narrows to [`PasswordReset`], nothing is sent.
    #[must_use]
    pub fn reset_password(self) -> PasswordReset {
        PasswordReset::new(self.into_context(INSIDE))
    }
}
