//! A stage put down and picked up: equal, typed, by the same tenant only; and sealed, in its own context only.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use idaas_login::endpoints::{OriginKind, StageKind};
use idaas_login::{
    Account, AlipayMiniProgram, AnyLogin, AnyStage, Authenticated, AwaitingCode, CaptchaPass, Client, Device,
    Edition, Error, MfaRequired, Origin, Outcome, PasswordExpired, PasswordExpiring, PasswordReset,
    PendingBind, PendingRegister, Recovery, Registration, RegistrationAttributes, Request, Resumable,
    ResumeReason, Resumed, SocialApp, Suspended, Unauthenticated, Unresolved, VerifyEmail, VerifyPhone,
    WeChatMiniProgram,
};
use proptest::prelude::*;
use support::{
    CLIENT_ID, EMAIL, MFA_AUTH, MOBILE, PASSWORD_EXPIRED, PASSWORD_WARN, SOCIAL_BIND, SUCCESS, USER_REGISTER,
    always, client, device, response,
};

fn wechat(body: &str) -> (Client, Outcome) {
    let client = client(always(200, body));
    let outcome = support::log_in(&client);
    (client, outcome)
}

fn alipay(body: &str) -> (Client, Outcome<AlipayMiniProgram>) {
    let client = client(always(200, body));
    let outcome = client.login(device()).alipay_mini_program("091z").send().unwrap();
    (client, outcome)
}

fn social(body: &str) -> (Client, Outcome<SocialApp>) {
    let client = client(always(200, body));
    let outcome = client.login(device()).qq("a-token", "an-openid").send().unwrap();
    (client, outcome)
}

fn account(body: &str) -> (Client, Outcome<Account>) {
    let client = client(always(200, body));
    let outcome = client.login(device()).username_password("zhangshan", "password").send().unwrap();
    (client, outcome)
}

fn attributes() -> RegistrationAttributes {
    let extension = serde_json::json!({ "age": "18" });
    RegistrationAttributes::new().user_name("hanmeimei").password("secret").extension(extension)
}

/// Suspends, resumes, and suspends again: what comes out is what went in.
fn round<S: Resumable>(client: &Client, suspended: &Suspended, again: fn(S) -> Suspended) -> S {
    let stage: S = client.resume(suspended.clone()).unwrap();
    assert_eq!(again(stage), *suspended);
    // Through its bytes, and through serde.
    assert_eq!(Suspended::from_bytes(suspended.to_bytes()), *suspended);
    let json = serde_json::to_string(suspended).unwrap();
    assert_eq!(serde_json::from_str::<Suspended>(&json).unwrap(), *suspended);
    client.resume(suspended.clone()).unwrap()
}

/// Every kind of value, with its name.
fn every_kind() -> Vec<(String, Suspended)> {
    let mut all = Vec::new();
    macro_rules! add {
        ($name:expr, $stage:expr) => {
            all.push(($name.to_owned(), $stage.suspend()))
        };
    }
    macro_rules! platform {
        ($log_in:ident, $prefix:literal) => {
            let bind = || match $log_in(SOCIAL_BIND).1 {
                Outcome::PendingBind(stage) => stage,
                other => panic!("{other:?}"),
            };
            let register = || match $log_in(USER_REGISTER).1 {
                Outcome::PendingRegister(stage) => stage,
                other => panic!("{other:?}"),
            };
            let mfa = || match $log_in(MFA_AUTH).1 {
                Outcome::MfaRequired(stage) => stage,
                other => panic!("{other:?}"),
            };
            add!(concat!($prefix, "_pending_bind"), bind());
            add!(concat!($prefix, "_pending_register"), register());
            add!(concat!($prefix, "_mfa_required"), mfa());
            add!(concat!($prefix, "_bind_by_phone"), bind().phone(MOBILE).unwrap());
            add!(concat!($prefix, "_bind_by_email"), bind().email(EMAIL).unwrap());
            add!(concat!($prefix, "_register_by_phone"), register().phone(MOBILE).unwrap());
            add!(concat!($prefix, "_register_by_email"), register().email(EMAIL).unwrap());
            add!(concat!($prefix, "_second_factor_by_phone"), mfa().phone(MOBILE));
            add!(concat!($prefix, "_second_factor_by_email"), mfa().email(EMAIL));
        };
    }
    macro_rules! passwords {
        ($log_in:ident, $prefix:literal) => {
            let expiring = || match $log_in(PASSWORD_WARN).1 {
                Outcome::PasswordExpiring(stage) => stage,
                other => panic!("{other:?}"),
            };
            let expired = || match $log_in(PASSWORD_EXPIRED).1 {
                Outcome::PasswordExpired(stage) => stage,
                other => panic!("{other:?}"),
            };
            add!(concat!($prefix, "_password_expiring"), expiring());
            add!(concat!($prefix, "_password_expired"), expired());
            add!(concat!($prefix, "_changing_by_phone"), expiring().phone(MOBILE));
            add!(concat!($prefix, "_changing_by_email"), expired().email(EMAIL));
        };
    }
    platform!(wechat, "wechat");
    platform!(alipay, "alipay");
    let Outcome::Authenticated(user) = wechat(SUCCESS).1 else { panic!("SUCCESS") };
    add!("authenticated", user);
    add!("unresolved_pending_bind", unresolved());
    platform!(social, "social");
    platform!(account, "account");
    passwords!(wechat, "wechat");
    passwords!(alipay, "alipay");
    passwords!(social, "social");
    passwords!(account, "account");
    let login = || client(always(200, "")).login(device());
    add!("login_by_phone", login().phone(MOBILE));
    add!("login_by_email", login().email(EMAIL));
    add!("registration", login().register(attributes()));
    add!("registration_by_phone", login().register(attributes()).phone(MOBILE));
    add!("registration_by_email", login().register(RegistrationAttributes::new()).email(EMAIL));
    add!("password_reset", login().reset_password());
    add!("reset_by_phone", login().reset_password().phone(MOBILE));
    add!("reset_by_email", login().reset_password().email(EMAIL));
    all
}

