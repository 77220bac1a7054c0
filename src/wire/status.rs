//! The statuses that the API documents.

use super::kinds::StageKind;
use super::listed::listed;

listed! {
    /// The field `status` of a response: where the login stands.
    ///
    /// The enum is exhaustive: what handles a status handles each of them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    Status {
        /// `SUCCESS`: the login is finished.
        Success = "SUCCESS",
        /// `SOCIAL_BIND`: an existing account must be bound.
        SocialBind = "SOCIAL_BIND",
        /// `USER_REGISTER`: an account must be bound or registered.
        UserRegister = "USER_REGISTER",
        /// `MFA_AUTH`: a second factor is asked for.
        MfaAuth = "MFA_AUTH",
        /// `PASSWORD_WARN`: the password was right, and expires soon.
        PasswordWarn = "PASSWORD_WARN",
        /// `PASSWORD_EXPIRED`: the password was right, and must be changed.
        PasswordExpired = "PASSWORD_EXPIRED",
        /// `ACCESS_DENIED`: the tenant's policy ended the login.
        AccessDenied = "ACCESS_DENIED",
    }
}

impl Status {
    /// The status of this name; `None` for a name that no page documents.
    #[must_use]
    pub fn read(name: &str) -> Option<Self> {
        // One status table prints it without the last S (decision D2).
        if name == "SUCCES" {
            return Some(Self::Success);
        }
        Self::ALL.iter().copied().find(|status| status.as_str() == name)
    }

    /// The stage that it leads to; `None` if it ends the login.
    #[must_use]
    pub const fn stage(self) -> Option<StageKind> {
        match self {
            Self::Success => Some(StageKind::Authenticated),
            Self::SocialBind => Some(StageKind::PendingBind),
            Self::UserRegister => Some(StageKind::PendingRegister),
            Self::MfaAuth => Some(StageKind::MfaRequired),
            Self::PasswordWarn => Some(StageKind::PasswordExpiring),
            Self::PasswordExpired => Some(StageKind::PasswordExpired),
            Self::AccessDenied => None,
        }
    }

    /// Whether it says that a step was carried out.
    pub(crate) const fn is_progress(self) -> bool {
        self.stage().is_some()
    }
}
