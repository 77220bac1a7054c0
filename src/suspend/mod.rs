//! Between requests: a stage put down, and picked up again by any process that has the same tenant and application.

mod any_login;
mod format;
mod kind;
mod resume;
#[cfg(feature = "seal")]
mod sealer;
mod stages;
mod suspended;

pub use self::any_login::AnyLogin;
pub use self::kind::SuspendedKind;
pub use self::resume::{Resumable, Resumed};
#[cfg(feature = "seal")]
pub use self::sealer::{SealError, SealKey, SealKeyError, Sealer, UnsealError, UnsealReason};
pub use self::suspended::{ResumeError, ResumeReason, Suspended};
