//! How the emulator refuses: every class, the count of wrong passwords, reserved values, and what no page documents.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use idaas_login::codes::{self, MessageHint};
use idaas_login::emulator::reserved::{self, FixedOutcome, Reserved, ReservedKind};
use idaas_login::emulator::{Effect, Emulator, Fault, User};
use idaas_login::endpoints::{self, Platform, SendType};
use idaas_login::{
    Authenticated, CaptchaPass, Channel, Client, Device, Edition, Error, ErrorClass, Origin, Outcome,
    PendingBind, Recovery, Refusal, Request, Stage, StepError, Transport, TransportError, Unauthenticated,
    Verify, VerifyMethod,
};
use support::device;

const PASSWORD_BIND: &str = endpoints::BIND_USERNAME_PASSWORD.path;

fn editions() -> [Edition; 4] {
    let isv = Edition::OneAccessIsv { tenant_id: "8f1c2a".to_owned() };
    [Edition::Ciam, Edition::Eiam, Edition::OneAccess, isv]
}

fn tenant(edition: &Edition) -> Emulator {
    // Time passes only when a test lets it pass.
    let tenant = Emulator::new().with_clock(|| SystemTime::UNIX_EPOCH);
    tenant.configure(|settings| {
        settings.edition = edition.clone();
        // Each edition refuses alike, whether it documents a step or not.
        let undocumented = endpoints::ALL.iter().filter(|row| row.in_edition(edition.kind()).is_none());
        settings.paths = undocumented.map(|row| (*row, row.path.to_owned())).collect();
    });
    tenant.add_user(User::new("bob").password("right").mobile("15201657312").email("bob@example.com"));
    tenant
}

fn log_in(tenant: &Emulator, identity: &str) -> Outcome {
    let code = tenant.wechat_login_code(identity);
    tenant.client().unwrap().login(device()).wechat_mini_program(code).send().unwrap()
}

fn bind_stage(tenant: &Emulator, identity: &str) -> PendingBind {
    match log_in(tenant, identity) {
        Outcome::PendingBind(stage) => stage,
        other => panic!("{other:?}"),
    }
}

fn pass(tenant: &Emulator, destination: &str) -> Result<CaptchaPass, Error> {
    let captcha = tenant.client().unwrap().captcha(&device()).send()?;
    let x = tenant.captcha_solution(captcha.token().expose()).unwrap();
    captcha.solve(x, destination).send()
}

