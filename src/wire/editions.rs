//! What differs between the editions of the server, and the one reader of it.

use std::fmt;

use super::kinds::{Credential, EditionKind, SendType};

impl EditionKind {
    /// The media type of a request's body.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Ciam | Self::Eiam => "application/json",
            Self::OneAccess => "application/json;charset=utf8",
        }
    }

    /// The header that carries a session token: the pages of CIAM print it without `X-`, those of EIAM with it.
    #[must_use]
    pub const fn session_header(self) -> &'static str {
        match self {
            Self::Ciam => "session-token",
            Self::Eiam | Self::OneAccess => "x-session-token",
        }
    }
}

impl fmt::Display for EditionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ciam => "CIAM",
            Self::Eiam => "EIAM",
            Self::OneAccess => "OneAccess",
        })
    }
}

/// The edition column of a row: how each edition has it, or `None` if it does not have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Editions {
    /// In CIAM.
    pub ciam: Option<InEdition>,
    /// In EIAM.
    pub eiam: Option<InEdition>,
    /// In OneAccess.
    pub one_access: Option<InEdition>,
}

/// How an edition has a row: where that is written, and what differs from the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InEdition {
    /// Where it is written.
    pub source: Source,
    /// The path, if it is not the row's.
    pub path: Option<&'static str>,
    /// The send type, if it is not the row's.
    pub send_type: Option<SendType>,
    /// The credential, if it is not the row's.
    pub credential: Option<Credential>,
}

/// Why a row holds for an edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A page of the edition's own documentation, by its address.
    Page(&'static str),
    /// The edition has no page for it. A [decision](crate::manual::decisions), by its name, takes it for another edition's.
    Decision(&'static str),
}

/// What a row sends to a tenant of one edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// Where that is written.
    pub source: Source,
    /// The path, absolute.
    pub path: &'static str,
    /// The token that the request carries.
    pub credential: Credential,
    /// The type that belongs to the verification code in the request.
    pub send_type: Option<SendType>,
}

impl InEdition {
    /// As the row, by the edition's own page.
    #[allow(clippy::unnecessary_wraps)] // It is a column, which may be empty.
    pub(super) const fn page(address: &'static str) -> Option<Self> {
        Some(Self { source: Source::Page(address), path: None, send_type: None, credential: None })
    }

    /// As the row, by a decision.
    #[allow(clippy::unnecessary_wraps)] // It is a column, which may be empty.
    pub(super) const fn decided(name: &'static str) -> Option<Self> {
        Some(Self { source: Source::Decision(name), path: None, send_type: None, credential: None })
    }
}

impl Editions {
    pub(super) const fn of(&self, edition: EditionKind) -> Option<&InEdition> {
        match edition {
            EditionKind::Ciam => self.ciam.as_ref(),
            EditionKind::Eiam => self.eiam.as_ref(),
            EditionKind::OneAccess => self.one_access.as_ref(),
        }
    }
}
