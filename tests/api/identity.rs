//! From an identity token to a verified user.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use idaas_login::emulator::{ClaimsLayout, Emulator, User};
use idaas_login::endpoints::Platform;
use idaas_login::{
    Authenticated, Claims, Client, Edition, Error, IdToken, IdTokenError, IdTokenError as E, IdTokenVerifier,
    KeySet, MalformedToken, Outcome, Recovery, Request,
};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};
use support::{CLIENT_ID, client, device, response};

const NOW: u64 = 1_646_876_579;
const ISSUER: &str = "https://acme.example.com/api/v1/oauth2";

fn key() -> KeyPair {
    KeyPair::from_pkcs8(support::keys::ONE).unwrap()
}

fn key_set() -> KeySet {
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = key().public().into();
    let encode = |bytes: Vec<u8>| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let set =
        json!({ "keys": [{ "kty": "RSA", "kid": "k1", "n": encode(public.n), "e": encode(public.e) }] });
    KeySet::from_json(set.to_string().as_bytes()).unwrap()
}

fn signed(payload: &str) -> IdToken {
    signed_as(r#"{"kid":"k1","alg":"RS256"}"#, payload)
}

fn signed_as(header: &str, payload: &str) -> IdToken {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header), encode(payload));
    let key = key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    IdToken::from_text(&format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// The claims of the pages' real example, with other personal data.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT_ID, "sub": "admin",
        "iat": NOW, "exp": NOW + 7200, "nbf": NOW - 120, "jti": "gPX1bNbjOy2",
        "id": "20220310", "userName": "admin", "name": "Li Lei", "mobile": "+86-15201657312", "email": "l@example.com",
    })
}

