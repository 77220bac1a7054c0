//! What a suspended value holds, by its kind.

use std::fmt;

use crate::wire::endpoints::{OriginKind, StageKind};

/// What a suspended value holds: a stage, and whether the step from it is unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspendedKind {
    /// The stage.
    pub stage: StageKind,
    /// How the login began; `None` for a finished login, and for what has no account yet.
    pub origin: Option<OriginKind>,
    /// Whether it is an [`Unresolved`](crate::Unresolved) step of that stage.
    pub unresolved: bool,
}

impl SuspendedKind {
    /// The kind of a stage.
    pub(super) fn of(stage: StageKind, origin: Option<OriginKind>) -> Self {
        Self { stage, origin, unresolved: false }
    }
}

impl fmt::Display for SuspendedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unresolved {
            f.write_str("Unresolved ")?;
        }
        write!(f, "{}", self.stage)?;
        match self.origin {
            Some(origin) => write!(f, " of a login by {origin:?}"),
            None => Ok(()),
        }
    }
}
