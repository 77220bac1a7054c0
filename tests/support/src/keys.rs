//! The keys of the emulated tenant, with which a test can sign as it does.

pub const ONE: &[u8] = include_bytes!("../../../src/emulator/keys/1.pk8");
pub const TWO: &[u8] = include_bytes!("../../../src/emulator/keys/2.pk8");
