//! What each edition has of the endpoint table, and what a client's builder changes of it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use idaas_login::emulator::{Emulator, Unbound, User};
use idaas_login::endpoints::{self, EditionKind, Endpoint, SendType, Source};
use idaas_login::{
    CaptchaPass, Client, Edition, Error, InvalidInput, MfaRequired, Outcome, Recovery, Request, VerifyPhone,
};
use support::{CLIENT_ID, SUCCESS, StepResult, client, device, name, response};

fn edition(kind: EditionKind) -> Edition {
    match kind {
        EditionKind::Ciam => Edition::Ciam,
        EditionKind::Eiam => Edition::Eiam,
        EditionKind::OneAccess => Edition::OneAccess,
        other => panic!("tests/api/editions.rs: no edition for {other:?}"),
    }
}

/// The request of a row in an edition, or why there is none.
fn request(row: &'static Endpoint, kind: EditionKind) -> Result<Request, Error> {
    let seen = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&seen);
    let answers = Arc::new(move |request| {
        *slot.lock().unwrap() = Some(request);
        Ok(response(200, SUCCESS))
    });
    let result = support::run_row(row, edition(kind), answers);
    let request = seen.lock().unwrap().take();
    match (request, result) {
        (Some(request), _) => Ok(request),
        (None, StepResult::Retry(error, _) | StepResult::Failed(error)) => Err(error),
        (None, other) => panic!("{}: {other:?}", name(row)),
    }
}

#[test]
fn every_row_in_every_edition() {
    for row in endpoints::ALL {
        let mut text = String::new();
        for &kind in EditionKind::ALL {
            writeln!(text, "== {kind}").unwrap();
            match row.in_edition(kind) {
                Some(shape) => match shape.source {
                    Source::Page(page) => writeln!(text, "by {page}"),
                    Source::Decision(decision) => writeln!(text, "by decision {decision}"),
                    other => panic!("{other:?}"),
                },
                None => writeln!(text, "not documented"),
            }
            .unwrap();
            match request(row, kind) {
                Ok(request) => writeln!(text, "{}\n", support::text(&request)),
                Err(error) => writeln!(text, "{error}\n"),
            }
            .unwrap();
        }
        snapshot!("editions", name(row), text);
    }
}

/// Exactly what is not documented is refused, and before anything is sent.
#[test]
fn a_step_that_the_edition_does_not_have_sends_nothing() {
    let mut refused = 0;
    for row in endpoints::ALL {
        for &kind in EditionKind::ALL {
            let shape = row.in_edition(kind);
            match request(row, kind) {
                Ok(request) => {
                    assert!(shape.is_some(), "{} in {kind}", name(row));
                    assert_eq!(request.uri().path(), shape.unwrap().path, "{} in {kind}", name(row));
                }
                Err(Error::Unsupported(unsupported)) => {
                    assert!(shape.is_none(), "{} in {kind}", name(row));
                    assert_eq!((unsupported.step(), unsupported.edition()), (row.step, kind));
                    refused += 1;
                }
                Err(other) => panic!("{} in {kind}: {other}", name(row)),
            }
        }
    }
    assert!(refused > 0);
}

/// Each row is of some edition, and a page that is named is of that edition's documentation.
#[test]
fn every_row_is_documented_somewhere() {
    for row in endpoints::ALL {
        let mut pages = 0;
        for &kind in EditionKind::ALL {
            let Some(shape) = row.in_edition(kind) else { continue };
            let Source::Page(page) = shape.source else { continue };
            pages += 1;
            let folder = match kind {
                EditionKind::Ciam => "/ciam/",
                EditionKind::Eiam => "/eiam/",
                _ => "huaweicloud.com/",
            };
            assert!(page.contains(folder), "{} in {kind}: {page}", name(row));
        }
        assert!(pages > 0, "{}", name(row));
    }
}

