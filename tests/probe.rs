//! The probe, against tenants of which it is known what they do: it has to find that, and nothing else. And against tenants
//! that are not its own: without permission it changes nothing there.

#[macro_use]
extern crate support;

#[allow(dead_code)]
#[path = "../examples/probe/tool/mod.rs"]
mod probe;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{BufRead, Cursor, Read};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use idaas_login::emulator::{ClaimsLayout, DataForm, Effect, Emulator, EmulatorServer, Settings, User};
use idaas_login::endpoints::{
    self, Credential, EditionKind, Endpoint, FieldKind, Platform, SendType, StageKind,
};
use idaas_login::{
    Captcha, Client, ClientBuilder, Edition, Outcome, RegistrationAttributes, Request, Response, Transport,
    TransportError, UreqTransport, WechatCodeField,
};
use probe::calls::{self, Given};
use probe::checks::{self, ACTS, CHECKS, Need};
use probe::record::Recorder;
use probe::report::{Line, Report, Verdict};
use probe::rows::ROWS;
use probe::supply::{self, AppLogin, Channel, Emulated, Operator, Supply, Want, Who};
use probe::{Consent, Tenant};
use support::{CLIENT_ID, response};

fn at(base_address: &str, edition: Edition) -> Tenant {
    let base_address = base_address.to_owned();
    Tenant { base_address, client_id: CLIENT_ID.to_owned(), edition, emulated: true, given: Given::default() }
}

fn run(at: &Tenant, http: &Arc<Recorder>, consent: Consent, supply: &mut dyn Supply) -> Report {
    probe::run(at, http, consent, supply, &mut |_| {})
}

/// Probes an emulated tenant in process, over `transport`, as a client of `edition`.
fn ask(tenant: &Emulator, transport: impl Transport + 'static, edition: Edition, consent: Consent) -> Report {
    let at = at("https://emulator.invalid", edition);
    run(&at, &Recorder::new(transport), consent, &mut Emulated::new(tenant))
}

/// What no run against an emulator of CIAM observes.
const NOT_OBSERVED: [&str; 5] = ["D16", "D23.code", "D27.lock", "C.prefix", "C.busy"];

/// What a report says that the one on the emulator's default settings does not.
fn news(report: &Report) -> Vec<(&'static str, Verdict, String)> {
    static USUAL: OnceLock<Vec<Line>> = OnceLock::new();
    let usual = USUAL.get_or_init(|| {
        let report = configured(|_| {}, Edition::Ciam);
        assert_eq!(report.exit_code(), 0, "{}", report.text());
        report.lines
    });
    assert_eq!(report.stopped, None);
    let lines = report.lines.iter().zip(usual);
    let news = lines.filter(|(line, usual)| (line.verdict, &line.seen) != (usual.verdict, &usual.seen));
    news.map(|(line, _)| (line.id, line.verdict, line.seen.clone())).collect()
}

fn configured(change: impl FnOnce(&mut Settings), edition: Edition) -> Report {
    let tenant = Emulator::new();
    tenant.configure(change);
    ask(&tenant, tenant.clone(), edition, Consent::ALL)
}

fn command(words: &[&str], variables: &[(&str, &str)]) -> (u8, String, String) {
    let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|text| (*text).to_owned());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = probe::command(&words, &variable, false, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn the_emulated_tenant_does_all_as_decided() {
    let server = Emulator::new().start().unwrap();
    let tenant = at(&server.base_address(), Edition::Ciam);
    let http = Recorder::new(UreqTransport::default());
    let report = run(&tenant, &http, Consent::ALL, &mut Emulated::new(server.emulator()));
    let others: Vec<_> =
        report.lines.iter().filter(|line| line.verdict != Verdict::AsDecided).map(|line| line.id).collect();
    assert_eq!(others, NOT_OBSERVED, "{}", report.text());
    assert!(report.lines.iter().map(|line| line.id).eq(CHECKS.iter().map(|check| check.id)));
    assert_eq!(report.exit_code(), 0);
    // How many there were depends on how many steps there are.
    let text = report.text().replace(&format!("{} answers", report.answers.len()), "(count) answers");
    snapshot!("probe", "emulator", text);
}

#[test]
#[allow(clippy::too_many_lines)] // A table.
fn another_setting_of_the_tenant_is_found_and_nothing_else() {
    use Verdict::{AsDecided, Differs};
    type Case = (&'static str, fn(&mut Settings), Vec<(&'static str, Verdict, &'static str)>);
    let cases: Vec<Case> = vec![
        (
            "wchat_code",
            |settings| settings.wechat_code_field = WechatCodeField::WchatCode,
            vec![("D3", Differs, "wchat_code is read, wechat_code is not")],
        ),
        (
            "the state token goes on",
            |settings| settings.new_state_token = false,
            vec![("E.new-state-token", Differs, "MFA_AUTH comes without one")],
        ),
        (
            "data is null",
            |settings| settings.data = DataForm::Null,
            vec![
                ("D4", AsDecided, "null with SOCIAL_BIND; null with USER_REGISTER"),
                ("D24.warn", AsDecided, "null with PASSWORD_WARN"),
                ("D24.expired", AsDecided, "null with PASSWORD_EXPIRED"),
            ],
        ),
        (
            "data is absent",
            |settings| settings.data = DataForm::Absent,
            vec![
                ("D4", AsDecided, "absent with SOCIAL_BIND; absent with USER_REGISTER"),
                ("D24.warn", AsDecided, "absent with PASSWORD_WARN"),
                ("D24.expired", AsDecided, "absent with PASSWORD_EXPIRED"),
            ],
        ),
        (
            "an old password is told at each login",
            |settings| settings.password_asked_everywhere = true,
            vec![("D22.sms", AsDecided, "PASSWORD_WARN")],
        ),
        (
            "an old password comes before the second factor",
            |settings| settings.second_factor_first = false,
            vec![
                ("D23.change", AsDecided, "SUCCESS; MFA_AUTH"),
                ("D28.login", AsDecided, "SUCCESS; PASSWORD_EXPIRED"),
                ("D43", AsDecided, "PASSWORD_EXPIRED, then MFA_AUTH, then SUCCESS"),
            ],
        ),
        (
            "longer passwords",
            |settings| settings.password_length = (9, 20),
            vec![
                ("D24.warn", AsDecided, "text: JSON, minLength 9, maxLength 20, regEx of 33 characters"),
                ("D24.expired", AsDecided, "text: JSON, minLength 9, maxLength 20, regEx of 33 characters"),
            ],
        ),
        (
            "a login by code registers",
            |settings| settings.register_at_login = true,
            vec![("E.login-registers", AsDecided, "it does: SUCCESS")],
        ),
        (
            "a registration needs an attribute",
            |settings| settings.required_attributes = vec!["name".to_owned()],
            vec![
                ("D34.attributes", AsDecided, "refused without any: refused by the API: SDK.COMMON.1001"),
                ("C.fields", Verdict::NotObserved, "REGISTRATION_PHONE: there; it refuses its fields"),
            ],
        ),
        (
            "the claims are in api",
            |settings| settings.claims_layout = ClaimsLayout::Api,
            vec![("D20", AsDecided, "in api")],
        ),
        (
            "a pass is good for one code",
            |settings| settings.single_use_pass = true,
            vec![(
                "E.pass",
                Differs,
                "refused the second time, perhaps because it was soon: refused by the API: ",
            )],
        ),
        (
            "a renewal replaces the session",
            |settings| settings.refresh_sessions = true,
            vec![("E.session", Differs, "it is another one")],
        ),
        (
            "no identity token",
            |settings| settings.id_token = false,
            vec![
                ("D8", AsDecided, "in none"),
                ("D20", Verdict::NotObserved, "there was no identity token that can be read"),
                ("C.signature", Verdict::NotObserved, "there was no identity token"),
                ("C.claims", Verdict::NotObserved, "there was no identity token that was verified"),
            ],
        ),
    ];
    for (name, change, expected) in cases {
        let report = configured(change, Edition::Ciam);
        let mut news = news(&report);
        if ["a pass is good for one code", "a registration needs an attribute"].contains(&name) {
            // Its refusal brings a code that was not seen before, or hides another one.
            news.retain(|(id, ..)| *id != "D13.codes");
        }
        let news: Vec<_> = news.iter().map(|(id, verdict, seen)| (*id, *verdict, seen.as_str())).collect();
        assert_eq!(news.len(), expected.len(), "{name}: {news:?}");
        for ((id, verdict, seen), expected) in news.iter().zip(&expected) {
            assert_eq!((id, verdict), (&expected.0, &expected.1), "{name}");
            assert!(seen.starts_with(expected.2), "{name}: {seen}");
        }
        let differs = expected.iter().any(|(_, verdict, _)| *verdict == Differs);
        assert_eq!(report.exit_code(), u8::from(differs), "{name}");
    }
}

#[test]
fn an_identity_token_that_no_published_key_signed_is_found() {
    let tenant = Emulator::new();
    tenant.rotate_key();
    tenant.configure(|settings| settings.sign_with_previous_key = true);
    let report = ask(&tenant, tenant.clone(), Edition::Ciam, Consent::ALL);
    let news = news(&report);
    let expected = [
        ("C.signature", Verdict::Differs, "no key of the key set has the identity token's kid".to_owned()),
        ("C.claims", Verdict::NotObserved, "there was no identity token that was verified".to_owned()),
    ];
    assert_eq!(news, expected);
}

#[test]
fn the_spaces_that_the_pages_print_are_found_and_nothing_else() {
    let report = configured(|settings| settings.printed_spaces = true, Edition::Ciam);
    let news = news(&report);
    let status = news.iter().find(|(id, ..)| *id == "D1").unwrap();
    assert_eq!(status.1, Verdict::AsDecided);
    assert_eq!(status.2, "around id_token, state_token, status");
    assert_eq!(news.len(), 1, "{news:?}");
}

#[test]
fn the_edition_of_the_tenant_shows() {
    let isv = || Edition::OneAccessIsv { tenant_id: "a-tenant".to_owned() };
    for (edition, name) in
        [(Edition::Eiam, "eiam"), (Edition::OneAccess, "oneaccess"), (isv(), "oneaccess-isv")]
    {
        let of_tenant = edition.clone();
        let report = configured(|settings| settings.edition = of_tenant, edition);
        let told: BTreeMap<_, _> = report.lines.iter().map(|line| (line.id, line.seen.as_str())).collect();
        assert_eq!(report.stopped, None, "{name}");
        assert_eq!(report.exit_code(), 0, "{}", report.text());
        let kind = report.calls.first().map(String::as_str);
        let (header, send_type, call) = match name {
            "eiam" => ("x-session-token is accepted", "MFA_AUTH_SMS is known", ".edition(Edition::Eiam)"),
            "oneaccess" => ("", "OTP_REST_SMS is known", ".edition(Edition::OneAccess)"),
            _ => (
                "",
                "OTP_REST_SMS is known",
                ".edition(Edition::OneAccessIsv { tenant_id: \"YOUR_TENANT_ID\".to_owned() })",
            ),
        };
        if header.is_empty() {
            assert!(told["D17"].contains("signature"), "{name}: {}", told["D17"]);
        } else {
            assert_eq!(told["D17"], header, "{name}");
        }
        assert_eq!(told["D29"], send_type, "{name}");
        assert_eq!((kind, report.calls.len()), (Some(call), 1), "{name}: {:?}", report.calls);
    }
}

/// What CIAM does not have: an old password that is changed by a code.
#[test]
fn a_password_is_changed_by_a_code_where_the_tenant_has_that() {
    let report = configured(|settings| settings.edition = Edition::Eiam, Edition::Eiam);
    let seen = |id: &str| report.lines.iter().find(|line| line.id == id).map(|line| line.seen.as_str());
    assert_eq!(seen("D23.code"), Some("SUCCESS"), "{}", report.text());
    assert_eq!(seen("D23.change"), Some("SUCCESS"));
    let self_service = seen("D53").unwrap();
    assert!(self_service.contains("REGISTRATION_PHONE is not there, and has no page"), "{self_service}");
    assert!(self_service.contains("RESET_EMAIL is there, and has no page"), "{self_service}");
    assert_eq!(report.exit_code(), 0);
}

/// A tenant that is an emulator with one habit of its own.
fn with_habit(
    tenant: &Emulator,
    habit: impl Fn(&Request, Response) -> Response + Send + Sync + 'static,
) -> impl Transport + 'static {
    let tenant = tenant.clone();
    move |request: Request| {
        let copy = request.clone();
        tenant.send(request).map(|answer| habit(&copy, answer))
    }
}

fn differing(report: &Report) -> BTreeMap<&'static str, String> {
    let lines = report.lines.iter().filter(|line| line.verdict == Verdict::Differs);
    lines.map(|line| (line.id, line.seen.clone())).collect()
}

