//! The mini program that a login came through.

use std::fmt;

use crate::wire::endpoints::Platform;

/// The mini program that a login came through. It decides which bind by authorised phone number exists.
///
/// This trait is sealed: [`WeChat`] and [`Alipay`] implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a mini program that a login can come through",
    label = "`WeChat` or `Alipay` is expected here"
)]
pub trait MiniProgram: crate::sealed::Sealed + fmt::Debug + Send + Sync + 'static {
    /// Which one it is.
    const PLATFORM: Platform;
}

/// A WeChat mini program.
#[derive(Debug)]
pub enum WeChat {}

/// An Alipay mini program.
#[derive(Debug)]
pub enum Alipay {}

impl MiniProgram for WeChat {
    const PLATFORM: Platform = Platform::WeChat;
}

impl MiniProgram for Alipay {
    const PLATFORM: Platform = Platform::Alipay;
}

impl crate::sealed::Sealed for WeChat {}

impl crate::sealed::Sealed for Alipay {}
