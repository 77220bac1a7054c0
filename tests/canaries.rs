//! Secrets stay secret: a run of everything with a marker in every input, and no marker in any `Debug`, `Display`, error
//! chain or panic message.
//!
//! What is logged of the same run is for tests/log.rs, which has a process of its own.
#![cfg(all(feature = "ureq", feature = "verify", feature = "seal"))]

#[path = "support/everything.rs"]
mod everything;
#[path = "support/marks.rs"]
mod marks;
#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use idaas_login::Request;
use marks::{MARKS, Search};

#[test]
fn nothing_that_is_printed_of_a_run_of_everything_has_a_secret_in_it() {
    let printed = everything::run();
    printed.assert_clean();
    assert_every_public_type_was_printed(&printed.debugged(), &printed.displayed());
}

/// What no test can print, or what prints what it is told on purpose.
const NOT_PRINTED: &[(&str, &str)] = &[
    ("WeChat", "has no value"),
    ("Alipay", "has no value"),
    ("Settings", "of the emulator: no secret is in it"),
    ("Unbound", "of the emulator: names alone"),
    ("DataForm", "of the emulator: what a test wants to be answered"),
    ("ClaimsLayout", "of the emulator: names alone"),
    ("TokenKind", "of the emulator: names alone"),
    ("User", "of the emulator: prints the user name that a test gave, see below"),
    ("Fault", "of the emulator: what a test wants to be answered"),
    ("Entry", "of the emulator: tells a test what was done, to whom"),
    ("Effect", "of the emulator: tells a test what was done, to whom"),
];

/// A public type that is not part of the run fails this by its name.
fn assert_every_public_type_was_printed(debugged: &BTreeSet<String>, displayed: &BTreeSet<String>) {
    let source = source();
    let public = public_types(&source);
    assert!(public.len() > 70, "the list is read from the source: {public:?}");
    let excused: BTreeSet<String> = NOT_PRINTED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> =
        public.iter().filter(|name| !debugged.contains(*name) && !excused.contains(*name)).collect();
    assert!(missing.is_empty(), "public, and not printed by tests/support/everything.rs: {missing:?}");
    let with_text = types_with_text(&source);
    assert!(with_text.len() > 20, "the list is read from the source: {with_text:?}");
    let missing: Vec<_> = with_text
        .intersection(&public)
        .filter(|name| !displayed.contains(*name) && !excused.contains(*name))
        .collect();
    assert!(missing.is_empty(), "public with Display, and not printed by it: {missing:?}");
    let gone: Vec<_> =
        excused.iter().filter(|name| !public.contains(*name) || debugged.contains(*name)).collect();
    assert!(gone.is_empty(), "no such public type, or printed after all: {gone:?}");
}

/// The library's source, all files.
fn source() -> String {
    fn read(path: &Path, text: &mut String) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            if entry.is_dir() {
                read(&entry, text);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(&entry).unwrap());
            }
        }
    }
    let mut text = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    text
}

/// What the crate root exports, and what the public modules have, but for traits and aliases.
fn public_types(source: &str) -> BTreeSet<String> {
    let root = include_str!("../src/lib.rs");
    let exported =
        root.split("pub use self::").skip(1).flat_map(|rest| words(rest.split(';').next().unwrap()));
    let modules = [
        include_str!("../src/wire/endpoints.rs"),
        include_str!("../src/emulator/mod.rs"),
        include_str!("../src/emulator/server.rs"),
    ];
    let defined = modules.iter().flat_map(|module| defined(module, &["pub struct ", "pub enum "]));
    let others: BTreeSet<String> = defined_in(source, &["pub trait ", "pub type "]);
    let is_type = |name: &String| name.starts_with(char::is_uppercase) && !others.contains(name);
    exported.map(str::to_owned).chain(defined).filter(is_type).collect()
}

/// The types that have a text: by an implementation of `Display`, or by thiserror.
fn types_with_text(source: &str) -> BTreeSet<String> {
    let mut types: BTreeSet<String> = source
        .split("fmt::Display for ")
        .skip(1)
        .map(|rest| words(rest).next().unwrap().to_owned())
        .collect();
    for derived in source.split("thiserror::Error)]").skip(1) {
        let of = defined(derived, &["pub struct ", "pub enum "]).into_iter().next();
        // The first definition behind the derive, whichever of the two it is.
        let of = of.expect("thiserror is derived for a type");
        types.insert(of);
    }
    types
}

fn defined_in(source: &str, kinds: &[&str]) -> BTreeSet<String> {
    defined(source, kinds).into_iter().collect()
}

/// The names that are defined, in the order of the lines.
fn defined(source: &str, kinds: &[&str]) -> Vec<String> {
    let lines = source.lines().map(str::trim_start);
    let rest = lines.filter_map(|line| kinds.iter().find_map(|kind| line.strip_prefix(kind)));
    rest.filter_map(|rest| words(rest).next().map(str::to_owned)).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// What the documentation of `Transport` says of a request that is printed whole: its body stands there as a list of
/// numbers, and nothing else that is secret.
#[test]
fn a_request_that_is_printed_whole_shows_its_body_as_numbers_and_no_header() {
    let printed = everything::empty();
    let messages = everything::panicking(&printed, |request: Request| panic!("cannot send {request:?}"));
    let search = Search::new();
    let found: BTreeSet<_> = messages.iter().flat_map(|message| search.found_in(message)).collect();
    let forms: BTreeSet<_> = found.iter().map(|found| found.form).collect();
    assert_eq!(forms, BTreeSet::from(["list of bytes"]), "{found:#?}");
    let marks: BTreeSet<_> = found.iter().map(|found| found.mark).collect();
    assert!(marks.contains("the beginning of the password") && marks.contains("code by SMS"), "{marks:?}");
    for of_a_header in ["state token", "session token", "fingerprint", "device's address"] {
        assert!(!marks.contains(of_a_header), "{of_a_header}");
    }
    // What the library says of the panic, if it says anything, is clean all the same.
    assert_eq!(printed.leaks(), [].into());
}

/// The search proves something only if it finds what is there.
#[test]
fn a_planted_marker_is_found_in_every_form() {
    let search = Search::new();
    for (mark, text) in MARKS {
        for (form, written) in marks::forms(text) {
            let found = search.found_in(&format!("before {written} behind"));
            assert!(found.iter().any(|found| found.mark == *mark), "{mark} as {form}: {written}");
        }
        // As others write it, not as the search itself does.
        let bytes = text.as_bytes();
        for others in [
            format!("{bytes:?}"),
            format!("{bytes:#?}"),
            format!("{bytes:x?}"),
            format!("{:?}", Some(text)),
            serde_json::json!({ "a": [text] }).to_string(),
            encoded(&format!("a{text}")),
            encoded(&format!("ab{text}c")),
            encoded(&format!("abc{text}de")),
        ] {
            let found = search.found_in(&others);
            assert!(found.iter().any(|found| found.mark == *mark), "{mark}: {others}");
        }
    }
    assert_eq!(search.found_in("nothing is here, 1234567890 and [1, 2, 3] and bXkga2V5"), []);
}

fn encoded(text: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(text)
}

/// Two markers that were parts of one another would hide which one was printed.
#[test]
fn no_marker_is_a_part_of_what_is_no_secret() {
    let search = Search::new();
    for innocent in [support::CLIENT_ID, "https://acme.example.com", "zhangshan", env!("CARGO_PKG_NAME")] {
        assert_eq!(search.found_in(innocent), [], "{innocent}");
    }
}
