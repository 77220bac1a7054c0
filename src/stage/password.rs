//! The stages of a password that expires soon, or has expired.

use std::marker::PhantomData;

use zeroize::Zeroizing;

use super::mfa_required::{RegisteredMobile, registered_mobile};
use super::pending::{PendingState, pending_stage};
use super::{Origin, Outcome, SendsCode, Step, Verify, VerifyEmail, VerifyPhone, WeChatMiniProgram};
use crate::call::Call;
use crate::wire::endpoints::{
    CHANGE_EXPIRED_PASSWORD, CHANGE_EXPIRING_PASSWORD, EXPIRED_PASSWORD_MOBILE, EXPIRING_PASSWORD_MOBILE,
    KEEP_PASSWORD, Scenario,
};
use crate::wire::policy::{PasswordPolicy, PolicyData};

/// The password was right, and expires soon: it can be changed now, or kept.
///
/// The status `PASSWORD_WARN` leads here.
///
/// ```
/// use idaas_login::{Error, Origin, Outcome, PasswordExpiring};
///
/// /// `new` is the old password and a new one, if the user wants to change it now.
/// fn change_or_keep<O: Origin>(stage: PasswordExpiring<O>, new: Option<(&str, &str)>) -> Result<Outcome<O>, Error> {
///     Ok(match new {
///         Some((old_password, new_password)) => stage.change_password(old_password, new_password).send()?,
///         None => stage.keep_password().send()?,
///     })
/// }
/// # let (tenant, stage) = idaas_login::emulator::examples::password_expiring()?;
/// # assert!(matches!(change_or_keep(stage, None)?, Outcome::Authenticated(_)));
/// # let (tenant, stage) = idaas_login::emulator::examples::password_expiring()?;
/// # assert!(matches!(change_or_keep(stage, Some(("correct horse", "battery staple")))?, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/password_expiring.md")]
pub struct PasswordExpiring<O: Origin = WeChatMiniProgram> {
    pending: PendingState<PolicyData>,
    origin: PhantomData<fn() -> O>,
}

/// The password was right, but has expired: it must be changed. It cannot be kept, so this has no `keep_password`.
///
/// The status `PASSWORD_EXPIRED` leads here. It also comes to users whose password an administrator has set.
///
/// ```
/// use idaas_login::Outcome;
///
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// # tenant.add_user(idaas_login::emulator::User::new("lisi").password("correct horse").password_expired());
/// let outcome = client.login(device).username_password("lisi", "correct horse").send()?;
/// let Outcome::PasswordExpired(stage) = outcome else { panic!("it has expired") };
/// let outcome = stage.change_password("correct horse", "battery staple").send()?;
/// assert!(matches!(outcome, Outcome::Authenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../../docs/stages/password_expired.md")]
pub struct PasswordExpired<O: Origin = WeChatMiniProgram> {
    pending: PendingState<PolicyData>,
    origin: PhantomData<fn() -> O>,
}

pending_stage!(PasswordExpiring, "policy": PolicyData);
pending_stage!(PasswordExpired, "policy": PolicyData);

impl<O: Origin> SendsCode for PasswordExpired<O> {
    const SCENARIO: Scenario = Scenario::ChangePassword;
}

