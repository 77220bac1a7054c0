//! A verifier that is made for each request is noticed: in the log, once.
//!
//! The logger is that of the whole process, so this test has a process of its own.
#![cfg(feature = "verify")]

use std::sync::Mutex;

use idaas_login::{IdToken, IdTokenVerifier, Request};
use support::response;

static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Recorder;

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        RECORDS.lock().unwrap().push(format!("{} {}: {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

#[test]
fn a_verifier_per_request_is_noticed() {
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let client = support::client(|_: Request| Ok(response(404, "")));
    let token = IdToken::from_text("eyJhbGciOiJSUzI1NiJ9.e30.AAAA");
    let verifier = || IdTokenVerifier::new(&client).unwrap();

    // One that serves several users; one that is made and never used; handles of one cache.
    for _ in 0..10 {
        let shared = verifier();
        for handle in [shared.clone(), shared] {
            assert!(handle.verify(&token).is_err());
        }
        drop(verifier());
    }
    assert!(verifier().verify(&token).is_err());
    assert!(verifier().verify(&token).is_err());
    assert_eq!(*RECORDS.lock().unwrap(), [""; 0]);

    assert!(verifier().verify(&token).is_err());
    assert_eq!(RECORDS.lock().unwrap().len(), 1, "the third");
    for _ in 0..10 {
        assert!(verifier().verify(&token).is_err());
    }
    let records = RECORDS.lock().unwrap().clone();
    assert_eq!(records.len(), 1, "{records:?}");
    assert!(records[0].starts_with("WARN idaas_login: several key caches were dropped"), "{records:?}");
    assert!(records[0].contains("one IdTokenVerifier per client"), "{records:?}");
}
