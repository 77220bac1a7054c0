//! The manual: its chapters are the documents, and its links lead somewhere, on the repository's pages and in rustdoc.
//!
//! A chapter links by reference: `[failure]`, with `[failure]: failure.md` at its end. The crate's module of the manual puts a
//! definition of its own before that, which is the one that counts in rustdoc; `cargo xtask rustdoc` sees to it that it leads
//! somewhere.

use std::collections::{BTreeMap, BTreeSet};

use idaas_login::Edition;
use idaas_login::endpoints;
use support::root;
use xtask::documents::chapters;
use xtask::files::read;

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
fn every_link_of_a_chapter_leads_to_a_chapter() {
    let chapters = chapters();
    let mut targets: BTreeMap<String, String> = BTreeMap::new();
    for file in &chapters {
        let text = prose(&read(&format!("docs/{file}")));
        for (name, target) in definitions(&text) {
            let first = targets.entry(name.to_owned()).or_insert_with(|| target.to_owned());
            assert_eq!(*first, target, "docs/{file}: [{name}] leads elsewhere in another chapter");
        }
    }
    assert!(targets.len() >= 10, "only {targets:?} were found");
    for file in &chapters {
        let text = prose(&read(&format!("docs/{file}")));
        for inline in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(
                inline.starts_with('#') || inline.starts_with("https://"),
                "docs/{file}: ]({inline}) leads nowhere in rustdoc: write [name], and [name]: {inline} at the end"
            );
        }
        let (defined, links) = (definitions(&text), links(&text));
        for (name, target) in &defined {
            assert!(
                root().join("docs").join(target).exists(),
                "docs/{file}: [{name}]: {target} is not there"
            );
            assert!(links.contains(*name), "docs/{file}: [{name}] is defined and not used: {links:?}");
            // The reference is in rustdoc stage by stage, each on its own page.
            let known = chapters.iter().any(|chapter| chapter == target)
                || target.starts_with("../src/")
                || *target == "reference.md";
            assert!(known, "docs/{file}: [{name}]: {target} is no chapter");
        }
        for link in links.iter().filter(|link| targets.contains_key(*link)) {
            assert!(defined.contains_key(&**link), "docs/{file}: [{link}] is not defined at the end");
        }
    }
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
    let isv = Edition::OneAccessIsv { tenant_id: "a tenant".to_owned() };
    let editions = [Edition::Ciam, Edition::Eiam, Edition::OneAccess, isv];
    let headers: BTreeSet<String> = endpoints::ALL
        .iter()
        .flat_map(|row| editions.iter().map(move |edition| (row, edition)))
        .filter(|(row, edition)| support::is_supported(row, edition))
        .map(|(row, edition)| support::request_of(row, edition.clone()))
        .flat_map(|request| request.headers().keys().map(ToString::to_string).collect::<Vec<_>>())
        .collect();
    assert!(headers.len() >= 9, "{headers:?}");
    for header in headers {
        assert!(table.to_lowercase().contains(&format!("`{header}`")), "the table of pieces: no {header}");
    }
}

#[test]
fn the_readme_lists_every_chapter() {
    let readme = read("README.md");
    for file in chapters() {
        assert!(readme.contains(&format!("](docs/{file})")), "README.md does not link docs/{file}");
    }
}
