//! Login flows in which each stage is its own type: a call at the wrong point of a login does not compile.
//!
//! It speaks the end-user login API of BambooCloud IDaaS (CIAM and EIAM), which Huawei Cloud also sells as OneAccess.
//!
//! - [`Client`] is a tenant, an application and a transport. [`Client::login`] begins a login.
//! - [`Unauthenticated`], [`Registration`], [`PasswordReset`], [`PendingBind`], [`PendingRegister`], [`MfaRequired`],
//!   [`PasswordExpiring`], [`PasswordExpired`], [`VerifyPhone`], [`VerifyEmail`] and [`Authenticated`] are the stages. The page
//!   of each lists its steps, and what each leads to. [`Origin`] is how a login began.
//! - A [`Step`] takes its stage. [`Step::send`] gives an [`Outcome`], or a [`StepError`] that says what happened and, in its
//!   [`Recovery`], what the caller holds now.
//! - A [`Transport`] sends the requests: [`UreqTransport`], or a closure. [`Step::into_request`] and [`InFlight::receive`] drive
//!   a step with any other HTTP client.
//! - [`Suspended`] is a stage put down between two requests; [`Client::resume`] picks it up.
//! - [`endpoints`] is the table that all of it is built from, [`codes`] the table of error codes.
//! - [`manual`] has the chapters: getting started, failure, between requests, testing, moving from raw HTTP.
//!
//! ```
//! use idaas_login::{Client, Device, Outcome};
//! # fn read_response() -> idaas_login::Response {
//! #     idaas_login::http::Response::new(br#"{"status":"SOCIAL_BIND","state_token":"eyJhbGci"}"#.to_vec())
//! # }
//!
//! # let transport = |_: idaas_login::Request| Ok(read_response());
//! // A closure is a transport. In production, build() takes UreqTransport.
//! let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4").build_with(transport)?;
//! let device = Device::new("iOS 18.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone)")?;
//!
//! match client.login(device).wechat_mini_program("091zQTFa1i6qMC02AWFa1Vzt0O0zQTF8").send()? {
//!     Outcome::Authenticated(user) => println!("a session for {:?}", user.expires_in()),
//!     Outcome::PendingBind(stage) => println!("an account must be bound by {:?}", stage.allowed_flows()),
//!     Outcome::PendingRegister(stage) => println!("bound or registered by {:?}", stage.allowed_flows()),
//!     Outcome::MfaRequired(_) => println!("a second factor is due"),
//!     Outcome::PasswordExpiring(_) => println!("the password can be changed or kept"),
//!     Outcome::PasswordExpired(_) => println!("the password must be changed"),
//! }
//! # Ok::<(), idaas_login::Error>(())
//! ```
//!
//! # Features
//! - `ureq` (default): [`UreqTransport`], blocking HTTPS through ureq and rustls.
//! - `verify` (default): [`IdTokenVerifier`], by `ring`, which rustls brings anyway.
//! - `seal` (default): [`Sealer`], for a suspended stage that travels with the user's device.
//! - `tracing`: a span for each step and each side call, at the level `INFO`, with names and numbers and nothing of the user:
//!   `stage`, `step`, `endpoint`, `http_status`, `leads_to`, `error` (its kind), `error_code`, `recovery`, `duration_us`. A step
//!   driven by hand has its span from [`Step::into_request`] to [`InFlight::receive`].
//! - `signature`: the requests of OneAccess that need a signature: [`Authenticated::logout`], and the renewal of identity tokens
//!   there; [`Client::prepare_signature`]. By the crate `rsa`, in Rust alone.
//! - `emulator`: an IDaaS tenant for tests, in process or over HTTP on this machine: [`Emulator`].
//!
#![cfg_attr(feature = "ureq", doc = "[`UreqTransport`]: crate::UreqTransport")]
#![cfg_attr(not(feature = "ureq"), doc = "[`UreqTransport`]: crate#features")]
#![cfg_attr(feature = "verify", doc = "[`IdTokenVerifier`]: crate::IdTokenVerifier")]
#![cfg_attr(not(feature = "verify"), doc = "[`IdTokenVerifier`]: crate#features")]
#![cfg_attr(feature = "seal", doc = "[`Sealer`]: crate::Sealer")]
#![cfg_attr(not(feature = "seal"), doc = "[`Sealer`]: crate#features")]
#![cfg_attr(feature = "signature", doc = "[`Authenticated::logout`]: crate::Authenticated::logout")]
#![cfg_attr(not(feature = "signature"), doc = "[`Authenticated::logout`]: crate#features")]
#![cfg_attr(feature = "signature", doc = "[`Client::prepare_signature`]: crate::Client::prepare_signature")]
#![cfg_attr(not(feature = "signature"), doc = "[`Client::prepare_signature`]: crate#features")]
#![cfg_attr(feature = "emulator", doc = "[`Emulator`]: crate::emulator::Emulator")]
#![cfg_attr(not(feature = "emulator"), doc = "[`Emulator`]: crate#features")]
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

