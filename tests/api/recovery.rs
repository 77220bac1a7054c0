//! What the caller holds after a failure: every row of the recovery table, for every step of the endpoint table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use idaas_login::endpoints::{self, Endpoint, Scenario, StageKind};
use idaas_login::{Error, Outcome, Recovery, Request, Response, Sent, TransportError};
use support::recovery_table;
use support::{Answers, SOCIAL_BIND, SUCCESS, StepResult, client, device, pending_bind, response, script};

#[test]
fn every_row_holds_for_every_step() {
    let mut wrong = Vec::new();
    let mut table = String::new();
    for row in recovery_table::ROWS {
        for step in support::flow_rows() {
            let sent = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&sent);
            let answers: Answers = Arc::new(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                row.result()
            });
            let came = support::run_row(step, support::edition(step), answers);
            let mut expect = |what: &str, holds: bool| {
                if !holds {
                    wrong.push(format!("{}: {}: {what}: {came:?}", row.name, support::name(step)));
                }
            };
            expect(row.holds.name(), came.recovery() == row.holds.name());
            expect("a request is sent once", sent.load(Ordering::SeqCst) == 1);
            if let StepResult::Retry(_, stage) | StepResult::Unresolved(_, stage) = &came {
                expect("the stage that comes back", *stage == step.from);
            }
        }
        writeln!(table, "{:36} {}", row.name, row.holds.name()).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    snapshot!("recovery", "table", table);
}

/// What the table says of an error is what the error says, for a step that reads the status and for one that does not.
#[test]
fn every_row_says_what_the_error_says() {
    for row in recovery_table::ROWS {
        for step in endpoints::ALL {
            let came = support::run_row(step, support::edition(step), Arc::new(|_| row.result()));
            let name = support::name(step);
            let error = came.error().unwrap_or_else(|| panic!("{}: {name}: {came:?}", row.name));
            let said = recovery_table::says(error);
            let may = [Some(row.says), row.says_without_status];
            assert!(may.contains(&Some(&*said)), "{}: {name}: {said}", row.name);
        }
    }
}

/// A response with each status that leads on.
const STATUSES: &[&str] = &[
    SUCCESS,
    SOCIAL_BIND,
    support::USER_REGISTER,
    support::MFA_AUTH,
    support::PASSWORD_WARN,
    support::PASSWORD_EXPIRED,
];

#[test]
fn every_step_can_lead_to_every_stage_that_its_row_names() {
    for step in support::flow_rows() {
        let mut reached = Vec::new();
        // A renewal has a response of its own, without status.
        let renewed = r#"{"session_token":"s2","expire":604800,"id_token":"i2"}"#;
        let bodies: &[_] = if step.step == "logout" {
            &[support::good_answer(step)]
        } else if step.from == StageKind::Authenticated {
            &[renewed]
        } else if step.leads_to == [StageKind::Unauthenticated] {
            &[""]
        } else {
            STATUSES
        };
        for body in bodies.iter().copied() {
            match support::run_row(step, support::edition(step), Arc::new(move |_| Ok(response(200, body)))) {
                StepResult::To(stage) => reached.push(stage),
                came => panic!("{}: {came:?}", support::name(step)),
            }
        }
        assert_eq!(reached, step.leads_to, "{}", support::name(step));
    }
}

/// A refused password hands the stage back, with the same state token; the second try goes on with it.
#[test]
fn a_wrong_password_costs_nothing_but_the_try() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = Arc::clone(&seen);
    let answers = script(vec![
        Ok(response(200, SOCIAL_BIND)),
        Ok(response(400, r#"{"error_code":"SDK.COMMON.1013","error_msg":"x"}"#)),
        Ok(response(200, SUCCESS)),
    ]);
    let client = client(move |request: Request| {
        slot.lock().unwrap().push(request.headers().get("x-state-token").cloned());
        answers(request)
    });
    let failed = pending_bind(&client).username_password("zhangshan", "wrong").send().unwrap_err();
    let Recovery::Retry(stage) = failed.into_recovery() else { panic!("the stage must come back") };
    let outcome = stage.username_password("zhangshan", "right").send().unwrap();
    assert!(matches!(outcome, Outcome::Authenticated(_)));
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], None);
    assert_eq!(seen[1].as_ref().unwrap(), support::STATE_TOKEN);
    assert_eq!(seen[1], seen[2]);
}

