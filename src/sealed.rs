//! What seals the public traits: users can name them in bounds, and neither implement them nor call their hidden methods.

/// Implemented by the types of this crate alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot implement a sealed trait",
    label = "only the types of `idaas_login` implement it",
    note = "the traits of `idaas_login` that are sealed can be named in bounds"
)]
pub trait Sealed {}

/// Proof that a call comes from inside this crate.
///
/// Nobody outside can name or make one, so a hidden method that asks for it cannot be called from outside, whatever bounds
/// the caller writes. It implements nothing, or inference would make one.
pub struct Inside(());

/// The proof.
pub(crate) const INSIDE: Inside = Inside(());
