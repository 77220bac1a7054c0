//! What goes over the wire, as data where it can be: endpoints, statuses, error codes, headers, bodies, responses.

pub(crate) mod body;
pub(crate) mod codes;
mod editions;
pub mod endpoints;
mod fields;
pub(crate) mod flows;
pub(crate) mod headers;
pub(crate) mod kinds;
mod listed;
pub(crate) mod responses;
mod status;
mod text;
