//! What a suspended value holds, by its kind.

use std::fmt;

use crate::wire::endpoints::{Platform, StageKind};

/// What a suspended value holds: a stage, and whether the step from it is unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspendedKind {
    /// The stage.
    pub stage: StageKind,
    /// The mini program that the login came through; `None` for a finished login.
    pub platform: Option<Platform>,
    /// Whether it is an [`Unresolved`](crate::Unresolved) step of that stage.
    pub unresolved: bool,
}

impl SuspendedKind {
    /// The kind of a stage.
    pub(super) fn of(stage: StageKind, platform: Option<Platform>) -> Self {
        Self { stage, platform, unresolved: false }
    }
}

impl fmt::Display for SuspendedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unresolved {
            f.write_str("Unresolved ")?;
        }
        write!(f, "{}", self.stage)?;
        match self.platform {
            Some(platform) => write!(f, " through {platform:?}"),
            None => Ok(()),
        }
    }
}