fn unresolved() -> Unresolved<PendingBind> {
    let client = client(support::script(vec![
        Ok(response(200, SOCIAL_BIND)),
        Err(idaas_login::TransportError::maybe_sent("reset")),
    ]));
    let failed = support::pending_bind(&client).username_password("u", "p").send().unwrap_err();
    match failed.into_recovery() {
        Recovery::Unresolved(unresolved) => unresolved,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_stage_resumes_equal() {
    let (client, outcome) = wechat(SOCIAL_BIND);
    let Outcome::PendingBind(stage) = outcome else { panic!("SOCIAL_BIND") };
    let suspended = stage.suspend();
    let again = round(&client, &suspended, PendingBind::<WeChatMiniProgram>::suspend);
    assert_eq!(again.state_token().expose(), support::STATE_TOKEN);
    assert_eq!(again.allowed_flows().listed().unwrap().len(), 2);
    // The request that it sends is the one that it would have sent.
    let text = |stage: PendingBind| {
        let (request, _in_flight) = stage.wechat_mobile("6213").into_request().unwrap();
        support::text(&request)
    };
    let Outcome::PendingBind(never_suspended) = wechat(SOCIAL_BIND).1 else { panic!("SOCIAL_BIND") };
    assert_eq!(text(again), text(never_suspended));

    let (client, outcome) = wechat(MFA_AUTH);
    let Outcome::MfaRequired(stage) = outcome else { panic!("MFA_AUTH") };
    let suspended = stage.phone("+86-152").suspend();
    let again = round(&client, &suspended, VerifyPhone::<MfaRequired>::suspend);
    assert_eq!(again.destination(), "+86-152");

    let body = r#"{"status":"SUCCESS","session_token":"s","expire":432000,"id_token":"i"}"#;
    let (client, outcome) = wechat(body);
    let Outcome::Authenticated(user) = outcome else { panic!("SUCCESS") };
    let again = round(&client, &user.suspend(), Authenticated::suspend);
    assert_eq!(again.session_token().expose(), "s");
    assert_eq!(again.id_token().unwrap().expose(), "i");
    assert_eq!(again.expires_in(), Some(Duration::from_secs(432_000)));

    let again = round(&client, &unresolved().suspend(), Unresolved::<PendingBind>::suspend);
    let Ok(Resumed::Unresolved(any)) = client.resume_any::<WeChatMiniProgram>(unresolved().suspend()) else {
        panic!("any")
    };
    let AnyStage::PendingBind(stage) = any.retry_anyway() else { panic!("of a bind") };
    assert_eq!(stage.state_token().expose(), support::STATE_TOKEN);
    let Ok(Resumed::Unresolved(any)) = client.resume_any::<WeChatMiniProgram>(unresolved().suspend()) else {
        panic!("any")
    };
    assert_eq!(format!("{:?}", any.start_over()), "Unauthenticated { .. }");
    assert_eq!(again.retry_anyway().state_token().expose(), support::STATE_TOKEN);
}

/// As what it is, and as nothing else; otherwise the value comes back with the name of what it holds.
#[test]
fn a_value_resumes_as_its_own_stage_only() {
    let client = client(always(200, ""));
    let mut tried = 0;
    for (name, suspended) in every_kind() {
        macro_rules! as_each {
            ($($expected:literal: $stage:ty),+ $(,)?) => {$(
                let resumed = client.resume::<$stage>(suspended.clone());
                assert_eq!(resumed.is_ok(), name == $expected, "{name} as {}", $expected);
                if let Err(error) = resumed {
                    let ResumeReason::OtherStage(found) = error.reason().clone() else { panic!("{error}") };
                    assert_eq!(found.unresolved, name.starts_with("unresolved"), "{name}");
                    assert_eq!(error.into_suspended(), suspended, "{name}: the value comes back");
                }
                tried += 1;
            )+};
        }
        as_each!(
            "wechat_pending_bind": PendingBind<WeChatMiniProgram>,
            "wechat_pending_register": PendingRegister<WeChatMiniProgram>,
            "wechat_mfa_required": MfaRequired<WeChatMiniProgram>,
            "wechat_password_expiring": PasswordExpiring<WeChatMiniProgram>,
            "wechat_password_expired": PasswordExpired<WeChatMiniProgram>,
            "wechat_bind_by_phone": VerifyPhone<PendingBind<WeChatMiniProgram>>,
            "wechat_bind_by_email": VerifyEmail<PendingBind<WeChatMiniProgram>>,
            "wechat_register_by_phone": VerifyPhone<PendingRegister<WeChatMiniProgram>>,
            "wechat_register_by_email": VerifyEmail<PendingRegister<WeChatMiniProgram>>,
            "wechat_second_factor_by_phone": VerifyPhone<MfaRequired<WeChatMiniProgram>>,
            "wechat_second_factor_by_email": VerifyEmail<MfaRequired<WeChatMiniProgram>>,
            "wechat_changing_by_phone": VerifyPhone<PasswordExpired<WeChatMiniProgram>>,
            "wechat_changing_by_email": VerifyEmail<PasswordExpired<WeChatMiniProgram>>,
            "alipay_pending_bind": PendingBind<AlipayMiniProgram>,
            "alipay_pending_register": PendingRegister<AlipayMiniProgram>,
            "alipay_mfa_required": MfaRequired<AlipayMiniProgram>,
            "alipay_password_expiring": PasswordExpiring<AlipayMiniProgram>,
            "alipay_password_expired": PasswordExpired<AlipayMiniProgram>,
            "alipay_bind_by_phone": VerifyPhone<PendingBind<AlipayMiniProgram>>,
            "alipay_bind_by_email": VerifyEmail<PendingBind<AlipayMiniProgram>>,
            "alipay_register_by_phone": VerifyPhone<PendingRegister<AlipayMiniProgram>>,
            "alipay_register_by_email": VerifyEmail<PendingRegister<AlipayMiniProgram>>,
            "alipay_second_factor_by_phone": VerifyPhone<MfaRequired<AlipayMiniProgram>>,
            "alipay_second_factor_by_email": VerifyEmail<MfaRequired<AlipayMiniProgram>>,
            "alipay_changing_by_phone": VerifyPhone<PasswordExpired<AlipayMiniProgram>>,
            "alipay_changing_by_email": VerifyEmail<PasswordExpired<AlipayMiniProgram>>,
            "social_pending_bind": PendingBind<SocialApp>,
            "social_pending_register": PendingRegister<SocialApp>,
            "social_mfa_required": MfaRequired<SocialApp>,
            "social_password_expiring": PasswordExpiring<SocialApp>,
            "social_password_expired": PasswordExpired<SocialApp>,
            "social_bind_by_phone": VerifyPhone<PendingBind<SocialApp>>,
            "social_bind_by_email": VerifyEmail<PendingBind<SocialApp>>,
            "social_register_by_phone": VerifyPhone<PendingRegister<SocialApp>>,
            "social_register_by_email": VerifyEmail<PendingRegister<SocialApp>>,
            "social_second_factor_by_phone": VerifyPhone<MfaRequired<SocialApp>>,
            "social_second_factor_by_email": VerifyEmail<MfaRequired<SocialApp>>,
            "social_changing_by_phone": VerifyPhone<PasswordExpired<SocialApp>>,
            "social_changing_by_email": VerifyEmail<PasswordExpired<SocialApp>>,
            "account_pending_bind": PendingBind<Account>,
            "account_pending_register": PendingRegister<Account>,
            "account_mfa_required": MfaRequired<Account>,
            "account_password_expiring": PasswordExpiring<Account>,
            "account_password_expired": PasswordExpired<Account>,
            "account_bind_by_phone": VerifyPhone<PendingBind<Account>>,
            "account_bind_by_email": VerifyEmail<PendingBind<Account>>,
            "account_register_by_phone": VerifyPhone<PendingRegister<Account>>,
            "account_register_by_email": VerifyEmail<PendingRegister<Account>>,
            "account_second_factor_by_phone": VerifyPhone<MfaRequired<Account>>,
            "account_second_factor_by_email": VerifyEmail<MfaRequired<Account>>,
            "account_changing_by_phone": VerifyPhone<PasswordExpired<Account>>,
            "account_changing_by_email": VerifyEmail<PasswordExpired<Account>>,
            "authenticated": Authenticated,
            "unresolved_pending_bind": Unresolved<PendingBind>,
            "login_by_phone": VerifyPhone<Unauthenticated>,
            "login_by_email": VerifyEmail<Unauthenticated>,
            "registration": Registration,
            "registration_by_phone": VerifyPhone<Registration>,
            "registration_by_email": VerifyEmail<Registration>,
            "password_reset": PasswordReset,
            "reset_by_phone": VerifyPhone<PasswordReset>,
            "reset_by_email": VerifyEmail<PasswordReset>,
        );
    }
    let all = every_kind().len();
    assert_eq!(tried, all * all);
}

/// Whatever awaits a code in the middle of a login, which a code alone moves on.
#[test]
fn what_awaits_a_code_resumes_as_one_type() {
    let client = client(always(200, ""));
    for (name, suspended) in every_kind() {
        let awaits = ["bind_by_", "register_by_", "second_factor_by_"].iter().any(|part| name.contains(part));
        let wechat = client.resume::<AwaitingCode<WeChatMiniProgram>>(suspended.clone());
        assert_eq!(wechat.is_ok(), awaits && name.starts_with("wechat"), "{name}");
        let account = client.resume::<AwaitingCode<Account>>(suspended.clone());
        assert_eq!(account.is_ok(), awaits && name.starts_with("account"), "{name}");
        if let Ok(stage) = wechat {
            assert_eq!(stage.suspend(), suspended, "{name}");
        }
    }
}

/// The variant that a value was found to be: the innermost that names a stage.
fn variant<O: Origin>(resumed: Resumed<O>) -> String {
    let stage = match resumed {
        Resumed::Stage(stage) => stage,
        Resumed::Unresolved(_) => return "Unresolved".to_owned(),
    };
    let text = match stage {
        AnyStage::AwaitingCode(stage) => format!("{stage:?}"),
        stage => format!("{stage:?}"),
    };
    text.split('(').next().unwrap().to_owned()
}

#[test]
fn any_stage_is_found_and_named() {
    let client = client(always(200, ""));
    let mut names = Vec::new();
    for (name, suspended) in every_kind() {
        let found = [
            client.resume_any::<WeChatMiniProgram>(suspended.clone()).map(variant),
            client.resume_any::<AlipayMiniProgram>(suspended.clone()).map(variant),
            client.resume_any::<SocialApp>(suspended.clone()).map(variant),
            client.resume_any::<Account>(suspended.clone()).map(variant),
        ];
        let error = found.iter().find_map(|found| found.as_ref().err()).map(ToString::to_string);
        let origins = ["wechat", "alipay", "social", "account"].into_iter().zip(&found);
        let there: Vec<_> = origins
            .filter_map(|(origin, found)| Some(format!("{origin} {}", found.as_ref().ok()?)))
            .collect();
        let any = match client.resume(suspended.clone()).unwrap() {
            AnyLogin::WeChatMiniProgram(login) => variant(login),
            AnyLogin::AlipayMiniProgram(login) => variant(login),
            AnyLogin::SocialApp(login) => variant(login),
            AnyLogin::Account(login) => variant(login),
        };
        // Whatever it is, it is found, and put down again as it was.
        assert!(there.iter().all(|found| found.ends_with(&format!(" {any}"))), "{name}: {there:?}, {any}");
        assert_eq!(client.resume::<AnyLogin>(suspended.clone()).unwrap().suspend(), suspended, "{name}");
        names.push(format!("{name}: {}; else {}", there.join(", "), error.unwrap_or("nothing".to_owned())));
    }
    snapshot!("suspend", "resume_any", names.join("\n"));
}

/// Where the code goes, and the request that sends one there, if the edition has it; nothing if none is due.
fn code_due<O: Origin>(resumed: Resumed<O>) -> Option<(String, Option<Request>)> {
    let Resumed::Stage(stage) = resumed else { return None };
    let destination = stage.destination().map(str::to_owned);
    let pass = CaptchaPass::from_token(destination.as_deref().unwrap_or(MOBILE), "a pass");
    let call = stage.send_code(&pass);
    if let AnyStage::AwaitingCode(stage) = &stage {
        assert_eq!(Some(stage.destination()), destination.as_deref());
    }
    match (destination, call) {
        (Some(destination), Some(call)) => match call.into_request() {
            Ok((request, _)) => Some((destination, Some(request))),
            Err(Error::Unsupported(_)) => Some((destination, None)),
            Err(error) => panic!("{error:?}"),
        },
        (None, None) => None,
        (destination, call) => panic!("{destination:?} and {call:?}"),
    }
}

#[test]
fn any_stage_sends_the_code_that_is_due() {
    let client = client(always(200, ""));
    for (name, suspended) in every_kind() {
        let due = match client.resume(suspended).unwrap() {
            AnyLogin::WeChatMiniProgram(login) => code_due(login),
            AnyLogin::AlipayMiniProgram(login) => code_due(login),
            AnyLogin::SocialApp(login) => code_due(login),
            AnyLogin::Account(login) => code_due(login),
        };
        let expected = if name.ends_with("_by_phone") {
            Some(MOBILE)
        } else if name.ends_with("_by_email") {
            Some(EMAIL)
        } else {
            None
        };
        assert_eq!(due.as_ref().map(|(destination, _)| destination.as_str()), expected, "{name}");
        if let Some((destination, Some(request))) = due {
            let body = std::str::from_utf8(request.body()).unwrap();
            assert!(body.contains(&destination), "{name}: {body}");
        }
    }
}

#[test]
fn another_tenant_or_application_is_refused() {
    let (_, outcome) = wechat(SOCIAL_BIND);
    let Outcome::PendingBind(stage) = outcome else { panic!("SOCIAL_BIND") };
    let suspended = stage.suspend();
    for (address, client_id) in [
        ("https://other.example.com", CLIENT_ID),
        ("https://acme.example.com:8443", CLIENT_ID),
        ("https://acme.example.com", "another"),
    ] {
        let client = Client::builder(address, client_id).build_with(always(200, "")).unwrap();
        let error = client.resume::<PendingBind>(suspended.clone()).unwrap_err();
        assert_eq!(*error.reason(), ResumeReason::OtherTenant, "{address} {client_id}");
    }
    // The edition may change: it is the client's, not the stage's. So may the spelling of the address.
    let eiam = Client::builder("https://ACME.example.com:443/", CLIENT_ID).edition(Edition::Eiam);
    assert!(eiam.build_with(always(200, "")).unwrap().resume::<PendingBind>(suspended).is_ok());
}

/// Where tenants share a domain and the application's id, the tenant id alone tells them apart.
#[test]
fn tenants_on_one_domain_are_told_apart() {
    let client = |tenant_id: Option<&str>| {
        let edition = tenant_id.map_or(Edition::OneAccess, |tenant_id| Edition::OneAccessIsv {
            tenant_id: tenant_id.to_owned(),
        });
        let builder = Client::builder("https://common.example.com", CLIENT_ID).edition(edition);
        builder.build_with(always(200, SOCIAL_BIND)).unwrap()
    };
    let tenants = [None, Some("a"), Some("b")];
    for of in tenants {
        let Outcome::PendingBind(stage) = support::log_in(&client(of)) else { panic!("SOCIAL_BIND") };
        let suspended = stage.suspend();
        // Behind all that other stages have: tag, length, value; then the end.
        if let Some(id) = of {
            let field = [13, 0, 0, 0, 1, id.as_bytes()[0], 0];
            assert!(suspended.to_bytes().ends_with(&field), "{:?}", suspended.to_bytes());
        }
        for at in tenants {
            match client(at).resume::<PendingBind>(suspended.clone()) {
                Ok(stage) => {
                    assert_eq!(of, at);
                    assert_eq!(stage.suspend().to_bytes(), suspended.to_bytes());
                }
                Err(error) => {
                    assert_ne!(of, at);
                    assert_eq!(*error.reason(), ResumeReason::OtherTenant);
                }
            }
        }
    }
}

#[test]
fn a_newer_version_and_nonsense_are_told_apart() {
    let client = client(always(200, ""));
    let good = every_kind().remove(0).1;
    let reason = |bytes: &[u8]| {
        client.resume::<PendingBind>(Suspended::from_bytes(bytes)).unwrap_err().reason().clone()
    };
    // Versions 2 and 3 brought fields and stages that no value without them has.
    for version in [2, 3] {
        let mut bytes = good.to_bytes().to_vec();
        bytes[1] = version;
        assert_eq!(reason(&bytes), ResumeReason::Malformed);
    }
    for version in 4..=255 {
        let mut bytes = good.to_bytes().to_vec();
        bytes[1] = version;
        assert_eq!(reason(&bytes), ResumeReason::NewerVersion(version));
    }
    for end in 0..good.to_bytes().len() {
        assert_eq!(reason(&good.to_bytes()[..end]), ResumeReason::Malformed, "cut at {end}");
    }
    // Without its mark it is no suspended stage of any version.
    for mark in 0..=255 {
        let mut bytes = good.to_bytes().to_vec();
        if mark != bytes[0] {
            bytes[0] = mark;
            assert_eq!(reason(&bytes), ResumeReason::Malformed);
        }
    }
    let longer = [good.to_bytes(), &[0]].concat();
    assert_eq!(reason(&longer), ResumeReason::Malformed);
    for text in ["", "{}", "not Base64!", "AAAA="] {
        let json = serde_json::to_string(text).unwrap();
        match serde_json::from_str::<Suspended>(&json) {
            Ok(value) => assert_eq!(
                client.resume::<PendingBind>(value).unwrap_err().reason(),
                &ResumeReason::Malformed
            ),
            Err(error) => assert!(!error.to_string().contains(text) || text.is_empty(), "{error}"),
        }
    }
}

/// A stage that has an origin, without one, is no stage of any login.
#[test]
fn a_stage_without_its_origin_is_none() {
    const NONE: u8 = 0;
    let (client, _) = wechat(SOCIAL_BIND);
    // The others have a version that no value without an origin has.
    for (name, suspended) in every_kind().into_iter().filter(|(name, _)| name.starts_with("wechat")) {
        let mut bytes = suspended.to_bytes().to_vec();
        assert_ne!(std::mem::replace(&mut bytes[3], NONE), NONE, "{name}");
        let failed = client.resume::<AnyLogin>(Suspended::from_bytes(&bytes)).unwrap_err();
        assert!(matches!(failed.reason(), ResumeReason::OtherStage(_)), "{name}: {failed}");
    }
}

/// Each value has the fields of its stage: another one would be lost when the stage is suspended again, and none is missing.
#[test]
fn a_value_has_the_fields_of_its_stage() {
    /// By tag, and what a value has by its stage.
    const FIELDS: [(u8, &str, &[u8]); 7] = [
        (8, "token", b"a-token"),
        (9, "data", b"{}"),
        (10, "destination", b"15201657312"),
        (11, "expires_in", &[0, 0, 0, 0, 0, 0, 0, 9]),
        (12, "id_token", b"a.b.c"),
        (14, "expires_at", &[0, 0, 0, 0, 0, 0, 0, 9]),
        (15, "attributes", &[]),
    ];
    let client = client(always(200, ""));
    for (name, suspended) in every_kind() {
        let (head, fields) = taken_apart(suspended.to_bytes());
        assert_eq!(put_together(&head, &fields), suspended.to_bytes(), "{name}");
        let is_narrowed = name.contains("_by_");
        let has_token = !name.starts_with("login_") && !name.starts_with("reg") && !name.contains("reset");
        let is_finished = name == "authenticated";
        for (tag, field, value) in FIELDS {
            let (is_allowed, is_needed) = match field {
                "token" => (has_token, has_token),
                "data" => (has_token && !is_finished, false),
                "destination" => (is_narrowed, is_narrowed),
                // Without it the value would be of an older version.
                "expires_at" => (is_finished, is_finished),
                "attributes" => (name.starts_with("registration"), name.starts_with("registration")),
                _ => (is_finished, false),
            };
            let without = || fields.iter().filter(|(other, _)| *other != tag).cloned();
            let mut with: Vec<_> = without().chain([(tag, value.to_vec())]).collect();
            with.sort_by_key(|(tag, _)| *tag);
            for (is_good, changed) in [(is_allowed, with), (!is_needed, without().collect())] {
                let bytes = put_together(&head, &changed);
                let reason = match client.resume::<AnyLogin>(Suspended::from_bytes(&bytes)) {
                    Ok(login) => {
                        assert_eq!(login.suspend().to_bytes(), bytes, "{name}, {field}");
                        None
                    }
                    Err(failed) => Some(failed.reason().clone()),
                };
                assert_eq!(reason, (!is_good).then_some(ResumeReason::Malformed), "{name}, {field}");
            }
        }
    }
}

type Field = (u8, Vec<u8>);

/// The fields of a value: each has a tag, its length in four bytes, and as many bytes.
fn taken_apart(bytes: &[u8]) -> (Vec<u8>, Vec<Field>) {
    let (head, mut rest) = bytes.split_at(5);
    let mut fields = Vec::new();
    while let [tag, a, b, c, d, after @ ..] = rest {
        let (value, after) = after.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        fields.push((*tag, value.to_vec()));
        rest = after;
    }
    assert_eq!(rest, [0]);
    (head.to_vec(), fields)
}

fn put_together(head: &[u8], fields: &[Field]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    for (tag, value) in fields {
        bytes.push(*tag);
        bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend(value);
    }
    bytes.push(0);
    bytes
}

/// Values of every version that was ever released keep resuming. `UPDATE_CORPUS=1` adds those of this version.
#[test]
fn values_of_older_versions_resume() {
    let folders = [1, 2, 3].map(|version| support::root().join(format!("tests/corpus/suspended-v{version}")));
    let current = every_kind();
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        for (name, suspended) in &current {
            let folder = &folders[usize::from(suspended.to_bytes()[1]) - 1];
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join(format!("{name}.json")), serde_json::to_string(suspended).unwrap() + "\n")
                .unwrap();
        }
    }
    let client = client(always(200, ""));
    let mut read = BTreeSet::new();
    for entry in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let suspended: Suspended = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        // Not only does it resume: it is the very stage, with all that it held.
        let (_, expected) = current.iter().find(|(current, _)| *current == name).unwrap();
        let found = match client.resume(suspended.clone()).unwrap() {
            AnyLogin::WeChatMiniProgram(login) => variant(login),
            AnyLogin::AlipayMiniProgram(login) => variant(login),
            AnyLogin::SocialApp(login) => variant(login),
            AnyLogin::Account(login) => variant(login),
        };
        let snake: String = found
            .chars()
            .flat_map(|letter| {
                letter.is_uppercase().then_some('_').into_iter().chain([letter.to_ascii_lowercase()])
            })
            .collect();
        let of_name =
            ["alipay", "wechat", "social", "account"].into_iter().fold(&*name, str::trim_start_matches);
        let of_name = if name.starts_with("unresolved") { "unresolved" } else { of_name };
        assert!(snake.contains(of_name.trim_start_matches('_')), "{name}: {found}");
        // What is written in the version of then is what was written then.
        if suspended.to_bytes()[1] == expected.to_bytes()[1] {
            assert_eq!(suspended, *expected, "{name}");
            read.insert(name.clone());
        }
        // Put down again, whichever it is, it is the same value.
        let again = client.resume::<AnyLogin>(suspended.clone()).unwrap().suspend();
        assert_eq!(again, suspended, "{name}");
    }
    assert_eq!(read.len(), current.len(), "each kind has a value in the corpus");
}

