//! What is logged: nothing secret of a run of everything, at whatever level. At the level TRACE ureq writes requests, answers
//! and redirects whole; then nothing is sent.
//!
//! The logger is that of the whole process, so this test has a process of its own.
#![cfg(all(feature = "ureq", feature = "verify", feature = "seal"))]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;

use idaas_login::emulator::{Emulator, User};
use idaas_login::{Error, Outcome, Recovery, Sent};
use support::device;
use support::markers::Search;

/// Writes everything at the level TRACE, but for the targets that are filtered to DEBUG.
struct Recorder {
    filtered: Mutex<&'static [&'static str]>,
    text: Mutex<String>,
}

impl log::Log for Recorder {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        metadata.level() < log::Level::Trace || !self.filtered.lock().unwrap().contains(&crate_name)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut text = self.text.lock().unwrap();
            writeln!(text, "{} {}: {}", record.level(), record.target(), record.args()).unwrap();
        }
    }

    fn flush(&self) {}
}

/// What README.md says to filter.
const FILTERED: &[&str] = &["ureq", "ureq_proto"];

static RECORDER: Recorder = Recorder { filtered: Mutex::new(FILTERED), text: Mutex::new(String::new()) };

/// What ureq writes of a response's headers at DEBUG, because a server has no reason to put a secret there. One that echoes
/// what it was sent can.
const INNOCENT: &[(&str, &str)] = &[
    ("server", r#""server": ""#),
    ("content-type", r#""content-type": ""#),
    ("content-encoding", "DEBUG ureq::body: Unknown content-encoding: "),
    ("content-encoding", r#""content-encoding": ""#),
];

/// A line without the values of these headers, and the first of them that there was.
fn without_innocent_headers(line: &str) -> (String, Option<&'static str>) {
    let mut rest = line.to_owned();
    let mut first = None;
    for (name, before) in INNOCENT {
        let Some(begin) = rest.find(before).map(|at| at + before.len()) else { continue };
        // Up to the quote that no backslash is before; of a line without quotes, all of it.
        let value = &rest[begin..];
        let end = value.match_indices('"').find(|(at, _)| !value[..*at].ends_with('\\'));
        let end = end.filter(|_| before.ends_with('"')).map_or(rest.len(), |(at, _)| begin + at);
        rest.replace_range(begin..end, "");
        first = first.or(Some(*name));
    }
    (rest, first)
}

#[test]
fn nothing_secret_is_logged_and_nothing_is_sent_while_it_would_be() {
    log::set_logger(&RECORDER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    // Everything that this crate does, and no secret in the log.
    support::full_run::run().assert_clean();
    let logged = std::mem::take(&mut *RECORDER.text.lock().unwrap());
    let search = Search::new();
    let mut by_a_header = BTreeSet::new();
    let lines: BTreeSet<_> = logged.lines().collect();
    for line in lines.into_iter().filter(|line| !search.found_in(line).is_empty()) {
        let (rest, header) = without_innocent_headers(line);
        by_a_header.extend(header);
        assert_eq!(search.found_in(&rest), [], "in the log: {line}");
    }
    // README.md says so: if ureq writes them no more, it has to say less.
    let innocent = INNOCENT.iter().map(|(name, _)| *name).collect();
    assert_eq!(by_a_header, innocent, "the headers by which a server can write into the log");
    // It was recorded, of each that logs.
    for target in ["DEBUG ureq::run", "DEBUG ureq_proto::client", "TRACE rustls::", "DEBUG ureq::tls"] {
        assert!(logged.contains(target), "nothing of {target} in {} bytes of log", logged.len());
    }
    println!("{} lines", logged.lines().count());

    // At TRACE either of the two would write secrets: not sent, and the error says what to do.
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("a password"));
    let server = tenant.start().unwrap();
    let client = server.client_builder().build().unwrap();
    let log_in = || {
        let code = tenant.wechat_login_code("an-openid");
        client.login(device()).wechat_mini_program(code).send()
    };
    for filtered in [&["ureq"], &["ureq_proto"], &["something else"]] {
        *RECORDER.filtered.lock().unwrap() = filtered;
        let failed = log_in().unwrap_err();
        let Error::Transport(error) = failed.error() else { panic!("{failed}") };
        assert_eq!(error.sent(), Sent::No);
        assert!(format!("{failed:#}").contains("filter them to DEBUG"), "{failed:#}");
        assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
        assert!(tenant.ledger().is_empty(), "nothing arrived");
    }
    *RECORDER.filtered.lock().unwrap() = FILTERED;
    assert!(matches!(log_in(), Ok(Outcome::PendingBind(_))));
}
