//! Suspended stages.

use std::fmt::Debug;

use idaas_login::{
    Account, AlipayMiniProgram, AnyLogin, Authenticated, AwaitingCode, Client, MfaRequired, Origin, Outcome,
    PasswordExpired, PasswordExpiring, PasswordReset, PendingBind, PendingRegister, Recovery, Registration,
    Request, Resumable, ResumeReason, Resumed, SendsCode, SocialApp, Stage, Step, Suspended, TransportError,
    Unauthenticated, Unresolved, VerifyEmail, VerifyPhone, WeChatMiniProgram,
};

use super::model::Answer;
use super::responses::{Begins, CLIENT_ID, answered, attributes, begun, client, device};

/// One byte that says whether the value comes as JSON; then the value.
pub fn suspended(data: &[u8]) {
    let value = match data.split_first() {
        Some((b'"', _)) => match serde_json::from_slice::<Suspended>(data) {
            Ok(value) => value,
            Err(_) => return,
        },
        Some((_, bytes)) => Suspended::from_bytes(bytes),
        None => return,
    };
    let json = serde_json::to_vec(&value).expect("it can be written");
    assert_eq!(serde_json::from_slice::<Suspended>(&json).expect("it was written"), value);
    let client = Client::builder("https://acme.example.com", CLIENT_ID)
        .build_with(|_: Request| Err(TransportError::not_sent("nothing is sent here")))
        .expect("a client");
    let resumes = Resumes { client, value };
    let wechat = resumes.origin::<WeChatMiniProgram>();
    let alipay = resumes.origin::<AlipayMiniProgram>();
    let social = resumes.origin::<SocialApp>();
    let account = resumes.origin::<Account>();
    let of_each = resumes.of_each_origin();
    let count = wechat + alipay + social + account + of_each;
    assert!(count <= 1, "it is more than one thing");
    resumes.any::<WeChatMiniProgram>(wechat + of_each == 1);
    resumes.any::<AlipayMiniProgram>(alipay + of_each == 1);
    resumes.any::<SocialApp>(social + of_each == 1);
    resumes.any::<Account>(account + of_each == 1);
    resumes.any_login(count == 1);
}

struct Resumes {
    client: Client,
    value: Suspended,
}

impl Resumes {
    /// How many stages of a login with this origin the value is.
    fn origin<O: Origin>(&self) -> usize {
        let awaiting = self.narrowed::<PendingBind<O>>()
            + self.narrowed::<PendingRegister<O>>()
            + self.narrowed::<MfaRequired<O>>();
        assert_eq!(self.either::<AwaitingCode<O>>(), awaiting, "a code is due, or none");
        awaiting
            + self.either::<PendingBind<O>>()
            + self.either::<PendingRegister<O>>()
            + self.either::<MfaRequired<O>>()
            + self.either::<PasswordExpiring<O>>()
            + self.either::<PasswordExpired<O>>()
            + self.narrowed::<PasswordExpired<O>>()
    }

    /// How many stages the value is that belong to each origin.
    fn of_each_origin(&self) -> usize {
        self.either::<Authenticated>()
            + self.either::<Registration>()
            + self.either::<PasswordReset>()
            + self.narrowed::<Unauthenticated>()
            + self.narrowed::<Registration>()
            + self.narrowed::<PasswordReset>()
    }

    fn narrowed<S: SendsCode>(&self) -> usize
    where
        VerifyPhone<S>: Resumable,
        VerifyEmail<S>: Resumable,
        Unresolved<VerifyPhone<S>>: Resumable,
        Unresolved<VerifyEmail<S>>: Resumable,
    {
        self.either::<VerifyPhone<S>>() + self.either::<VerifyEmail<S>>()
    }

    fn either<S: Resumable + Debug>(&self) -> usize
    where
        Unresolved<S>: Resumable + Debug,
    {
        usize::from(self.one::<S>()) + usize::from(self.one::<Unresolved<S>>())
    }

    /// As one stage: what resumes suspends to the same bytes, and what does not comes back.
    fn one<S: Resumable + Debug>(&self) -> bool {
        match self.client.resume::<S>(self.value.clone()) {
            Ok(stage) => {
                self.assert_silent(&format!("{stage:?}"));
                self.assert_same(&stage.suspend());
                true
            }
            Err(failed) => {
                self.assert_silent(&format!("{failed} {failed:?}"));
                assert_eq!(failed.into_suspended(), self.value);
                false
            }
        }
    }