/// What both stages have; they differ in whether the password can be kept. `$example` makes such a stage, for the examples.
macro_rules! password_stage {
    ($stage:ident, $change:expr, $mobile:expr, $narrowed:expr, $note:literal, $example:literal) => {
        impl<O: Origin> $stage<O> {
            /// What the tenant demands of the new password, as far as it says so.
            ///
            /// `None` if the response had no policy that can be read. The tenant has the last word either way.
            ///
            /// ```
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// let policy = stage.policy().ok_or("this tenant has one")?;
            /// assert_eq!((policy.min_length(), policy.max_length()), (Some(8), Some(18)));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub fn policy(&self) -> Option<&PasswordPolicy> {
                self.pending.data.policy()
            }

            /// The text of `data`, verbatim; `None` if it was null or absent. Of a text over 16 KiB only the policy is kept.
            #[must_use]
            pub fn data(&self) -> Option<&str> {
                self.pending.data.raw()
            }

            /// Changes the password. Each wrong old password counts against the account, everywhere.
            ///
            /// When no attempt is left the account is locked for every application of the tenant:
            /// [`Refusal::attempts_left`](crate::Refusal::attempts_left) says how many are left, if the tenant does.
            ///
            /// Both passwords are sent exactly as given, in plain text inside TLS. A new password that the tenant does not accept
            /// hands the stage back in [`Recovery::Retry`](crate::Recovery::Retry). After
            /// [`Recovery::Unresolved`](crate::Recovery::Unresolved) the new password may be in force already: let the user log
            /// in again, and try the new one first.
            ///
            /// ```
            /// use idaas_login::{Outcome, Recovery};
            ///
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// // Too short for this tenant's policy: the stage is handed back.
            /// let failed = stage.change_password("correct horse", "horse").send().unwrap_err();
            /// let Recovery::Retry(stage) = failed.into_recovery() else { panic!("nothing was carried out") };
            ///
            /// let outcome = stage.change_password("correct horse", "battery staple").send()?;
            /// assert!(matches!(outcome, Outcome::Authenticated(_)));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// Page: [Force change password](https://open.bccastle.com/en/development/ciam/api/v2/sdk/web-application/force-change-password.html).
            ///
            /// # Errors
            /// From [`send`](Step::send): any of [`Error`](crate::Error)'s. An empty password is refused before anything is
            /// sent.
            pub fn change_password(
                self,
                old_password: impl AsRef<str>,
                new_password: impl AsRef<str>,
            ) -> Step<Self, Outcome<O>> {
                let values = [old_password.as_ref(), new_password.as_ref()];
                Step::new(self, $change, &values)
            }

            /// Asks for the mobile number that the account has, to be shown to the user and to be handed to
            /// [`phone`](Self::phone).
            ///
            /// EIAM alone documents it.
            ///
            /// ```
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// let mobile = stage.registered_mobile().send()?;
            /// assert_eq!(mobile.expose(), "+86-15201657312");
            /// let stage = stage.phone(mobile);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// Page: [Mobile number by state token](https://open.bccastle.com/en/development/eiam/userapi/captcha/mobile-by-token.html).
            ///
            /// # Errors
            /// From [`send`](Call::send): any of [`Error`](crate::Error)'s. Another edition is
            /// [`Unsupported`](crate::Error::Unsupported), before anything is sent.
            pub fn registered_mobile(&self) -> Call<RegisteredMobile> {
                registered_mobile(&self.pending.context, &self.pending.state_token, $mobile)
            }

            /// Changes the password with a code by SMS in place of the old one. Nothing is sent yet: [`VerifyPhone`] has the
            /// steps.
            ///
            #[doc = $note]
            ///
            /// The code is sent to `mobile`, which has to be the account's: what
            /// [`registered_mobile`](Self::registered_mobile) gave can be handed in as it is. EIAM alone documents it.
            ///
            /// ```
            /// use idaas_login::Outcome;
            ///
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// let stage = stage.phone("15201657312");
            /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
            /// // After `send_code`, the user types the code and a new password.
            /// let outcome = stage.submit(code, "battery staple").send()?;
            /// assert!(matches!(outcome, Outcome::Authenticated(_)));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub fn phone(self, mobile: impl Into<String>) -> VerifyPhone<PasswordExpired<O>> {
                Verify::new($narrowed(self), Zeroizing::new(mobile.into()))
            }

            /// Changes the password with a code by e-mail in place of the old one. Nothing is sent yet: [`VerifyEmail`] has
            /// the steps.
            ///
            #[doc = $note]
            ///
            /// The code is sent to `address`, which has to be the account's. EIAM alone documents it.
            ///
            /// ```
            /// use idaas_login::Outcome;
            ///
            #[doc = concat!("# let (tenant, stage) = ", $example, "?;")]
            /// let stage = stage.email("zhangshan@example.com");
            /// # let code = idaas_login::emulator::examples::code(&tenant, &stage)?;
            /// // After `send_code`, the user types the code and a new password.
            /// let outcome = stage.submit(code, "battery staple").send()?;
            /// assert!(matches!(outcome, Outcome::Authenticated(_)));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub fn email(self, address: impl Into<String>) -> VerifyEmail<PasswordExpired<O>> {
                Verify::new($narrowed(self), Zeroizing::new(address.into()))
            }
        }
    };
}

password_stage!(
    PasswordExpiring,
    &CHANGE_EXPIRING_PASSWORD,
    &EXPIRING_PASSWORD_MOBILE,
    |stage: Self| PasswordExpired::new(stage.pending),
    "It is the decision to change the password: [`back`](Verify::back) leads to [`PasswordExpired`].",
    "idaas_login::emulator::examples::password_expiring()"
);
password_stage!(
    PasswordExpired,
    &CHANGE_EXPIRED_PASSWORD,
    &EXPIRED_PASSWORD_MOBILE,
    std::convert::identity,
    "[`back`](Verify::back) leads here again.",
    "idaas_login::emulator::examples::password_expired()"
);

impl<O: Origin> PasswordExpiring<O> {
    /// Keeps the password until it expires.
    ///
    /// ```
    /// use idaas_login::Outcome;
    ///
    /// # let (tenant, stage) = idaas_login::emulator::examples::password_expiring()?;
    /// let outcome = stage.keep_password().send()?;
    /// assert!(matches!(outcome, Outcome::Authenticated(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Skip the forced change](https://open.bccastle.com/en/development/ciam/api/v2/sdk/web-application/skip-force-change-password.html).
    ///
    /// # Errors
    /// From [`send`](Step::send): any of [`Error`](crate::Error)'s.
    pub fn keep_password(self) -> Step<Self, Outcome<O>> {
        Step::new(self, &KEEP_PASSWORD, &[])
    }
}
