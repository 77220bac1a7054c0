//! Sessions: when they expire, and sessions that were stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use idaas_login::emulator::{Emulator, User};
use idaas_login::endpoints::Platform;
use idaas_login::{Authenticated, Client, Error, Outcome, Recovery, Request, Suspended};
use support::{CLIENT_ID, SESSION_TOKEN, always, device, response};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A client at which it is `seconds`, and whose tenant answers `body`.
fn client_at(seconds: &Arc<AtomicU64>, body: String) -> Client {
    let clock = Arc::clone(seconds);
    Client::builder("https://acme.example.com", CLIENT_ID)
        .clock(move || at(clock.load(Ordering::SeqCst)))
        .build_with(move |_: Request| Ok(response(200, body.clone())))
        .unwrap()
}

fn log_in(client: &Client) -> Authenticated {
    match client.login(device()).wechat_mini_program("091zQTFa1").send().unwrap() {
        Outcome::Authenticated(user) => user,
        other => panic!("{other:?}"),
    }
}

fn success(expire: &str) -> String {
    format!(r#"{{"status":"SUCCESS","session_token":"{SESSION_TOKEN}","expire":{expire}}}"#)
}

#[test]
fn the_expiry_is_fixed_when_the_answer_comes_and_stays() {
    let seconds = Arc::new(AtomicU64::new(1_000));
    let client = client_at(&seconds, success("432000"));
    let user = log_in(&client);
    assert_eq!(user.expires_at(), Some(at(433_000)));
    // Later, in another request.
    seconds.store(90_000, Ordering::SeqCst);
    assert_eq!(user.expires_at(), Some(at(433_000)));
    let suspended = user.suspend();
    let user: Authenticated = client.resume(suspended.clone()).unwrap();
    assert_eq!(user.expires_at(), Some(at(433_000)));
    assert_eq!(user.expires_in(), Some(Duration::from_secs(432_000)));
    assert_eq!(user.suspend(), suspended);
}

#[test]
fn a_renewal_that_says_nothing_of_the_expiry_keeps_it() {
    let seconds = Arc::new(AtomicU64::new(1_000));
    let renewed = |body: &str| {
        let client = client_at(&seconds, body.to_owned());
        let user = client.session(device(), SESSION_TOKEN).unwrap().with_expires_at(at(9_000));
        let user = user.renew_id_token().send().unwrap();
        (user.expires_at(), user.expires_in())
    };
    let same = format!(r#"{{"id_token":"i","session_token":"{SESSION_TOKEN}"}}"#);
    let hour = Some(Duration::from_secs(3_600));
    for (body, expected) in [
        (r#"{"id_token":"i"}"#, (Some(at(9_000)), None)),
        (same.as_str(), (Some(at(9_000)), None)),
        (r#"{"id_token":"i","expire":null}"#, (Some(at(9_000)), None)),
        // Another session, of which nothing is known.
        (r#"{"id_token":"i","session_token":"another"}"#, (None, None)),
        (r#"{"id_token":"i","expire":3600}"#, (Some(at(4_600)), hour)),
        (r#"{"id_token":"i","session_token":"another","expire":3600}"#, (Some(at(4_600)), hour)),
    ] {
        assert_eq!(renewed(body), expected, "{body}");
    }
}

#[test]
fn a_time_that_nobody_can_tell_is_none() {
    let seconds = Arc::new(AtomicU64::new(1_000));
    for expire in ["null", "18446744073709551615"] {
        let user = log_in(&client_at(&seconds, success(expire)));
        assert_eq!(user.expires_at(), None, "{expire}");
        // It is put down and picked up all the same.
        let client = client_at(&seconds, success(expire));
        assert_eq!(client.resume::<Authenticated>(user.suspend()).unwrap().expires_at(), None);
    }
}

/// Of a part of a second no session is thought to live longer.
#[test]
fn a_suspended_expiry_is_rounded_down() {
    let client = support::client(always(200, ""));
    let time = at(5) + Duration::from_millis(999);
    let user = client.session(device(), SESSION_TOKEN).unwrap().with_expires_at(time);
    assert_eq!(user.expires_at(), Some(time));
    assert_eq!(client.resume::<Authenticated>(user.suspend()).unwrap().expires_at(), Some(at(5)));
}

/// The time of expiry brought the second version of the form; nothing else has it.
#[test]
fn only_what_has_an_expiry_is_of_the_second_version() {
    let client = support::client(always(200, ""));
    let session = || client.session(device(), SESSION_TOKEN).unwrap();
    let (without, with) = (session().suspend(), session().with_expires_at(at(5)).suspend());
    assert_eq!((without.to_bytes()[1], with.to_bytes()[1]), (1, 2));
    for value in [&without, &with] {
        let mut bytes = value.to_bytes().to_vec();
        bytes[1] = 3 - bytes[1];
        assert!(client.resume::<Authenticated>(Suspended::from_bytes(&bytes)).is_err());
    }
}

#[test]
fn a_stored_session_goes_on_where_it_was() {
    let tenant = Emulator::new();
    tenant.add_user(User::new("zhangshan"));
    tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangshan");
    let client = tenant.client().unwrap();
    let code = tenant.wechat_login_code("an-openid");
    let Outcome::Authenticated(user) = client.login(device()).wechat_mini_program(code).send().unwrap()
    else {
        panic!("it is bound")
    };
    let (session_token, id_token) =
        (user.session_token().expose().to_owned(), user.id_token().unwrap().expose().to_owned());
    drop(user);

    let stored = client.session(device(), &session_token).unwrap();
    assert!(stored.id_token().is_none() && stored.expires_in().is_none() && stored.expires_at().is_none());
    let stored = stored.with_id_token(&id_token).with_expires_at(at(9));
    assert_eq!(stored.id_token().unwrap().expose(), id_token);
    let user = stored.renew_id_token().send().unwrap();
    assert_eq!(user.session_token().expose(), session_token);
    assert!(user.expires_at().is_some_and(|time| time > at(9)));

    // One that nobody has leads to a login from the beginning.
    let failed =
        client.session(device(), "nobodys-session-token").unwrap().renew_id_token().send().unwrap_err();
    let Recovery::StartOver(login) = failed.into_recovery() else { panic!("the session is over") };
    assert!(login.wechat_mini_program("091zQTFa1").into_request().is_ok());
}

#[test]
fn a_token_that_cannot_be_one_is_refused_unsent() {
    let client = support::client(|_: Request| panic!("nothing is to be sent"));
    let long = "t".repeat(16 * 1024 + 1);
    for (token, reason) in [
        ("", "is empty"),
        (" \t ", "is empty"),
        (long.as_str(), "is longer than 16 KiB"),
        ("btsi\nBjx85", "contains a character that a header cannot carry"),
        ("btsiBjx85 ", "contains a character that a header cannot carry"),
    ] {
        match client.session(device(), token) {
            Err(Error::InvalidInput(invalid)) => {
                assert_eq!((invalid.field(), invalid.reason()), ("session_token", reason));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(client.session(device(), &long[1..]).is_ok());
}