    fn any<O: Origin>(&self, expected: bool) {
        match self.client.resume_any::<O>(self.value.clone()) {
            Ok(resumed) => {
                assert!(expected, "it is no stage of its own");
                self.assert_silent(&format!("{resumed:?}"));
                self.assert_same(&resumed.suspend());
                let resumed = self.client.resume_any::<O>(self.value.clone());
                let login = match resumed.expect("it resumed") {
                    Resumed::Unresolved(unresolved) => unresolved.retry_anyway().start_over(),
                    Resumed::Stage(stage) => stage.start_over(),
                };
                assert!(login.wechat_mini_program("code").into_request().is_ok());
            }
            Err(failed) => {
                assert!(!expected, "{failed}");
                if let ResumeReason::NewerVersion(version) = failed.reason() {
                    assert_eq!(self.value.to_bytes().get(..2), Some(&[0xb5, *version][..]));
                }
                assert_eq!(failed.into_suspended(), self.value);
            }
        }
    }

    /// Whatever its origin.
    fn any_login(&self, expected: bool) {
        match self.client.resume::<AnyLogin>(self.value.clone()) {
            Ok(login) => {
                assert!(expected, "it is no stage of its own");
                self.assert_silent(&format!("{login:?}"));
                let kind = login.kind();
                let again = login.suspend();
                self.assert_same(&again);
                let login = self.client.resume::<AnyLogin>(again).expect("it was suspended");
                assert_eq!(login.kind(), kind);
                assert!(login.start_over().wechat_mini_program("code").into_request().is_ok());
            }
            Err(failed) => {
                assert!(!expected, "{failed}");
                assert_eq!(failed.into_suspended(), self.value);
            }
        }
    }

    fn assert_same(&self, again: &Suspended) {
        // An address that is not written as this version of Rust writes it is written so afterwards.
        if *again != self.value {
            let field = |value: &Suspended| {
                field(value.to_bytes(), 6).map(|ip| String::from_utf8_lossy(ip).into_owned())
            };
            let (before, after) = (field(&self.value), field(again));
            assert_ne!(before, after, "it does not suspend to what it was");
            let address = |text: Option<String>| text.and_then(|text| text.parse::<std::net::IpAddr>().ok());
            assert_eq!(address(before), address(after));
        }
    }

    /// Neither tokens nor the destination nor an attribute is printed.
    fn assert_silent(&self, printed: &str) {
        let bytes = self.value.to_bytes();
        let fields = [8, 10, 12].into_iter().filter_map(|tag| field(bytes, tag));
        for secret in fields.chain(field(bytes, 15).map(attribute_values).into_iter().flatten()) {
            let secret = String::from_utf8_lossy(secret);
            let in_a_message = secret.len() < 8
                || NEUTRAL.contains(&*secret)
                || secret.bytes().all(|byte| byte.is_ascii_digit());
            assert!(in_a_message || !printed.contains(&*secret), "{printed}");
        }
    }
}

/// What is printed of stages without secrets.
const NEUTRAL: &str = "Stage( WeChatMiniProgram( AlipayMiniProgram( SocialApp( Account( AwaitingCode( AnyStage Unresolved { \
    VerifyPhone VerifyEmail PendingBind PendingRegister MfaRequired Authenticated PasswordExpiring PasswordExpired \
    PasswordReset Registration Unauthenticated BindByPhone BindByEmail RegisterByPhone RegisterByEmail \
    SecondFactorByPhone SecondFactorByEmail ChangingByPhone ChangingByEmail LoginByPhone LoginByEmail RegistrationByPhone \
    RegistrationByEmail ResetByPhone ResetByEmail stage: state_token: StateToken([redacted]), allowed_flows: unspecified, .. } \
    policy: PasswordPolicy { min_length: None, max_length: None, data: attributes: [\"email\", \"user_name\", \"name\", \"pwd\", \
    \"head_img\", \"attr_gender\", \"attr_birthday\", \"attr_nick_name\", \"first_name\", \"middle_name\", \"last_name\", \
    \"mailing_address\", \"zip_code\", \"industry\", \"extension\"] destination: [redacted] session_token: \
    SessionToken([redacted]), expires_in: Some( None expires_at: id_token: IdToken([redacted]) 0123456789";

