//! The answers to the steps that move the flow.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use idaas_login::endpoints::{self, EditionKind, Endpoint, OriginKind, Scenario, StageKind};
use idaas_login::http::HeaderValue;
use idaas_login::{
    Account, AlipayMiniProgram, Authenticated, Client, Device, Error, Next, Origin, Outcome, PasswordPolicy,
    Recovery, RegistrationAttributes, Request, SocialApp, Stage, Step, StepError, Unauthenticated,
    VerifyMethod, WeChatMiniProgram,
};

use super::leaks::{self, Vocabulary};
use super::model::{self, Answer, Holds, Members, Policy, To, Why};

pub const CLIENT_ID: &str = "nTo1eRIub60vPb54WeE6aojPwYwImtl4";
pub const STATE_TOKEN: &str = "the-state-token-in-hand";
const SESSION_TOKEN: &str = "the-session-token-in-hand";

pub fn device() -> Device {
    Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone)").expect("the device of the pages")
}

/// A client whose transport answers everything with `response`. It has every step of the table.
pub fn client(answer: &Answer<'_>) -> Client {
    let response = answer.response();
    let builder = Client::builder("https://acme.example.com", CLIENT_ID);
    let undocumented = endpoints::ALL.iter().filter(|row| row.in_edition(EditionKind::Ciam).is_none());
    undocumented
        .fold(builder, |builder, row| builder.path(row, row.path))
        .build_with(move |_: Request| Ok(response.clone()))
        .expect("the client of the pages")
}

/// Sends the step by hand, with this response.
pub fn answered<S: Stage, N: Next<S>>(step: Step<S, N>, body: &str) -> N {
    let Ok((_, in_flight)) = step.into_request() else { panic!("the request of the pages") };
    let answer = Answer { http_status: 200, body: body.as_bytes() };
    match in_flight.receive(Ok(answer.response())) {
        Ok(next) => next,
        Err(failed) => panic!("{failed}"),
    }
}

fn waiting(status: &str) -> String {
    format!(r#"{{"status":"{status}","state_token":"{STATE_TOKEN}"}}"#)
}

/// A login that begins with a code, whatever the origin.
pub trait Begins: Origin + Sized {
    fn begin(login: Unauthenticated) -> Step<Unauthenticated, Outcome<Self>>;
}

macro_rules! begins {
    ($($origin:ty: $login:ident($($value:literal),+);)+) => {$(
        impl Begins for $origin {
            fn begin(login: Unauthenticated) -> Step<Unauthenticated, Outcome<Self>> {
                login.$login($($value),+)
            }
        }
    )+};
}
begins! {
    WeChatMiniProgram: wechat_mini_program("code");
    AlipayMiniProgram: alipay_mini_program("code");
    SocialApp: qq("token", "openid");
    Account: username_password("zhangshan", "password");
}

/// The stage that a status leads to.
pub fn begun<O: Begins>(client: &Client, status: &str) -> Outcome<O> {
    answered(O::begin(client.login(device())), &waiting(status))
}

/// A stage, by its status and the variant of [`Outcome`].
macro_rules! stage {
    ($origin:ty, $client:expr, $status:literal, $variant:ident) => {
        match begun::<$origin>($client, $status) {
            Outcome::$variant(stage) => stage,
            other => panic!("{other:?}"),
        }
    };
}

pub fn attributes() -> RegistrationAttributes {
    let attributes = RegistrationAttributes::new().user_name("zhangshan").birthday("1990-12-31");
    attributes.extension(serde_json::json!({ "age": "18" }))
}

/// The steps of an unfinished login: they are answered with a status or with nothing. A renewal is [`renewed`], and a logout is
/// answered as a reset is.
fn steps() -> &'static [&'static Endpoint] {
    static STEPS: OnceLock<Vec<&Endpoint>> = OnceLock::new();
    let moves = |row: &&&'static Endpoint| row.moves_the_flow() && row.from != StageKind::Authenticated;
    STEPS.get_or_init(|| endpoints::ALL.iter().filter(moves).copied().collect())
}

