//! Comments, wrapped: rustfmt wraps code alone, unless it is a nightly one.

use std::fs;
use std::path::{Path, PathBuf};

use support::root;

/// Comments may be a little wider than code: they have no second line that is indented.
pub const WIDTH: usize = 132;

/// Each line of a comment that is too wide, unless it cannot be wrapped: an address, the row of a table.
pub fn wide() -> Vec<String> {
    let mut files = Vec::new();
    for folder in [
        "src",
        "emulator-program",
        "tests",
        "xtask",
        "examples",
        "fuzz/src",
        "fuzz/fuzz_targets",
        "peers/src",
        "peers/benches",
    ] {
        rust_files(&root().join(folder), &mut files);
    }
    files.sort();
    let mut wide = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let comment = line.trim_start();
            let can_be_wrapped = !comment.contains("https://") && !comment.contains(" | ");
            let is_wide = comment.starts_with("//") && line.chars().count() > WIDTH;
            if is_wide && can_be_wrapped && !is_in_text(&text, number) {
                let name = path.strip_prefix(root()).unwrap_or(&path);
                wide.push(format!("{}:{}: {} columns", name.display(), number + 1, line.chars().count()));
            }
        }
    }
    wide
}

/// Whether the line belongs to a text of several lines and is no comment at all.
fn is_in_text(text: &str, number: usize) -> bool {
    let before: String = text.lines().take(number).collect::<Vec<_>>().join("\n");
    before.matches("r#\"").count() > before.matches("\"#").count()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