const DEAD: &str = r#"{"error_code":"IDAAS.SDK.COMMON.1007","error_msg":"state_token parameter error"}"#;

/// Whether a refusal is that of a wrong password, in any edition.
fn is_wrong_password(text: &str) -> bool {
    ["SDK.COMMON.1013", "SDK.LOGIN.1005", "LOGIN.0002"].iter().any(|code| text.contains(code))
}

/// A tenant whose state tokens die of a wrong code or password, and that says so with `dead`.
fn unforgiving(tenant: &Emulator, dead: &'static str) -> impl Transport + 'static {
    let inner = tenant.clone();
    let over = Mutex::new(HashSet::new());
    move |request: Request| -> Result<Response, TransportError> {
        let token = request.headers().get("x-state-token").map(|token| token.as_bytes().to_vec());
        if token.as_ref().is_some_and(|token| over.lock().unwrap().contains(token)) {
            return Ok(response(400, dead));
        }
        let answer = inner.send(request)?;
        let body = String::from_utf8_lossy(answer.body());
        let wrong = ["SDK.LOGIN.1001", "CAPTCHA.0007", "SDK.SMS.1005"];
        let is_wrong = is_wrong_password(&body) || wrong.iter().any(|code| body.contains(code));
        if let (Some(token), true) = (token, is_wrong) {
            over.lock().unwrap().insert(token);
        }
        Ok(answer)
    }
}

#[test]
fn a_state_token_that_dies_of_a_wrong_code_or_password_is_found() {
    let undocumented = DEAD.replace("COMMON.1007", "COMMON.1999").leak();
    let with_a_word_for_it = ["D14.change", "D14.code", "D14.email", "D14.password", "D14.wechat"].as_slice();
    let without =
        ["D13.codes", "D14.change", "D14.code", "D14.email", "D14.password", "D14.wechat"].as_slice();
    for (dead, expected) in [(DEAD, with_a_word_for_it), (undocumented, without)] {
        let tenant = Emulator::new();
        let report = ask(&tenant, unforgiving(&tenant, dead), Edition::Ciam, Consent::ALL);
        let differ = differing(&report);
        assert!(differ.keys().eq(expected), "{}", report.text());
        let said = differ.iter().filter(|(id, _)| **id != "D13.codes");
        assert!(said.clone().all(|(_, seen)| seen.starts_with("dead after a wrong ")), "{differ:?}");
        // All the rest was asked nevertheless.
        let open: Vec<_> = report
            .lines
            .iter()
            .filter(|line| line.verdict == Verdict::NotObserved)
            .map(|line| line.id)
            .collect();
        assert_eq!(open, NOT_OBSERVED, "{}", report.text());
    }
}

#[test]
fn a_tenant_that_wants_a_state_token_when_a_code_is_asked_for_is_found() {
    let tenant = Emulator::new();
    let inner = tenant.clone();
    let transport = move |request: Request| {
        let sends = request.uri().path().ends_with("/send");
        if sends && !request.headers().contains_key("x-state-token") {
            return Ok(response(400, DEAD));
        }
        inner.send(request)
    };
    let differ = differing(&ask(&tenant, transport, Edition::Ciam, Consent::ALL));
    assert!(differ.keys().copied().eq(["C.send-headers"]), "{differ:?}");
    assert!(differ["C.send-headers"].starts_with("X-state-token is wanted"), "{differ:?}");
}

#[test]
fn habits_that_nobody_documents_are_found_one_by_one() {
    type Case = (&'static str, fn(&str, Response) -> Response, &'static [&'static str]);
    fn body(answer: &Response) -> String {
        String::from_utf8_lossy(answer.body()).into_owned()
    }
    fn replaced(answer: &Response, from: &str, to: &str) -> Response {
        let mut changed = response(answer.status().as_u16(), body(answer).replace(from, to));
        *changed.headers_mut() = answer.headers().clone();
        changed
    }
    let cases: [Case; 9] = [
        (
            "an undocumented code",
            |_, answer| {
                let undocumented = r#"{"error_code":"SDK.COMMON.2013","error_msg":""}"#;
                if is_wrong_password(&body(&answer)) { response(400, undocumented) } else { answer }
            },
            &["D13.codes", "D13.password", "D28.old"],
        ),
        ("expire in words", |_, answer| replaced(&answer, ":432000", ":\"five days\""), &["D9"]),
        ("expire as text", |_, answer| replaced(&answer, ":432000", ":\"432000\""), &[]),
        ("SUCCES", |_, answer| replaced(&answer, "\"SUCCESS\"", "\"SUCCES\""), &[]),
        (
            "denied in other words",
            |_, answer| replaced(&answer, "ACCESS_DENIED", "ACCESS_REFUSED"),
            &["D11", "D12"],
        ),
        (
            "a page for a path that is none",
            |path, answer| {
                if path.ends_with("/none") { response(200, "<html></html>") } else { answer }
            },
            &["D15.path"],
        ),
        (
            "no second factor by e-mail",
            |path, answer| {
                if path.ends_with("/mfa/email") { response(404, r#"{"status":404}"#) } else { answer }
            },
            &["D37", "D7.paths"],
        ),
        (
            "a field twice",
            |_, answer| replaced(&answer, "\"status\":\"SUCCESS\"", "\"status\":\"SUCCESS\",\"expire\":1"),
            &["C.twice"],
        ),
        (
            "an error with a token",
            |path, answer| {
                let refused = path.ends_with("/login/wechat-miniprogram") && answer.status() == 400;
                if refused {
                    replaced(&answer, "\"error_msg\"", "\"state_token\":\"eyJhbGciOi\",\"error_msg\"")
                } else {
                    answer
                }
            },
            &["C.contradiction", "D13.login-code"],
        ),
    ];
    for (name, habit, expected) in cases {
        let tenant = Emulator::new();
        let transport = with_habit(&tenant, move |request, answer| habit(request.uri().path(), answer));
        let report = ask(&tenant, transport, Edition::Ciam, Consent::ALL);
        let differ = differing(&report);
        assert!(differ.keys().eq(expected.iter()), "{name}: {differ:?}\n{}", report.text());
        assert_eq!(report.stopped, None, "{name}");
    }
}

/// What was done to a tenant, in words.
fn effects(tenant: &Emulator) -> HashSet<&'static str> {
    let entries = tenant.ledger();
    let mut effects: HashSet<_> = entries
        .iter()
        .flat_map(|entry| &entry.effects)
        .map(|effect| match effect {
            Effect::Bound { .. } => "bound",
            Effect::Registered { .. } => "registered",
            Effect::CodeSent { .. } => "sent",
            Effect::PasswordChanged { .. } => "password changed",
            _ => "session",
        })
        .collect();
    // Wrong passwords and codes: what is made up comes so far only where no state token is needed, once for each step, and is
    // nobody's. Captchas: without permission the probe asks that step twice, with a token that is made up and with none.
    let is_wrong_code = |code: &str| {
        ["CAPTCHA.0007", "SDK.SMS.1005", "SDK.LOGIN.1003", "LOGIN.0001"].iter().any(|end| code.ends_with(end))
    };
    let captchas = entries.iter().filter(|entry| entry.path.ends_with("/captcha/verify"));
    let mut wrong: HashMap<&str, usize> = HashMap::new();
    for entry in &entries {
        let is_wrong =
            |code: &str| code != "SDK.COMMON.1013" && (is_wrong_password(code) || is_wrong_code(code));
        if entry.error_code.as_deref().is_some_and(is_wrong) {
            *wrong.entry(&entry.path).or_default() += 1;
        }
    }
    let without_token = |path: &str| {
        let moves = endpoints::ALL.iter().filter(|row| row.moves_the_flow() && path.ends_with(row.path));
        moves.clone().count() > 0 && moves.clone().all(|row| row.credential == Credential::None)
    };
    if wrong.iter().any(|(path, count)| *count > usize::from(without_token(path)))
        || captchas.filter(|entry| entry.error_code.is_some()).count() > 2
    {
        effects.insert("wrong attempt");
    }
    effects.remove("session");
    effects
}

/// The same people as in the emulator's own supply, each with a login, whether it is wanted or not.
struct Everybody(Emulated, Vec<Want>);

impl Everybody {
    fn new(tenant: &Emulator) -> Self {
        let turns = [Want::Bind, Want::Register, Want::BindThenFactor, Want::Factor];
        Self(Emulated::new(tenant), turns.into_iter().cycle().take(24).collect())
    }
}

impl Supply for Everybody {
    fn login_code(&mut self, _: Want) -> Option<String> {
        let want = self.1.pop()?;
        self.0.login_code(want)
    }
    fn has(&self, need: Need) -> bool {
        // What the operator has, not what is permitted.
        let permissions = [Need::Bind, Need::Register, Need::Send, Need::WrongAttempts, Need::PasswordChange];
        !permissions.contains(&need) && self.0.has(need)
    }
    fn denied_code(&mut self) -> Option<String> {
        self.0.denied_code()
    }
    fn phone_code(&mut self) -> Option<String> {
        self.0.phone_code()
    }
    fn user_name(&self) -> Option<String> {
        self.0.user_name()
    }
    fn password(&self) -> Option<String> {
        self.0.password()
    }
    fn destination(&self, channel: Channel) -> Option<String> {
        self.0.destination(channel)
    }
    fn solve(&mut self, captcha: &Captcha) -> Option<f64> {
        self.0.solve(captcha)
    }
    fn account(&self, who: Who) -> Option<(String, String)> {
        self.0.account(who)
    }
    fn new_password(&self) -> Option<String> {
        self.0.new_password()
    }
    fn destination_of(&self, who: Who, channel: Channel) -> Option<String> {
        self.0.destination_of(who, channel)
    }
    fn new_destination(&mut self, channel: Channel) -> Option<String> {
        self.0.new_destination(channel)
    }
    fn attributes(&self) -> RegistrationAttributes {
        self.0.attributes()
    }
    fn app_login(&mut self) -> Option<AppLogin> {
        self.0.app_login()
    }
    fn early_code(&mut self, channel: Channel, send_type: SendType) -> Option<String> {
        self.0.early_code(channel, send_type)
    }
    fn code(&mut self, destination: &str, channel: Channel) -> Option<String> {
        self.0.code(destination, channel)
    }
    fn secrets(&self) -> Vec<String> {
        self.0.secrets()
    }
}

#[test]
fn each_permission_permits_its_own_effect_and_no_other() {
    let none = Consent::default();
    let cases: [(Consent, &[&str]); 8] = [
        (none, &[]),
        (Consent { password_change: true, ..none }, &["password changed"]),
        (
            Consent { wrong_attempts: false, ..Consent::ALL },
            &["bound", "registered", "sent", "password changed"],
        ),
        (Consent { bind: true, ..none }, &["bound"]),
        (Consent { register: true, ..none }, &["bound", "registered"]),
        (Consent { send: true, ..none }, &["sent"]),
        (Consent { wrong_attempts: true, ..none }, &["wrong attempt"]),
        (Consent::ALL, &["bound", "registered", "sent", "wrong attempt", "password changed"]),
    ];
    for (consent, expected) in cases {
        let server = Emulator::new().start().unwrap();
        let tenant = Tenant { emulated: false, ..at(&server.base_address(), Edition::Ciam) };
        let mut supply = Everybody::new(server.emulator());
        let report = run(&tenant, &Recorder::new(UreqTransport::default()), consent, &mut supply);
        assert_eq!(report.stopped, None, "{consent:?}");
        assert_eq!(differing(&report), BTreeMap::new(), "{consent:?}");
        let effects = effects(server.emulator());
        assert_eq!(effects, expected.iter().copied().collect(), "{consent:?}");
        // What was not done is said, with the flag that would permit it.
        for line in &report.lines {
            let check = probe::checks::find(line.id).unwrap();
            let lacks = probe::missing(check.act, consent, &supply);
            if line.verdict == Verdict::NotObserved && !lacks.is_empty() && line.seen.starts_with("needs") {
                assert!(lacks.iter().all(|need| line.seen.contains(need.name())), "{line:?}");
            }
        }
    }
}

/// A tenant behind HTTP with an account, and the variables that name it.
fn somebody_elses() -> (EmulatorServer, Vec<(&'static str, String)>) {
    let tenant = Emulator::new();
    tenant.add_user(User::new("marker-user").password("MARKER.PASSWORD.1").mobile("15201657312"));
    tenant.bind(Platform::WeChatMiniProgram, "openid-2", "marker-user");
    tenant.accept_login_code(Platform::WeChatMiniProgram, "marker-wx-1", "openid-1");
    tenant.accept_login_code(Platform::WeChatMiniProgram, "marker-wx-2", "openid-2");
    tenant.accept_phone_code(Platform::WeChatMiniProgram, "marker-phone-code", "15201657312");
    let server = tenant.start().unwrap();
    let variables = vec![
        ("IDAAS_PROBE_BASE_ADDRESS", server.base_address()),
        ("IDAAS_PROBE_CLIENT_ID", CLIENT_ID.to_owned()),
        ("IDAAS_PROBE_WX_CODES", "marker-wx-1, marker-wx-2".to_owned()),
        ("IDAAS_PROBE_WX_PHONE_CODES", "marker-phone-code".to_owned()),
        ("IDAAS_PROBE_USER_NAME", "marker-user".to_owned()),
        // It looks like an error code.
        ("IDAAS_PROBE_PASSWORD", "MARKER.PASSWORD.1".to_owned()),
        ("IDAAS_PROBE_MOBILE", "15201657312".to_owned()),
    ];
    (server, variables)
}

fn borrowed<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    variables.iter().map(|(name, text)| (*name, text.as_str())).collect()
}

#[test]
fn without_flags_the_tenant_of_somebody_else_is_left_as_it_is() {
    let (server, variables) = somebody_elses();
    let (code, out, err) = command(&["--json", "-"], &borrowed(&variables));
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(effects(server.emulator()), HashSet::new());
    // Nothing that a state token lives on for was sent: what went to these paths was made up.
    for entry in server.emulator().ledger() {
        if entry.path.contains("/social/") || entry.path.contains("/mfa/") {
            assert!(entry.error_code.is_some() && entry.effects.is_empty(), "{entry:?}");
        }
        // The captcha was made up, too.
        if entry.path.ends_with("/send") || entry.path.ends_with("/verify") {
            assert!(entry.error_code.is_some() && entry.effects.is_empty(), "{entry:?}");
        }
    }
    // The plan says it before, and the report after.
    assert!(err.contains("It will not:"), "{err}");
    for flag in [
        "--allow-bind",
        "--allow-send",
        "--allow-register",
        "--allow-wrong-attempts",
        "--allow-password-change",
    ] {
        assert!(err.contains(flag), "{flag} is not in\n{err}");
    }
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["format"], 1);
    assert_eq!(report["tenant"], "real");
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().map(|check| check["id"].as_str().unwrap()).eq(CHECKS.iter().map(|check| check.id)));
    let d17 = checks.iter().find(|check| check["id"] == "D17").unwrap();
    assert_eq!(d17["verdict"], "as_decided", "the second code is of an account that is bound");
    let again = checks.iter().find(|check| check["id"] == "E.login-code").unwrap();
    assert_eq!(
        (&again["verdict"], &again["seen"]),
        (&"not_observed".into(), &"needs --allow-wrong-attempts".into())
    );
    assert_eq!(report["builder_calls"], serde_json::json!([]));
    let rows = report["steps"].as_array().unwrap().iter().map(|step| step["row"].as_str().unwrap());
    assert!(rows.eq(ROWS.iter().map(|(name, _)| *name)));
}

#[test]
fn with_a_flag_the_operators_account_is_bound() {
    let (server, variables) = somebody_elses();
    let (code, out, err) = command(&["--allow-bind"], &borrowed(&variables));
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(
        server.emulator().bound_user(Platform::WeChatMiniProgram, "openid-1").as_deref(),
        Some("marker-user")
    );
    assert_eq!(effects(server.emulator()), HashSet::from(["bound"]));
}

/// The code was sent by the application itself, say: then the probe needs no permission to have one sent.
#[test]
fn a_code_that_is_there_already_needs_no_other_one() {
    for (flag, effect) in [("--allow-wrong-attempts", "wrong attempt"), ("--allow-bind", "bound")] {
        let (server, mut variables) = somebody_elses();
        server.emulator().accept_code("15201657312", SendType::BindMobileSms, "483920");
        variables.retain(|(name, _)| !["IDAAS_PROBE_USER_NAME", "IDAAS_PROBE_WX_PHONE_CODES"].contains(name));
        variables.push(("IDAAS_PROBE_SMS_CODE", "483920".to_owned()));
        let (code, out, err) = command(&[flag, "--json", "-"], &borrowed(&variables));
        assert_eq!(code, 0, "{out}{err}");
        assert_eq!(effects(server.emulator()), HashSet::from([effect]));
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        let survives =
            report["checks"].as_array().unwrap().iter().find(|check| check["id"] == "D14.code").unwrap();
        let expected = if flag == "--allow-bind" { "not_observed" } else { "as_decided" };
        assert_eq!(survives["verdict"], expected, "{survives}");
        assert!(!format!("{out}{err}").contains("483920"));
    }
}

/// Somebody at the keyboard, who reads a code from the phone when it is asked for.
struct Keyboard {
    lines: Vec<Box<dyn Fn() -> String>>,
    line: Cursor<Vec<u8>>,
}

impl Read for Keyboard {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.fill_buf()?;
        self.line.read(buffer)
    }
}

impl BufRead for Keyboard {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.line.fill_buf()?.is_empty() && !self.lines.is_empty() {
            self.line = Cursor::new(format!("{}\n", self.lines.remove(0)()).into_bytes());
        }
        self.line.fill_buf()
    }
    fn consume(&mut self, count: usize) {
        self.line.consume(count);
    }
}

