//! Secrets stay secret: a run of everything with a marker in every input, and no marker in any `Debug`, `Display`, error
//! chain or panic message.
//!
//! What is logged of the same run is for another test, `log`, which has a process of its own.
#![cfg(all(feature = "ureq", feature = "verify", feature = "seal"))]

use std::collections::BTreeSet;

use idaas_login::Request;
use support::markers::{self, MARKS, Search};
use support::printed_types::{NOT_PRINTED, PRINTED, PRINTED_WITH_TEXT};

#[test]
fn nothing_that_is_printed_of_a_run_of_everything_has_a_secret_in_it() {
    let printed = support::full_run::run();
    printed.assert_clean();
    assert_every_public_type_was_printed(&printed.debugged(), &printed.displayed());
}

/// Whether what the lists say of each type is so.
fn assert_every_public_type_was_printed(debugged: &BTreeSet<String>, displayed: &BTreeSet<String>) {
    let missing: Vec<_> = PRINTED.iter().filter(|name| !debugged.contains(**name)).collect();
    assert!(missing.is_empty(), "not printed by the run: {missing:?}");
    let missing: Vec<_> = PRINTED_WITH_TEXT.iter().filter(|name| !displayed.contains(**name)).collect();
    assert!(missing.is_empty(), "not printed as text by the run: {missing:?}");
    let printed: Vec<_> = NOT_PRINTED.iter().filter(|(name, _)| debugged.contains(*name)).collect();
    assert!(printed.is_empty(), "printed after all: {printed:?}");
}

/// What the documentation of `Transport` says of a request that is printed whole: its body stands there as a list of
/// numbers, and nothing else that is secret.
#[test]
fn a_request_that_is_printed_whole_shows_its_body_as_numbers_and_no_header() {
    let printed = support::full_run::empty();
    let messages =
        support::full_run::panicking(&printed, |request: Request| panic!("cannot send {request:?}"));
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
        for (form, written) in markers::forms(text) {
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
