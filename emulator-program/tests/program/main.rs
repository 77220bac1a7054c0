//! The program as it is used: started, configured, called over HTTP, and described by its documents.

mod arguments;
mod configuration;
mod control;
mod page;
mod start;
mod tenant;
mod wrong_clients;
