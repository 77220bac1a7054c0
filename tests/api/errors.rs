//! What an error tells to code and to people: its fields, and its `Debug` and `Display` in full.

use std::error::Error as _;
use std::fmt::Write as _;

use idaas_login::endpoints::BIND_USERNAME_PASSWORD;
use idaas_login::{
    Error, ErrorClass, Outcome, Phase, Recovery, Sent, StepError, TransportError, UnexpectedReason,
};
use support::{SOCIAL_BIND, client, device, pending_bind, response, script};

type Failed = StepError<idaas_login::PendingBind>;

/// A bind that fails like this.
fn failed(answer: Result<idaas_login::Response, TransportError>) -> Failed {
    let client = client(script(vec![Ok(response(200, SOCIAL_BIND)), answer]));
    pending_bind(&client).username_password("zhangshan", "password").send().unwrap_err()
}

#[test]
fn a_refusal_tells_its_code_its_class_and_its_message() {
    let failed =
        failed(Ok(response(403, r#"{"error_code":"SDK.LOGIN.1003","error_msg":"locked for 9 minutes"}"#)));
    let Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
    assert_eq!(refusal.http_status(), 403);
    assert_eq!(refusal.message(), "locked for 9 minutes");
    assert_eq!(refusal.code().as_str(), "SDK.LOGIN.1003");
    assert_eq!(refusal.code().class(), ErrorClass::Locked);
    assert_eq!(failed.error().class(), Some(ErrorClass::Locked));
    assert!(!failed.error().is_input_error());
    assert_eq!(Error::AccessDenied.class(), None);
    assert_eq!(Error::from(TransportError::not_sent("offline")).class(), None);
    // Whole codes are compared, with a text and with a reference to one.
    assert!(*refusal.code() == "SDK.LOGIN.1003" && *refusal.code() == *"SDK.LOGIN.1003");
    assert!(*refusal.code() != "SDK.LOGIN.1002" && *refusal.code() != *"SDK.LOGIN.100");
    assert_eq!(*failed.endpoint(), BIND_USERNAME_PASSWORD);
}

/// What different input may fix, by the class of the code.
#[test]
fn an_error_is_of_the_input_or_not() {
    for (code, is_input_error) in [
        ("SDK.COMMON.1013", true),
        ("IDAAS.SDK.CAPTCHA.0002", false),
        ("IDAAS.SDK.PARAM.0016", false),
        ("IDAAS.SDK.NEW.4711", false),
        ("SDK.LOGIN.1003", false),
        ("SDK.COMMON.1012", false),
        ("SDK.COMMON.1008", false),
        ("IDAAS.SDK.COMMON.1007", false),
    ] {
        let failed = failed(Ok(response(400, format!(r#"{{"error_code":"{code}"}}"#))));
        assert_eq!(failed.error().is_input_error(), is_input_error, "{failed}");
    }
    for answer in [
        Ok(response(429, "<html>")),
        Ok(response(200, r#"{"status":"ACCESS_DENIED"}"#)),
        Err(TransportError::not_sent("offline")),
    ] {
        let failed = failed(answer);
        assert!(!failed.error().is_input_error(), "{failed}");
    }
}

#[test]
fn an_invalid_input_tells_the_field_and_what_is_wrong() {
    let client = client(support::always(200, SOCIAL_BIND));
    let failed = pending_bind(&client).username_password("", "password").send().unwrap_err();
    let Error::InvalidInput(invalid) = failed.error() else { panic!("{failed}") };
    assert_eq!((invalid.field(), invalid.reason()), ("user_name", "is empty"));
    assert_eq!(failed.error().class(), None);
    assert!(failed.error().is_input_error());
    assert_eq!(failed.source().unwrap().to_string(), failed.error().to_string());
}

#[test]
fn an_unexpected_answer_tells_its_http_status_and_why() {
    let reasons = [
        (302, "", UnexpectedReason::Redirect),
        (404, "", UnexpectedReason::NotFromTheApi),
        (502, "", UnexpectedReason::ServerFailure),
        (200, "", UnexpectedReason::Unreadable),
        (200, "{}", UnexpectedReason::NoStatus),
        (200, r#"{"status":"NEW_ONE"}"#, UnexpectedReason::UnknownStatus("NEW_ONE".into())),
        (200, r#"{"status":"SUCCESS"}"#, UnexpectedReason::NoSessionToken),
        (400, r#"{"status":"SUCCESS","error_code":"SDK.COMMON.1013"}"#, UnexpectedReason::Contradiction),
    ];
    for (http_status, body, reason) in reasons {
        let failed = failed(Ok(response(http_status, body)));
        let Error::Unexpected(answer) = failed.error() else { panic!("{failed}") };
        assert_eq!(answer.http_status(), http_status, "{failed}");
        assert_eq!(*answer.reason(), reason, "{failed}");
        // Its Debug is its text: a derived one would print whatever the server wrote.
        assert_eq!(format!("{reason:?}"), reason.to_string());
        assert!(!reason.to_string().is_empty());
    }
    let client = client(support::always(200, r#"{"status":"MFA_AUTH"}"#));
    let failed = client.login(device()).wechat_mini_program("091z").send().unwrap_err();
    let Error::Unexpected(answer) = failed.error() else { panic!("{failed}") };
    assert_eq!(*answer.reason(), UnexpectedReason::NoStateToken);
}

#[test]
fn a_lost_request_tells_how_far_it_came_and_what_was_the_cause() {
    let cause = || std::io::Error::new(std::io::ErrorKind::TimedOut, "too late");
    let failed = failed(Err(TransportError::maybe_sent(cause()).during(Phase::Response)));
    let Error::Transport(error) = failed.error() else { panic!("{failed}") };
    assert_eq!((error.sent(), error.phase()), (Sent::Maybe, Phase::Response));
    assert!(error.is_timeout());
    let chain: Vec<_> = chain(&failed).iter().map(ToString::to_string).collect();
    assert_eq!(chain.last().unwrap(), "too late");
    let not_sent = TransportError::not_sent("refused");
    assert_eq!((not_sent.sent(), not_sent.phase(), not_sent.is_timeout()), (Sent::No, Phase::Prepare, false));
    let maybe_sent = TransportError::maybe_sent("reset");
    assert_eq!((maybe_sent.sent(), maybe_sent.phase()), (Sent::Maybe, Phase::Exchange));
}

/// All of it as a person sees it who prints it: with `{}`, with `{:?}`, with the cause.
#[test]
fn what_is_printed() {
    let mut text = String::new();
    let answers = [
        Ok(response(400, r#"{"error_code":"SDK.COMMON.1013","error_msg":"Zhang San is not found"}"#)),
        Ok(response(
            400,
            r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"state_token parameter error"}"#,
        )),
        Ok(response(400, r#"{"error_code":"Zhang San","error_msg":""}"#)),
        Ok(response(200, r#"{"status":"ACCESS_DENIED"}"#)),
        Ok(response(200, r#"{"status":"PUSH_AUTH"}"#)),
        Ok(response(502, "<html>")),
        Err(TransportError::not_sent("connection refused").during(Phase::Connect)),
        Err(TransportError::maybe_sent("connection reset")),
    ];
    for answer in answers {
        let failed = failed(answer);
        writeln!(text, "{failed}\n{failed:?}").unwrap();
        let (error, recovery) = failed.into_parts();
        writeln!(text, "{error}\n{error:?}\n{recovery:?}\n").unwrap();
    }
    for class in ErrorClass::ALL {
        writeln!(text, "{class:?}: {class}").unwrap();
    }
    snapshot!("errors", "printed", text);
}

/// An error and its causes.
fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> Vec<&'a (dyn std::error::Error + 'static)> {
    let mut chain = vec![error];
    while let Some(cause) = chain[chain.len() - 1].source() {
        chain.push(cause);
    }
    chain
}

/// Whatever a caller turns an error into, the [`Error`] is in its chain, and nothing is printed twice.
#[test]
fn a_chain_holds_the_error_and_says_everything_once() {
    let locked = r#"{"error_code":"SDK.LOGIN.1003","error_msg":"locked"}"#;
    let io = || std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the peer went away");
    let mut errors: Vec<Box<dyn std::error::Error>> = vec![
        Box::new(failed(Ok(response(400, locked)))),
        Box::new(failed(Ok(response(502, "<html>")))),
        Box::new(failed(Err(TransportError::maybe_sent(io())))),
        Box::new(failed(Err(TransportError::not_sent("offline")))),
    ];
    let only_email = r#"{"status":"SOCIAL_BIND","state_token":"s","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_EMAIL\"]}"}"#;
    let client = client(support::always(200, only_email));
    errors.push(Box::new(pending_bind(&client).phone("15201657312").unwrap_err()));
    for error in errors {
        let chain = chain(&*error);
        assert!(chain.iter().any(|error| error.is::<Error>()), "{error:?}");
        let texts: Vec<_> = chain.iter().map(ToString::to_string).collect();
        for (index, text) in texts.iter().enumerate() {
            let elsewhere = texts.iter().enumerate().filter(|(other, _)| *other != index);
            for (_, other) in elsewhere {
                assert!(!other.contains(text.as_str()), "{texts:#?}");
            }
        }
    }
}

#[test]
fn the_long_form_has_the_causes_along() {
    let io = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the peer went away");
    let failed = failed(Err(TransportError::maybe_sent(io)));
    assert_eq!(failed.to_string(), "username_password failed (no response); the outcome is unknown");
    assert_eq!(
        format!("{failed:#}"),
        "username_password failed: no response (request may have been sent): the peer went away; the outcome is unknown"
    );
}

/// Errors from a caller's point of view: what a log at three in the morning shows.
#[test]
fn what_a_log_shows() {
    let mut log = String::new();
    let mut show = |error: &dyn std::error::Error| writeln!(log, "{error:#}").unwrap();
    for answer in [
        Ok(response(
            400,
            r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"state_token parameter error"}"#,
        )),
        Ok(response(400, r#"{"error_code":"SDK.COMMON.1013","error_msg":"not found"}"#)),
        Ok(response(400, r#"{"error_code":"SDK.LOGIN.1003","error_msg":"unlocks in 9 minutes 59 seconds"}"#)),
        Ok(response(500, r#"{"error_code":"SDK.COMMON.1008","error_msg":"busy"}"#)),
        Ok(response(502, "<html>")),
        Ok(response(404, "<html>")),
        Ok(response(302, "")),
        Ok(response(200, "<html>")),
        Ok(response(200, r#"{"status":"PUSH_AUTH"}"#)),
        Ok(response(200, r#"{"status":"ACCESS_DENIED"}"#)),
        Err(TransportError::maybe_sent("connection reset by peer")),
        Err(TransportError::not_sent("connection refused").during(Phase::Connect)),
    ] {
        let client = client(script(vec![Ok(response(200, SOCIAL_BIND)), answer]));
        let Ok(Outcome::PendingBind(stage)) = client.login(device()).wechat_mini_program("x").send() else {
            unreachable!()
        };
        let failed: StepError<_> = stage.username_password("zhangshan", "password").send().unwrap_err();
        show(&failed);
        assert!(matches!(
            failed.error(),
            Error::Refused(_) | Error::Unexpected(_) | Error::AccessDenied | Error::Transport(_)
        ));
        let _: Recovery<_> = failed.into_recovery();
    }
    snapshot!("errors", "what_a_log_shows", log);
}
