//! What is logged: at the level TRACE, ureq's protocol layer writes requests and answers whole. Then nothing is sent.
//!
//! The logger is that of the whole process, so this test has a process of its own.
#![cfg(feature = "ureq")]

mod support;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use idaas_login::emulator::{Emulator, User};
use idaas_login::{Error, Outcome, Recovery, Sent};
use support::device;

/// Writes everything at the level TRACE; what ureq's protocol layer says only if told so.
struct Recorder {
    everything: AtomicBool,
    text: Mutex<String>,
}

impl log::Log for Recorder {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        !metadata.target().starts_with("ureq_proto") || self.everything.load(Ordering::SeqCst)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            writeln!(self.text.lock().unwrap(), "{}: {}", record.target(), record.args()).unwrap();
        }
    }

    fn flush(&self) {}
}

static RECORDER: Recorder = Recorder { everything: AtomicBool::new(false), text: Mutex::new(String::new()) };

#[test]
fn nothing_is_sent_while_tokens_would_be_logged() {
    log::set_logger(&RECORDER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan").password("canary-password"));
    let server = tenant.start().unwrap();
    let client = server.client_builder().build().unwrap();
    let log_in = || {
        let code = tenant.wechat_login_code("an-openid");
        client.login(device()).wechat_mini_program(code).send()
    };

    // Everything at TRACE but the protocol layer: a whole login, and no secret in the log.
    let Ok(Outcome::PendingBind(stage)) = log_in() else { panic!("nobody has bound it") };
    let state_token = stage.state_token().expose().to_owned();
    let outcome = stage.username_password("zhangshan", "canary-password").send().unwrap();
    let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
    let logged = RECORDER.text.lock().unwrap().clone();
    assert!(logged.contains("ureq"), "the recorder records: {logged}");
    for secret in
        ["canary-password", &state_token, user.session_token().expose(), "156aysdna213sc50", "192.168.1.2"]
    {
        assert!(!logged.contains(secret), "{secret} was logged:\n{logged}");
    }

    // The protocol layer, too: not sent, and the error says what to do.
    RECORDER.everything.store(true, Ordering::SeqCst);
    let before = tenant.ledger().len();
    let failed = log_in().unwrap_err();
    let Error::Transport(error) = failed.error() else { panic!("{failed}") };
    assert_eq!(error.sent(), Sent::No);
    assert!(failed.to_string().contains("filter it to DEBUG"), "{failed}");
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
    assert_eq!(tenant.ledger().len(), before, "nothing arrived");
    RECORDER.everything.store(false, Ordering::SeqCst);
    assert!(log_in().is_ok());
}
