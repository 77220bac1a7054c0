//! What has to hold for any input, as functions from bytes: one for each fuzz target.
//!
//! The files in `fuzz_targets/` hand them to libFuzzer. The crate's tests include this file, too, and replay the seeds and
//! `regressions/` without libFuzzer. So nothing in here depends on it, and modules name each other by `super`.

mod calls;
mod emulator;
mod inputs;
mod keys;
mod leaks;
mod model;
mod responses;
mod seal;
pub mod seeds;
mod suspended;
mod tokens;

pub use self::calls::{captcha, captcha_token, mobile, send_code};
pub use self::emulator::emulator;
pub use self::inputs::inputs;
pub use self::keys::key_set;
pub use self::responses::{outcome, renewed};
pub use self::seal::sealed;
pub use self::suspended::suspended;
pub use self::tokens::{id_token, jws};

/// A fuzz target: its name, and what has to hold.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("outcome", outcome),
    ("send_code", send_code),
    ("mobile", mobile),
    ("captcha_token", captcha_token),
    ("captcha", captcha),
    ("renewed", renewed),
    ("key_set", key_set),
    ("jws", jws),
    ("id_token", id_token),
    ("sealed", sealed),
    ("suspended", suspended),
    ("emulator", emulator),
    ("inputs", inputs),
];