#[allow(clippy::needless_pass_by_value)] // A json!() is written in place.
fn with(change: Value) -> Value {
    let mut claims = claims();
    for (name, value) in change.as_object().unwrap() {
        if value == "ABSENT" {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn verifier() -> IdTokenVerifier {
    IdTokenVerifier::with_keys(ISSUER, CLIENT_ID, key_set()).clock(|| at(NOW))
}

#[test]
fn the_steps_of_the_specification_hold() {
    let verified = verifier().verify(&signed(&claims().to_string())).unwrap();
    assert_eq!((verified.subject(), verified.id()), (Some("admin"), Some("20220310")));

    macro_rules! refused {
        ($change:expr, $reason:pat) => {
            match verifier().verify(&signed(&with($change).to_string())) {
                Err($reason) => {}
                other => panic!("{}: expected {}, got {other:?}", $change, stringify!($reason)),
            }
        };
    }
    macro_rules! accepted {
        ($change:expr) => {
            let verified = verifier().verify(&signed(&with($change).to_string()));
            assert!(verified.is_ok(), "{}: {verified:?}", $change);
        };
    }
    // 2. The issuer, to the letter.
    refused!(json!({ "iss": "ABSENT" }), E::MissingClaim("iss"));
    refused!(json!({ "iss": null }), E::MissingClaim("iss"));
    for issuer in [
        "",
        "https://acme.example.com",
        "https://acme.example.com/api/v1/oauth2/",
        "HTTPS://acme.example.com/api/v1/oauth2",
        "http://acme.example.com/api/v1/oauth2",
        "https://evil.example/api/v1/oauth2",
    ] {
        refused!(json!({ "iss": issuer }), E::WrongIssuer);
    }
    // 3. The audience: this application, and nobody who is not trusted.
    refused!(json!({ "aud": "ABSENT" }), E::MissingClaim("aud"));
    refused!(json!({ "aud": [] }), E::MissingClaim("aud"));
    refused!(json!({ "aud": "another" }), E::WrongAudience);
    refused!(json!({ "aud": ["another"] }), E::WrongAudience);
    refused!(json!({ "aud": CLIENT_ID.to_lowercase() }), E::WrongAudience);
    refused!(json!({ "aud": format!("{CLIENT_ID} ") }), E::WrongAudience);
    refused!(json!({ "aud": [CLIENT_ID, "another"], "azp": CLIENT_ID }), E::WrongAudience);
    accepted!(json!({ "aud": [CLIENT_ID] }));
    accepted!(json!({ "aud": [CLIENT_ID, CLIENT_ID], "azp": CLIENT_ID }));
    // 4. and 5. The authorized party.
    refused!(json!({ "azp": "another" }), E::WrongAuthorizedParty);
    refused!(json!({ "aud": [CLIENT_ID, CLIENT_ID] }), E::MissingClaim("azp"));
    accepted!(json!({ "azp": CLIENT_ID }));
    // 9. The end, with 60 seconds for clocks that differ.
    refused!(json!({ "exp": "ABSENT" }), E::MissingClaim("exp"));
    refused!(json!({ "exp": NOW - 60 }), E::Expired);
    refused!(json!({ "exp": 0 }), E::Expired);
    refused!(json!({ "exp": -1e300 }), E::Expired);
    accepted!(json!({ "exp": NOW - 59 }));
    accepted!(json!({ "exp": 1e18 }));
    accepted!(json!({ "exp": 1_646_876_580.5 }));
    // 10. The beginning.
    refused!(json!({ "iat": "ABSENT" }), E::MissingClaim("iat"));
    refused!(json!({ "iat": NOW + 61 }), E::IssuedInTheFuture);
    accepted!(json!({ "iat": NOW + 60 }));
    accepted!(json!({ "iat": 0 }));
    refused!(json!({ "nbf": NOW + 61 }), E::NotYetValid);
    accepted!(json!({ "nbf": NOW + 60 }));
    accepted!(json!({ "nbf": "ABSENT" }));
    refused!(json!({ "sub": "ABSENT" }), E::MissingClaim("sub"));
    refused!(json!({ "sub": "" }), E::MissingClaim("sub"));
    // Of another type, they cannot be read.
    for change in [
        json!({ "exp": "1646883779" }),
        json!({ "iat": true }),
        json!({ "nbf": [] }),
        json!({ "aud": 17 }),
        json!({ "aud": [17] }),
        json!({ "iss": ["x"] }),
        json!({ "sub": {} }),
        json!({ "azp": 1 }),
    ] {
        refused!(change.clone(), E::Malformed(MalformedToken::Payload));
    }
}

#[test]
fn a_payload_that_is_no_object_of_claims_is_malformed() {
    let twice = claims().to_string().replacen('{', r#"{"exp":99999999999,"#, 1);
    let twice_extra = claims().to_string().replacen('{', r#"{"role":"user","role":"admin","#, 1);
    let twice_api = claims().to_string().replacen('{', r#"{"api":"{}","api":"{}","#, 1);
    let twice_user = claims().to_string().replacen('{', r#"{"sub":"root","#, 1);
    for payload in ["", "null", "[]", "\"x\"", "{", &twice, &twice_user, &twice_extra, &twice_api] {
        let refused = verifier().verify(&signed(payload));
        assert!(
            matches!(refused, Err(IdTokenError::Malformed(MalformedToken::Payload))),
            "{payload}: {refused:?}"
        );
    }
}

/// A token of another use, signed by the same keys, is no identity token.
#[test]
fn the_type_of_a_token_counts() {
    for (kind, expected) in [
        ("JWT", true),
        ("jwt", true),
        ("application/jwt", true),
        ("at+jwt", false),
        ("logout+jwt", false),
        ("application/at+jwt", false),
        ("", false),
    ] {
        let header = format!(r#"{{"kid":"k1","alg":"RS256","typ":"{kind}"}}"#);
        match verifier().verify(&signed_as(&header, &claims().to_string())) {
            Ok(_) => assert!(expected, "{kind}"),
            Err(error) => assert!(!expected && matches!(error, E::WrongType), "{kind}: {error:?}"),
        }
    }
}

#[test]
fn loosening_has_names() {
    let token = |change| signed(&with(change).to_string());
    let old = token(json!({ "exp": NOW - 100 }));
    assert!(verifier().verify(&old).is_err());
    assert!(verifier().leeway(Duration::from_secs(101)).verify(&old).is_ok());
    assert!(
        verifier()
            .clock(|| at(NOW - 200))
            .leeway(Duration::ZERO)
            .verify(&token(json!({ "iat": NOW - 200, "nbf": "ABSENT" })))
            .is_ok()
    );
    let shared = token(json!({ "aud": [CLIENT_ID, "console"], "azp": CLIENT_ID }));
    assert!(verifier().trust_audience("console").verify(&shared).is_ok());
    let only_other = token(json!({ "aud": ["console"] }));
    assert!(matches!(
        verifier().trust_audience("console").verify(&only_other),
        Err(IdTokenError::WrongAudience)
    ));
    let elsewhere = token(json!({ "iss": "Issuer" }));
    assert!(verifier().issuer("Issuer").verify(&elsewhere).is_ok());
    assert!(verifier().danger_accept_any_issuer().verify(&elsewhere).is_ok());
    let nobody = token(json!({ "iss": "ABSENT" }));
    assert!(verifier().danger_accept_any_issuer().verify(&nobody).is_err());
}

fn user_data(claims: &Claims) -> [Option<&str>; 5] {
    [claims.id(), claims.user_name(), claims.name(), claims.mobile(), claims.email()]
}

/// Both layouts; where both are there the flat one counts.
#[test]
fn d20_both_layouts_are_read() {
    let api = r#"{"name":"","mobile":"+86-13800138000","id":"20220425140138519-BF1B-528B0551B","userName":"louxi","email":"11@qq.com"}"#;
    let read = |payload: Value| signed(&payload.to_string()).unverified_claims().unwrap();
    assert_eq!(
        user_data(&read(claims())),
        [Some("20220310"), Some("admin"), Some("Li Lei"), Some("+86-15201657312"), Some("l@example.com")]
    );
    let nested = read(json!({ "iss": "Issuer", "aud": "Audience", "sub": "subject", "exp": 1, "api": api }));
    assert_eq!(
        user_data(&nested),
        [
            Some("20220425140138519-BF1B-528B0551B"),
            Some("louxi"),
            None,
            Some("+86-13800138000"),
            Some("11@qq.com")
        ]
    );
    assert_eq!(nested.extra()["api"], api);
    let both = read(json!({ "sub": "s", "userName": "flat", "api": api }));
    assert_eq!(both.user_name(), Some("flat"));
    assert_eq!(both.email(), Some("11@qq.com"));
    // What is empty is as good as absent: an empty id is nobody's.
    let empty = read(json!({ "sub": "s", "id": "", "userName": null, "api": api }));
    assert_eq!(empty.id(), Some("20220425140138519-BF1B-528B0551B"));
    assert_eq!(read(json!({ "sub": "s", "id": "" })).id(), None);
    for unreadable in [
        json!("[\"9\"]"),
        json!(r#"{"id":"1","id":"2"}"#),
        json!("not json"),
        json!({ "name": "x" }),
        json!(null),
        json!(r#"{"id":17}"#),
    ] {
        let claims = read(json!({ "sub": "s", "api": unreadable }));
        assert_eq!((claims.subject(), user_data(&claims)), (Some("s"), [None; 5]));
    }
    let times = read(claims());
    assert_eq!(times.expires_at(), Some(at(NOW + 7200)));
    assert_eq!(times.issued_at(), Some(at(NOW)));
    assert_eq!(times.not_before(), Some(at(NOW - 120)));
    assert_eq!(times.token_id(), Some("gPX1bNbjOy2"));
    assert_eq!(times.audience(), [CLIENT_ID]);
    // Times that no clock can show are no times, and no panic.
    let odd = read(json!({ "exp": 1e300, "iat": -5, "nbf": 0.5 }));
    assert_eq!((odd.expires_at(), odd.issued_at()), (None, None));
}

/// The pages' own examples are no tokens; that is said without quoting them, and only when asked.
#[test]
fn malformed_tokens_are_told_apart_without_their_content() {
    for (token, expected) in [
        ("eyJraWQn0.eyJpc3MiOiJodHR…g1A7jG8O0uw", MalformedToken::NotThreeParts),
        ("eyJ0NiJ9.eyJ1cI6IjIifX0.DeWt4QuZXso", MalformedToken::PayloadBase64),
        ("", MalformedToken::NotThreeParts),
        ("a.b.c.d.e", MalformedToken::NotThreeParts),
        ("e30.e30=.x", MalformedToken::PayloadBase64),
        ("e30.W10.x", MalformedToken::Payload),
    ] {
        let error = IdToken::from_text(token).unverified_claims().unwrap_err();
        assert!(
            matches!(error, IdTokenError::Malformed(malformed) if malformed == expected),
            "{token}: {error:?}"
        );
    }
}

/// Of a text that no token can be, no more is kept than shows it.
#[test]
fn a_text_that_is_too_large_is_cut() {
    const MOST: usize = 64 << 10;
    for (what, text, kept) in [
        ("the largest", "x".repeat(MOST), MOST),
        ("one more", "x".repeat(MOST + 1), MOST + 1),
        ("many more", "x".repeat(8 * MOST), MOST + 1),
        ("a character across the end", "x".repeat(MOST) + "\u{1f511}" + "x", MOST + 4),
        ("a character that is the end", "x".repeat(MOST) + "\u{1f511}", MOST + 4),
    ] {
        let token = IdToken::from_text(&text);
        assert_eq!(token.expose().len(), kept, "{what}");
        let is_too_large = matches!(token.unverified_claims(), Err(IdTokenError::TooLarge));
        assert_eq!(is_too_large, kept > MOST, "{what}");
    }
}

#[test]
fn personal_data_are_not_printed() {
    let token = signed(&claims().to_string());
    let verified = verifier().verify(&token).unwrap();
    let printed = format!("{token:?} {verified:?} {verified:#?} {:?}", verifier());
    for personal in ["admin", "Li Lei", "15201657312", "l@example.com", "20220310", token.expose()] {
        assert!(!printed.contains(personal), "{personal}: {printed}");
    }
}

// With a tenant.

fn tenant() -> Emulator {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangsan").name("Zhang San").mobile("15201657312").email("z@example.com"));
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangsan");
    tenant
}

fn log_in(tenant: &Emulator, client: &Client) -> Authenticated {
    let code = tenant.wechat_login_code("an-openid");
    match client.login(device()).wechat_mini_program(code).send().unwrap() {
        Outcome::Authenticated(user) => user,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_ends_with_a_verified_user_in_both_layouts() {
    for layout in [ClaimsLayout::Flat, ClaimsLayout::Api] {
        let tenant = tenant();
        tenant.configure(|settings| settings.claims_layout = layout);
        let client = tenant.client().unwrap();
        let verifier = IdTokenVerifier::new(&client).unwrap();
        let claims = log_in(&tenant, &client).identify(&verifier).unwrap();
        assert_eq!(claims.issuer(), Some("https://emulator.invalid/api/v1/oauth2"));
        assert_eq!(
            user_data(&claims),
            [
                Some("20220425140138519-zhangsan"),
                Some("zhangsan"),
                Some("Zhang San"),
                Some("+86-15201657312"),
                Some("z@example.com")
            ]
        );
        // Of another tenant: its issuer has the same name, its key another id.
        let other = Emulator::new();
        other.add_user(User::new("zhangsan"));
        other.rotate_key();
        other.bind(Platform::WeChatMiniProgram, "an-openid", "zhangsan");
        let foreign = log_in(&other, &other.client().unwrap());
        assert!(matches!(foreign.identify(&verifier), Err(IdTokenError::UnknownKey)));
    }
}

#[cfg(feature = "ureq")]
#[test]
fn a_login_ends_with_a_verified_user_over_http() {
    let tenant = tenant();
    let server = tenant.start().unwrap();
    let client = server.client_builder().build().unwrap();
    let claims = log_in(&tenant, &client).identify(&IdTokenVerifier::new(&client).unwrap()).unwrap();
    assert_eq!(claims.issuer().unwrap(), format!("{}/api/v1/oauth2", server.base_address()));
    assert_eq!(claims.name(), Some("Zhang San"));
}

#[test]
fn a_login_without_identity_token_can_be_renewed() {
    let tenant = tenant();
    tenant.configure(|settings| settings.id_token = false);
    let client = tenant.client().unwrap();
    let verifier = IdTokenVerifier::new(&client).unwrap();
    let user = log_in(&tenant, &client);
    assert!(matches!(user.identify(&verifier), Err(IdTokenError::Missing)));
    let before = user.session_token().expose().to_owned();
    let user = user.renew_id_token().send().unwrap();
    assert_eq!(user.identify(&verifier).unwrap().user_name(), Some("zhangsan"));
    assert_eq!(user.session_token().expose(), before);
}

#[test]
fn an_identity_token_grows_old_and_is_renewed() {
    let tenant = tenant();
    let client = tenant.client().unwrap();
    let user = log_in(&tenant, &client);
    let later = SystemTime::now() + Duration::from_secs(600);
    let verifier = IdTokenVerifier::new(&client).unwrap().clock(move || later);
    assert!(matches!(user.identify(&verifier), Err(IdTokenError::Expired)));
    tenant.advance(Duration::from_secs(600));
    let user = user.renew_id_token().send().unwrap();
    assert_eq!(user.identify(&verifier).unwrap().user_name(), Some("zhangsan"));
    assert_eq!(user.expires_in(), Some(Duration::from_secs(432_000)));
}

/// A tenant that refreshes sessions replaces the session token: the new one is taken over, the old one is dead.
#[test]
fn a_refreshed_session_is_taken_over() {
    for edition in [Edition::Ciam, Edition::Eiam] {
        let tenant = tenant();
        tenant.configure(|settings| {
            settings.refresh_sessions = true;
            settings.edition = edition.clone();
        });
        let client = tenant.client().unwrap();
        let user = log_in(&tenant, &client);
        let before = user.session_token().expose().to_owned();
        let user = user.renew_id_token().send().unwrap();
        assert_ne!(user.session_token().expose(), before);
        assert_eq!(tenant.session_user(&before), None);
        assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangsan"));
        assert!(user.renew_id_token().send().is_ok());
    }
}

#[test]
fn a_session_that_is_over_starts_over() {
    let tenant = tenant();
    let client = tenant.client().unwrap();
    let user = log_in(&tenant, &client);
    tenant.end_session(user.session_token().expose());
    let failed = user.renew_id_token().send().unwrap_err();
    let Error::Refused(refusal) = failed.error() else { panic!("{failed}") };
    assert_eq!(refusal.code().as_str(), "IDAAS.SDK.PARAM.0023");
    assert!(matches!(failed.into_recovery(), Recovery::StartOver(_)));
}

/// The header that carries the session token is by the edition.
#[test]
fn d17_the_header_of_the_session_token_is_by_the_edition() {
    for (edition, expected, other) in [
        (Edition::Ciam, "session-token", "x-session-token"),
        (Edition::Eiam, "x-session-token", "session-token"),
    ] {
        let client = Client::builder("https://acme.example.com", CLIENT_ID)
            .edition(edition)
            .build_with(|_: Request| Ok(response(200, support::SUCCESS)))
            .unwrap();
        let Outcome::Authenticated(user) = support::log_in(&client) else { panic!("SUCCESS") };
        let (request, _in_flight) = user.renew_id_token().into_request().unwrap();
        let header = request.headers().get(expected).unwrap();
        assert_eq!(header, support::SESSION_TOKEN);
        assert!(header.is_sensitive());
        assert!(!request.headers().contains_key(other));
    }
}

/// What the response to a renewal may lack.
#[test]
fn a_renewal_is_read_as_documented() {
    let renew = |http_status, body: &str| {
        let answers = vec![Ok(response(200, support::SUCCESS)), Ok(response(http_status, body))];
        let Outcome::Authenticated(user) = support::log_in(&client(support::script(answers))) else {
            panic!()
        };
        user.renew_id_token().send()
    };
    let renewed = renew(200, r#"{"session_token":" s2","expire":604800,"id_token":" i2 "}"#).unwrap();
    assert_eq!(renewed.session_token().expose(), "s2");
    assert_eq!(renewed.id_token().unwrap().expose(), "i2");
    assert_eq!(renewed.expires_in(), Some(Duration::from_secs(604_800)));
    // Without a session token the old one stays.
    let kept = renew(200, r#"{"id_token":"i2"}"#).unwrap();
    assert_eq!((kept.session_token().expose(), kept.expires_in()), (support::SESSION_TOKEN, None));
    // A session that was replaced is not lost over an identity token that is not there, or cannot be read.
    for id_token in ["", r#","id_token":null"#, r#","id_token":17"#, r#","id_token":"a","id_token":"b""#] {
        let alone = renew(200, &format!(r#"{{"session_token":"s2"{id_token}}}"#)).unwrap();
        assert_eq!(alone.session_token().expose(), "s2", "{id_token}");
        assert!(alone.id_token().is_none(), "{id_token}");
    }
    for (http_status, body, expected) in [
        (200, "{}", "Unresolved"),
        (200, r#"{"session_token":"s2","status":"SUCCESS"}"#, "Unresolved"),
        (200, r#"{"id_token":17}"#, "Unresolved"),
        (200, r#"{"session_token":17,"id_token":"i2"}"#, "Unresolved"),
        (200, "", "Unresolved"),
        (200, r#"{"status":"ACCESS_DENIED"}"#, "StartOver"),
        (400, r#"{"error_code":"IDAAS.SDK.PARAM.0023","error_msg":"x"}"#, "StartOver"),
        (400, r#"{"error_code":"SDK.COMMON.1001","error_msg":"x"}"#, "Retry"),
        (502, "", "Unresolved"),
        (404, "", "Retry"),
    ] {
        let recovery = match renew(http_status, body).unwrap_err().into_recovery() {
            Recovery::Retry(_) => "Retry",
            Recovery::Unresolved(_) => "Unresolved",
            Recovery::StartOver(_) => "StartOver",
        };
        assert_eq!(recovery, expected, "{http_status} {body}");
    }
}

#[test]
fn a_verifier_prints_what_it_expects() {
    assert_eq!(
        format!("{:?}", verifier()),
        format!(
            "IdTokenVerifier {{ issuer: Some(\"{ISSUER}\"), client_id: \"{CLIENT_ID}\", algorithms: [Rs256], leeway: 60s, .. }}"
        )
    );
}
