//! The manual: its chapters are the documents, and its links lead somewhere, on the repository's pages and in rustdoc.
//!
//! A chapter links by reference: `[failure]`, with `[failure]: failure.md` at its end. `src/manual.rs` puts a definition of its own
//! before that, which is the one that counts in rustdoc; `cargo doc` with warnings denied sees to it that it leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use idaas_login::endpoints;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The chapters, by their documents.
fn chapters() -> BTreeMap<String, String> {
    let source = read("src/manual.rs");
    let (_, list) = source.split_once("\nchapters! {").expect("the list of chapters");
    let (list, _) = list.split_once("\n}").unwrap();
    let mut chapters = BTreeMap::new();
    for line in list.lines() {
        if let Some((name, rest)) = line.trim().split_once(" = \"")
            && let Some(file) = rest.strip_suffix("\";")
        {
            chapters.insert(file.to_owned(), name.to_owned());
        }
    }
    assert!(chapters.len() >= 10, "src/manual.rs: only {chapters:?} were found");
    chapters
}

/// Where rustdoc is told to lead each link.
fn paths() -> BTreeMap<String, String> {
    let source = read("src/manual.rs");
    let lines = source.lines().filter_map(|line| line.trim().strip_prefix("\"[")?.strip_suffix("\\n\","));
    lines
        .filter_map(|line| line.split_once("]: "))
        .map(|(name, to)| (name.to_owned(), to.to_owned()))
        .collect()
}

/// A document without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The definitions at the end of a document, by name.
fn definitions(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ")).collect()
}

/// The links of a document: `[name]`, or `[text][name]`.
fn links(text: &str) -> BTreeSet<String> {
    let is_definition = |line: &&str| line.starts_with('[') && line.contains("]: ");
    let text: Vec<_> = text.lines().filter(|line| !is_definition(line)).collect();
    let text = text.join("\n");
    let names = text.split('[').skip(1).filter_map(|piece| piece.split_once(']'));
    // What has its target behind it is another kind of link.
    let words = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ");
    names.filter(|(_, rest)| !rest.starts_with('(')).map(|(name, _)| words(name)).collect()
}

#[test]
fn every_link_leads_to_the_same_place_in_the_repository_and_in_rustdoc() {
    let (chapters, paths) = (chapters(), paths());
    let mut count = 0;
    for file in chapters.keys() {
        let text = prose(&read(&format!("docs/{file}")));
        for inline in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(
                inline.starts_with('#') || inline.starts_with("https://"),
                "docs/{file}: ]({inline}) leads nowhere in rustdoc: write [name], and [name]: {inline} at the end"
            );
        }
        let (defined, links) = (definitions(&text), links(&text));
        for (name, target) in &defined {
            let path =
                paths.get(*name).unwrap_or_else(|| panic!("src/manual.rs does not say where [{name}] leads"));
            assert!(
                root().join("docs").join(target).exists(),
                "docs/{file}: [{name}]: {target} is not there"
            );
            assert!(links.contains(*name), "docs/{file}: [{name}] is defined and not used: {links:?}");
            if let Some(chapter) = chapters.get(*target) {
                assert_eq!(
                    *path,
                    format!("crate::manual::{chapter}"),
                    "[{name}]: {target}, from docs/{file}"
                );
            } else {
                // The reference is in rustdoc stage by stage, each on its own page.
                let elsewhere = target.starts_with("../src/") || *target == "reference.md";
                assert!(elsewhere, "docs/{file}: [{name}]: {target} is no chapter");
            }
            count += 1;
        }
        for link in links.iter().filter(|link| paths.contains_key(*link)) {
            assert!(defined.contains_key(&**link), "docs/{file}: [{link}] is not defined at the end");
        }
    }
    assert!(count >= 15, "only {count} links were found");
}

#[test]
fn links_are_told_from_other_brackets() {
    let text = "See [failure], [the\nstages][stages], [from\n  raw HTTP] and [that](#there).\n\n[failure]: failure.md\n";
    let found = links(text);
    assert!(["failure", "stages", "from raw HTTP"].iter().all(|name| found.contains(*name)), "{found:?}");
    assert!(!found.contains("that"), "{found:?}");
    assert_eq!(definitions(text).into_iter().collect::<Vec<_>>(), [("failure", "failure.md")]);
}

/// What a request is made of has a row in the table of pieces: every path, every field, every header.
#[test]
fn every_piece_of_a_request_is_in_the_table() {
    let document = read("docs/from-raw-http.md");
    let (_, table) = document.split_once("<!-- pieces:").unwrap();
    let (table, _) = table.split_once("<!-- /pieces -->").unwrap();
    for row in endpoints::ALL {
        let sends = format!("`{} {}`", row.verb, row.path);
        let line = table.lines().find(|line| line.contains(&sends));
        let line = line.unwrap_or_else(|| panic!("docs/from-raw-http.md, the table of pieces: no {sends}"));
        for field in row.fields {
            assert!(line.contains(&format!("`{}`", field.name)), "{sends}: no {}: {line}", field.name);
        }
        assert!(line.contains(&format!("{}(", row.step)), "{sends}: no {}: {line}", row.step);
    }
    let source = read("src/wire/requests.rs");
    let headers: Vec<_> = source.split("HeaderName::from_static(\"").skip(1).collect();
    assert!(headers.len() >= 9, "{headers:?}");
    for header in headers {
        let header = header.split('"').next().unwrap();
        assert!(table.to_lowercase().contains(&format!("`{header}`")), "the table of pieces: no {header}");
    }
}

#[test]
fn the_readme_lists_every_chapter() {
    let readme = read("README.md");
    for file in chapters().keys() {
        assert!(readme.contains(&format!("](docs/{file})")), "README.md does not link docs/{file}");
    }
}