#[test]
fn nothing_of_it_is_printed() {
    for (name, suspended) in every_kind() {
        let client = client(always(200, ""));
        let error = client.resume::<Unresolved<VerifyEmail<MfaRequired>>>(suspended.clone()).unwrap_err();
        let printed = format!("{suspended:?} {error:?} {error}");
        for secret in [support::STATE_TOKEN, support::SESSION_TOKEN, MOBILE, EMAIL, "156aysdna213sc50"] {
            assert!(!printed.contains(secret), "{name}: {printed}");
        }
    }
}

/// A login that goes on in other processes: each request has a client of its own, and only bytes go between.
#[test]
fn a_login_outlives_its_process() {
    use idaas_login::emulator::{Emulator, User};
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangsan").email(EMAIL).mobile("15201657312").second_factor());
    let process = || tenant.client().unwrap();
    let bytes = |suspended: Suspended| suspended.to_bytes().to_vec();

    let login = process().login(device()).wechat_mini_program(tenant.wechat_login_code("o")).send().unwrap();
    let Outcome::PendingBind(stage) = login else { panic!("{login:?}") };
    let put_down = bytes(stage.suspend());
    let Resumed::Stage(AnyStage::PendingBind(stage)) =
        process().resume_any::<WeChatMiniProgram>(Suspended::from_bytes(&put_down)).unwrap()
    else {
        panic!("it was put down as a bind")
    };
    let put_down = bytes(stage.email(EMAIL).unwrap().suspend());
    let code = tenant.issue_code(EMAIL, idaas_login::endpoints::SendType::BindEmailEms);
    let stage = process().resume::<VerifyEmail<PendingBind>>(Suspended::from_bytes(&put_down)).unwrap();
    let outcome = stage.submit(&code).send().unwrap();
    let Outcome::MfaRequired(stage) = outcome else { panic!("{outcome:?}") };
    // Presented again, the old value is of no use: its state token is used up, and the tenant says so.
    let replayed = process().resume::<VerifyEmail<PendingBind>>(Suspended::from_bytes(&put_down)).unwrap();
    let failed = replayed.submit(&code).send().unwrap_err();
    assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));

    let put_down = bytes(stage.phone("15201657312").suspend());
    let code = tenant.issue_code("15201657312", idaas_login::endpoints::SendType::MfaAuthSms);
    let stage = process().resume::<VerifyPhone<MfaRequired>>(Suspended::from_bytes(&put_down)).unwrap();
    let outcome = stage.submit(code).send().unwrap();
    let Outcome::Authenticated(user) = outcome else { panic!("{outcome:?}") };
    let put_down = bytes(user.suspend());
    let user = process().resume::<Authenticated>(Suspended::from_bytes(&put_down)).unwrap();
    let user = user.renew_id_token().send().unwrap();
    assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangsan"));
}