#[test]
fn from_unresolved_both_ways_lead_on() {
    let client = client(script(vec![
        Ok(response(200, SOCIAL_BIND)),
        Err(TransportError::maybe_sent("reset")),
        Ok(response(200, SUCCESS)),
        Ok(response(200, SOCIAL_BIND)),
        Err(TransportError::maybe_sent("reset")),
        Ok(response(200, SUCCESS)),
    ]));
    let lost = || {
        let failed = pending_bind(&client).wechat_mobile("6213").send().unwrap_err();
        let Error::Transport(error) = failed.error() else { panic!("{failed}") };
        assert_eq!(error.sent(), Sent::Maybe);
        let Recovery::Unresolved(unresolved) = failed.into_recovery() else {
            panic!("the outcome is unknown")
        };
        unresolved
    };
    assert!(matches!(
        lost().start_over().wechat_mini_program("fresh").send().unwrap(),
        Outcome::Authenticated(_)
    ));
    assert!(matches!(lost().retry_anyway().wechat_mobile("6213").send().unwrap(), Outcome::Authenticated(_)));
}

/// After a dead state token the login begins again: same client, same device, no state token.
#[test]
fn starting_over_keeps_the_device_and_drops_the_token() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = Arc::clone(&seen);
    let answers = script(vec![
        Ok(response(200, SOCIAL_BIND)),
        Ok(response(
            400,
            r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"state_token parameter error"}"#,
        )),
        Ok(response(200, SUCCESS)),
    ]);
    let client = client(move |request: Request| {
        slot.lock().unwrap().push(request.headers().clone());
        answers(request)
    });
    let failed = pending_bind(&client).username_password("u", "p").send().unwrap_err();
    let Recovery::StartOver(login) = failed.into_recovery() else { panic!("the state token is dead") };
    let _ = login.wechat_mini_program("fresh").send().unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], seen[2]);
    assert!(!seen[2].contains_key("x-state-token"));
}

/// A transport that panics takes nothing along: whatever it holds, the step may have been carried out.
#[test]
fn a_transport_that_panics_loses_nothing() {
    for row in idaas_login::endpoints::ALL.iter().copied() {
        let came =
            support::run_row(row, support::edition(row), Arc::new(|_| panic!("a transport that panics")));
        let name = support::name(row);
        let expected = if row.moves_the_flow() { "Unresolved" } else { "error" };
        assert_eq!(came.recovery(), expected, "{name}: {came:?}");
        let Some(Error::Transport(error)) = came.error() else { panic!("{name}: {came:?}") };
        assert_eq!(error.sent(), Sent::Maybe, "{name}");
        assert_eq!(format!("{error:#}"), "no response (request may have been sent): the transport panicked");
        if let StepResult::Unresolved(_, stage) = came {
            assert_eq!(stage, row.from, "{name}: the stage that comes back");
        }
    }
}

