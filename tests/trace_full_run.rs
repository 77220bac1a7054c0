//! What is traced, at whatever level, of a run of everything: nothing secret.
//!
//! The subscriber is that of the whole process, so this test has a process of its own.
#![cfg(all(feature = "ureq", feature = "verify", feature = "seal"))]

use std::sync::atomic::Ordering;

use idaas_login::endpoints;
use support::markers::Search;
use support::spans::Recorder;

#[test]
fn nothing_that_is_traced_of_a_run_of_everything_has_a_secret_in_it() {
    let recorder = Recorder::default();
    tracing::subscriber::set_global_default(recorder.clone()).unwrap();
    support::full_run::run().assert_clean();

    let lines = recorder.0.lines.lock().unwrap();
    let events = recorder.0.events.lock().unwrap();
    let search = Search::new();
    for line in lines.iter().chain(&*events) {
        let found = search.found_in(line);
        assert!(found.is_empty(), "{found:?} was traced: {line}");
    }
    // A recorder that records nothing proves nothing.
    for row in endpoints::ALL {
        let names = format!("stage={} step={:?} ", row.from, row.step);
        assert!(lines.iter().any(|line| line.contains(&names)), "no span: {names}");
    }
    assert_eq!(recorder.0.open.load(Ordering::SeqCst), 0, "a span without end");
}
