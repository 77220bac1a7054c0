//! The replaced terms: what the table in `CONTRIBUTING.md` replaced does not slip back into the documents.

use crate::documents::markdown;
use crate::files::read;

/// The replaced terms that are looked for, from the table: those before the mark `<!-- /words -->`.
fn replaced() -> Vec<String> {
    let text = read("CONTRIBUTING.md");
    let table = text.split_once("<!-- words -->").and_then(|(_, rest)| rest.split_once("<!-- /words -->"));
    let (table, _) = table.expect("CONTRIBUTING.md lacks the marks of its table of replaced terms");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.filter_map(|row| row.split('|').nth(1)).map(|term| term.trim().to_lowercase()).collect()
}

/// Where a document has a replaced term, outside of code. `CONTRIBUTING.md` has the table.
pub fn found() -> Vec<String> {
    let replaced = replaced();
    let mut found = Vec::new();
    for (file, text) in markdown() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != "CONTRIBUTING.md" {
            found.extend(found_in(&text, &replaced).into_iter().map(|term| format!("{name}: {term}")));
        }
    }
    found
}

/// Those of the terms that a text has outside of code.
pub fn found_in(text: &str, terms: &[String]) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let prose = prose.split('`').step_by(2).collect::<Vec<_>>().join(".").to_lowercase();
    let words = prose.split(|letter: char| !letter.is_alphanumeric() && letter != '.');
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let prose = format!(" {} ", words.join(" ").replace('.', " . "));
    terms.iter().filter(|term| prose.contains(&format!(" {term} "))).cloned().collect()
}
