use std::marker::PhantomData;

use super::{MiniProgram, Waiting, WeChat, waiting_stage};

/// The first factor was right, and the tenant asks for a second.
///
/// The status `MFA_AUTH` leads here.
pub struct MfaRequired<P: MiniProgram = WeChat> {
    waiting: Waiting,
    platform: PhantomData<fn() -> P>,
}

waiting_stage!(MfaRequired);

impl<P: MiniProgram> MfaRequired<P> {
    /// The text of `data`, verbatim; `None` if it was null or absent. No page says what it holds here.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.waiting.flows.raw()
    }
}
