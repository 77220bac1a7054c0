//! What goes over the wire: the endpoints, the requests, the answers.

pub(crate) mod body;
pub mod endpoints;
pub(crate) mod flows;
pub(crate) mod headers;
pub(crate) mod responses;
mod text;
