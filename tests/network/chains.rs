//! Logins of several stages, over HTTP: passwords that expire before, after and between other stages. Each with a new state
//! token in every response, and with none, so that the one in hand has to do.

use idaas_login::emulator::{Effect, Emulator, EmulatorServer, Settings, User};
use idaas_login::endpoints::{Platform, SendType};
use idaas_login::{
    Account, AnyLogin, AnyStage, Authenticated, Client, Edition, MfaRequired, Origin, Outcome,
    PasswordExpired, PasswordExpiring, PendingBind, RegistrationAttributes, Resumed, WeChatMiniProgram,
};
use support::device;

const MOBILE: &str = "15201657312";

/// A tenant behind HTTP, and a client of it.
struct Setting {
    server: EmulatorServer,
    client: Client,
}

impl Setting {
    fn new(user: User, configure: impl FnOnce(&mut Settings)) -> Self {
        let tenant = Emulator::new();
        tenant.add_user(user);
        tenant.configure(configure);
        let server = tenant.start().unwrap();
        let client = server.client_builder().build().unwrap();
        Self { server, client }
    }

    fn tenant(&self) -> &Emulator {
        self.server.emulator()
    }

    fn code(&self, send_type: SendType) -> String {
        self.tenant().issue_code(MOBILE, send_type)
    }

    fn second_factor<O: Origin>(&self, stage: MfaRequired<O>) -> Outcome<O> {
        let send_type = if *stage.client().edition() == Edition::OneAccess {
            SendType::OtpRestSms
        } else {
            SendType::MfaAuthSms
        };
        stage.phone(MOBILE).submit(self.code(send_type)).send().unwrap()
    }

    /// The session is the user's, and the password is the new one.
    fn assert_done(&self, user: &Authenticated, password: &str) {
        let tenant = self.tenant();
        assert_eq!(tenant.session_user(user.session_token().expose()).as_deref(), Some("zhangsan"));
        assert_eq!(tenant.password("zhangsan").as_deref(), Some(password));
        assert_eq!(sessions(tenant), 1, "one session for all of it");
    }
}

/// How many sessions were given out.
fn sessions(tenant: &Emulator) -> usize {
    let effects = tenant.ledger().into_iter().flat_map(|entry| entry.effects);
    effects.filter(|effect| matches!(effect, Effect::Session { .. })).count()
}

fn zhangsan() -> User {
    User::new("zhangsan").password("old password").mobile(MOBILE)
}

/// Each chain with a new state token in every response, and without; in each edition that has the steps.
fn each(user: &User, second_factor_first: bool, editions: &[Edition], chain: impl Fn(&Setting)) {
    for edition in editions {
        for new_state_token in [true, false] {
            let setting = Setting::new(user.clone(), |settings| {
                settings.edition = edition.clone();
                settings.new_state_token = new_state_token;
                settings.second_factor_first = second_factor_first;
                settings.password_asked_everywhere = true;
            });
            chain(&setting);
        }
    }
}

const ALL: &[Edition] = &[Edition::Ciam, Edition::Eiam, Edition::OneAccess];

macro_rules! expect {
    ($outcome:expr, $stage:ident) => {
        match $outcome {
            Outcome::$stage(stage) => stage,
            other => panic!("{} is expected, not {other:?}", stringify!($stage)),
        }
    };
}

fn log_in(setting: &Setting) -> Outcome<Account> {
    setting.client.login(device()).username_password("zhangsan", "old password").send().unwrap()
}

#[test]
fn a_password_change_then_a_second_factor() {
    each(&zhangsan().password_expired().second_factor(), false, ALL, |setting| {
        let stage: PasswordExpired<Account> = expect!(log_in(setting), PasswordExpired);
        let outcome = stage.change_password("old password", "new password").send().unwrap();
        let outcome = setting.second_factor(expect!(outcome, MfaRequired));
        setting.assert_done(&expect!(outcome, Authenticated), "new password");
    });
}

#[test]
fn a_second_factor_then_a_password_change() {
    each(&zhangsan().password_expired().second_factor(), true, ALL, |setting| {
        let outcome = setting.second_factor(expect!(log_in(setting), MfaRequired));
        let stage = expect!(outcome, PasswordExpired);
        assert_eq!(stage.policy().unwrap().min_length(), Some(8));
        let outcome = stage.change_password("old password", "new password").send().unwrap();
        setting.assert_done(&expect!(outcome, Authenticated), "new password");
    });
}

#[test]
fn a_second_factor_then_a_password_kept() {
    each(&zhangsan().password_expiring().second_factor(), true, ALL, |setting| {
        let outcome = setting.second_factor(expect!(log_in(setting), MfaRequired));
        let stage: PasswordExpiring<Account> = expect!(outcome, PasswordExpiring);
        let outcome = stage.keep_password().send().unwrap();
        setting.assert_done(&expect!(outcome, Authenticated), "old password");
    });
}

#[test]
fn a_password_kept_then_a_second_factor() {
    each(&zhangsan().password_expiring().second_factor(), false, ALL, |setting| {
        let outcome = expect!(log_in(setting), PasswordExpiring).keep_password().send().unwrap();
        let outcome = setting.second_factor(expect!(outcome, MfaRequired));
        setting.assert_done(&expect!(outcome, Authenticated), "old password");
    });
}