/// The values of attributes: names and values, each behind its length.
fn attribute_values(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let Some((text, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        texts.push(text);
        bytes = rest;
    }
    texts.into_iter().skip(1).step_by(2).collect()
}

/// A value of every stage and origin, and some whose step is unresolved.
pub fn examples() -> Vec<Suspended> {
    let client = client(&Answer { http_status: 200, body: b"" });
    let mut all = Vec::new();
    of_origin::<WeChatMiniProgram>(&client, &mut all);
    of_origin::<AlipayMiniProgram>(&client, &mut all);
    of_origin::<SocialApp>(&client, &mut all);
    of_origin::<Account>(&client, &mut all);
    let login = || client.login(device());
    let (phone, email) = ("15201657312", "l@example.com");
    let success = r#"{"status":"SUCCESS","session_token":"the-session-token","id_token":"i","expire":43200}"#;
    let finished: Outcome<Account> = answered(login().username_password("zhangshan", "password"), success);
    all.extend([
        finished.suspend(),
        login().phone(phone).suspend(),
        login().email(email).suspend(),
        login().register(attributes()).suspend(),
        login().register(attributes()).phone(phone).suspend(),
        login().register(attributes()).email(email).suspend(),
        login().reset_password().suspend(),
        login().reset_password().phone(phone).suspend(),
        login().reset_password().email(email).suspend(),
        unresolved(login().phone(phone).submit("123456")),
        unresolved(login().register(attributes()).phone(phone).submit("123456")),
        unresolved(login().reset_password().email(email).submit("123456", "new password")),
    ]);
    all
}

fn unresolved<S: Stage, N: idaas_login::Next<S>>(step: Step<S, N>) -> Suspended
where
    Unresolved<S>: Resumable,
{
    let Ok((_, in_flight)) = step.into_request() else { panic!("the request of the pages") };
    let lost = in_flight.receive(Err(TransportError::maybe_sent("the connection was lost")));
    match lost.map(drop).expect_err("it was lost").into_recovery() {
        Recovery::Unresolved(unresolved) => unresolved.suspend(),
        other => panic!("{other:?}"),
    }
}

fn of_origin<O: Begins>(client: &Client, all: &mut Vec<Suspended>) {
    let (phone, email) = ("15201657312", "l@example.com");
    for status in ["SOCIAL_BIND", "USER_REGISTER", "MFA_AUTH", "PASSWORD_WARN", "PASSWORD_EXPIRED"] {
        let stage = || begun::<O>(client, status);
        all.push(stage().suspend());
        for by_phone in [true, false] {
            let (to, value) = (by_phone, if by_phone { phone } else { email });
            all.push(match (stage(), to) {
                (Outcome::PendingBind(stage), true) => stage.phone(value).expect("allowed").suspend(),
                (Outcome::PendingBind(stage), false) => stage.email(value).expect("allowed").suspend(),
                (Outcome::PendingRegister(stage), true) => stage.phone(value).expect("allowed").suspend(),
                (Outcome::PendingRegister(stage), false) => stage.email(value).expect("allowed").suspend(),
                (Outcome::MfaRequired(stage), true) => stage.phone(value).suspend(),
                (Outcome::MfaRequired(stage), false) => stage.email(value).suspend(),
                (Outcome::PasswordExpiring(stage), true) => unresolved(stage.keep_password()),
                (Outcome::PasswordExpiring(stage), false) => {
                    unresolved(stage.email(value).submit("1", "new"))
                }
                (Outcome::PasswordExpired(stage), true) => stage.phone(value).suspend(),
                (Outcome::PasswordExpired(stage), false) => stage.email(value).suspend(),
                (other, _) => panic!("{other:?}"),
            });
        }
    }
}

/// A field by its tag: behind mark, version and kind come tag, length and bytes.
fn field(value: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = value.get(5..)?;
    while let Some((&[tag, a, b, c, d], after)) = rest.split_first_chunk::<5>() {
        let (bytes, after) = after.split_at_checked(u32::from_be_bytes([a, b, c, d]) as usize)?;
        if tag == wanted {
            return Some(bytes);
        }
        rest = after;
    }
    None
}
