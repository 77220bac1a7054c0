//! What holds of the types themselves: they can be sent and shared, an error is one pointer wide.

use std::sync::Arc;

use idaas_login::{
    AlipayMiniProgram, Authenticated, Call, CallInFlight, Captcha, CaptchaPass, Client, Device, Error,
    IdToken, InFlight, MfaRequired, NotAllowed, Outcome, PendingBind, PendingRegister, Recovery,
    RegisteredMobile, SessionToken, StateToken, Step, StepError, Transport, TransportError, Unauthenticated,
    Unresolved, VerifyEmail, VerifyPhone,
};

fn service<T: Send + Sync + 'static>() {}

#[test]
fn everything_can_be_sent_and_shared() {
    service::<Client>();
    service::<Device>();
    service::<Outcome>();
    service::<Error>();
    service::<TransportError>();
    service::<StateToken>();
    service::<SessionToken>();
    service::<IdToken>();
    service::<Captcha>();
    service::<CaptchaPass>();
    service::<Call<Captcha>>();
    service::<Call<CaptchaPass>>();
    service::<Call<RegisteredMobile>>();
    service::<Call<()>>();
    service::<CallInFlight<Captcha>>();
    macro_rules! stages {
        ($($stage:ty),+) => {$(
            service::<$stage>();
            service::<Step<$stage>>();
            service::<InFlight<$stage>>();
            service::<StepError<$stage>>();
            service::<Recovery<$stage>>();
            service::<Unresolved<$stage>>();
            service::<NotAllowed<$stage>>();
            assert_eq!(size_of::<StepError<$stage>>(), size_of::<usize>(), stringify!($stage));
            // Small enough to come back in a Result without a box.
            assert!(size_of::<$stage>() <= 96, "{} is {} bytes", stringify!($stage), size_of::<$stage>());
        )+};
    }
    stages!(
        Unauthenticated,
        PendingBind,
        PendingRegister,
        MfaRequired,
        Authenticated,
        VerifyPhone<PendingBind>,
        VerifyPhone<PendingRegister>,
        VerifyEmail<PendingBind>,
        VerifyEmail<PendingRegister>,
        VerifyPhone<MfaRequired>,
        VerifyEmail<MfaRequired>,
        PendingBind<AlipayMiniProgram>,
        PendingRegister<AlipayMiniProgram>,
        VerifyEmail<MfaRequired<AlipayMiniProgram>>
    );
}

#[test]
fn a_transport_can_be_shared() {
    let transport: Arc<dyn Transport> = Arc::new(support::always(200, support::SUCCESS));
    for _ in 0..2 {
        let client = support::client(Arc::clone(&transport));
        let came = client.login(support::device()).wechat_mini_program("code").send();
        assert!(matches!(came, Ok(Outcome::Authenticated(_))), "{came:?}");
    }
}

/// A stage can be put in a struct, a map, a channel: no lifetimes, no parameters to write.
#[test]
fn a_stage_can_be_kept() {
    #[allow(dead_code)]
    struct Session {
        stage: PendingBind,
        waiting: VerifyPhone<PendingRegister>,
    }
    service::<Session>();
    service::<std::collections::HashMap<String, Outcome>>();
    service::<std::sync::mpsc::Sender<Recovery<PendingBind>>>();
}