#[test]
fn codes_and_captchas_can_come_from_the_keyboard() {
    let server = Emulator::new().start().unwrap();
    let tenant = server.emulator().clone();
    // Any solution will do: it is not the person's eye that is tested.
    tenant.configure(|settings| settings.captcha_tolerance = 1000);
    tenant.add_user(User::new("lilei").mobile("15201657312"));
    let (first, phone) = (tenant.clone(), tenant.clone());
    let mut keyboard = Keyboard {
        lines: vec![
            Box::new(move || first.wechat_login_code("openid-lilei")),
            Box::new(String::new), // No code of the phone-number button,
            Box::new(String::new), // and none that came by SMS before.
            Box::new(|| "100".to_owned()),
            Box::new(move || phone.last_code("15201657312").unwrap()),
        ],
        line: Cursor::default(),
    };
    let variable = |name: &str| (name == "IDAAS_PROBE_MOBILE").then(|| "15201657312".to_owned());
    let mut operator = Operator::read(&variable, Some(&mut keyboard)).unwrap();
    let consent = Consent { bind: true, send: true, ..Consent::default() };
    let at = Tenant { emulated: false, ..at(&server.base_address(), Edition::Ciam) };
    let report = run(&at, &Recorder::new(UreqTransport::default()), consent, &mut operator);
    assert_eq!((report.exit_code(), &report.stopped), (0, &None), "{}", report.text());
    assert_eq!(tenant.bound_user(Platform::WeChatMiniProgram, "openid-lilei").as_deref(), Some("lilei"));
    let seen = |id| report.lines.iter().find(|line| line.id == id).map(|line| line.seen.as_str());
    assert_eq!(seen("C.captcha-y"), Some("accepted"));
    assert!(seen("E.state-token").unwrap().starts_with("needs "), "a request with a code is not repeated");
}

#[test]
fn a_dry_run_sends_nothing() {
    let (server, variables) = somebody_elses();
    for flags in [vec!["--dry-run"], vec!["--dry-run", "--allow-bind", "--allow-send"]] {
        let (code, out, err) = command(&flags, &borrowed(&variables));
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains("It will:") && out.contains("It will not:"), "{out}");
        assert!(!out.to_lowercase().contains("marker"), "{out}");
    }
    assert_eq!(server.emulator().ledger(), []);
}