#[cfg(feature = "seal")]
mod sealed {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::UNIX_EPOCH;

    use idaas_login::{SealError, SealKey, SealKeyError, Sealer, UnsealReason};

    use super::*;

    /// A secret whose bytes are all different, and that begins with `first`.
    fn secret(first: u8) -> [u8; 32] {
        std::array::from_fn(|at| first.wrapping_add(u8::try_from(at).unwrap()))
    }

    fn key(id: u32, first: u8) -> SealKey {
        SealKey::new(id, &secret(first)).unwrap()
    }

    fn sealer() -> Sealer {
        Sealer::new(key(1, 7), Duration::from_secs(600))
    }

    fn reason(sealer: &Sealer, handle: &str, context: &[u8]) -> UnsealReason {
        let error = sealer.open(handle, context).unwrap_err();
        // One text for whoever sent it.
        assert_eq!(error.to_string(), "the handle is not valid");
        error.reason().clone()
    }

    #[test]
    fn a_handle_opens_in_its_own_context() {
        for (name, suspended) in every_kind() {
            let handle = sealer().seal(&suspended, b"cookie-1").unwrap();
            assert_eq!(sealer().open(&handle, b"cookie-1").unwrap(), suspended, "{name}");
            assert_eq!(reason(&sealer(), &handle, b"cookie-2"), UnsealReason::OtherContext);
            assert_eq!(reason(&sealer(), &handle, b""), UnsealReason::EmptyContext);
            assert!(handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            // The same again is another text.
            assert_ne!(handle, sealer().seal(&suspended, b"cookie-1").unwrap());
        }
    }

    /// A usual flow: a JWT of 300 characters as the state token, WeChat's user agent, both ways allowed.
    #[test]
    fn a_usual_handle_is_under_a_kibibyte() {
        let token = "e".repeat(300);
        let body = SOCIAL_BIND.replace(support::STATE_TOKEN, &token);
        let client = client(always(200, &body));
        let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.38(0x1800262c) NetType/WIFI Language/zh_CN";
        let device = Device::new("iOS 16.5", "156aysdna213sc50", agent).unwrap().with_ip([203, 0, 113, 77]);
        let outcome = client.login(device).wechat_mini_program("091z").send().unwrap();
        let Outcome::PendingBind(stage) = outcome else { panic!("{outcome:?}") };
        let handle = sealer().seal(&stage.phone(MOBILE).unwrap().suspend(), b"cookie").unwrap();
        println!("a handle of {} characters", handle.len());
        assert!(handle.len() < 1024, "{}", handle.len());
    }

    #[test]
    fn keys_rotate() {
        let suspended = every_kind().remove(0).1;
        let handle = sealer().seal(&suspended, b"c").unwrap();
        let next = Sealer::new(key(2, 8), Duration::from_secs(600));
        assert_eq!(reason(&next, &handle, b"c"), UnsealReason::UnknownKey(1));
        let both = next.also_open(key(1, 7));
        assert_eq!(both.open(&handle, b"c").unwrap(), suspended);
        let newer = both.seal(&suspended, b"c").unwrap();
        assert_eq!(reason(&sealer(), &newer, b"c"), UnsealReason::UnknownKey(2));
        assert_eq!(sealer().also_open(key(2, 8)).open(&newer, b"c").unwrap(), suspended);
        // The id alone is not the key.
        let impostor = Sealer::new(key(1, 9), Duration::from_secs(600));
        assert_eq!(reason(&impostor, &handle, b"c"), UnsealReason::Tampered);
    }

    /// A key that was forgotten to be set, or filled in as a placeholder, is loud.
    #[test]
    fn a_weak_key_is_refused() {
        for length in [0, 1, 16, 31] {
            assert_eq!(SealKey::new(1, &secret(1)[..length]).unwrap_err(), SealKeyError::TooShort);
        }
        for byte in 0..=u8::MAX {
            for length in [32, 33, 64, 1000] {
                assert_eq!(SealKey::new(1, &vec![byte; length]).unwrap_err(), SealKeyError::NotRandom);
            }
        }
        for (text, is_taken) in [
            ("0000000000000000000000000000000000000001", false),
            ("secretsecretsecretsecretsecretsecret", false),
            ("abcdefgabcdefgabcdefgabcdefgabcdefg", false),
            ("abcdefghabcdefghabcdefghabcdefgh", true),
        ] {
            assert_eq!(SealKey::new(1, text.as_bytes()).is_ok(), is_taken, "{text}");
        }
        // Random ones are taken, all of them.
        for _ in 0..10_000 {
            let mut random = [0; 32];
            ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).unwrap();
            assert!(SealKey::new(1, &random).is_ok());
        }
    }