/// Takes the step of a row, of a login with one of the origins that have it, and gives what it prints.
fn take(row: u8, by_hand: bool, answer: &Answer<'_>) -> String {
    let steps = steps();
    let count = u8::try_from(steps.len()).expect("few steps");
    let (endpoint, variant) = (steps[usize::from(row % count)], row / count);
    let step = Check { answer, by_hand };
    let client = client(answer);
    if endpoint.from.before_narrowing() == StageKind::Unauthenticated || !holds_state_token(endpoint.from) {
        return first(endpoint, &client, &step);
    }
    match (endpoint.origin(), variant % 4) {
        (Some(OriginKind::WeChatMiniProgram), _) => of_wechat(endpoint, &client, &step),
        (Some(OriginKind::AlipayMiniProgram), _) => of_alipay(endpoint, &client, &step),
        (Some(other), _) => panic!("fuzz/src/responses.rs: no steps of {other:?} alone"),
        (None, 0) => of_any::<WeChatMiniProgram>(endpoint, &client, &step),
        (None, 1) => of_any::<AlipayMiniProgram>(endpoint, &client, &step),
        (None, 2) => of_any::<SocialApp>(endpoint, &client, &step),
        (None, _) => of_any::<Account>(endpoint, &client, &step),
    }
}

fn holds_state_token(stage: StageKind) -> bool {
    !matches!(
        stage.before_narrowing(),
        StageKind::Unauthenticated | StageKind::Registration | StageKind::PasswordReset
    )
}

const PHONE: &str = "11012345678";
const EMAIL: &str = "zhangsan@qq.com";

/// The steps of the stages without a state token.
fn first(row: &Endpoint, client: &Client, step: &Check<'_>) -> String {
    let login = || client.login(device());
    match (row.from, row.step) {
        (StageKind::Unauthenticated, "wechat_mini_program") => {
            step.check(login(), |stage| stage.wechat_mini_program("code"), None)
        }
        (StageKind::Unauthenticated, "wechat_mini_program_mobile") => {
            step.check(login(), |stage| stage.wechat_mini_program_mobile("code"), None)
        }
        (StageKind::Unauthenticated, "alipay_mini_program") => {
            step.check(login(), |stage| stage.alipay_mini_program("code"), None)
        }
        (StageKind::Unauthenticated, "username_password") => {
            step.check(login(), |stage| stage.username_password("zhangshan", "password"), None)
        }
        (StageKind::Unauthenticated, "identifier_password") => {
            step.check(login(), |stage| stage.identifier_password(PHONE, "password"), None)
        }
        (StageKind::Unauthenticated, "wechat_app") => {
            step.check(login(), |stage| stage.wechat_app("code"), None)
        }
        (StageKind::Unauthenticated, "alipay_app") => {
            step.check(login(), |stage| stage.alipay_app("code"), None)
        }
        (StageKind::Unauthenticated, "qq") => step.check(login(), |stage| stage.qq("token", "openid"), None),
        (StageKind::Unauthenticated, "weibo") => {
            step.check(login(), |stage| stage.weibo("token", "uid"), None)
        }
        (StageKind::Unauthenticated, "apple") => step.check(login(), |stage| stage.apple("code"), None),
        (StageKind::Unauthenticated, "carrier_one_tap") => {
            step.check(login(), |stage| stage.carrier_one_tap("token"), None)
        }
        (StageKind::VerifyPhone(Scenario::Login), _) => {
            step.check(login().phone(PHONE), |stage| stage.submit("232326"), None)
        }
        (StageKind::VerifyEmail(Scenario::Login), _) => {
            step.check(login().email(EMAIL), |stage| stage.submit("232326"), None)
        }
        (StageKind::VerifyPhone(Scenario::Register), _) => {
            let stage = login().register(attributes()).phone(PHONE);
            step.check(stage, |stage| stage.submit("232326"), None)
        }
        (StageKind::VerifyEmail(Scenario::Register), _) => {
            let stage = login().register(attributes()).email(EMAIL);
            step.check(stage, |stage| stage.submit("232326"), None)
        }
        (StageKind::VerifyPhone(Scenario::ResetPassword), _) => {
            step.reset(login().reset_password().phone(PHONE), |stage| stage.submit("232326", "new"))
        }
        (StageKind::VerifyEmail(Scenario::ResetPassword), _) => {
            step.reset(login().reset_password().email(EMAIL), |stage| stage.submit("232326", "new"))
        }
        _ => panic!("fuzz/src/responses.rs: no way to take {} of {}", row.step, row.from),
    }
}

fn of_wechat(row: &Endpoint, client: &Client, step: &Check<'_>) -> String {
    match row.from {
        StageKind::PendingBind => step
            .waiting(stage!(WeChatMiniProgram, client, "SOCIAL_BIND", PendingBind), |stage| {
                stage.wechat_mobile("code")
            }),
        StageKind::PendingRegister => step
            .waiting(stage!(WeChatMiniProgram, client, "USER_REGISTER", PendingRegister), |stage| {
                stage.wechat_mobile("code")
            }),
        _ => panic!("fuzz/src/responses.rs: no way to take {} of {}", row.step, row.from),
    }
}

