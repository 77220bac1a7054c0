//! What seals the traits that users can name and cannot implement.

pub trait Sealed {}