    /// A cookie that is missing is loud; a handle that is bound to nothing has to be asked for.
    #[test]
    fn an_empty_context_is_refused() {
        let suspended = every_kind().remove(0).1;
        assert_eq!(sealer().seal(&suspended, b""), Err(SealError::EmptyContext));
        let unbound = sealer().danger_allow_empty_context();
        let handle = unbound.seal(&suspended, b"").unwrap();
        assert_eq!(unbound.open(&handle, b"").unwrap(), suspended);
        assert_eq!(reason(&sealer(), &handle, b""), UnsealReason::EmptyContext);
        // It is a context like others.
        assert_eq!(reason(&sealer(), &handle, b"cookie"), UnsealReason::OtherContext);
        assert_eq!(
            reason(&unbound, &unbound.seal(&suspended, b"c").unwrap(), b""),
            UnsealReason::OtherContext
        );
    }

    fn at(sealer: Sealer, seconds: u64) -> Sealer {
        sealer.clock(move || UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Each handle can have a lifetime of its own, and its expiry can be read.
    #[test]
    fn a_handle_has_a_lifetime_of_its_own() {
        use base64::Engine;
        use base64::prelude::BASE64_URL_SAFE_NO_PAD;
        let suspended = every_kind().remove(0).1;
        let now = at(sealer(), 1_000_000);
        let usual = now.seal(&suspended, b"c").unwrap();
        let longer = now.seal_for(&suspended, b"c", Duration::from_secs(86_400)).unwrap();
        let expiry = |handle: &str| {
            now.expires_at(handle, b"c").unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!((expiry(&usual), expiry(&longer)), (1_000_600, 1_086_400));
        let later = at(sealer(), 1_086_399);
        assert_eq!(reason(&later, &usual, b"c"), UnsealReason::Expired);
        assert_eq!(later.open(&longer, b"c").unwrap(), suspended);
        assert_eq!(reason(&at(sealer(), 1_086_400), &longer, b"c"), UnsealReason::Expired);
        // What is read was authenticated.
        assert_eq!(*now.expires_at(&usual, b"d").unwrap_err().reason(), UnsealReason::OtherContext);
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&usual).unwrap();
        bytes[12] ^= 1;
        let changed = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        assert_eq!(*now.expires_at(&changed, b"c").unwrap_err().reason(), UnsealReason::Tampered);
        // One without end has the last second that every system can tell.
        let for_ever = now.seal_for(&suspended, b"c", Duration::MAX).unwrap();
        assert_eq!(expiry(&for_ever), 253_402_300_799);
        assert_eq!(now.open(&for_ever, b"c").unwrap(), suspended);
    }

    /// A handle that a machine with a wrong clock sealed, or one with longer lifetimes, opens no longer than is allowed.
    #[test]
    fn a_handle_opens_for_the_longest_lifetime_only() {
        let suspended = every_kind().remove(0).1;
        let limited = |seconds| at(sealer().longest_lifetime(Duration::from_secs(900)), seconds);
        let ahead = at(sealer(), 1_000_000 + 365 * 86_400).seal(&suspended, b"c").unwrap();
        assert!(at(sealer(), 1_000_000).open(&ahead, b"c").is_ok(), "without a limit it opens");
        assert_eq!(reason(&limited(1_000_000), &ahead, b"c"), UnsealReason::ExpiresTooLate);
        assert_eq!(
            *limited(1_000_000).expires_at(&ahead, b"c").unwrap_err().reason(),
            UnsealReason::ExpiresTooLate
        );
        // To the second.
        for (lifetime, opens) in [(900, true), (901, false)] {
            let handle =
                at(sealer(), 1_000_000).seal_for(&suspended, b"c", Duration::from_secs(lifetime)).unwrap();
            assert_eq!(limited(1_000_000).open(&handle, b"c").is_ok(), opens, "{lifetime}");
        }
        // A sealer makes no handle that it would not open.
        let seal_for = |seconds| limited(1_000_000).seal_for(&suspended, b"c", Duration::from_secs(seconds));
        assert_eq!(seal_for(901), Err(SealError::LifetimeTooLong));
        assert!(seal_for(900).is_ok());
        assert!(limited(1_000_000).seal(&suspended, b"c").is_ok());
    }

    /// A handle has at most 128 KiB; a larger text is not looked at.
    #[test]
    fn a_handle_has_a_largest_size() {
        let largest = (128 << 10) / 4 * 3 - 29 - 12 - 16;
        let suspended = |size| Suspended::from_bytes(&vec![7; size]);
        let handle = sealer().seal(&suspended(largest), b"c").unwrap();
        assert_eq!(handle.len(), 128 << 10);
        assert_eq!(sealer().open(&handle, b"c").unwrap(), suspended(largest));
        assert_eq!(sealer().seal(&suspended(largest + 1), b"c"), Err(SealError::TooLarge));
        assert_eq!(reason(&sealer(), &format!("{handle}A"), b"c"), UnsealReason::TooLarge);
    }

    #[test]
    fn handles_expire() {
        let seconds = Arc::new(AtomicU64::new(1_000_000));
        let now = Arc::clone(&seconds);
        let sealer = sealer().clock(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::SeqCst)));
        let suspended = every_kind().remove(0).1;
        let handle = sealer.seal(&suspended, b"c").unwrap();
        seconds.fetch_add(599, Ordering::SeqCst);
        assert!(sealer.open(&handle, b"c").is_ok());
        seconds.fetch_add(1, Ordering::SeqCst);
        assert_eq!(reason(&sealer, &handle, b"c"), UnsealReason::Expired);
        // A clock that cannot tell the time opens nothing; less than a second is one.
        let before_time = super::sealed::sealer().clock(|| UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(reason(&before_time, &handle, b"c"), UnsealReason::Expired);
        let short =
            Sealer::new(key(1, 7), Duration::from_millis(1)).clock(|| UNIX_EPOCH + Duration::from_secs(5));
        assert!(short.open(&short.seal(&suspended, b"c").unwrap(), b"c").is_ok());
        // Beyond the end of time nothing overflows.
        let for_ever = Sealer::new(key(1, 7), Duration::MAX);
        assert!(for_ever.open(&for_ever.seal(&suspended, b"c").unwrap(), b"c").is_ok());
    }

    /// Nothing of one handle's header fits another's content: neither its context nor its expiry.
    #[test]
    fn handles_cannot_be_spliced() {
        use base64::Engine;
        use base64::prelude::BASE64_URL_SAFE_NO_PAD;
        let suspended = every_kind().remove(0).1;
        let bytes = |sealer: &Sealer, context: &[u8]| {
            BASE64_URL_SAFE_NO_PAD.decode(sealer.seal(&suspended, context).unwrap()).unwrap()
        };
        let longer = Sealer::new(key(1, 7), Duration::from_secs(60_000));
        let (mine, theirs) = (bytes(&longer, b"mallory"), bytes(&sealer(), b"alice"));
        // Version and key id, expiry, context.
        for (from, to) in [(5, 13), (13, 29), (5, 29)] {
            let mut spliced = theirs.clone();
            spliced[from..to].copy_from_slice(&mine[from..to]);
            let spliced = BASE64_URL_SAFE_NO_PAD.encode(spliced);
            for context in [&b"mallory"[..], b"alice"] {
                assert_eq!(reason(&sealer(), &spliced, context), UnsealReason::Tampered, "{from}..{to}");
            }
        }
        // An id that is there already is not taken by a second key.
        let doubled = sealer().also_open(key(1, 9));
        let handle = sealer().seal(&suspended, b"c").unwrap();
        assert_eq!(doubled.open(&handle, b"c").unwrap(), suspended);
    }

    #[test]
    fn every_cut_and_every_changed_character_is_refused() {
        let suspended = every_kind().remove(0).1;
        let handle = sealer().seal(&suspended, b"c").unwrap();
        for end in 0..handle.len() {
            let reason = reason(&sealer(), &handle[..end], b"c");
            assert!(
                matches!(reason, UnsealReason::Malformed | UnsealReason::Tampered),
                "cut at {end}: {reason}"
            );
        }
        for at in 0..handle.len() {
            let mut changed = handle.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(sealer().open(&changed, b"c").is_err(), "changed at {at}");
        }
        for odd in [
            "",
            "A",
            "====",
            "\u{e9}",
            &format!("{handle}="),
            &format!(" {handle}"),
            &format!("{handle}AAAA"),
        ] {
            assert!(sealer().open(odd, b"c").is_err(), "{odd}");
        }
        println!("{0} cuts and {0} changed characters", handle.len());
        let mut newer = handle.into_bytes();
        newer[0] = b'B';
        assert!(matches!(
            reason(&sealer(), std::str::from_utf8(&newer).unwrap(), b"c"),
            UnsealReason::OtherVersion(_)
        ));
    }

    #[test]
    fn no_key_and_no_content_is_printed() {
        let suspended = every_kind().remove(0).1;
        let error = sealer().open("x", b"canary-context").unwrap_err();
        let printed = format!("{:?} {:?} {error:?} {suspended:?}", sealer(), key(1, 7));
        for secret in ["7, 8", "0708", "BwgJ", "canary", support::STATE_TOKEN] {
            assert!(!printed.contains(secret), "{printed}");
        }
        assert_eq!(format!("{:?}", key(1, 7)), "SealKey { id: 1, .. }");
        assert_eq!(
            format!("{:?}", sealer()),
            "Sealer { key: SealKey { id: 1, .. }, older: [], lifetime: 600s, longest_lifetime: None, empty_context: false, .. }"
        );
        assert_eq!(format!("{suspended:?}"), "Suspended([redacted, 296 bytes])");
        let failed =
            client(always(200, "")).resume::<Authenticated>(Suspended::from_bytes(b"x")).unwrap_err();
        assert_eq!(format!("{failed:?}"), "ResumeError { reason: Malformed, .. }");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// A handle of one user does not open in another's context.
        #[test]
        fn contexts_are_kept_apart(one in prop::collection::vec(any::<u8>(), 0..40), other in prop::collection::vec(any::<u8>(), 0..40)) {
            let suspended = every_kind().remove(0).1;
            let sealer = sealer().danger_allow_empty_context();
            let handle = sealer.seal(&suspended, &one).unwrap();
            prop_assert!(sealer.open(&handle, &one).is_ok());
            prop_assert_eq!(sealer.open(&handle, &other).is_ok(), one == other);
        }

        /// Any text is refused without a panic.
        #[test]
        fn any_text_is_refused(text in ".{0,300}") {
            prop_assert!(sealer().open(&text, b"c").is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the tokens, the destination and the device hold, a stage resumes equal.
    #[test]
    fn any_stage_resumes_equal(
        token in "[ -~\u{80}-\u{ff}…]{1,400}",
        destination in ".{0,60}",
        agent in "[ -~]{1,200}",
        data in proptest::option::of(".{0,100}"),
        phone in any::<bool>(),
    ) {
        let token = token.trim_ascii();
        prop_assume!(!token.is_empty() && !agent.trim_ascii().is_empty());
        let body = serde_json::json!({ "status": "SOCIAL_BIND", "state_token": token, "data": data }).to_string();
        let client = client(always(200, &body));
        let device = Device::new("v", "f", &agent).unwrap();
        let outcome = client.login(device).wechat_mini_program("091z").send().unwrap();
        let Outcome::PendingBind(stage) = outcome else { panic!("{outcome:?}") };
        let flows = stage.allowed_flows().clone();
        let suspended = stage.suspend();
        let stage = client.resume::<PendingBind>(suspended.clone()).unwrap();
        prop_assert_eq!(stage.state_token().expose(), token);
        prop_assert!(*stage.allowed_flows() == flows);
        let narrowed = if phone { stage.phone(&destination).map(VerifyPhone::suspend) } else {
            stage.email(&destination).map(VerifyEmail::suspend)
        };
        if let Ok(narrowed) = narrowed {
            if phone {
                let again = client.resume::<VerifyPhone<PendingBind>>(narrowed).unwrap();
                prop_assert_eq!(again.destination(), destination);
                prop_assert_eq!(again.back().suspend(), suspended);
            } else {
                let again = client.resume::<VerifyEmail<PendingBind>>(narrowed).unwrap();
                prop_assert_eq!(again.destination(), destination);
                prop_assert_eq!(again.back().suspend(), suspended);
            }
        }
    }

    /// Any bytes, and any value with some of its bytes changed, resume or are refused, without a panic.
    #[test]
    fn any_bytes_are_refused_or_read(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let client = client(always(200, ""));
        let _ = client.resume_any::<WeChatMiniProgram>(Suspended::from_bytes(&bytes));
        let mut good = every_kind().remove(3).1.to_bytes().to_vec();
        let at = at.index(good.len());
        good[at] = byte;
        let _ = client.resume_any::<WeChatMiniProgram>(Suspended::from_bytes(&good));
    }
}

#[test]
fn the_kinds_have_their_origins() {
    assert_eq!(WeChatMiniProgram::KIND, OriginKind::WeChatMiniProgram);
    assert_eq!(AlipayMiniProgram::KIND, OriginKind::AlipayMiniProgram);
    assert_eq!(SocialApp::KIND, OriginKind::SocialApp);
    assert_eq!(Account::KIND, OriginKind::Account);
    let client = client(|_: Request| Ok(response(200, "")));
    let error = client.resume::<Authenticated>(every_kind().remove(9).1).unwrap_err();
    let ResumeReason::OtherStage(found) = error.reason() else { panic!("{error}") };
    assert_eq!((found.stage, found.origin), (StageKind::PendingBind, Some(OriginKind::AlipayMiniProgram)));
    assert_eq!(
        error.to_string(),
        "cannot resume: it holds another stage: PendingBind of a login by AlipayMiniProgram"
    );
}
