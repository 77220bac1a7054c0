//! The replaced terms: what the table in `CONTRIBUTING.md` replaced does not slip back into the documents.

use crate::documents::{markdown, read};

/// The replaced terms that are looked for, from the table: those before the mark `<!-- /words -->`.
fn replaced() -> Vec<String> {
    let text = read("CONTRIBUTING.md");
    let table = text.split_once("<!-- words -->").and_then(|(_, rest)| rest.split_once("<!-- /words -->"));
    let (table, _) = table.expect("CONTRIBUTING.md lacks the marks of its table of replaced terms");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.filter_map(|row| row.split('|').nth(1)).map(|term| term.trim().to_lowercase()).collect()
}

/// Where a document has a replaced term, outside of code.
pub fn found() -> Vec<String> {
    let replaced = replaced();
    let mut found = Vec::new();
    for (file, text) in markdown() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // The table itself, what is generated, and a document that is still to be edited.
        if ["CONTRIBUTING.md", "reference.md", "emulator.md"].contains(&&*name) {
            continue;
        }
        let prose: String = text.split("```").step_by(2).collect();
        let prose: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("``");
        let prose = prose.to_lowercase();
        let words: Vec<_> =
            prose.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let prose = format!(" {} ", words.join(" "));
        for term in replaced.iter().filter(|term| prose.contains(&format!(" {term} "))) {
            found.push(format!("{}: {term}", file.display()));
        }
    }
    found
}
