//! The accounts of the tenant.

use std::fmt;

/// An account of the tenant.
#[derive(Clone)]
#[allow(clippy::struct_field_names)] // The field's term is user_name.
pub struct User {
    pub(super) user_name: String,
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) password: Option<String>,
    pub(super) mobile: Option<String>,
    pub(super) email: Option<String>,
    pub(super) second_factors: u32,
    pub(super) denied: bool,
    pub(super) password_age: Option<PasswordAge>,
}

/// That a password is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PasswordAge {
    Expiring,
    Expired,
}

impl User {
    /// An account with this user name, and nothing else yet.
    pub fn new(user_name: impl Into<String>) -> Self {
        let user_name = user_name.into();
        Self {
            id: format!("20220425140138519-{user_name}"),
            user_name,
            name: None,
            password: None,
            mobile: None,
            email: None,
            second_factors: 0,
            denied: false,
            password_age: None,
        }
    }

    /// With the name of the person.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With a password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// With a mobile number. `+86-15201657312` and `15201657312` are the same number.
    #[must_use]
    pub fn mobile(mut self, mobile: impl Into<String>) -> Self {
        self.mobile = Some(mobile.into());
        self
    }

    /// With an e-mail address.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Asked for a second factor at each login.
    #[must_use]
    pub fn second_factor(self) -> Self {
        self.second_factors(1)
    }

    /// Asked for so many factors more, one after the other, at each login.
    #[must_use]
    pub fn second_factors(mut self, count: u32) -> Self {
        self.second_factors = count;
        self
    }

    /// With a password that expires soon: `PASSWORD_WARN`, until it is changed.
    #[must_use]
    pub fn password_expiring(mut self) -> Self {
        self.password_age = Some(PasswordAge::Expiring);
        self
    }

    /// With a password that has expired: `PASSWORD_EXPIRED`, until it is changed.
    #[must_use]
    pub fn password_expired(mut self) -> Self {
        self.password_age = Some(PasswordAge::Expired);
        self
    }

    /// Denied whatever is proved: `ACCESS_DENIED` to each step that would log in, bind, or accept a second factor. Sessions that
    /// exist stay good.
    #[must_use]
    pub fn denied(mut self) -> Self {
        self.denied = true;
        self
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("user_name", &self.user_name).finish_non_exhaustive()
    }
}