/// A second factor by SMS at a tenant of each edition.
#[test]
fn a_second_factor_by_sms_in_every_edition() {
    for (kind, send_type) in [
        (EditionKind::Ciam, SendType::MfaAuthSms),
        (EditionKind::Eiam, SendType::MfaAuthSms),
        (EditionKind::OneAccess, SendType::OtpRestSms),
    ] {
        let tenant = Emulator::new();
        tenant.configure(|settings| settings.edition = edition(kind));
        tenant.add_user(User::new("zhangshan").password("right").mobile("15201657312").second_factor());
        let client = tenant.client().unwrap();
        let stage = second_factor(&tenant, &client).phone("15201657312");
        send(&tenant, &client, &stage);
        let effects: Vec<_> = tenant.ledger().into_iter().flat_map(|entry| entry.effects).collect();
        let sent =
            idaas_login::emulator::Effect::CodeSent { destination: "15201657312".to_owned(), send_type };
        assert!(effects.contains(&sent), "{kind}: {effects:?}");
        let code = tenant.last_code("15201657312").unwrap();
        assert!(matches!(stage.submit(code).send(), Ok(Outcome::Authenticated(_))), "{kind}");
    }
}

fn second_factor(tenant: &Emulator, client: &Client) -> MfaRequired {
    let login = client.login(device()).wechat_mini_program(tenant.wechat_login_code("an-openid")).send();
    let Ok(Outcome::PendingBind(stage)) = login else { panic!("{login:?}") };
    let bound = stage.username_password("zhangshan", "right").send();
    let Ok(Outcome::MfaRequired(stage)) = bound else { panic!("{bound:?}") };
    stage
}

fn send(tenant: &Emulator, client: &Client, stage: &VerifyPhone<MfaRequired>) {
    let captcha = client.captcha(stage.device()).send().unwrap();
    let x = tenant.captcha_solution(captcha.token().expose()).unwrap();
    let pass: CaptchaPass = captcha.solve(x, stage.destination()).send().unwrap();
    stage.send_code(&pass).send().unwrap();
}

/// A tenant that differs in every way that the builder knows, and a client that is told so: it works, and only so.
#[test]
fn a_tenant_that_differs_is_reached_by_overrides() {
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.unbound = Unbound::Bind;
        settings.path_prefix = "/idaas".to_owned();
        settings.paths =
            vec![(&endpoints::BIND_USERNAME_PASSWORD, "/api/v3/sdk/social/password-bind".to_owned())];
        settings.send_types = vec![(&endpoints::SEND_MFA_SMS, "SECOND_SMS".to_owned())];
        settings.field_names =
            vec![(&endpoints::BIND_USERNAME_PASSWORD, "user_name".to_owned(), "login_name".to_owned())];
    });
    tenant.add_user(User::new("zhangshan").password("right").mobile("15201657312").second_factor());
    let told = tenant.client().unwrap();
    let stage = second_factor(&tenant, &told).phone("15201657312");
    send(&tenant, &told, &stage);
    let code = tenant.last_code("15201657312").unwrap();
    assert!(matches!(stage.submit(code).send(), Ok(Outcome::Authenticated(_))));
    assert_eq!(
        format!("{told:?}"),
        "Client { base_address: https://emulator.invalid/idaas, client_id: \"nTo1eRIub60vPb54WeE6aojPwYwImtl4\", \
         edition: Ciam, overrides: {\"path_prefix\": \"/idaas\", \
         path of PendingBind.username_password: \"/api/v3/sdk/social/password-bind\", \
         send type of VerifyPhone<MfaRequired>.send_code: \"SECOND_SMS\", \
         user_name of PendingBind.username_password: \"login_name\"}, .. }"
    );

    let untold = Client::builder("https://emulator.invalid", CLIENT_ID).build_with(tenant.clone()).unwrap();
    let failed =
        untold.login(device()).wechat_mini_program(tenant.wechat_login_code("another")).send().unwrap_err();
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)));
}