/// `send` is `into_request`, the transport and `receive`: driving them by hand gives the same.
#[test]
fn a_step_can_be_driven_by_hand() {
    let client = client(|_: Request| -> Result<Response, TransportError> { unreachable!("driven by hand") });
    let (request, in_flight) = client.login(device()).wechat_mini_program("091z").into_request().unwrap();
    assert_eq!(request.body(), br#"{"code":"091z"}"#);
    let Ok(Outcome::PendingBind(stage)) = in_flight.receive(Ok(response(200, SOCIAL_BIND))) else {
        panic!("the answer leads to a bind")
    };
    // Giving up on a response: the login can start over.
    let (_, in_flight) = stage.wechat_mobile("6213").into_request().unwrap();
    let failed = in_flight.receive(Err(TransportError::maybe_sent("given up"))).unwrap_err();
    let Recovery::Unresolved(unresolved) = failed.into_recovery() else { panic!("the outcome is unknown") };
    let (request, in_flight) = unresolved.start_over().wechat_mini_program("092z").into_request().unwrap();
    assert_eq!(request.uri().path(), "/api/v2/sdk/login/wechat-miniprogram");
    let failed = in_flight.receive(Err(TransportError::not_sent("offline"))).unwrap_err();
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
}

/// A state token that no header can carry is found before anything is sent, and the stage comes back.
#[test]
fn a_token_that_no_header_can_carry_is_unreadable() {
    for token in ["a\\r\\nX-Injected: 1".to_owned(), "x".repeat(16 * 1024 + 1)] {
        let client =
            client(support::always(200, &format!(r#"{{"status":"SOCIAL_BIND","state_token":"{token}"}}"#)));
        let failed = client.login(device()).wechat_mini_program("091z").send().unwrap_err();
        let Error::Unexpected(answer) = failed.error() else { panic!("{failed:#}") };
        assert_eq!(*answer.reason(), idaas_login::UnexpectedReason::Unreadable);
        assert!(matches!(failed.into_recovery(), Recovery::Unresolved(_)));
    }
    let longest = format!(r#"{{"status":"SOCIAL_BIND","state_token":"{}"}}"#, "x".repeat(16 * 1024));
    let client = client(support::always(200, &longest));
    assert!(client.login(device()).wechat_mini_program("091z").send().is_ok());
}

/// An error code beside the state token in hand is judged by its code; beside another one it is a contradiction (D46).
#[test]
fn an_echoed_state_token_says_nothing() {
    for (token, recovery) in [(support::STATE_TOKEN, "Retry"), ("another", "Unresolved")] {
        let refusal = format!(r#"{{"error_code":"SDK.COMMON.1013","error_msg":"","state_token":"{token}"}}"#);
        let answers = script(vec![Ok(response(200, SOCIAL_BIND)), Ok(response(400, refusal))]);
        let failed = pending_bind(&client(answers)).username_password("u", "p").send().unwrap_err();
        let held = match failed.into_recovery() {
            Recovery::Retry(_) => "Retry",
            Recovery::Unresolved(_) => "Unresolved",
            Recovery::StartOver(_) => "StartOver",
        };
        assert_eq!(held, recovery, "{token}");
    }
}

/// The end of a login is the end, whatever the HTTP status and whatever stands beside it (D11).
#[test]
fn access_denied_ends_the_login_with_any_http_status() {
    for http_status in [200, 302, 400, 403, 500, 503] {
        for beside in ["", r#","error_code":"SDK.COMMON.1013""#, r#","session_token":"s""#] {
            let body = format!(r#"{{"status":"ACCESS_DENIED"{beside}}}"#);
            let answers = script(vec![Ok(response(200, SOCIAL_BIND)), Ok(response(http_status, body))]);
            let failed = pending_bind(&client(answers)).username_password("u", "p").send().unwrap_err();
            assert!(matches!(failed.error(), Error::AccessDenied), "{failed:#}");
            assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
        }
    }
}

/// A tenant that lists methods without end does not make the stage large (D49).
#[test]
fn a_long_list_of_methods_is_cut() {
    let names: Vec<_> = (0..300_000).map(|number| format!("VERIFY_{number}")).collect();
    let data = serde_json::json!({ "socialBindOrRegisterFlow": names }).to_string();
    let body = serde_json::json!({ "status": "SOCIAL_BIND", "state_token": "s", "data": data }).to_string();
    let stage = pending_bind(&client(support::always(200, &body)));
    let listed = stage.allowed_flows().listed().unwrap().to_vec();
    assert_eq!(listed.len(), 16);
    let client = stage.client().clone();
    let suspended = stage.suspend();
    assert!(suspended.to_bytes().len() < 1024, "{suspended:?}");
    let again = client.resume::<idaas_login::PendingBind>(suspended).unwrap();
    assert_eq!(again.allowed_flows().listed().unwrap(), listed);
}

/// What a stage carries from one request to the next has a limit: 16 KiB as they came, or what was read from more.
#[test]
fn data_is_kept_up_to_its_limit() {
    for (size, is_kept) in [(16 << 10, true), ((16 << 10) + 1, false)] {
        let frame = r#"{"socialBindOrRegisterFlow":["VERIFY_PHONE"],"note":""}"#;
        let data = frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())));
        assert_eq!(data.len(), size);
        let body =
            serde_json::json!({ "status": "SOCIAL_BIND", "state_token": "s", "data": data }).to_string();
        let stage = pending_bind(&client(support::always(200, &body)));
        assert_eq!(stage.allowed_flows().raw() == Some(&*data), is_kept, "{size}");
        assert_eq!(stage.allowed_flows().listed(), Some(&[idaas_login::VerifyMethod::Phone][..]), "{size}");
    }
}

#[test]
fn a_policy_has_a_pattern_of_four_kibibytes_at_most() {
    for (size, is_kept) in [(4 << 10, true), ((4 << 10) + 1, false)] {
        let pattern = "x".repeat(size);
        let data = serde_json::json!({ "minLength": 8, "maxLength": "20", "regEx": pattern }).to_string();
        let body =
            serde_json::json!({ "status": "PASSWORD_EXPIRED", "state_token": "s", "data": data }).to_string();
        let outcome = support::log_in(&client(support::always(200, &body)));
        let Outcome::PasswordExpired(stage) = outcome else { panic!("{outcome:?}") };
        let policy = stage.policy().unwrap();
        assert_eq!(policy.pattern(), is_kept.then_some(&*pattern), "{size}");
        assert_eq!(format!("{policy:?}"), "PasswordPolicy { min_length: Some(8), max_length: Some(20), .. }");
    }
}

#[test]
fn question_mark_works_for_callers_that_do_not_care() {
    fn log_in(client: &idaas_login::Client) -> Result<Outcome, Error> {
        Ok(client.login(device()).wechat_mini_program("091z").send()?)
    }
    fn boxed(client: &idaas_login::Client) -> Result<Outcome, Box<dyn std::error::Error + Send + Sync>> {
        Ok(client.login(device()).wechat_mini_program("091z").send()?)
    }
    let client = client(|_: Request| Err(TransportError::not_sent("offline")));
    assert_eq!(log_in(&client).unwrap_err().to_string(), "before connecting (request not sent)");
    let error = boxed(&client).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "before connecting (request not sent)");
    assert_eq!(
        format!("{error:#}"),
        "wechat_mini_program failed: before connecting (request not sent): offline; the stage is handed back"
    );
}

/// Whose answers look alike: the steps that move the flow, and the side calls by what they give.
fn kind(row: &Endpoint) -> &'static str {
    match (row.from, row.step) {
        (StageKind::Authenticated, "logout") => "logout",
        (StageKind::Authenticated, _) => "renewal",
        (StageKind::Client, "public_key") => "key",
        (StageKind::Client, "server_date") => "time",
        (StageKind::Client, "country_codes") => "country",
        (StageKind::Client, _) => "captcha",
        (StageKind::Captcha, _) => "solution",
        (_, "registered_mobile") => "mobile",
        // A reset is answered as a request for a code is: with nothing.
        (_, "send_code")
        | (
            StageKind::VerifyPhone(Scenario::ResetPassword) | StageKind::VerifyEmail(Scenario::ResetPassword),
            _,
        ) => "code",
        _ => "step",
    }
}

/// Which kinds take which other kinds' answers for their own: the statuses are the same for every step, and nothing in such an
/// response says what it answers. Two answers are documented as empty.
const INDISTINGUISHABLE: &[(&str, &str)] = &[("step", "step"), ("logout", "code"), ("code", "logout")];

/// A proxy mixes up two responses: unless they are the same anyway, it is noticed, and the outcome is unknown.
#[test]
fn an_answer_to_something_else_is_no_answer() {
    let mut table = BTreeMap::new();
    for row in endpoints::ALL {
        for other in endpoints::ALL {
            let (own, theirs) = (kind(row), kind(other));
            let answers: &[&str] = if theirs == "step" { STATUSES } else { &[support::good_answer(other)] };
            for &answer in answers {
                let came = support::run_row(
                    row,
                    support::edition(row),
                    Arc::new(move |_| Ok(response(200, answer))),
                );
                let pair = format!("{}, with the answer to {}", support::name(row), support::name(other));
                let expected = if own == theirs || INDISTINGUISHABLE.contains(&(own, theirs)) {
                    "-"
                } else if row.moves_the_flow() {
                    "Unresolved"
                } else {
                    "error"
                };
                assert_eq!(came.recovery(), expected, "{pair}: {came:?}");
                let said = match (&came, came.error()) {
                    (_, None) => "taken for its own".to_owned(),
                    (StepResult::Unresolved(_, stage), _) if *stage != row.from => {
                        panic!("{pair}: {stage:?} came back")
                    }
                    (_, Some(Error::Unexpected(answer))) => answer.reason().to_string(),
                    (_, Some(error)) => panic!("{pair}: {error:?}"),
                };
                table
                    .entry((own, theirs))
                    .or_insert_with(BTreeSet::new)
                    .insert(format!("{expected:10} {said}"));
            }
        }
    }
    let mut text = String::new();
    for ((own, theirs), said) in table {
        let said: Vec<_> = said.into_iter().collect();
        writeln!(text, "{own:8} answered as {theirs:8} {}", said.join(" | ")).unwrap();
    }
    snapshot!("recovery", "answers_of_others", text);
}
