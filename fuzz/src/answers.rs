//! The answers to the steps that move the flow.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use idaas_login::http::HeaderValue;
use idaas_login::{
    AlipayMiniProgram, Authenticated, Client, Device, Error, MfaRequired, Next, Origin, Outcome, PendingBind,
    PendingRegister, Recovery, Request, Stage, Step, StepError, VerifyMethod, WeChatMiniProgram,
};

use super::leaks::{self, Vocabulary};
use super::model::{self, Answer, Holds, Members, To, Why};

pub const CLIENT_ID: &str = "nTo1eRIub60vPb54WeE6aojPwYwImtl4";
pub const STATE_TOKEN: &str = "the-state-token-in-hand";
const SESSION_TOKEN: &str = "the-session-token-in-hand";

pub fn device() -> Device {
    Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0 (iPhone)").expect("the device of the pages")
}

/// A client whose transport answers everything with `answer`.
pub fn client(answer: &Answer<'_>) -> Client {
    let response = answer.response();
    Client::builder("https://acme.example.com", CLIENT_ID)
        .build_with(move |_: Request| Ok(response.clone()))
        .expect("the client of the pages")
}

/// Sends the step by hand, with this answer.
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

macro_rules! stages {
    ($platform:ty, $login:ident, $bind:ident, $register:ident, $mfa:ident) => {
        pub fn $bind(client: &Client) -> PendingBind<$platform> {
            match answered(client.login(device()).$login("code"), &waiting("SOCIAL_BIND")) {
                Outcome::PendingBind(stage) => stage,
                other => panic!("{other:?}"),
            }
        }
        pub fn $register(client: &Client) -> PendingRegister<$platform> {
            match answered(client.login(device()).$login("code"), &waiting("USER_REGISTER")) {
                Outcome::PendingRegister(stage) => stage,
                other => panic!("{other:?}"),
            }
        }
        pub fn $mfa(client: &Client) -> MfaRequired<$platform> {
            match answered(client.login(device()).$login("code"), &waiting("MFA_AUTH")) {
                Outcome::MfaRequired(stage) => stage,
                other => panic!("{other:?}"),
            }
        }
    };
}
stages!(WeChatMiniProgram, wechat_mini_program, bind, register, mfa);
stages!(AlipayMiniProgram, alipay_mini_program, alipay_bind, alipay_register, alipay_mfa);

/// How many rows [`take`] knows.
const ROWS: u8 = 16;

/// Takes the step of a row, and gives what it prints.
fn take(row: u8, by_hand: bool, answer: &Answer<'_>) -> String {
    let client = client(answer);
    let login = || client.login(device());
    let step = Check { answer, by_hand };
    let phone = "11012345678";
    let email = "zhangsan@qq.com";
    match row % ROWS {
        0 => step.check(login(), |stage| stage.wechat_mini_program("code"), None),
        1 => step.check(login(), |stage| stage.wechat_mini_program_mobile("code"), None),
        2 => step.check(login(), |stage| stage.alipay_mini_program("code"), None),
        3 => step.waiting(bind(&client), |stage| stage.wechat_mobile("code")),
        4 => step.waiting(alipay_bind(&client), |stage| stage.alipay_mobile("encrypted")),
        5 => step.waiting(bind(&client), |stage| stage.username_password("zhangshan", "password")),
        6 => step.waiting(alipay_bind(&client), |stage| stage.username_password("zhangshan", "password")),
        7 => step.waiting(register(&client), |stage| stage.wechat_mobile("code")),
        8 => step.waiting(alipay_register(&client), |stage| stage.alipay_mobile("encrypted")),
        9 => step.waiting(bind(&client).phone(phone).expect("allowed"), |stage| stage.submit("232326")),
        10 => step.waiting(bind(&client).email(email).expect("allowed"), |stage| stage.submit("232326")),
        11 => step.waiting(register(&client).phone(phone).expect("allowed"), |stage| stage.submit("232326")),
        12 => step.waiting(register(&client).email(email).expect("allowed"), |stage| stage.submit("232326")),
        13 => step.waiting(mfa(&client).phone(phone), |stage| stage.submit("232326")),
        14 => step.waiting(mfa(&client).email(email), |stage| stage.submit("232326")),
        _ => step.waiting(alipay_mfa(&client).phone(phone), |stage| stage.submit("232326")),
    }
}

/// One byte for the row, whose highest bit says whether the step is driven by hand; then the answer.
pub fn outcome(data: &[u8]) {
    static VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
    let all = |answer: &Answer<'_>| (0..ROWS).map(|row| take(row, true, answer)).collect();
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
        Outcome::PasswordExpiring(stage) => ("PASSWORD_WARN", stage.state_token(), stage.data()),
        Outcome::PasswordExpired(stage) => ("PASSWORD_EXPIRED", stage.state_token(), stage.data()),
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

fn assert_user(user: &Authenticated, members: &Members) {
    if let Ok(expected) = members.expire() {
        assert_eq!(user.expires_in(), expected);
    }
    assert!(user.expires_in().is_none_or(|time| time >= Duration::ZERO));
}

/// The answer to the renewal of an identity token.
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