fn of_alipay(row: &Endpoint, client: &Client, step: &Check<'_>) -> String {
    match row.from {
        StageKind::PendingBind => step
            .waiting(stage!(AlipayMiniProgram, client, "SOCIAL_BIND", PendingBind), |stage| {
                stage.alipay_mobile("encrypted")
            }),
        StageKind::PendingRegister => step
            .waiting(stage!(AlipayMiniProgram, client, "USER_REGISTER", PendingRegister), |stage| {
                stage.alipay_mobile("encrypted")
            }),
        _ => panic!("fuzz/src/responses.rs: no way to take {} of {}", row.step, row.from),
    }
}

/// The steps that a login has whatever its origin.
fn of_any<O: Begins>(row: &Endpoint, client: &Client, step: &Check<'_>) -> String {
    use StageKind::{PendingBind, VerifyEmail, VerifyPhone};

    let bind = || stage!(O, client, "SOCIAL_BIND", PendingBind);
    let register = || stage!(O, client, "USER_REGISTER", PendingRegister);
    let mfa = || stage!(O, client, "MFA_AUTH", MfaRequired);
    let expiring = || stage!(O, client, "PASSWORD_WARN", PasswordExpiring);
    let expired = || stage!(O, client, "PASSWORD_EXPIRED", PasswordExpired);
    match (row.from, row.step) {
        (PendingBind, "username_password") => {
            step.waiting(bind(), |stage| stage.username_password("zhangshan", "password"))
        }
        (VerifyPhone(Scenario::Bind), _) => {
            step.waiting(bind().phone(PHONE).expect("allowed"), |stage| stage.submit("232326"))
        }
        (VerifyEmail(Scenario::Bind), _) => {
            step.waiting(bind().email(EMAIL).expect("allowed"), |stage| stage.submit("232326"))
        }
        (VerifyPhone(Scenario::BindOrRegister), _) => {
            step.waiting(register().phone(PHONE).expect("allowed"), |stage| stage.submit("232326"))
        }
        (VerifyEmail(Scenario::BindOrRegister), _) => {
            step.waiting(register().email(EMAIL).expect("allowed"), |stage| stage.submit("232326"))
        }
        (VerifyPhone(Scenario::SecondFactor), _) => {
            step.waiting(mfa().phone(PHONE), |stage| stage.submit("232326"))
        }
        (VerifyEmail(Scenario::SecondFactor), _) => {
            step.waiting(mfa().email(EMAIL), |stage| stage.submit("232326"))
        }
        (StageKind::PasswordExpiring, "change_password") => {
            step.waiting(expiring(), |stage| stage.change_password("old", "new"))
        }
        (StageKind::PasswordExpiring, "keep_password") => {
            step.waiting(expiring(), idaas_login::PasswordExpiring::keep_password)
        }
        (StageKind::PasswordExpired, "change_password") => {
            step.waiting(expired(), |stage| stage.change_password("old", "new"))
        }
        (VerifyPhone(Scenario::ChangePassword), _) => {
            step.waiting(expired().phone(PHONE), |stage| stage.submit("232326", "new"))
        }
        (VerifyEmail(Scenario::ChangePassword), _) => {
            step.waiting(expiring().email(EMAIL), |stage| stage.submit("232326", "new"))
        }
        _ => panic!("fuzz/src/responses.rs: no way to take {} of {}", row.step, row.from),
    }
}

/// One byte for the row and the origin, whose highest bit says whether the step is driven by hand; then the response.
pub fn outcome(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    let all = |answer: &Answer<'_>| (0..0x80).map(|row| take(row, true, answer)).collect();
    let vocabulary = VOCABULARY.get_or_init(|| Vocabulary::of(all));
    let Some((row, rest)) = data.split_first() else { return };
    let Some(answer) = Answer::read(rest) else { return };
    let printed = take(row & 0x7f, row & 0x80 != 0, &answer);
    leaks::none(&printed, &answer, vocabulary);
}

struct Check<'a> {
    answer: &'a Answer<'a>,
    by_hand: bool,
}

