//! What the benchmarks in `benches/` share: a server, the clock, and the record that `docs/performance.md` is made from.

pub mod document;
pub mod figures;
pub mod plot;
pub mod record;
pub mod server;
pub mod time;
