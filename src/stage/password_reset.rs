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
/// use idaas_login::Outcome;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let stage = client.login(device).reset_password().phone("15201657312");
/// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
/// // `pass` is that of a captcha: see `Captcha::solve`.
/// stage.send_code(&pass).send()?;
/// # let code = tenant.last_code(stage.destination()).ok_or("sent")?;
/// // The user types the code, and a new password.
/// let login = stage.submit(code, "battery staple").send()?;
/// let outcome = login.username_password("zhangshan", "battery staple").send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
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

    /// Goes on by a mobile number and a code by SMS. Nothing is sent yet: [`VerifyPhone`] has the steps.
    ///
    /// The number is sent exactly as given.
    ///
    /// ```
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).reset_password().phone("15201657312");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code and a new password.
    /// let login = stage.submit(code, "battery staple").send()?;
    /// # assert_eq!(tenant.password("zhangshan").as_deref(), Some("battery staple"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn phone(self, mobile: impl Into<String>) -> VerifyPhone<Self> {
        Verify::new(self, Zeroizing::new(mobile.into()))
    }

    /// Goes on by an e-mail address and a code by e-mail. Nothing is sent yet: [`VerifyEmail`] has the steps.
    ///
    /// ```
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).reset_password().email("zhangshan@example.com");
    /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
    /// // After `send_code`, the user types the code and a new password.
    /// let login = stage.submit(code, "battery staple").send()?;
    /// # assert_eq!(tenant.password("zhangshan").as_deref(), Some("battery staple"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// Begins to replace a forgotten password. Nothing is sent yet: [`PasswordReset`] has the steps.
    ///
    /// ```
    /// use idaas_login::endpoints::StageKind;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).reset_password();
    /// assert_eq!(stage.kind(), StageKind::PasswordReset);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reset_password(self) -> PasswordReset {
        PasswordReset::new(self.into_context(INSIDE))
    }
}