#[test]
fn what_cannot_run_says_why_and_ends_with_2() {
    let (server, variables) = somebody_elses();
    let address = server.base_address();
    let changed = |name: &'static str, text: &str| {
        let mut variables = variables.clone();
        variables.retain(|(other, _)| *other != name);
        if !text.is_empty() {
            variables.push((name, text.to_owned()));
        }
        variables
    };
    let closed = {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", port.local_addr().unwrap())
    };
    let cases = [
        (vec![], changed("IDAAS_PROBE_BASE_ADDRESS", &closed), "IDAAS_PROBE_BASE_ADDRESS cannot be reached"),
        (vec![], changed("IDAAS_PROBE_BASE_ADDRESS", "http://acme.example.com"), "use https://"),
        (
            vec![],
            changed("IDAAS_PROBE_CLIENT_ID", "another"),
            "are IDAAS_PROBE_CLIENT_ID, IDAAS_PROBE_EDITION",
        ),
        (vec![], changed("IDAAS_PROBE_CLIENT_ID", ""), "IDAAS_PROBE_CLIENT_ID is missing"),
        (vec![], changed("IDAAS_PROBE_EDITION", "other"), "IDAAS_PROBE_EDITION is none of"),
        (vec![], changed("IDAAS_PROBE_EDITION", "oneaccess-isv"), "IDAAS_PROBE_TENANT_ID is missing"),
        (vec![], changed(calls::PATHS, "NO_SUCH=/x"), "NO_SUCH is no row of idaas_login::endpoints"),
        (vec![], changed(calls::PATHS, "BIND_PHONE"), "IDAAS_PROBE_PATHS: give NAME=VALUE"),
        (vec![], changed(calls::PATHS, "BIND_PHONE=x"), "path is not a path that begins with /"),
        (vec![], changed(calls::SEND_TYPES, "BIND_PHONE=X"), "send_type is of a row that sends none"),
        (vec![], changed(calls::FIELD_NAMES, "BIND_PHONE=x"), "IDAAS_PROBE_FIELD_NAMES: give ROW.field=name"),
        (vec![], changed(calls::FIELD_NAMES, "BIND_PHONE.x=y"), "field_name is of a field"),
        (vec![], changed(calls::PATH_PREFIX, "idaas"), "path_prefix is not a path"),
        (vec![], changed(calls::PATH_PREFIX, "/gateway"), "and IDAAS_PROBE_PATH_PREFIX right?"),
        (vec![], changed("IDAAS_PROBE_WX_CODES", "marker-wx-0"), "the login code was refused"),
        (
            vec!["--allow-bind"],
            changed("IDAAS_PROBE_PASSWORD", "marker-other"),
            "IDAAS_PROBE_USER_NAME with IDAAS_PROBE_PASSWORD was refused",
        ),
        (vec![], changed(supply::ATTRIBUTES, "{"), "IDAAS_PROBE_ATTRIBUTES is no JSON object"),
        (vec![], changed(supply::ATTRIBUTES, r#"{"marker":1}"#), "a name is no attribute of a registration"),
        (vec![], changed("IDAAS_PROBE_APP_LOGINS", "marker"), "IDAAS_PROBE_APP_LOGINS: give ROW=code"),
        (vec![], changed("IDAAS_PROBE_APP_LOGINS", "MARKER=x"), "a name is no row of idaas_login::endpoints"),
        (vec![], changed("IDAAS_PROBE_APP_LOGINS", "LOGIN_PHONE=x"), "a row is not the login of an app"),
        (vec![], changed("IDAAS_PROBE_APP_LOGINS", "LOGIN_QQ=x"), "a row has another number of fields"),
        (vec!["--ask"], variables.clone(), "--ask needs a terminal"),
        (vec!["--json"], variables.clone(), "--json needs a file, or -"),
        (vec!["--allow-everything"], variables.clone(), "there is no flag --allow-everything"),
    ];
    for (flags, variables, why) in cases {
        let (code, out, err) = command(&flags, &borrowed(&variables));
        assert!(format!("{out}{err}").contains(why), "{why} is not in\n{out}{err}");
        assert_eq!(code, 2, "{why}");
        assert!(!format!("{out}{err}").to_lowercase().contains("marker"), "{out}{err}");
    }
    // The account was tried once, and not again.
    let wrong = server.emulator().ledger();
    let of_account = wrong.iter().filter(|entry| entry.path == endpoints::BIND_USERNAME_PASSWORD.path);
    let of_account = of_account.filter(|entry| entry.error_code.as_deref().is_some_and(is_wrong_password));
    assert_eq!(of_account.count(), 1);
    assert!(!address.is_empty());
}

#[test]
fn what_answers_but_is_no_tenant_is_named() {
    for (http_status, body, why) in [
        (200, "<html></html>", "is it a tenant's domain?"),
        (302, "", "is it a tenant's domain?"),
        (404, "<html></html>", "is it a tenant's domain?"),
        (502, "bad gateway", "is it a tenant's domain?"),
    ] {
        let tenant = at("https://emulator.invalid", Edition::Ciam);
        let http = Recorder::new(support::always(http_status, body));
        let report = run(&tenant, &http, Consent::ALL, &mut Emulated::new(&Emulator::new()));
        assert!(report.text().contains(why), "{}", report.text());
        assert_eq!((report.exit_code(), report.answers.len()), (2, 1), "HTTP {http_status}");
    }
}

/// A connection that is lost on the way leaves a report of what was seen until then.
#[test]
fn a_tenant_that_goes_away_leaves_half_a_report() {
    let tenant = Emulator::new();
    let inner = tenant.clone();
    let transport = move |request: Request| {
        let real = !String::from_utf8_lossy(request.body()).contains("idaas-login-probe-made-up");
        if request.uri().path() == endpoints::BIND_USERNAME_PASSWORD.path && real && request.body().len() > 2
        {
            return Err(
                TransportError::maybe_sent("the connection was lost").during(idaas_login::Phase::Exchange)
            );
        }
        inner.send(request)
    };
    let report = ask(&tenant, transport, Edition::Ciam, Consent::ALL);
    assert_eq!(report.exit_code(), 2);
    assert!(report.stopped.as_deref().unwrap().contains("no response"), "{:?}", report.stopped);
    let verdict =
        |id| report.lines.iter().find(|line| line.id == id).map(|line| (line.verdict, line.seen.as_str()));
    assert_eq!(verdict("D12"), Some((Verdict::AsDecided, "ACCESS_DENIED, SOCIAL_BIND")));
    assert_eq!(verdict("D17"), Some((Verdict::NotObserved, "the probe ended before")));
}

/// A tenant that puts what it was sent, and its own tokens, wherever there is room.
#[test]
fn nothing_secret_gets_into_the_report() {
    let (server, variables) = somebody_elses();
    let tenant = server.emulator().clone();
    tenant.add_user(User::new("marker-denied").denied());
    let inner = tenant.clone();
    let transport = move |request: Request| {
        let sent = String::from_utf8_lossy(request.body()).into_owned();
        let token =
            request.headers().get("x-state-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
        let answer = inner.send(request)?;
        let Ok(mut fields) =
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(answer.body())
        else {
            return Ok(answer);
        };
        let sent: serde_json::Value = serde_json::from_str(&sent).unwrap_or_default();
        let echoed =
            sent.as_object().into_iter().flat_map(|sent| sent.values()).filter_map(|value| value.as_str());
        for (count, echoed) in echoed.chain(token.as_deref()).enumerate() {
            fields.insert(echoed.to_owned(), true.into());
            fields.insert(format!("echo_{count}"), echoed.into());
            if fields.contains_key("error_code") {
                fields.insert("error_msg".to_owned(), format!("wrong: {echoed}").into());
                if echoed.starts_with("MARKER") {
                    fields.insert("error_code".to_owned(), echoed.into());
                }
            }
        }
        let answered: Vec<_> =
            fields.values().filter_map(|value| value.as_str()).map(str::to_owned).collect();
        for text in answered.iter().filter(|text| text.len() < 200) {
            fields.insert(text.clone(), serde_json::Value::Null);
        }
        Ok(response(answer.status().as_u16(), serde_json::Value::Object(fields).to_string()))
    };
    let secrets = Mutex::new(Vec::new());
    let tokens = std::sync::Arc::new(secrets);
    let kept = tokens.clone();
    let watched = move |request: Request| {
        let answer: Result<Response, TransportError> = transport(request);
        if let Ok(answer) = &answer
            && let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(answer.body())
        {
            for name in
                ["session_token", "state_token", "id_token", "captcha_token", "mobile", "token", "secretKey"]
            {
                let text = fields.get(name).and_then(|value| value.as_str());
                kept.lock().unwrap().extend(text.map(str::to_owned));
            }
        }
        answer
    };
    let at = at(&server.base_address(), Edition::Ciam);
    let http = Recorder::new(watched);
    let variables = borrowed(&variables);
    let variable =
        |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, text)| (*text).to_owned());
    let mut operator = Operator::read(&variable, None).unwrap();
    let real = run(&at, &http, Consent::ALL, &mut operator);
    let codes = real.lines.iter().find(|line| line.id == "D13.codes").unwrap();
    assert_eq!(codes.seen, "undocumented: [redacted]", "the tenant answered a password as its error code");
    let emulated = run(&at, &http, Consent::ALL, &mut Emulated::new(&tenant));
    let secrets = tokens.lock().unwrap().clone();
    assert!(secrets.len() > 20, "{}", secrets.len());
    for report in [real, emulated] {
        let told = format!("{}\n{:#}", report.text(), report.json());
        for marker in ["marker", "MARKER", "15201657312", "15200000001", "correct-horse", "plain@example.com"]
        {
            assert!(!told.contains(marker), "{marker}:\n{told}");
        }
        for secret in &secrets {
            assert!(!told.contains(secret.as_str()), "{secret}");
        }
    }
}

#[test]
fn the_document_names_every_check_flag_and_variable() {
    let document = fs::read_to_string(support::root().join("docs/probe.md")).unwrap();
    for check in CHECKS {
        assert!(document.contains(&format!("`{}`", check.id)), "docs/probe.md lacks {}", check.id);
    }
    for need in ACTS.iter().flat_map(|act| act.needs) {
        let name = need.name().split(' ').next().unwrap();
        assert!(document.contains(&format!("`{name}`")), "docs/probe.md lacks {name}");
    }
    let mut ids: Vec<_> = CHECKS.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CHECKS.len());
    for name in [calls::PATH_PREFIX, calls::PATHS, calls::SEND_TYPES, calls::FIELD_NAMES] {
        assert!(document.contains(&format!("`{name}`")), "docs/probe.md lacks {name}");
    }
    // Each decision has a check.
    for number in 1..=20 {
        let decision = format!("D{number}");
        let has = |id: &str| id.split('.').next() == Some(decision.as_str());
        assert!(CHECKS.iter().any(|check| has(check.id)), "no check for {decision}");
    }
}

#[test]
fn a_probe_of_a_slow_code_ends() {
    // More logins than it may need: a tenant whose logins never lead anywhere new.
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.state_token_lifetime = Duration::ZERO);
    tenant.add_user(User::new("nobody"));
    let clock = Mutex::new(0_u64);
    let ticking = tenant.clone().with_clock(move || {
        let mut seconds = clock.lock().unwrap();
        *seconds += 1;
        std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + *seconds)
    });
    let report = ask(&ticking, ticking.clone(), Edition::Ciam, Consent::ALL);
    assert_eq!(report.stopped, None);
    assert!(report.answers.len() < 300, "{}", report.answers.len());
    assert_eq!(report.exit_code(), 1);
}

