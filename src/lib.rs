//! Login flows against an IDaaS tenant, in which each stage is its own type: the compiler permits a call only to code that
//! holds what the call needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::todo
)]

mod captcha;
mod client;
mod device;
#[cfg(feature = "emulator")]
#[cfg_attr(docsrs, doc(cfg(feature = "emulator")))]
pub mod emulator;
mod error;
mod secret;
mod stage;
mod step;
mod transport;
mod wire;

pub use http;

pub use self::captcha::{Captcha, CaptchaImage, CaptchaPass};
pub use self::client::{Client, ClientBuilder, Edition, WechatCodeField};
pub use self::device::Device;
pub use self::error::{
    Error, ErrorClass, ErrorCode, InvalidInput, Recovery, Refusal, StepError, UnexpectedAnswer,
    UnexpectedReason, Unresolved,
};
pub use self::secret::{CaptchaToken, IdToken, SessionToken, StateToken};
pub use self::stage::{
    AcceptsCode, Alipay, Authenticated, MfaRequired, MiniProgram, NotAllowed, Outcome, PendingBind,
    PendingRegister, RegisteredMobile, Stage, Unauthenticated, VerifyEmail, VerifyPhone, WeChat,
};
pub use self::step::{Call, CallInFlight, InFlight, Step};
pub use self::transport::{Phase, Request, Response, Sent, Transport, TransportError};
#[cfg(feature = "ureq")]
#[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
pub use self::transport::{UreqTransport, UreqTransportBuilder};
pub use self::wire::endpoints;
pub use self::wire::flows::{AllowedFlows, VerifyMethod};