impl Check<'_> {
    /// From a stage with [`STATE_TOKEN`].
    fn waiting<S: Stage, O: Origin>(&self, stage: S, step: impl Fn(S) -> Step<S, Outcome<O>>) -> String {
        self.check(stage, step, Some(STATE_TOKEN))
    }

    fn result<S: Stage, N: Next<S>>(&self, step: Step<S, N>) -> Result<N, StepError<S>> {
        if self.by_hand {
            let (_, in_flight) = step.into_request()?;
            in_flight.receive(Ok(self.answer.response()))
        } else {
            step.send()
        }
    }

    fn check<S: Stage, O: Origin>(
        &self,
        stage: S,
        step: impl Fn(S) -> Step<S, Outcome<O>>,
        in_hand: Option<&str>,
    ) -> String {
        let expected = model::outcome(self.answer, in_hand);
        match (self.result(step(stage)), expected) {
            (Ok(outcome), Ok((to, members))) => {
                let printed = format!("{outcome:?}\n{outcome:#?}");
                assert_leads(&outcome, &to, &members);
                printed
            }
            (Err(failed), Err(why)) => self.fails(failed, &why, &step, in_hand),
            (Ok(outcome), Err(why)) => panic!("{outcome:?}, expected {why:?}"),
            (Err(failed), Ok((to, _))) => panic!("{failed}, expected {to:?}"),
        }
    }

    /// A step that leads back to the beginning.
    fn reset<S: Stage>(&self, stage: S, step: impl Fn(S) -> Step<S, Unauthenticated>) -> String {
        match (self.result(step(stage)), model::nothing(self.answer)) {
            (Ok(login), Ok(())) => format!("{login:?}\n{login:#?}"),
            (Err(failed), Err(why)) => self.fails(failed, &why, &step, None),
            (Ok(login), Err(why)) => panic!("{login:?}, expected {why:?}"),
            (Err(failed), Ok(())) => panic!("{failed}, expected a success"),
        }
    }

    /// Why, and that the caller can go on with what they hold.
    fn fails<S: Stage, N: Next<S>>(
        &self,
        failed: StepError<S>,
        why: &Why,
        step: &impl Fn(S) -> Step<S, N>,
        in_hand: Option<&str>,
    ) -> String {
        leaks::assert_same(failed.error(), why, self.answer.http_status);
        // Said a second time, because it is what must never go wrong.
        let is_success = (200..300).contains(&self.answer.http_status);
        let refused = matches!(failed.error(), Error::Refused(_));
        let mut printed = leaks::printed(&failed);
        let (error, recovery) = failed.into_parts();
        printed += &leaks::printed(&error);
        write!(printed, "{recovery:?}").expect("a String takes everything");
        let stage = match (recovery, why.holds(self.answer)) {
            (Recovery::Retry(stage), Holds::Retry) => {
                assert!(refused || !is_success, "a 2xx without error_code must not be retried");
                stage
            }
            (Recovery::Unresolved(unresolved), Holds::Unresolved) => unresolved.retry_anyway(),
            (Recovery::StartOver(login), Holds::StartOver) => {
                let again = login.wechat_mini_program("another code");
                let outcome = answered(again, r#"{"status":"SUCCESS","session_token":"s"}"#);
                assert!(matches!(outcome, Outcome::Authenticated(_)));
                return printed;
            }
            (recovery, holds) => panic!("{error}: {recovery:?}, expected {holds:?}"),
        };
        // The stage that came back is the stage that went in.
        let (request, _in_flight) = step(stage).into_request().unwrap_or_else(|failed| panic!("{failed}"));
        let token = request.headers().get("x-state-token").or(request.headers().get("session-token"));
        assert_eq!(token.map(HeaderValue::as_bytes), in_hand.map(str::as_bytes));
        printed
    }
}

fn assert_leads<O: Origin>(outcome: &Outcome<O>, to: &To, members: &Members) {
    let (status, state_token, data) = match outcome {
        Outcome::Authenticated(user) => {
            assert_user(user, members);
            let session_token = user.session_token().expose().to_owned();
            let id_token = user.id_token().map(|token| token.expose().to_owned());
            assert_eq!(*to, To::Authenticated { session_token, id_token });
            return;
        }
        Outcome::PendingBind(stage) => {
            assert_flows(stage.allowed_flows());
            ("SOCIAL_BIND", stage.state_token(), stage.allowed_flows().raw())
        }
        Outcome::PendingRegister(stage) => {
            assert_flows(stage.allowed_flows());
            ("USER_REGISTER", stage.state_token(), stage.allowed_flows().raw())
        }
        Outcome::MfaRequired(stage) => ("MFA_AUTH", stage.state_token(), stage.data()),
        Outcome::PasswordExpiring(stage) => {
            assert_policy(stage.policy(), members);
            ("PASSWORD_WARN", stage.state_token(), stage.data())
        }
        Outcome::PasswordExpired(stage) => {
            assert_policy(stage.policy(), members);
            ("PASSWORD_EXPIRED", stage.state_token(), stage.data())
        }
    };
    let status = status.to_owned();
    assert_eq!(*to, To::Pending { status, state_token: state_token.expose().to_owned() });
    // A text that is too large for a stage to carry along is not kept as it is.
    if members.data().is_none_or(|data| data.len() <= 16 * 1024) {
        assert_eq!(data.map(str::to_owned), members.data());
    }
}

