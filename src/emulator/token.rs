//! The kinds of tokens that the tenant makes.

/// What kind of token the tenant makes; see [`Emulator::with_tokens`](super::Emulator::with_tokens).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A state token.
    State,
    /// A session token.
    Session,
    /// An identity token.
    Id,
}
