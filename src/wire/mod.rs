//! What goes over the wire, as data where it can be: endpoints, statuses, error codes, headers, bodies, responses.

pub(crate) mod body;
pub mod codes;
pub(crate) mod countries;
mod editions;
pub mod endpoints;
mod fields;
pub(crate) mod flows;
pub(crate) mod headers;
mod hints;
pub(crate) mod kinds;
pub(crate) mod listed;
pub(crate) mod policy;
pub(crate) mod responses;
mod status;
mod text;
