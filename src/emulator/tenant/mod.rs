//! The tenant: a function from a request and what it knows to a response.

mod captcha;
mod countries;
mod extras;
mod login;
mod password;
mod proof;
mod refusal;
mod registration;
mod requests;
mod session;
mod signature;
mod state;
mod strict;

pub(super) use self::requests::Reply;
pub(super) use self::state::Tenant;
