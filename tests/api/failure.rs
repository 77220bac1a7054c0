//! `docs/failure.md` against the code: each fault of its table happens here, and the table has what came of it: the names
//! to match on, the recovery, and the line in the log. An ellipsis in a line stands for what the system or the time adds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use idaas_login::codes;
use idaas_login::emulator::{Emulator, Fault, User};
use idaas_login::endpoints::{self, Platform, SendType};
use idaas_login::{
    Client, Error, Outcome, PendingBind, Recovery, Request, Response, Stage, StepError, TransportError,
    Unresolved,
};
use support::recovery_table;
use support::spans::Recorder;
use support::{CAPTCHA, MFA_AUTH, SOCIAL_BIND, SUCCESS, client, device, response, script};

#[cfg(feature = "verify")]
mod identity;
#[cfg(feature = "ureq")]
mod network;
mod stored;

/// What a fault came to.
struct Came {
    /// The names that tell it apart: of variants, as they are written in code.
    names: Vec<String>,
    /// What the caller holds.
    holds: &'static str,
    /// What is printed of it.
    words: String,
}

/// A fault: the row of the table, and how it happens.
type Case = (&'static str, fn() -> Came);

fn names(error: &Error) -> Vec<String> {
    match error {
        Error::InvalidInput(_) => vec!["Error::InvalidInput".to_owned()],
        Error::Transport(error) => {
            vec!["Error::Transport".to_owned(), format!("Phase::{:?}", error.phase())]
        }
        Error::Refused(refusal) => {
            vec!["Error::Refused".to_owned(), format!("ErrorClass::{:?}", refusal.code().class())]
        }
        Error::AccessDenied => vec!["Error::AccessDenied".to_owned()],
        Error::Unexpected(answer) => {
            use idaas_login::UnexpectedReason as Reason;
            let reason = match answer.reason() {
                Reason::Redirect => "Redirect",
                Reason::NotFromTheApi => "NotFromTheApi",
                Reason::ServerFailure => "ServerFailure",
                Reason::Unreadable => "Unreadable",
                Reason::NoStatus => "NoStatus",
                Reason::UnknownStatus(_) => "UnknownStatus",
                Reason::NoSessionToken => "NoSessionToken",
                Reason::NoStateToken => "NoStateToken",
                Reason::Contradiction => "Contradiction",
                other => panic!("tests/api/failure.rs: no name for {other:?}"),
            };
            vec!["Error::Unexpected".to_owned(), format!("UnexpectedReason::{reason}")]
        }
        Error::NotAllowed(_) => vec!["Error::NotAllowed".to_owned()],
        Error::Unsupported(_) => vec!["Error::Unsupported".to_owned()],
        other => panic!("tests/api/failure.rs: no name for {other:?}"),
    }
}

/// A recovery, and how a line ends that speaks of it.
const RETRY: (&str, &str) = ("Retry", "the stage is handed back");
const UNRESOLVED: (&str, &str) = ("Unresolved", "the outcome is unknown");
const START_OVER: (&str, &str) = ("StartOver", "the login has to start over");

fn step<S: Stage, N: std::fmt::Debug>(result: Result<N, StepError<S>>) -> Came {
    let failed = result.unwrap_err();
    let (line, step) = (format!("{failed:#}"), failed.endpoint().step);
    let (error, recovery) = failed.into_parts();
    let (holds, end) = match recovery {
        Recovery::Retry(_) => RETRY,
        Recovery::Unresolved(_) => UNRESOLVED,
        Recovery::StartOver(_) => START_OVER,
    };
    let words = support::with_causes(&error);
    assert_eq!(line, format!("{step} failed: {words}; {end}"), "the three parts of a line");
    Came { names: names(&error), holds, words }
}

fn side_call<T: std::fmt::Debug>(result: Result<T, Error>) -> Came {
    let error = result.unwrap_err();
    Came { names: names(&error), holds: "the stage", words: support::with_causes(&error) }
}

/// An error that is no `Error`: of an identity token, of a handle.
fn other(name: String, holds: &'static str, words: String) -> Came {
    Came { names: vec![name], holds, words }
}

/// The name of a variant: its `Debug` without what it holds.
fn variant(kind: &str, value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(text.len());
    format!("{kind}::{}", &text[..end])
}

/// The stage of a bind, whose next request is answered like this.
fn bind_over(answer: Result<Response, TransportError>) -> PendingBind {
    support::pending_bind(&client(script(vec![Ok(response(200, SOCIAL_BIND)), answer])))
}

/// A login that is answered like this.
fn login_with(answer: Result<Response, TransportError>) -> Came {
    step(client(script(vec![answer])).login(device()).wechat_mini_program("091z").send())
}

/// A bind by password that is answered like this.
fn bind_with(http_status: u16, body: &str) -> Came {
    step(bind_over(Ok(response(http_status, body))).username_password("zhangshan", "password").send())
}

fn refused(http_status: u16, code: &str) -> Came {
    bind_with(http_status, &format!(r#"{{"error_code":"{code}","error_msg":"…"}}"#))
}

/// A renewal that is refused.
fn renewal_refused(code: &str) -> Came {
    let refusal = format!(r#"{{"error_code":"{code}","error_msg":"…"}}"#);
    let answers = vec![Ok(response(200, SUCCESS)), Ok(response(400, refusal))];
    let Outcome::Authenticated(user) = support::log_in(&client(script(answers))) else { panic!("SUCCESS") };
    step(user.renew_id_token().send())
}

/// A request for a code that is refused.
fn sending_refused(code: &str) -> Came {
    let pass = idaas_login::CaptchaPass::from_token("15201657312", "71dd");
    let refusal = format!(r#"{{"error_code":"{code}","error_msg":""}}"#);
    let stage = bind_over(Ok(response(400, refusal))).phone("15201657312").unwrap();
    side_call(stage.send_code(&pass).send())
}

/// What happens without a network of one's own.
const CASES: &[Case] = &[
    ("a value that cannot be right", || {
        let stage = bind_over(Ok(response(200, SUCCESS))).phone("15201657312").unwrap();
        step(stage.submit("").send())
    }),
    ("a step that the edition does not have", || {
        let eiam = Client::builder("https://acme.example.com", support::CLIENT_ID)
            .edition(idaas_login::Edition::Eiam)
            .build_with(script(Vec::new()));
        step(eiam.unwrap().login(device()).alipay_mini_program("091z").send())
    }),
    ("a method that the tenant does not allow", || {
        let only = r#"{"status":"SOCIAL_BIND","state_token":"eyJh","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}"}"#;
        let stage = support::pending_bind(&client(script(vec![Ok(response(200, only))])));
        let Err(refused) = stage.email("zhangsan@qq.com") else { panic!("it is not in the list") };
        side_call::<()>(Err(refused.into()))
    }),
    ("the transport panics", || {
        step(client(|_: Request| panic!("a bug")).login(device()).wechat_mini_program("091z").send())
    }),
    ("a redirect", || bind_with(302, "")),
    ("4xx that is not the API's", || bind_with(404, "<html>")),
    ("5xx that is not the API's", || bind_with(502, "<html>")),
    ("a wrong password or code", || refused(400, "SDK.LOGIN.1005")),
    ("the same, with HTTP 200", || {
        let stage = bind_over(Ok(response(200, r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007","error_msg":""}"#)));
        step(stage.phone("15201657312").unwrap().submit("232326").send())
    }),
    ("the state token is dead", || refused(400, "IDAAS.SDK.COMMON.1007")),
    ("too many attempts", || refused(400, "SDK.LOGIN.1003")),
    ("client or tenant are set up wrongly", || {
        login_with(Ok(response(400, r#"{"error_code":"SDK.COMMON.1012"}"#)))
    }),
    ("the server says that it failed, with 4xx", || {
        login_with(Ok(response(400, r#"{"error_code":"SDK.LOGIN.1001"}"#)))
    }),
    ("the server says that it failed, with 5xx", || refused(500, "SDK.COMMON.1008")),
    ("a code that no page documents", || refused(400, "SDK.COMMON.4711")),
    ("a gateway that failed, with a code of its own", || refused(504, "APIG.0201")),
    ("denied by policy", || bind_with(200, r#"{"status":"ACCESS_DENIED"}"#)),
    ("a success that cannot be read", || bind_with(200, "<html>")),
    ("a success without status", || bind_with(200, "{}")),
    ("a status that no page documents", || bind_with(200, r#"{"status":"PUSH_AUTH"}"#)),
    ("`SUCCESS` without session token", || bind_with(200, r#"{"status":"SUCCESS"}"#)),
    ("a first response without state token", || login_with(Ok(response(200, r#"{"status":"SOCIAL_BIND"}"#)))),
    ("an error and a success in one", || {
        bind_with(400, r#"{"status":"SUCCESS","error_code":"SDK.COMMON.1013"}"#)
    }),
    ("the session is over", || {
        let answers =
            vec![Ok(response(200, SUCCESS)), Ok(response(400, r#"{"error_code":"IDAAS.SDK.PARAM.0023"}"#))];
        let Outcome::Authenticated(user) = support::log_in(&client(script(answers))) else {
            panic!("SUCCESS")
        };
        step(user.renew_id_token().send())
    }),
    ("the identity token is dead, the session is not", || renewal_refused("IDAAS.SDK.PARAM.0016")),
    ("a signature is stale", || renewal_refused("PARAM.0030")),
    ("there is nothing to sign with", || {
        let builder = Client::builder("https://acme.example.com", support::CLIENT_ID);
        let client = builder.edition(idaas_login::Edition::OneAccess).build_with(script(Vec::new())).unwrap();
        step(client.session(device(), support::SESSION_TOKEN).unwrap().logout().send())
    }),
    ("a captcha is solved wrongly", || {
        let answers = vec![
            Ok(response(200, CAPTCHA)),
            Ok(response(400, r#"{"error_code":"IDAAS.SDK.CAPTCHA.0002","error_msg":""}"#)),
        ];
        let captcha = client(script(answers)).captcha(&device()).send().unwrap();
        side_call(captcha.solve(1.0, "15201657312").send())
    }),
    ("the pass of a captcha is refused", || sending_refused("IDAAS.SDK.CAPTCHA.0004")),
    ("a code cannot be sent", || sending_refused("IDAAS.SDK.CAPTCHA.0006")),
    ("the response to a side call is lost", || {
        let pass = idaas_login::CaptchaPass::from_token("15201657312", "71dd");
        let answer = Err(TransportError::maybe_sent("the connection was closed"));
        side_call(bind_over(answer).phone("15201657312").unwrap().send_code(&pass).send())
    }),
    ("a side call finds the state token dead", || {
        let answers = vec![
            Ok(response(200, MFA_AUTH)),
            Ok(response(400, r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":""}"#)),
        ];
        Came {
            holds: "nothing",
            ..side_call(support::mfa_required(&client(script(answers))).registered_mobile().send())
        }
    }),
];

/// All of them; without a feature, those that it brings are left out.
fn cases() -> Vec<&'static Case> {
    let all: &[&'static [Case]] = &[
        CASES,
        stored::CASES,
        #[cfg(feature = "seal")]
        stored::SEALED,
        #[cfg(feature = "verify")]
        identity::CASES,
        #[cfg(feature = "ureq")]
        network::CASES,
    ];
    all.iter().copied().flatten().collect()
}

const EVERY_FEATURE: bool = cfg!(all(feature = "ureq", feature = "verify", feature = "seal"));

fn read(path: &str) -> String {
    let path = support::root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the document has between two marks.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("docs/failure.md lacks {begin}"));
    rest.split_once(end).unwrap_or_else(|| panic!("docs/failure.md lacks {end}")).0
}

/// A row: what is said of a fault.
struct Row<'a> {
    words: Vec<&'a str>,
    names: &'a str,
    holds: &'a str,
}

/// The rows of all the tables, by what happened.
fn rows(document: &str) -> BTreeMap<&str, Row<'_>> {
    let tables = between(document, "<!-- faults: each", "<!-- /faults -->");
    let mut rows = BTreeMap::new();
    for line in tables.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what happened")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [first, names, holds, _] = cells[..] else { panic!("docs/failure.md: not four cells: {line}") };
        let (what, words) = first.split_once("<br>").unwrap_or_else(|| panic!("docs/failure.md: {line}"));
        let row = Row { words: words.split('`').skip(1).step_by(2).collect(), names, holds };
        assert!(rows.insert(what, row).is_none(), "docs/failure.md: twice: {line}");
    }
    rows
}

/// Whether `line` is what `pattern` says, where an ellipsis stands for anything.
fn is_like(pattern: &str, line: &str) -> bool {
    let mut pieces = pattern.split('…');
    let Some(mut rest) = pieces.next().and_then(|begin| line.strip_prefix(begin)) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(end) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(end)
}

#[test]
fn every_fault_of_the_table_comes_to_what_its_row_says() {
    #[cfg(feature = "ureq")]
    network::listen_to_the_log();
    let document = read("docs/failure.md");
    let mut rows = rows(&document);
    let mut wrong = Vec::new();
    for (what, happens) in cases() {
        let came = happens();
        let Some(row) = rows.remove(what) else {
            wrong.push(format!("no row for {what}: {:?}, {}, `{}`", came.names, came.holds, came.words));
            continue;
        };
        if !row.words.iter().any(|words| is_like(words, &came.words)) {
            wrong.push(format!("{what}: the words are `{}`", came.words));
        }
        if !row.holds.contains(came.holds) {
            wrong.push(format!("{what}: the caller holds {}", came.holds));
        }
        for name in came.names.iter().filter(|name| !row.names.contains(&**name)) {
            wrong.push(format!("{what}: it is matched by {name}"));
        }
    }
    if EVERY_FEATURE {
        wrong.extend(rows.keys().map(|what| format!("{what}: a row that nothing here makes happen")));
    }
    assert!(wrong.is_empty(), "docs/failure.md:\n{}", wrong.join("\n"));
}

/// Each line ends with what the caller holds, in the words of the first table.
#[test]
fn what_a_line_ends_with_says_the_recovery() {
    let document = read("docs/failure.md");
    for (recovery, end) in [RETRY, UNRESOLVED, START_OVER] {
        let says = |line: &str| line.contains(&format!("`Recovery::{recovery}(")) && line.contains(end);
        assert!(document.lines().any(says), "docs/failure.md: Recovery::{recovery} ends with: {end}");
    }
}

/// Each step and each side call has its place in the table of what to do.
#[test]
fn every_step_is_in_the_table_by_step() {
    let document = read("docs/failure.md");
    let table = between(&document, "\n## By step\n", "\n## ");
    for row in endpoints::ALL {
        assert!(table.contains(&format!("`{}`", row.step)), "docs/failure.md, By step: no {}", row.step);
    }
}

/// A tenant that loses the next request to `path`, or the response to it, and what the user did before.
fn lossy(path: &str, fault: Fault) -> (Emulator, Client) {
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.refresh_sessions = true);
    tenant.add_user(User::new("zhangshan").password("password").mobile("15201657312"));
    tenant.fail_next(path, fault);
    let client = tenant.client().unwrap();
    (tenant, client)
}

fn login_at(tenant: &Emulator, client: &Client) -> Outcome {
    client.login(device()).wechat_mini_program(tenant.wechat_login_code("an-openid")).send().unwrap()
}

fn bind_at(tenant: &Emulator, client: &Client) -> PendingBind {
    match login_at(tenant, client) {
        Outcome::PendingBind(stage) => stage,
        other => panic!("nobody has bound it: {other:?}"),
    }
}

fn unresolved<S: Stage, N: std::fmt::Debug>(result: Result<N, StepError<S>>) -> Unresolved<S> {
    match result.unwrap_err().into_recovery() {
        Recovery::Unresolved(unresolved) => unresolved,
        other => panic!("it is unresolved: {other:?}"),
    }
}

/// The same step once more: it goes on if the request was lost, and has to start over if the response was.
fn assert_told<S: Stage, N: std::fmt::Debug>(what: &str, carried_out: bool, again: Result<N, StepError<S>>) {
    match again.map_err(StepError::into_recovery) {
        Ok(_) => assert!(!carried_out, "{what}: taken twice"),
        Err(Recovery::StartOver(_)) => assert!(carried_out, "{what}: the token died of nothing"),
        Err(other) => panic!("{what}: {other:?}"),
    }
}

/// What the table by step says of `retry_anyway`, at the emulated tenant.
#[test]
fn once_more_tells_whether_it_was_carried_out() {
    for (fault, carried_out) in [(Fault::LoseRequest, false), (Fault::LoseResponse, true)] {
        let what = "a bind by password";
        let (tenant, client) = lossy(endpoints::BIND_USERNAME_PASSWORD.path, fault.clone());
        let stage = bind_at(&tenant, &client);
        let lost = unresolved(stage.username_password("zhangshan", "password").send());
        assert_told(what, carried_out, lost.retry_anyway().username_password("zhangshan", "password").send());

        let what = "a verification code";
        let (tenant, client) = lossy(endpoints::BIND_PHONE.path, fault.clone());
        let stage = bind_at(&tenant, &client).phone("15201657312").unwrap();
        let code = tenant.issue_code("15201657312", SendType::BindMobileSms);
        let lost = unresolved(stage.submit(&code).send());
        assert_told(what, carried_out, lost.retry_anyway().submit(&code).send());

        let what = "a renewal";
        let (tenant, client) = lossy(endpoints::RENEW_ID_TOKEN.path, fault.clone());
        tenant.bind(Platform::WeChatMiniProgram, "an-openid", "zhangshan");
        let Outcome::Authenticated(user) = login_at(&tenant, &client) else { panic!("it is bound") };
        let lost = unresolved(user.renew_id_token().send());
        assert_told(what, carried_out, lost.retry_anyway().renew_id_token().send());
    }
}

/// What the table by step says of `start_over`: if it was carried out, the new login ends at once.
#[test]
fn a_new_login_tells_whether_it_was_carried_out() {
    for (fault, carried_out) in [(Fault::LoseRequest, false), (Fault::LoseResponse, true)] {
        let (tenant, client) = lossy(endpoints::BIND_WECHAT_MOBILE.path, fault);
        let stage = bind_at(&tenant, &client);
        let lost = unresolved(stage.wechat_mobile(tenant.wechat_phone_code("15201657312")).send());
        let code = tenant.wechat_login_code("an-openid");
        let outcome = lost.start_over().wechat_mini_program(code).send().unwrap();
        assert_eq!(matches!(outcome, Outcome::Authenticated(_)), carried_out, "{outcome:?}");
    }
}

/// The spans of the document are those that tests/api/trace.rs has recorded.
#[test]
fn the_spans_are_as_they_are() {
    let (document, recorded) = (read("docs/failure.md"), read("snapshots/errors/spans.snap"));
    let shown: Vec<_> = document.lines().filter(|line| line.starts_with("stage=")).collect();
    assert!(shown.len() >= 5, "{shown:?}");
    for line in shown {
        assert!(
            recorded
                .lines()
                .any(|span| span.split_once(": ").is_some_and(|(_, fields)| is_like(line, fields))),
            "docs/failure.md shows a span that is none: {line}"
        );
    }
}

/// What a span calls an error is in the list, and nothing else is.
#[test]
fn the_list_has_every_name_of_an_error_in_a_span() {
    let document = read("docs/failure.md");
    let list = between(&document, "\n- `error` is one of ", ".\n");
    let listed: BTreeSet<_> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();

    // Every way to fail: every documented code and one that is not, each row of the recovery table, and an input that is
    // refused.
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || {
        for code in codes::ALL.iter().map(|known| known.code).chain(["NEW.CODE.1"]) {
            let body = format!(r#"{{"error_code":"{code}","error_msg":""}}"#);
            drop(
                client(script(vec![Ok(response(400, body))]))
                    .login(device())
                    .wechat_mini_program("091z")
                    .send(),
            );
        }
        for row in recovery_table::ROWS {
            drop(client(script(vec![row.result()])).login(device()).wechat_mini_program("091z").send());
        }
        drop(client(script(Vec::new())).login(device()).wechat_mini_program("").send());
        let eiam = Client::builder("https://acme.example.com", support::CLIENT_ID)
            .edition(idaas_login::Edition::Eiam);
        drop(eiam.build_with(script(Vec::new())).unwrap().login(device()).alipay_mini_program("091z").send());
    });
    let lines = recorder.0.lines.lock().unwrap();
    let named = lines.iter().filter_map(|line| line.split_once(" error=\"")?.1.split('"').next());
    let named: BTreeSet<_> = named.map(str::to_owned).collect();
    assert_eq!(named, listed, "docs/failure.md, What a span shows");
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    for (pattern, line, expected) in [
        ("a (…) b", "a (1) b", true),
        ("a (…) b", "a () b", true),
        ("a … b … c", "a 1 b 2 c", true),
        ("a … b … c", "a 1 c", false),
        ("a", "a", true),
        ("a", "ab", false),
        ("a …", "b", false),
    ] {
        assert_eq!(is_like(pattern, line), expected, "{pattern} and {line}");
    }
}
