//! The span of a step: what it says, that there is one for each step and each side call, and that nothing else is said.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use idaas_login::endpoints;
use idaas_login::{Outcome, Request, Response, TransportError};
use support::spans::Recorder;
use support::{SOCIAL_BIND, SUCCESS, client, device, response};

/// The lines of what `work` does. Every span that began has ended, and nothing but spans was said.
fn spans(work: impl FnOnce()) -> Vec<String> {
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), work);
    assert_eq!(recorder.0.open.load(Ordering::SeqCst), 0, "a span without end");
    assert!(recorder.0.events.lock().unwrap().is_empty(), "{:?}", recorder.0.events);
    let lines = recorder.0.lines.lock().unwrap();
    lines.clone()
}

/// The last line: the step itself, after the login that led to its stage.
fn step(row: &'static endpoints::Endpoint, answer: fn() -> Result<Response, TransportError>) -> String {
    let lines = spans(|| drop(support::run_row(row, support::edition(row), Arc::new(move |_| answer()))));
    let line = lines.last().unwrap();
    let names = format!("stage={} step={:?} endpoint={} {}", row.from, row.step, row.verb, row.path);
    assert!(line.contains(&names), "{line}");
    line.clone()
}

#[test]
fn each_step_has_a_span_that_says_what_came_of_it() {
    let answers: [fn() -> Result<Response, TransportError>; 6] = [
        || Ok(response(200, SUCCESS)),
        || {
            Ok(response(
                400,
                r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"Zhang San, state_token"}"#,
            ))
        },
        || Ok(response(200, r#"{"status":"Zhang San"}"#)),
        || Ok(response(400, r#"{"error_code":"Zhang San","error_msg":"13800138000"}"#)),
        || Err(TransportError::not_sent("Zhang San is offline")),
        || Err(TransportError::maybe_sent("Zhang San was cut off")),
    ];
    let mut text = String::new();
    for row in endpoints::ALL.iter().copied() {
        for answer in answers {
            writeln!(text, "{}", step(row, answer)).unwrap();
        }
    }
    for secret in
        ["Zhang", "13800138000", support::STATE_TOKEN, support::SESSION_TOKEN, support::MOBILE, "232326"]
    {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    snapshot!("errors", "spans", text);
}

#[test]
fn what_was_not_sent_has_a_span_too() {
    let client = client(support::always(200, SOCIAL_BIND));
    let lines = spans(|| {
        let Err(_) = client.login(device()).wechat_mini_program("").send() else { panic!("an empty code") };
    });
    assert_eq!(
        lines,
        ["INFO idaas_login step: stage=Unauthenticated step=\"wechat_mini_program\" \
          endpoint=POST /api/v2/sdk/login/wechat-miniprogram error=\"invalid input\" recovery=\"Retry\" \
          duration_us=[time]"]
    );
}

/// The span of a step that is driven by hand is open until its response is read, or given up.
#[test]
fn the_span_lasts_as_long_as_the_step() {
    let recorder = Recorder::default();
    let open = || recorder.0.open.load(Ordering::SeqCst);
    let client = client(support::always(200, SOCIAL_BIND));
    tracing::subscriber::with_default(recorder.clone(), || {
        let step = client.login(device()).wechat_mini_program("091z");
        assert_eq!(open(), 0, "a step that is not sent has no span");
        let (_, in_flight) = step.into_request().unwrap();
        assert_eq!(open(), 1);
        let Ok(Outcome::PendingBind(stage)) = in_flight.receive(Ok(response(200, SOCIAL_BIND))) else {
            panic!("the answer leads to a bind")
        };
        assert_eq!(open(), 0);
        let (_, in_flight) = stage.wechat_mobile("6213").into_request().unwrap();
        assert_eq!(open(), 1);
        drop(in_flight);
        assert_eq!(open(), 0);
    });
    let lines = recorder.0.lines.lock().unwrap();
    assert!(lines[0].contains("leads_to=PendingBind"), "{}", lines[0]);
    // Nothing came of it, and that is what the span says.
    assert!(lines[1].ends_with("/social/wechat-mobile-bind"), "{}", lines[1]);
}

#[test]
fn what_the_transport_says_is_within_the_span() {
    let recorder = Recorder::default();
    let within = recorder.clone();
    let client = client(move |_: Request| {
        assert_eq!(within.0.entered.load(Ordering::SeqCst), 1);
        Ok(response(200, SOCIAL_BIND))
    });
    tracing::subscriber::with_default(recorder.clone(), || {
        assert!(client.login(device()).wechat_mini_program("091z").send().is_ok());
        assert_eq!(recorder.0.entered.load(Ordering::SeqCst), 0);
    });
}