/// Every row of the table has its name here: a new step is asked, and can be named in a builder call.
#[test]
fn every_row_of_the_endpoint_table_is_asked() {
    let names = ROWS.iter().map(|(_, row)| std::ptr::from_ref(*row));
    let all = endpoints::ALL.iter().map(|row| std::ptr::from_ref(*row));
    assert_eq!(names.collect::<HashSet<_>>(), all.collect::<HashSet<_>>());
    assert_eq!(ROWS.len(), endpoints::ALL.len());
    let tenant = Emulator::new();
    let report = ask(&tenant, tenant.clone(), Edition::Ciam, Consent::default());
    assert!(report.steps.iter().map(|step| step.row.as_str()).eq(endpoints::ALL.iter().map(|row| {
        ROWS.iter().find(|(_, known)| std::ptr::eq(*known, *row)).map(|(name, _)| *name).unwrap()
    })));
}

/// The printed calls, made as Rust would make them.
fn pasted(lines: &[String], builder: ClientBuilder) -> ClientBuilder {
    lines.iter().fold(builder, |builder, line| {
        let call = line.strip_prefix('.').and_then(|line| line.strip_suffix(')')).unwrap();
        let (method, arguments) = call.split_once('(').unwrap();
        let arguments: Vec<_> = arguments.split(", ").collect();
        let text = |at: usize| serde_json::from_str::<String>(arguments[at]).unwrap();
        let row = || {
            let name = arguments[0].strip_prefix("&endpoints::").unwrap();
            ROWS.iter().find(|(known, _)| *known == name).unwrap().1
        };
        match method {
            "edition" => builder.edition(match arguments[0] {
                "Edition::Eiam" => Edition::Eiam,
                "Edition::OneAccess" => Edition::OneAccess,
                r#"Edition::OneAccessIsv { tenant_id: "YOUR_TENANT_ID".to_owned() }"# => isv(),
                other => panic!("{other}"),
            }),
            "wechat_code_field" => {
                assert_eq!(arguments, ["WechatCodeField::WchatCode"]);
                builder.wechat_code_field(WechatCodeField::WchatCode)
            }
            "path_prefix" => builder.path_prefix(text(0)),
            "path" => builder.path(row(), text(1)),
            "send_type" => builder.send_type(row(), text(1)),
            "field_name" => builder.field_name(row(), text(1), text(2)),
            other => panic!("{other}"),
        }
    })
}

fn isv() -> Edition {
    Edition::OneAccessIsv { tenant_id: "a-tenant".to_owned() }
}

/// Three logins, which take a bind by password, a second factor by SMS, a bind by WeChat's number, a bind by SMS, and a
/// renewal where it needs no signature. What fails first.
fn log_in(tenant: &Emulator, transport: impl Transport + 'static, lines: &[String]) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let builder = pasted(lines, Client::builder("https://emulator.invalid", CLIENT_ID));
    let client = builder.build_with(transport).unwrap();
    let device = support::device();
    tenant.add_user(User::new("zhangshan").password("right").mobile("15201657312").second_factor());
    tenant.add_user(User::new("lilei").mobile("15201657313"));
    let begin = |identity: &str| {
        let login = client.login(device.clone()).wechat_mini_program(tenant.wechat_login_code(identity));
        match login.send().map_err(|error| told(&error))? {
            Outcome::PendingBind(stage) => Ok(stage),
            other => Err(format!("{other:?}")),
        }
    };
    let pass = |destination: &str| {
        let captcha = client.captcha(&device).send().map_err(|error| told(&error))?;
        let x = tenant.captcha_solution(captcha.token().expose()).unwrap();
        captcha.solve(x, destination).send().map_err(|error| told(&error))
    };
    let count = tenant.ledger().len();
    let Outcome::MfaRequired(stage) = begin(&format!("first-{count}"))?
        .username_password("zhangshan", "right")
        .send()
        .map_err(|error| told(&error))?
    else {
        return Err("no second factor".to_owned());
    };
    let stage = stage.phone("15201657312");
    stage.send_code(&pass("15201657312")?).send().map_err(|error| told(&error))?;
    let outcome = stage.submit(tenant.last_code("15201657312").unwrap()).send();
    let Outcome::Authenticated(user) = outcome.map_err(|error| told(&error))? else {
        return Err("no session".to_owned());
    };
    if !matches!(client.edition(), Edition::OneAccess | Edition::OneAccessIsv { .. }) {
        user.renew_id_token().send().map_err(|error| told(&error))?;
    }
    let stage = begin(&format!("second-{count}"))?;
    let outcome = stage.wechat_mobile(tenant.wechat_phone_code("15201657313")).send();
    outcome.map(drop).map_err(|error| told(&error))?;
    let stage = begin(&format!("third-{count}"))?.phone("15201657313").map_err(|error| told(&error))?;
    stage.send_code(&pass("15201657313")?).send().map_err(|error| told(&error))?;
    let outcome = stage.submit(tenant.last_code("15201657313").unwrap()).send();
    outcome.map(drop).map_err(|error| told(&error))
}

/// Probes without permission and without an account.
fn look(transport: impl Transport + 'static, edition: Edition, given: Given) -> Report {
    let at = Tenant { given, ..at("https://emulator.invalid", edition) };
    run(&at, &Recorder::new(transport), Consent::default(), &mut Operator::read(&|_| None, None).unwrap())
}

fn given(variables: &[(&str, &str)]) -> Given {
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    Given::read(&variable).unwrap()
}