mod advice;
mod call;
mod captcha;
mod client;
mod context;
mod country_codes;
mod device;
#[cfg(feature = "emulator")]
#[cfg_attr(docsrs, doc(cfg(feature = "emulator")))]
pub mod emulator;
mod error;
mod identity;
#[cfg(any(doc, doctest))]
pub mod manual;
mod sealed;
mod secret;
#[cfg(feature = "signature")]
mod signature;
#[cfg(feature = "signature")]
mod signer;
mod stage;
mod suspend;
mod trace;
mod transport;
mod wire;

pub use http;

pub use self::advice::Advice;
pub use self::call::{Call, CallInFlight, Reply};
pub use self::captcha::{Captcha, CaptchaImage, CaptchaPass};
pub use self::client::{Client, ClientBuilder, Edition, WechatCodeField};
pub use self::country_codes::{CountryCode, CountryCodes};
pub use self::device::Device;
pub use self::error::{
    Error, ErrorClass, ErrorCode, InvalidInput, Refusal, UnexpectedReason, UnexpectedResponse, Unsupported,
};
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub use self::identity::{
    Algorithm, IdTokenVerifier, KeyCache, KeyCacheBuilder, KeyCacheStatus, KeySet, KeySetError,
};
pub use self::identity::{Claims, IdTokenError, MalformedToken};
pub use self::secret::{CaptchaToken, IdToken, SessionToken, StateToken};
#[cfg(feature = "signature")]
#[cfg_attr(docsrs, doc(cfg(feature = "signature")))]
pub use self::signature::{PublicKey, ServerDate};
pub use self::stage::{
    AcceptsCode, Account, AlipayMiniProgram, AnyStage, Authenticated, AwaitingCode, Channel, Email, Gender,
    InFlight, MfaRequired, Next, NotAllowed, Origin, Outcome, PasswordExpired, PasswordExpiring,
    PasswordReset, PendingBind, PendingRegister, Phone, Recovery, RegisteredMobile, Registration,
    RegistrationAttributes, SendsCode, SocialApp, Stage, Step, StepError, Unauthenticated, Unresolved,
    Verify, VerifyEmail, VerifyPhone, WeChatMiniProgram,
};
pub use self::suspend::{AnyLogin, Resumable, ResumeError, ResumeReason, Resumed, Suspended, SuspendedKind};
#[cfg(feature = "seal")]
#[cfg_attr(docsrs, doc(cfg(feature = "seal")))]
pub use self::suspend::{SealError, SealKey, SealKeyError, Sealer, UnsealError, UnsealReason};
pub use self::transport::{Phase, Request, Response, Sent, Transport, TransportError};
#[cfg(feature = "ureq")]
#[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
pub use self::transport::{UreqTransport, UreqTransportBuilder};
pub use self::wire::flows::{AllowedFlows, VerifyMethod};
pub use self::wire::policy::PasswordPolicy;
pub use self::wire::{codes, endpoints};
