//! What goes over the wire: the endpoints, the requests, the answers.

pub mod endpoints;
pub(crate) mod flows;
pub(crate) mod requests;
pub(crate) mod responses;
mod text;