fn assert_flows(flows: &idaas_login::AllowedFlows) {
    let expected = flows.raw().filter(|raw| raw.trim_start().starts_with('{')).and_then(|raw| {
        let members: Members = serde_json::from_str(raw).ok()?;
        match members.all("socialBindOrRegisterFlow").as_slice() {
            [names] => serde_json::from_str::<Vec<String>>(names).ok(),
            _ => None,
        }
    });
    let listed = flows.listed().map(|listed| listed.iter().map(VerifyMethod::as_str).collect::<Vec<_>>());
    let expected = expected.as_ref().map(|names| {
        let known = |name: &&str| ["VERIFY_PHONE", "VERIFY_EMAIL"].contains(name);
        let kept = names.iter().filter(|name| name.len() <= 256).take(16);
        kept.map(|name| Some(name.trim_ascii()).filter(known).unwrap_or(name)).collect::<Vec<_>>()
    });
    assert_eq!(listed, expected);
}

fn assert_policy(policy: Option<&PasswordPolicy>, members: &Members) {
    let expected = members.data().as_deref().and_then(Policy::read);
    assert_eq!(policy.is_some(), expected.is_some());
    let (Some(policy), Some(expected)) = (policy, expected) else { return };
    if let Ok(length) = expected.min_length {
        assert_eq!(policy.min_length(), length);
    }
    if let Ok(length) = expected.max_length {
        assert_eq!(policy.max_length(), length);
    }
    if let Ok(pattern) = expected.pattern {
        assert_eq!(policy.pattern(), pattern.as_deref());
    }
}

fn assert_user(user: &Authenticated, members: &Members) {
    if let Ok(expected) = members.expire() {
        assert_eq!(user.expires_in(), expected);
    }
    assert!(user.expires_in().is_none_or(|time| time >= Duration::ZERO));
}

/// The response to the renewal of an identity token.
pub fn renewed(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    let vocabulary = VOCABULARY.get_or_init(|| Vocabulary::of(|answer| renew(true, answer)));
    let Some((how, rest)) = data.split_first() else { return };
    let Some(answer) = Answer::read(rest) else { return };
    leaks::none(&renew(how & 0x80 != 0, &answer), &answer, vocabulary);
}

fn renew(by_hand: bool, answer: &Answer<'_>) -> String {
    let client = client(answer);
    let success = format!(r#"{{"status":"SUCCESS","session_token":"{SESSION_TOKEN}","id_token":"old"}}"#);
    let Outcome::Authenticated(user) = answered(client.login(device()).wechat_mini_program("code"), &success)
    else {
        panic!("SUCCESS")
    };
    let check = Check { answer, by_hand };
    let expected = model::settle(answer, None).and_then(|members| {
        let members = members.ok_or(Why::Unreadable)?;
        let session_token = members.field("session_token");
        let session_token = session_token.header_token().map_err(|()| Why::Unreadable)?;
        let session_token = session_token.unwrap_or(SESSION_TOKEN).to_owned();
        let id_token = members.field("id_token").good().map(str::to_owned);
        let is_renewal = members.field("status").token() == Ok(None);
        let has_session = members.field("session_token").good().is_some();
        if id_token.is_none() && !(is_renewal && has_session) {
            return Err(Why::Unreadable);
        }
        Ok((session_token, id_token, members))
    });
    match (check.result(user.renew_id_token()), expected) {
        (Ok(user), Ok((session_token, id_token, members))) => {
            assert_user(&user, &members);
            assert_eq!(user.session_token().expose(), session_token);
            assert_eq!(user.id_token().map(idaas_login::IdToken::expose), id_token.as_deref());
            format!("{user:?}")
        }
        (Err(failed), Err(why)) => {
            check.fails(failed, &why, &Authenticated::renew_id_token, Some(SESSION_TOKEN))
        }
        (Ok(user), Err(why)) => panic!("{user:?}, expected {why:?}"),
        (Err(failed), Ok(_)) => panic!("{failed}, expected a success"),
    }
}
