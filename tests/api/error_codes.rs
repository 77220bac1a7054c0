//! The table of error codes, and the hints that a refusal gives.

use std::collections::BTreeSet;
use std::time::Duration;

use idaas_login::codes::{self, EditionKind, KnownCode, MessageHint};
use idaas_login::{Error, ErrorClass, Refusal};
use proptest::prelude::*;
use support::{SOCIAL_BIND, client, device, response, script};

/// A refusal as a step gets it.
fn refusal(http_status: u16, code: &str, message: &str, retry_after: Option<&str>) -> Refusal {
    let body = serde_json::json!({ "error_code": code, "error_msg": message }).to_string();
    let mut response = response(http_status, body);
    if let Some(value) = retry_after {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        response.headers_mut().insert("retry-after", value);
    }
    let failed =
        client(script(vec![Ok(response)])).login(device()).wechat_mini_program("091z").send().unwrap_err();
    match failed.into_parts().0 {
        Error::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[test]
fn each_code_is_there_once_with_class_meaning_source_and_evidence() {
    let mut codes = BTreeSet::new();
    for known in codes::ALL.iter().copied() {
        let KnownCode { code, class, meaning, fix, http_status, editions, page, .. } = *known;
        assert!(codes.insert(code), "{code} is there twice");
        assert_eq!(codes::find(code), Some(known), "{code}");
        assert_ne!(class, ErrorClass::Unknown, "{code}");
        assert!(meaning.ends_with('.') && meaning.len() > 10, "{code}: {meaning}");
        assert_eq!(fix.is_some(), class == ErrorClass::Configuration, "{code}: what to fix");
        assert!((400..=599).contains(&http_status), "{code}: {http_status}");
        assert!(page.starts_with("https://"), "{code}: {page}");
        // The family is the edition's. EIAM's pages for mini programs print the family of CIAM.
        let edition = match code {
            _ if code.starts_with("IDAAS.SDK.") => EditionKind::Ciam,
            _ if code.starts_with("SDK.") => EditionKind::Eiam,
            _ => EditionKind::OneAccess,
        };
        assert!(editions.contains(&edition), "{code}: {editions:?}");
    }
    assert!(codes.len() > 60, "{codes:?}");
}

/// Every class but the one for unknown codes has a code, and every edition has each class that a login of it needs.
#[test]
fn every_class_and_every_edition_has_codes() {
    for class in ErrorClass::ALL.iter().filter(|class| **class != ErrorClass::Unknown) {
        assert!(codes::ALL.iter().any(|known| known.class == *class), "no code for {class:?}");
    }
    for edition in EditionKind::ALL {
        for class in [
            ErrorClass::WrongInput,
            ErrorClass::DeadToken,
            ErrorClass::Locked,
            ErrorClass::Configuration,
            ErrorClass::Server,
        ] {
            let found =
                codes::ALL.iter().any(|known| known.class == class && known.editions.contains(edition));
            assert!(found, "no code for {class:?} in {edition:?}");
        }
    }
}

/// D25: with and without the prefix a code of CIAM's and OneAccess's list is the same in all but evidence and edition.
#[test]
fn d25_each_code_of_the_shared_list_is_there_with_and_without_prefix() {
    let mut pairs = 0;
    for known in codes::ALL.iter().copied().filter(|known| !known.code.starts_with("SDK.")) {
        let Some(bare) = known.code.strip_prefix("IDAAS.SDK.") else { continue };
        let twin = codes::find(bare).unwrap_or_else(|| panic!("no {bare}"));
        let mut like_twin = *known;
        (like_twin.code, like_twin.editions, like_twin.evidence) = (bare, twin.editions, twin.evidence);
        assert_eq!(*twin, like_twin);
        let inferred = [known, twin].iter().filter(|one| one.evidence == codes::Evidence::Inferred).count();
        assert!(inferred >= 1, "{bare}: one of the two is printed by no page");
        pairs += 1;
    }
    let bare = codes::ALL.iter().filter(|known| known.editions.contains(&EditionKind::OneAccess)).count();
    assert_eq!(pairs, bare);
    // Never stripped: the same number is another thing in another family.
    assert_eq!(codes::IDAAS_SDK_COMMON_1007.class, ErrorClass::DeadToken);
    assert_eq!(codes::SDK_COMMON_1007.class, ErrorClass::Configuration);
    assert_eq!(codes::find("IDAAS.SDK.SDK.COMMON.1007"), None);
    assert_eq!(codes::find("IDAAS.SDK.COMMON.1001"), None);
}

/// D13, D26: three templates speak of a dead state token if their message does; no other code does.
#[test]
fn d26_a_message_that_names_the_state_token_decides_for_three_codes() {
    let decided: Vec<_> =
        codes::ALL.iter().filter(|known| known.dead_if_state_token_named).map(|known| known.code).collect();
    assert_eq!(decided, ["SDK.COMMON.1005", "SDK.COMMON.1006", "SDK.COMMON.1007"]);
    for known in codes::ALL {
        for message in ["state_token parameter error", "The X-State-Token has expired"] {
            let class = if known.dead_if_state_token_named { ErrorClass::DeadToken } else { known.class };
            assert_eq!(refusal(400, known.code, message, None).code().class(), class, "{}", known.code);
            assert_eq!(known.class_with(message), class);
        }
        for message in ["", "The mobile parameter error", "state token", "session_token"] {
            assert_eq!(
                refusal(400, known.code, message, None).code().class(),
                known.class,
                "{}: {message}",
                known.code
            );
        }
    }
}

const ATTEMPTS: [&str; 3] = ["SDK.LOGIN.1005", "IDAAS.SDK.LOGIN.0002", "LOGIN.0002"];
const LOCKS: [&str; 3] = ["SDK.LOGIN.1003", "IDAAS.SDK.LOGIN.0001", "LOGIN.0001"];

#[test]
fn d27_the_codes_whose_messages_are_read() {
    let with = |hint| -> BTreeSet<_> {
        codes::ALL.iter().filter(|known| known.hint == Some(hint)).map(|known| known.code).collect()
    };
    assert_eq!(with(MessageHint::AttemptsLeft), ATTEMPTS.into());
    assert_eq!(with(MessageHint::UnlocksIn), LOCKS.into());
    // No other code, known or not.
    let message = "Remaining attempts: 8. Unlocks in 9 minutes and 30 seconds: 7";
    let others = codes::ALL.iter().filter(|known| known.hint.is_none()).map(|known| known.code);
    for code in others.chain(["LOGIN.0003", "SDK.LOGIN.10050", "X"]) {
        let refusal = refusal(400, code, message, None);
        assert_eq!((refusal.attempts_left(), refusal.unlocks_in()), (None, None), "{code}");
    }
}

#[test]
fn d27_attempts_left() {
    for (message, left) in [
        ("无效的用户名或密码。 剩余登录尝试次数:8", Some(8)),
        ("无效的用户名或密码。 剩余登录尝试次数：3", Some(3)),
        ("Invalid account name or password. Remaining attempts: 8.", Some(8)),
        ("Error: 5 attempts, remaining: 0", Some(0)),
        ("Remaining: 1 of 10", Some(10)),
        ("Attempts: 5. Code:", None),
        ("Attempts：5, after that: 6", Some(6)),
        ("Remaining: 4294967295", Some(u32::MAX)),
        ("Remaining: 4294967296", None),
        ("Remaining attempts 8", None),
        ("8 attempts: none", None),
        ("8:", None),
        (":", None),
        ("", None),
        ("Remaining: ８", None),
    ] {
        for code in ATTEMPTS {
            let refusal = refusal(400, code, message, None);
            assert_eq!(refusal.attempts_left(), left, "{code}: {message}");
            assert_eq!(refusal.unlocks_in(), None);
        }
    }
}

#[test]
fn d27_time_to_unlock() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (message, time) in [
        ("user locked, too many attempts; unlocks in 9 minutes and 30 seconds", seconds(570)),
        ("用户已锁定,将在 0 分 5 秒后解锁", seconds(5)),
        ("10m0s", seconds(600)),
        ("1 2 3", seconds(62)),
        ("9 minutes", None),
        ("", None),
        ("307445734561825860 0", seconds(18_446_744_073_709_551_600)),
        ("307445734561825861 0", None),
        ("307445734561825860 16", None),
        ("99999999999999999999 1", None),
    ] {
        for code in LOCKS {
            let refusal = refusal(400, code, message, None);
            assert_eq!(refusal.unlocks_in(), time, "{code}: {message}");
            assert_eq!(refusal.attempts_left(), None);
        }
    }
}

const RETRY_AFTER: [(&str, Option<u64>); 11] = [
    ("120", Some(120)),
    ("0", Some(0)),
    (" 7 ", Some(7)),
    ("18446744073709551615", Some(u64::MAX)),
    ("18446744073709551616", None),
    ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ("+5", None),
    ("-5", None),
    ("1.5", None),
    ("", None),
    ("é", None),
];

#[test]
fn retry_after_is_read_in_seconds() {
    for (value, seconds) in RETRY_AFTER {
        let expected = seconds.map(Duration::from_secs);
        let refused = refusal(429, "SDK.COMMON.1008", "", Some(value));
        assert_eq!(refused.retry_after(), expected, "{value}");
        for http_status in [302, 404, 429, 503] {
            let mut answer = response(http_status, "<html>");
            let header = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            answer.headers_mut().insert("retry-after", header);
            let bind = client(script(vec![Ok(response(200, SOCIAL_BIND)), Ok(answer)]));
            let failed = support::pending_bind(&bind).username_password("a", "b").send().unwrap_err();
            let Error::Unexpected(unexpected) = failed.error() else { panic!("{failed}") };
            assert_eq!(unexpected.retry_after(), expected, "{http_status}, {value}");
        }
    }
    assert_eq!(refusal(429, "SDK.COMMON.1008", "", None).retry_after(), None);
}

/// A side call's error has it, too.
#[test]
fn retry_after_of_a_side_call() {
    let mut answer = response(503, "<html>");
    answer.headers_mut().insert("retry-after", http::HeaderValue::from_static("30"));
    let error = client(script(vec![Ok(answer)])).captcha(&device()).send().unwrap_err();
    let Error::Unexpected(unexpected) = error else { panic!("{error}") };
    assert_eq!(unexpected.retry_after(), Some(Duration::from_secs(30)));
}

/// The rule of D27, written otherwise: by a look at each character.
fn last_number_after_the_last_colon(message: &str) -> Option<u32> {
    let mut runs: Option<Vec<String>> = None;
    let mut within = false;
    for letter in message.chars() {
        if letter == ':' || letter == '：' {
            (runs, within) = (Some(Vec::new()), false);
        } else if letter.is_ascii_digit() {
            if let Some(runs) = &mut runs {
                if !within {
                    runs.push(String::new());
                }
                runs.last_mut().unwrap().push(letter);
            }
            within = true;
        } else {
            within = false;
        }
    }
    runs?.last()?.parse().ok()
}

fn first_two_numbers(message: &str) -> Option<Duration> {
    let digits: String =
        message.chars().map(|letter| if letter.is_ascii_digit() { letter } else { ' ' }).collect();
    let mut numbers = digits.split_whitespace();
    let (minutes, seconds) = (numbers.next()?.parse::<u64>().ok()?, numbers.next()?.parse::<u64>().ok()?);
    let total = u128::from(minutes) * 60 + u128::from(seconds);
    u64::try_from(total).ok().map(Duration::from_secs)
}

/// Arbitrary text, and text that is more like a message.
fn messages() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        (0..20_u32).prop_map(|number| number.to_string()),
        prop::sample::select(vec![":", "：", " ", "。", "minutes and", "次数", "٣", "８", "\u{0}"])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop_oneof![any::<String>(), prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the message: the hints are what D27 says, they change nothing else, and no message is printed.
    #[test]
    fn hints_of_arbitrary_text(message in messages(), retry_after in prop::option::of("[ -~]{0,12}")) {
        for code in ATTEMPTS.into_iter().chain(LOCKS) {
            let plain = refusal(400, code, "", None);
            let hinted = refusal(400, code, &message, retry_after.as_deref());
            prop_assert_eq!(hinted.message(), &message);
            let (attempts, lock) = if ATTEMPTS.contains(&code) {
                (last_number_after_the_last_colon(&message), None)
            } else {
                (None, first_two_numbers(&message))
            };
            prop_assert_eq!((hinted.attempts_left(), hinted.unlocks_in()), (attempts, lock));
            prop_assert_eq!(hinted.code(), plain.code());
            prop_assert_eq!(format!("{hinted} {hinted:?}"), format!("{plain} {plain:?}"));
        }
    }
}