/// A tenant's name here, the edition that it is taken for, its settings, the variables that the operator sets, and the
/// calls that a client needs.
type Deviation = (
    &'static str,
    Edition,
    fn(&mut Settings),
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

#[allow(clippy::too_many_lines)] // A table.
fn deviations() -> Vec<Deviation> {
    vec![
        (
            "EIAM, taken for CIAM",
            Edition::Ciam,
            |settings| settings.edition = Edition::Eiam,
            &[],
            &[".edition(Edition::Eiam)"],
        ),
        (
            "OneAccess, taken for CIAM",
            Edition::Ciam,
            |settings| settings.edition = Edition::OneAccess,
            &[],
            &[".edition(Edition::OneAccess)"],
        ),
        (
            "OneAccess, taken for EIAM",
            Edition::Eiam,
            |settings| settings.edition = Edition::OneAccess,
            &[],
            &[".edition(Edition::OneAccess)"],
        ),
        (
            "an application of a software vendor",
            isv(),
            |settings| settings.edition = isv(),
            &[],
            &[r#".edition(Edition::OneAccessIsv { tenant_id: "YOUR_TENANT_ID".to_owned() })"#],
        ),
        (
            "wchat_code",
            Edition::Ciam,
            |settings| settings.wechat_code_field = WechatCodeField::WchatCode,
            &[],
            &[".wechat_code_field(WechatCodeField::WchatCode)"],
        ),
        (
            "wchat_code in one step only",
            Edition::Ciam,
            |settings| {
                let (field, name) = ("wechat_code".to_owned(), "wchat_code".to_owned());
                settings.field_names = vec![(&endpoints::BIND_WECHAT_MOBILE, field, name)];
            },
            &[],
            &[r#".field_name(&endpoints::BIND_WECHAT_MOBILE, "wechat_code", "wchat_code")"#],
        ),
        (
            "another edition's send type",
            Edition::Eiam,
            |settings| {
                settings.edition = Edition::Eiam;
                settings.send_types = vec![(&endpoints::SEND_MFA_SMS, "OTP_REST_SMS".to_owned())];
            },
            &[],
            &[".edition(Edition::Eiam)", r#".send_type(&endpoints::SEND_MFA_SMS, "OTP_REST_SMS")"#],
        ),
        (
            "a send type of its own",
            Edition::Ciam,
            |settings| settings.send_types = vec![(&endpoints::SEND_MFA_SMS, "SECOND_SMS".to_owned())],
            &[(calls::SEND_TYPES, "SEND_MFA_SMS=SECOND_SMS, SEND_BIND_SMS=NEVER")],
            &[r#".send_type(&endpoints::SEND_MFA_SMS, "SECOND_SMS")"#],
        ),
        (
            "another version of a path",
            Edition::Ciam,
            |settings| {
                let path = "/api/v3/sdk/social/username-password-bind".to_owned();
                settings.paths = vec![(&endpoints::BIND_USERNAME_PASSWORD, path)];
            },
            &[],
            &[concat!(
                ".path(&endpoints::BIND_USERNAME_PASSWORD, ",
                r#""/api/v3/sdk/social/username-password-bind")"#
            )],
        ),
        (
            "the other edition's path of the renewal",
            Edition::Ciam,
            |settings| {
                let path = "/api/v2/sdk/session-token/refresh-id-token".to_owned();
                settings.paths = vec![(&endpoints::RENEW_ID_TOKEN, path)];
            },
            &[],
            &[r#".path(&endpoints::RENEW_ID_TOKEN, "/api/v2/sdk/session-token/refresh-id-token")"#],
        ),
        (
            "a path of its own, of one of two steps that share one",
            Edition::Ciam,
            |settings| settings.paths = vec![(&endpoints::BIND_PHONE, "/bind/phone".to_owned())],
            &[(calls::PATHS, "BIND_PHONE=/bind/phone,MFA_PHONE=/never")],
            &[r#".path(&endpoints::BIND_PHONE, "/bind/phone")"#],
        ),
        (
            "a known spelling of a field",
            Edition::Ciam,
            |settings| {
                let (field, name) = ("user_name".to_owned(), "userName".to_owned());
                settings.field_names = vec![(&endpoints::BIND_USERNAME_PASSWORD, field, name)];
            },
            &[],
            &[r#".field_name(&endpoints::BIND_USERNAME_PASSWORD, "user_name", "userName")"#],
        ),
        (
            "a gateway",
            Edition::Ciam,
            |settings| "/idaas".clone_into(&mut settings.path_prefix),
            &[(calls::PATH_PREFIX, "/idaas/")],
            &[r#".path_prefix("/idaas")"#],
        ),
        (
            "all at once",
            Edition::Ciam,
            |settings| {
                settings.edition = Edition::Eiam;
                "/idaas".clone_into(&mut settings.path_prefix);
                settings.wechat_code_field = WechatCodeField::WchatCode;
                settings.paths = vec![
                    (&endpoints::BIND_USERNAME_PASSWORD, "/bind/password".to_owned()),
                    (&endpoints::CAPTCHA, "/captcha".to_owned()),
                ];
                settings.send_types = vec![(&endpoints::SEND_MFA_SMS, "SECOND_SMS".to_owned())];
                settings.field_names = ["user_name", "password"]
                    .map(|field| (&endpoints::BIND_USERNAME_PASSWORD, field.to_owned(), format!("x_{field}")))
                    .into();
            },
            &[
                (calls::PATH_PREFIX, "/idaas"),
                (calls::PATHS, "BIND_USERNAME_PASSWORD=/bind/password, CAPTCHA=/captcha"),
                (calls::SEND_TYPES, "SEND_MFA_SMS=SECOND_SMS"),
                (
                    calls::FIELD_NAMES,
                    "BIND_USERNAME_PASSWORD.user_name=x_user_name,BIND_USERNAME_PASSWORD.password=x_password",
                ),
            ],
            &[
                ".edition(Edition::Eiam)",
                r#".path_prefix("/idaas")"#,
                ".wechat_code_field(WechatCodeField::WchatCode)",
                r#".path(&endpoints::BIND_USERNAME_PASSWORD, "/bind/password")"#,
                r#".path(&endpoints::CAPTCHA, "/captcha")"#,
                r#".send_type(&endpoints::SEND_MFA_SMS, "SECOND_SMS")"#,
                r#".field_name(&endpoints::BIND_USERNAME_PASSWORD, "user_name", "x_user_name")"#,
                r#".field_name(&endpoints::BIND_USERNAME_PASSWORD, "password", "x_password")"#,
            ],
        ),
    ]
}

/// For each deviation: the calls that the probe prints make a login work that fails without them.
#[test]
fn the_printed_calls_make_a_login_work() {
    for (name, edition, change, variables, expected) in deviations() {
        let tenant = Emulator::new();
        tenant.configure(change);
        let report = look(tenant.clone(), edition.clone(), given(variables));
        assert_eq!(report.stopped, None, "{name}");
        let mut calls = report.calls.clone();
        let mut sorted = expected.to_vec();
        calls.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(calls, sorted, "{name}\n{}", report.text());
        assert_eq!(effects(&tenant), HashSet::new(), "{name}");
        assert!(report.text().ends_with(&format!(":\n    {}\n", report.calls.join("\n    "))), "{name}");
        assert_eq!(report.json()["builder_calls"], serde_json::json!(report.calls), "{name}");
        assert_eq!(log_in(&tenant, tenant.clone(), &report.calls), Ok(()), "{name}");
        assert!(log_in(&tenant, tenant.clone(), &[]).is_err(), "{name}");
        // Each of them is needed.
        for left_out in 0..report.calls.len() {
            let mut rest = report.calls.clone();
            rest.remove(left_out);
            assert!(
                log_in(&tenant, tenant.clone(), &rest).is_err(),
                "{name} without {}",
                report.calls[left_out]
            );
        }
    }
}

#[test]
fn a_tenant_as_documented_needs_no_calls() {
    let tenant = Emulator::new();
    let never = [(calls::PATHS, "BIND_PHONE=/never"), (calls::SEND_TYPES, "SEND_BIND_SMS=NEVER")];
    let report = look(tenant.clone(), Edition::Ciam, given(&never));
    assert_eq!((report.calls, report.optional), (vec![], vec![]));
    let report = look(tenant.clone(), Edition::Ciam, Given::default());
    assert!(report.text().contains("\nThis tenant needs no builder calls after Client::builder("));
    assert_eq!(report.json()["builder_calls"], serde_json::json!([]));
    assert_eq!(log_in(&tenant, tenant.clone(), &report.calls), Ok(()));
    // Nothing is said of a prefix that is not needed, either.
    let prefixed = tenant.clone();
    let transport = move |mut request: Request| {
        if let Some(path) = request.uri().path().strip_prefix("/idaas") {
            *request.uri_mut() = format!("https://emulator.invalid{path}").parse().unwrap();
        }
        prefixed.send(request)
    };
    let report = look(transport, Edition::Ciam, given(&[(calls::PATH_PREFIX, "/idaas")]));
    assert_eq!(report.calls, Vec::<String>::new());
    assert_eq!(differing(&report).keys().copied().collect::<Vec<_>>(), ["C.prefix"]);
}

/// Those rows whose requests are the same: whether a tenant has the one or the other there, no request can tell.
fn twins(row: &'static Endpoint, edition: EditionKind) -> Vec<(&'static str, &'static Endpoint)> {
    let of = |row: &Endpoint| {
        let sends = row.fields.iter().any(|field| field.kind == FieldKind::SendType);
        row.in_edition(edition)
            .map(|shape| (row.verb, shape.path, row.fields, shape.send_type.filter(|_| sends)))
    };
    ROWS.iter().copied().filter(|(_, other)| of(other).is_some() && of(other) == of(row)).collect()
}

/// Each row of the table at another path, with another send type, with another spelling: that is found, and no more.
#[test]
fn a_deviation_of_any_row_is_found_and_no_other() {
    for (name, row) in ROWS {
        let edition = EditionKind::ALL.iter().copied().find(|kind| row.in_edition(*kind).is_some()).unwrap();
        let as_given = match edition {
            EditionKind::Ciam => Edition::Ciam,
            EditionKind::Eiam => Edition::Eiam,
            _ => Edition::OneAccess,
        };
        let configured = |change: &dyn Fn(&mut Settings)| {
            let tenant = Emulator::new();
            tenant.configure(|settings| {
                settings.edition = as_given.clone();
                change(settings);
            });
            tenant
        };
        let calls_of = |report: &Report| -> HashSet<String> {
            report.calls.iter().filter(|call| !call.starts_with(".edition(")).cloned().collect()
        };
        let twins = twins(row, edition);
        let paths = |settings: &mut Settings| {
            settings.paths = twins.iter().map(|(_, row)| (*row, "/elsewhere".to_owned())).collect();
        };
        let told: Vec<_> = twins.iter().map(|(name, _)| format!("{name}=/elsewhere")).collect();
        let call = |(name, _): &(&str, &Endpoint)| format!(".path(&endpoints::{name}, \"/elsewhere\")");
        let given_paths = given(&[(calls::PATHS, &told.join(","))]);
        let report = look(configured(&paths), as_given.clone(), given_paths);
        assert_eq!(calls_of(&report), twins.iter().map(call).collect(), "{}", report.text());
        let report = look(configured(&paths), as_given.clone(), Given::default());
        if *name == "CAPTCHA" {
            assert_eq!(report.exit_code(), 2, "{name}");
        } else {
            assert_eq!(calls_of(&report), HashSet::new(), "{name}");
            let step = report.steps.iter().find(|step| step.row == *name).unwrap();
            let told = step.seen == "not there" && report.exit_code() == 1;
            assert!(told || step.seen.contains("it refuses its fields"), "{name}: {}", step.seen);
        }
        for field in row.fields {
            let is_type = field.kind == FieldKind::SendType;
            let (variable, told, expected): (_, Vec<_>, HashSet<_>) = if is_type {
                let call = |name: &str| format!(".send_type(&endpoints::{name}, \"OF_ITS_OWN\")");
                let told = twins.iter().map(|(name, _)| format!("{name}=OF_ITS_OWN"));
                (calls::SEND_TYPES, told.collect(), twins.iter().map(|(name, _)| call(name)).collect())
            } else {
                let field = field.name;
                let call = format!(".field_name(&endpoints::{name}, \"{field}\", \"of_its_own\")");
                (calls::FIELD_NAMES, vec![format!("{name}.{field}=of_its_own")], HashSet::from([call]))
            };
            let tenant = configured(&|settings| {
                if is_type {
                    settings.send_types =
                        twins.iter().map(|(_, row)| (*row, "OF_ITS_OWN".to_owned())).collect();
                } else {
                    settings.field_names = vec![(row, field.name.to_owned(), "of_its_own".to_owned())];
                }
            });
            let report = look(tenant, as_given.clone(), given(&[(variable, &told.join(","))]));
            assert_eq!(calls_of(&report), expected, "{name}\n{}", report.text());
        }
    }
}

/// What a tenant does in the new flows that the emulator does not.
#[test]
fn habits_of_password_stages_and_registration_are_found() {
    fn differ(
        transport: impl Transport + 'static,
        edition: Edition,
        tenant: &Emulator,
    ) -> (BTreeMap<&'static str, String>, Report) {
        let report = ask(tenant, transport, edition, Consent::ALL);
        assert_eq!(report.stopped, None);
        (differing(&report), report)
    }

    // It keeps a password that has expired.
    let tenant = Emulator::new();
    let inner = tenant.clone();
    let lax = move |request: Request| {
        let token = request.headers().get("x-state-token").and_then(|token| token.to_str().ok());
        let expired = token.is_some_and(|token| inner.pending(token) == Some(StageKind::PasswordExpired));
        if expired && request.uri().path() == endpoints::KEEP_PASSWORD.path {
            return Ok(response(200, r#"{"status":"SUCCESS","session_token":"s","expire":1}"#));
        }
        inner.send(request)
    };
    let (differs, report) = differ(lax, Edition::Ciam, &tenant);
    assert!(differs.keys().copied().eq(["D21"]), "{differs:?}\n{}", report.text());

    // A refused registration costs the code.
    let tenant = Emulator::new();
    let (inner, spent) = (tenant.clone(), Mutex::new(HashSet::new()));
    let greedy = move |request: Request| -> Result<Response, TransportError> {
        let registers = request.uri().path() == endpoints::REGISTRATION_PHONE.path;
        let fields: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if registers && spent.lock().unwrap().contains(&fields["verify_code"].to_string()) {
            return Ok(response(400, r#"{"error_code":"IDAAS.SDK.CAPTCHA.0007","error_msg":""}"#));
        }
        let answer = inner.send(request)?;
        if registers && String::from_utf8_lossy(answer.body()).contains("USER.0031") {
            spent.lock().unwrap().insert(fields["verify_code"].to_string());
        }
        Ok(answer)
    };
    let (differs, _) = differ(greedy, Edition::Ciam, &tenant);
    assert!(differs.keys().copied().eq(["E.registration-code"]), "{differs:?}");

    // A policy that is no JSON, and a registration that is answered with an identity token.
    let tenant = Emulator::new();
    let habit = with_habit(&tenant, |request, answer| {
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        let Ok(mut fields) = serde_json::from_str::<serde_json::Map<_, _>>(&body) else { return answer };
        if body.contains("PASSWORD_EXPIRED") {
            fields.insert("data".to_owned(), "eight letters or more".into());
        }
        if request.uri().path() == endpoints::REGISTRATION_EMAIL.path && body.contains("SUCCESS") {
            fields.insert("id_token".to_owned(), "a.b.c".into());
        }
        response(answer.status().as_u16(), serde_json::Value::Object(fields).to_string())
    });
    let (differs, report) = differ(habit, Edition::Ciam, &tenant);
    assert!(differs.contains_key("D24.expired"), "{differs:?}");
    let seen = report.lines.iter().find(|line| line.id == "D34.id-token").unwrap();
    assert_eq!(seen.seen, "there is none; there is one");

    // The send type that EIAM's page prints, against its list.
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.edition = Edition::Eiam;
        settings.send_types = vec![(&endpoints::SEND_RESET_SMS, "CHANGE_PWD_SMS".to_owned())];
    });
    let (differs, report) = differ(tenant.clone(), Edition::Eiam, &tenant);
    assert!(differs.keys().copied().eq(["D30"]), "{differs:?}");
    let calls = [".edition(Edition::Eiam)", r#".send_type(&endpoints::SEND_RESET_SMS, "CHANGE_PWD_SMS")"#];
    assert_eq!(report.calls, calls);
    assert_eq!(report.lines.iter().find(|line| line.id == "D33").unwrap().seen, "the new password logs in");

    // The other version of the path of Alipay's app.
    let tenant = Emulator::new();
    let row = &endpoints::LOGIN_ALIPAY_APP;
    let path = row.path.replace("/v2/", "/v3/");
    tenant.configure(|settings| settings.paths = vec![(row, path.clone())]);
    let (differs, report) = differ(tenant.clone(), Edition::Ciam, &tenant);
    assert!(differs.keys().copied().eq(["D37", "D54"]), "{differs:?}");
    assert_eq!(report.calls, [format!(".path(&endpoints::LOGIN_ALIPAY_APP, {path:?})")]);

    // No reset by SMS, where the edition has no page for it.
    let tenant = Emulator::new();
    let habit = with_habit(&tenant, |request, answer| {
        let is_reset = request.uri().path() == endpoints::RESET_PHONE.path;
        if is_reset { response(404, r#"{"status":404}"#) } else { answer }
    });
    let (differs, _) = differ(habit, Edition::Ciam, &tenant);
    assert!(differs.keys().copied().eq(["D37", "D53"]), "{differs:?}");
    assert!(differs["D53"].contains("RESET_PHONE is not there, and has no page"), "{differs:?}");
}

/// Messages, passwords and changes of passwords: no more than was announced.
#[test]
fn no_more_is_spent_than_is_announced() {
    for (edition, habit) in
        [(Edition::Ciam, false), (Edition::Eiam, false), (Edition::OneAccess, false), (Edition::Ciam, true)]
    {
        let tenant = Emulator::new();
        tenant.configure(|settings| {
            settings.edition = edition.clone();
            settings.state_token_ends_with_wrong_code = habit;
            settings.password_asked_everywhere = habit;
        });
        let said = Arc::new(Mutex::new(String::new()));
        let passwords = Arc::new(Mutex::new(HashMap::<(String, bool), u32>::new()));
        let (heard, counted, inner) = (Arc::clone(&said), Arc::clone(&passwords), tenant.clone());
        let transport = move |request: Request| {
            let fields: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
            let path = request.uri().path().to_owned();
            let text = |name: &str| fields[name].as_str().map(str::to_owned);
            if let Some(password) = text("password").or(text("old_password"))
                && !password.contains("made-up")
            {
                let who = text("user_name").unwrap_or(path);
                *counted.lock().unwrap().entry((who, password.contains("Wrong"))).or_default() += 1;
            }
            let before = inner.ledger().len();
            let answer = inner.send(request);
            let ledger = inner.ledger();
            let mut effects = ledger[before..].iter().flat_map(|entry| &entry.effects);
            if effects.any(|effect| matches!(effect, Effect::PasswordChanged { .. })) {
                let said = heard.lock().unwrap();
                assert!(said.contains("CHANGE THE PASSWORD"), "{said}");
            }
            answer
        };
        let at = at("https://emulator.invalid", edition.clone());
        let mut say = |text: &str| text.clone_into(&mut said.lock().unwrap());
        let mut supply = Everybody::new(&tenant);
        let http = Recorder::new(transport);
        let report = probe::run(&at, &http, Consent::ALL, &mut supply, &mut say);
        assert_eq!(report.stopped, None, "{edition:?}");
        for ((who, is_wrong), count) in passwords.lock().unwrap().iter() {
            // A change names nobody: two accounts at most are at its path.
            let most = if *is_wrong { checks::MAX_WRONG_PASSWORDS } else { checks::MAX_PASSWORDS };
            assert!(*count <= most, "{edition:?}: {who} {count} times");
        }
        let effects = tenant.ledger().into_iter().flat_map(|entry| entry.effects);
        let sent = effects.filter(|effect| matches!(effect, Effect::CodeSent { .. })).count();
        assert!((5..=checks::MAX_MESSAGES as usize).contains(&sent), "{edition:?}: {sent} messages");
        let told = probe::plan(&at, Consent::ALL, &supply);
        assert!(told.contains(&format!("At most {} messages are sent.", checks::MAX_MESSAGES)), "{told}");
    }
}

/// An operator's accounts, over HTTP: a password is changed with the flag alone, and the variables reach where they belong.
#[test]
fn an_operators_accounts_are_asked() {
    for (flags, changed) in [(vec![], false), (vec!["--allow-password-change"], true)] {
        let (server, mut variables) = somebody_elses();
        let tenant = server.emulator();
        tenant.add_user(User::new("marker-expiring").password("MARKER.OLD.1").password_expiring());
        tenant.add_user(User::new("marker-expired").password("MARKER.OLD.2").password_expired());
        tenant.add_user(User::new("marker-both").password("MARKER.OLD.3").password_expired().second_factor());
        tenant.accept_login_code(Platform::Qq, "marker-qq-token", "marker-qq-id");
        tenant.accept_code("15301657312", SendType::RegisterSms, "483920");
        for (name, text) in [
            ("IDAAS_PROBE_EXPIRING_USER_NAME", "marker-expiring"),
            ("IDAAS_PROBE_EXPIRING_PASSWORD", "MARKER.OLD.1"),
            ("IDAAS_PROBE_EXPIRED_USER_NAME", "marker-expired"),
            ("IDAAS_PROBE_EXPIRED_PASSWORD", "MARKER.OLD.2"),
            ("IDAAS_PROBE_BOTH_USER_NAME", "marker-both"),
            ("IDAAS_PROBE_BOTH_PASSWORD", "MARKER.OLD.3"),
            ("IDAAS_PROBE_NEW_PASSWORD", "MARKER.NEW.1"),
            ("IDAAS_PROBE_NEW_MOBILES", "15301657312"),
            ("IDAAS_PROBE_SMS_CODE", "REGISTER_SMS=483920"),
            ("IDAAS_PROBE_APP_LOGINS", "LOGIN_QQ=marker-qq-token marker-qq-id"),
            (supply::ATTRIBUTES, r#"{"user_name":"marker-new","extension":{"age":"marker-age"}}"#),
        ] {
            variables.push((name, text.to_owned()));
        }
        let flags = [flags, vec!["--allow-register"]].concat();
        let (code, out, err) = command(&flags, &borrowed(&variables));
        assert_eq!(code, 0, "{out}{err}");
        assert!(!out.to_lowercase().contains("marker"), "{out}");
        for (name, old) in [("marker-expiring", "MARKER.OLD.1"), ("marker-expired", "MARKER.OLD.2")] {
            let expected = if changed { "MARKER.NEW.1" } else { old };
            assert_eq!(tenant.password(name).as_deref(), Some(expected), "{name}");
        }
        // Its second factor needs a code, and none was there.
        assert_eq!(tenant.password("marker-both").as_deref(), Some("MARKER.OLD.3"));
        assert!(out.contains("D43") && out.contains("MFA_AUTH\n"), "{out}");
        assert!(out.contains("LOGIN_QQ leads to PendingBind"), "{out}");
        let expected = if changed {
            HashSet::from(["password changed", "registered"])
        } else {
            HashSet::from(["registered"])
        };
        assert_eq!(effects(tenant), expected);
    }
}

/// Before each request a line says that it comes, with its path.
#[test]
fn what_is_sent_is_said_before() {
    #[derive(Debug)]
    enum Event {
        Said(String),
        Sent(String),
    }
    for consent in [Consent::default(), Consent::ALL] {
        let tenant = Emulator::new();
        tenant.configure(|settings| "/idaas".clone_into(&mut settings.path_prefix));
        let events = Arc::new(Mutex::new(Vec::new()));
        let (sent, inner) = (Arc::clone(&events), tenant.clone());
        let transport = move |request: Request| {
            sent.lock().unwrap().push(Event::Sent(request.uri().path().to_owned()));
            inner.send(request)
        };
        let prefix = given(&[(calls::PATH_PREFIX, "/idaas")]);
        let at = Tenant { given: prefix, ..at("https://emulator.invalid", Edition::Ciam) };
        let mut say = |text: &str| events.lock().unwrap().push(Event::Said(text.to_owned()));
        let mut supply = Everybody::new(&tenant);
        let report = probe::run(&at, &Recorder::new(transport), consent, &mut supply, &mut say);
        assert_eq!(report.stopped, None);
        let mut said = String::new();
        let events = std::mem::take(&mut *events.lock().unwrap());
        for event in &events {
            match event {
                Event::Said(text) => {
                    assert!(text.starts_with("Next: ") && text.ends_with('\n'), "{text}");
                    said.clone_from(text);
                }
                Event::Sent(path) => assert!(said.contains(path.as_str()), "{path} after\n{said}"),
            }
        }
        assert!(events.iter().filter(|event| matches!(event, Event::Said(_))).count() > 5);
    }
}

/// No POST with a code is sent twice in one login; without permission to try what is wrong, in none.
#[test]
fn a_request_with_a_code_is_not_repeated() {
    for consent in [
        Consent::default(),
        Consent { wrong_attempts: false, ..Consent::ALL },
        Consent { send: true, bind: true, ..Consent::default() },
    ] {
        for habit in [None, Some(400), Some(500)] {
            let tenant = Emulator::new();
            let bodies = Arc::new(Mutex::new(Vec::new()));
            let (sent, inner) = (Arc::clone(&bodies), tenant.clone());
            let transport = move |request: Request| {
                let row = endpoints::ALL.iter().find(|row| row.path == request.uri().path());
                let codes = row.into_iter().flat_map(|row| row.fields).filter(|field| {
                    let kinds = [FieldKind::Code, FieldKind::PlatformCode, FieldKind::PlatformOpaque];
                    kinds.contains(&field.kind) && !["captcha_token", "token"].contains(&field.name)
                });
                let fields: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
                let mut has_code = false;
                for code in codes.filter_map(|field| fields[field.name].as_str()) {
                    if !code.contains("made-up") {
                        has_code = true;
                        sent.lock().unwrap().push(code.to_owned());
                    }
                }
                match habit {
                    // The response to the bind by a code is a refusal that nobody documents.
                    Some(http_status) if has_code && request.uri().path().contains("/social/") => {
                        Ok(response(http_status, r#"{"error_code":"SDK.COMMON.9999","error_msg":""}"#))
                    }
                    _ => inner.send(request),
                }
            };
            let mut supply = Everybody::new(&tenant);
            let at = at("https://emulator.invalid", Edition::Ciam);
            let report = run(&at, &Recorder::new(transport), consent, &mut supply);
            let sent = bodies.lock().unwrap().clone();
            assert!(!sent.is_empty(), "{}", report.text());
            let distinct: HashSet<_> = sent.iter().collect();
            assert_eq!(distinct.len(), sent.len(), "{consent:?}, {habit:?}: {sent:?}");
        }
    }
}

/// A tenant that looks at the captcha before the send type: only a code that is sent shows the type.
#[test]
fn a_send_type_that_shows_only_with_a_solved_captcha_is_found() {
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.send_types = vec![(&endpoints::SEND_MFA_SMS, "OTP_REST_SMS".to_owned())];
    });
    let captcha_first = || {
        let inner = tenant.clone();
        move |request: Request| {
            let sends = request.uri().path().ends_with("/send");
            if sends && String::from_utf8_lossy(request.body()).contains("made-up") {
                let refused = r#"{"error_code":"IDAAS.SDK.CAPTCHA.0006","error_msg":""}"#;
                return Ok(response(400, refused));
            }
            inner.send(request)
        }
    };
    let seen = |report: &Report| report.lines.iter().find(|line| line.id == "D29").unwrap().clone();
    let report = look(captcha_first(), Edition::Ciam, Given::default());
    assert_eq!(report.calls, Vec::<String>::new());
    assert_eq!(seen(&report).verdict, Verdict::NotObserved, "{:?}", seen(&report));
    let report = ask(&tenant, captcha_first(), Edition::Ciam, Consent::ALL);
    assert_eq!(report.stopped, None);
    assert_eq!(seen(&report).verdict, Verdict::Differs, "{}", report.text());
    assert_eq!(report.calls, [r#".send_type(&endpoints::SEND_MFA_SMS, "OTP_REST_SMS")"#]);
    assert_eq!(log_in(&tenant, captcha_first(), &report.calls), Ok(()));
    assert!(log_in(&tenant, captcha_first(), &[]).is_err());
}

/// Headers that rule an edition out, whatever the paths say.
#[test]
fn headers_tell_the_edition() {
    // All the paths of CIAM, and the header of EIAM: it takes a login to see that.
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.edition = Edition::Eiam;
        let only_ciam = endpoints::ALL.iter().filter(|row| row.in_edition(EditionKind::Eiam).is_none());
        settings.paths = only_ciam.map(|row| (*row, row.path.to_owned())).collect();
    });
    let report = look(tenant.clone(), Edition::Ciam, Given::default());
    assert_eq!(report.calls, Vec::<String>::new());
    // Paths beyond its documents are nothing against an edition.
    let report = look(tenant.clone(), Edition::Eiam, Given::default());
    assert_eq!(report.calls, [".edition(Edition::Eiam)"]);
    let report = ask(&tenant, tenant.clone(), Edition::Ciam, Consent::ALL);
    assert_eq!(report.calls, [".edition(Edition::Eiam)"], "{}", report.text());
    let differ = differing(&report);
    assert!(differ.keys().copied().eq(["C.edition", "D17"]), "{differ:?}");
    assert_eq!(log_in(&tenant, tenant.clone(), &report.calls), Ok(()));
    assert!(log_in(&tenant, tenant.clone(), &[]).is_err());

    // Only one content type.
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.edition = Edition::OneAccess);
    let transport = || {
        let inner = tenant.clone();
        move |request: Request| {
            let content_type = request.headers().get("content-type").map(|text| text.as_bytes().to_vec());
            if content_type.as_deref() != Some(EditionKind::OneAccess.content_type().as_bytes())
                && !request.uri().path().ends_with("/keys")
            {
                let refused = r#"{"error_code":"SDK.COMMON.1002","error_msg":"content-type"}"#;
                return Ok(response(400, refused));
            }
            inner.send(request)
        }
    };
    let report = look(transport(), Edition::Ciam, Given::default());
    assert_eq!(report.calls, [".edition(Edition::OneAccess)"], "{}", report.text());
    assert_eq!(log_in(&tenant, transport(), &report.calls), Ok(()));
    assert!(log_in(&tenant, transport(), &[]).is_err());
}

/// One content type for a POST, and all the paths of CIAM: the paths alone would mean CIAM.
#[test]
fn a_content_type_tells_the_edition() {
    let tenant = Emulator::new();
    tenant.configure(|settings| {
        settings.edition = Edition::OneAccess;
        let others = endpoints::ALL.iter().filter(|row| row.in_edition(EditionKind::OneAccess).is_none());
        settings.paths = others.map(|row| (*row, row.path.to_owned())).collect();
    });
    let transport = || {
        let inner = tenant.clone();
        move |request: Request| {
            let content_type = request.headers().get("content-type").map(|text| text.as_bytes().to_vec());
            let right = content_type.as_deref() == Some(EditionKind::OneAccess.content_type().as_bytes());
            if request.method() == "POST" && !right {
                return Ok(response(415, r#"{"status":415}"#));
            }
            inner.send(request)
        }
    };
    let report = look(transport(), Edition::Ciam, Given::default());
    assert_eq!(report.calls, [".edition(Edition::OneAccess)"], "{}", report.text());
    assert!(differing(&report).keys().copied().eq(["C.edition", "D18.content-type"]), "{}", report.text());
    assert_eq!(log_in(&tenant, transport(), &report.calls), Ok(()));
    assert!(log_in(&tenant, transport(), &[]).is_err());
}

/// Steps that the tenant has though its edition does not document them: not needed, but told.
#[test]
fn steps_beyond_the_edition_are_told_apart() {
    let tenant = Emulator::new();
    let row = &endpoints::LOGIN_ALIPAY_MINI_PROGRAM;
    tenant.configure(|settings| {
        settings.edition = Edition::Eiam;
        settings.paths = vec![(row, row.path.to_owned())];
    });
    let report = look(tenant.clone(), Edition::Eiam, Given::default());
    assert_eq!(report.calls, [".edition(Edition::Eiam)"]);
    let call = r#".path(&endpoints::LOGIN_ALIPAY_MINI_PROGRAM, "/api/v2/sdk/login/alipay-miniprogram")"#;
    assert_eq!(report.optional, [call]);
    assert!(report.text().contains(call));
    assert_eq!(report.json()["optional_builder_calls"], serde_json::json!([call]));
    let log_in = |lines: &[String]| {
        let builder = pasted(lines, Client::builder("https://emulator.invalid", CLIENT_ID));
        let client = builder.build_with(tenant.clone()).unwrap();
        let code = tenant.login_code(Platform::AlipayMiniProgram, "an-alipay-id");
        client.login(support::device()).alipay_mini_program(code).send().is_ok()
    };
    assert!(!log_in(&report.calls));
    assert!(log_in(&[report.calls, report.optional].concat()));
}

/// Habits that no builder call can follow are told, and change nothing else.
#[test]
fn what_no_call_can_follow_is_told() {
    let seen = |report: &Report, id: &str| {
        let line = report.lines.iter().find(|line| line.id == id).unwrap();
        (line.verdict, line.seen.clone())
    };
    // A tenant that only logs the device headers.
    let tenant = Emulator::new();
    let inner = tenant.clone();
    let lenient = move |mut request: Request| {
        for name in ["x-operating-sys-version", "x-agent"] {
            request.headers_mut().entry(name).or_insert(HeaderValue::from_static("any"));
        }
        inner.send(request)
    };
    let report = look(lenient, Edition::Ciam, Given::default());
    let expected = (Verdict::AsDecided, "not checked: x-operating-sys-version, x-agent".to_owned());
    assert_eq!(seen(&report, "D38"), expected);
    assert_eq!((report.exit_code(), report.calls), (0, vec![]));

    // One that publishes no keys, one whose list of them is empty.
    for (http_status, body) in [(404, "{}"), (200, r#"{"keys":[]}"#)] {
        let inner = tenant.clone();
        let keyless = move |request: Request| {
            let keys = request.uri().path() == endpoints::KEYS_PATH;
            if keys { Ok(response(http_status, body)) } else { inner.send(request) }
        };
        let report = look(keyless, Edition::Ciam, Given::default());
        assert_eq!(seen(&report, "C.keys").0, Verdict::Differs);
        assert_eq!(report.calls, Vec::<String>::new());
    }

    // One that looks at the state token before anything else: no field of those steps can be told.
    let inner = tenant.clone();
    let token_first = move |request: Request| {
        let token = request.headers().get("x-state-token").and_then(|token| token.to_str().ok());
        if token.is_some_and(|token| inner.pending(token).is_none()) {
            return Ok(response(400, DEAD));
        }
        inner.send(request)
    };
    let report = look(token_first, Edition::Ciam, Given::default());
    assert_eq!((report.exit_code(), &report.calls), (0, &vec![]), "{}", report.text());
    assert_eq!(seen(&report, "D3").0, Verdict::NotObserved);
    let is_there = |seen: &str| seen.starts_with("there") || seen.ends_with("does not document it");
    assert!(report.steps.iter().all(|step| is_there(&step.seen)), "{}", report.text());

    // One that refuses everything in the same words.
    let inner = tenant.clone();
    let terse = move |request: Request| {
        let answer = inner.send(request)?;
        let refused = String::from_utf8_lossy(answer.body()).contains("error_code");
        let body = r#"{"error_code":"SDK.COMMON.1001","error_msg":""}"#;
        Ok(if refused { response(400, body) } else { answer })
    };
    let report = look(terse, Edition::Ciam, Given::default());
    assert_eq!(report.calls, Vec::<String>::new(), "{}", report.text());
    for id in ["C.fields", "D29", "D3"] {
        assert_eq!(seen(&report, id).0, Verdict::NotObserved, "{id}");
    }
}

/// A lock is seen where it happens, and the right password is not tried against it.
#[test]
fn a_lock_ends_the_tries_of_the_password() {
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.max_attempts = 2);
    let consent = Consent { wrong_attempts: true, bind: true, ..Consent::default() };
    let report = ask(&tenant, tenant.clone(), Edition::Ciam, consent);
    let lock = report.lines.iter().find(|line| line.id == "D27.lock").unwrap();
    assert_eq!(lock.verdict, Verdict::AsDecided);
    assert!(lock.seen.contains("(locked or limited)") && lock.seen.contains("let the user wait"), "{lock:?}");
    assert_eq!(report.stopped, None);
    let password = endpoints::BIND_USERNAME_PASSWORD.path;
    let tried = tenant.ledger().into_iter().filter(|entry| entry.path == password).count();
    // Without fields, with a made-up state token, and twice with a wrong password.
    assert_eq!(tried, 4);
}

/// The whole command, over HTTP: a tenant behind a gateway, of an edition that was not given.
#[test]
fn the_command_prints_the_calls() {
    let (server, mut variables) = somebody_elses();
    server.emulator().configure(|settings| {
        settings.edition = Edition::Eiam;
        "/idaas".clone_into(&mut settings.path_prefix);
        settings.send_types = vec![(&endpoints::SEND_MFA_SMS, "OTP_REST_SMS".to_owned())];
    });
    let (code, out, err) = command(&[], &borrowed(&variables));
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("Behind a gateway it needs IDAAS_PROBE_PATH_PREFIX"), "{out}");
    variables.push((calls::PATH_PREFIX, "/idaas".to_owned()));
    let (code, out, err2) = command(&[], &borrowed(&variables));
    assert_eq!((code, err.as_str(), err2.as_str()), (1, "", ""), "{out}");
    let calls = [
        "This tenant needs these calls after Client::builder(base_address, client_id):",
        "    .edition(Edition::Eiam)",
        "    .path_prefix(\"/idaas\")",
        "    .send_type(&endpoints::SEND_MFA_SMS, \"OTP_REST_SMS\")\n",
    ];
    assert!(out.ends_with(&calls.join("\n")), "{out}");
    assert!(!out.to_lowercase().contains("marker"), "{out}");
    assert_eq!(effects(server.emulator()), HashSet::new());
}

/// A step that the tenant does not have is left out where a login would come to it.
#[test]
fn a_step_that_is_not_there_does_not_end_the_probe() {
    for row in [&endpoints::BIND_USERNAME_PASSWORD, &endpoints::BIND_WECHAT_MOBILE] {
        let tenant = Emulator::new();
        let transport = with_habit(&tenant, move |request, answer| {
            if request.uri().path() == row.path { response(404, r#"{"status":404}"#) } else { answer }
        });
        let report = ask(&tenant, transport, Edition::Ciam, Consent::ALL);
        assert_eq!(report.stopped, None);
        assert!(differing(&report).keys().copied().eq(["D37"]), "{}", report.text());
        assert_eq!(report.calls, Vec::<String>::new());
    }
}
