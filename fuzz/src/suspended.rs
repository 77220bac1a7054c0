//! Suspended stages.

use std::fmt::Debug;

use idaas_login::{
    AcceptsCode, AlipayMiniProgram, Authenticated, Client, MfaRequired, Origin, PendingBind, PendingRegister,
    Request, Resumable, ResumeReason, Resumed, Suspended, TransportError, Unresolved, VerifyEmail,
    VerifyPhone, WeChatMiniProgram,
};

use super::answers::CLIENT_ID;

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
    let wechat = resumes.platform::<WeChatMiniProgram>();
    let alipay = resumes.platform::<AlipayMiniProgram>();
    let finished = resumes.either(Authenticated::suspend, Unresolved::<Authenticated>::suspend);
    assert!(wechat + alipay + finished <= 1, "it is more than one thing");
    resumes.any::<WeChatMiniProgram>(wechat + finished == 1);
    resumes.any::<AlipayMiniProgram>(alipay + finished == 1);
}

struct Resumes {
    client: Client,
    value: Suspended,
}

type Put<S> = fn(S) -> Suspended;

impl Resumes {
    /// How many stages of a platform the value is.
    fn platform<O: Origin>(&self) -> usize
    where
        PendingBind<O>: Resumable + AcceptsCode,
        PendingRegister<O>: Resumable + AcceptsCode,
        MfaRequired<O>: Resumable + AcceptsCode,
    {
        self.either(PendingBind::<O>::suspend, Unresolved::<PendingBind<O>>::suspend)
            + self.either(PendingRegister::<O>::suspend, Unresolved::<PendingRegister<O>>::suspend)
            + self.either(MfaRequired::<O>::suspend, Unresolved::<MfaRequired<O>>::suspend)
            + self.narrowed::<PendingBind<O>>()
            + self.narrowed::<PendingRegister<O>>()
            + self.narrowed::<MfaRequired<O>>()
    }

    fn narrowed<S: AcceptsCode + Resumable>(&self) -> usize {
        self.either(VerifyPhone::<S>::suspend, Unresolved::<VerifyPhone<S>>::suspend)
            + self.either(VerifyEmail::<S>::suspend, Unresolved::<VerifyEmail<S>>::suspend)
    }

    fn either<S: Resumable + Debug>(&self, put: Put<S>, put_unresolved: Put<Unresolved<S>>) -> usize
    where
        Unresolved<S>: Resumable,
    {
        usize::from(self.one(put)) + usize::from(self.one(put_unresolved))
    }

    /// As one stage: what resumes suspends to the same bytes, and what does not comes back.
    fn one<S: Resumable + Debug>(&self, put: Put<S>) -> bool {
        match self.client.resume::<S>(self.value.clone()) {
            Ok(stage) => {
                self.assert_silent(&format!("{stage:?}"));
                self.assert_same(&put(stage));
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

    /// Neither the token nor the destination is printed.
    fn assert_silent(&self, printed: &str) {
        for tag in [8, 10, 12] {
            let Some(secret) = field(self.value.to_bytes(), tag) else { continue };
            let secret = String::from_utf8_lossy(secret);
            let neutral = "Unresolved VerifyPhone VerifyEmail PendingBind PendingRegister MfaRequired Authenticated { stage: \
                state_token: StateToken([redacted]), allowed_flows: unspecified, .. } destination: [redacted] \
                session_token: SessionToken([redacted]), expires_in: Some( None id_token: IdToken([redacted]) 0123456789";
            let in_a_message = secret.len() < 8
                || neutral.contains(&*secret)
                || secret.bytes().all(|byte| byte.is_ascii_digit());
            assert!(in_a_message || !printed.contains(&*secret), "{printed}");
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