fn bind(setting: &Setting) -> Outcome {
    let code = setting.tenant().wechat_login_code("an-openid");
    let stage: PendingBind =
        expect!(setting.client.login(device()).wechat_mini_program(code).send().unwrap(), PendingBind);
    let outcome = stage.username_password("zhangsan", "old password").send().unwrap();
    let bound = setting.tenant().bound_user(Platform::WeChatMiniProgram, "an-openid");
    assert_eq!(bound.as_deref(), Some("zhangsan"));
    outcome
}

#[test]
fn a_bind_then_a_second_factor_then_a_password_change() {
    each(&zhangsan().password_expired().second_factor(), true, ALL, |setting| {
        let outcome = setting.second_factor(expect!(bind(setting), MfaRequired));
        let stage = expect!(outcome, PasswordExpired);
        let outcome = stage.change_password("old password", "new password").send().unwrap();
        setting.assert_done(&expect!(outcome, Authenticated), "new password");
    });
}

#[test]
fn a_bind_then_a_password_change_then_a_second_factor() {
    each(&zhangsan().password_expired().second_factor(), false, ALL, |setting| {
        let stage = expect!(bind(setting), PasswordExpired);
        let outcome = stage.change_password("old password", "new password").send().unwrap();
        let outcome = setting.second_factor(expect!(outcome, MfaRequired));
        setting.assert_done(&expect!(outcome, Authenticated), "new password");
    });
}

#[test]
fn a_second_factor_then_a_password_change_by_a_code() {
    for expiring in [true, false] {
        let user = zhangsan().second_factor();
        let user = if expiring { user.password_expiring() } else { user.password_expired() };
        each(&user, true, &[Edition::Eiam], |setting| {
            let outcome = setting.second_factor(expect!(log_in(setting), MfaRequired));
            // The account's own number is asked for; its code stands for the old password.
            let stage = match outcome {
                Outcome::PasswordExpiring(stage) if expiring => {
                    let mobile = stage.registered_mobile().send().unwrap();
                    stage.phone(mobile)
                }
                Outcome::PasswordExpired(stage) if !expiring => {
                    let mobile = stage.registered_mobile().send().unwrap();
                    stage.phone(mobile)
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(stage.destination(), format!("+86-{MOBILE}"));
            let outcome = stage.submit(setting.code(SendType::ChangePwdSms), "new password").send().unwrap();
            setting.assert_done(&expect!(outcome, Authenticated), "new password");
        });
    }
}

/// Put down after each step and picked up by what it is, without knowing how the login began.
#[test]
fn a_chain_across_requests() {
    each(&zhangsan().password_expired().second_factor(), true, ALL, |setting| {
        let client = &setting.client;
        let login: AnyLogin = client.resume(bind(setting).suspend()).unwrap();
        let AnyLogin::WeChatMiniProgram(Resumed::Stage(AnyStage::MfaRequired(stage))) = login else {
            panic!("{login:?}")
        };
        let outcome: Outcome<WeChatMiniProgram> = setting.second_factor(stage);
        let login: AnyLogin = client.resume(outcome.suspend()).unwrap();
        let AnyLogin::WeChatMiniProgram(Resumed::Stage(AnyStage::PasswordExpired(stage))) = login else {
            panic!("{login:?}")
        };
        assert_eq!(stage.policy().unwrap().max_length(), Some(18));
        let outcome = stage.change_password("old password", "new password").send().unwrap();
        let login: AnyLogin = client.resume(outcome.suspend()).unwrap();
        let AnyLogin::Account(Resumed::Stage(AnyStage::Authenticated(user))) = login else {
            panic!("{login:?}")
        };
        setting.assert_done(&user, "new password");
    });
}

/// From a forgotten password to a session: the reset gives none, and the new password logs in.
#[test]
fn a_reset_then_a_login() {
    each(&zhangsan(), true, ALL, |setting| {
        let stage = setting.client.login(device()).reset_password().phone(MOBILE);
        let login = stage.submit(setting.code(SendType::ForgetPwdSms), "new password").send().unwrap();
        assert_eq!(sessions(setting.tenant()), 0);
        let outcome = login.username_password("zhangsan", "new password").send().unwrap();
        setting.assert_done(&expect!(outcome, Authenticated), "new password");
    });
}

/// A registration logs in at once, and the account is there with what was given.
#[test]
fn a_registration_then_a_login() {
    each(&zhangsan(), true, &[Edition::Ciam, Edition::OneAccess], |setting| {
        let attributes = RegistrationAttributes::new().user_name("hanmeimei").password("a password");
        let stage = setting.client.login(device()).register(attributes).phone("15200000000");
        let code = setting.tenant().issue_code("15200000000", SendType::RegisterSms);
        let user = expect!(stage.submit(code).send().unwrap(), Authenticated);
        let name = setting.tenant().session_user(user.session_token().expose());
        assert_eq!(name.as_deref(), Some("hanmeimei"));
        let outcome = user.start_over().username_password("hanmeimei", "a password").send().unwrap();
        expect!(outcome, Authenticated);
    });
}