fn refusal_of(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// A refusal that hands the stage back.
#[track_caller]
fn refused<S: Stage, N>(result: Result<N, StepError<S>>) -> (Refusal, S) {
    let Err(failed) = result else { panic!("it is refused") };
    let (error, recovery) = failed.into_parts();
    let refusal = refusal_of(error);
    match recovery {
        Recovery::Retry(stage) => (refusal, stage),
        _ => panic!("{refusal}: the state token lives"),
    }
}

/// Provokes a refusal of a class, if possible by what a user or an operator does.
fn provoke(class: ErrorClass, edition: &Edition) -> Refusal {
    let tenant = tenant(edition);
    let by_fault = |fault| {
        tenant.fail_next(PASSWORD_BIND, fault);
        let failed = bind_stage(&tenant, "o").username_password("bob", "right").send().unwrap_err();
        refusal_of(failed.into_parts().0)
    };
    match class {
        ErrorClass::WrongInput => {
            refused(bind_stage(&tenant, "o").username_password("bob", "wrong").send()).0
        }
        ErrorClass::NewCaptcha => {
            let captcha = tenant.client().unwrap().captcha(&device()).send().unwrap();
            refusal_of(captcha.solve(0.0, "15201657312").send().unwrap_err())
        }
        ErrorClass::DeadToken => {
            let stage = bind_stage(&tenant, "o");
            tenant.advance(Duration::from_secs(3600));
            let (error, recovery) = stage.username_password("bob", "right").send().unwrap_err().into_parts();
            assert!(matches!(recovery, Recovery::StartOver(_)));
            refusal_of(error)
        }
        ErrorClass::Locked => {
            tenant.configure(|settings| settings.max_attempts = 1);
            refused(bind_stage(&tenant, "o").username_password("bob", "wrong").send()).0
        }
        ErrorClass::Configuration => {
            let other = Client::builder("https://emulator.invalid", "another application")
                .edition(edition.clone())
                .build_with(tenant.clone())
                .unwrap();
            let failed = other.login(device()).wechat_mini_program("091z").send();
            refusal_of(failed.unwrap_err().into_parts().0)
        }
        ErrorClass::Server => {
            let failed = tenant.client().unwrap().login(device()).wechat_mini_program("spent").send();
            refusal_of(failed.unwrap_err().into_parts().0)
        }
        // No step of this crate uses an identity token or a signature yet.
        ErrorClass::RenewIdToken => by_fault(Fault::Refuse { code: &codes::IDAAS_SDK_PARAM_0016 }),
        ErrorClass::StaleSignature => by_fault(Fault::Refuse { code: &codes::PARAM_0030 }),
        ErrorClass::Unknown => by_fault(Fault::Respond {
            http_status: StatusCode::BAD_REQUEST,
            body: r#"{"error_code":"UNDOCUMENTED.0001"}"#.to_owned(),
        }),
        other => panic!("nothing in the emulator provokes {other:?}"),
    }
}

#[test]
fn every_class_is_reachable_in_every_edition() {
    for edition in &editions() {
        for class in ErrorClass::ALL.iter().copied() {
            assert_eq!(provoke(class, edition).code().class(), class, "{edition:?}");
        }
    }
}

/// Every code of the table can be answered, with its HTTP status, and nothing is carried out.
#[test]
fn every_code_can_be_answered() {
    for known in codes::ALL.iter().copied() {
        let tenant = tenant(&Edition::Ciam);
        let stage = bind_stage(&tenant, "o");
        tenant.fail_next(PASSWORD_BIND, Fault::Refuse { code: known });
        let (error, recovery) = stage.username_password("bob", "right").send().unwrap_err().into_parts();
        let refusal = refusal_of(error);
        assert!(*refusal.code() == known.code, "{refusal}");
        assert_eq!(refusal.http_status().as_u16(), known.http_status, "{}", known.code);
        assert_eq!(refusal.attempts_left().is_some(), known.hint == Some(MessageHint::AttemptsLeft));
        assert_eq!(refusal.unlocks_in().is_some(), known.hint == Some(MessageHint::UnlocksIn));
        let entry = tenant.take_ledger().pop().unwrap();
        assert_eq!(entry.error_code.as_deref(), Some(known.code));
        assert_eq!(entry.http_status.map(|status| status.as_u16()), Some(known.http_status));
        assert_eq!(entry.effects, []);
        // What the class promises is true: a stage that comes back still works.
        if let Recovery::Retry(stage) = recovery {
            let outcome = stage.username_password("bob", "right").send().unwrap();
            assert!(matches!(outcome, Outcome::Authenticated(_)), "{}", known.code);
        } else {
            let class = refusal.code().class();
            assert!(matches!(class, ErrorClass::DeadToken | ErrorClass::Server), "{class}: {}", known.code);
        }
    }
}

/// What becomes of a password, after a login that leads to a bind.
fn bind_by_password<O: Origin>(
    login: Result<Outcome<O>, StepError<Unauthenticated>>,
    user_name: &str,
    password: &str,
) -> Result<(), Error> {
    let Ok(Outcome::PendingBind(stage)) = login else { panic!("nobody has bound it: {login:?}") };
    stage.username_password(user_name, password).send().map(drop).map_err(|failed| failed.into_parts().0)
}

/// Wrong passwords are counted for the account: whichever identity, stage, platform or device they come from.
#[test]
fn wrong_passwords_are_counted_for_the_account() {
    for (edition, wrong, locked) in [
        (Edition::Ciam, "IDAAS.SDK.LOGIN.0002", "IDAAS.SDK.LOGIN.0001"),
        (Edition::Eiam, "SDK.LOGIN.1005", "SDK.LOGIN.1003"),
        (Edition::OneAccess, "LOGIN.0002", "LOGIN.0001"),
    ] {
        let tenant = tenant(&edition);
        tenant.add_user(User::new("alice").password("also right"));
        let client = tenant.client().unwrap();
        let attempt = |number: u32, user_name: &str, password: &str| {
            let identity = format!("identity {number}");
            let device = Device::new("windows10.1.1", &format!("device {number}"), "Mozilla/5.0").unwrap();
            let unauthenticated = client.login(device);
            if number.is_multiple_of(2) {
                let code = tenant.wechat_login_code(identity);
                bind_by_password(unauthenticated.wechat_mini_program(code).send(), user_name, password)
            } else {
                let code = tenant.login_code(Platform::AlipayMiniProgram, identity);
                bind_by_password(unauthenticated.alipay_mini_program(code).send(), user_name, password)
            }
        };
        let refusal = |number, password| refusal_of(attempt(number, "bob", password).unwrap_err());
        for left in (1..5).rev() {
            let refusal = refusal(left, "wrong");
            assert!(*refusal.code() == wrong, "{refusal}");
            assert_eq!(refusal.attempts_left(), Some(left), "{}", refusal.message());
            if edition == Edition::Eiam {
                let expected = format!("无效的用户名或密码。 剩余登录尝试次数:{left}");
                assert_eq!(refusal.message(), expected);
            }
        }
        // The fifth locks, and from then on the right one is refused, too, wherever it comes from.
        for (number, password, passed, left) in
            [(5, "wrong", 0, 600), (6, "right", 90, 510), (7, "right", 509, 1)]
        {
            tenant.advance(Duration::from_secs(passed));
            let refusal = refusal(number, password);
            assert!(*refusal.code() == locked, "{refusal}");
            assert_eq!(refusal.unlocks_in(), Some(Duration::from_secs(left)), "{}", refusal.message());
            assert_eq!(refusal.attempts_left(), None);
        }
        attempt(9, "alice", "also right").expect("another account is not locked");
        tenant.advance(Duration::from_secs(1));
        attempt(8, "bob", "right").expect("the lock is over");
        // A success resets the count.
        assert_eq!(refusal(10, "wrong").attempts_left(), Some(4));
    }
}

/// D14 in both worlds: a wrong code or password leaves the state token alone, or ends it.
#[test]
fn d14_a_wrong_code_may_end_the_state_token() {
    for ends in [false, true] {
        let tenant = tenant(&Edition::Ciam);
        tenant.configure(|settings| settings.state_token_ends_with_wrong_code = ends);

        // By password.
        let stage = bind_stage(&tenant, "o");
        let token = stage.state_token().expose().to_owned();
        let (_, stage) = refused(stage.username_password("bob", "wrong").send());
        assert_eq!(tenant.pending(&token).is_none(), ends);
        check_after(stage.username_password("bob", "right").send(), ends);

        // By code.
        let stage = bind_stage(&tenant, "p").phone("15201657312").unwrap();
        let (refusal, stage) = refused(stage.submit("999999").send());
        assert_eq!(refusal.code().class(), ErrorClass::WrongInput);
        let code = tenant.issue_code("15201657312", SendType::BindMobileSms);
        check_after(stage.submit(code).send(), ends);

        // What the library refuses by itself, and what the tenant cannot serve, is no wrong code.
        let stage = bind_stage(&tenant, "q");
        tenant.fail_next(PASSWORD_BIND, Fault::Refuse { code: &codes::SDK_COMMON_1008 });
        let failed = stage.username_password("bob", "right").send().unwrap_err();
        let Recovery::Unresolved(unresolved) = failed.into_recovery() else { panic!("HTTP 500") };
        assert!(unresolved.retry_anyway().username_password("bob", "right").send().is_ok());
    }
}

fn check_after<S: Stage>(result: Result<Outcome, StepError<S>>, ends: bool) {
    match result {
        Ok(outcome) => {
            assert!(!ends && matches!(outcome, Outcome::Authenticated(_)), "{outcome:?}");
        }
        Err(failed) => {
            assert!(ends, "{failed}");
            assert_eq!(failed.error().class(), Some(ErrorClass::DeadToken));
            assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
        }
    }
}

/// Each reserved value does what its row in `docs/emulator.md` says, in each edition, with and without `+86-`.
#[test]
fn reserved_values_have_their_outcome() {
    let document = xtask::files::read("docs/emulator.md");
    for edition in &editions() {
        for value in reserved::ALL {
            let row = format!("`{}` | `{:?}`: {} |", value.value, value.outcome, value.meaning);
            assert!(document.contains(&row), "docs/emulator.md lacks {row}");
            match value.kind {
                ReservedKind::Mobile => {
                    check_number(edition, value, value.value);
                    check_number(edition, value, &format!("+86-{}", value.value));
                }
                ReservedKind::VerifyCode => check_code(edition, value),
                other => panic!("{other:?} is not checked"),
            }
        }
    }
    // Each outcome is there, and no value twice.
    let outcomes: Vec<_> = FixedOutcome::ALL
        .iter()
        .filter(|outcome| !reserved::ALL.iter().any(|value| value.outcome == **outcome))
        .collect();
    assert!(outcomes.is_empty(), "{outcomes:?}");
    let values: BTreeSet<_> = reserved::ALL.iter().map(|value| value.value).collect();
    assert_eq!(values.len(), reserved::ALL.len());
}

fn was_sent(tenant: &Emulator) -> bool {
    let effects = tenant.take_ledger().into_iter().flat_map(|entry| entry.effects);
    effects.into_iter().any(|effect| matches!(effect, Effect::CodeSent { .. }))
}

fn check_number(edition: &Edition, value: &Reserved, number: &str) {
    let tenant = tenant(edition);
    tenant.add_user(User::new("tester").mobile(number));
    let stage = bind_stage(&tenant, "o").phone(number).unwrap();
    let pass = pass(&tenant, number).unwrap();
    let sent = stage.send_code(&pass).send();
    let code = match value.outcome {
        FixedOutcome::SendingFailed => {
            assert_eq!(refusal_of(sent.unwrap_err()).code().class(), ErrorClass::Server);
            assert!(!was_sent(&tenant));
            tenant.issue_code(number, SendType::BindMobileSms)
        }
        FixedOutcome::Lost => {
            assert_lost(&sent.unwrap_err());
            assert!(was_sent(&tenant));
            tenant.last_code(number).unwrap()
        }
        _ => {
            sent.unwrap();
            tenant.last_code(number).unwrap()
        }
    };
    // More often than a lock allows: they are not counted.
    let mut stage = stage;
    if matches!(value.outcome, FixedOutcome::Wrong | FixedOutcome::Locked) {
        for _ in 0..7 {
            stage = check_refused(stage.submit(&code).send(), value.outcome);
        }
    } else if value.outcome == FixedOutcome::SendingFailed {
        assert!(matches!(stage.submit(code).send().unwrap(), Outcome::Authenticated(_)));
    } else {
        check_lost_bind(&tenant, stage.submit(code).send(), "tester");
    }
}

fn check_code(edition: &Edition, value: &Reserved) {
    let tenant = tenant(edition);
    for by_email in [false, true] {
        let identity = if by_email { "by email" } else { "by phone" };
        let stage = bind_stage(&tenant, identity);
        if by_email {
            check_submissions(&tenant, value, stage.email("bob@example.com").unwrap());
        } else {
            check_submissions(&tenant, value, stage.phone("15201657312").unwrap());
        }
    }
}

fn check_submissions<C: Channel>(tenant: &Emulator, value: &Reserved, mut stage: Verify<C, PendingBind>) {
    match value.outcome {
        FixedOutcome::Lost => check_lost_bind(tenant, stage.submit(value.value).send(), "bob"),
        outcome => {
            for _ in 0..7 {
                stage = check_refused(stage.submit(value.value).send(), outcome);
            }
        }
    }
}

fn check_refused<S: Stage, N>(result: Result<N, StepError<S>>, outcome: FixedOutcome) -> S {
    let (refusal, stage) = refused(result);
    match outcome {
        FixedOutcome::Wrong => assert_eq!(refusal.code().class(), ErrorClass::WrongInput),
        FixedOutcome::Locked => {
            assert_eq!(refusal.code().class(), ErrorClass::Locked);
            assert_eq!(refusal.unlocks_in(), Some(Duration::from_secs(600)));
        }
        other => panic!("{other:?} is not a refusal of a code"),
    }
    stage
}

fn assert_lost(error: &Error) {
    let Error::Transport(error) = error else { panic!("{error}") };
    assert_eq!(error.sent(), idaas_login::Sent::Maybe);
}

/// The bind was carried out, and nobody saw it.
fn check_lost_bind<S: Stage, N>(tenant: &Emulator, result: Result<N, StepError<S>>, user_name: &str) {
    let Err(failed) = result else { panic!("the response is lost") };
    assert_lost(failed.error());
    assert!(matches!(failed.into_recovery(), Recovery::Unresolved(_)));
    let entry = tenant.take_ledger().pop().unwrap();
    assert_eq!(entry.http_status, None);
    let bound = entry
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Bound { user_name: bound, .. } if bound == user_name));
    assert!(bound, "{entry:?}");
    // The next request is answered.
    assert!(tenant.client().unwrap().captcha(&device()).send().is_ok());
}

