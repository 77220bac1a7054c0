//! An IDaaS tenant for development and tests.
//!
//! [`Emulator`] keeps users, codes, state tokens and sessions, answers like a tenant, and refuses what the pages say a
//! tenant refuses. In process it is a [`Transport`](crate::Transport); [`start`](Emulator::start) puts it behind real HTTP on
//! this machine.
//!
//! ```
//! use idaas_login::emulator::{Emulator, User};
//! use idaas_login::{Device, Outcome};
//!
//! let tenant = Emulator::new();
//! tenant.add_user(User::new("zhangshan").password("correct horse"));
//!
//! let device = Device::new("iOS 18.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone)")?;
//! let login = tenant.client()?.login(device);
//! let Outcome::PendingBind(stage) = login.wechat_mini_program(tenant.wechat_login_code("an-openid")).send()? else {
//!     panic!("nobody has bound this identity yet");
//! };
//! let Outcome::Authenticated(user) = stage.username_password("zhangshan", "correct horse").send()? else {
//!     panic!("the password is right");
//! };
//! assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangshan"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Its tokens and codes are not secret: they come from a counter. Never put it where somebody else can reach it.
//!
//! Where the pages are silent it had to choose: [the choices](crate::manual::testing#other-choices-where-the-pages-are-silent).

mod emulated;
#[doc(hidden)]
pub mod examples;
mod ledger;
mod puzzle;
pub mod reserved;
mod server;
mod settings;
mod signing;
mod tenant;
mod token;
mod user;

pub use self::emulated::Emulator;
pub use self::ledger::{Effect, Entry, Fault, Handled, SeenRequest};
pub use self::server::EmulatorServer;
pub use self::settings::{ClaimsLayout, DataForm, Settings, Unbound};
pub use self::token::TokenKind;
pub use self::user::User;
