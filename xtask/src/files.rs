//! The files of the repository.

use std::fs;

use support::root;

/// What a generated document has beneath its title.
pub const GENERATED: &str = "<!-- Generated: cargo xtask docs -->\n";

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