/// The whole of a login, with what no page documents in every response: the same stages, the same refusals.
#[test]
fn undocumented_extras_are_ignored() {
    let bodies = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.undocumented_extras = true;
        settings.refresh_sessions = true;
    });
    tenant.add_user(User::new("bob").password("right").mobile("15201657312").second_factor());
    let client = {
        let (tenant, bodies) = (tenant.clone(), bodies.clone());
        support::client(move |request: Request| -> Result<_, TransportError> {
            let response = tenant.send(request)?;
            bodies.lock().unwrap().push(String::from_utf8(response.body().clone()).unwrap());
            Ok(response)
        })
    };
    let Outcome::PendingBind(stage) =
        client.login(device()).wechat_mini_program(tenant.wechat_login_code("o")).send().unwrap()
    else {
        panic!("nobody has bound it")
    };
    let listed: Vec<_> = stage.allowed_flows().listed().unwrap().iter().map(VerifyMethod::as_str).collect();
    assert_eq!(listed, ["VERIFY_PHONE", "VERIFY_EMAIL", "VERIFY_UNDOCUMENTED"]);
    let (refusal, stage) = refused(stage.username_password("bob", "wrong").send());
    assert_eq!((refusal.code().class(), refusal.attempts_left()), (ErrorClass::WrongInput, Some(4)));
    let Outcome::MfaRequired(stage) = stage.username_password("bob", "right").send().unwrap() else {
        panic!("a second factor is asked for")
    };
    let mobile = stage.registered_mobile().send().unwrap();
    let number = mobile.expose().to_owned();
    let captcha = client.captcha(stage.device()).send().unwrap();
    let x = tenant.captcha_solution(captcha.token().expose()).unwrap();
    let pass = captcha.solve(x, &number).send().unwrap();
    let stage = stage.phone(&number);
    stage.send_code(&pass).send().unwrap();
    let code = tenant.last_code(&number).unwrap();
    let Outcome::Authenticated(user) = stage.submit(code).send().unwrap() else { panic!("the end") };
    let user: Authenticated = user.renew_id_token().send().unwrap();
    assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("bob"));

    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 9);
    for body in bodies.iter() {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(body).unwrap();
        assert!(fields.contains_key("undocumented_object"), "{body}");
        assert!(fields.len() == 4 || fields.contains_key("status"), "{body}");
    }
}