/// Of two overrides of the same the later one counts; others stay.
#[test]
fn an_override_replaces_an_earlier_one_of_the_same() {
    let builder = Client::builder("https://acme.example.com", CLIENT_ID)
        .path(&endpoints::BIND_PHONE, "/first")
        .path(&endpoints::BIND_EMAIL, "/other")
        .path(&endpoints::BIND_PHONE, "/last")
        .send_type(&endpoints::SEND_BIND_SMS, "FIRST")
        .send_type(&endpoints::SEND_MFA_SMS, "OTHER")
        .send_type(&endpoints::SEND_BIND_SMS, "LAST")
        .field_name(&endpoints::BIND_PHONE, "mobile", "first")
        .field_name(&endpoints::BIND_PHONE, "verify_code", "other")
        .field_name(&endpoints::BIND_EMAIL, "email", "another")
        .field_name(&endpoints::BIND_PHONE, "mobile", "last");
    assert_eq!(
        format!("{builder:?}"),
        "ClientBuilder { client_id: \"nTo1eRIub60vPb54WeE6aojPwYwImtl4\", edition: Ciam, overrides: {\
         path of VerifyEmail<PendingBind>.submit: \"/other\", \
         path of VerifyPhone<PendingBind>.submit: \"/last\", \
         send type of VerifyPhone<MfaRequired>.send_code: \"OTHER\", \
         send type of VerifyPhone<PendingBind>.send_code: \"LAST\", \
         verify_code of VerifyPhone<PendingBind>.submit: \"other\", \
         email of VerifyEmail<PendingBind>.submit: \"another\", \
         mobile of VerifyPhone<PendingBind>.submit: \"last\"}, .. }"
    );
}

/// A path makes a step available that the edition does not document.
#[test]
fn a_path_makes_a_step_available() {
    let transport = |request: Request| {
        assert_eq!(request.uri().path(), endpoints::LOGIN_ALIPAY_MINI_PROGRAM.path);
        Ok(response(200, SUCCESS))
    };
    let row = &endpoints::LOGIN_ALIPAY_MINI_PROGRAM;
    let without = Client::builder("https://acme.example.com", CLIENT_ID).edition(Edition::Eiam);
    let with = without.clone().path(row, row.path).build_with(transport).unwrap();
    assert!(with.login(device()).alipay_mini_program("code").send().is_ok());
    let without = without.build_with(transport).unwrap();
    let failed = without.login(device()).alipay_mini_program("code").send().unwrap_err();
    assert!(matches!(failed.error(), Error::Unsupported(_)));
    assert!(matches!(failed.into_recovery(), Recovery::Retry(_)), "nothing was sent");
}

#[test]
fn an_override_that_cannot_be_right_is_refused_at_once() {
    let builder = || Client::builder("https://acme.example.com", CLIENT_ID);
    let row = &endpoints::BIND_PHONE;
    for (builder, field) in [
        (builder().path_prefix("idaas"), "path_prefix"),
        (builder().path_prefix("/idaas?x"), "path_prefix"),
        (builder().path_prefix("/with space"), "path_prefix"),
        (builder().path_prefix("/idaas#x"), "path_prefix"),
        (builder().path(row, "/api/v2#x"), "path"),
        (builder().path(row, ""), "path"),
        (builder().path(row, "api/v2"), "path"),
        (builder().path(row, "/api\nv2"), "path"),
        (builder().send_type(row, "BIND"), "send_type"),
        (builder().send_type(&endpoints::SEND_BIND_SMS, ""), "send_type"),
        (builder().send_type(&endpoints::SEND_BIND_SMS, "A B"), "send_type"),
        (builder().field_name(row, "phone", "tel"), "field_name"),
        (builder().field_name(row, "mobile", ""), "field_name"),
        (builder().field_name(row, "mobile", "verify_code"), "field_name"),
    ] {
        let error = builder.build_with(support::always(200, SUCCESS)).unwrap_err();
        let Error::InvalidInput(invalid) = &error else { panic!("{error}") };
        assert_eq!(InvalidInput::field(invalid), field, "{error}");
    }
    // A slash at the end of the prefix is none too many.
    let client = builder().path_prefix("/idaas/").build_with(support::always(200, SUCCESS)).unwrap();
    assert!(format!("{client:?}").contains("https://acme.example.com/idaas,"), "{client:?}");
}

#[test]
fn an_over_long_value_is_refused_before_anything_is_sent() {
    let client = client(support::always(200, support::SOCIAL_BIND));
    let stage = support::pending_bind(&client);
    let failed = stage.username_password("zhangshan", "x".repeat(16 * 1024 + 1)).send().unwrap_err();
    let Error::InvalidInput(invalid) = failed.error() else { panic!("{failed}") };
    assert_eq!((invalid.field(), invalid.reason()), ("password", "is longer than 16 KiB"));
    let Recovery::Retry(stage) = failed.into_recovery() else { panic!("nothing was sent") };
    assert!(stage.username_password("zhangshan", "x".repeat(16 * 1024)).send().is_ok());
}
